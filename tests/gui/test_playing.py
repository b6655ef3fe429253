"""Slices by keys, and one after the other by themselves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from driving import show, take_keys
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QSlider
from pytestqt.qtbot import QtBot

from inspector.gui.axis_bar import AxisBar
from inspector.gui.help_boxes import KeysBox, show_keys
from inspector.gui.main_window import MainWindow
from inspector.gui.position import Position
from inspector.gui.tasks import TaskRunner
from inspector.gui.tensor_page import TensorPage
from inspector.gui.value_grid import ValueGrid
from inspector.values.arrays import Array, InMemoryArray
from inspector.values.regions import Region

Key, Button = Qt.Key, Qt.MouseButton
ALT = Qt.KeyboardModifier.AltModifier


class Gated(InMemoryArray):
    """An array that is read only while its gate is open; it counts the reads that were begun."""

    def __init__(self, array: Array) -> None:
        super().__init__(array)
        self.gate = threading.Event()
        self.gate.set()
        self.begun = 0

    def read(self, region: Region) -> Array:
        self.begun += 1
        assert self.gate.wait(30)
        return super().read(region)


class Stage:
    """An axis bar and a grid over a position, which remembers each slice that was shown."""

    def __init__(self, qtbot: QtBot, runner: TaskRunner) -> None:
        self.qtbot, self.runner = qtbot, runner
        self.position = Position()
        self.bar, self.grid = (
            AxisBar(self.position, runner),
            ValueGrid(self.position, runner),
        )
        for widget in (self.bar, self.grid):
            qtbot.addWidget(widget)
            widget.resize(700, 200)
        self.grid.show()
        self.source = Gated(np.arange(6.0).reshape(6, 1, 1) + np.zeros((6, 3, 4)))
        self.position.choose(self.source)
        self.bar.show()
        qtbot.waitExposed(self.grid)
        self.bar.player.set_speed(1000)
        self.rest()
        self.slices: list[int] = []
        self.position.plane_changed.connect(lambda: self.slices.append(self.slice))

    @property
    def slice(self) -> int:
        return self.position.plane.index[0]

    @property
    def playing(self) -> bool:
        return self.bar.player.axis is not None

    def rest(self) -> None:
        self.qtbot.waitUntil(lambda: self.runner.is_idle, timeout=20_000)

    def play(self) -> None:
        """Press the button."""
        self.qtbot.mouseClick(self.bar.held[0].play, Button.LeftButton)

    def until_stopped(self) -> None:
        self.qtbot.waitUntil(lambda: not self.playing, timeout=20_000)


@pytest.fixture
def stage(qtbot: QtBot, runner: TaskRunner) -> Iterator[Stage]:
    made = Stage(qtbot, runner)
    yield made
    made.bar.player.stop()


def test_playing_shows_every_slice_and_stops_at_the_end(stage: Stage) -> None:
    assert stage.bar.held[0].play.accessibleName() == "Play axis 0"
    stage.play()
    assert stage.bar.held[0].play.accessibleName() == "Stop playing axis 0"
    stage.until_stopped()
    stage.rest()
    assert stage.slices == [1, 2, 3, 4, 5]
    assert stage.grid.text_at(0, 0) == "5"
    assert stage.bar.held[0].play.accessibleName() == "Play axis 0"
    assert stage.bar.held[0].number.value() == 5


def test_at_the_end_it_begins_anew(stage: Stage) -> None:
    stage.bar.step(5)
    stage.play()
    stage.until_stopped()
    assert stage.slices == [5, 0, 1, 2, 3, 4, 5]


def test_a_loop_goes_on_until_it_is_stopped(stage: Stage) -> None:
    (loop,) = (
        action
        for action in stage.bar.held[0].play.menu().actions()
        if action.text() == "&Start again at the end"
    )
    loop.trigger()
    stage.play()
    stage.qtbot.waitUntil(lambda: len(stage.slices) > 13, timeout=20_000)
    stage.play()
    assert not stage.playing
    assert stage.slices[:13] == [1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1]
    count = len(stage.slices)
    stage.rest()
    assert len(stage.slices) == count


def test_the_next_step_waits_until_the_numbers_are_there(stage: Stage) -> None:
    stage.source.gate.clear()
    begun = stage.source.begun
    stage.play()
    stage.qtbot.waitUntil(lambda: stage.slices == [1], timeout=20_000)
    # Far more turns than a step takes: nothing comes after it, and nothing piles up.
    for _ in range(20):
        stage.qtbot.wait(5)
    assert stage.slices == [1]
    assert stage.source.begun == begun + 1
    stage.source.gate.set()
    stage.until_stopped()
    assert stage.slices == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("choice", ["index", "axes", "tensor", "none", "form"])
def test_it_stops_when_anything_else_is_chosen(stage: Stage, choice: str) -> None:
    stage.source.gate.clear()
    stage.play()
    stage.qtbot.waitUntil(lambda: stage.slices == [1], timeout=20_000)
    position, plane = stage.position, stage.position.plane
    if choice == "index":
        stage.bar.held[0].number.setValue(4)
    elif choice == "axes":
        position.show_plane(plane.with_row_axis(0))
    elif choice == "form":
        position.show_form(InMemoryArray(np.zeros((6, 3, 4))))
    else:
        position.choose(InMemoryArray(np.zeros((3, 3, 3))) if choice == "tensor" else None)
    assert not stage.playing
    shown = stage.position.plane
    stage.source.gate.set()
    stage.rest()
    stage.qtbot.wait(30)
    assert stage.position.plane == shown


def test_a_click_on_a_cell_does_not_stop_it(stage: Stage) -> None:
    stage.source.gate.clear()
    stage.play()
    stage.qtbot.waitUntil(lambda: stage.slices == [1], timeout=20_000)
    stage.position.move_to(2, 2)
    assert stage.playing
    stage.source.gate.set()
    stage.until_stopped()
    assert stage.position.element == (5, 2, 2)


def test_an_axis_of_one_index_has_nothing_to_play_or_slide_along(stage: Stage) -> None:
    stage.position.choose(InMemoryArray(np.zeros((1, 4, 3, 3))))
    stage.rest()
    one, several = stage.bar.held[0], stage.bar.held[1]
    assert not one.play.isVisible()
    assert several.play.isVisible()
    assert not one.findChildren(QSlider)[0].isVisible()
    assert several.findChildren(QSlider)[0].isVisible()
    stage.bar.step(1)
    assert stage.position.plane.index[:2] == (0, 1)
    stage.bar.step(-9)
    assert stage.position.plane.index[:2] == (0, 0)


# In the window -----------------------------------------------------------------------------------


@pytest.fixture
def page(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> TensorPage:
    path = tmp_path / "some.pt"
    torch.save(
        {
            "conv": torch.arange(4.0).reshape(4, 1, 1).expand(4, 5, 6).contiguous(),
            "flat": torch.zeros(3, 3),
            "meta": torch.empty(2, 2, 2, device="meta"),
        },
        path,
    )
    return choose(qtbot, window, "conv", path)


def choose(qtbot: QtBot, window: MainWindow, name: str, path: Path | None = None) -> TensorPage:
    page = show(qtbot, window, path or window.files[0].path, name)
    take_keys(qtbot, window)
    return page


def slices(window: MainWindow) -> dict[str, QAction]:
    return {
        action.shortcut().toString(): action
        for action in window.go_menu.actions()
        if "slice" in action.text().replace("&", "")
    }


def test_keys_step_along_the_first_held_axis(
    qtbot: QtBot, window: MainWindow, page: TensorPage
) -> None:
    for key, index in ((Key.Key_Right, 1), (Key.Key_Right, 2), (Key.Key_Left, 1)):
        qtbot.keyClick(window, key, ALT)
        assert page.position.plane.index[0] == index
    page.axes.player.set_speed(1000)
    qtbot.keyClick(window, Key.Key_P, ALT)
    qtbot.waitUntil(lambda: page.position.plane.index[0] == 3, timeout=20_000)
    qtbot.waitUntil(lambda: page.axes.player.axis is None, timeout=20_000)
    qtbot.waitUntil(lambda: page.grid.text_at(0, 0) == "3", timeout=20_000)
    overview = page.heatmap.overview
    assert overview is not None
    assert overview.tile.values[0, 0] == 3
    qtbot.keyClick(window, Key.Key_Right, ALT)
    assert page.position.plane.index[0] == 3


def test_the_keys_are_there_only_where_there_are_slices(
    qtbot: QtBot, window: MainWindow, page: TensorPage
) -> None:
    assert set(slices(window)) == {"Alt+Right", "Alt+Left", "Alt+P"}
    assert all(action.isEnabled() for action in slices(window).values())
    choose(qtbot, window, "flat")
    assert not any(action.isEnabled() for action in slices(window).values())
    choose(qtbot, window, "conv")
    assert all(action.isEnabled() for action in slices(window).values())
    choose(qtbot, window, "meta")
    assert page.problem
    assert not page.axes.isVisible()
    page.axes.step(1)
    page.axes.play()
    assert page.axes.player.axis is None


def test_the_overview_of_keys_names_them(window: MainWindow, page: TensorPage) -> None:
    show_keys(window)
    (box,) = window.findChildren(KeysBox)
    for words in ("Alt+Right", "Next slice", "Alt+P", "Shift+Space"):
        assert words in box.text()
    box.close()
