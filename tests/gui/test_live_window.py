"""`inspector.show`: the window on what a Python session holds."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from driving import idle, shown_page
from PySide6.QtCore import QEventLoop, QSettings, Qt, QTimer
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication, QLineEdit
from pytestqt.qtbot import QtBot
from shiboken6 import isValid
from torch import nn

import inspector
from inspector import app
from inspector.checkpoints.errors import InspectorError
from inspector.gui.export_dialog import ExportDialog
from inspector.gui.main_window import MainWindow
from inspector.gui.theme import Theme


@pytest.fixture(autouse=True)
def _session(qapp: QApplication, tmp_path: Path) -> Iterator[None]:
    """A session whose application is somebody else's, and no window at the end."""
    QSettings.setPath(QSettings.Format.IniFormat, QSettings.Scope.UserScope, str(tmp_path))
    for theme in qapp.findChildren(Theme):
        theme.setParent(None)
    before = qapp.palette()
    yield
    assert not [each for each in qapp.topLevelWidgets() if isinstance(each, MainWindow)]
    assert not app._shown
    qapp.setPalette(before)


def shown() -> MainWindow:
    """The window that was opened last."""
    (*_, window) = [each for each in app._shown if each.isVisible()]
    return window


def close(qtbot: QtBot, window: MainWindow) -> None:
    """Close it, and let Qt delete it."""
    window.close()
    qtbot.waitUntil(lambda: not isValid(window) and window not in app._shown)


def while_shown(qtbot: QtBot, act: Callable[[MainWindow], None], value: object, **how: Any) -> None:
    """Show a value, do something once the window has settled, and close it."""
    failed: list[BaseException] = []

    def go() -> None:
        window = shown()
        try:
            idle(qtbot, window)
            act(window)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)
        finally:
            window.close()

    QTimer.singleShot(0, go)
    inspector.show(value, **how)
    if failed:
        raise failed[0]


def page_of(qtbot: QtBot, window: MainWindow, name: str) -> Any:
    """Choose a tensor; its page."""
    assert window.tree.select(window.files[0].number, name)
    idle(qtbot, window)
    return shown_page(window, name)


def test_a_module_is_shown_with_its_own_values(qtbot: QtBot) -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))

    def act(window: MainWindow) -> None:
        assert window.windowTitle().startswith("0.weight — live: Sequential — ")
        assert window.tree.view.rows.at(0).tree.full_name(0) == "live: Sequential"
        page = page_of(qtbot, window, "0.weight")
        for row in range(5):
            assert page.grid.text_at(row, 2) == f"{model[0].weight[row, 2].item():.6g}"
        assert page.statistics.statistics.maximum == model[0].weight.max().item()
        assert page.source.summary == "detached from autograd · copied from memory"
        assert [entry.name for entry in window.files[0].checkpoint.entries] == list(
            model.state_dict()
        )  # type: ignore[union-attr]

    while_shown(qtbot, act, model)


@pytest.mark.parametrize(
    "value",
    [
        torch.ones(3, 3),
        np.arange(12.0).reshape(3, 4)[::-1],
        torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1),
        nn.Linear(2, 2).state_dict(),
        {"deep": [({"w": torch.eye(3).to_sparse()},)]},
        42,
        [],
    ],
    ids=["tensor", "array", "optimizer", "state dict", "nested", "number", "nothing"],
)
def test_whatever_it_is(qtbot: QtBot, value: object) -> None:
    def act(window: MainWindow) -> None:
        (file,) = window.files
        assert file.error is None
        assert file.name == f"live: {type(value).__name__}"
        assert window.grab().width() > 0

    while_shown(qtbot, act, value)


def test_a_title(qtbot: QtBot) -> None:
    def act(window: MainWindow) -> None:
        assert window.windowTitle() == "tensor — my / weights — live: Tensor — Tensor Inspector"

    while_shown(qtbot, act, torch.ones(2), title="my / weights")


def test_reloading_looks_at_the_same_object_again(qtbot: QtBot) -> None:
    value = {"w": torch.zeros(3, 3)}

    def act(window: MainWindow) -> None:
        page = page_of(qtbot, window, "w")
        assert page.grid.text_at(1, 1) == "0"
        value["w"] += 2.5
        value["new"] = torch.ones(1)
        window.activateWindow()
        qtbot.waitActive(window)
        qtbot.keyClick(window, Qt.Key.Key_F5)
        idle(qtbot, window)
        page = page_of(qtbot, window, "w")
        assert page.grid.text_at(1, 1) == "2.5"
        assert [entry.name for entry in window.files[0].checkpoint.entries] == ["w", "new"]  # type: ignore[union-attr]
        assert not window.files[0].marks
        assert window.change_bar.text == ""

    while_shown(qtbot, act, value)


