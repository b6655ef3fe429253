"""NumPy's .npy format; archives and folders of it use its parts."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import IO, BinaryIO

import numpy as np
from numpy.lib import format as npy_format

from inspector.export.formats import format_named
from inspector.export.parts import Item, Part, Plan, Transfer, plain_item


def plan(parts: Sequence[Part]) -> Plan:
    """One part's values; ``np.load`` gives them back, bit for bit."""
    (part,) = parts
    item = plain_item(part, part.name)
    size = array_size(item)
    return Plan(format_named("npy"), (item,), size, size)


def write(wanted: Plan, file: BinaryIO, transfer: Transfer) -> None:
    """Write what was planned."""
    write_array(file, wanted.items[0], transfer)


def array_size(item: Item) -> int:
    """Bytes of an item as .npy, header included."""
    return len(_header(item)) + item.nbytes


def write_array(file: IO[bytes], item: Item, transfer: Transfer) -> None:
    """Write an item as .npy from where the file stands."""
    file.write(_header(item))
    for block in transfer.blocks(item):
        # Bytes, because the buffer protocol knows no complex numbers.
        file.write(np.ascontiguousarray(block).reshape(-1).view(np.uint8).data)


def _header(item: Item) -> bytes:
    """The header as ``np.save`` writes it. NumPy's 64 axes at most always fit version 1.0."""
    file = BytesIO()
    descr = npy_format.dtype_to_descr(item.numpy_dtype)
    npy_format.write_array_header_1_0(
        file, {"descr": descr, "fortran_order": False, "shape": item.shape}
    )
    return file.getvalue()
