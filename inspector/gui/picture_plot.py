"""The plot in which the picture is drawn: its axes, cross-hair and bar of colours."""

from __future__ import annotations

from typing import Any, Final

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QSizePolicy, QWidget

from inspector.analysis.profiles import LinePlan, plan_line
from inspector.analysis.tiles import TilePlan, plan_tile
from inspector.gui.cell_numbers import CellNumbers, CellTexts
from inspector.gui.colours import Picture
from inspector.gui.marker_layer import MarkerLayer
from inspector.gui.plot_axis import BarAxis, IndexAxis, line_width
from inspector.gui.profile_pane import HALF, ProfilePane, axis_width
from inspector.gui.text import Texts
from inspector.gui.theme import faint
from inspector.gui.value_scale import is_too_wide, thinned, value_ticks
from inspector.values.regions import Plane

Pictures = Texts("Pictures")

#: Half a number of the colour bar, which stands out at its ends (px).
_SPARE: Final = 8
#: How high the row's profile is, and how wide the column's, as shares of the plot; at least, and
#: at most (px).
_SHARES: Final = (0.22, 0.14)
_LEAST: Final = (56, 72)
_MOST: Final = (130, 130)
#: Smaller than this (px), the picture is worth more than its profiles.
_ROOM: Final = (480, 190)
#: How high the picture of a single row is, under its curve (px).
_BAND: Final = 26
#: Between the picture and its profiles (px): half of the number at the end of either axis.
_GAP: Final = 10
#: Lines of text as high as the plot is at least, if its axes have names.
_NAMED: Final = 8
#: Between what is drawn and the bar of colours (px).
_BEFORE_BAR: Final = 6
#: No limit to a size in a layout (Qt's QWIDGETSIZE_MAX).
_ANY: Final = 16777215

#: How near two numbers beside the bar of colours are, as a share of it, where it has no axis.
_NEAREST: Final = 0.1


