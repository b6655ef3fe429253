"""Opening a file: which format it has, and what it holds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from inspector.checkpoints.collection import collection_paused
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.folders import open_folder, open_group_of
from inspector.checkpoints.folders.directory import Reader
from inspector.checkpoints.foreign import describe_foreign
from inspector.checkpoints.formats import FORMATS, HEAD, SUFFIXES, Format
from inspector.checkpoints.model import Checkpoint, Finding
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.sources import LocalFile

#: Seconds of work between two pauses, at least.
_PAUSE = 0.002


def open_checkpoint(
    path: str | os.PathLike[str], *, check: Callable[[], None] | None = None
) -> Checkpoint:
    """Open a file or folder and list what is in it, without reading tensors or running anything.

    Runs on any thread, for up to some seconds with very large files; other threads get their
    turns.

    Parameters
    ----------
    path
        The file; its content decides on its format, not its name. Or a folder; or a file that
        stands for several: an index, a shard, the ``.metadata`` of a distributed checkpoint.
    check
        Called about every 10 ms; may raise `Cancelled`.

    Returns
    -------
    Checkpoint
        To be closed.

    Raises
    ------
    CheckpointError
        If the file is missing, foreign, damaged or hostile; it says which.
    Cancelled
        If ``check`` did.
    """
    with collection_paused():
        return _open_path(Path(path), _yielding(check))


def _open_path(path: Path, check: Callable[[], None]) -> Checkpoint:
    reader = Reader(partial(_open, check=check), check)
    try:
        if os.path.isdir(path):  # noqa: PTH112 - an impossible name raises nothing
            found: Checkpoint | None = open_folder(path, reader)
        else:
            found = open_group_of(path, reader)
        if found is not None:
            reader.keep(found.sources)
            return found
    except BaseException:
        reader.close()
        raise
    file = LocalFile(path)
    try:
        return _open(file, check)
    except BaseException:
        file.close()
        raise


def _open(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    name = display_text(str(file.path))
    if not file.size:
        raise CheckpointError(
            f"{name} is empty.", advice="The download or the copy did not finish. Get it again."
        )
    head = file.read(0, min(HEAD, file.size))
    for known in FORMATS:
        if known.sniff(head, file):
            try:
                return _with_name_judged(known.open(file, check), known)
            except CheckpointError as error:
                raise CheckpointError(
                    f"{name} could not be opened as {known.name}. {error.message}",
                    where=error.where,
                    advice=error.advice,
                ) from error
    raise describe_foreign(name, head, file.size)


def _with_name_judged(checkpoint: Checkpoint, known: Format) -> Checkpoint:
    """The checkpoint, with a finding if its name promises another format."""
    suffix = checkpoint.path.suffix.lower()
    if suffix not in SUFFIXES or suffix in known.suffixes:
        return checkpoint
    note = Finding(
        "note",
        f"Its name ends in {suffix}, but its content is {checkpoint.format}, and it is shown as "
        "that. Programs that go by the name will refuse it.",
    )
    return replace(checkpoint, findings=(note, *checkpoint.findings))


def _yielding(check: Callable[[], None] | None) -> Callable[[], None]:
    last = 0.0

    def yield_and_check() -> None:
        nonlocal last
        now = time.perf_counter()
        if now - last < _PAUSE:
            return  # each pause may take as long as other programs like
        last = now
        # A thread that waits for the interpreter, such as the window's, goes first.
        time.sleep(0)
        if check is not None:
            check()

    return yield_and_check
