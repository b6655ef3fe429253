"""What torch's ``_rebuild_...`` functions mean: nodes to tensor entries.

Source: ``torch/_utils.py`` and ``torch/_tensor.py`` of torch 0.4 to 2.13. Every number here comes
from the file; a tensor that does not make sense becomes an entry with a problem, never an error.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from inspector.checkpoints.containers import state_parts
from inspector.checkpoints.describe import describe, integer_text
from inspector.checkpoints.dtypes import ITEMSIZE, PACKED, STRUCT_CODES
from inspector.checkpoints.geometry import integers, packed_problem, strided_problem
from inspector.checkpoints.model import (
    NO_DETAILS,
    ByteSource,
    Kind,
    PathPart,
    Quantizer,
    Storage,
    TensorEntry,
)
from inspector.checkpoints.naming import display_text, join_name
from inspector.checkpoints.pickle_nodes import (
    FarBytes,
    GlobalNode,
    ObjectNode,
    PersistentNode,
    encoded_text,
    latin1,
)
from inspector.checkpoints.sources import MemoryBytes
from inspector.checkpoints.torch_types import (
    attributes,
    device_text,
    is_untyped,
    layout_text,
    storage_dtype,
    torch_dtype,
    view_bits,
)

#: Tensors in tensors (a parameter of a subclass of a ...), at most.
_MAX_NESTING = 16

#: Characters of the name of a component; it begins with the name of the whole.
_MAX_NAME: Final = 10_000

#: Storages that are remembered as too short, at most.
_MAX_MISMATCHED: Final = 100

_DAMAGED = "Its description in the file is damaged."
_NO_REFERENCE = "Its storage is not described as torch does."

Path = tuple[PathPart, ...]
Args = tuple[object, ...]

#: Finds a storage by its key in the file. A text says why it can't be read, as the end of a
#: sentence about it; None says that it is not there.
FindStorage = Callable[[str], Storage | str | None]

#: Opens the archive that lies in the bytes which ``torch.storage._load_from_bytes`` is given.
OpenNested = Callable[[bytes | FarBytes], "Nested"]

#: A storage, the dtype of its elements, the device that it was on, why it can't be read.
_Reference = tuple[Storage | None, str, str, str]


@dataclass(frozen=True, slots=True)
class Nested:
    """What lies in an archive within a pickle.

    Attributes
    ----------
    value
        The root of its nodes.
    rebuilder
        Makes its tensors.
    problem
        Why it can not be read, as a sentence; empty if it can.
    """

    value: object
    rebuilder: Rebuilder | None
    problem: str = ""


class Rebuilder:
    """Makes entries of nodes.

    Parameters
    ----------
    find
        Finds a storage by its key.
    open_nested
        Opens archives within the pickle; without it, they are objects like any other.
    pickle
        What the nodes' pickle was read from, where it begins; None if nobody needs to know.

    Attributes
    ----------
    pickle
        As it was given.
    mismatched
        Keys of the storages that have fewer bytes than the pickle claims.
    """

    def __init__(
        self,
        find: FindStorage,
        open_nested: OpenNested | None = None,
        pickle: ByteSource | None = None,
    ) -> None:
        self.pickle: Final = pickle
        self._find: Final = find
        self._open_nested: Final = open_nested
        self._nested: Final[dict[int, Nested]] = {}
        self._dtypes: Final[dict[int, str]] = {}
        #: Each storage by its key, why it can't be read, and its bytes by the pickle's own word.
        self._storages: Final[dict[str, tuple[Storage | None, str, int]]] = {}
        self.mismatched: Final[dict[str, str]] = {}

    @property
    def claimed(self) -> dict[str, int]:
        """Bytes that each storage has by the pickle's own word, by its key."""
        return {key: claimed for key, (_, _, claimed) in self._storages.items()}

    def tensor(
        self, build: Builder, node: ObjectNode, name: str, path: Path, depth: int = 0
    ) -> TensorEntry:
        """The entry for a node, by what `builder` found for it."""
        try:
            if type(node.args) is not tuple or depth > _MAX_NESTING:
                raise _DamagedError(_DAMAGED)
            return build(self, node.args, name, path, depth)
        except _DamagedError as error:
            return TensorEntry(name, path, "?", (), (), None, problem=str(error))

    def nested(self, node: object) -> Nested | None:
        """What an archive within the pickle holds; None if the node is none."""
        if (
            self._open_nested is None
            or type(node) is not ObjectNode
            or type(node.callee) is not GlobalNode
            or node.callee.qualified != "torch.storage._load_from_bytes"
            or type(node.args) is not tuple
            or len(node.args) != 1
        ):
            return None
        data = node.args[0]
        if type(data) is ObjectNode:
            # Protocols without bytes
            text = encoded_text(data)
            data = None if text is None else latin1(text)
        if type(data) is not bytes and type(data) is not FarBytes:
            return None
        number = id(node)
        if number not in self._nested:
            self._nested[number] = self._open_nested(data)
        return self._nested[number]

    def bare_storage(self, node: PersistentNode, name: str, path: Path) -> TensorEntry:
        """A storage that was saved by itself, as a tensor of one dimension."""
        try:
            storage, dtype, device, problem = self._reference(node)
        except _DamagedError as error:
            return TensorEntry(name, path, "?", (), (), None, problem=str(error))
        count = storage.nbytes // ITEMSIZE[dtype] if storage is not None else 0
        count *= PACKED.get(dtype, 1)
        return TensorEntry(
            name=name,
            path=path,
            dtype=dtype,
            shape=(count,),
            stride=(1,),
            storage=storage,
            device=device,
            details={"saved as": "storage"},
            problem=problem,
        )

    def _reference(self, node: object) -> _Reference:
        """What ``("storage", class, key, location, count)`` refers to."""
        if type(node) is not PersistentNode:
            return self._nested_reference(node)
        pid = node.pid
        if type(pid) is not tuple or len(pid) < 5 or type(pid[2]) is not str:
            raise _DamagedError(_NO_REFERENCE)
        kind, key, device, count = pid[1], pid[2], pid[3], pid[4]
        # By identity: a class is one node, and there are few; nothing of the file is hashed.
        dtype = self._dtypes.get(id(kind))
        if not dtype:
            dtype = self._dtypes[id(kind)] = storage_dtype(kind)
        if not dtype:
            raise _DamagedError(f"The kind of its storage is not known: {describe(kind)}.")
        known = self._storages.get(key)
        if known is None:
            known = self._storages[key] = self._storage(key, kind, dtype, count)
        storage, problem, _ = known
        return storage, dtype, device if type(device) is str else "?", problem

    def _nested_reference(self, node: object) -> _Reference:
        """The same for a storage that is in a pickle or archive of its own."""
        nested = self.nested(node)
        if nested is None:
            raise _DamagedError(_NO_REFERENCE)
        if nested.rebuilder is None:
            raise _DamagedError(nested.problem)
        return nested.rebuilder._reference(nested.value)

    def _storage(
        self, key: str, kind: object, dtype: str, count: object
    ) -> tuple[Storage | None, str, int]:
        claimed = count if type(count) is int else -1
        claimed *= 1 if is_untyped(kind) else ITEMSIZE[dtype]
        found = self._find(key)
        if found is None:
            return None, "The file has no storage for it.", claimed
        if isinstance(found, str):
            return None, f"Its storage {display_text(key, 100)} {found}.", claimed
        if claimed > found.nbytes and len(self.mismatched) < _MAX_MISMATCHED:
            self.mismatched[key] = f"it has {found.nbytes:,} of {integer_text(claimed)} bytes"
        return found, "", claimed

    def strided(
        self,
        args: Args,
        name: str,
        path: Path,
        depth: int,
        dtype: str = "",
        meta_at: int = 6,
    ) -> TensorEntry:
        """The tensor that all of torch's strided formats describe alike: a `Builder`."""
        if len(args) < 4:
            raise _DamagedError(_DAMAGED)
        storage, own_dtype, device, problem = self._reference(args[0])
        dtype = dtype or own_dtype
        offset, shape, stride = args[1], integers(args[2]), integers(args[3])
        if shape is None or stride is None or type(offset) is not int:
            raise _DamagedError("Its shape, stride or offset is none.")
        if offset >= 1 << 63:
            raise _DamagedError("Its offset is impossible.")
        if storage is not None:
            nbytes, per_byte = storage.nbytes, PACKED.get(dtype)
            problem = (
                packed_problem(shape, stride, offset, per_byte, nbytes)
                if per_byte
                else strided_problem(shape, stride, offset, ITEMSIZE[dtype], nbytes)
            )
        conj = neg = False
        if len(args) > meta_at:
            conj, neg = view_bits(args[meta_at])
        return TensorEntry(
            name,
            path,
            dtype,
            shape,
            stride,
            storage,
            offset,
            device if len(device) < 40 else display_text(device, 40),
            "dense",
            len(args) > 4 and args[4] is True,
            conj,
            neg,
            (),
            NO_DETAILS,
            problem,
        )

    def _inner(self, node: object, name: str, path: Path, depth: int) -> TensorEntry:
        """The tensor that another one is made of."""
        build = builder(node) if type(node) is ObjectNode else None
        if build is None or type(node) is not ObjectNode:
            raise _DamagedError("What it is made of is no tensor.")
        return self.tensor(build, node, name, path, depth + 1)

    def component(self, node: object, part: str, name: str, path: Path, depth: int) -> TensorEntry:
        """The same, below the name of the other one."""
        # Each level of components counts for a quarter of the nesting, that of a wrapper's, which
        # may be many, for half: of a wrapper of wrappers, the innermost are not looked at.
        depth += _MAX_NESTING // 4
        if len(name) + len(part) > _MAX_NAME:
            raise _DamagedError("Its name is too long for the names of its parts.")
        return self._inner(node, join_name(name, part, first=False), (*path, part), depth)


