"""Histograms against np.histogram, count for count."""

from __future__ import annotations

import numpy as np
import pytest
from analysis_sources import Listener, RawArray, random_raw
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inspector.analysis.histogram import Histogram, histogram
from inspector.analysis.statistics import Statistics, summarise
from inspector.checkpoints.errors import Cancelled
from inspector.values.arrays import Array, ArraySource, InMemoryArray
from inspector.values.dtypes import DTYPES
from inspector.values.regions import Region

pytestmark = pytest.mark.usefixtures("way")


def of(
    source: ArraySource | Array, bins: int = 256, block: int | None = None
) -> tuple[Statistics, Histogram]:
    if isinstance(source, np.ndarray):
        source = InMemoryArray(source)
    region = Region.whole(source.shape)
    statistics = summarise(source, region, **Listener().both)
    found = histogram(source, region, statistics, bins, block=block, **Listener().both)
    assert found.exact
    assert found.counts.sum() == statistics.finite
    assert found.counts.dtype == np.int64
    assert np.all(np.diff(found.edges) > 0)
    assert found.edges.size == found.counts.size + 1 <= bins + 1
    return statistics, found


def assert_numpy_agrees(values: Array, found: Histogram, statistics: Statistics) -> None:
    """The same counts and edges as np.histogram makes of the values in float64."""
    wide = values[np.isfinite(values)].astype(np.float64)
    low, high = statistics.minimum, statistics.maximum
    assert low is not None
    assert high is not None
    counts, edges = np.histogram(wide, found.counts.size, range=(low, high))
    assert np.array_equal(found.counts, counts)
    assert np.array_equal(found.edges, edges)


@pytest.mark.parametrize("bins", [256, 10, 1, 1000, 5000])
@pytest.mark.parametrize("name", ["float32", "float64", "float16", "bfloat16", "float8_e5m2"])
def test_floats_agree_count_for_count(name: str, bins: int) -> None:
    rng = np.random.default_rng(0)
    wide = rng.standard_normal(100_000).astype(np.float32)
    if name == "bfloat16":
        source = RawArray((wide.view(np.uint32) >> 16).astype(np.uint16), name)
    elif name.startswith("float8"):
        source = RawArray(random_raw(name, (100_000,)), name)
    else:
        source = RawArray(wide.astype(name), name)
    statistics, found = of(source, bins, block=30_011)
    assert found.counts.size == bins
    assert_numpy_agrees(source.read(Region.whole(source.shape)), found, statistics)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_on_the_edges_fall_where_numpy_puts_them(dtype: type) -> None:
    edges = np.linspace(-1.7, 3.1, 257)
    near = np.concatenate([edges, np.nextafter(edges, 9), np.nextafter(edges, -9)])
    values = np.clip(near, -1.7, 3.1).astype(dtype)
    values = np.concatenate([values, np.nextafter(values, dtype(0))])
    statistics, found = of(values)
    assert_numpy_agrees(values, found, statistics)


@pytest.mark.parametrize(
    ("offset", "scale"),
    [
        (1e8, 1.0),
        (1e8, 1e-6),
        (-3e5, 1e-7),
        (0, 1e-300),
        (0, 1e307),
        (1, 2.0**-40),
        (5e-324, 1e-310),
    ],
)
def test_hard_ranges(offset: float, scale: float) -> None:
    """Where a range is tiny beside the values, or near the limits, each value is compared."""
    values = offset + scale * np.random.default_rng(1).standard_normal(5000)
    statistics, found = of(values)
    assert_numpy_agrees(values, found, statistics)


@pytest.mark.parametrize(("offset", "scale"), [(1e6, 1.0), (0, 1e-40), (0, 8e37), (-1, 1e-7)])
def test_hard_ranges_of_float32(offset: float, scale: float) -> None:
    values = offset + scale * np.random.default_rng(2).standard_normal(5000)
    values = values.astype(np.float32)
    statistics, found = of(values)
    assert_numpy_agrees(values, found, statistics)


def test_a_range_wider_than_float64() -> None:
    """np.histogram cannot; the same numbers divided by four show what it would count."""
    values = np.random.default_rng(3).uniform(-1.7, 1.7, 3000) * 1e308
    _, found = of(values)
    counts, edges = np.histogram(values / 4, 256, range=(values.min() / 4, values.max() / 4))
    assert np.array_equal(found.counts, counts)
    assert np.array_equal(found.edges, edges * 4)


def test_no_room_for_so_many_bins() -> None:
    values = np.array([1.0, np.nextafter(1.0, 2), 1 + 2**-50] * 9)
    statistics, found = of(values)
    assert 1 < found.counts.size <= 4
    assert_numpy_agrees(values, found, statistics)


@pytest.mark.parametrize("value", [0.0, -2.5, 7e-310, 1e8])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_is_as_numpy_has_it(value: float, dtype: type) -> None:
    values = np.full(1000, value, dtype)
    statistics, found = of(values)
    assert_numpy_agrees(values, found, statistics)
    assert found.counts.max() == 1000


@pytest.mark.parametrize("value", [1e17, -1e300, 1.7976931348623157e308])
def test_a_large_constant_has_a_range_too(value: float) -> None:
    _, found = of(np.full(1000, value))
    assert found.counts.max() == 1000
    assert found.edges[0] <= value <= found.edges[-1]
    assert np.isfinite(found.edges).all()


