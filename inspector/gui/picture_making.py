"""What workers do for the picture: its pixels are made, or found among those that were kept."""

from __future__ import annotations

from collections.abc import Callable

from inspector.analysis.tiles import Reduction, Tile, TilePlan, preview_tile, render_tile
from inspector.gui.colours import Colouring, Picture, paint, picture
from inspector.gui.identity import identity_of
from inspector.gui.kept_tiles import KeptTiles
from inspector.gui.tasks import Task
from inspector.values.arrays import ArraySource
from inspector.values.regions import Plane


def make_overview(
    source: ArraySource,
    plane: Plane,
    plan: TilePlan,
    reduction: Reduction,
    colouring: Colouring,
    kept: KeptTiles,
    task: Task,
) -> Picture:
    """The picture of a whole plane, with a sample of it handed over first."""

    def tell_sample() -> None:
        if plan.block_rows * plan.block_columns > 1:
            task.partial(picture(preview_tile(source, plane, plan, check=task.check), colouring))

    return picture(_exact(source, plane, plan, reduction, kept, task, tell_sample), colouring)


def make_detail(
    source: ArraySource,
    plane: Plane,
    plan: TilePlan,
    reduction: Reduction,
    overview: Picture,
    kept: KeptTiles,
    task: Task,
) -> Picture:
    """A part of a plane, in the overview's colours."""
    tile = _exact(source, plane, plan, reduction, kept, task)
    return paint(tile, overview.levels, overview.colouring)


def recolour(
    overview: Picture, detail: Picture | None, colouring: Colouring, _: Task
) -> tuple[Picture, Picture | None]:
    """The same tiles in other colours."""
    whole = picture(overview.tile, colouring)
    return whole, None if detail is None else paint(detail.tile, whole.levels, colouring)


def _exact(
    source: ArraySource,
    plane: Plane,
    plan: TilePlan,
    reduction: Reduction,
    kept: KeptTiles,
    task: Task,
    first: Callable[[], None] | None = None,
) -> Tile:
    """What every element that a plan covers comes to; it is remembered.

    Parameters
    ----------
    first
        Called if it is not known yet, before all of them are looked at.
    """
    identity = identity_of(source)
    known = kept.find(identity, plane, plan, reduction)
    if known is not None:
        return known
    if first is not None:
        first()
    tile = render_tile(source, plane, plan, reduction, check=task.check, progress=task.progress)
    kept.keep(identity, plane, reduction, tile)
    return tile
