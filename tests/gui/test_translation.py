"""Every text of the window can be translated, and is where there is a translation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from driving import idle, opened, show, sparse_file
from pseudo import Pseudo, english_in, pseudo_language, texts_of
from PySide6.QtCore import QEvent
from PySide6.QtGui import QAction, QPainter
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDialog,
    QLabel,
    QMessageBox,
    QScrollArea,
    QSizePolicy,
)
from pytestqt.qtbot import QtBot

from inspector.checkpoints import SUFFIXES
from inspector.checkpoints.errors import InspectorError
from inspector.desktop.program import TITLE
from inspector.export.formats import FORMATS, refusal
from inspector.export.snippet import snippet
from inspector.gui.crash_reports import CrashReports
from inspector.gui.export_dialog import ExportDialog
from inspector.gui.help_boxes import show_keys
from inspector.gui.main_window import MainWindow
from inspector.gui.opened import OpenFile
from inspector.gui.settings import SettingsStore
from inspector.gui.tasks import Request, Task
from inspector.gui.theme import Theme
from inspector.gui.tree_text import short_dtype
from inspector.values.forms import forms_of
from inspector.values.live import LiveObject
from inspector.values.tensors import tensor_source
from inspector.versions import devices, versions

#: What is the same in every language: the program's name, units, numbers in words.
ALLOWED = (
    TITLE,
    "KiB",
    "MiB",
    "GiB",
    "TiB",
    "MB",
    "nan",
    "inf",
    "True",
    "False",
    "quiet NaN",
    "infinity",
)


class Strange:
    """A class that no checkpoint needs."""


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where files are; so short a path that it is never elided."""
    return tmp_path_factory.mktemp("0")


