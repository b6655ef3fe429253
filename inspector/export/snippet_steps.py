"""The lines of a snippet that make the array of what was loaded: part, dtype, form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from inspector.checkpoints.dtypes import PACKED
from inspector.checkpoints.geometry import contiguous
from inspector.checkpoints.ggml import BLOCK_SIZES
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
_PARTS: Final[dict[Form, str]] = {
    "real": "np.ascontiguousarray(array.real)",
    "imaginary": "np.ascontiguousarray(array.imag)",
    "magnitude": "np.abs(np.ascontiguousarray(array))",
    "phase": "np.angle(np.ascontiguousarray(array))",
}


def _form_lines(wanted: Wanted) -> list[str] | None:
    """From the values, in ``array``, to the form."""
    if wanted.form in ("values", "integers"):
        return []
    part = _PARTS.get(wanted.form)
    return None if part is None else [f"array = {part}"]


def _scalar_lines(wanted: Wanted) -> list[str]:
    """NumPy makes an array of one axis of a 0-d one when it makes it contiguous."""
    made_contiguous = wanted.form in _PARTS and not wanted.region.shape
    return ["array = array.reshape(())"] if made_contiguous else []


def array_steps(wanted: Wanted) -> Steps | None:
    """From a NumPy array of the tensor's own dtype, in whatever byte order, in ``array``."""
    form = _form_lines(wanted)
    if form is None:
        return None
    stored = DTYPES.get(wanted.entry.dtype)
    values = wanted.dtype.values if stored is None else stored.values
    picked = f"array = np.array(array{wanted.index}, dtype=np.{values.name})"
    return (NUMPY,), [picked, *form, *_scalar_lines(wanted)]


#: dtypes of which torch makes no sparse tensor dense.
_NEVER_DENSE: Final = ("uint16", "uint32", "uint64", "float8_", "complex32")


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
    if entry.kind.startswith("sparse"):
        return None if stored.name.startswith(_NEVER_DENSE) else ".to_dense()"
    return "" if entry.kind == "dense" else None


#: The two tensors of indices of each compressed layout.
_INDICES: Final = {"csr": "crow col", "bsr": "crow col", "csc": "ccol row", "bsc": "ccol row"}


def _pattern_steps(wanted: Wanted) -> Steps | None:
    """Where a sparse tensor stores something: that of ones in its place, made dense."""
    _, _, layout = wanted.entry.kind.partition("_")
    if layout == "coo":
        # torch's public names for these two ask that nothing is stored twice.
        values, ones = "tensor._values()", "torch.sparse_coo_tensor(tensor._indices(), ones,"
    elif layout in _INDICES:
        indices = ", ".join(f"tensor.{name}_indices()" for name in _INDICES[layout].split())
        values, ones = "tensor.values()", f"torch.sparse_{layout}_tensor({indices}, ones,"
    else:
        return None
    lines = [
        f"ones = torch.ones_like({values}, dtype=torch.int64)",
        f"tensor = {ones} tensor.shape)",
        f"array = tensor.to_dense().numpy(){wanted.array_index} != 0",
    ]
    if not wanted.region.shape:
        lines.append("array = np.array(array)")
    return (NUMPY, TORCH), lines


def tensor_steps(wanted: Wanted) -> Steps | None:
    """From the tensor itself, in ``tensor``, on the CPU."""
    if wanted.form == "pattern":
        return _pattern_steps(wanted)
    entry, form = wanted.entry, _form_lines(wanted)
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
    lines.append(f"array = tensor{calls}.numpy(){after}")
    imports = (NUMPY, TORCH) if form else (TORCH,)
    return imports, [*lines, *form, *_scalar_lines(wanted)]


def stored_steps(wanted: Wanted, offset: int) -> Steps | None:
    """From the file named in ``path``, whose byte ``offset`` is the first of the storage."""
    if wanted.region.numel == 0:
        shape = wanted.region.shape
        line = f"array = np.empty({shape}, dtype=np.{wanted.dtype.values.name})  # no elements"
        return (NUMPY,), [line]
    entry = wanted.entry
    if entry.dtype in BLOCK_SIZES or entry.dtype in PACKED:
        start = offset + entry.storage_offset
        return _bytes(wanted, start) if wanted.form == "raw" else None
    stored = DTYPES[entry.dtype]
    form = [] if wanted.form == "raw" else _form_lines(wanted)
    if form is None or not _is_stored_as_shown(wanted, stored):
        return None
    word, halves, imports, lines = _reading(wanted, stored)
    start = offset + entry.storage_offset * entry.itemsize
    mapped = _mapped(wanted, start, word, halves)
    flags = [
        f"np.{name}(array, out=array)"
        for name, flag in (("conjugate", entry.is_conj), ("negative", entry.is_neg))
        if flag and wanted.form != "raw"
    ]
    return imports, [*mapped, *lines, *flags, *form, *_scalar_lines(wanted)]


