"""Statistics against exact arithmetic, NumPy's float64 and torch's own answers."""

from __future__ import annotations

import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
import torch
from analysis_sources import Listener, RawArray, random_raw
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inspector.analysis.blocks import WORKERS
from inspector.analysis.moments import root
from inspector.analysis.patterns import count_patterns
from inspector.analysis.statistics import Statistics, summarise
from inspector.checkpoints.errors import Cancelled
from inspector.values.arrays import Array, ArraySource, InMemoryArray
from inspector.values.dtypes import DTYPES
from inspector.values.floats import FLOATS
from inspector.values.regions import Region, parse_region

pytestmark = pytest.mark.usefixtures("way")

#: The bound that `summarise` states.
BOUND = 64 * 2.0**-53


def of(source: ArraySource | Array, block: int | None = None) -> Statistics:
    if isinstance(source, np.ndarray):
        source = InMemoryArray(source)
    return summarise(source, Region.whole(source.shape), block=block, **Listener().both)


def exact_root(value: Fraction) -> float:
    return root(value.numerator, value.denominator)


def moments(values: list[float]) -> tuple[Fraction, Fraction, Fraction]:
    """Mean, variance and mean square, without any rounding."""
    exact = [Fraction(value) for value in values]
    mean = sum(exact, Fraction()) / len(exact)
    square = sum((value * value for value in exact), Fraction()) / len(exact)
    return mean, square - mean * mean, square


def assert_moments(found: Statistics, values: list[float]) -> None:
    """Compare with exact arithmetic, within the bound that is stated."""
    mean, variance, square = moments(values)
    std = exact_root(variance)
    assert isinstance(found.mean, float)
    assert found.std is not None
    assert abs(Fraction(found.mean) - mean) <= Fraction(BOUND * std) + Fraction(
        math.ulp(float(mean))
    )
    assert found.std == pytest.approx(std, rel=BOUND, abs=0)
    assert found.l2_norm == pytest.approx(exact_root(square * len(values)), rel=BOUND, abs=0)
    l1_norm = sum((abs(Fraction(value)) for value in values), Fraction())
    if l1_norm < Fraction(2) ** 1024:
        assert found.l1_norm == pytest.approx(float(l1_norm), rel=BOUND, abs=0)
    else:
        assert found.l1_norm == math.inf
    assert found.max_norm == max(abs(value) for value in values)


def assert_counts(found: Statistics, values: Array) -> None:
    """Compare what is counted and where the extremes are with NumPy."""
    finite = np.isfinite(values)
    nan = np.isnan(values)
    assert found.exact
    assert found.count == values.size
    assert found.finite == finite.sum()
    assert found.nan == nan.sum()
    assert found.infinite == (np.isinf(values) & ~nan).sum()
    assert found.zeros == (values == 0).sum()
    if values.dtype.kind == "c":
        assert found.pos_inf == found.neg_inf == 0
        values = np.abs(values.astype(np.complex128))
    else:
        assert found.pos_inf == (values == np.inf).sum()
        assert found.neg_inf == (values == -np.inf).sum()
    if not finite.any():
        assert found.minimum is found.maximum is found.mean is found.std is None
        assert found.minimum_at is found.maximum_at is None
        assert found.l2_norm == 0
        return
    kept = values[finite]
    whole = values.dtype.kind in "biu"
    assert found.minimum == (int(kept.min()) if whole else float(kept.min()))
    assert found.maximum == (int(kept.max()) if whole else float(kept.max()))
    assert type(found.minimum) is type(found.maximum) is (int if whole else float)
    for number, place in ((kept.min(), found.minimum_at), (kept.max(), found.maximum_at)):
        first = np.flatnonzero(((values == number) & finite).reshape(-1))[0]
        assert place == tuple(int(i) for i in np.unravel_index(first, values.shape))


