"""A script: open the window on a file, and stop once its tensors are listed and painted.

``python start.py FILE`` prints one line of JSON about that moment.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

# The program's own modules come from the tree above, whatever the working directory.
sys.path.insert(0, str(Path(__file__).parents[2]))

from PySide6.QtCore import QEvent, QObject, QTimer

from inspector import __version__
from inspector.app import build_application, listen
from inspector.desktop.single_instance import arrive
from inspector.gui.main_window import MainWindow

#: Milliseconds after which the window counts as never painted.
_PATIENCE = 30_000


class _Painted(QObject):
    """Looks at every painting of the rows; done after the first that has tensors."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.tensors = 0

    def eventFilter(self, _: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Called before the event; the painting itself is over when the timer fires."""
        listed = self._window.tree.view.rows.totals.tensors
        if event.type() == QEvent.Type.Paint and listed and not self.tensors:
            self.tensors = listed
            QTimer.singleShot(0, self._stop)
        return False

    def _stop(self) -> None:
        report = {
            "tensors": self.tensors,
            "rows": len(self._window.tree.view.rows),
            "visible": self._window.isVisible() and self._window.tree.view.isVisible(),
            "torch": "torch" in sys.modules,
        }
        print(json.dumps(report), flush=True)
        self._window.close()


def main(path: Path) -> int:
    """Open the window as the command line does, whatever other windows there are."""
    arrival = arrive([path], None, __version__, new_window=True)
    application, theme = build_application("system")
    window = MainWindow(theme)
    painted = _Painted(window)
    window.tree.view.viewport().installEventFilter(painted)
    window.open_paths(arrival.paths)
    window.show()
    if arrival.meeting is not None:
        listen(arrival.meeting, window)
    QTimer.singleShot(_PATIENCE, window, application.quit)
    application.exec()
    return 0 if painted.tensors else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
