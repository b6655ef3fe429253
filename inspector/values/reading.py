"""A region of a tensor in a file becomes an array, with reads no larger than the region needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.model import Storage, TensorEntry
from inspector.checkpoints.places import place_in_file
from inspector.values.arrays import Array, as_index, axes_by_stride, empty_along, read_only
from inspector.values.conversion import Conversion, RawValues, Step, convert, summary
from inspector.values.dtypes import DType, dtype_of, native
from inspector.values.live_bytes import HostBytes, LiveBytes
from inspector.values.regions import Region, indices

#: A run of bytes is read in one go although not all of it is wanted, as long as it is at most this
#: many times what is wanted, or at most this many bytes.
_WASTE: Final = 4
_SMALL_READ: Final = 64 * 1024

#: What one read more costs, as bytes that could be read instead: from memory 4 us, from a disk
#: five times that. A run that is read for this alone has a limit, since it is held in memory.
_READ_COST: Final = 32 * 1024
_LONGEST_RUN: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis of a region in its storage; sizes in elements."""

    count: int
    stride: int


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a region lies in its storage.

    Attributes
    ----------
    start
        The element of the storage at which the region's lowest address is.
    outer, inner
        The axes that are walked with one read a position, and those that one read covers; larger
        strides first.
    span
        Elements that one read covers.
    """

    start: int
    outer: tuple[_Axis, ...]
    inner: tuple[_Axis, ...]
    span: int


class StoredTensor:
    """A dense tensor of a file or of the running program behind the one door (an `ArraySource`).

    Parameters
    ----------
    entry
        Of kind ``dense`` or ``quantized`` (whose stored integers are read), or ``subclass`` with a
        storage.

    Raises
    ------
    TensorError
        If the entry has no strided values.
    """

    def __init__(self, entry: TensorEntry) -> None:
        if entry.problem:
            raise TensorError(entry.problem)
        if entry.storage is None:
            raise _without_storage(entry)
        self.entry = entry
        self._stored = dtype_of(entry.dtype)
        self._storage: Storage = entry.storage

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape."""
        return self.entry.shape

    @property
    def dtype(self) -> DType:
        """The tensor's dtype; that of its values where their negative or conjugate is stored."""
        return native(self._stored.values) if self._is_lazy else self._stored

    @property
    def axis_order(self) -> tuple[int, ...]:
        """The axes as they lie in the storage."""
        return axes_by_stride(self.entry.stride)

    @property
    def is_in_place(self) -> bool:
        """Whether its bytes lie in a file or in memory as they are: then threads read at once.

        Raises
        ------
        CheckpointError
            If the file can not be read.
        """
        source = self._storage.source
        if isinstance(source, HostBytes):
            return True
        return place_in_file(source, self._storage.offset) is not None

    @property
    def steps(self) -> tuple[Step, ...]:
        """What every read of this tensor does, in order."""
        return self.convert(Region(tuple(range(0) for _ in self.shape))).steps

    @property
    def summary(self) -> str:
        """The steps in one line."""
        return summary(self.steps, False)

    def convert(self, region: Region) -> Conversion:
        """The values of a region, and how they came about."""
        return self._converted(self._raw(region), region)

    def read(self, region: Region) -> Array:
        """The values of a region (see `ArraySource`)."""
        return self.convert(region).array

    def share(self, region: Region) -> Conversion | None:
        """The values of a region in the tensor's own memory, as far as they can be.

        None where its bytes have to be fetched first: from a file or a device, or because they
        are of the other byte order; and for shapes of more elements than any array can have.
        """
        source, entry = self._storage.source, self.entry
        itemsize = self._stored.raw.itemsize
        if not isinstance(source, HostBytes) or self._swapped or entry.nbytes > sys.maxsize:
            return None
        strides = [stride * itemsize for stride in entry.stride]
        lowest = self._lowest(Region.whole(self.shape)) if entry.numel else 0
        highest = lowest + sum(
            (length - 1) * abs(stride)
            for length, stride in zip(self.shape, entry.stride, strict=True)
        )
        count = highest - lowest + 1 if entry.numel else 0
        run = source.view(self._storage.offset + lowest * itemsize, count * itemsize)
        first = (entry.storage_offset - lowest) * itemsize
        whole = np.ndarray(self.shape, self._stored.raw, run, first if count else 0, strides)
        part = whole[(*(as_index(axis) for axis in region.axes), ...)]
        steps = self._live_steps
        raw = RawValues(part, self._stored, entry.is_conj, entry.is_neg, steps, True)
        return self._converted(raw, region)

    def read_raw(self, region: Region) -> Array:
        """The stored elements of a region (see `ArraySource`)."""
        if self._is_lazy:
            return self.read(region)
        return read_only(self._raw(region).raw)

    @property
    def reading_steps(self) -> tuple[Step, ...]:
        """What is done before the stored elements are there."""
        device, origin = self.entry.device, self._storage.origin
        if not origin and device != "cpu":
            origin = f"saved from {device}, read straight from the file"
        first = Step(origin or "read from the file", copies=True)
        swapped = (Step("big-endian bytes swapped", copies=True),) if self._swapped else ()
        return (*self._live_steps, first, *swapped)

    @property
    def _live_steps(self) -> tuple[Step, ...]:
        """What makes plain numbers of a tensor of the running program."""
        steps = []
        if isinstance(self._storage.source, LiveBytes):
            if "class" in self.entry.details:
                name = self.entry.details["class"].rpartition(".")[2]
                steps.append(Step(f"seen as a plain tensor, not as {name}"))
            if self.entry.requires_grad:
                steps.append(Step("detached from autograd"))
        return tuple(steps)

    def _raw(self, region: Region) -> RawValues:
        entry = self.entry
        array = self._elements(region)
        return RawValues(array, self._stored, entry.is_conj, entry.is_neg, self.reading_steps)

    def _converted(self, raw: RawValues, region: Region) -> Conversion:
        # An expanded tensor's elements take little room, and what they are widened to takes all.
        try:
            return convert(raw)
        except (MemoryError, ValueError) as error:
            raise too_large(self.entry, self.shape, region) from error

    @property
    def _is_lazy(self) -> bool:
        """Whether what is stored is not yet what is meant, so that its bits mean nothing alone."""
        return self.entry.is_neg or self.entry.is_conj

    @property
    def _swapped(self) -> bool:
        return self._storage.byteorder != sys.byteorder and self._stored.raw.itemsize > 1

    def _elements(self, region: Region) -> Array:
        """The region's stored elements in native byte order; broadcast axes take no memory."""
        shape = region.shape
        if region.numel == 0:
            return np.empty(shape, self._stored.raw)
        backwards = tuple(
            number
            for number, (axis, stride) in enumerate(
                (axis, stride)
                for axis, stride in zip(region.axes, self.entry.stride, strict=True)
                if isinstance(axis, range)
            )
            if axis.step * stride < 0
        )
        strides = [
            abs(stride * axis.step)
            for axis, stride in zip(region.axes, self.entry.stride, strict=True)
            if isinstance(axis, range)
        ]
        compact = tuple(
            count if stride else 1 for count, stride in zip(shape, strides, strict=True)
        )
        try:
            # As it lies in the storage, so that what is read in one go need not be turned.
            array = empty_along(compact, self._stored.raw, axes_by_stride(strides))
            np.broadcast_to(array, shape)
        except (MemoryError, ValueError) as error:
            raise too_large(self.entry, self.shape, region) from error
        self._fill(array, compact, strides, self._lowest(region))
        whole = np.broadcast_to(array, shape) if compact != shape else array
        return np.flip(whole, backwards) if backwards else whole

    def _lowest(self, region: Region) -> int:
        """The element of the storage with the region's lowest address."""
        return self.entry.storage_offset + sum(
            stride * axis if isinstance(axis, int) else min(stride * axis[0], stride * axis[-1])
            for axis, stride in zip(region.axes, self.entry.stride, strict=True)
        )

    def _fill(self, out: Array, shape: tuple[int, ...], strides: list[int], start: int) -> None:
        order = sorted(
            (number for number, count in enumerate(shape) if count > 1),
            key=lambda number: strides[number],
            reverse=True,
        )
        axes = [_Axis(shape[number], strides[number]) for number in order]
        plan = _plan(axes, start, self._stored.raw.itemsize)
        ones = tuple(number for number, count in enumerate(shape) if count == 1)
        target = out.transpose((*order, *ones)).reshape([axis.count for axis in axes])
        assert np.shares_memory(target, out)
        if not plan.outer and plan.span == out.size and target.flags.c_contiguous:
            self._read_run(target.reshape(-1), plan.start)
        else:
            buffer = np.empty(plan.span, out.dtype)
            itemsize = out.dtype.itemsize
            window = np.lib.stride_tricks.as_strided(
                buffer,
                [axis.count for axis in plan.inner],
                [axis.stride * itemsize for axis in plan.inner],
                writeable=False,
            )
            for position, offset in _positions(plan.outer):
                self._read_run(buffer, plan.start + offset)
                target[position] = window
        if self._swapped:
            out.byteswap(inplace=True)
        if out.dtype == np.bool_:
            # NumPy counts a boolean's byte as it is, so a 2 in the file would count twice.
            np.not_equal(out.view(np.uint8), 0, out=out)

    def _read_run(self, buffer: Array, start: int) -> None:
        """Fill a contiguous 1-D buffer with the storage's elements from `start` on."""
        offset = self._storage.offset + start * buffer.dtype.itemsize
        self._storage.source.read_into(offset, buffer.view(np.uint8).data)


