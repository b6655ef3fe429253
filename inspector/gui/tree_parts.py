"""The small widgets above and below the tensor tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QLineEdit, QSizePolicy, QWidget

from inspector.gui.text import Texts

Tree = Texts("Tree")

#: Characters of a filter, at most.
_LONGEST_FILTER: Final = 1_000

_EXPLAINED: Final = Tree.QT_TR_NOOP(
    """<p>Words that are part of the name, in any order; all must be there.</p>
<table cellspacing="3">
<tr><td><b>q_proj weight</b></td><td>both words</td></tr>
<tr><td><b>-bias</b></td><td>not this; a minus goes before any term</td></tr>
<tr><td><b>"a b"</b></td><td>a word with a space, or that looks like a term</td></tr>
<tr><td><b>/layers\\.[0-3]\\./</b></td><td>a regular expression, also <b>re:…</b></td></tr>
<tr><td><b>dtype:bf16</b></td><td>a type or how it begins; several with commas</td></tr>
<tr><td><b>shape:4096x1024</b></td><td>a shape; <b>?</b> is any axis, <b>*</b> one or more</td></tr>
<tr><td><b>shape:*x3x3</b>, <b>shape:4d</b></td><td>its last axes, its number of axes</td></tr>
<tr><td><b>size:&gt;1MB</b></td><td>bytes; &gt; &gt;= &lt; &lt;= = and kB, KiB, MB …</td></tr>
<tr><td><b>device:cuda</b></td><td>saved from such a device</td></tr>
<tr><td><b>kind:sparse</b></td><td>sparse, quantized, nested, meta …</td></tr>
</table>"""
)


class FilterBox(QLineEdit):
    """Where the filter is typed."""

    #: Enter or the Down key: on to the rows.
    left_downwards = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAcceptDrops(False)  # what is dropped is for the window to open
        self.setClearButtonEnabled(True)
        self.setMaxLength(_LONGEST_FILTER)
        self.setPlaceholderText(Tree.tr("Filter: q_proj dtype:bf16 size:>1MB"))
        self.setToolTip(_EXPLAINED())
        self.setAccessibleName(Tree.tr("Filter of the tensors"))
        self.setAccessibleDescription(
            Tree.tr("Words, dtype:, shape:, size:, device:, kind:, /expression/")
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.left_downwards.emit()
        elif event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        else:
            super().keyPressEvent(event)


class FittingLine(QLabel):
    """One line that says less where there is less room."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._texts: Sequence[str] = ()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def set_texts(self, texts: Sequence[str]) -> None:
        """What to say, the longest first."""
        self._texts = texts
        self._fit()

    def _fit(self) -> None:
        room = self.contentsRect().width() - 2 * self.margin()
        metrics = self.fontMetrics()
        for text in self._texts:
            if metrics.horizontalAdvance(text) <= room:
                self.setText(text)
                return
        last = self._texts[-1] if self._texts else ""
        self.setText(metrics.elidedText(last, Qt.TextElideMode.ElideRight, max(room, 0)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def minimumSizeHint(self) -> QSize:
        return QSize(40, super().minimumSizeHint().height())
