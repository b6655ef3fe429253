"""What the user sets about the picture: levels, colours, what a pixel shows."""

from __future__ import annotations

import math
from typing import Any, Final

from PySide6.QtCore import QEvent, QSize, QTimer, Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QBoxLayout,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from inspector.analysis.tiles import Reduction
from inspector.gui.colours import AUTOMATIC_MAP, COLOUR_MAPS, Colouring
from inspector.gui.levels import OF_ALL, LevelsChoice, LevelsMode, Limits
from inspector.gui.text import Later, Texts
from inspector.gui.theme import alarm
from inspector.values.text import number_text

Controls = Texts("Controls")

#: Characters across, for which there is always room; what needs more becomes two rows.
_ROW_CHARACTERS: Final = 85

_REDUCTIONS: Final[tuple[tuple[Reduction, Later], ...]] = (
    ("largest magnitude", Controls.QT_TR_NOOP("Max |x|")),
    ("mean", Controls.QT_TR_NOOP("Mean")),
    ("minimum", Controls.QT_TR_NOOP("Minimum")),
    ("maximum", Controls.QT_TR_NOOP("Maximum")),
)
#: What the reductions are called in a sentence.
_NAMES: Final[dict[Reduction, Later]] = {
    "largest magnitude": Controls.QT_TR_NOOP("largest magnitude"),
    "mean": Controls.QT_TR_NOOP("mean"),
    "minimum": Controls.QT_TR_NOOP("minimum"),
    "maximum": Controls.QT_TR_NOOP("maximum"),
}
_LEVELS: Final[tuple[tuple[LevelsMode, Later], ...]] = (
    ("automatic", Controls.QT_TR_NOOP("Auto levels")),
    ("symmetric", Controls.QT_TR_NOOP("Symmetric")),
    ("full", Controls.QT_TR_NOOP("Min to max")),
    ("percentile", Controls.QT_TR_NOOP("1 to 99 %")),
    ("hand", Controls.QT_TR_NOOP("By hand")),
)
_MAPS: Final = (
    (AUTOMATIC_MAP, Controls.QT_TR_NOOP("Auto colours")),
    *((item.name, item.label) for item in COLOUR_MAPS),
)


