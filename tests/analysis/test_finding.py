"""The next element of a kind, against a search through all of them."""

from __future__ import annotations

import numpy as np
import pytest
from analysis_sources import Listener, RawArray, kept_in, stored
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inspector.analysis.finding import Index, Target, find_next
from inspector.checkpoints.errors import Cancelled
from inspector.values.arrays import Array, InMemoryArray


def reference(values: Array, start: Index, target: Target, forward: bool) -> Index | None:
    tests = {
        "nan": np.isnan(values),
        "infinite": np.isinf(values),
        "zero": values == 0,
    }
    hits = tests[target] if isinstance(target, str) else values == target
    at = int(np.ravel_multi_index(start, values.shape)) if start else 0
    order = np.roll(np.arange(values.size), -at - 1 if forward else -at)
    order = order if forward else order[::-1]
    for place in order:
        if hits.reshape(-1)[place]:
            return tuple(int(i) for i in np.unravel_index(place, values.shape))
    return None


@settings(deadline=None, max_examples=150)
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=0, max_dims=4, max_side=4),
        elements=st.sampled_from([0.0, 1.0, np.nan, np.inf, -np.inf, -2.5]),
    ),
    st.data(),
)
def test_the_nearest_is_found_both_ways(values: Array, data: st.DataObject) -> None:
    start = tuple(data.draw(st.integers(0, size - 1)) for size in values.shape)
    target: Target = data.draw(st.sampled_from(["nan", "infinite", "zero", -2.5]))
    forward = data.draw(st.booleans())
    block = data.draw(st.integers(1, 7))
    source = InMemoryArray(kept_in(values, data.draw(st.permutations(range(values.ndim)))))
    found = find_next(source, start, target, forward=forward, block=block, **Listener().both)
    assert found == reference(values, start, target, forward)


def test_whole_numbers_beyond_floats_are_told_apart() -> None:
    values = np.array([2**53, 2**53 + 1, 2**53 + 2])
    source = InMemoryArray(values)
    assert find_next(source, (2,), 2**53 + 1, **Listener().both) == (1,)


@pytest.mark.parametrize("forward", [True, False])
def test_a_far_start_reads_only_what_is_near(forward: bool) -> None:
    """In a tensor of 2**40 elements, a hit close by costs a few blocks."""
    shape = (1 << 20, 1 << 20)
    source = RawArray(np.broadcast_to(np.float32(0), shape), "float32")
    start = (777_777, 5)
    expected = (777_777, 6) if forward else (777_777, 4)
    assert find_next(source, start, "zero", forward=forward, **Listener().both) == expected
    assert sum(region.numel for region in source.reads) < 1 << 21


@pytest.mark.parametrize("forward", [True, False])
def test_what_is_stored_transposed_is_searched_with_few_reads(forward: bool) -> None:
    """And what is near is found without reading all of it."""
    raw = kept_in(np.zeros((2048, 2048), np.float32), (1, 0))
    raw[1024, 7] = raw[1024, 2000] = raw[3, 5] = raw[2000, 5] = np.nan
    source, data = stored(raw, "float32")
    begin, near, far = ((1024, 7), (1024, 2000), (2000, 5))
    if not forward:
        begin, near, far = ((1024, 2000), (1024, 7), (3, 5))
    for start, expected in ((begin, near), (near, far)):
        listener = Listener()
        data.reads.clear()
        found = find_next(source, start, "nan", forward=forward, block=1 << 16, **listener.both)
        assert found == expected
        assert listener.heard == sorted(listener.heard)
        assert len(data.reads) < 5000  # not 2048 for every 32 rows
    listener = Listener()
    assert find_next(source, begin, "infinite", block=1 << 16, **listener.both) is None
    assert listener.heard[-1] == 1.0


def test_all_of_it_is_searched_and_can_be_cancelled() -> None:
    source = RawArray(np.zeros((100, 100), np.float32), "float32")
    listener = Listener()
    assert find_next(source, (5, 5), "nan", block=1000, **listener.both) is None
    assert listener.heard[-1] == 1.0
    assert listener.heard == sorted(listener.heard)
    with pytest.raises(Cancelled):
        find_next(source, (5, 5), "nan", block=1000, **Listener(cancel_after=3).both)


def test_bfloat16_and_complex() -> None:
    half = RawArray(np.array([0, 0x7FC0, 0xFF80], np.uint16), "bfloat16")
    assert find_next(half, (2,), "nan", **Listener().both) == (1,)
    assert find_next(half, (0,), "infinite", **Listener().both) == (2,)
    pair = InMemoryArray(np.array([3 + 4j, complex(np.nan, np.inf), complex(1, np.inf)]))
    assert find_next(pair, (0,), "infinite", **Listener().both) == (2,)
    assert find_next(pair, (2,), 5.0, **Listener().both) == (0,)
    assert find_next(pair, (0,), "nan", **Listener().both) == (1,)
