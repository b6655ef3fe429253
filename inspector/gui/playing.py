"""Goes through the slices of a tensor by itself: one held axis, index by index."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from inspector.gui.position import Position
from inspector.gui.tasks import TaskRunner
from inspector.gui.text import Texts

Playing = Texts("Playing")

#: Slices a second that can be asked for; and at first.
_SPEEDS: Final = (1, 2, 5, 10, 25)
_USUAL: Final = 5

#: What has to be shown before the next step: the numbers, and the picture of the whole plane.
_SHOWN: Final = ("page", "overview", "Row curve", "Column curve")


class Player(QObject):
    """Steps one held axis until the end, or until anything else is chosen.

    A step waits until the one before is shown, however long that takes: nothing piles up. Lives on
    the GUI thread.
    """

    #: It began, or stopped.
    changed = Signal()

    def __init__(self, position: Position, runner: TaskRunner, parent: QObject | None = None):
        super().__init__(parent)
        self._position = position
        self._runner = runner
        self._axis: int | None = None
        self._stepping = False
        #: Whether to start again at the end.
        self.loops = False
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._go_on)
        self.set_speed(_USUAL)
        runner.changed.connect(self._go_on)
        for chosen in (position.tensor_changed, position.form_changed, position.plane_changed):
            chosen.connect(self._leave_off)

    @property
    def axis(self) -> int | None:
        """The axis that is played; None while nothing is."""
        return self._axis

    def set_speed(self, slices: int) -> None:
        """Show so many slices a second at the most."""
        self._timer.setInterval(1000 // slices)

    def toggle(self, axis: int) -> None:
        """Play a held axis, or stop if it is played. At its end it begins anew."""
        if self._axis == axis:
            self.stop()
            return
        self._axis = axis
        self.changed.emit()
        plane = self._position.plane
        if plane.index[axis] == plane.shape[axis] - 1:
            self._show(0)
        self._timer.start()

    def stop(self) -> None:
        """Stay where it is."""
        self._timer.stop()
        if self._axis is not None:
            self._axis = None
            self.changed.emit()

    def _leave_off(self) -> None:
        if not self._stepping:
            self.stop()

    def _go_on(self) -> None:
        """Take a step if it is time, and the last one is shown."""
        waits = self._timer.isActive() or any(map(self._runner.is_running, _SHOWN))
        if self._axis is None or self._stepping or waits:
            return
        plane = self._position.plane
        index = plane.index[self._axis] + 1
        if index == plane.shape[self._axis] and not self.loops:
            self.stop()
            return
        self._timer.start()
        self._show(index % plane.shape[self._axis])

    def _show(self, index: int) -> None:
        assert self._axis is not None
        self._stepping = True
        self._position.show_plane(self._position.plane.with_index(self._axis, index))
        self._stepping = False


class PlayMenu(QMenu):
    """How to play: the speed, and what to do at the end."""

    def __init__(self, player: Player, parent: QWidget | None = None) -> None:
        super().__init__(Playing.tr("&How to play"), parent)
        group = QActionGroup(self)
        for speed in _SPEEDS:
            action = QAction(Playing.tr("{n} slices a second", "{n} slice a second", speed), self)
            action.setCheckable(True)
            action.setChecked(speed == _USUAL)
            action.triggered.connect(lambda _, speed=speed: player.set_speed(speed))
            group.addAction(action)
            self.addAction(action)
        self.addSeparator()
        loop = QAction(Playing.tr("&Start again at the end"), self)
        loop.setCheckable(True)
        loop.toggled.connect(lambda loops: setattr(player, "loops", loops))
        self.addAction(loop)