@pytest.mark.parametrize("block", [None, 7, 64])
@pytest.mark.parametrize("name", sorted(DTYPES))
def test_every_dtype_agrees_with_exact_arithmetic(name: str, block: int | None) -> None:
    source = RawArray(random_raw(name, (13, 17)), name)
    with np.errstate(all="ignore"):
        values = source.read(Region.whole(source.shape))
    if values.dtype.kind == "f":
        assert not np.isfinite(values).all(), "the test has lost its point"
    found = of(source, block)
    with np.errstate(all="ignore"):
        assert_counts(found, values)
    finite = values[np.isfinite(values)]
    if values.dtype.kind == "c":
        parts = [moments([float(x) for x in part]) for part in (finite.real, finite.imag)]
        assert isinstance(found.mean, complex)
        std = exact_root(parts[0][1] + parts[1][1])
        assert found.std == pytest.approx(std, rel=BOUND, abs=0)
        assert abs(found.mean.real - float(parts[0][0])) <= BOUND * std
        assert abs(found.mean.imag - float(parts[1][0])) <= BOUND * std
        norm = exact_root((parts[0][2] + parts[1][2]) * finite.size)
        assert found.l2_norm == pytest.approx(norm, rel=BOUND, abs=0)
        magnitudes = np.abs(finite.astype(np.complex128)).tolist()
        assert found.l1_norm == pytest.approx(math.fsum(magnitudes), rel=BOUND, abs=0)
        assert found.max_norm == max(magnitudes)
    else:
        assert_moments(found, finite.reshape(-1).tolist())


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int8"])
def test_every_pattern_of_a_narrow_dtype(name: str) -> None:
    raw = DTYPES[name].raw
    patterns = np.arange(1 << 8 * raw.itemsize).astype(f"uint{8 * raw.itemsize}").view(raw)
    values = torch.from_numpy(patterns.view(f"int{8 * raw.itemsize}")).view(getattr(torch, name))
    wide = values.to(torch.float64).numpy()
    found = of(RawArray(patterns, name))
    assert_counts(found, wide if name != "int8" else patterns)
    assert_moments(found, wide[np.isfinite(wide)].tolist())


@pytest.mark.parametrize("name", ["float32", "float64", "bfloat16", "float16", "int64", "uint8"])
def test_agrees_with_torch_on_a_million_numbers(name: str) -> None:
    torch.manual_seed(0)
    dtype = getattr(torch, name)
    tensor = (torch.randn(1000, 1003, dtype=torch.float64) * 50 + 100).to(dtype)
    raw = tensor.view(torch.int16) if name == "bfloat16" else tensor
    found = of(RawArray(raw.numpy().view(DTYPES[name].raw), name))
    wide = tensor.to(torch.float64)
    std, mean = torch.std(wide, correction=0), torch.mean(wide)
    assert found.minimum == wide.min().item()
    assert found.maximum == wide.max().item()
    assert found.minimum_at == np.unravel_index(int(wide.argmin()), wide.shape)
    assert found.mean == pytest.approx(mean.item(), rel=1e-14)
    assert found.std == pytest.approx(std.item(), rel=1e-12)
    for order, norm in ((1, found.l1_norm), (2, found.l2_norm), (math.inf, found.max_norm)):
        assert norm == pytest.approx(torch.linalg.vector_norm(wide, order).item(), rel=1e-13)
    assert found.zeros == int((tensor == 0).sum())


def test_agrees_with_numpy_to_the_last_digits() -> None:
    values = np.random.default_rng(1).normal(3, 2, 3_000_000)
    found = of(values)
    longer = values.astype(np.longdouble)
    assert found.mean == pytest.approx(float(longer.mean()), rel=2**-52)
    assert found.std == pytest.approx(float(longer.std()), rel=2**-51)
    assert found.mean == pytest.approx(values.mean(), rel=1e-15)
    assert found.std == pytest.approx(values.std(), rel=1e-14)


