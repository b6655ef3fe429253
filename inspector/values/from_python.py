"""`to_numpy`: any tensor, live or in a file, as an array, for scripts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from inspector.checkpoints.model import TensorEntry
from inspector.values.conversion import Conversion
from inspector.values.forms import Form
from inspector.values.live_bytes import Devices, LiveStorages
from inspector.values.live_tensors import LiveTensors
from inspector.values.reading import StoredTensor
from inspector.values.regions import Index, region_of
from inspector.values.tensors import tensor_source

if TYPE_CHECKING:
    import torch


def to_numpy(
    tensor: torch.Tensor | np.ndarray[Any, Any] | TensorEntry,
    region: Index = None,
    form: Form = "values",
) -> Conversion:
    """Turn any tensor, or a part of it, into a NumPy array, and tell how it came about.

    The tensor is never changed. In the form ``values``, one on the CPU of a dtype that NumPy has
    shares its memory with the array, whatever its strides; all else is copied, and the steps say
    why. bfloat16 and the float8 types become float32, complex32 becomes complex64, all exactly;
    types without values of their own (``bits8``, ``int4`` ...) come as raw integers. Of a tensor
    on an accelerator or in a file, only what the region needs is fetched.

    Runs in any thread, for as long as the region takes to copy.

    Parameters
    ----------
    tensor
        A tensor of any dtype, shape, stride, device; a NumPy array; or an entry of an open
        checkpoint.
    region
        What part of it: ``"[3, :, ::2]"``, a tuple of integers and slices, a `Region`; None for
        the whole.
    form
        ``values``; ``raw``, the stored bits as unsigned integers; ``real``, ``imaginary``,
        ``magnitude`` or ``phase`` of complex numbers; and what else `forms_of` says of the entry.

    Returns
    -------
    Conversion
        ``array`` is read-only and in native byte order. It has the region's shape, where an
        integer in the index drops its axis (complex numbers as ``raw`` have one axis of 2 more),
        and the dtype ``DTYPES[name].values``, or that of the form.

    Raises
    ------
    InspectorError
        If there are no such values (a meta tensor, a wrapper of others), the region does not fit,
        or the file, the device or the memory fails.
    TypeError
        If `tensor` is none.
    """
    entry = tensor if isinstance(tensor, TensorEntry) else _entry(tensor)
    source = tensor_source(entry, form)
    wanted = region_of(region, source.shape)
    if isinstance(source, StoredTensor) and form == "values":
        shared = source.share(wanted)
        if shared is not None:
            return shared
    return Conversion(source.read(wanted), source.steps, shares_memory=False)


def _entry(tensor: object) -> TensorEntry:
    tensors = LiveTensors(LiveStorages(Devices()))
    if isinstance(tensor, np.ndarray):
        return tensors.array(tensor, "array", ())
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(tensor, torch.Tensor):
        return tensors.tensor(tensor, "tensor", ())
    raise TypeError(
        "expected a torch.Tensor, a NumPy array or an entry of a checkpoint, "
        f"not {type(tensor).__name__}"
    )
