"""An error that nobody expected: a report is written, the window says where, and lives on."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from driving import show
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

import inspector
from inspector.gui import crash_reports as module
from inspector.gui.crash_reports import CrashReports
from inspector.gui.main_window import MainWindow

#: What the tests raise in slots is for our own hook.
pytestmark = pytest.mark.qt_no_exception_capture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "log"


@pytest.fixture
def reports(window: MainWindow, folder: Path) -> Iterator[CrashReports]:
    made = CrashReports(folder)
    made.reported.connect(window.show_problem)
    made.install()
    yield made
    made.remove()


def written(folder: Path) -> list[str]:
    return [path.read_text() for path in sorted(folder.glob("crash-*.txt"))]


def click_on_raising(qtbot: QtBot, window: QWidget, error: BaseException) -> None:
    """A real click on a button whose slot raises."""
    button = QPushButton(window)
    qtbot.addWidget(button)

    def fail() -> None:
        raise error

    button.clicked.connect(fail)
    button.show()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    button.hide()


def test_a_slots_error_leaves_a_report_and_the_window_lives(
    qtbot: QtBot,
    window: MainWindow,
    reports: CrashReports,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert not window.notice.isVisible()
    click_on_raising(qtbot, window, ValueError("nobody\nthought of it"))
    (path,) = folder.glob("crash-*.txt")
    (text,) = written(folder)
    assert text.startswith(f"Tensor Inspector {inspector.__version__}")
    assert f"torch: {torch.__version__}" in text
    assert "In the thread MainThread:" in text
    assert "ValueError: nobody\nthought of it" in text
    assert "in fail" in text
    assert window.notice.isVisible()
    assert str(path) in window.notice.text
    assert "ValueError" in capsys.readouterr().err  # as Python prints it
    copy, close = window.notice.findChildren(QToolButton)
    qtbot.mouseClick(copy, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == text
    torch.save({"w": torch.full((2, 2), 5.0)}, tmp_path / "a.pt")
    assert show(qtbot, window, tmp_path / "a.pt", "w").grid.text_at(1, 1) == "5"
    assert window.notice.isVisible()
    qtbot.mouseClick(close, Qt.MouseButton.LeftButton)
    assert not window.notice.isVisible()


def test_an_error_in_painting_is_reported_once(
    qtbot: QtBot, window: MainWindow, reports: CrashReports, folder: Path
) -> None:
    class Broken(QWidget):
        painted = 0

        def paintEvent(self, _: object) -> None:
            self.painted += 1
            self.update()
            raise RuntimeError("cannot paint")

    broken = Broken(window)
    broken.show()
    qtbot.waitUntil(lambda: broken.painted > 20)
    broken.hide()
    assert len(written(folder)) == 1
    assert "cannot paint" in written(folder)[0]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_threads_error_is_told_on_the_gui_thread(
    qtbot: QtBot, window: MainWindow, reports: CrashReports, folder: Path
) -> None:
    def fail() -> None:
        raise OSError("in a thread")

    thread = threading.Thread(target=fail, name="somewhere")
    with qtbot.waitSignal(reports.reported):
        thread.start()
        thread.join()
    qtbot.waitUntil(window.notice.isVisible)
    assert "In the thread somewhere:" in written(folder)[0]


def test_ctrl_c_is_no_crash(
    qtbot: QtBot, window: MainWindow, reports: CrashReports, folder: Path
) -> None:
    reports._take(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert written(folder) == []
    assert not window.notice.isVisible()


def test_the_hooks_are_given_back(reports: CrashReports) -> None:
    assert sys.excepthook == reports._take
    reports.remove()
    assert sys.excepthook != reports._take
    assert threading.excepthook != reports._take_of_thread


def test_few_reports_are_written_and_few_are_kept(
    qtbot: QtBot, window: MainWindow, reports: CrashReports, folder: Path
) -> None:
    folder.mkdir(parents=True)
    for day in range(1, 16):
        (folder / f"crash-2001-01-{day:02}-000000-1-1.txt").write_text("old")
    for number in range(30):
        kind = type(f"Error{number}", (Exception,), {})
        click_on_raising(qtbot, window, kind("new"))
    assert len(written(folder)) == module._KEPT
    assert all("new" in text for text in written(folder))


def test_a_long_traceback_is_cut(
    qtbot: QtBot, window: MainWindow, reports: CrashReports, folder: Path
) -> None:
    click_on_raising(qtbot, window, ValueError("x" * 10_000_000))
    (text,) = written(folder)
    assert len(text) < 300_000
    assert "ValueError: xxx" in text


def test_without_a_place_for_reports_it_is_said(
    qtbot: QtBot, window: MainWindow, reports: CrashReports, folder: Path
) -> None:
    folder.parent.parent.mkdir(exist_ok=True)
    folder.parent.write_text("in the way")
    click_on_raising(qtbot, window, ValueError("lost"))
    assert "No report of it could be written" in window.notice.text
    reports.watch_faults()  # does without


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "XDG_STATE_HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


_WATCHING = (
    "import ctypes, os, pathlib, signal, sys\n"
    "from inspector.gui.crash_reports import CrashReports\n"
    "reports = CrashReports(pathlib.Path(sys.argv[1]))\n"
    "reports.watch_faults()\n"
)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("fault", "word"),
    [("ctypes.string_at(0)", "Segmentation fault"), ("os.abort()", "Aborted")],
)
def test_a_fault_leaves_its_trace_and_the_next_start_tells_of_it_once(
    qtbot: QtBot, window: MainWindow, folder: Path, fault: str, word: str
) -> None:
    done = run(f"{_WATCHING}def deep():\n    {fault}\ndeep()\n", folder)
    assert done.returncode < 0
    assert written(folder) == []
    reports = CrashReports(folder)
    reports.reported.connect(window.show_problem)
    reports.tell_of_last_time()
    assert window.notice.text.startswith("Tensor Inspector ended unexpectedly the last time.")
    (text,) = written(folder)
    assert f"Fatal Python error: {word}" in text
    assert "in deep" in text
    assert not list(folder.glob("fault-*"))
    window.notice.clear()
    reports.tell_of_last_time()
    assert not window.notice.isVisible()


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("end", ["reports.remove()", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_an_end_without_a_fault_is_none(
    qtbot: QtBot, window: MainWindow, folder: Path, end: str
) -> None:
    run(f"{_WATCHING}{end}\n", folder)
    CrashReports(folder).tell_of_last_time()
    assert list(folder.iterdir()) == []


def test_the_file_of_a_program_that_runs_is_left_alone(folder: Path) -> None:
    reports = CrashReports(folder)
    folder.mkdir(parents=True)
    mine = folder / f"fault-2001-01-01-000000-{os.getpid()}.txt"
    mine.write_text("heading\nsomething\n")
    reports.tell_of_last_time()
    assert mine.exists()


def test_the_program_itself_reports_and_goes_on(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from PySide6.QtCore import QTimer\n"
        "from PySide6.QtWidgets import QApplication\n"
        "from inspector import app\n"
        "make = app.build_application\n"
        "def fail():\n"
        "    raise ValueError('in the program')\n"
        "def look():\n"
        "    (window,) = [w for w in QApplication.topLevelWidgets()"
        " if isinstance(w, app.MainWindow)]\n"
        "    print(window.notice.text)\n"
        "    window.close()\n"
        "def build(*arguments):\n"
        "    made = make(*arguments)\n"
        "    QTimer.singleShot(300, fail)\n"
        "    QTimer.singleShot(600, look)\n"
        "    return made\n"
        "app.build_application = build\n"
        "from inspector.desktop.single_instance import Arrival\n"
        "sys.exit(app.run_window(Arrival(), None, None))\n"
    )
    done = run(script, tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "tensor-inspector" / "log"
    assert str(folder) in done.stdout
    (text,) = written(folder)
    assert "ValueError: in the program" in text
    assert not list(folder.glob("fault-*"))
