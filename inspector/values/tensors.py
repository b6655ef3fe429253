"""From an entry of a checkpoint to its values: which source reads it."""

from __future__ import annotations

from typing import Protocol

from inspector.checkpoints.ggml import BLOCK_SIZES
from inspector.checkpoints.model import TensorEntry
from inspector.values.arrays import ArraySource
from inspector.values.conversion import Step
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


def tensor_source(entry: TensorEntry) -> TensorSource:
    """The values of any entry.

    Raises
    ------
    TensorError
        If it has none in the file, or none in one array; it says why.
    """
    if entry.dtype in BLOCK_SIZES and entry.storage is not None and not entry.problem:
        return BlockTensor(entry)
    return StoredTensor(entry)
