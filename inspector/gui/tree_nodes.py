"""A file's entries as a tree: groups, tensors, the parts of tensors, plain values.

A tree is kept as columns, one list or array for each property and one position for each node, and
not as an object for each node: 100,000 objects more would make each of Python's garbage
collections, which stop every thread, several times longer.

No widget is touched here; trees are grown in a worker and never changed afterwards.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal, NamedTuple

from inspector.checkpoints.model import PathPart, TensorEntry, ValueEntry
from inspector.checkpoints.naming import OtherKey, join_name
from inspector.gui.opened import OpenFile

Item = TensorEntry | ValueEntry

NodeKind = Literal["file", "group", "tensor", "value"]

#: Called every few steps of long work: gives way to other threads, and raises `Cancelled`.
Pause = Callable[[], None]

#: Steps of work between two pauses.
STEPS: Final = 64

#: Steps of a path that become levels; what lies deeper shares the last level's label.
_MOST_LEVELS: Final = 48

#: Rows to which a tree is unfolded at first.
_ROWS_AT_FIRST: Final = 40

#: Rows that may be unfolded at first beyond that for the sake of the first tensor.
_ROWS_FOR_A_TENSOR: Final = 120

#: What leads each step of a group's name: text, an integer, another key. In the steps themselves
#: these characters are written as ``_ESCAPES`` says, so that no two groups have the same name.
_TEXT, _INTEGER, _OTHER = "\x1c", "\x1d", "\x1e"
_ESCAPES: Final = {"\x1f": "\x1f0", _TEXT: "\x1f1", _INTEGER: "\x1f2", _OTHER: "\x1f3"}
_ESCAPED: Final = re.compile("[\x1c-\x1f]")
_STEP: Final = re.compile("([\x1c-\x1e])([^\x1c-\x1e]*)")


class RowKey(NamedTuple):
    """What tells a row apart from every other, also after its file was read again."""

    number: int
    kind: NodeKind
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class FileTree:
    """The nodes of one file, each before its children. Node 0 is the file itself.

    Attributes
    ----------
    labels
        As they stand in the file, not yet safe to show.
    items
        None for the file and for groups.
    names
        Names of groups and entries, for keys.
    parents, depths, ends
        For each node: its parent (-1 for node 0), its level, and the node after its last
        descendant.
    counts, sizes, elements
        For each node: the tensors below it or 1 for a tensor, and their bytes and elements.
    unfolded
        For each node: whether it is unfolded unless the user says otherwise.
    positions
        Nodes by kind and name.
    shared
        The names of the tensors in a storage that has several, by the storage's `id`.
    widest
        The tensors with the longest shape, dtype and device, for the widths of columns.
    has_devices
        Whether a tensor was saved from anything but the processor's memory.
    """

    file: OpenFile
    labels: Sequence[str]
    items: Sequence[Item | None]
    names: Sequence[str]
    parents: Sequence[int]
    depths: Sequence[int]
    ends: Sequence[int]
    counts: Sequence[int]
    sizes: Sequence[int]
    elements: Sequence[int]
    unfolded: bytes
    positions: dict[NodeKind, dict[str, int]]
    shared: dict[int, tuple[str, ...]]
    widest: tuple[int, ...]
    has_devices: bool

    def __len__(self) -> int:
        """Nodes."""
        return len(self.labels)

    def kind(self, node: int) -> NodeKind:
        """What a node is."""
        if node == 0:
            return "file"
        item = self.items[node]
        if item is None:
            return "group"
        return "tensor" if isinstance(item, TensorEntry) else "value"

    def key(self, node: int) -> RowKey:
        """What tells a node apart."""
        return RowKey(self.file.number, self.kind(node), self.names[node])

    def find(self, key: RowKey) -> int:
        """The node of a key; -1 if it is not in this file."""
        if key.number != self.file.number:
            return -1
        return self.positions[key.kind].get(key.name, -1)

    def children(self, node: int) -> Iterator[int]:
        """The nodes right below a node."""
        return children_of(node, self.ends)

    def ancestors(self, node: int) -> Iterator[int]:
        """The nodes above a node, the nearest first."""
        while (node := self.parents[node]) >= 0:
            yield node

    def is_foldable(self, node: int) -> bool:
        """Whether a node has children."""
        return self.ends[node] > node + 1

    def full_name(self, node: int) -> str:
        """The name to show and to copy: of a group, that with which its entries' names begin."""
        if node == 0:
            return self.file.name
        name = self.names[node]
        return _group_title(name) if self.items[node] is None else name


def _group_name(above: str, step: PathPart) -> str:
    """A group's name from that of the group above it."""
    if isinstance(step, int):
        return f"{above}{_INTEGER}{step}"
    text = _ESCAPED.sub(lambda found: _ESCAPES[found[0]], step)
    return f"{above}{_OTHER if type(step) is OtherKey else _TEXT}{text}"


