"""A language that no user has: every text is longer, in letters that no English text has."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication, QObject, Qt, QTranslator
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QComboBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QTableView,
    QTextBrowser,
    QWidget,
)

_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_STRANGE = "àƀçđéƒğĥíĵķļɱñöþɋŕšţúṽŵẋýžÀƁÇĐÉƑĞĤÍĴĶĻṀÑÖÞɊŔŠŢÚṼŴẊÝŽ"
_LETTERS = str.maketrans(_PLAIN, _STRANGE)

#: What stays as it is in a text: fields, tags, entities.
_KEPT = re.compile(r"(\{[^}]*\}|<[^>]*>|&[a-z]+;)")

#: Qt's own texts that are no words for people: the names of keys, and a direction. (So is what
#: a dialog for files takes for a pattern.)
_NO_WORDS = ("QShortcut", "QGuiApplication")

#: How much longer a text is.
_LONGER = 0.35

_CODE = re.compile(r"<pre>.*</pre>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_ENTITY = re.compile(r"&[a-z]+;|&#\d+;")
_KEY = re.compile(r"\b(?:Ctrl|Shift|Alt|Meta)\+|\b(?:Right|Left|Home|Del|F\d+)\b")
_HEXADECIMAL = re.compile(r"0x[0-9A-Fa-f]+")
_NUMBER = re.compile(r"\d[\d.,]*(?:e[+-]?\d+)?j?")
_WORD = re.compile(r"[A-Za-z]{2,}")


def pseudo(text: str) -> str:
    """A text in this language, with its fields, tags and the mark of its letter."""
    parts = _KEPT.split(text)
    parts[::2] = [part.translate(_LETTERS) for part in parts[::2]]
    padding = "~" * round(len(_KEPT.sub("", text)) * _LONGER)
    padding = " ".join(padding[start : start + 8] for start in range(0, len(padding), 8))
    return f"[{''.join(parts)}{padding}]"


class Pseudo(QTranslator):
    """Translates all that it is asked for, and remembers it."""

    def __init__(self) -> None:
        super().__init__()
        #: Contexts and texts.
        self.asked: set[tuple[str, str]] = set()

    def isEmpty(self) -> bool:
        return False

    def translate(
        self, context: str, text: str, disambiguation: str | None = None, n: int = -1
    ) -> str:
        if context in _NO_WORDS or text.endswith("(*)"):
            return None  # type: ignore[return-value]  # it is not translated
        self.asked.add((context, text))
        return pseudo(text)


@contextmanager
def pseudo_language() -> Iterator[Pseudo]:
    """Everything that is made meanwhile speaks it."""
    made = Pseudo()
    QCoreApplication.installTranslator(made)
    try:
        yield made
    finally:
        QCoreApplication.removeTranslator(made)


def english_in(text: str, allowed: Collection[str]) -> list[str]:
    """The words of a text that are not translated.

    Parameters
    ----------
    allowed
        Texts that are the same in every language, such as names in a file.
    """
    text = text.replace("\u200b", "")
    if text.endswith("…") and any(part.startswith(text[:-1]) for part in allowed):
        return []
    for what in (_CODE, _TAG, _ENTITY, _KEY):
        text = what.sub(" ", text)
    for part in sorted(allowed, key=len, reverse=True):
        if _WORD.search(part):
            text = text.replace(part, " ")
    for what in (_HEXADECIMAL, _NUMBER):
        text = what.sub(" ", text)
    return _WORD.findall(text)


def texts_of(widget: QWidget) -> Iterator[tuple[str, str]]:
    """The texts of a widget and of all that is in it or belongs to it, seen or not, and where."""
    for each in (widget, *widget.findChildren(QObject)):
        name = type(each).__name__
        if isinstance(each, QAction):
            found: Iterable[str] = (each.text(), each.toolTip(), each.iconText())
        elif isinstance(each, QWidget) and not _is_qts_own(each):
            found = (*_told(each), *_said(each))
        else:
            continue
        yield from ((name, text) for text in found if text)


def _is_qts_own(widget: QWidget) -> bool:
    """Whether it is a part of Qt's dialog for files, which shows what is on the disk."""
    parent: QWidget | None = widget.parentWidget()
    while parent is not None and not isinstance(parent, QFileDialog):
        parent = parent.parentWidget()
    return parent is not None


def _told(widget: QWidget) -> Iterator[str]:
    """What a widget says of itself."""
    yield widget.toolTip()
    yield widget.whatsThis()
    yield widget.statusTip()
    yield widget.accessibleName()
    yield widget.accessibleDescription()
    if widget.isWindow():
        yield widget.windowTitle()


def _said(widget: QWidget) -> Iterator[str]:
    """What is written in a widget."""
    if isinstance(widget, QFileDialog):
        yield from widget.nameFilters()
    elif isinstance(widget, QLabel | QAbstractButton):
        yield widget.text()
    elif isinstance(widget, QLineEdit):
        yield widget.placeholderText()
    elif isinstance(widget, QMenu):
        yield widget.title()
    elif isinstance(widget, QTextBrowser):
        yield widget.toPlainText()
    elif isinstance(widget, QComboBox):
        for number in range(widget.count()):
            yield widget.itemText(number)
            yield widget.itemData(number, Qt.ItemDataRole.ToolTipRole) or ""
    elif isinstance(widget, pg.PlotWidget):
        for item in widget.scene().items():
            yield item.toolTip()
            yield getattr(item, "labelText", "")
    elif isinstance(widget, QAbstractItemView) and widget.model() is not None:
        yield from _listed(widget)


def _listed(view: QAbstractItemView) -> Iterator[str]:
    model = view.model()
    roles = (
        Qt.ItemDataRole.DisplayRole,
        Qt.ItemDataRole.ToolTipRole,
        Qt.ItemDataRole.AccessibleTextRole,
    )
    columns = model.columnCount() if isinstance(view, QTableView) else 1
    for column in range(columns):
        for role in roles:
            yield str(model.headerData(column, Qt.Orientation.Horizontal, role) or "")
            for row in range(model.rowCount()):
                yield str(model.index(row, column).data(role) or "")