@pytest.fixture
def language() -> Iterator[Pseudo]:
    with pseudo_language() as made:
        yield made


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What is drawn by the views that paint themselves."""
    texts: set[str] = set()
    draw = QPainter.drawText

    def record(painter: QPainter, *arguments: object) -> object:
        texts.update(each for each in arguments if isinstance(each, str))
        return draw(painter, *arguments)  # type: ignore[call-overload]

    monkeypatch.setattr(QPainter, "drawText", record)
    return texts


@pytest.fixture
def window(
    language: Pseudo, qtbot: QtBot, qapp: QApplication, store: SettingsStore, folder: Path
) -> Iterator[MainWindow]:
    """The real window, with something that was opened lately and is not there any more."""
    qapp.setStyle("Fusion")
    store.update(lambda now: replace(now, recent=(str(folder / "0-gone.pt"),)))
    with opened(qtbot, Theme(qapp), store) as made:
        yield made


@pytest.fixture
def checkpoint(folder: Path) -> Path:
    """A file with something of everything."""
    torch.manual_seed(1)
    path = folder / "0-model.pt"
    storage = torch.randn(8, 6)
    bad = torch.randn(9, 9)
    bad[0, 0], bad[1, 1], bad[2, 2] = float("nan"), float("inf"), -float("inf")
    torch.save(
        {
            "0": {
                "1": torch.randn(40, 300),
                "2": torch.randn(3, 4, 5, 6).bfloat16(),
                "3": torch.tensor(3.25),
                "4": torch.empty(0, 4),
                "5": torch.empty(3, device="meta"),
                "6": torch.randn(4, 4, dtype=torch.complex64),
                "7": torch.eye(3).to_sparse(),
                "9": bad,
            },
            "10": storage,
            "11": storage[1:3],
            "12": torch.nn.Parameter(storage.T),
            "13": 7,
            "14": Strange(),
            "15": torch.randn(3000),
        },
        path,
    )
    return path


def names_in(file: OpenFile) -> Iterator[str]:
    """Texts that a file brings along, and those of what reads it, which are English."""
    yield str(file.path)
    yield file.name
    if file.error is not None:
        yield from (file.error.message, file.error.advice, file.error.where)
    if file.checkpoint is None:
        return
    yield file.checkpoint.format
    for finding in file.checkpoint.findings:
        yield from (finding.message, finding.where)
    for item in file.checkpoint.imports:
        yield item.name
    for value in file.checkpoint.values:
        yield from (value.name, value.text, value.type_name)
    yield from file.checkpoint.metadata.values()
    yield from file.checkpoint.metadata
    for entry in file.checkpoint.entries:
        yield from (
            entry.dtype,
            short_dtype(entry.dtype),
            entry.device,
            entry.kind.replace("_", " "),
            entry.problem,
        )
        yield "" if entry.storage is None else entry.storage.key
        yield from entry.details
        yield from entry.details.values()
        for form in forms_of(entry):
            try:
                source = tensor_source(entry, form)
                yield from (source.summary, *(step.text for step in source.steps))
                snippet(file.checkpoint, entry, None, form)
            except InspectorError as error:  # there are no values, or no Python that makes them
                yield str(error)


def refusals() -> Iterator[str]:
    """Why formats do not hold something."""
    for known in FORMATS:
        for count, axes in itertools.product(range(1, 12), range(5)):
            yield refusal(known, count, axes)
    yield from ("This cannot be exported:", "Choose another format.")


def close_dialogs() -> None:
    for dialog in QApplication.topLevelWidgets():
        if isinstance(dialog, QDialog):
            dialog.close()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


class Reader:
    """Reads all that the window says, time and again, and remembers what was English.

    Parameters
    ----------
    painted
        What is drawn by views that paint themselves.
    """

    def __init__(self, window: MainWindow, painted: set[str], *names: str) -> None:
        self.window = window
        self._painted = painted
        #: What the program does not translate; what was once shown may still be somewhere.
        self._known = {*ALLOWED, *names}
        self._files: set[OpenFile] = set()
        self._titles: set[str] = set()
        self._read: set[str] = set()
        self._english: set[str] = set()
        window.runner.changed.connect(self._note_work)

    def _note_work(self) -> None:
        self._titles.update(each.title for each in self.window.runner.activities)

    def look(self, *names: str) -> None:
        """Read everything; names are those of what is shown besides the files."""
        QApplication.processEvents()
        self.window.grab()
        self._known.update(names)
        for file in set(self.window.files) - self._files:
            self._files.add(file)
            self._known.update(names_in(file))
        texts = [*texts_of(self.window), ("status", self.window.read_out)]
        texts += [("painted", text) for text in self._painted]
        texts += [("work", text) for text in self._titles]
        self._painted.clear()
        self._titles.clear()
        for place, text in texts:
            if text in self._read:
                continue
            self._read.add(text)
            words = english_in(text, self._known)
            if words:
                self._english.add(f"{place} says {words}: {text!r}")

    def check(self) -> None:
        """Nothing was English."""
        assert not self._english, "\n".join(sorted(self._english))


@pytest.fixture
def reader(window: MainWindow, painted: set[str], folder: Path) -> Reader:
    return Reader(window, painted, str(folder), folder.name, "0-gone.pt", str(Path.home()))


def do(qtbot: QtBot, reader: Reader, action: QAction, *names: str) -> None:
    """Have an action done, and read what comes of it."""
    action.trigger()
    idle(qtbot, reader.window)
    reader.look(*names)


def test_a_window_of_tensors_speaks_the_language(
    qtbot: QtBot, reader: Reader, checkpoint: Path
) -> None:
    window = reader.window
    reader.look()
    window.open_paths([checkpoint])
    idle(qtbot, window)
    reader.look()
    names = [entry.name for entry in window.files[0].checkpoint.entries]
    for name in names:
        assert window.tree.select(window.files[0].number, name)
        idle(qtbot, window)
        reader.look()
        page = window.page
        assert page is not None
        for form in forms_of(page.source.entry) if name in ("0.6", "0.7") and page.source else ():
            page.show_form(form)
            idle(qtbot, window)
            reader.look()
    window.tree.select(window.files[0].number, None)
    idle(qtbot, window)
    reader.look()
    reader.check()


def test_what_is_done_with_a_tensor_is_told_in_the_language(
    qtbot: QtBot, reader: Reader, checkpoint: Path
) -> None:
    window = reader.window
    page = show(qtbot, window, checkpoint, "0.2")
    page.statistics.more_box.setChecked(True)
    page.heatmap.controls.set_levels(-1.0, 1.0)
    page.heatmap.controls.logarithmic.setChecked(True)
    page.grid.select_all()
    page.axes.play()
    reader.look()
    page.axes.play()
    for part in range(page.statistics.part_box.count()):
        page.statistics.part_box.setCurrentIndex(part)
        page.statistics.part_box.activated.emit(part)
        idle(qtbot, window)
        reader.look()
    row = window.tree.view.current_row()
    reader.look()
    window.tree.menu_for(row)
    for action in (
        *window.menus.reversals,
        *window.go_menu.actions(),
        *window.copy_menu.actions(),
        *window.menus.python,
    ):
        do(qtbot, reader, action)
    for doing in (
        window.chosen.copy_exact_value,
        window.chosen.copy_picture,
        window.chosen.copy_name,
        window.chosen.copy_path,
        window.look.reset_zoom,
    ):
        doing()
        idle(qtbot, window)
        reader.look()
    for index in ("[9, 9", "[:0]", "[::-1]", "[0, 1:3]"):
        page.go_to_index(index)
        idle(qtbot, window)
        reader.look(page.notice)
    for text in ("shape:x", "size:x", "/(/", "0 dtype:f", "nothing"):
        window.tree.set_filter(text)
        idle(qtbot, window)
        reader.look(text, "missing closing parenthesis")
    reader.check()


def test_dialogs_speak_the_language(
    qtbot: QtBot, reader: Reader, checkpoint: Path, folder: Path
) -> None:
    window = reader.window
    show(qtbot, window, checkpoint, "10")
    window.show_settings()
    idle(qtbot, window)
    reader.look()
    window.show_about()
    idle(qtbot, window)
    # What the program runs with is for a report, in English.
    facts = {**versions(), "Display": "offscreen, scale", "Accelerators": devices()}
    reader.look(*facts, *facts.values())
    show_keys(window)
    reader.look(*facts, *facts.values())
    close_dialogs()
    window.show_commands()
    reader.look()
    window.commands.box.setText("q q q")
    reader.look()
    window.commands.close_down()
    for ask in (window.asking.for_files, window.asking.for_folder, window.chosen.save_picture):
        ask()
        reader.look("All Files", "10.png", *(f"*{suffix}" for suffix in (*SUFFIXES, ".png")))
        close_dialogs()
    reader.check()


def test_the_export_dialog_speaks_the_language(
    qtbot: QtBot, reader: Reader, checkpoint: Path, folder: Path
) -> None:
    window = reader.window
    page = show(qtbot, window, checkpoint, "0.2")
    window.tree.set_filter("0")
    page.grid.select(range(2), range(2))
    idle(qtbot, window)
    formats = [known.label for known in FORMATS] + [known.suffix for known in FORMATS]
    window.chosen.export_selected()
    dialog = window.findChild(ExportDialog)
    assert dialog is not None
    for what in dialog.findChildren(QComboBox):
        for number in range(what.count()):
            what.setCurrentIndex(number)
            idle(qtbot, window)
            plan = dialog.prepared.plan if dialog.prepared is not None else None
            told = () if plan is None else (*plan.notes, *plan.remarks)
            reader.look(*formats, *told, *refusals(), "0-model", str(window.files[0].path.parent))
    dialog.findChildren(QComboBox)[0].setCurrentIndex(0)
    dialog.findChildren(QComboBox)[1].setCurrentIndex(0)
    (folder / "there.npy").write_bytes(b"")
    dialog.set_target(folder / "there.npy")
    idle(qtbot, window)
    for _ in range(2):
        dialog.accept()
        idle(qtbot, window)
        reader.look(*formats, "there.npy", *refusals())
    reader.check()


def fail(error: Exception, _: Task) -> None:
    raise error


def test_what_went_wrong_is_told_in_the_language(
    qtbot: QtBot, reader: Reader, checkpoint: Path, folder: Path
) -> None:
    window = reader.window
    page = show(qtbot, window, checkpoint, "10")
    page.show_error(InspectorError("0", advice="1"))
    window.double_click.bar.show()
    reports = CrashReports(folder / "log")
    reports.reported.connect(window.show_problem)
    reports._report(ValueError("0"), None)
    reader.look(*(path.name for path in (folder / "log").iterdir()), "/log/")
    torch.save({"10": torch.zeros(3)}, checkpoint)
    window.watch.look()
    idle(qtbot, window)
    changes = list(window._changes.values())
    assert changes
    reader.look(*changes, *names_in(window.files[0]))
    for error in (MemoryError(), ValueError()):
        request = Request(work=partial(fail, error), done=print, failed=page.show_error)
        window.runner.submit("0", request)
        idle(qtbot, window)
        reader.look(*changes, repr(error))
    (folder / "1.pt").write_bytes(b"\x80\x02")
    window.open_paths([folder / "1.pt", folder / "2.pt"], "nothing")
    idle(qtbot, window)
    reader.look(*changes)
    window.close_all()
    idle(qtbot, window)
    reader.look(*changes)
    reader.check()


def test_an_object_of_the_program_is_shown_in_the_language(qtbot: QtBot, reader: Reader) -> None:
    window = reader.window
    window.open_live(LiveObject({"0": torch.randn(20, 30), "1": 3}, "0"))
    idle(qtbot, window)
    reader.look()
    for name in ("0", None):
        window.tree.select(window.files[0].number, name)
        idle(qtbot, window)
        reader.look()
        row = window.tree.view.current_row()
        menu = window.tree.menu_for(row)
        reader.look()
        menu.deleteLater()
    reader.check()


def test_what_is_not_final_is_told_in_the_language(
    qtbot: QtBot, reader: Reader, folder: Path
) -> None:
    window = reader.window
    path = sparse_file(folder / "0.safetensors", w=(60_000, 20_000))
    window.open_paths([path], "w")
    qtbot.waitUntil(lambda: window.page is not None, timeout=20_000)
    page = window.page
    assert page is not None
    qtbot.waitUntil(lambda: page.statistics.is_sample, timeout=20_000)
    qtbot.waitUntil(lambda: page.heatmap.overview is not None, timeout=20_000)
    reader.look()
    window.go_menu.actions()[-1].trigger()
    reader.look()
    window.close_all()
    idle(qtbot, window)
    reader.check()


def test_too_many_cells_are_told_in_the_language(
    qtbot: QtBot, reader: Reader, folder: Path
) -> None:
    path = sparse_file(folder / "0.safetensors", w=(2000, 1000))
    page = show(qtbot, reader.window, path, "w")
    page.grid.select_all()
    page.grid.copy()
    assert reader.window.findChild(QMessageBox) is not None
    reader.look()
    reader.check()


def is_cut(widget: QLabel | QAbstractButton | QComboBox) -> bool:
    """Whether some of a widget's words have no room."""
    words = widget.currentText() if isinstance(widget, QComboBox) else widget.text()
    gives_way = widget.sizePolicy().horizontalPolicy() == QSizePolicy.Policy.Ignored
    if gives_way or not (widget.isVisible() and any(map(str.isalpha, words))):
        return False
    parent = widget.parentWidget()
    assert parent is not None
    outside = not parent.rect().contains(widget.geometry())
    return outside or widget.width() < widget.minimumSizeHint().width()


@pytest.mark.parametrize("width", [700, 1280])
@pytest.mark.parametrize("name", ["0.2", "0.3", "0.6", "0.9"])
def test_longer_words_have_room(
    qtbot: QtBot, window: MainWindow, checkpoint: Path, width: int, name: str
) -> None:
    page = show(qtbot, window, checkpoint, name)
    page.heatmap.controls.set_levels(-1.0, 1.0)
    window.resize(width, 720)
    idle(qtbot, window)
    assert window.width() == width
    assert page.statistics.isVisible() == (width == 1280 and name != "0.3")
    scrolled = page.axes.findChildren(QScrollArea)
    for kind in (QLabel, QAbstractButton, QComboBox):
        for each in window.findChildren(kind):
            if not any(area.isAncestorOf(each) for area in scrolled):
                assert not is_cut(each), f"{each} in {each.parentWidget()}"
