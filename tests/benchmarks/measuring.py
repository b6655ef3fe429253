"""How a row of the table is measured and printed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from inspector.checkpoints import open_checkpoint
from inspector.checkpoints.model import TensorEntry
from inspector.values.tensors import TensorSource, tensor_source


def never() -> None:
    """A check that never cancels."""


def ignore(_: object) -> None:
    """Progress and partial results that nobody looks at."""


def best(work: Callable[[], object], times: int = 5) -> float:
    """Seconds of the fastest of several runs."""
    taken = []
    for _ in range(times):
        since = time.perf_counter()
        work()
        taken.append(time.perf_counter() - since)
    return min(taken)


def process(*command: str, timeout: float | None = None) -> str:
    """Run Python to its end, or for so many seconds; what it printed."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    found = subprocess.run(
        [sys.executable, *command],
        env=environment,
        capture_output=True,
        check=True,
        text=True,
        timeout=timeout,
    )
    return found.stdout


def row(what: str, ours: float, reference: float | None, aim: str, unit: str = "ms") -> None:
    """Print one line of the table; seconds are shown in milliseconds.

    A reference of None did not get to an end.
    """
    scale = 1e3 if unit == "ms" else 1
    if reference is None:
        print(f"| {what} | {ours * scale:,.1f} {unit} | fails | | {aim} |", flush=True)
        return
    values = f"{ours * scale:,.1f} {unit} | {reference * scale:,.1f} {unit}"
    print(f"| {what} | {values} | {ours / reference:.2f} | {aim} |", flush=True)


def stored(path: Path, name: str) -> TensorSource:
    """A tensor of a file behind the door."""
    entry = open_checkpoint(path).find(name)
    assert isinstance(entry, TensorEntry)
    return tensor_source(entry)
