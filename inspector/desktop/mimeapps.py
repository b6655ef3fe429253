"""The lists in which desktops keep what a user chose to open files with."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from inspector.desktop.report import failure

#: The section of what shall not be opened with a program.
REMOVED: Final = b"[Removed Associations]"


def forget_choices(
    folders: Collection[Path], entry: str, sections: Collection[bytes] | None = None
) -> tuple[Path, ...]:
    """Take a program's desktop entry out of the lists; every other line stays as it is.

    Parameters
    ----------
    folders
        Where lists may be: the user's configuration, and his programs.
    sections
        In which sections; None means in all.

    Returns
    -------
    tuple of Path
        The lists that were changed.

    Raises
    ------
    InspectorError
        If a list cannot be changed.
    """
    changed = []
    for path in _lists(folders):
        try:
            before = path.read_bytes()
            after = b"".join(_without(before, entry.encode(), sections))
            if after != before:
                _replace(path, after)
                changed.append(path)
        except OSError as error:
            raise failure(path, error) from error
    return tuple(changed)


def _lists(folders: Collection[Path]) -> Iterator[Path]:
    """The lists that there are; a desktop may have one of its own, ``NAME-mimeapps.list``."""
    for folder in folders:
        for path in sorted(folder.glob("*mimeapps.list")):
            if path.is_file():
                yield path


def _without(data: bytes, entry: bytes, sections: Collection[bytes] | None) -> Iterator[bytes]:
    """The lines of a list without an entry; one that names nothing else is left out."""
    section = b""
    for line in data.splitlines(keepends=True):
        if line.startswith(b"["):
            section = line.strip()
        kind, sign, value = line.partition(b"=")
        names = [name for name in value.strip().split(b";") if name]
        if not sign or entry not in names or (sections is not None and section not in sections):
            yield line
            continue
        others = [name for name in names if name != entry]
        if others:
            ending = line[len(line.rstrip(b"\r\n")) :]
            yield kind + sign + b";".join(others) + b";" + ending


def _replace(path: Path, data: bytes) -> None:
    """Put a list in its own place, behind a link too, with its permissions."""
    final = Path(os.path.realpath(path))
    part = final.with_name(f".{final.name}.part")
    try:
        part.write_bytes(data)
        part.chmod(stat.S_IMODE(final.stat().st_mode))
        part.replace(final)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
