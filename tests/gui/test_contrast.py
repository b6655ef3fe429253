"""What is written can be read, and what is drawn can be seen, in light and in dark.

The measure is that of the Web Content Accessibility Guidelines 2.2: 4.5 to 1 for text, 3 to 1 for
what is drawn and for the frame of what has the keys. What is disabled is excepted, as there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from driving import show
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from inspector.gui.cell_numbers import CellNumbers
from inspector.gui.colours import COLOUR_MAPS, MARKS, lookup_table
from inspector.gui.grid_painter import takes_black
from inspector.gui.main_window import MainWindow
from inspector.gui.theme import Appearance, alarm, class_palettes, faint, mixed, palette
from inspector.gui.tree_painter import RowColours

TEXT, DRAWN = 4.5, 3.0

Role = QPalette.ColorRole


def luminance(colour: QColor) -> float:
    """The relative luminance of a colour as WCAG 2.2 defines it, 0 to 1."""
    parts = [
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (colour.redF(), colour.greenF(), colour.blueF())
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(first: QColor, second: QColor) -> float:
    """From 1 for the same luminance to 21 for black on white."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def seen(colour: QColor, ground: QColor) -> QColor:
    """What a colour that may be transparent looks like on a ground."""
    opaque = QColor(colour)
    opaque.setAlphaF(1)
    return mixed(ground, opaque, colour.alphaF())


def test_the_measure_is_that_of_the_guidelines() -> None:
    assert contrast(QColor("black"), QColor("white")) == pytest.approx(21)
    assert contrast(QColor("#777777"), QColor("white")) == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("dark", [False, True])
def test_every_colour_of_text_can_be_read_on_all_it_stands_on(dark: bool) -> None:
    colours = palette(dark)
    typed = class_palettes(dark)["QLineEdit"].color(Role.Base)
    grounds = [colours.color(role) for role in (Role.Window, Role.Base, Role.AlternateBase)]
    texts = {
        "text": colours.color(Role.Text),
        "faint": faint(colours),
        "link": colours.color(Role.Link),
        "alarm": alarm(colours),
    }
    for name, text in texts.items():
        for ground in (*grounds, colours.color(Role.Button), typed):
            assert contrast(text, ground) >= TEXT, (name, ground.name())
    chosen = colours.color(Role.Highlight), colours.color(Role.HighlightedText)
    assert contrast(*chosen) >= TEXT
    tip = colours.color(Role.ToolTipBase), colours.color(Role.ToolTipText)
    assert contrast(*tip) >= TEXT


@pytest.mark.parametrize("dark", [False, True])
def test_every_row_of_the_tree_can_be_read(dark: bool) -> None:
    row = RowColours.of(palette(dark))
    plain = (row.base, row.file, row.hover)
    for text in (row.text, row.faint, mixed(row.text, row.faint, 0.35), row.link):
        assert all(contrast(text, ground) >= TEXT for ground in plain)
    for text in (row.text, row.quiet_faint):
        assert contrast(text, row.quiet) >= TEXT
    assert contrast(row.highlighted, row.highlight) >= TEXT
    assert contrast(row.text, row.mark) >= TEXT  # the names of tensors, with the filter's words


@pytest.mark.parametrize("dark", [False, True])
def test_what_has_the_keys_stands_out_from_what_has_not(dark: bool) -> None:
    colours = palette(dark)
    for role in (Role.Window, Role.Base, Role.AlternateBase):
        assert contrast(colours.color(Role.Highlight), colours.color(role)) >= DRAWN


def test_numbers_on_any_colour_of_the_picture_can_be_read() -> None:
    """In the grid and in the picture: the darker half of all colours has white digits."""
    every = [lookup_table(each.name) for each in COLOUR_MAPS]
    grounds = np.concatenate([*every, np.array([colour for _, colour in MARKS], np.uint8)])
    for (red, green, blue), black in zip(grounds.tolist(), takes_black(grounds), strict=True):
        ink = QColor("black" if black else "white")
        assert contrast(ink, QColor(red, green, blue)) >= TEXT


def words_of(root: QWidget) -> Iterator[tuple[str, QColor, QColor]]:
    """Every text of labels and buttons that shows, its colour, and what is behind it."""
    for label in root.findChildren(QLabel):
        if label.isVisible() and label.text() and label.isEnabled():
            ground = label.palette().color(Role.Window)
            yield label.text(), label.palette().color(label.foregroundRole()), ground
            for colour in re.findall(r"(?<!-)color:(#\w{6})", label.text()):
                yield label.text(), QColor(colour), ground
    for button in root.findChildren(QPushButton):
        if button.isVisible() and button.isEnabled():
            colours = button.palette()
            yield button.text(), colours.color(Role.ButtonText), colours.color(Role.Button)


@pytest.mark.parametrize("appearance", ["light", "dark"])
def test_every_word_in_the_window_can_be_read(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, appearance: Appearance
) -> None:
    numbers = torch.linspace(-1, 1, 6000).reshape(60, 100)
    numbers[3, 4], numbers[5, 6], numbers[7, 8] = torch.nan, torch.inf, -torch.inf
    torch.save({"w": numbers}, tmp_path / "model.pt")
    try:
        window.look.set_appearance(appearance)
        welcome = list(words_of(window))
        window.look.set_appearance("dark" if appearance == "light" else "light")
        page = show(qtbot, window, tmp_path / "model.pt", "w")
        window.look.set_appearance(appearance)
        there = list(words_of(window))
        assert len(welcome) > 4
        assert len(there) > 20
        for text, colour, ground in (*welcome, *there):
            assert contrast(colour, ground) >= TEXT, text
        colours, plot = window.palette(), page.heatmap.plot
        ground = colours.color(Role.Window)
        for side in ("left", "bottom"):
            axis = plot.getPlotItem().getAxis(side)
            assert contrast(axis.textPen().color(), ground) >= TEXT
        labels = page.statistics.findChildren(QLabel)
        (place,) = (each for each in labels if each.text().startswith('<a href="minimum"'))
        image, wanted = place.grab().toImage(), colours.color(Role.Link)
        underlined = {image.pixelColor(2, y).name() for y in range(image.height())}
        assert wanted.name() in underlined  # not in the colour of the appearance before
        cross = [line.pen.color() for line in plot._cross]
        levels = [line.pen.color() for line in page.statistics.plot.lines.lines]
        bars = page.statistics.plot.curve.opts["pen"].color()
        for drawn in (*cross, *levels, bars):
            assert contrast(seen(drawn, ground), ground) >= DRAWN
        assert isinstance(plot.numbers, CellNumbers)
        assert contrast(plot.numbers.frame, ground) >= DRAWN
        for pane in plot.panes:
            made, base = pane._colours, pane._colours["base"]
            assert contrast(made["text"], seen(made["ground"], made["line"])) >= TEXT
            for name in ("line", "cross", "weak", "outline"):
                assert contrast(seen(made[name], base), base) >= DRAWN, name
    finally:
        window.look.set_appearance("system")
