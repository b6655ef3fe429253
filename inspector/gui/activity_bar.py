"""What is running, how far it is, and a way to stop it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QToolButton, QWidget

from inspector.gui.tasks import Activity, TaskRunner
from inspector.gui.text import Texts

Activities = Texts("Activities")

#: Milliseconds that work has to last before it is worth a word.
_DELAY = 400


class ActivityBar(QWidget):
    """Shows the oldest activity that lasts, and how many more there are; hidden otherwise."""

    def __init__(self, runner: TaskRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._shown: Activity | None = None
        self._title = QLabel()
        self._progress = QProgressBar()
        self._progress.setRange(0, 1000)
        self._progress.setFixedWidth(120)
        self._progress.setTextVisible(False)
        self._progress.setMaximumHeight(10)
        self._progress.setAccessibleName(Activities.tr("Progress"))
        self._cancel = QToolButton()
        self._cancel.setText(Activities.tr("Cancel"))
        self._cancel.setToolTip(Activities.tr("Stop this"))
        self._cancel.clicked.connect(self.cancel)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self._title, self._progress, self._cancel):
            layout.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)
        self._delay = QTimer(self)
        self._delay.setSingleShot(True)
        self._delay.setInterval(_DELAY)
        self._delay.timeout.connect(self._appear)
        for widget in (self._title, self._progress, self._cancel):
            widget.hide()
        # Once for all that changes in one turn: while somebody scrolls, requests come by the dozen.
        self._turn = QTimer(self, singleShot=True, interval=0)
        self._turn.timeout.connect(self._update)
        runner.changed.connect(self._turn.start)

    def minimumSizeHint(self) -> QSize:
        """As high as when it shows something: else the window would move whenever it does."""
        return super().minimumSizeHint().expandedTo(QSize(0, self._cancel.sizeHint().height()))

    def sizeHint(self) -> QSize:
        """The same."""
        return super().sizeHint().expandedTo(self.minimumSizeHint())

    def cancel(self) -> None:
        """Stop the activity that is shown."""
        if self._shown is not None:
            self._runner.cancel(self._shown.key)

    @property
    def shown(self) -> Activity | None:
        """The activity that is shown, if any."""
        return self._shown

    def _update(self) -> None:
        if not self._runner.activities:
            self._delay.stop()
            self._shown = None
            self._set_visible(False)
        elif self._shown is not None:
            self._appear()
        elif not self._delay.isActive():
            self._delay.start()

    def _appear(self) -> None:
        activities = self._runner.activities
        if not activities:
            return
        self._shown = activities[0]
        more = f" (+{len(activities) - 1})" if len(activities) > 1 else ""
        self._title.setText(f"{self._shown.title}{more}")
        self._progress.setValue(int(self._shown.share * 1000))
        self._set_visible(True)

    def _set_visible(self, visible: bool) -> None:
        for widget in (self._title, self._progress, self._cancel):
            widget.setVisible(visible)
