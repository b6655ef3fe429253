"""One tensor: its facts, its picture, its numbers, its statistics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
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
from inspector.gui.accessible import describe
from inspector.gui.axis_bar import AxisBar
from inspector.gui.conversion_line import ConversionLine
from inspector.gui.finder import Finder
from inspector.gui.form_controls import FormatBox, FormBox
from inspector.gui.form_menu import FORMS
from inspector.gui.go_menu import Wanted
from inspector.gui.heatmap import Heatmap
from inspector.gui.labels import ElidedLabel, Notice
from inspector.gui.opened import Choice
from inspector.gui.picture_plot import PicturePlot
from inspector.gui.position import Position
from inspector.gui.python_button import Part, PythonButton
from inspector.gui.read_out import read_element
from inspector.gui.scalar_view import ScalarView
from inspector.gui.splitter_keys import SplitterKeys
from inspector.gui.statistics_panel import StatisticsPanel
from inspector.gui.status_line import ReadOut
from inspector.gui.tab_order import tab_stops
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.tensor_facts import conversion_lines, facts
from inspector.gui.text import Texts
from inspector.gui.value_grid import ValueGrid
from inspector.values.forms import Form, forms_of
from inspector.values.places import place_of
from inspector.values.regions import Plane, parse_region
from inspector.values.tensors import TensorSource, tensor_source

Page = Texts("Page")

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
    plot = PicturePlot(window)
    yield None
    heatmap = Heatmap(position, runner, window, plot)
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

    #: A `ReadOut` of the value under the mouse, or of the current cell; None if there is none.
    read_out = Signal(object)
    #: The forms that the tensor has, and which of them is shown: a tuple and a `Form`.
    forms_changed = Signal(object, str)
    #: The tensor that was chosen is shown, or why it is not; or none is chosen any more.
    settled = Signal()
    message = Signal(str)
    export_requested = Signal()
    #: The selected values shall be written to a file.
    export_selected_requested = Signal()

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
        self._form: Form = "values"
        #: What was asked for, and is shown as soon as its source is there.
        self._asked: Form = "values"
        #: What the user chose last: shown of every tensor that has it.
        self._wanted: Form = "values"
        position.setParent(self)
        self.position = position
        self.heatmap = heatmap
        self.statistics = statistics
        self.grid = ValueGrid(position, runner)
        self.statistics.selection = lambda: self.grid.selection
        self.grid.selected.connect(self.statistics.take_selection)
        self._build_header()
        self._build_views()
        for view in (self.heatmap, self.statistics, self.grid):
            view.failed.connect(self.show_error)
            view.failed.connect(self.axes.player.stop)
        self.grid.message.connect(self.message)
        self.grid.export_requested.connect(self.export_selected_requested)
        self.grid.cell_told.connect(partial(describe, self.heatmap.plot))
        self.heatmap.drawn.connect(self.grid.colour_like)
        self.python.message.connect(self.message)
        self._finder = Finder(position, runner, self)
        self._finder.message.connect(self.message)
        self._finder.failed.connect(self.show_error)
        self.heatmap.hovered.connect(self._hover)
        self.heatmap.levels_changed.connect(self.statistics.show_levels)
        self.statistics.levels_dragged.connect(self.heatmap.set_levels)
        self.statistics.analysed.connect(self.heatmap.take_analysis)
        self.heatmap.limits_wanted.connect(self.statistics.want_whole)
        self.position.cell_changed.connect(self._tell_cell)
        self.position.plane_changed.connect(self._tell_cell)
        self.position.form_changed.connect(self._tell_cell)

    def _build_header(self) -> None:
        self._name = ElidedLabel()
        self._name.set_title()
        self._facts = ElidedLabel(Qt.TextElideMode.ElideRight)
        self.conversion = ConversionLine()
        self.form_box = FormBox()
        self.form_box.chosen.connect(self.show_form)
        self.format_box = FormatBox()
        self.format_box.chosen.connect(self.grid.set_format)
        self.python = PythonButton(self._runner)
        self._export = QPushButton(Page.tr("Export…"))
        self._export.setToolTip(
            Page.tr("Write this tensor, a part of it, or others to a file (Ctrl+E)")
        )
        self._export.clicked.connect(self.export_requested)
        self._notice = Notice()
        self.axes = AxisBar(self.position, self._runner)
        self.axes.index.requested.connect(self.go_to_index)
        self.axes.index.left.connect(self.grid.setFocus)

    def _build_views(self) -> None:
        title = QHBoxLayout()
        title.addWidget(self._name, 1)
        title.addWidget(self.python)
        title.addWidget(self._export)
        for box in (self.form_box, self.format_box):
            self.conversion.add_beside(box)
        top = QVBoxLayout()
        top.setSpacing(2)
        top.addLayout(title)
        top.addWidget(self._facts)
        top.addWidget(self.conversion)
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
        self.scalar = ScalarView()
        self._stack.addWidget(self._views)
        self._stack.addWidget(self.scalar)
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
        SplitterKeys(self._upper, Page.tr("the picture and the statistics"))
        SplitterKeys(self._views, Page.tr("the picture and the values"))

    # State --------------------------------------------------------------------------------------

    @property
    def choice(self) -> Choice | None:
        """What is shown."""
        return self._choice

    @property
    def source(self) -> TensorSource | None:
        """Where the values come from; None while there are none."""
        return self._source

    def is_coming(self, entry: TensorEntry | None) -> bool:
        """Whether a tensor is about to be shown."""
        is_chosen = self._choice is not None and self._choice.entry is entry
        return is_chosen and self._runner.is_running("tensor")

    @property
    def problem(self) -> str:
        """What is said in place of the values; empty when they are shown."""
        return self._without.text() if self._stack.currentWidget() is self._without else ""

    @property
    def notice(self) -> str:
        """What is said to have gone wrong above the views; empty when nothing did."""
        return self._notice.text

    @property
    def form(self) -> Form:
        """The form in which the tensor is shown."""
        return self._form

    @property
    def tab_stops(self) -> list[QWidget]:
        """Where Tab stops, in the order of reading."""
        head = (self.python, self._export, self.conversion, self._notice, self.axes)
        views = (self.heatmap, self._upper.handle(1), self.statistics, self._views.handle(1))
        return tab_stops(*head, *views, self.grid, self.scalar, self._without)

    @property
    def splitters(self) -> tuple[QSplitter, QSplitter]:
        """Between picture and values, and between picture and statistics."""
        return self._views, self._upper

    def clear(self) -> None:
        """Show no tensor, and stop what was done for the last one."""
        self._choice = None
        self.python.clear()
        self._set_source(None)
        self.settled.emit()

    def show_choice(self, choice: Choice) -> None:
        """Show another tensor at once; its numbers follow from worker threads."""
        entry = choice.entry
        assert entry is not None
        if self._choice is not None and self._choice.entry is entry:
            self._choice = choice
            self._facts.setText(facts(entry, choice.sharers, live=choice.file.live is not None))
            return
        self._choice = choice
        self._notice.clear()
        self._set_source(None)
        self._name.setText(display_text(entry.name))
        self._facts.setText(facts(entry, choice.sharers, live=choice.file.live is not None))
        self.conversion.clear()
        self._stack.setCurrentWidget(self._views)
        self._ask(entry, self._wanted if self._wanted in forms_of(entry) else "values")

    def prefer_form(self, form: str) -> None:
        """Show the tensors that will be chosen in this form, if they have it."""
        self._wanted = next((known for known in FORMS if known == form), self._wanted)

    def show_form(self, form: Form) -> None:
        """Show the tensor, and those after it that have this form, in this form."""
        entry = self._choice.entry if self._choice is not None else None
        if entry is None or form not in forms_of(entry):
            return
        self._wanted = form
        if form != self._asked:
            self._ask(entry, form)

    def _ask(self, entry: TensorEntry, form: Form) -> None:
        """Have the source of the form made; what is shown stays until it is there."""
        self._asked = form
        forms = forms_of(entry)
        self.form_box.set_forms(forms, form)
        self.forms_changed.emit(forms, form)
        self._export.setEnabled(False)
        self.python.clear()
        self._runner.submit(
            "tensor",
            Request(work=partial(_prepare, entry, form), done=self._take, failed=self._refuse),
        )

    def _set_source(self, source: TensorSource | None) -> None:
        for lane in ("tensor", "hover", "copy", "find"):
            self._runner.supersede(lane)
        self._source = source
        self.position.choose(source)

    def _take(self, prepared: _Prepared) -> None:
        source, before = prepared.source, self._source
        self._form = self._asked
        self.conversion.show_steps(prepared.summary, prepared.steps)
        self._stack.setCurrentWidget(self._views if source.shape else self.scalar)
        self._export.setEnabled(True)
        self.format_box.set_numbers(source.dtype.values, raw=self._form == "raw")
        if not source.shape:
            self.format_box.hide()  # one number has the room for all its digits
        opened = self._choice.file.checkpoint if self._choice is not None else None
        live = self._choice is not None and self._choice.file.live is not None
        self.python.setVisible(not live)  # there is no file that code could name
        if opened is not None and not live:
            self.python.show_tensor(opened, source.entry, self._form)
        self._upper.setVisible(source.entry.numel > 0)  # no number has no picture
        if before is not None and before.entry is source.entry:
            self._runner.supersede("copy")
            self._source = source
            self.position.show_form(source)
        else:
            self._set_source(source)
        self._tell_cell()
        self.settled.emit()

    def _refuse(self, error: InspectorError) -> None:
        """A tensor without values of its own: say why, where they would stand."""
        self._without.setText(str(error))
        self._stack.setCurrentWidget(self._without)
        self._set_source(None)
        self.conversion.clear()
        self.axes.hide()
        self.format_box.hide()
        self.read_out.emit(None)
        self.settled.emit()

    def show_error(self, error: InspectorError) -> None:
        """Say what went wrong above the views, which stay."""
        self._notice.show_error(error)

    # Going --------------------------------------------------------------------------------------

    def ask_for_index(self) -> None:
        """Let the user type where to go."""
        if self.axes.isVisible():
            self.axes.index.begin()

    def go_to_index(self, text: str) -> None:
        """Show what an index leads to, as NumPy writes it, and select it in the values."""
        if self._source is None:
            return
        shape = self._source.shape
        try:
            place = place_of(parse_region(text, shape), self.position.plane)
        except InspectorError as error:
            self.show_error(error)
            return
        if place is None:
            self.message.emit(Page.tr("There is nothing at {index}.", index=text))
            return
        self._notice.clear()
        self.position.show_plane(place.plane)
        everything = range(place.plane.rows), range(place.plane.columns)
        if (place.rows, place.columns) != everything:
            self.grid.select(place.rows, place.columns)
        self.axes.index.finish()

    def go_to_next(self, wanted: Wanted, forward: bool) -> None:
        """Make the next element of a kind the current one, or the previous one; or say why not."""
        self._finder.go_to_next(wanted, self.statistics.of_whole, forward=forward)

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
            self.read_out.emit(None)

    def _tell(self, cell: tuple[int, int]) -> None:
        source, plane = self._source, self.position.plane
        if source is None:
            return
        self._runner.submit(
            "hover",
            Request(
                work=partial(_read_out, source, self._form, plane, cell),
                done=self._show_element,
                failed=self.show_error,
            ),
        )

    def _show_element(self, found: ReadOut) -> None:
        self.read_out.emit(found)
        if self._source is not None and not self._source.shape:
            self.scalar.show_element(found)

    def copy_exact(self) -> None:
        """Copy the current cell's value with all the digits it has."""
        source, plane = self._source, self.position.plane
        if source is None or plane.is_empty:
            return
        self._runner.submit(
            "copy",
            Request(
                work=partial(_read_out, source, self._form, plane, self.position.cell),
                done=self._put_on_clipboard,
                failed=self.show_error,
            ),
        )

    def copy_python(self, part: Part) -> None:
        """Copy Python that makes the array, or a part of it, in the form that is shown."""
        if self._source is None:
            return
        plane = self.position.plane
        regions = {"whole": None, "shown": plane.region()}
        self.python.copy(
            plane.region(*self.grid.selection) if part == "selected" else regions[part]
        )

    def _put_on_clipboard(self, found: ReadOut) -> None:
        QApplication.clipboard().setText(found.exact)
        self.message.emit(Page.tr("Copied {number}", number=found.exact))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        beside = self._upper.handleWidth() + self.statistics.minimumSizeHint().width()
        least = self._margins() + self.heatmap.minimumSizeHint().width() + beside
        self.statistics.setVisible(self.width() >= max(_NARROW, least))

    def minimumSizeHint(self) -> QSize:
        # Without the statistics: a window that had to hold them could not fold them away.
        size, layout = super().minimumSizeHint(), self.layout()
        assert layout is not None
        rows = [layout.itemAt(number) for number in range(layout.count())]
        widths = [row.minimumSize().width() for row in rows if row and row.widget() != self._stack]
        views = (self.heatmap, self.grid, self.scalar)
        widest = max(*widths, *(view.minimumSizeHint().width() for view in views))
        size.setWidth(self._margins() + widest)
        return size

    def _margins(self) -> int:
        layout = self.layout()
        assert layout is not None
        margins = layout.contentsMargins()
        return margins.left() + margins.right()


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A tensor in a form, and how it came about in one line and in steps."""

    source: TensorSource
    summary: str
    steps: list[str]


def _prepare(entry: TensorEntry, form: Form, _: Task) -> _Prepared:
    source = tensor_source(entry, form)
    return _Prepared(source, source.summary, conversion_lines(source.steps))


def _read_out(
    source: TensorSource, form: Form, plane: Plane, cell: tuple[int, int], _: Task
) -> ReadOut:
    return read_element(source, form, plane, cell)
