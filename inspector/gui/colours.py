"""From the numbers of a picture to its colours. For worker threads; touches no widget."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray

from inspector.analysis.tiles import Tile
from inspector.gui.levels import Levels, LevelsChoice, levels_of
from inspector.gui.text import Later, Texts
from inspector.gui.theme import NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY

Colours = Texts("Colours")

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
    label: Later
    diverging: bool


#: Every map here is safe for readers who see red and green alike. Sources: Smith and van der Walt
#: (viridis), Nuñez, Anderton and Renslow (cividis), Kovesi, arXiv:1509.03700 (CET).
COLOUR_MAPS: Final = (
    ColourMap("CET-D1A", Colours.QT_TR_NOOP("Blue to red"), diverging=True),
    ColourMap("CET-CBD1", Colours.QT_TR_NOOP("Blue to yellow"), diverging=True),
    ColourMap("viridis", Colours.QT_TR_NOOP("Viridis"), diverging=False),
    ColourMap("cividis", Colours.QT_TR_NOOP("Cividis"), diverging=False),
    ColourMap("CET-L1", Colours.QT_TR_NOOP("Greys"), diverging=False),
)

#: Which colour marks which of a tile's flags; where several hold, the last one shows.
MARKS: Final = ((4, NEGATIVE_INFINITY), (2, POSITIVE_INFINITY), (1, NAN))


@dataclass(frozen=True, slots=True)
class Colouring:
    """How numbers become colours.

    Attributes
    ----------
    levels
        Where the levels come from.
    colour_map
        The name of one of `COLOUR_MAPS`, or `AUTOMATIC_MAP`: a diverging one for levels that are
        symmetric about zero, else a sequential one.
    """

    levels: LevelsChoice
    colour_map: str = AUTOMATIC_MAP


@dataclass(frozen=True, slots=True)
class Picture:
    """A tile in colours.

    Attributes
    ----------
    pixels
        uint8, shape (height, width, 4): red, green, blue, alpha.
    levels
        None where nothing finite is shown.
    colour_map
        The name of the map that is used.
    colouring
        What was asked for.
    """

    tile: Tile
    pixels: NDArray[np.uint8]
    levels: Levels | None
    colour_map: str
    colouring: Colouring


@cache
def lookup_table(colour_map: str) -> NDArray[np.uint8]:
    """The map's 256 colours; uint8, shape (256, 3)."""
    table: NDArray[Any] = pg.colormap.get(colour_map).getLookupTable(nPts=256)
    return table.astype(np.uint8)


def resolved_map(name: str, levels: Levels | None) -> str:
    """The map to use for some levels."""
    if name != AUTOMATIC_MAP:
        return name
    diverging = levels is not None and levels.low == -levels.high
    return next(item.name for item in COLOUR_MAPS if item.diverging is diverging)


def paint(tile: Tile, levels: Levels | None, colouring: Colouring) -> Picture:
    """Colour a tile. A pixel that holds a NaN or an infinity has its marker's colour.

    Where a pixel stands for many cells, its neighbours have it too: one pixel among a million is
    there, but nobody sees it.
    """
    values = tile.values
    colour_map = resolved_map(colouring.colour_map, levels)
    pixels = np.zeros((*values.shape, 4), np.uint8)
    if levels is not None:
        table = lookup_table(colour_map)
        with np.errstate(invalid="ignore"):
            codes = np.nan_to_num(levels.shares(values) * 255).astype(np.uint8)
        pixels[..., :3] = table[codes]
        pixels[..., 3] = np.where(np.isnan(values), 0, 255)
    many = tile.plan.block_rows * tile.plan.block_columns > 1
    for flag, colour in MARKS:
        marked = (tile.marks & flag) != 0
        pixels[_widened(marked) if many else marked] = (*colour, 255)
    return Picture(tile, pixels, levels, colour_map, colouring)


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
    return paint(tile, levels_of(tile, colouring.levels), colouring)


def caption(tile: Tile, reduction: str) -> str:
    """What one pixel of a tile stands for, in words; empty where a pixel is a cell."""
    plan = tile.plan
    if plan.block_rows * plan.block_columns == 1:
        return ""
    if not tile.exact:
        words = Colours.tr("sample {share}", share=tile.sample)
        return words if tile.sample else Colours.tr("sample")
    return Colours.tr(
        "1 pixel = {reduction} of {block} cells", reduction=reduction, block=block_text(tile)
    )


def block_text(tile: Tile) -> str:
    """How many cells a pixel of a tile stands for, down and across."""
    return f"{tile.plan.block_rows:,} × {tile.plan.block_columns:,}"
