"""What the numbers of a tensor are like: exact figures and a histogram."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Final

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from inspector.analysis.distinct import MOST
from inspector.analysis.histogram import Histogram
from inspector.analysis.quantiles import SHARES
from inspector.analysis.statistics import Number, Statistics
from inspector.analysis.summary import Analysis, analyse
from inspector.gui.analyses import Counted, KeptAnalyses, WholeCount
from inspector.gui.figure_names import PARTS, Part, first_figures, further_figures
from inspector.gui.fonts import fixed_font
from inspector.gui.histogram_plot import HistogramPlot
from inspector.gui.labels import swatch
from inspector.gui.levels import Levels
from inspector.gui.position import Position
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.text import Texts
from inspector.gui.theme import NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY, Rgb, faint
from inspector.gui.within_screen import Shortened
from inspector.values.arrays import ArraySource
from inspector.values.regions import Region
from inspector.values.text import number_text

StatisticsTexts = Texts("StatisticsTexts")

#: Characters that a figure takes at the most: -1.23457e+308j.
_CHARACTERS: Final = 14
#: Characters of where a figure was found that can be read at least; the rest is in its tooltip.
_PLACE_CHARACTERS: Final = 12
#: Figures that are seen at the least; where there is more room, all are.
_LEAST_ROWS: Final = 3
_SWATCHES: Final[dict[str, Rgb]] = {
    "nan": NAN,
    "pos_inf": POSITIVE_INFINITY,
    "neg_inf": NEGATIVE_INFINITY,
    "infinite": POSITIVE_INFINITY,
}


#: Milliseconds from a change of the selection to the counting.
_PAUSE: Final = 250


class StatisticsPanel(QWidget):
    """Figures and histogram of the tensor at the position, or a part of it.

    They are counted in the background, and kept for tensors in files.
    """

    failed = Signal(object)
    #: An `Analysis`: what is known so far of the whole tensor.
    analysed = Signal(object)
    #: The user drags levels to these two values, ``low < high``.
    levels_dragged = Signal(float, float)

    def __init__(self, position: Position, runner: TaskRunner, parent: QWidget | None = None):
        super().__init__(parent)
        self._position = position
        self._runner = runner
        self._found: Analysis | None = None
        #: What a sample says, for as long as the rest is being counted.
        self._sampled: Analysis | None = None
        self._kept: Final = KeptAnalyses()
        #: Under which those of the shown tensor are; None until one was counted.
        self._identity: Hashable = None
        #: What is counted of the whole tensor whatever is shown, and whether it is to be.
        self._whole = WholeCount(runner, self._kept, _analyse, self)
        self._whole.analysed.connect(self.analysed)
        self._whole.failed.connect(self.failed)
        self._whole_wanted = False
        #: The rows and columns that are selected in the values.
        self.selection: Callable[[], tuple[range, range]] | None = None
        self._more_rows = further_figures()
        self._rows = (*first_figures(), *self._more_rows)
        self._tips = {row.key: row.tip for row in self._rows}
        self.setAccessibleName(StatisticsTexts.tr("Statistics"))
        self._state = QLabel()
        self._figures: dict[str, QLabel] = {}
        self._places: dict[str, QLabel] = {}
        self._names: dict[str, QLabel] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 0, 0, 0)
        layout.setSpacing(4)
        title = QHBoxLayout()
        heading = QLabel(f"<b>{self.accessibleName()}</b>")
        title.addWidget(heading)
        title.addWidget(self._build_parts())
        heading.setBuddy(self.part_box)
        title.addStretch(1)
        title.addWidget(self._state)
        layout.addLayout(title)
        layout.addWidget(Shortened(self._build_figures(), _LEAST_ROWS))
        #: The histogram, with the picture's levels.
        self.plot = HistogramPlot()
        self.plot.lines.dragged.connect(self.levels_dragged)
        layout.addWidget(self.plot, 1)
        layout.addLayout(self._build_foot())
        position.tensor_changed.connect(self._begin)
        position.form_changed.connect(self._restart)
        position.plane_changed.connect(self._moved)
        self._take_palette()
        self._take_font()

    def _build_parts(self) -> QComboBox:
        self.part_box = QComboBox()
        self.part_box.addItems([label() for _, label in PARTS])
        self.part_box.setAccessibleName(StatisticsTexts.tr("Statistics of"))
        self.part_box.setToolTip(StatisticsTexts.tr("Of which numbers the figures are"))
        self.part_box.setFrame(False)
        self.part_box.activated.connect(lambda _: self._restart())
        # A selection grows step by step while keys are held.
        self._later = QTimer(self, singleShot=True, interval=_PAUSE)
        self._later.timeout.connect(self._restart)
        return self.part_box

    def _build_figures(self) -> QWidget:
        figures = QWidget()
        grid = QGridLayout(figures)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(2, 1)
        font = fixed_font()
        for row, (key, name, tip) in enumerate(self._rows):
            label, figure, place = QLabel(name), QLabel(), QLabel()
            figure.setFont(font)
            label.setBuddy(figure)  # a screen reader says whose number it is
            figure.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            for widget in (label, figure):
                widget.setToolTip(tip)
            figure.setAlignment(Qt.AlignmentFlag.AlignRight)
            place.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            place.linkActivated.connect(self._go)
            place.setAccessibleDescription(
                StatisticsTexts.tr("Position of the {figure}", figure=name.lower())
            )
            grid.addWidget(label, row, 0)
            grid.addWidget(figure, row, 1)
            grid.addWidget(place, row, 2)
            self._names[key], self._figures[key], self._places[key] = label, figure, place
        return figures

    def _take_font(self) -> None:
        for figure in self._figures.values():
            # Of one width whatever they say, or every new figure would lay out the whole page.
            figure.setMinimumWidth(figure.fontMetrics().horizontalAdvance("0") * _CHARACTERS)
        for place in self._places.values():
            place.setMinimumWidth(place.fontMetrics().horizontalAdvance("0") * _PLACE_CHARACTERS)

    def _build_foot(self) -> QHBoxLayout:
        self._logarithmic = QCheckBox(StatisticsTexts.tr("Log counts"))
        self._logarithmic.setToolTip(
            StatisticsTexts.tr("Show the logarithm of each bin's count, so that rare values show")
        )
        self._logarithmic.toggled.connect(self._draw)
        self._bins = QLabel()
        self._more = QCheckBox(StatisticsTexts.tr("More figures"))
        self._more.setToolTip(StatisticsTexts.tr("Show quantiles, norms and distinct values too"))
        self._more.toggled.connect(self._show_more)
        self._show_more(False)
        foot = QHBoxLayout()
        foot.addWidget(self._logarithmic)
        foot.addWidget(self._more)
        foot.addStretch(1)
        foot.addWidget(self._bins)
        return foot

    # State --------------------------------------------------------------------------------------

    @property
    def statistics(self) -> Statistics | None:
        """The figures shown; None while they are being counted."""
        return self._found.statistics if self._found is not None else None

    @property
    def of_whole(self) -> Statistics | None:
        """The figures of the whole tensor; None unless they were counted."""
        source, found = self._position.source, self._found
        if self.part != "whole":
            whole = None if source is None else Region.whole(source.shape)
            found = None if whole is None else self._kept.find(self._identity, whole)
        return None if found is None else found.statistics

    @property
    def quantiles(self) -> tuple[Number, ...] | None:
        """The quantiles shown; None while they are being found."""
        return self._found.quantiles if self._found is not None else None

    def figure(self, key: str) -> str | None:
        """What is said of one of the figures, such as ``l2_norm``; None if it is not shown."""
        figure = self._figures[key]
        return figure.text() if figure.isVisible() else None

    def tip(self, key: str) -> str:
        """The tooltip of a figure: the exact number, or what the figure is where there is none."""
        return self._figures[key].toolTip()

    @property
    def log_box(self) -> QCheckBox:
        """Shows the logarithm of the counts."""
        return self._logarithmic

    @property
    def more_box(self) -> QCheckBox:
        """Shows the further figures, or hides them."""
        return self._more

    @property
    def histogram(self) -> Histogram | None:
        """The histogram shown; None while it is being counted."""
        return self._found.histogram if self._found is not None else None

    def show_levels(self, levels: Levels | None) -> None:
        """Show on the histogram which values have the two ends of the picture's colours."""
        self.plot.show_levels(levels)

    def _begin(self) -> None:
        """Another tensor."""
        self._identity = None
        self._clear()
        if self.part == "selected":
            self._moved()  # what is selected may still be of the one before
        else:
            self._count()

    def _restart(self) -> None:
        self._clear()
        self._count()

    def _clear(self) -> None:
        """Show no figures, and stop counting."""
        self._found = self._sampled = None
        for key, tip in self._tips.items():
            self._figures[key].setText("…")
            self._figures[key].setToolTip(tip)
            self._places[key].clear()
            self._places[key].setToolTip("")
        self._colour_names()
        self._show_row("infinite", False)
        self._show_row("pos_inf", True)
        self._show_row("neg_inf", True)
        self._draw()
        self._later.stop()
        self._runner.supersede("statistics")
        self._count_whole()

    def _count(self) -> None:
        """Have the figures counted, unless they are known."""
        source = self._position.source
        if source is None:
            return
        self._state.setText(StatisticsTexts.tr("counting"))
        self._runner.submit(
            "statistics",
            Request(
                work=partial(self._kept.count, source, self._region(source), _analyse),
                partial=self._show,
                done=self._take,
                failed=self._fail,
                progress=self._progress,
                cancelled=lambda: self._stop(StatisticsTexts.tr("cancelled")),
                bulk=True,
                title=StatisticsTexts.tr("Statistics"),
            ),
        )

    def want_whole(self, wanted: bool) -> None:
        """Have the whole tensor counted, for somebody else, also while a part is shown here."""
        self._whole_wanted = wanted
        self._count_whole()

    def _count_whole(self) -> None:
        wanted = self._whole_wanted and self.part != "whole"
        self._whole.count(self._position.source if wanted else None)

    @property
    def is_sample(self) -> bool:
        """Whether the figures are those of a sample."""
        return self._sampled is not None and self._found is None

    def _progress(self, share: float) -> None:
        self._state.setText(
            StatisticsTexts.tr("sample, {percent:.0f} %", percent=100 * share)
            if self.is_sample
            else StatisticsTexts.tr("counting, {percent:.0f} %", percent=100 * share)
        )

    def _stop(self, word: str) -> None:
        self._state.setText(StatisticsTexts.tr("sample") if self.is_sample else word)
        for figure in self._figures.values():
            if figure.text() == "…":
                figure.setText("–")

    def _fail(self, error: object) -> None:
        self._stop(StatisticsTexts.tr("failed"))
        self.failed.emit(error)

    @property
    def part(self) -> Part:
        """Of what the figures are."""
        return PARTS[self.part_box.currentIndex()][0]

    def _region(self, source: ArraySource) -> Region:
        plane = self._position.plane
        if self.part == "whole" or plane.is_empty:
            return Region.whole(source.shape)
        if self.part == "selected" and self.selection is not None:
            region = plane.region(*self.selection())
        else:
            region = plane.region()
        return region.ascending  # the same numbers, whichever way the axes run

    def take_selection(self) -> None:
        """Count anew, if it is the selected values that are meant: others are selected."""
        if self.part == "selected":
            self._moved()

    def _moved(self) -> None:
        """Count anew, if it is another part that is meant now."""
        if self.part != "whole" and self._position.source is not None:
            self._state.setText(StatisticsTexts.tr("counting"))
            self._later.start()

    def _take(self, counted: Counted) -> None:
        self._identity, found = counted
        self._show(found)
        self._state.setText(StatisticsTexts.tr("exact"))

    def _show(self, found: Analysis) -> None:
        """Show what is known so far."""
        if not found.statistics.exact:
            self._show_sample(found)
            return
        before, self._found = self._found, found
        if self.part == "whole":
            self.analysed.emit(found)
        if before is None:
            self._show_statistics(found.statistics)
        if found.histogram is not None and (before is None or before.histogram is None):
            self._draw()
        if found.quantiles is not None:
            for number, share in enumerate(SHARES):
                value = found.quantiles[number] if found.quantiles else None
                self._show_number(f"share {share}", value)

    def _show_sample(self, found: Analysis) -> None:
        """What a sample says of the figures that one looks at first."""
        self._sampled = found
        for key in ("minimum", "maximum", "mean", "std"):
            value = getattr(found.statistics, key)
            if value is not None:
                self._figures[key].setText(f"≈ {_figure_text(value)}")
                count = found.statistics.count
                tip = StatisticsTexts.tr("Of {n:,} elements", "Of {n:,} element", count)
                self._figures[key].setToolTip(tip)
        self._progress(0.0)
        self._draw()

    def _show_statistics(self, found: Statistics) -> None:
        for key in ("minimum", "maximum", "mean", "std", "l1_norm", "l2_norm", "max_norm"):
            # Nothing finite has no norm to speak of, though a sum of nothing is 0.
            known = found.mean is not None
            self._show_number(key, getattr(found, key) if known else None)
        for key in ("zeros", "nan", "pos_inf", "neg_inf", "infinite", "subnormals"):
            count = getattr(found, key)
            self._figures[key].setText("–" if count is None else f"{count:,}")
        self._show_places(found)
        self._show_distinct(found)
        unsigned = found.infinite > 0 and found.pos_inf + found.neg_inf == 0
        self._show_row("infinite", unsigned)
        self._show_row("pos_inf", not unsigned)
        self._show_row("neg_inf", not unsigned)
        self._colour_names()

    def _show_places(self, found: Statistics) -> None:
        # A label does not give its links the colour of another palette.
        link = self.palette().color(QPalette.ColorRole.Link).name()
        for key, place in (("minimum", found.minimum_at), ("maximum", found.maximum_at)):
            text = f'<a href="{key}" style="color:{link}">{list(place)}</a>' if place else ""
            self._places[key].setText(text)
            tip = StatisticsTexts.tr("First at {place}: go there", place=list(place or ()))
            self._places[key].setToolTip(tip if place else "")

    def _show_number(self, key: str, value: Number | complex | None) -> None:
        self._figures[key].setText("–" if value is None else _figure_text(value))
        tip = self._tips[key] if value is None else number_text(value, "exact")
        self._figures[key].setToolTip(tip)

    def _show_distinct(self, found: Statistics) -> None:
        known = found.distinct
        if known is None:
            text, listed = ("–" if found.mean.__class__ is complex else f"> {MOST}"), ""
        else:
            text = str(len(known))
            listed = "\n".join(f"{number_text(value)}: {count:,}" for value, count in known)
        self._figures["distinct"].setText(text)
        first = listed.replace("\n", ", ")
        self._places["distinct"].setText(first)
        self._places["distinct"].setToolTip(listed)

    def _show_more(self, shown: bool) -> None:
        for key, _, _ in self._more_rows:
            self._show_row(key, shown)

    def _show_row(self, key: str, visible: bool) -> None:
        for widgets in (self._names, self._figures, self._places):
            widgets[key].setVisible(visible)

    def _go(self, key: str) -> None:
        place = getattr(self.statistics, f"{key}_at", None)
        if place is not None:
            self._position.go_to(place)

    # Drawing ------------------------------------------------------------------------------------

    def _draw(self) -> None:
        found = self.histogram
        if found is None and self._sampled is not None:
            found = self._sampled.histogram
        self.plot.show_histogram(found, logarithmic=self._logarithmic.isChecked())
        text = ""
        if found is not None and found.counts.any():
            # No longer than that: the panel would grow, and the page be laid out anew.
            text = StatisticsTexts.tr("of a sample")
            if found.exact:
                text = StatisticsTexts.tr("{n} bins", "{n} bin", len(found.counts))
        self._bins.setText(text)

    def _colour_names(self) -> None:
        weak = faint(self.palette()).name()
        for key, name, _ in self._rows:
            some = key in _SWATCHES and bool(getattr(self.statistics, key, None))
            mark = f"{swatch(_SWATCHES[key], self.palette())} " if some else ""
            self._names[key].setText(f'{mark}<span style="color:{weak}">{name}</span>')

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "plot"):
            self._take_palette()
        if event.type() == QEvent.Type.FontChange and hasattr(self, "plot"):
            self._take_font()

    def _take_palette(self) -> None:
        self._colour_names()
        if self.statistics is not None:
            self._show_places(self.statistics)


def _figure_text(value: Number | complex) -> str:
    """A figure in the width of one number: of a complex one, the parts below each other."""
    text = number_text(value)
    if not isinstance(value, complex):
        # A longer whole number would be cut off; the tooltip has all of it.
        return text if len(text) <= _CHARACTERS else f"{value:.6g}"
    real = number_text(value.real)
    return f"{real}\n{text[len(real) :]}"


def _analyse(source: ArraySource, region: Region, task: Task) -> Analysis:
    return analyse(
        source,
        region,
        check=task.check,
        progress=task.progress,
        partial=task.partial,
    )
