"""What a filter leaves of a tree, and what tensors come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from inspector.checkpoints.model import TensorEntry
from inspector.gui.entry_filter import EntryFilter
from inspector.gui.tree_nodes import STEPS, FileTree, Item, Pause, element_count


@dataclass(frozen=True, slots=True)
class Totals:
    """Tensors, elements and bytes.

    Attributes
    ----------
    nbytes
        Bytes of the tensors' elements.
    stored
        Bytes of the storages that they lie in, each counted once.
    by_dtype
        Tensors and bytes by dtype, most bytes first.
    """

    tensors: int = 0
    elements: int = 0
    nbytes: int = 0
    stored: int = 0
    by_dtype: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """What a filter leaves of a tree.

    Attributes
    ----------
    keep
        For each node: 1 if it shows, because it or something below it matches.
    part_matches
        For each node: 1 if it is a tensor that shows only because a part of it matches.
    counts, sizes
        As in `FileTree`, of the tensors that match.
    """

    tree: FileTree
    filter: EntryFilter
    keep: bytes
    part_matches: bytes
    counts: Sequence[int]
    sizes: Sequence[int]
    totals: Totals


def matched(tree: FileTree, wanted: EntryFilter, pause: Pause) -> Matches:
    """Apply a filter to every entry of a tree. For a worker thread.

    The parts of a tensor that matches stay with it.

    Raises
    ------
    FilterError
        If a regular expression takes too long.
    """
    items, parents = tree.items, tree.parents
    hits = bytearray(len(tree))
    for node, item in enumerate(items):
        if node % STEPS == 0:
            pause()
        if item is not None:
            whole = items[parents[node]] is not None and hits[parents[node]]
            hits[node] = whole or wanted.matches(item)
    keep, part_matches = bytearray(hits), bytearray(len(tree))
    keep[0] = 1
    counts, sizes = [0] * len(tree), [0] * len(tree)
    for node in range(len(tree) - 1, 0, -1):
        if node % STEPS == 0:
            pause()
        if not keep[node]:
            continue
        parent = parents[node]
        keep[parent] = 1
        if items[node] is not None:
            part_matches[node] = not hits[node]
            if hits[node]:
                counts[node], sizes[node] = tree.counts[node], tree.sizes[node]
        if items[parent] is None:
            counts[parent] += counts[node]
            sizes[parent] += sizes[node]
    return Matches(
        tree,
        wanted,
        bytes(keep),
        bytes(part_matches),
        counts,
        sizes,
        totals_of(tree_tensors(tree, hits), pause),
    )


def tree_tensors(tree: FileTree, among: Sequence[int] | None = None) -> Iterable[TensorEntry]:
    """The tensors of a tree without their parts; only the nodes marked in ``among``, if given."""
    items: Sequence[Item | None] = tree.items
    for node, item in enumerate(items):
        if (
            isinstance(item, TensorEntry)
            and items[tree.parents[node]] is None
            and (among is None or among[node])
        ):
            yield item


def totals_of(entries: Iterable[TensorEntry], pause: Pause) -> Totals:
    """What tensors come to."""
    tensors = elements = nbytes = stored = 0
    by_dtype: dict[str, tuple[int, int]] = {}
    storages: set[int] = set()
    for tensors, entry in enumerate(entries, 1):
        if tensors % STEPS == 0:
            pause()
        size = entry.nbytes
        elements += element_count(entry)
        nbytes += size
        count, known = by_dtype.get(entry.dtype, (0, 0))
        by_dtype[entry.dtype] = count + 1, known + size
        for part in (entry, *entry.components):
            storage = part.storage
            if storage is not None and id(storage) not in storages:
                storages.add(id(storage))
                stored += storage.nbytes
    return Totals(tensors, elements, nbytes, stored, _largest_first(by_dtype))


def added(several: Iterable[Totals]) -> Totals:
    """The totals of several files; they share no storages."""
    tensors = elements = nbytes = stored = 0
    by_dtype: dict[str, tuple[int, int]] = {}
    for totals in several:
        tensors += totals.tensors
        elements += totals.elements
        nbytes += totals.nbytes
        stored += totals.stored
        for dtype, (count, size) in totals.by_dtype.items():
            known = by_dtype.get(dtype, (0, 0))
            by_dtype[dtype] = known[0] + count, known[1] + size
    return Totals(tensors, elements, nbytes, stored, _largest_first(by_dtype))


def _largest_first(by_dtype: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    return dict(sorted(by_dtype.items(), key=lambda item: -item[1][1]))
