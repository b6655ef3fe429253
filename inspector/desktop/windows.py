"""Windows: a ProgID in the user's own part of the registry, and what opens with it.

https://learn.microsoft.com/en-us/windows/win32/shell/fa-file-types says what is looked up where.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final, Protocol

from inspector.desktop.program import TITLE, Program
from inspector.desktop.report import Report

#: The name of our kind of file, and of the program among the task bar's buttons.
PROG_ID: Final = "TensorInspector.Checkpoint"
APP_ID: Final = "TensorInspector.TensorInspector"

#: What is opened by double-click, unless something else opens it already.
_SUFFIXES: Final = (".pt", ".pth", ".ckpt", ".safetensors", ".gguf")

#: What can be opened with the program, and stays what it is: anything may be called so.
_OFFERED: Final = (".bin",)

_CLASSES: Final = r"Software\Classes"

#: Where the Explorer notes what it has offered for a suffix.
_NOTED: Final = r"Software\Microsoft\Windows\CurrentVersion\Explorer\FileExts"


class Hive(Protocol):
    """The user's part of the registry; keys are named below it, with ``\\``.

    A value's name may be empty: that is the key's own, its default.
    """

    def read(self, key: str, name: str) -> str | None:
        """A text; None if there is no such value."""

    def opener(self, suffix: str) -> str:
        """What opens a suffix, for this user or for all of them; empty if nothing does."""

    def write(self, key: str, name: str, text: str) -> None:
        """Write a text, making the keys on the way."""

    def remove_value(self, key: str, name: str) -> bool:
        """Remove a value. Whether it was there."""

    def remove_key(self, key: str) -> bool:
        """Remove a key with all that is below it. Whether it was there."""

    def prune(self, key: str) -> None:
        """Remove a key if nothing is in it."""

    def announce(self) -> None:
        """Have the Explorer look again at what opens with what."""


def is_registered(hive: Hive) -> bool:
    """Whether our kind of file is there, and the program that opens it."""
    command = hive.read(rf"{_CLASSES}\{PROG_ID}\shell\open\command", "")
    return command is not None and Path(_program_of(command)).is_file()


def register(program: Program, hive: Hive) -> Report:
    """Make checkpoints open with a program; done again, it puts right what is not.

    Raises
    ------
    InspectorError
        If the registry cannot be written.
    """
    done = []
    for key, name, text in _values(program):
        if hive.read(key, name) != text:
            hive.write(key, name, text)
            done.append(rf"Wrote HKEY_CURRENT_USER\{key} {name}".rstrip())
    for suffix in (*_SUFFIXES, *_OFFERED):
        offered = rf"{_CLASSES}\{suffix}\OpenWithProgids"
        if hive.read(offered, PROG_ID) is None:
            hive.write(offered, PROG_ID, "")
            done.append(f"Offered {TITLE} for {suffix}")
    for suffix in _SUFFIXES:
        opener = hive.opener(suffix)
        if not opener:
            hive.write(rf"{_CLASSES}\{suffix}", "", PROG_ID)
            done.append(f"Had {suffix} open with {TITLE}")
        elif opener != PROG_ID:
            done.append(f"Left {suffix} to what opens it ({opener}); see Open with")
    if not done:
        done.append("Everything is as it should be.")
    hive.announce()
    return Report(tuple(done))


def unregister(hive: Hive) -> Report:
    """Take back all that `register` wrote, and what the Explorer noted of it since.

    Raises
    ------
    InspectorError
        If the registry cannot be written.
    """
    done = []
    for suffix in (*_SUFFIXES, *_OFFERED):
        key = rf"{_CLASSES}\{suffix}"
        is_ours = hive.read(key, "") == PROG_ID
        if is_ours:
            hive.remove_value(key, "")
        was_offered = hive.remove_value(rf"{key}\OpenWithProgids", PROG_ID)
        noted = rf"{_NOTED}\{suffix}\OpenWithProgids"
        was_noted = hive.remove_value(noted, PROG_ID)
        if is_ours or was_offered or was_noted:
            hive.prune(rf"{key}\OpenWithProgids")
            hive.prune(key)
            done.append(f"Took {TITLE} off {suffix}")
    if hive.remove_key(rf"{_CLASSES}\{PROG_ID}"):
        done.append(rf"Removed HKEY_CURRENT_USER\{_CLASSES}\{PROG_ID}")
    if not done:
        done.append("Nothing is registered.")
    hive.announce()
    return Report(tuple(done))


def set_app_id() -> None:
    """On Windows, have the task bar take the window for this program's, not for Python's."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.shell32.SetCurrentProcessExplicitAppUserModelID(APP_ID)


def _values(program: Program) -> list[tuple[str, str, str]]:
    """Our kind of file: keys, names and texts."""
    ours = rf"{_CLASSES}\{PROG_ID}"
    command = " ".join((f'"{program.command[0]}"', *program.command[1:], '"%1"'))
    icons = program.resources / "icons"
    return [
        (ours, "", "Model checkpoint"),
        (ours, "FriendlyTypeName", "Model checkpoint"),
        (rf"{ours}\DefaultIcon", "", str(icons / "document.ico")),
        (rf"{ours}\Application", "ApplicationName", TITLE),
        (rf"{ours}\Application", "ApplicationIcon", str(icons / "icon.ico")),
        (rf"{ours}\Application", "AppUserModelID", APP_ID),
        (rf"{ours}\shell\open", "FriendlyAppName", TITLE),
        (rf"{ours}\shell\open\command", "", command),
    ]


def _program_of(command: str) -> str:
    """The program that a command of the registry starts."""
    return command[1:].partition('"')[0] if command.startswith('"') else command.partition(" ")[0]
