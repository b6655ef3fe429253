"""How a desktop entry names a program: https://specifications.freedesktop.org/desktop-entry-spec"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from inspector.checkpoints.errors import InspectorError

#: Characters for which an argument has to be quoted.
_RESERVED: Final = frozenset(" \t\n\"'\\><~|&;$*?#()`")


def entry_for(template: str, command: Sequence[str]) -> bytes:
    """A desktop entry that starts this command, instead of the one that its template names.

    Raises
    ------
    InspectorError
        If the program's path has characters that no desktop entry can hold.
    """
    words = list(command)
    if "%" in words[0]:
        # GLib looks for the program before it makes one % of two.
        words = ["/bin/sh", "-c", 'exec "$0" "$@"', *words]
    lines = {
        "TryExec": f"{_value(command[0])}\n",
        # Quoted only where it must be: xdg-open takes quotes for a part of the name.
        "Exec": f"{_value(' '.join([*map(_argument, words), '%F']))}\n",
    }
    text = "".join(
        f"{key}={lines.get(key, value)}" if sign else line
        for line in template.splitlines(keepends=True)
        for key, sign, value in (line.partition("="),)
    )
    return text.encode()


def _argument(text: str) -> str:
    # Control characters, and what is no text at all.
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise InspectorError(
            f"The path {text!r} has characters that no desktop entry can hold.",
            advice="Install the program in a folder with a plainer name.",
        )
    text = text.replace("%", "%%")
    if not _RESERVED & set(text):
        return text
    return '"' + re.sub(r'(["`$\\])', r"\\\1", text) + '"'


def _value(text: str) -> str:
    return text.replace("\\", "\\\\")
