"""How many threads work on passes at a time, however many passes there are."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from types import TracebackType
from typing import Final

#: Where a process may be kept to some of the machine's cores: asks for these.
_affinity = getattr(os, "sched_getaffinity", None)

#: Cores that this process may use.
CORES: Final = (len(_affinity(0)) if _affinity is not None else os.cpu_count()) or 1

#: Seconds for which a core is left to somebody who has just done something, and seconds between
#: two looks at whether that is over.
_COURTESY: Final = 0.3
_LOOK: Final = 0.05


class _Places:
    """As many as there are cores, or one less while somebody uses the window.

    A thread takes one for each block. Were there more, a thread that has Python would be sent off
    in favour of another, and the window would wait for it; and without a core that is free, each
    thing that the window waits for begins some milliseconds late.
    """

    def __init__(self, cores: int) -> None:
        self._cores = cores
        self._taken = 0
        self._spared_until = -1.0
        self._lock = threading.Lock()
        #: Those who wait, in the order in which they came: else a pass that begins another block
        #: as soon as it is through with one would have its place again before anybody wakes.
        self._waiting: deque[threading.Condition] = deque()

    def leave_a_core(self) -> None:
        """Leave a core to the window for a moment."""
        self._spared_until = time.monotonic() + _COURTESY

    def wait_for_a_pause(self, longest: float) -> None:
        """Wait until nobody has done anything for a moment, or for so many seconds."""
        ends = time.monotonic() + longest
        while self._is_spared and time.monotonic() < ends:
            time.sleep(_LOOK)

    @property
    def _is_spared(self) -> bool:
        return time.monotonic() < self._spared_until

    @property
    def _most(self) -> int:
        return max(1, self._cores - self._is_spared)

    def __enter__(self) -> None:
        with self._lock:
            if self._waiting or self._taken >= self._most:
                self._wait()
            self._taken += 1

    def _wait(self) -> None:
        """Wait for a place, behind all who wait already."""
        turn = threading.Condition(self._lock)
        self._waiting.append(turn)
        try:
            while self._waiting[0] is not turn or self._taken >= self._most:
                turn.wait(_LOOK)
        finally:
            self._waiting.remove(turn)
            self._call_next()

    def _call_next(self) -> None:
        if self._waiting:
            self._waiting[0].notify()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._taken -= 1
            self._call_next()


#: Held while a thread works on a block of a pass.
at_work: Final = _Places(CORES)

#: To be called, on any thread, whenever somebody does something in the window.
leave_a_core: Final = at_work.leave_a_core

#: For work that leaves the window little of Python, and can wait.
wait_for_a_pause: Final = at_work.wait_for_a_pause
