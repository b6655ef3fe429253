"""All that is said of a region's numbers, in the order in which it is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from inspector.analysis.blocks import Check, Progress
from inspector.analysis.histogram import Histogram, histogram, histogram_of_patterns
from inspector.analysis.patterns import count_patterns, has_patterns
from inspector.analysis.quantiles import quantiles, quantiles_of_patterns
from inspector.analysis.statistics import Number, Statistics, summarise, summarise_patterns
from inspector.values.arrays import ArraySource
from inspector.values.regions import Region


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What is known of a region's numbers so far.

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
) -> Analysis:
    """Statistics, then the histogram, then the quantiles; `progress` covers all of them.

    Types of one or two bytes take one pass over the data, all others four to six. Runs on any
    thread but the window's.

    Parameters
    ----------
    partial
        Called on this thread with what is known, before the histogram is begun, and before the
        quantiles are.

    Raises
    ------
    InspectorError
        If the values cannot be read.
    """
    if has_patterns(source.dtype):
        patterns = count_patterns(source, region, check=check, progress=progress)
        statistics = summarise_patterns(patterns, region)
        spread = histogram_of_patterns(patterns, statistics, bins)
        return Analysis(statistics, spread, quantiles_of_patterns(patterns))
    statistics = summarise(source, region, check=check, progress=_part(progress, 0, 0.25))
    found = Analysis(statistics)
    partial(found)
    found = replace(
        found,
        histogram=histogram(
            source, region, statistics, bins, check=check, progress=_part(progress, 0.25, 0.25)
        ),
    )
    partial(found)
    return replace(
        found,
        quantiles=quantiles(
            source, region, statistics, check=check, progress=_part(progress, 0.5, 0.5)
        ),
    )


def _part(progress: Progress, start: float, share: float) -> Progress:
    return lambda part: progress(start + share * part)
