"""What tells the numbers of a tensor in a file from those that it may have another time."""

from __future__ import annotations

from collections.abc import Hashable

from inspector.checkpoints.changes import mark_file
from inspector.checkpoints.model import TensorEntry
from inspector.checkpoints.sources import files_of
from inspector.values.arrays import ArraySource


def identity_of(source: ArraySource) -> Hashable:
    """What results of a source are kept under; None where they may be others the next time.

    That is also what its files are like on disk: once one has changed, nothing that was made of it
    before is found any more, and reading it says why. Asks the disk, so not for the GUI thread.
    """
    entry = getattr(source, "entry", None)
    if not isinstance(entry, TensorEntry):
        return None
    storages = [part.storage for part in (entry, *entry.components) if part.storage is not None]
    if any(storage.origin for storage in storages):
        return None  # of the running program
    paths = sorted({file.path for file in files_of(each.source for each in storages)})
    marks = tuple(mark_file(path) for path in paths)
    if None in marks:
        return None
    return entry, source.dtype.name, source.dtype.note, source.shape, marks
