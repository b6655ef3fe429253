"""What is copied of cells evaluates to the same array."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from inspector.checkpoints.errors import Cancelled
from inspector.export.cells import CellStyle, cells_text
from inspector.values.arrays import Array, InMemoryArray
from inspector.values.live import live_checkpoint
from inspector.values.regions import Plane
from inspector.values.tensors import tensor_source

DTYPES = ("bool", "int8", "uint8", "int64", "uint64", "float16", "float32", "float64")
COMPLEX = ("complex64", "complex128")


def copied(array: Array, style: CellStyle, plane: Plane | None = None) -> str:
    plane = plane or Plane.first(array.shape)
    return cells_text(
        InMemoryArray(array),
        plane,
        range(plane.rows),
        range(plane.columns),
        style,
        "exact",
        check=lambda: None,
        progress=lambda _: None,
    )


def evaluated(text: str) -> Any:
    return eval(text, {"np": np})  # the whole point of the text


def assert_same_bits(found: Array, expected: Array) -> None:
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.tobytes() == np.ascontiguousarray(expected).tobytes()


@st.composite
def any_bits(draw: st.DrawFn, dtypes: tuple[str, ...] = (*DTYPES, *COMPLEX)) -> Array:
    """Arrays of one or two axes of every bit pattern that there is."""
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    shape = draw(arrays.array_shapes(min_dims=1, max_dims=2, max_side=6))
    if dtype.kind == "b":
        return draw(arrays.arrays(dtype, shape))
    width = dtype.itemsize // (2 if dtype.kind == "c" else 1)
    parts = (*shape[:-1], shape[-1] * dtype.itemsize // width)
    special = [0, 1 << (8 * width - 1), (1 << (8 * width)) - 1]
    if dtype.kind in "fc":
        values = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 0.1, 1e-7, 65504.0])
        special += values.astype(f"f{width}").view(f"u{width}").tolist()
    elements = st.one_of(st.sampled_from(special), st.integers(0, (1 << (8 * width)) - 1))
    return draw(arrays.arrays(f"u{width}", parts, elements=elements)).view(dtype)


@given(any_bits())
@settings(max_examples=300)
def test_numpy_code_gives_the_same_array_bit_for_bit(array: Array) -> None:
    assert_same_bits(evaluated(copied(array, "numpy")), array)


@given(any_bits())
@settings(max_examples=200)
def test_a_python_list_holds_the_same_numbers(array: Array) -> None:
    with np.errstate(all="ignore"):
        found = np.array(evaluated(copied(array, "python")), array.dtype)
        np.testing.assert_array_equal(found, array)
        for part in ("real", "imag"):
            ours, theirs = getattr(found, part), getattr(array, part)
            known = ~np.isnan(theirs)
            np.testing.assert_array_equal(np.signbit(ours)[known], np.signbit(theirs)[known])


@given(any_bits())
@settings(max_examples=100)
def test_text_is_read_back_by_numpy(array: Array) -> None:
    for style, between in (("csv", ","), ("tsv", "\t")):
        if style == "tsv" and array.dtype.kind == "b":
            continue  # True and False, as the grid shows them
        found = np.loadtxt(
            io.StringIO(copied(array, style)), array.dtype, delimiter=between, ndmin=array.ndim
        )
        np.testing.assert_array_equal(found.reshape(array.shape), array)


def test_the_digits_are_the_fewest_of_the_dtype() -> None:
    assert copied(np.array([[0.1, -2.0]], np.float32), "numpy") == (
        "np.array([\n    [0.1, -2.0],\n], dtype=np.float32)"
    )
    assert copied(np.array([0.1, -0.0]), "python") == "[0.1, -0.0]"
    assert copied(np.array([[True], [False]]), "numpy") == (
        "np.array([\n    [True],\n    [False],\n], dtype=bool)"
    )
    assert copied(np.array([1 + 2j, complex(-0.0, np.nan)]), "numpy") == (
        "np.array([1.0+2.0j, complex(-0.0, np.nan)], dtype=np.complex128)"
    )
    assert copied(np.array([2**63 - 1, -(2**63)]), "csv") == f"{2**63 - 1}\n{-(2**63)}"


@pytest.mark.parametrize("style", ["tsv", "csv", "python", "numpy"])
@pytest.mark.parametrize("shape", [(3, 20_000), (20_000, 3), (1, 40_000), (40_000, 1), (40_000,)])
def test_many_pieces_make_one_text(style: CellStyle, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape)).reshape(shape)
    text = copied(array, style)
    if style in ("python", "numpy"):
        found = np.array(evaluated(text))
    else:
        found = np.loadtxt(
            io.StringIO(text), np.int64, delimiter="\t" if style == "tsv" else ",", ndmin=len(shape)
        )
    np.testing.assert_array_equal(found, array)


def test_a_turned_plane_is_copied_as_it_is_shown() -> None:
    array = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    plane = Plane.first(array.shape).with_row_axis(2).with_column_axis(0).with_index(1, 2)
    assert_same_bits(evaluated(copied(array, "numpy", plane)), array[:, 2, :].T)


@pytest.mark.parametrize(
    "dtype", [torch.bfloat16, torch.float8_e4m3fn, torch.complex32, torch.uint16, torch.int8]
)
def test_torchs_own_dtypes_are_copied_as_they_are_widened(dtype: torch.dtype) -> None:
    patterns = torch.arange(-128, 128, dtype=torch.int8).repeat_interleave(16).reshape(64, 64)
    tensor = patterns.view(dtype)
    source = tensor_source(live_checkpoint(tensor).entries[0])
    plane = Plane.first(source.shape)
    cells = range(plane.rows), range(plane.columns)
    text = cells_text(
        source, plane, *cells, "numpy", "exact", check=lambda: None, progress=lambda _: None
    )
    wide = {torch.bfloat16: torch.float32, torch.complex32: torch.complex64}
    as_torch = tensor.to(wide.get(dtype, torch.float32 if tensor.is_floating_point() else dtype))
    found = evaluated(text)
    np.testing.assert_array_equal(found, as_torch.numpy())
    assert_same_bits(found, source.read(plane.region()))


def test_copying_stops_at_the_next_piece() -> None:
    pieces: list[float] = []

    def check() -> None:
        if len(pieces) == 2:
            raise Cancelled

    array = np.broadcast_to(np.float32(1), (2**20, 2**20))
    plane = Plane.first(array.shape)
    with pytest.raises(Cancelled):
        cells_text(
            InMemoryArray(array),
            plane,
            range(2**20),
            range(2**20),
            "numpy",
            "exact",
            check=check,
            progress=pieces.append,
        )
    assert pieces == [2**14 / 2**40, 2**15 / 2**40]
