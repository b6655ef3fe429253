"""What torch's ``_rebuild_...`` functions mean: which of them makes which kind of tensor.

Source: ``torch/_utils.py`` and ``torch/_tensor.py`` of torch 0.4 to 2.13. Every number here comes
from the file; a tensor that does not make sense becomes an entry with a problem, never an error.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from inspector.checkpoints.containers import state_parts
from inspector.checkpoints.describe import describe
from inspector.checkpoints.dtypes import PACKED, STRUCT_CODES
from inspector.checkpoints.geometry import integers
from inspector.checkpoints.model import Kind, Quantizer, Storage, TensorEntry
from inspector.checkpoints.naming import join_name
from inspector.checkpoints.pickle_nodes import GlobalNode, ObjectNode
from inspector.checkpoints.rebuild import (
    DAMAGED,
    MAX_NESTING,
    Args,
    Builder,
    DamagedError,
    Path,
    Rebuilder,
)
from inspector.checkpoints.sources import MemoryBytes
from inspector.checkpoints.torch_types import attributes, device_text, layout_text, torch_dtype

#: Characters of the name of a component; it begins with the name of the whole.
_MAX_NAME: Final = 10_000


def _inner(r: Rebuilder, node: object, name: str, path: Path, depth: int) -> TensorEntry:
    """The tensor that another one is made of."""
    build = builder(node) if type(node) is ObjectNode else None
    if build is None or type(node) is not ObjectNode:
        raise DamagedError("What it is made of is no tensor.")
    return r.tensor(build, node, name, path, depth + 1)


def _component(
    r: Rebuilder, node: object, part: str, name: str, path: Path, depth: int
) -> TensorEntry:
    """The same, below the name of the other one."""
    # Each level of components counts for a quarter of the nesting, that of a wrapper's, which
    # may be many, for half: of a wrapper of wrappers, the innermost are not looked at.
    depth += MAX_NESTING // 4
    if len(name) + len(part) > _MAX_NAME:
        raise DamagedError("Its name is too long for the names of its parts.")
    return _inner(r, node, join_name(name, part, first=False), (*path, part), depth)


def _tensor_v3(r: Rebuilder, args: Args, name: str, path: Path, depth: int) -> TensorEntry:
    dtype = torch_dtype(args[6]) if len(args) > 6 else ""
    if not dtype:
        raise DamagedError("Its dtype is not known.")
    return r.strided(args, name, path, depth, dtype, meta_at=7)


def _parameter(r: Rebuilder, args: Args, name: str, path: Path, depth: int) -> TensorEntry:
    entry = _inner(r, args[0] if args else None, name, path, depth)
    return replace(entry, requires_grad=len(args) > 1 and args[1] is True)


def _moved(r: Rebuilder, args: Args, name: str, path: Path, depth: int) -> TensorEntry:
    """``_rebuild_device_tensor_from_cpu_tensor(data, dtype, device, requires_grad)``."""
    if len(args) < 4:
        raise DamagedError(DAMAGED)
    entry = _inner(r, args[0], name, path, depth)
    return replace(entry, device=device_text(args[2]), requires_grad=args[3] is True)


def _sparse(r: Rebuilder, args: Args, name: str, path: Path, depth: int) -> TensorEntry:
    layout = layout_text(args[0]) if args else ""
    parts = args[1] if len(args) > 1 else None
    names = SPARSE_PARTS.get(layout)
    if names is None or type(parts) is not tuple or len(parts) <= len(names):
        raise DamagedError("Its sparse layout is not known, or damaged.")
    components = tuple(
        _component(r, part, part_name, name, path, depth)
        for part, part_name in zip(parts, names, strict=False)
    )
    shape = integers(parts[len(names)])
    if shape is None:
        raise DamagedError("Its shape is none.")
    details = {"layout": layout}
    if layout == "sparse_coo" and len(parts) > 3:
        details["coalesced"] = "yes" if parts[3] is True else "no"
    values = components[-1]
    return TensorEntry(
        name=name,
        path=path,
        dtype=values.dtype,
        shape=shape,
        stride=(),
        storage=None,
        device=values.device,
        kind=SPARSE_KINDS[layout],
        requires_grad=values.requires_grad,
        components=components,
        details=details,
        problem=_first_problem(components),
    )


def _quantized(r: Rebuilder, args: Args, name: str, path: Path, depth: int) -> TensorEntry:
    if len(args) < 6 or type(args[4]) is not tuple or len(args[4]) < 3:
        raise DamagedError(DAMAGED)
    entry = r.strided((*args[:4], args[5]), name, path, depth)
    scheme, *numbers = args[4]
    word = scheme.name if type(scheme) is GlobalNode else describe(scheme)
    details = {"scheme": word}
    components: tuple[TensorEntry, ...] = ()
    quantizer = None
    if "per_channel" in word:
        axis = numbers[2] if len(numbers) > 2 else None
        details["axis"] = describe(axis) if axis is not None else "?"
        if type(axis) is int and 0 <= axis < len(entry.shape):
            quantizer = Quantizer(axis=axis)
        components = (
            codes_of(entry),
            _channels(r, numbers[0], "scales", name, path, depth),
            _channels(r, numbers[1], "zero_points", name, path, depth),
        )
    else:
        scale, zero_point = numbers[0], numbers[1]
        details["scale"], details["zero_point"] = describe(scale), describe(zero_point)
        if type(scale) is float and type(zero_point) is int:
            quantizer = Quantizer(scale, zero_point)
    return replace(
        entry,
        kind="quantized",
        details=details,
        components=components,
        problem=entry.problem or _first_problem(components),
        quantizer=quantizer,
    )


def codes_of(entry: TensorEntry) -> TensorEntry:
    """What ``int_repr`` gives for a quantized tensor: its integers, or the bytes they are in."""
    per_byte = PACKED.get(entry.dtype)
    nbytes = -(-entry.numel // (per_byte or 1))
    return replace(
        entry,
        name=join_name(entry.name, "int_repr", first=False),
        path=(*entry.path, "int_repr"),
        dtype=_CODES.get(entry.dtype, "uint8"),
        shape=(nbytes,) if per_byte else entry.shape,
        stride=(1,) if per_byte else entry.stride,
    )


def _channels(
    r: Rebuilder, node: object, part: str, name: str, path: Path, depth: int
) -> TensorEntry:
    """A scale or zero point for each channel: a tensor, or up to torch 1.3 a list of numbers."""
    if type(node) is not list and type(node) is not tuple:
        return _component(r, node, part, name, path, depth)
    dtype = "int64" if part == "zero_points" else "float64"
    try:
        data = struct.pack(f"<{len(node)}{STRUCT_CODES[dtype]}", *node)
    except (struct.error, OverflowError) as error:
        raise DamagedError(f"Its {part} are no numbers.") from error
    return TensorEntry(
        name=join_name(name, part, first=False),
        path=(*path, part),
        dtype=dtype,
        shape=(len(node),),
        stride=(1,),
        storage=Storage(MemoryBytes(data), 0, len(data), part),
    )


def _nested(r: Rebuilder, args: Args, name: str, path: Path, depth: int) -> TensorEntry:
    if len(args) < 4:
        raise DamagedError(DAMAGED)
    components = tuple(
        _component(r, part, part_name, name, path, depth)
        for part, part_name in zip(args, _NESTED_PARTS, strict=False)
    )
    values, sizes = components[0], components[1]
    return TensorEntry(
        name=name,
        path=path,
        dtype=values.dtype,
        shape=sizes.shape[:1],
        stride=(),
        storage=None,
        device=values.device,
        kind="nested",
        requires_grad=values.requires_grad,
        components=components,
        details={"pieces": str(sizes.shape[0]) if sizes.shape else "?", "layout": "strided"},
        problem=_first_problem(components),
    )


def _jagged(r: Rebuilder, args: Args, name: str, path: Path, depth: int) -> TensorEntry:
    """``_rebuild_njt({"values": ..., "offsets": ..., ...})``: nested, by offsets."""
    parts = dict(attributes(args[0])) if args else {}
    components = tuple(
        _component(r, parts[part], part, name, path, depth)
        for part in ("values", "offsets", "lengths")
        if type(parts.get(part)) is ObjectNode
    )
    if len(components) < 2:
        raise DamagedError(DAMAGED)
    values, offsets = components[0], components[1]
    ragged = parts.get("_ragged_idx", 1)
    if type(ragged) is not int or not 1 <= ragged <= max(1, len(values.shape)):
        raise DamagedError("Its ragged axis is none.")
    pieces = max(0, offsets.shape[0] - 1) if offsets.shape else 0
    return TensorEntry(
        name=name,
        path=path,
        dtype=values.dtype,
        shape=(pieces,),
        stride=(),
        storage=None,
        device=values.device,
        kind="nested",
        requires_grad=values.requires_grad,
        components=components,
        details={"pieces": str(pieces), "layout": "jagged"}
        | ({"ragged axis": str(ragged)} if ragged != 1 else {}),
        problem=_first_problem(components),
    )


def _meta(r: Rebuilder, args: Args, name: str, path: Path, _: int) -> TensorEntry:
    shape = integers(args[1]) if len(args) > 1 else None
    stride = integers(args[2]) if len(args) > 2 else None
    if shape is None or stride is None:
        raise DamagedError(DAMAGED)
    return TensorEntry(
        name=name,
        path=path,
        dtype=torch_dtype(args[0]) or "?",
        shape=shape,
        stride=stride,
        storage=None,
        device="meta",
        kind="meta",
        requires_grad=len(args) > 3 and args[3] is True,
        problem="It was saved from the meta device, without numbers.",
    )


def _wrapper(r: Rebuilder, args: Args, name: str, path: Path, _: int) -> TensorEntry:
    """``_rebuild_wrapper_subclass``: what it wraps comes with the state, in `_from_type`."""
    if len(args) < 8:
        raise DamagedError(DAMAGED)
    shape, stride = integers(args[2]), integers(args[3])
    if shape is None or stride is None:
        raise DamagedError("Its shape or stride is none.")
    return TensorEntry(
        name=name,
        path=path,
        dtype=torch_dtype(args[1]) or "?",
        shape=shape,
        stride=stride,
        storage=None,
        storage_offset=args[4] if type(args[4]) is int and 0 <= args[4] < 1 << 63 else 0,
        device=device_text(args[6]),
        kind="subclass",
        requires_grad=args[7] is True,
        details={"class": describe(args[0])},
        problem="It wraps other tensors, and the file does not say which.",
    )


def _from_type(r: Rebuilder, args: Args, name: str, path: Path, depth: int) -> TensorEntry:
    """``_rebuild_from_type_v2(function, class, arguments, state)``."""
    if len(args) < 3:
        raise DamagedError(DAMAGED)
    entry = _inner(r, ObjectNode(args[0], args[2]), name, path, depth)
    if type(args[1]) is GlobalNode and args[1].qualified not in _PLAIN_CLASSES:
        entry = replace(entry, details={**entry.details, "class": describe(args[1])})
    if entry.kind != "subclass" or len(args) < 4:
        return entry
    components = tuple(
        _component(r, value, key, name, path, depth + MAX_NESTING // 4)
        for key, value in attributes(args[3])
        if type(value) is ObjectNode and builder(value) is not None
    )
    if not components:
        return entry
    return replace(entry, components=components, problem=_first_problem(components))


def _first_problem(components: Sequence[TensorEntry]) -> str:
    for component in components:
        if component.problem:
            return f"Its {component.path[-1]} can not be read. {component.problem}"
    return ""


def saved_attributes(node: ObjectNode, build: Builder) -> list[object]:
    """The states with the Python attributes that a tensor was saved with."""
    found: list[object] = []
    for _ in range(MAX_NESTING):
        callee, args = node.callee, node.args
        if type(callee) is not GlobalNode or type(args) is not tuple:
            break
        if callee.qualified in _WITH_STATE and len(args) > 3:
            found += state_parts(args[3])
        elif callee.qualified not in _PARAMETERS:
            break
        if not args or type(args[0]) is not ObjectNode:
            break
        node = args[0]
    return found


def has_attributes(build: Builder) -> bool:
    """Whether a tensor of this kind may have been saved with Python attributes."""
    return build is not Rebuilder.strided


def builder(node: ObjectNode) -> Builder | None:
    """What makes a tensor of a node; None if the node makes none, as far as its callee tells."""
    callee = node.callee
    return _BUILDERS.get(callee.qualified) if type(callee) is GlobalNode else None


_PLAIN_CLASSES = frozenset({"torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter"})

_WITH_STATE = frozenset(
    {
        "torch._utils._rebuild_parameter_with_state",
        "torch._tensor._rebuild_from_type",
        "torch._tensor._rebuild_from_type_v2",
    }
)

_PARAMETERS = frozenset({"torch._utils._rebuild_parameter"})

_NESTED_PARTS = ("values", "sizes", "strides", "storage_offsets")

#: dtype of the numbers that a quantized dtype stores.
_CODES: Final = {"qint8": "int8", "qint32": "int32"}

#: The tensors that a sparse one is made of, by torch's layout; its values come last.
SPARSE_PARTS: Final = {
    "sparse_coo": ("indices", "values"),
    "sparse_csr": ("crow_indices", "col_indices", "values"),
    "sparse_csc": ("ccol_indices", "row_indices", "values"),
    "sparse_bsr": ("crow_indices", "col_indices", "values"),
    "sparse_bsc": ("ccol_indices", "row_indices", "values"),
}

#: The kind of an entry by torch's layout.
SPARSE_KINDS: Final[dict[str, Kind]] = {
    "sparse_coo": "sparse_coo",
    "sparse_csr": "sparse_csr",
    "sparse_csc": "sparse_csc",
    "sparse_bsr": "sparse_bsr",
    "sparse_bsc": "sparse_bsc",
}

_BUILDERS: Final[dict[str, Builder]] = {
    "torch._utils._rebuild_tensor": Rebuilder.strided,
    "torch._utils._rebuild_tensor_v2": Rebuilder.strided,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._utils._rebuild_sparse_tensor": _sparse,
    "torch._utils._rebuild_qtensor": _quantized,
    "torch._utils._rebuild_nested_tensor": _nested,
    "torch.nested._internal.nested_tensor._rebuild_njt": _jagged,
    "torch._utils._rebuild_meta_tensor_no_storage": _meta,
    "torch._utils._rebuild_wrapper_subclass": _wrapper,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _moved,
    "torch._tensor._rebuild_from_type": _from_type,
    "torch._tensor._rebuild_from_type_v2": _from_type,
}
