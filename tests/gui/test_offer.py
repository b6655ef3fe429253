"""The window offers to open checkpoints by double-click, once; its menu does it at any time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from driving import idle
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QCheckBox, QMenu, QPushButton
from pytestqt.qtbot import QtBot

from inspector.checkpoints.errors import InspectorError
from inspector.desktop.report import Report
from inspector.gui import main_window
from inspector.gui.double_click import DoubleClick
from inspector.gui.main_window import MainWindow
from inspector.gui.settings import SettingsStore
from inspector.gui.settings_dialog import SettingsDialog
from inspector.gui.theme import Theme

LEFT = Qt.MouseButton.LeftButton


class Desktop:
    """A desktop of which a test knows what it was asked for; it answers when it may."""

    def __init__(self) -> None:
        self.registered = False
        self.asked: list[bool] = []
        self.threads: set[str] = set()
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.failure: InspectorError | None = None
        self.undone: tuple[str, ...] = ()

    def is_registered(self) -> bool:
        self.threads.add(threading.current_thread().name)
        return self.registered

    def set_registered(self, wanted: bool) -> Report:
        self.threads.add(threading.current_thread().name)
        self.asked.append(wanted)
        assert self.may_answer.wait(30)
        if self.failure is not None:
            raise self.failure
        self.registered = wanted and not self.undone
        return Report(("Done",), self.undone)


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desktop]:
    """The desktop of every window of the test."""
    made = Desktop()

    def build(*arguments: object) -> DoubleClick:
        return DoubleClick(
            *arguments,  # type: ignore[arg-type]
            is_registered=made.is_registered,
            set_registered=made.set_registered,
        )

    monkeypatch.setattr(main_window, "DoubleClick", build)
    yield made
    made.may_answer.set()


@pytest.fixture
def opened(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, desktop: Desktop
) -> Iterator[Callable[[], MainWindow]]:
    """Starts the program anew: a window with the settings that those before it left."""
    windows = []

    def start() -> MainWindow:
        settings = SettingsStore(tmp_path / "window.ini")
        window = MainWindow(Theme(qapp), settings)
        qtbot.addWidget(window)
        windows.append(window)
        window.show()
        qtbot.waitExposed(window)
        window.offer_double_click()
        idle(qtbot, window)
        return window

    yield start
    for window in windows:
        window.close()


Opened = Callable[[], MainWindow]


def menu_of(window: MainWindow) -> QMenu:
    """The File menu."""
    menu = window.menuBar().actions()[0].menu()
    assert isinstance(menu, QMenu)
    return menu


def click(qtbot: QtBot, button: QPushButton) -> None:
    qtbot.mouseClick(button, LEFT)


def test_it_is_offered_and_yes_registers(qtbot: QtBot, opened: Opened, desktop: Desktop) -> None:
    window = opened()
    offer = window.double_click
    assert offer.bar.isVisible()
    assert desktop.asked == []
    click(qtbot, offer.bar.yes_button)
    idle(qtbot, window)
    assert desktop.asked == [True]
    assert not offer.bar.isVisible()
    assert offer.action.isChecked()
    assert window.read_out == "Checkpoints open by double-click"


@pytest.mark.parametrize("answer", ["no", "none"])
def test_it_is_offered_once(qtbot: QtBot, opened: Opened, desktop: Desktop, answer: str) -> None:
    window = opened()
    assert window.double_click.bar.isVisible()
    if answer == "no":
        click(qtbot, window.double_click.bar.no_button)
        assert not window.double_click.bar.isVisible()
    window.close()
    assert not opened().double_click.bar.isVisible()
    assert desktop.asked == []


def test_what_is_registered_is_not_offered(opened: Opened, desktop: Desktop) -> None:
    desktop.registered = True
    window = opened()
    assert not window.double_click.bar.isVisible()
    window.close()
    desktop.registered = False
    assert opened().double_click.bar.isVisible()


def test_a_window_without_settings_offers_nothing(
    qtbot: QtBot, qapp: QApplication, desktop: Desktop
) -> None:
    window = MainWindow(Theme(qapp))
    qtbot.addWidget(window)
    window.show()
    window.offer_double_click()
    idle(qtbot, window)
    assert not window.double_click.bar.isVisible()
    window.close()


def test_the_menu_says_how_it_is_and_changes_it(
    qtbot: QtBot, opened: Opened, desktop: Desktop
) -> None:
    window = opened()
    action = window.double_click.action
    menu = menu_of(window)
    assert action in menu.actions()
    desktop.registered = True  # by the command line, meanwhile
    menu.aboutToShow.emit()
    idle(qtbot, window)
    assert action.isChecked()
    action.trigger()
    idle(qtbot, window)
    assert desktop.asked == [False]
    assert not action.isChecked()
    assert window.read_out == "Checkpoints no longer open by double-click"


def test_nothing_of_it_runs_on_the_windows_thread(
    qtbot: QtBot, opened: Opened, desktop: Desktop
) -> None:
    window = opened()
    click(qtbot, window.double_click.bar.yes_button)
    idle(qtbot, window)
    assert desktop.threads
    assert threading.current_thread().name not in desktop.threads


def test_while_it_changes_it_cannot_be_changed(
    qtbot: QtBot, opened: Opened, desktop: Desktop
) -> None:
    window = opened()
    action = window.double_click.action
    desktop.may_answer.clear()
    click(qtbot, window.double_click.bar.yes_button)
    qtbot.waitUntil(lambda: desktop.asked == [True], timeout=20_000)
    menu_of(window).aboutToShow.emit()
    assert not action.isEnabled()
    desktop.may_answer.set()
    idle(qtbot, window)
    assert action.isEnabled()
    assert action.isChecked()
    assert desktop.asked == [True]


@pytest.mark.parametrize("how", ["fails", "is not complete"])
def test_what_goes_wrong_is_said_in_the_window(
    qtbot: QtBot, opened: Opened, desktop: Desktop, how: str
) -> None:
    window = opened()
    if how == "fails":
        desktop.failure = InspectorError("The disk is full.", advice="Free some space.")
    else:
        desktop.undone = ("The disk is full.", "Free some space.")
    click(qtbot, window.double_click.bar.yes_button)
    idle(qtbot, window)
    assert window.double_click.notice.isVisible()
    assert window.double_click.notice.text == "The disk is full. Free some space."
    assert not window.double_click.action.isChecked()
    assert window.double_click.action.isEnabled()
    desktop.failure, desktop.undone = None, ()
    window.double_click.action.trigger()
    idle(qtbot, window)
    assert not window.double_click.notice.isVisible()
    assert desktop.registered


def test_the_settings_do_the_same(qtbot: QtBot, opened: Opened, desktop: Desktop) -> None:
    window = opened()
    window.show_settings()
    dialog = window.findChild(SettingsDialog)
    assert dialog is not None
    idle(qtbot, window)
    (box,) = (
        each
        for each in dialog.findChildren(QCheckBox)
        if "double-click" in each.text().replace("&", "")
    )
    assert box.isEnabled()
    assert not box.isChecked()
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_Space)
    idle(qtbot, window)
    assert desktop.asked == [True]
    assert box.isChecked()
    assert window.double_click.action.isChecked()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    window.double_click.action.trigger()  # there is nothing left that would be ticked
    idle(qtbot, window)
    assert desktop.asked == [True, False]
