"""What the layouts of sparse tensors have in common: their parts, and what is found in a region."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.model import TensorEntry
from inspector.values.arrays import Array
from inspector.values.reading import StoredTensor, parts_of
from inspector.values.regions import Region


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Some of the elements that are stored in or near a region.

    Attributes
    ----------
    batch
        Where they belong among the region's batches, counted in C order.
    coordinates
        int64, for each sparse axis: the index in the tensor, not in the region. Together they have
        the shape `shape`, by broadcasting; some may lie outside of the region.
    read
        Their values: `shape`, and the axes that the region keeps of the dense ones.
    """

    batch: int
    shape: tuple[int, ...]
    coordinates: tuple[Array, ...]
    read: Callable[[], Array]


class Layout(Protocol):
    """How a sparse tensor is stored. Its axes: those of batches, the sparse ones, the dense ones.

    Attributes
    ----------
    batches, sparse
        How many axes of either there are.
    """

    values: StoredTensor
    batches: int
    sparse: int

    def stored(self, region: Region) -> Iterator[Found]:
        """All elements of a region, and maybe others, in bounded portions, in their order.

        Raises
        ------
        TensorError
            If an index on the way is not valid.
        """


def part(entry: TensorEntry, name: str, *, integers: bool = True) -> StoredTensor:
    """One of the dense tensors that a sparse one is made of.

    Raises
    ------
    TensorError
        If it is not there, or its dtype is not the right one.
    """
    found = next((item for item in entry.components if item.path[-1] == name), None)
    if found is None:
        raise TensorError(f"The file has no {name} for {entry.name}.")
    if found.kind != "dense" or (integers and found.dtype not in ("int32", "int64")):
        what = "integers of 32 or 64 bits" if integers else "a dense tensor"
        raise TensorError(f"The {name} of {entry.name} ({found.dtype}) are not {what}.")
    source = StoredTensor(found)
    there = found.storage.nbytes if found.storage is not None else 0
    if integers and found.numel and found.shape and found.shape[-1] * found.itemsize > there:
        # With a stride of 0, a few bytes would be elements without end.
        raise TensorError(
            f"The {name} of {entry.name} are {found.shape[-1]:,}, in {there:,} bytes."
        )
    return source


def misfit(entry: TensorEntry, layout: str) -> TensorError:
    """The refusal of parts whose shapes do not fit together."""
    shapes = ", ".join(f"{item.path[-1]} {list(item.shape)}" for item in entry.components)
    return TensorError(
        f"The parts of {entry.name} do not make a {layout} tensor of shape {list(entry.shape)}: "
        f"{shapes}.",
        advice=advice(entry),
    )


def advice(entry: TensorEntry) -> str:
    """What can be done where the whole can not be shown."""
    return f"Its parts can be opened: {parts_of(entry)}."