def test_it_is_exported(qtbot: QtBot, tmp_path: Path) -> None:
    tensor = torch.randn(20, 30).t()
    target = tmp_path / "out.npy"

    def act(window: MainWindow) -> None:
        page = page_of(qtbot, window, "tensor")
        assert not page.python.isVisible()  # no code can name what is in memory
        window.chosen.export()
        dialog = window.findChild(ExportDialog)
        assert dialog is not None
        (line,) = dialog.findChildren(QLineEdit)
        line.selectAll()
        qtbot.keyClicks(line, str(target))
        qtbot.waitUntil(
            lambda: (
                dialog.target == target
                and not dialog._typing.isActive()
                and window.runner.is_idle
                and "free on its disk" in dialog.words
            ),
            timeout=10_000,
        )
        qtbot.keyClick(line, Qt.Key.Key_Return)
        qtbot.waitUntil(target.exists, timeout=10_000)
        np.testing.assert_array_equal(np.load(target), tensor.numpy())

    while_shown(qtbot, act, tensor)


def test_it_says_where_it_is_and_offers_no_path(qtbot: QtBot) -> None:
    def act(window: MainWindow) -> None:
        window.tree.select(window.files[0].number, None)
        idle(qtbot, window)
        assert "Memory" in window.file_page.text
        assert "File size" not in window.file_page.text
        row = window.tree.view.rows.at(0)
        texts = [action.text() for action in window.tree.menu_for(row).actions()]
        assert "Copy Path" not in texts
        assert "Reload Object" in texts

    while_shown(qtbot, act, {"w": torch.ones(2, 2)})


def test_nothing_is_held_after_it_is_closed(qtbot: QtBot) -> None:
    memory = np.ones((50, 60), np.float32)
    value = {
        "model": nn.Linear(3, 3),
        "shared": torch.from_numpy(memory),
        "array": np.ones((4, 4)),
        "sparse": torch.eye(3).to_sparse(),
    }
    value["optimizer"] = torch.optim.Adam(value["model"].parameters())  # type: ignore[union-attr]
    watched = {name: weakref.ref(each) for name, each in value.items()}
    watched["memory"] = weakref.ref(memory)
    watched["weight"] = weakref.ref(value["model"].weight)  # type: ignore[union-attr]

    def act(window: MainWindow) -> None:
        for name in ("model.weight", "shared", "array", "sparse"):
            page_of(qtbot, window, name)
        qtbot.keyClick(window, Qt.Key.Key_F5)
        idle(qtbot, window)

    while_shown(qtbot, act, value)
    del value, memory
    gc.collect()
    assert {name for name, each in watched.items() if each() is not None} == set()


def test_nothing_is_held_after_it_is_closed_while_it_is_being_listed(qtbot: QtBot) -> None:
    value = [torch.ones(2) for _ in range(3000)]
    watched = [weakref.ref(each) for each in value]
    QTimer.singleShot(0, lambda: shown().close())
    inspector.show(value)
    value.clear()
    gc.collect()
    assert not any(each() is not None for each in watched)


def test_closing_the_object_alone_lets_go_of_it(qtbot: QtBot) -> None:
    tensor = torch.ones(5, 5)
    watched = weakref.ref(tensor)
    inspector.show([tensor], block=False)
    window = shown()
    idle(qtbot, window)
    del tensor
    gc.collect()
    assert watched() is not None
    window.close_all()
    idle(qtbot, window)
    gc.collect()
    assert watched() is None
    close(qtbot, window)


def test_several_windows_beside_each_other(qtbot: QtBot) -> None:
    windows = []
    for number in range(3):
        inspector.show(torch.full((2, 2), float(number)), block=False)
        windows.append(shown_besides(windows))
    for number, window in enumerate(windows):
        idle(qtbot, window)
        assert page_of(qtbot, window, "tensor").grid.text_at(0, 0) == str(number)
    close(qtbot, windows[1])
    assert windows[0].isVisible()
    assert windows[2].isVisible()
    close(qtbot, windows[0])
    close(qtbot, windows[2])


def shown_besides(known: list[MainWindow]) -> MainWindow:
    (window,) = app._shown - set(known)
    return window


def test_one_within_another(qtbot: QtBot) -> None:
    order: list[str] = []

    def act(window: MainWindow) -> None:
        def close_inner() -> None:
            (inner,) = app._shown - {window}
            order.append("inner")
            inner.close()

        QTimer.singleShot(0, close_inner)
        inspector.show(torch.ones(1))
        order.append("outer")

    while_shown(qtbot, act, torch.ones(2))
    assert order == ["inner", "outer"]


