"""What the program keeps from one start to the next: one dataclass, read and written here alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PySide6.QtCore import QObject, QSettings, Signal

from inspector.desktop.program import NAME
from inspector.gui.text import Texts

if TYPE_CHECKING:  # a launch that only looks at the settings needs nothing that draws
    from inspector.gui.theme import Appearance

SettingsTexts = Texts("SettingsTexts")

#: The sizes that the interface can have, in percent of the system's.
ZOOMS: Final = (50, 60, 70, 80, 90, 100, 110, 125, 150, 175, 200, 250, 300)

#: Bytes that the window may take beyond that of the empty one, unless somebody says otherwise.
USUAL_MEMORY: Final = 400_000_000

#: Bytes of a file of settings that is worth reading, and characters of a single one of them.
_LARGEST_FILE: Final = 2**20
_LARGEST_VALUE: Final = 2**18

#: How Qt writes values of types of its own. Reading one can take any amount of memory, or end the
#: process; none of ours is written so.
_DANGEROUS: Final = (b"@Variant", b"@DateTime")


@dataclass(frozen=True, slots=True)
class Session:
    """What was open when the program ended.

    Attributes
    ----------
    paths
        Of all files, in the order of opening.
    path, tensor
        The file in which something was chosen, and the tensor's name; empty for none.
    element
        The index of the cell that was current.
    axes
        The axes that ran down and across.
    reversed_axes
        The axes that ran backwards.
    form
        The form that was shown, by name.
    """

    paths: tuple[str, ...] = ()
    path: str = ""
    tensor: str = ""
    element: tuple[int, ...] = ()
    axes: tuple[int, ...] = ()
    reversed_axes: tuple[int, ...] = ()
    form: str = "values"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is kept.

    Attributes
    ----------
    geometry
        The window's, as of `QWidget.saveGeometry`; empty for where it likes.
    main_splitter, views_splitter, upper_splitter
        The widths or heights of their parts, px; empty for the usual ones.
    folder
        In which files were chosen last.
    recent
        The paths of the files and folders that were opened, the last first.
    levels, colour_map, reduction
        By their names. One that there is not is the usual one.
    logarithmic, square
        Whether colours follow the logarithm, and whether cells are squares.
    coloured_values
        Whether the values have the picture's colours.
    profiles
        Whether the current row and column are curves beside the picture.
    number_formats
        What was chosen for each kind of numbers: the formats that it has, ``=``, and one of them.
    more_figures, log_counts
        What the statistics show.
    appearance
        Light, dark or as the system.
    zoom
        The size of the interface, in percent.
    memory
        How many bytes the window may take beyond that of the empty one.
    commands
        The names of the commands that were used in the palette, the last first.
    restores_session
        Whether the next start opens what is open at the end of this one.
    one_window
        Whether a later launch hands its files to the window that is there.
    double_click_offered
        Whether the user was asked if checkpoints shall open by double-click.
    session
        What was open; nothing unless it is to be restored.
    """

    geometry: bytes = b""
    main_splitter: tuple[int, ...] = ()
    views_splitter: tuple[int, ...] = ()
    upper_splitter: tuple[int, ...] = ()
    folder: str = ""
    recent: tuple[str, ...] = ()
    levels: str = ""
    colour_map: str = ""
    reduction: str = ""
    logarithmic: bool = False
    square: bool = False
    coloured_values: bool = False
    profiles: bool = True
    number_formats: tuple[str, ...] = ()
    more_figures: bool = False
    log_counts: bool = False
    appearance: Appearance = "system"
    zoom: int = 100
    memory: int = USUAL_MEMORY
    commands: tuple[str, ...] = ()
    restores_session: bool = False
    one_window: bool = True
    double_click_offered: bool = False
    session: Session = field(default_factory=Session)


# How a setting is checked: what JSON gives to what the field takes; ValueError for all else.


def _flag(found: Any) -> bool:
    if not isinstance(found, bool):
        raise ValueError
    return found


def _text(found: Any) -> str:
    if not isinstance(found, str):
        raise ValueError
    return found


def _texts(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list):
        raise ValueError
    return tuple(map(_text, found))


def _number(low: int, high: int) -> Callable[[Any], int]:
    def check(found: Any) -> int:
        if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
            raise ValueError
        return found

    return check


def _numbers(most: int) -> Callable[[Any], tuple[int, ...]]:
    def check(found: Any) -> tuple[int, ...]:
        if not isinstance(found, list):
            raise ValueError
        return tuple(map(_number(0, most), found))

    return check


_lengths: Final = _numbers(100_000)


def _session(found: Any) -> Session:
    if not isinstance(found, dict):
        raise ValueError
    return Session(
        _texts(found.get("paths")),
        _text(found.get("path")),
        _text(found.get("tensor")),
        _numbers(2**63)(found.get("element")),
        _numbers(2**63)(found.get("axes")),
        _numbers(2**63)(found.get("reversed_axes")),
        _text(found.get("form")),
    )


def _bytes(found: Any) -> bytes:
    return base64.b64decode(_text(found), validate=True)


def _one_of(*names: str) -> Callable[[Any], str]:
    def check(found: Any) -> str:
        if found not in names:
            raise ValueError
        return _text(found)

    return check


