"""The forms of a tensor by name, and the menu that offers them. NumPy is not needed for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from inspector.gui.text import Later, Texts

if TYPE_CHECKING:
    from inspector.values.forms import Form

FormNames = Texts("FormNames")

#: For each form: what it is called, with its key in the menu, and what it is.
FORMS: Final[dict[Form, tuple[Later, Later]]] = {
    "values": (
        FormNames.QT_TR_NOOP("&Values"),
        FormNames.QT_TR_NOOP("What the numbers mean"),
    ),
    "real": (
        FormNames.QT_TR_NOOP("R&eal part"),
        FormNames.QT_TR_NOOP("The real part of each complex number"),
    ),
    "imaginary": (
        FormNames.QT_TR_NOOP("&Imaginary part"),
        FormNames.QT_TR_NOOP("The imaginary part of each complex number"),
    ),
    "magnitude": (
        FormNames.QT_TR_NOOP("&Magnitude"),
        FormNames.QT_TR_NOOP("The distance of each complex number from zero"),
    ),
    "phase": (
        FormNames.QT_TR_NOOP("&Phase"),
        FormNames.QT_TR_NOOP("The angle of each complex number, in radians"),
    ),
    "integers": (
        FormNames.QT_TR_NOOP("I&ntegers"),
        FormNames.QT_TR_NOOP("The integers as stored, before scale and zero point"),
    ),
    "pattern": (
        FormNames.QT_TR_NOOP("Pa&ttern"),
        FormNames.QT_TR_NOOP("Where a sparse tensor stores an element"),
    ),
    "raw": (
        FormNames.QT_TR_NOOP("&Raw bits"),
        FormNames.QT_TR_NOOP("The stored bits of each number, as an unsigned integer"),
    ),
}


def form_label(form: Form) -> str:
    """What a form is called."""
    return FORMS[form][0]().replace("&", "")


class FormMenu(QMenu):
    """The same choice as a menu; it has no entries for what the tensor does not have."""

    #: A `Form`, chosen by the user.
    chosen = Signal(str)

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(title, parent)
        group = QActionGroup(self)
        self._actions: dict[Form, QAction] = {}
        for form, (label, tip) in FORMS.items():
            action = QAction(label(), self)
            action.setToolTip(tip())
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
