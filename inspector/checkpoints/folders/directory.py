"""One folder: which files are in it, what belongs together, and what may be read of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.model import ByteSource, Checkpoint
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.sources import FilePool, LocalFile

#: Characters of a name in an index, at most.
_MAX_NAME: Final = 4096

_NUMBER: Final = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Directory:
    """The files of one folder, and its folders, by name and in the order of their numbers.

    Attributes
    ----------
    label
        The way to it from the folder that was opened, with a slash at its end; empty for that
        folder itself.
    files
        Regular files and links to such.
    folders
        Real ones: links to folders are not followed, so that there is no way round in circles.
        Hidden ones are left out.
    """

    path: Path
    label: str
    files: tuple[str, ...]
    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Files of one folder that make one checkpoint together.

    Attributes
    ----------
    title
        The file that stands for all: an index. Empty if it is the folder.
    names
        The files that belong to it and are there.
    """

    title: str
    names: tuple[str, ...]


class Reader:
    """What opens the files of a set, holding few of them open at a time.

    Parameters
    ----------
    one
        Lists a single file of any format.
    check
        Called about every 10 ms; may raise `Cancelled`.
    """

    def __init__(self, one: Callable[[LocalFile], Checkpoint], check: Callable[[], None]) -> None:
        self._one: Final = one
        self._pool: Final = FilePool()
        self._opened: Final[list[LocalFile]] = []
        self.check: Final = check

    def file(self, path: Path) -> LocalFile:
        """Open a file; it is closed with the checkpoint.

        Raises
        ------
        CheckpointError
            If it can not be opened.
        """
        file = LocalFile(path, self._pool)
        self._opened.append(file)
        return file

    def checkpoint(self, path: Path) -> Checkpoint:
        """List a file of any format.

        Raises
        ------
        CheckpointError
            If it can not be opened as a checkpoint.
        """
        self.check()
        file = self.file(path)
        try:
            return self._one(file)
        except CheckpointError:
            file.close()
            self._opened.remove(file)
            raise

    def keep(self, sources: Iterable[ByteSource]) -> None:
        """Close all that was opened but for these: what belonged to parts that failed."""
        kept = {id(source) for source in sources}
        for file in self._opened:
            if id(file) not in kept:
                file.close()

    def close(self) -> None:
        """Close all that was opened: for when there is to be no checkpoint."""
        self.keep(())


def look(path: Path, label: str = "") -> Directory:
    """What is in a folder.

    Raises
    ------
    CheckpointError
        If it can not be looked into.
    """
    files, folders = [], []
    try:
        with os.scandir(path) as found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.startswith("."):
                        folders.append(entry.name)
                elif entry.is_file():
                    files.append(entry.name)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CheckpointError(
            f"The folder {path} can not be looked into: {reason}.",
            advice="Check its permissions.",
        ) from error
    return Directory(
        path, label, tuple(sorted(files, key=order)), tuple(sorted(folders, key=order))
    )


def order(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts names by the numbers in them: ``step_9`` before ``step_10``."""
    return tuple(
        (0, int(part), "") if part.isdecimal() and len(part) < 100 else (1, 0, part)
        for part in _NUMBER.split(name)
    )


def inside(folder: Path, name: str) -> Path:
    """The file that a checkpoint's index calls by ``name``.

    A name must not lead out of the folder. A link in the folder may: the user's own file system
    holds it, and a downloaded checkpoint often consists of links. What it leads to has to be a
    regular file, as `LocalFile` sees to.

    Raises
    ------
    CheckpointError
        If the name leads out of the folder.
    """
    parts = re.split(r"[/\\]", name)
    if (
        not name
        or len(name) > _MAX_NAME
        or "\0" in name
        or ":" in parts[0]
        or any(part in ("", ".", "..") for part in parts)
    ):
        raise CheckpointError(
            f"{display_text(name, 200)!r} is no name of a file in the folder; it is not followed."
        )
    path = folder.joinpath(*parts)
    if len(parts) > 1:
        real = os.path.realpath(folder)
        if os.path.commonpath([real, os.path.realpath(path.parent)]) != real:
            raise CheckpointError(
                f"{display_text(name, 200)!r} leads out of the folder; it is not followed."
            )
    return path


def is_there(path: Path) -> bool:
    """Whether there is a file of this name, or a link that leads to one.

    ``Path.exists`` raises for names that are too long, and these come from files.
    """
    return os.path.exists(path)  # noqa: PTH110


def names_text(names: list[str], limit: int = 5) -> str:
    """Some names in words: ``a, b and 3 more``."""
    shown = ", ".join(display_text(name, 100) for name in names[:limit])
    rest = len(names) - limit
    return shown if rest <= 0 else f"{shown} and {rest:,} more"
