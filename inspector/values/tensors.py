"""From an entry of a checkpoint to its values: which source reads it."""

from __future__ import annotations

from inspector.checkpoints.dtypes import PACKED
from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.ggml import BLOCK_SIZES
from inspector.checkpoints.model import TensorEntry
from inspector.values.blocks import Float4Tensor, GgmlTensor, ggml_bytes
from inspector.values.computed import SameNumbers, TensorSource
from inspector.values.conversion import Step
from inspector.values.forms import COMPLEX_PARTS, ComplexPart, Form, RawBits, forms_of
from inspector.values.nested import refuse_nested
from inspector.values.quantized import (
    INTEGERS,
    DequantizedTensor,
    integers_alone,
    packed_bytes,
)
from inspector.values.reading import StoredTensor, parts_of
from inspector.values.sparse import SparseTensor

__all__ = ["TensorSource", "tensor_source"]


def tensor_source(entry: TensorEntry, form: Form = "values") -> TensorSource:
    """An entry in one of its forms. Nothing is read.

    Parameters
    ----------
    form
        One of `forms_of`.

    Raises
    ------
    TensorError
        If it has no such form, or no values in the file; it says why.
    """
    if entry.problem:
        raise TensorError(entry.problem)
    if entry.kind == "subclass" and entry.storage is None and entry.components:
        return _wrapped(entry, form)
    if form != "values" and form not in forms_of(entry):
        _values(entry)  # says why there is nothing, where that is so
        raise TensorError(
            f"{entry.name} ({entry.dtype}) has no {form} form; it has {', '.join(forms_of(entry))}."
        )
    if form == "raw":
        return _raw(entry)
    if form in COMPLEX_PARTS:
        return ComplexPart(entry, _values(entry), form)
    if form == "integers":
        return integers_alone(entry)
    if form == "pattern":
        return SparseTensor(entry, pattern=True)
    return _values(entry)


def _values(entry: TensorEntry) -> TensorSource:
    if entry.kind.startswith("sparse"):
        return SparseTensor(entry)
    if entry.kind == "nested":
        refuse_nested(entry)
    if entry.storage is None:
        return StoredTensor(entry)  # says why there is nothing
    if entry.dtype in BLOCK_SIZES:
        return GgmlTensor(entry)
    if entry.dtype == "float4_e2m1fn_x2":
        return Float4Tensor(entry)
    if entry.dtype in INTEGERS:
        return DequantizedTensor(entry) if entry.kind == "quantized" else integers_alone(entry)
    return StoredTensor(entry)


def _raw(entry: TensorEntry) -> TensorSource:
    if entry.dtype in BLOCK_SIZES:
        source = ggml_bytes(entry)
        return SameNumbers(entry, source, source.steps)
    if entry.dtype in PACKED:
        source = packed_bytes(entry)
        note = f"the bits of {entry.dtype} as uint8, {PACKED[entry.dtype]} integers in each"
        return SameNumbers(entry, source, (*source.reading_steps, Step(note)))
    return RawBits(entry)


def _wrapped(entry: TensorEntry, form: Form) -> TensorSource:
    """What a wrapper such as a DTensor has within it, where that is one tensor."""
    name = entry.details.get("class", "wrapper").rpartition(".")[2]
    if len(entry.components) > 1:
        raise TensorError(
            f"{entry.name} is a {name}, which is made of several tensors.",
            advice=f"Open one of them: {parts_of(entry)}.",
        )
    (inner,) = entry.components
    source = tensor_source(inner, form)
    whole = " × ".join(map(str, entry.shape)) or "a scalar"
    what = "the local shard" if name == "DTensor" else str(inner.path[-1])
    step = Step(f"{what} of a {name}; the whole is {whole}")
    return SameNumbers(entry, source, (step, *source.steps))
