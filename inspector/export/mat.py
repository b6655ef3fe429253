"""MATLAB's format 5, by SciPy.

Source: MAT-File Format (The MathWorks), and ``scipy.io.savemat``. It counts bytes and the lengths
of axes with 32 bits, and MATLAB opens variables of less than 2 GiB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final

import numpy as np

from inspector.checkpoints.errors import ExportError
from inspector.export.formats import format_named
from inspector.export.names import variable_names
from inspector.export.parts import Item, Part, Plan, Transfer
from inspector.values.arrays import Array

_MOST_BYTES: Final = (1 << 31) - 1
_MOST_INDEX: Final = (1 << 31) - 1


def plan(parts: Sequence[Part]) -> Plan:
    """A variable for each part, by a name that MATLAB takes.

    Raises
    ------
    ExportError
        If a part is larger than a variable can be.
    """
    names = variable_names(part.name for part in parts)
    items = tuple(_item(part, name) for part, name in zip(parts, names, strict=True))
    size = 128 + sum(_variable_size(item) for item in items)
    largest = max((_written(item) for item in items), default=0)
    remarks = [f"SciPy holds each tensor in memory while writing it: up to {largest:,} bytes."]
    if any(len(item.shape) < 2 for item in items):
        remarks.append("MATLAB has no fewer than two axes: a vector becomes one row.")
    return Plan(format_named("mat"), items, size, size, tuple(remarks))


def write(wanted: Plan, file: BinaryIO, transfer: Transfer) -> None:
    """Write what was planned; one tensor is in memory at a time."""
    from scipy.io import savemat

    try:
        savemat(file, _Variables(wanted.items, transfer), format="5", oned_as="row")
    except MemoryError as error:
        raise ExportError(
            "There is not enough memory to write a tensor of this size as MATLAB 5.",
            advice="Choose another format, or export a part of the tensor.",
        ) from error


class _Variables(Mapping[str, Array]):
    """The variables by name, each read when it is asked for."""

    def __init__(self, items: Sequence[Item], transfer: Transfer) -> None:
        self._items = {item.name: item for item in items}
        self._transfer = transfer

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __getitem__(self, name: str) -> Array:
        item = self._items[name]
        array = np.empty(item.shape, _matlab_dtype(item))
        flat, done = array.reshape(-1), 0
        for block in self._transfer.blocks(item):
            flat[done : done + block.size] = block.reshape(-1)
            done += block.size
        return array


def _item(part: Part, name: str) -> Item:
    item = Item(part, name, part.region.shape, "", part.note)
    dtype = _matlab_dtype(item)
    note = part.note
    if dtype != item.numpy_dtype:
        note = f"{note} · {item.numpy_dtype} widened to {dtype}, exact"
    item = Item(part, name, item.shape, str(dtype), note)
    if _variable_size(item) > _MOST_BYTES or max(item.shape, default=0) > _MOST_INDEX:
        raise ExportError(
            f"{part.name} is {_written(item):,} bytes large, and a variable of MATLAB 5 has at "
            f"most {_MOST_BYTES:,}.",
            advice="Choose another format, or export a part of the tensor.",
        )
    return item


def _matlab_dtype(item: Item) -> np.dtype[Any]:
    """The dtype that is handed to SciPy: MATLAB has no half precision."""
    dtype = item.numpy_dtype
    return np.dtype(np.float32) if dtype == np.float16 else dtype


def _written(item: Item) -> int:
    return item.part.region.numel * _matlab_dtype(item).itemsize


def _variable_size(item: Item) -> int:
    """Bytes of a variable in the file: tag, flags, axes, name, numbers in one run or two."""
    axes = _padded(4 * max(2, len(item.shape)))
    runs = 2 if _matlab_dtype(item).kind == "c" else 1
    numbers = runs * _element_size(_written(item) // runs)
    return 8 + 16 + 8 + axes + _element_size(len(item.name)) + numbers


def _element_size(nbytes: int) -> int:
    """Bytes of a run: its tag and itself, or both in eight bytes if it is at most four."""
    return 8 if 0 < nbytes <= 4 else 8 + _padded(nbytes)


def _padded(nbytes: int) -> int:
    return -(-nbytes // 8) * 8
