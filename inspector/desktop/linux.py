"""Desktops of Linux and its kin: MIME types, a desktop entry and icons of the user's own.

What goes where is said by the specifications of freedesktop.org: Shared MIME-info Database, Desktop
Entry, Association between MIME types and applications, Icon Theme, Base Directory.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inspector.desktop.desktop_entry import entry_for
from inspector.desktop.footprint import Footprint
from inspector.desktop.mimeapps import REMOVED, forget_choices
from inspector.desktop.program import NAME, TITLE, Program, session_environment
from inspector.desktop.report import Report

ENTRY: Final = f"applications/{NAME}.desktop"
TYPES: Final = f"mime/packages/{NAME}.xml"

_ICONS: Final = "icons/hicolor"
_SIZES: Final = (16, 32, 48, 64, 128, 256)

#: What a picture of our resources is called as an icon, and for what icon themes have it.
_PICTURES: Final = {"icon": ("apps", NAME), "document": ("mimetypes", f"{NAME}-document")}

#: What the database of types is made up of.
_INDEXES: Final = (
    "XMLnamespaces",
    "aliases",
    "generic-icons",
    "globs",
    "globs2",
    "icons",
    "magic",
    "mime.cache",
    "subclasses",
    "treemagic",
    "types",
    "version",
)

#: Seconds that one of the desktop's tools may take.
_TIMEOUT: Final = 120


@dataclass(frozen=True, slots=True)
class Places:
    """The user's folders.

    Attributes
    ----------
    data
        Of MIME types, programs and icons.
    settings
        Of what the user chose to open files with.
    """

    data: Path
    settings: Path

    @property
    def lists(self) -> tuple[Path, Path]:
        """The folders of the lists of what opens with what; the second is of older desktops."""
        return self.settings, self.data / "applications"


def user_places() -> Places:
    """Where the session has them. A path that is not absolute counts for nothing."""
    return Places(
        _folder("XDG_DATA_HOME", ".local/share"),
        _folder("XDG_CONFIG_HOME", ".config"),
    )


def _folder(variable: str, otherwise: str) -> Path:
    given = Path(os.environ.get(variable, ""))
    return given if given.is_absolute() else Path.home() / otherwise


def is_registered(places: Places) -> bool:
    """Whether our entry is there and known to the desktop, and the program that it starts."""
    command = Footprint(places.data).record.command
    if not command or not Path(command[0]).is_file() or not (places.data / ENTRY).is_file():
        return False
    try:
        programs = (places.data / "applications" / "mimeinfo.cache").read_bytes()
    except OSError:
        return False
    return f"{NAME}.desktop".encode() in programs and (places.data / "mime/mime.cache").is_file()


def register(program: Program, places: Places) -> Report:
    """Make checkpoints open with a program; done again, it puts right what is not.

    Raises
    ------
    InspectorError
        If a file of somebody else is in the way, or the system refuses to write.
    """
    footprint = Footprint(places.data)
    wanted = _wanted(program)
    written = set(footprint.write(wanted, _caches(wanted[TYPES]), program.command))
    done = [
        _told(places.data / TYPES, "the types of checkpoints", TYPES in written),
        _told(places.data / ENTRY, "the program's entry", ENTRY in written),
        _told(
            places.data / _ICONS,
            f"{len(wanted) - 2} icons of the program and its files",
            any(name.startswith(_ICONS) for name in written),
        ),
    ]
    done += [
        f"Took {TITLE} off the list of what shall not open files: {path}"
        for path in forget_choices(places.lists, f"{NAME}.desktop", (REMOVED,))
    ]
    refreshed, undone = _refresh(places.data)
    if not undone:
        refreshed.append(f"Checkpoints open by double-click with {program.command[0]}")
    return Report((*done, *refreshed), tuple(undone))


def unregister(places: Places) -> Report:
    """Take back all that `register` made, and what file managers noted of it since.

    Raises
    ------
    InspectorError
        If the system refuses to remove something. What remains is still known.
    """
    done = [
        f"Took {TITLE} off the list of what opens files: {path}"
        for path in forget_choices(places.lists, f"{NAME}.desktop")
    ]
    footprint = Footprint(places.data)
    if not footprint.record.files:
        return Report((*done, "Nothing is registered."))
    removed = footprint.remove_files()
    done += [f"Removed {places.data / name}" for name in removed if not name.startswith(_ICONS)]
    icons = sum(name.startswith(_ICONS) for name in removed)
    if icons:
        done.append(f"Removed {icons} icons from {places.data / _ICONS}")
    refreshed, undone = _refresh(places.data)
    footprint.forget(lambda cache: _is_idle(places.data, cache))
    done += refreshed
    return Report((*done, f"Checkpoints no longer open with {TITLE}."), tuple(undone))


def _told(path: Path, what: str, is_new: bool) -> str:
    return f"{'Wrote' if is_new else 'Kept'} {what}: {path}"


def _wanted(program: Program) -> dict[str, bytes]:
    """All files, by their paths below the data folder."""
    resources = program.resources
    template = (resources / f"{NAME}.desktop").read_text("utf-8")
    files = {
        TYPES: (resources / f"{NAME}.xml").read_bytes(),
        ENTRY: entry_for(template, program.command),
    }
    for picture, (context, name) in _PICTURES.items():
        drawing = (resources / f"{picture}.svg").read_bytes()
        files[f"{_ICONS}/scalable/{context}/{name}.svg"] = drawing
        for size in _SIZES:
            data = (resources / "icons" / f"{picture}-{size}.png").read_bytes()
            files[f"{_ICONS}/{size}x{size}/{context}/{name}.png"] = data
    return files


def _caches(types: bytes) -> list[str]:
    """What the tools write below the data folder."""
    kinds = re.findall(r'<mime-type type="([^"]+)"', types.decode())
    return [
        *(f"mime/{name}" for name in _INDEXES),
        *(f"mime/{kind}.xml" for kind in kinds),
        "applications/mimeinfo.cache",
    ]


def _is_idle(data: Path, cache: str) -> bool:
    """Whether nothing is left that a cache could be of."""
    if cache.startswith("mime/"):
        return not any((data / "mime" / "packages").glob("*.xml"))
    return not any((data / "applications").rglob("*.desktop"))


def _refresh(data: Path) -> tuple[list[str], list[str]]:
    """Have the desktop notice the change: what was done, and what could not be."""
    done, undone = [], []
    for tool, folder, what, package in (
        ("update-mime-database", "mime", "the types of files", "shared-mime-info"),
        ("update-desktop-database", "applications", "the list of programs", "desktop-file-utils"),
    ):
        if not (data / folder).is_dir():
            continue
        problem = _run(tool, str(data / folder))
        if problem:
            advice = f"Install {package}, and try again."
            undone.append(f"Could not refresh {what}: {problem}. {advice}")
        else:
            done.append(f"Refreshed {what}: {data / folder}")
    icons = data / _ICONS
    if icons.is_dir():
        # Running programs look at the folder's time. A cache is refreshed where there is one: where
        # there is none, a new one would hide the icons that others add without refreshing it.
        os.utime(icons)
        if (icons / "icon-theme.cache").exists():
            _run("gtk-update-icon-cache", "-q", "-t", "-f", str(icons))
        done.append(f"Refreshed the icons: {icons}")
    return done, undone


def _run(tool: str, *arguments: str) -> str:
    """What hindered a tool, or nothing."""
    path = shutil.which(tool)
    if path is None:
        return f"{tool} is not installed"
    try:
        ran = subprocess.run(
            [path, *arguments],
            env=session_environment(),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{tool} did not work ({error})"
    if ran.returncode:
        words = ran.stderr.strip().splitlines()
        return f"{tool} failed" + (f" ({words[-1]})" if words else "")
    return ""
