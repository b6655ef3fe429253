"""However large the interface is, the window fits on the screen, and all of it can be reached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from driving import idle, opened, show
from PySide6.QtCore import QSize
from PySide6.QtWidgets import QApplication, QLabel, QSplitter, QWidget
from pytestqt.qtbot import QtBot

from inspector.gui.main_window import MainWindow
from inspector.gui.settings import ZOOMS, SettingsStore
from inspector.gui.theme import Theme
from inspector.gui.within_screen import Shortened, WithinScreen

#: Names of tensors of every kind of page.
KINDS = ("matrix", "deep", "line", "number", "empty", "complex")


class SmallScreen:
    """A screen as that of a small laptop."""

    def availableSize(self) -> QSize:
        return QSize(1366, 768)


@pytest.fixture
def theme(qapp: QApplication) -> Iterator[Theme]:
    qapp.setStyle("Fusion")
    made = Theme(qapp)
    yield made
    made.set_zoom(100)


@pytest.fixture
def window(
    qtbot: QtBot, theme: Theme, store: SettingsStore, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MainWindow]:
    monkeypatch.setattr(MainWindow, "screen", lambda _: SmallScreen())
    with opened(qtbot, theme, store, (1200, 700)) as made:
        yield made


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    matrix = torch.randn(1000, 2000)
    matrix[3, 4:7] = torch.tensor([torch.nan, torch.inf, -torch.inf])
    tensors = {
        "matrix": matrix,
        "deep": torch.randn(3, 4, 5, 6, 7),
        "line": torch.randn(50_000),
        "number": torch.tensor(0.1, dtype=torch.float64),
        "empty": torch.zeros(0, 3),
        "complex": torch.randn(30, 20, dtype=torch.complex64),
    }
    torch.save(tensors, tmp_path / "kinds.pt")
    return tmp_path / "kinds.pt"


def area_of(window: MainWindow) -> WithinScreen:
    (area,) = window.findChildren(WithinScreen)
    return area


def overflow(window: MainWindow) -> tuple[int, int]:
    """How far the pages can be scrolled, px."""
    area = area_of(window)
    return area.horizontalScrollBar().maximum(), area.verticalScrollBar().maximum()


def bottom_of(inner: QWidget, outer: QWidget) -> int:
    return inner.mapTo(outer, inner.rect().bottomLeft()).y()


@pytest.mark.parametrize("percent", ZOOMS[::2])
def test_the_window_fits_on_a_small_screen_at_every_size_of_the_interface(
    qtbot: QtBot, window: MainWindow, theme: Theme, checkpoint: Path, percent: int
) -> None:
    room = SmallScreen().availableSize()
    theme.set_zoom(percent)
    for name in ("", *KINDS):
        if name:
            show(qtbot, window, checkpoint, name)
        else:
            idle(qtbot, window)
        least = window.minimumSizeHint()
        assert least.expandedTo(window.minimumSize()).boundedTo(room) == least, (name, least)
        window.resize(room)
        idle(qtbot, window)
        assert overflow(window) == (0, 0), name
        page = window.pages.currentWidget()
        assert page.size().expandedTo(page.minimumSizeHint()) == page.size(), name


def test_what_has_no_room_on_the_screen_is_scrolled_to(
    qtbot: QtBot, window: MainWindow, theme: Theme, checkpoint: Path
) -> None:
    theme.set_zoom(max(ZOOMS))
    page = show(qtbot, window, checkpoint, "deep")
    window.show_problem("Something went wrong, of which there is much to say.\n" * 8, "details")
    window.double_click.bar.show()
    qtbot.waitUntil(lambda: overflow(window)[1] > 0)
    room = SmallScreen().availableSize()
    assert window.minimumSizeHint().boundedTo(room) == window.minimumSizeHint()
    window.resize(room)
    area = area_of(window)
    assert bottom_of(page.grid, area) > area.height()
    area.verticalScrollBar().setValue(overflow(window)[1])
    assert bottom_of(page.grid, area) <= area.height()
    window.notice.clear()
    window.double_click.bar.hide()
    qtbot.waitUntil(lambda: overflow(window) == (0, 0))


def test_figures_scroll_only_where_they_have_no_room(
    qtbot: QtBot, window: MainWindow, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "matrix")
    panel = page.statistics
    (figures,) = panel.findChildren(Shortened)
    bar = figures.verticalScrollBar()
    assert bar.maximum() == 0
    panel.more_box.setChecked(True)
    page.splitters[0].setSizes([1, 1000])
    idle(qtbot, window)
    assert bar.maximum() > 0
    bar.setValue(bar.maximum())
    (last,) = (label for label in panel.findChildren(QLabel) if "Distinct" in label.text())
    assert bottom_of(last, figures) < figures.height()
    # No figure is cut off at the side by the scroll bar, and the histogram is still there.
    assert figures.viewport().width() >= figures.widget().minimumSizeHint().width()
    assert panel.plot.height() >= panel.plot.minimumHeight()
    window.resize(1200, 1100)
    page.splitters[0].setSizes([1000, 1])
    qtbot.waitUntil(lambda: bar.maximum() == 0)


def test_the_names_of_the_marks_and_what_a_pixel_is_have_room_of_their_own(
    qtbot: QtBot, window: MainWindow, theme: Theme, checkpoint: Path
) -> None:
    page = show(qtbot, window, checkpoint, "matrix")
    legend, caption = page.heatmap._legend, page.heatmap._caption
    (splitter,) = (each for each in window.findChildren(QSplitter) if each.parent() is window)
    texts = []
    for percent, width, height in ((100, 1300, 700), (200, 1100, 700), (100, 700, 420)):
        theme.set_zoom(percent)
        idle(qtbot, window)
        window.resize(width, height)
        idle(qtbot, window)
        splitter.setSizes([width * 2 // 5, width * 3 // 5])
        idle(qtbot, window)
        assert legend.width() >= legend.sizeHint().width()
        assert caption.x() >= legend.x() + legend.width() + 8
        assert caption.fontMetrics().horizontalAdvance(caption.text()) <= caption.width()
        texts.append(caption.text())
    assert texts[0].startswith("1 pixel = largest magnitude of ")
    # What remains is the number of cells, and the words are a tooltip.
    plan = page.heatmap.overview.tile.plan
    assert texts[-1] == f"{plan.block_rows} × {plan.block_columns}"
    assert caption.toolTip() == f"1 pixel = largest magnitude of {texts[-1]} cells"
