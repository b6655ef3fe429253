"""Sources and listeners that the tests of this floor share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from inspector.checkpoints.errors import Cancelled
from inspector.checkpoints.model import Storage, TensorEntry
from inspector.checkpoints.sources import MemoryBytes
from inspector.values.arrays import Array, InMemoryArray, axes_by_stride
from inspector.values.dtypes import DTYPES
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region


class RawArray(InMemoryArray):
    """Stored patterns of any of torch's dtypes behind the door, as a file has them."""

    def __init__(self, raw: Array, dtype: str) -> None:
        self._array = raw
        self._dtype = DTYPES[dtype]
        self.reads: list[Region] = []

    def read(self, region: Region) -> Array:
        return self._dtype.widen(self.read_raw(region))

    def read_raw(self, region: Region) -> Array:
        self.reads.append(region)
        found = super().read_raw(region)
        assert found.shape == region.shape
        return found


def kept_in(array: Array, order: Sequence[int]) -> Array:
    """The same numbers, with the axes in memory in another order, the outermost first."""
    return array.transpose(order).copy(order="C").transpose(np.argsort(order))


class CountedBytes(MemoryBytes):
    """Bytes of a file that count how often they are read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reads: list[tuple[int, int]] = []

    def read_into(self, offset: int, buffer: memoryview) -> None:
        self.reads.append((offset, len(buffer)))
        super().read_into(offset, buffer)


def stored(raw: Array, dtype: str) -> tuple[StoredTensor, CountedBytes]:
    """Stored patterns in a file that has them as the array does, without gaps."""
    memory = raw.transpose(axes_by_stride(raw.strides))
    assert memory.flags.c_contiguous
    data = CountedBytes(memory.tobytes())
    stride = tuple(step // raw.itemsize for step in raw.strides)
    storage = Storage(data, 0, data.size, "0")
    return StoredTensor(TensorEntry("w", ("w",), dtype, raw.shape, stride, storage)), data


class Listener:
    """A check and a progress that remember what they heard; the check can give up."""

    def __init__(self, cancel_after: int | None = None) -> None:
        self.heard: list[float] = []
        self.checks = 0
        self._cancel_after = cancel_after

    def check(self) -> None:
        self.checks += 1
        if self._cancel_after is not None and self.checks > self._cancel_after:
            raise Cancelled

    def progress(self, fraction: float) -> None:
        self.heard.append(fraction)

    @property
    def both(self) -> dict[str, Callable[..., None]]:
        """The two as keyword arguments."""
        return {"check": self.check, "progress": self.progress}


def random_raw(dtype: str, shape: tuple[int, ...], seed: int = 0) -> Array:
    """Any patterns at all: NaN, infinities and subnormals of every kind among them."""
    kind = DTYPES[dtype].raw
    rng = np.random.default_rng(seed)
    if kind.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    raw = rng.integers(0, 256, (*shape, kind.itemsize), dtype=np.uint8).view(kind)
    raw = raw.reshape(shape).copy()
    values = raw.reshape(-1)
    special: list[Any] = [0] if values.size else []
    if kind.kind in "fc" and values.size >= 8:
        special = [np.nan, np.inf, -np.inf, 0.0, -0.0]
    for place, value in enumerate(special):
        values[place * values.size // max(len(special), 1)] = value
    return raw
