"""What a grid shows at a time: some cells as texts, and as the picture sees them."""

from __future__ import annotations

from dataclasses import dataclass

from inspector.analysis.reduction import reduce_blocks
from inspector.analysis.tiles import Tile, TilePlan
from inspector.values.arrays import ArraySource
from inspector.values.planes import plane_values
from inspector.values.regions import Plane
from inspector.values.text import NumberFormat, cell_texts


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Formatted cells of a plane.

    Attributes
    ----------
    texts
        A list of rows; shape (len(rows), len(columns)).
    tile
        The same cells as a picture in which one pixel is a cell.
    longest
        Characters of the longest text; at least 1.
    """

    rows: range
    columns: range
    texts: list[list[str]]
    tile: Tile
    longest: int

    def covers(self, rows: range, columns: range) -> bool:
        """Whether all these cells are in the page."""
        return is_inside(rows, self.rows) and is_inside(columns, self.columns)

    def text_at(self, row: int, column: int) -> str | None:
        """A cell's text; None if the cell is not in the page."""
        if row not in self.rows or column not in self.columns:
            return None
        return self.texts[row - self.rows.start][column - self.columns.start]


def is_inside(part: range, whole: range) -> bool:
    """Whether one range of step 1 lies in another."""
    return not part or (whole.start <= part.start and part.stop <= whole.stop)


def around(visible: range, total: int) -> range:
    """Some rows and as many on either side, where there are any."""
    return range(max(0, visible.start - len(visible)), min(total, visible.stop + len(visible)))


def read_page(
    source: ArraySource, plane: Plane, rows: range, columns: range, how: NumberFormat
) -> Page:
    """Read and format cells. For a worker thread."""
    values = plane_values(source, plane, rows, columns)
    found = reduce_blocks(values, 1, 1, "largest magnitude")
    tile = Tile(TilePlan(rows, columns, 1, 1), found.values, found.marks, exact=True, sample="")
    texts = cell_texts(values, how)
    longest = max((len(text) for row in texts for text in row), default=1)
    return Page(rows, columns, texts, tile, longest)
