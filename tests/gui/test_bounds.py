"""However large a tensor is and however quickly one chooses, little runs, and it ends at once."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from driving import idle, show, shown_page, sparse_file
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QApplication, QDialogButtonBox
from pytestqt.qtbot import QtBot
from safetensors.torch import save_file

from inspector.checkpoints.sources import LocalFile
from inspector.gui import picture_making, statistics_panel, tasks
from inspector.gui.export_dialog import ExportDialog
from inspector.gui.main_window import MainWindow
from inspector.values.tensors import TensorSource

#: Workers, each of which may be in the middle of a read.
_WORKERS = 4

COUNT = 60
NAMES = [f"t{number:02}" for number in range(COUNT)]


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A file of sixty tensors, in each of which all numbers are its own."""
    path = tmp_path / "many.safetensors"
    save_file({name: torch.full((40, 30), float(n)) for n, name in enumerate(NAMES)}, path)
    return path


class Endless:
    """Takes the place of a scan, and only ends when it is told to. Knows who is in it."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.inside: list[str] = []

    def __call__(
        self, source: TensorSource, *_: object, check: Callable[[], None], **__: object
    ) -> Any:
        name = source.entry.name
        self.begun.append(name)
        self.inside.append(name)
        try:
            while True:
                check()
        finally:
            self.inside.remove(name)


class Reads:
    """Notes the reads of files, and can hold them up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[tuple[Path, int, int]] = []
        self.inside = 0
        self.go = threading.Event()
        self.go.set()
        lock, plain = threading.Lock(), LocalFile.read_into

        def read_into(file: LocalFile, offset: int, buffer: memoryview) -> None:
            with lock:
                self.begun.append((file.path, offset, len(buffer)))
                self.inside += 1
            assert self.go.wait(60)
            try:
                plain(file, offset, buffer)
            finally:
                with lock:
                    self.inside -= 1

        monkeypatch.setattr(LocalFile, "read_into", read_into)


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> weakref.WeakSet[tasks.Task]:
    """Every task that was made and that anybody still holds."""
    found: weakref.WeakSet[tasks.Task] = weakref.WeakSet()

    class Noted(tasks.Task):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            found.add(self)

    monkeypatch.setattr(tasks, "Task", Noted)
    return found


def press_through(qtbot: QtBot, window: MainWindow) -> None:
    """Choose the first tensor's fifty successors, one key after the other."""
    window.tree.view.setFocus()
    for _ in range(50):
        qtbot.keyClick(window.tree.view, Qt.Key.Key_Down)
        QApplication.processEvents()