@pytest.mark.parametrize("name", ["int8", "uint8", "int16", "int32", "uint32", "int64", "uint64"])
def test_few_integers_have_a_bin_each(name: str) -> None:
    values = np.random.default_rng(4).integers(3, 90, 10_000).astype(name)
    statistics, found = of(values, block=999)
    assert found.edges.tolist() == [step - 0.5 for step in range(3, 91)]
    assert np.array_equal(found.counts, np.bincount(values)[3:])
    assert statistics.maximum == 89


@pytest.mark.parametrize("name", ["int16", "uint16", "int32", "uint32", "int64", "qint32"])
def test_many_integers_share_bins_evenly(name: str) -> None:
    raw = random_raw(name, (20_000,), seed=6)
    _, found = of(RawArray(raw, name))
    widths = np.diff(found.edges)
    assert widths[0] == int(widths[0])
    if name != "int64":  # whose edges float64 cannot hold
        assert np.all(widths == widths[0])
        assert np.array_equal(found.counts, np.histogram(raw.astype(np.float64), found.edges)[0])


@pytest.mark.parametrize(
    "ends", [(-(2**63), 2**63 - 1), (2**62, 2**62 + 1000), (0, 2**64 - 1), (2**63, 2**63 + 9)]
)
def test_integers_beyond_floats_are_sorted_exactly(ends: tuple[int, int]) -> None:
    low, high = ends
    dtype = np.uint64 if high >= 2**63 else np.int64
    values = np.random.default_rng(7).integers(low, high, 5000, dtype, endpoint=True)
    values[-2:] = low, high
    _, found = of(values)
    width = -(-(high - low + 1) // 256)
    while True:
        firsts = [low + number * width for number in range(-(-(high - low + 1) // width) + 1)]
        # Wide enough for float64 to tell the edges apart.
        if len({(2 * first - 1) / 2 for first in firsts}) == len(firsts):
            break
        width *= 2
    wanted = [0] * (len(firsts) - 1)
    for value in values.tolist():
        wanted[(value - low) // width] += 1
    assert found.counts.tolist() == wanted


def test_booleans_have_two_bins() -> None:
    _, found = of(np.array([True, False, True, True]))
    assert (found.counts.tolist(), found.edges.tolist()) == ([1, 3], [-0.5, 0.5, 1.5])


@pytest.mark.parametrize("name", ["complex64", "complex128", "complex32"])
def test_complex_numbers_by_magnitude(name: str) -> None:
    rng = np.random.default_rng(8)
    parts = rng.standard_normal((4000, 2)).astype(
        {"complex64": np.float32, "complex128": np.float64, "complex32": np.float16}[name]
    )
    raw = np.ascontiguousarray(parts).view(DTYPES[name].raw).reshape(-1)
    source = RawArray(raw, name)
    statistics, found = of(source)
    magnitudes = np.abs(source.read(Region.whole(source.shape)).astype(np.complex128))
    assert_numpy_agrees(magnitudes, found, statistics)


def test_a_magnitude_beyond_float64() -> None:
    _, found = of(np.array([1.7e308 + 1.7e308j, 0]))
    assert found.counts[0] == found.counts[-1] == 1


@pytest.mark.parametrize("name", ["float32", "float64", "float16", "complex64"])
def test_only_finite_values_are_counted(name: str) -> None:
    values = np.array([np.nan, 1, np.inf, 2, 3, -np.inf] * 50).astype(name)
    statistics, found = of(values, block=7)
    assert found.counts.sum() == 150
    assert (statistics.minimum, statistics.maximum) == (1.0, 3.0)


@pytest.mark.parametrize("name", ["float32", "float16", "int64"])
def test_nothing_to_count(name: str) -> None:
    listener = Listener()
    source = InMemoryArray(np.empty((3, 0), name))
    region = Region.whole(source.shape)
    statistics = summarise(source, region, **Listener().both)
    found = histogram(source, region, statistics, **listener.both)
    assert (found.counts.tolist(), found.edges.tolist()) == ([0], [0.0, 1.0])
    assert statistics.count == 0
    assert listener.heard[-1] == 1.0


@settings(deadline=None, max_examples=300)
@given(
    values=hnp.arrays(
        st.sampled_from([np.float64, np.float32, np.float16]),
        st.integers(1, 50),
        elements=st.floats(width=16, allow_nan=False, allow_infinity=False),
    ),
    bins=st.integers(1, 300),
    block=st.integers(1, 51),
)
def test_any_values_any_bins(values: Array, bins: int, block: int) -> None:
    statistics, found = of(values, bins, block)
    assert_numpy_agrees(values, found, statistics)


def test_it_can_be_cancelled_between_blocks() -> None:
    source = RawArray(np.arange(1000, dtype=np.float32), "float32")
    region = Region.whole(source.shape)
    statistics = summarise(source, region, **Listener().both)
    source.reads.clear()
    with pytest.raises(Cancelled):
        histogram(source, region, statistics, block=100, **Listener(cancel_after=4).both)
    assert len(source.reads) == 4
