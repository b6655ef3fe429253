"""Entries of files that torch wrote, and over bytes in memory for what no library would write."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from inspector.checkpoints import open_checkpoint
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.model import Kind, Storage, TensorEntry
from inspector.values.forms import Form
from inspector.values.regions import Region
from inspector.values.tensors import tensor_source


class Bytes:
    """A byte source in memory that counts what is read from it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads: list[tuple[int, int]] = []

    @property
    def size(self) -> int:
        return len(self.data)

    @property
    def taken(self) -> int:
        return sum(length for _, length in self.reads)

    def read(self, offset: int, length: int) -> bytes:
        if offset < 0 or offset + length > len(self.data):
            raise CheckpointError("outside")
        self.reads.append((offset, length))
        return self.data[offset : offset + length]

    def read_into(self, offset: int, buffer: memoryview) -> None:
        buffer[:] = self.read(offset, len(buffer))

    def close(self) -> None:
        pass


def same(left: np.ndarray, right: np.ndarray) -> None:
    """Equal values of equal dtype; NaN equals NaN, and zeros keep their sign."""
    assert left.dtype == right.dtype
    np.testing.assert_array_equal(left, right)
    pairs = [(left, right)]
    if left.dtype.kind == "c":
        pairs = [(left.real, right.real), (left.imag, right.imag)]
    for ours, theirs in pairs:
        if ours.dtype.kind == "f":
            zero = ours == 0
            np.testing.assert_array_equal(np.signbit(ours[zero]), np.signbit(theirs[zero]))


def saved(tmp_path: Path, tensor: torch.Tensor) -> TensorEntry:
    """The entry of a tensor in a file that torch wrote."""
    path = tmp_path / "saved.pt"
    torch.save({"t": tensor}, path)
    (entry,) = open_checkpoint(path).entries
    return entry


def whole(entry: TensorEntry, form: Form = "values") -> np.ndarray:
    """All of a tensor in one of its forms."""
    source = tensor_source(entry, form)
    found = source.read(Region.whole(source.shape))
    assert found.dtype == source.dtype.values
    assert not found.flags.writeable
    return found


def dense(name: str, array: np.ndarray, dtype: str = "", **facts: Any) -> TensorEntry:
    """An array as an entry; its last name is what follows the last dot."""
    source = Bytes(np.ascontiguousarray(array).tobytes())
    shape = array.shape
    stride = tuple(int(np.prod(shape[axis + 1 :])) for axis in range(len(shape)))
    return TensorEntry(
        name=name,
        path=tuple(name.split(".")),
        dtype=dtype or array.dtype.name,
        shape=shape,
        stride=stride,
        storage=Storage(source, 0, source.size, name),
        **facts,
    )


def made_of(
    kind: Kind, shape: tuple[int, ...], details: dict[str, str] | None = None, **parts: Any
) -> TensorEntry:
    """The entry ``t`` of a kind, made of these arrays."""
    components = tuple(dense(f"t.{name}", np.asarray(array)) for name, array in parts.items())
    return TensorEntry(
        name="t",
        path=("t",),
        dtype=next(item.dtype for item in components if item.path[-1] == "values"),
        shape=shape,
        stride=(),
        storage=None,
        kind=kind,
        components=components,
        details=details or {},
    )


def in_memory(entry: TensorEntry) -> TensorEntry:
    """The same entry without its file."""
    storage = entry.storage
    if storage is not None:
        source = Bytes(storage.source.read(storage.offset, storage.nbytes))
        storage = Storage(source, 0, source.size, storage.key, storage.byteorder)
    components = tuple(in_memory(component) for component in entry.components)
    return replace(entry, storage=storage, components=components)


def source_of(entry: TensorEntry, part: str) -> Bytes:
    """What one of its parts is read from."""
    storage = next(item for item in entry.components if item.path[-1] == part).storage
    assert storage is not None
    assert isinstance(storage.source, Bytes)
    return storage.source