def _group_title(name: str) -> str:
    """What people read for a group's name."""
    title = ""
    for number, (sign, text) in enumerate(_STEP.findall(name)):
        for plain, escaped in reversed(_ESCAPES.items()):
            text = text.replace(escaped, plain)
        step: PathPart = text if sign == _TEXT else OtherKey(text)
        title = join_name(title, int(text) if sign == _INTEGER else step, first=number == 0)
    return title


def group_steps(path: Iterable[PathPart], name: str) -> list[PathPart]:
    """The levels of an entry: text is split at its dots, integers stay.

    An empty path (a file that holds a bare tensor) is one level, called by the entry's name. What
    lies too deep is joined to one level again.
    """
    steps: list[PathPart] = []
    for part in path:
        if type(part) is str:
            steps.extend(part.split("."))
        else:
            steps.append(part)
    if len(steps) > _MOST_LEVELS:
        label = ""
        for step in steps[_MOST_LEVELS - 1 :]:
            label = joined(label, step_label(step), step)
        steps[_MOST_LEVELS - 1 :] = [OtherKey(label)]
    return steps or [OtherKey(name)]


def step_label(step: PathPart) -> str:
    """One level's own label."""
    return (step or '""') if isinstance(step, str) else f"[{step}]"


def joined(label: str, below: str, step: PathPart) -> str:
    """The label of a level and the one below it in a single row."""
    return f"{label}.{below}" if label and type(step) is str else f"{label}{below}"


def children_of(node: int, ends: Sequence[int]) -> Iterator[int]:
    """The nodes right below a node, from the `FileTree.ends` of a tree."""
    child, end = node + 1, ends[node]
    while child < end:
        yield child
        child = ends[child]


class _Grower:
    """Collects nodes in the order in which they turn up; children are chained to each other."""

    def __init__(self, file: OpenFile) -> None:
        self._file = file
        self.steps: list[PathPart] = [OtherKey(file.name)]
        self.items: list[Item | None] = [None]
        self.names: list[str] = [""]
        self._first, self._last, self._next = (array("i", [-1]) for _ in range(3))
        self._groups: dict[str, int] = {}

    def add(self, item: Item) -> None:
        """Put an entry below its groups."""
        *above, last = group_steps(item.path, item.name)
        group, name = 0, ""
        for step in above:
            name = _group_name(name, step)
            found = self._groups.get(name)
            if found is None:
                found = self._groups[name] = self._node(group, step, None, name)
            group = found
        self._leaf(group, last, item)

    def _leaf(self, parent: int, step: PathPart, item: Item) -> None:
        node = self._node(parent, step, item, item.name)
        if isinstance(item, TensorEntry):
            for part in self._file.parts_of(item):
                label = part.name.removeprefix(item.name).removeprefix(".") or part.name
                self._leaf(node, OtherKey(label), part)

    def _node(self, parent: int, step: PathPart, item: Item | None, name: str) -> int:
        node = len(self.steps)
        self.steps.append(step)
        self.items.append(item)
        self.names.append(name)
        for chain_of in (self._first, self._last, self._next):
            chain_of.append(-1)
        before = self._last[parent]
        if before < 0:
            self._first[parent] = node
        else:
            self._next[before] = node
        self._last[parent] = node
        return node

    def in_order(self) -> Iterator[tuple[int, int, str]]:
        """Nodes before their children, as node, level and label.

        A group with a single child shares that child's row.
        """
        waiting = [(0, 0)]
        while waiting:
            node, depth = waiting.pop()
            if self._next[node] >= 0:
                waiting.append((self._next[node], depth))
            label = step_label(self.steps[node])
            while node and self.items[node] is None and self._first[node] == self._last[node]:
                node = self._first[node]
                step = self.steps[node]
                label = joined(label, step_label(step), step)
            yield node, depth, label
            if self._first[node] >= 0:
                waiting.append((self._first[node], depth + 1))


def grow_tree(file: OpenFile, pause: Pause) -> FileTree:
    """The tree of a file; a single node while the file is not read. For a worker thread."""
    grower = _Grower(file)
    checkpoint = file.checkpoint
    if checkpoint is not None:
        # values come after the tensors of their group
        both: Iterator[Item] = chain(checkpoint.entries, checkpoint.values)
        for count, item in enumerate(both):
            if count % STEPS == 0:
                pause()
            grower.add(item)
    nodes, labels, depths = [], [], array("i")
    for count, (node, depth, label) in enumerate(grower.in_order()):
        if count % STEPS == 0:
            pause()
        nodes.append(node)
        labels.append(label)
        depths.append(depth)
    items = [grower.items[node] for node in nodes]
    pause()
    parents, ends = _relations(depths)
    counts, sizes, elements = _sums(items, parents, pause)
    return FileTree(
        file=file,
        labels=labels,
        items=items,
        names=[grower.names[node] for node in nodes],
        parents=parents,
        depths=depths,
        ends=ends,
        counts=counts,
        sizes=sizes,
        elements=elements,
        unfolded=_unfolded_at_first(items, depths, ends),
        positions=_positions([grower.names[node] for node in nodes], items),
        shared=_shared(items, pause),
        widest=_widest(items, pause),
        has_devices=any(isinstance(item, TensorEntry) and item.device != "cpu" for item in items),
    )


