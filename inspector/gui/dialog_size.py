"""What dialogs share: content that may be larger than the screen, and how they are closed."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QEvent, QSize, QTimer
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QAbstractButton,
    QDialog,
    QDialogButtonBox,
    QFrame,
    QScrollArea,
    QStyle,
    QWidget,
)

from inspector.gui.text import Texts

Dialogs = Texts("Dialogs")

#: How much of the screen a dialog may take, across and down.
_MOST: Final = 0.9


class Scrolled(QScrollArea):
    """Shows all of a widget where there is room, and else a part of it.

    Parameters
    ----------
    content
        Has a layout.
    name
        What it is, for those who do not see it.
    """

    def __init__(self, content: QWidget, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setWhatsThis(Dialogs.tr("The arrow keys move what has no room"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setWidget(content)
        # Else it would have the colour of what is typed into.
        self.viewport().setAutoFillBackground(False)
        content.setAutoFillBackground(False)

    def sizeHint(self) -> QSize:
        content = self.widget()
        assert content is not None
        size = content.sizeHint()
        if content.hasHeightForWidth():
            size.setHeight(content.heightForWidth(size.width()))
        return size


def close_buttons(dialog: QDialog) -> QDialogButtonBox:
    """What closes a dialog that only shows something."""
    box = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    button = box.button(QDialogButtonBox.StandardButton.Close)
    button.setToolTip(Dialogs.tr("Close (Esc)"))
    drop_icon(button)
    box.rejected.connect(dialog.reject)
    return box


def drop_icon(button: QAbstractButton) -> None:
    """Take from a standard button the icon of the style, which is black in the dark as well."""
    button.setIcon(QIcon())


class RoomyDialog(QDialog):
    """Is as large as its content, within the screen; also when its font changes."""

    def setVisible(self, visible: bool) -> None:
        """Show it, or hide it."""
        if visible:
            self.fit()
        super().setVisible(visible)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and self.isVisible():
            # What is in it takes the font after this.
            QTimer.singleShot(0, self, self.fit)

    def fit(self) -> None:
        """Take up the size that the content has now."""
        for area in self.findChildren(Scrolled):
            area.updateGeometry()
        wanted, most = self.sizeHint(), self.screen().availableSize() * _MOST
        if wanted.height() > most.height():
            bar = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
            wanted.setWidth(wanted.width() + bar)
        self.resize(wanted.boundedTo(most))
