"""Names for what is in a file, and text that is safe to show."""

from __future__ import annotations

import re

from inspector.checkpoints.model import PathPart

#: Characters of a name or value that are shown, at most.
DISPLAY_LIMIT = 400

#: What could disturb a terminal or a text widget, or make text read as what it is not: control
#: characters, lone surrogates, line separators, and the invisible and bidirectional marks
#: (the Unicode categories Cc, Cf, Cs, Zl and Zp, by range).
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


def display_text(text: str, limit: int = DISPLAY_LIMIT) -> str:
    """Text from a file as it can be shown anywhere.

    Control, invisible and bidirectional characters become ``\\u202e``; a text of more than
    ``limit`` characters loses its middle.
    """
    if len(text) > limit:
        half = (limit - 1) // 2
        text = f"{text[:half]}…{text[-half:]}"
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def join_name(name: str, part: PathPart, *, first: bool) -> str:
    """The name of what lies one step below ``name``.

    Strings are joined by dots, integers are written as ``[0]``, and so is what `other_key` made.
    ``first`` says that there is no step before: then a string is the name.
    """
    if type(part) is OtherKey:
        return name + part
    if isinstance(part, int):
        return f"{name}[{part}]"
    return part if first else f"{name}.{part}"


class OtherKey(str):
    """The path part for a key that is neither text nor an integer: ``[(1, 2)]``, ``[None]``."""

    __slots__ = ()


class Names:
    """Hands out each name once: the second ``weight`` becomes ``weight #2``."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._last: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """``name``, or ``name #2`` and so on if it was handed out before."""
        used = self._used
        if name in used:
            number = self._last.get(name, 1)
            base = name
            while name in used:
                number += 1
                name = f"{base} #{number}"
            self._last[base] = number
        used.add(name)
        return name