class _DamagedError(Exception):
    """A tensor that is not described as torch does; its text is for the user."""


Builder = Callable[[Rebuilder, Args, str, Path, int], TensorEntry]


def _tensor_v3(r: Rebuilder, args: Args, name: str, path: Path, depth: int) -> TensorEntry:
    dtype = torch_dtype(args[6]) if len(args) > 6 else ""
    if not dtype:
        raise _DamagedError("Its dtype is not known.")
    return r.strided(args, name, path, depth, dtype, meta_at=7)


def _parameter(r: Rebuilder, args: Args, name: str, path: Path, depth: int) -> TensorEntry:
    entry = r._inner(args[0] if args else None, name, path, depth)
    return replace(entry, requires_grad=len(args) > 1 and args[1] is True)


def _moved(r: Rebuilder, args: Args, name: str, path: Path, depth: int) -> TensorEntry:
    """``_rebuild_device_tensor_from_cpu_tensor(data, dtype, device, requires_grad)``."""
    if len(args) < 4:
        raise _DamagedError(_DAMAGED)
    entry = r._inner(args[0], name, path, depth)
    return replace(entry, device=device_text(args[2]), requires_grad=args[3] is True)


def _sparse(r: Rebuilder, args: Args, name: str, path: Path, depth: int) -> TensorEntry:
    layout = layout_text(args[0]) if args else ""
    parts = args[1] if len(args) > 1 else None
    names = SPARSE_PARTS.get(layout)
    if names is None or type(parts) is not tuple or len(parts) <= len(names):
        raise _DamagedError("Its sparse layout is not known, or damaged.")
    components = tuple(
        r.component(part, part_name, name, path, depth)
        for part, part_name in zip(parts, names, strict=False)
    )
    shape = integers(parts[len(names)])
    if shape is None:
        raise _DamagedError("Its shape is none.")
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
        raise _DamagedError(_DAMAGED)
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
        return r.component(node, part, name, path, depth)
    dtype = "int64" if part == "zero_points" else "float64"
    try:
        data = struct.pack(f"<{len(node)}{STRUCT_CODES[dtype]}", *node)
    except (struct.error, OverflowError) as error:
        raise _DamagedError(f"Its {part} are no numbers.") from error
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
        raise _DamagedError(_DAMAGED)
    components = tuple(
        r.component(part, part_name, name, path, depth)
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
        r.component(parts[part], part, name, path, depth)
        for part in ("values", "offsets", "lengths")
        if type(parts.get(part)) is ObjectNode
    )
    if len(components) < 2:
        raise _DamagedError(_DAMAGED)
    values, offsets = components[0], components[1]
    ragged = parts.get("_ragged_idx", 1)
    if type(ragged) is not int or not 1 <= ragged <= max(1, len(values.shape)):
        raise _DamagedError("Its ragged axis is none.")
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
        raise _DamagedError(_DAMAGED)
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
        raise _DamagedError(_DAMAGED)
    shape, stride = integers(args[2]), integers(args[3])
    if shape is None or stride is None:
        raise _DamagedError("Its shape or stride is none.")
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
        raise _DamagedError(_DAMAGED)
    entry = r._inner(ObjectNode(args[0], args[2]), name, path, depth)
    if type(args[1]) is GlobalNode and args[1].qualified not in _PLAIN_CLASSES:
        entry = replace(entry, details={**entry.details, "class": describe(args[1])})
    if entry.kind != "subclass" or len(args) < 4:
        return entry
    components = tuple(
        r.component(value, key, name, path, depth + _MAX_NESTING // 4)
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
    for _ in range(_MAX_NESTING):
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
