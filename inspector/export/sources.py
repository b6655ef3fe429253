"""Which form of a tensor is exported: what its numbers mean, or their bits."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.model import TensorEntry
from inspector.values import tensors
from inspector.values.arrays import Array
from inspector.values.conversion import Step, summary
from inspector.values.dtypes import DTYPES, DType, native
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region
from inspector.values.tensors import TensorSource

Form = Literal["values", "raw"]


def forms_of(entry: TensorEntry) -> tuple[Form, ...]:
    """The forms in which an entry can be had; the first is what it means."""
    if entry.problem or entry.storage is None:
        return ()
    return ("values", "raw") if entry.dtype in DTYPES else ("values",)


def tensor_source(entry: TensorEntry, form: Form = "values") -> TensorSource:
    """An entry in one of its forms.

    Raises
    ------
    TensorError
        If it has no such form, or no values in the file.
    """
    if form == "values":
        return tensors.tensor_source(entry)
    if form not in forms_of(entry):
        raise TensorError(f"{entry.name} ({entry.dtype}) has no {form} form.")
    return _Bits(entry)


class _Bits:
    """The stored bits as unsigned integers; of complex numbers two along a further last axis."""

    def __init__(self, entry: TensorEntry) -> None:
        self.entry = entry
        self._stored = StoredTensor(replace(entry, is_conj=False, is_neg=False))
        self._pairs = self._stored.dtype.category == "complex"
        size = self._stored.dtype.raw.itemsize // (2 if self._pairs else 1)
        bits = np.dtype(f"u{size}")
        self._dtype = replace(native(bits), note=f"the bits of {entry.dtype} as {bits}")

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.entry.shape, 2) if self._pairs else self.entry.shape

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def steps(self) -> tuple[Step, ...]:
        return (Step(self._dtype.note),)

    @property
    def summary(self) -> str:
        return summary(self.steps, False)

    def read(self, region: Region) -> Array:
        axes = region.axes[:-1] if self._pairs else region.axes
        stored = np.ascontiguousarray(self._stored.read_raw(Region(axes)))
        bits: Array = stored.reshape(-1).view(self._dtype.raw)
        if self._pairs:
            last = region.axes[-1]
            bits = bits.reshape((*stored.shape, 2))
            bits = bits[..., last] if isinstance(last, int) else bits[..., list(last)]
        else:
            bits = bits.reshape(stored.shape)
        bits.flags.writeable = False
        return bits

    def read_raw(self, region: Region) -> Array:
        return self.read(region)
