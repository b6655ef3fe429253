"""A script: how long frames take while a tensor is scanned and both views are scrolled.

``python frames.py FILE`` opens the window on a file's ``w``, and while its picture is made and its
statistics are counted, a page is turned in the values and the picture is dragged on, sixty times a
second, by keys and by the mouse. A frame's time is that from the moment in which a screen would ask
for it until all of the window is painted; where the window was held for longer, each frame that a
screen would have asked for meanwhile counts. It prints one line of JSON: of each frame the
milliseconds, and those of the processor's time that the GUI thread takes for a move and all that
follows from it. ``python frames.py FILE 1920x1080`` does so in a window of another size.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path

# The program's own modules come from the tree above, whatever the working directory.
sys.path.insert(0, str(Path(__file__).parents[2]))

from PySide6.QtCore import QEvent, QEventLoop, QObject, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget

from inspector.app import build_application
from inspector.gui.main_window import MainWindow

#: Seconds between two frames, and for how long they are measured at the most.
PERIOD = 1 / 60
LONGEST = 8.0


class Screen(QObject):
    """Moves both views sixty times a second, and notes when that is painted."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        page = window.page
        assert page is not None
        self._window, self._page = window, page
        self._plot = page.heatmap.plot.viewport()
        self._delivering = False
        self._at = QPointF(self._plot.rect().center())
        self._started = time.perf_counter()
        self._next = 1
        self._due: float | None = None
        self._moves = 0
        self.times: list[float] = []
        #: Milliseconds of the processor for a move.
        self.work = 0.0
        self._loop = QEventLoop()
        self._timer = QTimer(self, singleShot=True, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        window.installEventFilter(self)

    def run(self) -> None:
        """Scroll for as long as the exact picture is made or the statistics are counted."""
        zoom = QWheelEvent(
            self._at,
            QPointF(self._plot.mapToGlobal(self._at.toPoint())),
            QPoint(),
            QPoint(0, 1200),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(self._plot, zoom)
        self._mouse(QEvent.Type.MouseButtonPress)
        self._started = time.perf_counter()
        self._timer.start(0)
        began = time.thread_time()
        self._loop.exec()
        self.work = (time.thread_time() - began) * 1e3 / max(1, self._moves)
        self._mouse(QEvent.Type.MouseButtonRelease)

    def _tick(self) -> None:
        now = time.perf_counter()
        running = map(self._window.runner.is_running, ("overview", "statistics"))
        if now - self._started > LONGEST or not any(running):
            self._loop.quit()
            return
        self._due = self._started + self._next * PERIOD
        if now < self._due:
            self._timer.start(max(1, round((self._due - now) * 1e3)))
            return
        self._moves += 1
        down = self._next // 200 % 2 == 0
        key = Qt.Key.Key_PageDown if down else Qt.Key.Key_PageUp
        press = QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(self._page.grid, press)
        angle = self._next / 20
        self._at += QPointF(6 * math.cos(angle), 6 * math.sin(angle))
        self._mouse(QEvent.Type.MouseMove)

    def _mouse(self, kind: QEvent.Type) -> None:
        left = Qt.MouseButton.LeftButton
        moves = kind == QEvent.Type.MouseMove
        event = QMouseEvent(
            kind,
            self._at,
            QPointF(self._plot.mapToGlobal(self._at.toPoint())),
            Qt.MouseButton.NoButton if moves else left,
            Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else left,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(self._plot, event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Deliver the painting of all the window ourselves, to know when it is over."""
        if self._delivering or event.type() != QEvent.Type.UpdateRequest:
            return False
        self._delivering = True
        watched.event(event)
        self._delivering = False
        now = time.perf_counter()
        due = self._due
        if due is not None and due <= now and not self._timer.isActive():
            while (due := self._started + self._next * PERIOD) <= now:
                self.times.append(round((now - due) * 1e3, 2))
                self._next += 1
            self._timer.start(max(1, round((due - now) * 1e3)))
        return True


def wait_until_counting(window: MainWindow) -> None:
    """Run the event loop until there is a picture and the statistics are being counted.

    What is loaded for it is loaded by then: how long that holds the window is the heartbeat's
    matter.
    """
    loop = QEventLoop()

    def look() -> None:
        page = window.page
        overview = page.heatmap.overview if page is not None else None
        shares = [each.share for each in window.runner.activities if each.key == "statistics"]
        if overview is not None and shares and shares[0] > 0:
            loop.quit()

    timer = QTimer(interval=5)
    timer.timeout.connect(look)
    timer.start()
    loop.exec()


def main(path: Path, size: str = "1280x800") -> None:
    """Open, scroll, and tell."""
    _, theme = build_application("system")
    window = MainWindow(theme)
    window.resize(*map(int, size.split("x")))
    window.show()
    window.open_paths([path], "w")
    wait_until_counting(window)
    assert isinstance(window, QWidget)
    screen = Screen(window)
    screen.run()
    print(json.dumps({"times": screen.times, "work": round(screen.work, 2)}), flush=True)
    window.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
