"""What is exported: tensors or parts of them, and what becomes of each in the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from inspector.checkpoints.errors import ExportError
from inspector.checkpoints.model import TensorEntry
from inspector.export.formats import ExportFormat
from inspector.values.arrays import Array, ArraySource, place_in
from inspector.values.forms import Form
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region
from inspector.values.tensors import tensor_source

#: Bytes a block: as fast as the disk allows, and a cancelled export still ends at once.
BLOCK: Final = 1 << 22

#: Bytes that are put in C order at a time, where they are kept in another one: the more they are,
#: the longer are the reads.
STRETCH: Final = 1 << 26

Check = Callable[[], None]
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A tensor, or a region of it, that is to be exported.

    Attributes
    ----------
    name
        The tensor's.
    note
        What was done to get its values, in words.
    packed
        The stored elements, if several numbers of this part are in each.
    """

    name: str
    source: ArraySource
    region: Region
    note: str = ""
    packed: ArraySource | None = None


def whole_part(name: str, source: ArraySource, region: Region | None = None) -> Part:
    """A part of any source of numbers; all of it without a region."""
    note = source.dtype.note or "the values as they are"
    return Part(name, source, region or Region.whole(source.shape), note)


def part_of(
    entry: TensorEntry,
    form: Form = "values",
    region: Region | None = None,
    shape: tuple[int, ...] | None = None,
) -> Part:
    """A tensor of a checkpoint in one of its forms, or a region of it.

    Parameters
    ----------
    region
        None for the whole.
    shape
        The shape that the region is one of: the entry's (None), or that of one of its forms. A
        last axis more or less, as of complex numbers' bits, is taken whole or left away.

    Raises
    ------
    TensorError
        If it has no values, or not in this form.
    ExportError
        If the form has other axes than that shape, so that the region means nothing there.
    """
    source = tensor_source(entry, form)
    before = entry.shape if shape is None else shape
    if region is None:
        wanted = Region.whole(source.shape)
    elif source.shape == before:
        wanted = region
    elif source.shape[:-1] == before:
        wanted = Region((*region.axes, range(source.shape[-1])))
    elif source.shape == before[:-1]:
        wanted = Region(region.axes[:-1])
    else:
        raise ExportError(
            f"In this form, {entry.name} has another shape, so no part of it can be chosen.",
            advice="Export the whole tensor.",
        )
    # The one step is that of reading.
    plain = "the values as they are" if len(source.steps) == 1 else ""
    note = " · ".join(filter(None, (source.summary, plain)))
    is_packed = entry.dtype == "float4_e2m1fn_x2" and form == "values" and region is None
    packed = StoredTensor(entry) if is_packed and entry.storage is not None else None
    return Part(entry.name, source, wanted, note, packed)


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """What becomes of a part in the file.

    Attributes
    ----------
    name
        The member's, file's or variable's name there.
    shape
        Of the array there.
    dtype
        Its type by the format's own word.
    note
        What happens to the values, in words.
    raw
        Whether the stored elements are written instead of the values.
    """

    part: Part
    name: str
    shape: tuple[int, ...]
    dtype: str
    note: str
    raw: bool = False

    @property
    def numpy_dtype(self) -> np.dtype[np.generic]:
        """The NumPy dtype of what is read of it."""
        dtype = self.part.source.dtype
        return dtype.raw if self.raw else dtype.values

    @property
    def nbytes(self) -> int:
        """Bytes that are read of it."""
        return self.part.region.numel * self.numpy_dtype.itemsize


def plain_item(part: Part, name: str) -> Item:
    """The values as they are, in an array of the same shape."""
    return Item(part, name, part.region.shape, str(part.source.dtype.values), part.note)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What an export would write.

    Attributes
    ----------
    least, most
        Bytes of the file, or of the files in a folder; equal unless only the numbers' digits
        will tell.
    remarks
        What the format does besides, in sentences.
    """

    format: ExportFormat
    items: tuple[Item, ...]
    least: int
    most: int
    remarks: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What happens to the values, each said once and the most frequent first."""
        counts = Counter(item.note for item in self.items)
        if len(counts) < 2:
            return tuple(counts)
        return tuple(f"{count:,} × {note}" for note, count in counts.most_common())

    @property
    def renamed(self) -> tuple[tuple[str, str], ...]:
        """The tensors that have another name in the file, and which."""
        return tuple(
            (item.part.name, item.name) for item in self.items if item.name != item.part.name
        )


@dataclass(slots=True)
class Transfer:
    """Reads the items of a plan block by block, and tells how far it is.

    Attributes
    ----------
    check
        Called before each block; what it raises goes through.
    progress
        Called with 0 to 1 after each block: the share of the bytes of all items. What is turned
        into C order counts half when it is read.
    """

    items: Sequence[Item]
    check: Check
    progress: Progress
    _done: float = 0.0
    _total: int = field(init=False)

    def __post_init__(self) -> None:
        self._total = max(1, sum(item.nbytes for item in self.items))

    def blocks(self, item: Item, parts: int = 1) -> Iterator[Array]:
        """An item's elements in C order, in arrays of at most a block, or a part of one."""
        source, region = item.part.source, item.part.region
        read = source.read_raw if item.raw else source.read
        size = item.numpy_dtype.itemsize
        most = max(1, BLOCK // parts // size)
        if region.runs_along(source.axis_order):
            for piece in region.blocks(most):
                self.check()
                block = read(piece)
                yield block
                self._add(block.nbytes)
            return
        for stretch in region.blocks(max(1, STRETCH // size)):
            whole, inside = self._turned(item, stretch), Region.whole(stretch.shape)
            for piece in inside.blocks(most):
                self.check()
                block = whole[place_in(inside, piece)]
                yield block
                self._add(block.nbytes / 2)
            del whole, block  # before there is another one

    def _turned(self, item: Item, stretch: Region) -> Array:
        """A part of an item in C order, read in the order in which it is kept."""
        source = item.part.source
        read = source.read_raw if item.raw else source.read
        whole = np.empty(stretch.shape, item.numpy_dtype)
        for piece in stretch.blocks(max(1, BLOCK // whole.itemsize), source.axis_order):
            self.check()
            block = read(piece)
            whole[place_in(stretch, piece)] = block
            self._add(block.nbytes / 2)
        return whole

    def _add(self, nbytes: float) -> None:
        self._done += nbytes
        self.progress(self._done / self._total)


def little_endian(block: Array) -> memoryview:
    """An array's bytes in C order, the least significant byte of each number first."""
    plain = np.ascontiguousarray(block, block.dtype.newbyteorder("<"))
    # Bytes, because the buffer protocol knows no complex numbers.
    return plain.reshape(-1).view(np.uint8).data
