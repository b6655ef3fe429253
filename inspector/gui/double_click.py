"""Opening checkpoints by double-click: the menu's entry, and the offer that is made once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from inspector.checkpoints.errors import InspectorError
from inspector.desktop import association
from inspector.desktop.report import Report
from inspector.gui.labels import Notice
from inspector.gui.settings import SettingsStore
from inspector.gui.tasks import Request, TaskRunner
from inspector.gui.text import Texts

DoubleClicks = Texts("DoubleClicks")

_WHERE = DoubleClicks.QT_TR_NOOP("File > Open checkpoints by double-click")

_LOOK, _CHANGE = "double-click", "double-click change"


class OfferBar(QFrame):
    """A strip that asks whether checkpoints shall open with this program; hidden until it does."""

    accepted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        text = QLabel(DoubleClicks.tr("Open checkpoints with Tensor Inspector by double-click?"))
        text.setWordWrap(True)
        self.yes_button, self.no_button = (
            QPushButton(DoubleClicks.tr("Yes")),
            QPushButton(DoubleClicks.tr("No")),
        )
        self.yes_button.setToolTip(
            DoubleClicks.tr("For you alone. To take it back: {menu}", menu=_WHERE())
        )
        self.no_button.setToolTip(
            DoubleClicks.tr("You will not be asked again. To do it later: {menu}", menu=_WHERE())
        )
        self.yes_button.clicked.connect(self.accepted)
        for button in (self.yes_button, self.no_button):
            button.clicked.connect(self.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 6, 6, 6)
        layout.addWidget(text, 1)
        layout.addWidget(self.yes_button)
        layout.addWidget(self.no_button)
        self.hide()


class DoubleClick(QObject):
    """Whether checkpoints open with this program by double-click. Lives on the GUI thread.

    Parameters
    ----------
    is_registered, set_registered
        How to know, and how to change it; both run in a worker.
    """

    #: What was done.
    message = Signal(str)

    def __init__(
        self,
        runner: TaskRunner,
        parent: QObject,
        *,
        is_registered: Callable[[], bool] = association.is_registered,
        set_registered: Callable[[bool], Report] = association.set_registered,
    ) -> None:
        super().__init__(parent)
        self._runner = runner
        self._is_registered = is_registered
        self._set_registered = set_registered
        #: Says how it is once somebody has looked, and changes it.
        self.action = QAction(DoubleClicks.tr("Open checkpoints by &double-click"), self)
        self.action.setCheckable(True)
        self.action.setEnabled(False)
        self.action.triggered.connect(self.change)
        self.bar = OfferBar()
        self.bar.accepted.connect(partial(self.change, True))
        self.notice = Notice()

    def look(self) -> None:
        """Find out how it is, for the menu. It may have been changed elsewhere."""
        self._look(self._show)

    def offer(self, settings: SettingsStore) -> None:
        """Offer it if it is not so, once in the life of these settings."""
        if not settings.current.double_click_offered:
            self._look(partial(self._offer, settings))

    def change(self, wanted: bool) -> None:
        """Have checkpoints open by double-click, or no longer."""
        self.action.setEnabled(False)
        self._runner.submit(
            _CHANGE,
            Request(
                work=lambda _: self._set_registered(wanted),
                done=partial(self._changed, wanted),
                failed=self._change_failed,
                title=DoubleClicks.tr("Registering")
                if wanted
                else DoubleClicks.tr("Taking the registration back"),
            ),
        )

    def _look(self, then: Callable[[bool], None]) -> None:
        if not self._runner.is_running(_CHANGE):
            self._runner.submit(
                _LOOK,
                Request(
                    work=lambda _: self._is_registered(),
                    done=then,
                    failed=self.notice.show_error,
                ),
            )

    def _show(self, is_registered: bool) -> None:
        self.action.setChecked(is_registered)
        self.action.setEnabled(True)

    def _offer(self, settings: SettingsStore, is_registered: bool) -> None:
        self._show(is_registered)
        if not is_registered:
            settings.update(lambda now: replace(now, double_click_offered=True))
            self.bar.show()

    def _changed(self, wanted: bool, report: Report) -> None:
        if report.undone:
            self._change_failed(InspectorError(" ".join(report.undone)))
            return
        self.bar.hide()
        self.notice.clear()
        self._show(wanted)
        self.message.emit(
            DoubleClicks.tr("Checkpoints open by double-click")
            if wanted
            else DoubleClicks.tr("Checkpoints no longer open by double-click")
        )

    def _change_failed(self, error: InspectorError) -> None:
        self.notice.show_error(error)
        self.look()
