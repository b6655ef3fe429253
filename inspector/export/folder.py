"""A folder of .npy files, with an index that says which tensor is where."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from inspector.export.formats import format_named
from inspector.export.names import file_names
from inspector.export.npy import array_size, write_array
from inspector.export.parts import Item, Part, Plan, Transfer, plain_item

INDEX: Final = "index.json"
_SUFFIX: Final = ".npy"


def plan(parts: Sequence[Part]) -> Plan:
    """A file for each part, and the index."""
    names = file_names((part.name for part in parts), _SUFFIX)
    items = tuple(
        plain_item(part, name.removesuffix(_SUFFIX))
        for part, name in zip(parts, names, strict=True)
    )
    size = sum(array_size(item) for item in items) + len(_index(items))
    return Plan(format_named("folder"), items, size, size)


def write(wanted: Plan, folder: Path, transfer: Transfer) -> None:
    """Write what was planned into a folder that exists."""
    for item in wanted.items:
        with (folder / f"{item.name}{_SUFFIX}").open("xb") as file:
            write_array(file, item, transfer)
    with (folder / INDEX).open("xb") as file:
        file.write(_index(wanted.items))


def _index(items: Sequence[Item]) -> bytes:
    """Name, file, shape, dtype of each tensor, its region and what was done to get its values."""
    tensors = [
        {
            "name": item.part.name,
            "file": f"{item.name}{_SUFFIX}",
            "shape": list(item.shape),
            "dtype": item.dtype,
            "region": item.part.region.text(item.part.source.shape),
            "note": item.note,
        }
        for item in items
    ]
    # ASCII, since a name may hold what UTF-8 has no bytes for.
    return f"{json.dumps({'tensors': tensors}, indent=1)}\n".encode("ascii")
