"""Every text in the sources is marked as one, is found by Qt's tools, and is right when shown."""

from __future__ import annotations

import ast
import re
import shutil
import string
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from driving import idle, opened, show
from PySide6.QtCore import QCoreApplication, QLocale, QTranslator
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QDialogButtonBox
from pytestqt.qtbot import QtBot

import inspector
from inspector.desktop.program import NAME
from inspector.gui.language import load_language
from inspector.gui.text import Texts
from inspector.gui.theme import Theme

PACKAGE = Path(inspector.__file__).parent
SOURCES = (*sorted((PACKAGE / "gui").glob("*.py")), PACKAGE / "app.py")

#: Literals that look like texts and are none, by module.
NO_TEXTS = {
    # English, for a report or for whom it concerns beyond the window.
    "about_box": {"Display", "Accelerators"},
    "app": {
        "Fusion",
        "This session has a Qt application without windows.",
        "Make a QApplication instead of a QCoreApplication.",
        "This session's windows live in another thread.",
        "Call inspector.show in the thread that made the QApplication.",
        " holds no tensor named ",
        " could not be written.",
        "Check the folder and its permissions.",
    },
    "crash_reports": {"In the thread ", "Tensor Inspector ", ", Python ", "Library", "Logs"},
    "tree_columns": {"the last arrangement fits always"},
    # Units.
    "settings_dialog": {" MB"},
    # Names of classes, lanes, kinds, and a style.
    "accessible": {"Scrolled"},
    "analyses": {"whole statistics"},
    "double_click": {"double-click change"},
    "export_dialog": {"export plan"},
    "grid_page": {"largest magnitude"},
    "picture_controls": {"largest magnitude"},
    "playing": {"Column curve", "Row curve"},
    "profiles": {"Row", "Column"},
    "recents": {
        "QPushButton {text-align: left; padding: 3px 0px; color: palette(link)}"
        "QPushButton:disabled {color: palette(placeholder-text)}"
    },
}

#: What takes a text to show it.
SHOWS = re.compile(
    "set(Text|ToolTip|WindowTitle|WhatsThis|StatusTip|PlaceholderText|Title|InformativeText"
    "|Accessible(Name|Description)|Label|NameFilters?)|Q(Label|Action|CheckBox|PushButton|Menu)"
    "|add(Item|Items|Action|Menu|Row|Button)|drawText|_?tell|announce|describe|show_text"
)

_TAG = re.compile(r"<[^>]*>?")
_KEYS = re.compile(r"(Ctrl|Alt|Shift)\+")
_SETTING = re.compile(r"(window|files|view|program)/")
_WORDS = re.compile(r"[A-Za-z]{2,}[,.:;]? [A-Za-z]{2,}|^\W*[A-Z][a-z]{2,}\W*$")


@dataclass(frozen=True)
class Found:
    """A call that gives or marks a text, as Python reads it.

    Attributes
    ----------
    fields
        What is put into the text; None of a marked one, of which another place knows.
    """

    place: str
    context: str
    text: str
    singular: str
    fields: frozenset[str] | None


def literals(node: ast.AST) -> list[str]:
    """The texts that a literal consists of; of an f-string, those between its fields."""
    return [
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    ]


def called(node: ast.AST) -> str:
    """The last name of what a call calls; empty for what is no call."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def found_texts() -> Iterator[Found]:
    """All texts of the program."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if called(node) not in ("tr", "QT_TR_NOOP") or path.stem == "text":
                continue
            assert isinstance(node, ast.Call)
            assert isinstance(node.func, ast.Attribute)
            place = f"{path.name}:{node.lineno}"
            text = node.args[0]
            assert isinstance(text, ast.Constant), f"{place}: a text is a literal"
            assert isinstance(text.value, str)
            singular = literals(node.args[1])[0] if len(node.args) > 1 else ""
            fields = {each.arg or "" for each in node.keywords} | ({"n"} if singular else set())
            marked = called(node) == "QT_TR_NOOP"
            yield Found(
                place,
                ast.unparse(node.func.value),
                text.value,
                singular,
                None if marked else frozenset(fields),
            )


