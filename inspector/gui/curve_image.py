"""A curve in steps, or a band between two, as an image: a fifth of what Qt's paths take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QImage

#: Where a column has no value: below all pixels.
_NOWHERE: Final = np.int16(-1)


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """A curve's places, in pixels of the screen.

    Attributes
    ----------
    edges
        Where each place begins along the image, and where the last one ends; shape (n + 1,).
    low, high
        Across the image, the ends of each place's band; NaN where it has none. Shape (n,).
    """

    edges: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def curve_image(
    steps: Steps,
    length: int,
    breadth: int,
    width: int,
    *,
    upright: bool,
    line: QColor,
    inside: QColor,
) -> QImage:
    """Steps on nothing.

    Parameters
    ----------
    length, breadth
        Pixels along and across, at least 1.
    upright
        Whether the curve runs from the top to the bottom, with its values to the right; else it
        runs from the left to the right, with its values upwards.
    width
        Of the lines, in pixels.
    line, inside
        The colours of the ends of the bands, and of what is between them.
    """
    low, high = _columns(steps, length)
    across = np.arange(breadth, dtype=np.int16)[::-1, np.newaxis]
    drawn = _outline(low, across)
    if np.array_equal(low, high):
        between = np.zeros_like(drawn)
    else:
        drawn |= _outline(high, across)
        between = (across > low) & (across < high)
    if upright:
        drawn, between = drawn[::-1].T.copy(), between[::-1].T
    for _ in range(width - 1):  # a little down and to the right of themselves
        drawn[1:] |= drawn[:-1]
        drawn[:, 1:] |= drawn[:, :-1]
    colours = np.array([0, _premultiplied(inside), _premultiplied(line)], np.uint32)
    pixels = colours[np.where(drawn, 2, between.view(np.uint8))]
    form = QImage.Format.Format_ARGB32_Premultiplied
    rows, columns = pixels.shape
    return QImage(pixels.data, columns, rows, 4 * columns, form).copy()


def _columns(steps: Steps, length: int) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Both ends in each column: of all places that share it, so that none is left out."""
    edges = steps.edges
    seen = max(1, min(int(np.searchsorted(edges, length)), steps.low.size))
    columns = np.arange(length)
    there = (columns + 1 > edges[0]) & (columns < edges[-1])
    low, high = np.full((2, length), _NOWHERE)
    if there.any():
        # The first and the last of them have all that is before and behind their middles too.
        first = np.searchsorted(edges, columns[there] + 0.5, side="right") - 1
        first[0] = np.searchsorted(edges, columns[there][0], side="right") - 1
        first = np.clip(first, 0, seen - 1)
        for ends, join, places in ((low, np.fmin, steps.low), (high, np.fmax, steps.high)):
            found = join.reduceat(places[:seen], first)
            ends[there] = np.where(np.isnan(found), _NOWHERE, np.floor(found)).astype(np.int16)
    return low, high


def _outline(curve: NDArray[np.int16], across: NDArray[np.int16]) -> NDArray[np.bool_]:
    """A curve of one value a column, with the steps from each to the next."""
    before = np.concatenate((curve[:1], curve[:-1]))
    before = np.where(before == _NOWHERE, curve, before)
    drawn: NDArray[np.bool_] = across >= np.minimum(curve, before)
    # Of a column without a value nothing is drawn, and nothing on the way to it.
    drawn &= across <= np.where(curve == _NOWHERE, _NOWHERE, np.maximum(curve, before))
    return drawn


def _premultiplied(colour: QColor) -> np.uint32:
    """A colour as a pixel of Qt's."""
    alpha = colour.alpha()
    red, green, blue = (
        part * alpha // 255 for part in (colour.red(), colour.green(), colour.blue())
    )
    return np.uint32(alpha << 24 | red << 16 | green << 8 | blue)
