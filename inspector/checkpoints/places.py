"""Where the bytes of a storage are in its file, so that another program can read them.

Either as they are, or behind one or two steps that any program can take: what a member of an
archive inflates to, what a file decompresses to, what a pickle holds as bytes.
"""

from __future__ import annotations

import io
import pickletools
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from inspector.checkpoints.assembled import AssembledBytes, Piece
from inspector.checkpoints.decompressed import Decompressed
from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.folders.chunks import ChunkBytes
from inspector.checkpoints.geometry import contiguous
from inspector.checkpoints.inflated import InflatedMember
from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.pickled import PickledBytes
from inspector.checkpoints.sources import FileWindow, LocalFile, MemoryBytes
from inspector.checkpoints.zip_directory import MemberSource

#: Bytes in memory that are few enough to be written down.
_FEW: Final = 1024

#: Pickles that follow each other, at most, among which bytes are looked for.
_MOST_PICKLES: Final = 1000


class UnplacedError(TensorError):
    """No few steps lead from a file to the bytes; the message says why."""


@dataclass(frozen=True, slots=True)
class InFile:
    """They are in a file as they are, from ``offset`` on."""

    path: Path
    offset: int


@dataclass(frozen=True, slots=True)
class Inflated:
    """They are at ``offset`` of what a raw deflate run of ``length`` bytes inflates to."""

    run: InFile
    length: int
    offset: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """They are at ``offset`` of what a file decompresses to: ``gzip``, ``bzip2``, ``zlib`` ..."""

    path: Path
    compression: str
    offset: int


@dataclass(frozen=True, slots=True)
class InPickle:
    """They are at ``offset`` of the bytes that one opcode of a pickle has.

    Attributes
    ----------
    pickle
        Where the pickle begins.
    opcode
        Where the opcode is, counted from there.
    as_text
        Whether it has them as text, one character for each byte.
    """

    pickle: InFile | Inflated | Decoded
    opcode: int
    as_text: bool
    offset: int


@dataclass(frozen=True, slots=True)
class WrittenDown:
    """They are so few that they can be written down: these."""

    data: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class InPieces:
    """They are put together from several places: see `where_piece_is`."""

    source: AssembledBytes


Where: TypeAlias = InFile | Inflated | Decoded | InPickle | WrittenDown | InPieces


@dataclass(frozen=True, slots=True)
class PlacedPiece:
    """A box of an array, and where in a file its elements are.

    Attributes
    ----------
    start, shape
        In the array, in elements; it does not reach beyond.
    stride
        How its elements lie, in elements.
    """

    start: tuple[int, ...]
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    where: InFile


def place_in_file(source: ByteSource, offset: int) -> tuple[Path, int] | None:
    """The file in which a byte of a source lies, and its offset there.

    None where the bytes after it are not those of the file: compressed, put together from pieces,
    in memory. May read the local header of an archive's member.

    Raises
    ------
    CheckpointError
        If such a header can not be read.
    """
    source, offset = _innermost(source, offset)
    return (source.path, offset) if isinstance(source, LocalFile) else None


def where_is(source: ByteSource, offset: int) -> Where:
    """Where a byte of a source is, and those behind it.

    May read local headers of archives, and the pickle that holds it as far as that.

    Raises
    ------
    UnplacedError
        If no few steps lead there.
    CheckpointError
        If what is on the way can not be read.
    """
    source, offset = _innermost(source, offset)
    if isinstance(source, LocalFile):
        return InFile(source.path, offset)
    if isinstance(source, InflatedMember):
        run = place_in_file(*source.run[:2])
        if run is None:
            raise UnplacedError("Its bytes are compressed twice.")
        return Inflated(InFile(*run), source.run[2], offset)
    if isinstance(source, Decompressed):
        return _decoded(source, offset)
    if isinstance(source, PickledBytes):
        return _in_pickle(source, offset)
    if isinstance(source, MemoryBytes) and source.size <= _FEW:
        return WrittenDown(source.read(0, source.size), offset)
    if isinstance(source, AssembledBytes):
        return InPieces(source)
    raise UnplacedError("Its numbers are not in the file as bytes of one run.")