def other_literals(path: Path) -> Iterator[tuple[int, str, bool]]:
    """All literals that are no texts of a `Texts`: line, literal, and whether it is shown."""
    tree = ast.parse(path.read_text("utf-8"))
    passed: set[ast.AST] = set()
    shown: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            first = node.body[0]
            passed.update(ast.walk(first) if isinstance(first, ast.Expr) else ())
        elif called(node) in ("tr", "QT_TR_NOOP", "Texts"):
            assert isinstance(node, ast.Call)
            passed.update(each for argument in node.args for each in ast.walk(argument))
        elif SHOWS.fullmatch(called(node)):
            assert isinstance(node, ast.Call)
            for argument in node.args:
                shown.add(argument)
                shown.update(argument.values if isinstance(argument, ast.JoinedStr) else ())
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in passed:
            yield node.lineno, node.value, node in shown


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_text_is_not_a_bare_literal(path: Path) -> None:
    left = [
        f"{path.name}:{line}: {text!r}"
        for line, text, is_shown in other_literals(path)
        for plain in (_TAG.sub("", text),)
        if _WORDS.search(plain) or (is_shown and re.search("[A-Za-z]{2}", plain))
        if not (_KEYS.match(text) or _SETTING.match(text))
        if text not in NO_TEXTS.get(path.stem, ())
    ]
    assert not left, "\n".join(left)


def test_a_text_has_the_fields_that_are_put_into_it() -> None:
    for found in found_texts():
        for text in filter(None, (found.text, found.singular)):
            named = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
            if found.fields is not None and (found.fields or "{" in text):
                # A sentence may go by a number without having it.
                assert found.fields - {"n"} <= named <= found.fields, found.place


def tool(name: str) -> str:
    path = shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)
    assert path is not None
    return path


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file for translators, made as README says."""
    path = tmp_path_factory.mktemp("catalogue") / f"{NAME}_pl.ts"
    command = [tool("pyside6-lupdate"), "-extensions", "py", str(PACKAGE), "-ts", str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "warning" not in ran.stdout.lower() + ran.stderr.lower()
    assert not ran.stderr.strip()
    return path


def messages(catalogue: Path) -> Iterator[tuple[str, ElementTree.Element]]:
    """Each context and message."""
    for context in ElementTree.parse(catalogue).getroot().iter("context"):
        for message in context.iter("message"):
            yield context.findtext("name") or "", message


def test_qts_tools_find_every_text(catalogue: Path) -> None:
    known = {(each.context, each.text, each.singular) for each in found_texts()}
    told = {
        (context, message.findtext("source"), message.findtext("comment") or "")
        for context, message in messages(catalogue)
    }
    assert told == known
    for _, message in messages(catalogue):
        assert (message.get("numerus") == "yes") == (message.find("comment") is not None)


def translated(catalogue: Path, folder: Path) -> None:
    """Write a translation into a language with three forms, as a translator and Qt's tool do."""
    tree = ElementTree.parse(catalogue)
    for message in tree.getroot().iter("message"):
        translation = message.find("translation")
        assert translation is not None
        source = message.findtext("source") or ""
        forms = translation.findall("numerusform")
        for number, form in enumerate(forms):
            form.text = f"{number}: {source}"
        if not forms:
            translation.text = f"pl: {source}"
        translation.attrib.pop("type", None)
    path = folder / catalogue.name
    tree.write(path, "utf-8", xml_declaration=True)
    subprocess.run([tool("pyside6-lrelease"), str(path)], capture_output=True, check=True)


@contextmanager
def language(*languages: str, folder: Path) -> Iterator[None]:
    """What users of these languages have."""
    application = QCoreApplication.instance()
    assert application is not None
    before = application.findChildren(QTranslator)
    load_language(application, languages, folder)
    try:
        yield
    finally:
        for made in application.findChildren(QTranslator):
            if made not in before:
                application.removeTranslator(made)
                made.setParent(None)


def close_text() -> str:
    box = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    return box.button(QDialogButtonBox.StandardButton.Close).text()


