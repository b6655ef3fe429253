"""The links of a group, in each of the ways in which they are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.hdf5.headers import LINK, LINK_INFO, SYMBOL_TABLE, ObjectHeader
from inspector.checkpoints.hdf5.heaps import FractalHeap, LocalHeap
from inspector.checkpoints.hdf5.space import Cursor
from inspector.checkpoints.hdf5.trees import Tree2, leaves1
from inspector.checkpoints.naming import display_text

#: Bytes of an entry of a symbol table node, beside its two addresses.
_ENTRY_REST: Final = 24

_SOFT_ENTRY: Final = 2


@dataclass(frozen=True, slots=True)
class Link:
    """A name in a group.

    Attributes
    ----------
    address
        Of the object's header, if the link is hard.
    target
        What the others lead to, in words that are safe to show.
    order
        Number by order of creation; 0 if the group does not keep it.
    """

    name: str
    kind: Literal["hard", "soft", "external", "user-defined"]
    address: int = 0
    target: str = ""
    order: int = 0


class Links:
    """The links of a group.

    Attributes
    ----------
    found
        By name as the HDF5 library lists them, or by creation if the group keeps that.
    problem
        Why there may be more, as a sentence; mostly empty.
    """

    def __init__(self, header: ObjectHeader) -> None:
        self.found: Final[list[Link]] = []
        self.problem = header.problem
        ordered = False
        for collect in (_symbol_table, _compact, _dense):
            try:
                self.found.extend(collect(header))
            except CheckpointError as error:
                self.problem = self.problem or error.message
        try:
            ordered = _tracks_order(header)
        except CheckpointError as error:
            self.problem = self.problem or error.message
        if ordered:
            self.found.sort(key=lambda link: link.order)
        else:
            self.found.sort(key=lambda link: link.name.encode("utf-8", "surrogateescape"))


def is_group(header: ObjectHeader) -> bool:
    """Whether an object is a group."""
    return any(message.kind in (SYMBOL_TABLE, LINK_INFO, LINK) for message in header.messages)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _symbol_table(header: ObjectHeader) -> Iterator[Link]:
    """The links of an old group: a B-tree of nodes with entries, and a heap with their names."""
    cursor = header.cursor(SYMBOL_TABLE, "A group")
    if cursor is None:
        return
    space = header.space
    tree, heap = cursor.address(), LocalHeap(space, cursor.address())
    for address in leaves1(space, tree, space.length_size):
        head = space.cursor(address, 8, "A part of a group")
        head.signature(b"SNOD")
        head.skip(2)
        count = head.number(2)
        entry_size = 2 * space.offset_size + _ENTRY_REST
        entries = space.cursor(address + 8, count * entry_size, "A part of a group")
        for _ in range(count):
            yield _entry(entries, heap)


def _entry(cursor: Cursor, heap: LocalHeap) -> Link:
    name = _text(heap.text(cursor.address()))
    address, kind = cursor.address(), cursor.number(4)
    cursor.skip(4)
    scratch = cursor.take(16)
    if kind == _SOFT_ENTRY:
        target = heap.text(int.from_bytes(scratch[:4], "little"))
        return Link(name, "soft", target=display_text(_text(target)))
    return Link(name, "hard", address)


def _compact(header: ObjectHeader) -> Iterator[Link]:
    """The links of a new group that has few: messages of its own."""
    for message in header.all(LINK):
        yield _link(Cursor(message.data, header.space, "A link"))


def _dense(header: ObjectHeader) -> Iterator[Link]:
    """The links of a new group that has many: objects of a heap, and a B-tree of their IDs."""
    cursor = header.cursor(LINK_INFO, "A group")
    if cursor is None:
        return
    space = header.space
    cursor.version(0)
    cursor.skip(8 if cursor.number(1) & 1 else 0)
    heap_address, tree_address = cursor.address(), cursor.address()
    if heap_address == space.undefined:
        return
    heap = FractalHeap(space, heap_address)
    for record in Tree2(space, tree_address, (5,)).records():
        yield _link(Cursor(heap.read(record[4:]), space, "A link"))


def _tracks_order(header: ObjectHeader) -> bool:
    cursor = header.cursor(LINK_INFO, "A group")
    if cursor is None:
        return False
    cursor.skip(1)
    return bool(cursor.number(1) & 1)


def _link(cursor: Cursor) -> Link:
    """A link message."""
    cursor.version(1)
    flags = cursor.number(1)
    kind = cursor.number(1) if flags & 8 else 0
    order = cursor.number(8) if flags & 4 else 0
    cursor.skip(1 if flags & 16 else 0)
    name = _text(cursor.take(cursor.number(1 << (flags & 3))))
    if kind == 0:
        return Link(name, "hard", cursor.address(), order=order)
    value = cursor.take(cursor.number(2))
    if kind == 1:
        return Link(name, "soft", target=display_text(_text(value)), order=order)
    if kind == 64:
        file, _, target = _text(value[1:]).partition("\0")
        words = f"{display_text(target.rstrip(chr(0)))} in the file {display_text(file)}"
        return Link(name, "external", target=words, order=order)
    return Link(name, "user-defined", target=f"of class {kind}", order=order)
