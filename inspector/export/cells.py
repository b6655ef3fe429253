"""Cells of a plane as one text: for a spreadsheet, or as Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from inspector.export.csv_text import csv_texts
from inspector.export.literals import NUMPY, PLAIN, dtype_word, literals
from inspector.export.parts import Check, Progress
from inspector.values.arrays import Array, ArraySource
from inspector.values.planes import plane_pieces
from inspector.values.regions import Plane
from inspector.values.text import NumberFormat, cell_texts

#: Tab- or comma-separated text, one line a row; a nested list of Python; ``np.array`` of one, which
#: evaluates to the same array bit for bit.
CellStyle = Literal["tsv", "csv", "python", "numpy"]


@dataclass(frozen=True, slots=True)
class _Layout:
    """What stands around the cells' texts."""

    texts: Callable[[Array], list[list[str]]]
    between_cells: str
    between_rows: str
    row: tuple[str, str] = ("", "")
    whole: tuple[str, str] = ("", "")


def cells_text(
    source: ArraySource,
    plane: Plane,
    rows: range,
    columns: range,
    style: CellStyle,
    how: NumberFormat,
    *,
    check: Check,
    progress: Progress,
) -> str:
    """Some rows and columns of a plane as text. For a worker thread.

    Parameters
    ----------
    how
        How numbers are written where there is a choice: in text, not in Python.
    check
        Called at each of the pieces of at most 2**14 cells; may raise to stop.

    Returns
    -------
    str
        A tensor of one axis gives a line for each number, or a plain list; others have two axes.
        Memory of about twice the text is taken.
    """
    layout = _layout(style, source.dtype.values, how, flat=plane.column_axis is None)
    cells, done = len(rows) * len(columns), 0
    opening, closing = layout.row
    parts = [layout.whole[0], opening]
    for values, ends_row in plane_pieces(source, plane, rows, columns):
        check()
        lines = map(layout.between_cells.join, layout.texts(values))
        parts.append(f"{closing}{layout.between_rows}{opening}".join(lines))
        done += values.size
        if done < cells:
            between = f"{closing}{layout.between_rows}{opening}"
            parts.append(between if ends_row else layout.between_cells)
        progress(done / cells)
    return "".join((*parts, closing, layout.whole[1]))


def _layout(style: CellStyle, dtype: np.dtype[Any], how: NumberFormat, *, flat: bool) -> _Layout:
    if style == "tsv":
        return _Layout(partial(cell_texts, how=how), "\t", "\n")
    if style == "csv":
        return _Layout(partial(csv_texts, how=how), ",", "\n")
    texts = partial(literals, words=PLAIN if style == "python" else NUMPY)
    ends = f"], dtype={dtype_word(dtype)})"
    if flat:
        whole = ("[", "]") if style == "python" else ("np.array([", ends)
        return _Layout(texts, ", ", ", ", whole=whole)
    whole = ("[\n    ", ",\n]") if style == "python" else ("np.array([\n    ", f",\n{ends}")
    return _Layout(texts, ", ", ",\n    ", ("[", "]"), whole)
