"""The rows of the tensor tree: which nodes of the open files show, in which order.

`build_rows` makes an immutable snapshot in a worker; the window only looks rows up in it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from inspector.gui.entry_filter import EntryFilter
from inspector.gui.opened import OpenFile
from inspector.gui.tree_matching import Matches, Totals, added, matched, totals_of, tree_tensors
from inspector.gui.tree_nodes import STEPS, FileTree, Item, Pause, RowKey, grow_tree
from inspector.gui.tree_sorting import Order, Sort, ordered


@dataclass(frozen=True, slots=True)
class Folding:
    """Which rows are unfolded.

    Attributes
    ----------
    base
        Whether rows are; None: as the tree or the filter proposes.
    exceptions
        What the user said of single rows.
    """

    base: bool | None = None
    exceptions: Mapping[RowKey, bool] = field(default_factory=dict)

    def with_exception(self, key: RowKey, unfolded: bool) -> Folding:
        """The folding after one row was folded or unfolded."""
        return Folding(self.base, {**self.exceptions, key: unfolded})

    def of_files(self, numbers: Set[int]) -> Folding:
        """The folding without what was said of other files."""
        if all(key.number in numbers for key in self.exceptions):
            return self
        kept = {key: said for key, said in self.exceptions.items() if key.number in numbers}
        return Folding(self.base, kept)


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """The rows of one file.

    Attributes
    ----------
    shown
        The places (of `order`) of the nodes that show, ascending.
    hint
        Tells apart two files of the same name; empty for others.
    """

    tree: FileTree
    order: Order
    matches: Matches | None
    totals: Totals
    shown: Sequence[int]
    hint: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Every row that can be scrolled to.

    Attributes
    ----------
    starts
        The first row of each segment, and the number of rows.
    totals
        Of all files. `shown` is that of what matches, None without a filter.
    """

    segments: Sequence[Segment] = ()
    starts: Sequence[int] = (0,)
    filter: EntryFilter = field(default_factory=EntryFilter)
    sort: Sort | None = None
    folding: Folding = field(default_factory=Folding)
    totals: Totals = field(default_factory=Totals)
    shown: Totals | None = None

    def __len__(self) -> int:
        """Rows."""
        return self.starts[-1]

    def at(self, row: int) -> Row:
        """One row.

        Raises
        ------
        IndexError
            If there is no such row.
        """
        if not 0 <= row < len(self):
            raise IndexError(row)
        index = bisect_right(self.starts, row) - 1
        segment = self.segments[index]
        return Row(segment, segment.order.nodes[segment.shown[row - self.starts[index]]])

    def find(self, key: RowKey | None) -> int:
        """The row of a key; -1 if it does not show."""
        for start, segment in zip(self.starts, self.segments, strict=False):
            node = -1 if key is None else segment.tree.find(key)
            if node >= 0:
                place = segment.order.places[node]
                row = bisect_left(segment.shown, place)
                if row < len(segment.shown) and segment.shown[row] == place:
                    return start + row
        return -1

    def locate(self, key: RowKey | None) -> Row | None:
        """What a key stands for, whether it shows or not."""
        for segment in self.segments:
            node = -1 if key is None else segment.tree.find(key)
            if node >= 0:
                return Row(segment, node)
        return None

    def is_unfolded(self, row: Row) -> bool:
        """Whether what is below a row shows in these rows."""
        return is_unfolded(row.segment.tree, row.node, row.segment.matches, self.folding)


@dataclass(frozen=True, slots=True)
class Row:
    """One node, as it shows."""

    segment: Segment
    node: int

    @property
    def tree(self) -> FileTree:
        """The tree that it belongs to."""
        return self.segment.tree

    @property
    def file(self) -> OpenFile:
        """The file that it belongs to."""
        return self.segment.tree.file

    @property
    def item(self) -> Item | None:
        """The entry; None for files and groups."""
        return self.tree.items[self.node]

    @property
    def key(self) -> RowKey:
        """What tells it apart."""
        return self.tree.key(self.node)

    @property
    def depth(self) -> int:
        """Its level; 0 for a file."""
        return self.tree.depths[self.node]

    @property
    def is_foldable(self) -> bool:
        """Whether it has children."""
        return self.tree.is_foldable(self.node)

    @property
    def count(self) -> int:
        """Tensors below it that show or could be unfolded."""
        return (self.segment.matches or self.tree).counts[self.node]

    @property
    def nbytes(self) -> int:
        """Bytes of those tensors."""
        return (self.segment.matches or self.tree).sizes[self.node]

    @property
    def first_child(self) -> Row | None:
        """The first row below it when it is unfolded."""
        segment = self.segment
        order, place = segment.order, segment.order.places[self.node]
        end = place + self.tree.ends[self.node] - self.node
        place += 1
        while place < end:
            node = order.nodes[place]
            if segment.matches is None or segment.matches.keep[node]:
                return Row(segment, node)
            place += self.tree.ends[node] - node
        return None

    @property
    def parent(self) -> Row | None:
        """The row above it in the tree; None for a file."""
        above = self.tree.parents[self.node]
        return Row(self.segment, above) if above >= 0 else None


