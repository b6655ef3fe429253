"""The tensor tree as it is used: keys, clicks, typing, files that come and go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch
from PySide6.QtCore import QEvent, QPoint, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QKeyEvent, QPalette
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from inspector.checkpoints import open_checkpoint
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.model import Checkpoint, Finding, Storage, TensorEntry, ValueEntry
from inspector.gui import tensor_tree
from inspector.gui.opened import Choice, OpenFile
from inspector.gui.tasks import TaskRunner
from inspector.gui.tensor_tree import TensorTree
from inspector.gui.theme import palette
from inspector.gui.tree_nodes import FileTree
from inspector.gui.tree_painter import EXPANDER, expander_left
from inspector.gui.tree_rows import Rows, RowsWanted
from inspector.gui.tree_sorting import Column, Sort
from inspector.gui.tree_text import cell_text

Key = Qt.Key

#: Seconds that the window may stand still in a test. It is 10 to 30 ms on an idle machine; the
#: machines that run tests have two busy cores.
LONGEST_GAP = 0.25


class NoSource:
    """A source that no tree may ever read."""

    size = 0

    def read(self, offset: int, length: int) -> bytes:
        raise AssertionError

    def read_into(self, offset: int, buffer: memoryview) -> None:
        raise AssertionError

    def close(self) -> None:
        pass


def tensor(name: str, shape: tuple[int, ...] = (2, 3), **more: object) -> TensorEntry:
    more.setdefault("storage", None)
    return TensorEntry(
        name, (name,), "float32", shape, tuple(1 for _ in shape), **more  # type: ignore[arg-type]
    )  # fmt: skip


def opened(
    *entries: TensorEntry | str,
    number: int = 1,
    values: Sequence[ValueEntry] = (),
    findings: Sequence[Finding] = (),
) -> OpenFile:
    path = Path(f"/somewhere/model{number}.pt")
    tensors = [tensor(entry) if isinstance(entry, str) else entry for entry in entries]
    return OpenFile(number, path, Checkpoint(path, "torch zip", 100, tensors, values, {}, findings))


def loading(number: int = 1) -> OpenFile:
    return OpenFile(number, Path(f"/somewhere/model{number}.pt"))


SMALL = ("a.x", "a.y", "b.x", "b.y", "c")


class Driver:
    """A tree on the screen, and hands to use it with."""

    def __init__(self, qtbot: QtBot, runner: TaskRunner) -> None:
        self.qtbot = qtbot
        self.runner = runner
        self.tree = TensorTree(runner)
        qtbot.addWidget(self.tree)
        self.tree.resize(420, 600)
        self.chosen: list[Choice | None] = []
        self.tree.chosen.connect(self.chosen.append)
        with qtbot.waitExposed(self.tree):
            self.tree.show()

    @property
    def view(self) -> tensor_tree.TreeView:
        return self.tree.view

    def settle(self) -> None:
        """Until nothing is typed and nothing is built."""
        self.qtbot.waitUntil(
            lambda: self.runner.is_idle and not self.tree._typing.isActive(), timeout=20_000
        )

    def show(self, *files: OpenFile) -> None:
        self.tree.set_files(files)
        self.settle()

    def press(self, *keys: Qt.Key) -> None:
        for key in keys:
            self.qtbot.keyClick(self.view, key)
        self.settle()

    def row(self, number: int) -> QPoint:
        """The middle of a row's name."""
        index = self.view.rows_model.index(number, Column.NAME)
        return self.view.visualRect(index).center()

    def click(self, at: QPoint, *, double: bool = False) -> None:
        act = self.qtbot.mouseDClick if double else self.qtbot.mouseClick
        act(self.view.viewport(), Qt.MouseButton.LeftButton, pos=at)
        self.settle()

    def expander(self, number: int) -> QPoint:
        depth = self.view.rows.at(number).depth
        short = self.view._fit.is_short
        x = expander_left(depth, short=short) + EXPANDER // 2
        return QPoint(x, self.row(number).y())

    def outline(self) -> list[str]:
        rows = self.view.rows
        found = (rows.at(number) for number in range(len(rows)))
        return [f"{' ' * row.depth}{cell_text(row, Column.NAME)}" for row in found]

    def current(self) -> str:
        """The row that is marked."""
        row = self.view.current_row()
        return "" if row is None else row.tree.full_name(row.node)

    def chosen_name(self) -> str | None:
        choice = self.tree.choice
        return None if choice is None or choice.entry is None else choice.entry.name

    def message(self) -> str:
        return self.tree._message.text() if self.tree._message.isVisible() else ""


