"""Whether a file is still the one that was opened, by what the file system says of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FileMark:
    """What a file was like at some moment.

    Attributes
    ----------
    device, inode
        Which file it was: another one of the same name has others.
    size
        Bytes.
    modified
        When it was last written to, in nanoseconds.
    """

    device: int
    inode: int
    size: int
    modified: int


def mark_file(path: Path) -> FileMark | None:
    """What a file is like now; None if the file system does not say."""
    try:
        return _mark(path)
    except (OSError, ValueError):
        return None


def change_of(path: Path, before: FileMark) -> str:
    """What has become of a file, as the end of a sentence about it; empty if nothing has.

    May wait for a slow or vanished disk, so not for the GUI thread.
    """
    try:
        now = _mark(path)
    except FileNotFoundError:
        return "was deleted or moved"
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return f"can not be reached any more: {reason}"
    if now == before:
        return ""
    if (now.device, now.inode) != (before.device, before.inode):
        return "was replaced by another file"
    if now.size < before.size:
        return f"was cut from {before.size:,} to {now.size:,} bytes"
    if now.size > before.size:
        return f"has grown from {before.size:,} to {now.size:,} bytes"
    return "was written to"


def _mark(path: Path) -> FileMark:
    status = path.stat()
    return FileMark(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
