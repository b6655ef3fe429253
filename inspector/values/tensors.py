"""From an entry of a checkpoint to its values: which source reads it."""

from __future__ import annotations

from typing import Protocol

from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.ggml import BLOCK_SIZES
from inspector.checkpoints.model import TensorEntry
from inspector.values.arrays import ArraySource
from inspector.values.conversion import Step
from inspector.values.forms import ComplexPart, Form, RawBits, forms_of
from inspector.values.quantized import BlockTensor
from inspector.values.reading import StoredTensor


class TensorSource(ArraySource, Protocol):
    """An entry's values behind the one door, with what is done to make them."""

    entry: TensorEntry

    @property
    def steps(self) -> tuple[Step, ...]:
        """What every read does, in order."""

    @property
    def summary(self) -> str:
        """The steps in one line."""


def tensor_source(entry: TensorEntry, form: Form = "values") -> TensorSource:
    """An entry in one of its forms.

    Parameters
    ----------
    form
        One of `forms_of`.

    Raises
    ------
    TensorError
        If it has no such form, or no values in the file; it says why.
    """
    if form == "values":
        return _values(entry)
    if form not in forms_of(entry):
        _values(entry)  # says why there is nothing, where that is so
        raise TensorError(f"{entry.name} ({entry.dtype}) has no {form} form.")
    if form == "raw":
        return BlockTensor(entry).stored if entry.dtype in BLOCK_SIZES else RawBits(entry)
    return ComplexPart(StoredTensor(entry), form)


def _values(entry: TensorEntry) -> TensorSource:
    if entry.dtype in BLOCK_SIZES and entry.storage is not None and not entry.problem:
        return BlockTensor(entry)
    return StoredTensor(entry)
