"""Whether a pass goes over its blocks in compiled loops, or by one NumPy function after another.

Both give the same counts and extremes, bit for bit, and sums within the same bounds.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Final

import numpy as np

from inspector.analysis.turns import wait_for_a_pause
from inspector.checkpoints.collection import collection_paused

#: Elements from which on loops are compiled. NumPy is through with fewer in the time that it takes
#: to load the compiler, and what it compiled the last time.
WORTHWHILE = 1 << 26

#: Bytes a block in compiled loops: so many that a thread leaves Python alone for 100 us or more.
BYTES: Final = 1 << 22

#: Seconds for which loading waits for a pause at most: it takes half of Python for half a second.
_PATIENCE = 1.0


def kernels_for(numel: int) -> ModuleType | None:
    """The module `kernels` for a pass over so many elements; None where NumPy does it.

    Which of the two it is depends on nothing else, so that the same tensor gives the same digits
    each time. Takes half a second when it is first called for a large pass: on any thread but the
    window's.
    """
    return _kernels() if numel >= WORTHWHILE else None


@cache
def _kernels() -> ModuleType | None:
    wait_for_a_pause(_PATIENCE)
    try:
        with collection_paused():
            from inspector.analysis import kernels

            kernels.ends(np.ones(1, np.float32))  # most of the loading is done by the first call
    except Exception:  # noqa: BLE001 - not there, or not for this NumPy, Python or machine
        return None
    return kernels
