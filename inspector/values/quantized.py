"""torch's quantized tensors: their integers, and the numbers that these stand for."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Final

import numpy as np

from inspector.checkpoints.dtypes import PACKED
from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.geometry import contiguous
from inspector.checkpoints.model import Quantizer, TensorEntry
from inspector.values.arrays import Array
from inspector.values.computed import BlockwiseTensor, SameNumbers
from inspector.values.conversion import Step
from inspector.values.dtypes import DType, native
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region

#: dtype of the integers, by torch's word.
INTEGERS: Final[dict[str, np.dtype[np.integer]]] = {
    "qint8": np.dtype(np.int8),
    "quint8": np.dtype(np.uint8),
    "qint32": np.dtype(np.int32),
    "quint4x2": np.dtype(np.uint8),
    "quint2x4": np.dtype(np.uint8),
}

#: Numbers between two that are wanted which are read along with them: a call costs as much.
_GAP: Final = 1024


class PackedTensor(BlockwiseTensor):
    """The integers of ``quint4x2`` and ``quint2x4``, one an element.

    Parameters
    ----------
    entry
        Of one of these dtypes, contiguous.
    """

    def __init__(self, entry: TensorEntry) -> None:
        self._stored: Final = packed_bytes(entry)
        self._per: Final = PACKED[entry.dtype]
        whole = native(np.dtype(np.uint8))
        note = f"{self._per} integers unpacked from each byte"
        steps = (*self._stored.reading_steps, Step(note, copies=True))
        super().__init__(entry, entry.shape, replace(whole, note=note), steps)

    def _part(self, region: Region) -> Array:
        numbers = self._flat(region)
        first, last = int(numbers.min()), int(numbers.max())
        if last - first <= 4 * numbers.size:
            return self._run(first, last, numbers)
        order = np.argsort(numbers, kind="stable")
        found = np.empty(numbers.size, np.uint8)
        for group in np.split(order, np.flatnonzero(np.diff(numbers[order]) > _GAP) + 1):
            picked = numbers[group]
            found[group] = self._run(int(picked[0]), int(picked[-1]), picked)
        return found

    def _flat(self, region: Region) -> Array:
        """Where the elements of a region are in the whole tensor, one after the other."""
        axes = zip(region.axes, contiguous(self.shape), strict=True)
        places = [
            np.asarray(axis if isinstance(axis, int) else list(axis), np.int64).reshape(-1) * step
            for axis, step in axes
        ]
        return reduce(
            lambda left, right: np.add.outer(left, right).reshape(-1), places, np.zeros(1, np.int64)
        )

    def _run(self, first: int, last: int, numbers: Array) -> Array:
        """Some of the integers from the first to the last."""
        begin = first // self._per
        stored = self._stored.read_raw(Region((range(begin, last // self._per + 1),)))
        bits = 8 // self._per
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        unpacked = (stored[:, None] >> shifts & np.uint8((1 << bits) - 1)).reshape(-1)
        found: Array = unpacked[numbers - begin * self._per]
        return found


class DequantizedTensor(BlockwiseTensor):
    """The numbers that a quantized tensor's integers stand for, bit for bit as torch's.

    Where all elements have the same scale, torch subtracts in int32 and multiplies in float32;
    where each channel has its own, it subtracts in float32 and multiplies in float64. (For packed
    integers, this makes no difference in the former.) Nothing says so but torch's answers.

    Parameters
    ----------
    entry
        With a dtype of `INTEGERS`, and a quantizer.

    Raises
    ------
    TensorError
        If it has none, or scales and zero points do not fit it.
    """

    def __init__(self, entry: TensorEntry) -> None:
        self._quantizer: Final = _checked(entry)
        self._integers: Final = stored_integers(entry)
        self._limits: Final = np.iinfo(INTEGERS[entry.dtype])
        axis = self._quantizer.axis
        self._channels: tuple[StoredTensor, StoredTensor] | None = None
        if axis is None:
            self._check(self._quantizer.zero_point)
        else:
            length = entry.shape[axis]
            self._channels = (
                _parameters(entry, "scales", length),
                _parameters(entry, "zero_points", length),
            )
        note = f"{entry.dtype} dequantized to float32 as torch does: {_words(self._quantizer)}"
        single = np.dtype(np.float32)
        dtype = DType(entry.dtype, single, single, "float", note=note)
        steps = (*self._integers.steps, Step(note, copies=True, exact=False))
        super().__init__(entry, entry.shape, dtype, steps, self._integers.axis_order)

    def _part(self, region: Region) -> Array:
        integers = self._integers.read(region)
        # A scale may be infinite, NaN, or too large for float32, as in torch.
        with np.errstate(all="ignore"):
            if self._channels is not None:
                return self._by_channel(integers, region, *self._channels)
            differences = integers.astype(np.int32) - np.int32(self._quantizer.zero_point)
            return differences.astype(np.float32) * np.float32(self._quantizer.scale)

    def _by_channel(
        self, integers: Array, region: Region, scales: StoredTensor, zero_points: StoredTensor
    ) -> Array:
        axis = self._quantizer.axis
        assert axis is not None
        picked = Region((region.axes[axis],))
        scale, zero = scales.read(picked), zero_points.read(picked)
        if zero.dtype.kind != "f":
            for value in (zero.min(), zero.max()):
                self._check(int(value))
        behind = sum(isinstance(item, range) for item in region.axes[axis + 1 :])
        shape = (*scale.shape, *(1,) * behind) if scale.ndim else ()
        numbers = integers.astype(np.float32) - zero.astype(np.float32).reshape(shape)
        return (numbers * scale.astype(np.float64).reshape(shape)).astype(np.float32)

    def _check(self, zero_point: int) -> None:
        if not self._limits.min <= zero_point <= self._limits.max:
            raise TensorError(
                f"The zero point {zero_point} is no {self._limits.dtype}, so its numbers can not "
                "be computed.",
                advice="Its integers can be shown as they are stored.",
            )


def stored_integers(entry: TensorEntry) -> StoredTensor | PackedTensor:
    """A quantized tensor's integers, one an element."""
    if entry.dtype in PACKED:
        return PackedTensor(entry)
    return StoredTensor(replace(entry, dtype=INTEGERS[entry.dtype].name))


