"""Every control has a name, a role, and says what it is for; a screen reader hears what changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from driving import idle, show
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QAccessibleEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QLabel,
    QPushButton,
    QWhatsThis,
    QWidget,
)
from pytestqt.qtbot import QtBot

from inspector.checkpoints.errors import InspectorError
from inspector.gui import accessible
from inspector.gui.explaining import explanation
from inspector.gui.help_boxes import show_keys
from inspector.gui.main_window import MainWindow
from inspector.gui.tab_order import tab_stops
from inspector.values.live import LiveObject

_Text, _Role = QAccessible.Text, QAccessible.Role

#: What a control may be; anything else is a box about which nobody is told anything.
ROLES = {
    _Role.Button,
    _Role.ButtonMenu,
    _Role.Chart,
    _Role.CheckBox,
    _Role.ComboBox,
    _Role.EditableText,
    _Role.Graphic,
    _Role.Grip,
    _Role.Pane,
    _Role.Slider,
    _Role.SpinBox,
    _Role.StaticText,
    _Role.Table,
}


def said(widget: QWidget, kind: QAccessible.Text) -> str:
    """What a screen reader is told of a widget."""
    found = QAccessible.queryAccessibleInterface(widget)
    assert found is not None
    return found.text(kind)


def role_of(widget: QWidget) -> QAccessible.Role:
    found = QAccessible.queryAccessibleInterface(widget)
    assert found is not None
    return found.role()


def controls_of(root: QWidget) -> list[QWidget]:
    """Where Tab stops in what is seen of a window."""
    return [stop for stop in tab_stops(root) if stop.isVisible() and stop.window() is root]


def check(root: QWidget) -> set[QAccessible.Role]:
    """Every control has all that it needs; the roles that were met."""
    met = set()
    for control in controls_of(root):
        who = f"{type(control).__name__} {said(control, _Text.Name)!r}"
        assert said(control, _Text.Name).strip(), who
        assert role_of(control) in ROLES, (who, role_of(control))
        assert control.toolTip() or control.whatsThis(), who
        if isinstance(control, QComboBox):
            # Its name is what is chosen; what it is for comes from its label or its description.
            found = QAccessible.queryAccessibleInterface(control)
            labels = [each for each, kind in found.relations() if each is not None]
            name = control.accessibleName()
            assert name, who
            assert labels or said(control, _Text.Description).startswith(name), who
        met.add(role_of(control))
    for label in root.findChildren(QLabel):
        # A name would be said in place of the text.
        assert not (label.isVisible() and label.text() and label.accessibleName()), label.text()
    return met


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Tensors of four axes, of one, of none; and something to be noticed."""
    path = tmp_path / "model.pt"
    content = {
        "deep": torch.arange(360.0).reshape(3, 4, 5, 6),
        "line": torch.arange(50.0),
        "one": torch.tensor(2.5),
        "command": Command(),
    }
    torch.save(content, path)
    return path


