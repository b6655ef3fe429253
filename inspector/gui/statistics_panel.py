"""What the numbers of a tensor are like: exact figures and a histogram."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QColor, QFontDatabase, QFontMetrics, QPalette
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from inspector.analysis.histogram import Histogram, analyse
from inspector.analysis.statistics import Statistics
from inspector.gui.position import Position
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.theme import NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY, Rgb, faint
from inspector.values.arrays import ArraySource
from inspector.values.regions import Region
from inspector.values.text import number_text

_ROWS: Final[tuple[tuple[str, str, str], ...]] = (
    ("minimum", "Minimum", "The smallest finite value, and where it is first found"),
    ("maximum", "Maximum", "The largest finite value, and where it is first found"),
    ("mean", "Mean", "The mean of the finite values"),
    ("std", "Std", "The standard deviation of the finite values (of the whole population)"),
    ("zeros", "Zeros", "How many elements equal zero"),
    ("nan", "NaN", "How many elements are not a number"),
    ("pos_inf", "+inf", "How many elements are positive infinity"),
    ("neg_inf", "−inf", "How many elements are negative infinity"),
    ("infinite", "Infinite", "How many elements have an infinite part"),
)
#: Characters that a figure takes at the most: -1.23457e+308j.
_CHARACTERS: Final = 14
_SWATCHES: Final[dict[str, Rgb]] = {
    "nan": NAN,
    "pos_inf": POSITIVE_INFINITY,
    "neg_inf": NEGATIVE_INFINITY,
    "infinite": POSITIVE_INFINITY,
}


class StatisticsPanel(QWidget):
    """Figures and histogram of the whole tensor at the position, counted in the background."""

    failed = Signal(object)

    def __init__(self, position: Position, runner: TaskRunner, parent: QWidget | None = None):
        super().__init__(parent)
        self._position = position
        self._runner = runner
        self._statistics: Statistics | None = None
        self.setAccessibleName("Statistics")
        self._state = QLabel()
        self._figures: dict[str, QLabel] = {}
        self._places: dict[str, QLabel] = {}
        self._names: dict[str, QLabel] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 0, 0)
        layout.setSpacing(4)
        title = QHBoxLayout()
        heading = QLabel("<b>Statistics</b>")
        title.addWidget(heading)
        title.addStretch(1)
        title.addWidget(self._state)
        layout.addLayout(title)
        layout.addLayout(self._build_figures())
        layout.addWidget(self._build_histogram(), 1)
        layout.addLayout(self._build_foot())
        position.tensor_changed.connect(self._restart)
        position.form_changed.connect(self._restart)
        self._take_palette()

    def _build_figures(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(2, 1)
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        for row, (key, name, tip) in enumerate(_ROWS):
            label, figure, place = QLabel(name), QLabel(), QLabel()
            figure.setFont(font)
            figure.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            for widget in (label, figure):
                widget.setToolTip(tip)
            # Of one width whatever they say, or every new figure would lay out the whole page.
            figure.setMinimumWidth(QFontMetrics(font).horizontalAdvance("0") * _CHARACTERS)
            figure.setAlignment(Qt.AlignmentFlag.AlignRight)
            place.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            place.setMinimumWidth(90)
            place.linkActivated.connect(self._go)
            place.setAccessibleName(f"Position of the {name.lower()}")
            grid.addWidget(label, row, 0)
            grid.addWidget(figure, row, 1)
            grid.addWidget(place, row, 2)
            self._names[key], self._figures[key], self._places[key] = label, figure, place
        return grid

    def _build_histogram(self) -> Any:
        self._plot = pg.PlotWidget()
        self._plot.setAcceptDrops(False)
        self._plot.setMenuEnabled(False)
        self._plot.hideButtons()
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.setMinimumHeight(70)
        self._plot.setAccessibleName("Histogram")
        self._plot.hideAxis("left")
        self._plot.getPlotItem().getAxis("bottom").setStyle(maxTickLevel=0)
        self._curve: Any = pg.PlotCurveItem([0, 1], [0], stepMode="center", fillLevel=0)
        self._plot.addItem(self._curve)
        return self._plot

    def _build_foot(self) -> QHBoxLayout:
        self._logarithmic = QCheckBox("Log counts")
        self._logarithmic.setToolTip(
            "Show the logarithm of each bin's count, so that rare values show"
        )
        self._logarithmic.toggled.connect(self._draw)
        self._bins = QLabel()
        self._histogram: Histogram | None = None
        foot = QHBoxLayout()
        foot.addWidget(self._logarithmic)
        foot.addStretch(1)
        foot.addWidget(self._bins)
        return foot

    # State --------------------------------------------------------------------------------------

    @property
    def statistics(self) -> Statistics | None:
        """The figures shown; None while they are being counted."""
        return self._statistics

    @property
    def histogram(self) -> Histogram | None:
        """The histogram shown; None while it is being counted."""
        return self._histogram

    def _restart(self) -> None:
        self._statistics = None
        self._histogram = None
        for key, _, _ in _ROWS:
            self._figures[key].setText("…")
            self._places[key].clear()
            self._show_row(key, key != "infinite")
        self._draw()
        source = self._position.source
        if source is None:
            self._runner.supersede("statistics")
            return
        self._state.setText("counting")
        self._runner.submit(
            "statistics",
            Request(
                work=partial(_analyse, source),
                partial=self._take_statistics,
                done=self._take,
                failed=self._fail,
                progress=lambda share: self._state.setText(f"counting, {share:.0%}"),
                cancelled=lambda: self._stop("cancelled"),
                bulk=True,
                title="Statistics",
            ),
        )

    def _stop(self, word: str) -> None:
        self._state.setText(word)
        if self._statistics is None:
            for figure in self._figures.values():
                figure.setText("–")

    def _fail(self, error: object) -> None:
        self._stop("failed")
        self.failed.emit(error)

    def _take(self, found: tuple[Statistics, Histogram]) -> None:
        self._take_statistics(found[0])
        self._histogram = found[1]
        self._state.setText("exact" if found[0].exact else "sample")
        self._draw()

    def _take_statistics(self, found: Statistics) -> None:
        self._statistics = found
        for key, _, _ in _ROWS:
            value = getattr(found, key)
            counted = key in ("zeros", "nan", "pos_inf", "neg_inf", "infinite")
            text = f"{value:,}" if counted else "–" if value is None else _figure_text(value)
            self._figures[key].setText(text)
            if not counted and value is not None:
                self._figures[key].setToolTip(number_text(value, "exact"))
        for key, place in (("minimum", found.minimum_at), ("maximum", found.maximum_at)):
            text = f'<a href="{key}">{list(place)}</a>' if place else ""
            self._places[key].setText(text)
            self._places[key].setToolTip(f"First at {list(place)}: go there" if place else "")
        unsigned = found.infinite > 0 and found.pos_inf + found.neg_inf == 0
        self._show_row("infinite", unsigned)
        self._show_row("pos_inf", not unsigned)
        self._show_row("neg_inf", not unsigned)
        self._colour_names()

    def _show_row(self, key: str, visible: bool) -> None:
        for widgets in (self._names, self._figures, self._places):
            widgets[key].setVisible(visible)

    def _go(self, key: str) -> None:
        if self._statistics is None:
            return
        place = getattr(self._statistics, f"{key}_at")
        if place is not None:
            self._position.go_to(place)

    # Drawing ------------------------------------------------------------------------------------

    def _draw(self) -> None:
        found = self._histogram
        if found is None or not found.counts.sum():
            self._curve.setData([0, 1], [0], stepMode="center")
            self._bins.clear()
            self._curve.setVisible(False)
            return
        counts = found.counts.astype(np.float64)
        if self._logarithmic.isChecked():
            counts = np.log10(counts + 1)
        self._curve.setVisible(True)
        self._curve.setData(found.edges, counts, stepMode="center")
        self._plot.setXRange(float(found.edges[0]), float(found.edges[-1]), padding=0.01)
        self._plot.setYRange(0, float(counts.max()) * 1.05, padding=0)
        self._bins.setText(f"{len(found.counts)} bins")

    def _colour_names(self) -> None:
        weak = faint(self.palette()).name()
        for key, name, _ in _ROWS:
            some = self._statistics is not None and getattr(self._statistics, key)
            swatch = ""
            if key in _SWATCHES and some:
                swatch = f'<span style="color:rgb{_SWATCHES[key]}">■</span> '
            self._names[key].setText(f'{swatch}<span style="color:{weak}">{name}</span>')

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_curve"):
            self._take_palette()

    def _take_palette(self) -> None:
        colours = self.palette()
        self._plot.setBackground(colours.color(QPalette.ColorRole.Window))
        axis = self._plot.getPlotItem().getAxis("bottom")
        axis.setPen(faint(colours))
        axis.setTextPen(faint(colours))
        bar = QColor(colours.color(QPalette.ColorRole.Highlight))
        self._curve.setPen(pg.mkPen(bar))
        bar.setAlphaF(0.55)
        self._curve.setBrush(bar)
        self._colour_names()


def _figure_text(value: Any) -> str:
    """A figure in the width of one number: of a complex one, the parts below each other."""
    text = number_text(value)
    if not isinstance(value, complex | np.complexfloating):
        return text
    real = number_text(value.real)
    return f"{real}\n{text[len(real) :]}"


def _analyse(source: ArraySource, task: Task) -> tuple[Statistics, Histogram]:
    return analyse(
        source,
        Region.whole(source.shape),
        check=task.check,
        progress=task.progress,
        partial=task.partial,
    )
