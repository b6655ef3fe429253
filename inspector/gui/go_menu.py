"""Ways through a tensor: to an index, and to the next element of a kind."""

from __future__ import annotations

from functools import partial
from typing import Final, Literal

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from inspector.gui.text import Later, Texts

Going = Texts("Going")

#: What can be looked for.
Wanted = Literal["nan", "infinite", "zero", "minimum", "maximum"]

#: What the next and the previous of each are called in the menu, and the key.
_NEXT: Final[tuple[tuple[Wanted, Later, Later, str], ...]] = (
    ("nan", Going.QT_TR_NOOP("Next &NaN"), Going.QT_TR_NOOP("Previous &NaN"), "N"),
    (
        "infinite",
        Going.QT_TR_NOOP("Next &infinity"),
        Going.QT_TR_NOOP("Previous &infinity"),
        "I",
    ),
    ("zero", Going.QT_TR_NOOP("Next &zero"), Going.QT_TR_NOOP("Previous &zero"), "0"),
    (
        "minimum",
        Going.QT_TR_NOOP("Next mi&nimum"),
        Going.QT_TR_NOOP("Previous mi&nimum"),
        "",
    ),
    (
        "maximum",
        Going.QT_TR_NOOP("Next ma&ximum"),
        Going.QT_TR_NOOP("Previous ma&ximum"),
        "",
    ),
)

#: What each is called in a sentence.
NAMES: Final[dict[Wanted, Later]] = {
    "nan": Going.QT_TR_NOOP("NaN"),
    "infinite": Going.QT_TR_NOOP("infinity"),
    "zero": Going.QT_TR_NOOP("zero"),
    "minimum": Going.QT_TR_NOOP("minimum"),
    "maximum": Going.QT_TR_NOOP("maximum"),
}


class GoMenu(QMenu):
    """The menu; it does nothing by itself."""

    index_requested = Signal()
    #: A `Wanted`, and whether forward.
    next_requested = Signal(str, bool)
    #: By how many slices to go along the first held axis.
    step_requested = Signal(int)
    play_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Going.tr("&Go"), parent)
        self._actions: list[QAction] = []
        self._available = self._has_slices = False
        self._add(Going.tr("To an inde&x…"), "Ctrl+G", self.index_requested.emit)
        self.addSeparator()
        self._slices = [
            self._add(Going.tr("Next &slice"), "Alt+Right", partial(self.step_requested.emit, 1)),
            self._add(
                Going.tr("Previous s&lice"), "Alt+Left", partial(self.step_requested.emit, -1)
            ),
            self._add(Going.tr("&Play slices, or stop"), "Alt+P", self.play_requested.emit),
        ]
        for action in self._slices:
            action.setToolTip(Going.tr("Along the first axis that is not shown"))
        self.setToolTipsVisible(True)
        for forward, keys in ((True, "Alt+"), (False, "Alt+Shift+")):
            self.addSeparator()
            for wanted, following, preceding, key in _NEXT:
                self._add(
                    following() if forward else preceding(),
                    f"{keys}{key}" if key else "",
                    partial(self.next_requested.emit, wanted, forward),
                )
        self.set_available(False)

    def _add(self, text: str, shortcut: str, action: object) -> QAction:
        made = QAction(text, self)
        if shortcut:
            made.setShortcut(QKeySequence(shortcut))
        made.triggered.connect(action)
        self.addAction(made)
        self._actions.append(made)
        return made

    def take_play_menu(self, menu: QMenu) -> None:
        """Offer how slices are played, after the action that plays them."""
        actions = self.actions()
        after = actions.index(self._slices[-1]) + 1
        self.insertMenu(actions[after], menu)
        self._actions.append(menu.menuAction())
        self._slices.append(menu.menuAction())
        self._update()

    def set_available(self, available: bool) -> None:
        """Whether there is a tensor to go through."""
        self._available = available
        self._update()

    def set_slices(self, has_slices: bool) -> None:
        """Whether it has an axis that is not shown, with more than one index."""
        self._has_slices = has_slices
        self._update()

    def _update(self) -> None:
        for action in self._actions:
            is_there = self._has_slices or action not in self._slices
            action.setEnabled(self._available and is_there)
