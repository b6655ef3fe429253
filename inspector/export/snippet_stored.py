"""The lines of a snippet that make the array of the stored numbers, one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from inspector.checkpoints.dtypes import PACKED
from inspector.checkpoints.geometry import contiguous
from inspector.checkpoints.ggml import BLOCK_SIZES
from inspector.checkpoints.model import Storage
from inspector.export.snippet_places import Box, opened
from inspector.export.snippet_steps import (
    NUMPY,
    PARTS,
    TORCH,
    Steps,
    Wanted,
    form_lines,
    scalar_lines,
)
from inspector.values.dtypes import DTYPES, DType
from inspector.values.regions import Region

_FLOAT4: Final = "float4_e2m1fn_x2"


#: Makes lines that make ``stored``, of which no other number is asked for than a region's.
Opening = Callable[[Storage, Box, Region | None], Steps]


def stored_steps(wanted: Wanted, target: str = "array", opening: Opening = opened) -> Steps | None:
    """From the storage; None where what is wanted is not made of its numbers one by one.

    Parameters
    ----------
    target
        What the array is called.
    opening
        How the stored numbers are had.

    Raises
    ------
    UnplacedError
        If no few lines lead to the storage's bytes.
    CheckpointError
        If their place can not be found out.
    """
    if wanted.region.numel == 0:
        shape = wanted.region.shape
        line = f"{target} = np.empty({shape}, dtype=np.{wanted.dtype.values.name})  # no elements"
        return (NUMPY,), [line]
    entry = wanted.entry
    if entry.storage is None:
        return None
    if entry.dtype in BLOCK_SIZES or entry.dtype in PACKED:
        return _bytes(wanted) if wanted.form == "raw" else None
    stored = DTYPES[entry.dtype]
    form = [] if wanted.form == "raw" else form_lines(wanted)
    if form is None or not _is_stored_as_shown(wanted, stored):
        return None
    word, halves, imports, lines = _reading(wanted, stored, target)
    pair, size = (2,) if halves else (), int(word[1:])
    order = "" if size == 1 else "<" if entry.storage.byteorder == "little" else ">"
    strides = (*(step * entry.itemsize for step in entry.stride), *(size,) * len(pair))
    start = entry.storage_offset * entry.itemsize
    box = Box(f"{order}{word}", start, (*entry.shape, *pair), strides)
    region = None if entry.dtype == _FLOAT4 and wanted.form != "raw" else wanted.region
    before, first = opening(entry.storage, box, region)
    flags = [
        f"np.{name}({target}, out={target})"
        for name, flag in (("conjugate", entry.is_conj), ("negative", entry.is_neg))
        if flag and wanted.form != "raw"
    ]
    return (*before, *imports), [*first, *lines, *flags, *form, *scalar_lines(wanted)]


def _is_stored_as_shown(wanted: Wanted, stored: DType) -> bool:
    """Whether the form is made of the stored numbers themselves, one by one."""
    if wanted.form == "values":
        same = wanted.dtype.values == stored.values and wanted.shape == wanted.entry.shape
        return same or stored.name == _FLOAT4
    if wanted.form == "integers":
        return wanted.dtype.values == stored.raw
    return wanted.form in (*PARTS, "raw")


def _reading(
    wanted: Wanted, stored: DType, target: str
) -> tuple[str, bool, tuple[str, ...], list[str]]:
    """The dtype in the file, whether it is that of half a number, imports, and lines to values."""
    name, index = wanted.entry.dtype, wanted.index
    plain = (NUMPY,)
    picked = f"np.array(stored{index}, dtype=np.{{}}, order='C')"
    if wanted.form == "raw":
        bits = wanted.dtype.values
        pairs = stored.category == "complex"
        return f"u{bits.itemsize}", pairs, plain, [f"{target} = {picked.format(bits.name)}"]
    if name == "bfloat16":
        lines = [
            f"bits = {picked.format('uint32')}",
            "bits <<= 16  # bfloat16 is the upper half of float32",
            f"{target} = bits.view(np.float32)",
        ]
        return "u2", False, plain, lines
    if name == "complex32":
        lines = [
            f"parts = {picked.format('float32')}",
            f"{target} = parts.view(np.complex64)[..., 0]",
        ]
        return "f2", True, plain, lines
    if name == _FLOAT4:
        lines = [
            "codes = np.stack([stored & 15, stored >> 4], axis=-1)  # two numbers in a byte",
            "table = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], dtype=np.float32)",
            "table = np.concatenate([table, -table])",
            f"{target} = table[codes].reshape({wanted.shape}){wanted.array_index}",
        ]
        return "u1", False, plain, lines
    if stored.raw != stored.values:
        lines = [
            f"bits = torch.from_numpy({picked.format('uint8')})",
            f"{target} = bits.view(torch.{name}).to(torch.float32).numpy()",
        ]
        return "u1", False, (NUMPY, TORCH), lines
    word = "u1" if name == "bool" else f"{stored.raw.kind}{stored.raw.itemsize}"
    return word, False, plain, [f"{target} = {picked.format(stored.values.name)}"]


def _bytes(wanted: Wanted) -> Steps:
    """The bytes that numbers are packed in, as they are."""
    entry = wanted.entry
    assert entry.storage is not None
    box = Box("u1", entry.storage_offset, wanted.shape, contiguous(wanted.shape))
    imports, lines = opened(entry.storage, box)
    return imports, [*lines, f"array = np.array(stored{wanted.index})"]
