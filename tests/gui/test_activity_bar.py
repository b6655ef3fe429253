"""What lasts is shown, with a way to stop it."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from inspector.checkpoints.model import Storage, TensorEntry
from inspector.export.formats import format_named
from inspector.export.parts import part_of
from inspector.export.run import look_at, plan_export
from inspector.gui.activity_bar import ActivityBar
from inspector.gui.export_preparing import Prepared
from inspector.gui.exporting import Exporter
from inspector.gui.tasks import Request, Task, TaskRunner


def test_short_work_is_not_worth_a_word(qtbot: QtBot, runner: TaskRunner) -> None:
    bar = ActivityBar(runner)
    qtbot.addWidget(bar)
    bar.show()
    runner.submit("a", Request(lambda _: 1, lambda _: None, lambda _: None, title="Short"))
    qtbot.waitUntil(lambda: runner.is_idle)
    assert bar.shown is None


def test_long_work_is_shown_and_cancelled_by_a_click(qtbot: QtBot, runner: TaskRunner) -> None:
    bar = ActivityBar(runner)
    qtbot.addWidget(bar)
    bar.show()
    ended = threading.Event()
    told: list[str] = []

    def work(task: Task) -> None:
        try:
            while True:
                task.check()
                task.progress(0.5)
        finally:
            ended.set()

    runner.submit(
        "a",
        Request(
            work,
            lambda _: told.append("done"),
            lambda _: told.append("failed"),
            cancelled=lambda: told.append("cancelled"),
            title="Long",
        ),
    )
    qtbot.waitUntil(lambda: bar.shown is not None)
    button = bar.findChild(QToolButton)
    assert button is not None
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert ended.wait(10)
    assert told == ["cancelled"]
    qtbot.waitUntil(lambda: bar.shown is None)


class SlowZeros:
    """A source that waits half-way until it is told to go on."""

    size = 2**26

    def __init__(self) -> None:
        self.half_way, self.go_on = threading.Event(), threading.Event()

    def read(self, offset: int, length: int) -> bytes:
        return bytes(length)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        if offset > self.size // 2:
            self.half_way.set()
            assert self.go_on.wait(10)
        buffer[:] = bytes(len(buffer))

    def close(self) -> None:
        pass


def test_a_cancelled_export_leaves_the_target_as_it_was(
    qtbot: QtBot, runner: TaskRunner, tmp_path: Path
) -> None:
    bar = ActivityBar(runner)
    qtbot.addWidget(bar)
    exporter = Exporter(runner, bar)
    source = SlowZeros()
    entry = TensorEntry(
        "w", ("w",), "float32", (2**24,), (1,), Storage(source, 0, source.size, "0")
    )
    target = tmp_path / "w.npy"
    np.save(target, np.arange(3))
    before = target.read_bytes()
    plan = plan_export(format_named("npy"), [part_of(entry)])
    wanted = Prepared(plan, target, look_at(plan, target), [tmp_path / "model.pt"])
    with qtbot.waitSignal(exporter.message) as told:
        exporter.export(wanted)
        assert source.half_way.wait(10)
        qtbot.waitUntil(lambda: bar.shown is not None)
        bar.cancel()
        source.go_on.set()
    assert "cancelled" in told.args[0]
    runner.close()
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["w.npy"]
