"""Whether a pass goes over its blocks in compiled loops, or by one NumPy function after another.

Both give the same counts and extremes, bit for bit, and sums within the same bounds.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

#: Elements from which on loops are compiled. NumPy is through with fewer in the time that it takes
#: to load the compiler, and what it compiled the last time.
WORTHWHILE = 1 << 26


def kernels_for(numel: int) -> ModuleType | None:
    """The module `kernels` for a pass over so many elements; None where NumPy does it.

    Which of the two it is depends on nothing else, so that the same tensor gives the same digits
    each time. Takes half a second when it is first called for a large pass: on any thread but the
    window's.
    """
    return _kernels() if numel >= WORTHWHILE else None


@cache
def _kernels() -> ModuleType | None:
    try:
        from inspector.analysis import kernels
    except ImportError:  # numba is not there, or not for this NumPy or this Python
        return None
    return kernels
