"""Numbers stored in blocks of several: only the blocks that a region touches are read."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import replace
from typing import Final

import numpy as np

from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.geometry import contiguous
from inspector.checkpoints.ggml import BLOCK_SIZES
from inspector.checkpoints.model import TensorEntry
from inspector.values.arrays import Array
from inspector.values.computed import MOST, BlockwiseTensor
from inspector.values.conversion import Step
from inspector.values.dtypes import DType, float4_table
from inspector.values.ggml import BLOCKS, WITHOUT_REFERENCE, BlockType
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region


class BlockTensor(BlockwiseTensor):
    """A tensor whose last axis is stored in blocks, each of several numbers in some bytes.

    Parameters
    ----------
    stored
        The blocks' own bytes, uint8: the last axis in blocks, and one more with the bytes of each.
    count
        Numbers in a block.
    """

    def __init__(
        self,
        entry: TensorEntry,
        stored: StoredTensor,
        count: int,
        dtype: DType,
        steps: tuple[Step, ...],
    ) -> None:
        *outer, blocks, self._size = stored.shape
        order = tuple(axis for axis in stored.axis_order if axis <= len(outer))
        super().__init__(entry, (*outer, blocks * count), dtype, steps, order)
        self.stored: Final = stored
        self._count: Final = count

    @abstractmethod
    def _numbers(self, blocks: Array) -> Array:
        """The numbers of blocks: uint8 (blocks, bytes) to (blocks, `count`), or as many in all."""

    def _most(self, region: Region) -> int:
        """As many that their blocks are `MOST` numbers, unless one row's blocks are more."""
        last, count = _as_range(region.axes[-1]), self._count
        if not last or abs(last.step) > count:
            return max(1, MOST // count)
        numbers = (max(last[0], last[-1]) // count - min(last[0], last[-1]) // count + 1) * count
        return max(1, MOST * len(last) // numbers)

    def _part(self, region: Region) -> Array:
        """An axis that is dropped has one element."""
        last, count = _as_range(region.axes[-1]), self._count
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
        raw = self.stored.read_raw(Region((*outer, blocks, range(self._size))))
        numbers = self._numbers(np.ascontiguousarray(raw).reshape(-1, self._size))
        rows = tuple(len(axis) for axis in outer if isinstance(axis, range))
        return numbers.reshape((*rows, math.prod(numbers.shape) // max(1, math.prod(rows))))


class Float4Tensor(BlockTensor):
    """A tensor of ``float4_e2m1fn_x2``: two numbers from each element, the lower bits' first.

    Source: ``torch/headeronly/util/Float4_e2m1fn_x2.h``.

    Parameters
    ----------
    entry
        Of that dtype. The values have twice as many columns; a tensor without axes has two values.
    """

    def __init__(self, entry: TensorEntry) -> None:
        axes, strides = (entry.shape, entry.stride) if entry.shape else ((1,), (1,))
        stored = _bytes_of(entry, (*axes, 1), (*strides, 1))
        single = np.dtype(np.float32)
        note = "two float4 numbers of each byte, along the last axis, widened to float32, exact"
        dtype = DType(entry.dtype, single, single, "float", note=note)
        steps = (*stored.reading_steps, Step(note, copies=True))
        super().__init__(entry, stored, 2, dtype, steps)

    def _numbers(self, blocks: Array) -> Array:
        return float4_table()[np.concatenate((blocks & 15, blocks >> 4), axis=1)]


class GgmlTensor(BlockTensor):
    """A tensor of ggml's blocks.

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
        self._type = _block_type(entry)
        big = entry.storage is not None and entry.storage.byteorder == "big"
        self._fields = self._type.fields.newbyteorder(">") if big else self._type.fields
        swapped = self._fields != self._type.fields
        stored = ggml_bytes(entry)
        how = (
            "by ggml's formula"
            if entry.dtype in WITHOUT_REFERENCE
            else "bit for bit as gguf.dequantize does"
        )
        note = f"{entry.dtype} blocks dequantized to float32"
        single = np.dtype(np.float32)
        super().__init__(
            entry,
            stored,
            self._type.count,
            DType(entry.dtype, single, single, "float", note=note),
            (
                *stored.steps,
                *((Step("big-endian fields swapped", copies=True),) if swapped else ()),
                Step(f"{note}, {how}", copies=True, exact=False),
            ),
        )

    def _numbers(self, blocks: Array) -> Array:
        fields = blocks.reshape(-1).view(self._fields)
        # Scales from a file may be infinite or NaN, and so are the numbers then.
        with np.errstate(all="ignore"):
            return self._type.dequantize(fields.astype(self._type.fields, copy=False))


def ggml_bytes(entry: TensorEntry) -> StoredTensor:
    """The bytes of ggml's blocks: the last axis in blocks, and one more with the bytes of each."""
    count, size = BLOCK_SIZES[entry.dtype]
    shape = (*entry.shape[:-1], entry.shape[-1] // count, size)
    return _bytes_of(entry, shape, contiguous(shape))


def _bytes_of(entry: TensorEntry, shape: tuple[int, ...], stride: tuple[int, ...]) -> StoredTensor:
    return StoredTensor(replace(entry, dtype="uint8", shape=shape, stride=stride, kind="dense"))


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
