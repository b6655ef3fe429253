"""What the export tests share."""

from __future__ import annotations

from inspector.checkpoints.errors import Cancelled
from inspector.values.arrays import Array, InMemoryArray
from inspector.values.dtypes import DTYPES
from inspector.values.regions import Region


class RawArray(InMemoryArray):
    """Stored patterns of any of torch's dtypes behind the door, as a file has them."""

    def __init__(self, raw: Array, dtype: str) -> None:
        self._array = raw
        self._dtype = DTYPES[dtype]

    def read(self, region: Region) -> Array:
        return self._dtype.widen(self.read_raw(region))


class CancelAfter:
    """A check that gives up after some calls."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self) -> None:
        if self.left == 0:
            raise Cancelled
        self.left -= 1
