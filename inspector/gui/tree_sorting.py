"""The order of the rows in each group."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from inspector.checkpoints.model import TensorEntry, ValueEntry
from inspector.gui.tree_nodes import STEPS, FileTree, Pause

#: Rows that are sorted without a pause: sorting holds the interpreter's lock.
_SORTED_AT_ONCE: Final = 4_096


class Column(IntEnum):
    """The columns, from the left."""

    NAME = 0
    SHAPE = 1
    TYPE = 2
    SIZE = 3
    DEVICE = 4


@dataclass(frozen=True, slots=True)
class Sort:
    """By which column each group is sorted."""

    column: Column
    descending: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """An order of a tree's nodes in which parents stand before their children.

    ``nodes[place]`` is the node at a place, ``places[node]`` the place of a node.
    """

    tree: FileTree
    sort: Sort | None
    nodes: Sequence[int]
    places: Sequence[int]


def natural_key(text: str) -> str:
    """A text that sorts as people expect of the given one: numbers by value, case aside.

    Each run of digits is led by the number of its digits, so that ``2`` comes before ``10``. The
    text itself follows, so that no two texts are alike.
    """
    return f"{_DIGITS.sub(_digits, text.casefold())}\0{text}"


_DIGITS: Final = re.compile("[0-9]+")


def _digits(match: re.Match[str]) -> str:
    digits = match[0].lstrip("0")
    return f"{len(digits):07d}{digits}"


def ordered(tree: FileTree, sort: Sort | None, pause: Pause) -> Order:
    """A tree's nodes in order; in the file's order if `sort` is None. For a worker thread.

    Plain values and the parts of tensors stay in the file's order, values after everything else.
    """
    if sort is None:
        return Order(tree, None, range(len(tree)), range(len(tree)))
    keys = _keys(tree, sort.column, pause)
    nodes = array("i")
    places = array("i", [0]) * len(tree)
    waiting = [0]
    while waiting:
        if len(nodes) % STEPS == 0:
            pause()
        node = waiting.pop()
        places[node] = len(nodes)
        nodes.append(node)
        if tree.is_foldable(node):
            waiting.extend(reversed(_sorted_children(tree, node, keys, sort.descending, pause)))
    return Order(tree, sort, nodes, places)


def _sorted_children(
    tree: FileTree, node: int, keys: Sequence[str] | Sequence[int], descending: bool, pause: Pause
) -> list[int]:
    children = list(tree.children(node))
    if tree.items[node] is not None:
        return children
    values = [child for child in children if isinstance(tree.items[child], ValueEntry)]
    if values:
        children = [child for child in children if not isinstance(tree.items[child], ValueEntry)]
    # Short runs first, then ever longer ones, for which sorting is little more than merging.
    width = _SORTED_AT_ONCE
    while True:
        for start in range(0, len(children), width):
            pause()
            run = children[start : start + width]
            run.sort(key=keys.__getitem__, reverse=descending)
            children[start : start + width] = run
        if width >= len(children):
            break
        width *= 4
    return children + values


def _keys(tree: FileTree, column: Column, pause: Pause) -> Sequence[str] | Sequence[int]:
    """What each node is sorted by. A group counts as the sum of what is in it."""
    if column == Column.SIZE:
        return tree.sizes
    if column == Column.SHAPE:
        return tree.elements
    keys: list[str] = []
    for node, (label, item) in enumerate(zip(tree.labels, tree.items, strict=True)):
        if node % STEPS == 0:
            pause()
        if column == Column.NAME:
            keys.append(natural_key(label))
        elif isinstance(item, TensorEntry):
            keys.append(natural_key(item.dtype if column == Column.TYPE else item.device))
        else:
            keys.append("")
    return keys
