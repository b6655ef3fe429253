"""What a piece of the program does to the machine, seen by Python's own audit events.

The interpreter reports every file that is opened, every import, ``exec``, ``os.system``,
subprocess, socket, ``ctypes`` and unpickling, from C code too, before it happens. Reading a
checkpoint needs one of them: opening the file itself.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

#: Events that change nothing and reach nothing.
_HARMLESS: Final = frozenset({"builtins.id", "object.__getattr__", "sys._getframe", "time.sleep"})

#: Events whose first argument is a path.
_LOOKS: Final = frozenset({"open", "os.listdir", "os.scandir"})

#: Of what one run did, at most.
_MAX_REPORTED: Final = 20


class _Watched:
    """A run that is being watched, in one thread."""

    def __init__(self, folder: Path) -> None:
        self.thread: Final = threading.get_ident()
        self.folder: Final = os.path.realpath(folder)
        self.seen: Final[list[str]] = []

    def report(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _LOOKS and self._is_own(arguments):
            return
        if len(self.seen) < _MAX_REPORTED:
            self.seen.append(f"{event}{tuple(repr(value)[:120] for value in arguments[:3])}")

    def _is_own(self, arguments: tuple[Any, ...]) -> bool:
        """Whether this only reads something in the checkpoint's own folder."""
        path = arguments[0]
        if not isinstance(path, str | bytes | os.PathLike):
            # A number: what is open already, by ``open(fd)`` or ``FileIO(fd)``.
            return isinstance(path, int)
        if len(arguments) == 3 and int(arguments[2]) & (
            os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        ):
            return False
        real = os.path.realpath(os.fsdecode(path))
        return real == self.folder or real.startswith(self.folder + os.sep)


# A hook can not be taken away again, so there is one, which mostly looks at this and returns.
_watched: _Watched | None = None
_installed = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    watched = _watched
    if watched is not None and event not in _HARMLESS and threading.get_ident() == watched.thread:
        watched.report(event, arguments)


@contextmanager
def watched(folder: Path) -> Iterator[list[str]]:
    """Collect what this thread does within the block, but for reading files in ``folder``.

    Yields
    ------
    list of str
        Grows as things happen; empty if all is well.
    """
    global _installed, _watched
    if not _installed:
        sys.addaudithook(_hook)
        _installed = True
    assert _watched is None, "one run is watched at a time"
    mine = _Watched(folder)
    _watched = mine
    try:
        yield mine.seen
    finally:
        _watched = None
