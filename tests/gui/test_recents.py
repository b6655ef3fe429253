"""What was opened lately: kept, offered in the menu and on the welcome page, greyed, forgotten."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from driving import idle, opened
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from inspector.gui import recents as module
from inspector.gui.main_window import MainWindow
from inspector.gui.recents import MOST
from inspector.gui.settings import SettingsStore
from inspector.gui.theme import Theme


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication, store: SettingsStore) -> Iterator[MainWindow]:
    with opened(qtbot, Theme(qapp), store, (1100, 800)) as made:
        yield made


def written(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        torch.save({"w": torch.ones(2, 2)}, path)
    return paths


def offered(window: MainWindow) -> list[QAction]:
    """What the menu offers, as if it were about to be shown, but for what clears it."""
    return [action for action in window.menus.recent.actions() if action.text()][:-1]


def test_what_was_opened_is_offered_last_first(
    qtbot: QtBot, window: MainWindow, store: SettingsStore, tmp_path: Path
) -> None:
    first, second, third = written(tmp_path, "a.pt", "b & c.pt", "folder/d.pt")
    assert not window.menus.recent.menuAction().isEnabled()
    for path in (first, second, third.parent, first):
        window.open_paths([path])
        idle(qtbot, window)
        window.close_all()
    assert window.recents.paths == (first, third.parent, second)
    texts = [action.text() for action in offered(window)]
    assert [text.split(" — ")[0] for text in texts] == ["&1 a.pt", "&2 folder", "&3 b && c.pt"]
    offered(window)[2].trigger()
    idle(qtbot, window)
    assert [file.path for file in window.files] == [second]
    assert SettingsStore(tmp_path / "window.ini").current.recent == tuple(
        map(str, (second, first, third.parent))
    )


def test_the_welcome_page_opens_them_by_a_click(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    (path,) = written(tmp_path, "a.pt")
    assert not window.recent_list.isVisible()
    window.open_paths([path])
    idle(qtbot, window)
    window.close_all()
    assert window.recent_list.isVisible()
    button = next(each for each in window.recent_list.findChildren(QPushButton))
    assert button.text() == "a.pt"
    assert str(tmp_path) in {label.text() for label in window.recent_list.findChildren(QLabel)}
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    idle(qtbot, window)
    assert [file.path for file in window.files] == [path]


def test_what_could_not_be_read_and_the_sample_are_not_kept(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    window.open_paths([tmp_path / "never.pt"])
    window.open_sample()
    idle(qtbot, window)
    assert window.recents.paths == ()


def test_no_more_than_some_are_kept(
    qtbot: QtBot, window: MainWindow, store: SettingsStore, tmp_path: Path
) -> None:
    for number in range(MOST + 3):
        window.recents.add(tmp_path / f"{number}.pt")
    assert window.recents.paths[0] == tmp_path / f"{MOST + 2}.pt"
    assert len(window.recents.paths) == len(store.current.recent) == len(offered(window)) == MOST


def test_two_windows_share_the_list(
    qtbot: QtBot, qapp: QApplication, window: MainWindow, tmp_path: Path
) -> None:
    other = MainWindow(Theme(qapp), SettingsStore(tmp_path / "window.ini"))
    qtbot.addWidget(other)
    window.recents.add(tmp_path / "a.pt")
    other.recents.add(tmp_path / "b.pt")
    assert other.recents.paths == (tmp_path / "b.pt", tmp_path / "a.pt")
    other.close()


def test_what_is_gone_is_greyed_and_comes_back(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    here, gone = written(tmp_path, "here.pt", "gone.pt")
    for path in (here, gone):
        window.recents.add(path)
    gone.unlink()
    window.menus.recent.aboutToShow.emit()
    idle(qtbot, window)
    states = {action.text()[3:7]: action.isEnabled() for action in offered(window)}
    assert states == {"gone": False, "here": True}
    buttons = {each.text(): each for each in window.recent_list.findChildren(QPushButton)}
    assert not buttons["gone.pt"].isEnabled()
    assert "is not there any more" in buttons["gone.pt"].toolTip()
    written(tmp_path, "gone.pt")
    window.menus.recent.aboutToShow.emit()
    idle(qtbot, window)
    assert all(action.isEnabled() for action in offered(window))


def test_a_disk_that_does_not_answer_holds_nothing_up(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = written(tmp_path, "a.pt")
    window.recents.add(path)
    idle(qtbot, window)
    asked, answered = threading.Event(), threading.Event()

    def exists(_: str) -> bool:
        assert threading.current_thread() is not threading.main_thread()
        asked.set()
        return answered.wait(30)

    monkeypatch.setattr(module.os.path, "exists", exists)
    try:
        window.menus.recent.aboutToShow.emit()
        assert asked.wait(10)
        window.menus.recent.aboutToShow.emit()  # not asked once more meanwhile
        (action,) = offered(window)
        assert action.isEnabled()
        action.trigger()
        qtbot.waitUntil(lambda: bool(window.files and window.files[0].checkpoint), timeout=10_000)
    finally:
        answered.set()


def test_the_list_is_cleared(
    qtbot: QtBot, window: MainWindow, store: SettingsStore, tmp_path: Path
) -> None:
    window.recents.add(tmp_path / "a.pt")
    (*_, clear) = window.menus.recent.actions()
    assert clear.text() == "&Clear the list"
    clear.trigger()
    qtbot.waitUntil(lambda: window.recents.paths == ())
    assert store.current.recent == ()
    assert not window.menus.recent.menuAction().isEnabled()
    assert not window.recent_list.isVisible()
