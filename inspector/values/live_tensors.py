"""Tensors and arrays of the running program as entries, in the shape that files' have.

See `inspector.checkpoints.rebuild_kinds` for the same with what files say of tensors. Nothing is
computed, and nothing of a tensor is asked for that could change it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from inspector.checkpoints.describe import describe
from inspector.checkpoints.dtypes import ITEMSIZE, PACKED
from inspector.checkpoints.model import (
    NO_DETAILS,
    UNKNOWN,
    Kind,
    PathPart,
    Quantizer,
    TensorEntry,
)
from inspector.checkpoints.naming import display_text, join_name
from inspector.checkpoints.rebuild_kinds import SPARSE_KINDS, SPARSE_PARTS, codes_of
from inspector.values.arrays import Array
from inspector.values.live_bytes import LiveStorages

if TYPE_CHECKING:
    import torch

#: Tensors in tensors in tensors, at most.
_MAX_NESTING: Final = 4

Path = tuple[PathPart, ...]


class LiveTensors:
    """Makes entries of tensors and arrays, with storages that all of them share."""

    def __init__(self, storages: LiveStorages) -> None:
        self.storages: Final = storages

    def tensor(self, tensor: torch.Tensor, name: str, path: Path, depth: int = 0) -> TensorEntry:
        """The entry of any tensor; what is wrong with it becomes its problem."""
        import torch

        try:
            if _is_plain(tensor) and tensor.layout is torch.strided:
                return self._tensor(tensor, name, path, depth)
            # A subclass would run code of its own for each of the questions, and the parts of a
            # sparse tensor would be noted for backward.
            with torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
                return self._tensor(tensor, name, path, depth)
        except Exception as error:  # noqa: BLE001 - some answers come from a subclass's own code
            reason = str(error).partition("\n")[0] or type(error).__name__
            problem = f"A {type(tensor).__name__} that does not say what it holds: {reason}"
            return TensorEntry(name, path, UNKNOWN, (), (), None, problem=problem)

    def _tensor(self, tensor: torch.Tensor, name: str, path: Path, depth: int) -> TensorEntry:
        layout = str(tensor.layout).removeprefix("torch.")
        problem = _unreachable(tensor)
        if problem:
            return _described(tensor, name, path, problem=problem)
        if tensor.is_meta or type(tensor).__name__ == "FakeTensor":
            place = "on the meta device" if tensor.is_meta else "a fake tensor"
            problem = f"It is {place}, without numbers."
            return _described(tensor, name, path, "meta", problem=problem)
        if tensor.is_nested:
            return self._nested(tensor, name, path, depth)
        if layout in SPARSE_PARTS:
            return self._sparse(tensor, layout, name, path, depth)
        if layout != "strided":
            problem = (
                f"Its layout is {layout}, without access to its bytes. Look at its to_dense()."
            )
            return _described(tensor, name, path, problem=problem)
        if not _is_plain(tensor):
            inner = _inner_tensors(tensor)
            if inner or _is_hollow(tensor):
                return self._wrapper(tensor, inner, name, path, depth)
        entry = self._strided(tensor, name, path)
        return self._quantized(tensor, entry, depth) if tensor.is_quantized else entry

    def _strided(self, tensor: torch.Tensor, name: str, path: Path) -> TensorEntry:
        storage = self.storages.of_torch(tensor.untyped_storage())
        shape, stride = tuple(tensor.shape), tuple(tensor.stride())
        offset, nbytes = int(tensor.storage_offset()), storage.nbytes
        last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
        end = (last + 1) * tensor.element_size() if tensor.numel() else 0
        if per_byte := PACKED.get(_dtype_name(tensor)):
            # The offset counts bytes here, and there are no strides.
            end = offset - (-tensor.numel() // per_byte)
        problem = ""
        if end > nbytes:
            problem = (
                f"Its storage was freed or made smaller: it has {nbytes:,} of the {end:,} bytes "
                "that the tensor needs."
            )
        elif end and not tensor.untyped_storage().data_ptr():
            problem = f"Its device ({tensor.device}) gives no access to its bytes."
        return TensorEntry(
            name=name,
            path=path,
            dtype=_dtype_name(tensor),
            shape=shape,
            stride=stride,
            storage=storage,
            storage_offset=offset,
            device=str(tensor.device),
            requires_grad=tensor.requires_grad,
            is_conj=tensor.is_conj(),
            is_neg=tensor.is_neg(),
            details=_class_of(tensor),
            problem=problem,
        )

    def _part(self, name: str, path: Path, part: str, tensor: object, depth: int) -> TensorEntry:
        """A tensor that another one, of this name, is made of."""
        import torch

        name, path = join_name(name, part, first=False), (*path, part)
        if depth >= _MAX_NESTING or not isinstance(tensor, torch.Tensor):
            problem = "It is no tensor, or one too deep within others."
            return TensorEntry(name, path, UNKNOWN, (), (), None, problem=problem)
        return self.tensor(tensor, name, path, depth + 1)

    def _made_of(
        self,
        tensor: torch.Tensor,
        kind: Kind,
        parts: dict[str, object],
        shape: tuple[int, ...],
        details: dict[str, str],
        place: tuple[str, Path, int],
    ) -> TensorEntry:
        """A tensor that is given by others, one of which are its values."""
        name, path, depth = place
        components = tuple(
            self._part(name, path, part, held, depth) for part, held in parts.items()
        )
        values = next(part for part in components if part.path[-1] == "values")
        return TensorEntry(
            name=name,
            path=path,
            dtype=values.dtype,
            shape=shape,
            stride=(),
            storage=None,
            device=values.device,
            kind=kind,
            requires_grad=tensor.requires_grad,
            components=components,
            details={**details, **_class_of(tensor)},
            problem=_first_problem(components),
        )

    def _sparse(
        self, tensor: torch.Tensor, layout: str, name: str, path: Path, depth: int
    ) -> TensorEntry:
        kind, names = SPARSE_KINDS[layout], SPARSE_PARTS[layout]
        details = {"layout": layout}
        if layout == "sparse_coo":
            # The public ones refuse what is not coalesced.
            parts = {"indices": tensor._indices(), "values": tensor._values()}
            details["coalesced"] = "yes" if tensor.is_coalesced() else "no"
        else:
            parts = {part: getattr(tensor, part)() for part in names}
        shape, place = tuple(tensor.shape), (name, path, depth)
        return self._made_of(tensor, kind, {**parts}, shape, details, place)

    def _nested(self, tensor: Any, name: str, path: Path, depth: int) -> TensorEntry:
        if str(tensor.layout) == "torch.jagged":
            parts = {
                part: getattr(tensor, f"_{part}")
                for part in ("values", "offsets", "lengths")
                if getattr(tensor, f"_{part}") is not None
            }
            pieces = max(0, len(parts["offsets"]) - 1)
            details = {"pieces": str(pieces), "layout": "jagged"}
            if tensor._ragged_idx != 1:
                details["ragged axis"] = str(tensor._ragged_idx)
            return self._made_of(tensor, "nested", parts, (pieces,), details, (name, path, depth))
        parts = {
            "values": tensor.values(),
            "sizes": tensor._nested_tensor_size(),
            "strides": tensor._nested_tensor_strides(),
            "storage_offsets": tensor._nested_tensor_storage_offsets(),
        }
        pieces = len(parts["sizes"])
        details = {"pieces": str(pieces), "layout": "strided"}
        return self._made_of(tensor, "nested", parts, (pieces,), details, (name, path, depth))

    def _quantized(self, tensor: torch.Tensor, entry: TensorEntry, depth: int) -> TensorEntry:
        scheme = str(tensor.qscheme()).removeprefix("torch.")
        details = {"scheme": scheme}
        components: tuple[TensorEntry, ...] = ()
        if "per_channel" in scheme:
            details["axis"] = str(tensor.q_per_channel_axis())
            parts = {
                "scales": tensor.q_per_channel_scales(),
                "zero_points": tensor.q_per_channel_zero_points(),
            }
            quantizer = Quantizer(axis=tensor.q_per_channel_axis())
            components = (
                replace(codes_of(entry), details=NO_DETAILS),
                *(self._part(entry.name, entry.path, part, parts[part], depth) for part in parts),
            )
        else:
            quantizer = Quantizer(tensor.q_scale(), tensor.q_zero_point())
            details["scale"] = describe(quantizer.scale)
            details["zero_point"] = describe(quantizer.zero_point)
        return replace(
            entry,
            kind="quantized",
            details={**details, **entry.details},
            components=components,
            problem=entry.problem or _first_problem(components),
            quantizer=quantizer,
        )

    def _wrapper(
        self,
        tensor: torch.Tensor,
        inner: dict[str, torch.Tensor],
        name: str,
        path: Path,
        depth: int,
    ) -> TensorEntry:
        components = tuple(
            self._part(name, path, part, held, depth) for part, held in inner.items()
        )
        problem = _first_problem(components)
        if not components:
            problem = "It wraps other tensors, and does not say which."
        return _described(tensor, name, path, "subclass", problem, components)

    def array(self, array: Array, name: str, path: Path) -> TensorEntry:
        """The entry of an array of NumPy."""
        dtype = array.dtype
        word = dtype.newbyteorder("=").name
        problem = _array_problem(array, word)
        byteorder: Literal["little", "big"] = sys.byteorder
        if not dtype.isnative:
            byteorder = "big" if sys.byteorder == "little" else "little"
        details = {"kept as": "NumPy array"}
        if type(array) is not np.ndarray:
            details["class"] = _qualified(type(array))
        if problem:
            told = word if word in ITEMSIZE else display_text(str(dtype), 40)
            return TensorEntry(
                name, path, told, array.shape, (), None, details=details, problem=problem
            )
        storage, start = self.storages.of_array(array, byteorder)
        return TensorEntry(
            name=name,
            path=path,
            dtype=word,
            shape=array.shape,
            stride=tuple(step // array.itemsize for step in array.strides),
            storage=storage,
            storage_offset=start // array.itemsize,
            details=details,
        )

    def bare_storage(self, storage: Any, name: str, path: Path) -> TensorEntry:
        """A storage by itself, as a tensor of one axis."""
        import torch

        dtype = "uint8"
        if isinstance(storage, torch.storage.TypedStorage):
            dtype = str(storage.dtype).removeprefix("torch.")
            storage = storage._untyped_storage
        held = None if storage.device.type == "meta" else self.storages.of_torch(storage)
        return TensorEntry(
            name=name,
            path=path,
            dtype=dtype,
            shape=(storage.nbytes() // ITEMSIZE[dtype],),
            stride=(1,),
            storage=held,
            device=str(storage.device),
            kind="dense" if held is not None else "meta",
            details={"kept as": "storage"},
            problem="" if held is not None else "It is on the meta device, without numbers.",
        )


def _described(
    tensor: torch.Tensor,
    name: str,
    path: Path,
    kind: Kind = "dense",
    problem: str = "",
    components: tuple[TensorEntry, ...] = (),
) -> TensorEntry:
    """A tensor without bytes of its own, as far as it can be described."""
    strided = str(tensor.layout) == "torch.strided"
    shape = tuple(map(int, tensor.shape))
    return TensorEntry(
        name=name,
        path=path,
        dtype=_dtype_name(tensor),
        shape=shape,
        stride=tuple(map(int, tensor.stride())) if strided else (),
        storage=None,
        storage_offset=int(tensor.storage_offset()) if strided else 0,
        device=str(tensor.device),
        kind=kind,
        requires_grad=tensor.requires_grad,
        components=components,
        details=_class_of(tensor),
        problem=problem,
    )


def _unreachable(tensor: torch.Tensor) -> str:
    """Why a tensor stands for numbers that are nowhere yet, as a sentence; empty if it doesn't."""
    import torch

    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return "It exists only within torch.func (vmap, grad ...). Look at it after that."
    if torch._is_functional_tensor(tensor):
        return "It exists only while torch.compile traces. Look at it after that."
    return ""


