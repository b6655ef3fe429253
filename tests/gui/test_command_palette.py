"""Every action by a few letters of its name, with real keys."""

from __future__ import annotations

import string
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from driving import idle, opened, show, take_keys
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from inspector.gui.command_palette import CommandPalette
from inspector.gui.fuzzy import cost
from inspector.gui.main_window import MainWindow
from inspector.gui.settings import SettingsStore
from inspector.gui.theme import Theme, is_dark

Key, Modifier = Qt.Key, Qt.KeyboardModifier

words = st.text(string.ascii_letters + "äß漢", min_size=1, max_size=8)
titles = st.lists(words, min_size=1, max_size=5).map(" ".join)


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication, store: SettingsStore) -> Iterator[MainWindow]:
    theme = Theme(qapp)
    with opened(qtbot, theme, store, (1100, 800)) as made:
        take_keys(qtbot, made)
        yield made
    theme.set_appearance("system")
    theme.set_zoom(100)


def begin(qtbot: QtBot, window: MainWindow) -> CommandPalette:
    qtbot.keyClick(window, Key.Key_P, Modifier.ControlModifier | Modifier.ShiftModifier)
    assert window.commands.isVisible()
    assert window.commands.box.hasFocus()
    return window.commands


def titles_of(palette: CommandPalette) -> list[str]:
    return [command.title for command in palette.shown]


@settings(deadline=None)
@given(title=titles, data=st.data())
def test_letters_in_their_order_are_found(title: str, data: st.DataObject) -> None:
    letters = [letter for letter in title.casefold() if letter != " "]
    chosen = data.draw(st.lists(st.sampled_from(range(len(letters))), min_size=1, unique=True))
    assert cost("".join(letters[place] for place in sorted(chosen)), title) is not None


@settings(deadline=None)
@given(title=titles, around=titles)
def test_words_in_any_order_are_found_as_well(title: str, around: str) -> None:
    typed = title.split()
    assert cost(title, title, around) == 0
    assert cost(" ".join(reversed(typed)), title.upper(), around) == 0
    assert cost("", title, around) == 0


@settings(deadline=None)
@given(query=words, title=titles, around=titles)
def test_what_is_found_is_there(query: str, title: str, around: str) -> None:
    found = cost(query, title, around)
    text = f"{title} {around}".casefold()
    if found is None:
        assert query.casefold() not in text
    else:
        assert set(query.casefold()) <= set(text)


@settings(deadline=None)
@given(word=words, other=words)
def test_a_beginning_is_nearer_than_a_part_and_that_than_letters(word: str, other: str) -> None:
    assume(not other.casefold().startswith(word.casefold()) and word.casefold() not in other)
    assume(set(word.casefold()) != {"x"})  # or it would begin what it is to be within
    begins, within = cost(word, f"{other} {word}{other}"), cost(word, f"-x{word}")
    assert begins == 0
    assert within is not None
    spread = cost(word, "\0".join(word.casefold()) + "\0")
    if len(word.casefold()) > 1:
        assert spread is not None
        assert begins < within < spread


