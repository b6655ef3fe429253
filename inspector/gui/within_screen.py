"""Content that asks for no more room than the screen has, however large the interface is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QMainWindow, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

#: Pixels that a window's frame takes of the screen, about: on both sides, and with the title.
_FRAME: Final = QSize(8, 40)


def room_of(window: QMainWindow) -> QSize:
    """How large a window can be on its screen, px, without its frame."""
    return window.screen().availableSize() - _FRAME


class PageColumn(QWidget):
    """Pages with strips above and below them; what has no room on the screen is scrolled.

    Parameters
    ----------
    above, below
        Strips that come and go.
    pages
        What is shown between them.
    room
        How large all of it may be at the least, px.
    """

    def __init__(
        self,
        above: Sequence[QWidget],
        pages: QWidget,
        below: Sequence[QWidget],
        room: Callable[[], QSize],
    ) -> None:
        super().__init__()
        self._strips = (*above, *below)
        self._room = room
        self._left = QSize()
        #: Where the pages are scrolled.
        self.area = WithinScreen(pages, self._left_for_pages)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for strip in above:
            column.addWidget(strip)
        column.addWidget(self.area, 1)
        for strip in below:
            column.addWidget(strip)

    def _left_for_pages(self) -> QSize:
        there = [strip for strip in self._strips if not strip.isHidden()]
        return self._room() - QSize(0, sum(strip.minimumSizeHint().height() for strip in there))

    def event(self, event: QEvent) -> bool:
        """Leave the pages more or less room when a strip goes or comes."""
        if event.type() == QEvent.Type.LayoutRequest:
            left, self._left = self._left, self._left_for_pages()
            if self._left != left:
                self.area.updateGeometry()
        return super().event(event)


class WithinScreen(QScrollArea):
    """Is as small as its content can be, unless that is too large: then the content scrolls.

    Parameters
    ----------
    content
        What to show.
    room
        How large this may be at the least, px; asked anew with each change of the content.
    """

    def __init__(self, content: QWidget, room: Callable[[], QSize]) -> None:
        super().__init__()
        self._room = room
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidgetResizable(True)
        self._stage = _Stage(content)
        self._stage.setAutoFillBackground(False)
        self.setWidget(self._stage)
        self.viewport().setAutoFillBackground(False)

    def minimumSizeHint(self) -> QSize:
        return self._stage.minimumSizeHint().boundedTo(self._room())

    def sizeHint(self) -> QSize:
        return self._stage.sizeHint()

    def event(self, event: QEvent) -> bool:
        """Tell the layout around of another minimum."""
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.ScreenChangeInternal):
            self.updateGeometry()
        return super().event(event)


class Shortened(QScrollArea):
    """Shows all rows of some figures where there is room for them, and else scrolls.

    Parameters
    ----------
    rows
        Lines of text that are seen at the least.
    """

    def __init__(self, content: QWidget, rows: int) -> None:
        super().__init__()
        self._rows = rows
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.setWidgetResizable(True)
        self.setWidget(content)
        for background in (self.viewport(), content):
            background.setAutoFillBackground(False)

    def sizeHint(self) -> QSize:
        content = self.widget()
        assert content is not None
        return content.sizeHint()

    def minimumSizeHint(self) -> QSize:
        content = self.widget()
        assert content is not None
        least = content.minimumSizeHint()
        rows = self._rows * self.fontMetrics().height()
        if self.verticalScrollBar().isVisible():
            least.setWidth(least.width() + self.verticalScrollBar().sizeHint().width())
        return QSize(least.width(), min(least.height(), rows))

    def event(self, event: QEvent) -> bool:
        """Tell the layout around of another size."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().event(event)


class _Stage(QWidget):
    """Has its one child in all of its place.

    A layout would do more: a scroll area gives what has a height for each width as much height as
    it likes to have, not as little as it can do with.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self._content = content
        content.setParent(self)

    def minimumSizeHint(self) -> QSize:
        return self._content.minimumSizeHint()

    def sizeHint(self) -> QSize:
        return self._content.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._content.resize(self.size())

    def event(self, event: QEvent) -> bool:
        """Pass on that the child needs another size."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().event(event)
