"""The tree of the open files and their tensors, with its filter box and totals."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QLabel, QMenu, QVBoxLayout, QWidget

from inspector.checkpoints.errors import InspectorError
from inspector.checkpoints.model import TensorEntry, ValueEntry
from inspector.gui.entry_filter import EntryFilter, parse_filter
from inspector.gui.filter_terms import FilterError
from inspector.gui.opened import Choice, OpenFile
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.text import Texts
from inspector.gui.tree_files import OpenTrees
from inspector.gui.tree_nodes import RowKey
from inspector.gui.tree_parts import FilterBox, FittingLine
from inspector.gui.tree_rows import Folding, Row, Rows, RowsWanted, build_rows, is_unfolded
from inspector.gui.tree_sorting import Column, Sort
from inspector.gui.tree_text import totals_texts, totals_tooltip
from inspector.gui.tree_view import TreeView

if TYPE_CHECKING:
    from inspector.gui.export_scopes import Scope

Tree = Texts("Tree")

#: Milliseconds without a key before what was typed is applied.
_TYPING: Final = 80

#: Seconds of work between two rests, and how long a rest is. Both are short, because whenever the
#: window needs Python it waits for the next rest.
_WORK: Final = 0.003
_REST: Final = 0.0003

_LANE: Final = "tree"


class TensorTree(QWidget):
    """Lists open files with their tensors; filters, sorts and folds them; lets one be chosen.

    Rows are built in a worker from immutable pieces; a build that was superseded never shows.

    Parameters
    ----------
    runner
        Where rows are built, in the lane ``tree``.
    """

    #: A Choice: the current row was changed by the user or by `select`; or more is known of it.
    chosen = Signal(object)
    #: A Choice: Enter or a double-click on a tensor.
    activated = Signal(object)
    #: An OpenFile.
    close_requested = Signal(object)
    #: An OpenFile.
    reload_requested = Signal(object)
    #: An OpenFile: its folder is to be opened.
    reveal_requested = Signal(object)
    #: A Choice, of a tensor or of what holds tensors.
    export_requested = Signal(object)
    #: A Choice, of a tensor that the mouse takes hold of and moves away with.
    dragged = Signal(object)

    def __init__(self, runner: TaskRunner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._open = OpenTrees()
        self._filter = EntryFilter()
        self._sort: Sort | None = None
        self._folding = Folding()
        self._filtered_folding = Folding()
        self._current: RowKey | None = None
        self._told: Choice | None = None
        self._reveal = False  # the current row is to be unfolded and scrolled to
        self._announce = False  # and to be told of, once its file is read
        self._enter = False  # the first match is to be chosen
        self._building = False
        self._typing = QTimer(self, singleShot=True, interval=_TYPING)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self.setAccessibleName(Tree.tr("Files and tensors"))
        self.filter_box = FilterBox(self)
        self._message = QLabel(self)
        self._message.setTextFormat(Qt.TextFormat.PlainText)
        self._message.setWordWrap(True)
        self._message.setContentsMargins(8, 0, 8, 4)
        self._message.setAccessibleDescription(Tree.tr("What is wrong with the filter"))
        self._message.hide()
        self.view = TreeView(self)
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self._totals = FittingLine(self)
        self._totals.setContentsMargins(8, 3, 8, 4)
        self._totals.setAccessibleDescription(Tree.tr("Totals"))
        box = QVBoxLayout()
        box.setContentsMargins(6, 6, 6, 6)
        box.addWidget(self.filter_box)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(box)
        layout.addWidget(self._message)
        layout.addWidget(self.view, 1)
        layout.addWidget(self._totals)

    def _connect(self) -> None:
        self.filter_box.textChanged.connect(lambda _: self._typing.start())
        self.filter_box.left_downwards.connect(self._enter_rows)
        self._typing.timeout.connect(self._apply_filter_text)
        view = self.view
        view.row_chosen.connect(lambda row: self._go(row.key))
        view.clicked.connect(lambda _: self._go_to_row(view.current_row()))
        view.toggled.connect(self._toggle)
        view.went_left.connect(self._went_left)
        view.went_right.connect(self._went_right)
        view.row_activated.connect(self._row_activated)
        view.removed.connect(self._row_removed)
        view.copied.connect(self._copy_name)
        view.menu_wanted.connect(self._open_menu)
        view.dragged.connect(self._row_dragged)
        view.sort_clicked.connect(self.sort_by)
        view.all_unfolded.connect(self.expand_all)

    # For the window

    def set_files(self, files: Sequence[OpenFile]) -> None:
        """Show these files, in this order. Call with the full list whenever one changes.

        Folding, filter and current row stay, by the files' numbers and the entries' names.
        """
        numbers = self._open.set_files(files)
        self._folding = self._folding.of_files(numbers)
        self._filtered_folding = self._filtered_folding.of_files(numbers)
        if self._current is not None and self._current.number not in numbers:
            self._current = None
        self._build()

    def select(self, number: int, name: str | None) -> bool:
        """Choose a file, or an entry in it by name, and unfold and unfilter what hides it.

        In a file that is still being read the name is remembered until then. False if there is no
        such file or entry.
        """
        file = self._open.file(number)
        if file is None or (name is not None and file.error is not None):
            return False
        key = self._open.key(file, name)
        if key is None:
            return False
        self._reveal = True
        self._current = key
        self._announce = name is not None and file.is_loading
        if not self._announce:
            self._tell()
        self._show_current()
        return True

    def focus_filter(self) -> None:
        """Go to the filter box."""
        self.filter_box.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.filter_box.selectAll()

    def set_filter(self, text: str) -> None:
        """Type a filter; it is applied at once."""
        self.filter_box.setText(text)
        self._apply_filter_text()

    @property
    def choice(self) -> Choice | None:
        """What is chosen, whether its row can be seen or not; None if nothing is."""
        return self._open.choice(self._current)

    @property
    def selects_several(self) -> bool:
        """Whether more than one row is selected."""
        return sum(map(len, self.view.selected_rows())) > 1

    def several_scopes(self) -> tuple[Scope, ...]:
        """What can be exported together with what is chosen."""
        from inspector.gui.export_scopes import several_scopes

        return several_scopes(self.view.rows, self._current, self.view.selected_rows())

    def expand_all(self) -> None:
        """Unfold everything."""
        self._set_folding(Folding(base=True))

    def collapse_all(self) -> None:
        """Fold everything but the files."""
        self._set_folding(Folding(base=False))

    # Building rows

    def _build(self) -> None:
        wanted = RowsWanted(
            files=self._open.files,
            filter=self._filter,
            sort=self._sort,
            folding=self._active_folding,
            trees=dict(self._open.trees),
            before=self.view.rows,
        )
        self._building = True
        self._runner.submit(
            _LANE,
            Request(
                work=partial(_work, wanted),
                done=self._show,
                failed=self._failed,
                partial=self._open.keep,
            ),
        )

    def _show(self, rows: Rows) -> None:
        self._building = False
        self._settle_current(rows)
        self._tell_more()
        shown = self._row_to_mark(rows)
        self.view.show_rows(rows, shown, reveal=self._reveal)
        self.view.set_empty_text(_empty_text(rows))
        self._totals.set_texts(totals_texts(rows.totals, rows.shown) if rows.segments else [])
        self._totals.setToolTip(totals_tooltip(rows.totals, rows.shown))
        if self._reveal:
            self._show_current()
        if self._enter:
            self._enter_rows()

    def _failed(self, error: InspectorError) -> None:
        """The rows stay as they were, but for a file that the filter before fails on, too."""
        self._building = self._enter = False
        self._say(str(error))
        if isinstance(error, FilterError):
            before = self.view.rows.filter
            self._filter = EntryFilter() if self._filter is before else before
            self._build()

    def _say(self, message: str) -> None:
        self._message.setText(message)
        self._message.setVisible(bool(message))

    # The current row

    def _settle_current(self, rows: Rows) -> None:
        """Once a file is read, its remembered row is there or not."""
        key = self._current
        file = None if key is None else self._open.file(key.number)
        if key is None or file is None or file.is_loading:
            return
        if file.checkpoint is not None and rows.locate(key) is None:
            found = self._open.key(file, key.name) if key.kind == "tensor" else None
            self._current = found or self._open.key(file, None)
        if self._announce:
            self._announce = False
            self._tell()

    def _row_to_mark(self, rows: Rows) -> int:
        """The row of what is chosen, or else of what it is folded into."""
        number = rows.find(self._current)
        if number >= 0 or self._current is None:
            return number
        row = rows.locate(self._current)
        if row is None:  # its file is being read again
            return rows.find(RowKey(self._current.number, "file", ""))
        while (row := row.parent) is not None:
            number = rows.find(row.key)
            if number >= 0:
                return -1 if rows.is_unfolded(row) else number
        return -1

    def _go_to_row(self, row: Row | None) -> None:
        if row is not None:
            self._go(row.key)

    def _go(self, key: RowKey) -> None:
        """The user goes to a row."""
        self._reveal = self._announce = False
        if key != self._current:
            self._current = key
            self._told = None
            self._tell()

    def _tell(self) -> None:
        """Tell of what is chosen, unless it is what was told last: the same of the same file."""
        choice = self.choice
        if choice != self._told:
            self._told = choice
            self.chosen.emit(choice)

    def _tell_more(self) -> None:
        """What shares the storage of the chosen tensor is known once its file's tree is there."""
        choice, told = self.choice, self._told
        if choice is not None and told == choice and choice.sharers and not told.sharers:
            self._told = choice
            self.chosen.emit(choice)

    def _step_to(self, row: Row) -> None:
        """The user goes to a row that may still be on its way."""
        self._go(row.key)
        self._reveal = True
        self._show_current()

    def _show_current(self) -> None:
        """Mark the current row and scroll to it, after unfolding and unfiltering if need be."""
        rows = self.view.rows
        number = rows.find(self._current)
        if number >= 0 and not self._building:
            self._reveal = False
        if number >= 0:
            self.view.choose_row(number)
            return
        row = rows.locate(self._current)
        if row is None or self._open.tree(row.file) is not row.tree:
            return  # until its file's rows are built
        if row.segment.matches is not None and not row.segment.matches.keep[row.node]:
            self._drop_filter()
        exceptions = dict(self._active_folding.exceptions)
        exceptions.update((row.tree.key(above), True) for above in row.tree.ancestors(row.node))
        self._set_folding(replace(self._active_folding, exceptions=exceptions))

    def _enter_rows(self) -> None:
        """From the filter box on to the rows: to the first tensor that matches."""
        if self._typing.isActive():
            self._apply_filter_text()
        self._enter = self._building
        if self._building:
            return
        self.view.setFocus(Qt.FocusReason.TabFocusReason)
        rows = self.view.rows
        if rows.find(self._current) >= 0:
            return
        tensors = (row for row in map(rows.at, range(len(rows))) if _is_tensor(row))
        first = next(tensors, None)
        if first is not None:
            self._step_to(first)

    # Filter

    def _apply_filter_text(self) -> None:
        self._typing.stop()
        text = self.filter_box.text()
        if text == self._filter.text and not self._message.text():
            return
        try:
            wanted = parse_filter(text)
        except FilterError as error:
            self._say(str(error))
            return
        self._say("")
        if wanted.terms == self._filter.terms:
            return
        self._filter = wanted
        self._filtered_folding = Folding()
        self._build()

    def _drop_filter(self) -> None:
        """Empty the filter box; the rows are not built yet."""
        self.filter_box.clear()
        self._typing.stop()
        self._say("")
        self._filter = EntryFilter()

    # Folding and sorting

    @property
    def _active_folding(self) -> Folding:
        return self._filtered_folding if self._filter.is_on else self._folding

    def _set_folding(self, folding: Folding) -> None:
        if self._filter.is_on:
            self._filtered_folding = folding
        else:
            self._folding = folding
        self._build()

    def _is_unfolded(self, row: Row) -> bool:
        """Whether a row is, or is about to be, unfolded."""
        return is_unfolded(row.tree, row.node, row.segment.matches, self._active_folding)

    def _toggle(self, row: Row) -> None:
        unfolded = self._is_unfolded(row)
        self._set_folding(self._active_folding.with_exception(row.key, not unfolded))

    def _went_left(self, row: Row) -> None:
        if row.is_foldable and self._is_unfolded(row):
            self._toggle(row)
        elif row.parent is not None:
            self._step_to(row.parent)

    def _went_right(self, row: Row) -> None:
        if row.is_foldable and not self._is_unfolded(row):
            self._toggle(row)
        elif row.first_child is not None:
            self._step_to(row.first_child)

    def sort_by(self, column: Column | None) -> None:
        """Sort ascending; if that is so descending, then in the file's order; None for that."""
        if column is None:
            self._sort = None
        elif self._sort is None or self._sort.column != column:
            self._sort = Sort(column)
        else:
            self._sort = None if self._sort.descending else Sort(column, descending=True)
        self.view.show_sort(self._sort)
        self._build()

    # What else is done with a row

    def _row_activated(self, row: Row) -> None:
        if _is_tensor(row):
            self._step_to(row)
            self.activated.emit(self.choice)
        elif row.is_foldable:
            self._toggle(row)

    def _row_dragged(self, row: Row) -> None:
        file = self._open.file(row.key.number)
        if file is not None and _is_tensor(row):
            self.dragged.emit(Choice(file, self._open.entry(file, row.key.name)))

    def _row_removed(self, row: Row) -> None:
        file = self._open.file(row.key.number)
        if row.node == 0 and file is not None:
            self.close_requested.emit(file)

    def _copy_name(self, row: Row) -> None:
        QGuiApplication.clipboard().setText(row.tree.full_name(row.node))

    def _open_menu(self, row: Row | None, at: QPoint) -> None:
        menu = self.menu_for(row)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(at)

    def menu_for(self, row: Row | None) -> QMenu:
        """What can be done with a row, or with the tree if it is None."""
        menu = QMenu(self)
        file = None if row is None else self._open.file(row.key.number)
        if row is not None and file is not None:
            self._fill_menu(menu, row, file)
        menu.addAction(Tree.tr("Expand All"), self.expand_all)
        menu.addAction(Tree.tr("Collapse All"), self.collapse_all)
        return menu

    def _fill_menu(self, menu: QMenu, row: Row, file: OpenFile) -> None:
        add: Callable[[str, Callable[[], object]], object] = menu.addAction
        if row.count:
            entry = self._open.entry(file, row.key.name) if _is_tensor(row) else None
            add(Tree.tr("Export…"), lambda: self.export_requested.emit(Choice(file, entry)))
            menu.addSeparator()
        copy_name = Tree.tr("Copy Name")
        add(f"{copy_name}\tCtrl+C", lambda: self._copy_name(row))
        item = row.item
        if isinstance(item, ValueEntry):
            add(Tree.tr("Copy Value"), lambda: QGuiApplication.clipboard().setText(item.text))
        if file.live is None:
            add(Tree.tr("Copy Path"), lambda: QGuiApplication.clipboard().setText(str(file.path)))
            add(Tree.tr("Show in Folder"), lambda: self.reveal_requested.emit(file))
        menu.addSeparator()
        stored = file.live is None
        again = Tree.tr("Reload File") if stored else Tree.tr("Reload Object")
        close = Tree.tr("Close File") if stored else Tree.tr("Close Object")
        add(again, lambda: self.reload_requested.emit(file))
        add(close, lambda: self.close_requested.emit(file))
        menu.addSeparator()


def _work(wanted: RowsWanted, task: Task) -> Rows:
    """In a worker: the rows, with rests in which the window gets to run."""
    since = time.perf_counter()

    def pause() -> None:
        nonlocal since
        task.check()
        if time.perf_counter() - since > _WORK:
            time.sleep(_REST)
            since = time.perf_counter()

    return build_rows(wanted, pause, task.partial)


def _is_tensor(row: Row) -> bool:
    return isinstance(row.item, TensorEntry)


def _empty_text(rows: Rows) -> str:
    if not rows.segments:
        return Tree.tr("No file is open.")
    if rows.shown is not None and len(rows) == len(rows.segments):
        return Tree.tr("Nothing matches the filter.")
    return ""
