"""The three kinds of heaps, in which names, links, attributes and texts lie."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.hdf5.space import Cursor, Space
from inspector.checkpoints.hdf5.trees import Tree2, bytes_for

#: Bytes of a name that are read at first, and at most.
_PIECE: Final = 128
_MAX_NAME: Final = 1 << 16

#: Bytes of an object in a heap that are read, at most.
_MAX_OBJECT: Final = 16 << 20

_KEPT: Final = 16


class LocalHeap:
    """The names of a group's links.

    Raises
    ------
    CheckpointError
        If there is none at the address.
    """

    def __init__(self, space: Space, address: int) -> None:
        length = 8 + 2 * space.length_size + space.offset_size
        cursor = space.cursor(address, length, "A local heap")
        cursor.signature(b"HEAP")
        cursor.version(0)
        cursor.skip(3)
        self._size: Final = cursor.length()
        cursor.length()
        self._begin: Final = cursor.address()
        self._space: Final = space

    def text(self, offset: int) -> bytes:
        """The text that begins at an offset and ends before a NUL.

        Raises
        ------
        CheckpointError
            If it does not lie in the heap.
        """
        length = _PIECE
        while True:
            # The heap may claim more than the file has: then the text has to end before.
            length = min(length, self._size - offset)
            data = self._space.upto(self._begin + offset, max(0, length), "A name")
            end = data.find(b"\0")
            if end >= 0:
                return data[:end]
            if len(data) < length or length <= 0 or length >= min(_MAX_NAME, self._size - offset):
                raise CheckpointError(
                    "A name in a local heap has no end.",
                    where=f"byte {self._space.base + self._begin + offset}",
                )
            length *= 8


class GlobalHeap:
    """Texts of any length, in collections all over the file."""

    def __init__(self, space: Space) -> None:
        self._space: Final = space
        self._collection: Final = lru_cache(_KEPT)(self._index)

    def read(self, address: int, number: int, length: int) -> bytes:
        """Up to ``length`` bytes of an object.

        Raises
        ------
        CheckpointError
            If there is none of this number in the collection at the address.
        """
        place = self._collection(address).get(number)
        if place is None:
            raise CheckpointError(
                f"A text is missing: it should be object {number} of a global heap.",
                where=f"byte {self._space.base + address}",
            )
        return self._space.read(place[0], min(length, place[1]), "A text in a global heap")

    def _index(self, address: int) -> dict[int, tuple[int, int]]:
        """Address and bytes of each object of a collection."""
        space = self._space
        what = "A global heap"
        head = space.cursor(address, 8 + space.length_size, what)
        head.signature(b"GCOL")
        head.version(1)
        head.skip(3)
        end = min(address + head.length(), space.size)
        found: dict[int, tuple[int, int]] = {}
        at = address + len(head.data)
        prefix = 8 + space.length_size
        while at + prefix <= end:
            cursor = space.cursor(at, prefix, what)
            number = cursor.number(2)
            cursor.skip(6)
            length = cursor.length()
            if number == 0 or at + prefix + length > end:
                break
            found[number] = (at + prefix, length)
            at += prefix + (length + 7) // 8 * 8
        return found


class FractalHeap:
    """Links or attributes of an object that has many.

    Raises
    ------
    CheckpointError
        If there is none at the address, or if it is compressed.
    """

    def __init__(self, space: Space, address: int) -> None:
        offset, length = space.offset_size, space.length_size
        cursor = space.cursor(address, 22 + 12 * length + 3 * offset, "A fractal heap")
        cursor.signature(b"FRHP")
        cursor.version(0)
        self._id_size: Final = cursor.number(2)
        if cursor.number(2):
            raise cursor.error("is compressed, which is not read here")
        cursor.skip(1)
        largest = cursor.number(4)
        cursor.length()
        self._huge_tree: Final = cursor.address()
        cursor.skip(length + offset + 8 * length)
        self._width: Final = cursor.number(2)
        self._start: Final = cursor.length()
        most = cursor.length()
        bits = cursor.number(2)
        cursor.skip(2)
        self._root: Final = cursor.address()
        self._rows: Final = cursor.number(2)
        if not (
            0 < self._width <= 1024
            and 0 < self._start <= most < 1 << 40
            and self._start & (self._start - 1) == 0 == most & (most - 1)
            and bits <= 64
        ):
            raise cursor.error("has blocks of impossible size")
        self._space: Final = space
        self._most: Final = most
        self._offset_size: Final = (bits + 7) // 8
        self._length_size: Final = min(bytes_for(most), bytes_for(largest))
        self._huge_at: Final = lru_cache(1)(self._huge_index)

    def read(self, identity: bytes) -> bytes:
        """An object by its ID.

        Raises
        ------
        CheckpointError
            If it is not to be found.
        """
        cursor = Cursor(identity, self._space, "The ID of an object in a fractal heap")
        first = cursor.number(1)
        kind = first >> 4 & 3
        if kind == 2:
            length = (first & 15) + 1
            if self._id_size > 17:
                length = ((first & 15) << 8 | cursor.number(1)) + 1
            return cursor.take(length)
        if kind == 1:
            address, length = self._huge(cursor)
        else:
            offset, length = cursor.number(self._offset_size), cursor.number(self._length_size)
            address = self._place(offset, length)
        if length > _MAX_OBJECT:
            raise cursor.error(f"claims {length:,} bytes, more than {_MAX_OBJECT:,}")
        return self._space.read(address, length, "An object in a fractal heap")

    def _huge(self, cursor: Cursor) -> tuple[int, int]:
        """Address and bytes of an object that has a place of its own."""
        space = self._space
        if self._id_size - 1 >= space.offset_size + space.length_size:
            return cursor.address(), cursor.length()
        number = cursor.number(min(cursor.left, self._id_size - 1, space.length_size))
        place = self._huge_at().get(number)
        if place is None:
            raise cursor.error("leads nowhere")
        return place

    def _huge_index(self) -> dict[int, tuple[int, int]]:
        found = {}
        for record in Tree2(self._space, self._huge_tree, (1,)).records():
            cursor = Cursor(record, self._space, "A record of a fractal heap")
            address, length = cursor.address(), cursor.length()
            found[cursor.length()] = (address, length)
        return found

    def _place(self, offset: int, length: int) -> int:
        """The address of an offset in the heap's own space.

        The heap doubles: its rows have ``width`` blocks each; those of the first two rows have
        the starting size, those of each further row twice the size of the row before. What is
        larger than the largest block is again such a table.
        """
        block, rows, begin = self._root, self._rows, 0
        while rows:
            row, size, row_begin = self._row(offset - begin)
            if row >= rows:
                raise self._nowhere(offset)
            column = (offset - begin - row_begin) // size
            begin += row_begin + column * size
            block = self._child(block, row * self._width + column)
            if size <= self._most:
                if offset - begin + length > size:
                    raise self._nowhere(offset)
                break
            # Half of it at most: a table of n rows is as large as one block of row n.
            rows = (size // (self._start * self._width)).bit_length()
        return block + offset - begin

    def _row(self, offset: int) -> tuple[int, int, int]:
        """The row in which an offset lies, its blocks' bytes, and where it begins."""
        wide = self._start * self._width
        row = (offset // wide).bit_length()
        if row == 0:
            return 0, self._start, 0
        return row, self._start << (row - 1), wide << (row - 1)

    def _child(self, block: int, number: int) -> int:
        space = self._space
        prefix = 5 + space.offset_size + self._offset_size
        head = space.cursor(block, prefix, "A table of a fractal heap")
        head.signature(b"FHIB")
        at = block + prefix + number * space.offset_size
        return space.cursor(at, space.offset_size, "A table of a fractal heap").address()

    def _nowhere(self, offset: int) -> CheckpointError:
        return CheckpointError(
            f"A fractal heap has no block for its byte {offset:,}.",
            where=f"byte {self._space.base + self._root}",
        )
