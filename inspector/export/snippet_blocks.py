"""The lines of a snippet that make numbers of ggml's blocks."""

from __future__ import annotations

from typing import Final

from inspector.checkpoints.geometry import contiguous
from inspector.checkpoints.ggml import BLOCK_SIZES
from inspector.export.snippet_places import Box, opened
from inspector.export.snippet_steps import NUMPY, Steps, Wanted, array_steps
from inspector.values.ggml import BLOCKS

#: By NumPy alone, the types that the gguf package can not dequantize: from ``blocks`` of fields.
_FORMULAS: Final = {
    "Q8_K": ["array = blocks['qs'].astype(np.float32) * blocks['d'].astype(np.float32)[..., None]"],
    "Q1_0": [
        "bits = np.unpackbits(blocks['qs'], axis=-1, bitorder='little')",
        "scale = blocks['d'].astype(np.float32)[..., None]",
        "array = np.where(bits == 1, scale, -scale)",
    ],
}


def block_steps(wanted: Wanted) -> Steps | None:
    """From the blocks of a tensor; None if it has none, or another form is wanted.

    Raises
    ------
    UnplacedError
        If no few lines lead to them.
    """
    entry = wanted.entry
    found = array_steps(wanted)
    if entry.dtype not in BLOCK_SIZES or wanted.form != "values" or entry.storage is None:
        return None
    assert found is not None
    count, size = BLOCK_SIZES[entry.dtype]
    *rows, numbers = entry.shape
    shape = (*rows, numbers // count * size)
    box = Box("u1", entry.storage_offset, shape, contiguous(shape))
    imports, lines = opened(entry.storage, box)
    fields, formula = BLOCKS[entry.dtype].fields, _FORMULAS.get(entry.dtype)
    big = entry.storage.byteorder == "big"
    if formula or (big and fields.newbyteorder(">") != fields):
        lines.append(f"blocks = stored.view({(fields.newbyteorder('>') if big else fields).descr})")
    if formula:
        made = [*formula, f"array = array.reshape({entry.shape})"]
        return (*imports, NUMPY), [*lines, *made, *found[1]]
    if big and fields.newbyteorder(">") != fields:
        lines.append(f"stored = blocks.astype({fields.descr}).view(np.uint8)")
    lines.append(f"array = dequantize(stored, GGMLQuantizationType.{entry.dtype})")
    library = "from gguf import GGMLQuantizationType, dequantize"
    return (*imports, *found[0], library), [*lines, *found[1]]