@pytest.fixture
def driver(qtbot: QtBot, runner: TaskRunner) -> Driver:
    return Driver(qtbot, runner)


ALL = ["model1.pt", " a", "  x", "  y", " b", "  x", "  y", " c"]


# What shows


def test_the_model_is_sound(driver: Driver, qtmodeltester: ModelTester) -> None:
    qtmodeltester.check(driver.view.rows_model)
    driver.show(opened(*SMALL))
    assert driver.outline() == ALL
    driver.press(Key.Key_Home, Key.Key_Left)
    driver.tree.set_filter("x")
    driver.settle()
    driver.show()
    assert driver.outline() == []


def test_columns_of_a_tensor(driver: Driver) -> None:
    driver.show(opened(tensor("w", (4096, 1024), device="cuda:0")))
    model = driver.view.rows_model
    texts = [model.index(1, column).data() for column in Column]
    assert texts == ["w", "4096 × 1024", "float32", "16.0 MiB", "cuda:0"]
    spoken = model.index(1, 0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "w, tensor, float32, 4096 × 1024, 16.0 MiB"
    assert [model.headerData(column, Qt.Orientation.Horizontal) for column in Column] == [
        "Name", "Shape", "Type", "Size", "Device",
    ]  # fmt: skip


def test_the_device_shows_only_where_it_says_something(driver: Driver) -> None:
    driver.tree.resize(900, 600)
    driver.show(opened("w"))
    assert driver.view.isColumnHidden(Column.DEVICE)
    driver.show(opened(tensor("w", device="cuda:0")))
    assert not driver.view.isColumnHidden(Column.DEVICE)


def test_narrow_trees_keep_the_name(driver: Driver, qtbot: QtBot) -> None:
    driver.show(opened(*SMALL))
    widths = {}
    for width in (700, 260, 120):
        driver.tree.resize(width, 600)
        qtbot.waitUntil(lambda: abs(driver.view.width() - driver.tree.width()) < 3)
        widths[width] = [not driver.view.isColumnHidden(column) for column in Column]
        used = sum(driver.view.columnWidth(column) for column in Column)
        assert used <= max(driver.view.viewport().width(), 160)
    assert widths[700] == [True, True, True, True, False]
    assert widths[260][:2] == [True, True]
    assert widths[260][3] is False
    assert widths[120] == [True, False, False, False, False]


def test_files_that_are_read_and_that_cannot_be(driver: Driver) -> None:
    broken = OpenFile(2, Path("/x/broken.pt"), None, CheckpointError("It is truncated."))
    warned = opened("w", number=3, findings=[Finding("warning", "asks to import os.system")])
    driver.show(loading(1), broken, warned)
    model = driver.view.rows_model
    assert [model.index(row, Column.SHAPE).data() for row in range(3)] == [
        "reading…",
        "It is truncated.",
        "1 tensor",
    ]
    tips = [model.index(row, 0).data(Qt.ItemDataRole.ToolTipRole) for row in range(3)]
    assert "truncated" in tips[1]
    assert "asks to import os.system" in tips[2]
    driver.tree.grab()  # paints without an error


@pytest.mark.parametrize("dark", [False, True])
def test_every_kind_of_row_can_be_painted(driver: Driver, dark: bool) -> None:
    shared = Storage(NoSource(), 0, 24, "0")
    driver.tree.setPalette(palette(dark))
    file = opened(
        tensor("a", storage=shared),
        tensor("b", storage=shared, problem="It is missing."),
        tensor("\u202e<b>\n" + "x" * 10_000),
        tensor("s", kind="sparse_coo", components=(tensor("s.values"),)),
        tensor("d" + ".d" * 100),
        tensor("d.e"),
        values=[ValueEntry("epoch", ("epoch",), "int", "12")],
    )
    driver.show(file, loading(2))
    driver.tree.expand_all()
    driver.settle()
    picture = driver.tree.grab().toImage()
    assert picture.pixelColor(5, 300) == palette(dark).color(QPalette.ColorRole.Base)


def test_totals(driver: Driver) -> None:
    driver.tree.resize(900, 600)
    driver.show(opened(*SMALL))
    label = driver.tree._totals
    assert label.text() == "5 tensors · 30 parameters · 120 B (float32) · 0 B stored"
    driver.tree.resize(200, 600)
    driver.qtbot.waitUntil(lambda: label.text() == "5 tensors · 30 · 120 B")
    driver.tree.set_filter("x")
    driver.settle()
    assert label.text() == "2 of 5 tensors · 12 · 48 B"


# Folding


def test_keys_fold_and_move_as_in_a_tree(driver: Driver) -> None:
    driver.show(opened(*SMALL))
    driver.press(Key.Key_Home)
    assert driver.current() == "model1.pt"
    driver.press(Key.Key_Right)
    assert driver.current() == "a"
    driver.press(Key.Key_Right, Key.Key_Down)
    assert driver.current() == "a.y"
    driver.press(Key.Key_Left)
    assert driver.current() == "a"
    driver.press(Key.Key_Left)
    assert driver.outline() == [*ALL[:2], *ALL[4:]]
    driver.press(Key.Key_Plus)
    assert driver.outline() == ALL
    driver.press(Key.Key_Plus)
    assert driver.outline() == ALL
    driver.press(Key.Key_Minus)
    assert len(driver.outline()) == len(ALL) - 2
    driver.press(Key.Key_Space)
    assert driver.outline() == ALL
    driver.press(Key.Key_Return)
    assert len(driver.outline()) == len(ALL) - 2
    driver.press(Key.Key_End)
    assert driver.current() == "c"
    driver.press(Key.Key_Asterisk)
    assert driver.outline() == ALL
    driver.tree.collapse_all()
    driver.settle()
    assert driver.outline() == ["model1.pt", " a", " b", " c"]


def test_keys_need_not_wait_for_the_rows(driver: Driver) -> None:
    driver.show(opened(*SMALL))
    driver.press(Key.Key_Home, Key.Key_Right, Key.Key_Left)
    driver.press(Key.Key_Right, Key.Key_Right, Key.Key_Right)  # unfold, into it, nothing
    assert driver.current() == "a.x"
    assert driver.chosen_name() == "a.x"
    assert driver.outline() == ALL


def test_a_click_on_the_expander_folds_and_chooses_nothing(driver: Driver) -> None:
    driver.show(opened(*SMALL))
    driver.click(driver.expander(4))
    assert driver.outline() == [*ALL[:5], " c"]
    assert driver.chosen == []
    driver.click(driver.expander(4))
    assert driver.outline() == ALL


def test_a_double_click_folds_a_group_and_activates_a_tensor(driver: Driver) -> None:
    driver.show(opened(*SMALL))
    activated: list[Choice] = []
    driver.tree.activated.connect(activated.append)
    driver.click(driver.row(1), double=True)
    assert len(driver.outline()) == len(ALL) - 2
    assert activated == []
    driver.click(driver.row(5), double=True)
    assert [choice.entry.name for choice in activated if choice.entry] == ["c"]
    driver.press(Key.Key_Enter)
    assert len(activated) == 2


def test_what_is_folded_away_stays_chosen(driver: Driver) -> None:
    driver.show(opened(*SMALL))
    driver.tree.select(1, "a.y")
    driver.settle()
    driver.click(driver.expander(1))
    assert driver.chosen_name() == "a.y"
    assert driver.current() == "a"
    assert len(driver.chosen) == 1
    driver.click(driver.row(1))
    assert driver.chosen_name() is None
    assert driver.chosen[-1] == Choice(driver.tree._open.files[0])


# Choosing


def test_clicks_and_keys_choose(driver: Driver) -> None:
    file = opened(*SMALL, values=[ValueEntry("epoch", ("epoch",), "int", "12")])
    driver.show(file)
    driver.click(driver.row(2))
    assert driver.chosen == [Choice(file, file.checkpoint.entries[0])]  # type: ignore[union-attr]
    driver.press(Key.Key_Down)
    assert driver.chosen_name() == "a.y"
    driver.press(Key.Key_End)
    assert driver.current() == "epoch"
    assert driver.chosen[-1] == driver.tree.choice == Choice(file)


def test_select_unfolds_and_unfilters(driver: Driver) -> None:
    driver.show(opened(*SMALL), opened(*SMALL, number=2))
    driver.tree.collapse_all()
    driver.settle()
    driver.tree.set_filter("b.")
    driver.settle()
    assert driver.tree.select(2, "b.y")
    driver.settle()
    assert (driver.current(), driver.tree.filter_box.text()) == ("b.y", "b.")
    assert driver.tree.select(2, "a.y")
    driver.settle()
    assert (driver.current(), driver.tree.filter_box.text()) == ("a.y", "")
    assert [choice.entry.name for choice in driver.chosen if choice and choice.entry] == [
        "b.y",
        "a.y",
    ]
    assert driver.tree.select(1, None)
    driver.settle()
    assert driver.current() == "model1.pt"
    assert driver.tree.choice == Choice(driver.tree._open.files[0])


def test_select_refuses_what_is_not_there(driver: Driver) -> None:
    broken = OpenFile(3, Path("/x/broken.pt"), None, CheckpointError("It is truncated."))
    driver.show(opened(*SMALL), broken)
    for number, name in ((1, "nothing"), (2, None), (2, "a.x"), (3, "a.x")):
        assert not driver.tree.select(number, name)
    assert driver.chosen == []
    assert driver.tree.choice is None


def test_select_finds_values_and_parts(driver: Driver) -> None:
    sparse = tensor("s", kind="sparse_coo", components=(tensor("s.values"),))
    driver.show(opened(sparse, values=[ValueEntry("epoch", ("epoch",), "int", "12")]))
    assert driver.tree.select(1, "s.values")
    driver.settle()
    assert (driver.current(), driver.chosen_name()) == ("s.values", "s.values")
    assert driver.tree.select(1, "epoch")
    driver.settle()
    assert (driver.current(), driver.chosen_name()) == ("epoch", None)


def test_select_while_rows_are_built(driver: Driver) -> None:
    file = opened(*SMALL)
    driver.tree.set_files([file])
    assert driver.tree.select(1, "b.y")
    assert driver.chosen_name() == "b.y"
    driver.settle()
    assert driver.current() == "b.y"
    assert len(driver.chosen) == 1


def test_select_in_a_file_that_is_still_read(driver: Driver) -> None:
    driver.show(loading())
    assert driver.tree.select(1, "b.y")
    driver.settle()
    assert driver.chosen == []
    assert driver.chosen_name() is None
    driver.show(opened(*SMALL))
    assert driver.current() == "b.y"
    assert [choice.entry.name for choice in driver.chosen if choice and choice.entry] == ["b.y"]


def test_select_of_what_a_file_turns_out_not_to_have(driver: Driver) -> None:
    driver.show(loading())
    assert driver.tree.select(1, "nothing")
    file = opened(*SMALL)
    driver.show(file)
    assert driver.chosen == [Choice(file)]
    assert driver.current() == "model1.pt"


def test_a_tensor_of_a_file_that_was_read_again_is_told_of_again(driver: Driver) -> None:
    driver.show(opened(*SMALL))
    driver.tree.select(1, "a.y")
    driver.tree.select(1, "a.y")
    driver.settle()
    assert len(driver.chosen) == 1
    again = opened(*SMALL)
    driver.show(again)
    assert len(driver.chosen) == 1
    assert driver.tree.choice is not None
    assert driver.tree.choice.file is again
    driver.tree.select(1, "a.y")
    assert len(driver.chosen) == 2
    assert driver.chosen[-1] == driver.tree.choice


# Files that come and go


def test_folding_filter_and_choice_outlive_other_files(driver: Driver) -> None:
    driver.show(opened(*SMALL))
    driver.click(driver.expander(1))
    driver.tree.select(1, "b.y")
    driver.settle()
    folded = [*ALL[:2], *ALL[4:]]
    driver.show(loading(2), opened(*SMALL))
    assert driver.outline() == ["model2.pt", *folded]
    assert driver.current() == "b.y"
    driver.show(opened("z", number=2), loading(1))
    assert driver.outline() == ["model2.pt", " z", "model1.pt"]
    assert driver.current() == "model1.pt"  # until it is read again
    driver.show(opened("z", number=2), opened(*SMALL))
    assert driver.outline() == ["model2.pt", " z", *folded]
    assert driver.current() == driver.chosen_name() == "b.y"
    driver.show(opened("z", number=2))
    assert driver.tree.choice is None
    assert driver.current() == ""
    assert len(driver.chosen) == 1


def test_a_tensor_that_is_gone_gives_way_to_its_file(driver: Driver) -> None:
    driver.show(opened(*SMALL))
    driver.tree.select(1, "b.y")
    driver.show(opened("other"))
    assert driver.tree.choice == Choice(driver.tree._open.files[0])
    assert driver.current() == "model1.pt"


def test_no_files(driver: Driver) -> None:
    driver.show(opened(*SMALL))
    driver.show()
    assert driver.view._empty == "No file is open."
    assert driver.tree._totals.text() == ""
    driver.press(Key.Key_Down, Key.Key_Right, Key.Key_End, Key.Key_Delete, Key.Key_A)
    driver.tree.grab()


# Filter


def test_typing_filters_after_a_moment(driver: Driver, qtbot: QtBot) -> None:
    driver.show(opened(*SMALL))
    driver.tree.select(1, "a.x")
    driver.settle()
    qtbot.keyClicks(driver.tree.filter_box, "b.")
    assert driver.outline() == ALL
    driver.settle()
    assert driver.outline() == ["model1.pt", " b", "  x", "  y"]
    assert driver.chosen_name() == "a.x"  # it is only hidden
    assert driver.current() == ""
    qtbot.keyClick(driver.tree.filter_box, Key.Key_Escape)
    driver.settle()
    assert driver.outline() == ALL
    assert driver.current() == "a.x"


def test_enter_goes_to_the_first_match(driver: Driver, qtbot: QtBot) -> None:
    driver.show(opened(*SMALL))
    driver.tree.activateWindow()
    driver.tree.focus_filter()
    qtbot.keyClicks(driver.tree.filter_box, "b.")
    qtbot.keyClick(driver.tree.filter_box, Key.Key_Return)
    driver.settle()
    assert driver.current() == driver.chosen_name() == "b.x"
    qtbot.waitUntil(driver.view.hasFocus)


@pytest.mark.parametrize("text", ["size:>abc", "/(/", "shape:4y"])
def test_a_bad_filter_is_said_and_changes_nothing(driver: Driver, text: str) -> None:
    driver.show(opened(*SMALL))
    driver.tree.set_filter("b.")
    driver.settle()
    driver.tree.set_filter(text)
    driver.settle()
    assert text.strip("/") in driver.message()
    assert driver.outline() == ["model1.pt", " b", "  x", "  y"]
    driver.show(opened(*SMALL), loading(2))  # the last good filter still holds
    assert driver.outline() == ["model1.pt", " b", "  x", "  y", "model2.pt"]
    driver.tree.set_filter("b.")
    driver.settle()
    assert driver.message() == ""


def test_an_expression_that_never_ends_is_said_and_changes_nothing(driver: Driver) -> None:
    driver.show(opened("a" * 1_000 + "b", "c"))
    before = driver.outline()
    driver.tree.set_filter("/^(a+)+$/")
    driver.settle()
    assert "too long" in driver.message()
    assert driver.outline() == before
    driver.tree.set_filter("c")
    driver.settle()
    assert driver.outline() == ["model1.pt", " c"]
    assert driver.message() == ""


def test_an_expression_that_never_ends_in_another_file_hides_no_file(driver: Driver) -> None:
    driver.show(opened("a", "c"))
    driver.tree.set_filter("/^(a+)+$/")
    driver.settle()
    assert driver.outline() == ["model1.pt", " a"]
    driver.show(opened("a", "c"), opened("a" * 300 + "b", number=2))
    assert driver.outline()[:3] == ["model1.pt", " a", " c"]
    assert "too long" in driver.message()


def test_matches_are_unfolded_and_can_be_folded(driver: Driver) -> None:
    driver.show(opened(*SMALL))
    driver.tree.collapse_all()
    driver.settle()
    driver.tree.set_filter("x")
    driver.settle()
    assert driver.outline() == ["model1.pt", " a", "  x", " b", "  x"]
    driver.click(driver.expander(1))
    assert driver.outline() == ["model1.pt", " a", " b", "  x"]
    driver.tree.set_filter("x -b")
    driver.settle()
    assert driver.outline() == ["model1.pt", " a", "  x"]
    driver.tree.set_filter("")
    driver.settle()
    assert driver.outline() == ["model1.pt", " a", " b", " c"]


def test_nothing_matches(driver: Driver) -> None:
    driver.show(opened(*SMALL))
    driver.tree.set_filter("nothing")
    driver.settle()
    assert driver.outline() == ["model1.pt"]
    assert driver.view._empty == "Nothing matches the filter."
    driver.tree.grab()


# Sorting


def test_headers_sort_up_down_and_not(driver: Driver) -> None:
    file = opened("l.10", "l.9", "b", "a")
    driver.show(file)
    driver.tree.select(1, "l.9")
    driver.settle()
    header = driver.view.horizontalHeader()
    expected = [
        ([" a", " b", " l", "  9", "  10"], Sort(Column.NAME)),
        ([" l", "  10", "  9", " b", " a"], Sort(Column.NAME, descending=True)),
        ([" l", "  10", "  9", " b", " a"], None),
    ]
    for lines, sort in expected:
        at = QPoint(header.sectionViewportPosition(0) + 10, header.height() // 2)
        driver.qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=at)
        driver.settle()
        assert driver.outline()[1:] == lines
        assert driver.view.rows.sort == sort
        assert header.isSortIndicatorShown() == (sort is not None)
        assert driver.current() == "l.9"
    assert len(driver.chosen) == 1


# Menus, keys, the clipboard


def menu_action(driver: Driver, number: int, text: str) -> Callable[[], None]:
    menu = driver.tree.menu_for(driver.view.rows.at(number))
    return next(action for action in menu.actions() if action.text().startswith(text)).trigger


def test_the_menu_of_a_tensor_and_of_a_file(driver: Driver) -> None:
    file = opened(*SMALL)
    driver.show(file)
    wanted: list[object] = []
    for signal in (
        driver.tree.export_requested,
        driver.tree.reload_requested,
        driver.tree.close_requested,
    ):
        signal.connect(wanted.append)
    assert file.checkpoint is not None
    menu_action(driver, 2, "Export")()
    menu_action(driver, 2, "Reload")()
    menu_action(driver, 0, "Close")()
    menu_action(driver, 0, "Export")()
    assert wanted == [Choice(file, file.checkpoint.entries[0]), file, file, Choice(file)]
    menu_action(driver, 0, "Copy Path")()
    assert QGuiApplication.clipboard().text() == str(file.path)
    menu_action(driver, 1, "Copy Name")()
    assert QGuiApplication.clipboard().text() == "a"
    assert len(driver.tree.menu_for(None).actions()) == 2


def test_a_plain_value_is_copied_from_its_menu(driver: Driver, tmp_path: Path) -> None:
    path = tmp_path / "run.pt"
    torch.save({"version": "2.1.0+abc", "w": torch.ones(2)}, path)
    driver.show(OpenFile(1, path, open_checkpoint(path)))
    texts = [driver.view.rows.at(number).item for number in range(len(driver.view.rows))]
    number = next(n for n, item in enumerate(texts) if isinstance(item, ValueEntry))
    menu_action(driver, number, "Copy Value")()
    assert QGuiApplication.clipboard().text() == "2.1.0+abc"


def test_keys_copy_and_close(driver: Driver, qtbot: QtBot) -> None:
    file = opened(*SMALL)
    driver.show(file)
    closed: list[object] = []
    driver.tree.close_requested.connect(closed.append)
    driver.click(driver.row(2))
    qtbot.keyClick(driver.view, Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "a.x"
    driver.press(Key.Key_Delete)
    assert closed == []
    driver.press(Key.Key_Home, Key.Key_Delete)
    assert closed == [file]


def test_copy_and_delete_are_for_the_row_and_not_for_the_menu_bar(driver: Driver) -> None:
    driver.show(opened(*SMALL))
    driver.click(driver.row(2))
    for key, modifier in (
        (Key.Key_C, Qt.KeyboardModifier.ControlModifier),
        (Key.Key_Delete, Qt.KeyboardModifier.NoModifier),
    ):
        event = QKeyEvent(QEvent.Type.ShortcutOverride, key, modifier)
        event.ignore()
        QGuiApplication.sendEvent(driver.view, event)
        assert event.isAccepted()


def test_typing_the_beginning_of_a_name(driver: Driver) -> None:
    driver.show(opened("alpha", "beta", "gamma"))
    driver.press(Key.Key_G)
    assert driver.current() == "gamma"


def test_drops_are_left_to_the_window(driver: Driver) -> None:
    tree = driver.tree
    for widget in (tree.filter_box, tree.view, tree.view.viewport()):
        assert not widget.acceptDrops()


def test_everything_has_a_name_to_be_read_out(driver: Driver) -> None:
    tree = driver.tree
    for widget in (tree, tree.filter_box, tree.view):
        assert widget.accessibleName()
    for label in (tree._totals, tree._message):
        assert label.accessibleDescription()  # its name is what it says


# Late results


def test_a_superseded_build_never_shows(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tensor_tree.build_rows
    started, go_on = threading.Event(), threading.Event()
    shown: list[Rows] = []

    def slow(
        wanted: RowsWanted, pause: Callable[[], None], grown: Callable[[FileTree], None]
    ) -> Rows:
        if wanted.filter.text == "a":
            started.set()
            assert go_on.wait(10)
            return real(wanted, lambda: None, grown)  # it does not notice that it was superseded
        return real(wanted, pause, grown)

    driver.show(opened(*SMALL))
    monkeypatch.setattr(tensor_tree, "build_rows", slow)
    driver.view.rows_model.modelReset.connect(lambda: shown.append(driver.view.rows))
    driver.tree.set_filter("a")
    assert started.wait(10)
    driver.tree.set_filter("b")
    driver.settle()
    go_on.set()
    driver.tree.set_filter("b.x")
    driver.settle()
    driver.runner.close()
    driver.qtbot.wait(1)
    assert [rows.filter.text for rows in shown] == ["b", "b.x"]


def test_trees_are_kept_when_their_rows_are_superseded(driver: Driver) -> None:
    file = opened(*SMALL)
    driver.show(file)
    tree = driver.tree._open.trees[1]
    for text in ("a", "b", ""):
        driver.tree.set_filter(text)
    driver.settle()
    assert driver.tree._open.trees[1] is tree
    assert driver.view.rows.segments[0].tree is tree


# 100,000 entries


class Heart:
    """Beats in the event loop, and remembers its longest silence."""

    def __init__(self) -> None:
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(2)
        self._timer.timeout.connect(self._beat)
        self._last = time.perf_counter()
        self.gap = 0.0

    def _beat(self) -> None:
        now = time.perf_counter()
        self.gap = max(self.gap, now - self._last)
        self._last = now

    def __enter__(self) -> Heart:
        self._last = time.perf_counter()
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._beat()
        self._timer.stop()


def flat_names() -> Iterator[str]:
    return (f"t{number * 7919 % 100_000}" for number in range(100_000))


def grouped_names() -> Iterator[str]:
    return (f"g{group}.t{member}.w" for group in range(100) for member in range(1_000))


@pytest.mark.parametrize("some_names", [flat_names, grouped_names])
def test_the_window_goes_on_with_100_000_tensors(
    driver: Driver, some_names: Callable[[], Iterator[str]]
) -> None:
    names = list(some_names())
    file = opened(*names)
    steps: list[tuple[str, Callable[[], object]]] = [
        ("open", lambda: driver.tree.set_files([file])),
        ("unfold", driver.tree.expand_all),
        ("sort", lambda: driver.view.sort_clicked.emit(Column.NAME)),
        ("filter", lambda: driver.tree.set_filter("9 -dtype:f16 /9/")),
        ("unfilter", lambda: driver.tree.set_filter("")),
        ("fold", driver.tree.collapse_all),
        ("select", lambda: driver.tree.select(1, names[77_777])),
        ("end", lambda: driver.qtbot.keyClick(driver.view, Key.Key_End)),
    ]
    gaps = {}
    for name, step in steps:
        with Heart() as heart:
            step()
            driver.settle()
        gaps[name] = heart.gap
    assert driver.view.rows.totals.tensors == 100_000
    assert max(gaps.values()) < LONGEST_GAP, gaps
    with Heart() as heart:
        bar = driver.view.verticalScrollBar()
        for place in range(50):
            bar.setValue(bar.maximum() * place // 50)
            driver.qtbot.wait(1)
    assert heart.gap < LONGEST_GAP
