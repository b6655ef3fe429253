"""The bytes of an array that is stored in pieces: shards of a tensor, chunks of a dataset."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.geometry import contiguous
from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.sources import check_range

#: Bytes that are put together at a time, so that what has to be kept of the pieces is bounded.
_BLOCK: Final = 1 << 18

#: A piece is read in one go where at least one of so many bytes is wanted; else run by run.
_WASTE: Final = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """A box of an array, stored in C order.

    Attributes
    ----------
    start
        The index of its first element in the array, one number an axis.
    shape
        Its shape as it is stored, in elements. It may reach beyond the array, as the chunks at
        the edges do; what lies beyond is skipped.
    source, offset
        Where its first element is, in bytes. A source that raises stands for a piece that is
        missing.
    """

    start: tuple[int, ...]
    shape: tuple[int, ...]
    source: ByteSource
    offset: int = 0


#: Where bytes of the whole are in a piece: offset in the whole, offset in the piece, length.
_Run = tuple[int, int, int]


class _Box:
    """A piece in the axes of `AssembledBytes`, of which the last counts bytes."""

    __slots__ = ("first", "last", "length", "lengths", "piece", "strides", "whole")

    def __init__(self, piece: Piece, start: list[int], stored: list[int], shape: list[int]) -> None:
        self.piece = piece
        #: Strides of the whole and of the piece, bytes.
        self.whole = contiguous(tuple(shape))
        self.strides = contiguous(tuple(stored))
        lengths = [
            min(count, size - first)
            for first, count, size in zip(start, stored, shape, strict=True)
        ]
        #: Of the axes but the last: how far it reaches.
        self.lengths = lengths[:-1]
        #: Bytes of each of its runs.
        self.length = lengths[-1]
        #: Where it begins and ends in the whole, bytes.
        self.first = sum(a * b for a, b in zip(start, self.whole, strict=True))
        self.last = self.length + sum(
            (self.first, *((n - 1) * s for n, s in zip(self.lengths, self.whole, strict=False)))
        )

    def runs(self, begin: int, end: int) -> Iterator[_Run]:
        """Its runs that touch the bytes from ``begin`` to ``end`` of the whole, in order."""
        *outer, inner = self.lengths or [1]
        whole, strides = self.whole[-2:][0], self.strides[-2:][0]
        number = math.prod(outer)
        at = bisect_left(range(number), begin + 1, key=lambda n: self._ends(outer, n, inner, whole))
        for n in range(at, number):
            there, here = self._place(outer, n)
            if there >= end:
                return
            skipped = max(0, begin - there - self.length + 1)
            for i in range(-(-skipped // whole) if skipped else 0, inner):
                position = there + i * whole
                if position >= end:
                    break
                yield position, here + i * strides, self.length

    def _ends(self, outer: list[int], number: int, inner: int, whole: int) -> int:
        return self._place(outer, number)[0] + (inner - 1) * whole + self.length

    def _place(self, outer: list[int], number: int) -> tuple[int, int]:
        """Where the runs with this number along the outer axes begin, in the whole and here."""
        there, here = self.first, 0
        for axis in range(len(outer) - 1, -1, -1):
            number, index = divmod(number, outer[axis])
            there += index * self.whole[axis]
            here += index * self.strides[axis]
        return there, here


class AssembledBytes:
    """The elements of an array in C order, put together from pieces as they are asked for.

    A `ByteSource`. Takes memory for its list of pieces, and some MiB while it is read.

    Parameters
    ----------
    shape
        Of the array, in elements; the product with ``itemsize`` has at most 63 bits.
    itemsize
        Bytes of an element.
    pieces
        In any order. Each has as many axes as the array. Where two overlap, the later one counts.
    name
        For errors, at the beginning of a sentence.
    fill
        What stands where there is no piece: ``itemsize`` bytes, or None if nothing may be
        missing.

    Attributes
    ----------
    shape
        As it was given.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        itemsize: int,
        pieces: Sequence[Piece],
        name: str,
        fill: bytes | None = None,
    ) -> None:
        self._name: Final = name
        self._fill: Final = fill
        self.shape: Final = shape
        self._size: Final = math.prod(shape) * itemsize
        kept = [piece for piece in pieces if _is_inside(piece, shape)] if self._size else []
        axes = _axes_that_are_cut(shape, kept)

        def in_bytes(numbers: tuple[int, ...]) -> list[int]:
            return [*numbers[: axes - 1], math.prod(numbers[max(0, axes - 1) :]) * itemsize]

        def start_in_bytes(numbers: tuple[int, ...]) -> list[int]:
            rest = math.prod(shape[axes:]) * itemsize
            return [*numbers[: axes - 1], numbers[axes - 1] * rest] if axes else [0]

        merged = in_bytes(shape)
        boxes = [
            _Box(piece, start_in_bytes(piece.start), in_bytes(piece.shape), merged)
            for piece in kept
        ]
        boxes.sort(key=lambda box: box.first)
        self._boxes: Final = boxes
        self._firsts: Final = [box.first for box in boxes]
        self._longest: Final = max((box.last - box.first for box in boxes), default=0)

    @property
    def size(self) -> int:
        """Bytes of the whole array."""
        return self._size

    @property
    def below(self) -> list[ByteSource]:
        """What has the pieces."""
        return [piece.source for piece in self.pieces]

    @property
    def pieces(self) -> list[Piece]:
        """The pieces that have a part in it. Where two overlap, the later one counts."""
        return [box.piece for box in self._boxes]

    @property
    def only_run(self) -> Piece | None:
        """The piece that is all of it; None if there is none."""
        whole = len(self._boxes) == 1 and self._boxes[0].piece.shape == self.shape
        return self._boxes[0].piece if whole else None

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes; see `ByteSource`."""
        check_range(self._name, self._size, offset, length)
        buffer = bytearray(length)
        self.read_into(offset, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        check_range(self._name, self._size, offset, len(buffer))
        done = 0
        while done < len(buffer):
            done += self._read_long_run(offset + done, buffer[done:]) or self._read_block(
                offset + done, buffer[done : done + _BLOCK]
            )

    def close(self) -> None:
        """The sources of the pieces are closed by whoever opened them."""

    def _near(self, begin: int, end: int) -> list[_Box]:
        """The pieces that reach into some bytes of the whole."""
        low = bisect_left(self._firsts, begin - self._longest)
        high = bisect_left(self._firsts, end)
        return [box for box in self._boxes[low:high] if box.last > begin]

    def _read_long_run(self, offset: int, buffer: memoryview) -> int:
        """Read straight into ``buffer`` where one piece alone has much of it; how much it was."""
        near = self._near(offset, offset + min(_BLOCK, len(buffer)))
        if len(near) != 1:
            return 0
        there, here, length = next(near[0].runs(offset, offset + 1), (0, 0, 0))
        count = min(there + length - offset, len(buffer))
        if there > offset or count < min(_BLOCK, len(buffer)):
            return 0
        following = bisect_left(self._firsts, offset + 1)
        if following < len(self._firsts):
            count = min(count, self._firsts[following] - offset)
        piece = near[0].piece
        piece.source.read_into(piece.offset + here + offset - there, buffer[:count])
        return count

    def _read_block(self, offset: int, buffer: memoryview) -> int:
        end = offset + len(buffer)
        if self._fill is not None:
            shift = offset % max(1, len(self._fill))
            pattern = self._fill * (len(buffer) // max(1, len(self._fill)) + 2)
            buffer[:] = pattern[shift : shift + len(buffer)]
        covered: list[tuple[int, int]] = []
        for box in self._near(offset, end):
            runs = list(box.runs(offset, end))
            if runs:
                _copy(box.piece, runs, offset, buffer)
                covered += [(there, there + length) for there, _, length in runs]
        if self._fill is None:
            self._refuse_gaps(covered, offset, end)
        return len(buffer)

    def _refuse_gaps(self, covered: list[tuple[int, int]], begin: int, end: int) -> None:
        covered.sort()
        for first, last in (*covered, (end, end)):
            if first > begin:
                raise CheckpointError(
                    f"{self._name} is not whole: no file holds its bytes {begin:,} to {first:,}.",
                    advice="Check that all files of the checkpoint are there.",
                )
            begin = max(begin, last)


def _is_inside(piece: Piece, shape: tuple[int, ...]) -> bool:
    return len(piece.start) == len(piece.shape) == len(shape) and all(
        0 <= first < size and count > 0
        for first, count, size in zip(piece.start, piece.shape, shape, strict=True)
    )


def _axes_that_are_cut(shape: tuple[int, ...], pieces: Sequence[Piece]) -> int:
    """How many leading axes to keep: behind them, every piece has the whole."""
    axes = len(shape)
    while axes > 1 and all(
        piece.start[axes - 1] == 0 and piece.shape[axes - 1] == shape[axes - 1] for piece in pieces
    ):
        axes -= 1
    return axes


def _copy(piece: Piece, runs: list[_Run], offset: int, buffer: memoryview) -> None:
    """Copy runs of a piece to where they belong in ``buffer``, which begins at ``offset``."""
    clipped = []
    for there, here, length in runs:
        skip = max(0, offset - there)
        clipped.append(
            (there + skip - offset, here + skip, min(length, offset + len(buffer) - there) - skip)
        )
    base = clipped[0][1]
    span = clipped[-1][1] + clipped[-1][2] - base
    if span <= _WASTE * sum(length for _, _, length in clipped):
        data = memoryview(piece.source.read(piece.offset + base, span))
        for there, here, length in clipped:
            buffer[there : there + length] = data[here - base : here - base + length]
        return
    for there, here, length in clipped:
        piece.source.read_into(piece.offset + here, buffer[there : there + length])