def too_large(entry: TensorEntry, shape: tuple[int, ...], region: Region) -> TensorError:
    """The refusal of a region that memory can not hold."""
    return TensorError(
        f"{entry.name}{region.text(shape)} has {region.numel:,} elements, "
        "more than memory can hold.",
        advice="Ask for a smaller region.",
    )


def parts_of(entry: TensorEntry) -> str:
    """The names of the tensors that an entry is made of."""
    return ", ".join(component.name for component in entry.components)


def _without_storage(entry: TensorEntry) -> TensorError:
    if entry.kind == "meta":
        return TensorError(
            f"{entry.name} is a meta tensor: it has a dtype and a shape, but no values."
        )
    if entry.components:
        kind = entry.kind.replace("_", " ")
        return TensorError(
            f"{entry.name} is a {kind} tensor, which has no values of its own.",
            advice=f"Open one of its parts: {parts_of(entry)}.",
        )
    return TensorError(f"{entry.name} has no data in this file.")


def _plan(axes: list[_Axis], start: int, itemsize: int) -> _Plan:
    """Decide which axes (larger strides first) one read covers."""
    span, useful, cut = 1, 1, len(axes)
    while cut > 0:
        axis = axes[cut - 1]
        wider, more = span + (axis.count - 1) * axis.stride, useful * axis.count
        apart = min(axis.count * (_READ_COST + span * itemsize), _LONGEST_RUN)
        if wider * itemsize > max(_SMALL_READ, _WASTE * more * itemsize, apart):
            break
        span, useful, cut = wider, more, cut - 1
    return _Plan(start, tuple(axes[:cut]), tuple(axes[cut:]), span)


def _positions(axes: tuple[_Axis, ...]) -> Iterator[tuple[tuple[int, ...], int]]:
    """Every position along the outer axes, with its distance in the storage."""
    for position in indices(tuple(range(axis.count) for axis in axes)):
        yield position, sum(i * axis.stride for i, axis in zip(position, axes, strict=True))
