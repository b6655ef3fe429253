"""Quantiles against NumPy's sorted answer."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from analysis_sources import Listener, RawArray, random_raw
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inspector.analysis.quantiles import SHARES, quantiles
from inspector.analysis.statistics import Number, summarise
from inspector.checkpoints.errors import Cancelled
from inspector.values.arrays import Array, ArraySource, InMemoryArray
from inspector.values.dtypes import DTYPES
from inspector.values.regions import Region

pytestmark = pytest.mark.usefixtures("way")

NAMES = [name for name, dtype in DTYPES.items() if dtype.category != "bits"]


def of(
    source: ArraySource | Array,
    shares: tuple[float, ...] = SHARES,
    block: int | None = None,
    few: int = 1 << 16,
) -> tuple[Number, ...]:
    if isinstance(source, np.ndarray):
        source = InMemoryArray(source)
    region = Region.whole(source.shape)
    statistics = summarise(source, region, **Listener().both)
    listener = Listener()
    found = quantiles(source, region, statistics, shares, block=block, few=few, **listener.both)
    assert listener.heard[-1] == 1.0
    assert listener.heard == sorted(listener.heard)
    return found


def expected(values: Array, shares: tuple[float, ...] = SHARES) -> list[float]:
    wide = np.abs(values.astype(np.complex128)) if values.dtype.kind == "c" else values
    kept = wide[np.isfinite(wide)].astype(np.float64)
    return [float(value) for value in np.quantile(kept, shares)] if kept.size else []


@pytest.mark.parametrize("few", [0, 1 << 20])
@pytest.mark.parametrize("name", NAMES)
def test_every_dtype_agrees_with_numpy(name: str, few: int) -> None:
    source = RawArray(random_raw(name, (61, 47), seed=5), name)
    values = source.read(Region.whole(source.shape))
    with np.errstate(all="ignore"):
        found = of(source, few=few, block=500)
        assert [float(value) for value in found] == expected(values.reshape(-1))


@pytest.mark.parametrize("few", [0, 50, 20_000, 1 << 20])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
def test_ordinary_numbers(dtype: type, few: int) -> None:
    values = (np.random.default_rng(1).normal(0, 100, 100_000)).astype(dtype)
    shares = (0.0, 0.001, 0.37, 0.5, 0.999, 1.0)
    found = of(values, shares, few=few)
    assert [float(value) for value in found] == expected(values, shares)


@pytest.mark.parametrize("few", [1000, 60_000])
@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_a_sample_that_misleads_costs_no_exactness(dtype: type, few: int) -> None:
    values = np.random.default_rng(2).normal(0, 1e6, 400_000).astype(dtype)
    for run in range(64):
        start = run * (values.size - 1) // 63
        values[start : start + 1024] = 7
    assert [float(value) for value in of(values, few=few)] == expected(values)


@pytest.mark.parametrize("few", [0, 1000, 60_000])
def test_what_is_there_very_often(few: int) -> None:
    values = np.random.default_rng(3).normal(0, 1, 200_000).astype(np.float32)
    values[::2] = 0
    values[::5] = -1.5
    assert [float(value) for value in of(values, few=few)] == expected(values)


def test_integers_are_exact_beyond_floats() -> None:
    values = np.array([2**53 + 1, -(2**63), 2**63 - 1], np.int64)
    assert of(values, (0.0, 0.5, 1.0), few=0) == (-(2**63), 2**53 + 1, 2**63 - 1)
    whole = np.array([2**64 - 1, 2**63 + 1, 3], np.uint64)
    assert of(whole, (0.0, 0.5, 1.0), few=0) == (3, 2**63 + 1, 2**64 - 1)


def test_zeros_have_no_sign() -> None:
    for dtype in (np.float16, np.float32, np.float64):
        found = of(np.array([-0.0, 0.0, -0.0], dtype), (0.0, 0.5), few=0)
        assert [str(value) for value in found] == ["0.0", "0.0"]


@pytest.mark.parametrize("name", ["float32", "float64", "bfloat16", "int64", "complex64"])
def test_nothing_finite_has_none(name: str) -> None:
    assert of(RawArray(np.empty(0, DTYPES[name].raw), name)) == ()
    if name == "float32":
        assert of(np.array([np.nan, np.inf], np.float32)) == ()


@settings(deadline=None, max_examples=60)
@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.uint32, np.int8]),
        st.integers(1, 60),
    ),
    st.lists(st.floats(0, 1), min_size=1, max_size=4),
    st.integers(1, 70),
    st.sampled_from([0, 5, 1000]),
)
def test_any_numbers_any_shares(values: Array, shares: list[float], block: int, few: int) -> None:
    with np.errstate(all="ignore"):
        ends = values[np.isfinite(values)].astype(np.float64)
        if ends.size and not np.isfinite(ends.max() - ends.min()):
            return  # NumPy's own difference overflows
        found = of(values, tuple(shares), block=block, few=few)
        assert [float(value) for value in found] == expected(values, tuple(shares))


def test_a_billion_numbers_take_little_memory() -> None:
    values = np.broadcast_to(np.float32(2.5), (1 << 20, 1 << 10))[:300, :]
    tracemalloc.start()
    try:
        assert of(np.asarray(values)) == (2.5,) * len(SHARES)
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


def test_it_can_be_cancelled() -> None:
    source = InMemoryArray(np.arange(1000.0))
    region = Region.whole((1000,))
    statistics = summarise(source, region, **Listener().both)
    with pytest.raises(Cancelled):
        quantiles(source, region, statistics, block=100, few=0, **Listener(cancel_after=4).both)
