"""A compressed file as a source of bytes, with bounded memory and a bounded size."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.positions import MOST, Positions
from inspector.checkpoints.sources import check_range

#: Compressed bytes that are read at a time, and decompressed ones that are made at a time.
_CHUNK: Final = 1 << 16
_PIECE: Final = 1 << 18

#: What is decompressed to no more than this stays in memory.
_KEPT: Final = 32 << 20

#: A file may decompress to this, and to so many times its size: numbers seldom get to a tenth.
_FLOOR: Final = 64 << 20
_MAX_RATIO: Final = 200

#: Memory that xz may ask for; its highest setting takes a quarter of it.
_XZ_MEMORY: Final = 256 << 20

#: Places to which one can go back, at most. Each takes some 45 KiB.
_MAX_PLACES: Final = 64


@dataclass(frozen=True, slots=True)
class Compression:
    """A way to compress.

    Attributes
    ----------
    make
        Makes a decompressor, of `zlib`'s or `bz2`'s manner.
    readers
        Decompressors at a time: one of xz may take 64 MiB, and others a few at most.
    """

    name: str
    magic: bytes
    make: Callable[[], Any]
    readers: int = MOST


_COMPRESSIONS: Final = (
    Compression("gzip", b"\x1f\x8b", lambda: zlib.decompressobj(16 + zlib.MAX_WBITS)),
    Compression("bzip2", b"BZh", bz2.BZ2Decompressor),
    Compression("xz", b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY), 2),
    Compression(
        "lzma",
        b"\x5d\0\0",
        lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_XZ_MEMORY),
        2,
    ),
    Compression("zlib", b"\x78", zlib.decompressobj),
)


def compression_of(head: bytes) -> Compression | None:
    """How a file is compressed, by its first bytes."""
    for known in _COMPRESSIONS:
        if head.startswith(known.magic):
            # The first two bytes of zlib's are a multiple of 31.
            sums = len(head) > 1 and int.from_bytes(head[:2]) % 31 == 0
            return known if known.name != "zlib" or sums else None
    return None


class _Reader:
    """Decompresses forward, from one stream to the next. At the end, `piece` gives nothing."""

    def __init__(self, source: ByteSource, compression: Compression) -> None:
        self._source = source
        self._compression = compression
        self._inner = compression.make()
        self._taken = 0
        self._rest = b""
        #: Decompressed bytes so far.
        self.position = 0
        #: Why it ended before its end, if it did.
        self.problem = ""

    def copy(self) -> _Reader:
        """Another one at the same place. Only zlib's decompressors can do that."""
        other = _Reader(self._source, self._compression)
        other._inner = self._inner.copy()
        other._taken, other._rest, other.position = self._taken, self._rest, self.position
        return other

    def piece(self, most: int) -> bytes:
        """Up to ``most`` of the next bytes, at least one but at the end."""
        while not self.problem:
            if self._inner.eof and not self._next_stream():
                return b""
            if not self._rest and getattr(self._inner, "needs_input", True):
                self._rest = self._read()
            try:
                made: bytes = self._inner.decompress(self._rest, most)
            except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError) as error:
                self.problem = f"is damaged: {error}"
                return b""
            ended = not self._rest and self._taken >= self._source.size
            self._rest = getattr(self._inner, "unconsumed_tail", b"")
            if made:
                self.position += len(made)
                return made
            if ended and not self._inner.eof:
                self.problem = "ends too early"
        return b""

    def _next_stream(self) -> bool:
        """Go on in the stream that follows, if one does."""
        magic = self._compression.magic
        behind = self._inner.unused_data
        if len(behind) < len(magic):
            behind += self._read()
        if not behind.startswith(magic) or self._compression.name in ("zlib", "lzma"):
            return False
        self._inner, self._rest = self._compression.make(), behind
        return True

    def _read(self) -> bytes:
        count = min(_CHUNK, self._source.size - self._taken)
        data = self._source.read(self._taken, count)
        self._taken += count
        return data


