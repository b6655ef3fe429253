"""The menus of the window: every action there is, its keys, and when it can be done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar

from inspector.gui.copy_menu import CopyMenu
from inspector.gui.direction import ReverseAction
from inspector.gui.explaining import explain_focused
from inspector.gui.form_menu import FormMenu
from inspector.gui.go_menu import GoMenu
from inspector.gui.help_boxes import show_keys
from inspector.gui.recents import RecentMenu
from inspector.gui.sort_menu import SortMenu
from inspector.gui.text import Later, Texts
from inspector.gui.theme import Appearance

if TYPE_CHECKING:
    from inspector.gui.main_window import MainWindow
    from inspector.gui.opened import Choice

MenuTexts = Texts("MenuTexts")

_Keys = QKeySequence.StandardKey

_APPEARANCES: Final[tuple[tuple[Appearance, Later], ...]] = (
    ("system", MenuTexts.QT_TR_NOOP("As the &system")),
    ("light", MenuTexts.QT_TR_NOOP("L&ight")),
    ("dark", MenuTexts.QT_TR_NOOP("&Dark")),
)


class Menus(QObject):
    """Fills a window's menu bar. Which actions can be done is said by `update`."""

    def __init__(self, bar: QMenuBar, window: MainWindow) -> None:
        super().__init__(window)
        self._theme = window.look.theme
        self._fill_file(bar.addMenu(MenuTexts.tr("&File")), window)
        self._fill_edit(bar.addMenu(MenuTexts.tr("&Edit")), window)
        self._fill_view(bar.addMenu(MenuTexts.tr("&View")), window)
        self.go = GoMenu(bar)
        bar.addMenu(self.go)
        self._fill_tensor(bar.addMenu(MenuTexts.tr("&Tensor")), window)
        help_menu = bar.addMenu(MenuTexts.tr("&Help"))
        _add(help_menu, MenuTexts.tr("&What is this?"), explain_focused, "Shift+F1").setToolTip(
            MenuTexts.tr("Explain the control that has the keys")
        )
        help_menu.setToolTipsVisible(True)
        _add(help_menu, MenuTexts.tr("&Keys"), partial(show_keys, window), _Keys.HelpContents, "?")
        _add(help_menu, MenuTexts.tr("&About"), window.show_about)

    def _fill_file(self, menu: QMenu, window: MainWindow) -> None:
        _add(menu, MenuTexts.tr("&Open…"), window.asking.for_files, _Keys.Open)
        _add(menu, MenuTexts.tr("Open &folder…"), window.asking.for_folder, "Ctrl+Shift+O")
        self.recent = RecentMenu(window.recents, menu)
        self.recent.chosen.connect(lambda path: window.open_paths([path]))
        menu.addMenu(self.recent)
        _add(menu, MenuTexts.tr("Open the &sample"), window.open_sample)
        menu.addSeparator()
        self._reload = _add(menu, MenuTexts.tr("&Reload"), window.reload_chosen, _Keys.Refresh)
        self._reload_all = _add(menu, MenuTexts.tr("Reload a&ll"), window.reload_all, "Shift+F5")
        self._reveal = _add(menu, MenuTexts.tr("Show in fol&der"), window.chosen.reveal)
        self._close = _add(
            menu, MenuTexts.tr("&Close file"), window.close_chosen, "Ctrl+W", _Keys.Close
        )
        self._close_all = _add(menu, MenuTexts.tr("Close &all"), window.close_all, "Ctrl+Shift+W")
        menu.addSeparator()
        menu.addAction(window.double_click.action)
        menu.aboutToShow.connect(window.double_click.look)
        _add(menu, MenuTexts.tr("Se&ttings…"), window.show_settings, "Ctrl+,", _Keys.Preferences)
        menu.addSeparator()
        _add(menu, MenuTexts.tr("&Quit"), window.close, "Ctrl+Q", _Keys.Quit)

    def _fill_edit(self, menu: QMenu, window: MainWindow) -> None:
        self.copy_values = _add(
            menu, MenuTexts.tr("&Copy values"), window.chosen.copy_values, _Keys.Copy
        )
        # In the tree and in text, the same keys copy what is chosen there.
        self.copy_values.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.copy_as = CopyMenu(menu)
        menu.addMenu(self.copy_as)
        self.copy_exact = _add(
            menu, MenuTexts.tr("Copy &exact value"), window.chosen.copy_exact_value, "Ctrl+Alt+C"
        )
        self._copy_picture = _add(
            menu, MenuTexts.tr("Copy &picture"), window.chosen.copy_picture, "Ctrl+Alt+P"
        )
        self._copy_name = _add(menu, MenuTexts.tr("Copy tensor &name"), window.chosen.copy_name)
        self._copy_path = _add(menu, MenuTexts.tr("Copy file pat&h"), window.chosen.copy_path)
        _add(menu, MenuTexts.tr("&Filter tensors"), window.tree.focus_filter, _Keys.Find)

    def _fill_view(self, menu: QMenu, window: MainWindow) -> None:
        menu.setToolTipsVisible(True)
        self.commands = _add(
            menu, MenuTexts.tr("Command &palette…"), window.show_commands, "Ctrl+Shift+P"
        )
        self.commands.setToolTip(MenuTexts.tr("Find any command by a few letters of its name"))
        menu.addSeparator()
        _add(menu, MenuTexts.tr("&Unfold all"), window.tree.expand_all)
        _add(menu, MenuTexts.tr("F&old all"), window.tree.collapse_all)
        self.sort = SortMenu(menu)
        self.sort.chosen.connect(window.tree.sort_by)
        menu.addMenu(self.sort)
        menu.addSeparator()
        self.coloured = _add(menu, MenuTexts.tr("&Colour the values"), window.colour_values)
        self.coloured.setCheckable(True)
        self.coloured.setToolTip(
            MenuTexts.tr(
                "Give every number the colour that it has in the picture. Without it, only NaN and "
                "infinities are coloured, and stand out more."
            )
        )
        self.profiles = _add(
            menu, MenuTexts.tr("&Row and column profiles"), window.show_profiles, "Ctrl+L"
        )
        self.profiles.setCheckable(True)
        self.profiles.setChecked(True)
        self.profiles.setToolTip(
            MenuTexts.tr(
                "Show the current row and column as curves beside the picture, where there is room"
            )
        )
        menu.addSeparator()
        self.reversals = (ReverseAction("rows", menu), ReverseAction("columns", menu))
        for reversal in self.reversals:
            reversal.setShortcut(QKeySequence(reversal.keys))
        menu.addActions(self.reversals)
        menu.addSeparator()
        _add(
            menu,
            MenuTexts.tr("&Larger interface"),
            partial(window.look.step_zoom, 1),
            _Keys.ZoomIn,
            "Ctrl+=",
        )
        _add(
            menu,
            MenuTexts.tr("Sm&aller interface"),
            partial(window.look.step_zoom, -1),
            _Keys.ZoomOut,
        )
        _add(menu, MenuTexts.tr("Us&ual size"), window.look.reset_zoom, "Ctrl+0")
        menu.addSeparator()
        looks = QActionGroup(menu)
        self._looks: dict[Appearance, QAction] = {}
        for appearance, label in _APPEARANCES:
            action = _add(menu, label(), partial(window.look.set_appearance, appearance))
            action.setCheckable(True)
            looks.addAction(action)
            self._looks[appearance] = action
        self._show_appearance()
        self._theme.changed.connect(self._show_appearance)

    def _fill_tensor(self, menu: QMenu, window: MainWindow) -> None:
        self.form = FormMenu(MenuTexts.tr("Show &as"), menu)
        menu.addMenu(self.form)
        menu.addSeparator()
        self._export = _add(menu, MenuTexts.tr("&Export…"), window.chosen.export, "Ctrl+E")
        self._export.setToolTip(MenuTexts.tr("Write tensors to a file"))
        shown = window.chosen.export_shown
        self._export_shown = _add(
            menu, MenuTexts.tr("Export what is &shown…"), shown, "Ctrl+Shift+E"
        )
        self._save_picture = _add(
            menu, MenuTexts.tr("Save p&icture…"), window.chosen.save_picture, "Ctrl+Shift+S"
        )
        menu.addSeparator()
        copy = window.chosen.copy_python
        self.python = (
            _add(menu, MenuTexts.tr("Copy as &Python"), partial(copy, "whole"), "Ctrl+Shift+C"),
            _add(menu, MenuTexts.tr("Copy what is sho&wn as Python"), partial(copy, "shown")),
            _add(menu, MenuTexts.tr("Copy selected &cells as Python"), partial(copy, "selected")),
        )

    def _show_appearance(self) -> None:
        self._looks[self._theme.appearance].setChecked(True)

    @property
    def in_grid(self) -> tuple[QAction, ...]:
        """What the values have in their own menu."""
        return self.copy_values, self.copy_as.menuAction(), self.copy_exact, self.python[2]

    def update(self, choice: Choice | None) -> None:
        """Offer what can be done with what is chosen; None while no file is open."""
        has_tensor = choice is not None and choice.entry is not None
        for action in (
            self._export_shown,
            self._save_picture,
            self.copy_values,
            self.copy_as.menuAction(),
            self.copy_exact,
            self._copy_picture,
            self._copy_name,
        ):
            action.setEnabled(has_tensor)
        is_stored = has_tensor and choice is not None and choice.file.live is None
        for action in self.python:
            action.setEnabled(is_stored)
        for action in (self._reveal, self._copy_path):
            action.setEnabled(choice is not None and choice.file.live is None)
        self.go.set_available(has_tensor)
        if not has_tensor:
            self.form.set_forms((), "values")
        self._export.setEnabled(choice is not None and choice.file.checkpoint is not None)

    def set_files(self, any_open: bool) -> None:
        """Whether there is a file to be read again or closed."""
        for action in (self._reload, self._reload_all, self._close, self._close_all):
            action.setEnabled(any_open)


def _add(
    menu: QMenu,
    text: str,
    do: Callable[[], object],
    *keys: QKeySequence.StandardKey | str,
) -> QAction:
    action = QAction(text, menu)
    action.setShortcuts(list(dict.fromkeys(_sequences(keys))))
    action.triggered.connect(lambda: do())
    menu.addAction(action)
    return action


def _sequences(keys: Iterable[QKeySequence.StandardKey | str]) -> Iterator[QKeySequence]:
    """All that stand for the same; the platform may have none for a standard key, or several."""
    for each in keys:
        if isinstance(each, str):
            yield QKeySequence(each)
        else:
            yield from QKeySequence.keyBindings(each)
