"""Any torch tensor, and any stored one, as a NumPy array, with the steps that led to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from inspector.checkpoints.errors import TensorError
from inspector.values.arrays import Array, read_only
from inspector.values.dtypes import DType, dtype_of

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done on the way from a tensor to an array.

    Attributes
    ----------
    text
        In a few words, such as ``moved from cuda:0 to the CPU``.
    copies
        Whether the numbers were copied, so that the array no longer shares the tensor's memory.
    exact
        Whether every number is still the one that is stored; else it was rounded.
    """

    text: str
    copies: bool = False
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Conversion:
    """A NumPy array and how it came about.

    Attributes
    ----------
    array
        The values, read-only, in native byte order.
    steps
        What was done, in order.
    shares_memory
        Whether the array looks at the tensor's own memory.
    """

    array: Array
    steps: tuple[Step, ...]
    shares_memory: bool

    @property
    def exact(self) -> bool:
        """Whether no step rounded."""
        return all(step.exact for step in self.steps)

    @property
    def summary(self) -> str:
        """The steps as one line."""
        return summary(self.steps, self.shares_memory)


@dataclass(frozen=True, slots=True)
class RawValues:
    """Stored elements on their way to becoming values.

    Attributes
    ----------
    raw
        Of dtype ``dtype.raw``, in native byte order.
    is_conj, is_neg
        Whether the conjugate or the negative of what is stored is meant.
    steps
        What was done so far.
    shares_memory
        Whether `raw` looks at the tensor's own memory.
    """

    raw: Array
    dtype: DType
    is_conj: bool = False
    is_neg: bool = False
    steps: tuple[Step, ...] = ()
    shares_memory: bool = False


#: Why there is no array, by torch's layout.
_SPARSE: Final = {"sparse_coo": "COO", "sparse_csr": "CSR", "sparse_csc": "CSC"} | {
    "sparse_bsr": "BSR",
    "sparse_bsc": "BSC",
}


def summary(steps: tuple[Step, ...], shares_memory: bool) -> str:
    """Steps as one line, ending in where the memory is."""
    ending = "memory shared with the tensor" if shares_memory else ""
    return " · ".join(filter(None, (*(step.text for step in steps), ending)))


def convert(source: torch.Tensor | RawValues) -> Conversion:
    """Turn any torch tensor, or elements read from a file, into a NumPy array.

    The tensor is never changed. A tensor on the CPU of a dtype that NumPy has shares its memory
    with the array, whatever its strides; every other is copied, and the steps say why. bfloat16
    and the float8 types become float32, complex32 becomes complex64, all exactly; types without
    values of their own (``bits8``, ``int4`` ...) come as raw integers.

    Parameters
    ----------
    source
        A tensor of any dtype, shape, stride and device; or `RawValues`.

    Returns
    -------
    Conversion
        Its array has the tensor's shape, is read-only, and has dtype ``DTYPES[name].values``
        (float32 for a quantized tensor, which is dequantized).

    Raises
    ------
    TensorError
        If the tensor has no values (meta), none in one strided array (sparse, nested, wrapper
        subclasses), or cannot be moved from its device.
    TypeError
        If `source` is neither.
    """
    values = source if isinstance(source, RawValues) else _raw_values(source)
    array = values.dtype.widen(values.raw)
    steps = list(values.steps)
    shares = values.shares_memory
    if array is not values.raw:
        steps.append(Step(values.dtype.note, copies=True))
        shares = False
    elif values.dtype.note:
        steps.append(Step(values.dtype.note))
    if values.is_conj:
        array, shares = np.conjugate(array), False
        steps.append(Step("conjugate resolved", copies=True))
    if values.is_neg:
        array, shares = np.negative(array), False
        steps.append(Step("negative resolved", copies=True))
    return Conversion(read_only(array), tuple(steps), shares)


def _raw_values(tensor: torch.Tensor) -> RawValues:
    """A tensor's elements in NumPy, bit for bit."""
    import torch

    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"expected a torch.Tensor, not {type(tensor).__name__}")
    steps: list[Step] = []
    _refuse(tensor)
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        steps.append(Step(f"seen as a plain tensor, not as {type(tensor).__name__}"))
        tensor = tensor.as_subclass(torch.Tensor)
    if tensor.requires_grad:
        steps.append(Step("detached from autograd"))
    tensor = tensor.detach()
    shares = tensor.is_cpu
    if not tensor.is_cpu:
        steps.append(Step(f"moved from {tensor.device} to the CPU", copies=True))
        tensor = _moved(tensor)
    if tensor.is_quantized:
        done = f"{_dtype_name(tensor)} dequantized to float32"
        steps.append(Step(done, copies=True, exact=False))
        tensor, shares = tensor.dequantize(), False
    if tensor.is_conj():
        steps.append(Step("conjugate resolved", copies=True))
        tensor, shares = tensor.resolve_conj(), False
    if tensor.is_neg():
        steps.append(Step("negative resolved", copies=True))
        tensor, shares = tensor.resolve_neg(), False
    dtype = dtype_of(_dtype_name(tensor))
    return RawValues(_elements(tensor, dtype), dtype, steps=tuple(steps), shares_memory=shares)


def _refuse(tensor: torch.Tensor) -> None:
    """Say in words why a tensor has no strided values."""
    layout = str(tensor.layout).removeprefix("torch.")
    if layout in _SPARSE:
        raise TensorError(
            f"A sparse tensor ({_SPARSE[layout]}) is not one array.",
            advice="Its indices and its values are; choose one of them.",
        )
    if tensor.is_nested:
        raise TensorError("A nested tensor is not one array.", advice="Its components are.")
    if tensor.is_meta:
        raise TensorError("A meta tensor has a dtype and a shape, but no values.")
    if layout != "strided":
        raise TensorError(f"A tensor of layout {layout} is not one strided array.")
    if _wraps_others(tensor):
        raise TensorError(
            f"A {type(tensor).__name__} wraps other tensors and has no values of its own.",
            advice="Choose one of the tensors inside it.",
        )


def _wraps_others(tensor: object) -> bool:
    """Whether a tensor has its values in other tensors (DTensor), or nowhere (FakeTensor)."""
    from torch.utils._python_dispatch import is_traceable_wrapper_subclass

    return is_traceable_wrapper_subclass(tensor) or type(tensor).__name__ == "FakeTensor"


def _moved(tensor: torch.Tensor) -> torch.Tensor:
    try:
        return tensor.cpu()
    except (RuntimeError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise TensorError(
            f"The tensor could not be moved from {tensor.device} to the CPU: {reason}"
        ) from error


def _dtype_name(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _elements(tensor: torch.Tensor, dtype: DType) -> Array:
    """The elements as NumPy's ``dtype.raw``, in the tensor's own memory."""
    import torch

    if dtype.values == dtype.raw and not dtype.note:
        return tensor.numpy()
    carrier = {1: torch.uint8, 2: torch.int16, 4: torch.int32}[dtype.raw.itemsize]
    return tensor.view(carrier).numpy().view(dtype.raw)


def with_steps(values: RawValues, *steps: Step) -> RawValues:
    """The same elements with further steps noted after the present ones."""
    return replace(values, steps=(*values.steps, *steps))
