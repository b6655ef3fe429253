"""The long run: ``python -m tests.fuzz --hours 8``.

What is found is kept as a small file beside a text that says what it is and how to see it again.
The exit status is 1 if anything was found.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from .cases import seed_cases
from .long_run import Run, say
from .target import examine


def main(arguments: list[str] | None = None) -> int:
    """Run, and report on the screen."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="only examine these files or folders")
    parser.add_argument("--hours", type=float, default=0.05)
    parser.add_argument("--format", action="append", default=[], help="one of several; all if none")
    parser.add_argument("--seed", type=int, default=None, help="of the random numbers")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--findings", type=Path, default=Path(tempfile.gettempdir()) / "tensor-inspector-findings"
    )
    parser.add_argument(
        "--atheris", action="store_true", help="guided by coverage; needs the package atheris"
    )
    options = parser.parse_args(arguments)
    if options.files:
        return _examine_files(options.files)
    seed = options.seed if options.seed is not None else time.time_ns() % 10**9
    with tempfile.TemporaryDirectory(prefix="fuzz-") as work:
        cases = seed_cases(Path(work) / "seeds", tuple(options.format))
        say(f"{len(cases)} seeds, --seed {seed}, findings go to {options.findings}")
        if options.atheris:
            from .guided import run_guided

            return run_guided(cases, Path(work), options.hours, seed, options.findings)
        run = Run(cases, Path(work), options.findings, seed)
        return run.go(options.jobs, time.monotonic() + 3600 * options.hours)


def _examine_files(paths: list[Path]) -> int:
    found = 0
    for path in paths:
        examine(path)  # the first time loads what is needed
        outcome = examine(path)
        found += bool(outcome.complaint)
        say(
            f"{path}: {outcome.complaint or 'no complaint'}; "
            f"{outcome.format or outcome.refusal}; {outcome.seconds:.2f} s, {outcome.peak:,} bytes"
        )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
