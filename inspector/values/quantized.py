"""A block-quantized tensor in a file: only the blocks that a region touches are read."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np

from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.geometry import contiguous
from inspector.checkpoints.model import TensorEntry
from inspector.values.arrays import Array, read_only
from inspector.values.conversion import Step, summary
from inspector.values.dtypes import DType
from inspector.values.ggml import BLOCKS, WITHOUT_REFERENCE, BlockType
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region

#: Numbers that are dequantized at a time, at most, unless one row's blocks are more: what they
#: take on the way fits the cache.
_MOST: Final = 1 << 18


class BlockTensor:
    """A tensor of ggml's blocks behind the one door (an `ArraySource`).

    Its stored elements are its values, because a block's bytes mean nothing number by number.

    Parameters
    ----------
    entry
        Whose dtype is one of `BLOCK_SIZES`.

    Raises
    ------
    TensorError
        If its values are not in the file, or nobody has said how its blocks are to be read.
    """

    def __init__(self, entry: TensorEntry) -> None:
        self.entry = entry
        self._type = _block_type(entry)
        big = entry.storage is not None and entry.storage.byteorder == "big"
        self._swapped = big and self._type.fields.newbyteorder(">") != self._type.fields
        self._fields = self._type.fields.newbyteorder(">") if big else self._type.fields
        rows = entry.shape[-1] // self._type.count
        shape = (*entry.shape[:-1], rows, self._type.fields.itemsize)
        self._bytes = StoredTensor(
            replace(entry, dtype="uint8", shape=shape, stride=contiguous(shape), kind="dense")
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape, in numbers."""
        return self.entry.shape

    @property
    def dtype(self) -> DType:
        """float32 under ggml's word."""
        single = np.dtype(np.float32)
        note = f"{self.entry.dtype} blocks dequantized to float32"
        return DType(self.entry.dtype, single, single, "float", note=note)

    @property
    def stored(self) -> StoredTensor:
        """The blocks' own bytes: the last axis in blocks, and one more with the bytes of each."""
        return self._bytes

    @property
    def steps(self) -> tuple[Step, ...]:
        """What every read of this tensor does, in order."""
        how = (
            "by ggml's formula"
            if self.entry.dtype in WITHOUT_REFERENCE
            else "bit for bit as gguf.dequantize does"
        )
        swapped = (Step("big-endian fields swapped", copies=True),) if self._swapped else ()
        done = Step(f"{self.dtype.note}, {how}", copies=True, exact=False)
        return (*self._bytes.steps, *swapped, done)

    @property
    def summary(self) -> str:
        """The steps in one line."""
        return summary(self.steps, False)

    def read(self, region: Region) -> Array:
        """The values of a region (see `ArraySource`)."""
        try:
            out = np.empty(region.shape, np.float32)
        except (MemoryError, ValueError) as error:
            raise TensorError(
                f"{self.entry.name}{region.text(self.shape)} has {region.numel:,} elements, "
                "more than memory can hold.",
                advice="Ask for a smaller region.",
            ) from error
        flat, done = out.reshape(-1), 0
        for part in region.blocks(self._most(region)):
            flat[done : done + part.numel] = self._part(part).reshape(-1)
            done += part.numel
        return read_only(out)

    def read_raw(self, region: Region) -> Array:
        """The values of a region: the same as `read` gives (see `ArraySource`)."""
        return self.read(region)

    def _most(self, region: Region) -> int:
        """Elements that are read at a time, so that their blocks are `_MOST` numbers."""
        last, count = _as_range(region.axes[-1]), self._type.count
        if not last or abs(last.step) > count:
            return max(1, _MOST // count)
        numbers = (max(last[0], last[-1]) // count - min(last[0], last[-1]) // count + 1) * count
        return max(1, _MOST * len(last) // numbers)

    def _part(self, region: Region) -> Array:
        """A part of a region, with its last axis; an axis that is dropped has one element."""
        last, count = _as_range(region.axes[-1]), self._type.count
        outer = region.axes[:-1]
        if abs(last.step) > count:
            # Each element is in a block of its own, and most blocks have none.
            columns = [
                self._blocks(outer, range(index // count, index // count + 1))[..., index % count]
                for index in last
            ]
            return np.stack(columns, axis=-1)
        first = min(last[0], last[-1]) // count
        blocks = range(first, max(last[0], last[-1]) // count + 1)
        numbers = self._blocks(outer, blocks)
        picked = np.arange(last.start, last.stop, last.step) - first * count
        return (
            numbers if len(picked) == numbers.shape[-1] and last.step > 0 else numbers[..., picked]
        )

    def _blocks(self, outer: tuple[range | int, ...], blocks: range) -> Array:
        """All numbers of some blocks of some rows."""
        size = self._type.fields.itemsize
        raw = self._bytes.read_raw(Region((*outer, blocks, range(size))))
        fields = np.ascontiguousarray(raw).reshape(-1).view(self._fields)
        # Scales from a file may be infinite or NaN, and so are the numbers then.
        with np.errstate(all="ignore"):
            numbers = self._type.dequantize(fields.astype(self._type.fields, copy=False))
        rows = tuple(len(axis) for axis in outer if isinstance(axis, range))
        return numbers.reshape((*rows, math.prod(numbers.shape) // max(1, math.prod(rows))))


def _as_range(axis: range | int) -> range:
    return axis if isinstance(axis, range) else range(axis, axis + 1)


def _block_type(entry: TensorEntry) -> BlockType:
    found = BLOCKS.get(entry.dtype)
    if found is None:
        raise TensorError(
            f"{entry.dtype} blocks can not be dequantized: ggml has them only while it computes, "
            "and no reference says what they hold in a file."
        )
    if entry.storage is not None and entry.storage.byteorder == "big" and not found.either_order:
        raise TensorError(
            f"{entry.dtype} blocks can not be read from a big-endian file: ggml's converter does "
            "not say how they are stored there.",
            advice="Get the little-endian file.",
        )
    return found
