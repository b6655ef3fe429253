"""What the tests of the window do again and again."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from inspector.gui.main_window import MainWindow
from inspector.gui.settings import SettingsStore
from inspector.gui.tensor_page import TensorPage
from inspector.gui.theme import Theme


@contextmanager
def opened(
    qtbot: QtBot,
    theme: Theme,
    store: SettingsStore | None = None,
    size: tuple[int, int] = (1200, 800),
) -> Iterator[MainWindow]:
    """A shown window without files, until the test is over."""
    made = MainWindow(theme, store)
    qtbot.addWidget(made)
    made.resize(*size)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.close()


def take_keys(qtbot: QtBot, window: MainWindow) -> None:
    """Have the window take the keys that are pressed."""
    window.activateWindow()
    qtbot.waitActive(window)


def idle(qtbot: QtBot, window: MainWindow) -> None:
    """Wait until nothing runs, nor will by itself."""
    calm = 0

    def is_calm() -> bool:
        nonlocal calm
        calm = calm + 1 if window.runner.is_idle else 0
        return calm > 12

    qtbot.waitUntil(is_calm, timeout=60_000)


def shown_page(window: MainWindow, name: str) -> TensorPage:
    """The page, which shows the tensor of this name."""
    page = window.page
    assert page is not None
    assert page.choice is not None
    assert page.choice.entry is not None
    assert page.choice.entry.name == name
    assert window.pages.currentWidget() is page
    return page


def show(qtbot: QtBot, window: MainWindow, path: Path, name: str) -> TensorPage:
    """Open a file, choose a tensor in it, and wait until all of it is there."""
    window.open_paths([path], name)
    idle(qtbot, window)
    return shown_page(window, name)


def turn_wheel(viewport: QWidget, place: QPointF) -> None:
    """Turn the wheel by one step away from oneself, which zooms in."""
    event = QWheelEvent(
        place,
        QPointF(viewport.mapToGlobal(place)),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(viewport, event)


def sparse_file(
    path: Path, dtype: str = "F32", itemsize: int = 4, **shapes: tuple[int, ...]
) -> Path:
    """A safetensors file of zeros, of any size. It takes no room on the disk."""
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + itemsize * math.prod(shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return path
