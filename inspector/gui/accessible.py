"""What a screen reader is told of the window: roles of painted views, and what has just changed."""

from __future__ import annotations

from functools import cache
from typing import Final

from PySide6.QtCore import QObject
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QAccessibleInterface
from PySide6.QtWidgets import QAccessibleWidget, QWidget

#: What the views are that paint themselves, by the name of their class. Qt can only guess.
_ROLES: Final = {
    "ValueGrid": QAccessible.Role.Table,
    "PicturePlot": QAccessible.Role.Graphic,
    "HistogramPlot": QAccessible.Role.Chart,
    "Scrolled": QAccessible.Role.Pane,
}


@cache
def install_roles() -> None:
    """Have Qt ask here for the roles of widgets, once in the life of the process."""
    QAccessible.installFactory(_interface)


def _interface(name: str, found: QObject | None) -> QAccessibleInterface | None:
    role = _ROLES.get(name)
    if role is None or not isinstance(found, QWidget):
        return None
    return QAccessibleWidget(found, role)


def announce(speaker: QWidget, text: str, *, urgent: bool = False) -> None:
    """Have a screen reader say something, after what it says at present; urgent at once."""
    if not text or not QAccessible.isActive():
        return
    event = QAccessibleAnnouncementEvent(speaker, text)
    if urgent:
        event.setPoliteness(QAccessible.AnnouncementPoliteness.Assertive)
    QAccessible.updateAccessibility(event)


def describe(view: QWidget, text: str) -> None:
    """Take what a view shows at its current place as its description, and say it with the keys."""
    if text != view.accessibleDescription():
        view.setAccessibleDescription(text)
        if view.hasFocus():
            announce(view, text)
