"""Where bytes come from: a file, a deflated run of another source, bytes already in memory.

Files are read with plain reads at offsets and never mapped: a file that shrinks under a map kills
the process, while a short read is an ordinary error.
"""

from __future__ import annotations

import io
import os
import stat
import threading
import zlib
from pathlib import Path
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.model import ByteSource

_RELOAD = "Reload it."

#: Windows has no reads at an offset; there, reads take turns.
_READS_AT_OFFSET = hasattr(os, "preadv")

#: Deflate can not do better than this many bytes out of one.
MAX_RATIO = 1032

#: Compressed bytes that are read at a time.
_CHUNK = 1 << 16

#: Inflated bytes that are skipped at a time.
_SKIP = 1 << 18

#: Inflated bytes between two places to which one can go back, at least; and their highest
#: number. Each takes some 45 KiB.
_PLACE_DISTANCE = 4 << 20
_MAX_PLACES = 64


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


class LocalFile:
    """A regular file, read at offsets by any number of threads. A `ByteSource`.

    Parameters
    ----------
    path
        Anything but a regular file is refused without blocking.

    Raises
    ------
    CheckpointError
        If it can not be opened; what is wrong in words.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._fd = _open_regular(path)
        status = os.fstat(self._fd)
        self._size: Final = status.st_size
        self._modified: Final = status.st_mtime_ns
        self._lock: Final = threading.Lock()
        self._readers = 0
        self._closed = False

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
            status = os.fstat(fd)
            if status.st_size != self._size or status.st_mtime_ns != self._modified:
                raise self._changed()
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
            if self._closed:
                return
            self._closed = True
            if not self._readers:
                os.close(self._fd)

    def _enter(self) -> int:
        # Counted, so that no thread reads from a number that belongs to another file by then.
        with self._lock:
            if self._closed:
                raise CheckpointError(f"{self.path} was closed.", advice="Open it again.")
            self._readers += 1
            return self._fd

    def _leave(self) -> None:
        with self._lock:
            self._readers -= 1
            if self._closed and not self._readers:
                os.close(self._fd)

    def _read_some(self, fd: int, offset: int, buffer: memoryview) -> int:
        if _READS_AT_OFFSET:
            return os.preadv(fd, [buffer], offset)
        with self._lock, io.FileIO(fd, closefd=False) as file:
            file.seek(offset)
            return file.readinto(buffer) or 0

    def _changed(self) -> CheckpointError:
        return CheckpointError(f"{self.path} has changed since it was opened.", advice=_RELOAD)


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
        raise CheckpointError(
            f"{path} is a folder.", advice="Choose a file in it; folders are not read yet."
        )
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


class SourceSlice:
    """A part of another source. A `ByteSource`; the other one is closed by whoever opened it.

    Parameters
    ----------
    offset, length
        In bytes; inside of ``source``.
    """

    def __init__(self, source: ByteSource, offset: int, length: int) -> None:
        check_range("the whole", source.size, offset, length)
        self._source: Final = source
        self._offset: Final = offset
        self._size: Final = length

    @property
    def size(self) -> int:
        """Its bytes."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes; see `ByteSource`."""
        check_range("a part", self._size, offset, length)
        return self._source.read(self._offset + offset, length)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        check_range("a part", self._size, offset, len(buffer))
        self._source.read_into(self._offset + offset, buffer)

    def close(self) -> None:
        """Nothing has to be given back."""


class _Place:
    """A place in a deflated run from where inflating can go on."""

    __slots__ = ("inflater", "position", "taken")

    def __init__(self, inflater: zlib._Decompress, position: int, taken: int) -> None:
        self.inflater = inflater
        #: Inflated bytes before it.
        self.position = position
        #: Compressed bytes that the inflater was given.
        self.taken = taken

    def copy(self) -> _Place:
        return _Place(self.inflater.copy(), self.position, self.taken)


class InflatedMember:
    """The inflated bytes of a raw deflate run in another source. A `ByteSource`.

    Reading forward streams. Reading backward goes on from a remembered place, so that it costs
    some MiB of inflating, or a 64th of the whole. Memory is bounded by some MiB, whatever the
    run claims to inflate to.

    Parameters
    ----------
    source, offset, compressed
        The run, in bytes.
    claimed
        Inflated bytes by the file's own word; what deflate can not reach is cut off.
    name
        For errors.
    """

    def __init__(
        self, source: ByteSource, offset: int, compressed: int, claimed: int, name: str
    ) -> None:
        self._source: Final = source
        self._offset: Final = offset
        self._compressed: Final = compressed
        self._size: Final = min(claimed, compressed * MAX_RATIO)
        self._name: Final = name
        self._lock: Final = threading.Lock()
        self._distance: Final = max(_PLACE_DISTANCE, self._size // _MAX_PLACES)
        self._places: Final = [_Place(zlib.decompressobj(-zlib.MAX_WBITS), 0, 0)]
        self._current = self._places[0].copy()

    @property
    def size(self) -> int:
        """Inflated bytes."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` inflated bytes; see `ByteSource`."""
        check_range(self._name, self._size, offset, length)
        # Grows with what is really there: the claim allocates nothing.
        parts = []
        with self._lock:
            self._go_to(offset)
            while length:
                part = self._inflate(length)
                length -= len(part)
                parts.append(part)
        return b"".join(parts)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        check_range(self._name, self._size, offset, len(buffer))
        with self._lock:
            self._go_to(offset)
            done = 0
            while done < len(buffer):
                part = self._inflate(len(buffer) - done)
                buffer[done : done + len(part)] = part
                done += len(part)

    def close(self) -> None:
        """The source below is closed by whoever opened it."""

    def _go_to(self, offset: int) -> None:
        """Bring the current place to ``offset``."""
        nearest = self._places[min(offset // self._distance, len(self._places) - 1)]
        if not nearest.position <= self._current.position <= offset:
            self._current = nearest.copy()
        while self._current.position < offset:
            self._inflate(min(_SKIP, offset - self._current.position))

    def _inflate(self, most: int) -> bytes:
        """Between 1 and ``most`` of the next bytes."""
        here = self._current
        next_place = len(self._places) * self._distance
        if here.position < next_place:
            most = min(most, next_place - here.position)
        while True:
            data = here.inflater.unconsumed_tail
            if not data and here.taken < self._compressed and not here.inflater.eof:
                count = min(_CHUNK, self._compressed - here.taken)
                data = self._source.read(self._offset + here.taken, count)
                here.taken += count
            if here.inflater.eof:
                raise self._damaged()
            try:
                part = here.inflater.decompress(data, most)
            except zlib.error as error:
                raise self._damaged() from error
            if part:
                break
            if not data:
                raise self._damaged()
        here.position += len(part)
        if here.position == next_place:
            self._places.append(here.copy())
        return part

    def _damaged(self) -> CheckpointError:
        return CheckpointError(
            f"{self._name} is damaged: it does not inflate to the {self._size:,} bytes that it "
            "should.",
            where=f"inflated byte {self._current.position:,}",
        )
