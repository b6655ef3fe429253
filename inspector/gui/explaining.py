"""Explains the control that has the keys, for who points at nothing."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication, QWhatsThis, QWidget


def explain_focused() -> None:
    """Show what the control that has the keys is for, beside it."""
    control = QApplication.focusWidget()
    if control is not None:
        text = explanation(control)
        QWhatsThis.showText(control.mapToGlobal(control.rect().center()), text, control)


def explanation(control: QWidget) -> str:
    """What a control is for: its own words, or those of what it is a part of."""
    part: QWidget | None = control
    while part is not None:
        text = part.whatsThis() or part.toolTip()
        if text:
            return text
        part = part.parentWidget()
    return control.accessibleName()