@pytest.mark.parametrize(
    ("centre", "noise"), [(1e8, 1.0), (1e8, 1e-6), (-1e15, 3.0), (1e300, 1e290), (1e-300, 1e-308)]
)
def test_cancellation_costs_no_digits(centre: float, noise: float) -> None:
    values = centre + noise * np.random.default_rng(2).standard_normal(20_000)
    assert_moments(of(values), values.tolist())
    assert_moments(of(values, block=100), values.tolist())


def test_a_shift_from_block_to_block_costs_no_digits() -> None:
    """Each block's mean is far from the one before, so that its centre has to be found again."""
    steps = np.repeat([0.0, 1e9, -5e12, 7.0, 1e15], 1000)
    values = steps + np.random.default_rng(3).standard_normal(5000)
    for block in (1000, 700, 5000):
        assert_moments(of(values, block), values.tolist())


def test_an_outlier_costs_no_digits() -> None:
    values = np.random.default_rng(4).standard_normal(4000)
    values[2718] = 1e30
    assert_moments(of(values), values.tolist())
    assert of(values).maximum_at == (2718,)


def test_an_outlier_far_from_the_mean_costs_no_digits() -> None:
    """The middle of the range is then no centre: squares about it would drown the deviation."""
    values = 10 + np.random.default_rng(4).standard_normal(50_000)
    values[777] = 1e3
    assert_moments(of(values), values.tolist())


def test_a_complex_number_is_nan_or_infinite_but_not_both() -> None:
    array = np.array([complex(np.nan, np.inf), complex(np.inf, 1), complex(0, np.nan), 3 + 4j])
    found = of(array)
    assert (found.finite, found.nan, found.infinite) == (1, 2, 1)
    assert (found.minimum, found.mean, found.std) == (5.0, 3 + 4j, 0.0)