def _is_stored_as_shown(wanted: Wanted, stored: DType) -> bool:
    """Whether the form is made of the stored numbers themselves, one by one."""
    if wanted.form == "values":
        same = wanted.dtype.values == stored.values and wanted.shape == wanted.entry.shape
        return same or stored.name == _FLOAT4
    if wanted.form == "integers":
        return wanted.dtype.values == stored.raw
    return wanted.form in (*_PARTS, "raw")


_FLOAT4: Final = "float4_e2m1fn_x2"


def _reading(wanted: Wanted, stored: DType) -> tuple[str, bool, tuple[str, ...], list[str]]:
    """The dtype in the file, whether it is that of half a number, imports, and lines to values."""
    name, index = wanted.entry.dtype, wanted.index
    plain = (NUMPY,)
    picked = f"np.array(stored{index}, dtype=np.{{}}, order='C')"
    if wanted.form == "raw":
        bits = wanted.dtype.values
        pairs = stored.category == "complex"
        return f"u{bits.itemsize}", pairs, plain, [f"array = {picked.format(bits.name)}"]
    if name == "bfloat16":
        lines = [
            f"bits = {picked.format('uint32')}",
            "bits <<= 16  # bfloat16 is the upper half of float32",
            "array = bits.view(np.float32)",
        ]
        return "u2", False, plain, lines
    if name == "complex32":
        lines = [
            f"parts = {picked.format('float32')}",
            "array = parts.view(np.complex64)[..., 0]",
        ]
        return "f2", True, plain, lines
    if name == _FLOAT4:
        lines = [
            "codes = np.stack([stored & 15, stored >> 4], axis=-1)  # two numbers in a byte",
            "table = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], dtype=np.float32)",
            "table = np.concatenate([table, -table])",
            f"array = table[codes].reshape({wanted.shape}){wanted.array_index}",
        ]
        return "u1", False, plain, lines
    if stored.raw != stored.values:
        lines = [
            f"bits = torch.from_numpy({picked.format('uint8')})",
            f"array = bits.view(torch.{name}).to(torch.float32).numpy()",
        ]
        return "u1", False, (NUMPY, TORCH), lines
    word = "u1" if name == "bool" else f"{stored.raw.kind}{stored.raw.itemsize}"
    return word, False, plain, [f"array = {picked.format(stored.values.name)}"]


def _mapped(wanted: Wanted, start: int, word: str, halves: bool) -> list[str]:
    """``stored``: the tensor in the file, mapped, of which nothing is read yet."""
    entry = wanted.entry
    assert entry.storage is not None
    size = int(word[1:])
    order = "" if size == 1 else "<" if entry.storage.byteorder == "little" else ">"
    pair = (2,) if halves else ()
    shape = (*entry.shape, *pair)
    if entry.stride == contiguous(entry.shape):
        return [_memmap(f"{order}{word}", start, shape)]
    reach = sum((count - 1) * step for count, step in zip(entry.shape, entry.stride, strict=True))
    strides = (*(step * entry.itemsize for step in entry.stride), *((size,) if halves else ()))
    return [
        _memmap(f"{order}{word}", start, ((reach + 1) * (2 if halves else 1),)),
        f"stored = np.lib.stride_tricks.as_strided(stored, {shape}, {strides})",
    ]


def _memmap(word: str, start: int, shape: tuple[int, ...]) -> str:
    return f"stored = np.memmap(path, dtype={word!r}, mode='r', offset={start}, shape={shape})"


def _bytes(wanted: Wanted, offset: int) -> Steps:
    """The bytes that numbers are packed in, as they are."""
    lines = [
        _memmap("u1", offset, wanted.shape),
        f"array = np.array(stored{wanted.index})",
    ]
    return (NUMPY,), lines
