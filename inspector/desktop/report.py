"""What was done to the desktop, in words."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inspector.checkpoints.errors import InspectorError

_WORDS: Final[dict[int, tuple[str, str]]] = {
    errno.ENOSPC: ("the disk is full", "Free some space, and try again."),
    errno.EDQUOT: ("your disk quota is used up", "Free some space, and try again."),
    errno.EACCES: ("you may not write there", "Check whose folder it is."),
    errno.EPERM: ("you may not write there", "Check whose folder it is."),
    errno.EROFS: ("the disk is read-only", "Associations need a home folder that can be changed."),
    errno.EEXIST: ("a file is in the way of a folder", "Move it elsewhere, and try again."),
    errno.ENOTDIR: ("a file is in the way of a folder", "Move it elsewhere, and try again."),
}


@dataclass(frozen=True, slots=True)
class Report:
    """What was done, a sentence each.

    Attributes
    ----------
    done
        What was done, or found done already.
    undone
        What could not be done though it is needed, and what helps. All else was done.
    """

    done: tuple[str, ...]
    undone: tuple[str, ...] = ()


def failure(path: Path, error: OSError) -> InspectorError:
    """What the operating system refused, in words."""
    why, advice = _WORDS.get(error.errno or 0, (error.strerror or str(error), ""))
    return InspectorError(f"{path} cannot be changed: {why}.", advice=advice)