class Command:
    """Is saved as a call of `os.system`."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        import os

        return os.system, ("true",)


def test_every_control_of_the_window_has_a_name_a_role_and_an_explanation(
    qtbot: QtBot, window: MainWindow, model: Path
) -> None:
    assert _Role.Button in check(window)  # the welcome page
    page = show(qtbot, window, model, "deep")
    page.heatmap.controls.levels.setCurrentIndex(4)  # By hand, with its fields
    idle(qtbot, window)
    met = check(window)
    assert {_Role.Table, _Role.Graphic, _Role.Slider, _Role.ComboBox} <= met
    for name in ("line", "one"):
        show(qtbot, window, model, name)
        check(window)
    window.tree.select(window.files[0].number, None)
    idle(qtbot, window)
    assert window.pages.currentWidget() is window.file_page
    check(window)
    window.notice.show_text("Something", "went wrong")
    window.double_click.bar.show()
    check(window)


def test_every_control_of_a_window_on_live_tensors_does_too(
    qtbot: QtBot, window: MainWindow
) -> None:
    window.open_live(LiveObject({"x": torch.ones(3, 4)}, "live"))
    idle(qtbot, window)
    window.tree.select(window.files[0].number, "x")
    idle(qtbot, window)
    assert window.page is not None
    check(window)


def test_every_control_of_the_dialogs_does_too(
    qtbot: QtBot, window: MainWindow, model: Path
) -> None:
    show(qtbot, window, model, "deep")
    for begin in (
        window.show_settings,
        window.show_about,
        window.chosen.export,
        lambda: show_keys(window),
    ):
        begin()
        idle(qtbot, window)
        (dialog,) = (
            each
            for each in QApplication.topLevelWidgets()
            if each.isVisible() and each is not window and each.parent() is window
        )
        check(dialog)
        assert controls_of(dialog)
        # The style's icons are black on dark as well, and there on some platforms only.
        assert all(button.icon().isNull() for button in dialog.findChildren(QPushButton))
        dialog.close()
        QApplication.processEvents()
    window.show_commands()
    check(window)
    window.commands.close_down()


def test_the_current_cell_is_what_the_views_are_said_to_show(
    qtbot: QtBot, window: MainWindow, model: Path
) -> None:
    page = show(qtbot, window, model, "deep")
    page.position.move_to(2, 3)
    idle(qtbot, window)
    for view in (page.grid, page.heatmap.plot):
        assert said(view, _Text.Description) == "[0, 0, 2, 3] = 15"
    assert (role_of(page.grid), said(page.grid, _Text.Name)) == (_Role.Table, "Values")
    assert said(page.heatmap.plot, _Text.Name) == "Picture"
    page.go_to_index("[2, 3, 4, 5]")
    idle(qtbot, window)
    assert said(page.grid, _Text.Description) == "[2, 3, 4, 5] = 359"


class _Heard:
    """Stands in for Qt's bridge to a screen reader that is there."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.AnnouncementPoliteness = QAccessible.AnnouncementPoliteness

    def isActive(self) -> bool:
        return True

    def updateAccessibility(self, event: QAccessibleEvent) -> None:
        assert isinstance(event, QAccessibleAnnouncementEvent)
        self.said.append(event.message())


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    reader = _Heard()
    monkeypatch.setattr(accessible, "QAccessible", reader)
    return reader.said


def test_a_screen_reader_hears_the_cell_that_keys_lead_to(
    qtbot: QtBot, window: MainWindow, model: Path, heard: list[str]
) -> None:
    page = show(qtbot, window, model, "deep")
    window.activateWindow()
    page.grid.setFocus()
    heard.clear()
    qtbot.keyClick(page.grid, Qt.Key.Key_Down)
    idle(qtbot, window)
    assert heard == ["[0, 0, 1, 0] = 6"]
    page.heatmap.plot.setFocus()
    qtbot.keyClick(page.heatmap.plot, Qt.Key.Key_Right)
    idle(qtbot, window)
    assert heard[1:] == ["[0, 0, 1, 1] = 7"]
    window.tree.view.setFocus()
    page.position.move_to(3, 3)
    idle(qtbot, window)
    assert len(heard) == 2  # the keys are elsewhere: nobody asked


def test_a_screen_reader_hears_what_was_done_and_what_went_wrong(
    qtbot: QtBot, window: MainWindow, model: Path, heard: list[str]
) -> None:
    page = show(qtbot, window, model, "deep")
    page.position.move_to(1, 1)
    page.copy_exact()
    idle(qtbot, window)
    assert "Copied 7" in heard
    page.show_error(InspectorError("The file is gone.", advice="Open it again."))
    assert heard[-1] == "The file is gone. Open it again."
    window.show_commands()
    qtbot.keyClick(window.commands.box, Qt.Key.Key_Down)
    assert heard[-1] == window.commands.list.currentItem().text()
    window.commands.close_down()


def test_the_control_that_has_the_keys_explains_itself(
    qtbot: QtBot, window: MainWindow, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = show(qtbot, window, model, "deep")
    shown: list[str] = []
    monkeypatch.setattr(QWhatsThis, "showText", lambda at, text, widget: shown.append(text))
    window.activateWindow()
    page.grid.setFocus()
    qtbot.keyClick(page.grid, Qt.Key.Key_F1, Qt.KeyboardModifier.ShiftModifier)
    assert shown == [page.grid.whatsThis()]
    page.heatmap.controls.fit.setFocus()
    qtbot.keyClick(window, Qt.Key.Key_F1, Qt.KeyboardModifier.ShiftModifier)
    assert shown[1:] == [page.heatmap.controls.fit.toolTip()]
    assert all(explanation(control) for control in controls_of(window))
    assert all(
        button.toolTip() for button in window.findChildren(QAbstractButton) if button.isVisible()
    )