def _relations(depths: Sequence[int]) -> tuple[array[int], array[int]]:
    """Parents and ends from the levels of nodes that stand before their children."""
    count = len(depths)
    parents, ends = array("i", [-1]) * count, array("i", [count]) * count
    line: list[int] = []
    for node, depth in enumerate(depths):
        while len(line) > depth:
            ends[line.pop()] = node
        parents[node] = line[-1] if line else -1
        line.append(node)
    return parents, ends


def _sums(
    items: Sequence[Item | None], parents: Sequence[int], pause: Pause
) -> tuple[list[int], list[int], list[int]]:
    """Tensors, bytes and elements of each node. Parts of a tensor are not added to its groups."""
    counts, sizes, elements = ([0] * len(items) for _ in range(3))
    for node in range(len(items) - 1, -1, -1):
        if node % STEPS == 0:
            pause()
        item = items[node]
        if isinstance(item, TensorEntry):
            counts[node], sizes[node], elements[node] = 1, item.nbytes, element_count(item)
        parent = parents[node]
        if parent >= 0 and items[parent] is None:
            counts[parent] += counts[node]
            sizes[parent] += sizes[node]
            elements[parent] += elements[node]
    return counts, sizes, elements


def element_count(entry: TensorEntry) -> int:
    """The numbers that a tensor holds: of a sparse one those that are stored, not its shape's."""
    if entry.kind.startswith("sparse"):
        return max(
            (part.numel for part in entry.components if part.dtype == entry.dtype), default=0
        )
    return entry.numel


def _positions(
    names: Sequence[str], items: Sequence[Item | None]
) -> dict[NodeKind, dict[str, int]]:
    """Nodes by kind and name; the first one where names are not unique."""
    groups: dict[str, int] = {}
    tensors: dict[str, int] = {}
    values: dict[str, int] = {}
    for node, (name, item) in enumerate(zip(names, items, strict=True)):
        if item is None:
            groups.setdefault(name, node)
        else:
            (tensors if isinstance(item, TensorEntry) else values).setdefault(name, node)
    return {"file": {"": 0}, "group": groups, "tensor": tensors, "value": values}


def _shared(items: Sequence[Item | None], pause: Pause) -> dict[int, tuple[str, ...]]:
    first: dict[int, str] = {}
    several: dict[int, list[str]] = {}
    for node, item in enumerate(items):
        if node % STEPS == 0:
            pause()
        if isinstance(item, TensorEntry) and item.storage is not None:
            key = id(item.storage)
            if key in first:
                several.setdefault(key, [first[key]]).append(item.name)
            else:
                first[key] = item.name
    return {key: tuple(names) for key, names in several.items()}


def _widest(items: Sequence[Item | None], pause: Pause) -> tuple[int, ...]:
    most, widest = [-1, -1, -1], [0, 0, 0]
    for node, item in enumerate(items):
        if node % STEPS == 0:
            pause()
        if isinstance(item, TensorEntry):
            # a shape's length is that of its digits; four more for each sign between
            digits = sum(length.bit_length() for length in item.shape) // 3 + 4 * len(item.shape)
            for place, width in enumerate((digits, len(item.dtype), len(item.device))):
                if width > most[place]:
                    most[place], widest[place] = width, node
    return tuple(node for node, width in zip(widest, most, strict=True) if width >= 0)


def _unfolded_at_first(
    items: Sequence[Item | None], depths: Sequence[int], ends: Sequence[int]
) -> bytes:
    """Which nodes are unfolded at first: level by level while the rows fit, then the first tensor.

    Without the last step, a file of layers alone would show no tensor at all.
    """
    unfolded = bytearray(len(items))
    unfolded[0] = 1
    level, rows, shows_tensor = [0], 1, False
    while level:
        children = [child for node in level for child in children_of(node, ends)]
        if level != [0] and rows + len(children) > _ROWS_AT_FIRST:
            break
        for node in level:
            unfolded[node] = 1
        rows += len(children)
        shows_tensor = shows_tensor or any(items[node] is not None for node in children)
        level = [node for node in children if items[node] is None and ends[node] > node + 1]
    node = 0
    while not shows_tensor and node < len(items) and items[node] is None:
        below = sum(1 for _ in children_of(node, ends))
        if node and not unfolded[node]:
            rows += below
            if below > _ROWS_FOR_A_TENSOR:
                break
            unfolded[node] = 1
        node += 1
    return bytes(unfolded)
