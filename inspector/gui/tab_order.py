"""In which order Tab leads through the controls."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

# `QWidget.nextInFocusChain` must not be asked: PySide takes the widget that it returns for a child
# of the one before, and believes it deleted when that one is.


def tab_stops(*parts: QWidget) -> list[QWidget]:
    """Where Tab stops in parts of the window when they show, one part after the other.

    In a part they follow each other as they were added to it. It may be a control itself.
    """
    inside = [stop for part in parts for stop in (part, *part.findChildren(QWidget))]
    return [
        widget
        for widget in inside
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and widget.focusProxy() is None
        and widget.window() is parts[0].window()  # not the list of a box that unfolds
    ]


def lead_through(stops: Iterable[QWidget]) -> None:
    """Have Tab lead from each of these to the next."""
    for before, after in pairwise(stops):
        QWidget.setTabOrder(before, after)
