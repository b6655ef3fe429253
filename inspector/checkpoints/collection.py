"""Python's collector of cyclic garbage, kept from looking at what is only just being made."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_kept = False
_paused = 0
_pause_lock = threading.Lock()


@contextmanager
def collection_paused() -> Iterator[None]:
    """Keep the collector from looking at a million new objects again and again.

    It takes a third of the time of a large listing, and finds nothing; and while it looks, no
    thread has Python. Counted, because several threads may want that at once; the last one
    switches it on again, if it was on.
    """
    global _paused
    with _pause_lock:
        if _paused or gc.isenabled():
            _paused += 1
            counted = True
            gc.disable()
        else:
            counted = False
    try:
        yield
    finally:
        if counted:
            with _pause_lock:
                _paused -= 1
                if not _paused:
                    _let_grow_old()
                    gc.enable()


def keep_for_good() -> None:
    """Have the collector never look again at any object that there is.

    A full collection looks at every object and stops every thread: 0.1 s for 100,000 tensors. What
    is garbage by now, in cycles, stays too.
    """
    global _kept
    _kept = True
    gc.freeze()


def _let_grow_old() -> None:
    """Count the new objects among the old ones, as they would be after some collections.

    Else the collector looks at all of them at once, on the next occasion.
    """
    # How many were frozen is found by counting them all, so that is asked only where another
    # part of the program may have done so.
    if not _kept and not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()
