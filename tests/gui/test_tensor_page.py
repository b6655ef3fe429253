"""One tensor in several forms in the window, and what is said of each of its elements."""

from __future__ import annotations

import gzip
import json
import os
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from driving import idle, show
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot
from safetensors.torch import save_file

from inspector.checkpoints import open_checkpoint
from inspector.checkpoints.model import Storage, TensorEntry
from inspector.checkpoints.sources import MemoryBytes
from inspector.gui.export_dialog import ExportDialog
from inspector.gui.main_window import MainWindow
from inspector.gui.read_out import describe_element, read_element
from inspector.gui.status_line import StatusLine
from inspector.gui.tensor_facts import conversion_lines, facts, storage_text
from inspector.values.bits import explain
from inspector.values.forms import Form
from inspector.values.regions import Plane
from inspector.values.tensors import tensor_source


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(5)
    path = tmp_path / "model.pt"
    base = torch.randn(12, 8)
    torch.save(
        {
            "half": torch.randn(6, 5).bfloat16(),
            "wave": torch.randn(4, 7, dtype=torch.complex64),
            "steps": torch.arange(-6, 6, dtype=torch.int16).reshape(3, 4),
            "mask": torch.tensor([[True, False]]),
            "meta": torch.empty(2, device="meta"),
            "all": base,
            "rows": base[2:5],
            "same": base,
        },
        path,
    )
    return path


def pick(qtbot: QtBot, window: MainWindow, label: str) -> None:
    """Choose a form in the box, with keys as a user without a mouse does."""
    page = window.page
    assert page is not None
    box = page.form_box
    window.activateWindow()
    qtbot.waitActive(window)
    box.setFocus()
    target = box.findText(label)
    assert target >= 0
    while box.currentIndex() != target:
        key = Qt.Key.Key_Down if box.currentIndex() < target else Qt.Key.Key_Up
        qtbot.keyClick(box, key)
    idle(qtbot, window)


# The form ----------------------------------------------------------------------------------------


def test_raw_bits_are_shown_everywhere(qtbot: QtBot, window: MainWindow, checkpoint: Path) -> None:
    page = show(qtbot, window, checkpoint, "half")
    bits = torch.load(checkpoint)["half"].view(torch.int16).numpy().view(np.uint16)
    pick(qtbot, window, "Raw bits")
    assert page.grid.text_at(2, 3) == f"0x{bits[2, 3]:04X}"
    assert page.statistics.statistics is not None
    assert page.statistics.statistics.maximum == bits.max()
    assert page.heatmap.overview is not None
    np.testing.assert_array_equal(page.heatmap.overview.tile.values, bits)
    assert "the bits of bfloat16 as uint16" in page.conversion.text


def test_the_cell_and_the_plane_stay_in_another_form(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "wave")
    page.position.show_plane(page.position.plane.with_row_axis(1))
    page.position.move_to(6, 3)
    pick(qtbot, window, "Magnitude")
    expected = torch.load(checkpoint)["wave"].abs().numpy()
    assert page.position.cell == (6, 3)
    assert page.position.element == (3, 6)
    assert page.grid.text_at(6, 3) == f"{expected[3, 6]:.6g}"
    # The bits of complex numbers have an axis more, so the plane can not stay; the element does.
    pick(qtbot, window, "Raw bits")
    assert page.position.element == (3, 6, 0)
    pick(qtbot, window, "Values")
    assert page.position.element == (3, 6)


def test_a_form_stays_for_all_tensors_that_have_it(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "wave")
    pick(qtbot, window, "Phase")
    show(qtbot, window, checkpoint, "half")
    assert page.form == "values"
    assert page.form_box.currentText() == "Values"
    show(qtbot, window, checkpoint, "wave")
    assert page.form == "phase"
    expected = torch.load(checkpoint)["wave"].angle()[1, 2].item()
    assert page.grid.text_at(1, 2) == f"{expected:.6g}"


def test_a_form_is_chosen_in_the_menu(qtbot: QtBot, window: MainWindow, checkpoint: Path) -> None:
    page = show(qtbot, window, checkpoint, "wave")
    offered = [action for action in window.form_menu.actions() if action.isVisible()]
    assert [action.text().replace("&", "") for action in offered] == [
        *("Values", "Real part", "Imaginary part", "Magnitude", "Phase", "Raw bits")
    ]
    offered[2].trigger()
    idle(qtbot, window)
    assert page.form == "imaginary"
    assert page.form_box.currentText() == "Imaginary part"
    assert offered[2].isChecked()
    show(qtbot, window, checkpoint, "half")
    assert not offered[2].isVisible()


