"""A script: how long a click on a tensor takes to show something, in a process of its own.

``python choosing.py FILE`` opens the window on a file that holds a small tensor and then ``w``,
clicks on the latter's row, and waits until everything is there. It prints one line of JSON: the
milliseconds from the click until the first page of numbers and the first picture were painted,
and until all was there; and the peak of the memory over that of the idle window before, MiB.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

# The program's own modules come from the tree above, whatever the working directory.
sys.path.insert(0, str(Path(__file__).parents[2]))

from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtTest import QTest

from inspector.app import build_application
from inspector.gui.main_window import MainWindow
from tests.benchmarks.heartbeat import rest


def memory(what: str) -> float:
    """A figure of this process, MiB (Linux): ``VmRSS`` is its memory, ``VmHWM`` the peak of it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


class Painted(QObject):
    """Notes when the window has painted what there was to see."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._delivering = False
        self.since = time.perf_counter()
        self.times: dict[str, float] = {}
        window.installEventFilter(self)

    def begin(self) -> None:
        """Count from now on."""
        self.since = time.perf_counter()
        self.times = {}

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Deliver the painting of all the window ourselves, to know when it is over."""
        if self._delivering or event.type() != QEvent.Type.UpdateRequest:
            return False
        page = self._window.page
        there = []
        if page is not None and page.position.source is not None:
            if page.grid.text_at(0, 0) is not None:
                there.append("page")
            if page.heatmap.overview is not None:
                there.append("picture")
                if page.heatmap.overview.tile.exact:
                    there.append("exact")
        self._delivering = True
        watched.event(event)
        self._delivering = False
        for what in there:
            self.times.setdefault(what, round((time.perf_counter() - self.since) * 1e3, 1))
        return True


def click(window: MainWindow, name: str) -> None:
    """Click on a tensor's row, with the mouse."""
    view = window.tree.view
    rows = [view.rows.at(number) for number in range(len(view.rows))]
    number = next(n for n, row in enumerate(rows) if row.item is not None and row.item.name == name)
    middle = QPoint(60, view.rowViewportPosition(number) + 5)
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=middle)


def main(path: Path) -> None:
    """Click, and wait."""
    _, theme = build_application("system")
    window = MainWindow(theme)
    window.resize(1280, 800)
    window.show()
    rest(window)
    window.open_paths([path])
    rest(window)
    idle = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    painted = Painted(window)
    painted.begin()
    click(window, "w")
    rest(window)
    choice = window.tree.choice
    assert choice is not None
    assert choice.entry is not None
    assert choice.entry.name == "w"
    found = {**painted.times, "memory": round(memory("VmHWM") - idle, 1)}
    print(json.dumps(found), flush=True)
    window.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
