"""The lines of a snippet that make the array of what was loaded: part, dtype, form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from inspector.checkpoints.dtypes import PACKED
from inspector.checkpoints.model import Checkpoint, TensorEntry
from inspector.values.dtypes import DTYPES, DType
from inspector.values.forms import Form
from inspector.values.regions import Region

NUMPY: Final = "import numpy as np"
TORCH: Final = "import torch"

#: Imports and lines.
Steps = tuple[tuple[str, ...], list[str]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a snippet is to give.

    Attributes
    ----------
    region
        Of the form's source, whose shape is ``shape`` and whose dtype is ``dtype``.
    """

    checkpoint: Checkpoint
    entry: TensorEntry
    form: Form
    region: Region
    shape: tuple[int, ...]
    dtype: DType

    @property
    def index(self) -> str:
        """The region as a subscript; empty for the whole."""
        whole = self.region == Region.whole(self.shape)
        return "" if whole else self.region.text(self.shape)

    @property
    def array_index(self) -> str:
        """The same for the last step: of one element, NumPy makes an array and not a scalar."""
        whole = not self.index or self.region.shape
        return self.index if whole else f"{self.index[:-1]}, ...]"

    @property
    def torch_index(self) -> str:
        """The region's elements as a subscript that torch takes: without steps backwards."""
        return replace(self, region=self.region.ascending).index

    @property
    def turning(self) -> str:
        """What turns those round, as NumPy can; empty if nothing does."""
        kept = [axis for axis in self.region.axes if isinstance(axis, range)]
        ways = ["::-1" if axis.step < 0 else ":" for axis in kept]
        return f"[{', '.join(ways)}]" if "::-1" in ways else ""


#: What is done to complex numbers. A 0-d array would become a scalar, so it is made one of one
#: axis; and NumPy rounds otherwise where numbers lie apart or backwards.
PARTS: Final[dict[Form, str]] = {
    "real": "np.ascontiguousarray(array.real)",
    "imaginary": "np.ascontiguousarray(array.imag)",
    "magnitude": "np.abs(np.ascontiguousarray(array))",
    "phase": "np.angle(np.ascontiguousarray(array))",
}


def form_lines(wanted: Wanted) -> list[str] | None:
    """From the values, in ``array``, to the form."""
    if wanted.form in ("values", "integers"):
        return []
    part = PARTS.get(wanted.form)
    return None if part is None else [f"array = {part}"]


def scalar_lines(wanted: Wanted) -> list[str]:
    """NumPy makes an array of one axis of a 0-d one when it makes it contiguous."""
    made_contiguous = wanted.form in PARTS and not wanted.region.shape
    return ["array = array.reshape(())"] if made_contiguous else []


def array_steps(wanted: Wanted) -> Steps | None:
    """From a NumPy array of the tensor's own dtype, in whatever byte order, in ``array``.

    One of a dtype that NumPy has not is in native order, and of as many bytes.
    """
    stored = DTYPES.get(wanted.entry.dtype)
    values = wanted.dtype.values if stored is None else stored.values
    # A boolean's byte may be other than 0 and 1.
    plain = "array.view(np.uint8)" if values == np.bool_ else "array"
    if wanted.form == "raw":
        widened = stored is not None and stored.raw != stored.values
        lines = [] if widened else [f"array = np.array({plain}, dtype=np.{values.name})"]
        if values == np.bool_:
            lines = [f"array = {plain}"]
        bits = f"np.frombuffer(array.tobytes(), dtype=np.{wanted.dtype.values.name})"
        picked = f"array = bits.reshape({wanted.shape}){wanted.array_index}"
        return (NUMPY,), [*lines, f"bits = {bits}", picked]
    form = form_lines(wanted)
    if form is None:
        return None
    picked = f"array = np.array({plain}{wanted.index}, dtype=np.{values.name})"
    return (NUMPY,), [picked, *form, *scalar_lines(wanted)]


def _plain_calls(wanted: Wanted, stored: DType) -> str | None:
    """What makes a plain tensor of the tensor; None if nothing does, or not the same numbers."""
    entry = wanted.entry
    if entry.kind == "quantized":
        if entry.dtype in PACKED:
            return None
        return ".int_repr()" if wanted.form == "integers" else ".dequantize()"
    # torch widens a signaling NaN of complex32 to another one than NumPy does.
    if stored.category == "bits" or stored.name == "complex32":
        return None
    if entry.kind != "dense":
        return None
    return ".view(torch.uint8)" if stored.name == "bool" else ""


def tensor_steps(wanted: Wanted) -> Steps | None:
    """From the tensor itself, in ``tensor``, on the CPU."""
    entry, form = wanted.entry, form_lines(wanted)
    stored = DTYPES.get(entry.dtype)
    plain = None if stored is None else _plain_calls(wanted, stored)
    if form is None or stored is None or plain is None:
        return None
    before, after = "", wanted.array_index
    if entry.kind == "dense":  # of which torch takes a part before anything is made of it
        before, after = wanted.torch_index, wanted.turning
    if wanted.turning:
        after += ".copy()"  # torch takes no array back that runs backwards
    lines = [f"tensor = tensor{before}"] if before else []
    calls = (".detach()" if entry.requires_grad else "") + plain
    if stored.raw != stored.values:
        calls += f".to(torch.{stored.values.name})"
    calls += ".resolve_conj()" if entry.is_conj else ""
    calls += ".resolve_neg()" if entry.is_neg else ""
    whole = ".astype(bool)" if stored.name == "bool" else ""
    lines.append(f"array = tensor{calls}.numpy(){whole}{after}")
    imports = (NUMPY, TORCH) if form else (TORCH,)
    return imports, [*lines, *form, *scalar_lines(wanted)]
