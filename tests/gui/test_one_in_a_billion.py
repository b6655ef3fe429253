"""One bad element among 2**30 is in the picture at every zoom, whatever a pixel shows."""

from __future__ import annotations

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from inspector.analysis.tiles import Reduction, Tile, TilePlan, plan_tile, render_tile
from inspector.gui.colours import AUTOMATIC_MAP, Colouring, Picture, picture
from inspector.gui.heatmap import Heatmap
from inspector.gui.levels import LevelsChoice
from inspector.gui.position import Position
from inspector.gui.tasks import TaskRunner
from inspector.gui.theme import NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY, Rgb
from inspector.values.arrays import Array
from inspector.values.dtypes import native
from inspector.values.regions import Plane, Region

SHAPE = (1 << 15, 1 << 15)
ZEROS = np.zeros(1 << 19, np.float32)
ZEROS.flags.writeable = False


class Planted:
    """Zeros but for some elements; blocks are made as they are asked for."""

    shape = SHAPE
    dtype = native(np.dtype(np.float32))
    axis_order = (0, 1)

    def __init__(self, bad: dict[tuple[int, int], float]) -> None:
        self._bad = bad

    def read(self, region: Region) -> Array:
        rows, columns = region.axes
        assert isinstance(rows, range)
        assert isinstance(columns, range)
        inside = [at for at in self._bad if at[0] in rows and at[1] in columns]
        if not inside and region.numel <= ZEROS.size:
            return ZEROS[: region.numel].reshape(region.shape)
        block = np.zeros(region.shape, np.float32)
        for row, column in inside:
            block[rows.index(row), columns.index(column)] = self._bad[row, column]
        return block

    read_raw = read


#: Near an edge, at the last element, in the middle, and anywhere.
PLACES = [(3, 32_000), (SHAPE[0] - 1, SHAPE[1] - 1), (16_384, 16_383), (29_001, 77)]
VIEWPORT = (700, 400)


def views(place: tuple[int, int]) -> list[TilePlan]:
    """From all of the plane to the closest view of a place, a quarter of the extent each time."""
    found, extent = [], SHAPE[0] / 4
    while extent >= 4:
        (row, column) = place
        down, across = (row - extent / 3, row + extent), (column - extent / 3, column + extent)
        found.append(plan_tile(*SHAPE, down, across, VIEWPORT))
        extent /= 4
    return found


def render(source: Planted, plan: TilePlan, reduction: Reduction) -> Tile:
    return render_tile(
        source,
        Plane.first(SHAPE),
        plan,
        reduction,
        check=lambda: None,
        progress=lambda _: None,
    )


def pixel(plan: TilePlan, place: tuple[int, int]) -> tuple[int, int]:
    row = (place[0] - plan.rows.start) // plan.block_rows
    return row, (place[1] - plan.columns.start) // plan.block_columns


def assert_alone(tile: Tile, wanted: dict[tuple[int, int], float]) -> None:
    """Exactly the planted elements that lie in the tile are seen, and nothing else."""
    inside = {
        pixel(tile.plan, at): value
        for at, value in wanted.items()
        if at[0] in tile.plan.rows and at[1] in tile.plan.columns
    }
    other = (tile.values != 0) | (tile.marks != 0)
    assert {(int(row), int(column)) for row, column in np.argwhere(other)} == set(inside)
    flags = {np.inf: 2, -np.inf: 4}
    for at, value in inside.items():
        if np.isfinite(value):
            assert tile.values[at] == np.float32(value)
        else:
            assert tile.marks[at] == flags.get(value, 1)


@pytest.mark.parametrize("reduction", ["largest magnitude", "minimum", "maximum"])
def test_the_bad_element_is_found_at_every_zoom(reduction: Reduction) -> None:
    outlier = -1e6 if reduction == "minimum" else 1e6
    bad = dict(zip(PLACES, (np.nan, np.inf, -np.inf, outlier), strict=True))
    source = Planted(bad)
    whole = plan_tile(*SHAPE, (0, SHAPE[0]), (0, SHAPE[1]), VIEWPORT)
    assert whole.block_rows * whole.block_columns > 3000
    assert_alone(render(source, whole, reduction), bad)
    for place in PLACES:
        for plan in views(place):
            assert place[0] in plan.rows
            assert place[1] in plan.columns
            assert_alone(render(source, plan, reduction), bad)


COLOURS: dict[float, Rgb] = {np.inf: POSITIVE_INFINITY, -np.inf: NEGATIVE_INFINITY}


def colours_of(made: Picture) -> set[tuple[int, ...]]:
    pixels = made.pixels[..., :3].reshape(-1, 3)
    return {tuple(int(part) for part in colour) for colour in np.unique(pixels, axis=0)}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e6, -1e6])
def test_the_bad_element_has_a_colour_of_its_own(value: float) -> None:
    source = Planted({PLACES[2]: value})
    colouring = Colouring(LevelsChoice("automatic"), AUTOMATIC_MAP)
    for plan in views(PLACES[2])[1:]:
        found = colours_of(picture(render(source, plan, "largest magnitude"), colouring))
        assert len(found) == 2
        if not np.isfinite(value):
            assert COLOURS.get(value, NAN) in found


def test_it_is_seen_in_the_window(qtbot: QtBot, runner: TaskRunner) -> None:
    position = Position()
    heatmap = Heatmap(position, runner)
    qtbot.addWidget(heatmap)
    heatmap.resize(*VIEWPORT)
    heatmap.show()
    qtbot.waitExposed(heatmap)
    row, column = PLACES[3]
    position.choose(Planted({(row, column): np.nan}))

    def is_exact() -> bool:
        return heatmap.overview is not None and heatmap.overview.tile.exact and runner.is_idle

    def marked() -> int:
        """Pixels of the marker's colour in the drawn picture, axes left out."""
        image = heatmap.image()
        return sum(
            image.pixelColor(x, y).getRgb()[:3] == NAN
            for x in range(image.width())
            for y in range(image.height())
        )

    qtbot.waitUntil(is_exact, timeout=30_000)
    assert marked() >= 4
    for extent in (4000, 500, 60, 9):
        heatmap.plot.view.setRange(
            xRange=(max(0, column - extent), column + extent),
            yRange=(row - extent, row + extent),
            padding=0,
        )
        qtbot.waitUntil(
            lambda: (
                runner.is_idle
                and heatmap.detail is not None
                and heatmap.detail.tile.plan == heatmap.plot.visible_plan()
            ),
            timeout=30_000,
        )
        assert marked() >= 4
