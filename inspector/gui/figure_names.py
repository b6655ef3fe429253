"""What the figures of the statistics are called, and of what they can be."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from inspector.analysis.quantiles import SHARES
from inspector.gui.text import Later, Texts

Figures = Texts("Figures")

#: Of what the figures are.
Part = Literal["whole", "shown", "selected"]
PARTS: Final[tuple[tuple[Part, Later], ...]] = (
    ("whole", Figures.QT_TR_NOOP("Whole tensor")),
    ("shown", Figures.QT_TR_NOOP("What is shown")),
    ("selected", Figures.QT_TR_NOOP("Selected values")),
)


class Figure(NamedTuple):
    """A row of the statistics: by which key it is known, what it is called, and what it is."""

    key: str
    name: str
    tip: str


def first_figures() -> tuple[Figure, ...]:
    """What is shown at once."""
    return (
        Figure(
            "minimum",
            Figures.tr("Minimum"),
            Figures.tr("The smallest finite value, and where it is first found"),
        ),
        Figure(
            "maximum",
            Figures.tr("Maximum"),
            Figures.tr("The largest finite value, and where it is first found"),
        ),
        Figure("mean", Figures.tr("Mean"), Figures.tr("The mean of the finite values")),
        Figure(
            "std",
            Figures.tr("Std"),
            Figures.tr("The standard deviation of the finite values (of the whole population)"),
        ),
        Figure("zeros", Figures.tr("Zeros"), Figures.tr("How many elements equal zero")),
        Figure("nan", Figures.tr("NaN"), Figures.tr("How many elements are not a number")),
        Figure(
            "pos_inf", Figures.tr("+inf"), Figures.tr("How many elements are positive infinity")
        ),
        Figure(
            "neg_inf", Figures.tr("−inf"), Figures.tr("How many elements are negative infinity")
        ),
        Figure(
            "infinite",
            Figures.tr("Infinite"),
            Figures.tr("How many elements have an infinite part"),
        ),
    )


def further_figures() -> tuple[Figure, ...]:
    """What is shown below these on demand."""
    quantiles = (
        Figure(
            f"share {share}",
            Figures.tr("Median") if share == 0.5 else f"{100 * share:.0f} %",
            Figures.tr(
                "The quantile: {percent:.0f} % of the finite values are below it",
                percent=100 * share,
            ),
        )
        for share in SHARES
    )
    return (
        *quantiles,
        Figure(
            "subnormals",
            Figures.tr("Subnormal"),
            Figures.tr("How many elements are not zero, but below the normal numbers"),
        ),
        Figure(
            "l1_norm",
            Figures.tr("L1 norm"),
            Figures.tr("The sum of the magnitudes of the finite values"),
        ),
        Figure(
            "l2_norm",
            Figures.tr("L2 norm"),
            Figures.tr("The root of the sum of squares of the finite values"),
        ),
        Figure(
            "max_norm",
            Figures.tr("Max norm"),
            Figures.tr("The largest magnitude of the finite values"),
        ),
        Figure(
            "distinct",
            Figures.tr("Distinct"),
            Figures.tr("How many different finite values there are"),
        ),
    )
