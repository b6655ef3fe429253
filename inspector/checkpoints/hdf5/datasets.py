"""A dataset as an entry: its type, its shape, and a source of its bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.geometry import contiguous, strided_problem
from inspector.checkpoints.hdf5.assembly import CACHE, AssembledChunks
from inspector.checkpoints.hdf5.attributes import read_value, value_text
from inspector.checkpoints.hdf5.chunks import ChunkIndex
from inspector.checkpoints.hdf5.filters import Filter, read_filters, undo
from inspector.checkpoints.hdf5.headers import (
    DATASPACE,
    DATATYPE,
    EXTERNAL_FILES,
    FILL,
    FILTERS,
    LAYOUT,
    OLD_FILL,
    ObjectHeader,
    open_message,
)
from inspector.checkpoints.hdf5.heaps import GlobalHeap
from inspector.checkpoints.hdf5.layouts import Chunked, Compact, Layout, read_layout
from inspector.checkpoints.hdf5.space import Space
from inspector.checkpoints.hdf5.streams import STREAM_COST, can_stream, streamed
from inspector.checkpoints.hdf5.types import Dataspace, Datatype, read_dataspace, read_datatype
from inspector.checkpoints.model import ByteSource, Storage
from inspector.checkpoints.sources import MemoryBytes

#: Bytes of texts in a dataset that are read for showing it as a value, at most.
_MAX_VALUE: Final = 1 << 16

_MAX_SPREAD: Final = 1 << 60

#: Bytes by which a compressed chunk may be longer than twice what it holds.
_MAX_OVERHEAD: Final = 1 << 16


#: Bytes of a chunk that is unpacked as a whole, at most: it takes up to four times as much memory.
MAX_CHUNK: Final = 96 << 20


@dataclass(frozen=True, slots=True)
class Dataset:
    """What an entry is made of.

    Attributes
    ----------
    storage
        None if nothing can be read.
    value
        Type and text, if it is a plain value and no tensor; else None.
    problem
        Why it can not be read, as a sentence; empty if it can.
    """

    dtype: str = "?"
    shape: tuple[int, ...] = ()
    storage: Storage | None = None
    value: tuple[str, str] | None = None
    details: tuple[tuple[str, str], ...] = ()
    problem: str = ""


def is_dataset(header: ObjectHeader) -> bool:
    """Whether an object is a dataset."""
    return header.first(LAYOUT) is not None or header.first(DATASPACE) is not None


def read_dataset(header: ObjectHeader, heap: GlobalHeap) -> Dataset:
    """The dataset of an object header; whatever is wrong with it is its `Dataset.problem`."""
    try:
        types, spaces = (
            header.cursor(DATATYPE, "A datatype"),
            header.cursor(DATASPACE, "A dataspace"),
        )
        if types is None or spaces is None:
            words = "its type" if types is None else "its shape"
            return Dataset(problem=f"{header.problem or 'It is damaged:'} {words} is missing.")
        return _Reading(header, read_datatype(types), read_dataspace(spaces), heap).result()
    except CheckpointError as error:
        return Dataset(problem=error.message)


class _Reading:
    """The parts of one dataset while it is looked at."""

    def __init__(
        self, header: ObjectHeader, datatype: Datatype, dataspace: Dataspace, heap: GlobalHeap
    ) -> None:
        self._header: Final = header
        self._space: Final = header.space
        self._type: Final = datatype
        self._dataspace: Final = dataspace
        self._heap: Final = heap
        self._shape: Final = (*(dataspace.shape or ()), *datatype.dims)
        self._details: Final[list[tuple[str, str]]] = []

    def result(self) -> Dataset:
        datatype = self._type
        if self._dataspace.shape is None:
            return self._as_value("(nothing: it has no dataspace)")
        if datatype.names:
            names = ", ".join(f"{name} = {value}" for value, name in datatype.names.items())
            self._details.append(("values", names[:200]))
        storage, problem = None, ""
        try:
            # Without its zeros: an array of nothing has strides too, and must be possible.
            spread = math.prod(max(1, length) for length in self._shape) * datatype.size
            if spread >= _MAX_SPREAD:
                raise CheckpointError("It has more bytes than can be counted in 60 bits.")
            layout = self._layout()
            if datatype.kind in ("string", "text") and (text := self._text(layout)) is not None:
                return self._as_value(text)
            storage = self._storage(layout)
        except CheckpointError as error:
            problem = error.message
        if not problem and datatype.kind != "number":
            problem = f"Its elements are of the type {datatype.dtype}, which is no number."
            storage = None
        if not problem:
            itemsize = ITEMSIZE[datatype.dtype]
            nbytes = storage.nbytes if storage else 0
            stride = contiguous(self._shape)
            problem = strided_problem(self._shape, stride, 0, itemsize, nbytes)
        return Dataset(datatype.dtype, self._shape, storage, None, tuple(self._details), problem)

    def _as_value(self, text: str) -> Dataset:
        kind = "str" if self._type.kind in ("string", "text") else self._type.dtype
        return Dataset(self._type.dtype, value=(kind, text))

    def _layout(self) -> Layout:
        if self._header.first(EXTERNAL_FILES) is not None:
            raise CheckpointError(
                "Its values are in other files (external storage), which may be any file on this "
                "computer; they are not opened."
            )
        cursor = self._header.cursor(LAYOUT, "A data layout")
        if cursor is None:
            raise CheckpointError("It does not say where its values are.")
        return read_layout(cursor)

    def _text(self, layout: Layout) -> str | None:
        """The texts of a small dataset; None if it is none that is shown as a value."""
        size = self._type.size * self._dataspace.count
        if size > _MAX_VALUE or isinstance(layout, Chunked):
            return None
        if isinstance(layout, Compact):
            data = layout.data
        elif layout.address == self._space.undefined:
            data = bytes(size)
        else:
            data = self._space.read(layout.address, size, "A text")
        cursor = self._header.cursor(LAYOUT, "A text")
        assert cursor is not None
        _, value = read_value(self._type, self._dataspace, data, cursor, self._heap)
        return value_text(value, self._dataspace)

    def _storage(self, layout: Layout) -> Storage:
        order: Literal["little", "big"] = "big" if self._type.big else "little"
        size = self._type.size * self._dataspace.count
        source: ByteSource = MemoryBytes(b"")
        offset, nbytes, key = 0, 0, "nothing"
        if isinstance(layout, Compact):
            key, nbytes = "in the object header", len(layout.data)
            source = MemoryBytes(layout.data)
        elif isinstance(layout, Chunked):
            chunks = self._chunks(layout)
            source, nbytes, key = chunks or source, size, f"chunks of {list(layout.dims)}"
        elif layout.address == self._space.undefined:
            key, nbytes = "never written", size
            if size:
                shape = self._dataspace.shape or (1,)
                fill = self._fill()
                source = AssembledChunks(shape, shape, self._type.size, lambda _: None, fill, (), 1)
        else:
            # Without elements, the address may be anything.
            offset = self._space.base + layout.address if size else 0
            key = f"byte {offset:,}"
            nbytes = max(0, min(size, self._space.size - layout.address))
            source = self._space.source
            if nbytes < size:
                raise self._space.beyond(layout.address, size, "Its data")
        return Storage(source, offset, nbytes, key, order)

    def _chunks(self, layout: Chunked) -> AssembledChunks | None:
        """The source of a chunked dataset; None if it has no elements."""
        shape = self._dataspace.shape or ()
        if len(layout.dims) != len(shape) or layout.itemsize != self._type.size:
            raise CheckpointError("Its chunks have another shape or type than itself.")
        pipeline = self._header.cursor(FILTERS, "A filter pipeline")
        filters = () if pipeline is None else read_filters(pipeline)
        if filters:
            words = ", ".join(one.name for one in filters)
            self._details.append(("compressed by", words))
            unknown = ", ".join(one.name for one in filters if not one.known)
            if unknown:
                raise CheckpointError(f"It is compressed by {unknown}, which is not read here.")
        nbytes = math.prod(layout.dims) * layout.itemsize
        if nbytes > MAX_CHUNK and not can_stream(filters):
            raise CheckpointError(
                f"Its chunks have {nbytes:,} bytes each; more than {MAX_CHUNK:,} are not read of "
                f"what is compressed by {', '.join(one.name for one in filters)}.",
                advice="Store it in smaller ones (h5repack -l CHUNK=...).",
            )
        self._details.append(("chunks", str(list(layout.dims))))
        if not self._dataspace.count:
            return None
        chunks = _Chunks(self._space.unbounded(), layout, shape, self._dataspace.most, filters)
        return AssembledChunks(
            shape,
            layout.dims,
            self._type.size,
            chunks.decoded,
            self._fill(),
            (self._space.source,),
            STREAM_COST if chunks.streams else nbytes,
        )

    def _fill(self) -> bytes:
        """The element that stands where nothing was written; zeros if none is given."""
        size, found = self._type.size, b""
        for kind in (FILL, OLD_FILL):
            message = self._header.first(kind)
            if message is None:
                continue
            cursor = open_message(self._space, message, "A fill value")
            if kind == OLD_FILL:
                found = cursor.take(cursor.number(4))
                break
            version = cursor.version(1, 2, 3)
            if version == 3:
                given = bool(cursor.number(1) & 32)
            else:
                cursor.skip(2)
                given = bool(cursor.number(1)) or version == 1
            if given:
                found = cursor.take(cursor.number(4))
                break
        return found if len(found) == size else bytes(size)


class _Chunks:
    """Reads and unpacks the chunks of a dataset. Safe to use from several threads."""

    def __init__(
        self,
        space: Space,
        layout: Chunked,
        shape: tuple[int, ...],
        most: tuple[int | None, ...],
        filters: tuple[Filter, ...],
    ) -> None:
        self._space: Final = space
        self._layout: Final = layout
        self._shape: Final = shape
        self._most: Final = most
        self._filters: Final = filters
        self._nbytes: Final = math.prod(layout.dims) * layout.itemsize
        #: Whether they are read piece by piece, and not unpacked as a whole.
        self.streams: Final = self._nbytes > MAX_CHUNK or (
            can_stream(filters) and self._come_again_too_late()
        )

    def _come_again_too_late(self) -> bool:
        """Whether whoever goes over the dataset would unpack each chunk again and again.

        The chunks beside each other, each of which holds several rows, are then more than are
        kept, and yet so few that all of them can be read by turns.
        """
        grid = list(zip(self._shape, self._layout.dims, strict=True))
        while len(grid) > 1 and grid[0][1] == 1:
            grid.pop(0)
        beside = math.prod(-(-length // width) for length, width in grid[1:])
        return beside * self._nbytes > CACHE and 1 < beside <= CACHE // STREAM_COST

    @cached_property
    def _index(self) -> ChunkIndex | None:
        return self._layout.open(self._space, self._most, bool(self._filters))

    def decoded(self, place: tuple[int, ...]) -> bytes | ByteSource | None:
        """The bytes of a chunk before filters, of a large one as it is asked for them.

        None if it was never written.
        """
        chunk = None if self._index is None else self._index.find(place)
        if chunk is None:
            return None
        space = self._space
        if not 0 <= chunk.address <= chunk.address + chunk.size <= space.size:
            raise space.beyond(chunk.address, chunk.size, "A chunk")
        if chunk.size > 2 * self._nbytes + _MAX_OVERHEAD:
            raise CheckpointError(
                f"A chunk is damaged: it takes {chunk.size:,} bytes for {self._nbytes:,}.",
                where=f"byte {space.base + chunk.address}",
            )
        filters = self._filters
        if not self._layout.whole_edges and self._at_edge(place):
            filters = ()
        begin, itemsize = space.base + chunk.address, self._layout.itemsize
        if self.streams:
            applied = [one for number, one in enumerate(filters) if not chunk.mask >> number & 1]
            return streamed(space.source, begin, chunk.size, tuple(applied), self._nbytes, itemsize)
        data = space.source.read(begin, chunk.size)
        return undo(data, filters, chunk.mask, self._nbytes, itemsize)

    def _at_edge(self, place: tuple[int, ...]) -> bool:
        return any(
            (at + 1) * width > length
            for at, width, length in zip(place, self._layout.dims, self._shape, strict=True)
        )