@pytest.mark.parametrize("size", [6, 60_000])
def test_a_boolean_of_any_byte_but_0_is_true(size: int) -> None:
    """A file may hold such bytes."""
    raw = np.resize(np.array([0, 1, 2, 255, 128, 0], np.uint8), size).view(np.bool_)
    found = of(RawArray(raw, "bool"))
    assert (found.minimum, found.maximum, found.mean) == (0, 1, 4 / 6)
    assert (found.zeros, found.maximum_at) == (size // 3, (1,))


@pytest.mark.parametrize("value", [0.1, -3.3e-5, 1e300, 5e-324])
def test_a_constant_has_exactly_no_deviation(value: float) -> None:
    found = of(np.broadcast_to(np.float64(value), (1000, 1001)))
    assert (found.minimum, found.maximum, found.mean, found.std) == (value, value, value, 0.0)
    assert found.minimum_at == found.maximum_at == (0, 0)


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_a_billion_equal_values(name: str) -> None:
    raw = np.float32(0.1) if name == "float32" else np.uint16(0x3DCD)
    count = 10**9 if name == "float32" else 10**8
    found = of(RawArray(np.broadcast_to(raw, (count // 1000, 1000)), name))
    value = float(DTYPES[name].widen(np.array(raw)))
    assert (found.count, found.mean, found.std) == (count, value, 0.0)
    assert found.l2_norm == pytest.approx(abs(value) * math.sqrt(count), rel=BOUND)
    assert found.l1_norm == pytest.approx(abs(value) * count, rel=BOUND)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_sums_of_narrow_floats_do_not_overflow(name: str) -> None:
    largest = {"float16": 0x7BFF, "bfloat16": 0x7F7F}[name]
    raw = np.full(1_000_001, largest, np.uint16).view(DTYPES[name].raw)
    raw[-1:].view(np.uint16)[0] ^= 0x8000
    found = of(RawArray(raw, name))
    value = found.maximum
    assert value is not None
    assert found.mean == pytest.approx(value * 999_999 / 1_000_001, rel=2**-52)
    assert found.std == pytest.approx(value * 2 * math.sqrt(1_000_000) / 1_000_001, rel=2**-51)
    assert found.minimum_at == (1_000_000,)


@pytest.mark.parametrize(
    "values",
    [
        np.array([2**53, 2**53 + 1, 2**53 + 3, 5], np.int64),
        np.array([-(2**63), 2**63 - 1, 0, -1], np.int64),
        np.array([2**63 - 1, 2**63 - 2, 2**63 - 1], np.int64),
        np.array([-(2**63), -(2**63) + 1], np.int64),
        np.array([2**64 - 1, 0, 2**63, 1], np.uint64),
        np.array([2**64 - 1, 2**64 - 3], np.uint64),
        np.array([-(2**31), 2**31 - 1, 7], np.int32),
        np.array([2**32 - 1, 0], np.uint32),
    ],
)
def test_integers_are_exact_beyond_floats(values: Array) -> None:
    many = np.tile(values, 1000)
    for block in (None, 3, 1024):
        found = of(many, block)
        assert found.minimum == min(values.tolist())
        assert found.maximum == max(values.tolist())
        assert found.mean == sum(values.tolist()) / values.size
        assert_moments(found, values.tolist() * 1000)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_sums_of_large_integers_do_not_wrap(dtype: type) -> None:
    largest = int(np.iinfo(dtype).max)
    found = of(np.full(1 << 20, largest, dtype))
    assert (found.mean, found.std, found.maximum) == (float(largest), 0.0, largest)


@pytest.mark.parametrize(
    "values",
    [
        [1.7e308, -1.7e308, 1.6e308, 3.0],
        [1.7976931348623157e308] * 3,
        [1e-310, 3e-310, 5e-324, 0.0],
        [1e-200, 2e-200, -1e-190],
        [1e200, 1.0, 1e-200, -1e199],
        [1e300, 1.1e300, 1.2e300, 1e-200, 2e-200],
    ],
)
def test_squares_beyond_float64(values: list[float]) -> None:
    many = np.array(values * 700)
    assert_moments(of(many), many.tolist())
    for block in (3, 5, 700):
        assert_moments(of(many, block), many.tolist())
        assert_moments(of(np.sort(many), block), many.tolist())


def test_a_norm_beyond_float64_is_infinite() -> None:
    found = of(np.full(100, 1.7e308))
    assert found.l1_norm == found.l2_norm == math.inf
    assert (found.mean, found.std) == (1.7e308, 0.0)


@pytest.mark.parametrize("name", ["float32", "float64", "float16", "bfloat16", "complex64"])
def test_nothing_finite(name: str) -> None:
    raw = DTYPES[name].raw
    if name == "bfloat16":
        array = np.array([0x7FC0, 0x7F80, 0xFF80], np.uint16)
    else:
        array = np.array([np.nan, np.inf, -np.inf], raw)
    found = of(RawArray(array, name))
    assert (found.count, found.finite, found.nan, found.infinite) == (3, 0, 1, 2)
    assert found.minimum is found.mean is found.std is found.maximum_at is None
    assert found.l1_norm == found.l2_norm == found.max_norm == 0


@pytest.mark.parametrize("name", ["float32", "int64", "bfloat16", "bool", "complex128"])
@pytest.mark.parametrize("shape", [(0,), (3, 0, 2)])
def test_empty(name: str, shape: tuple[int, ...]) -> None:
    listener = Listener()
    source = RawArray(np.zeros(shape, DTYPES[name].raw), name)
    found = summarise(source, Region.whole(shape), **listener.both)
    assert (found.count, found.finite, found.mean, found.l2_norm) == (0, 0, None, 0.0)
    assert listener.heard == [1.0]
    assert source.reads == []


@pytest.mark.parametrize("name", ["float32", "int64", "float16", "bool"])
def test_no_axes(name: str) -> None:
    found = of(RawArray(np.array(1, DTYPES[name].raw), name))
    assert (found.minimum, found.mean, found.std) == (1, 1.0, 0.0)
    assert found.minimum_at == found.maximum_at == ()


@pytest.mark.parametrize("text", ["[2]", "[:, ::-2, 3]", "[1:4, 2, ::3]", "[..., 0]", "[3:1:-1]"])
@pytest.mark.parametrize("name", ["float64", "int32", "float16"])
def test_a_region_and_its_positions(text: str, name: str) -> None:
    array = random_raw(name, (5, 6, 7), seed=5)
    region = parse_region(text, array.shape)
    found = summarise(InMemoryArray(array), region, block=4, **Listener().both)
    part = InMemoryArray(array).read(region)
    finite = part[np.isfinite(part)].astype(np.float64)
    assert found.count == part.size
    assert found.minimum == finite.min()
    assert found.mean == pytest.approx(finite.mean(), rel=1e-12, abs=1e-12)
    for number, place in (
        (found.minimum, found.minimum_at),
        (found.maximum, found.maximum_at),
    ):
        assert place is not None
        assert array[place] == number
        inside = zip(place, region.axes, strict=True)
        assert all(i == axis if isinstance(axis, int) else i in axis for i, axis in inside)


def test_the_first_of_equal_extremes_is_meant() -> None:
    for array in (
        np.array([3.0, -0.0, 0.0, 5.0, 5.0, 0.0], np.float32),
        np.array([3.0, -0.0, 0.0, 5.0, 5.0, 0.0], np.float16),
        np.array([3, 0, 0, 5, 5, 0], np.int8),
    ):
        for block in (None, 1, 2, 4):
            found = of(array, block)
            assert (found.minimum_at, found.maximum_at) == ((1,), (3,))


@settings(deadline=None, max_examples=150)
@given(
    values=hnp.arrays(
        st.sampled_from([np.float64, np.float32]),
        st.integers(1, 60),
        elements=st.one_of(
            st.floats(width=32), st.sampled_from([0.0, -0.0, np.nan, np.inf, -np.inf, 1.0, 1e30])
        ),
    ),
    block=st.integers(1, 61),
)
def test_the_cut_into_blocks_does_not_matter(values: Array, block: int) -> None:
    found = of(values, block)
    assert_counts(found, values)
    if found.finite:
        assert_moments(found, values[np.isfinite(values)].tolist())


@settings(deadline=None, max_examples=100)
@given(
    values=hnp.arrays(
        st.sampled_from([np.int64, np.uint64, np.int32, np.uint32, np.int8, np.uint16, np.bool_]),
        st.integers(1, 60),
    ),
    block=st.integers(1, 61),
)
def test_the_cut_into_blocks_does_not_matter_for_integers(values: Array, block: int) -> None:
    found = of(values, block)
    assert_counts(found, values)
    assert_moments(found, [int(value) for value in values])


@pytest.mark.parametrize("size", [1, 255, 32_767, 32_768, 32_769, 100_001])
@pytest.mark.parametrize("name", ["uint8", "bool", "int16", "bfloat16"])
def test_patterns_are_counted(size: int, name: str) -> None:
    raw = random_raw(name, (size,), seed=size)
    source = RawArray(raw, name)
    counted = count_patterns(source, Region.whole(raw.shape), **Listener().both)
    unsigned = raw.view(f"uint{8 * raw.dtype.itemsize}")
    assert np.array_equal(counted.counts, np.bincount(unsigned, minlength=counted.counts.size))


def test_progress_and_cancellation() -> None:
    source = RawArray(np.ones(1000, np.float32), "float32")
    region = Region.whole(source.shape)
    listener = Listener()
    summarise(source, region, block=100, **listener.both)
    assert listener.heard == pytest.approx([step / 10 for step in range(1, 11)])
    assert listener.checks == 10
    source.reads.clear()
    with pytest.raises(Cancelled):
        summarise(source, region, block=100, **Listener(cancel_after=3).both)
    assert len(source.reads) == 3


@pytest.mark.parametrize("name", ["float32", "float64", "int64", "bfloat16", "complex128"])
def test_memory_is_bounded(name: str) -> None:
    raw = DTYPES[name].raw
    source = RawArray(np.broadcast_to(raw.type(3), (1 << 13, 1 << 12)), name)
    tracemalloc.start()
    try:
        of(source)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    most = (8 + 24 * WORKERS) * 2**20 if name == "bfloat16" else 24 * 2**20
    assert peak < most


@pytest.mark.parametrize("name", [*FLOATS, "int32", "bool", "complex64"])
@pytest.mark.parametrize("block", [None, 50])
def test_subnormals_are_those_of_the_stored_type(name: str, block: int | None) -> None:
    dtype = DTYPES[name]
    size = dtype.raw.itemsize
    raw = random_raw(name, (4096,), seed=2)
    if name in FLOATS and size > 2:
        # A quarter with exponent 0, as good as none of the random ones have.
        bits = raw.view(f"u{size}")
        bits[::4] &= np.array((1 << FLOATS[name].mantissa) - 1, bits.dtype)
        bits[1::4] |= np.array(1 << (8 * size - 1), bits.dtype)
    found = of(RawArray(raw, name), block)
    if name == "complex64":
        assert found.subnormals is None
        return
    layout = FLOATS.get(name)
    patterns = raw.view(f"u{size}").tolist()
    expected = sum(layout.classify(p) == "subnormal" for p in patterns) if layout else 0
    assert found.subnormals == expected
    assert bool(expected) == (layout is not None and name != "float8_e8m0fnu")


DISTINCT = [np.float32, np.float64, np.float16, np.int8, np.int32, np.int64, np.uint64, np.bool_]


@pytest.mark.parametrize("dtype", DISTINCT)
@pytest.mark.parametrize("count", [1, 2, 16, 17])
def test_few_distinct_values_are_counted(dtype: type, count: int) -> None:
    values = (np.random.default_rng(count).integers(0, count, 5000) * 3 - 20).astype(dtype)
    if dtype is np.uint64:
        values += np.uint64(2**63)  # beyond what floats tell apart
    listed, counts = np.unique(values, return_counts=True)
    for block in (None, 100):
        found = of(values, block).distinct
        if len(listed) > 16:
            assert found is None
        else:
            assert found is not None
            assert [value for value, _ in found] == listed.tolist()
            assert [number for _, number in found] == counts.tolist()


@pytest.mark.parametrize("name", ["bfloat16", "float32", "float64"])
def test_the_smallest_and_the_largest_have_no_sign_of_zero(name: str) -> None:
    zeros = np.array([-0.0, 0.0, -0.0], np.float64).astype(DTYPES[name].values)
    raw = zeros.view(np.uint32) >> 16 if name == "bfloat16" else zeros
    found = of(RawArray(raw.astype(DTYPES[name].raw), name))
    assert [str(end) for end in (found.minimum, found.maximum)] == ["0.0", "0.0"]


def test_distinct_values_leave_out_what_is_not_finite() -> None:
    for dtype in (np.float16, np.float32):
        values = np.array([0.0, -0.0, np.nan, np.inf, 1.5, 0.0], dtype)
        assert of(values).distinct == ((0.0, 3), (1.5, 1))
    assert of(np.ones(3, np.complex64)).distinct is None
    assert of(np.empty(0, np.float32)).distinct == ()


@settings(max_examples=200)
@given(st.fractions(min_value=0))
def test_root_is_right_to_the_last_digit(value: Fraction) -> None:
    found = root(value.numerator, value.denominator)
    if value == 0:
        assert found == 0
    else:
        below, above = (Fraction(math.nextafter(found, to)) for to in (0.0, math.inf))
        assert below**2 < value < above**2
