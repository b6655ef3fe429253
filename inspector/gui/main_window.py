"""The window: files and tensors on the left, the chosen one on the right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QSize, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QIcon, QMouseEvent, QShowEvent
from PySide6.QtWidgets import (
    QMainWindow,
    QSplitter,
    QStackedWidget,
    QWidget,
)

from inspector.checkpoints.naming import display_text
from inspector.desktop.program import TITLE
from inspector.gui.about_box import AboutBox
from inspector.gui.accessible import install_roles
from inspector.gui.activity_bar import ActivityBar
from inspector.gui.asking import Asking
from inspector.gui.chosen_actions import ChosenActions
from inspector.gui.command_palette import CommandPalette
from inspector.gui.double_click import DoubleClick
from inspector.gui.file_page import FilePage
from inspector.gui.file_watch import ChangeBar, FileWatch
from inspector.gui.focus_ring import FocusFrames
from inspector.gui.labels import Notice
from inspector.gui.look import Look
from inspector.gui.memory import MemoryBudget
from inspector.gui.menus import Menus
from inspector.gui.open_files import OpenFiles
from inspector.gui.opened import Choice, OpenFile
from inspector.gui.own_size import OwnSize
from inspector.gui.page_loader import PageLoader
from inspector.gui.recents import RecentList, Recents
from inspector.gui.session import Return, place_of, resumed, session_of
from inspector.gui.settings import Session, Settings, SettingsStore
from inspector.gui.settings_dialog import SettingsDialog
from inspector.gui.splitter_keys import SplitterKeys
from inspector.gui.status_line import SelectionLabel, StatusLine
from inspector.gui.tab_order import lead_through, tab_stops
from inspector.gui.tasks import TaskRunner
from inspector.gui.tensor_tree import TensorTree
from inspector.gui.text import Texts
from inspector.gui.theme import Theme
from inspector.gui.view_settings import set_sizes, show_settings, with_page
from inspector.gui.welcome import WelcomePage
from inspector.gui.within_screen import PageColumn, room_of
from inspector.resources import resource_path

if TYPE_CHECKING:
    from inspector.gui.outgoing import Outgoing
    from inspector.gui.tensor_page import TensorPage
    from inspector.values.live import LiveObject

Window = Texts("Window")


class MainWindow(QMainWindow):
    """One window with any number of files.

    Parameters
    ----------
    theme
        Light or dark.
    settings
        What is kept from one window to the next; None keeps nothing.
    memory
        What may be taken; None for what the settings say.
    """

    #: The window itself: it is closed, and holds nothing any more.
    closed = Signal(object)

    def __init__(
        self,
        theme: Theme,
        settings: SettingsStore | None = None,
        memory: MemoryBudget | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings or SettingsStore()
        self._memory = memory or MemoryBudget(self.settings.current.memory)
        self.runner = TaskRunner(self)
        self._open = OpenFiles(self.runner, self)
        self.recents = Recents(self.settings, self.runner, self)
        self._loader = PageLoader(self.runner, self)
        self._changes: dict[int, str] = {}
        self._sample: Path | None = None
        self._pending: Choice | None = None
        self._page: TensorPage | None = None
        #: The one to return to; None once the window is there.
        self._session: Session | None = None
        self._lay_out()
        self.look = Look(theme, self.settings, self)
        self.asking = Asking(self.settings, self)
        self.chosen = ChosenActions(self.runner, self.tree, self._open, self)
        self.menus = Menus(self.menuBar(), self)
        self.go_menu, self.copy_menu = self.menus.go, self.menus.copy_as
        self.form_menu = self.menus.form
        self.commands = CommandPalette(self.settings, self.menus.commands, self)
        self._connect()
        self._show_nothing()
        self.resize(1280, 800)
        OwnSize(self)
        self._restore()

    def _lay_out(self) -> None:
        icon = QIcon(str(resource_path("icon.svg")))
        self.setWindowIcon(icon)
        self.setAcceptDrops(True)
        self.tree = TensorTree(self.runner)
        self.file_page = FilePage(self.runner)
        self.recent_list = RecentList(self.recents)
        self.welcome = WelcomePage(icon, self.recent_list)
        self.pages = QStackedWidget()
        self._blank = QWidget()
        for page in (self.welcome, self.file_page, self._blank):
            self.pages.addWidget(page)
        self._splitter = QSplitter(Qt.Orientation.Horizontal)
        self._splitter.addWidget(self.tree)
        self.change_bar = ChangeBar()
        self.notice = Notice()
        self.double_click = DoubleClick(self.runner, self)
        above = self.notice, self.change_bar
        below = self.double_click.bar, self.double_click.notice
        self._splitter.addWidget(PageColumn(above, self.pages, below, self._room_for_pages))
        self.watch = FileWatch(self.runner, lambda: self.files, self)
        self._splitter.setStretchFactor(1, 1)
        self._splitter.setChildrenCollapsible(False)
        self._splitter.setSizes([330, 950])
        self.setCentralWidget(self._splitter)
        self.status_line = StatusLine()
        self.activity = ActivityBar(self.runner)
        self.statusBar().setContentsMargins(6, 0, 0, 0)
        self.statusBar().addWidget(self.status_line, 1)
        self._selected = SelectionLabel()
        self.statusBar().addPermanentWidget(self._selected)
        self.statusBar().addPermanentWidget(self.activity)
        install_roles()
        FocusFrames(self)
        SplitterKeys(self._splitter, Window.tr("the tensors and the chosen one"))
        self._lead_tab()

    def _room_for_pages(self) -> QSize:
        """How large the pages and their strips may be for the window to fit on its screen, px."""
        beside = self.tree.minimumSizeHint().width() + self._splitter.handleWidth()
        bars = self.menuBar().sizeHint().height() + self.statusBar().minimumSizeHint().height()
        return room_of(self) - QSize(beside, bars)

    def _lead_tab(self) -> None:
        """Have Tab lead through the window as it is read."""
        tree = (self.tree.filter_box, self.tree.view, self._splitter.handle(1))
        above = tab_stops(*tree, self.notice, self.change_bar, self.welcome, self.file_page)
        page = [] if self._page is None else self._page.tab_stops
        below = tab_stops(self.double_click.bar, self.double_click.notice, self.activity)
        lead_through((*above, *page, *below))

    def _connect(self) -> None:
        self._open.was_read.connect(self._note_read)
        self._open.changed.connect(self._show_files)
        self._open.wanted.connect(self._select)
        self._open.closed.connect(self._forget)
        self.settings.failed.connect(lambda text: self.show_problem(text, text))
        self._loader.ready.connect(self._take_page)
        self._loader.failed.connect(self.notice.show_error)
        self.tree.chosen.connect(self._choose)
        self.chosen.failed.connect(self.notice.show_error)
        for speaker in (self.chosen, self.look):
            speaker.message.connect(self._tell)
        self.asking.chosen.connect(self.open_paths)
        for page in (self.tree, self.file_page):
            page.close_requested.connect(self.close_file)
            page.reload_requested.connect(self.reload)
        self.change_bar.reload_requested.connect(self.reload)
        self.watch.noticed.connect(self._take_changes)
        self.double_click.message.connect(self._tell)
        self.welcome.open_requested.connect(self.asking.for_files)
        self.recent_list.chosen.connect(lambda path: self.open_paths([path]))
        self.welcome.sample_requested.connect(self.open_sample)

    # Files --------------------------------------------------------------------------------------

    @property
    def files(self) -> Sequence[OpenFile]:
        """What is open, in the order of opening."""
        return self._open.files

    @property
    def page(self) -> TensorPage | None:
        """The page of the chosen tensor; None until the first one was chosen."""
        return self._page

    @property
    def outgoing(self) -> Outgoing | None:
        """What writes tensors to files; None until the first one was chosen."""
        return self.chosen.outgoing

    @property
    def read_out(self) -> str:
        """What the status bar says of the value under the mouse, or of the last action."""
        return self.status_line.full

    def open_paths(self, paths: Iterable[Path], tensor: str | None = None) -> None:
        """Open files in the background, and choose a tensor in the last one (by name).

        A file that is open already is chosen instead of being opened twice.
        """
        self._open.open_paths(paths, tensor)

    def open_live(self, value: LiveObject) -> None:
        """Look at an object of the running program, in the background; the window holds it."""
        self._open.open_live(value)

    def offer_double_click(self) -> None:
        """Offer to have checkpoints open by double-click, if they do not, and only once."""
        if self.settings.is_kept:
            self.double_click.offer(self.settings)

    def restore_session(self) -> None:
        """Open what was open at the end of the session before, if the settings say so."""
        kept = self.settings.current
        if kept.restores_session and kept.session.paths:
            self._session = kept.session
            paths = tuple(map(Path, kept.session.paths))
            chosen = Path(kept.session.path) if kept.session.path else paths[-1]
            self._open.restore(paths, chosen, kept.session.tensor or None)

    def _arrive(self) -> None:
        self._session = None

    def _note_read(self, file: OpenFile) -> None:
        self._changes.pop(file.number, None)
        if file.live is None and file.path != self._sample:
            self.recents.add(file.path)

    def _take_changes(self, changes: dict[int, str]) -> None:
        self._changes = changes
        self._show_change()

    def _show_change(self) -> None:
        """Say above the page what has become of the chosen file."""
        choice = self._choice
        file = choice.file if choice is not None else None
        change = self._changes.get(file.number, "") if file is not None else ""
        self.change_bar.show_change(file, change)

    def reload(self, file: OpenFile) -> None:
        """Read a file again, and choose in it what is chosen, by name, where it was looked at."""
        if self._open.find(file.number) is None:
            return
        choice = self.tree.choice
        same = choice is not None and choice.file.number == file.number
        entry = choice.entry if choice is not None and same else None
        if self._page is not None:
            if choice is not None and same:
                Return(place_of(choice, self._page), self._page)
            self._page.clear()
        self._open.reload(file, entry.name if entry is not None else None)

    def close_file(self, file: OpenFile) -> None:
        """Close a file; whatever runs for it stops."""
        self._open.close(file)

    def _select(self, file: OpenFile, tensor: str | None) -> None:
        if not self.tree.select(file.number, tensor) and tensor is not None:
            self.tree.select(file.number, None)
            names = display_text(file.name), display_text(tensor)
            text = Window.tr("{file} holds no tensor named {name}", file=names[0], name=names[1])
            self._tell(text)

    def _forget(self, file: OpenFile) -> None:
        """Show nothing of a file that was closed."""
        shown = self._page.choice if self._page is not None else None
        if self._page is not None and shown is not None and shown.file.number == file.number:
            self._page.clear()
        if self.files and self.tree.choice is None:
            self._open.select_first(self.files[-1])

    def close_all(self) -> None:
        """Close every file."""
        for file in self.files:
            self.close_file(file)

    def reload_chosen(self) -> None:
        """Read the file again that is chosen, or in which something is."""
        if self.tree.choice is not None:
            self.reload(self.tree.choice.file)

    def reload_all(self) -> None:
        """Read every file again; what is chosen stays it."""
        choice = self._choice
        for file in self.files:
            if choice is not None and file.number == choice.file.number:
                self.reload(file)
            else:
                self._open.reload(file, None, choose=False)

    def close_chosen(self) -> None:
        """Close the file that is chosen, or in which something is."""
        if self.tree.choice is not None:
            self.close_file(self.tree.choice.file)

    def open_sample(self) -> None:
        """Open the bundled sample."""
        self._sample = resource_path("sample.pt")
        self.open_paths([self._sample])

    # What is shown ------------------------------------------------------------------------------

    def _show_nothing(self) -> None:
        self.tree.setVisible(False)
        self.recents.look()
        self.pages.setCurrentWidget(self.welcome)
        self.setWindowTitle(TITLE)
        self.status_line.show_element(None)
        self._show_change()
        self._update_actions()

    @property
    def _choice(self) -> Choice | None:
        """What is chosen; None once its file was closed."""
        return self.tree.choice if self.files else None

    def _update_actions(self) -> None:
        self.menus.update(self._choice)
        self.menus.set_files(bool(self.files))

    def _show_files(self) -> None:
        self.tree.set_files(self.files)
        if not self.files:
            self._show_nothing()
            return
        self.tree.setVisible(True)
        if self.pages.currentWidget() is self.welcome:
            self.file_page.show_file(self.files[-1])
            self.pages.setCurrentWidget(self.file_page)
            if not self.commands.isVisible():
                # Not in the filter, where some keys of the menus edit the text.
                self.tree.view.setFocus()
        self._update_actions()

    def _choose(self, choice: Choice | None) -> None:
        self._show_change()
        if choice is None or not self.files:
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
        self._loader.begin()

    def _take_page(self, page: TensorPage) -> None:
        self._page = page
        page.heatmap.kept.set_limit(self._memory.pictures)
        self.chosen.take_page(page)
        self.pages.addWidget(page)
        self._lead_tab()
        self.go_menu.take_play_menu(page.axes.play_menu)
        page.read_out.connect(self.status_line.show_element)
        page.forms_changed.connect(self.form_menu.set_forms)
        self.form_menu.chosen.connect(page.show_form)
        self.go_menu.index_requested.connect(page.ask_for_index)
        self.go_menu.next_requested.connect(page.go_to_next)
        self.go_menu.step_requested.connect(page.axes.step)
        self.go_menu.play_requested.connect(page.axes.play)
        page.axes.slices_changed.connect(self.go_menu.set_slices)
        for reversal in self.menus.reversals:
            reversal.follow(page.position)
        page.grid.addActions(self.menus.in_grid)
        self.copy_menu.requested.connect(page.grid.copy)
        page.grid.selection_changed.connect(self._selected.tell)
        self.colour_values()
        self.show_profiles()
        page.heatmap.controls.profiles.toggled.connect(self.menus.profiles.setChecked)
        page.python.addActions(self.menus.python)
        page.message.connect(self._tell)
        show_settings(self.settings.current, page)
        if self._session is not None:
            Return(self._session, page).ended.connect(self._arrive)
        if self._pending is not None:
            page.show_choice(self._pending)
            self.pages.setCurrentWidget(page)
            self._pending = None

    def show_problem(self, text: str, details: str) -> None:
        """Say above everything what went wrong, until the user puts it away."""
        self.notice.show_text(text, details)

    def _tell(self, text: str) -> None:
        self.status_line.tell(text)

    @property
    def memory(self) -> MemoryBudget:
        """How much memory the window may take."""
        return self._memory

    def set_memory(self, memory: MemoryBudget) -> None:
        """Allow more or less memory, now and in the windows to come."""
        self._memory = memory
        self.settings.update(lambda settings: replace(settings, memory=memory.most))
        if self._page is not None:
            self._page.heatmap.kept.set_limit(memory.pictures)

    def colour_values(self) -> None:
        """Colour the values like the picture, or not, as the menu says."""
        if self._page is not None:
            self._page.grid.set_coloured(self.menus.coloured.isChecked())

    def show_profiles(self) -> None:
        """Show curves of the current row and column, or not, as the menu says."""
        if self._page is not None:
            self._page.heatmap.controls.profiles.setChecked(self.menus.profiles.isChecked())

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
            other = remote[0].toDisplayString()
            text = Window.tr("Only files on this computer can be opened, not {other}", other=other)
            self._tell(display_text(text))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        # Where nothing else is to be clicked.
        super().mousePressEvent(event)
        self.commands.close_down()

    # Window -------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        # Once the window is painted and the event loop rests, get the views ready.
        if self._page is None:
            QTimer.singleShot(0, self._loader.begin)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.settings.update(self._with_state)
        self._loader.stop()
        self.runner.close()
        self.chosen.close()
        self._open.release()
        super().closeEvent(event)
        self.closed.emit(self)

    def _with_state(self, settings: Settings) -> Settings:
        """The settings, with what the window is like."""
        known = settings if self._page is None else with_page(settings, self._page)
        sizes = tuple(self._splitter.sizes())
        if not any(file.live is not None for file in self.files):
            session = session_of(self.files, self._choice, self._page)
            if self._session is not None:
                session = resumed(self._session, session)
            known = replace(known, session=session if known.restores_session else Session())
        return replace(
            known,
            geometry=bytes(self.saveGeometry().data()),
            main_splitter=sizes if all(sizes) else settings.main_splitter,
            coloured_values=self.menus.coloured.isChecked(),
            profiles=self.menus.profiles.isChecked(),
        )

    def _restore(self) -> None:
        kept = self.settings.current
        if kept.geometry:
            self.restoreGeometry(kept.geometry)  # checks it, and keeps to the screens there are
        set_sizes(self._splitter, kept.main_splitter)
        self.menus.coloured.setChecked(kept.coloured_values)
        self.menus.profiles.setChecked(kept.profiles)
        if self.settings.problem:
            self.show_problem(self.settings.problem, self.settings.problem)

    def show_commands(self) -> None:
        """Let the user find any action by its name."""
        self.commands.open_up()

    def show_about(self) -> None:
        """Say what the program is and what it runs with."""
        AboutBox(self.runner, self).open()

    def show_settings(self) -> None:
        """Let the user see and change the settings."""
        dialog = SettingsDialog(self.settings, self)
        dialog.appearance_chosen.connect(self.look.set_appearance)
        dialog.zoom_chosen.connect(self.look.set_zoom)
        dialog.memory_chosen.connect(lambda most: self.set_memory(MemoryBudget(most * 10**6)))
        dialog.add_action(
            Window.tr("Files"),
            self.double_click.action,
            Window.tr("Have file managers open checkpoints with this program, for you alone."),
        )
        self.double_click.look()
        dialog.open()


def _dropped(data: QMimeData) -> tuple[list[Path], list[QUrl]]:
    """The files that were dropped, and what is not a file on this computer."""
    urls = data.urls()
    local = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
    return local, [url for url in urls if not url.isLocalFile()]
