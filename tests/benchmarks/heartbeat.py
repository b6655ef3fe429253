"""A script: the longest time that the window keeps its event loop waiting, in a process of its own.

``python heartbeat.py FILE TARGET`` opens the window, then the file; chooses its tensors in turn;
and exports one to TARGET. A timer beats all the while. It prints one line of JSON: the longest gap
between two beats, in milliseconds, for each of these stages.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import traceback
from pathlib import Path

# The program's own modules come from the tree above, whatever the working directory.
sys.path.insert(0, str(Path(__file__).parents[2]))

from PySide6.QtCore import QEventLoop, QTimer

from inspector.app import build_application
from inspector.gui.export_dialog import ExportDialog
from inspector.gui.main_window import MainWindow

#: Milliseconds for which nothing may run before a stage is over.
_QUIET = 400

#: Seconds without a beat after which `--where` prints what the thread is doing.
_LATE = 0.025


class Heart:
    """Beats in the event loop, and remembers the longest pause."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.last = time.perf_counter()
        self._timer = QTimer()
        self._timer.timeout.connect(self.beat)
        self._timer.start(1)

    def beat(self) -> None:
        """One beat."""
        now = time.perf_counter()
        self.longest = max(self.longest, now - self.last)
        self.last = now

    def take(self) -> float:
        """The longest pause since the last call, milliseconds."""
        longest, self.longest = self.longest, 0.0
        return round(longest * 1e3, 1)


def rest(window: MainWindow) -> None:
    """Run the event loop until nothing has run for a while."""
    loop, quiet = QEventLoop(), QTimer(singleShot=True, interval=_QUIET)
    quiet.timeout.connect(loop.quit)

    def restart() -> None:
        quiet.stop()
        if window.runner.is_idle:
            quiet.start()

    window.runner.changed.connect(restart)
    restart()
    loop.exec()
    window.runner.changed.disconnect(restart)


def watch(heart: Heart) -> None:
    """Print what the GUI thread does whenever a beat is late."""
    main = threading.main_thread().ident
    assert main is not None
    while True:
        time.sleep(0.004)
        late = time.perf_counter() - heart.last
        if late > _LATE:
            lines = traceback.format_stack(sys._current_frames()[main])[-6:]
            print(f"--- late by {late * 1e3:.0f} ms\n{''.join(lines)}", file=sys.stderr)


def main(path: Path, target: Path) -> None:
    """Go through the stages."""
    _, theme = build_application("system")
    window = MainWindow(theme)
    window.resize(1280, 800)
    window.show()
    heart = Heart()
    if "--where" in sys.argv:
        threading.Thread(target=watch, args=(heart,), daemon=True).start()
    stages = {}
    rest(window)
    stages["start"] = heart.take()
    window.open_paths([path])
    rest(window)
    stages["open"] = heart.take()
    file = window.files[0]
    assert file.checkpoint is not None
    for entry in file.checkpoint.entries:
        window.tree.select(file.number, entry.name)
        rest(window)
    stages["choose"] = heart.take()
    # With the dialog, but not with a window system's own for the choice of a file.
    window.chosen.export()
    dialog = window.findChild(ExportDialog)
    dialog.set_target(target)
    rest(window)
    dialog.accept()
    rest(window)
    stages["export"] = heart.take()
    assert target.stat().st_size > 0
    print(json.dumps(stages), flush=True)
    window.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
