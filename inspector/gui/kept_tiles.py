"""Pictures that were made are kept, so that what was seen before is there at once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from inspector.analysis.tiles import Reduction, Tile, TilePlan
from inspector.values.regions import Plane


class KeptTiles:
    """Exact pictures of planes of files' tensors; those looked at last are kept.

    May be used from any thread.

    Parameters
    ----------
    limit
        Bytes of all of them together.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._nbytes = 0
        self._tiles: OrderedDict[Hashable, Tile] = OrderedDict()
        self._lock: Final = threading.Lock()

    @property
    def nbytes(self) -> int:
        """What they take at the moment."""
        return self._nbytes

    def set_limit(self, limit: int) -> None:
        """Allow another number of bytes; what is beyond it is given up."""
        with self._lock:
            self._limit = limit
            self._shrink()

    def find(
        self, identity: Hashable, plane: Plane, plan: TilePlan, reduction: Reduction
    ) -> Tile | None:
        """The picture that was made before of the numbers of an `identity_of`."""
        key = (identity, plane, plan, reduction)
        with self._lock:
            found = self._tiles.get(key)
            if found is not None:
                self._tiles.move_to_end(key)
            return found

    def keep(self, identity: Hashable, plane: Plane, reduction: Reduction, tile: Tile) -> None:
        """Remember an exact picture, if its numbers are going to stay the same.

        The identity is that from before the first of them was read.
        """
        if identity is None:
            return
        key = (identity, plane, tile.plan, reduction)
        with self._lock:
            before = self._tiles.pop(key, None)
            self._nbytes += _size(tile) - (0 if before is None else _size(before))
            self._tiles[key] = tile
            self._shrink()

    def _shrink(self) -> None:
        while self._nbytes > self._limit:
            self._nbytes -= _size(self._tiles.popitem(last=False)[1])


def _size(tile: Tile) -> int:
    return tile.values.nbytes + tile.marks.nbytes