def where_piece_is(piece: Piece, whole: tuple[int, ...]) -> PlacedPiece:
    """Where one of the pieces of an array of shape ``whole`` is. May read its beginning.

    Raises
    ------
    UnplacedError
        If it is not in a file as it is.
    CheckpointError
        If it is missing.
    """
    source, offset, stride = piece.source, piece.offset, contiguous(piece.shape)
    if isinstance(source, ChunkBytes):
        source, offset, stride = source.stored(offset)
    else:
        source.read(offset, min(1, source.size))  # says what is missing
    place = place_in_file(source, offset)
    if place is None:
        raise UnplacedError("One of its pieces is compressed.")
    bounds = zip(piece.start, piece.shape, whole, strict=True)
    shape = tuple(min(count, size - first) for first, count, size in bounds)
    return PlacedPiece(piece.start, shape, stride, InFile(*place))


def _innermost(source: ByteSource, offset: int) -> tuple[ByteSource, int]:
    """What a byte of a source really is read from, and where in that."""
    while True:
        if isinstance(source, FileWindow | MemberSource):
            source, offset = source.origin(offset)
            continue
        only = source.only_run if isinstance(source, AssembledBytes) else None
        if only is None or isinstance(only.source, ChunkBytes):
            return source, offset
        source, offset = only.source, only.offset + offset


def _decoded(source: Decompressed, offset: int) -> Decoded:
    if source.problem:
        raise UnplacedError(f"The compressed data {source.problem}, and no library reads it.")
    place = place_in_file(source.compressed, 0)
    if place is None:
        raise UnplacedError("Its bytes are compressed twice.")
    return Decoded(place[0], source.compression, offset)


def _in_pickle(source: PickledBytes, offset: int) -> InPickle:
    start, opcode, as_text = _opcode_of(source)
    pickle = where_is(source.pickle, start)
    if isinstance(pickle, InPickle | WrittenDown | InPieces):
        raise UnplacedError("Its bytes are in a pickle within a pickle.")
    return InPickle(pickle, opcode, as_text, offset)


def _opcode_of(source: PickledBytes) -> tuple[int, int, bool]:
    """The pickle that has some bytes, the opcode's place in it, and whether it has them as text."""
    data = source.read(0, source.size)
    text = data.decode("latin1")
    stream = _Stream(source.pickle)  # has what genops asks of a file
    try:
        for _ in range(_MOST_PICKLES):
            start = stream.tell()
            for _opcode, argument, at in pickletools.genops(stream):  # type: ignore[arg-type]
                if argument == (text if type(argument) is str else data):
                    return start, (at or 0) - start, type(argument) is str
    except (ValueError, EOFError, struct.error, OverflowError, MemoryError):
        pass  # behind the last pickle, or one that Python's own module can not read
    raise UnplacedError("Python's pickletools do not find its bytes in the pickle.")


class _RawStream(io.RawIOBase):
    """A source as an unbuffered stream."""

    def __init__(self, source: ByteSource) -> None:
        super().__init__()
        self._source: Final = source
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        count = min(len(buffer), self._source.size - self._at)
        self._source.read_into(self._at, memoryview(buffer)[:count])
        self._at += count
        return count


class _Stream:
    """A source as `pickletools.genops` reads it. No length in the pickle allocates anything."""

    def __init__(self, source: ByteSource) -> None:
        self._size: Final = source.size
        self._buffered: Final = io.BufferedReader(_RawStream(source), 1 << 16)
        self._at = 0

    def read(self, length: int) -> bytes:
        data = self._buffered.read(min(length, self._size - self._at))
        self._at += len(data)
        return data

    def readline(self) -> bytes:
        line = self._buffered.readline()
        self._at += len(line)
        return line

    def tell(self) -> int:
        return self._at
