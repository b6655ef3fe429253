"""What can be exported at a moment: the tensor, what is shown of it, or several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from inspector.checkpoints.model import TensorEntry
from inspector.checkpoints.naming import display_text
from inspector.gui.opened import Choice, OpenFile
from inspector.gui.text import Texts
from inspector.gui.tree_nodes import RowKey
from inspector.gui.tree_rows import Row, Rows, Segment
from inspector.values.forms import Form, forms_of
from inspector.values.regions import Plane, Region

Scopes = Texts("Scopes")

#: The forms of several tensors together.
_COMMON: Final[tuple[Form, ...]] = ("values", "raw")


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """Something that can be exported.

    Attributes
    ----------
    label
        What the user reads.
    name
        After which the file is called.
    is_several
        Whether it may be more than one tensor.
    axes
        Of what is written; 0 for several tensors, which may have any.
    forms
        In which it can be had.
    entries
        The tensors; for a worker, since they may be very many.
    region, shape
        The part of the one tensor, and the shape of what it is a part of; None for the whole.
    """

    label: str
    name: str
    file: OpenFile
    is_several: bool
    axes: int
    forms: tuple[Form, ...]
    entries: Callable[[], Sequence[TensorEntry]]
    region: Region | None = None
    shape: tuple[int, ...] | None = None


def tensor_scopes(
    choice: Choice, plane: Plane | None = None, cells: tuple[range, range] | None = None
) -> tuple[Scope, ...]:
    """The chosen tensor, and what is shown and selected of it where that is less.

    Parameters
    ----------
    plane
        What is shown of it; None if it is not shown.
    cells
        The selected rows and columns.
    """
    entry = choice.entry
    if entry is None:
        return ()
    scopes = [_part(choice, entry, display_text(entry.name, 80))]
    if plane is not None and not plane.is_empty:
        if not plane.is_whole:
            scopes.append(_part(choice, entry, Scopes.tr("What is shown"), plane, plane.region()))
        if cells is not None and len(cells[0]) * len(cells[1]) > 1:
            scopes.append(
                _part(choice, entry, Scopes.tr("Selected values"), plane, plane.region(*cells))
            )
    return tuple(scopes)


def _part(
    choice: Choice,
    entry: TensorEntry,
    label: str,
    plane: Plane | None = None,
    region: Region | None = None,
) -> Scope:
    shape = None if plane is None else plane.shape
    if region is not None and shape is not None:
        label = f"{label}: {region.text(shape)}"
    axes = len(entry.shape if region is None else region.shape)
    forms = forms_of(entry) or ("values",)
    return Scope(
        label, entry.name, choice.file, False, axes, forms, lambda: (entry,), region, shape
    )


def several_scopes(
    rows: Rows, current: RowKey | None, selected: Sequence[range]
) -> tuple[Scope, ...]:
    """Tensors that can be exported together: the selected ones, those of the group, of the file.

    Parameters
    ----------
    current
        Of the row that is chosen; groups and files are seen from there.
    selected
        The numbers of the rows that are selected, as runs.
    """
    row = rows.locate(current)
    if row is None or row.file.checkpoint is None:
        return ()
    scopes = []
    if sum(map(len, selected)) > 1:
        entries = partial(_of_rows, rows, row.file, tuple(selected))
        scopes.append(_several(row, Scopes.tr("Selected tensors"), entries))
    group = row
    while group.item is not None and group.parent is not None:
        group = group.parent
    if group.node and group.count > 1:
        scopes.append(_several(group, _below_label(group), partial(_all_below, group)))
    top = Row(row.segment, 0)
    if top.count > 1:
        scopes.append(_several(top, _all_label(top), partial(_all_below, top)))
    return tuple(scopes)


def _below_label(group: Row) -> str:
    name = display_text(group.tree.full_name(group.node), 60)
    if group.segment.matches is None:
        return Scopes.tr(
            "{n:,} tensors below {name}", "{n:,} tensor below {name}", group.count, name=name
        )
    return Scopes.tr(
        "{n:,} tensors below {name} that match the filter",
        "{n:,} tensor below {name} that matches the filter",
        group.count,
        name=name,
    )


def _all_label(top: Row) -> str:
    if top.segment.matches is None:
        return Scopes.tr("All {n:,} tensors", "The {n:,} tensor", top.count)
    return Scopes.tr(
        "{n:,} tensors that match the filter", "{n:,} tensor that matches the filter", top.count
    )


def _several(row: Row, label: str, entries: Callable[[], Sequence[TensorEntry]]) -> Scope:
    name = row.tree.full_name(row.node) if row.item is None and row.node else _stem(row.file)
    return Scope(label, name, row.file, True, 0, _COMMON, entries)


def _stem(file: OpenFile) -> str:
    return file.path.stem if file.live is None else file.name


def _all_below(row: Row) -> Sequence[TensorEntry]:
    return tuple(_below(row.segment, row.node))


def _below(segment: Segment, node: int) -> Iterator[TensorEntry]:
    """The tensors below a node, without their parts; of a filtered file, those that match."""
    tree, matches = segment.tree, segment.matches
    for each in range(node, tree.ends[node]):
        item = tree.items[each]
        if not isinstance(item, TensorEntry) or tree.items[tree.parents[each]] is not None:
            continue
        if matches is None or (matches.keep[each] and not matches.part_matches[each]):
            yield item


def _of_rows(rows: Rows, file: OpenFile, selected: Sequence[range]) -> Sequence[TensorEntry]:
    """The tensors in rows of one file; a group stands for all that is below it."""
    found: dict[int, TensorEntry] = {}
    for row in (rows.at(number) for run in selected for number in run):
        item = row.item
        if row.file is not file:
            continue
        if isinstance(item, TensorEntry):
            found[id(item)] = item
        elif item is None:
            found.update((id(entry), entry) for entry in _below(row.segment, row.node))
    return tuple(found.values())
