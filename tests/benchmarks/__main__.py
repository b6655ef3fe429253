"""``python -m tests.benchmarks [--quick] [--dir FOLDER]``: a table in Markdown."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from inspector.checkpoints import open_checkpoint

START = Path(__file__).parent / "start.py"


def best(work: Callable[[], object], times: int = 5) -> float:
    """Seconds of the fastest of several runs."""
    taken = []
    for _ in range(times):
        since = time.perf_counter()
        work()
        taken.append(time.perf_counter() - since)
    return min(taken)


def process(*command: str) -> None:
    """Run Python to its end."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    subprocess.run([sys.executable, *command], env=environment, capture_output=True, check=True)


def row(what: str, ours: float, reference: float, aim: str) -> None:
    """Print one line of the table."""
    times = f"{ours * 1e3:.1f} ms | {reference * 1e3:.1f} ms"
    print(f"| {what} | {times} | {ours / reference:.2f} | {aim} |", flush=True)


def measure(folder: Path, *, quick: bool) -> None:
    """Every row."""
    times = 2 if quick else 5
    print("| what | ours | reference | ratio | aim |\n| --- | --- | --- | --- | --- |")
    small, large = folder / "small.pt", folder / "large.pt"
    torch.save({f"a{n // 10}.w{n % 10}": torch.ones(2) for n in range(1000)}, small)
    ours = best(lambda: process(str(START), str(small)), times)
    row(
        "window, 1,000 tensors / import torch",
        ours,
        best(lambda: process("-c", "import torch"), times),
        "<= 0.5",
    )
    count = 5_000 if quick else 50_000
    torch.save({f"a{n // 10}.w{n % 10}": torch.ones(2) for n in range(count)}, large)
    ours = best(lambda: open_checkpoint(large).close(), times)
    load = best(lambda: torch.load(large, mmap=True, weights_only=True), times)
    row(f"listing {count:,} tensors / torch.load(mmap)", ours, load, "<= 0.25")


def main() -> None:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--dir", type=Path, help="where the files go for the time being")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        measure(Path(folder), quick=options.quick)


if __name__ == "__main__":
    main()
