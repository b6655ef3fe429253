"""Every action of the window by name: a few letters, arrows, Enter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QFocusEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPalette,
)
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMainWindow,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from inspector.gui.accessible import describe
from inspector.gui.fuzzy import cost
from inspector.gui.settings import SettingsStore
from inspector.gui.text import Texts

Palette = Texts("Palette")

#: How many commands are remembered as used, and how many rows are seen at a time.
_REMEMBERED: Final = 20
_ROWS: Final = 12

#: Characters across.
_WIDTH: Final = 76

#: Pixels around a text.
_MARGIN: Final = 10

#: The role under which a row has its `Command`.
_COMMAND: Final = Qt.ItemDataRole.UserRole


@dataclass(frozen=True, slots=True, eq=False)
class Command:
    """An action that can be done now.

    Attributes
    ----------
    title
        What it is called, without the mark of its letter.
    path
        The menus that lead to it, such as ``View``, or ``Edit › Copy values as``.
    keys
        Its shortcut as the platform writes it; may be empty.
    is_checked
        Whether it is on.
    """

    title: str
    path: str
    keys: str
    is_checked: bool
    action: QAction

    @property
    def name(self) -> str:
        """What tells it from all others, from one start to the next."""
        return f"{self.path} › {self.title}"


def commands_of(actions: Sequence[QAction], path: str = "") -> Iterator[Command]:
    """Every action of menus, and of the menus in them, that can be done now.

    One that has a text as its data is called by that.
    """
    for action in actions:
        if not (action.isEnabled() and action.isVisible()) or action.isSeparator():
            continue
        title = named if isinstance(named := action.data(), str) else _plain(action.text())
        menu = action.menu()
        if isinstance(menu, QMenu):
            yield from commands_of(menu.actions(), f"{path} › {title}" if path else title)
        else:
            keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            yield Command(title, path, keys, action.isChecked(), action)


def _plain(text: str) -> str:
    """A label without the mark of its letter."""
    return text.replace("&&", "\0").replace("&", "").replace("\0", "&").removesuffix("…")


def found(commands: Sequence[Command], query: str, used: Sequence[str]) -> list[Command]:
    """The commands that are meant, the likeliest first; of like ones the last used first.

    Parameters
    ----------
    used
        The names of those that were used, the last first.
    """
    ages = {name: age for age, name in enumerate(used)}
    likely = [
        (distance, ages.get(command.name, len(ages)), order, command)
        for order, command in enumerate(commands)
        if (distance := cost(query, command.title, command.path)) is not None
    ]
    return [command for *_, command in sorted(likely, key=lambda each: each[:3])]


class CommandPalette(QFrame):
    """Lies over the upper part of the window until something is chosen, or Esc is pressed."""

    def __init__(self, settings: SettingsStore, own: QAction, window: QMainWindow) -> None:
        super().__init__(window)
        self._settings = settings
        self._own = own
        self._window = window
        self._before: QWidget | None = None
        self._commands: tuple[Command, ...] = ()
        self.setAutoFillBackground(True)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.box = _Box(self._move)
        self.box.setPlaceholderText(Palette.tr("What to do"))
        self.box.setAccessibleName(Palette.tr("Command"))
        self.box.setToolTip(
            Palette.tr("A few letters of a command; arrows choose, Enter does it, Esc leaves")
        )
        self.box.textChanged.connect(self._search)
        self.box.returnPressed.connect(self._do_current)
        self.box.left.connect(self.close_down)
        self.list = QListWidget()
        self.list.setAccessibleName(Palette.tr("Commands"))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setUniformItemSizes(True)
        self.list.setItemDelegate(_Row(self.list))
        self.list.itemClicked.connect(self._do)
        # The keys stay in the box.
        self.list.currentTextChanged.connect(partial(describe, self.box))
        self._nothing = QLabel(Palette.tr("There is no such command"))
        self._nothing.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self._nothing.setContentsMargins(_MARGIN, 2, _MARGIN, 6)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.box)
        layout.addWidget(self.list)
        layout.addWidget(self._nothing)
        self.hide()

    @property
    def shown(self) -> tuple[Command, ...]:
        """The commands that are listed."""
        items = map(self.list.item, range(self.list.count()))
        return tuple(item.data(_COMMAND) for item in items)

    def open_up(self) -> None:
        """Begin, or end if it had begun."""
        if self.isVisible():
            self.close_down()
            return
        self._before = QApplication.focusWidget()
        self._commands = self._known()
        self.box.clear()
        self._search()
        self.raise_()
        self.show()
        self.box.setFocus(Qt.FocusReason.PopupFocusReason)

    def _known(self) -> tuple[Command, ...]:
        """What can be done now."""
        everything = commands_of(self._window.menuBar().actions())
        return tuple(each for each in everything if each.action is not self._own)

    def close_down(self) -> None:
        """End, with the keys where they were before."""
        if self.isVisible():
            had_keys = self.box.hasFocus()
            self.hide()
            if had_keys and self._before is not None:
                self._before.setFocus(Qt.FocusReason.PopupFocusReason)
            self._before, self._commands = None, ()
            self.list.clear()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()  # it is not one on the window

    def _search(self) -> None:
        used = self._settings.current.commands
        self.list.clear()
        for command in found(self._commands, self.box.text(), used):
            item = QListWidgetItem(f"{command.title}, {command.path}")
            item.setData(_COMMAND, command)
            self.list.addItem(item)
        self.list.setCurrentRow(0)
        self._place()

    def _place(self) -> None:
        count = self.list.count()
        row = self.list.sizeHintForRow(0) if count else 0
        self.list.setFixedHeight(row * min(count, _ROWS))
        self.list.setVisible(bool(count))
        self._nothing.setVisible(not count)
        width = self.fontMetrics().averageCharWidth() * _WIDTH
        room = self._window.rect()
        self.setFixedWidth(min(width, room.width() - 20))
        self.adjustSize()
        top = self._window.menuBar().geometry().bottom() + 8
        self.move((room.width() - self.width()) // 2, top)

    def _move(self, steps: int) -> None:
        count = self.list.count()
        if count:
            # One step goes around the end, a page stops there.
            to = self.list.currentRow() + steps
            to = to % count if abs(steps) == 1 else min(max(to, 0), count - 1)
            self.list.setCurrentRow(to)

    def _do_current(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self._do(item)

    def _do(self, item: QListWidgetItem) -> None:
        command: Command = item.data(_COMMAND)
        self.close_down()
        self._settings.update(
            lambda now: replace(
                now,
                commands=(
                    command.name,
                    *(name for name in now.commands if name != command.name),
                )[:_REMEMBERED],
            )
        )
        # By its name: a menu may have been filled anew since the command was listed.
        for each in self._known():
            if each.name == command.name:
                each.action.trigger()
                return


class _Box(QLineEdit):
    """Where is typed; the arrows are for the list."""

    #: Esc, or the keys went elsewhere.
    left = Signal()

    def __init__(self, move: Callable[[int], None]) -> None:
        super().__init__()
        self._move = move
        self.setAcceptDrops(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = _STEPS.get(Qt.Key(event.key()))
        if steps is not None:
            self._move(steps)
        elif event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.ActiveWindowFocusReason:
            self.left.emit()


_STEPS: Final = {
    Qt.Key.Key_Down: 1,
    Qt.Key.Key_Up: -1,
    Qt.Key.Key_PageDown: _ROWS,
    Qt.Key.Key_PageUp: -_ROWS,
}


class _Row(QStyledItemDelegate):
    """Paints a command: what it is called, in which menu it is, and its keys."""

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        return QSize(10, option.fontMetrics.height() + _MARGIN)

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        command: Command = index.data(_COMMAND)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        colours = option.palette
        if chosen:
            painter.fillRect(option.rect, colours.color(QPalette.ColorRole.Highlight))
        strong = QPalette.ColorRole.HighlightedText if chosen else QPalette.ColorRole.Text
        weak = strong if chosen else QPalette.ColorRole.PlaceholderText
        metrics, area = option.fontMetrics, option.rect.adjusted(_MARGIN, 0, -_MARGIN, 0)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.save()
        painter.setPen(colours.color(weak))
        painter.drawText(area, int(middle | Qt.AlignmentFlag.AlignRight), command.keys)
        keys = metrics.horizontalAdvance(command.keys) + 2 * _MARGIN if command.keys else 0
        room = QRect(area.left(), area.top(), area.width() - keys, area.height())
        mark = "✓ " if command.is_checked else ""
        elide = Qt.TextElideMode.ElideRight
        title = metrics.elidedText(mark + command.title, elide, room.width())
        painter.setPen(colours.color(strong))
        painter.drawText(room, int(middle), title)
        room.setLeft(room.left() + metrics.horizontalAdvance(title) + metrics.height())
        painter.setPen(colours.color(weak))
        painter.drawText(room, int(middle), metrics.elidedText(command.path, elide, room.width()))
        painter.restore()
