"""The lines of a snippet that make an array of the parts of a tensor, with NumPy alone.

Sparse tensors become dense, and quantized ones numbers, where no library is safe to load them.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from inspector.checkpoints.dtypes import PACKED
from inspector.checkpoints.model import TensorEntry
from inspector.export.snippet_steps import NUMPY, TORCH, Steps, Wanted, form_lines, scalar_lines
from inspector.export.snippet_stored import stored_steps
from inspector.values.quantized import INTEGERS, packed_bytes
from inspector.values.regions import Region
from inspector.values.tensors import tensor_source


def part_steps(wanted: Wanted) -> Steps | None:
    """From the parts of a sparse tensor, or the integers of a quantized one; None of others.

    Raises
    ------
    UnplacedError
        If no few lines lead to the bytes of a part.
    CheckpointError
        If their place can not be found out.
    """
    entry = wanted.entry
    form = [] if wanted.form == "pattern" else form_lines(wanted)
    if form is None:
        return None
    if entry.dtype in INTEGERS:
        imports, lines = _quantized(wanted)
    elif entry.kind == "sparse_coo":
        imports, lines = _coo(wanted)
    elif entry.kind.startswith("sparse"):
        imports, lines = _compressed(wanted)
    else:
        return None
    # What NumPy computes of an array without axes is none.
    whole = entry.shape and not wanted.index
    picked = [] if whole else [f"array = np.array(array{wanted.index})"]
    return (*imports, NUMPY), [*lines, *picked, *form, *scalar_lines(wanted)]


def _whole(wanted: Wanted, entry: TensorEntry, target: str) -> Steps:
    """All values of one part."""
    source = tensor_source(entry)
    whole = Wanted(
        wanted.checkpoint, entry, "values", Region.whole(source.shape), source.shape, source.dtype
    )
    steps = stored_steps(whole, target)
    assert steps is not None, "a part is dense and stored"
    return steps


def _parts(wanted: Wanted, *names: str) -> Steps:
    """The components of these names, each as an array of its own name."""
    imports: list[str] = []
    lines: list[str] = []
    for name in names:
        part = next(each for each in wanted.entry.components if each.path[-1] == name)
        found = _whole(wanted, part, name)
        imports += found[0]
        lines += found[1]
    return tuple(imports), lines


# Quantized ---------------------------------------------------------------------------------------


def _quantized(wanted: Wanted) -> Steps:
    imports, lines = _integers(wanted)
    if wanted.form == "integers" or wanted.entry.kind != "quantized":
        return imports, [*lines, "array = integers"]
    quantizer = wanted.entry.quantizer
    assert quantizer is not None, "it has values"
    if quantizer.axis is None:
        scale = repr(quantizer.scale)
        scale = scale if math.isfinite(quantizer.scale) else f"float({scale!r})"
        number = f"(integers.astype(np.int32) - np.int32({quantizer.zero_point}))"
        return imports, [*lines, f"array = {number}.astype(np.float32) * np.float32({scale})"]
    found, more = _parts(wanted, "scales", "zero_points")
    column = (-1, *(1,) * (len(wanted.entry.shape) - quantizer.axis - 1))
    number = f"integers.astype(np.float32) - zero_points.astype(np.float32).reshape({column})"
    return (*imports, *found), [
        *lines,
        *more,
        f"array = {number}",
        f"array = (array * scales.astype(np.float64).reshape({column})).astype(np.float32)",
    ]


def _integers(wanted: Wanted) -> Steps:
    """The integers of the whole tensor."""
    entry = wanted.entry
    if entry.dtype not in PACKED:
        plain = replace(entry, dtype=INTEGERS[entry.dtype].name, kind="dense", components=())
        return _whole(wanted, plain, "integers")
    bits = 8 // PACKED[entry.dtype]
    imports, lines = _whole(wanted, replace(packed_bytes(entry).entry, kind="dense"), "packed")
    unpacked = f"[packed >> shift & {(1 << bits) - 1} for shift in {tuple(range(0, 8, bits))}]"
    return imports, [
        *lines,
        f"integers = np.stack({unpacked}, axis=-1).reshape(-1)",
        f"integers = integers[:{entry.numel}].reshape({entry.shape})",
    ]


# Sparse ------------------------------------------------------------------------------------------

#: The two parts with indices of each compressed layout: where rows or columns end, and the others.
_INDICES: Final = {"r": ("crow_indices", "col_indices"), "c": ("ccol_indices", "row_indices")}


def _zeros(wanted: Wanted) -> str:
    dtype = "bool" if wanted.form == "pattern" else tensor_source(wanted.entry).dtype.values.name
    return f"array = np.zeros({wanted.entry.shape}, dtype=np.{dtype})"


def _coo(wanted: Wanted) -> Steps:
    entry = wanted.entry
    if wanted.form == "pattern":
        imports, lines = _parts(wanted, "indices")
        return imports, [*lines, _zeros(wanted), "array[tuple(indices)] = indices.shape[1] > 0"]
    imports, lines = _parts(wanted, "indices", "values")
    if entry.dtype == "bfloat16" and entry.details.get("coalesced") != "yes":
        # Sums are rounded one by one.
        made = "torch.sparse_coo_tensor(torch.from_numpy(indices), values, "
        return (*imports, TORCH), [
            *lines,
            "values = torch.from_numpy(values).to(torch.bfloat16)",
            f"tensor = {made}{entry.shape}, check_invariants=True)",
            "array = tensor.to_dense().to(torch.float32).numpy()",
        ]
    add = "np.add.at(array, tuple(indices), values)"
    if not next(each for each in entry.components if each.path[-1] == "indices").shape[0]:
        add = "np.add.at(array[None], np.zeros(len(values), dtype=np.int64), values)"
    return imports, [*lines, _zeros(wanted), add]


def _compressed(wanted: Wanted) -> Steps:
    """Batch by batch: of each stored element or block, its row and its column."""
    entry, layout = wanted.entry, wanted.entry.kind.removeprefix("sparse_")
    ends, others = _INDICES[layout[-1]]
    is_pattern = wanted.form == "pattern"
    imports, lines = _parts(wanted, ends, others, *(() if is_pattern else ("values",)))
    parts = {each.path[-1]: each for each in entry.components}
    batches = len(parts[ends].shape) - 1
    cells = "array"
    if layout.startswith("b"):
        cells = "blocks"
        outer, inner = entry.shape[:batches], entry.shape[batches + 2 :]
        height, width = parts["values"].shape[batches + 1 : batches + 3]
        rows, columns = (
            count // size
            for count, size in zip(entry.shape[batches:], (height, width), strict=False)
        )
        shape = (*outer, rows, height, columns, width, *inner)
        blocks = [f"blocks = array.reshape({shape}).swapaxes({batches + 1}, {batches + 2})"]
    else:
        blocks = []
    place = f"owner, {others}[batch]" if layout.endswith("r") else f"{others}[batch], owner"
    stored = "= True" if is_pattern else "+= values[batch]"
    return imports, [
        *lines,
        _zeros(wanted),
        *blocks,
        f"for batch in np.ndindex({ends}.shape[:-1]):",
        f"    owner = np.repeat(np.arange({ends}.shape[-1] - 1), np.diff({ends}[batch]))",
        f"    {cells}[batch][{place}] {stored}",
    ]
