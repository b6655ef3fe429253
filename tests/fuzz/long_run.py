"""Several workers for hours, and what they found."""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

from .cases import Case
from .findings import keep_finding, key_of
from .worker import NOW, work

#: Fresh processes, which have not imported what the parent has.
_CONTEXT: Final = multiprocessing.get_context("spawn")

#: Seconds between two lines on the screen.
_SCREEN: Final = 30.0

#: Seconds of silence after which a worker is taken for dead: more than `target` gives a run.
_SILENCE: Final = 120.0


def say(text: str) -> None:
    """A line on the screen, at once."""
    print(text, flush=True)  # noqa: T201 - this is a program for the command line


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    folder: Path
    #: When it last said something, on the clock.
    heard: float

    def end(self) -> int | None:
        """Its exit status; negative for the signal that ended it."""
        self.process.join(1)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        return self.process.exitcode


class Run:
    """Several workers, and what they found.

    A worker is a process of its own, so that a crash of the interpreter is a finding like others.
    """

    def __init__(self, cases: list[Case], work: Path, findings: Path, seed: int) -> None:
        self.cases = cases
        self.work = work
        self.findings = findings
        self.seed = seed
        self.workers: dict[Connection, _Worker] = {}
        self.started = 0
        self.runs = 0
        self.opened = 0
        self.known: set[str] = set()

    def go(self, jobs: int, end: float) -> int:
        """Keep so many workers at it until the time on the clock. Returns the exit status."""
        began = shown = time.monotonic()
        try:
            while time.monotonic() < end:
                while len(self.workers) < jobs:
                    self._start()
                self._listen()
                if time.monotonic() - shown > _SCREEN:
                    shown = time.monotonic()
                    self._show(shown - began)
        except KeyboardInterrupt:
            say("given up")
        finally:
            for worker in self.workers.values():
                worker.end()
        self._show(time.monotonic() - began)
        return 1 if self.known else 0

    def _start(self) -> None:
        self.started += 1
        here, there = _CONTEXT.Pipe(duplex=False)
        folder = self.work / f"worker-{self.started}"
        process = _CONTEXT.Process(
            target=work, args=(self.cases, folder, self.seed + self.started, there), daemon=True
        )
        process.start()
        there.close()
        self.workers[here] = _Worker(process, folder, time.monotonic())

    def _listen(self) -> None:
        for pipe in wait_for(list(self.workers), 1):
            assert isinstance(pipe, Connection)
            worker = self.workers[pipe]
            try:
                self._take(pipe.recv())
                worker.heard = time.monotonic()
            except EOFError:
                del self.workers[pipe]
                self._died(worker, "the process died")
        for pipe, worker in list(self.workers.items()):
            if time.monotonic() - worker.heard > _SILENCE:
                del self.workers[pipe]
                self._died(worker, "the process went silent")

    def _show(self, seconds: float) -> None:
        share = 100 * self.opened // max(1, self.runs)
        say(
            f"{seconds:,.0f} s: {self.runs:,} files ({self.runs / seconds:,.0f} a second, "
            f"{share} % of them opened), {len(self.known)} findings"
        )

    def _take(self, message: tuple[int, int, Case | None, str]) -> None:
        runs, opened, case, complaint = message
        self.runs += runs
        self.opened += opened
        if case is not None:
            self._keep(case, complaint)

    def _died(self, worker: _Worker, how: str) -> None:
        """The files that a worker was at when it died are what killed it."""
        how = f"{how}, with exit status {worker.end()}"
        now = worker.folder / NOW
        if not now.exists():
            raise RuntimeError(f"A worker did not get to its first file: {how}.")
        kind, opened = now.read_text().split("\n", 1)
        it = worker.folder / "it"
        self._keep(Case.read(kind, it, it / opened), how)

    def _keep(self, case: Case, complaint: str) -> None:
        key = key_of(case, complaint)
        if key in self.known:
            return
        self.known.add(key)
        folder = keep_finding(self.findings, case, complaint)
        say(f"FOUND {case.format}: {complaint[:300]}\n      {folder}")
