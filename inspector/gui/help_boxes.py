"""What the Help menu shows: all keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QLabel,
    QMainWindow,
    QMenu,
    QVBoxLayout,
    QWidget,
)

from inspector.gui.dialog_size import RoomyDialog, Scrolled, close_buttons
from inspector.gui.text import Texts

Keys = Texts("Keys")

#: Keys and gestures that are in no menu.
_BESIDE: Final = (
    (Keys.QT_TR_NOOP("Tab, Shift+Tab"), Keys.QT_TR_NOOP("To the next control, or back")),
    (
        Keys.QT_TR_NOOP("Arrows, Page keys, Home, End"),
        Keys.QT_TR_NOOP("Move the cell; with Ctrl to the edges"),
    ),
    (Keys.QT_TR_NOOP("+, −, 0 in the picture"), Keys.QT_TR_NOOP("Zoom in, out, show all of it")),
    (
        Keys.QT_TR_NOOP("Shift + arrows in the picture"),
        Keys.QT_TR_NOOP("Move by a tenth of what is in view"),
    ),
    (Keys.QT_TR_NOOP("Arrows on a divider"), Keys.QT_TR_NOOP("Share out the room")),
    (Keys.QT_TR_NOOP("Shift + these in the values"), Keys.QT_TR_NOOP("Select; also Shift + click")),
    (
        Keys.QT_TR_NOOP("Shift+Space, Ctrl+Space"),
        Keys.QT_TR_NOOP("Select whole rows, whole columns"),
    ),
    (Keys.QT_TR_NOOP("Ctrl+A"), Keys.QT_TR_NOOP("Select all values")),
    (
        Keys.QT_TR_NOOP("Ctrl or Shift + click"),
        Keys.QT_TR_NOOP("Select several tensors for one export"),
    ),
    (Keys.QT_TR_NOOP("Dragging a tensor"), Keys.QT_TR_NOOP("Takes it to a file manager, as .npy")),
    (
        Keys.QT_TR_NOOP("Wheel, drag, double-click"),
        Keys.QT_TR_NOOP("Zoom, move and fit the picture"),
    ),
)


class KeysBox(RoomyDialog):
    """All keys, in two columns.

    Parameters
    ----------
    text
        Rich text.
    """

    def __init__(self, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(Keys.tr("Keys"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._words = QLabel(text)
        self._words.setTextFormat(Qt.TextFormat.RichText)
        content = QWidget()
        QVBoxLayout(content).addWidget(self._words)
        layout = QVBoxLayout(self)
        layout.addWidget(Scrolled(content, Keys.tr("All keys")), 1)
        layout.addWidget(close_buttons(self))

    def text(self) -> str:
        """What is said, as rich text."""
        return self._words.text()


def show_keys(window: QMainWindow) -> None:
    """Every key of the window, those of its menus first."""
    in_menus = [
        (action.shortcut().toString(QKeySequence.SequenceFormat.NativeText), action.text())
        for action in _below(window.menuBar().actions())
        if not action.shortcut().isEmpty()
    ]
    rows = [*in_menus, *((keys(), text()) for keys, text in _BESIDE)]
    half = (len(rows) + 1) // 2  # side by side, or it is higher than a screen
    columns = "".join(f"<td>{_table(part)}</td>" for part in (rows[:half], rows[half:]))
    KeysBox(f"<table cellspacing='12'><tr>{columns}</tr></table>", window).open()


def _table(rows: Sequence[tuple[str, str]]) -> str:
    cells = (
        f"<tr><td style='padding-right:16px'><b>{escape(keys)}</b></td>"
        f"<td>{escape(text.replace('&', ''))}</td></tr>"
        for keys, text in rows
    )
    return f"<table cellspacing='4' style='white-space:nowrap'>{''.join(cells)}</table>"


def _below(actions: Sequence[QAction]) -> Iterator[QAction]:
    """The actions of menus and of the menus in them."""
    for action in actions:
        menu = action.menu()
        if isinstance(menu, QMenu):
            yield from _below(menu.actions())
        else:
            yield action
