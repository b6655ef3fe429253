"""From the numbers of a picture to its colours. For worker threads; touches no widget."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from inspector.analysis.tiles import Tile, finite_range, percentile_range
from inspector.gui.theme import NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY

LevelsMode = Literal["automatic", "symmetric", "full", "percentile"]

#: The name that leaves the choice of a map to the levels.
AUTOMATIC_MAP: Final = "automatic"


@dataclass(frozen=True, slots=True)
class ColourMap:
    """A colour map on offer.

    Attributes
    ----------
    name
        pyqtgraph's.
    diverging
        Whether its middle stands for zero.
    """

    name: str
    label: str
    diverging: bool


#: Every map here is safe for readers who see red and green alike. Sources: Smith and van der Walt
#: (viridis), Nuñez, Anderton and Renslow (cividis), Kovesi, arXiv:1509.03700 (CET).
COLOUR_MAPS: Final = (
    ColourMap("CET-D1A", "Blue to red", diverging=True),
    ColourMap("CET-CBD1", "Blue to yellow", diverging=True),
    ColourMap("viridis", "Viridis", diverging=False),
    ColourMap("cividis", "Cividis", diverging=False),
    ColourMap("CET-L1", "Greys", diverging=False),
)

#: Which colour marks which of a tile's flags; where several hold, the last one shows.
_MARKS: Final = ((4, NEGATIVE_INFINITY), (2, POSITIVE_INFINITY), (1, NAN))


@dataclass(frozen=True, slots=True)
class Levels:
    """The values at the two ends of the colour map."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Colouring:
    """How numbers become colours.

    Attributes
    ----------
    mode
        Where the levels come from: the values' range, the range made symmetric about zero, or the
        1st to the 99th percentile of the picture's pixels. Automatic levels are symmetric where
        there are values on both sides of zero, and the values' range elsewhere.
    colour_map
        The name of one of `COLOUR_MAPS`, or `AUTOMATIC_MAP`: a diverging one for levels that are
        symmetric about zero, else a sequential one.
    """

    mode: LevelsMode
    colour_map: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A tile in colours.

    Attributes
    ----------
    pixels
        uint8, shape (height, width, 4): red, green, blue, alpha.
    levels
        None where nothing finite is shown.
    """

    tile: Tile
    pixels: NDArray[np.uint8]
    levels: Levels | None
    colour_map: str


@cache
def lookup_table(colour_map: str) -> NDArray[np.uint8]:
    """The map's 256 colours; uint8, shape (256, 3)."""
    table: NDArray[Any] = pg.colormap.get(colour_map).getLookupTable(nPts=256)
    return table.astype(np.uint8)


def levels_of(tile: Tile, mode: LevelsMode) -> Levels | None:
    """The levels for a tile's finite values; None if it has none."""
    found = percentile_range(tile, 1, 99) if mode == "percentile" else finite_range(tile)
    if found is None:
        return None
    low, high = found
    if mode == "symmetric" or (mode == "automatic" and low < 0 < high):
        largest = max(abs(low), abs(high)) or 1.0
        return Levels(-largest, largest)
    if low == high:
        # A constant picture: its value stands in the middle of the map.
        room = abs(low) * 0.5 or 0.5
        return Levels(low - room, high + room)
    return Levels(low, high)


def resolved_map(name: str, levels: Levels | None) -> str:
    """The map to use for some levels."""
    if name != AUTOMATIC_MAP:
        return name
    diverging = levels is not None and levels.low == -levels.high
    return next(item.name for item in COLOUR_MAPS if item.diverging is diverging)


def paint(tile: Tile, levels: Levels | None, colour_map: str) -> Picture:
    """Colour a tile. A pixel that holds a NaN or an infinity has its marker's colour.

    Where a pixel stands for many cells, its neighbours have it too: one pixel among a million is
    there, but nobody sees it.
    """
    values = tile.values
    colour_map = resolved_map(colour_map, levels)
    pixels = np.zeros((*values.shape, 4), np.uint8)
    if levels is not None:
        table = lookup_table(colour_map)
        with np.errstate(invalid="ignore", over="ignore"):
            # Halves, so that the width of a range near the largest float does not overflow.
            width = levels.high / 2 - levels.low / 2
            share = (values / 2 - levels.low / 2) / width
            codes = np.nan_to_num(np.clip(share, 0, 1) * 255).astype(np.uint8)
        pixels[..., :3] = table[codes]
        pixels[..., 3] = np.where(np.isnan(values), 0, 255)
    many = tile.plan.block_rows * tile.plan.block_columns > 1
    for flag, colour in _MARKS:
        marked = (tile.marks & flag) != 0
        pixels[_widened(marked) if many else marked] = (*colour, 255)
    return Picture(tile, pixels, levels, colour_map)


def _widened(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Marked pixels and the eight around each."""
    wide = marked.copy()
    for axis in (0, 1):
        before, after = [slice(None)] * 2, [slice(None)] * 2
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        line = wide.copy()
        wide[tuple(before)] |= line[tuple(after)]
        wide[tuple(after)] |= line[tuple(before)]
    return wide


def picture(tile: Tile, colouring: Colouring) -> Picture:
    """Colour a tile with levels of its own."""
    return paint(tile, levels_of(tile, colouring.mode), colouring.colour_map)


def caption(tile: Tile, reduction: str) -> str:
    """What one pixel of a tile stands for, in words; empty where a pixel is a cell."""
    plan = tile.plan
    if plan.block_rows * plan.block_columns == 1:
        return ""
    block = f"{plan.block_rows:,} × {plan.block_columns:,}"
    if not tile.exact:
        return f"sample {tile.sample}" if tile.sample else "sample"
    return f"1 pixel = {reduction} of {block} cells"
