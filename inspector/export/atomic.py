"""One way to write a file or folder: beside the target, renamed to it at the very end."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import time
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
    errno.EINVAL: (
        "its disk does not take this name or this file",
        "Choose a plainer name, or another disk.",
    ),
    errno.EILSEQ: ("its name has characters that its disk refuses", "Choose a plainer name."),
    errno.EIO: ("the disk reported an error", "Check the disk or choose another one."),
}


#: What the files and folders that are not complete yet are called.
_BEGINNING: Final = ".tensor-inspector-"
_ENDING: Final = ".part"

#: Seconds after which nobody is still writing to such a file: each block is a write.
_STALE: Final = 24 * 60 * 60


def export_error(target: Path, error: OSError) -> ExportError:
    """What went wrong with a target, in words."""
    why, advice = _WORDS.get(error.errno or 0, (error.strerror or str(error), ""))
    return ExportError(f"{target} cannot be written: {why}.", advice=advice)


def check_replaceable(target: Path, *, folder: bool) -> bool:
    """Refuse a target that no file (or folder) can be written to. Whether there is a file already.

    Raises
    ------
    ExportError
        If it is the other of both, a folder with contents, write-protected, or cannot be looked at.
    """
    final = _final(target)
    try:
        if folder:
            _refuse_contents(final, target)
            return False
        return _mode_of(target) is not None
    except OSError as error:
        raise export_error(target, error) from error


def check_room(target: Path, nbytes: int) -> int:
    """Refuse a file that cannot fit, before a byte of it is written.

    Parameters
    ----------
    nbytes
        How large the file will be. A target that exists needs as much besides: it stays until
        the new one is complete.

    Returns
    -------
    int
        The bytes that are free.

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
    return free


def _final(target: Path) -> Path:
    """Where the bytes really go: behind a symbolic link, which stays what it is."""
    return Path(os.path.realpath(target))


@contextmanager
def atomic_file(target: Path) -> Iterator[BinaryIO]:
    """Write a file that replaces `target` only when everything is on the disk.

    Use as ``with atomic_file(path) as file: file.write(...)``. On any exception, a cancelled task
    and Ctrl+C included, the half-written file is removed and the target is as it was. If the
    process is killed, the target is as it was too; a hidden ``.tensor-inspector-....part`` may
    stay beside it. The next export to that folder removes it, once a day has passed since anything
    was written to it.

    An existing target keeps its permission bits; a new one gets those that the umask leaves. A
    symbolic link is followed, not replaced. Runs on any thread.

    Raises
    ------
    ExportError
        If the operating system refuses: the message says why and what helps.
    """
    final = _final(target)
    try:
        mode = _mode_of(target)
        temporary = _temporary(final)
    except OSError as error:
        raise export_error(target, error) from error
    file: BinaryIO | None = None
    try:
        # Ctrl+C may come right after the file is there, before it has a name here.
        file = _create(temporary)
        yield file
        file.flush()
        if mode is not None:
            temporary.chmod(mode)
        os.fsync(file.fileno())
        file.close()
        temporary.replace(final)
    except BaseException as error:
        if file is not None:
            with suppress(OSError):
                file.close()
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise export_error(target, error) from error
        raise
    _sync_folder(final.parent)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Fill a folder that gets its name only when everything is on the disk.

    Use as ``with atomic_folder(path) as folder: (folder / "a").write_bytes(...)``. On any
    exception the half-filled folder is removed and the target is as it was. Runs on any thread.

    Raises
    ------
    ExportError
        If there is a target already, other than an empty folder, or the operating system refuses.
    """
    final = _final(target)
    try:
        _refuse_contents(final, target)
        temporary = _temporary(final)
    except OSError as error:
        raise export_error(target, error) from error
    try:
        temporary.mkdir()
        yield temporary
        for path in temporary.iterdir():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        _sync_folder(temporary)
        with suppress(FileNotFoundError):
            final.rmdir()  # Windows renames to no folder that exists
        temporary.replace(final)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError):
            raise export_error(target, error) from error
        raise
    _sync_folder(final.parent)


def _refuse_contents(final: Path, target: Path) -> None:
    try:
        is_empty = next(final.iterdir(), None) is None
    except FileNotFoundError:
        return
    except NotADirectoryError:
        if not final.is_file():
            raise
        raise ExportError(
            f"{target} cannot be written: it is a file, not a folder.",
            advice="Choose another name.",
        ) from None
    if not is_empty:
        raise ExportError(
            f"{target} cannot be written: it is a folder with something in it.",
            advice="Choose another name, or empty it.",
        )


def _temporary(final: Path) -> Path:
    """A name beside a target that nothing has; what a killed export left there is removed."""
    _remove_leftovers(final.parent)
    return final.with_name(f"{_BEGINNING}{secrets.token_hex(8)}{_ENDING}")


def _remove_leftovers(folder: Path) -> None:
    """Remove what our own exports left that were killed more than a day ago."""
    before = time.time() - _STALE
    with suppress(OSError), os.scandir(folder) as found:
        for item in found:
            if not (item.name.startswith(_BEGINNING) and item.name.endswith(_ENDING)):
                continue
            with suppress(OSError):
                path = Path(item.path)
                if item.is_file(follow_symlinks=False):
                    if item.stat(follow_symlinks=False).st_mtime < before:
                        path.unlink()
                elif item.is_dir(follow_symlinks=False):
                    times = [path.stat().st_mtime, *(one.stat().st_mtime for one in path.iterdir())]
                    if max(times) < before:
                        shutil.rmtree(path)


def _create(path: Path) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.fdopen(os.open(path, flags, 0o666), "wb")


def _mode_of(target: Path) -> int | None:
    """The permission bits of a target that may be replaced; None if there is none yet."""
    try:
        found = target.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(found.st_mode):
        raise ExportError(
            f"{target} cannot be written: it is a device or a pipe, not a file.",
            advice="Choose another name.",
        )
    if not os.access(target, os.W_OK):
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
