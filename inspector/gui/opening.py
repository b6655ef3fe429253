"""What workers do to open a file, or to look at an object of the running program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Final

from inspector.checkpoints import Checkpoint, TensorEntry, open_checkpoint
from inspector.checkpoints.changes import FileMark, mark_file
from inspector.checkpoints.collection import keep_for_good
from inspector.checkpoints.errors import InspectorError
from inspector.gui.opened import OpenFile
from inspector.gui.qt_types import QtTypes
from inspector.gui.tasks import Task

#: A file with more entries is kept out of garbage collection.
_MANY_ENTRIES: Final = 10_000

#: Pieces that are listed of a nested tensor, and of all those in a file, at most.
_PIECES: Final = 1000
_MOST_PIECES: Final = 20_000


def read(file: OpenFile, task: Task) -> OpenFile:
    """The same with what is in it. Raises `InspectorError` if it can not be read."""
    marks: Mapping[Path, FileMark] = {}
    if file.live is not None:
        # Not kept out of garbage collection: the other objects are not ours.
        checkpoint = file.live.look(task.check)
    else:
        checkpoint, marks = _open(file.path, task)
    return replace(
        file,
        checkpoint=checkpoint,
        first=_first_worth_seeing(checkpoint),
        marks=marks,
        pieces=_pieces(checkpoint, task),
        error=None,
    )


def import_views(types: QtTypes, task: Task) -> None:
    """Import what the pages of tensors need, half a second's worth, once Qt's types are made."""
    types.wait(task.check)
    for module in ("tensor_page", "outgoing"):
        import_module(f"inspector.gui.{module}")


def _open(path: Path, task: Task) -> tuple[Checkpoint, Mapping[Path, FileMark]]:
    """A checkpoint, and what its files were like before."""
    before = mark_file(path)
    checkpoint = open_checkpoint(path, check=task.check)
    if len(checkpoint.entries) > _MANY_ENTRIES:
        keep_for_good()
    # The marks of the other files of a set are as new as the reading, not older than it.
    marks = {} if before is None or path.is_dir() else {path: before}
    for file in checkpoint.files:
        mark = mark_file(file) if file != path else None
        if mark is not None:
            marks[file] = mark
    return checkpoint, marks


def _first_worth_seeing(checkpoint: Checkpoint) -> str | None:
    """The first tensor with at least two axes, or else the first at all.

    None where the page about the file has something more urgent to say.
    """
    if any(finding.severity != "note" for finding in checkpoint.findings):
        return None
    for entry in checkpoint.entries:
        if len(entry.shape) > 1 and entry.storage is not None and entry.numel:
            return entry.name
    return checkpoint.entries[0].name if checkpoint.entries else None


def _pieces(checkpoint: Checkpoint, task: Task) -> dict[str, tuple[TensorEntry, ...]]:
    """The first pieces of each nested tensor. Its sizes are read, and NumPy is needed for that."""
    found: dict[str, tuple[TensorEntry, ...]] = {}
    left = _MOST_PIECES
    for entry in checkpoint.entries:
        if entry.kind == "nested" and not entry.problem and entry.shape and left > 0:
            task.check()
            from inspector.values.nested import pieces_of

            try:
                pieces = pieces_of(entry, range(min(entry.shape[0], _PIECES, left)))
            except InspectorError:
                continue  # choosing the tensor says why
            found[entry.name] = pieces
            left -= len(pieces)
    return found
