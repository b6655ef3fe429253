"""Memory: bounded whatever the tensor; what is left of it is for what was seen before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from driving import idle, show, sparse_file
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from safetensors.torch import save_file

from inspector.analysis.tiles import Tile, TilePlan
from inspector.checkpoints.model import Storage, TensorEntry
from inspector.checkpoints.sources import MemoryBytes
from inspector.cli import main
from inspector.desktop import single_instance
from inspector.gui.identity import identity_of
from inspector.gui.kept_tiles import KeptTiles
from inspector.gui.main_window import MainWindow
from inspector.gui.memory import MemoryBudget
from inspector.gui.settings import SettingsStore
from inspector.gui.theme import Theme
from inspector.values.live import LiveObject
from inspector.values.regions import Plane
from inspector.values.tensors import TensorSource, tensor_source

PLANE = Plane.first((100, 8))
#: Bytes of a row of 8 pixels: float32, and their marks.
ROW = 8 * 4 + 8


def source(origin: str = "") -> TensorSource:
    """A tensor of a file, or one from elsewhere."""
    storage = Storage(MemoryBytes(bytes(3200)), 0, 3200, "0", origin=origin)
    return tensor_source(TensorEntry("t", ("t",), "float32", (100, 8), (8, 1), storage))


def tile(rows: int) -> Tile:
    """A picture of so many rows."""
    values, marks = np.zeros((rows, 8), np.float32), np.zeros((rows, 8), np.uint8)
    return Tile(TilePlan(range(rows), range(8), 1, 1), values, marks, exact=True, sample="")


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 400)), max_size=30))
def test_no_more_than_allowed_is_kept_and_the_last_as_long_as_it_fits(
    steps: list[tuple[int, int]],
) -> None:
    kept, one, limit = KeptTiles(400), identity_of(source()), 400
    for rows, allowed in steps:
        if allowed % 7 == 0:
            limit = allowed
            kept.set_limit(limit)
            assert kept.nbytes <= limit
        made = tile(rows)
        kept.keep(one, PLANE, "mean", made)
        assert kept.nbytes <= limit
        found = kept.find(one, PLANE, made.plan, "mean")
        assert found is (made if rows * ROW <= limit else None)
        assert kept.find(one, PLANE, made.plan, "maximum") is None


def test_what_was_not_looked_at_for_longest_goes_first() -> None:
    kept, one = KeptTiles(10 * ROW), identity_of(source())
    first, second, third = (tile(rows) for rows in (4, 5, 3))
    for made in (first, second):
        kept.keep(one, PLANE, "mean", made)
    assert kept.find(one, PLANE, first.plan, "mean") is first
    kept.keep(one, PLANE, "mean", third)
    found = [kept.find(one, PLANE, made.plan, "mean") for made in (first, second, third)]
    assert found == [first, None, third]


def test_numbers_that_may_change_are_not_kept() -> None:
    kept, one = KeptTiles(1000), identity_of(source(origin="in memory"))
    kept.keep(one, PLANE, "mean", tile(2))
    assert kept.nbytes == 0
    assert kept.find(one, PLANE, tile(2).plan, "mean") is None


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Two tensors of several numbers a pixel, and one with several planes."""
    path = tmp_path / "model.safetensors"
    torch.manual_seed(0)
    wide = torch.randn(1500, 1500)
    save_file({"a": wide, "b": wide * 2, "deep": torch.randn(3, 1200, 1200)}, path)
    return path


def test_a_tensor_that_was_seen_before_is_drawn_as_it_was(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "a")
    assert page.heatmap.overview is not None
    first = page.heatmap.overview.tile
    assert first.exact
    show(qtbot, window, checkpoint, "deep")
    page.position.show_plane(page.position.plane.with_index(0, 2))
    idle(qtbot, window)
    slices = page.heatmap.overview.tile
    page.position.show_plane(page.position.plane.with_index(0, 1))
    idle(qtbot, window)
    # The same object: nothing was looked at again to make it.
    page.position.show_plane(page.position.plane.with_index(0, 2))
    idle(qtbot, window)
    assert page.heatmap.overview.tile is slices
    show(qtbot, window, checkpoint, "a")
    assert page.heatmap.overview.tile is first
    window.reload(window.files[0])
    idle(qtbot, window)
    assert page.heatmap.overview.tile is not first
    np.testing.assert_array_equal(page.heatmap.overview.tile.values, first.values)


