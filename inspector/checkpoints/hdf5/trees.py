"""The two kinds of B-trees: nodes of version 1, records of version 2."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.hdf5.space import Space

_WHAT1: Final = "A node of a B-tree"

#: Bytes before the records of a node of version 2, and the checksum behind them.
_OVERHEAD2: Final = 10

#: Nodes that a search keeps.
_KEPT: Final = 64


@dataclass(frozen=True, slots=True)
class Node1:
    """A node of version 1: a key before each child, and one behind the last."""

    level: int
    keys: tuple[bytes, ...]
    children: tuple[int, ...]


def read_node1(space: Space, address: int, kind: int, key_size: int) -> Node1:
    """A node of version 1.

    Parameters
    ----------
    kind
        0 for the links of a group, 1 for the chunks of a dataset.
    key_size
        Bytes of a key.

    Raises
    ------
    CheckpointError
        If there is none at the address.
    """
    head = space.cursor(address, 8 + 2 * space.offset_size, _WHAT1)
    head.signature(b"TREE")
    if head.number(1) != kind:
        raise head.error("is of another tree")
    level, count = head.number(1), head.number(2)
    body = space.cursor(
        address + len(head.data), count * (key_size + space.offset_size) + key_size, _WHAT1
    )
    keys, children = [], []
    for _ in range(count):
        keys.append(body.take(key_size))
        children.append(body.address())
    return Node1(level, tuple(keys), tuple(children))


def leaves1(space: Space, root: int, key_size: int) -> Iterator[int]:
    """The children of the lowest nodes of a tree of links, in order.

    Raises
    ------
    CheckpointError
        At a node that is damaged, or that was met before.
    """
    met: set[int] = set()
    waiting = [(root, -1)]
    while waiting:
        address, wanted = waiting.pop()
        if address in met:
            raise CheckpointError(
                "A B-tree comes back to where it was.", where=f"byte {space.base + address}"
            )
        met.add(address)
        node = read_node1(space, address, 0, key_size)
        if wanted >= 0 and node.level != wanted:
            raise _other_level(space, address)
        if node.level == 0:
            yield from node.children
        else:
            waiting.extend((child, node.level - 1) for child in reversed(node.children))


class Search1:
    """Finds chunks in a tree of version 1. Safe to use from several threads.

    Parameters
    ----------
    key_size
        Bytes of a key.
    order
        What of a key decides on its place.
    """

    def __init__(
        self, space: Space, root: int, key_size: int, order: Callable[[bytes], tuple[int, ...]]
    ) -> None:
        self._space: Final = space
        self._root: Final = root
        self._key_size: Final = key_size
        self._order: Final = order
        self._node: Final = lru_cache(_KEPT)(self._load)

    def find(self, wanted: tuple[int, ...]) -> tuple[bytes, int] | None:
        """The last key that is not greater, and its child; None if all are greater."""
        address, level = self._root, -1
        while True:
            node, keys = self._node(address)
            if level >= 0 and node.level != level:
                raise _other_level(self._space, address)
            position = bisect_right(keys, wanted, hi=len(node.children)) - 1
            if position < 0:
                return None
            if node.level == 0:
                return node.keys[position], node.children[position]
            address, level = node.children[position], node.level - 1

    def _load(self, address: int) -> tuple[Node1, list[tuple[int, ...]]]:
        node = read_node1(self._space, address, 1, self._key_size)
        return node, [self._order(key) for key in node.keys]


def _other_level(space: Space, address: int) -> CheckpointError:
    return CheckpointError(
        "A B-tree is damaged: a node is on another level than it should be.",
        where=f"byte {space.base + address}",
    )


def bytes_for(number: int) -> int:
    """Bytes that a field takes which may hold up to ``number``."""
    return (max(1, number).bit_length() - 1) // 8 + 1


@dataclass(frozen=True, slots=True)
class _Node2:
    """A node of version 2: records, and in inner nodes a child before, between and behind them.

    Children are addresses with the number of records there.
    """

    records: tuple[bytes, ...]
    children: tuple[tuple[int, int], ...]


class Tree2:
    """A B-tree of version 2. Safe to use from several threads.

    Parameters
    ----------
    space, address
        Where its header is.
    kinds
        What its records may be, by the specification's numbers.

    Attributes
    ----------
    kind
        What they are.
    record_size
        Bytes of a record.

    Raises
    ------
    CheckpointError
        If there is no such tree.
    """

    def __init__(self, space: Space, address: int, kinds: tuple[int, ...]) -> None:
        length = 22 + space.offset_size + space.length_size
        cursor = space.cursor(address, length, "A version 2 B-tree")
        cursor.signature(b"BTHD")
        cursor.version(0)
        self.kind: Final = cursor.number(1)
        if self.kind not in kinds:
            raise cursor.error("is of another kind than it should be")
        node_size = cursor.number(4)
        self.record_size: Final = cursor.number(2)
        depth = cursor.number(2)
        cursor.skip(2)
        root = cursor.address(), cursor.number(2)
        if not self.record_size or node_size < _OVERHEAD2 + self.record_size or depth > 64:
            raise cursor.error("has nodes of impossible size")
        self._space: Final = space
        self._depth: Final = depth
        self._root: Final = root
        self._count_size: Final = bytes_for((node_size - _OVERHEAD2) // self.record_size)
        self._total_sizes: Final = self._sizes(node_size)
        self._node: Final = lru_cache(_KEPT)(self._load)

    def records(self) -> Iterator[bytes]:
        """All records, in no particular order.

        Raises
        ------
        CheckpointError
            At a node that is damaged, or that was met before.
        """
        met: set[int] = set()
        waiting = [(*self._root, self._depth)] if self._root[1] or self._depth else []
        while waiting:
            address, count, level = waiting.pop()
            if address in met:
                raise CheckpointError(
                    "A B-tree comes back to where it was.",
                    where=f"byte {self._space.base + address}",
                )
            met.add(address)
            node = self._load(address, count, level)
            yield from node.records
            waiting.extend((*child, level - 1) for child in node.children)

    def find(
        self, wanted: tuple[int, ...], order: Callable[[bytes], tuple[int, ...]]
    ) -> bytes | None:
        """The record that has the wanted place by ``order``; None if there is none."""
        (address, count), level = self._root, self._depth
        while count:
            node = self._node(address, count, level)
            position = bisect_left(node.records, wanted, key=order)
            if position < len(node.records) and order(node.records[position]) == wanted:
                return node.records[position]
            if not level:
                break
            (address, count), level = node.children[position], level - 1
        return None

    def _sizes(self, node_size: int) -> list[int]:
        """Bytes of the total number of records below a child, by the child's level."""
        most = (node_size - _OVERHEAD2) // self.record_size
        sizes, total = [0], most
        for _ in range(1, self._depth):
            pointer = self._space.offset_size + self._count_size + sizes[-1]
            most = max(0, node_size - _OVERHEAD2 - pointer) // (self.record_size + pointer)
            total = min((most + 1) * total + most, (1 << 64) - 1)
            sizes.append(bytes_for(total))
        return sizes

    def _load(self, address: int, count: int, level: int) -> _Node2:
        total_size = self._total_sizes[level - 1] if level else 0
        pointer = self._space.offset_size + self._count_size + total_size
        length = 6 + count * self.record_size + ((count + 1) * pointer if level else 0)
        cursor = self._space.cursor(address, length, "A node of a version 2 B-tree")
        cursor.signature(b"BTIN" if level else b"BTLF")
        cursor.version(0)
        cursor.skip(1)
        records = tuple([cursor.take(self.record_size) for _ in range(count)])
        children = []
        for _ in range(count + 1 if level else 0):
            children.append((cursor.address(), cursor.number(self._count_size)))
            cursor.skip(total_size)
        return _Node2(records, tuple(children))
