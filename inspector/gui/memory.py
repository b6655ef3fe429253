"""How much memory the window may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QSettings

#: Bytes that reading, counting and drawing may take at their worst, whatever the tensor.
_WORKING: Final = 300_000_000

_KEY: Final = "memory/bytes"


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

    most: int = 400_000_000

    @property
    def pictures(self) -> int:
        """Bytes of pictures that are kept, at most."""
        return max(0, self.most - _WORKING)


def kept_budget(settings: QSettings | None) -> MemoryBudget:
    """What was allowed last; else, or without settings, what is usual."""
    usual = MemoryBudget()
    if settings is None:
        return usual
    kept = str(settings.value(_KEY, ""))
    return MemoryBudget(int(kept)) if kept.isdecimal() else usual


def keep_budget(settings: QSettings, budget: MemoryBudget) -> None:
    """Remember what is allowed."""
    settings.setValue(_KEY, str(budget.most))  # beyond the integers of some platforms' settings