def first_bytes(source: ByteSource, compression: Compression, length: int) -> bytes:
    """Up to ``length`` of the first decompressed bytes."""
    reader = _Reader(source, compression)
    made = b""
    while len(made) < length and (piece := reader.piece(length - len(made))):
        made += piece
    return made


class Decompressed:
    """What a compressed file decompresses to. A `ByteSource`.

    It is decompressed once to learn its size. If that is little, it stays in memory; else each
    read goes forward from where another one ended, or from a remembered place before it.

    Parameters
    ----------
    check
        Called now and then; may raise `Cancelled`.

    Attributes
    ----------
    compressed
        The source below.
    problem
        Why it ends before its end, as the end of a sentence; empty if it does not.

    Raises
    ------
    CheckpointError
        If it decompresses to much more than such files do.
    """

    def __init__(
        self, source: ByteSource, compression: Compression, check: Callable[[], None]
    ) -> None:
        #: What it is decompressed from.
        self.compressed: Final = source
        self._compression: Final = compression
        self._places: list[_Reader] = []
        self._distance = _KEPT // 8
        self._data: bytes | None = None
        self.problem = ""
        self._size: Final = self._measure(check)
        self._positions: Final = Positions[_Reader](compression.readers)

    @property
    def below(self) -> tuple[ByteSource]:
        """What is compressed."""
        return (self.compressed,)

    @property
    def compression(self) -> str:
        """How it is compressed, in a word."""
        return self._compression.name

    @property
    def size(self) -> int:
        """Decompressed bytes."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes; see `ByteSource`."""
        check_range("what it decompresses to", self._size, offset, length)
        if self._data is not None:
            return self._data[offset : offset + length]
        buffer = bytearray(length)
        self.read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        check_range("what it decompresses to", self._size, offset, len(buffer))
        if self._data is not None:
            buffer[:] = self._data[offset : offset + len(buffer)]
            return
        with self._positions.before(offset, self._nearest) as reader:
            while reader.position < offset:
                _next(reader, min(_PIECE, offset - reader.position))
            done = 0
            while done < len(buffer):
                piece = _next(reader, len(buffer) - done)
                buffer[done : done + len(piece)] = piece
                done += len(piece)

    def close(self) -> None:
        """The source below is closed by whoever opened it."""

    def _measure(self, check: Callable[[], None]) -> int:
        reader = _Reader(self.compressed, self._compression)
        limit = _FLOOR + _MAX_RATIO * self.compressed.size
        kept: list[bytes] | None = []
        while piece := reader.piece(_PIECE):
            check()
            if reader.position > limit:
                raise CheckpointError(
                    f"It decompresses from {self.compressed.size:,} to more than {limit:,} bytes, "
                    "as only files do that are made to fill the memory.",
                    advice="Decompress it yourself if you trust it.",
                )
            if kept is not None:
                kept.append(piece)
                if reader.position > _KEPT:
                    kept = None
            self._remember(reader)
        self.problem = reader.problem
        if kept is not None:
            self._data = b"".join(kept)
            self._places.clear()
        return reader.position

    def _remember(self, reader: _Reader) -> None:
        """Keep places at about equal distances."""
        last = self._places[-1].position if self._places else 0
        if self._compression.name not in ("gzip", "zlib"):
            return
        if reader.position - last < self._distance:
            return
        self._places.append(reader.copy())
        if len(self._places) > _MAX_PLACES:
            del self._places[::2]
            self._distance *= 2

    def _nearest(self, offset: int) -> tuple[int, Callable[[], _Reader]]:
        nearest = max(
            (place for place in self._places if place.position <= offset),
            key=lambda place: place.position,
            default=None,
        )
        if nearest is None:
            return 0, lambda: _Reader(self.compressed, self._compression)
        return nearest.position, nearest.copy


def _next(reader: _Reader, most: int) -> bytes:
    """Up to ``most`` of the next bytes, at least one."""
    piece = reader.piece(most)
    if not piece:
        raise CheckpointError("It does not decompress as it did before.", advice="Reload it.")
    return piece
