"""A script: the program as the command line starts it, which tells what its window does.

``python launch.py [ARGUMENT ...]`` prints a line of JSON for each thing that happens: the window
listens, opens files, comes to the front, or is closed. It is closed once there is nothing more to
read on standard input. A launch that opens no window prints nothing.
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

# The program's own modules come from the tree above, whatever the working directory.
sys.path.insert(0, str(Path(__file__).parents[2]))

from inspector.cli import main

if TYPE_CHECKING:
    from inspector.desktop.single_instance import Arrival

NAME = "inspector.app"


def tell(**what: object) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


def run_window(arrival: Arrival, *others: Any) -> int:
    """What stands in for the real one, which it loads only now, as the program does."""
    del sys.modules[NAME]
    from PySide6.QtCore import QSocketNotifier, QTimer
    from PySide6.QtWidgets import QLabel

    from inspector import app
    from inspector.gui.main_window import MainWindow

    class Window(MainWindow):
        """Tells what happens to it."""

        def open_paths(self, paths: Iterable[Path], tensor: str | None = None) -> None:
            super().open_paths(paths, tensor)
            tell(files=[str(file.path) for file in self.files], tensor=tensor)

        def activateWindow(self) -> None:  # noqa: N802 - Qt's name
            super().activateWindow()
            tell(front=True)

        def closeEvent(self, event: object) -> None:  # noqa: N802 - Qt's name
            super().closeEvent(event)
            tell(closed=[str(file.path) for file in self.files])

    windows: list[Window] = []

    def build(*arguments: object) -> Window:
        window = Window(*arguments)
        windows.append(window)
        ended = QSocketNotifier(sys.stdin.fileno(), QSocketNotifier.Type.Read, window)
        ended.activated.connect(window.close)
        # Only once the event loop runs: it would not hear of being told to quit before.
        QTimer.singleShot(0, window, tell_ready)
        return window

    def tell_ready() -> None:
        labels = windows[0].statusBar().findChildren(QLabel)
        tell(says=[label.text() for label in labels if label.isVisible()])
        tell(ready=arrival.meeting is not None)

    app.MainWindow = build
    return app.run_window(arrival, *others)


if __name__ == "__main__":
    stand_in = types.ModuleType(NAME)
    stand_in.run_window = run_window
    sys.modules[NAME] = stand_in
    sys.exit(main())