def test_the_sessions_application_goes_on_as_it_was(qtbot: QtBot, qapp: QApplication) -> None:
    colours = qapp.palette()
    style, name = qapp.style().objectName(), qapp.applicationName()
    assert name != "tensor-inspector"
    quits: list[None] = []
    qapp.aboutToQuit.connect(lambda: quits.append(None))
    ended: list[str] = []

    def session() -> None:
        """What runs in the loop of the session's own."""
        while_shown(qtbot, lambda _: None, torch.ones(2))
        ended.append("window")
        QTimer.singleShot(50, lambda: (ended.append("loop"), loop.quit()))

    loop = QEventLoop()
    QTimer.singleShot(0, session)
    loop.exec()
    assert ended == ["window", "loop"]
    assert not quits
    assert (qapp.style().objectName(), qapp.applicationName()) == (style, name)
    assert qapp.palette() == colours


def test_a_guest_takes_colours_only_when_it_is_told_to(qapp: QApplication) -> None:
    before = qapp.palette()
    theme = Theme(qapp, guest=True)
    assert qapp.palette() == before
    theme.set_appearance("dark")
    assert qapp.palette().color(QPalette.ColorRole.Base).lightnessF() < 0.3
    theme.set_appearance("system")
    assert qapp.palette() == before


def test_control_c_closes_the_window_and_is_raised(qtbot: QtBot) -> None:
    before = signal.getsignal(signal.SIGINT)
    QTimer.singleShot(0, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        inspector.show(torch.ones(2))
    assert signal.getsignal(signal.SIGINT) is before
    qtbot.waitUntil(lambda: not app._shown)


def test_the_switch_interval_is_given_back(qtbot: QtBot) -> None:
    before = sys.getswitchinterval()
    seen: list[float] = []
    while_shown(qtbot, lambda _: seen.append(sys.getswitchinterval()), torch.ones(2))
    assert seen[0] < before
    assert sys.getswitchinterval() == before


def test_another_thread_is_refused_in_words() -> None:
    failed: list[InspectorError] = []

    def work() -> None:
        with pytest.raises(InspectorError, match="main thread") as raised:
            inspector.show(torch.ones(2))
        failed.append(raised.value)

    thread = threading.Thread(target=work, name="my loader")
    thread.start()
    thread.join()
    assert "my loader" in failed[0].message


def test_another_binding_of_qt_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    application = types.SimpleNamespace(instance=lambda: object())
    module = types.SimpleNamespace(QApplication=application)
    monkeypatch.setitem(sys.modules, "PyQt6.QtWidgets", module)  # type: ignore[arg-type]
    with pytest.raises(InspectorError, match="PyQt6"):
        inspector.show(torch.ones(2))


def run(script: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
    """A session of its own."""
    variables = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-c", script],
        env={name: value for name, value in variables.items() if value is not None},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have a display")
@pytest.mark.parametrize(
    ("display", "platform", "part"),
    [
        (None, None, "There is no display"),
        (":987", "xcb", "No window can be shown"),
        (None, "nothing-like-this", "No window can be shown"),
    ],
    ids=["none", "gone", "unknown"],
)
def test_without_a_display_the_session_goes_on(
    display: str | None, platform: str | None, part: str
) -> None:
    script = (
        "import inspector, numpy as np\n"
        "try:\n    inspector.show(np.ones(3))\n"
        "except inspector.InspectorError as error:\n    print('told:', error)\n"
    )
    done = run(script, DISPLAY=display, WAYLAND_DISPLAY=None, QT_QPA_PLATFORM=platform)
    assert done.returncode == 0, done.stderr
    assert f"told: {part}" in done.stdout


def test_a_session_ends_while_its_windows_are_at_work(tmp_path: Path) -> None:
    script = (
        "import inspector, numpy as np, threading, time\n"
        "from inspector.values.live import LiveObject\n"
        "begun = threading.Event()\n"
        "def look(self, check):\n"
        "    begun.set()\n"
        "    while True:\n"
        "        check()\n"
        "        time.sleep(0.001)\n"
        "LiveObject.look = look\n"
        "inspector.show(np.ones(3), block=False)\n"
        "begun.wait()\n"
    )
    done = run(script, XDG_CONFIG_HOME=str(tmp_path), QT_QPA_PLATFORM="offscreen")
    assert done.returncode == 0, done.stderr


def test_a_script_without_an_application(tmp_path: Path) -> None:
    script = (
        "import inspector, numpy as np\n"
        "from PySide6.QtCore import QTimer\n"
        "from inspector import app\n"
        "def close():\n"
        "    (window,) = app._shown\n"
        "    window.close()\n"
        "make = app.build_application\n"
        "def build(*arguments):\n"
        "    made = make(*arguments)\n"
        "    QTimer.singleShot(300, close)\n"
        "    return made\n"
        "app.build_application = build\n"
        "inspector.show(np.ones((3, 3)))\n"
        "print('closed', len(app._shown))\n"
        "QTimer.singleShot(300, close)\n"
        "inspector.show(np.ones((3, 3)))\n"
        "print('again')\n"
    )
    done = run(script, XDG_CONFIG_HOME=str(tmp_path), QT_QPA_PLATFORM="offscreen")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["closed", "1", "again"]