def test_an_object_of_the_program_is_drawn_as_it_is_now(qtbot: QtBot, window: MainWindow) -> None:
    tensor = torch.zeros(1500, 1500)
    window.open_live(LiveObject({"t": tensor, "u": torch.ones(2, 2)}))
    idle(qtbot, window)
    page, number = window.page, window.files[0].number
    assert page is not None
    for value in (0.0, 3.0):
        tensor.fill_(value)
        for name in ("u", "t"):
            window.tree.select(number, name)
            idle(qtbot, window)
        assert page.heatmap.overview is not None
        assert (page.heatmap.overview.tile.values == value).all()


def test_the_setting_holds_at_once_and_in_the_windows_to_come(
    qtbot: QtBot, qapp: QApplication, checkpoint: Path, tmp_path: Path
) -> None:
    settings = SettingsStore(tmp_path / "settings.ini")
    window = MainWindow(Theme(qapp), settings)
    qtbot.addWidget(window)
    window.show()
    assert window.memory == MemoryBudget(400_000_000)
    page = show(qtbot, window, checkpoint, "a")
    assert page.heatmap.kept.nbytes > 0
    window.set_memory(MemoryBudget(100_000_000))
    assert page.heatmap.kept.nbytes == 0
    show(qtbot, window, checkpoint, "b")
    assert page.heatmap.kept.nbytes == 0
    window.set_memory(MemoryBudget(5_000_000_000))
    window.close()
    for memory, expected in ((None, 5_000_000_000), (MemoryBudget(7), 7), (None, 5_000_000_000)):
        other = MainWindow(Theme(qapp), settings, memory)
        qtbot.addWidget(other)
        assert other.memory.most == expected
        other.close()
    (tmp_path / "settings.ini").write_text("[program]\nmemory=much\n")
    again = MainWindow(Theme(qapp), SettingsStore(tmp_path / "settings.ini"))
    qtbot.addWidget(again)
    assert again.memory == MemoryBudget()
    again.close()


@pytest.mark.parametrize(
    ("arguments", "expected"), [([], None), (["--memory", "1000"], MemoryBudget(1_000_000_000))]
)
def test_the_option_is_for_this_time(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], expected: MemoryBudget | None
) -> None:
    taken: list[object] = []
    monkeypatch.setattr(single_instance, "arrive", lambda *_, **__: single_instance.Arrival())
    monkeypatch.setattr("inspector.app.run_window", lambda *given: taken.append(given[3]) or 0)
    assert main(arguments) == 0
    assert taken == [expected]


@pytest.mark.parametrize("arguments", [["--memory", "0"], ["--memory", "much"]])
def test_no_number_of_megabytes(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "megabytes" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is had from /proc")
@pytest.mark.parametrize(
    ("dtype", "itemsize", "columns", "patterns"),
    [
        ("F32", 4, 2**15, np.array([np.nan, 7.5], "<f4").tobytes()),  # 4 GiB
        ("BF16", 2, 2**14, b"\xc0\x7f\xf0\x40"),  # 1 GiB, which are counted as long
    ],
    ids=["float32", "bfloat16"],
)
def test_gigabytes_take_little_and_all_of_it_is_exact(
    tmp_path: Path, dtype: str, itemsize: int, columns: int, patterns: bytes
) -> None:
    path = sparse_file(
        tmp_path / "large.safetensors", dtype, itemsize, small=(2, 2), w=(2**15, columns)
    )
    count = 2**15 * columns
    with path.open("r+b") as file:  # a NaN and the largest, one in each half
        for place, pattern in (
            (12_345 * columns + 6_789, patterns[itemsize:]),
            (20_000 * columns + 17, patterns[:itemsize]),
        ):
            file.seek(-(count - place) * itemsize, os.SEEK_END)
            file.write(pattern)
    script = Path(__file__).with_name("peak_memory.py")
    ran = subprocess.run(
        [sys.executable, str(script), str(path)], capture_output=True, check=True, text=True
    )
    said = json.loads(ran.stdout)
    assert said.pop("peak") < 400_000_000
    assert said == {
        "text": "7.5",
        "exact": True,
        "brightest": 7.5,
        "marked": 1,
        "figures": [count, count - 2, 1, 7.5, [12_345, 6_789]],
        "quantiles": [0.0] * 5,
    }
