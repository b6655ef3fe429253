"""Names of files and variables for tensors, whatever the tensors are called."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Final

#: What Windows refuses in a name; some of it is refused by other file systems too.
REFUSED: Final = '<>:"/\\|?*'

#: Names of devices on Windows, whatever their suffix.
_DEVICES: Final = frozenset(
    (
        *("con", "prn", "aux", "nul", "conin$", "conout$"),
        *(f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³"),
    )
)

#: Bytes of a name that we make, suffix included. File systems allow 255, encrypted ones fewer.
_MOST_BYTES: Final = 140

#: MATLAB's own limit, and the words that it keeps for itself.
_MATLAB_CHARACTERS: Final = 63
_MATLAB_WORDS: Final = frozenset(
    (
        "break",
        "case",
        "catch",
        "classdef",
        "continue",
        "else",
        "elseif",
        "end",
        "for",
        "function",
        "global",
        "if",
        "otherwise",
        "parfor",
        "persistent",
        "return",
        "spmd",
        "switch",
        "try",
        "while",
    )
)


def is_device(name: str) -> bool:
    """Whether Windows takes a file of this name for a device: ``NUL``, ``con.npy``."""
    return name.partition(".")[0].rstrip(" ").casefold() in _DEVICES


def file_name(name: str, suffix: str = "") -> str:
    """A file name for a tensor that every file system takes, and no other folder's.

    Its name, less what file systems refuse, of at most 140 bytes with the suffix.
    """
    plain = "".join("_" if char in REFUSED or not char.isprintable() else char for char in name)
    plain = _cut(plain.strip(" ."), _MOST_BYTES - len(suffix)).rstrip(" .") or "tensor"
    return f"_{plain}{suffix}" if is_device(plain) else f"{plain}{suffix}"


def file_names(names: Iterable[str], suffix: str = "") -> list[str]:
    """A `file_name` for each, no two of them alike, even where case does not count."""

    def made(name: str, ending: str) -> str:
        whole = file_name(name, suffix).removesuffix(suffix)
        return f"{_cut(whole, _MOST_BYTES - len(suffix) - len(ending))}{ending}{suffix}"

    return _unique(names, made, lambda name: unicodedata.normalize("NFC", name).casefold())


def variable_names(names: Iterable[str]) -> list[str]:
    """A name that MATLAB takes for each, no two of them alike.

    Letters, digits and underscores, a letter first, at most 63 of them.
    """

    def made(name: str, ending: str) -> str:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name)
        if not plain[:1].isalpha() or plain in _MATLAB_WORDS:
            plain = f"x{plain}"
        return plain[: _MATLAB_CHARACTERS - len(ending)] + ending

    return _unique(names, made, lambda name: name)


def _unique(
    names: Iterable[str], made: Callable[[str, str], str], compared: Callable[[str], str]
) -> list[str]:
    used: set[str] = set()
    numbers: dict[str, int] = {}
    found = []
    for name in names:
        first = compared(made(name, ""))
        number = numbers.get(first, 1)
        made_name = made(name, "" if number == 1 else f"_{number}")
        while compared(made_name) in used:
            number += 1
            made_name = made(name, f"_{number}")
        numbers[first] = number
        used.add(compared(made_name))
        found.append(made_name)
    return found


def _cut(text: str, most: int) -> str:
    """Text of at most so many bytes in UTF-8, without half a character."""
    return text.encode("utf-8")[:most].decode("utf-8", "ignore")
