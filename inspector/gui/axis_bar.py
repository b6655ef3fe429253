"""Which two axes are shown, and where the others are held."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QEvent, QLocale, QSignalBlocker, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from inspector.gui.direction import ReverseAction, Side
from inspector.gui.index_box import IndexBox
from inspector.gui.playing import Player, PlayMenu
from inspector.gui.position import Position
from inspector.gui.tab_order import lead_through, tab_stops
from inspector.gui.tasks import TaskRunner
from inspector.gui.text import Texts

Axes = Texts("Axes")

_SLIDER_STEPS = 10_000


class AxisBar(QWidget):
    """Controls for the plane of a tensor, and the index that is shown; hidden for one number.

    Which axes are shown is asked where there are two or more.
    """

    #: Whether there is an axis to step along.
    slices_changed = Signal(bool)

    def __init__(
        self, position: Position, runner: TaskRunner, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._position = position
        self.player = Player(position, runner, self)
        #: How slices are played.
        self.play_menu = PlayMenu(self.player, self)
        self._rows = _axis_box(Axes.tr("Rows"), Axes.tr("The axis that runs down"))
        self._columns = _axis_box(Axes.tr("Columns"), Axes.tr("The axis that runs across"))
        self._exchange = QToolButton()
        self._exchange.setText("⇄")
        self._exchange.setToolTip(Axes.tr("Exchange rows and columns"))
        self._exchange.setAccessibleName(Axes.tr("Exchange rows and columns"))
        self.turn_rows = _turn_button("rows", position)
        self.turn_columns = _turn_button("columns", position)
        self.index = IndexBox()
        self._held: dict[int, HeldAxis] = {}
        self._area = QScrollArea()
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setWidgetResizable(True)
        self._area.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        shown = QHBoxLayout()
        rows, columns, index = (
            QLabel(words) for words in (Axes.tr("Rows"), Axes.tr("Columns"), Axes.tr("Index"))
        )
        pair = (self._exchange, columns, self._columns, self.turn_columns)
        for widget in (rows, self._rows, self.turn_rows, *pair):
            shown.addWidget(widget)
        self._pickers = (self._rows, *pair)
        self._words = (rows, columns, index)
        shown.addStretch(1)
        for word, control in zip(self._words, (self._rows, self._columns, self.index), strict=True):
            word.setBuddy(control)
        shown.addWidget(index)
        shown.addWidget(self.index)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self._shown = shown
        layout.addLayout(shown)
        layout.addWidget(self._area)
        self._rows.activated.connect(lambda axis: self._show(row_axis=axis))
        self._columns.activated.connect(lambda axis: self._show(column_axis=axis))
        self._exchange.clicked.connect(lambda: self._show(row_axis=position.plane.column_axis))
        position.tensor_changed.connect(self._restart)
        position.plane_changed.connect(self._update)
        self.player.changed.connect(self._show_playing)
        self._take_font()
        self.hide()

    @property
    def held(self) -> dict[int, HeldAxis]:
        """The controls of the axes that are not shown, by axis."""
        return self._held

    @property
    def _first_held(self) -> int | None:
        """The first axis that can be stepped along."""
        if self._position.source is None:
            return None
        return next((axis for axis, control in self._held.items() if control.has_steps), None)

    def step(self, steps: int) -> None:
        """Go some indices along the first held axis, as far as there are any."""
        axis = self._first_held
        if axis is not None:
            plane = self._position.plane
            index = min(max(plane.index[axis] + steps, 0), plane.shape[axis] - 1)
            self._hold(axis, index)

    def play(self) -> None:
        """Play the first held axis; stop if any is played."""
        axis = self._first_held if self.player.axis is None else self.player.axis
        if axis is not None:
            self._toggle(axis)

    def _show_playing(self) -> None:
        for axis, control in self._held.items():
            control.show_playing(axis == self.player.axis)

    def _show(self, row_axis: int | None = None, column_axis: int | None = None) -> None:
        if self._position.source is None:
            return  # what is still seen is the tensor's before
        plane = self._position.plane
        if row_axis is not None:
            plane = plane.with_row_axis(row_axis)
        if column_axis is not None:
            plane = plane.with_column_axis(column_axis)
        self._position.show_plane(plane)

    def _restart(self) -> None:
        if self._position.source is None:
            # Between two tensors nothing moves: a layout and its repaint cost the window a turn.
            return
        shape = self._position.plane.shape
        self.setVisible(bool(shape))
        for widget in self._pickers:
            widget.setVisible(len(shape) > 1)
        for box in (self._rows, self._columns):
            box.clear()
            box.addItems(
                [
                    Axes.tr("axis {axis}: {size:,}", axis=axis, size=size)
                    for axis, size in enumerate(shape)
                ]
            )
        self._build_held()
        self._update()

    def _update(self) -> None:
        plane = self._position.plane
        if plane.row_axis is not None and plane.column_axis is not None:
            self._rows.setCurrentIndex(plane.row_axis)
            self._columns.setCurrentIndex(plane.column_axis)
        self.index.show_index(plane.text())
        self._fit_words()
        if tuple(self._held) != plane.held_axes:
            self._build_held()
        for axis, control in self._held.items():
            control.show_index(plane.index[axis])

    def _build_held(self) -> None:
        plane = self._position.plane
        content = QWidget()
        layout = QHBoxLayout(content)
        layout.setContentsMargins(0, 0, 0, 0)
        self._held = {}
        for axis in plane.held_axes:
            control = HeldAxis(axis, plane.shape[axis], self.play_menu)
            control.moved.connect(partial(self._hold, axis))
            control.play.clicked.connect(partial(self._toggle, axis))
            layout.addWidget(control)
            self._held[axis] = control
        layout.addStretch(1)
        self._area.setWidget(content)
        lead_through(tab_stops(self.index, content))
        self._area.setVisible(bool(self._held))
        self.slices_changed.emit(self._first_held is not None)
        self._fit_held()

    def _fit_held(self) -> None:
        """Leave room for a scroll bar below the held axes where they do not fit side by side."""
        content = self._area.widget()
        if content is not None:
            needed = content.sizeHint()
            bar = self._area.horizontalScrollBar().sizeHint().height()
            self._area.setFixedHeight(
                needed.height() + (bar if needed.width() > self.width() else 0)
            )

    def minimumSizeHint(self) -> QSize:
        # Without the words: they give way, but could not if they had to have room first.
        size = super().minimumSizeHint()
        words = (word for word in self._words if not word.isHidden())
        space = self._shown.spacing()
        across = sum(word.minimumSizeHint().width() + space for word in words)
        size.setWidth(max(size.width() - across, self._area.minimumSizeHint().width()))
        return size

    def _fit_words(self) -> None:
        """Leave the words out where the index would have no room beside them."""
        has_axes = len(self._position.plane.shape) > 1
        there = (self.turn_rows, *(self._pickers if has_axes else ()), *self._words, self.index)
        needed = sum(widget.sizeHint().width() + self._shown.spacing() for widget in set(there))
        for word in self._words:
            is_there = has_axes or word not in self._pickers
            word.setVisible(is_there and needed <= self.width())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_held()
        self._fit_words()

    def _take_font(self) -> None:
        for button in (self.turn_rows, self._exchange, self.turn_columns):
            button.setFixedWidth(button.sizeHint().height())  # an arrow needs no more
        self._fit_held()
        self._fit_words()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            # The controls in it take the font after this.
            QTimer.singleShot(0, self, self._take_font)

    def _hold(self, axis: int, index: object) -> None:
        assert isinstance(index, int)
        if self._position.source is not None:
            self._position.show_plane(self._position.plane.with_index(axis, index))

    def _toggle(self, axis: int) -> None:
        if self._position.source is not None:
            self.player.toggle(axis)


class HeldAxis(QWidget):
    """A number and a slider for the index at which one axis is held.

    Parameters
    ----------
    axis
        Its number.
    size
        Elements along it; up to 2**53 are counted exactly.
    menu
        How to play it.
    """

    #: The new index as a Python int, which may be beyond Qt's.
    moved = Signal(object)

    def __init__(self, axis: int, size: int, menu: QMenu, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axis = axis
        self._last = max(0, size - 1)
        #: Steps through the axis by itself.
        self.play = QToolButton()
        self.play.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self.play.setMenu(menu)
        self.show_playing(False)
        self._number = QDoubleSpinBox()
        self._number.setDecimals(0)
        self._number.setLocale(QLocale.c())
        self._number.setRange(0, float(self._last))
        self._number.setKeyboardTracking(False)
        self._number.setAccessibleName(Axes.tr("Index on axis {axis}", axis=axis))
        self._number.setToolTip(
            Axes.tr(
                "Which index of axis {axis} is shown: 0 to {last:,}", axis=axis, last=self._last
            )
        )
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setRange(0, min(self._last, _SLIDER_STEPS))
        self._slider.setAccessibleName(Axes.tr("Slider for axis {axis}", axis=axis))
        self._slider.setToolTip(
            Axes.tr("Slide along axis {axis}: drag, or use arrows and Page keys", axis=axis)
        )
        self._slider.setMinimumWidth(60)
        self._slider.setMaximumWidth(160)
        if not self.has_steps:
            self._slider.hide()
            self.play.hide()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 8, 0)
        layout.setSpacing(4)
        name = QLabel(Axes.tr("axis {axis}", axis=axis))
        total = QLabel(Axes.tr("of {size:,}", size=size))
        name.setBuddy(self._number)
        name.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        for widget in (name, self._number, total, self._slider, self.play):
            layout.addWidget(widget)
        self._number.valueChanged.connect(lambda value: self.moved.emit(int(value)))
        self._slider.valueChanged.connect(self._slid)

    @property
    def has_steps(self) -> bool:
        """Whether there is more than one index."""
        return self._last > 0

    def show_playing(self, playing: bool) -> None:
        """Show whether it is played, by what a click would do."""
        # Not the style's own icons, which are black in the dark as well.
        self.play.setText("■" if playing else "▶")
        axis = self._axis
        if playing:
            self.play.setAccessibleName(Axes.tr("Stop playing axis {axis}", axis=axis))
            self.play.setToolTip(Axes.tr("Stop here (Alt+P)"))
            return
        self.play.setAccessibleName(Axes.tr("Play axis {axis}", axis=axis))
        self.play.setToolTip(
            Axes.tr(
                "Show one index of axis {axis} after the other (Alt+P for the first such axis). "
                "How fast is in the Go menu too",
                axis=axis,
            )
        )

    @property
    def number(self) -> QDoubleSpinBox:
        """Where the index is typed."""
        return self._number

    def show_index(self, index: int) -> None:
        """Show an index that was chosen elsewhere."""
        with QSignalBlocker(self._number), QSignalBlocker(self._slider):
            self._number.setValue(index)
            steps = self._slider.maximum()
            self._slider.setValue(index * steps // self._last if self._last else 0)

    def _slid(self, value: int) -> None:
        steps = self._slider.maximum()
        self.moved.emit(value * self._last // steps if steps else 0)


def _axis_box(name: str, tip: str) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    box.setToolTip(tip)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    # Where there is little room, the index box gives way: its text can be moved.
    box.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
    return box


def _turn_button(side: Side, position: Position) -> QToolButton:
    button = QToolButton()
    action = ReverseAction(side, button)
    action.follow(position)
    button.setDefaultAction(action)
    button.setAccessibleName(
        Axes.tr("Reverse rows") if side == "rows" else Axes.tr("Reverse columns")
    )
    return button