class PicturePlot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """Draws pictures of one plane above each other, row 0 on top."""

    #: The row and column under the mouse as a tuple, or None.
    hovered = Signal(object)
    #: A row and a column as a tuple.
    clicked = Signal(object)
    double_clicked = Signal()
    #: Another part of the plane is visible, or the same in more or less room.
    moved = Signal()
    #: The room was shared out anew: a profile may have come or gone.
    arranged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        self._axes = {side: IndexAxis(side) for side in ("left", "bottom")}
        super().__init__(parent, axisItems=self._axes, enableMenu=False)
        self._plane = Plane.first((0,))
        self._square = False
        self._wants_profiles = False
        self._cell = (0, 0)
        self.setAcceptDrops(False)
        self.hideButtons()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, 100)
        for side in ("top", "right"):
            self.getAxis(side).unlinkFromView()  # never shown, but else kept up to date
        self._box: Any = self.getViewBox()
        self._box.invertY(True)
        self._box.setDefaultPadding(0)
        self._images = tuple(pg.ImageItem(axisOrder="row-major") for _ in range(2))
        for level, image in enumerate(self._images):
            image.setZValue(level - 10)
            self.addItem(image)
        self._cross = tuple(pg.InfiniteLine(angle=angle, movable=False) for angle in (0, 90))
        for line in self._cross:
            self.addItem(line, ignoreBounds=True)
        self._dots = MarkerLayer()
        self.addItem(self._dots, ignoreBounds=True)
        self.numbers = CellNumbers(self._box)
        self._shown: list[Picture | None] = [None, None]
        self._bar: Any = pg.ColorBarItem(interactive=False, width=14, colorMapMenu=False)
        self._bar.axis = BarAxis()
        self._bar.setAxisItems({"right": self._bar.axis})
        self._bar.axis.unlinkFromView()  # it has a range of its own
        self._bar.layout.setContentsMargins(_BEFORE_BAR, 1, 1, 1)
        self._bar.setImageItem([], insert_in=self.getPlotItem())
        self._add_profiles()
        self._take_font()
        scene = self.scene()
        # Nothing here is so small that one has to click beside it, and what is near the mouse is
        # sought at every move.
        scene.setClickRadius(0)
        # Else the items are moved while they are painted, and all of it is painted once more.
        self._box.sigRangeChanged.connect(lambda: scene.prepareForPaint())
        for changed in (self._box.sigRangeChanged, self._box.sigResized):
            changed.connect(lambda: self.moved.emit())
        scene.sigMouseMoved.connect(lambda point: self.hovered.emit(self._cell_under(point)))
        scene.sigMouseClicked.connect(self._mouse_clicked)
        self.setToolTip("")

    def _add_profiles(self) -> None:
        """Lay the profiles out in the picture's own grid, so that they are exactly as wide."""
        layout = self.getPlotItem().layout
        self.row_pane = ProfilePane(self._box, upright=False)
        self.column_pane = ProfilePane(self._box, upright=True)
        layout.removeItem(self.getPlotItem().titleLabel)  # it is empty
        layout.addItem(self.row_pane.axis, 0, 0)
        layout.addItem(self.row_pane, 0, 1)
        layout.addItem(self.column_pane.heading, 0, 3)
        layout.addItem(self.column_pane, 2, 3)
        layout.addItem(self.column_pane.axis, 3, 3)
        for axis in (self.row_pane.axis, self._axes["left"]):
            layout.setAlignment(axis, Qt.AlignmentFlag.AlignRight)
        layout.setAlignment(self.column_pane.axis, Qt.AlignmentFlag.AlignTop)
        self._arrange()

    # The view -----------------------------------------------------------------------------------

    @property
    def plane(self) -> Plane:
        """The plane that is drawn."""
        return self._plane

    def set_plane(self, plane: Plane) -> None:
        """Name the axes, and keep the view inside the plane."""
        self._plane = plane
        item = self.getPlotItem()
        for side, axis in (("left", plane.row_axis), ("bottom", plane.column_axis)):
            item.setLabel(side, "" if axis is None else Pictures.tr("axis {axis}", axis=axis))
            shown = axis is not None and not (side == "left" and self.is_line)
            item.showAxis(side, shown)  # after the label, which shows it
        self._axes["left"].count_down(plane.rows - 1 if plane.rows_reversed else None)
        self._axes["bottom"].count_down(plane.columns - 1 if plane.columns_reversed else None)
        item.layout.setContentsMargins(0, _SPARE, 0, 0)
        self._limit()
        self._lock()
        self._arrange()

    @property
    def is_line(self) -> bool:
        """Whether the plane is a single row, which is drawn as a curve above a band of colours."""
        return bool(self._plane.rows == 1)

    @property
    def panes(self) -> tuple[ProfilePane, ...]:
        """The profiles that there is room for: of the row, of the column."""
        if self.is_line:
            return (self.row_pane,)
        shown = self._wants_profiles and self.has_room
        return (self.row_pane, self.column_pane) if shown else ()

    @property
    def has_room(self) -> bool:
        """Whether there is room for profiles beside a picture."""
        return bool(self.width() >= _ROOM[0] and self.height() >= _ROOM[1])

    def set_profiles(self, wanted: bool) -> None:
        """Show the current row and column as curves beside the picture, or do not."""
        self._wants_profiles = wanted
        self._arrange()

    def _arrange(self) -> None:
        """Share the room between the picture and its profiles."""
        layout, panes = self.getPlotItem().layout, self.panes
        sizes = [
            min(max(int(whole * share), least), most)
            for whole, share, least, most in zip(
                (self.height(), self.width()), _SHARES, _LEAST, _MOST, strict=True
            )
        ]
        heights = {0: (0, 0), 2: (0, _ANY)}
        if self.is_line:
            heights = {0: (0, _ANY), 2: (_BAND, _BAND)}
        elif panes:
            heights[0] = (sizes[0], sizes[0])
        for row, (least, most) in heights.items():
            layout.setRowMinimumHeight(row, least)
            layout.setRowMaximumHeight(row, most)
            layout.setRowStretchFactor(row, 100 if most == _ANY else 0)
        layout.setRowFixedHeight(1, _GAP if panes else 0)
        layout.setColumnFixedWidth(2, _GAP if self.column_pane in panes else 0)
        layout.setColumnFixedWidth(3, sizes[1] if self.column_pane in panes else 0)
        # Beside the band of colours alone, their bar would have too little room; above the bar, the
        # heading of a column has some.
        for item in (self._bar, self.column_pane.heading):
            layout.removeItem(item)
        layout.addItem(self._bar, *((0, 5, 3, 1) if self.is_line else (2, 5, 1, 1)))
        layout.addItem(self.column_pane.heading, 0, 3, 1, 2 if self.is_line else 3)
        for pane in (self.row_pane, self.column_pane):
            pane.setVisible(pane in panes)
            pane.axis.setVisible(pane in panes)
        self.column_pane.heading.setVisible(self.column_pane in panes)
        named = self.height() >= _NAMED * self.fontMetrics().height()
        for axis in self._axes.values():
            if axis.labelText and axis.label.isVisible() != named:
                axis.showLabel(named)
        layout.activate()  # at once, so that nothing is read for a size that is no more
        self.arranged.emit()

    def _limit(self) -> None:
        plane = self._plane
        if plane.is_empty:
            return
        ends: tuple[float | None, ...] = (-HALF, plane.columns - HALF, -HALF, plane.rows - HALF)
        if self._square and not self.is_line:
            # The whole plane leaves room at two sides, which limits would cut off.
            ends = (None, None, None, None)
        self._box.setLimits(**dict(zip(("xMin", "xMax", "yMin", "yMax"), ends, strict=True)))
        self._box.setLimits(minXRange=min(4, plane.columns), minYRange=min(4, plane.rows))

    def fit(self) -> None:
        """Show the whole plane."""
        if not self._plane.is_empty:
            area = QRectF(-HALF, -HALF, self._plane.columns, self._plane.rows)
            self._box.setRange(area, padding=0)

    def mirror(self, *, rows: bool, columns: bool) -> None:
        """Show the part of the plane that is as far from its other end, down or across."""
        (left, right), (top, bottom) = self._box.viewRange()
        down, across = self._plane.rows - 1, self._plane.columns - 1
        if rows:
            self._box.setYRange(down - bottom, down - top, padding=0)
        if columns:
            self._box.setXRange(across - right, across - left, padding=0)

    def set_square(self, square: bool) -> None:
        """Show cells as squares, or fill the space."""
        self._square = square
        self._limit()
        self._lock()
        self.fit()

    def _lock(self) -> None:
        locked = self._square and not self.is_line
        if locked != bool(self._box.state["aspectLocked"]):
            self._box.setAspectLocked(locked)

    @property
    def view(self) -> Any:
        """pyqtgraph's view, in which a cell is a square of one unit around its index."""
        return self._box

    def whole_plan(self) -> TilePlan:
        """What to draw of the whole plane in the room that there is."""
        return self._plan((0.0, float(self._plane.rows)), (0.0, float(self._plane.columns)))

    def visible_plan(self) -> TilePlan:
        """What to draw of the visible part."""
        (left, right), (top, bottom) = self._box.viewRange()
        return self._plan((top + HALF, bottom + HALF), (left + HALF, right + HALF))

    def visible_line(self, is_row: bool) -> LinePlan:
        """What to draw of a row or a column: the part that the picture shows."""
        first, last = self._box.viewRange()[0 if is_row else 1]
        length = self._plane.columns if is_row else self._plane.rows
        size = self._box.width() if is_row else self._box.height()
        pixels = max(1, int(size * self.devicePixelRatioF()))
        return plan_line(length, (first + HALF, last + HALF), pixels)

    @property
    def cell(self) -> tuple[int, int]:
        """The row and the column of the cross-hair."""
        return self._cell

    def _plan(self, rows: tuple[float, float], columns: tuple[float, float]) -> TilePlan:
        ratio = self.devicePixelRatioF()
        size = max(1, int(self._box.width() * ratio)), max(1, int(self._box.height() * ratio))
        return plan_tile(self._plane.rows, self._plane.columns, rows, columns, size)

    # What is drawn ------------------------------------------------------------------------------

    def show_picture(self, level: int, made: Picture | None) -> None:
        """Draw a picture, or none: at level 0 below, at level 1 on top."""
        self._shown[level] = made
        self.numbers.show_pictures(*reversed(self._shown))
        self._dots.show_picture(self._shown[1] or self._shown[0])
        if made is None:
            self._images[level].clear()
            return
        plan = made.tile.plan
        height, width = made.pixels.shape[:2]
        self._images[level].setImage(made.pixels, autoLevels=False)
        self._images[level].setRect(
            QRectF(
                plan.columns.start - HALF,
                plan.rows.start - HALF,
                width * plan.block_columns,
                height * plan.block_rows,
            )
        )

    def show_bar(self, made: Picture | None) -> None:
        """Show which colours stand for which values."""
        levels = made.levels if made is not None else None
        self._bar.setVisible(levels is not None)
        if made is not None and levels is not None:
            ticks, ends = levels.ticks(), (levels.place(levels.low), levels.place(levels.high))
            if is_too_wide(*ends):
                ticks, ends = thinned(value_ticks(levels), _NEAREST), (0.0, 1.0)
            self._bar.setColorMap(pg.colormap.get(made.colour_map))
            self._bar.setLevels(ends)
            self._bar.axis.setTicks(None if ticks is None else [ticks])

    def bar_texts(self) -> list[str]:
        """What stands beside the bar on a logarithmic scale; empty on a linear one."""
        ticks = self._bar.axis._tickLevels
        return [text for _, text in ticks[0]] if ticks else []

    def show_cross(self, row: int, column: int) -> None:
        """Move the cross-hair to a cell."""
        self._cell = (row, column)
        self._cross[0].setPos(row)
        self._cross[1].setPos(column)
        self.numbers.show_cell(row, column)
        self.row_pane.show_cell(column)
        self.column_pane.show_cell(row)

    def show_numbers(self, held: CellTexts | None) -> None:
        """Write numbers into the cells, or none; where there are, a frame is the cross-hair."""
        self.numbers.show_texts(held)
        self._cross[0].setVisible(held is None and not self.is_line)
        self._cross[1].setVisible(held is None)

    # Mouse and palette --------------------------------------------------------------------------

    def _cell_under(self, point: QPointF) -> tuple[int, int] | None:
        if self._plane.is_empty:
            return None
        row, column = self._cell
        pane = next((each for each in self.panes if _is_over(each, point)), None)
        if pane is not None:
            cell = pane.cell_at(pane.mapFromScene(point))
            row, column = (row, cell) if pane is self.row_pane else (cell, column)
        elif _is_over(self._box, point):
            at = self._box.mapSceneToView(point)
            row, column = int((at.y() + HALF) // 1), int((at.x() + HALF) // 1)
        else:
            return None
        inside = 0 <= row < self._plane.rows and 0 <= column < self._plane.columns
        return (row, column) if inside else None

    def _mouse_clicked(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if event.double():
            self.double_clicked.emit()
            return
        cell = self._cell_under(event.scenePos())
        if cell is not None:
            self.clicked.emit(cell)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        if hasattr(self, "row_pane"):
            self._arrange()

    def _take_font(self) -> None:
        """Write the axes in the size of the interface."""
        font = self.font()
        self.numbers.take_font(font)
        for axis in (*self._axes.values(), self._bar.axis):
            axis.setTickFont(font)
            axis.label.setFont(font)
        self._bar.axis.setWidth(axis_width(font))
        for pane in (self.row_pane, self.column_pane):
            pane.take_font(font)

    def event(self, event: QEvent) -> bool:
        """Draw for another screen's resolution, if the window comes to one."""
        if event.type() == QEvent.Type.DevicePixelRatioChange and hasattr(self, "_bar"):
            self.take_palette(self.palette())
            self.moved.emit()
        return bool(super().event(event))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and hasattr(self, "_bar"):
            self._take_font()
            self.moved.emit()  # there is more or less room for the picture

    def take_palette(self, colours: QPalette) -> None:
        """Take up the colours of the window."""
        weak, width = faint(colours), line_width(self.devicePixelRatioF())
        self.setBackground(colours.color(QPalette.ColorRole.Window))
        for axis in self._axes.values():
            axis.setPen(pg.mkPen(weak, width=width))
            axis.setTextPen(weak)
        self._bar.axis.setPen(pg.mkPen(weak, width=width))
        self._bar.axis.setTextPen(colours.color(QPalette.ColorRole.Text))
        cross = colours.color(QPalette.ColorRole.Highlight)
        for line in self._cross:
            line.setPen(pg.mkPen(cross, width=width))
        self.numbers.frame = colours.color(QPalette.ColorRole.Highlight)
        for pane in (self.row_pane, self.column_pane):
            pane.take_palette(colours, width)


def _is_over(item: Any, point: QPointF) -> bool:
    return bool(item.sceneBoundingRect().contains(point))
