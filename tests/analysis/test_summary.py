"""What is told of a tensor, in its order."""

from __future__ import annotations

import numpy as np
import pytest
from analysis_sources import Listener, RawArray, random_raw

from inspector.analysis.quantiles import FEW
from inspector.analysis.summary import Analysis, analyse
from inspector.values.arrays import Array
from inspector.values.regions import Region

pytestmark = pytest.mark.usefixtures("way")


class CountedArray(RawArray):
    """Counts the elements that are read."""

    elements = 0

    def read_raw(self, region: Region) -> Array:
        self.elements += region.numel
        return super().read_raw(region)


@pytest.mark.parametrize(
    ("name", "few", "passes"),
    [("float32", FEW, 2), ("float32", 40_000, 3), ("float16", FEW, 1), ("int64", 0, 3)],
)
def test_what_is_known_first_comes_first(name: str, few: int, passes: int) -> None:
    """The statistics are told before the second pass, and the histogram before the third."""
    source = CountedArray((np.arange(64 * 8192) % 30_000).reshape(64, 8192).astype(name), name)
    region = Region.whole(source.shape)
    listener = Listener()
    early: list[tuple[Analysis, int]] = []
    found = analyse(
        source,
        region,
        partial=lambda known: early.append((known, source.elements)),
        few=few,
        **listener.both,
    )
    assert listener.heard == sorted(listener.heard)
    assert listener.heard[-1] == 1.0
    assert found.histogram is not None
    finite = found.statistics.finite
    assert found.histogram.counts.sum() == finite
    assert found.quantiles is not None
    assert len(early) == min(passes, 3) - 1
    whole, sample = region.numel, 64 * 1024
    for number, (known, elements) in enumerate(early, 1):
        assert known.statistics == found.statistics
        assert known.histogram is (found.histogram if number == 2 else None)
        assert known.quantiles is None
        assert elements <= number * whole + sample
    assert passes * whole <= source.elements <= passes * whole + sample
    values = source.read(region).astype(np.float64)
    kept = values[np.isfinite(values)]
    assert [float(value) for value in found.quantiles] == [
        float(value) for value in np.quantile(kept, (0.01, 0.25, 0.5, 0.75, 0.99))
    ]


@pytest.mark.parametrize("name", ["float32", "float16", "int64", "complex64"])
def test_nothing_at_all(name: str) -> None:
    listener = Listener()
    source = RawArray(np.empty((3, 0), name), name)
    found = analyse(source, Region.whole(source.shape), partial=lambda _: None, **listener.both)
    assert found.quantiles == ()
    assert found.histogram is not None
    assert found.histogram.counts.tolist() == [0]
    assert listener.heard[-1] == 1.0


@pytest.mark.parametrize("name", ["float32", "bfloat16", "int64", "complex64"])
def test_a_sample_is_told_first_and_called_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.analysis.summary.WORTHWHILE", 200_000)
    source = CountedArray(random_raw(name, (400, 600), seed=9), name)
    region = Region.whole(source.shape)
    early: list[tuple[Analysis, int]] = []
    found = analyse(
        source,
        region,
        partial=lambda known: early.append((known, source.elements)),
        **Listener().both,
    )
    (first, elements), *others = early
    assert elements <= 64 * 1024 < region.numel
    assert first.histogram is not None
    assert (first.statistics.exact, first.histogram.exact) == (False, False)
    assert (first.statistics.count, first.statistics.minimum_at) == (elements, None)
    assert all(known.statistics.exact for known, _ in others)
    assert found.statistics.exact
    low, high = found.statistics.minimum, found.statistics.maximum
    assert low is not None
    assert high is not None
    assert first.statistics.minimum is not None
    assert low <= first.statistics.minimum <= high
    small = Region((range(10), range(20)))
    early.clear()
    analyse(source, small, partial=lambda known: early.append((known, 0)), **Listener().both)
    assert all(known.statistics.exact for known, _ in early)