@dataclass(frozen=True, slots=True)
class RowsWanted:
    """All that `build_rows` needs.

    Attributes
    ----------
    known
        Trees and rows from before, of which what still holds is used again.
    """

    files: tuple[OpenFile, ...]
    filter: EntryFilter = field(default_factory=EntryFilter)
    sort: Sort | None = None
    folding: Folding = field(default_factory=Folding)
    trees: Mapping[int, FileTree] = field(default_factory=dict)
    before: Rows = field(default_factory=Rows)


def build_rows(wanted: RowsWanted, pause: Pause, grown: Callable[[FileTree], None]) -> Rows:
    """The rows for what is wanted. For a worker thread.

    Parameters
    ----------
    grown
        Handed each tree that had to be made, so that it is not lost if the rest is given up.

    Raises
    ------
    FilterError
        If a regular expression takes too long.
    Cancelled
        By ``pause``.
    """
    before = {segment.tree.file.number: segment for segment in wanted.before.segments}
    names = [file.name for file in wanted.files]
    segments: list[Segment] = []
    starts = [0]
    for file in wanted.files:
        tree = wanted.trees.get(file.number)
        if tree is None or tree.file is not file:
            tree = grow_tree(file, pause)
            grown(tree)
        hint = file.path.parent.name if names.count(file.name) > 1 else ""
        segment = _segment(tree, before.get(file.number), wanted, hint, pause)
        segments.append(segment)
        starts.append(starts[-1] + len(segment.shown))
    shown = [segment.matches.totals for segment in segments if segment.matches is not None]
    return Rows(
        segments=tuple(segments),
        starts=tuple(starts),
        filter=wanted.filter,
        sort=wanted.sort,
        folding=wanted.folding,
        totals=added(segment.totals for segment in segments),
        shown=added(shown) if wanted.filter.is_on else None,
    )


def _segment(
    tree: FileTree, before: Segment | None, wanted: RowsWanted, hint: str, pause: Pause
) -> Segment:
    """The rows of one file, with what can be taken over from before."""
    order: Order | None = None
    matches: Matches | None = None
    totals: Totals | None = None
    if before is not None and before.tree is tree:
        totals = before.totals
        order = before.order if before.order.sort == wanted.sort else None
        if before.matches is not None and before.matches.filter is wanted.filter:
            matches = before.matches
    if order is None:
        order = ordered(tree, wanted.sort, pause)
    if matches is None and wanted.filter.is_on:
        matches = matched(tree, wanted.filter, pause)
    if totals is None:
        totals = totals_of(tree_tensors(tree), pause)
    shown = _shown(order, matches, wanted.folding, pause)
    return Segment(tree, order, matches, totals, shown, hint)


def is_unfolded(tree: FileTree, node: int, matches: Matches | None, folding: Folding) -> bool:
    """Whether what is below a node shows."""
    if folding.exceptions:
        said = folding.exceptions.get(tree.key(node))
        if said is not None:
            return said
    if folding.base is not None:
        return folding.base or node == 0
    if matches is not None:
        return tree.items[node] is None or bool(matches.part_matches[node])
    return bool(tree.unfolded[node])


def _shown(order: Order, matches: Matches | None, folding: Folding, pause: Pause) -> Sequence[int]:
    """The places of the nodes that show."""
    tree = order.tree
    nodes, ends = order.nodes, tree.ends
    keep = None if matches is None else matches.keep
    shown = array("i")
    place, steps = 0, 0
    while place < len(tree):
        steps += 1
        if steps % STEPS == 0:
            pause()
        node = nodes[place]
        size = ends[node] - node
        if keep is not None and not keep[node]:
            place += size
            continue
        shown.append(place)
        if size > 1 and not is_unfolded(tree, node, matches, folding):
            place += size
        else:
            place += 1
    return shown
