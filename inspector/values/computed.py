"""Values that are computed of stored ones, region by region: what all such sources share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, Protocol

from inspector.checkpoints.model import TensorEntry
from inspector.values.arrays import Array, ArraySource, empty_along, read_only
from inspector.values.conversion import Step, summary
from inspector.values.dtypes import DType
from inspector.values.reading import too_large
from inspector.values.regions import Region

#: Numbers that are computed at a time, at most: what they take on the way fits the cache.
MOST: Final = 1 << 18


class TensorSource(ArraySource, Protocol):
    """An entry's values behind the one door, with what is done to make them."""

    @property
    def entry(self) -> TensorEntry:
        """What it is a form of."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """What every read does, in order."""

    @property
    def summary(self) -> str:
        """The steps in one line."""


class SameNumbers:
    """The numbers of another source, for another entry or with other words about them."""

    def __init__(self, entry: TensorEntry, source: TensorSource, steps: tuple[Step, ...]) -> None:
        self.entry: Final = entry
        self._source: Final = source
        self._steps: Final = steps

    @property
    def shape(self) -> tuple[int, ...]:
        """The other source's."""
        return self._source.shape

    @property
    def dtype(self) -> DType:
        """The other source's."""
        return self._source.dtype

    @property
    def axis_order(self) -> tuple[int, ...]:
        """The other source's."""
        return self._source.axis_order

    @property
    def steps(self) -> tuple[Step, ...]:
        """What every read does, in order."""
        return self._steps

    @property
    def summary(self) -> str:
        """The steps in one line."""
        return summary(self._steps, False)

    def read(self, region: Region) -> Array:
        """The values of a region (see `ArraySource`)."""
        return self._source.read(region)

    def read_raw(self, region: Region) -> Array:
        """The stored elements of a region (see `ArraySource`)."""
        return self._source.read_raw(region)


class ComputedTensor(ABC):
    """A source (see `ArraySource`) whose stored elements are its values.

    Parameters
    ----------
    shape
        Of the values; the entry's may be another.
    dtype
        Whose ``raw`` and ``values`` are the same.
    steps
        What every read does, in order.
    axis_order
        How what it is computed of is kept (see `ArraySource`); None for C order.
    """

    def __init__(
        self,
        entry: TensorEntry,
        shape: tuple[int, ...],
        dtype: DType,
        steps: tuple[Step, ...],
        axis_order: tuple[int, ...] | None = None,
    ) -> None:
        self.entry: Final = entry
        self._shape: Final = shape
        self._dtype: Final = dtype
        self._steps: Final = steps
        self._axis_order: Final = tuple(range(len(shape))) if axis_order is None else axis_order

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the values."""
        return self._shape

    @property
    def dtype(self) -> DType:
        """The dtype of the values."""
        return self._dtype

    @property
    def axis_order(self) -> tuple[int, ...]:
        """The axes as what it is computed of is kept."""
        return self._axis_order

    @property
    def steps(self) -> tuple[Step, ...]:
        """What every read does, in order."""
        return self._steps

    @property
    def summary(self) -> str:
        """The steps in one line."""
        return summary(self._steps, False)

    def read(self, region: Region) -> Array:
        """The values of a region (see `ArraySource`)."""
        try:
            order = region.kept_in(self._axis_order)
            out = empty_along(region.shape, self._dtype.values, order)
        except (MemoryError, ValueError) as error:
            raise too_large(self.entry, self._shape, region) from error
        if out.size:
            self._fill(out, region)
        return read_only(out)

    def read_raw(self, region: Region) -> Array:
        """The same as `read`."""
        return self.read(region)

    @abstractmethod
    def _fill(self, out: Array, region: Region) -> None:
        """Write a region's values into a new array: its axes in `axis_order`, and not empty."""


class BlockwiseTensor(ComputedTensor):
    """The same, where each number can be computed without the others."""

    def _fill(self, out: Array, region: Region) -> None:
        turn = region.kept_in(self._axis_order)
        flat, done = out.transpose(turn).reshape(-1), 0
        for part in region.blocks(self._most(region), self._axis_order):
            found = self._part(part).reshape(part.shape)
            flat[done : done + part.numel] = found.transpose(turn).reshape(-1)
            done += part.numel

    def _most(self, region: Region) -> int:
        """Elements of a region that are computed at a time."""
        return MOST

    @abstractmethod
    def _part(self, region: Region) -> Array:
        """The values of a small region, in C order."""
