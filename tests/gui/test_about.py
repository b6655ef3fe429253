"""What the program is and runs with: the box, its copy, and the command line's version."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from driving import idle
from PySide6.QtCore import Qt, qVersion
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QDialogButtonBox
from pytestqt.qtbot import QtBot

import inspector
from inspector.gui import about_box
from inspector.gui.about_box import AboutBox
from inspector.gui.help_boxes import KeysBox
from inspector.gui.main_window import MainWindow
from inspector.versions import devices, version_text, versions

Key = Qt.Key


def opened(qtbot: QtBot, window: MainWindow) -> AboutBox:
    (action,) = (each for each in window.findChildren(QAction) if each.text() == "&About")
    action.trigger()
    box = window.findChild(AboutBox)
    assert box is not None
    return box


def test_the_versions_are_those_that_run() -> None:
    found = versions()
    assert found["tensor-inspector"] == inspector.__version__
    assert found["Python"].startswith(platform.python_version())
    assert found["torch"] == torch.__version__
    assert found["NumPy"] == np.__version__
    assert found["PySide6 (Qt)"].startswith(qVersion())


def test_a_part_that_is_missing_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "torch":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert versions()["torch"] == "not installed"
    assert "torch not installed\nNumPy 1.0\n" in version_text()


def test_the_box_says_all_and_copies_it(qtbot: QtBot, window: MainWindow) -> None:
    box = opened(qtbot, window)
    idle(qtbot, window)
    lines = dict(line.split(": ", 1) for line in box.text.splitlines())
    expected = versions()
    assert {name: lines[name] for name in expected} == expected
    assert lines["Accelerators"] == devices()
    assert lines["Display"].startswith(QGuiApplication.platformName())
    qtbot.mouseClick(box.copy_button, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == box.text
    qtbot.keyClick(box, Key.Key_Escape)
    assert not box.isVisible()


def test_the_window_lives_while_the_versions_are_looked_for(
    qtbot: QtBot, window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answered = threading.Event(), threading.Event()

    def slow() -> dict[str, str]:
        assert threading.current_thread() is not threading.main_thread()
        asked.set()
        assert answered.wait(30)
        return {"late": "1"}

    monkeypatch.setattr(about_box, "versions", slow)
    box = opened(qtbot, window)
    assert asked.wait(10)
    assert not box.copy_button.isEnabled()
    buttons = box.findChild(QDialogButtonBox)
    assert buttons is not None
    qtbot.mouseClick(
        buttons.button(QDialogButtonBox.StandardButton.Close), Qt.MouseButton.LeftButton
    )
    answered.set()  # what comes now finds no box, and nobody minds
    idle(qtbot, window)


@pytest.mark.parametrize("key", [Key.Key_F1, Key.Key_Question])
def test_keys_lead_to_the_keys(qtbot: QtBot, window: MainWindow, key: Qt.Key) -> None:
    window.activateWindow()
    qtbot.waitActive(window)
    qtbot.keyClick(window, key)
    (box,) = window.findChildren(KeysBox)
    assert "<b>F1</b>" in box.text()
    box.close()


def test_a_question_mark_can_be_typed(qtbot: QtBot, window: MainWindow) -> None:
    window.open_sample()
    idle(qtbot, window)
    window.activateWindow()
    qtbot.waitActive(window)
    window.tree.focus_filter()
    qtbot.keyClicks(window.tree.filter_box, "/a?")
    assert window.tree.filter_box.text() == "/a?"
    assert window.findChildren(KeysBox) == []
    idle(qtbot, window)


def run(script: str) -> object:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(done.stdout)


def test_nothing_is_imported_for_a_version() -> None:
    script = (
        "import json, sys\n"
        "from inspector.versions import devices, version_text\n"
        "version_text()\n"
        "print(json.dumps([devices(), [name for name in ('torch', 'numpy', 'PySide6')"
        " if name in sys.modules]]))\n"
    )
    assert run(script) == ["not asked for: torch is not in use", []]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_no_device_is_woken_up() -> None:
    script = (
        "import json, torch\n"
        "from inspector.versions import devices\n"
        "before = devices()\n"
        "asleep = not torch.cuda.is_initialized()\n"
        "torch.ones(1, device='cuda')\n"
        "print(json.dumps([before, asleep, devices()]))\n"
    )
    count = torch.cuda.device_count()
    names = ", ".join(torch.cuda.get_device_name(number) for number in range(count))
    assert run(script) == [f"{count} CUDA", True, names]
