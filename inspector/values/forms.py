"""The forms in which one tensor can be looked at: its values, its bits, parts of its numbers.

Each form is an `ArraySource` of its own, so that grid, picture, statistics and export need not
know of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from inspector.checkpoints.ggml import BLOCK_SIZES
from inspector.checkpoints.model import TensorEntry
from inspector.values.arrays import Array, read_only
from inspector.values.computed import BlockwiseTensor, TensorSource
from inspector.values.conversion import Step, summary
from inspector.values.dtypes import DTYPES, DType, dtype_of, native
from inspector.values.quantized import INTEGERS
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region

#: ``values``: what the numbers mean. ``raw``: their bits as unsigned integers. ``real`` to
#: ``phase``: of complex numbers. ``integers``: what a quantized tensor stores. ``pattern``: where
#: a sparse tensor stores an element.
Form = Literal["values", "raw", "real", "imaginary", "magnitude", "phase", "integers", "pattern"]


@dataclass(frozen=True, slots=True)
class _Part:
    """A real number for each complex one."""

    note: str
    take: Callable[[Array], Array]


#: What is taken of complex numbers.
COMPLEX_PARTS: Final[dict[Form, _Part]] = {
    "real": _Part("real parts", np.real),
    "imaginary": _Part("imaginary parts", np.imag),
    "magnitude": _Part("magnitudes, rounded to {}", np.abs),
    "phase": _Part("phases in radians, rounded to {}", np.angle),
}


def forms_of(entry: TensorEntry) -> tuple[Form, ...]:
    """The forms in which an entry can be looked at; the first is what it means. Nothing is read.

    Empty where there are no values at all; `tensor_source` says why.
    """
    if entry.problem:
        return ()
    category = DTYPES[entry.dtype].category if entry.dtype in DTYPES else ""
    parts: tuple[Form, ...] = tuple(COMPLEX_PARTS) if category == "complex" else ()
    if entry.kind.startswith("sparse"):
        return ("values", *parts, "pattern")
    if entry.storage is None:
        inner = entry.components
        return forms_of(inner[0]) if entry.kind == "subclass" and len(inner) == 1 else ()
    if entry.kind == "quantized" and entry.dtype in INTEGERS:
        return ("values", "integers", "raw")
    return ("values", *parts, "raw") if category or entry.dtype in BLOCK_SIZES else ()


class ComplexPart(BlockwiseTensor):
    """The real parts, imaginary parts, magnitudes or phases of complex numbers.

    Parameters
    ----------
    whole
        With a dtype of category ``complex``.
    form
        One of ``real``, ``imaginary``, ``magnitude``, ``phase``.
    """

    def __init__(self, entry: TensorEntry, whole: TensorSource, form: Form) -> None:
        self._whole: Final = whole
        part = COMPLEX_PARTS[form]
        self._take: Final = part.take
        real = whole.dtype.values.type(0).real.dtype
        note = part.note.format(real)
        step = Step(note, copies=True, exact=form in ("real", "imaginary"))
        dtype = replace(native(real), note=note)
        super().__init__(entry, whole.shape, dtype, (*whole.steps, step), whole.axis_order)

    def _part(self, region: Region) -> Array:
        # NumPy rounds some otherwise where numbers lie apart or backwards.
        numbers = np.ascontiguousarray(self._whole.read(region))
        # NaN and infinities are in the file, and nothing to warn of.
        with np.errstate(all="ignore"):
            return self._take(numbers)


class RawBits:
    """The stored bits as unsigned integers, whatever they mean.

    A complex number's are two integers along a further last axis: those of the real part first.

    Parameters
    ----------
    entry
        With a storage and one of torch's dtypes.
    """

    def __init__(self, entry: TensorEntry) -> None:
        self.entry = entry
        # A boolean's byte may be other than 0 and 1.
        dtype = "uint8" if entry.dtype == "bool" else entry.dtype
        self._stored = StoredTensor(replace(entry, dtype=dtype, is_conj=False, is_neg=False))
        raw = dtype_of(entry.dtype).raw
        self._pairs = dtype_of(entry.dtype).category == "complex"
        bits = np.dtype(f"u{raw.itemsize // 2 if self._pairs else raw.itemsize}")
        self._dtype = replace(native(bits), note=f"the bits of {entry.dtype} as {bits}")

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape, with one more axis of 2 for complex numbers."""
        return (*self.entry.shape, 2) if self._pairs else self.entry.shape

    @property
    def dtype(self) -> DType:
        """uint8, uint16, uint32 or uint64."""
        return self._dtype

    @property
    def axis_order(self) -> tuple[int, ...]:
        """The tensor's axes as they lie in the storage, and that of a pair behind them."""
        order = self._stored.axis_order
        return (*order, len(order)) if self._pairs else order

    @property
    def steps(self) -> tuple[Step, ...]:
        """What every read does, in order."""
        lazy = "conjugate" * self.entry.is_conj or "negative" * self.entry.is_neg
        left = (Step(f"{lazy} not resolved"),) if lazy else ()
        return (*self._stored.reading_steps, *left, Step(self._dtype.note))

    @property
    def summary(self) -> str:
        """The steps in one line."""
        return summary(self.steps, False)

    def read(self, region: Region) -> Array:
        """The bits of a region (see `ArraySource`)."""
        if not self._pairs:
            return read_only(self._stored.read_raw(region).view(self._dtype.raw))
        *axes, last = region.axes
        numbers = self._stored.read_raw(Region(tuple(axes)))
        flat = np.ascontiguousarray(numbers).reshape(-1)
        bits = flat.view(self._dtype.raw).reshape((*numbers.shape, 2))
        return read_only(bits[..., last] if isinstance(last, int) else bits[..., list(last)])

    def read_raw(self, region: Region) -> Array:
        """The same as `read`."""
        return self.read(region)
