"""How wide the columns of the tensor tree are, and which of them there is room for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from PySide6.QtGui import QFontMetrics

from inspector.gui.tree_painter import MARGIN, name_left
from inspector.gui.tree_rows import Row, Rows
from inspector.gui.tree_sorting import Column
from inspector.gui.tree_text import TITLES, cell_text

#: Rows of each file that are measured.
_SAMPLE: Final = 160

#: Pixels that the name has at least before other columns give way, and at least ever.
_NAME_WANTED: Final = 140

#: The name's share of the width before other columns give way.
_NAME_SHARE: Final = 0.38

#: Which columns there can be, from the widest arrangement to the narrowest. True: with dtypes and
#: counts in their short form.
_ARRANGEMENTS: Final[tuple[tuple[tuple[Column, ...], bool], ...]] = (
    ((Column.SHAPE, Column.TYPE, Column.SIZE, Column.DEVICE), False),
    ((Column.SHAPE, Column.TYPE, Column.SIZE, Column.DEVICE), True),
    ((Column.SHAPE, Column.TYPE, Column.SIZE), False),
    ((Column.SHAPE, Column.TYPE, Column.SIZE), True),
    ((Column.SHAPE, Column.TYPE), True),
    ((Column.SHAPE,), True),
    ((), True),
)


#: How wide columns become at most, in widths of a digit.
_MOST_EMS: Final = {Column.SHAPE: 20, Column.TYPE: 14, Column.SIZE: 12, Column.DEVICE: 9}

#: Pixels for what measuring leaves out.
_SLACK: Final = 2

#: Pixels for the sign that a column is sorted by.
_SORT_MARK: Final = 14


@dataclass(frozen=True, slots=True)
class Measures:
    """What the columns would like to have, in pixels."""

    wanted: Mapping[Column, int] = field(default_factory=dict)
    short_type: int = 0
    short_shape: int = 0
    has_devices: bool = False


@dataclass(frozen=True, slots=True)
class Fit:
    """The columns that show, with their widths in pixels."""

    widths: Mapping[Column, int] = field(default_factory=dict)
    is_short: bool = False


def measured(rows: Rows, metrics: QFontMetrics) -> Measures:
    """What the columns would like to have, from a sample of the entries."""
    em = metrics.horizontalAdvance("0")
    most = {
        Column.SHAPE: 20 * em,
        Column.TYPE: 14 * em,
        Column.SIZE: 11 * em,
        Column.DEVICE: 9 * em,
    }
    wanted = {column: metrics.horizontalAdvance(TITLES[column]()) + 14 for column in most}
    wanted[Column.NAME] = _NAME_WANTED
    wanted[Column.SIZE] = metrics.horizontalAdvance("888.8 MiB")
    short_type = max(4 * em, metrics.horizontalAdvance(TITLES[Column.TYPE]()))
    short_shape = wanted[Column.SHAPE]
    for row in _sample(rows):
        label = metrics.horizontalAdvance(cell_text(row, Column.NAME))
        wanted[Column.NAME] = max(wanted[Column.NAME], name_left(row.depth) + label + MARGIN)
        if row.file.checkpoint is None:
            continue
        for column, limit in most.items():
            width = metrics.horizontalAdvance(cell_text(row, column))
            wanted[column] = max(wanted[column], min(width, limit))
        short = metrics.horizontalAdvance(cell_text(row, Column.TYPE, short=True))
        short_type = max(short_type, min(short, most[Column.TYPE]))
        short = metrics.horizontalAdvance(cell_text(row, Column.SHAPE, short=True))
        short_shape = max(short_shape, min(short, most[Column.SHAPE]))
    margins = 2 * MARGIN + _SLACK
    for column in most:
        wanted[column] += margins
    has_devices = any(segment.tree.has_devices for segment in rows.segments)
    return Measures(wanted, short_type + margins, short_shape + margins, has_devices)


def fit_columns(measures: Measures, width: int) -> Fit:
    """The columns that fit into a width; the name takes what the others leave."""
    least = max(_NAME_WANTED, int(width * _NAME_SHARE))
    least = min(least, measures.wanted.get(Column.NAME, least))
    for columns, short in _ARRANGEMENTS:
        if Column.DEVICE in columns and not measures.has_devices:
            continue
        widths = {column: measures.wanted.get(column, 0) for column in columns}
        if short and Column.TYPE in widths:
            widths[Column.TYPE] = min(measures.short_type, widths[Column.TYPE])
        if short and Column.SHAPE in widths:
            widths[Column.SHAPE] = min(measures.short_shape, widths[Column.SHAPE])
        name = width - sum(widths.values())
        if name >= least or not columns:
            return Fit({Column.NAME: max(name, 20), **widths}, short)
    raise AssertionError("the last arrangement fits always")


def _sample(rows: Rows) -> Iterator[Row]:
    for segment in rows.segments:
        tree = segment.tree
        step = max(len(tree) // _SAMPLE, 1)
        for node in chain(tree.widest, range(0, len(tree), step)):
            yield Row(segment, node)
