"""Bringing a window to the front, for somebody who asked for it elsewhere."""

from __future__ import annotations

import os
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget

#: Where Qt looks for the desktop's permission when a window is to become active.
_TOKEN: Final = "XDG_ACTIVATION_TOKEN"


def bring_to_front(window: QWidget, token: str = "") -> None:
    """Show a window above the others, as large as it was, and let it have the keyboard.

    Parameters
    ----------
    window
        A window, also a minimised one.
    token
        The desktop's permission, which it gave to the launch: a Wayland compositor lets no window
        come to the front without. Where the permission is missing, the window asks for attention.
    """
    window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
    window.show()
    window.raise_()
    if token:
        os.environ[_TOKEN] = token
    window.activateWindow()
    os.environ.pop(_TOKEN, None)
    QApplication.alert(window)
