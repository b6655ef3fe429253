"""A file that changes while it is open: said in the window, reloaded with the same tensor."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from driving import idle, show
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from inspector.checkpoints import changes
from inspector.gui.main_window import MainWindow


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "last.pt"
    torch.save({"a": torch.ones(40, 3), "b": torch.zeros(40, 3)}, made)
    return made


def _truncate(path: Path) -> None:
    os.truncate(path, 100)


def _overwrite(path: Path) -> None:
    data = path.read_bytes()
    with path.open("r+b") as file:
        file.write(data)
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(bytes(50))


def _replace(path: Path) -> None:
    other = path.with_suffix(".tmp")
    torch.save({"a": torch.ones(40, 3), "b": torch.full((40, 3), 5.0), "c": torch.ones(9)}, other)
    other.replace(path)


def _replace_by_a_smaller_one(path: Path) -> None:
    other = path.with_suffix(".tmp")
    torch.save({"b": torch.zeros(2)}, other)
    assert other.stat().st_size < path.stat().st_size
    other.replace(path)


def _delete(path: Path) -> None:
    path.unlink()


def opened(qtbot: QtBot, window: MainWindow, path: Path) -> None:
    window.open_paths([path], "b")
    qtbot.waitUntil(
        lambda: window.page is not None and window.page.grid.text_at(0, 0) == "0", timeout=20_000
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_truncate, "was cut from"),
        (_overwrite, "was written to"),
        (_grow, "has grown from"),
        (_replace, "was replaced by another file"),
        (_replace_by_a_smaller_one, "was replaced by another file"),
        (_delete, "was deleted or moved"),
    ],
)
def test_every_change_is_said_above_the_page(
    qtbot: QtBot, window: MainWindow, path: Path, change: Callable[[Path], None], words: str
) -> None:
    opened(qtbot, window, path)
    with qtbot.waitSignal(window.watch.noticed, timeout=10_000):
        window.watch.look()
    assert window.change_bar.text == ""
    change(path)
    with qtbot.waitSignal(window.watch.noticed, timeout=10_000):
        window.watch.look()
    assert f"last.pt {words}" in window.change_bar.text
    assert "What is shown was read before." in window.change_bar.text


def _write_over(path: Path) -> None:
    """Other numbers in the same place, as a program does that maps its checkpoint."""
    data = path.read_bytes().replace(np.float32(1).tobytes() * 8, np.float32(7).tobytes() * 8)
    with path.open("r+b") as file:
        file.write(data)
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))


def test_nothing_that_was_kept_is_shown_of_a_file_that_has_changed(
    qtbot: QtBot, window: MainWindow, path: Path
) -> None:
    """Neither picture nor figures, although both were made; and reloaded, those of the new file."""
    page = show(qtbot, window, path, "a")
    first, figures = page.heatmap.overview, page.statistics.statistics
    assert first is not None
    assert figures is not None
    show(qtbot, window, path, "b")
    show(qtbot, window, path, "a")
    again = page.heatmap.overview
    assert again is not None
    assert again.tile is first.tile
    assert page.statistics.statistics is figures
    assert page.notice == ""
    show(qtbot, window, path, "b")
    _write_over(path)
    show(qtbot, window, path, "a")
    assert page.heatmap.overview is None
    assert page.statistics.statistics is None
    assert "has changed since it was opened" in page.notice
    qtbot.keyClick(window, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: page.grid.text_at(0, 0) == "7", timeout=20_000)
    idle(qtbot, window)
    reloaded = page.heatmap.overview
    assert reloaded is not None
    assert reloaded.tile.values.max() == 7
    assert page.statistics.statistics is not None
    assert page.statistics.statistics.maximum == 7


def test_what_was_kept_comes_back_with_the_file(
    qtbot: QtBot, window: MainWindow, path: Path
) -> None:
    """A file that is replaced goes on being read as it was, but nothing is taken for its own."""
    page = show(qtbot, window, path, "a")
    first = page.heatmap.overview
    assert first is not None
    show(qtbot, window, path, "b")
    aside = path.with_suffix(".aside")
    path.rename(aside)
    torch.save({"a": torch.full((40, 3), 5.0)}, path)
    show_again(qtbot, window, "a")
    anew = page.heatmap.overview
    assert anew is not None
    assert anew.tile is not first.tile
    assert anew.tile.values.max() == 1
    show_again(qtbot, window, "b")
    aside.replace(path)
    show_again(qtbot, window, "a")
    back = page.heatmap.overview
    assert back is not None
    assert back.tile is first.tile


def show_again(qtbot: QtBot, window: MainWindow, name: str) -> None:
    """Choose another tensor of the file that is open."""
    assert window.tree.select(window.files[-1].number, name)
    idle(qtbot, window)


def test_a_disk_that_goes_away(
    qtbot: QtBot, window: MainWindow, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a network disk: the strip says so, reading is an error above the views, F5 tells too;
    and when the disk is back, all is as before."""
    opened(qtbot, window, path)

    def gone(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "preadv", gone)
        patch.setattr(changes, "_mark", gone)
        with qtbot.waitSignal(window.watch.noticed, timeout=10_000):
            window.watch.look()
        assert "last.pt can not be reached any more: Input/output error" in window.change_bar.text
        assert window.tree.select(window.files[-1].number, "a")
        assert window.page is not None
        qtbot.waitUntil(lambda: "can not be read any more" in window.page.notice, timeout=10_000)
    qtbot.keyClick(window, Qt.Key.Key_F5)
    qtbot.waitUntil(
        lambda: window.page is not None and window.page.grid.text_at(0, 0) == "1", timeout=20_000
    )
    assert window.change_bar.text == ""


