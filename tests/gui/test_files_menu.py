"""What is done with whole files: closed, read again, shown in their folder, their paths copied."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from driving import idle, show, shown_page
from PySide6.QtCore import QObject, QProcess, Qt, QUrl, Slot
from PySide6.QtGui import QAction, QDesktopServices, QGuiApplication
from pytestqt.qtbot import QtBot

from inspector.gui.main_window import MainWindow
from inspector.gui.reveal import reveal, reveal_command
from inspector.values.live import LiveObject

Key, Modifier = Qt.Key, Qt.KeyboardModifier


class FileManager(QObject):
    """Is asked for folders in place of the desktop's."""

    def __init__(self) -> None:
        super().__init__()
        self.folders: list[Path] = []

    @Slot(QUrl)
    def show_url(self, url: QUrl) -> None:
        self.folders.append(Path(url.toLocalFile()))


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileManager]:
    monkeypatch.setattr("sys.platform", "linux")
    made = FileManager()
    QDesktopServices.setUrlHandler("file", made, "show_url")
    yield made
    QDesktopServices.unsetUrlHandler("file")


def action(window: MainWindow, text: str) -> QAction:
    (found,) = (
        each for each in window.findChildren(QAction) if each.text().replace("&", "") == text
    )
    return found


def write(path: Path, value: float) -> None:
    torch.save({"w": torch.full((3, 3), value), "v": torch.full((2, 2), -value)}, path)


def three_files(qtbot: QtBot, window: MainWindow, folder: Path) -> list[Path]:
    """Some files, which are open."""
    paths = [folder / name for name in ("a.pt", "b.pt", "c.pt")]
    for path in paths:
        write(path, 1.0)
    window.open_paths(paths)
    idle(qtbot, window)
    return paths


def test_all_files_are_read_again_and_the_choice_stays(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    paths = three_files(qtbot, window, tmp_path)
    window.tree.select(window.files[1].number, "v")
    idle(qtbot, window)
    before = [file.checkpoint for file in window.files]
    for path in paths:
        write(path, 4.0)
    window.activateWindow()
    qtbot.waitActive(window)
    qtbot.keyClick(window, Key.Key_F5, Modifier.ShiftModifier)
    idle(qtbot, window)
    assert all(file.checkpoint is not old for file, old in zip(window.files, before, strict=True))
    choice = window.tree.choice
    assert choice is not None
    assert choice.file.path == paths[1]
    assert shown_page(window, "v").grid.text_at(0, 0) == "-4"


def test_keys_close_the_chosen_file_and_all(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    paths = three_files(qtbot, window, tmp_path)
    window.tree.select(window.files[0].number, "w")
    window.activateWindow()
    qtbot.waitActive(window)
    qtbot.keyClick(window, Key.Key_W, Modifier.ControlModifier)
    idle(qtbot, window)
    assert [file.path for file in window.files] == paths[1:]
    qtbot.keyClick(window, Key.Key_W, Modifier.ControlModifier | Modifier.ShiftModifier)
    idle(qtbot, window)
    assert window.files == ()
    for text in ("Close file", "Close all", "Reload", "Reload all", "Show in folder"):
        assert not action(window, text).isEnabled()


def test_a_files_folder_is_shown(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, manager: FileManager
) -> None:
    folder = tmp_path / "a folder with ünusual #letters"
    folder.mkdir()
    write(folder / "a.pt", 1.0)
    show(qtbot, window, folder / "a.pt", "w")
    action(window, "Show in folder").trigger()
    assert manager.folders == [folder]
    menu = window.tree.menu_for(window.tree.view.rows.at(0))
    next(each for each in menu.actions() if each.text() == "Show in Folder").trigger()
    assert manager.folders == [folder, folder]


def test_without_a_file_manager_the_folder_is_said(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda _: False)
    write(tmp_path / "a.pt", 1.0)
    show(qtbot, window, tmp_path / "a.pt", "w")
    action(window, "Show in folder").trigger()
    assert str(tmp_path) in window.read_out


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("darwin", ("open", "-R", "/some where/a.pt")),
        ("win32", ("explorer.exe", "/select,", "/some where/a.pt")),
        ("linux", ()),
    ],
)
def test_the_platforms_own_way_selects_the_file(
    platform: str, expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tuple(reveal_command(Path("/some where/a.pt"), platform)) == expected
    if expected:
        started: list[tuple[str, list[str]]] = []

        def start(program: str, arguments: list[str]) -> tuple[bool, int]:
            started.append((program, arguments))
            return True, 1

        monkeypatch.setattr("sys.platform", platform)
        monkeypatch.setattr(QProcess, "startDetached", start)
        assert reveal(Path("/some where/a.pt"))
        assert started == [(expected[0], list(expected[1:]))]


def test_path_and_name_are_copied(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    write(tmp_path / "a.pt", 1.0)
    show(qtbot, window, tmp_path / "a.pt", "v")
    action(window, "Copy file path").trigger()
    assert QGuiApplication.clipboard().text() == str(tmp_path / "a.pt")
    assert window.read_out == "Copied the file's path"
    action(window, "Copy tensor name").trigger()
    assert QGuiApplication.clipboard().text() == "v"


def test_an_object_of_the_program_has_no_folder(qtbot: QtBot, window: MainWindow) -> None:
    window.open_live(LiveObject(np.ones((2, 2)), ""))
    idle(qtbot, window)
    for text in ("Show in folder", "Copy file path"):
        assert not action(window, text).isEnabled()
    assert action(window, "Copy tensor name").isEnabled()