def _inner_tensors(tensor: Any) -> dict[str, torch.Tensor]:
    """The tensors that a wrapper is made of, by the attributes that hold them."""
    import torch
    from torch.utils._python_dispatch import is_traceable_wrapper_subclass

    if is_traceable_wrapper_subclass(tensor):
        names: Sequence[str] = tensor.__tensor_flatten__()[0]
    elif _is_hollow(tensor):
        held = vars(tensor).items()
        names = [name for name, value in held if isinstance(value, torch.Tensor)]
    else:
        names = ()
    parts = {name: getattr(tensor, name) for name in names}
    # A DTensor's mesh is among them, too.
    return {name: part for name, part in parts.items() if isinstance(part, torch.Tensor)}


def _is_hollow(tensor: torch.Tensor) -> bool:
    """Whether a tensor's operations are a subclass's own, and it has no memory."""
    import torch

    dispatch = type(tensor).__torch_dispatch__
    if dispatch is torch.Tensor.__torch_dispatch__:
        return False
    return bool(tensor.numel()) and tensor.data_ptr() == 0


def _class_of(tensor: torch.Tensor) -> dict[str, str]:
    """What a subclass is called, as a detail; nothing for torch's plain tensors."""
    if _is_plain(tensor):
        return {}
    return {"class": _qualified(type(tensor))}


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether a tensor is of no subclass with code of its own."""
    import torch

    return type(tensor) in (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)


def _qualified(kind: type) -> str:
    return display_text(f"{kind.__module__}.{kind.__qualname__}", 200)


def _dtype_name(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _array_problem(array: Array, word: str) -> str:
    """Why an array can not be shown as numbers, as a sentence; empty if it can."""
    dtype = array.dtype
    if dtype.names is not None:
        fields = display_text(", ".join(dtype.names), 100)
        return f"A structured array, with the fields {fields}. Look at one of them: array[field]."
    if dtype.hasobject:
        return "An array of Python objects, which are not numbers."
    if word not in ITEMSIZE or ITEMSIZE[word] != array.itemsize:
        return f"torch has no dtype for NumPy's {display_text(str(dtype), 40)}."
    if any(step % array.itemsize for step in array.strides) and array.size:
        return "Its elements are not a whole number of elements apart. Look at a copy of it."
    return ""


def _first_problem(components: Sequence[TensorEntry]) -> str:
    for component in components:
        if component.problem:
            return f"Its {component.path[-1]} can not be read. {component.problem}"
    return ""
