"""A script: what it takes to look at a tensor in the window, and what is shown then, as JSON.

``python peak_memory.py FILE`` chooses a file's ``small``, then its ``w``. It prints what is said of
the latter, and the peak of the process's memory over that before it was chosen, bytes (Linux).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

# The program's own modules come from the tree above, whatever the working directory.
sys.path.insert(0, str(Path(__file__).parents[2]))

from inspector.app import build_application
from inspector.gui.main_window import MainWindow
from tests.benchmarks.heartbeat import rest


def memory(what: str) -> int:
    """A figure of this process, bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) * 1024


def main(path: Path) -> None:
    """Choose one after the other."""
    _, theme = build_application("light")
    window = MainWindow(theme)
    window.show()
    window.open_paths([path], "small")
    rest(window)
    idle = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    window.open_paths([path], "w")
    rest(window)
    page = window.page
    assert page is not None
    found, overview = page.statistics.statistics, page.heatmap.overview
    assert found is not None
    assert overview is not None
    page.position.go_to((12_345, 6_789))
    rest(window)
    said = {
        "text": page.grid.text_at(12_345, 6_789),
        "exact": overview.tile.exact,
        "brightest": float(overview.tile.values.max()),
        "marked": int((overview.tile.marks != 0).sum()),
        "figures": [found.count, found.zeros, found.nan, found.maximum, found.maximum_at],
        "quantiles": page.statistics.quantiles,
    }
    sys.stdout.write(json.dumps({"peak": memory("VmHWM") - idle, **said}))
    window.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
