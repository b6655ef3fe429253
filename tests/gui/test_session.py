"""What was open at the end is open again: files, tensor, place and form, if the user wants so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from driving import idle, shown_page
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from inspector.gui.main_window import MainWindow
from inspector.gui.settings import Session, SettingsStore
from inspector.gui.settings_dialog import SettingsDialog
from inspector.gui.theme import Theme
from inspector.values.live import LiveObject


@pytest.fixture
def store(tmp_path: Path) -> SettingsStore:
    made = SettingsStore(tmp_path / "window.ini")
    made.update(lambda now: replace(now, restores_session=True))
    return made


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    found = [tmp_path / name for name in ("a.pt", "b.pt", "c.pt")]
    deep = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).to(torch.complex64)
    for path in found:
        torch.save({"first": torch.ones(3, 3), "deep": deep}, path)
    return found


@pytest.fixture
def windows(qtbot: QtBot) -> Iterator[list[MainWindow]]:
    made: list[MainWindow] = []
    yield made
    for window in made:
        window.close()


def start(qtbot: QtBot, windows: list[MainWindow], store: SettingsStore) -> MainWindow:
    """A window as the program opens it without files."""
    made = window_on(qtbot, windows, store)
    made.restore_session()
    idle(qtbot, made)
    return made


def window_on(qtbot: QtBot, windows: list[MainWindow], store: SettingsStore) -> MainWindow:
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    made = MainWindow(Theme(application), store)
    windows.append(made)
    qtbot.addWidget(made)
    made.resize(1200, 800)
    made.show()
    return made


def test_the_next_start_is_where_this_one_ended(
    qtbot: QtBot,
    windows: list[MainWindow],
    store: SettingsStore,
    paths: list[Path],
    tmp_path: Path,
) -> None:
    window = start(qtbot, windows, store)
    assert window.files == ()
    window.open_paths(paths)
    idle(qtbot, window)
    window.tree.select(window.files[1].number, "deep")
    idle(qtbot, window)
    page = shown_page(window, "deep")
    page.show_form("imaginary")
    plane = page.position.plane.with_row_axis(3).with_column_axis(1).with_reversed(3)
    page.position.show_plane(plane)
    page.position.go_to((1, 2, 3, 4))
    idle(qtbot, window)
    plane = page.position.plane
    window.close()

    again = start(qtbot, windows, SettingsStore(tmp_path / "window.ini"))
    assert [file.path for file in again.files] == paths
    choice = again.tree.choice
    assert choice is not None
    assert choice.file.path == paths[1]
    page = shown_page(again, "deep")
    assert page.form == "imaginary"
    assert page.position.plane == plane
    assert page.position.element == (1, 2, 3, 4)
    # That is over: another tensor begins at its own beginning.
    again.tree.select(again.files[0].number, "deep")
    idle(qtbot, again)
    assert shown_page(again, "deep").position.element == (0, 0, 0, 0)


def test_it_is_the_users_choice(
    qtbot: QtBot,
    windows: list[MainWindow],
    store: SettingsStore,
    paths: list[Path],
    tmp_path: Path,
) -> None:
    window = start(qtbot, windows, store)
    window.show_settings()
    dialog = window.findChild(SettingsDialog)
    assert dialog is not None
    assert dialog.session.isChecked()
    dialog.session.setFocus()
    qtbot.keyClick(dialog.session, Qt.Key.Key_Space)
    assert not store.current.restores_session
    window.open_paths(paths)
    idle(qtbot, window)
    window.close()
    assert SettingsStore(tmp_path / "window.ini").current.session == Session()
    again = start(qtbot, windows, SettingsStore(tmp_path / "window.ini"))
    assert again.files == ()


def test_by_default_nothing_is_remembered() -> None:
    assert not SettingsStore().current.restores_session


@pytest.mark.parametrize("change", ["gone", "broken", "smaller", "other"])
def test_what_has_changed_meanwhile_is_met_in_words(
    qtbot: QtBot,
    windows: list[MainWindow],
    store: SettingsStore,
    paths: list[Path],
    change: str,
) -> None:
    session = Session(
        tuple(map(str, paths)), str(paths[1]), "deep", (1, 2, 3, 4), (3, 1), (9,), "imaginary"
    )
    store.update(lambda now: replace(now, session=session))
    if change == "gone":
        paths[1].unlink()
    elif change == "broken":
        paths[1].write_bytes(b"no checkpoint")
    elif change == "smaller":
        torch.save({"deep": torch.arange(6.0).reshape(2, 3)}, paths[1])
    else:
        torch.save({"other": torch.arange(6.0).reshape(2, 3)}, paths[1])
    window = start(qtbot, windows, store)
    assert len(window.files) == 3
    if change == "smaller":
        page = shown_page(window, "deep")
        assert page.form == "values"
        assert page.position.element == (0, 0)
    else:
        choice = window.tree.choice
        assert choice is not None
        assert choice.file.path == paths[1]
        assert window.pages.currentWidget() is window.file_page
        if change == "gone":
            assert "b.pt" in window.file_page.text
        elif change == "other":
            assert window.read_out == "b.pt holds no tensor named deep"


@pytest.mark.parametrize(
    ("axes", "element"),
    [((), (2**62,) * 4), ((0, 0), (1, 1)), ((2**62, 1), ()), ((3, 1), (1, 1, 1, 1))],
)
def test_a_place_that_there_is_not_is_the_beginning(
    qtbot: QtBot,
    windows: list[MainWindow],
    store: SettingsStore,
    paths: list[Path],
    axes: tuple[int, ...],
    element: tuple[int, ...],
) -> None:
    session = Session((str(paths[0]),), str(paths[0]), "deep", element, axes, axes, "nonsense")
    store.update(lambda now: replace(now, session=session))
    window = start(qtbot, windows, store)
    page = shown_page(window, "deep")
    assert page.form == "values"
    assert page.position.element == (element if element == (1, 1, 1, 1) else (0, 0, 0, 0))
    shown = page.position.plane.row_axis, page.position.plane.column_axis
    assert shown == (axes if axes == (3, 1) else (2, 3))


def test_a_window_on_an_object_leaves_the_session_alone(
    qtbot: QtBot, windows: list[MainWindow], store: SettingsStore, paths: list[Path]
) -> None:
    session = Session((str(paths[0]),))
    store.update(lambda now: replace(now, session=session))
    window = window_on(qtbot, windows, store)
    window.open_live(LiveObject(np.ones((2, 2)), ""))
    idle(qtbot, window)
    window.close()
    assert store.current.session == session


def test_a_window_that_is_closed_on_the_way_back_keeps_where_it_was_going(
    qtbot: QtBot,
    windows: list[MainWindow],
    store: SettingsStore,
    paths: list[Path],
) -> None:
    window = start(qtbot, windows, store)
    window.open_paths(paths)
    idle(qtbot, window)
    window.tree.select(window.files[1].number, "deep")
    idle(qtbot, window)
    page = shown_page(window, "deep")
    page.position.show_plane(page.position.plane.with_reversed(3))
    page.position.go_to((1, 2, 3, 4))
    window.close()
    before = store.current.session
    assert before.element == (1, 2, 3, 4)

    hasty = window_on(qtbot, windows, store)
    hasty.restore_session()
    hasty.close()
    assert store.current.session == before
    other = window_on(qtbot, windows, store)
    other.restore_session()
    other.close_all()
    other.close()
    assert store.current.session == Session()


def test_a_file_that_is_read_again_is_shown_where_it_was(
    qtbot: QtBot, windows: list[MainWindow], store: SettingsStore, paths: list[Path]
) -> None:
    window = start(qtbot, windows, store)
    window.open_paths([paths[0]], "deep")
    idle(qtbot, window)
    page = shown_page(window, "deep")
    plane = page.position.plane.with_row_axis(0).with_reversed(3).with_index(1, 2)
    page.position.show_plane(plane)
    page.position.go_to((1, 2, 3, 4))
    page.show_form("imaginary")
    idle(qtbot, window)
    plane = page.position.plane
    torch.save({"deep": torch.full((2, 3, 4, 5), 7j)}, paths[0])
    qtbot.keyClick(window, Qt.Key.Key_F5)
    idle(qtbot, window)
    assert shown_page(window, "deep").position.plane == plane
    assert (page.position.element, page.form) == ((1, 2, 3, 4), "imaginary")
    found = page.statistics.statistics
    assert found is not None
    assert found.minimum == found.maximum == 7
    assert page.heatmap.overview is not None
    assert (page.heatmap.overview.tile.values == 7).all()
    torch.save({"deep": torch.zeros(2, 3)}, paths[0])  # there is no such place any more
    qtbot.keyClick(window, Qt.Key.Key_F5)
    idle(qtbot, window)
    assert shown_page(window, "deep").position.element == (0, 0)