class PictureControls(QWidget):
    """The row above the picture, and below it the numbers of levels by hand."""

    recoloured = Signal()
    reduced = Signal()
    fit_requested = Signal()
    #: Whether cells are to be squares.
    squared = Signal(bool)

    def __init__(self) -> None:
        super().__init__()
        self._limits: Limits | None = None
        self._hand: tuple[float, float] | None = None
        self._build_boxes()
        self._boxes, self._switches = QHBoxLayout(), QHBoxLayout()
        for box in (self.levels, self.maps, self.reductions):
            self._boxes.addWidget(box)
        for switch in (self.logarithmic, self.square, self.profiles):
            self._switches.addWidget(switch)
        self._switches.addStretch(1)
        self._switches.addWidget(self.fit)
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._row.addLayout(self._boxes)
        self._row.addLayout(self._switches, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._row)
        layout.addWidget(self._build_numbers())
        self.levels.currentIndexChanged.connect(self._choose_levels)
        self.maps.currentIndexChanged.connect(self.recoloured)
        self.logarithmic.toggled.connect(self.recoloured)
        self.reductions.currentIndexChanged.connect(self.reduced)
        self.square.toggled.connect(self.squared)
        self.fit.clicked.connect(self.fit_requested)

    def _build_boxes(self) -> None:
        self.levels = _choices(
            _LEVELS,
            Controls.tr("Levels"),
            Controls.tr(
                "Which values get the two ends of the colours; those beyond have the same. "
                "Automatic: from the picture's pixels, symmetric about zero for values on both "
                "sides of it. Symmetric, min to max, 1 to 99 %: of all the tensor's numbers, once "
                "they are counted. By hand: typed, or dragged in the histogram"
            ),
        )
        self.maps = _choices(
            _MAPS,
            Controls.tr("Colours"),
            Controls.tr(
                "Colour maps that are safe for colour-blind readers. Automatic: blue to red for "
                "levels that are symmetric about zero, Viridis for others"
            ),
        )
        self.reductions = _choices(
            _REDUCTIONS,
            Controls.tr("One pixel shows"),
            Controls.tr(
                "What a pixel shows that stands for several cells. With the largest magnitude, "
                "no outlier can vanish."
            ),
        )
        self.logarithmic = QCheckBox(Controls.tr("Log"))
        self.logarithmic.setToolTip(
            Controls.tr(
                "Colours follow the logarithm of the magnitude, on both sides of zero; around "
                "zero, up to a tenth of a typical magnitude, they are linear"
            )
        )
        self.square = QCheckBox(Controls.tr("Square"))
        self.square.setToolTip(
            Controls.tr("Show every cell as a square instead of filling the space")
        )
        self.profiles = QCheckBox(Controls.tr("Profiles"))
        self.profiles.setChecked(True)
        self.profiles.setToolTip(
            Controls.tr(
                "Show the current row and column as curves beside the picture, where there is room "
                "(Ctrl+L)"
            )
        )
        self.fit = QToolButton()
        self.fit.setText(Controls.tr("Fit"))
        self.fit.setToolTip(Controls.tr("Show the whole plane (double-click in the picture, or 0)"))

    def _build_numbers(self) -> QWidget:
        self.low, self.high = QLineEdit(), QLineEdit()
        self._numbers = QWidget()
        row = QHBoxLayout(self._numbers)
        row.setContentsMargins(0, 0, 0, 0)
        tip = Controls.QT_TR_NOOP("{level}: the value at this end of the colours, such as -1.5e-3")
        for word, edit, name in (
            (Controls.tr("From"), self.low, Controls.tr("Lowest level")),
            (Controls.tr("to"), self.high, Controls.tr("Highest level")),
        ):
            edit.setAccessibleName(name)
            edit.setToolTip(tip(level=name))
            edit.setMaximumWidth(150)
            edit.setAcceptDrops(False)
            edit.textEdited.connect(self._mark)
            edit.editingFinished.connect(self._type)
            row.addWidget(QLabel(word))
            row.addWidget(edit)
        row.addStretch(1)
        self._numbers.hide()
        return self._numbers

    def minimumSizeHint(self) -> QSize:
        size = super().minimumSizeHint()
        most = self.fontMetrics().averageCharWidth() * _ROW_CHARACTERS
        size.setWidth(min(self._needed(), most))
        return size

    def _needed(self) -> int:
        """Pixels for all of the row above the numbers."""
        boxes, switches = self._boxes.minimumSize(), self._switches.minimumSize()
        return boxes.width() + self._row.spacing() + switches.width()

    def _arrange(self) -> None:
        """Make two rows of one where the words are too long for it."""
        directions = QBoxLayout.Direction
        fits = self._needed() <= self.width()
        wanted = directions.LeftToRight if fits else directions.TopToBottom
        if wanted != self._row.direction():
            self._row.setDirection(wanted)

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest):
            self._arrange()
        return super().event(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            # The boxes take the font after this.
            QTimer.singleShot(0, self, self._fit_boxes)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "_numbers"):
            self._mark()

    def _fit_boxes(self) -> None:
        for box in (self.levels, self.maps, self.reductions):
            _fit(box)

    # State --------------------------------------------------------------------------------------

    @property
    def choices(self) -> tuple[str, str, str]:
        """The names of the levels, the colour map and the reduction that are chosen.

        Levels by hand are one tensor's: in their place, the automatic ones.
        """
        levels = "automatic" if self.mode == "hand" else self.mode
        return levels, _MAPS[self.maps.currentIndex()][0], self.reduction

    def choose(self, levels: str, colour_map: str, reduction: str) -> None:
        """Choose by names from `choices`; those that there are not change nothing."""
        for box, items, name in (
            (self.levels, _LEVELS[:-1], levels),
            (self.maps, _MAPS, colour_map),
            (self.reductions, _REDUCTIONS, reduction),
        ):
            names = [known for known, _ in items]
            if name in names:
                box.setCurrentIndex(names.index(name))

    @property
    def reduction(self) -> Reduction:
        """What a pixel shows that stands for several cells."""
        return _REDUCTIONS[self.reductions.currentIndex()][0]

    @property
    def reduction_name(self) -> str:
        """The same in a sentence."""
        return _NAMES[self.reduction]()

    @property
    def mode(self) -> LevelsMode:
        """Where the levels come from."""
        return _LEVELS[self.levels.currentIndex()][0]

    @property
    def colouring(self) -> Colouring:
        """How numbers become colours at present."""
        # Only what matters, so that nothing is painted again for the same colours.
        hand = self._hand if self.mode == "hand" else None
        limits = self._limits if self.mode in OF_ALL else None
        choice = LevelsChoice(self.mode, self.logarithmic.isChecked(), hand, limits)
        return Colouring(choice, _MAPS[self.maps.currentIndex()][0])

    def show_switches(self, *, square: bool, profiles: bool) -> None:
        """Show only the switches that would change something."""
        self.square.setVisible(square)
        self.profiles.setVisible(profiles)

    def set_limits(self, limits: Limits | None) -> None:
        """Take up what is known of the tensor's numbers."""
        before, self._limits = self.colouring, limits
        if self.colouring != before:
            self.recoloured.emit()

    def show_levels(self, low: float, high: float) -> None:
        """Tell the levels of the picture: by hand, one goes on from them."""
        if self.mode != "hand":
            self._hand = (low, high)

    def set_levels(self, low: float, high: float) -> None:
        """Levels by hand, from elsewhere; finite, ``low < high``."""
        self._hand = (low, high)
        self._write_numbers()
        if self.mode == "hand":
            self.recoloured.emit()
        else:
            self.levels.setCurrentIndex([name for name, _ in _LEVELS].index("hand"))

    # By hand ------------------------------------------------------------------------------------

    def _choose_levels(self) -> None:
        self._numbers.setVisible(self.mode == "hand")
        self._write_numbers()
        self.recoloured.emit()

    def _write_numbers(self) -> None:
        if self._hand is not None:
            for edit, value in zip((self.low, self.high), self._hand, strict=True):
                edit.setText(number_text(value))
        self._mark()

    def _typed(self) -> tuple[float, float] | None:
        """The numbers in the two fields; None if these are no levels."""
        low, high = _number(self.low.text()), _number(self.high.text())
        return (low, high) if low is not None and high is not None and low < high else None

    def _mark(self) -> None:
        """Show whether what is typed can be taken."""
        for edit in (self.low, self.high):
            palette = self.palette()
            if self._typed() is None:
                palette.setColor(QPalette.ColorRole.Text, alarm(palette))
            edit.setPalette(palette)

    def _type(self) -> None:
        typed = self._typed()
        written = self._hand and tuple(float(number_text(value)) for value in self._hand)
        # The text of a level that was dragged is rounded: to leave the field changes nothing.
        if typed is not None and typed != written:
            self._hand = typed
            self.recoloured.emit()


def _number(text: str) -> float | None:
    """A finite number as it is typed, whatever the locale; a true minus sign is one."""
    try:
        value = float(text.strip().replace("−", "-"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _choices(items: tuple[tuple[Any, Later], ...], name: str, tip: str) -> QComboBox:
    box = QComboBox()
    box.addItems([label() for _, label in items])
    box.setAccessibleName(name)
    box.setToolTip(f"{name}: {tip}")
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    _fit(box)
    return box


def _fit(box: QComboBox) -> None:
    """In a narrow window, the first choice can still be read."""
    texts = map(box.itemText, range(box.count()))
    widths = [box.fontMetrics().horizontalAdvance(text) for text in texts]
    box.setMinimumWidth(box.sizeHint().width() - max(widths) + widths[0])
