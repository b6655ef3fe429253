"""Where the chunks of a dataset are, by each of the indexes that the format has.

A chunk is looked up when it is needed, with a few reads; listing a dataset touches no index.
All of these are safe to use from several threads.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.hdf5.space import Cursor, Space
from inspector.checkpoints.hdf5.trees import Search1, Tree2

Place = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk in the file.

    Attributes
    ----------
    size
        Bytes in the file.
    mask
        A bit for each filter that was left out.
    """

    address: int
    size: int
    mask: int = 0


class ChunkIndex(Protocol):
    """Finds the chunks of a dataset."""

    def find(self, place: Place) -> Chunk | None:
        """The chunk at a place in the grid of chunks; None if it was never written.

        Raises
        ------
        CheckpointError
            If the index is damaged there.
        """


@dataclass(frozen=True, slots=True)
class Grid:
    """A dataset's grid of chunks.

    Attributes
    ----------
    chunk
        The shape of a chunk.
    most
        The shape up to which the dataset may grow; None in place of a length without a limit.
    nbytes
        Bytes of a chunk before filters.
    filtered
        Whether there are filters, so that the index has each chunk's bytes.
    """

    chunk: tuple[int, ...]
    most: tuple[int | None, ...]
    nbytes: int
    filtered: bool

    def number(self, place: Place, first: int = 0) -> int:
        """The number of a place in C order, as if axis ``first`` were moved to the front."""
        axes = [first, *(axis for axis in range(len(place)) if axis != first)]
        number = 0
        for axis in axes:
            most = self.most[axis]
            count = 1 if most is None else -(-most // self.chunk[axis])
            number = number * count + place[axis]
        return number


class SingleChunk:
    """The only chunk, whose place the layout has."""

    def __init__(self, chunk: Chunk) -> None:
        self._chunk: Final = chunk

    def find(self, place: Place) -> Chunk | None:
        """See `ChunkIndex`."""
        return self._chunk


class ImplicitIndex:
    """All chunks, one after the other."""

    def __init__(self, address: int, grid: Grid) -> None:
        self._address: Final = address
        self._grid: Final = grid

    def find(self, place: Place) -> Chunk | None:
        """See `ChunkIndex`."""
        size = self._grid.nbytes
        return Chunk(self._address + self._grid.number(place) * size, size)


class TreeIndex1:
    """A B-tree of version 1: all chunks before version 4 of the layout."""

    def __init__(self, space: Space, address: int, grid: Grid) -> None:
        # The last coordinate is that of the byte in an element, and always 0.
        layout = struct.Struct(f"<II{len(grid.chunk) + 1}Q")
        chunk = grid.chunk
        self._layout: Final = layout

        def order(key: bytes) -> Place:
            places = layout.unpack(key)[2:-1]
            return tuple([at // step for at, step in zip(places, chunk, strict=True)])

        self._order: Final = order
        self._search: Final = Search1(space, address, layout.size, order)

    def find(self, place: Place) -> Chunk | None:
        """See `ChunkIndex`."""
        found = self._search.find(place)
        if found is None or self._order(found[0]) != place:
            return None
        size, mask, *_ = self._layout.unpack(found[0])
        return Chunk(found[1], size, mask)


class TreeIndex2:
    """A B-tree of version 2: datasets that may grow along several axes."""

    def __init__(self, space: Space, address: int, grid: Grid) -> None:
        self._tree: Final = Tree2(space, address, (11,) if grid.filtered else (10,))
        self._space: Final = space
        self._grid: Final = grid
        self._places: Final = struct.Struct(f"<{len(grid.chunk)}Q")
        rest = space.offset_size + self._places.size + (4 if grid.filtered else 0)
        self._size_size: Final = self._tree.record_size - rest
        if not (0 < self._size_size <= 8 if grid.filtered else self._size_size == 0):
            raise CheckpointError(
                "An index of chunks has records of impossible size.",
                where=f"byte {space.base + address}",
            )

    def find(self, place: Place) -> Chunk | None:
        """See `ChunkIndex`."""
        record = self._tree.find(place, self._order)
        if record is None:
            return None
        return _element(Cursor(record, self._space, "A chunk"), self._size_size, self._grid)

    def _order(self, record: bytes) -> Place:
        return self._places.unpack_from(record, len(record) - self._places.size)


def _element(cursor: Cursor, size_size: int, grid: Grid) -> Chunk | None:
    """What all newer indexes have of a chunk."""
    address = cursor.address()
    if not grid.filtered:
        size, mask = grid.nbytes, 0
    else:
        size, mask = cursor.number(size_size), cursor.number(4)
    return None if address == cursor.space.undefined else Chunk(address, size, mask)


class _Array:
    """What both kinds of array have in common: elements of one size."""

    def __init__(self, space: Space, grid: Grid, head: Cursor) -> None:
        head.version(0)
        if head.number(1) != (1 if grid.filtered else 0):
            raise head.error("is of another kind than its dataset")
        self._space: Final = space
        self._grid: Final = grid
        self._element_size: Final = head.number(1)
        self._size_size: Final = self._element_size - space.offset_size - 4
        if not (
            0 < self._size_size <= 8 if grid.filtered else self._element_size == space.offset_size
        ):
            raise head.error("has elements of impossible size")

    def _at(self, address: int) -> Chunk | None:
        cursor = self._space.cursor(address, self._element_size, "A chunk in an index")
        return _element(cursor, self._size_size, self._grid)

    def _check(self, address: int, signature: bytes) -> None:
        self._space.cursor(address, 4, "A block of an index of chunks").signature(signature)

    def _bit(self, address: int, number: int) -> bool:
        """Whether a bit is set in a field that begins at an address; the highest comes first."""
        byte = self._space.read(address + number // 8, 1, "A block of an index of chunks")[0]
        return bool(byte & 0x80 >> number % 8)


class FixedArray(_Array):
    """A fixed array: datasets that may not grow without a limit."""

    def __init__(self, space: Space, address: int, grid: Grid) -> None:
        head = space.cursor(address, 8 + space.offset_size + space.length_size, "A fixed array")
        head.signature(b"FAHD")
        super().__init__(space, grid, head)
        page_bits = head.number(1)
        if page_bits > 32:
            raise head.error("has pages of impossible size")
        self._page: Final = 1 << page_bits
        self._count: Final = head.length()
        self._block: Final = head.address()
        if self._block != space.undefined:
            self._check(self._block, b"FADB")

    def find(self, place: Place) -> Chunk | None:
        """See `ChunkIndex`."""
        number = self._grid.number(place)
        if number >= self._count or self._block == self._space.undefined:
            return None
        begin = self._block + 6 + self._space.offset_size
        if self._count <= self._page:
            return self._at(begin + number * self._element_size)
        page, within = divmod(number, self._page)
        if not self._bit(begin, page):
            return None
        pages = -(-self._count // self._page)
        begin += (pages + 7) // 8 + 4 + page * (self._page * self._element_size + 4)
        return self._at(begin + within * self._element_size)


class ExtensibleArray(_Array):
    """An extensible array: datasets that may grow without a limit along one axis.

    The index block has the first elements, then addresses of data blocks, then of secondary
    blocks, which have addresses of data blocks. Super block ``u`` stands for ``2^(u/2)`` data
    blocks of ``2^((u+1)/2)`` times the smallest number of elements.
    """

    def __init__(self, space: Space, address: int, grid: Grid) -> None:
        length = 12 + space.offset_size + 6 * space.length_size
        head = space.cursor(address, length, "An extensible array")
        head.signature(b"EAHD")
        super().__init__(space, grid, head)
        bits, self._direct, self._least, pointers, page_bits = (head.number(1) for _ in range(5))
        head.skip(6 * space.length_size)
        self._block: Final = head.address()
        self._axis: Final = grid.most.index(None) if None in grid.most else 0
        if (
            not self._least
            or self._least & (self._least - 1)
            or pointers < 2
            or pointers & (pointers - 1)
            or bits > 64
            or page_bits > 32
        ):
            raise head.error("has blocks of impossible size")
        self._page: Final = 1 << page_bits
        self._offset_size: Final = (bits + 7) // 8
        #: Super blocks whose data blocks the index block itself has, and how many these are.
        self._supers_here: Final = 2 * (pointers.bit_length() - 1)
        self._blocks_here: Final = 2 * (pointers - 1)
        self._supers: Final = 1 + bits - (self._least.bit_length() - 1)
        if self._block != space.undefined:
            self._check(self._block, b"EAIB")
        self._checked: Final = lru_cache(64)(self._check)

    def find(self, place: Place) -> Chunk | None:
        """See `ChunkIndex`."""
        space, size = self._space, self._space.offset_size
        number = self._grid.number(place, self._axis)
        if self._block == space.undefined:
            return None
        begin = self._block + 6 + size
        if number < self._direct:
            return self._at(begin + number * self._element_size)
        begin += self._direct * self._element_size
        number -= self._direct
        upper = (number // self._least + 1).bit_length() - 1
        if upper >= self._supers:
            return None
        each = self._least << (upper + 1) // 2
        blocks = 1 << upper // 2
        # Elements before super block u: (2^u - 1) times the smallest number.
        block, within = divmod(number - self._least * ((1 << upper) - 1), each)
        if upper < self._supers_here:
            before = sum(1 << u // 2 for u in range(upper))
            data = self._pointer(begin + (before + block) * size)
            return self._in_data_block(data, each, within, initialised=0, first=0)
        begin += (self._blocks_here + upper - self._supers_here) * size
        secondary = self._pointer(begin)
        if secondary == space.undefined:
            return None
        self._checked(secondary, b"EASB")
        bitmap = secondary + 6 + size + self._offset_size
        pages = each // self._page if each > self._page else 0
        data = self._pointer(bitmap + blocks * ((pages + 7) // 8) + block * size)
        return self._in_data_block(data, each, within, initialised=bitmap, first=block * pages)

    def _pointer(self, address: int) -> int:
        size = self._space.offset_size
        return self._space.cursor(address, size, "A block of an index of chunks").address()

    def _in_data_block(
        self, address: int, count: int, within: int, *, initialised: int, first: int
    ) -> Chunk | None:
        """An element of a data block of ``count`` elements.

        ``initialised`` is the address of a field with a bit for each page, and ``first`` the
        number of the block's first one.
        """
        if address == self._space.undefined:
            return None
        self._checked(address, b"EADB")
        begin = address + 6 + self._space.offset_size + self._offset_size
        if count <= self._page or not initialised:
            return self._at(begin + within * self._element_size)
        page, within = divmod(within, self._page)
        if not self._bit(initialised, first + page):
            return None
        begin += 4 + page * (self._page * self._element_size + 4)
        return self._at(begin + within * self._element_size)
