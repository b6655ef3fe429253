"""The window: files and tensors on the left, the chosen one on the right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QByteArray, QMimeData, QSettings, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import (
    QAction,
    QActionGroup,
    QCloseEvent,
    QDragEnterEvent,
    QDropEvent,
    QIcon,
    QKeySequence,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QMainWindow,
    QMenu,
    QMessageBox,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from inspector.checkpoints import SUFFIXES
from inspector.checkpoints.errors import InspectorError
from inspector.checkpoints.naming import display_text
from inspector.gui.activity_bar import ActivityBar
from inspector.gui.copy_menu import CopyMenu
from inspector.gui.direction import ReverseAction
from inspector.gui.double_click import DoubleClick
from inspector.gui.file_page import FilePage
from inspector.gui.file_watch import ChangeBar, FileWatch
from inspector.gui.form_menu import FormMenu
from inspector.gui.go_menu import GoMenu
from inspector.gui.help_boxes import TITLE, show_about, show_keys
from inspector.gui.memory import MemoryBudget, keep_budget, kept_budget
from inspector.gui.opened import Choice, OpenFile
from inspector.gui.opening import import_views, read
from inspector.gui.qt_types import QtTypes
from inspector.gui.status_line import SelectionLabel, StatusLine
from inspector.gui.tasks import Request, TaskRunner
from inspector.gui.tensor_tree import TensorTree
from inspector.gui.theme import Appearance, Theme
from inspector.gui.welcome import WelcomePage
from inspector.resources import resource_path

if TYPE_CHECKING:
    from inspector.gui.outgoing import Outgoing
    from inspector.gui.python_button import Part
    from inspector.gui.tensor_page import TensorPage
    from inspector.values.live import LiveObject


class MainWindow(QMainWindow):
    """One window with any number of files.

    Parameters
    ----------
    theme
        Light or dark.
    settings
        Where the window's geometry is kept; None keeps nothing.
    memory
        What may be taken; None for what the settings say.
    """

    #: The window itself: it is closed, and holds nothing any more.
    closed = Signal(object)

    def __init__(
        self,
        theme: Theme,
        settings: QSettings | None = None,
        memory: MemoryBudget | None = None,
    ) -> None:
        super().__init__()
        self._theme = theme
        self._settings = settings
        self._memory = memory or kept_budget(settings)
        self.runner = TaskRunner(self)
        self._files: list[OpenFile] = []
        self._number = 0
        self._wanted: dict[int, str] = {}
        self._changes: dict[int, str] = {}
        self._pending: Choice | None = None
        self._outgoing: Outgoing | None = None
        self._page: TensorPage | None = None
        self._steps: Iterator[TensorPage | None] | None = None
        self._types = QtTypes(self)
        # Not `singleShot(0, ...)`, whose call would come in the same turn.
        self._turn = QTimer(self, singleShot=True, interval=1)
        self._turn.timeout.connect(self._next_step)
        icon = QIcon(str(resource_path("icon.svg")))
        self.setWindowIcon(icon)
        self.setAcceptDrops(True)
        self.tree = TensorTree(self.runner)
        self.file_page = FilePage(self.runner)
        self.welcome = WelcomePage(icon)
        self.pages = QStackedWidget()
        self._blank = QWidget()
        for page in (self.welcome, self.file_page, self._blank):
            self.pages.addWidget(page)
        self._splitter = QSplitter(Qt.Orientation.Horizontal)
        self._splitter.addWidget(self.tree)
        self.change_bar = ChangeBar()
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.change_bar)
        column.addWidget(self.pages, 1)
        self.double_click = DoubleClick(self.runner, self)
        column.addWidget(self.double_click.bar)
        column.addWidget(self.double_click.notice)
        self._splitter.addWidget(right)
        self.watch = FileWatch(self.runner, lambda: self.files, self)
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setSizes([330, 950])
        self.setCentralWidget(self._splitter)
        self.status_line = StatusLine()
        self.activity = ActivityBar(self.runner)
        self.statusBar().addWidget(self.status_line, 1)
        self._selected = SelectionLabel()
        self.statusBar().addPermanentWidget(self._selected)
        self.statusBar().addPermanentWidget(self.activity)
        self._connect()
        self._build_menus()
        self._show_nothing()
        self.resize(1280, 800)
        self._restore()

    def _connect(self) -> None:
        self.tree.chosen.connect(self._choose)
        self.tree.export_requested.connect(lambda choice: self._export(choice=choice))
        self.tree.dragged.connect(self._drag)
        for page in (self.tree, self.file_page):
            page.close_requested.connect(self.close_file)
            page.reload_requested.connect(self.reload)
        self.change_bar.reload_requested.connect(self.reload)
        self.watch.noticed.connect(self._take_changes)
        self.double_click.message.connect(self._tell)
        self.welcome.open_requested.connect(self.ask_for_files)
        self.welcome.sample_requested.connect(self.open_sample)

    # Menus --------------------------------------------------------------------------------------

    def _build_menus(self) -> None:
        keys = QKeySequence.StandardKey
        file_menu = self.menuBar().addMenu("&File")
        _action(file_menu, "&Open…", self.ask_for_files, keys.Open)
        _action(file_menu, "Open &folder…", self.ask_for_folder, "Ctrl+Shift+O")
        _action(file_menu, "Open the &sample", self.open_sample)
        file_menu.addSeparator()
        self._reload = _action(file_menu, "&Reload", self._reload_chosen, keys.Refresh)
        self._close = _action(file_menu, "&Close file", self._close_chosen, keys.Close)
        self._close_all = _action(file_menu, "Close &all", self.close_all, "Ctrl+Shift+W")
        file_menu.addSeparator()
        file_menu.addAction(self.double_click.action)
        file_menu.aboutToShow.connect(self.double_click.look)
        file_menu.addSeparator()
        _action(file_menu, "&Quit", self.close, keys.Quit)
        edit = self.menuBar().addMenu("&Edit")
        self._copy = _action(edit, "&Copy values", self._copy_values, keys.Copy)
        # In the tree and in text, the same keys copy what is chosen there.
        self._copy.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.copy_menu = CopyMenu(edit)
        edit.addMenu(self.copy_menu)
        self._copy_exact = _action(edit, "Copy &exact value", self._copy_exact_value, "Ctrl+Alt+C")
        self._copy_picture = _action(edit, "Copy &picture", self.copy_picture, "Ctrl+Alt+P")
        self._copy_name = _action(edit, "Copy tensor &name", self._copy_tensor_name)
        _action(edit, "&Filter tensors", self.tree.focus_filter, keys.Find)
        view = self.menuBar().addMenu("&View")
        _action(view, "&Unfold all", self.tree.expand_all)
        _action(view, "F&old all", self.tree.collapse_all)
        view.addSeparator()
        self._coloured = _action(view, "&Colour the values", self._colour_values)
        self._coloured.setCheckable(True)
        self._coloured.setToolTip(
            "Give every number the colour that it has in the picture. Without it, only NaN and "
            "infinities are coloured, and stand out more."
        )
        self._profiles = _action(view, "&Row and column profiles", self._show_profiles, "Ctrl+L")
        self._profiles.setCheckable(True)
        self._profiles.setChecked(True)
        self._profiles.setToolTip(
            "Show the current row and column as curves beside the picture, where there is room"
        )
        view.setToolTipsVisible(True)
        view.addSeparator()
        self._reversals = (ReverseAction("rows", view), ReverseAction("columns", view))
        for reversal in self._reversals:
            reversal.setShortcut(QKeySequence(reversal.keys))
        view.addActions(self._reversals)
        view.addSeparator()
        looks = QActionGroup(self)
        for appearance, label in (
            ("system", "As the &system"),
            ("light", "&Light"),
            ("dark", "&Dark"),
        ):
            action = _action(
                view, label, partial(self._theme.set_appearance, cast(Appearance, appearance))
            )
            action.setCheckable(True)
            action.setChecked(self._theme.appearance == appearance)
            looks.addAction(action)
        self.go_menu = GoMenu(self.menuBar())
        self.menuBar().addMenu(self.go_menu)
        tensor = self.menuBar().addMenu("&Tensor")
        self.form_menu = FormMenu("Show &as", tensor)
        tensor.addMenu(self.form_menu)
        tensor.addSeparator()
        self._export_whole = _action(tensor, "&Export…", self.export, "Ctrl+E")
        self._export_whole.setToolTip("Write tensors to a file")
        self._export_shown = _action(
            tensor, "Export what is &shown…", self.export_shown, "Ctrl+Shift+E"
        )
        self._save_picture = _action(tensor, "Save p&icture…", self.save_picture, "Ctrl+Shift+S")
        tensor.addSeparator()
        copies = self._copy_python
        self._python = (
            _action(tensor, "Copy as &Python", partial(copies, "whole"), "Ctrl+Shift+C"),
            _action(tensor, "Copy what is sho&wn as Python", partial(copies, "shown")),
            _action(tensor, "Copy selected &cells as Python", partial(copies, "selected")),
        )
        help_menu = self.menuBar().addMenu("&Help")
        _action(help_menu, "&Keys", partial(show_keys, self), keys.HelpContents)
        _action(help_menu, "&About", partial(show_about, self))

    def _update_actions(self) -> None:
        choice = self.tree.choice if self._files else None
        has_tensor = choice is not None and choice.entry is not None
        for action in (
            self._export_shown,
            self._save_picture,
            self._copy,
            self.copy_menu.menuAction(),
            self._copy_exact,
            self._copy_picture,
            self._copy_name,
        ):
            action.setEnabled(has_tensor)
        is_stored = has_tensor and choice is not None and choice.file.live is None
        for action in self._python:
            action.setEnabled(is_stored)
        self.go_menu.set_available(has_tensor)
        if not has_tensor:
            self.form_menu.set_forms((), "values")
        is_read = choice is not None and choice.file.checkpoint is not None
        self._export_whole.setEnabled(is_read)
        for action in (self._reload, self._close, self._close_all):
            action.setEnabled(bool(self._files))

    # Files --------------------------------------------------------------------------------------

    @property
    def files(self) -> Sequence[OpenFile]:
        """What is open, in the order of opening."""
        return tuple(self._files)

    @property
    def page(self) -> TensorPage | None:
        """The page of the chosen tensor; None until the first one was chosen."""
        return self._page

    @property
    def outgoing(self) -> Outgoing | None:
        """What writes tensors to files; None until the first one was chosen."""
        return self._outgoing

    @property
    def read_out(self) -> str:
        """What the status bar says of the value under the mouse, or of the last action."""
        return self.status_line.full

    def open_paths(self, paths: Iterable[Path], tensor: str | None = None) -> None:
        """Open files in the background, and choose a tensor in the last one (by name).

        A file that is open already is chosen instead of being opened twice.
        """
        for path in paths:
            absolute = path.absolute()
            known = next((file for file in self._files if file.path == absolute), None)
            if known is not None:
                if tensor is not None:
                    self._wanted[known.number] = tensor
                self._select_first(known)
                continue
            self._number += 1
            file = OpenFile(self._number, absolute)
            self._files.append(file)
            if tensor is not None:
                self._wanted[file.number] = tensor
            self._read(file)
        self._show_files()

    def open_live(self, value: LiveObject) -> None:
        """Look at an object of the running program, in the background; the window holds it."""
        self._number += 1
        file = OpenFile(self._number, Path(), live=value)
        self._files.append(file)
        self._read(file)
        self._show_files()

    def offer_double_click(self) -> None:
        """Offer to have checkpoints open by double-click, if they do not, and only once."""
        if self._settings is not None:
            self.double_click.offer(self._settings)

    def _read(self, file: OpenFile) -> None:
        self.runner.submit(
            ("open", file.number),
            Request(
                work=partial(read, file),
                done=self._opened,
                failed=lambda error: self._replace(replace(file, error=error)),
                cancelled=lambda: self.close_file(file),
                title=f"Reading {display_text(file.name)}",
            ),
        )

    def _opened(self, file: OpenFile) -> None:
        self._changes.pop(file.number, None)
        self._replace(file)

    def _replace(self, file: OpenFile) -> None:
        """Put a file that was read, or was not readable, in the place of itself."""
        places = [number for number, known in enumerate(self._files) if known.number == file.number]
        if not places:
            if file.checkpoint is not None:
                file.checkpoint.close()
            return
        before = self._files[places[0]]
        self._files[places[0]] = file
        if before.checkpoint is not None:
            before.checkpoint.close()
        self._show_files()
        self._select_first(file)

    def _select_first(self, file: OpenFile) -> None:
        """Choose what a user wants to see first: a tensor, or what is wrong."""
        self.tree.select(file.number, self._wanted.pop(file.number, file.first))

    def _take_changes(self, changes: dict[int, str]) -> None:
        self._changes = changes
        self._show_change()

    def _show_change(self) -> None:
        """Say above the page what has become of the chosen file."""
        choice = self.tree.choice if self._files else None
        file = choice.file if choice is not None else None
        change = self._changes.get(file.number, "") if file is not None else ""
        self.change_bar.show_change(file, change)

    def reload(self, file: OpenFile) -> None:
        """Read a file again, keeping what is chosen by name."""
        current = next((known for known in self._files if known.number == file.number), None)
        if current is not None:
            choice = self.tree.choice
            same = choice is not None and choice.file.number == file.number
            if same and choice is not None and choice.entry is not None:
                self._wanted[file.number] = choice.entry.name
            if self._page is not None:
                self._page.clear()
            self._read(current)

    def close_file(self, file: OpenFile) -> None:
        """Close a file; whatever runs for it stops."""
        self.runner.supersede(("open", file.number))
        for known in [known for known in self._files if known.number == file.number]:
            self._files.remove(known)
            known.close()
        shown = self._page.choice if self._page is not None else None
        if self._page is not None and shown is not None and shown.file.number == file.number:
            self._page.clear()
        self._show_files()
        if self._files and self.tree.choice is None:
            self._select_first(self._files[-1])

    def close_all(self) -> None:
        """Close every file."""
        for file in self.files:
            self.close_file(file)

    def _reload_chosen(self) -> None:
        if self.tree.choice is not None:
            self.reload(self.tree.choice.file)

    def _close_chosen(self) -> None:
        if self.tree.choice is not None:
            self.close_file(self.tree.choice.file)

    def ask_for_files(self) -> None:
        """Let the user choose files to open."""
        patterns = " ".join(f"*{suffix}" for suffix in SUFFIXES)
        kinds = (f"Checkpoints ({patterns})", "All files (*)")
        self._ask("Open checkpoints", QFileDialog.FileMode.ExistingFiles, kinds)

    def ask_for_folder(self) -> None:
        """Let the user choose a folder to open."""
        self._ask("Open a folder of checkpoints", QFileDialog.FileMode.Directory)

    def _ask(self, title: str, mode: QFileDialog.FileMode, kinds: Sequence[str] = ()) -> None:
        dialog = QFileDialog(self, title)
        dialog.setFileMode(mode)
        if kinds:
            dialog.setNameFilters(kinds)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.filesSelected.connect(lambda names: self.open_paths(Path(name) for name in names))
        dialog.open()

    def open_sample(self) -> None:
        """Open the bundled sample."""
        self.open_paths([resource_path("sample.pt")])

    # What is shown ------------------------------------------------------------------------------

    def _show_nothing(self) -> None:
        self.tree.setVisible(False)
        self.pages.setCurrentWidget(self.welcome)
        self.setWindowTitle(TITLE)
        self.status_line.show_element(None)
        self._show_change()
        self._update_actions()

    def _show_files(self) -> None:
        self.tree.set_files(self.files)
        if not self._files:
            self._show_nothing()
            return
        self.tree.setVisible(True)
        if self.pages.currentWidget() is self.welcome:
            self.file_page.show_file(self._files[-1])
            self.pages.setCurrentWidget(self.file_page)
        self._update_actions()

    def _choose(self, choice: Choice | None) -> None:
        self._show_change()
        if choice is None or not self._files:
            return
        name = display_text(choice.file.name)
        if choice.entry is None:
            if self._page is not None:
                self._page.clear()
            self._pending = None
            self.status_line.show_element(None)
            self.file_page.show_file(choice.file)
            self.pages.setCurrentWidget(self.file_page)
            self.setWindowTitle(f"{name} — {TITLE}")
        else:
            self.setWindowTitle(f"{display_text(choice.entry.name)} — {name} — {TITLE}")
            self._show_tensor(choice)
        self._update_actions()

    def _show_tensor(self, choice: Choice) -> None:
        if self._page is not None:
            self._page.show_choice(choice)
            self.pages.setCurrentWidget(self._page)
            return
        # The views need NumPy and pyqtgraph.
        self._pending = choice
        self.pages.setCurrentWidget(self._blank)
        self._load_views()

    def _load_views(self) -> None:
        self._types.begin()
        work = partial(import_views, self._types)
        self.runner.submit(
            "views",
            Request(work=work, done=lambda _: self._build_page(), failed=self._complain),
        )

    def _build_page(self) -> None:
        if self._page is None and self._steps is None:
            from inspector.gui.tensor_page import build_in_steps

            self._steps = build_in_steps(self.runner, self)
            self._next_step()

    def _next_step(self) -> None:
        """Go on building the page, a little in each turn of the event loop."""
        if self._steps is None:
            return
        page = next(self._steps)
        if page is None:
            self._turn.start()
        else:
            self._steps = None
            self._take_page(page)

    def _take_page(self, page: TensorPage) -> None:
        from inspector.gui.outgoing import Outgoing

        self._page = page
        page.heatmap.kept.set_limit(self._memory.pictures)
        self._outgoing = Outgoing(self.runner, self.tree, page, self)
        self.pages.addWidget(page)
        page.read_out.connect(self.status_line.show_element)
        page.forms_changed.connect(self.form_menu.set_forms)
        self.form_menu.chosen.connect(page.show_form)
        self.go_menu.index_requested.connect(page.ask_for_index)
        self.go_menu.next_requested.connect(page.go_to_next)
        self.go_menu.step_requested.connect(page.axes.step)
        self.go_menu.play_requested.connect(page.axes.play)
        page.axes.slices_changed.connect(self.go_menu.set_slices)
        for reversal in self._reversals:
            reversal.follow(page.position)
        page.grid.addActions(
            (self._copy, self.copy_menu.menuAction(), self._copy_exact, self._python[2])
        )
        self.copy_menu.requested.connect(page.grid.copy)
        page.grid.selection_changed.connect(self._selected.tell)
        self._colour_values()
        self._show_profiles()
        page.heatmap.controls.profiles.toggled.connect(self._profiles.setChecked)
        page.python.addActions(self._python)
        page.message.connect(self._tell)
        page.export_requested.connect(self.export)
        page.export_selected_requested.connect(self.export_selected)
        self._outgoing.message.connect(self._tell)
        self._outgoing.failed.connect(page.show_error)
        if self._settings is not None:
            states = [self._settings.value(f"splitter/{name}") for name in ("views", "upper")]
            if all(isinstance(state, QByteArray) for state in states):
                page.restore_splitters(*states)
        if self._pending is not None:
            page.show_choice(self._pending)
            self.pages.setCurrentWidget(page)
            self._pending = None

    def _tell(self, text: str) -> None:
        self.status_line.tell(text)

    def _complain(self, error: InspectorError) -> None:
        QMessageBox.critical(self, TITLE, str(error))

    # Memory ------------------------------------------------------------------------------------

    @property
    def memory(self) -> MemoryBudget:
        """How much memory the window may take."""
        return self._memory

    def set_memory(self, memory: MemoryBudget) -> None:
        """Allow more or less memory, now and in the windows to come."""
        self._memory = memory
        if self._settings is not None:
            keep_budget(self._settings, memory)
        if self._page is not None:
            self._page.heatmap.kept.set_limit(memory.pictures)

    # Export and copy ----------------------------------------------------------------------------

    def export(self) -> None:
        """Ask what to write of what is chosen, how and where, and write it."""
        self._export(choice=self.tree.choice)

    def export_shown(self) -> None:
        """The same, for the rows and columns that are shown."""
        self._export(choice=self.tree.choice, part="shown")

    def export_selected(self) -> None:
        """The same, for the selected values."""
        self._export(choice=self.tree.choice, part="selected")

    def save_picture(self) -> None:
        """Ask where to write the picture of the shown plane, and write it."""
        if self._outgoing is not None:
            self._outgoing.save_picture(self._open_files())

    def copy_picture(self) -> None:
        """Put the picture of the shown plane on the clipboard."""
        if self._outgoing is not None:
            self._outgoing.copy_picture()

    def _export(self, choice: Choice | None, part: Part = "whole") -> None:
        if choice is not None and self._outgoing is not None:
            self._outgoing.export(choice, self._open_files(), part)

    def _drag(self, choice: Choice) -> None:
        if self._outgoing is not None:
            self._outgoing.drag(choice)

    def _open_files(self) -> tuple[Path, ...]:
        """Every file that is open, none of which is ever written to."""
        return tuple(path for file in self._files for path in file.protected)

    def _colour_values(self) -> None:
        if self._page is not None:
            self._page.grid.set_coloured(self._coloured.isChecked())

    def _show_profiles(self) -> None:
        if self._page is not None:
            self._page.heatmap.controls.profiles.setChecked(self._profiles.isChecked())

    def _copy_values(self) -> None:
        if self._page is not None:
            self._page.grid.copy()

    def _copy_exact_value(self) -> None:
        if self._page is not None:
            self._page.copy_exact()

    def _copy_python(self, part: Part) -> None:
        if self._page is not None:
            self._page.copy_python(part)

    def _copy_tensor_name(self) -> None:
        choice = self.tree.choice
        if choice is not None and choice.entry is not None:
            QApplication.clipboard().setText(choice.entry.name)
            self._tell("Copied the tensor's name")

    # Drops --------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        # What is dragged out is not opened.
        if event.mimeData().hasUrls() and event.source() is None:
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()

    def dropEvent(self, event: QDropEvent) -> None:
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        local, remote = _dropped(event.mimeData())
        if local:
            self.open_paths(local)
        if remote:
            text = f"Only files on this computer can be opened, not {remote[0].toDisplayString()}"
            self._tell(display_text(text))

    # Window -------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        # Once the window is painted and the event loop rests, get the views ready.
        if self._page is None:
            QTimer.singleShot(0, self._load_views)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._settings is not None:
            self._settings.setValue("window/geometry", self.saveGeometry())
            self._settings.setValue("splitter/main", self._splitter.saveState())
            self._settings.setValue("view/coloured values", self._coloured.isChecked())
            self._settings.setValue("view/profiles", self._profiles.isChecked())
            if self._page is not None:
                for name, state in zip(
                    ("views", "upper"), self._page.save_splitters(), strict=True
                ):
                    self._settings.setValue(f"splitter/{name}", state)
        self._steps = None
        self.runner.close()
        if self._outgoing is not None:
            self._outgoing.close()
        for file in self._files:
            file.close()
        super().closeEvent(event)
        self.closed.emit(self)

    def _restore(self) -> None:
        if self._settings is None:
            return
        geometry = self._settings.value("window/geometry")
        if isinstance(geometry, QByteArray):
            self.restoreGeometry(geometry)
        splitter = self._settings.value("splitter/main")
        if isinstance(splitter, QByteArray):
            self._splitter.restoreState(splitter)
        self._coloured.setChecked(bool(self._settings.value("view/coloured values", False, bool)))
        self._profiles.setChecked(bool(self._settings.value("view/profiles", True, bool)))


def _action(
    menu: QMenu,
    text: str,
    slot: object,
    keys: QKeySequence.StandardKey | str | None = None,
) -> QAction:
    action = QAction(text, menu)
    if keys is not None:
        action.setShortcut(QKeySequence(keys))
    assert callable(slot)
    action.triggered.connect(lambda: slot())
    menu.addAction(action)
    return action


def _dropped(data: QMimeData) -> tuple[list[Path], list[QUrl]]:
    """The files that were dropped, and what is not a file on this computer."""
    urls = data.urls()
    local = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
    return local, [url for url in urls if not url.isLocalFile()]
