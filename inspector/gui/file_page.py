"""One file: what it says of itself, what was noticed, or why it could not be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from html import escape
from itertools import islice

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from inspector.checkpoints.errors import InspectorError
from inspector.checkpoints.model import UNKNOWN, Checkpoint, Finding, Import
from inspector.checkpoints.naming import display_text
from inspector.gui.labels import ElidedLabel
from inspector.gui.opened import OpenFile
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.text import Texts
from inspector.gui.theme import alarm, faint
from inspector.gui.tree_text import bytes_text

FileTexts = Texts("FileTexts")

#: Rows of metadata, and of plain values, that are shown.
_MOST_ROWS = 500
_SIGNS = {
    "note": "•",
    "warning": "⚠",
    "danger": "<span style='color:{alarm}'><b>⚠ {danger}</b></span>",
}


class FilePage(QWidget):
    """Shows the file that is chosen in the tree."""

    reload_requested = Signal(object)
    close_requested = Signal(object)

    def __init__(self, runner: TaskRunner, parent: QWidget | None = None) -> None:
        self._file: OpenFile | None = None
        super().__init__(parent)
        self._runner = runner
        self._name = ElidedLabel()
        self._name.set_title()
        self._path = ElidedLabel()
        self._path.set_faint()
        self._text = QTextBrowser()
        self._text.setFrameShape(QTextBrowser.Shape.NoFrame)
        self._text.setOpenLinks(False)
        self._text.setAcceptDrops(False)
        self._text.viewport().setAcceptDrops(False)
        self._text.setAccessibleName(FileTexts.tr("About this file"))
        self._text.setWhatsThis(
            FileTexts.tr(
                "What was noticed about the file, what it says of itself, what its pickle asks "
                "for, and the values in it that are not tensors."
            )
        )
        reload_button, close_button = (
            QPushButton(FileTexts.tr("Reload")),
            QPushButton(FileTexts.tr("Close")),
        )
        reload_button.setToolTip(FileTexts.tr("Read it again (F5)"))
        close_button.setToolTip(FileTexts.tr("Close it (Ctrl+W)"))
        reload_button.clicked.connect(lambda: self.reload_requested.emit(self._file))
        close_button.clicked.connect(lambda: self.close_requested.emit(self._file))
        top, titles = QHBoxLayout(), QVBoxLayout()
        titles.setSpacing(1)
        titles.addWidget(self._name)
        titles.addWidget(self._path)
        top.addLayout(titles, 1)
        for button in (reload_button, close_button):
            top.addWidget(button, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 8)
        layout.addLayout(top)
        layout.addWidget(self._text, 1)

    @property
    def text(self) -> str:
        """Everything that is said, as plain text."""
        return self._text.toPlainText()

    def show_file(self, file: OpenFile) -> None:
        """Show another file, or the same one at another stage."""
        self._file = file
        self._name.setText(display_text(file.name))
        self._path.setText(display_text(file.place))
        weak, warning = faint(self.palette()).name(), alarm(self.palette()).name()
        self._runner.supersede("file")
        if file.error is not None:
            self._text.setHtml(_error_html(file.error, weak))
        elif file.checkpoint is not None:
            self._runner.submit(
                "file",
                Request(
                    work=partial(
                        _checkpoint_html, file.checkpoint, weak, warning, file.live is not None
                    ),
                    done=self._text.setHtml,
                    failed=lambda error: self._text.setHtml(_error_html(error, weak)),
                ),
            )
        else:
            reading = FileTexts.tr("Reading…")
            self._text.setHtml(f"<p style='color:{weak}'>{reading}</p>")

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        # The text holds colours of the palette.
        if event.type() == QEvent.Type.PaletteChange and self._file is not None:
            self.show_file(self._file)


_JUDGED = {
    "ordinary": FileTexts.QT_TR_NOOP("ordinary: tensors and plain values are made of it"),
    "note": FileTexts.QT_TR_NOOP("a class of somebody's own; such objects show what they hold"),
    "warning": FileTexts.QT_TR_NOOP("⚠ can be used for harm"),
    "danger": FileTexts.QT_TR_NOOP("⚠ Danger: runs or reaches what no checkpoint needs"),
}


def _imports(imports: Sequence[Import]) -> Iterator[tuple[str, str]]:
    for item in islice(imports, _MOST_ROWS):
        yield item.name, _JUDGED[item.judgement]()


def _safe(text: str) -> str:
    return escape(display_text(text))


def _error_html(error: InspectorError, weak: str) -> str:
    parts = [f"<h3>⚠ {_safe(error.message)}</h3>"]
    if error.advice:
        parts.append(f"<p>{_safe(error.advice)}</p>")
    if error.where:
        where = FileTexts.tr("Where: {place}", place=_safe(error.where))
        parts.append(f"<p style='color:{weak}'>{where}</p>")
    return "".join(parts)


def _checkpoint_html(checkpoint: Checkpoint, weak: str, warning: str, live: bool, _: Task) -> str:
    """The page about a file that could be read. In a worker: a file may hold very many entries."""
    metadata = islice(checkpoint.metadata.items(), _MOST_ROWS)
    values = ((value.name, value.text) for value in islice(checkpoint.values, _MOST_ROWS))
    return "".join(
        (
            _findings_html(checkpoint.findings, weak, warning),
            _table("", _overview(checkpoint, live), weak, 0),
            _table(
                FileTexts.tr("The file says of itself"), metadata, weak, len(checkpoint.metadata)
            ),
            _table(
                FileTexts.tr("Its pickle asks to import (nothing was imported)"),
                _imports(checkpoint.imports),
                weak,
                len(checkpoint.imports),
            ),
            _table(FileTexts.tr("Values beside the tensors"), values, weak, len(checkpoint.values)),
        )
    )


def _overview(checkpoint: Checkpoint, live: bool) -> list[tuple[str, str]]:
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    elements = 0
    for entry in checkpoint.entries:
        counts[entry.dtype] += 1
        sizes[entry.dtype] += entry.nbytes
        elements += entry.numel
    rows = [
        (FileTexts.tr("Format"), checkpoint.format),
        (
            FileTexts.tr("Memory") if live else FileTexts.tr("File size"),
            bytes_text(checkpoint.size),
        ),
        (FileTexts.tr("Tensors"), f"{len(checkpoint.entries):,}"),
        (FileTexts.tr("Elements"), f"{elements:,}"),
    ]
    for dtype, nbytes in sizes.most_common():
        name = FileTexts.tr("not described") if dtype == UNKNOWN else dtype
        count, size = counts[dtype], bytes_text(nbytes)
        text = FileTexts.tr("{n:,} tensors, {size}", "{n:,} tensor, {size}", count, size=size)
        rows.append((name, text))
    return rows


def _findings_html(findings: Sequence[Finding], weak: str, warning: str) -> str:
    rows = []
    danger = FileTexts.tr("Danger:")
    for finding in findings[:_MOST_ROWS]:
        where = f"<span style='color:{weak}'>{_safe(finding.where)}</span>"
        sign = _SIGNS[finding.severity].format(alarm=warning, danger=danger)
        rows.append(f"<p>{sign} {_safe(finding.message)} {where}</p>")
    return "".join(rows)


def _table(title: str, rows: Iterable[tuple[str, str]], weak: str, total: int) -> str:
    cells = "".join(
        f"<tr><td style='color:{weak}; padding-right:16px'>{_safe(name)}</td>"
        f"<td>{_safe(text)}</td></tr>"
        for name, text in rows
    )
    if not cells:
        return ""
    left = FileTexts.tr("… and {more:,} more", more=total - _MOST_ROWS)
    more = f"<p>{left}</p>" if total > _MOST_ROWS else ""
    heading = f"<h4>{title}</h4>" if title else ""
    return f"{heading}<table cellspacing='3'>{cells}</table>{more}"
