"""The rows about the window's bounds: how soon, how smoothly and in how much memory it shows."""

from __future__ import annotations

import json
import math
import subprocess
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from inspector.analysis.tiles import plan_tile, preview_tile
from inspector.gui.grid_page import read_page
from inspector.values.regions import Plane
from tests.benchmarks.measuring import best, never, process, row, stored

_HERE = Path(__file__).parent

#: Seconds after which another view is given up.
_PATIENCE = 120

#: By name, the side of a square of float32.
_SIZES = {"4 MB": 1024, "400 MB": 10_000, "4 GB": 32_768}


@dataclass(frozen=True, slots=True)
class _Shown:
    """What was measured of a tensor of one size and dtype: ms, of the memory MiB."""

    page: float
    picture: float
    memory: float
    read_page: float
    preview: float


def measure_choosing(folder: Path, times: int, *, quick: bool) -> None:
    """From the click on a tensor to what is seen of it, at all sizes."""
    sizes = {name: side for name, side in _SIZES.items() if name == "4 MB" or not quick}
    for dtype in ("float32", "bfloat16"):
        found: dict[str, _Shown] = {}
        for size, side in sizes.items():
            path = _written(folder, side, dtype)
            shown = found[size] = _show(path, min(times, 3))
            if dtype == "float32":
                _print_beside_others(path, size, shown)
            path.unlink()
        for size, shown in found.items():
            _print_growth(f"{size} {dtype}", shown, found["4 MB"], in_window=dtype != "float32")
        size, shown = list(found.items())[-1]
        nbytes = 4 * sizes[size] ** 2
        what = f"peak memory over the idle window with {size} {dtype} / the tensor"
        row(what, shown.memory, nbytes / 2**20, "< 381 MiB", "MiB")


def _written(folder: Path, side: int, dtype: str) -> Path:
    """A file of a small tensor and a large one, of real numbers, and in the page cache."""
    few = torch.randn(min(side, 1024), side)
    tensor = few.repeat(-(-side // len(few)), 1)[:side]
    if dtype == "float32":
        path = folder / "chosen.pt"
        torch.save({"a.small": torch.ones(3, 3), "w": tensor.clone()}, path)
        return path
    path = folder / "chosen.safetensors"
    half = tensor.bfloat16().repeat(2, 1)
    save_file({"a.small": torch.ones(3, 3), "w": half}, path)
    return path


def _show(path: Path, times: int) -> _Shown:
    runs = [json.loads(process(str(_HERE / "choosing.py"), str(path))) for _ in range(times)]
    source = stored(path, "w")
    plane = Plane.first(source.shape)
    rows, columns = plane.rows, plane.columns
    plan = plan_tile(rows, columns, (0, rows), (0, columns), (600, 400))
    shown = range(60), range(20)
    return _Shown(
        *(min(run[what] for run in runs) / 1e3 for what in ("page", "picture")),
        max(run["memory"] for run in runs),
        best(lambda: read_page(source, plane, *shown, "short")),
        best(lambda: preview_tile(source, plane, plan, check=never)),
    )


def _print_beside_others(path: Path, size: str, shown: _Shown) -> None:
    """Beside what is given the array, and need not read it."""
    for what, ours, name, other in (
        ("numbers", shown.page, "table", "QTableView"),
        ("picture", shown.picture, "image", "pyqtgraph.ImageItem"),
    ):
        theirs = _other(name, path)
        text = f"click on {size} float32 to painted {what} / {other} given the array"
        row(text, ours, theirs, "100 ms")


def _other(name: str, path: Path) -> float | None:
    """Seconds that another view takes; None if it fails or does not end."""
    try:
        printed = process(str(_HERE / "others.py"), name, str(path), timeout=_PATIENCE)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    return float(json.loads(printed)["shown"]) / 1e3


def _print_growth(what: str, shown: _Shown, smallest: _Shown, *, in_window: bool) -> None:
    """Beside the smallest: nothing may grow."""
    if in_window:
        row(f"click on {what} to painted numbers / of 4 MB", shown.page, smallest.page, "100 ms")
        row(
            f"click on {what} to painted picture / of 4 MB",
            shown.picture,
            smallest.picture,
            "150 ms",
        )
    if shown is not smallest:
        row(f"first page of {what}, read / of 4 MB", shown.read_page, smallest.read_page, "~ 1")
        row(f"sampled picture of {what} / of 4 MB", shown.preview, smallest.preview, "")


def measure_frames(folder: Path, times: int, *, quick: bool) -> None:
    """How smoothly both views scroll while a tensor is scanned. The best of several runs."""
    path = _written(folder, 8192 if quick else 16_384, "float32")
    size = f"{path.stat().st_size / 1e9:.1f} GB"
    found = [json.loads(process(str(_HERE / "frames.py"), str(path))) for _ in range(times)]
    path.unlink()
    runs = [sorted(each["times"]) for each in found]
    slowest = min(run[math.ceil(0.99 * len(run)) - 1] for run in runs) / 1e3
    what = f"99 % of frames while {size} are scanned and scrolled / one frame"
    row(what, slowest, 1 / 60, "16 ms")
    work = min(each["work"] for each in found) / 1e3
    row("the processor's time of the GUI thread for one move / one frame", work, 1 / 60, "8 ms")