#: For each field: under which key it is in the file, and how what is found there is checked.
_KEYS: Final[dict[str, tuple[str, Callable[[Any], Any]]]] = {
    "geometry": ("window/geometry", _bytes),
    "main_splitter": ("window/main splitter", _lengths),
    "views_splitter": ("window/views splitter", _lengths),
    "upper_splitter": ("window/upper splitter", _lengths),
    "folder": ("files/folder", _text),
    "recent": ("files/recent", _texts),
    "levels": ("view/levels", _text),
    "colour_map": ("view/colour map", _text),
    "reduction": ("view/reduction", _text),
    "logarithmic": ("view/logarithmic", _flag),
    "square": ("view/square", _flag),
    "coloured_values": ("view/coloured values", _flag),
    "profiles": ("view/profiles", _flag),
    "number_formats": ("view/number formats", _texts),
    "more_figures": ("view/more figures", _flag),
    "log_counts": ("view/log counts", _flag),
    "appearance": ("program/appearance", _one_of("system", "light", "dark")),
    "zoom": ("program/zoom", _number(ZOOMS[0], ZOOMS[-1])),
    "memory": ("program/memory", _number(0, 2**50)),
    "commands": ("program/commands", _texts),
    "restores_session": ("program/restore session", _flag),
    "one_window": ("program/one window", _flag),
    "double_click_offered": ("program/double-click offered", _flag),
    "session": ("program/session", _session),
}


def _encode(value: object) -> str:
    """As JSON in ASCII, so that any name of a file comes back as it was."""
    if isinstance(value, bytes):
        value = base64.b64encode(value).decode()
    return json.dumps(asdict(value) if isinstance(value, Session) else value)


def _decode(found: object, check: Callable[[Any], Any]) -> Any:
    if not isinstance(found, str) or len(found) > _LARGEST_VALUE:
        raise ValueError
    try:
        return check(json.loads(found))
    except RecursionError as error:
        raise ValueError from error


class SettingsStore(QObject):
    """The settings, and the file that keeps them. Lives on the GUI thread.

    A value that makes no sense counts as not set, and stays in the file until that very setting
    is changed. A file that is no settings at all is moved aside, and one that cannot be read is
    never written to. `problem` says so.

    Parameters
    ----------
    path
        The file; None keeps nothing.
    """

    #: The `Settings` before, and now.
    changed = Signal(object, object)
    #: A sentence: they could not be written.
    failed = Signal(str)

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path: Path | None = None
        self._current = Settings()
        #: What was wrong with the file, as a sentence; empty if nothing was.
        self.problem = ""
        if path is not None:
            self._open(path)

    @classmethod
    def of_user(cls) -> SettingsStore:
        """Those of the user who runs the program, where the platform has such things."""
        return cls(_file_of_user())

    @property
    def is_kept(self) -> bool:
        """Whether there is a file that keeps them."""
        return self._path is not None

    @property
    def current(self) -> Settings:
        """The settings as they are."""
        return self._current

    def update(self, change: Callable[[Settings], Settings]) -> None:
        """Change settings, and write those that are others now.

        Parameters
        ----------
        change
            From the settings, as another window may have left them, to what they shall be.
        """
        before = self._current
        if self._path is None:
            self._current = change(before)
        else:
            file = _ini(self._path)
            found = _read(file)
            self._current = change(found)
            if not _write(file, found, self._current):
                self.failed.emit(
                    SettingsTexts.tr(
                        "The settings could not be written to {path}.", path=self._path
                    )
                )
        if self._current != before:
            self.changed.emit(before, self._current)

    def _open(self, path: Path) -> None:
        try:
            sound = _is_sound(path)
            file = _ini(path) if sound else None
            self._current = _read(file) if file is not None else Settings()
            if file is None or file.status() == QSettings.Status.FormatError:
                self._move_aside(path)
                file = _ini(path)
        except OSError as error:
            self.problem = SettingsTexts.tr(
                "Settings are not kept. {path}: {why}.", path=path, why=error.strerror or error
            )
            return
        self._path = path
        if not (_write(file, Settings(), self._current) and file.isWritable()):
            self.problem = SettingsTexts.tr(
                "Settings are not kept: {path} cannot be written.", path=path
            )

    def _move_aside(self, path: Path) -> None:
        aside = path.with_name(f"{path.name}.unreadable")
        path.replace(aside)
        self.problem = SettingsTexts.tr(
            "{path} was damaged. It is kept as {name}; see your settings.",
            path=path,
            name=aside.name,
        )


def look_at_settings() -> Settings:
    """The settings of the user who runs the program, for a launch that may have no window.

    Whatever is wrong with their file is left for the window to find and to tell. Needs nothing of
    Qt but QtCore, and no application.
    """
    path = _file_of_user()
    try:
        return _read(_ini(path)) if _is_sound(path) else Settings()
    except OSError:
        return Settings()


def _file_of_user() -> Path:
    place = QSettings(QSettings.Format.IniFormat, QSettings.Scope.UserScope, NAME, "window")
    return Path(place.fileName())


def _ini(path: Path) -> QSettings:
    """The file as it is now. Nothing of it is kept open, so that its state is always the last."""
    file = QSettings(str(path), QSettings.Format.IniFormat)
    file.sync()
    return file


def _is_sound(path: Path) -> bool:
    """Whether Qt may look at the file. Raises `OSError` if it is there and cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError:
        return True
    return len(content) <= _LARGEST_FILE and not any(word in content for word in _DANGEROUS)


def _read(file: QSettings) -> Settings:
    """The settings in a file; the usual ones for what is not there or makes no sense."""
    found: dict[str, Any] = {}
    for name, (key, check) in _KEYS.items():
        with suppress(ValueError):
            found[name] = _decode(file.value(key), check)
    return replace(Settings(), **found)


def _write(file: QSettings, before: Settings, now: Settings) -> bool:
    """Write what is another than before. Whether it could be."""
    others = [name for name in _KEYS if getattr(now, name) != getattr(before, name)]
    for name in others:
        file.setValue(_KEYS[name][0], _encode(getattr(now, name)))
    file.sync()
    return file.status() != QSettings.Status.AccessError
