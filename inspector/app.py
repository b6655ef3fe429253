"""Puts application, theme and window together."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import (
    QCoreApplication,
    QEvent,
    QEventLoop,
    QMessageLogContext,
    Qt,
    QThread,
    QTimer,
    QtMsgType,
    qInstallMessageHandler,
)
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication, QLabel

from inspector import __version__
from inspector.checkpoints.errors import InspectorError
from inspector.desktop.front import bring_to_front
from inspector.desktop.messages import Message
from inspector.desktop.program import NAME, TITLE
from inspector.desktop.single_instance import Arrival, Meeting
from inspector.desktop.windows import set_app_id
from inspector.gui.application import Application
from inspector.gui.crash_reports import CrashReports, log_folder
from inspector.gui.language import load_language, system_languages
from inspector.gui.main_window import MainWindow
from inspector.gui.memory import MemoryBudget
from inspector.gui.settings import Settings, SettingsStore
from inspector.gui.text import Texts
from inspector.gui.theme import Appearance, Theme
from inspector.gui.within_screen import room_of
from inspector.resources import resource_path

Start = Texts("Start")

#: Milliseconds for which nothing may run before a screenshot counts as final: longer than every
#: delay after which a view asks for something finer.
_QUIET = 300

#: Milliseconds between two turns of Python while a window is waited for, in which Ctrl+C is heard.
_TURN = 200

#: Milliseconds for which a window says why it is a second one.
_NOTICE = 30_000

#: The windows that `show_object` opened, until they are closed: Qt does not keep them.
_shown: set[MainWindow] = set()


def the_application() -> QApplication:
    """The one application object; a new one has the language of the user."""
    application = QApplication.instance()
    if application is None:
        application = Application(sys.argv[:1])
        load_language(application, system_languages())
    assert isinstance(application, QApplication)
    return application


def build_application(appearance: Appearance, zoom: int = 100) -> tuple[QApplication, Theme]:
    """The one application object, and its theme, with an interface of some percent."""
    application = the_application()
    application.setApplicationName(NAME)
    application.setApplicationDisplayName(TITLE)
    application.setApplicationVersion(__version__)
    application.setDesktopFileName(NAME)
    application.setStyle("Fusion")
    application.setWindowIcon(QIcon(str(resource_path("icon.svg"))))
    theme = Theme(application)
    theme.set_appearance(appearance)
    theme.set_zoom(zoom)
    return application, theme


def run_window(
    arrival: Arrival,
    tensor: str | None,
    appearance: Appearance | None,
    memory: MemoryBudget | None = None,
) -> int:
    """Open the window and stay until it is closed.

    Parameters
    ----------
    arrival
        What to open, and whether this is the window that later launches hand their files to.
    tensor
        The name of the tensor to choose in the last file.
    appearance
        The window's colours; None for those of the user's settings.
    memory
        What the window may take this time; None for what its settings say.

    Returns
    -------
    int
        The exit code.
    """
    set_app_id()
    the_application()  # its language is that of what may be wrong with the settings
    settings = SettingsStore.of_user()
    kept = settings.current
    application, theme = build_application(appearance or kept.appearance, kept.zoom)
    # Without this, Ctrl+C in the terminal waits for the next event that Python handles.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    window = MainWindow(theme, settings, memory)
    if isinstance(application, Application):
        application.file_requested.connect(lambda path: window.open_paths([path]))
    reports = CrashReports(log_folder(), application)
    reports.reported.connect(window.show_problem)
    reports.install()
    reports.watch_faults()
    reports.tell_of_last_time()
    if arrival.paths:
        window.open_paths(arrival.paths, tensor)
    elif arrival.meeting is not None:  # a further window has another one's session
        window.restore_session()
    fit_to_screen(window)
    window.show()
    if arrival.is_frozen:
        _say_why_there_are_two(window)
    if arrival.meeting is not None:
        listen(arrival.meeting, window)
    window.offer_double_click()
    try:
        return application.exec()
    finally:
        reports.remove()


def fit_to_screen(window: MainWindow) -> None:
    """Leave the status bar on the screen, on one that is no larger than the window likes to be."""
    if QApplication.platformName() != "offscreen":  # which no one looks at
        window.resize(window.size().boundedTo(room_of(window)))


def listen(meeting: Meeting, window: MainWindow) -> None:
    """Open what later launches ask for, until the window is closed."""
    # Not needed before a window is there, by a launch that may not need one at all.
    from inspector.desktop.listener import Listener

    def follow(message: Message) -> None:
        window.open_paths(message.paths, message.tensor)
        bring_to_front(window, message.token)

    listener = Listener(meeting, follow, window)
    window.closed.connect(listener.close)


def _say_why_there_are_two(window: MainWindow) -> None:
    label = QLabel(Start.tr("The other window does not answer: this is a new one"))
    window.statusBar().addPermanentWidget(label)
    QTimer.singleShot(_NOTICE, label, label.deleteLater)


def show_object(value: object, title: str, *, block: bool) -> None:
    """Open a window of its own on an object of the running program; see `inspector.show`.

    An application that there is already is used, and stays as it is: it is not given our palette,
    and goes on when the last of our windows is closed.

    Raises
    ------
    InspectorError
        If the application's windows live in another thread.
    KeyboardInterrupt
        On Ctrl+C while it blocks.
    """
    from inspector.values.live import LiveObject  # NumPy, which files alone do not need at once

    settings = SettingsStore.of_user()
    window = MainWindow(_session_theme(settings.current), settings)
    window.setAttribute(Qt.WidgetAttribute.WA_QuitOnClose, False)
    window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    window.open_live(LiveObject(value, title))
    _shown.add(window)
    window.closed.connect(_forget)
    window.show()
    window.activateWindow()
    if block:
        _wait_until_closed(window)


def _forget(window: MainWindow) -> None:
    # Not within its own closing, which could be the end of it.
    QTimer.singleShot(0, lambda: _shown.discard(window))


def _session_theme(kept: Settings) -> Theme:
    """The theme of the application that this session has, or of a new one."""
    application = QApplication.instance()
    if application is None:
        return build_application(kept.appearance, kept.zoom)[1]
    if not isinstance(application, QApplication):
        raise InspectorError(
            "This session has a Qt application without windows.",
            advice="Make a QApplication instead of a QCoreApplication.",
        )
    if application.thread() is not QThread.currentThread():
        raise InspectorError(
            "This session's windows live in another thread.",
            advice="Call inspector.show in the thread that made the QApplication.",
        )
    known = application.findChild(Theme)
    if isinstance(known, Theme):
        return known
    return Theme(application, guest=application.applicationName() != NAME)


def _wait_until_closed(window: MainWindow) -> None:
    """Run an event loop of our own: whether another one runs already does not matter to it."""
    loop = QEventLoop()
    window.closed.connect(loop.quit)
    with _interruptible(loop) as interrupts:
        loop.exec()
    if window.isVisible():  # Ctrl+C, or the application was told to quit
        window.close()
    # There may be no other event loop that would do it.
    QCoreApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete)
    if interrupts:
        raise KeyboardInterrupt


@contextmanager
def _interruptible(loop: QEventLoop) -> Iterator[list[int]]:
    """Let Ctrl+C end a loop; what is given has an item once it did."""
    interrupts: list[int] = []

    def stop(number: int, _: object) -> None:
        interrupts.append(number)
        loop.quit()

    # Python hears of signals only between two of its own steps, of which there may be none.
    turn = QTimer(interval=_TURN)
    turn.timeout.connect(lambda: None)
    turn.start()
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
        turn.stop()


def take_screenshot(
    paths: Sequence[Path],
    target: Path,
    tensor: str | None,
    appearance: Appearance | None,
    size: tuple[int, int] | None,
) -> None:
    """Write the window as a picture once everything in it is final.

    Raises
    ------
    InspectorError
        If a file cannot be read, holds no such tensor, or the picture cannot be written.
    """
    qInstallMessageHandler(_pass_on)
    _, theme = build_application(appearance or "system")
    window = MainWindow(theme)
    if size is not None:
        window.resize(*size)
    window.show()
    window.open_paths(paths, tensor)
    _wait_until_final(window)
    try:
        for file in window.files:
            if file.error is not None:
                raise file.error
        choice = window.tree.choice
        if tensor is not None and (
            choice is None or choice.entry is None or choice.entry.name != tensor
        ):
            raise InspectorError(f"{paths[0]} holds no tensor named {tensor}.")
        if not window.grab().save(str(target), "PNG"):
            raise InspectorError(
                f"{target} could not be written.", advice="Check the folder and its permissions."
            )
    finally:
        window.close()


def _pass_on(_: QtMsgType, __: QMessageLogContext, message: str) -> None:
    """Qt's messages, less the one that the offscreen platform has for every window."""
    if "propagateSizeHints" not in message:
        sys.stderr.write(f"{message}\n")


def _wait_until_final(window: MainWindow) -> None:
    loop = QEventLoop()
    quiet = QTimer()
    quiet.setSingleShot(True)
    quiet.setInterval(_QUIET)

    def restart() -> None:
        quiet.stop()
        if window.runner.is_idle:
            quiet.start()

    window.runner.changed.connect(restart)
    quiet.timeout.connect(loop.quit)
    restart()
    loop.exec()
