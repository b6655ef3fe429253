"""All that is said of a region's numbers, in the order in which it is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from inspector.analysis.binning import bins_of
from inspector.analysis.blocks import Check, Progress
from inspector.analysis.histogram import (
    Histogram,
    histogram,
    histogram_of_counts,
    histogram_of_patterns,
    known_histogram,
)
from inspector.analysis.order import Answer, look, ordered_dtype
from inspector.analysis.patterns import count_patterns, has_patterns
from inspector.analysis.quantiles import FEW, QuantileSearch, quantiles_of_patterns
from inspector.analysis.sampling import WORTHWHILE, sample
from inspector.analysis.statistics import Number, Statistics, summarise, summarise_patterns
from inspector.values.arrays import ArraySource, InMemoryArray
from inspector.values.regions import Region


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What is known of a region's numbers so far; of a sample, where `statistics` are not exact.

    Attributes
    ----------
    histogram
        None until it is counted.
    quantiles
        Those of `SHARES`, empty if nothing is finite; None until they are found.
    """

    statistics: Statistics
    histogram: Histogram | None = None
    quantiles: tuple[Number, ...] | None = None


def analyse(
    source: ArraySource,
    region: Region,
    *,
    check: Check,
    progress: Progress,
    partial: Callable[[Analysis], None],
    bins: int = 256,
    few: int = FEW,
) -> Analysis:
    """Statistics, then the histogram and the quantiles; `progress` covers all of them.

    Of large regions, what a sample says is told first. Types of one or two bytes take one pass over
    the data, others two, or three where they are large. Runs on any thread but the window's, with
    some more beside it.

    Parameters
    ----------
    partial
        Called on this thread with what is known, before each further pass.
    few
        Numbers that are collected and sorted for the quantiles, at most.

    Raises
    ------
    InspectorError
        If the values cannot be read.
    """
    if region.numel > WORTHWHILE:
        partial(estimate(source, region, bins))
        check()
    if has_patterns(source.dtype):
        patterns = count_patterns(source, region, check=check, progress=progress)
        statistics = summarise_patterns(patterns, region)
        spread = histogram_of_patterns(patterns, statistics, bins)
        return Analysis(statistics, spread, quantiles_of_patterns(patterns))
    statistics = summarise(source, region, check=check, progress=_part(progress, 0, 0.4))
    found = Analysis(statistics)
    partial(found)
    search = QuantileSearch(source, region, statistics, few=few)
    known = known_histogram(source, statistics, bins)
    if known is None:
        edges = bins_of(statistics, bins, ordered_dtype(source))
        asked = edges.thresholds.size
        answer = look(
            source,
            region,
            statistics,
            np.concatenate((edges.thresholds, search.thresholds)),
            search.intervals,
            few=few,
            check=check,
            progress=_part(progress, 0.4, 0.3),
        )
        known = histogram_of_counts(edges, answer.below[:asked], statistics)
        search.take(Answer(answer.below[asked:], answer.within))
    found = replace(found, histogram=known)
    if not search.is_done:
        partial(found)
    return replace(found, quantiles=search.finish(check=check, progress=_part(progress, 0.7, 0.3)))


def estimate(source: ArraySource, region: Region, bins: int = 256) -> Analysis:
    """Statistics and histogram of a sample; neither is exact, and the extremes have no place.

    Raises as `sample` does.
    """
    some = InMemoryArray(sample(source, region))
    whole = Region.whole(some.shape)
    found = summarise(some, whole, check=_nothing, progress=_nothing)
    spread = histogram(some, whole, found, bins, check=_nothing, progress=_nothing)
    return Analysis(
        replace(found, minimum_at=None, maximum_at=None, exact=False),
        replace(spread, exact=False),
    )


def _nothing(*_: object) -> None:
    """Nobody waits for a sample."""


def _part(progress: Progress, start: float, share: float) -> Progress:
    return lambda part: progress(start + share * part)
