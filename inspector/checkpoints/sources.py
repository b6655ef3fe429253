"""Where bytes come from: a file, a part of one, bytes already in memory.

Files are read with plain reads at offsets and never mapped: a file that shrinks under a map kills
the process, while a short read is an ordinary error.
"""

from __future__ import annotations

import io
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.model import ByteSource

_RELOAD = "Reload it."

#: Windows has no reads at an offset; there, reads take turns.
_READS_AT_OFFSET = hasattr(os, "preadv")


def check_range(source_name: str, size: int, offset: int, length: int) -> None:
    """Refuse a range that does not lie within ``size`` bytes.

    Raises
    ------
    CheckpointError
        Saying what was asked of what.
    """
    if offset < 0 or length < 0 or offset + length > size:
        raise CheckpointError(
            f"{length:,} bytes at {offset:,} were asked of {source_name}, which has {size:,}."
        )


class NamedSource(ByteSource, Protocol):
    """A `ByteSource` that lies in a file of this name: the file, or a part of it."""

    @property
    def path(self) -> Path:
        """The file."""


@runtime_checkable
class Derived(Protocol):
    """A `ByteSource` whose bytes come from others."""

    @property
    def below(self) -> Sequence[ByteSource]:
        """What its bytes are read from."""


def files_of(sources: Iterable[ByteSource]) -> list[LocalFile]:
    """The files that the bytes of sources come from, each once."""
    found: list[LocalFile] = []
    waiting, met = list(sources), set[int]()
    while waiting:
        source = waiting.pop()
        if id(source) in met:
            continue
        met.add(id(source))
        if isinstance(source, LocalFile):
            found.append(source)
        elif isinstance(source, Derived):
            waiting.extend(source.below)
    return found


class LocalFile:
    """A regular file, read at offsets by any number of threads. A `ByteSource`.

    Parameters
    ----------
    path
        Anything but a regular file is refused without blocking.
    pool
        Keeps the file from being held open all the time; None holds it open until it is closed.
        One that was opened again has to be the same file as before.

    Raises
    ------
    CheckpointError
        If it can not be opened; what is wrong in words.
    """

    def __init__(self, path: Path, pool: FilePool | None = None) -> None:
        self._path: Final = path
        self._pool: Final = pool
        self._fd: int | None = _open_regular(path)
        status = os.fstat(self._fd)
        self._size: Final = status.st_size
        self._modified: Final = status.st_mtime_ns
        self._place: Final = (status.st_dev, status.st_ino)
        self._lock: Final = threading.Lock()
        self._readers = 0
        self._closed = False
        if pool is not None:
            pool.touch(self)

    @property
    def path(self) -> Path:
        """Its name."""
        return self._path

    @property
    def size(self) -> int:
        """Its bytes when it was opened."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes; see `ByteSource`."""
        check_range(str(self.path), self._size, offset, length)
        buffer = bytearray(length)
        self.read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        check_range(str(self.path), self._size, offset, len(buffer))
        fd = self._enter()
        try:
            self._refuse_changed(os.fstat(fd))
            done = 0
            while done < len(buffer):
                count = self._read_some(fd, offset + done, buffer[done:])
                if not count:
                    raise self._changed()
                done += count
        except OSError as error:
            raise CheckpointError(
                f"{self.path} can not be read any more: {error.strerror}.", advice=_RELOAD
            ) from error
        finally:
            self._leave()

    def close(self) -> None:
        """Give the file back, as soon as the reads under way in other threads have ended."""
        with self._lock:
            self._closed = True
            self._give_back()
        if self._pool is not None:
            self._pool.forget(self)

    def rest(self) -> bool:
        """Give the file back until the next read, unless a read is under way."""
        with self._lock:
            return self._give_back()

    def _give_back(self) -> bool:
        if self._readers:
            return False
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        return True

    def _enter(self) -> int:
        # Counted, so that no thread reads from a number that belongs to another file by then.
        with self._lock:
            if self._closed:
                raise CheckpointError(f"{self.path} was closed.", advice="Open it again.")
            if self._fd is None:
                self._fd = self._open_again()
            self._readers += 1
            fd = self._fd
        if self._pool is not None:
            self._pool.touch(self)
        return fd

    def _open_again(self) -> int:
        fd = _open_regular(self.path)
        status = os.fstat(fd)
        try:
            self._refuse_changed(status)
            if (status.st_dev, status.st_ino) != self._place:
                raise self._changed()
        except CheckpointError:
            os.close(fd)
            raise
        return fd

    def _leave(self) -> None:
        with self._lock:
            self._readers -= 1
            if self._closed:
                self._give_back()

    def _read_some(self, fd: int, offset: int, buffer: memoryview) -> int:
        if _READS_AT_OFFSET:
            return os.preadv(fd, [buffer], offset)
        with self._lock, io.FileIO(fd, closefd=False) as file:
            file.seek(offset)
            return file.readinto(buffer) or 0

    def _refuse_changed(self, status: os.stat_result) -> None:
        if status.st_size != self._size or status.st_mtime_ns != self._modified:
            raise self._changed()

    def _changed(self) -> CheckpointError:
        return CheckpointError(f"{self.path} has changed since it was opened.", advice=_RELOAD)