def test_fifty_tensors_chosen_quickly_leave_one_task_each(
    qtbot: QtBot, window: MainWindow, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(qtbot, window, many, NAMES[0])
    scans, pictures = Endless(), Endless()
    monkeypatch.setattr(statistics_panel, "analyse", scans)
    monkeypatch.setattr(picture_making, "render_tile", pictures)
    press_through(qtbot, window)
    last = NAMES[50]
    # The numbers never wait for scans, and no scan of a tensor before goes on.
    qtbot.waitUntil(
        lambda: (
            shown_page(window, last).grid.text_at(0, 0) == "50"
            and (scans.inside, pictures.inside) == ([last], [last])
        ),
        timeout=20_000,
    )
    assert sorted(each.title for each in window.runner.activities) == ["Picture", "Statistics"]
    assert scans.begun[-1] == pictures.begun[-1] == last
    window.close()
    assert (scans.inside, pictures.inside) == ([], [])


def test_fifty_tensors_chosen_during_a_read_leave_nothing_behind(
    qtbot: QtBot,
    window: MainWindow,
    many: Path,
    alive: weakref.WeakSet[tasks.Task],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    show(qtbot, window, many, NAMES[0])
    window.tree.view.setFocus()
    timers = [timer for timer in window.findChildren(QTimer) if timer.isActive()]
    reads = Reads(monkeypatch)
    reads.go.clear()
    # A disk that does not answer: every worker waits in a read of an early tensor.
    qtbot.keyClick(window.tree.view, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: reads.inside == _WORKERS - 1, timeout=20_000)
    for _ in range(49):
        qtbot.keyClick(window.tree.view, Qt.Key.Key_Down)
        QApplication.processEvents()
    before = len(reads.begun)
    assert reads.inside <= _WORKERS
    titles = [each.title for each in window.runner.activities]
    assert len(set(titles)) == len(titles)
    reads.go.set()
    idle(qtbot, window)
    page = shown_page(window, NAMES[50])
    assert page.grid.text_at(0, 0) == "50"
    assert page.statistics.statistics is not None
    assert page.statistics.statistics.maximum == 50
    # Nobody has read of a tensor in between, and nobody reads on of one that was left.
    assert window.page is not None
    assert page.source is not None
    storage = page.source.entry.storage
    assert storage is not None
    late = reads.begun[before:]
    assert late
    assert all(
        storage.offset <= offset and offset + length <= storage.offset + storage.nbytes
        for _, offset, length in late
    )
    gc.collect()
    assert len(alive) == 0
    assert [timer for timer in window.findChildren(QTimer) if timer.isActive()] == timers


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A file of 2^40 numbers. To count them takes an hour."""
    return sparse_file(tmp_path / "endless.safetensors", w=(2**20, 2**20))


def begin(qtbot: QtBot, window: MainWindow, path: Path) -> None:
    """Open a file, and wait until its picture and its statistics are being made."""
    window.open_paths([path], "w")

    def is_scanning() -> bool:
        running = {each.title: each.share for each in window.runner.activities}
        return running.get("Statistics", 0) > 0 and running.get("Picture", 0) > 0

    qtbot.waitUntil(is_scanning, timeout=20_000)


def assert_little(reads: list[tuple[Path, int, int]]) -> None:
    """No more than what was under way when it was stopped: a block each, or a piece of a column.

    All of it would be millions of reads, and terabytes.
    """
    assert len(reads) <= _WORKERS * 2**14
    assert sum(length for *_, length in reads) <= 2 * _WORKERS * 2**23


def press(qtbot: QtBot, window: MainWindow, keys: QKeySequence.StandardKey | str) -> None:
    """Press keys that the window's menus know."""
    with qtbot.waitActive(window):
        window.activateWindow()
    qtbot.keySequence(window, QKeySequence(keys))


def test_closing_the_window_ends_every_scan(
    qtbot: QtBot, window: MainWindow, endless: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = Reads(monkeypatch)
    begin(qtbot, window, endless)
    assert window.page is not None
    assert window.page.grid.text_at(0, 0) == "0"
    press(qtbot, window, "Alt+N")
    titles = {each.title for each in window.runner.activities}
    assert titles >= {"Picture", "Statistics", "Looking for NaN"}
    before = len(reads.begun)
    window.close()
    assert_little(reads.begun[before:])
    assert window.runner.is_idle


def test_closing_the_window_ends_an_export_and_leaves_nothing(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sparse_file(tmp_path / "large.safetensors", w=(2**15, 2**14))
    reads = Reads(monkeypatch)
    begin(qtbot, window, path)
    press(qtbot, window, "Ctrl+E")
    dialog = window.findChild(ExportDialog)
    dialog.set_target(tmp_path / "out.npy")
    (box,) = dialog.findChildren(QDialogButtonBox)
    cancel = box.button(QDialogButtonBox.StandardButton.Cancel)
    (export,) = (button for button in box.buttons() if button is not cancel)
    qtbot.waitUntil(export.isEnabled, timeout=20_000)
    qtbot.mouseClick(export, Qt.MouseButton.LeftButton)

    def is_exporting() -> bool:
        running = {each.title: each.share for each in window.runner.activities}
        return running.get("Exporting out.npy", 0) > 0

    qtbot.waitUntil(is_exporting, timeout=20_000)
    before = len(reads.begun)
    window.close()
    assert_little(reads.begun[before:])
    assert list(tmp_path.iterdir()) == [path]


def test_closing_a_file_ends_its_scans_without_a_word(
    qtbot: QtBot, window: MainWindow, endless: Path, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window.open_paths([many])
    idle(qtbot, window)
    reads = Reads(monkeypatch)
    begin(qtbot, window, endless)
    before = len(reads.begun)
    press(qtbot, window, QKeySequence.StandardKey.Close)
    assert [file.path for file in window.files] == [many]
    idle(qtbot, window)
    assert_little([read for read in reads.begun[before:] if read[0] == endless])
    page = shown_page(window, NAMES[0])
    assert (page.notice, page.problem) == ("", "")
    assert page.grid.text_at(0, 0) == "0"
