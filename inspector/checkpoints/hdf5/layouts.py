"""Where the elements of a dataset are: the data layout message."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.hdf5.chunks import (
    Chunk,
    ChunkIndex,
    ExtensibleArray,
    FixedArray,
    Grid,
    ImplicitIndex,
    SingleChunk,
    TreeIndex1,
    TreeIndex2,
)
from inspector.checkpoints.hdf5.space import Cursor, Space

_COMPACT: Final = 0
_CONTIGUOUS: Final = 1
_CHUNKED: Final = 2
_VIRTUAL: Final = 3


@dataclass(frozen=True, slots=True)
class Compact:
    """The elements are in the object header."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Contiguous:
    """The elements are at an address; `Space.undefined` if nothing was written."""

    address: int
    size: int | None


@dataclass(frozen=True, slots=True)
class Chunked:
    """The elements are in chunks.

    Attributes
    ----------
    dims
        The shape of a chunk.
    itemsize
        Bytes of an element.
    index
        What finds the chunks, by the specification's number; 0 is a B-tree of version 1.
    address
        Of the index; `Space.undefined` if nothing was written.
    whole_edges
        Whether the filters were applied to chunks that reach beyond the dataset too.
    single
        Bytes and filter mask of the only chunk, if it is filtered.
    """

    dims: tuple[int, ...]
    itemsize: int
    index: int
    address: int
    whole_edges: bool = True
    single: tuple[int, int] | None = None

    def open(self, space: Space, most: tuple[int | None, ...], filtered: bool) -> ChunkIndex | None:
        """What finds the chunks; None if nothing was written.

        Raises
        ------
        CheckpointError
            If it is damaged.
        """
        if self.address == space.undefined:
            return None
        nbytes = math.prod(self.dims) * self.itemsize
        grid = Grid(self.dims, most, nbytes, filtered)
        if self.index == 1:
            return SingleChunk(Chunk(self.address, *(self.single or (nbytes, 0))))
        if self.index == 2:
            return ImplicitIndex(self.address, grid)
        return _INDEXES[self.index](space, self.address, grid)


_INDEXES: Final[dict[int, Callable[[Space, int, Grid], ChunkIndex]]] = {
    0: TreeIndex1,
    3: FixedArray,
    4: ExtensibleArray,
    5: TreeIndex2,
}

Layout = Compact | Contiguous | Chunked


def read_layout(cursor: Cursor) -> Layout:
    """A data layout message.

    Raises
    ------
    CheckpointError
        If it is damaged, or its values are made of other datasets.
    """
    version = cursor.version(1, 2, 3, 4, 5)
    if version < 3:
        return _old(cursor)
    kind = cursor.number(1)
    if kind == _COMPACT:
        return Compact(cursor.take(cursor.number(2)))
    if kind == _CONTIGUOUS:
        return Contiguous(cursor.address(), cursor.length())
    if kind == _VIRTUAL:
        raise CheckpointError(
            "It is a virtual dataset, made of others that may lie in any file; these are not "
            "opened."
        )
    if kind != _CHUNKED:
        raise cursor.error(f"has the class {kind}, which is not known")
    if version == 3:
        rank, address = cursor.number(1), cursor.address()
        return _chunked(cursor, [cursor.number(4) for _ in range(rank)], 0, address)
    return _indexed(cursor)


def _old(cursor: Cursor) -> Layout:
    """Versions 1 and 2."""
    rank, kind = cursor.number(1), cursor.number(1)
    cursor.skip(5)
    address = cursor.space.undefined if kind == _COMPACT else cursor.address()
    dims = [cursor.number(4) for _ in range(rank)]
    if kind == _COMPACT:
        return Compact(cursor.take(cursor.number(4)))
    if kind == _CONTIGUOUS:
        return Contiguous(address, None)
    if kind != _CHUNKED:
        raise cursor.error(f"has the class {kind}, which is not known")
    return _chunked(cursor, [*dims], 0, address)


def _indexed(cursor: Cursor) -> Chunked:
    """Chunks of versions 4 and 5."""
    flags, rank, width = cursor.number(1), cursor.number(1), cursor.number(1)
    if not 0 < width <= 8:
        raise cursor.error("has chunks of impossible size")
    dims = [cursor.number(width) for _ in range(rank)]
    index = cursor.number(1)
    single = None
    if index == 1 and flags & 2:
        single = cursor.length(), cursor.number(4)
    elif index in (3, 4, 5):
        cursor.skip({3: 1, 4: 5, 5: 6}[index])
    elif index not in (1, 2):
        raise cursor.error(f"has an index of chunks of type {index}, which is not known")
    return _chunked(cursor, dims, index, cursor.address(), not flags & 1, single)


def _chunked(
    cursor: Cursor,
    dims: list[int],
    index: int,
    address: int,
    whole_edges: bool = True,
    single: tuple[int, int] | None = None,
) -> Chunked:
    """``dims`` end in the bytes of an element."""
    if len(dims) < 2 or min(dims) < 1:
        raise cursor.error("has chunks of impossible size")
    return Chunked(tuple(dims[:-1]), dims[-1], index, address, whole_edges, single)
