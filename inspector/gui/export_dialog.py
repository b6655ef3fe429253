"""Asks what to export, in which format and where to, and says beforehand what that will be."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QPalette, QStandardItemModel
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from inspector.checkpoints.errors import InspectorError
from inspector.checkpoints.naming import display_text
from inspector.export.formats import FORMATS, ExportFormat, format_named, refusal
from inspector.export.names import file_name
from inspector.export.parts import Plan
from inspector.export.run import Place
from inspector.gui.dialog_size import drop_icon
from inspector.gui.export_preparing import Prepared, find_out
from inspector.gui.export_scopes import Scope
from inspector.gui.form_menu import form_label
from inspector.gui.tasks import Request, TaskRunner
from inspector.gui.text import Texts
from inspector.gui.tree_text import bytes_text
from inspector.values.forms import Form

Export = Texts("Export")

_LANE: Final = "export plan"

#: Milliseconds without a key before a typed target is looked at.
_TYPING: Final = 150

#: New names, and notes on values, that are told before they are only counted.
_TOLD: Final = 3


class ExportDialog(QDialog):
    """One dialog, shown by `open`. Nothing is written before `chosen` is emitted.

    Parameters
    ----------
    scopes
        What can be exported; at least one.
    current
        Which of them is proposed.
    form
        In which form, if it has it.
    format
        The name of the format that is proposed, if it can hold that.
    folder
        Where to.
    protected
        Files that must not be overwritten.
    """

    #: A `Prepared`.
    chosen = Signal(object)

    def __init__(
        self,
        scopes: Sequence[Scope],
        current: int,
        form: Form,
        wanted: str,
        folder: Path,
        protected: Collection[Path],
        runner: TaskRunner,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._scopes = scopes
        self._protected = protected
        self._runner = runner
        self._folder = folder
        self._prepared: Prepared | None = None
        self._may_replace: Path | None = None
        self._is_awaited = False  # Export was pressed before it was known what it would be
        self._suggested = ""
        self.setWindowTitle(Export.tr("Export"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._build()
        self._what.addItems([scope.label for scope in scopes])
        self._what.setCurrentIndex(current)
        self._formats.setCurrentIndex(FORMATS.index(format_named(wanted)))
        self._offer(form)
        self._connect()
        self._file.setFocus()

    # Construction -------------------------------------------------------------------------------

    def _build(self) -> None:
        self._what, self._formats, self._forms = QComboBox(), QComboBox(), QComboBox()
        self._formats.addItems([_format_label(known) for known in FORMATS])
        for box in (self._what, self._formats, self._forms):
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumContentsLength(40)
        self._file = QLineEdit()
        # A dropped file would have its address typed here.
        self._file.setAcceptDrops(False)
        self._browse = QPushButton(Export.tr("Choose…"))
        self._browse.setAutoDefault(False)
        row = QWidget()
        row.setFocusProxy(self._file)
        place = QHBoxLayout(row)
        place.setContentsMargins(0, 0, 0, 0)
        place.addWidget(self._file, 1)
        place.addWidget(self._browse)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for label, widget, tip in (
            (Export.tr("&What"), self._what, Export.tr("Which tensors, or which part of one")),
            (
                Export.tr("&Format"),
                self._formats,
                Export.tr("The format of the file; grey is what cannot hold this"),
            ),
            (
                Export.tr("&Numbers"),
                self._forms,
                Export.tr("In which form the numbers are written"),
            ),
            (Export.tr("F&ile"), row, ""),
        ):
            form.addRow(label, widget)
            widget.setAccessibleName(label.replace("&", ""))
            widget.setToolTip(tip)
        self._file.setToolTip(
            Export.tr("Where to; a name alone goes to the folder of the last export")
        )
        self._browse.setToolTip(Export.tr("Choose the folder and the name"))
        self._file.setAccessibleName(Export.tr("File to write"))
        self._facts, self._notes, self._problem = QLabel(), QLabel(), QLabel()
        for words, what in (
            (self._facts, Export.tr("What will be written")),
            (self._notes, Export.tr("What happens to the values")),
            (self._problem, Export.tr("What is in the way")),
        ):
            words.setTextFormat(Qt.TextFormat.PlainText)
            words.setWordWrap(True)
            words.setAccessibleDescription(what)
            words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._notes.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self._notes.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self._go = self._buttons.addButton(
            Export.tr("Export"), QDialogButtonBox.ButtonRole.AcceptRole
        )
        cancel = self._buttons.button(QDialogButtonBox.StandardButton.Cancel)
        drop_icon(cancel)
        cancel.setAutoDefault(False)
        cancel.setToolTip(Export.tr("Write nothing (Esc)"))
        self._go.setDefault(True)
        self._go.setToolTip(Export.tr("Write the file (Enter)"))
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addLayout(form)
        layout.addSpacing(4)
        layout.addWidget(self._facts)
        layout.addWidget(self._notes, 1)
        layout.addWidget(self._problem)
        layout.addWidget(self._buttons)
        self.resize(600, 280)

    def _connect(self) -> None:
        self._typing = QTimer(self, singleShot=True, interval=_TYPING)
        self._typing.timeout.connect(self._prepare)
        self._what.currentIndexChanged.connect(self._what_changed)
        self._formats.currentIndexChanged.connect(self._format_changed)
        self._forms.currentIndexChanged.connect(lambda _: self._prepare())
        self._file.textChanged.connect(self._typed)
        self._browse.clicked.connect(self._choose_file)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._prepare()

    # State --------------------------------------------------------------------------------------

    @property
    def scope(self) -> Scope:
        """What is to be exported."""
        return self._scopes[self._what.currentIndex()]

    @property
    def format(self) -> ExportFormat:
        """In which format."""
        return FORMATS[self._formats.currentIndex()]

    @property
    def form(self) -> Form:
        """In which form."""
        return self.scope.forms[max(0, self._forms.currentIndex())]

    @property
    def target(self) -> Path:
        """Where to."""
        # pathlib's own way raises an error for users that there are not.
        return self._folder / os.path.expanduser(self._file.text())  # noqa: PTH111

    def set_target(self, target: Path) -> None:
        """Take another target, as if it was typed."""
        self._file.setText(str(target))

    @property
    def prepared(self) -> Prepared | None:
        """What would be written; None while that is not known, or not possible."""
        return self._prepared

    @property
    def words(self) -> str:
        """All that is said about it."""
        texts = (self._facts.text(), self._notes.text(), self._problem.text())
        return "\n".join(text for text in texts if text)

    def _offer(self, form: Form) -> None:
        """Offer the forms and formats that the scope can have."""
        scope = self.scope
        blocked = [box.blockSignals(True) for box in (self._forms, self._formats)]
        self._forms.clear()
        self._forms.addItems([form_label(each) for each in scope.forms])
        self._forms.setCurrentIndex(scope.forms.index(form) if form in scope.forms else 0)
        self._forms.setEnabled(len(scope.forms) > 1)
        model = self._formats.model()
        assert isinstance(model, QStandardItemModel)
        possible = []
        for number, known in enumerate(FORMATS):
            why = refusal(known, 2 if scope.is_several else 1, scope.axes)
            if known.several or not scope.is_several:
                text = why
            else:
                text = Export.tr(
                    "{format} ({suffix}) holds one tensor", format=known.label, suffix=known.suffix
                )
            model.item(number).setEnabled(not text)
            model.item(number).setToolTip(text)
            if not text:
                possible.append(number)
        if self._formats.currentIndex() not in possible:
            self._formats.setCurrentIndex(possible[0])
        for box, before in zip((self._forms, self._formats), blocked, strict=True):
            box.blockSignals(before)
        self._suggest()

    def _suggest(self) -> None:
        """Propose a name, unless the user has typed one; its suffix is the format's anyway."""
        suffix = self.format.suffix
        typed = self._file.text()
        if typed == self._suggested:
            name = str(self._folder / file_name(self.scope.name, suffix))
            self._suggested = name
        else:
            known = [each.suffix for each in FORMATS if each.suffix]
            stem = next((typed.removesuffix(each) for each in known if typed.endswith(each)), typed)
            name = f"{stem}{suffix}"
        self._file.setText(name)

    def _what_changed(self) -> None:
        self._offer(self.form)
        self._prepare()

    def _format_changed(self) -> None:
        self._suggest()
        self._prepare()

    def _typed(self) -> None:
        self._forget()
        self._typing.start()

    def _choose_file(self) -> None:
        dialog = QFileDialog(self, Export.tr("Export to"), str(self.target.parent))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        suffix = self.format.suffix
        if suffix:
            everything = Export.tr("All files")
            dialog.setNameFilters([f"{self.format.label} (*{suffix})", f"{everything} (*)"])
            dialog.setDefaultSuffix(suffix.removeprefix("."))
        dialog.selectFile(self.target.name)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self._take_file)
        dialog.open()

    def _take_file(self, name: str) -> None:
        """The file dialog has asked whether to replace a file that exists."""
        self._may_replace = Path(name)
        self._file.setText(name)
        # Where Return on a button presses that, it is to export now.
        self._file.setFocus()
        self._prepare()

    # What would be written ----------------------------------------------------------------------

    def _forget(self) -> None:
        """What was known, or is being found out, is not what is wanted any more."""
        self._runner.supersede(_LANE)
        self._prepared = None
        self._is_awaited = False
        self._go.setEnabled(True)
        self._go.setText(Export.tr("Export"))

    def _prepare(self) -> None:
        """Find out in a worker what would be written."""
        self._forget()
        self._typing.stop()
        work = partial(find_out, self.scope, self.format, self.form, self.target, self._protected)
        self._runner.submit(_LANE, Request(work=work, done=self._take, failed=self._refuse))

    def _take(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._say(prepared.plan, prepared.place, prepared.left_out)
        name = display_text(prepared.target.name)
        there = Export.tr("{name} exists already.", name=name)
        self._tell_problem(there if prepared.place.exists else "")
        if self._is_awaited:
            self._is_awaited = False
            self.accept()

    def _say(self, plan: Plan, place: Place, left_out: Sequence[str]) -> None:
        size = bytes_text(plan.most)
        if plan.least != plan.most:
            size = Export.tr("at most {size}", size=size)
        free = bytes_text(place.free)
        room = Export.tr("{size} ({free} free on its disk)", size=size, free=free)
        if len(plan.items) == 1:
            (item,) = plan.items
            shape = " × ".join(f"{length:,}" for length in item.shape)
            shape = shape or Export.tr("scalar")
            facts = f"{item.dtype}  ·  {shape}  ·  {room}"
        else:
            count = Export.tr("{n:,} tensors", "{n:,} tensor", len(plan.items))
            facts = f"{count}  ·  {room}"
        self._facts.setText(facts)
        notes = [*plan.notes[:_TOLD]]
        if len(plan.notes) > _TOLD:
            notes.append(Export.tr("and {more:,} more", more=len(plan.notes) - _TOLD))
        if left_out:
            names = _some(left_out)
            notes.append(Export.tr("Left out, having no such numbers: {names}", names=names))
        renamed = plan.renamed
        if plan.format.several and renamed:
            names = _some([f"{before} → {after}" for before, after in renamed])
            notes.append(Export.tr("Other names there: {names}", names=names))
        self._notes.setText("\n".join(display_text(note) for note in (*notes, *plan.remarks)))

    def _refuse(self, error: InspectorError) -> None:
        self._facts.clear()
        self._notes.clear()
        self._is_awaited = False
        self._go.setEnabled(False)
        self._tell_problem(f"{error.message} {error.advice}".strip())

    def _tell_problem(self, text: str) -> None:
        self._problem.setText(text)
        self._problem.setVisible(bool(text))
        layout = self.layout()
        assert layout is not None
        # Words that wrap need a height that Qt asks for only when it lays out for the first time.
        self.resize(self.width(), max(self.height(), layout.heightForWidth(self.width())))

    def accept(self) -> None:
        """Start the export, once it is known what it will be; ask before replacing a file."""
        prepared = self._prepared
        if prepared is None:
            if self._typing.isActive():
                self._prepare()
            self._is_awaited = True
            return
        if prepared.place.exists and self._may_replace != prepared.target:
            self._may_replace = prepared.target
            question = Export.tr("Replace it?")
            self._problem.setText(f"{self._problem.text()} {question}")
            self._go.setText(Export.tr("Replace"))
            return
        self.chosen.emit(prepared)
        super().accept()

    def done(self, result: int) -> None:
        """Close; what was being found out is of no interest any more."""
        self._typing.stop()
        self._runner.supersede(_LANE)
        super().done(result)


def _some(names: Sequence[str]) -> str:
    """A few of them, and how many more there are."""
    some, more = ", ".join(names[:_TOLD]), len(names) - _TOLD
    return some if more <= 0 else Export.tr("{names} and {more:,} more", names=some, more=more)


def _format_label(known: ExportFormat) -> str:
    return f"{known.label} ({known.suffix})" if known.suffix else known.label
