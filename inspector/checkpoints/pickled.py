"""Bytes that a pickle holds among its opcodes."""

from __future__ import annotations

from typing import Final

from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.sources import MemoryBytes


class PickledBytes(MemoryBytes):
    """Bytes that were taken from a pickle. A `ByteSource`.

    Parameters
    ----------
    pickle
        What the pickle was read from; it, or several of them, begin at byte 0.
    """

    def __init__(self, data: bytes, pickle: ByteSource) -> None:
        super().__init__(data)
        self.pickle: Final = pickle

    @property
    def below(self) -> tuple[ByteSource]:
        """What the pickle was read from."""
        return (self.pickle,)
