"""One process of a long run, which mutates and examines until it is killed."""

from __future__ import annotations

import shutil
import time
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Final

from .cases import Case
from .findings import examine_case, key_of, make_smaller
from .target import examine

#: Seconds between two reports.
_REPORT: Final = 2.0

#: Bytes of address space, so that a file that fills the memory ends this process only.
_ADDRESS_SPACE: Final = 8 << 30

#: The name of the file, beside the folder of the case under examination, that describes it.
NOW: Final = "now.txt"


def work(cases: list[Case], folder: Path, seed: int, pipe: Connection) -> None:
    """Mutate and examine until killed."""
    _limit_memory()
    folder.mkdir()
    it = folder / "it"
    for case in cases:
        examine(case.write(it), it)
        shutil.rmtree(it)
    others = tuple({content for case in cases for content in case.files.values()})
    rng = Random(seed)
    known: set[str] = set()
    runs = opened = 0
    said = time.monotonic()
    while True:
        case = rng.choice(cases).mutated(rng, others)
        (folder / NOW).write_text(f"{case.format}\n{case.opened}")
        outcome = examine_case(case, it)
        runs += 1
        opened += bool(outcome.format)
        if outcome.complaint and (key := key_of(case, outcome.complaint)) not in known:
            known.add(key)
            small, complaint = make_smaller(case, outcome.complaint, it)
            pipe.send((0, 0, small, complaint))
        if time.monotonic() - said > _REPORT:
            said = time.monotonic()
            pipe.send((runs, opened, None, ""))
            runs = opened = 0


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
