"""Goes to the next NaN, infinity, zero or extreme of a tensor, or says why not."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, Signal

from inspector.analysis.finding import Index, Target, find_next
from inspector.analysis.statistics import Statistics
from inspector.gui.go_menu import NAMES, Wanted
from inspector.gui.position import Position
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.text import Texts
from inspector.values.arrays import ArraySource

Finding = Texts("Finding")


class Finder(QObject):
    """Looks in the background, and moves the position. Lives on the GUI thread."""

    #: What came of it, where the position does not tell.
    message = Signal(str)
    failed = Signal(object)

    def __init__(
        self, position: Position, runner: TaskRunner, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._position, self._runner = position, runner

    def go_to_next(self, wanted: Wanted, statistics: Statistics | None, *, forward: bool) -> None:
        """Make the next element of a kind the current one, or the previous one.

        Parameters
        ----------
        statistics
            Of the whole tensor; None until they are known.
        """
        source = self._position.source
        if source is None or self._position.plane.is_empty:
            return
        target: Target
        if wanted == "minimum" or wanted == "maximum":
            if statistics is None:
                self.message.emit(
                    Finding.tr(
                        "The whole tensor's {what} is not counted yet.", what=NAMES[wanted]()
                    )
                )
                return
            value = statistics.minimum if wanted == "minimum" else statistics.maximum
            if value is None:
                self.message.emit(
                    Finding.tr("There is no {what}: nothing is finite.", what=NAMES[wanted]())
                )
                return
            target = value
        else:
            target = wanted
        start = self._position.element
        self._runner.submit(
            "find",
            Request(
                work=partial(_find, source, start, target, forward),
                done=partial(self._found, wanted, start),
                failed=self.failed.emit,
                cancelled=lambda: self.message.emit(Finding.tr("Stopped looking")),
                bulk=True,
                title=Finding.tr("Looking for {what}", what=NAMES[wanted]()),
            ),
        )

    def _found(self, wanted: Wanted, start: Index, place: Index | None) -> None:
        if place is None:
            text = Finding.tr("There is no {what} in this tensor.", what=NAMES[wanted]())
            self.message.emit(text)
            return
        self._position.go_to(place)
        if place == start:
            self.message.emit(Finding.tr("This is the only {what}.", what=NAMES[wanted]()))


def _find(
    source: ArraySource, start: Index, target: Target, forward: bool, task: Task
) -> Index | None:
    return find_next(
        source, start, target, forward=forward, check=task.check, progress=task.progress
    )
