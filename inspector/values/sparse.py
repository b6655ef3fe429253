"""Sparse tensors as the dense ones that they stand for.

Each region is filled from the elements that are stored in it. torch crashes on indices that are
out of bounds; here each is checked before it is used.

Sources: ``aten/src/ATen/native/sparse/SparseTensorMath.cpp`` (what is added up, and in which order)
and ``aten/src/ATen/native/sparse/ValidateCompressedIndicesCommon.h`` (what is valid).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.geometry import MAX_DIMENSIONS
from inspector.checkpoints.model import TensorEntry
from inspector.values.arrays import Array
from inspector.values.computed import ComputedTensor
from inspector.values.conversion import Step
from inspector.values.dtypes import native, round_bfloat16
from inspector.values.regions import Region
from inspector.values.sparse_compressed import CompressedLayout
from inspector.values.sparse_coo import CooLayout
from inspector.values.sparse_parts import Found, Layout, advice


class SparseTensor(ComputedTensor):
    """A sparse tensor of any layout, seen as a dense one.

    Elements that COO stores several times at one place are added up in the order in which they are
    stored, in the stored dtype, as torch does. (float8 and complex32, which torch can not add, are
    added in float32 and complex64. An infinite complex number stays what it is; torch multiplies it
    by one, which makes a NaN of one half.)

    Parameters
    ----------
    entry
        Of a sparse kind.
    pattern
        Whether to tell only where something is stored, as booleans.

    Raises
    ------
    TensorError
        If its parts do not fit together. Its indices are checked when they are read.
    """

    def __init__(self, entry: TensorEntry, *, pattern: bool = False) -> None:
        coo = entry.kind == "sparse_coo"
        if len(entry.shape) > MAX_DIMENSIONS:
            raise TensorError(
                f"{entry.name} has {len(entry.shape)} dimensions, more than {MAX_DIMENSIONS}.",
                advice=advice(entry),
            )
        self._layout: Layout = CooLayout(entry) if coo else CompressedLayout(entry)
        values = self._layout.values
        self._word: Final = entry.kind.removeprefix("sparse_").upper()
        self._pattern: Final = pattern
        #: Whether several elements may be stored at one place.
        self._adds: Final = coo and entry.details.get("coalesced") != "yes"
        self._rounds: Final = values.entry.dtype == "bfloat16"
        dtype = native(np.dtype(np.bool_) if pattern else values.dtype.values)
        if pattern:
            note, steps, exact = f"where {self._word} stores an element", values.reading_steps, True
        else:
            note = f"0 where {self._word} stores nothing"
            note += ", the sum where it stores several" if self._adds else ""
            steps, exact = values.steps, not self._adds or dtype.category in ("bool", "integer")
        step = Step(note, copies=True, exact=exact)
        super().__init__(entry, entry.shape, replace(dtype, note=note), (*steps, step))

    def _fill(self, out: Array, region: Region) -> None:
        first, behind = self._layout.batches, self._layout.batches + self._layout.sparse
        axes = region.axes[first:behind]
        places = (math.prod(_kept(region.axes[:first])), math.prod(_kept(axes)))
        cells = out.reshape((*places, *_kept(region.axes[behind:])))
        cells[...] = 0
        taken, put = np.zeros(places, np.bool_), 0
        for found in self._layout.stored(region):
            place, inside = _placed(axes, found)
            if not place.size:
                continue
            if self._pattern:
                cells[found.batch, place] = True
            else:
                self._add(cells[found.batch], place, found.read()[inside])
            if not self._adds:
                taken[found.batch, place] = True
                put += place.size
        if put != np.count_nonzero(taken):
            word = "a coalesced tensor" if self._word == "COO" else self._word
            raise TensorError(
                f"The indices of {self.entry.name} are damaged: some place has several elements, "
                f"which {word} can not have.",
                advice=advice(self.entry),
            )

    def _add(self, cells: Array, place: NDArray[np.int64], values: Array) -> None:
        """Add elements, which lie along the first axis, to what is at their places."""
        # Sums of a file's numbers may overflow, as in torch.
        with np.errstate(all="ignore"):
            if not self._adds:
                cells[place] += values
            elif not self._rounds:
                np.add.at(cells, place, values)
            else:
                for turn in _turns(place):
                    cells[place[turn]] = round_bfloat16(cells[place[turn]] + values[turn])


def _kept(axes: Sequence[range | int]) -> tuple[int, ...]:
    return tuple(len(axis) for axis in axes if isinstance(axis, range))


def _placed(
    axes: Sequence[range | int], found: Found
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Which elements are in a region, and where among its places in C order."""
    inside = np.ones(found.shape, np.bool_)
    place = np.zeros(found.shape, np.int64)
    for axis, index in zip(axes, found.coordinates, strict=True):
        if isinstance(axis, int):
            inside &= index == axis
            continue
        steps, rest = np.divmod(index - axis.start, axis.step)
        inside &= (rest == 0) & (steps >= 0) & (steps < len(axis))
        place = place * len(axis) + steps
    return place[inside], inside


def _turns(place: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    """Elements in turns, so that none has two at one place, and each place keeps its order."""
    order = np.argsort(place, kind="stable")
    ordered = place[order]
    begins = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    lengths = np.diff(np.append(begins, place.size))
    rank = np.arange(place.size) - np.repeat(begins, lengths)
    by_rank = np.argsort(rank, kind="stable")
    return np.split(order[by_rank], np.cumsum(np.bincount(rank))[:-1])
