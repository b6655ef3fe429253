"""The forms of a tensor by name, and the menu that offers them. NumPy is not needed for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

if TYPE_CHECKING:
    from inspector.values.forms import Form

#: For each form: what it is called, with its key in the menu, and what it is.
FORMS: Final[dict[Form, tuple[str, str]]] = {
    "values": ("&Values", "What the numbers mean"),
    "real": ("R&eal part", "The real part of each complex number"),
    "imaginary": ("&Imaginary part", "The imaginary part of each complex number"),
    "magnitude": ("&Magnitude", "The distance of each complex number from zero"),
    "phase": ("&Phase", "The angle of each complex number, in radians"),
    "integers": ("I&ntegers", "The integers as stored, before scale and zero point"),
    "pattern": ("Pa&ttern", "Where a sparse tensor stores an element"),
    "raw": ("&Raw bits", "The stored bits of each number, as an unsigned integer"),
}


def form_label(form: Form) -> str:
    """What a form is called."""
    return FORMS[form][0].replace("&", "")


class FormMenu(QMenu):
    """The same choice as a menu; it has no entries for what the tensor does not have."""

    #: A `Form`, chosen by the user.
    chosen = Signal(str)

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        group = QActionGroup(self)
        self._actions: dict[Form, QAction] = {}
        for form, (label, tip) in FORMS.items():
            action = QAction(label, self)
            action.setToolTip(tip)
            action.setCheckable(True)
            action.triggered.connect(partial(self.chosen.emit, form))
            group.addAction(action)
            self.addAction(action)
            self._actions[form] = action
        self.setToolTipsVisible(True)
        self.set_forms((), "values")

    def set_forms(self, forms: Sequence[Form], form: Form) -> None:
        """Offer the forms of a tensor, of which one is shown."""
        for each, action in self._actions.items():
            action.setVisible(each in forms)
            action.setChecked(each == form)
        self.menuAction().setEnabled(len(forms) > 1)
