"""Several readers of a stream that only goes forward, such as what a deflated file inflates to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Generic, Protocol, TypeVar

#: Positions that are kept, at most: of statistics, picture, values, and one more.
MOST: Final = 4


class Position(Protocol):
    """A place in a stream from where reading goes on."""

    position: int


P = TypeVar("P", bound=Position)

Nearest = Callable[[int], tuple[int, Callable[[], P]]]


class Positions(Generic[P]):
    """A few positions in one stream, so that each of several readers goes forward on its own.

    With one position for all, statistics and a picture of the same tensor would send it back and
    forth, and each step of either would take what lies between them. Whoever reads has a position
    for itself meanwhile: nobody waits for another but when all are taken.

    Parameters
    ----------
    most
        Positions at a time.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most: Final = most
        #: Those that nobody reads from, the one that was used last at the end.
        self._idle: Final[list[P]] = []
        self._taken = 0
        self._changed: Final = threading.Condition()

    @contextmanager
    def before(self, offset: int, nearest: Nearest[P]) -> Iterator[P]:
        """A position at or before an offset, for the caller alone until it leaves.

        It is kept for the next reader, unless an error is raised meanwhile.

        Parameters
        ----------
        nearest
            Gives the last place at or before an offset from where one can begin, and what makes a
            position there. Called under a lock.
        """
        position = self._take(offset, nearest)
        kept = False
        try:
            yield position
            kept = True
        finally:
            with self._changed:
                self._taken -= 1
                if kept:
                    self._idle.append(position)
                self._changed.notify()

    def _take(self, offset: int, nearest: Nearest[P]) -> P:
        with self._changed:
            while True:
                start, begin = nearest(offset)
                fitting = [one for one in self._idle if start <= one.position <= offset]
                if fitting:
                    found = max(fitting, key=lambda one: one.position)
                    self._idle.remove(found)
                    break
                if self._taken < self._most:
                    found = begin()
                    if len(self._idle) + self._taken == self._most:
                        del self._idle[0]
                    break
                self._changed.wait()
            self._taken += 1
            return found
