"""What the tests of HDF5 files share."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from inspector.checkpoints import Checkpoint, TensorEntry, open_checkpoint
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region


def written(path: Path, fill: Callable[[h5py.File], object], libver: Any = "earliest") -> Path:
    """A file of h5py's."""
    with h5py.File(path, "w", libver=libver) as file:
        fill(file)
    return path


def values(entry: TensorEntry) -> np.ndarray[Any, Any]:
    """All values of an entry."""
    return StoredTensor(entry).read(Region(tuple(range(length) for length in entry.shape)))


def compare(path: Path) -> Checkpoint:
    """Open a file, and hold every dataset that h5py sees against our entries, bit for bit."""
    checkpoint = open_checkpoint(path)
    entries = {entry.name: entry for entry in checkpoint.entries}
    seen = set()
    with h5py.File(path) as file:

        def visit(name: str, item: object) -> None:
            if not isinstance(item, h5py.Dataset):
                return
            seen.add(name)
            theirs = item[()]
            entry = entries[name]
            assert not entry.problem, (name, entry.problem)
            ours = values(entry)
            assert ours.shape == theirs.shape, name
            theirs = theirs.astype(theirs.dtype.newbyteorder("="))
            assert ours.dtype == theirs.dtype, name
            assert ours.tobytes() == theirs.tobytes(), name

        file.visititems(visit)
    assert seen == set(entries)
    assert not checkpoint.findings
    return checkpoint


def messages(checkpoint: Checkpoint) -> str:
    return "\n".join(f"{finding.where}: {finding.message}" for finding in checkpoint.findings)


def patched(raw: bytes, at: int, layout: str, *numbers: int) -> bytes:
    """A copy with other numbers at an offset."""
    changed = bytearray(raw)
    struct.pack_into(layout, changed, at, *numbers)
    return bytes(changed)
