"""Paints one row of the tensor tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPalette, QPen, QPolygonF

from inspector.checkpoints.model import TensorEntry, ValueEntry
from inspector.gui.theme import mixed
from inspector.gui.tree_rows import Row
from inspector.gui.tree_sorting import Column
from inspector.gui.tree_text import cell_text, sharers, shown_label

#: Pixels: one level of the tree, also where there is little room; the box of an expander, the edge
#: of a cell, a sign.
INDENT: Final = 13
NARROW_INDENT: Final = 10
EXPANDER: Final = 16
MARGIN: Final = 6
_SIGN: Final = 13
_LEFT: Final = 3

#: Columns of numbers.
RIGHT_ALIGNED: Final = (Column.SHAPE, Column.SIZE)

#: Levels that are indented; deeper ones would leave no room for names.
_MOST_INDENTED: Final = 12

_LEFT_TEXT: Final = int(
    Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine
)
_RIGHT_TEXT: Final = int(
    Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine
)


@dataclass(frozen=True, slots=True)
class Cells:
    """Where the cells of each row lie, in pixels of the viewport.

    Attributes
    ----------
    columns
        Left edge and width of each column that shows.
    is_short
        Whether there is little room: texts have their short form, levels are indented less.
    """

    width: int
    columns: Sequence[tuple[Column, int, int]]
    is_short: bool


@dataclass(frozen=True, slots=True)
class RowState:
    """What the view knows of a row."""

    unfolded: bool
    current: bool
    selected: bool
    hovered: bool
    active: bool
    words: tuple[str, ...]


def expander_left(depth: int, *, short: bool = False) -> int:
    """The left edge of a row's expander, in pixels."""
    return _LEFT + (NARROW_INDENT if short else INDENT) * min(depth, _MOST_INDENTED)


def name_left(depth: int, *, short: bool = False) -> int:
    """The left edge of a row's name, in pixels."""
    return expander_left(depth, short=short) + EXPANDER


@dataclass(frozen=True, slots=True)
class RowColours:
    """The colours of the rows, from a palette.

    Attributes
    ----------
    file, hover, quiet
        What lies behind a file's row, the one under the mouse, and a selected one while the keys
        go elsewhere.
    faint, quiet_faint
        What stands back behind `text`, and what does so on `quiet`.
    mark
        Behind the words of the filter.
    """

    base: QColor
    text: QColor
    faint: QColor
    highlight: QColor
    highlighted: QColor
    file: QColor
    hover: QColor
    quiet: QColor
    quiet_faint: QColor
    mark: QColor
    guide: QColor
    link: QColor

    @classmethod
    def of(cls, palette: QPalette) -> RowColours:
        """The colours that go with a palette."""
        role = QPalette.ColorRole
        base, text = palette.color(role.Base), palette.color(role.Text)
        highlight = palette.color(role.Highlight)
        return cls(
            base=base,
            text=text,
            faint=mixed(text, base, 0.34),
            highlight=highlight,
            highlighted=palette.color(role.HighlightedText),
            file=mixed(base, text, 0.045),
            hover=mixed(base, text, 0.05),
            quiet=mixed(base, highlight, 0.28),
            quiet_faint=mixed(text, base, 0.22),
            mark=mixed(base, highlight, 0.34),
            guide=mixed(base, text, 0.14),
            link=palette.color(role.Link),
        )


