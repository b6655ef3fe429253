"""The heatmap: a tensor's plane as a picture of any size that hides no NaN and no outlier."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from inspector.analysis.summary import Analysis
from inspector.analysis.tiles import Reduction, TilePlan
from inspector.gui.cell_numbers import MOST, read_texts
from inspector.gui.colours import Picture, block_text, caption
from inspector.gui.focus_ring import FocusRing
from inspector.gui.kept_tiles import KeptTiles
from inspector.gui.labels import swatch
from inspector.gui.levels import OF_ALL, Limits
from inspector.gui.memory import MemoryBudget
from inspector.gui.picture_controls import PictureControls
from inspector.gui.picture_keys import PictureKeys
from inspector.gui.picture_making import make_detail, make_overview, recolour
from inspector.gui.picture_plot import PicturePlot
from inspector.gui.position import Position
from inspector.gui.profiles import Profiles
from inspector.gui.tasks import Request, TaskRunner
from inspector.gui.text import Later, Texts
from inspector.gui.theme import NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY, Rgb
from inspector.gui.tree_parts import FittingLine
from inspector.values.arrays import ArraySource
from inspector.values.regions import Plane

Pictures = Texts("Pictures")

_LEGEND: Final[tuple[tuple[int, Later, Rgb], ...]] = (
    (1, Pictures.QT_TR_NOOP("NaN"), NAN),
    (2, Pictures.QT_TR_NOOP("+inf"), POSITIVE_INFINITY),
    (4, Pictures.QT_TR_NOOP("−inf"), NEGATIVE_INFINITY),
)
_EXPLAINED: Final = Pictures.QT_TR_NOOP(
    "The plane as a picture, in the order of the values. A click chooses the cell that the grid "
    "then shows, and arrows, Page keys, Home and End move it as there; with Shift, arrows go by a "
    "tenth of what is in view. The wheel, + and − zoom, dragging moves, a double-click and 0 show "
    "all of it. NaN and infinities have colours of their own, also where a pixel stands for many "
    "cells. A single row or column is drawn as a curve; beside the picture, the current ones are."
)
#: What is said of levels of all the numbers as long as these are not counted.
_NOT_EXACT: Final = Pictures.QT_TR_NOOP("levels not yet exact")
_STAND_IN: Final = Pictures.QT_TR_NOOP(
    "until all the tensor's numbers are counted, they are those of the pixels"
)
#: Between the colours' names and what a pixel stands for (px).
_BETWEEN: Final = 12
#: Milliseconds for which the view has to rest before a finer picture is read.
_SETTLE: Final = 40


class Heatmap(QWidget):
    """A picture of the position's plane, with its controls.

    An overview of the whole plane always lies underneath; when the view is closer, a finer picture
    of the visible part lies on top of it.

    Parameters
    ----------
    plot
        What it draws in; takes as long to make as the rest. None makes one.
    """

    #: The row and column under the mouse as a tuple, or None.
    hovered = Signal(object)
    failed = Signal(object)
    #: The `Levels` of the picture that is now shown; None if there are none.
    levels_changed = Signal(object)
    #: A `Picture` of the whole plane, whenever it is drawn: a sample, the exact one, other colours.
    drawn = Signal(object)
    #: Whether the levels that are chosen go by all of the tensor's numbers.
    limits_wanted = Signal(bool)

    def __init__(
        self,
        position: Position,
        runner: TaskRunner,
        parent: QWidget | None = None,
        plot: PicturePlot | None = None,
    ) -> None:
        super().__init__(parent)
        self._position = position
        self._runner = runner
        self._overview: Picture | None = None
        self._detail: Picture | None = None
        self._recolouring = False
        #: What was drawn before, of this tensor and of others.
        self.kept = KeptTiles(MemoryBudget().pictures)
        self.controls = PictureControls()
        self.plot = PicturePlot() if plot is None else plot
        self.plot.setAccessibleName(Pictures.tr("Picture"))
        self.plot.setWhatsThis(_EXPLAINED())
        PictureKeys(self.plot)
        FocusRing(self.plot)
        self.profiles = Profiles(position, runner, self.plot)
        self.profiles.failed.connect(self.failed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.controls)
        layout.addWidget(self.plot, 1)
        layout.addLayout(self._build_captions())
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLE)
        self._settled.timeout.connect(self._refine)
        self._connect()
        self.plot.take_palette(self.palette())

    def _build_captions(self) -> QHBoxLayout:
        self._caption = FittingLine()
        self._caption.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._legend = QLabel()
        self._legend.setTextFormat(Qt.TextFormat.RichText)
        captions = QHBoxLayout()
        captions.setSpacing(_BETWEEN)
        captions.addWidget(self._legend)
        captions.addWidget(self._caption, 1)
        return captions

    def _connect(self) -> None:
        controls, plot, position = self.controls, self.plot, self._position
        controls.recoloured.connect(self._recolour)
        controls.levels.currentIndexChanged.connect(
            lambda: self.limits_wanted.emit(controls.mode in OF_ALL)
        )
        controls.reduced.connect(self._render)
        controls.squared.connect(plot.set_square)
        controls.fit_requested.connect(plot.fit)
        controls.profiles.toggled.connect(plot.set_profiles)
        plot.set_profiles(controls.profiles.isChecked())
        plot.arranged.connect(self._show_switches)
        plot.hovered.connect(lambda cell: self.hovered.emit(cell and self._turned(cell)))
        plot.clicked.connect(lambda cell: position.move_to(*self._turned(cell)))
        plot.double_clicked.connect(plot.fit)
        plot.moved.connect(self._settled.start)
        for other in (position.tensor_changed, position.form_changed):
            other.connect(lambda: self.take_analysis(None))
        position.tensor_changed.connect(self._restart)
        position.plane_changed.connect(self._show_plane)
        position.form_changed.connect(self._begin)
        position.cell_changed.connect(self._show_cell)

    # State --------------------------------------------------------------------------------------

    @property
    def reduction(self) -> Reduction:
        """What a pixel shows that stands for several cells."""
        return self.controls.reduction

    @property
    def overview(self) -> Picture | None:
        """The picture of the whole plane; None until there is one."""
        return self._overview

    @property
    def detail(self) -> Picture | None:
        """The finer picture of the visible part; None while there is none."""
        return self._detail

    @property
    def plane(self) -> Plane:
        """The plane as it is drawn: a single column lies, as a row."""
        plane = self._position.plane
        return plane.turned if plane.columns == 1 else plane

    def _turned(self, cell: tuple[int, int]) -> tuple[int, int]:
        """A cell of the drawn plane in the position's, or the other way round."""
        return (cell[1], cell[0]) if self._position.plane.columns == 1 else cell

    def image(self) -> QImage:
        """What is drawn, with its axes and the bar of colours, in the screen's pixels."""
        drawn: QImage = self.plot.grab().toImage()
        return drawn

    def take_analysis(self, found: Analysis | None) -> None:
        """Take up what is known of all the tensor's numbers, for levels that are exact."""
        self.controls.set_limits(Limits.of(found))

    def set_levels(self, low: float, high: float) -> None:
        """Take levels by hand from elsewhere; finite, ``low < high``."""
        self.controls.set_levels(low, high)

    def _restart(self) -> None:
        """Another tensor: begin with nothing, and show all of it."""
        self.plot.set_plane(self.plane)
        self.plot.fit()
        self._begin()

    def _show_plane(self) -> None:
        """Another plane of the same tensor: where the axes are the same, the view stays.

        Of an axis that is reversed now, the same indices stay in view.
        """
        before, plane = self.plot.plane, self.plane
        if (before.row_axis, before.column_axis) != (plane.row_axis, plane.column_axis):
            self._restart()
            return
        self.plot.set_plane(plane)
        self.plot.mirror(
            rows=before.rows_reversed != plane.rows_reversed,
            columns=before.columns_reversed != plane.columns_reversed,
        )
        self._begin()

    def _begin(self) -> None:
        """Draw the plane anew where the view is."""
        self._overview = None
        self.profiles.restart(None)
        self.plot.show_picture(0, None)
        self.levels_changed.emit(None)
        self._drop_detail()
        for lane in ("overview", "colours", "numbers"):
            self._runner.supersede(lane)
        self.plot.show_numbers(None)
        self._recolouring = False
        self._settled.stop()
        if self._is_drawable():
            self._show_cell()
            self._render()
        self.profiles.restart(self.plane if self._is_drawable() and self.isVisible() else None)
        self._show_captions()

    def _is_drawable(self) -> bool:
        return self._position.source is not None and not self._position.plane.is_empty

    def _show_switches(self) -> None:
        plane, room = not self.plot.is_line, self.plot.has_room
        square = plane and (room or self.controls.square.isChecked())
        self.controls.show_switches(square=square, profiles=plane and room)

    # Rendering ----------------------------------------------------------------------------------

    def _render(self) -> None:
        """Read the overview: a sample first, then the exact one."""
        source, plane = self._position.source, self.plane
        if source is None or plane.is_empty or not self.isVisible():
            return
        self._drop_detail()
        plan, controls = self.plot.whole_plan(), self.controls
        work = partial(
            make_overview, source, plane, plan, controls.reduction, controls.colouring, self.kept
        )
        self._runner.submit(
            "overview",
            Request(
                work=work,
                partial=self._take_overview,
                done=self._take_overview,
                failed=self.failed.emit,
                title=Pictures.tr("Picture"),
            ),
        )

    def _take_overview(self, made: Picture) -> None:
        self._overview = made
        self.plot.show_picture(0, made)
        self.plot.show_bar(made)
        self.profiles.set_linear(made.levels.linear if made.levels is not None else None)
        self._show_captions()
        if made.levels is not None:
            self.controls.show_levels(made.levels.low, made.levels.high)
        self.levels_changed.emit(made.levels)
        if made.colouring != self.controls.colouring:
            self._recolour()  # others were chosen while it was made
        self._settled.start()
        self.drawn.emit(made)

    def _refine(self) -> None:
        """Read a finer picture of the visible part, or a new overview for another size."""
        source, plane, overview = self._position.source, self.plane, self._overview
        if source is None or overview is None or plane.is_empty or not overview.tile.exact:
            return
        if overview.tile.plan != self.plot.whole_plan():
            # Coarser, and it would look so; finer, and drawing it would leave out pixels.
            self._render()
            return
        plan = self.plot.visible_plan()
        self._write_numbers(source, plane, plan)
        if not _coarser_than(overview.tile.plan, plan):
            self._drop_detail()
            self._show_captions()
            return
        if self._detail is not None and self._detail.tile.plan == plan:
            return
        work = partial(make_detail, source, plane, plan, self.reduction, overview, self.kept)
        self._runner.submit(
            "detail",
            Request(work=work, done=self._take_detail, failed=self.failed.emit),
        )

    def _take_detail(self, made: Picture) -> None:
        self._detail = made
        if self._overview is not None and made.levels != self._overview.levels:
            self._recolour()  # others were chosen while it was made
            return
        self.plot.show_picture(1, made)
        self._show_captions()

    def _write_numbers(self, source: ArraySource, plane: Plane, plan: TilePlan) -> None:
        """Write into the cells in view what they hold, where there is room for it."""
        characters = self.plot.numbers.characters
        if not characters or len(plan.rows) * len(plan.columns) > MOST:
            self._runner.supersede("numbers")
            self.plot.show_numbers(None)
            return
        self._runner.submit(
            "numbers",
            Request(
                work=lambda _: read_texts(source, plane, plan.rows, plan.columns, characters),
                done=self.plot.show_numbers,
                failed=self.failed.emit,
            ),
        )

    def _drop_detail(self) -> None:
        self._runner.supersede("detail")
        self._detail = None
        self.plot.show_picture(1, None)

    def _recolour(self) -> None:
        """Other levels or another map: the numbers are there already."""
        # One after the other, so that something is seen while levels are being dragged; the last
        # of them is caught up with when the one before has come.
        if self._overview is None or self._recolouring:
            return
        self._recolouring = True
        work = partial(recolour, self._overview, self._detail, self.controls.colouring)
        self._runner.submit(
            "colours", Request(work=work, done=self._take_colours, failed=self._fail_colours)
        )

    def _take_colours(self, made: tuple[Picture, Picture | None]) -> None:
        self._recolouring = False
        whole, part = made
        if self._overview is None or whole.tile is not self._overview.tile:
            self._recolour()  # the exact picture has taken the place of its sample
            return
        held = self._detail
        if part is not None and held is not None and part.tile is held.tile:
            self._detail = held = part
            self.plot.show_picture(1, part)
        self._take_overview(whole)
        if held is not None and held.levels != whole.levels:
            self._recolour()  # a finer picture came in between

    def _fail_colours(self, error: object) -> None:
        self._recolouring = False
        self.failed.emit(error)

    # Words --------------------------------------------------------------------------------------

    def _show_captions(self) -> None:
        shown = self._detail or self._overview
        text = caption(shown.tile, self.controls.reduction_name) if shown else ""
        texts, tip = [text], text
        if shown and text and shown.tile.exact:
            texts.append(block_text(shown.tile))
        if shown and shown.levels is not None and shown.colouring.levels.is_waiting:
            not_exact, stand_in = _NOT_EXACT(), _STAND_IN()
            texts = [*(f"{not_exact}   {each}" for each in texts if each), not_exact]
            tip = f"{not_exact}: {stand_in}. {text}"
        self._caption.set_texts(texts)
        self._caption.setToolTip(tip)
        marks = self._overview.tile.marks if self._overview else None
        parts = [
            f"{swatch(colour, self.palette())} {name()}"
            for flag, name, colour in _LEGEND
            if marks is not None and (marks & flag).any()
        ]
        self._legend.setText("&nbsp;&nbsp;".join(parts))

    def _show_cell(self) -> None:
        self.plot.show_cross(*self._turned(self._position.cell))
        self.profiles.follow()

    # Events -------------------------------------------------------------------------------------

    def leaveEvent(self, event: QEvent) -> None:
        self.hovered.emit(None)
        super().leaveEvent(event)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._settled.start()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        if self._overview is None:
            self._restart()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "plot"):
            self.plot.take_palette(self.palette())
            self._show_captions()


def _coarser_than(first: TilePlan, second: TilePlan) -> bool:
    return first.block_rows > second.block_rows or first.block_columns > second.block_columns
