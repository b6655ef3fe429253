"""Numbers as comma-separated text, with all the digits it takes to read them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO, Final

import numpy as np

from inspector.export.formats import format_named
from inspector.export.parts import Part, Plan, Transfer, plain_item
from inspector.values.arrays import Array
from inspector.values.text import NumberFormat, cell_texts

#: Numbers are read in this part of a block: as texts, they take twenty times as much memory.
_PARTS: Final = 16

#: Characters of the longest number of a kind, by its width.
_LONGEST: Final = {
    "f": {2: 24, 4: 15, 8: 24},
    "i": {1: 4, 2: 6, 4: 11, 8: 20},
    "u": {1: 3, 2: 5, 4: 10, 8: 20},
}

_REMARK: Final = "Read it with np.loadtxt(file, delimiter=',', dtype={dtype!r}{ndmin})."


def plan(parts: Sequence[Part]) -> Plan:
    """A line for each row of a part of at most two axes, a line for each number of one axis.

    No header. The digits are the fewest from which the same number of the same dtype is read
    back; booleans are 1 and 0; complex numbers look like ``1.5-2j``, which ``np.loadtxt`` reads.
    """
    (part,) = parts
    item = plain_item(part, part.name)
    numel, dtype = part.region.numel, item.numpy_dtype
    # Otherwise np.loadtxt drops the axes of one element.
    ndmin = f", ndmin={len(item.shape)}" if 1 in item.shape else ""
    remarks = [_REMARK.format(dtype=item.dtype, ndmin=ndmin)]
    if dtype.kind in "fc":
        remarks.append("Text does not keep the bits of a NaN.")
    return Plan(
        format_named("csv"), (item,), 2 * numel, (_longest(dtype) + 1) * numel, tuple(remarks)
    )


def write(wanted: Plan, file: BinaryIO, transfer: Transfer) -> None:
    """Write what was planned. A row may come in several blocks."""
    (item,) = wanted.items
    width = item.shape[1] if len(item.shape) == 2 else 1
    if not item.nbytes:
        return
    column = 0
    for block in transfer.blocks(item, _PARTS):
        for texts in csv_texts(block.reshape(-1, min(width, block.size))):
            if column:
                file.write(b",")
            file.write(",".join(texts).encode("ascii"))
            column = (column + len(texts)) % width
            if not column:
                file.write(b"\n")


def csv_texts(rows: Array, how: NumberFormat = "exact") -> list[list[str]]:
    """A 2-D array as rows of texts that ``np.loadtxt`` reads: booleans are 1 and 0."""
    return cell_texts(rows.view(np.uint8) if rows.dtype == np.bool_ else rows, how)


def _longest(dtype: np.dtype[Any]) -> int:
    if dtype.kind == "b":
        return 1
    if dtype.kind == "c":
        return 2 * _LONGEST["f"][dtype.itemsize // 2] + 2
    return _LONGEST[dtype.kind][dtype.itemsize]
