"""One way to write a file: beside the target, renamed over it at the very end."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from inspector.checkpoints.errors import ExportError

#: What an operating system's error means for the person who chose the target, and what helps.
_WORDS: Final[dict[int, tuple[str, str]]] = {
    errno.ENOSPC: ("the disk is full", "Free some space or choose another disk."),
    errno.EDQUOT: ("your disk quota is used up", "Free some space or choose another disk."),
    errno.EFBIG: (
        "the file would be larger than this disk or your limits allow",
        "Choose another disk, or export a part of the tensor.",
    ),
    errno.EACCES: ("you may not write there", "Choose another folder."),
    errno.EPERM: ("you may not write there", "Choose another folder."),
    errno.EROFS: ("the disk is read-only", "Choose another folder."),
    errno.ENAMETOOLONG: ("its name is too long", "Choose a shorter name."),
    errno.EISDIR: ("it is a folder", "Add a file name."),
    errno.ENOENT: ("its folder does not exist", "Choose a folder that exists."),
    errno.ENOTDIR: ("its folder is not a folder", "Choose a folder that exists."),
    errno.EIO: ("the disk reported an error", "Check the disk or choose another one."),
}


def export_error(target: Path, error: OSError) -> ExportError:
    """What went wrong with a target, in words."""
    why, advice = _WORDS.get(error.errno or 0, (error.strerror or str(error), ""))
    return ExportError(f"{target} cannot be written: {why}.", advice=advice)


def check_room(target: Path, nbytes: int) -> None:
    """Refuse a file that cannot fit, before a byte of it is written.

    Parameters
    ----------
    nbytes
        How large the file will be. A target that exists needs as much besides: it stays until
        the new one is complete.

    Raises
    ------
    ExportError
        If the disk has less than that free, or the folder cannot be asked.
    """
    try:
        free = shutil.disk_usage(_final(target).parent).free
    except OSError as error:
        raise export_error(target, error) from error
    if nbytes > free:
        raise ExportError(
            f"{target} cannot be written: it needs {nbytes:,} bytes, and its disk has "
            f"{free:,} free.",
            advice="Free some space, choose another disk, or export a part of the tensor.",
        )


def _final(target: Path) -> Path:
    """Where the bytes really go: behind a symbolic link, which stays what it is."""
    return Path(os.path.realpath(target))


@contextmanager
def atomic_file(target: Path) -> Iterator[BinaryIO]:
    """Write a file that replaces `target` only when everything is on the disk.

    Use as ``with atomic_file(path) as file: file.write(...)``. On any exception, a cancelled task
    and Ctrl+C included, the half-written file is removed and the target is as it was. If the
    process is killed, the target is as it was too; a hidden ``.tensor-inspector-....part`` may
    stay beside it.

    An existing target keeps its permission bits; a new one gets those that the umask leaves. A
    symbolic link is followed, not replaced. Runs on any thread.

    Raises
    ------
    ExportError
        If the operating system refuses: the message says why and what helps.
    """
    final = _final(target)
    try:
        mode = _mode_of(final, target)
        temporary = final.with_name(f".tensor-inspector-{secrets.token_hex(8)}.part")
        file = _create(temporary)
    except OSError as error:
        raise export_error(target, error) from error
    try:
        yield file
        file.flush()
        if mode is not None:
            temporary.chmod(mode)
        os.fsync(file.fileno())
        file.close()
        temporary.replace(final)
    except BaseException as error:
        with suppress(OSError):
            file.close()
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise export_error(target, error) from error
        raise
    _sync_folder(final.parent)


def _create(path: Path) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o666), "wb")


def _mode_of(final: Path, target: Path) -> int | None:
    """The permission bits of a target that may be replaced; None if there is none yet."""
    try:
        found = final.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode):
        raise ExportError(
            f"{target} cannot be written: it is a device or a pipe, not a file.",
            advice="Choose another name.",
        )
    if not os.access(final, os.W_OK):
        raise ExportError(
            f"{target} cannot be written: it is write-protected.", advice="Choose another name."
        )
    return stat.S_IMODE(found.st_mode)


def _sync_folder(folder: Path) -> None:
    """Put the new name on the disk too, where the system can. The file itself is there."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
