"""Shows a file where it lies, in the platform's file manager."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QDir, QProcess, QUrl
from PySide6.QtGui import QDesktopServices


def reveal(path: Path) -> bool:
    """Open the folder of a file, with the file selected where the platform can. At once.

    Returns
    -------
    bool
        False if there is nothing that would show folders.
    """
    command = reveal_command(path, sys.platform)
    if command:
        # The process that is started is not ours to wait for.
        return bool(QProcess.startDetached(command[0], list(command[1:]))[0])
    return QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent)))


def reveal_command(path: Path, platform: str) -> Sequence[str]:
    """The program that shows a file selected, and its arguments; empty where there is no such."""
    if platform == "darwin":
        return "open", "-R", str(path)
    if platform == "win32":
        # Two arguments: Qt would put quotes around one, which Explorer does not understand.
        return "explorer.exe", "/select,", QDir.toNativeSeparators(str(path))
    return ()
