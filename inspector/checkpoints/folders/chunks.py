"""The bytes of one chunk of a distributed checkpoint: a torch zip archive within a file."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Literal

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.folders.distributed_metadata import Place
from inspector.checkpoints.geometry import contiguous
from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.sources import FileWindow, LocalFile, MemoryBytes, check_range
from inspector.checkpoints.torch_archive import TorchArchive, walk_pickle
from inspector.checkpoints.walk import Walk
from inspector.checkpoints.zip_directory import LOCAL_SIGNATURE, ZipDirectory

#: A chunk that is not stored in C order is put in order in memory, up to so many bytes.
_MAX_REORDERED: Final = 256 << 20

#: Codes of `memoryview.cast` by the bytes of an element.
_CODES: Final[dict[int, Literal["B", "H", "I", "Q"]]] = {1: "B", 2: "H", 4: "I", 8: "Q"}


def open_slice(file: LocalFile, place: Place, check: Callable[[], None]) -> TorchArchive:
    """The archive at a place that lies within the file.

    Raises
    ------
    CheckpointError
        If there is none.
    """
    window = FileWindow(file, place.offset, place.length)
    shown = display_text(place.file, 100)
    if window.read(0, min(4, window.size)) != LOCAL_SIGNATURE:
        raise CheckpointError(
            f"{shown} holds something else than a torch file at byte {place.offset:,}."
        )
    directory = ZipDirectory(window)
    root = next(iter(directory.members), "").partition("/")[0] + "/"
    if root + "data.pkl" not in directory.members:
        raise CheckpointError(f"{shown} holds a zip archive without data.pkl.")
    return TorchArchive(directory, root, check)


class MissingBytes:
    """Stands for a chunk that can not be read. A `ByteSource`.

    Parameters
    ----------
    size
        In bytes.
    message
        Why, in a sentence.
    """

    def __init__(self, size: int, message: str) -> None:
        self._size: Final = size
        self._message: Final = message

    @property
    def size(self) -> int:
        """Bytes that are missing."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Raises; see `ByteSource`."""
        raise CheckpointError(
            self._message, advice="Check that all files of the checkpoint are there."
        )

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Raises; see `ByteSource`."""
        self.read(offset, len(buffer))

    def close(self) -> None:
        """There is nothing to give back."""


class ChunkBytes:
    """The elements of one chunk in C order. A `ByteSource`.

    The archive that it is in is looked into with the first read.

    Parameters
    ----------
    place
        Lies within ``file``.
    shape
        Of the chunk.
    itemsize
        In bytes.
    """

    def __init__(
        self, file: LocalFile, place: Place, dtype: str, shape: tuple[int, ...], itemsize: int
    ) -> None:
        self._file: Final = file
        self._place: Final = place
        self._dtype: Final = dtype
        self._shape: Final = shape
        self._itemsize: Final = itemsize
        self._lock: Final = threading.Lock()
        self._found: tuple[ByteSource, int] | None = None
        size = itemsize
        for length in shape:
            size *= length
        self._size: Final = size

    @property
    def size(self) -> int:
        """Bytes of the elements."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes; see `ByteSource`."""
        check_range("a chunk", self._size, offset, length)
        source, base = self._resolve()
        return source.read(base + offset, length)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        check_range("a chunk", self._size, offset, len(buffer))
        source, base = self._resolve()
        source.read_into(base + offset, buffer)

    def close(self) -> None:
        """The file is closed by whoever opened it."""

    @property
    def below(self) -> tuple[ByteSource]:
        """The file that it is in."""
        return (self._file,)

    def stored(self, offset: int) -> tuple[ByteSource, int, tuple[int, ...]]:
        """Where the elements are as they lie in the file, and their strides, in elements.

        Parameters
        ----------
        offset
            In bytes, of the first element.

        Raises
        ------
        CheckpointError
            If the archive is not as the metadata say.
        """
        source, begin, stride = self._checked()
        return source, begin + offset, stride

    def _resolve(self) -> tuple[ByteSource, int]:
        with self._lock:
            if self._found is None:
                self._found = self._find()
            return self._found

    def _find(self) -> tuple[ByteSource, int]:
        source, begin, stride = self._checked()
        if _in_order(self._shape, stride):
            return source, begin
        return MemoryBytes(self._reordered(source, begin, stride)), 0

    def _checked(self) -> tuple[ByteSource, int, tuple[int, ...]]:
        """Where the first element is, and the strides of all, after a look into the archive."""
        archive = open_slice(self._file, self._place, lambda: None)
        archive.notes()
        pickle = archive.pickle("data.pkl")
        walk = Walk(lambda: None)
        walk_pickle(walk, pickle, archive.rebuilder("data"))
        entry = walk.entries[0] if walk.entries else None
        if entry is None or entry.storage is None:
            raise self._error("It has no tensor.")
        if entry.problem:
            raise self._error(entry.problem)
        if entry.shape != self._shape or entry.dtype != self._dtype:
            raise self._error(f"It has a tensor of shape {entry.shape} and dtype {entry.dtype}.")
        if entry.is_conj or entry.is_neg:
            raise self._error("Its numbers are stored conjugated or negated.")
        if entry.storage.byteorder != "little" and self._itemsize > 1:
            raise self._error("It is stored in big-endian byte order.")
        begin = entry.storage.offset + entry.storage_offset * self._itemsize
        return entry.storage.source, begin, entry.stride

    def _reordered(self, source: ByteSource, begin: int, stride: tuple[int, ...]) -> bytes:
        """The elements in C order, when they are stored in another one."""
        span = 1 + sum((n - 1) * s for n, s in zip(self._shape, stride, strict=True))
        nbytes = max(span * self._itemsize, self._size)
        if nbytes > _MAX_REORDERED:
            raise self._error(f"Its {nbytes:,} bytes are not in C order, which is not read here.")
        shape, item = self._shape, self._itemsize
        if item == 16:
            # Complex numbers of 16 bytes: pairs of 8.
            shape, stride, item = (*shape, 2), (*(2 * step for step in stride), 1), 8
        stored = memoryview(source.read(begin, span * self._itemsize)).cast(_CODES[item])
        out = bytearray(self._size)
        target = memoryview(out).cast(_CODES[item])
        *outer, count = shape
        step = stride[-1]
        index = [0] * len(outer)
        for row in range(0, len(target), count):
            first = sum(i * s for i, s in zip(index, stride, strict=False))
            if step:
                target[row : row + count] = stored[first : first + (count - 1) * step + 1 : step]
            else:
                same = stored[first : first + 1].tobytes() * count
                target[row : row + count] = memoryview(same).cast(_CODES[item])
            for axis in range(len(outer) - 1, -1, -1):
                index[axis] += 1
                if index[axis] < outer[axis]:
                    break
                index[axis] = 0
        return bytes(out)

    def _error(self, message: str) -> CheckpointError:
        return CheckpointError(
            f"A chunk in {display_text(self._place.file, 100)} is not as .metadata says. {message}",
            where=f"byte {self._place.offset:,}",
        )


def _in_order(shape: tuple[int, ...], stride: tuple[int, ...]) -> bool:
    """Whether elements lie in C order, whatever the strides of axes of length 1 are."""
    return all(
        length == 1 or step == wanted
        for length, step, wanted in zip(shape, stride, contiguous(shape), strict=True)
    )