class FilePool:
    """Keeps few of many files open: those that were read last.

    Parameters
    ----------
    limit
        Files that are open at a time, but for those that are being read.
    """

    def __init__(self, limit: int = 32) -> None:
        self._limit: Final = limit
        self._open: Final[OrderedDict[int, LocalFile]] = OrderedDict()
        self._lock: Final = threading.Lock()

    def touch(self, file: LocalFile) -> None:
        """Note that a file is open and in use; another one may have to rest."""
        resting = []
        with self._lock:
            self._open[id(file)] = file
            self._open.move_to_end(id(file))
            while len(self._open) > self._limit:
                resting.append(self._open.popitem(last=False)[1])
        # Not under the lock of the pool: a file has a lock of its own.
        for other in resting:
            if not other.rest():
                with self._lock:
                    self._open[id(other)] = other

    def forget(self, file: LocalFile) -> None:
        """Note that a file was closed."""
        with self._lock:
            self._open.pop(id(file), None)


class FileWindow:
    """A run of a file, as if it were a file. A `NamedSource`.

    Parameters
    ----------
    file
        Is closed by whoever opened it.
    offset, size
        The run in bytes. It has to lie within the file.
    """

    def __init__(self, file: NamedSource, offset: int, size: int) -> None:
        check_range(str(file.path), file.size, offset, size)
        self._file: Final = file
        self._offset: Final = offset
        self._size: Final = size

    @property
    def path(self) -> Path:
        """The file's name."""
        return self._file.path

    @property
    def size(self) -> int:
        """Bytes of the run."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes; see `ByteSource`."""
        check_range(f"a part of {self.path}", self._size, offset, length)
        return self._file.read(self._offset + offset, length)

    @property
    def below(self) -> tuple[ByteSource]:
        """The file around it."""
        return (self._file,)

    def origin(self, offset: int) -> tuple[ByteSource, int]:
        """The file around it, and where in that a byte of it lies."""
        return self._file, self._offset + offset

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        check_range(f"a part of {self.path}", self._size, offset, len(buffer))
        self._file.read_into(self._offset + offset, buffer)

    def close(self) -> None:
        """The file is closed by whoever opened it."""


def _open_regular(path: Path) -> int:
    """A file descriptor; never waits for the other end of a pipe."""
    flags = os.O_RDONLY
    for name in ("O_CLOEXEC", "O_NONBLOCK", "O_BINARY", "O_NOCTTY"):
        flags |= getattr(os, name, 0)
    try:
        # Looked at before opening: opening a device can do things.
        _refuse_special(path, path.stat().st_mode)
        fd = os.open(path, flags)
    except (OSError, ValueError) as error:
        raise _open_error(path, error) from error
    try:
        _refuse_special(path, os.fstat(fd).st_mode)
    except CheckpointError:
        os.close(fd)
        raise
    return fd


def _refuse_special(path: Path, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise CheckpointError(f"{path} is a folder.", advice="Choose a file in it.")
    if not stat.S_ISREG(mode):
        raise CheckpointError(f"{path} is no regular file but a device, a pipe or a socket.")


def _open_error(path: Path, error: OSError | ValueError) -> CheckpointError:
    if isinstance(error, FileNotFoundError):
        return CheckpointError(f"{path} does not exist.", advice="Check the name and the folder.")
    if isinstance(error, PermissionError):
        return CheckpointError(
            f"{path} may not be read by you.", advice="Ask its owner, or change its permissions."
        )
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return CheckpointError(f"{path} can not be opened: {reason}.")


class MemoryBytes:
    """Bytes that are in memory already. A `ByteSource`."""

    def __init__(self, data: bytes) -> None:
        self._data: Final = data

    @property
    def size(self) -> int:
        """Their number."""
        return len(self._data)

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes; see `ByteSource`."""
        check_range("a value in memory", len(self._data), offset, length)
        return self._data[offset : offset + length]

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        buffer[:] = self.read(offset, len(buffer))

    def close(self) -> None:
        """Nothing has to be given back."""
