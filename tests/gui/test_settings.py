"""What is kept from one start to the next, whatever has become of the file that keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from driving import idle, show
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from PySide6.QtCore import QRect, QSettings, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QSplitter
from pytestqt.qtbot import QtBot

from inspector.gui import settings as module
from inspector.gui.main_window import MainWindow
from inspector.gui.settings import Session, Settings, SettingsStore, look_at_settings
from inspector.gui.theme import Theme

#: Text as names of files can have it, a lone surrogate for a byte that is no UTF-8 included.
texts = st.text(st.characters(codec=None), max_size=40)
lengths = st.lists(st.integers(0, 100_000), max_size=4).map(tuple)
settings = st.builds(
    Settings,
    geometry=st.binary(max_size=80),
    main_splitter=lengths,
    views_splitter=lengths,
    folder=texts,
    colour_map=texts,
    square=st.booleans(),
    number_formats=st.lists(texts, max_size=5).map(tuple),
    appearance=st.sampled_from(["system", "light", "dark"]),
    zoom=st.sampled_from(module.ZOOMS),
    restores_session=st.booleans(),
    session=st.builds(
        Session,
        paths=st.lists(texts, max_size=3).map(tuple),
        path=texts,
        tensor=texts,
        element=st.lists(st.integers(0, 2**63), max_size=5).map(tuple),
        axes=st.lists(st.integers(0, 64), max_size=2).map(tuple),
        reversed_axes=st.lists(st.integers(0, 64), max_size=2).map(tuple),
    ),
)
#: What may stand behind a key: sound, of another type, too large, or nothing that was ever written.
values = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["true", '\\"dark\\"', "null", "{}", "[1, 2]", "[[1]]", "@ByteArray(x)"]),
    st.sampled_from(["@Invalid()", "@Rect(1 2 3 4)", "@Size(-1 9)", "1" * 5000, "[" * 5000]),
    st.text(max_size=30).map(lambda text: text.replace("\n", " ")),
)
KEYS = [key for key, _ in module._KEYS.values()]
lines = st.tuples(st.sampled_from(KEYS), values)


@pytest.fixture
def user_file(tmp_path: Path) -> Iterator[Path]:
    """The file of the user who runs the program, which is not there yet."""
    ini, user = QSettings.Format.IniFormat, QSettings.Scope.UserScope
    before = Path(QSettings(ini, user, "folder", "file").fileName()).parents[1]
    QSettings.setPath(ini, user, str(tmp_path))
    (tmp_path / "tensor-inspector").mkdir()
    yield tmp_path / "tensor-inspector" / "window.ini"
    QSettings.setPath(ini, user, str(before))


def test_each_setting_has_a_key_of_its_own() -> None:
    assert list(module._KEYS) == [field.name for field in fields(Settings)]
    assert len(set(KEYS)) == len(KEYS)


@limits(max_examples=60, deadline=None)
@given(wanted=settings, later=settings)
def test_settings_come_back(
    tmp_path_factory: pytest.TempPathFactory, wanted: Settings, later: Settings
) -> None:
    path = tmp_path_factory.mktemp("settings") / "window.ini"
    for each in (wanted, later, wanted):
        store = SettingsStore(path)
        store.update(lambda _, each=each: each)
        assert store.current == each
        again = SettingsStore(path)
        assert (again.current, again.problem) == (each, "")


@limits(max_examples=60, deadline=None)
@given(content=st.lists(lines, max_size=12))
def test_a_value_that_makes_no_sense_counts_as_not_set(
    tmp_path_factory: pytest.TempPathFactory, content: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("settings") / "window.ini"
    text = "".join(
        f"[{key.split('/')[0]}]\n{key.split('/')[1].replace(' ', '%20')}={value}\n"
        for key, value in content
    )
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    found = SettingsStore(path).current
    assert module.ZOOMS[0] <= found.zoom <= module.ZOOMS[-1]
    assert found.appearance in ("system", "light", "dark")
    assert all(isinstance(size, int) for size in found.main_splitter)
    for field in fields(Settings):
        assert type(getattr(found, field.name)) is type(getattr(Settings(), field.name))


@limits(max_examples=60, deadline=None)
@given(content=st.binary(max_size=400))
def test_any_bytes_are_a_start_with_the_usual_settings_and_none_is_lost(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("settings") / "window.ini"
    path.write_bytes(content)
    store = SettingsStore(path)
    assert store.current == Settings()
    store.update(lambda before: replace(before, zoom=120))
    assert SettingsStore(path).current.zoom == 120
    if store.problem:
        assert path.with_name("window.ini.unreadable").read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [
        # Qt would reserve 2 ** 31 elements for a list of values of its own.
        b"[program]\nzoom=@Variant(\\0\\0\\0\\t\\x7f\\xff\\xff\\xff)\n",
        b"[program]\nzoom=130\n" + b"; filled\n" * 200_000,
    ],
)
def test_what_qt_may_not_look_at_is_moved_aside(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "window.ini"
    path.write_bytes(content)
    store = SettingsStore(path)
    assert store.current == Settings()
    assert "window.ini.unreadable" in store.problem
    assert (tmp_path / "window.ini.unreadable").read_bytes() == content


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"[program]\nzoom=90\n", Settings(zoom=90)),
        (b"[program]\nzoom=90\nno sense\n[broken\n", Settings(zoom=90)),
        (b"[program]\nzoom=@Variant(\\0\\0\\0\\t\\x7f\\xff\\xff\\xff)\n", Settings()),
        (b"\0[\xff", Settings()),
    ],
)
def test_who_only_looks_changes_nothing(user_file: Path, content: bytes, found: Settings) -> None:
    user_file.write_bytes(content)
    assert look_at_settings() == found
    assert user_file.read_bytes() == content
    assert [path.name for path in user_file.parent.iterdir()] == ["window.ini"]


def test_who_only_looks_finds_the_usual_ones_where_there_are_none(user_file: Path) -> None:
    assert look_at_settings() == Settings()
    assert not user_file.exists()
    user_file.mkdir()
    assert look_at_settings() == Settings()


def test_of_a_damaged_file_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "window.ini"
    content = b"[program]\nzoom=130\nno sense\n[broken\n"
    path.write_bytes(content)
    store = SettingsStore(path)
    assert store.current == Settings(zoom=130)
    assert (tmp_path / "window.ini.unreadable").read_bytes() == content
    assert SettingsStore(path).current == Settings(zoom=130)


def test_settings_of_another_version_stay_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "window.ini"
    path.write_text('[program]\nappearance="\\"sepia\\""\nhologram=true\nzoom=90\n')
    store = SettingsStore(path)
    assert store.current == Settings(zoom=90)
    store.update(lambda before: replace(before, zoom=80))
    file = QSettings(str(path), QSettings.Format.IniFormat)
    assert file.value("program/appearance") == '"sepia"'
    assert file.value("program/hologram") == "true"


def test_two_windows_change_what_they_change(tmp_path: Path) -> None:
    first, second = SettingsStore(tmp_path / "a.ini"), SettingsStore(tmp_path / "a.ini")
    first.update(lambda before: replace(before, zoom=80))
    second.update(lambda before: replace(before, square=True))
    assert SettingsStore(tmp_path / "a.ini").current == Settings(zoom=80, square=True)


@pytest.mark.parametrize("place", ["folder", "below a file"])
def test_without_a_place_for_them_settings_are_not_kept_and_it_is_said(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, place: str
) -> None:
    path = tmp_path / "window.ini"
    if place == "folder":
        path.mkdir()
    else:
        path.write_text("in the way")
        path /= "window.ini"
    store = SettingsStore(path)
    assert store.problem.startswith("Settings are not kept")
    window = MainWindow(Theme(qapp), store)
    qtbot.addWidget(window)
    assert window.notice.text == store.problem
    window.look.set_appearance("dark")
    assert store.current.appearance == "dark"
    window.close()


def test_what_can_not_be_written_is_said(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SettingsStore(tmp_path / "window.ini")
    # Whoever runs the tests may write anywhere: the file's place becomes a folder.
    (tmp_path / "window.ini").unlink(missing_ok=True)
    (tmp_path / "window.ini").mkdir()
    with qtbot.waitSignal(store.failed) as caught:
        store.update(lambda before: replace(before, zoom=80))
    assert "could not be written" in caught.args[0]
    assert store.current.zoom == 80


def made(qtbot: QtBot, qapp: QApplication, path: Path) -> MainWindow:
    qapp.setStyle("Fusion")
    window = MainWindow(Theme(qapp), SettingsStore(path))
    qtbot.addWidget(window)
    window.show()
    qtbot.waitExposed(window)
    return window


def test_the_views_are_as_they_were_left(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> None:
    weights = {"w": torch.randn(30, 20), "n": torch.arange(12).reshape(3, 4)}
    torch.save(weights, tmp_path / "some.pt")
    window = made(qtbot, qapp, tmp_path / "window.ini")
    window.resize(1250, 700)
    page = show(qtbot, window, tmp_path / "some.pt", "w")
    controls = page.heatmap.controls
    controls.maps.setCurrentText("Cividis")
    controls.levels.setCurrentText("Symmetric")
    controls.reductions.setCurrentText("Mean")
    qtbot.mouseClick(controls.logarithmic, Qt.MouseButton.LeftButton)
    controls.square.setChecked(True)
    page.format_box.setCurrentText("All digits")
    page.format_box.activated.emit(page.format_box.currentIndex())
    page.splitters[0].setSizes([300, 250])
    page.statistics.more_box.setChecked(True)
    idle(qtbot, window)
    sizes = page.splitters[0].sizes()
    digits = page.grid.text_at(1, 1)
    window.close()

    again = made(qtbot, qapp, tmp_path / "window.ini")
    again.resize(1250, 700)
    page = show(qtbot, again, tmp_path / "some.pt", "w")
    controls = page.heatmap.controls
    assert controls.choices == ("symmetric", "cividis", "mean")
    assert controls.logarithmic.isChecked()
    assert controls.square.isChecked()
    assert page.grid.text_at(1, 1) == digits
    assert page.format_box.currentText() == "All digits"
    assert page.statistics.more_box.isChecked()
    assert page.statistics.figure("max_norm") is not None
    views, values = page.splitters[0].sizes()
    assert views / values == pytest.approx(sizes[0] / sizes[1], rel=0.05)
    page = show(qtbot, again, tmp_path / "some.pt", "n")
    assert page.format_box.currentText() == "Decimal"
    again.close()


def test_the_window_is_where_it_was(qtbot: QtBot, qapp: QApplication, tmp_path: Path) -> None:
    window = made(qtbot, qapp, tmp_path / "window.ini")
    window.setGeometry(QRect(40, 50, 700, 500))
    window.close()
    again = made(qtbot, qapp, tmp_path / "window.ini")
    assert again.geometry() == QRect(40, 50, 700, 500)
    again.close()


def test_a_window_of_a_screen_that_is_gone_is_on_one_that_is_there(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path
) -> None:
    store = SettingsStore(tmp_path / "window.ini")
    window = MainWindow(Theme(qapp), store)
    qtbot.addWidget(window)
    window.setGeometry(QRect(90_000, -70_000, 500, 400))
    window.show()
    window.close()
    again = made(qtbot, qapp, tmp_path / "window.ini")
    screen = QGuiApplication.primaryScreen().availableGeometry()
    assert screen.contains(again.geometry().center())
    again.close()


@limits(max_examples=20, deadline=None)
@given(geometry=st.binary(max_size=80), sizes=lengths, magic=st.booleans())
def test_any_geometry_gives_a_window(
    qapp: QApplication, geometry: bytes, sizes: tuple[int, ...], magic: bool
) -> None:
    store = SettingsStore()
    head = b"\x01\xd9\xd0\xcb\0\3\0\0" if magic else b""
    store.update(lambda before: replace(before, geometry=head + geometry, main_splitter=sizes))
    window = MainWindow(Theme(qapp), store)
    assert window.width() < 100_000
    (splitter,) = (each for each in window.findChildren(QSplitter) if each.parent() is window)
    assert splitter.count() == 2
    window.close()
    window.deleteLater()