def test_everything_that_can_be_done_is_listed(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    palette = begin(qtbot, window)
    shown = {(command.path, command.title, command.keys) for command in palette.shown}
    assert ("File", "Open", "Ctrl+O") in shown
    assert ("View", "Larger interface", "Ctrl++") in shown
    assert ("Help", "Keys", "F1") in shown
    assert not {"Export", "Close file", "Copy picture", "Command palette"} & set(titles_of(palette))
    qtbot.keyClick(palette.box, Key.Key_Escape)
    torch.save({"w": torch.ones(3, 3, dtype=torch.complex64)}, tmp_path / "a & b.pt")
    show(qtbot, window, tmp_path / "a & b.pt", "w")
    shown = {(command.path, command.title) for command in begin(qtbot, window).shown}
    assert ("Tensor › Show as", "Magnitude") in shown
    assert ("Tensor › Show as", "Integers") not in shown
    assert ("Edit › Copy values as", "NumPy array") in shown
    assert ("File › Open recent", f"a & b.pt — {tmp_path}") in shown
    assert len(shown) == len(window.commands.shown)


def test_letters_arrows_and_enter(
    qtbot: QtBot, qapp: QApplication, window: MainWindow, store: SettingsStore
) -> None:
    palette = begin(qtbot, window)
    qtbot.keyClicks(palette.box, "dark")
    assert titles_of(palette)[0] == "Dark"
    qtbot.keyClick(palette.box, Key.Key_Return)
    assert not palette.isVisible()
    assert store.current.appearance == "dark"
    assert is_dark(qapp.palette())
    begin(qtbot, window)
    assert titles_of(palette)[0] == "Dark"  # used last
    qtbot.keyClicks(palette.box, "vi int")  # of the menu View
    assert set(titles_of(palette)[:2]) == {"Larger interface", "Smaller interface"}
    second = titles_of(palette)[1]
    for key in (Key.Key_Down, Key.Key_Up, Key.Key_Up, Key.Key_Down, Key.Key_Down):
        qtbot.keyClick(palette.box, key)
    qtbot.keyClick(palette.box, Key.Key_Enter)
    assert store.current.zoom == (110 if second == "Larger interface" else 90)
    assert store.current.commands == (f"View › {second}", "View › Dark")


def test_what_was_used_is_first_in_the_next_start(
    qtbot: QtBot, qapp: QApplication, window: MainWindow, tmp_path: Path
) -> None:
    palette = begin(qtbot, window)
    for name in ("fold all", "usual"):
        qtbot.keyClicks(palette.box, name)
        qtbot.keyClick(palette.box, Key.Key_Return)
        begin(qtbot, window)
    again = MainWindow(Theme(qapp), SettingsStore(tmp_path / "window.ini"))
    qtbot.addWidget(again)
    again.commands.open_up()
    assert titles_of(again.commands)[:2] == ["Usual size", "Fold all"]
    again.close()


def test_pages_and_ends_of_the_list(qtbot: QtBot, window: MainWindow) -> None:
    palette = begin(qtbot, window)
    last = len(palette.shown) - 1
    qtbot.keyClick(palette.box, Key.Key_Up)
    assert palette.list.currentRow() == last
    qtbot.keyClick(palette.box, Key.Key_Down)
    assert palette.list.currentRow() == 0
    for _ in range(9):
        qtbot.keyClick(palette.box, Key.Key_PageDown)
    assert palette.list.currentRow() == last
    for _ in range(9):
        qtbot.keyClick(palette.box, Key.Key_PageUp)
    assert palette.list.currentRow() == 0


def test_what_is_not_there_is_said_and_enter_does_nothing(
    qtbot: QtBot, window: MainWindow, store: SettingsStore
) -> None:
    palette = begin(qtbot, window)
    qtbot.keyClicks(palette.box, "qqqq")
    assert palette.shown == ()
    assert not palette.list.isVisible()
    assert palette._nothing.isVisible()
    qtbot.keyClick(palette.box, Key.Key_Return)
    qtbot.keyClick(palette.box, Key.Key_Down)
    assert palette.isVisible()
    assert store.current.commands == ()
    for _ in range(4):
        qtbot.keyClick(palette.box, Key.Key_Backspace)
    assert palette.list.isVisible()


def test_the_keys_are_where_they_were_before(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    torch.save({"w": torch.arange(12.0).reshape(3, 4)}, tmp_path / "a.pt")
    page = show(qtbot, window, tmp_path / "a.pt", "w")
    page.grid.setFocus()
    palette = begin(qtbot, window)
    qtbot.keyClick(palette.box, Key.Key_Escape)
    assert page.grid.hasFocus()
    begin(qtbot, window)
    qtbot.keyClicks(palette.box, "copy values")
    assert titles_of(palette)[0] == "Copy values"
    qtbot.keyClick(palette.box, Key.Key_Return)
    idle(qtbot, window)
    assert page.grid.hasFocus()
    assert QGuiApplication.clipboard().text() == "0"


def test_a_click_does_it_and_one_elsewhere_leaves(qtbot: QtBot, window: MainWindow) -> None:
    done: list[bool] = []
    (action,) = (each for each in window.findChildren(QAction) if each.iconText() == "Fold all")
    action.triggered.connect(lambda: done.append(True))
    palette = begin(qtbot, window)
    qtbot.keyClicks(palette.box, "fold all")
    row = next(n for n, title in enumerate(titles_of(palette)) if title == "Fold all")
    at = palette.list.visualItemRect(palette.list.item(row)).center()
    qtbot.mouseClick(palette.list.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert done == [True]
    assert not palette.isVisible()
    begin(qtbot, window)
    qtbot.mouseClick(palette, Qt.MouseButton.LeftButton, pos=QPoint(2, 2))
    assert palette.isVisible()
    qtbot.mouseClick(window.welcome, Qt.MouseButton.LeftButton, pos=QPoint(20, 700))
    assert not palette.isVisible()


def test_a_menu_that_is_filled_anew_meanwhile_harms_nothing(
    qtbot: QtBot, window: MainWindow, store: SettingsStore, tmp_path: Path
) -> None:
    for name in ("old", "new"):
        torch.save({"w": torch.ones(3, 3)}, tmp_path / f"{name}.pt")
    show(qtbot, window, tmp_path / "old.pt", "w")
    window.close_all()
    palette = begin(qtbot, window)
    qtbot.keyClicks(palette.box, "old.pt")
    assert titles_of(palette)[0].startswith("old.pt")
    show(qtbot, window, tmp_path / "new.pt", "w")  # it is the first of the recent files now
    palette.grab()
    qtbot.keyClick(palette.box, Key.Key_Return)
    idle(qtbot, window)
    assert [file.path.name for file in window.files] == ["new.pt", "old.pt"]


def test_keys_that_go_elsewhere_leave(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    torch.save({"w": torch.ones(3, 3)}, tmp_path / "a.pt")
    page = show(qtbot, window, tmp_path / "a.pt", "w")
    palette = begin(qtbot, window)
    qtbot.mouseClick(page.grid.viewport(), Qt.MouseButton.LeftButton)
    assert not palette.isVisible()
    assert page.grid.hasFocus()
    begin(qtbot, window)
    qtbot.keyClick(palette.box, Key.Key_P, Modifier.ControlModifier | Modifier.ShiftModifier)
    assert not palette.isVisible()
    assert page.grid.hasFocus()


@pytest.mark.parametrize("size", [(420, 320), (1400, 900)])
def test_it_stays_inside_the_window(
    qtbot: QtBot, window: MainWindow, size: tuple[int, int]
) -> None:
    window.resize(*size)
    palette = begin(qtbot, window)
    assert window.rect().contains(palette.geometry().topLeft() - QPoint(1, 1))
    assert palette.geometry().right() < window.width()
