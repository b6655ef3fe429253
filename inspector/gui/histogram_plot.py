"""A histogram as it is drawn, with the picture's levels as lines that can be dragged."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QSizePolicy

from inspector.analysis.histogram import Histogram
from inspector.gui.level_lines import LevelLines
from inspector.gui.levels import Levels
from inspector.gui.plot_axis import PlotAxis, line_width
from inspector.gui.text import Texts
from inspector.gui.theme import faint
from inspector.gui.value_scale import is_too_wide, thinned, value_ticks

Histograms = Texts("Histograms")

#: How long one is on the plot where its values are so large that it could not count them, and
#: how near two numbers on its axis are then, as a share of it.
_HUGE: Final = 2.0**-1000
_NEAREST: Final = 0.3


class HistogramPlot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph has no types
    """Bars over the values. Lives on the GUI thread."""

    def __init__(self) -> None:
        self._axis = PlotAxis("bottom")
        super().__init__(axisItems={"bottom": self._axis})
        self.setAcceptDrops(False)
        self.setMenuEnabled(False)
        self.hideButtons()
        self.setMouseEnabled(x=False, y=False)
        self.setMinimumHeight(70)
        # It takes what the figures above leave.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.setAccessibleName(Histograms.tr("Histogram"))
        # Its levels are typed as well: Levels > By hand.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hideAxis("left")
        self.curve: Any = pg.PlotCurveItem([0, 1], [0], stepMode="center", fillLevel=0)
        self.addItem(self.curve)
        #: The two levels.
        self.lines = LevelLines(self.getPlotItem())
        self._take_palette()
        self._take_font()

    def show_histogram(self, found: Histogram | None, *, logarithmic: bool) -> None:
        """Draw a histogram, or the logarithm of its counts; None, or an empty one, is nothing."""
        if found is not None and not found.counts.any():
            found = None
        # Without a histogram the axis would be another tensor's; it keeps its room.
        self._axis.setOpacity(float(found is not None))
        self.curve.setVisible(found is not None)
        if found is None:
            self.curve.setData([0, 1], [0], stepMode="center")
            self.lines.set_range(None)
            return
        counts = found.counts.astype(np.float64)
        if logarithmic:
            counts = np.log10(counts + 1)
        ends = float(found.edges[0]), float(found.edges[-1])
        unit = _HUGE if is_too_wide(*ends) else 1.0
        self.curve.setData(found.edges * unit, counts, stepMode="center")
        self.lines.set_range(ends, unit)
        self._show_range()
        self.setYRange(0, float(counts.max()) * 1.05, padding=0)

    def show_levels(self, levels: Levels | None) -> None:
        """Show which values have the two ends of the picture's colours."""
        self.lines.show_levels(levels)
        text = ""
        if levels is not None:
            text = Histograms.tr(
                "Colours from {low:g} to {high:g}", low=levels.low, high=levels.high
            )
        self.setAccessibleDescription(text)
        self._show_range()

    def _show_range(self) -> None:
        if self.lines.range is None:
            return
        unit, (low, high) = self.lines.unit, self.lines.range
        first, last = low * unit, high * unit
        self.setXRange(first, last, padding=0.01)
        ticks = None
        if unit != 1:  # else the plot numbers its axis itself
            shares = thinned(value_ticks(Levels(low, high)), _NEAREST)
            ticks = [[(first + share * (last - first), text) for share, text in shares]]
        self._axis.setTicks(ticks)

    def event(self, event: QEvent) -> bool:
        """Draw for another screen's resolution, if the window comes to one."""
        if event.type() == QEvent.Type.DevicePixelRatioChange and hasattr(self, "lines"):
            self._take_palette()
        return bool(super().event(event))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if not hasattr(self, "lines"):
            return
        if event.type() == QEvent.Type.PaletteChange:
            self._take_palette()
        elif event.type() == QEvent.Type.FontChange:
            self._take_font()

    def _take_font(self) -> None:
        self._axis.setTickFont(self.font())

    def _take_palette(self) -> None:
        colours, width = self.palette(), line_width(self.devicePixelRatioF())
        self.setBackground(colours.color(QPalette.ColorRole.Window))
        self._axis.setPen(pg.mkPen(faint(colours), width=width))
        self._axis.setTextPen(faint(colours))
        bar = QColor(colours.color(QPalette.ColorRole.Highlight))
        self.curve.setPen(pg.mkPen(bar))
        bar.setAlphaF(0.55)
        self.curve.setBrush(bar)
        self.lines.take_palette(colours, width)
