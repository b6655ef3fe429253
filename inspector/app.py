"""Puts application, theme and window together."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import (
    QEventLoop,
    QMessageLogContext,
    QSettings,
    QTimer,
    QtMsgType,
    qInstallMessageHandler,
)
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from inspector import __version__
from inspector.checkpoints.errors import InspectorError
from inspector.gui.main_window import TITLE, MainWindow
from inspector.gui.theme import Appearance, Theme
from inspector.resources import resource_path

#: Milliseconds for which nothing may run before a screenshot counts as final: longer than every
#: delay after which a view asks for something finer.
_QUIET = 300


def build_application(appearance: Appearance) -> tuple[QApplication, Theme]:
    """The one application object, and its theme."""
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationName("tensor-inspector")
    application.setApplicationDisplayName(TITLE)
    application.setApplicationVersion(__version__)
    application.setDesktopFileName("tensor-inspector")
    application.setStyle("Fusion")
    application.setWindowIcon(QIcon(str(resource_path("icon.svg"))))
    theme = Theme(application)
    theme.set_appearance(appearance)
    return application, theme


def run_window(paths: Sequence[Path], tensor: str | None, appearance: Appearance) -> int:
    """Open the window and stay until it is closed.

    Returns
    -------
    int
        The exit code.
    """
    application, theme = build_application(appearance)
    # Without this, Ctrl+C in the terminal waits for the next event that Python handles.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    settings = QSettings(
        QSettings.Format.IniFormat, QSettings.Scope.UserScope, "tensor-inspector", "window"
    )
    window = MainWindow(theme, settings)
    window.open_paths(paths, tensor)
    window.show()
    return application.exec()


def take_screenshot(
    paths: Sequence[Path],
    target: Path,
    tensor: str | None,
    appearance: Appearance,
    size: tuple[int, int] | None,
) -> None:
    """Write the window as a picture once everything in it is final.

    Raises
    ------
    InspectorError
        If a file cannot be read, holds no such tensor, or the picture cannot be written.
    """
    qInstallMessageHandler(_pass_on)
    _, theme = build_application(appearance)
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
