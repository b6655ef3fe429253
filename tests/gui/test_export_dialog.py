"""What leaves the window as a file, with real clicks and keys: exports, pictures, drags."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QImage, QMouseEvent, QStandardItemModel
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QDialogButtonBox,
    QFileDialog,
    QLineEdit,
    QPushButton,
)
from pytestqt.qtbot import QtBot
from safetensors.torch import load_file

from inspector.analysis.tiles import NAN as NAN_MARK
from inspector.checkpoints import open_checkpoint
from inspector.gui import dragging, export_dialog
from inspector.gui.dragging import TensorDrag, mime_data
from inspector.gui.export_dialog import ExportDialog
from inspector.gui.main_window import MainWindow
from inspector.gui.tasks import TaskRunner
from inspector.gui.theme import NAN
from inspector.gui.tree_sorting import Column

Key = Qt.Key
CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
LEFT = Qt.MouseButton.LeftButton


def state() -> dict[str, torch.Tensor]:
    """What is in the checkpoint."""
    generator = torch.Generator().manual_seed(3)
    return {
        "layer.weight": torch.randn(40, 30, generator=generator),
        "layer.half": torch.randn(5, 6, generator=generator).bfloat16(),
        "conv": torch.randn(3, 4, 5, 6, generator=generator),
        "waves": torch.randn(3, 2, dtype=torch.complex64, generator=generator),
        "scalar": torch.tensor(3.25),
        "bad": torch.tensor([[1.0, float("nan"), 2.0], [0.0, -1.0, 3.0]]),
    }


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A file that torch wrote, in a folder of its own."""
    folder = tmp_path / "models"
    folder.mkdir()
    torch.save(state(), folder / "model.pt")
    return folder / "model.pt"


class Hands:
    """Uses the window as a user does."""

    def __init__(self, qtbot: QtBot, window: MainWindow) -> None:
        self.qtbot = qtbot
        self.window = window

    def rest(self) -> None:
        """Until nothing runs, nor will by itself."""
        calm = 0

        def is_calm() -> bool:
            nonlocal calm
            dialog = self.window.findChild(ExportDialog)
            typing = dialog is not None and dialog._typing.isActive()
            calm = calm + 1 if self.window.runner.is_idle and not typing else 0
            return calm > 6

        self.qtbot.waitUntil(is_calm, timeout=20_000)

    def open(self, path: Path, name: str) -> None:
        self.window.open_paths([path], name)
        self.rest()

    def activate(self) -> None:
        """Let the window have the keys, as it has when a dialog before it is closed."""
        with self.qtbot.waitActive(self.window):
            self.window.activateWindow()

    def dialog(self, modifier: Qt.KeyboardModifier = CONTROL) -> ExportDialog:
        """Press Ctrl+E."""
        self.activate()
        self.qtbot.keyClick(self.window, Key.Key_E, modifier)
        dialog = self.window.findChild(ExportDialog)
        assert dialog is not None
        self.qtbot.waitExposed(dialog)
        self.rest()
        return dialog

    def choose(self, dialog: ExportDialog, name: str, label: str) -> None:
        """Choose something in one of the lists by keys."""
        box = next(box for box in dialog.findChildren(QComboBox) if box.accessibleName() == name)
        number = next(n for n in range(box.count()) if box.itemText(n).startswith(label))
        box.setFocus()
        self.qtbot.keyClick(box, Key.Key_Home)
        for _ in range(box.count()):
            if box.currentIndex() != number:
                self.qtbot.keyClick(box, Key.Key_Down)
        assert box.currentIndex() == number
        self.rest()

    def type(self, dialog: ExportDialog, target: Path) -> None:
        (line,) = dialog.findChildren(QLineEdit)
        line.selectAll()
        self.qtbot.keyClicks(line, str(target))
        self.rest()

    def enter(self, dialog: ExportDialog) -> None:
        self.qtbot.keyClick(dialog.findChildren(QLineEdit)[0], Key.Key_Return)
        self.rest()


@pytest.fixture
def hands(qtbot: QtBot, window: MainWindow) -> Hands:
    return Hands(qtbot, window)


def export_button(dialog: ExportDialog) -> QPushButton:
    (box,) = dialog.findChildren(QDialogButtonBox)
    cancel = box.button(QDialogButtonBox.StandardButton.Cancel)
    (button,) = (each for each in box.buttons() if each is not cancel)
    assert isinstance(button, QPushButton)
    return button


