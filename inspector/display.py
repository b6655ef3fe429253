"""Whether a window can be shown at all, found out without Qt, which would end the process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

from inspector.checkpoints.errors import InspectorError

#: What Qt does first of all. Where it can't, it aborts, and takes a whole session with it.
_PROBE: Final = "from PySide6.QtGui import QGuiApplication; QGuiApplication([])"

#: Seconds to wait for a display that does not answer.
_TIMEOUT: Final = 20


def has_no_display() -> bool:
    """Whether Qt would look for a screen in vain; its own message speaks of something else."""
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return sys.platform.startswith("linux") and not any(os.environ.get(name) for name in names)


def check_display() -> None:
    """Make sure that Qt can start in this process. Takes up to half a second.

    Another process tries it out: ``DISPLAY`` may name a screen that is gone, as in a terminal that
    outlived its ssh connection, and then Qt would end this one.

    Raises
    ------
    InspectorError
        If there is no screen, or Qt cannot use it; with Qt's own last words.
    """
    advice = "Over ssh, connect with ssh -X; else use to_numpy, or write a file and open it there."
    if has_no_display():
        raise InspectorError("There is no display to show a window on.", advice=advice)
    if not sys.platform.startswith("linux") or not sys.executable:
        return
    try:
        tried = subprocess.run(
            [sys.executable, "-c", _PROBE],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InspectorError("The display does not answer.", advice=advice) from error
    if tried.returncode:
        words = [line for line in tried.stderr.splitlines() if line.strip()]
        raise InspectorError(
            "No window can be shown on this display.",
            where=" ".join(words[:2]),
            advice=advice,
        )