def integers_alone(entry: TensorEntry) -> SameNumbers:
    """The same, to be looked at: the steps say what is left out."""
    source = stored_integers(entry)
    left_out = "scale and zero point" if entry.quantizer is None else _words(entry.quantizer)
    return SameNumbers(
        entry, source, (*source.steps, Step(f"the integers as stored, without {left_out}"))
    )


def packed_bytes(entry: TensorEntry) -> StoredTensor:
    """The bytes that the numbers of `PACKED` types are in, one after the other."""
    alone = replace(entry, components=())  # without the scales of its channels
    return StoredTensor(replace(alone, dtype="uint8", shape=(alone.nbytes,), stride=(1,)))


def _words(quantizer: Quantizer) -> str:
    if quantizer.axis is not None:
        return f"a scale and zero point for each index of axis {quantizer.axis}"
    return f"scale {quantizer.scale!r}, zero point {quantizer.zero_point}"


def _checked(entry: TensorEntry) -> Quantizer:
    quantizer = entry.quantizer
    if quantizer is None:
        raise TensorError(
            f"The file has no scale and zero point for {entry.name} that make sense.",
            advice="Its integers can be shown as they are stored.",
        )
    if quantizer.axis is not None and not 0 <= quantizer.axis < len(entry.shape):
        raise TensorError(f"{entry.name} is quantized along axis {quantizer.axis}, and has none.")
    return quantizer


def _parameters(entry: TensorEntry, part: str, length: int) -> StoredTensor:
    """The scales or zero points, a number for each channel."""
    found = next((item for item in entry.components if item.path[-1] == part), None)
    if found is None:
        raise TensorError(f"The file has no {part} for {entry.name}.")
    source = StoredTensor(found)
    kinds = ("f",) if part == "scales" else ("f", "i")
    if source.shape != (length,) or source.dtype.values.kind not in kinds:
        raise TensorError(
            f"Its {part} ({found.dtype}, shape {list(found.shape)}) are not one number for each "
            f"of {length:,} channels.",
            advice="Its integers can be shown as they are stored.",
        )
    return source
