"""Every kind of tensor is read backwards as NumPy flips it, and at no other cost than forwards."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_entries import Bytes, dense, in_memory, same, saved

from inspector.checkpoints.model import TensorEntry
from inspector.values.forms import forms_of
from inspector.values.planes import plane_pieces, plane_values
from inspector.values.regions import Plane
from inspector.values.tensors import tensor_source

ROWS, COLUMNS = 40, 64


def matrix() -> torch.Tensor:
    return torch.randn(ROWS, COLUMNS, generator=torch.Generator().manual_seed(1))


def holes() -> torch.Tensor:
    return matrix() * (matrix() > 1)


def quantized(axis: int | None) -> torch.Tensor:
    if axis is None:
        return torch.quantize_per_tensor(matrix(), 0.03, 3, torch.qint8)
    count = (ROWS, COLUMNS)[axis]
    scales = torch.linspace(0.01, 0.2, count, dtype=torch.float64)
    return torch.quantize_per_channel(matrix(), scales, torch.arange(count) % 5, axis, torch.quint8)


KINDS: dict[str, Callable[[], torch.Tensor]] = {
    "plain": matrix,
    "transposed": lambda: torch.randn(COLUMNS, ROWS).T,
    "expanded": lambda: torch.randn(1, COLUMNS).expand(ROWS, COLUMNS),
    "strided": lambda: torch.randn(ROWS, 3, COLUMNS)[:, 1],
    "bfloat16": lambda: matrix().bfloat16(),
    "conjugate": lambda: torch.complex(matrix(), matrix()).conj(),
    "quantized": lambda: quantized(None),
    "by row": lambda: quantized(0),
    "by column": lambda: quantized(1),
    "packed": lambda: torch.quantize_per_channel(
        matrix(), torch.ones(ROWS), torch.zeros(ROWS), 0, torch.quint4x2
    ),
    "coo": lambda: holes().to_sparse(),
    "csr": lambda: holes().to_sparse_csr(),
    "csc": lambda: holes().to_sparse_csc(),
    "bsr": lambda: holes().to_sparse_bsr((4, 8)),
}


def entry_of(kind: str, tmp_path: Path) -> TensorEntry:
    if kind == "blocks":
        stored = np.random.default_rng(2).integers(0, 60, (ROWS, COLUMNS // 32 * 18), np.uint8)
        entry = dense("t", stored, "q4_0", kind="quantized")
        return replace(entry, shape=(ROWS, COLUMNS), stride=(COLUMNS, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, on what it is going to change
        return in_memory(saved(tmp_path, KINDS[kind]()))


def reads(entry: TensorEntry) -> list[tuple[int, int]]:
    """Where and how much was read of each of its parts, without regard to the order."""
    found: list[tuple[int, int]] = []
    for part in (entry, *entry.components):
        if part.storage is not None:
            assert isinstance(part.storage.source, Bytes)
            found += sorted(part.storage.source.reads)
            part.storage.source.reads.clear()
    return found


def planes(shape: tuple[int, ...]) -> Iterator[tuple[Plane, tuple[int, ...]]]:
    """A plane in every direction, with the axes of its rows and columns to flip."""
    first = Plane.first(shape)
    for plane, turned in itertools.product(
        (first, first.with_row_axis(len(shape) - 1)), ((), (0,), (1,), (0, 1))
    ):
        for side in turned:
            axis = (plane.row_axis, plane.column_axis)[side]
            assert axis is not None
            plane = plane.with_reversed(axis)
        yield plane, turned


@pytest.mark.parametrize("kind", [*KINDS, "blocks"])
def test_backwards_is_what_numpy_flips_at_the_cost_of_forwards(kind: str, tmp_path: Path) -> None:
    entry = entry_of(kind, tmp_path)
    sources = [tensor_source(entry, form) for form in forms_of(entry)]
    for source in sources:
        if len(source.shape) < 2:
            continue  # the bytes of what is packed
        for plane, turned in planes(source.shape):
            forward = replace(plane, reversed_axes=frozenset())
            down, across = range(plane.rows), range(plane.columns)
            expected = np.flip(plane_values(source, forward, down, across), turned)
            same(plane_values(source, plane, down, across), expected)
            down, across = down[1:21:2], across[:-1]
            same(plane_values(source, plane, down, across), expected[1:21:2, :-1])
            pieces = [piece for piece, _ in plane_pieces(source, plane, down, across)]
            same(np.concatenate(pieces), expected[1:21:2, :-1])
            reads(entry)
            source.read(plane.region())
            backwards = reads(entry)
            source.read(plane.region().ascending)
            assert backwards == reads(entry)
            assert backwards
