"""Arrays in pieces give the same bytes as the whole, whatever part of them is read."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.checkpoints import CheckpointError
from inspector.checkpoints.assembled import AssembledBytes, Piece
from inspector.checkpoints.sources import MemoryBytes


def cut(array: np.ndarray, edges: list[list[int]], *, full: int = 0) -> list[Piece]:
    """Pieces between the edges along each axis; ``full`` elements more than they need."""
    spans = [list(pairwise(edge)) for edge in edges]
    pieces = []
    for box in product(*spans):
        inner = array[tuple(slice(*span) for span in box)]
        stored = np.full([length + full for length in inner.shape], 99).astype(array.dtype)
        stored[tuple(map(slice, inner.shape))] = inner
        raw = b"before" + stored.tobytes()
        start = tuple(span[0] for span in box)
        pieces.append(Piece(start, stored.shape, MemoryBytes(raw), 6))
    return pieces


@st.composite
def arrays_in_pieces(draw: st.DrawFn) -> tuple[np.ndarray, list[list[int]]]:
    shape = draw(st.lists(st.integers(1, 6), min_size=0, max_size=4))
    dtype = draw(st.sampled_from(["u1", "<u2", "<f4", "<c16"]))
    size = int(np.prod(shape, dtype=int))
    array = np.arange(size * np.dtype(dtype).itemsize, dtype=np.uint8).view(dtype).reshape(shape)
    edges = [
        sorted({0, length, *draw(st.lists(st.integers(1, max(1, length - 1)), max_size=2))})
        for length in shape
    ]
    return array, edges


@given(data=arrays_in_pieces(), bounds=st.tuples(st.floats(0, 1), st.floats(0, 1)))
@settings(max_examples=300, deadline=None)
def test_any_cut_gives_any_range(
    data: tuple[np.ndarray, list[list[int]]], bounds: tuple[float, float]
) -> None:
    array, edges = data
    source = AssembledBytes(array.shape, array.itemsize, cut(array, edges), "It")
    begin, end = sorted(int(bound * array.nbytes) for bound in bounds)
    assert source.size == array.nbytes
    assert source.read(begin, end - begin) == array.tobytes()[begin:end]


@given(data=arrays_in_pieces(), full=st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_chunks_that_reach_beyond_the_edge(
    data: tuple[np.ndarray, list[list[int]]], full: int
) -> None:
    # Only the last piece of each axis may reach beyond: the others would overlap.
    array, _ = data
    pieces = cut(array, [[0, length] for length in array.shape], full=full)
    source = AssembledBytes(array.shape, array.itemsize, pieces, "It")
    assert source.read(0, source.size) == array.tobytes()


@pytest.mark.parametrize("axis", [0, 1])
def test_large_shards_are_read_in_any_direction(axis: int) -> None:
    array = np.random.default_rng(1).integers(0, 2**32, (700, 900), dtype=np.uint32)
    edges = [[0, 700], [0, 900]]
    edges[axis] = [0, 200, 201, array.shape[axis]]
    source = AssembledBytes(array.shape, 4, cut(array, edges), "It")
    assert source.read(0, source.size) == array.tobytes()
    assert source.read(1_000_003, 999_999) == array.tobytes()[1_000_003:2_000_002]


def test_what_is_missing_is_said_and_the_rest_is_read() -> None:
    array = np.arange(1000, dtype=np.uint16).reshape(10, 100)
    pieces = cut(array, [[0, 5, 10], [0, 50, 100]])
    source = AssembledBytes(array.shape, 2, pieces[:3], "layer.weight")
    assert source.read(0, 1000) == array.tobytes()[:1000]
    with pytest.raises(CheckpointError, match=r"layer\.weight is not whole.*1,100 to 1,200"):
        source.read(1000, 1000)


def test_missing_chunks_have_the_fill_value() -> None:
    array = np.arange(35, dtype="<u4").reshape(5, 7)
    pieces = cut(array, [[0, 2, 4, 5], [0, 3, 6, 7]])
    missing = pieces.pop(4)
    expected = array.copy()
    expected[2:4, 3:6] = 0xABCD
    source = AssembledBytes((5, 7), 4, pieces, "It", np.uint32(0xABCD).tobytes())
    assert missing.start == (2, 3)
    assert source.read(0, source.size) == expected.tobytes()
    assert source.read(66, 30) == expected.tobytes()[66:96]


def test_pieces_that_lie_elsewhere_are_left_out() -> None:
    odd = MemoryBytes(bytes(100))
    pieces = [Piece((9,), (3,), odd), Piece((-1,), (3,), odd), Piece((0, 0), (3, 3), odd)]
    source = AssembledBytes((4,), 1, [*pieces, Piece((0,), (4,), MemoryBytes(b"abcd"))], "It")
    assert source.read(0, 4) == b"abcd"
    with pytest.raises(CheckpointError):
        AssembledBytes((4,), 1, pieces, "It").read(0, 1)


def test_a_lying_piece_allocates_nothing() -> None:
    # Two rows of one byte are wanted from a piece that claims rows of 2**40.
    piece = Piece((0, 0), (2, 1 << 40), MemoryBytes(bytes(10)))
    source = AssembledBytes((2, 1), 1, [piece], "It")
    with pytest.raises(CheckpointError):
        source.read(0, 2)
