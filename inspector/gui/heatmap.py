"""The heatmap: a tensor's plane as a picture of any size that hides no NaN and no outlier."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QImage, QPalette
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from inspector.analysis.tiles import Reduction, TilePlan, plan_tile, preview_tile, render_tile
from inspector.gui.colours import (
    AUTOMATIC_MAP,
    COLOUR_MAPS,
    Colouring,
    LevelsMode,
    Picture,
    caption,
    paint,
    picture,
)
from inspector.gui.position import Position
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.theme import NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY, Rgb, faint
from inspector.values.arrays import ArraySource
from inspector.values.regions import Plane

_REDUCTIONS: Final[tuple[tuple[Reduction, str], ...]] = (
    ("largest magnitude", "Max |x|"),
    ("mean", "Mean"),
    ("minimum", "Minimum"),
    ("maximum", "Maximum"),
)
_LEVELS: Final[tuple[tuple[LevelsMode, str], ...]] = (
    ("automatic", "Automatic levels"),
    ("symmetric", "Symmetric"),
    ("full", "Min to max"),
    ("percentile", "1 to 99 %"),
)
_MAPS: Final = (
    (AUTOMATIC_MAP, "Automatic colours"),
    *((item.name, item.label) for item in COLOUR_MAPS),
)
_LEGEND: Final[tuple[tuple[int, str, Rgb], ...]] = (
    (1, "NaN", NAN),
    (2, "+inf", POSITIVE_INFINITY),
    (4, "−inf", NEGATIVE_INFINITY),
)
#: A cell reaches half a unit to either side of its index, so that the axes number its middle.
_HALF: Final = 0.5
#: Milliseconds for which the view has to rest before a finer picture is read.
_SETTLE: Final = 40


class _IndexAxis(pg.AxisItem):  # type: ignore[misc]  # pyqtgraph has no types
    """An axis of whole numbers: between two cells there is nothing to number."""

    def tickSpacing(self, low: float, high: float, size: float) -> list[tuple[float, float]]:
        """Spacing and offset of each level of ticks, the widest first."""
        levels = [level for level in super().tickSpacing(low, high, size) if level[0] >= 1]
        return levels or [(1.0, 0.0)]


class Heatmap(QWidget):
    """A picture of the position's plane, with its controls.

    An overview of the whole plane always lies underneath; when the view is closer, a finer picture
    of the visible part lies on top of it.
    """

    #: The row and column under the mouse as a tuple, or None.
    hovered = Signal(object)
    failed = Signal(object)
    #: A `Picture` of the whole plane, whenever it is drawn: a sample, the exact one, other colours.
    drawn = Signal(object)

    def __init__(self, position: Position, runner: TaskRunner, parent: QWidget | None = None):
        super().__init__(parent)
        self._position = position
        self._runner = runner
        self._overview: Picture | None = None
        self._detail: Picture | None = None
        self.setAccessibleName("Heatmap")
        self._build_controls()
        self._build_plot()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._controls)
        layout.addWidget(self._plot, 1)
        layout.addLayout(self._captions)
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLE)
        self._settled.timeout.connect(self._refine)
        position.tensor_changed.connect(self._restart)
        position.plane_changed.connect(self._restart)
        position.form_changed.connect(self._begin)
        position.cell_changed.connect(self._show_cell)
        self._take_palette()

    # Construction -------------------------------------------------------------------------------

    def _build_controls(self) -> None:
        self._levels = _choices(
            _LEVELS,
            "Levels",
            "Which values get the two ends of the colours. Automatic: symmetric about zero "
            "for values on both sides of it, minimum to maximum for others. "
            "1 to 99 %: of the picture's pixels",
        )
        self._map = _choices(
            _MAPS,
            "Colours",
            "Colour maps that are safe for colour-blind readers. Automatic: blue to red for "
            "values on both sides of zero, Viridis for others",
        )
        self._reduction = _choices(
            _REDUCTIONS,
            "One pixel shows",
            "What a pixel shows that stands for several cells. With the largest magnitude, "
            "no outlier can vanish.",
        )
        self._square = QCheckBox("Square cells")
        self._square.setToolTip("Show every cell as a square instead of filling the space")
        self._fit = QToolButton()
        self._fit.setText("Fit")
        self._fit.setToolTip("Show the whole plane (double-click in the picture)")
        self._controls = QHBoxLayout()
        for widget in (self._levels, self._map, self._reduction, self._square):
            self._controls.addWidget(widget)
        self._controls.addStretch(1)
        self._controls.addWidget(self._fit)
        self._levels.currentIndexChanged.connect(self._recolour)
        self._map.currentIndexChanged.connect(self._recolour)
        self._reduction.currentIndexChanged.connect(self._render)
        self._square.toggled.connect(self._set_square)
        self._fit.clicked.connect(self.fit)
        self._caption = QLabel()
        self._legend = QLabel()
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        self._captions = QHBoxLayout()
        self._captions.addWidget(self._legend)
        self._captions.addStretch(1)
        self._captions.addWidget(self._caption)

    def _build_plot(self) -> None:
        axes = {side: _IndexAxis(orientation=side) for side in ("left", "bottom")}
        self._plot = pg.PlotWidget(axisItems=axes)
        self._plot.setAcceptDrops(False)
        self._plot.setMenuEnabled(False)
        self._plot.hideButtons()
        self._plot.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._plot.setMinimumSize(120, 100)
        # Room for half a label above the topmost row.
        self._plot.getPlotItem().layout.setContentsMargins(0, 8, 0, 0)
        self._box: Any = self._plot.getViewBox()
        self._box.invertY(True)
        self._box.setDefaultPadding(0)
        self._images = tuple(pg.ImageItem(axisOrder="row-major") for _ in range(2))
        for level, image in enumerate(self._images):
            image.setZValue(level - 10)
            self._plot.addItem(image)
        self._cross = tuple(pg.InfiniteLine(angle=angle, movable=False) for angle in (0, 90))
        for line in self._cross:
            self._plot.addItem(line, ignoreBounds=True)
        self._bar: Any = pg.ColorBarItem(interactive=False, width=14)
        self._bar.setImageItem([], insert_in=self._plot.getPlotItem())
        self._bar.axis.setWidth(58)  # six digits and a sign
        for axis in (*axes.values(), self._bar.axis):
            # Each tick is several calls from Python: most of what a repaint costs.
            axis.setStyle(maxTickLevel=0)
        self._box.sigRangeChanged.connect(self._moved)
        scene = self._plot.scene()
        scene.sigMouseMoved.connect(self._mouse_moved)
        scene.sigMouseClicked.connect(self._mouse_clicked)
        self._plot.setToolTip("")
        self.setWhatsThis(
            "The plane as a picture, row 0 on top. The wheel zooms, dragging moves, a click "
            "chooses the cell that the grid then shows. NaN and infinities have colours of "
            "their own, also where a pixel stands for many cells."
        )

    # State --------------------------------------------------------------------------------------

    @property
    def reduction(self) -> Reduction:
        """What a pixel shows that stands for several cells."""
        return _REDUCTIONS[self._reduction.currentIndex()][0]

    @property
    def colouring(self) -> Colouring:
        """How numbers become colours at present."""
        return Colouring(
            _LEVELS[self._levels.currentIndex()][0], _MAPS[self._map.currentIndex()][0]
        )

    @property
    def overview(self) -> Picture | None:
        """The picture of the whole plane; None until there is one."""
        return self._overview

    def image(self) -> QImage:
        """What is drawn, with its axes and the bar of colours, in the screen's pixels."""
        drawn: QImage = self._plot.grab().toImage()
        return drawn

    def set_levels(self, mode: LevelsMode) -> None:
        """Take the levels from elsewhere."""
        self._levels.setCurrentIndex([name for name, _ in _LEVELS].index(mode))

    def set_colour_map(self, name: str) -> None:
        """Use another of `COLOUR_MAPS`, or `AUTOMATIC_MAP`."""
        self._map.setCurrentIndex([item for item, _ in _MAPS].index(name))

    def fit(self) -> None:
        """Show the whole plane."""
        plane = self._position.plane
        self._box.setRange(QRectF(-_HALF, -_HALF, plane.columns, plane.rows), padding=0)

    def _restart(self) -> None:
        """Another plane: begin with nothing, and show all of it."""
        plane = self._position.plane
        if self._position.source is not None and not plane.is_empty:
            self._box.setLimits(
                xMin=-_HALF,
                xMax=plane.columns - _HALF,
                yMin=-_HALF,
                yMax=plane.rows - _HALF,
            )
            self._box.setLimits(minXRange=min(4, plane.columns), minYRange=min(4, plane.rows))
            self.fit()
        self._begin()

    def _begin(self) -> None:
        """Draw the plane anew where the view is."""
        plane = self._position.plane
        self._overview = self._detail = None
        for image in self._images:
            image.clear()
        for lane in ("overview", "detail", "colours"):
            self._runner.supersede(lane)
        self._settled.stop()
        drawable = self._position.source is not None and not plane.is_empty
        self._set_labels()
        if drawable:
            self._show_cell()
            self._render()
        self._show_captions()

    def _set_labels(self) -> None:
        plane = self._position.plane
        item = self._plot.getPlotItem()
        for side, axis in (("left", plane.row_axis), ("bottom", plane.column_axis)):
            item.setLabel(side, "" if axis is None else f"axis {axis}")
            item.showAxis(side, axis is not None)  # after the label, which shows the axis

    # Rendering ----------------------------------------------------------------------------------

    def _plan(self, rows: tuple[float, float], columns: tuple[float, float]) -> TilePlan:
        plane, ratio = self._position.plane, self.devicePixelRatioF()
        size = (
            max(1, int(self._box.width() * ratio)),
            max(1, int(self._box.height() * ratio)),
        )
        return plan_tile(plane.rows, plane.columns, rows, columns, size)

    def _whole_plan(self) -> TilePlan:
        plane = self._position.plane
        return self._plan((0.0, float(plane.rows)), (0.0, float(plane.columns)))

    def _render(self) -> None:
        """Read the overview: a sample first, then the exact one."""
        source, plane = self._position.source, self._position.plane
        if source is None or plane.is_empty or not self.isVisible():
            return
        self._detail = None
        self._images[1].clear()
        work = partial(_overview, source, plane, self._whole_plan(), self.reduction, self.colouring)
        self._runner.submit(
            "overview",
            Request(
                work=work,
                partial=self._take_overview,
                done=self._take_overview,
                failed=self.failed.emit,
                title="Picture",
            ),
        )

    def _take_overview(self, made: Picture) -> None:
        self._overview = made
        self._show(0, made)
        self._show_bar()
        self._show_captions()
        self._settled.start()
        self.drawn.emit(made)

    def _refine(self) -> None:
        """Read a finer picture of the visible part, or a new overview for another size."""
        source, plane, overview = self._position.source, self._position.plane, self._overview
        if source is None or overview is None or plane.is_empty or not overview.tile.exact:
            return
        if overview.tile.plan != self._whole_plan():
            # Coarser, and it would look so; finer, and drawing it would leave out pixels.
            self._render()
            return
        (left, right), (top, bottom) = self._box.viewRange()
        plan = self._plan((top + _HALF, bottom + _HALF), (left + _HALF, right + _HALF))
        if not self._coarser_than(overview.tile.plan, plan):
            self._runner.supersede("detail")
            self._detail = None
            self._images[1].clear()
            self._show_captions()
            return
        if self._detail is not None and self._detail.tile.plan == plan:
            return
        work = partial(
            _detail,
            source,
            plane,
            plan,
            self.reduction,
            overview,
            self.colouring,
        )
        self._runner.submit(
            "detail",
            Request(work=work, done=self._take_detail, failed=self.failed.emit),
        )

    @staticmethod
    def _coarser_than(first: TilePlan, second: TilePlan) -> bool:
        return first.block_rows > second.block_rows or first.block_columns > second.block_columns

    def _take_detail(self, made: Picture) -> None:
        self._detail = made
        self._show(1, made)
        self._show_captions()

    def _recolour(self) -> None:
        """Other levels or another map: the numbers are there already."""
        if self._overview is None:
            return
        detail = self._detail.tile if self._detail is not None else None
        tile, colouring = self._overview.tile, self.colouring

        def work(_: Task) -> tuple[Picture, Picture | None]:
            whole = picture(tile, colouring)
            part = None if detail is None else paint(detail, whole.levels, colouring.colour_map)
            return whole, part

        self._runner.submit(
            "colours", Request(work=work, done=self._take_colours, failed=self.failed.emit)
        )

    def _take_colours(self, made: tuple[Picture, Picture | None]) -> None:
        self._take_overview(made[0])
        if made[1] is not None:
            self._take_detail(made[1])

    def _show(self, level: int, made: Picture) -> None:
        plan = made.tile.plan
        self._images[level].setImage(made.pixels, autoLevels=False)
        self._images[level].setRect(
            QRectF(
                plan.columns.start - _HALF,
                plan.rows.start - _HALF,
                made.pixels.shape[1] * plan.block_columns,
                made.pixels.shape[0] * plan.block_rows,
            )
        )

    # Words --------------------------------------------------------------------------------------

    def _show_bar(self) -> None:
        levels = self._overview.levels if self._overview else None
        self._bar.setVisible(levels is not None)
        if self._overview is not None and levels is not None:
            self._bar.setColorMap(pg.colormap.get(self._overview.colour_map))
            self._bar.setLevels((levels.low, levels.high))

    def _show_captions(self) -> None:
        shown = self._detail or self._overview
        self._caption.setText(caption(shown.tile, self.reduction) if shown else "")
        marks = self._overview.tile.marks if self._overview else None
        parts = [
            f'<span style="color:rgb{colour}">■</span> {name}'
            for flag, name, colour in _LEGEND
            if marks is not None and (marks & flag).any()
        ]
        self._legend.setText("&nbsp;&nbsp;".join(parts))

    # Mouse and view -----------------------------------------------------------------------------

    def _moved(self) -> None:
        self._settled.start()

    def _cell_under(self, point: QPointF) -> tuple[int, int] | None:
        plane = self._position.plane
        if self._position.source is None or not self._box.sceneBoundingRect().contains(point):
            return None
        at = self._box.mapSceneToView(point)
        row, column = int((at.y() + _HALF) // 1), int((at.x() + _HALF) // 1)
        inside = 0 <= row < plane.rows and 0 <= column < plane.columns
        return (row, column) if inside else None

    def _mouse_moved(self, point: QPointF) -> None:
        self.hovered.emit(self._cell_under(point))

    def _mouse_clicked(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if event.double():
            self.fit()
            return
        cell = self._cell_under(event.scenePos())
        if cell is not None:
            self._position.move_to(*cell)

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered.emit(None)
        super().leaveEvent(event)

    def _show_cell(self) -> None:
        row, column = self._position.cell
        self._cross[0].setPos(row)
        self._cross[1].setPos(column)
        self._cross[1].setVisible(self._position.plane.column_axis is not None)

    def _set_square(self, square: bool) -> None:
        self._box.setAspectLocked(square)
        self.fit()

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._settled.start()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        if self._overview is None:
            self._restart()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_bar"):
            self._take_palette()

    def _take_palette(self) -> None:
        colours = self.palette()
        weak = faint(colours)
        self._plot.setBackground(colours.color(QPalette.ColorRole.Window))
        item = self._plot.getPlotItem()
        for side in ("left", "bottom"):
            axis = item.getAxis(side)
            axis.setPen(weak)
            axis.setTextPen(weak)
        self._bar.axis.setPen(weak)
        self._bar.axis.setTextPen(colours.color(QPalette.ColorRole.Text))
        cross = QColor(colours.color(QPalette.ColorRole.Highlight))
        cross.setAlphaF(0.8)
        for line in self._cross:
            line.setPen(pg.mkPen(cross, width=1))


def _overview(
    source: ArraySource,
    plane: Plane,
    plan: TilePlan,
    reduction: Reduction,
    colouring: Colouring,
    task: Task,
) -> Picture:
    """The picture of a whole plane, with a sample of it handed over first. In a worker."""
    if plan.block_rows * plan.block_columns > 1:
        task.partial(picture(preview_tile(source, plane, plan, check=task.check), colouring))
    tile = render_tile(source, plane, plan, reduction, check=task.check, progress=task.progress)
    return picture(tile, colouring)


def _detail(
    source: ArraySource,
    plane: Plane,
    plan: TilePlan,
    reduction: Reduction,
    overview: Picture,
    colouring: Colouring,
    task: Task,
) -> Picture:
    """A part of a plane, in the overview's colours. In a worker."""
    tile = render_tile(source, plane, plan, reduction, check=task.check, progress=task.progress)
    return paint(tile, overview.levels, colouring.colour_map)


def _choices(items: tuple[tuple[Any, str], ...], name: str, tip: str) -> QComboBox:
    box = QComboBox()
    box.addItems([label for _, label in items])
    box.setAccessibleName(name)
    box.setToolTip(f"{name}: {tip}")
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    box.setMinimumWidth(90)
    return box