# The dialog -------------------------------------------------------------------------------------


def test_a_tensor_is_exported_by_keys_alone(hands: Hands, checkpoint: Path) -> None:
    hands.open(checkpoint, "layer.half")
    dialog = hands.dialog()
    assert "float32  ·  5 × 6  ·  248 B (" in dialog.words
    assert "free on its disk" in dialog.words
    assert "bfloat16 widened to float32, exact" in dialog.words
    target = checkpoint.with_name("layer.half.npy")
    assert dialog.target == target
    assert not target.exists()
    hands.enter(dialog)
    np.testing.assert_array_equal(np.load(target), state()["layer.half"].float().numpy())
    assert "Exported float32 5 × 6, 248 B, to" in hands.window.read_out
    assert str(target) in hands.window.read_out
    assert hands.window.findChild(ExportDialog) is None


def test_enter_right_after_the_last_key_means_what_was_typed(
    hands: Hands, checkpoint: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    (tmp_path / "mine.npy").write_bytes(b"mine")
    hands.open(checkpoint, "layer.half")
    for name, asked in (("typed.npy", False), ("mine.npy", True)):
        qtbot.keyClick(hands.window, Key.Key_E, CONTROL)
        dialog = hands.window.findChild(ExportDialog)
        assert dialog is not None
        (line,) = dialog.findChildren(QLineEdit)
        line.selectAll()
        qtbot.keyClicks(line, str(tmp_path / name))
        qtbot.keyClick(line, Key.Key_Return)
        hands.rest()
        if asked:
            assert "Replace it?" in dialog.words
            dialog.reject()
        hands.activate()
    assert np.load(tmp_path / "typed.npy").shape == (5, 6)
    assert (tmp_path / "mine.npy").read_bytes() == b"mine"
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


def test_escape_writes_nothing(hands: Hands, checkpoint: Path, qtbot: QtBot) -> None:
    hands.open(checkpoint, "layer.half")
    dialog = hands.dialog()
    qtbot.keyClick(dialog, Key.Key_Escape)
    hands.rest()
    assert not dialog.isVisible() if hands.window.findChild(ExportDialog) else True
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


def test_every_control_has_a_name_and_a_place_in_the_tab_order(
    hands: Hands, checkpoint: Path, qtbot: QtBot
) -> None:
    hands.open(checkpoint, "waves")
    hands.dialog()
    names = []
    for _ in range(7):
        focus = QApplication.focusWidget()
        assert focus is not None
        text = focus.text() if isinstance(focus, QPushButton) else focus.accessibleName()
        names.append(text.replace("&", ""))
        qtbot.keyClick(focus, Key.Key_Tab)
    assert names == [
        "File to write", "Choose…", "Cancel", "Export", "What", "Format", "Numbers",
    ]  # fmt: skip


@pytest.mark.parametrize("label", ["Raw bits", "Imaginary part", "Magnitude"])
def test_another_form(hands: Hands, checkpoint: Path, tmp_path: Path, label: str) -> None:
    hands.open(checkpoint, "waves")
    dialog = hands.dialog()
    hands.choose(dialog, "Numbers", label)
    hands.type(dialog, tmp_path / "out.npy")
    assert ("3 × 2 × 2" if label == "Raw bits" else "3 × 2  ·") in dialog.words
    hands.enter(dialog)
    found, waves = np.load(tmp_path / "out.npy"), state()["waves"].numpy()
    wanted = {
        "Raw bits": waves.view(np.uint32).reshape(3, 2, 2),
        "Imaginary part": waves.imag,
        "Magnitude": np.abs(waves),
    }[label]
    np.testing.assert_array_equal(found, wanted)


def test_what_is_shown_and_what_is_selected(
    hands: Hands, checkpoint: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    hands.open(checkpoint, "conv")
    page = hands.window.page
    assert page is not None
    page.axes.held[0].number.setValue(1)
    hands.rest()
    qtbot.keyClick(page.grid, Key.Key_Down, SHIFT)
    qtbot.keyClick(page.grid, Key.Key_Right, SHIFT)
    hands.rest()
    dialog = hands.dialog(CONTROL | SHIFT)
    assert dialog.scope.label == "What is shown: [1, 0, :, :]"
    hands.type(dialog, tmp_path / "shown.npy")
    hands.enter(dialog)
    conv = state()["conv"].numpy()
    np.testing.assert_array_equal(np.load(tmp_path / "shown.npy"), conv[1, 0])
    # Under the name that the whole tensor would have.
    dialog = hands.dialog()
    hands.choose(dialog, "What", "What is shown: [1, 0, :, :]")
    assert "5 × 6  ·" in dialog.words
    target = dialog.target
    hands.enter(dialog)
    np.testing.assert_array_equal(np.load(target), conv[1, 0])
    dialog = hands.dialog()
    hands.choose(dialog, "What", "Selected values: [1, 0, :2, :2]")
    hands.choose(dialog, "Format", "Comma")
    hands.type(dialog, tmp_path / "selected.csv")
    assert "np.loadtxt" in dialog.words
    hands.enter(dialog)
    found = np.loadtxt(tmp_path / "selected.csv", np.float32, delimiter=",")
    np.testing.assert_array_equal(found, conv[1, 0, :2, :2])


def test_what_is_impossible_is_disabled_and_says_why(hands: Hands, checkpoint: Path) -> None:
    hands.open(checkpoint, "conv")
    dialog = hands.dialog()

    def impossible() -> dict[str, str]:
        box = next(b for b in dialog.findChildren(QComboBox) if b.accessibleName() == "Format")
        model = box.model()
        assert isinstance(model, QStandardItemModel)
        items = [model.item(number) for number in range(model.rowCount())]
        return {item.text(): item.toolTip() for item in items if not item.isEnabled()}

    assert impossible() == {
        "Comma-separated text (.csv)": "Comma-separated text holds at most 2 axes, not 4"
    }
    hands.choose(dialog, "What", "All 6 tensors")
    assert set(impossible()) == {"NumPy array (.npy)", "Comma-separated text (.csv)"}
    assert dialog.format.name == "npz"
    assert dialog.target.suffix == ".npz"
    hands.choose(dialog, "What", "What is shown")
    assert impossible() == {}
    dialog.reject()


def test_an_existing_file_is_asked_about_once(
    hands: Hands, checkpoint: Path, tmp_path: Path
) -> None:
    target = tmp_path / "mine.npy"
    target.write_bytes(b"mine")
    hands.open(checkpoint, "layer.half")
    dialog = hands.dialog()
    hands.type(dialog, target)
    assert "mine.npy exists already." in dialog.words
    hands.enter(dialog)
    assert "Replace it?" in dialog.words
    assert export_button(dialog).text() == "Replace"
    assert target.read_bytes() == b"mine"
    hands.enter(dialog)
    assert np.load(target).shape == (5, 6)


def test_the_file_dialogs_own_question_counts(
    hands: Hands, checkpoint: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    target = tmp_path / "mine.npy"
    target.write_bytes(b"mine")
    hands.open(checkpoint, "layer.half")
    dialog = hands.dialog()
    (browse,) = (each for each in dialog.findChildren(QPushButton) if each.text() == "Choose…")
    qtbot.mouseClick(browse, LEFT)
    chooser = dialog.findChild(QFileDialog)
    assert chooser is not None
    assert chooser.acceptMode() == QFileDialog.AcceptMode.AcceptSave
    assert chooser.defaultSuffix() == "npy"
    chooser.fileSelected.emit(str(target))
    chooser.close()
    hands.rest()
    hands.enter(dialog)
    assert np.load(target).shape == (5, 6)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("models/model.pt", "is a file that is open"),
        ("link.npy", "is a file that is open"),
        ("missing/out.npy", "its folder does not exist"),
        ("models", "it is a folder"),
        ("x" * 300, "its name is too long"),
    ],
)
def test_impossible_targets_are_refused_in_words(
    hands: Hands, checkpoint: Path, tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "link.npy").symlink_to(checkpoint)
    hands.open(checkpoint, "layer.half")
    dialog = hands.dialog()
    hands.type(dialog, tmp_path / name)
    assert words in dialog.words
    assert not export_button(dialog).isEnabled()
    hands.enter(dialog)
    assert dialog.isVisible()
    dialog.reject()
    assert torch.load(checkpoint)["scalar"] == 3.25


def test_a_user_that_there_is_not(hands: Hands, checkpoint: Path) -> None:
    hands.open(checkpoint, "layer.half")
    dialog = hands.dialog()
    hands.type(dialog, Path("~nobody-of-this-name/out.npy"))
    assert "its folder does not exist" in dialog.words
    dialog.reject()


def test_a_disk_without_room(
    hands: Hands, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands.open(checkpoint, "layer.weight")
    monkeypatch.setattr(
        "inspector.export.atomic.shutil.disk_usage", lambda _: type("Usage", (), {"free": 100})()
    )
    dialog = hands.dialog()
    assert "it needs 4,928 bytes, and its disk has 100 free" in dialog.words
    assert not export_button(dialog).isEnabled()
    dialog.reject()


# Several tensors --------------------------------------------------------------------------------


def row_at(window: MainWindow, name: str) -> QPoint:
    view = window.tree.view
    rows = view.rows
    number = next(n for n in range(len(rows)) if rows.at(n).key.name == name)
    return view.visualRect(view.rows_model.index(number, Column.NAME)).center()


def test_the_tensors_that_are_selected_in_the_tree(
    hands: Hands, checkpoint: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    hands.open(checkpoint, "layer.weight")
    viewport = hands.window.tree.view.viewport()
    for name in ("waves", "bad"):
        qtbot.mouseClick(viewport, LEFT, CONTROL, row_at(hands.window, name))
    hands.rest()
    dialog = hands.dialog()
    assert dialog.scope.label == "Selected tensors"
    hands.type(dialog, tmp_path / "out")
    hands.choose(dialog, "Format", "safetensors")
    assert dialog.target == tmp_path / "out.safetensors"
    hands.enter(dialog)
    found = load_file(tmp_path / "out.safetensors")
    assert set(found) == {"layer.weight", "waves", "bad"}
    assert all(torch.equal(found[name].nan_to_num(), state()[name].nan_to_num()) for name in found)
    assert "Exported 3 tensors" in hands.window.read_out


def test_the_tensors_below_a_group_and_those_that_match_the_filter(
    hands: Hands, checkpoint: Path, tmp_path: Path
) -> None:
    hands.open(checkpoint, "layer.weight")
    dialog = hands.dialog()
    hands.choose(dialog, "What", "2 tensors below layer")
    hands.type(dialog, tmp_path / "group.npz")
    hands.enter(dialog)
    with np.load(tmp_path / "group.npz") as found:
        assert list(found) == ["layer.weight", "layer.half"]
    hands.window.tree.set_filter("size:<200B")
    hands.rest()
    dialog = hands.dialog()
    hands.choose(dialog, "What", "4 tensors that match the filter")
    hands.choose(dialog, "Format", "Folder")
    hands.type(dialog, tmp_path / "matching")
    hands.enter(dialog)
    names = {path.name for path in (tmp_path / "matching").iterdir()}
    assert names == {"layer.half.npy", "waves.npy", "scalar.npy", "bad.npy", "index.json"}


def test_of_several_tensors_those_without_values_are_left_out(hands: Hands, tmp_path: Path) -> None:
    path = tmp_path / "some.pt"
    torch.save({"w": torch.ones(2), "m": torch.empty(3, device="meta"), "v": torch.ones(1)}, path)
    hands.open(path, "w")
    dialog = hands.dialog()
    hands.choose(dialog, "What", "All 3 tensors")
    assert "Left out, having no such numbers: m" in dialog.words
    hands.enter(dialog)
    with np.load(tmp_path / "some.npz") as found:
        assert list(found) == ["w", "v"]


def test_a_whole_file_when_no_tensor_is_chosen(
    hands: Hands, checkpoint: Path, tmp_path: Path
) -> None:
    hands.open(checkpoint, "layer.weight")
    hands.window.tree.select(hands.window.files[0].number, None)
    hands.rest()
    dialog = hands.dialog()
    assert dialog.scope.label == "All 6 tensors"
    hands.choose(dialog, "Format", "MATLAB")
    assert "layer.weight → layer_weight" in dialog.words
    hands.type(dialog, tmp_path / "all.mat")
    hands.enter(dialog)
    assert (tmp_path / "all.mat").stat().st_size > 4800


# Pictures ---------------------------------------------------------------------------------------


def save_picture(hands: Hands, qtbot: QtBot, way: str, target: Path) -> None:
    hands.activate()
    qtbot.keyClick(hands.window, Key.Key_S, CONTROL | SHIFT)
    chooser = hands.window.findChild(QFileDialog)
    assert chooser is not None
    (found,) = (each for each in chooser.nameFilters() if each.startswith(way))
    chooser.selectNameFilter(found)
    chooser.fileSelected.emit(str(target))
    chooser.close()
    hands.rest()


def test_a_picture_with_one_pixel_a_cell(
    hands: Hands, checkpoint: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    hands.open(checkpoint, "bad")
    save_picture(hands, qtbot, "One pixel a cell, 3 × 2 pixels", tmp_path / "bad.png")
    image = QImage(str(tmp_path / "bad.png"))
    assert (image.width(), image.height()) == (3, 2)
    page = hands.window.page
    assert page is not None
    assert page.heatmap.overview is not None
    overview = page.heatmap.overview
    assert overview.tile.marks[0, 1] == NAN_MARK
    for row in range(2):
        for column in range(3):
            colour = image.pixelColor(column, row).getRgb()
            assert colour == tuple(int(part) for part in overview.pixels[row, column])
    assert image.pixelColor(1, 0).getRgb()[:3] == NAN
    assert "Saved the picture, 3 × 2 pixels" in hands.window.read_out


def test_a_picture_as_it_is_drawn(
    hands: Hands, checkpoint: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    hands.open(checkpoint, "layer.weight")
    page = hands.window.page
    assert page is not None
    drawn = page.heatmap.image()
    save_picture(hands, qtbot, "As drawn", tmp_path / "drawn.png")
    saved = QImage(str(tmp_path / "drawn.png"))
    assert saved.convertToFormat(QImage.Format.Format_RGB32) == drawn.convertToFormat(
        QImage.Format.Format_RGB32
    )
    save_picture(hands, qtbot, "As drawn", checkpoint)
    assert "is a file that is open" in page.notice
    assert set(torch.load(checkpoint)) == set(state())


# Drags ------------------------------------------------------------------------------------------


def move(window: MainWindow, at: QPoint) -> None:
    """The mouse moves with its left button held, which qtbot's does not."""
    viewport = window.tree.view.viewport()
    local, everywhere = QPointF(at), QPointF(viewport.mapToGlobal(at))
    none = Qt.KeyboardModifier.NoModifier
    kind = QEvent.Type.MouseMove
    event = QMouseEvent(kind, local, everywhere, Qt.MouseButton.NoButton, LEFT, none)
    QApplication.sendEvent(viewport, event)


def test_a_tensor_is_dragged_out_as_a_file(
    hands: Hands, checkpoint: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands.open(checkpoint, "layer.weight")
    dragged: list[QMimeData] = []
    monkeypatch.setattr(TensorDrag, "drag", lambda _, data: dragged.append(data))
    monkeypatch.setattr(dragging.QGuiApplication, "mouseButtons", lambda: LEFT)
    viewport, start = hands.window.tree.view.viewport(), row_at(hands.window, "layer.half")
    qtbot.mousePress(viewport, LEFT, pos=start)
    move(hands.window, start + QPoint(2, 2))
    hands.rest()
    assert dragged == []
    move(hands.window, start + QPoint(60, 40))
    move(hands.window, start + QPoint(90, 60))
    qtbot.mouseRelease(viewport, LEFT, pos=start + QPoint(90, 60))
    hands.rest()
    ((url,),) = (data.urls() for data in dragged)
    path = Path(url.toLocalFile())
    assert path.name == "layer.half.npy"
    np.testing.assert_array_equal(np.load(path), state()["layer.half"].float().numpy())
    hands.window.close()
    assert not path.exists()
    assert not path.parent.parent.exists()


def test_a_mouse_button_that_is_up_again_drags_nothing(
    qtbot: QtBot, runner: TaskRunner, checkpoint: Path, window: MainWindow
) -> None:
    drag = TensorDrag(runner, window)
    entry = open_checkpoint(checkpoint).find("layer.half")
    assert entry is not None
    drag.start(entry)
    qtbot.waitUntil(lambda: runner.is_idle)  # QDrag.exec would never return here
    drag.close()


def test_ctrl_and_a_group_drag_nothing(hands: Hands, checkpoint: Path, qtbot: QtBot) -> None:
    hands.open(checkpoint, "layer.weight")
    told: list[object] = []
    hands.window.tree.dragged.connect(told.append)
    viewport = hands.window.tree.view.viewport()
    start = row_at(hands.window, "layer.half")
    qtbot.mousePress(viewport, LEFT, CONTROL, start)
    move(hands.window, start + QPoint(60, 40))
    qtbot.mouseRelease(viewport, LEFT, CONTROL, start + QPoint(60, 40))
    group = QPoint(120, 3)
    qtbot.mousePress(viewport, LEFT, pos=group)
    move(hands.window, group + QPoint(60, 40))
    assert told == []
    qtbot.mouseRelease(viewport, LEFT, pos=group)
    hands.rest()


def test_a_large_tensor_is_not_dragged_but_says_what_to_do(
    qtbot: QtBot,
    runner: TaskRunner,
    checkpoint: Path,
    window: MainWindow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dragging, "MOST", 1000)
    drag = TensorDrag(runner, window)
    entry = open_checkpoint(checkpoint).find("layer.weight")
    assert entry is not None
    with qtbot.waitSignal(drag.message) as told:
        drag.start(entry)
    assert told.args == [
        "layer.weight is 4.8 KiB as .npy; up to 1000 B can be dragged. Export it instead (Ctrl+E)."
    ]
    drag.close()


def test_few_dragged_files_are_kept(
    qtbot: QtBot,
    runner: TaskRunner,
    checkpoint: Path,
    window: MainWindow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dragged: list[Path] = []
    monkeypatch.setattr(
        TensorDrag, "drag", lambda _, data: dragged.append(Path(data.urls()[0].toLocalFile()))
    )
    monkeypatch.setattr(dragging.QGuiApplication, "mouseButtons", lambda: LEFT)
    drag = TensorDrag(runner, window)
    entry = open_checkpoint(checkpoint).find("scalar")
    assert entry is not None
    for _ in range(10):
        drag.start(entry)
        qtbot.waitUntil(lambda: runner.is_idle)
    assert [path.exists() for path in dragged] == [False] * 2 + [True] * 8
    drag.close()
    assert not any(path.exists() for path in dragged)


def test_the_window_does_not_open_what_is_dragged_out_of_it(
    window: MainWindow, tmp_path: Path
) -> None:
    class OwnDrag(QDragEnterEvent):
        def source(self) -> MainWindow:
            return window

    data = mime_data(tmp_path / "x.npy")
    assert data.urls() == [QUrl.fromLocalFile(str(tmp_path / "x.npy"))]
    none = Qt.KeyboardModifier.NoModifier
    for kind, taken in ((QDragEnterEvent, True), (OwnDrag, False)):
        event = kind(QPoint(600, 400), Qt.DropAction.CopyAction, data, LEFT, none)
        event.ignore()
        window.dragEnterEvent(event)
        assert event.isAccepted() is taken


def test_what_was_found_out_for_another_name_comes_too_late(
    hands: Hands, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    """Else Enter, pressed right after typing, would write to the name from before."""
    hands.open(checkpoint, "layer.half")
    dialog = hands.dialog()
    dialog._typing.setInterval(60_000)  # what was typed is looked at when the test says so
    begun, goes_on, ended = threading.Event(), threading.Event(), threading.Event()
    plain = export_dialog.find_out

    def slow(*arguments: Any) -> Any:
        begun.set()
        assert goes_on.wait(20)
        try:
            return plain(*arguments)
        finally:
            ended.set()

    with monkeypatch.context() as patch:
        patch.setattr(export_dialog, "find_out", slow)
        dialog._prepare()
        qtbot.waitUntil(begun.is_set)
    dialog.set_target(tmp_path / "new.npy")
    goes_on.set()
    qtbot.waitUntil(ended.is_set)
    qtbot.waitUntil(lambda: hands.window.runner.is_idle)
    qtbot.wait(100)  # for a message that should not come
    assert dialog.prepared is None
    dialog._prepare()
    hands.rest()
    assert dialog.prepared is not None
    assert dialog.prepared.target == tmp_path / "new.npy"
    hands.enter(dialog)
    assert (tmp_path / "new.npy").exists()
    assert [path.name for path in checkpoint.parent.iterdir()] == ["model.pt"]