def test_what_has_no_forms_has_no_control(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "half")
    assert page.form_box.isVisible()
    assert page.axes.isVisible()
    show(qtbot, window, checkpoint, "meta")
    assert "meta" in page.problem
    assert not page.axes.isVisible()
    assert not page.conversion.button.isVisible()
    assert not page.form_box.isVisible()
    assert not page.format_box.isVisible()
    assert not window.form_menu.menuAction().isEnabled()
    show(qtbot, window, checkpoint, "mask")
    assert page.form_box.isVisible()
    assert not page.format_box.isVisible()


def test_number_formats_suit_the_numbers(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "half")
    assert page.format_box.formats == ("short", "scientific", "exact")
    pick(qtbot, window, "Raw bits")
    assert page.format_box.formats == ("hex", "binary", "exact")
    pattern = torch.load(checkpoint)["half"].view(torch.int16)[0, 0].item() & 0xFFFF
    page.format_box.setFocus()
    qtbot.keyClick(page.format_box, Qt.Key.Key_Down)
    idle(qtbot, window)
    assert page.grid.text_at(0, 0) == f"{pattern:016b}"
    qtbot.keyClick(page.format_box, Qt.Key.Key_Down)
    idle(qtbot, window)
    assert page.grid.text_at(0, 0) == str(pattern)
    pick(qtbot, window, "Values")
    show(qtbot, window, checkpoint, "steps")
    assert page.format_box.formats == ("exact", "hex")
    qtbot.keyClick(page.format_box, Qt.Key.Key_Down)
    idle(qtbot, window)
    assert page.grid.text_at(0, 0) == "0xFFFA"
    # Each kind of number keeps its own.
    show(qtbot, window, checkpoint, "half")
    assert page.format_box.currentText() == "6 digits"
    show(qtbot, window, checkpoint, "steps")
    assert page.format_box.currentText() == "Hexadecimal"