def test_reload_keeps_the_tensor_by_name(qtbot: QtBot, window: MainWindow, path: Path) -> None:
    opened(qtbot, window, path)
    _replace(path)
    with qtbot.waitSignal(window.watch.noticed, timeout=10_000):
        window.watch.look()
    qtbot.mouseClick(window.change_bar.reload_button, Qt.MouseButton.LeftButton)
    page = window.page
    assert page is not None
    qtbot.waitUntil(lambda: page.grid.text_at(0, 0) == "5", timeout=20_000)
    assert page.choice is not None
    assert page.choice.entry is not None
    assert page.choice.entry.name == "b"
    assert window.change_bar.text == ""
    with qtbot.waitSignal(window.watch.noticed, timeout=10_000):
        window.watch.look()
    assert window.change_bar.text == ""


def test_a_change_is_noticed_without_being_asked(
    qtbot: QtBot, window: MainWindow, path: Path
) -> None:
    opened(qtbot, window, path)
    _grow(path)
    qtbot.waitUntil(lambda: "has grown" in window.change_bar.text, timeout=20_000)


def test_a_dismissed_change_stays_away_until_another_comes(
    qtbot: QtBot, window: MainWindow, path: Path
) -> None:
    opened(qtbot, window, path)
    _grow(path)
    for expected in (True, False):
        with qtbot.waitSignal(window.watch.noticed, timeout=10_000):
            window.watch.look()
        assert bool(window.change_bar.text) == expected
        window.change_bar.close_button.click()
    _truncate(path)
    with qtbot.waitSignal(window.watch.noticed, timeout=10_000):
        window.watch.look()
    assert "was cut" in window.change_bar.text


def test_the_bar_speaks_of_the_chosen_file_only(
    qtbot: QtBot, window: MainWindow, path: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.pt"
    torch.save({"x": torch.ones(3, 3)}, other)
    opened(qtbot, window, path)
    _grow(path)
    with qtbot.waitSignal(window.watch.noticed, timeout=10_000):
        window.watch.look()
    assert window.change_bar.text
    window.open_paths([other])
    qtbot.waitUntil(lambda: "other.pt" in window.windowTitle(), timeout=20_000)
    assert window.change_bar.text == ""
    window.tree.select(window.files[0].number, "a")
    qtbot.waitUntil(lambda: "last.pt" in window.windowTitle(), timeout=20_000)
    assert "has grown" in window.change_bar.text
