"""Finds what somebody means who types parts of words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_WORDS: Final = re.compile(r"\w+")

#: What a word costs that begins one of the title, or of the surroundings; that is within these; of
#: which only the letters are there, in this order.
_BEGINS, _BEGINS_AROUND, _WITHIN, _WITHIN_AROUND, _LETTERS = 0, 2, 4, 6, 10


def cost(query: str, title: str, around: str = "") -> int | None:
    """How far a title is from what was typed: 0 at best; None if it is something else.

    Each word that was typed has to be there, in any order: at the beginning of a word, within one,
    or as letters in this order with others between them.

    Parameters
    ----------
    around
        Where the title stands, such as the menu of an action; counts less.
    """
    title, around = title.casefold(), around.casefold()
    total = 0
    for word in query.casefold().split():
        found = _cost(word, title, around)
        if found is None:
            return None
        total += found
    return total


def _cost(word: str, title: str, around: str) -> int | None:
    if _begins_one(word, title):
        return _BEGINS
    if _begins_one(word, around):
        return _BEGINS_AROUND
    if word in title:
        return _WITHIN
    if word in around:
        return _WITHIN_AROUND
    gaps = _gaps(word, title)
    return None if gaps is None else _LETTERS + gaps


def _begins_one(word: str, text: str) -> bool:
    return any(text.startswith(word, match.start()) for match in _WORDS.finditer(text))


def _gaps(letters: Sequence[str], text: str) -> int | None:
    """How many other letters stand between these, taken as early as they come."""
    place, first = -1, -1
    for letter in letters:
        place = text.find(letter, place + 1)
        if place < 0:
            return None
        first = place if first < 0 else first
    return place - first + 1 - len(letters)