def test_what_is_copied_is_in_the_base_that_is_shown(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "half")
    pick(qtbot, window, "Raw bits")
    QGuiApplication.clipboard().clear()
    page.grid.setFocus()
    qtbot.keyClick(page.grid, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    idle(qtbot, window)
    assert QGuiApplication.clipboard().text() == page.grid.text_at(0, 0)


def test_the_form_is_exported(
    qtbot: QtBot, window: MainWindow, checkpoint: Path, tmp_path: Path
) -> None:
    show(qtbot, window, checkpoint, "wave")
    pick(qtbot, window, "Magnitude")
    window.chosen.export()
    dialog = window.findChild(ExportDialog)
    assert dialog is not None
    dialog.set_target(tmp_path / "out.npy")
    qtbot.waitUntil(lambda: dialog.prepared is not None)
    dialog.accept()
    idle(qtbot, window)
    expected = np.abs(torch.load(checkpoint)["wave"].numpy())
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


# How it came about, and where it lies ------------------------------------------------------------


def test_the_steps_unfold(qtbot: QtBot, window: MainWindow, checkpoint: Path) -> None:
    page = show(qtbot, window, checkpoint, "half")
    line = page.conversion
    assert line.button.isVisible()
    assert line.text == "read from the file · bfloat16 widened to float32, exact"
    qtbot.mouseClick(line.button, Qt.MouseButton.LeftButton)
    assert line.details.split("\n") == [
        "1. read from the file: copied",
        "2. bfloat16 widened to float32, exact: copied",
        "The array is a copy; it shares no memory with what it was read from.",
        "Every number is exactly the one that is stored.",
    ]
    show(qtbot, window, checkpoint, "wave")
    pick(qtbot, window, "Magnitude")
    assert "The numbers are rounded in step 2." in line.details


def test_a_view_says_of_what(qtbot: QtBot, window: MainWindow, checkpoint: Path) -> None:
    page = show(qtbot, window, checkpoint, "rows")
    text = page._facts.text()
    assert "a view of 96 B of a 384 B storage, shared with 2 others: all, same" in text
    show(qtbot, window, checkpoint, "half")
    assert "storage" not in page._facts.text()
    show(qtbot, window, checkpoint, "same")
    assert "its storage is shared with 2 others: all, rows" in page._facts.text()


def stored(shape: tuple[int, ...], stride: tuple[int, ...], nbytes: int) -> TensorEntry:
    storage = Storage(MemoryBytes(bytes(nbytes)), 0, nbytes, "0")
    return TensorEntry("t", ("t",), "float32", shape, stride, storage)


def test_how_much_of_a_storage_a_tensor_uses() -> None:
    assert storage_text(stored((4, 4), (4, 1), 64)) == ""
    assert storage_text(stored((4,), (4,), 64)) == "a view of 16 B of a 64 B storage"
    assert storage_text(stored((1000, 4), (0, 1), 16)) == ""
    assert storage_text(stored((0, 4), (4, 1), 64)) == "a view of 0 B of a 64 B storage"
    many = ("t", *(f"t{number}" for number in range(100_000)))
    assert storage_text(stored((16,), (1,), 64), many).endswith("t7 and 99,992 more")
    assert facts(stored((2,), (1,), 8)) == "float32  ·  2  ·  8 B"


# One element -------------------------------------------------------------------------------------


def element(path: Path, name: str, form: Form, cell: tuple[int, int]) -> tuple[str, ...]:
    entry = open_checkpoint(path).find(name)
    assert entry is not None
    source = tensor_source(entry, form)
    return read_element(source, form, Plane.first(source.shape), cell).texts


def test_the_read_out_of_numbers(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "numbers.pt"
    torch.save(
        {
            "f": torch.tensor([[0.1, 1e-45, 1.0]]),
            "b": torch.tensor([[-0.2734375]]).bfloat16(),
            "i": torch.tensor([[-2]], dtype=torch.int16),
            "c": torch.tensor([[1 - 2j]], dtype=torch.complex64),
            "conj": torch.tensor([[1 - 2j]], dtype=torch.complex64).conj(),
        },
        path,
    )
    assert element(path, "f", "values", (0, 0)) == (
        "[0, 0] = 0.1   0x3DCCCCCD   0 01111011 10011001100110011001101   "
        "exactly 0.100000001490116119384765625   next ±7.45e-09",
        "[0, 0] = 0.1   0x3DCCCCCD   0 01111011 10011001100110011001101   "
        "exactly 0.100000001490116119384765625",
        "[0, 0] = 0.1   0x3DCCCCCD   0 01111011 10011001100110011001101",
        "[0, 0] = 0.1   0x3DCCCCCD",
        "[0, 0] = 0.1",
        "0.1",
    )
    assert element(path, "f", "values", (0, 1))[0] == (
        "[0, 1] = 1e-45   subnormal   0x00000001   0 00000000 00000000000000000000001   "
        "exactly 1.401298464324817070923729583289916…e-45   next ±1.4e-45"
    )
    assert element(path, "f", "values", (0, 2))[0].endswith("next +1.19e-07 −5.96e-08")
    assert element(path, "b", "values", (0, 0))[0] == (
        "[0, 0] = -0.2734375   0xBE8C   1 01111101 0001100   next ±0.00195"
    )
    assert element(path, "b", "raw", (0, 0))[0] == (
        "[0, 0] = 0xBE8C   bfloat16 -0.2734375   1 01111101 0001100   next ±0.00195"
    )
    assert element(path, "i", "values", (0, 0))[0] == (
        "[0, 0] = -2   two's complement   0xFFFE   11111111 11111110"
    )
    assert element(path, "c", "values", (0, 0))[1] == "[0, 0] = 1-2j   0x3F800000, 0xC0000000"
    assert element(path, "c", "imaginary", (0, 0))[-3] == "[0, 0] = -2   0xC0000000"
    # What is computed has no bits in the file.
    assert element(path, "c", "magnitude", (0, 0)) == ("[0, 0] = 2.236068", "2.236068")
    assert element(path, "conj", "values", (0, 0)) == ("[0, 0] = 1+2j", "1+2j")


def test_the_bits_of_a_number_are_broken_between_eights_only() -> None:
    found = describe_element((), 600, "values", explain(600, "int64"))
    assert f">{' '.join(['00000000'] * 6 + ['00000010', '01011000'])}<" in found.table


def test_the_read_out_of_a_number_with_hundreds_of_digits() -> None:
    found = describe_element((7,), np.float64(5e-324), "values", explain(1, "float64"))
    assert len(found.exact) > 700
    assert Fraction(found.exact) == Fraction(5e-324)
    assert found.exact[:70] in found.table
    assert all(len(text) < 200 for text in found.texts)


def test_the_line_says_the_value_first_in_whatever_room(qtbot: QtBot) -> None:
    found = describe_element((70, 70), np.float32(0.1), "values", explain(0x3DCCCCCD, "float32"))
    line = StatusLine()
    qtbot.addWidget(line)
    line.show_element(found)
    line.show()
    seen = set()
    for width in range(1200, 40, -20):
        line.resize(width, 24)
        assert line.fontMetrics().horizontalAdvance(line.text()) <= width
        assert "0.1" in line.text()
        seen.add(line.text())
    assert seen == set(found.texts)
    assert found.exact in line.toolTip()
    assert found.head in line.toolTip()


def test_the_current_cell_is_told_and_copied(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "all")
    page.position.move_to(3, 4)
    idle(qtbot, window)
    value = torch.load(checkpoint)["all"][3, 4].item()
    assert window.read_out.startswith("[3, 4] = ")
    assert f"0x{np.float32(value).view(np.uint32):08X}" in window.read_out
    window.activateWindow()
    qtbot.waitActive(window)
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    qtbot.keyClick(window, Qt.Key.Key_C, keys)
    idle(qtbot, window)
    assert Fraction(QGuiApplication.clipboard().text()) == Fraction(value)


def test_the_mouse_over_the_picture_is_told(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "half")
    page.heatmap.hovered.emit((5, 1))
    idle(qtbot, window)
    assert window.read_out.startswith("[5, 1] = ")
    page.heatmap.hovered.emit(None)
    idle(qtbot, window)
    assert window.read_out.startswith("[0, 0] = ")


@pytest.mark.qt_log_ignore("This plugin does not support", extend=True)
def test_the_grid_has_a_menu_for_the_cell_under_it(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "all")
    centre = page.grid.cell_rect(2, 1).center()
    qtbot.mousePress(page.grid.viewport(), Qt.MouseButton.RightButton, pos=QPoint(centre))
    assert page.position.cell == (2, 1)
    seen: list[str] = []

    def look_and_close() -> None:
        menu = QApplication.activePopupWidget()
        assert isinstance(menu, QMenu)
        seen.extend(action.text().replace("&", "") for action in menu.actions())
        menu.close()

    QTimer.singleShot(0, look_and_close)
    place = page.grid.viewport().mapToGlobal(centre)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, centre, place)
    QApplication.sendEvent(page.grid.viewport(), event)
    qtbot.mouseRelease(page.grid.viewport(), Qt.MouseButton.RightButton, pos=QPoint(centre))
    assert seen == [
        "Copy values",
        "Copy values as",
        "Copy exact value",
        "Copy selected cells as Python",
    ]


def test_nothing_is_rounded_unless_it_says_so(checkpoint: Path) -> None:
    for entry in open_checkpoint(checkpoint).entries:
        if entry.storage is not None:
            lines = conversion_lines(tensor_source(entry).steps)
            assert lines[-1] == "Every number is exactly the one that is stored."


def test_one_number_is_shown_large(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    path = tmp_path / "scalars.pt"
    torch.save({"a": torch.tensor(0.1), "b": torch.tensor(3 - 4j), "c": torch.ones(2)}, path)
    page = show(qtbot, window, path, "a")
    assert page.scalar.isVisible()
    assert page.scalar.number == "0.1"
    assert "0.100000001490116119384765625" in page.scalar._bits.text()
    pick(qtbot, window, "Raw bits")
    assert page.scalar.number == "0x3DCCCCCD"
    show(qtbot, window, path, "b")
    assert not page.scalar.isVisible()
    assert page.grid.text_at(1, 0) == "0xC0800000"
    pick(qtbot, window, "Magnitude")
    assert page.scalar.number == "5"
    show(qtbot, window, path, "c")
    assert page.grid.isVisible()


def test_keys_copy_what_has_the_focus(qtbot: QtBot, window: MainWindow, checkpoint: Path) -> None:
    page = show(qtbot, window, checkpoint, "half")
    window.activateWindow()
    qtbot.waitActive(window)
    window.tree.view.setFocus()
    qtbot.keyClick(window.tree.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    idle(qtbot, window)
    assert QGuiApplication.clipboard().text() == "half"
    page.grid.setFocus()
    qtbot.keyClick(page.grid, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    idle(qtbot, window)
    assert float(QGuiApplication.clipboard().text()) == torch.load(checkpoint)["half"][0, 0].item()


# Python ------------------------------------------------------------------------------------------


def run_clipboard() -> np.ndarray:
    space: dict[str, np.ndarray] = {}
    exec(QGuiApplication.clipboard().text(), space)
    return space["array"]


def test_python_by_key_button_and_menu(qtbot: QtBot, window: MainWindow, checkpoint: Path) -> None:
    page = show(qtbot, window, checkpoint, "half")
    expected = torch.load(checkpoint)["half"].float().numpy()
    window.activateWindow()
    qtbot.waitActive(window)
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(window, Qt.Key.Key_C, keys)
    idle(qtbot, window)
    np.testing.assert_array_equal(run_clipboard(), expected)
    assert "lines of Python" in window.read_out
    assert "torch.load" in page.python.toolTip()
    pick(qtbot, window, "Raw bits")
    page.grid.select(range(1, 3), range(1, 4))
    QGuiApplication.clipboard().clear()
    page.grid.actions()[3].trigger()
    idle(qtbot, window)
    bits = torch.load(checkpoint)["half"].view(torch.int16).numpy().view(np.uint16)
    np.testing.assert_array_equal(run_clipboard(), bits[1:3, 1:4])
    QGuiApplication.clipboard().clear()
    qtbot.mouseClick(page.python, Qt.MouseButton.LeftButton, pos=QPoint(10, 10))
    idle(qtbot, window)
    np.testing.assert_array_equal(run_clipboard(), bits)


def test_of_long_code_the_tooltip_has_the_beginning(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    """All of it is copied, a line for each piece."""
    whole = torch.randn(40, 3)
    for row in range(40):
        info = json.dumps({"w": {"saved_offsets": [row, 0]}})
        save_file(
            {"w": whole[row : row + 1].contiguous()},
            tmp_path / f"shard-{row + 1:05}-model-00001-of-00001.safetensors",
            metadata={"format": "pt", "DCP_SHARDING_INFO": info, "DCP_VERSION": "1.0"},
        )
    page = show(qtbot, window, tmp_path, "w")
    tip = page.python.toolTip()
    assert tip.count("\n") == 25
    assert "… and 19 more lines" in tip
    QGuiApplication.clipboard().clear()
    page.copy_python("whole")
    idle(qtbot, window)
    assert QGuiApplication.clipboard().text().count("np.memmap(") == 40
    np.testing.assert_array_equal(run_clipboard(), whole.numpy())


def test_where_there_is_no_python_it_says_why(
    qtbot: QtBot, window: MainWindow, tmp_path: Path
) -> None:
    path = tmp_path / "cut.pkl.gz"
    whole = gzip.compress(pickle.dumps({"w": np.ones((3, 3)), "rest": os.urandom(400_000)}))
    path.write_bytes(whole[:-100_000])
    page = show(qtbot, window, path, "w")
    idle(qtbot, window)
    assert not page.python.isEnabled()
    assert "ends too early, and no library reads it" in page.python.toolTip()
    page.copy_python("whole")
    idle(qtbot, window)
    assert "ends too early, and no library reads it" in window.read_out


# Quantized, sparse, wrapped ----------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*quantize.*:UserWarning")
def test_what_is_computed_has_no_bits(qtbot: QtBot, window: MainWindow, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    numbers = torch.tensor([[0.0, 1.5], [2.0, 0.0]])
    quantized = torch.quantize_per_tensor(numbers, 0.5, 1, torch.qint8)
    torch.save({"q": quantized, "s": numbers.to_sparse()}, path)
    page = show(qtbot, window, path, "q")
    page.position.move_to(0, 1)
    idle(qtbot, window)
    assert window.read_out == "[0, 1] = 1.5"
    assert "The numbers are rounded in step" in page.conversion.details
    pick(qtbot, window, "Integers")
    assert window.read_out == "[0, 1] = 4"
    assert page.format_box.formats == ("exact", "hex")
    show(qtbot, window, path, "s")
    assert page.form == "values"
    page.position.move_to(1, 0)
    idle(qtbot, window)
    assert window.read_out == "[1, 0] = 2"
    pick(qtbot, window, "Pattern")
    assert page.grid.text_at(1, 0) == "True"
    assert not page.format_box.isVisible()
    assert page.python.isEnabled()
