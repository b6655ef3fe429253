"""Which program the desktop is to start, and the pictures that it has for it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inspector.checkpoints.errors import InspectorError
from inspector.resources import resource_path

#: What the program is called: for people, and as a command.
TITLE: Final = "Tensor Inspector"
NAME: Final = "tensor-inspector"

#: Starts the package's window from any folder. Without -P, Python would import what lies in the
#: folder from which it is started, which a file manager may well make the checkpoint's own.
_MODULE: Final = ("-P", "-m", "inspector")

#: Prints where another Python finds the package, seen from no folder in particular.
_PROBE: Final = "import inspector; print(inspector.__file__)"


@dataclass(frozen=True, slots=True)
class Program:
    """What is to be started, and what it looks like.

    Attributes
    ----------
    command
        The absolute path of the program, and what comes before the files to open.
    resources
        The folder of icons and the like.
    """

    command: tuple[str, ...]
    resources: Path


def this_program() -> Program:
    """The program that runs, as it is to be started by a double-click.

    Raises
    ------
    InspectorError
        If it is not installed: what runs from a folder of sources is found from there alone.
    """
    return Program(_command(), resource_path("icon.svg").parent)


def _command() -> tuple[str, ...]:
    if getattr(sys, "frozen", False):  # by PyInstaller: the program is its own Python
        return (sys.executable,)
    if sys.platform == "win32":
        # The installed command would bring a console with it.
        windowless = Path(sys.executable).with_name("pythonw.exe")
        if windowless.is_file():
            return (str(windowless), *_MODULE)
    script = _script()
    if script is not None:
        return (str(script),)
    _check_installed()
    return (sys.executable, *_MODULE)


def _script() -> Path | None:
    """The installed command: the one that was called, or else the one of this Python."""
    called = Path(sys.argv[0])
    places = [called.parent] if called.stem == NAME else []
    places.append(Path(sys.executable).parent)
    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    places += (Path(sysconfig.get_path("scripts", scheme)) for scheme in schemes)
    name = f"{NAME}.exe" if sys.platform == "win32" else NAME
    # Not resolved: a link, such as that of pipx, outlives what it leads to.
    scripts = ((place / name).absolute() for place in places)
    return next((script for script in scripts if script.is_file()), None)


def _check_installed() -> None:
    found = subprocess.run(
        [sys.executable, "-P", "-c", _PROBE],
        cwd=Path(sys.executable).anchor,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        raise InspectorError(
            f"{TITLE} is not installed: it runs from a folder of its sources.",
            advice="Install it with pip, and register what was installed.",
        )


def session_environment() -> dict[str, str]:
    """The environment for programs of the system.

    PyInstaller puts the libraries that it brings before those of the system, and keeps what was
    there before under another name.
    """
    made = dict(os.environ)
    before = made.pop("LD_LIBRARY_PATH_ORIG", None)
    if before is not None:
        made["LD_LIBRARY_PATH"] = before
    elif getattr(sys, "frozen", False):
        made.pop("LD_LIBRARY_PATH", None)
    return made
