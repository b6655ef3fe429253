"""Targets that are refused before anything is written."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from inspector.checkpoints.errors import ExportError
from inspector.export.names import REFUSED, is_device


def check_target(
    target: Path, protected: Collection[Path] = (), *, windows: bool = os.name == "nt"
) -> None:
    """Refuse a name that the system cannot have, and a file that must not be lost.

    Parameters
    ----------
    protected
        Files that must not be overwritten, also by another name (a symbolic or hard link).
    windows
        Whether the names are those of Windows.

    Raises
    ------
    ExportError
        Saying why and what helps.
    """
    why = _wrong_name(target, windows)
    if why:
        raise ExportError(f"{target} cannot be written: {why}.", advice="Choose another name.")
    if any(_same_file(target, path) for path in protected):
        raise ExportError(
            f"{target} is a file that is open, and it is not overwritten.",
            advice="Choose another name.",
        )


def _wrong_name(target: Path, windows: bool) -> str:
    if "\0" in str(target):
        return "its name has a zero character in it"
    try:
        os.fsencode(target)
    except UnicodeEncodeError:
        return "its name has characters that this system has no bytes for"
    if not target.name:
        return "it has no name"
    if not windows:
        return ""
    refused = [char for char in target.name if char in REFUSED or char < " "]
    if refused:
        return f"Windows allows no {refused[0]!r} in a name"
    if target.name[-1] in ". ":
        return "Windows allows no dot or space at the end of a name"
    if is_device(target.name):
        return "Windows keeps this name for a device"
    return ""


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        # One of them does not exist (yet).
        return os.path.realpath(one) == os.path.realpath(other)