def test_a_translation_is_loaded_with_qts_own(
    qapp: QApplication, catalogue: Path, tmp_path: Path
) -> None:
    translated(catalogue, tmp_path)
    tree = Texts("Tree")
    marked = Texts("FormNames").QT_TR_NOOP("&Values")
    with language("fr-FR", "pl-PL", "en-GB", folder=tmp_path):
        assert tree.tr("Reload File") == "pl: Reload File"
        assert marked() == "pl: &Values"
        assert close_text() not in ("Close", "&Close")
        # Polish has a form for 1, one for 2 to 4 and the like, and one for the rest.
        counts = {1: 0, 2: 1, 5: 2, 12: 2, 22: 1, 1_000_003: 1, 10**15 + 12: 2, 10**15 + 2: 1}
        for count, form in counts.items():
            said = tree.tr("{n:,} tensors", "{n:,} tensor", count)
            assert said == f"{form}: {count:,} tensors"
    assert tree.tr("Reload File") == "Reload File"
    assert marked() == "&Values"


@pytest.mark.parametrize("languages", [(), ("C",), ("en-GB", "pl-PL"), ("fr-FR",), ("nonsense",)])
def test_english_is_what_it_is_without_a_translation(
    qapp: QApplication, catalogue: Path, tmp_path: Path, languages: tuple[str, ...]
) -> None:
    translated(catalogue, tmp_path)
    tree = Texts("Tree")
    with language(*languages, folder=tmp_path):
        assert tree.tr("Reload File") == "Reload File"
        assert tree.tr("{n:,} tensors", "{n:,} tensor", 1) == "1 tensor"
        assert tree.tr("{n:,} tensors", "{n:,} tensor", 0) == "0 tensors"
        assert tree.tr("{n:,} tensors", "{n:,} tensor", 10**12) == "1,000,000,000,000 tensors"
        assert "Close" in close_text()
    with language("pl-PL", folder=tmp_path / "nowhere"):
        assert "Close" in close_text()


@pytest.mark.parametrize("broken", ["{0}", "{nme}", "{name", "{name.x}", "{name:d}", "{}"])
def test_a_translation_with_other_fields_is_none(qapp: QApplication, broken: str) -> None:
    class Broken(QTranslator):
        def isEmpty(self) -> bool:
            return False

        def translate(self, *_: object) -> str:
            return broken

    made = Broken()
    QCoreApplication.installTranslator(made)
    try:
        assert Texts("Tree").tr("Read {name}", name="{x}") == "Read {x}"
        assert Texts("Tree").tr("{n} and {name}", "one and {name}", 1, name="x") == "one and x"
    finally:
        QCoreApplication.removeTranslator(made)


def test_numbers_are_alike_in_every_country(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path
) -> None:
    path = tmp_path / "w.pt"
    torch.save({"w": torch.arange(2 * 1200 * 3).reshape(1200, 2, 3) / 4}, path)
    before = QLocale()
    QLocale.setDefault(QLocale("de_DE"))
    try:
        with opened(qtbot, Theme(qapp)) as window:
            page = show(qtbot, window, path, "w")
            controls = page.heatmap.controls
            controls.set_levels(0.25, 1234.5)
            assert (controls.low.text(), controls.high.text()) == ("0.25", "1234.5")
            controls.low.selectAll()
            qtbot.keyClicks(controls.low, "0.5")
            controls.low.editingFinished.emit()
            assert page.heatmap.controls.colouring.levels.hand == (0.5, 1234.5)
            held = page.axes.held[0]
            held.number.setValue(1100)
            assert held.number.text() == "1100"
            idle(qtbot, window)
            assert page.grid.text_at(0, 1) == "1650.25"
            page.grid.select(range(1), range(2))
            page.grid.copy("csv")
            idle(qtbot, window)
            assert QGuiApplication.clipboard().text().split() == ["1650,1650.25"]
            assert page.statistics.figure("maximum") == "1799.75"
            window.tree.select(window.files[0].number, None)
            idle(qtbot, window)
            assert "7,200" in window.file_page.text
            assert "28.1 KiB" in window.file_page.text
    finally:
        QLocale.setDefault(before)
