"""How much memory the window may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from inspector.gui.settings import USUAL_MEMORY

#: Bytes that reading, counting and drawing may take at their worst, whatever the tensor.
_WORKING: Final = 300_000_000


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """How much memory the window may take beyond that of the empty one.

    What work needs at a time does not grow with the tensor, and has its fixed part of it. The rest
    is for pictures that were made, so that what was seen before is there at once.

    Attributes
    ----------
    most
        Bytes.
    """

    most: int = USUAL_MEMORY

    @property
    def pictures(self) -> int:
        """Bytes of pictures that are kept, at most."""
        return max(0, self.most - _WORKING)
