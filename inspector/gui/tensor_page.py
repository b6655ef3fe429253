"""One tensor: its facts, its picture, its numbers, its statistics."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from PySide6.QtCore import QByteArray, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from inspector.checkpoints.errors import InspectorError
from inspector.checkpoints.model import TensorEntry
from inspector.checkpoints.naming import display_text
from inspector.gui.axis_bar import AxisBar
from inspector.gui.heatmap import Heatmap
from inspector.gui.labels import ElidedLabel, Notice
from inspector.gui.opened import Choice
from inspector.gui.position import Position
from inspector.gui.statistics_panel import StatisticsPanel
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.tree_text import bytes_text
from inspector.gui.value_grid import ValueGrid, plane_values
from inspector.values.arrays import ArraySource
from inspector.values.regions import Plane
from inspector.values.tensors import TensorSource, tensor_source
from inspector.values.text import NumberFormat, number_text

_FORMATS: tuple[tuple[NumberFormat, str], ...] = (
    ("short", "6 digits"),
    ("scientific", "Scientific"),
    ("exact", "All digits"),
)
#: Narrower than this (px), the statistics fold away to leave the picture its room.
_NARROW = 600


def build_in_steps(runner: TaskRunner, window: QWidget) -> Iterator[TensorPage | None]:
    """Build a `TensorPage` in steps of some milliseconds, for as many turns of the event loop.

    A plot takes long to be made, and as long to be laid out and painted for the first time.

    Parameters
    ----------
    window
        Owns the views until the page takes them.

    Yields
    ------
    TensorPage or None
        The page, as the last item.
    """
    position = Position()
    heatmap = Heatmap(position, runner, window)
    yield None
    statistics = StatisticsPanel(position, runner, window)
    yield None
    for view in (heatmap, statistics):
        view.resize(600, 400)
        view.grab()
        yield None
    yield TensorPage(position, heatmap, statistics, runner)


class TensorPage(QWidget):
    """Shows the tensor that is chosen in the tree. Owns the views, and the position they share.

    Made by `build_in_steps`.
    """

    #: What the status bar says of the value under the mouse, or of the current cell.
    read_out = Signal(str)
    message = Signal(str)
    export_requested = Signal()

    def __init__(
        self,
        position: Position,
        heatmap: Heatmap,
        statistics: StatisticsPanel,
        runner: TaskRunner,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._runner = runner
        self._choice: Choice | None = None
        self._source: TensorSource | None = None
        position.setParent(self)
        self.position = position
        self.heatmap = heatmap
        self.statistics = statistics
        self.grid = ValueGrid(position, runner)
        self._build_header()
        self._build_views()
        for view in (self.heatmap, self.statistics, self.grid):
            view.failed.connect(self.show_error)
        self.grid.message.connect(self.message)
        self.heatmap.hovered.connect(self._hover)
        self.position.cell_changed.connect(self._tell_cell)
        self.position.plane_changed.connect(self._tell_cell)

    def _build_header(self) -> None:
        self._name = ElidedLabel()
        font = self._name.font()
        font.setPointSizeF(font.pointSizeF() * 1.25)
        font.setBold(True)
        self._name.setFont(font)
        self._facts = ElidedLabel()
        self._conversion = ElidedLabel()
        self._conversion.set_faint()
        self._conversion.setToolTip("What was done to make these values")
        self._format = QComboBox()
        self._format.addItems([label for _, label in _FORMATS])
        self._format.setAccessibleName("Number format")
        self._format.setToolTip("How the grid writes floats")
        self._format.currentIndexChanged.connect(
            lambda index: self.grid.set_format(_FORMATS[index][0])
        )
        self._export = QPushButton("Export…")
        self._export.setToolTip("Write this tensor to a .npy file (Ctrl+E)")
        self._export.clicked.connect(self.export_requested)
        self._notice = Notice()
        self.axes = AxisBar(self.position)

    def _build_views(self) -> None:
        top = QHBoxLayout()
        titles = QVBoxLayout()
        titles.setSpacing(1)
        for label in (self._name, self._facts, self._conversion):
            titles.addWidget(label)
        top.addLayout(titles, 1)
        top.addWidget(self._format, 0, Qt.AlignmentFlag.AlignTop)
        top.addWidget(self._export, 0, Qt.AlignmentFlag.AlignTop)
        self._upper = QSplitter(Qt.Orientation.Horizontal)
        self._upper.addWidget(self.heatmap)
        self._upper.addWidget(self.statistics)
        self._upper.setStretchFactor(0, 3)
        self._upper.setStretchFactor(1, 1)
        self._upper.setSizes([700, 300])
        self._views = QSplitter(Qt.Orientation.Vertical)
        self._views.addWidget(self._upper)
        self._views.addWidget(self.grid)
        self._views.setStretchFactor(0, 3)
        self._views.setStretchFactor(1, 2)
        self._views.setSizes([480, 280])
        for splitter in (self._upper, self._views):
            splitter.setChildrenCollapsible(False)
            splitter.setHandleWidth(8)
        self._without = QLabel()
        self._without.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._without.setWordWrap(True)
        self._without.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._views)
        self._stack.addWidget(self._without)
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 4)
        layout.setSpacing(6)
        layout.addLayout(top)
        layout.addWidget(self._notice)
        layout.addWidget(self.axes)
        layout.addWidget(self._stack, 1)

    # State --------------------------------------------------------------------------------------

    @property
    def choice(self) -> Choice | None:
        """What is shown."""
        return self._choice

    @property
    def source(self) -> TensorSource | None:
        """Where the values come from; None while there are none."""
        return self._source

    @property
    def problem(self) -> str:
        """What is said in place of the values; empty when they are shown."""
        return self._without.text() if self._stack.currentWidget() is self._without else ""

    @property
    def notice(self) -> str:
        """What is said to have gone wrong above the views; empty when nothing did."""
        return self._notice.text

    @property
    def format_box(self) -> QComboBox:
        """Where the number format is chosen."""
        return self._format

    def save_splitters(self) -> tuple[QByteArray, QByteArray]:
        """The two splitters' states."""
        return self._views.saveState(), self._upper.saveState()

    def restore_splitters(self, views: QByteArray, upper: QByteArray) -> None:
        """Take up states from `save_splitters`."""
        self._views.restoreState(views)
        self._upper.restoreState(upper)

    def clear(self) -> None:
        """Show no tensor, and stop what was done for the last one."""
        self._choice = None
        self._set_source(None)

    def show_choice(self, choice: Choice) -> None:
        """Show another tensor at once; its numbers follow from worker threads."""
        entry = choice.entry
        assert entry is not None
        if self._choice is not None and self._choice.entry is entry:
            return
        self._choice = choice
        self._notice.clear()
        self._set_source(None)
        self._name.setText(display_text(entry.name))
        self._facts.setText(facts(entry, live=choice.file.live is not None))
        self._conversion.setText("")
        self._stack.setCurrentWidget(self._views)
        self._export.setEnabled(False)
        self._runner.submit(
            "tensor",
            Request(work=partial(_prepare, entry), done=self._take, failed=self._refuse),
        )

    def _set_source(self, source: TensorSource | None) -> None:
        for lane in ("tensor", "hover", "copy"):
            self._runner.supersede(lane)
        self._source = source
        self.position.choose(source)

    def _take(self, prepared: tuple[TensorSource, str]) -> None:
        source, conversion = prepared
        self._conversion.setText(conversion)
        self._export.setEnabled(True)
        # One number needs no picture, and none has none.
        self._upper.setVisible(source.entry.numel > 0 and len(source.shape) > 0)
        self._set_source(source)
        self._tell_cell()

    def _refuse(self, error: InspectorError) -> None:
        """A tensor without values of its own: say why, where they would stand."""
        self._without.setText(str(error))
        self._stack.setCurrentWidget(self._without)
        self.read_out.emit("")

    def show_error(self, error: InspectorError) -> None:
        """Say what went wrong above the views, which stay."""
        self._notice.show_error(error)

    # Read-out -----------------------------------------------------------------------------------

    def _hover(self, cell: tuple[int, int] | None) -> None:
        if cell is None:
            self._tell_cell()
        else:
            self._tell(cell)

    def _tell_cell(self) -> None:
        if self._source is not None and not self.position.plane.is_empty:
            self._tell(self.position.cell)
        else:
            self.read_out.emit("")

    def _tell(self, cell: tuple[int, int]) -> None:
        source, plane = self._source, self.position.plane
        if source is None:
            return
        self._runner.submit(
            "hover",
            Request(
                work=partial(_value_text, source, plane, cell),
                done=self.read_out.emit,
                failed=self.show_error,
            ),
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.statistics.setVisible(self.width() >= _NARROW)


def facts(entry: TensorEntry, *, live: bool = False) -> str:
    """What there is to say of a tensor besides its name, in one line.

    Parameters
    ----------
    live
        Whether it is one of the running program.
    """
    if not entry.is_described:
        return "not described" if live else "not described in the file"
    shape = " × ".join(f"{size:,}" for size in entry.shape) or "scalar"
    parts = [entry.dtype, shape]
    if entry.kind != "dense":
        parts.insert(0, entry.kind.replace("_", " "))
    parts.append(bytes_text(entry.nbytes))
    if entry.device != "cpu":
        parts.append(f"on {entry.device}" if live else f"saved from {entry.device}")
    if entry.requires_grad:
        parts.append("requires grad")
    parts.extend(f"{name} {display_text(text)}" for name, text in entry.details.items())
    return "  ·  ".join(parts)


def _prepare(entry: TensorEntry, _: Task) -> tuple[TensorSource, str]:
    source = tensor_source(entry)
    return source, source.summary


def _value_text(source: ArraySource, plane: Plane, cell: tuple[int, int], _: Task) -> str:
    """The element at a cell, with all its digits."""
    row, column = cell
    value = plane_values(source, plane, range(row, row + 1), range(column, column + 1))[0, 0]
    return f"{list(plane.element(row, column))} = {number_text(value, 'exact')}"
