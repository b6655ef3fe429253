"""Fonts that keep step with the interface's, whose size the user chooses."""

from __future__ import annotations

from PySide6.QtGui import QFont, QFontDatabase


def fixed_font() -> QFont:
    """The system's font of equal widths; a widget that is given it keeps the interface's size."""
    font = QFont()
    font.setFamilies(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).families())
    font.setStyleHint(QFont.StyleHint.Monospace)
    return font


def scaled(font: QFont, factor: float) -> QFont:
    """The same font in another size."""
    made = QFont(font)
    if font.pointSizeF() > 0:
        made.setPointSizeF(font.pointSizeF() * factor)
    else:  # its size is in pixels
        made.setPixelSize(max(1, round(font.pixelSize() * factor)))
    return made
