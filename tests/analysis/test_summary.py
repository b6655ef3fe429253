"""What is told of a tensor, in its order."""

from __future__ import annotations

import numpy as np
import pytest
from analysis_sources import Listener, RawArray

from inspector.analysis.summary import Analysis, analyse
from inspector.values.regions import Region


@pytest.mark.parametrize(("name", "passes"), [("float32", 4), ("float16", 1), ("int64", 6)])
def test_what_is_known_first_comes_first(name: str, passes: int) -> None:
    source = RawArray((np.arange(64 * 8192) % 30_000).reshape(64, 8192).astype(name), name)
    region = Region.whole(source.shape)
    listener = Listener()
    early: list[tuple[Analysis, int]] = []
    found = analyse(
        source,
        region,
        partial=lambda known: early.append((known, len(source.reads))),
        **listener.both,
    )
    assert listener.heard == sorted(listener.heard)
    assert listener.heard[-1] == 1.0
    assert found.histogram is not None
    finite = found.statistics.finite
    assert found.histogram.counts.sum() == finite
    assert found.quantiles is not None
    if passes > 1:
        (first, one), (second, two) = early
        assert (first.statistics, first.histogram, first.quantiles) == (
            found.statistics,
            None,
            None,
        )
        assert second.histogram is found.histogram
        assert (two, len(source.reads)) == (2 * one, passes * one)
    else:
        assert early == []
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
