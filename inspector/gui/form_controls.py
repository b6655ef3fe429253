"""Where the form of a tensor and the way its numbers are written are chosen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QWidget

from inspector.gui.form_menu import FORMS, form_label
from inspector.gui.text import Later, Texts
from inspector.values.forms import Form
from inspector.values.text import NumberFormat, formats_of

FormTexts = Texts("FormTexts")

_FORMATS: Final[dict[NumberFormat, Later]] = {
    "short": FormTexts.QT_TR_NOOP("6 digits"),
    "scientific": FormTexts.QT_TR_NOOP("Scientific"),
    "exact": FormTexts.QT_TR_NOOP("All digits"),
    "hex": FormTexts.QT_TR_NOOP("Hexadecimal"),
    "binary": FormTexts.QT_TR_NOOP("Binary"),
}


class FormBox(QComboBox):
    """Chooses the form of the tensor; hidden where it has but one."""

    #: A `Form`, chosen by the user.
    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._forms: tuple[Form, ...] = ()
        self.setAccessibleName(FormTexts.tr("Show as"))
        self.setAccessibleDescription(FormTexts.tr("Show as: the form of the numbers"))
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.activated.connect(lambda index: self.chosen.emit(self._forms[index]))
        self.hide()

    def set_forms(self, forms: tuple[Form, ...], form: Form) -> None:
        """Offer the forms of a tensor, of which one is shown."""
        if forms != self._forms:
            self._forms = forms
            self.clear()
            for index, each in enumerate(forms):
                self.addItem(form_label(each))
                self.setItemData(index, FORMS[each][1](), Qt.ItemDataRole.ToolTipRole)
            lines = (f"<b>{form_label(each)}</b>: {FORMS[each][1]()}" for each in forms)
            title = FormTexts.tr(
                "Show as, for the picture, the grid, the statistics and the export"
            )
            self.setToolTip(f"<p>{title}<br>{'<br>'.join(lines)}</p>")
        if forms:
            self.setCurrentIndex(forms.index(form))
        self.setVisible(len(forms) > 1)


class FormatBox(QComboBox):
    """Chooses how the grid writes the numbers; hidden where there is but one way.

    Each kind of number keeps the way that was chosen for it last.
    """

    #: A `NumberFormat`: chosen by the user, or for other numbers than before.
    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._formats: tuple[NumberFormat, ...] = ()
        self._last: dict[tuple[NumberFormat, ...], NumberFormat] = {}
        self.setAccessibleName(FormTexts.tr("Number format"))
        self.setToolTip(FormTexts.tr("Number format: how the grid writes the numbers"))
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.activated.connect(self._choose)
        self.hide()

    @property
    def formats(self) -> tuple[NumberFormat, ...]:
        """What is offered."""
        return self._formats

    @property
    def choices(self) -> tuple[str, ...]:
        """What was chosen for each kind of number: its formats, ``=``, and one of them."""
        return tuple(f"{' '.join(formats)}={last}" for formats, last in self._last.items())

    def choose(self, choices: Iterable[str]) -> None:
        """Take up choices from `choices`; those that make no sense change nothing."""
        known: dict[str, NumberFormat] = {each: each for each in _FORMATS}
        for choice in choices:
            offered, _, chosen = choice.partition("=")
            formats = tuple(known[name] for name in offered.split(" ") if name in known)
            if chosen in formats:
                self._last[formats] = known[chosen]

    def set_numbers(self, dtype: np.dtype[Any], *, raw: bool) -> None:
        """Offer what suits numbers of this dtype; ``raw`` ones are bits."""
        formats = formats_of(dtype, raw=raw)
        if formats != self._formats:
            self._formats = formats
            self.clear()
            for each in formats:
                integer = each == "exact" and "short" not in formats
                self.addItem(FormTexts.tr("Decimal") if integer else _FORMATS[each]())
            self.setCurrentIndex(formats.index(self._last.get(formats, formats[0])))
        self.setVisible(len(formats) > 1)
        self.chosen.emit(formats[self.currentIndex()])

    def _choose(self, index: int) -> None:
        self._last[self._formats] = self._formats[index]
        self.chosen.emit(self._formats[index])
