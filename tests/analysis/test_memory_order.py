"""Tensors whose axes lie otherwise in memory than in their shape: the same answers, few reads."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from analysis_sources import Listener, RawArray, kept_in, random_raw, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.analysis.blocks import BLOCK
from inspector.analysis.statistics import Statistics, summarise
from inspector.analysis.summary import Analysis, analyse
from inspector.analysis.tiles import TilePlan, preview_tile, render_tile
from inspector.checkpoints.errors import Cancelled
from inspector.values.arrays import Array
from inspector.values.dtypes import DTYPES
from inspector.values.regions import Plane, Region

pytestmark = pytest.mark.usefixtures("way")

#: Each kind of pass: floats, integers, complex numbers, and patterns of one and two bytes.
NAMES = ["float32", "int32", "complex64", "bfloat16", "int8", "float8_e5m2", "bool"]


def few_values(name: str, shape: tuple[int, ...], seed: int) -> Array:
    """Patterns of which most occur many times, among them NaN, infinities and both zeros."""
    rng = np.random.default_rng(seed)
    kinds = {
        "bfloat16": np.array([0, 0x8000, 0x3F80, 0xBF80, 0x7F80, 0x7FC0], np.uint16),
        "float8_e5m2": np.array([0, 0x80, 0x3C, 0xBC, 0x7C, 0x7F], np.uint8),
        "int8": np.array([-3, 0, 5], np.int8),
        "int32": np.array([-3, 0, 5], np.int32),
        "bool": np.array([False, True]),
        "float32": np.array([0.0, -0.0, 1.0, -1.0, np.inf, np.nan], np.float32),
        "complex64": np.array([0, 1, 1j, -1, np.inf, np.nan], np.complex64),
    }
    patterns = kinds[name][: rng.integers(1, len(kinds[name]) + 1)]
    return rng.choice(patterns, shape)


def exact_of(found: Statistics) -> Statistics:
    """What must not depend on the order, without the sums, which may within their last digits."""
    return replace(found, mean=None, std=None, l1_norm=0.0, l2_norm=0.0)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_statistics_do_not_depend_on_the_order_in_memory(data: st.DataObject) -> None:
    """The first of equal extremes in C order among them, in any part and cut into any blocks."""
    name = data.draw(st.sampled_from(NAMES))
    shape = tuple(data.draw(st.lists(st.integers(1, 7), max_size=4)))
    raw = few_values(name, shape, data.draw(st.integers(0, 1000)))
    order = data.draw(st.permutations(range(len(shape))))
    axes: list[range | int] = []
    for size in shape:
        part = range(size)[data.draw(st.integers(0, size - 1)) :: data.draw(st.integers(1, 3))]
        axes.append(data.draw(st.sampled_from([part, part[::-1], part[0]])))
    region = Region(tuple(axes))
    block = data.draw(st.integers(1, 50))
    plain = summarise(RawArray(raw, name), region, block=1 << 16, **Listener().both)
    listener = Listener()
    source = RawArray(kept_in(raw, order), name)
    found = summarise(source, region, block=block, **listener.both)
    assert exact_of(found) == exact_of(plain)
    assert found.l2_norm == pytest.approx(plain.l2_norm, rel=1e-14)
    assert found.std == (None if plain.std is None else pytest.approx(plain.std, rel=1e-13))
    assert listener.heard == sorted(listener.heard)
    assert listener.heard[-1] == 1.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_first_of_equal_extremes_is_the_first_in_c_order(
    name: str, order: tuple[int, ...]
) -> None:
    for seed, block in itertools.product(range(8), (1, 4, 7, 30, 1000)):
        raw = few_values(name, (4, 5, 6), seed)
        found = summarise(
            RawArray(kept_in(raw, order), name),
            Region.whole(raw.shape),
            block=block,
            **Listener().both,
        )
        values = DTYPES[name].widen(raw)
        finite = np.isfinite(values)
        values = np.abs(values) if name == "complex64" else values
        for number, place in (
            (found.minimum, found.minimum_at),
            (found.maximum, found.maximum_at),
        ):
            at = np.flatnonzero(((values == number) & finite).reshape(-1))[0]
            assert place == np.unravel_index(at, raw.shape)


@pytest.mark.parametrize("name", ["float32", "bfloat16", "int64", "complex64"])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_all_figures_of_a_large_tensor_are_the_same(name: str, order: tuple[int, ...]) -> None:
    raw = random_raw(name, (70, 80, 90), seed=3)
    one, other = (
        analyse(source, Region.whole(raw.shape), partial=lambda _: None, **Listener().both)
        for source in (RawArray(raw, name), stored(kept_in(raw, order), name)[0])
    )
    assert exact_of(one.statistics) == exact_of(other.statistics)
    assert one.quantiles == other.quantiles
    assert one.histogram is not None
    assert other.histogram is not None
    np.testing.assert_array_equal(one.histogram.counts, other.histogram.counts)
    np.testing.assert_array_equal(one.histogram.edges, other.histogram.edges)


@pytest.mark.parametrize("name", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize(
    ("shape", "order"),
    [((2048, 1024), (1, 0)), ((8, 64, 64, 64), (0, 2, 3, 1)), ((64, 32, 1024), (2, 0, 1))],
)
def test_whole_passes_take_long_reads(
    name: str, shape: tuple[int, ...], order: tuple[int, ...]
) -> None:
    """However the axes lie, and not one for every few numbers."""
    raw = kept_in(random_raw(name, shape), order)
    source, data = stored(raw, name)
    region = Region.whole(shape)

    def found() -> Analysis:
        return analyse(source, region, partial=lambda _: None, **Listener().both)

    passes, samples = (1, 0) if raw.itemsize <= 2 else (3, 64)
    found()
    assert len(data.reads) <= passes * (region.numel // BLOCK + 1) + samples
    data.reads.clear()
    plane = Plane(shape, order[-1], order[-2], (0,) * len(shape))
    plan = TilePlan(range(plane.rows), range(plane.columns), 3, 5)
    for each in (plane, plane.turned):
        render_tile(
            source, each, plan if each is plane else _turned(plan), "mean", **Listener().both
        )
    assert len(data.reads) <= 2 * (plane.rows * plane.columns // BLOCK + 1)
    data.reads.clear()
    preview_tile(source, plane, plan, check=Listener().check)
    assert len(data.reads) <= 128


def _turned(plan: TilePlan) -> TilePlan:
    return TilePlan(plan.columns, plan.rows, plan.block_columns, plan.block_rows)


def test_a_pass_can_be_cancelled_between_blocks() -> None:
    source, data = stored(kept_in(np.ones((4096, 1024), np.float32), (1, 0)), "float32")
    listener = Listener(cancel_after=2)
    with pytest.raises(Cancelled):
        summarise(source, Region.whole(source.shape), **listener.both)
    assert len(data.reads) == 2
