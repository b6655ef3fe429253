"""Python literals as NumPy writes them into headers, read without Python's own parser.

That parser takes memory and stack for what a file may nest, and knows much more than is needed.

Source: NEP 1, "A Simple File Format for NumPy Arrays".
"""

from __future__ import annotations

import re
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.naming import display_text

#: A text, a number (Python 2 ends long ones in L), a word, a mark.
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<text>[ub]?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))"""
    r"""|(?P<number>[+-]?\d+)L?|(?P<word>True|False|None)\b|(?P<mark>[][(){},:]))""",
    re.DOTALL,
)
_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.S
)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r"}
_WORDS: Final = {"True": True, "False": False, "None": None}
_OPENED: Final = {")": "(", "]": "[", "}": "{"}

#: Collections within collections; a dtype's fields may have fields.
_MAX_DEPTH: Final = 64

#: Digits of a number; Python takes quadratic time for long ones.
_MAX_DIGITS: Final = 30


def parse_literal(text: str, what: str) -> object:
    """The value of a literal of texts, integers, booleans, None, tuples, lists and dictionaries.

    It takes time and memory in proportion to the text.

    Parameters
    ----------
    text
        From a file.
    what
        What it is, for the message: "The header".

    Returns
    -------
    object
        Keys of dictionaries are texts.

    Raises
    ------
    CheckpointError
        If it is no such literal; ``where`` says at which character.
    """
    # The outermost level holds the value itself.
    stack: list[tuple[str, list[object]]] = [("", [])]
    separated = True
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at, end)
        if match is None:
            raise _damaged(what, at)
        mark = match["mark"]
        if mark in (",", ":"):
            if separated or len(stack) == 1 or (mark == ":") != _awaits_value(stack[-1]):
                raise _damaged(what, at)
            separated = True
        elif mark is not None and mark in ")]}":
            opener, items = stack.pop()
            if opener != _OPENED[mark]:
                raise _damaged(what, at)
            stack[-1][1].append(_collection(opener, items, separated, what, at))
            separated = False
        elif not separated:
            raise _damaged(what, at)
        elif mark is not None:
            stack.append((mark, []))
            if len(stack) > _MAX_DEPTH:
                raise _damaged(what, at)
        else:
            stack[-1][1].append(_scalar(match, what, at))
            separated = False
        at = match.end()
    if len(stack) != 1 or len(stack[0][1]) != 1:
        raise _damaged(what, at)
    return stack[0][1][0]


def _awaits_value(level: tuple[str, list[object]]) -> bool:
    """Whether a key was read last."""
    opener, items = level
    return opener == "{" and len(items) % 2 == 1


def _collection(opener: str, items: list[object], separated: bool, what: str, at: int) -> object:
    if separated and not items:
        separated = False
        if opener == "(":
            return ()
    if opener == "[":
        return items
    if opener == "(":
        return items[0] if len(items) == 1 and not separated else tuple(items)
    keys, values = items[::2], items[1::2]
    if len(keys) != len(values) or not all(type(key) is str for key in keys):
        raise _damaged(what, at)
    return dict(zip(keys, values, strict=True))


def _scalar(match: re.Match[str], what: str, at: int) -> object:
    word, number, text = match["word"], match["number"], match["text"]
    if word is not None:
        return _WORDS[word]
    if number is not None:
        if len(number) > _MAX_DIGITS:
            raise _damaged(what, at)
        return int(number)
    return _ESCAPE.sub(_unescape, text.lstrip("ub")[1:-1])


def _unescape(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if digits is None:
        return _ESCAPED.get(match[4], match[4])
    code = int(digits, 16)
    return chr(code) if code < 0x110000 else "\ufffd"


def _damaged(what: str, at: int) -> CheckpointError:
    return CheckpointError(
        f"{display_text(what, 100)} is not the Python literal that it should be.",
        where=f"character {at}",
    )