class RowPainter:
    """Fonts and colours of the rows; made again when either changes."""

    def __init__(self, font: QFont, palette: QPalette) -> None:
        self._font = font
        self._bold = QFont(font)
        self._bold.setBold(True)
        self.metrics = QFontMetrics(font)
        self._bold_metrics = QFontMetrics(self._bold)
        self._colours = RowColours.of(palette)

    @property
    def row_height(self) -> int:
        """Pixels."""
        return self.metrics.height() + 6

    def paint(self, painter: QPainter, row: Row, state: RowState, cells: Cells, top: int) -> None:
        """Paint one row; the painter belongs to the viewport."""
        area = QRect(0, top, cells.width, self.row_height)
        chosen = state.selected and state.active
        colours = self._colours
        text = colours.highlighted if chosen else colours.text
        faint = colours.quiet_faint if state.selected else colours.faint
        if chosen:
            faint = text  # anything fainter could not be read
        if state.selected:
            painter.fillRect(area, colours.highlight if chosen else colours.quiet)
        elif state.hovered:
            painter.fillRect(area, colours.hover)
        elif row.node == 0:
            painter.fillRect(area, colours.file)
        expander = expander_left(row.depth, short=cells.is_short)
        if not state.selected:
            self._paint_guides(painter, row, area, cells.is_short)
        if row.is_foldable:
            self._paint_expander(painter, expander, state.unfolded, area, faint)
        item = row.item
        if row.file.error is not None:
            self._paint_failed(painter, row, area, text, faint)
        elif isinstance(item, ValueEntry):
            room = area.adjusted(expander + EXPANDER, 0, -MARGIN, 0)
            self._put(painter, cell_text(row, Column.NAME), room, faint)
        else:
            room = self._paint_facts(painter, row, cells, area, text, faint)
            room.setLeft(expander + EXPANDER)
            alarm = text if state.selected else colours.link
            words = () if chosen else state.words
            self._paint_name(painter, row, room, text, faint, alarm, words)

    def _paint_facts(
        self,
        painter: QPainter,
        row: Row,
        cells: Cells,
        area: QRect,
        text: QColor,
        faint: QColor,
    ) -> QRect:
        """The cells beside the name, and the room that they leave to it: all before the shape."""
        room = QRect(area)
        for column, x, width in cells.columns:
            if column == Column.NAME:
                room.setRight(x + width - MARGIN)
                continue
            colour = faint if row.item is None or column == Column.DEVICE else text
            cell = QRect(x + MARGIN, area.top(), width - 2 * MARGIN, area.height())
            words = cell_text(row, column, short=cells.is_short)
            right = column in RIGHT_ALIGNED
            used = self._put(painter, words, cell, colour, right=right)
            if column == Column.SHAPE:
                room.setRight(cell.right() - used - MARGIN)
        return room

    def _paint_guides(self, painter: QPainter, row: Row, area: QRect, short: bool) -> None:
        painter.setPen(QPen(self._colours.guide, 1))
        for depth in range(1, min(row.depth, _MOST_INDENTED + 1)):
            x = expander_left(depth, short=short) + EXPANDER // 2
            painter.drawLine(x, area.top(), x, area.bottom())

    def _paint_expander(
        self, painter: QPainter, left: int, unfolded: bool, area: QRect, colour: QColor
    ) -> None:
        x = left + EXPANDER / 2
        y = area.top() + area.height() / 2
        if unfolded:
            points = [(-4, -2), (0, 2), (4, -2)]
        else:
            points = [(-2, -4), (2, 0), (-2, 4)]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setPen(QPen(colour, 1.6))
        painter.drawPolyline(QPolygonF([QPointF(x + dx, y + dy) for dx, dy in points]))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_name(
        self,
        painter: QPainter,
        row: Row,
        room: QRect,
        text: QColor,
        faint: QColor,
        alarm: QColor,
        words: tuple[str, ...],
    ) -> None:
        item = row.item
        if isinstance(item, TensorEntry):
            if item.problem:
                self._paint_warning(painter, self._take_sign(room), text)
            if sharers(row):
                self._paint_link(painter, self._take_sign(room), faint)
        elif row.node == 0:
            self._paint_findings(painter, row, room, faint, alarm)
        bold = row.node == 0
        colour = text if item is not None or bold else mixed(text, faint, 0.35)
        drawn = self._put(
            painter, cell_text(row, Column.NAME), room, colour, bold=bold, words=words
        )
        if row.segment.hint and bold:
            room.setLeft(room.left() + drawn + MARGIN)
            self._put(painter, shown_label(row.segment.hint), room, faint)

    def _paint_failed(
        self, painter: QPainter, row: Row, area: QRect, text: QColor, faint: QColor
    ) -> None:
        """A file that could not be read: its name, and why as far as there is room."""
        left = expander_left(0)
        sign = QRect(left + 1, area.top() + (area.height() - _SIGN) // 2, _SIGN, _SIGN)
        self._paint_warning(painter, sign, text)
        left = name_left(0)
        room = QRect(left, area.top(), (area.width() - left) * 11 // 20, area.height())
        used = self._put(painter, cell_text(row, Column.NAME), room, text, bold=True)
        room = QRect(area)
        room.setLeft(left + used + MARGIN)
        room.setRight(area.right() - MARGIN)
        self._put(
            painter, cell_text(row, Column.SHAPE), room, faint, elide=Qt.TextElideMode.ElideRight
        )

    def _put(
        self,
        painter: QPainter,
        text: str,
        room: QRect,
        colour: QColor,
        *,
        bold: bool = False,
        right: bool = False,
        words: tuple[str, ...] = (),
        elide: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle,
    ) -> int:
        """Draw a text as far as there is room; the pixels that it takes."""
        if not text or room.width() <= 0:
            return 0
        metrics = self._bold_metrics if bold else self.metrics
        shown = metrics.elidedText(text, elide, room.width())
        for start, end in found_words(shown, words):
            left = room.left() + metrics.horizontalAdvance(shown[:start])
            width = metrics.horizontalAdvance(shown[start:end])
            painter.fillRect(
                QRect(left, room.top() + 2, width, room.height() - 4), self._colours.mark
            )
        painter.setFont(self._bold if bold else self._font)
        painter.setPen(colour)
        painter.drawText(room, _RIGHT_TEXT if right else _LEFT_TEXT, shown)
        return metrics.horizontalAdvance(shown)

    def _take_sign(self, room: QRect) -> QRect:
        """Room for a sign, taken from the right end of the room for the name."""
        room.setRight(room.right() - _SIGN - 3)
        return QRect(room.right() + 3, room.top() + (room.height() - _SIGN) // 2, _SIGN, _SIGN)

    def _paint_findings(
        self, painter: QPainter, row: Row, room: QRect, faint: QColor, alarm: QColor
    ) -> None:
        """How many findings a file has, as a number in a ring."""
        checkpoint = row.file.checkpoint
        if checkpoint is None or not checkpoint.findings:
            return
        if all(finding.severity == "note" for finding in checkpoint.findings):
            colour = faint
        else:
            colour = alarm
        text = f"{len(checkpoint.findings):,}"
        width = max(self.metrics.horizontalAdvance(text) + 10, self.metrics.height())
        room.setRight(room.right() - width - 4)
        badge = QRectF(room.right() + 3.5, room.top() + 3.5, width, room.height() - 7)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setPen(QPen(colour, 1))
        painter.drawRoundedRect(badge, badge.height() / 2, badge.height() / 2)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setFont(self._font)
        painter.drawText(badge, int(Qt.AlignmentFlag.AlignCenter), text)

    def _paint_warning(self, painter: QPainter, box: QRect, colour: QColor) -> None:
        """A triangle with an exclamation mark: fonts may lack the character, or colour it."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        x, y, size = box.left() + 0.5, box.top() + 0.5, box.width() - 1
        painter.setPen(QPen(colour, 1.2))
        painter.drawPolygon(
            QPolygonF([QPointF(x + size / 2, y), QPointF(x + size, y + size), QPointF(x, y + size)])
        )
        middle = x + size / 2
        painter.drawLine(QPointF(middle, y + size * 0.4), QPointF(middle, y + size * 0.65))
        painter.drawPoint(QPointF(middle, y + size * 0.83))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_link(self, painter: QPainter, box: QRect, colour: QColor) -> None:
        """Two rings that hold each other: this storage is shared."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        painter.setPen(QPen(colour, 1.2))
        ring = QRectF(box.left() + 0.5, box.top() + 3.5, box.width() * 0.6, box.height() - 7)
        painter.drawRoundedRect(ring, 3, 3)
        painter.drawRoundedRect(ring.translated(box.width() * 0.36, 0), 3, 3)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def found_words(text: str, words: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Where casefolded words stand in a text, as start and end."""
    folded = text.casefold()
    if len(folded) != len(text):  # such as ß: the places would not fit
        folded = text.lower()
        if len(folded) != len(text):
            return
    for word in words:
        start = folded.find(word) if word else -1
        while start >= 0:
            yield start, start + len(word)
            start = folded.find(word, start + len(word))
