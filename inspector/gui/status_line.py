"""The line at the bottom of the window: an element of the tensor, or what was done last."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

from inspector.gui.accessible import announce
from inspector.gui.text import Texts
from inspector.gui.tree_parts import FittingLine

Status = Texts("Status")


@dataclass(frozen=True, slots=True)
class ReadOut:
    """What is said of one element.

    Attributes
    ----------
    texts
        The line in ever fewer words, the longest first.
    head
        Which element it is, and its value.
    value
        The number alone.
    table
        What its bits say, as HTML.
    exact
        The value with all its digits, for the clipboard.
    """

    texts: tuple[str, ...]
    head: str
    value: str
    table: str
    exact: str


class StatusLine(FittingLine):
    """Says as much of either as there is room for; its tooltip has all."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setAccessibleDescription(Status.tr("Value under the cursor"))
        self.setWhatsThis(
            Status.tr(
                "The value under the mouse, or of the current cell, with its bits, its exact "
                "decimal value and how far the next numbers are; or what was done last."
            )
        )
        self._full = ""

    @property
    def full(self) -> str:
        """What would be said with all the room there is."""
        return self._full

    def show_element(self, found: ReadOut | None) -> None:
        """Say what there is to say of an element; None says nothing."""
        self._full = found.texts[0] if found else ""
        self.set_texts(found.texts if found else ())
        self.setToolTip(f"<p><b>{escape(found.head)}</b></p>{found.table}" if found else "")

    def tell(self, text: str) -> None:
        """Say a sentence."""
        self._full = text
        announce(self, text)
        self.set_texts((text,))
        self.setToolTip(f"<p>{escape(text)}</p>" if text else "")


class SelectionLabel(QLabel):
    """Says how much is selected; hidden while it is a single cell."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleDescription(Status.tr("Selection"))
        self.hide()

    def tell(self, text: str) -> None:
        """Say it; nothing if empty."""
        self.setText(text)
        self.setVisible(bool(text))
