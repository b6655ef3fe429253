"""Keeps the curves beside the picture at the current row and column."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal

from inspector.analysis.profiles import (
    Curve,
    LinePlan,
    PlaneLine,
    render_curve,
    sample_curve,
    takes_long,
)
from inspector.gui.picture_plot import PicturePlot
from inspector.gui.position import Position
from inspector.gui.profile_pane import ProfilePane
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.text import Texts
from inspector.values.arrays import ArraySource
from inspector.values.regions import Plane

ProfileTexts = Texts("ProfileTexts")

#: Milliseconds for which the view has to rest before a finer curve is read, and the cell before
#: one that takes long is.
_SETTLE: Final = 40
_REST: Final = 100


@dataclass(slots=True)
class _Side:
    """One of the two profiles: its pane, its lanes, what was last asked for, and what waits."""

    pane: ProfilePane
    is_row: bool
    name: str
    asked: tuple[PlaneLine, LinePlan] | None = field(default=None)
    waiting: Request[Curve] | None = field(default=None)

    @property
    def quick(self) -> str:
        """The lane of what is there at once: a curve, or a sample of one that takes long."""
        return f"{self.name} curve"

    @property
    def whole(self) -> str:
        """The lane of a curve that takes long."""
        return f"{self.name} profile"

    @property
    def title(self) -> str:
        """What the reading of a curve that takes long is called."""
        return ProfileTexts.tr("Row profile") if self.is_row else ProfileTexts.tr("Column profile")

    @property
    def lanes(self) -> tuple[str, str]:
        """Both."""
        return self.quick, self.whole


class Profiles(QObject):
    """Reads the row and the column through the current cell, as much as is in view.

    Lives on the GUI thread; everything that is read is read by workers.
    """

    failed = Signal(object)

    def __init__(self, position: Position, runner: TaskRunner, plot: PicturePlot) -> None:
        super().__init__(plot)
        self._position = position
        self._runner = runner
        self._plot = plot
        self._plane: Plane | None = None
        self._sides = (
            _Side(plot.row_pane, True, "Row"),
            _Side(plot.column_pane, False, "Column"),
        )
        self._settled = QTimer(self, singleShot=True, interval=_SETTLE)
        self._settled.timeout.connect(self.follow)
        self._rested = QTimer(self, singleShot=True, interval=_REST)
        self._rested.timeout.connect(self._go_on)
        plot.moved.connect(self._settled.start)
        plot.arranged.connect(self._settled.start)

    def restart(self, plane: Plane | None) -> None:
        """Draw other numbers: those of a plane as it is drawn; None draws nothing."""
        self._plane = plane
        for side in self._sides:
            self._drop(side)
        self.follow()

    def set_linear(self, linear: float | None) -> None:
        """Take up the picture's logarithm (see `Levels`), or a linear scale."""
        for side in self._sides:
            side.pane.set_linear(linear)

    def _drop(self, side: _Side) -> None:
        side.asked = side.waiting = None
        side.pane.show_curve(None)
        for lane in side.lanes:
            self._runner.supersede(lane)

    def follow(self) -> None:
        """Ask for what is at the plot's cell and in view, unless it is there or on its way."""
        source, plane = self._position.source, self._plane
        for side in self._sides:
            if source is None or plane is None or side.pane not in self._plot.panes:
                if side.asked is not None:
                    self._drop(side)
                continue
            wanted = self._wanted(plane, side.is_row)
            if wanted != side.asked and not self._is_moving(side, wanted[0]):
                side.asked = wanted
                self._ask(side, source, *wanted)

    def _wanted(self, plane: Plane, is_row: bool) -> tuple[PlaneLine, LinePlan]:
        row, column = self._plot.cell
        line = PlaneLine(plane, is_row, row if is_row else column)
        return line, self._plot.visible_line(is_row)

    def _is_moving(self, side: _Side, line: PlaneLine) -> bool:
        """Whether a side has this line, and what of it is in view has yet to come to rest."""
        return self._settled.isActive() and side.asked is not None and side.asked[0] == line

    def _ask(self, side: _Side, source: ArraySource, line: PlaneLine, plan: LinePlan) -> None:
        for lane in side.lanes:
            self._runner.supersede(lane)
        slow = takes_long(source, line, plan)
        exact = Request(
            work=partial(_render, source, line, plan),
            done=partial(self._take, side),
            failed=partial(self._fail, side),
            bulk=slow,
            title=(ProfileTexts.tr("Curve") if line.others == 1 else side.title) if slow else "",
        )
        side.waiting = exact if slow else None
        if not slow:
            self._runner.submit(side.quick, exact)
            return
        # All of it is not worth beginning before the cell rests.
        self._rested.start()
        self._runner.submit(
            side.quick,
            Request(
                work=lambda task: sample_curve(source, line, plan, check=task.check),
                done=side.pane.show_curve,
                failed=partial(self._fail, side),
            ),
        )

    def _go_on(self) -> None:
        for side in self._sides:
            request, side.waiting = side.waiting, None
            if request is not None:
                self._runner.submit(side.whole, request)

    def _take(self, side: _Side, curve: Curve) -> None:
        self._runner.supersede(side.quick)
        side.pane.show_curve(curve)

    def _fail(self, side: _Side, error: object) -> None:
        asked = side.asked
        self._drop(side)
        side.asked = asked  # once is enough
        self.failed.emit(error)


def _render(source: ArraySource, line: PlaneLine, plan: LinePlan, task: Task) -> Curve:
    return render_curve(source, line, plan, check=task.check, progress=task.progress)
