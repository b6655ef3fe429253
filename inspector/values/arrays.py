"""The one door: whatever holds numbers gives them out through an `ArraySource`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from inspector.values.dtypes import DType, native
from inspector.values.regions import Region

#: An array of any dtype and shape.
Array = NDArray[Any]


def read_only(array: Array) -> Array:
    """A view of the same numbers through which they can not be changed."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def empty_along(shape: Sequence[int], dtype: np.dtype[Any], order: Sequence[int]) -> Array:
    """A new array of which the axes lie in memory in this order, the outermost first."""
    array = np.empty([shape[axis] for axis in order], dtype)
    return array.transpose(np.argsort(order))


def axes_by_stride(strides: Sequence[int]) -> tuple[int, ...]:
    """The axes from the largest step in memory to the smallest, whichever way they run.

    An axis without a step says nothing: if the others are in C order, all are.
    """
    order = sorted(range(len(strides)), key=lambda axis: -abs(strides[axis]))
    stepping = [axis for axis in order if strides[axis]]
    return tuple(order if stepping != sorted(stepping) else range(len(strides)))


class ArraySource(Protocol):
    """Numbers that can be read region by region, wherever they are kept.

    Every method may be called from any thread, several at once.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole."""

    @property
    def dtype(self) -> DType:
        """The stored dtype, with how it becomes a NumPy one."""

    @property
    def axis_order(self) -> tuple[int, ...]:
        """The axes as the numbers are kept, the outermost first: 0, 1, 2 ... is C order.

        Whoever goes over all of it does so in this order, in blocks of whole inner axes: each is
        then one run where it is kept, and not a read for every few of its numbers. The array that
        a region is read into lies in this order too, as a rule.
        """

    def read(self, region: Region) -> Array:
        """The values of a region: shape `Region.shape`, dtype ``dtype.values``, read-only.

        Memory of the order of the region is taken, so ask for regions of a bounded size.

        Raises
        ------
        InspectorError
            If the values cannot be had.
        """

    def read_raw(self, region: Region) -> Array:
        """The stored elements: shape `Region.shape`, dtype ``dtype.raw``, read-only.

        ``dtype.widen`` makes the values of them. Raises as `read` does.
        """


class InMemoryArray:
    """A NumPy array behind the door, such as a broadcast one of 2**40 elements.

    Parameters
    ----------
    array
        Of a boolean, integer, float or complex dtype that torch has, in native byte order.
    """

    def __init__(self, array: Array) -> None:
        self._array = array
        self._dtype = native(array.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's shape."""
        return self._array.shape

    @property
    def dtype(self) -> DType:
        """The array's dtype by torch's name."""
        return self._dtype

    @property
    def axis_order(self) -> tuple[int, ...]:
        """The array's axes, the largest stride first."""
        return axes_by_stride(self._array.strides)

    def read(self, region: Region) -> Array:
        """A read-only view of the array."""
        return self.read_raw(region)

    def read_raw(self, region: Region) -> Array:
        """A read-only view of the array."""
        return read_only(self._array[tuple(as_index(axis) for axis in region.axes)])


def place_in(region: Region, part: Region) -> tuple[slice, ...]:
    """Where one of a region's `blocks` is in the array that the region is read into."""
    places = []
    for whole, axis in zip(region.axes, part.axes, strict=True):
        if isinstance(whole, range) and isinstance(axis, range):
            start = whole.index(axis[0])
            places.append(slice(start, start + len(axis)))
    return tuple(places)


def as_index(axis: range | int) -> slice | int:
    """An axis of a region as NumPy's own index."""
    if isinstance(axis, int):
        return axis
    if not axis:
        return slice(0, 0)  # an empty range may begin before the axis, where NumPy would wrap
    stop = None if axis.stop < 0 else axis.stop
    return slice(axis.start, stop, axis.step)
