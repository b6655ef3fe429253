"""What can be typed into the filter box: its grammar, and whether an entry answers to it.

No widget is touched here, so `EntryFilter.matches` may run in a worker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QRegularExpression

from inspector.gui.filter_terms import (
    EXPRESSION_LIMIT,
    AxesAre,
    DeviceIs,
    DtypeIs,
    Entry,
    Expression,
    FilterError,
    KindIs,
    Not,
    ShapeIs,
    SizeIs,
    Term,
    Word,
)
from inspector.gui.text import Texts

Filter = Texts("Filter")

_DTYPE_ALIASES: Final = {
    "bf16": "bfloat16",
    "half": "float16",
    "float": "float32",
    "double": "float64",
    "fp4": "float4",
    "fp8": "float8",
    "fp16": "float16",
    "fp32": "float32",
    "fp64": "float64",
    "f4": "float4",
    "f8": "float8",
    "f16": "float16",
    "f32": "float32",
    "f64": "float64",
    "i8": "int8",
    "i16": "int16",
    "i32": "int32",
    "i64": "int64",
    "long": "int64",
    "short": "int16",
    "u8": "uint8",
    "byte": "uint8",
    "u16": "uint16",
    "u32": "uint32",
    "u64": "uint64",
    "c32": "complex32",
    "c64": "complex64",
    "c128": "complex128",
}

_UNITS: Final = {
    "": 1,
    "b": 1,
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgtp", 1)},
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgtp", 1)},
    **{letter: 1024**power for power, letter in enumerate("kmgtp", 1)},
}

#: The greatest number of digits that are taken for an axis or a size.
_MOST_DIGITS: Final = 20


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Conditions that must all be fulfilled.

    Attributes
    ----------
    text
        What was typed.
    """

    text: str = ""
    terms: tuple[Term, ...] = ()

    @property
    def is_on(self) -> bool:
        """Whether it asks for anything."""
        return bool(self.terms)

    @property
    def words(self) -> tuple[str, ...]:
        """The casefolded words that a matching name contains, to be emphasised in it."""
        return tuple(term.needle for term in self.terms if isinstance(term, Word))

    def matches(self, entry: Entry) -> bool:
        """Whether the entry fulfils every condition.

        Raises
        ------
        FilterError
            If a regular expression takes too long.
        """
        return all(term.matches(entry) for term in self.terms)


def parse_filter(text: str) -> EntryFilter:
    """Understand what was typed.

    A term without its value, such as ``dtype:``, is not a condition yet.

    Raises
    ------
    FilterError
        If a term has a value that makes no sense.
    """
    terms: list[Term] = []
    for token in _tokens(text):
        term = _term(token)
        if term is not None:
            terms.append(Not(term) if token.negated else term)
    return EntryFilter(text, tuple(terms))


@dataclass(frozen=True, slots=True)
class _Token:
    """``field`` is empty for a word, ``re`` for an expression."""

    negated: bool
    field: str
    value: str


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        negated = text[at] == "-"
        at += negated
        if text[at : at + 1] == "/":
            value, at = _expression_token(text, at + 1)
            yield _Token(negated, "re", value)
            continue
        field, at = _field(text, at)
        value, at = _value(text, at)
        yield _Token(negated, field, value)


def _field(text: str, at: int) -> tuple[str, int]:
    """The name before a colon if it is one of ours; any other colon belongs to a word."""
    found = re.compile(r"([a-z]+):", re.IGNORECASE).match(text, at)
    if found is not None and found[1].casefold() in _FIELDS:
        return found[1].casefold(), found.end()
    return "", at


def _value(text: str, at: int) -> tuple[str, int]:
    """Up to white space, or between quotes; a quote that is never closed reaches to the end."""
    parts: list[str] = []
    while at < len(text) and not text[at].isspace():
        if text[at] == '"':
            end = text.find('"', at + 1)
            end = len(text) if end < 0 else end
            parts.append(text[at + 1 : end])
            at = end + 1
        else:
            parts.append(text[at])
            at += 1
    return "".join(parts), at


def _expression_token(text: str, at: int) -> tuple[str, int]:
    """Up to a slash that ends the token; an expression that is still being typed to the end."""
    end = at
    while (end := text.find("/", end)) >= 0:
        after = text[end + 1 : end + 2]
        if text[end - 1 : end] != "\\" and (not after or after.isspace()):
            return text[at:end], end + 1
        end += 1
    return text[at:], len(text)


def _term(token: _Token) -> Term | None:
    value = token.value if token.field == "re" else token.value.strip()
    return _FIELDS[token.field](value) if value else None


def _word(value: str) -> Term:
    return Word(value.casefold())


def _expression(value: str) -> Term:
    def compiled(prefix: str) -> QRegularExpression:
        option = QRegularExpression.PatternOption
        return QRegularExpression(
            prefix + value,
            option.CaseInsensitiveOption | option.UseUnicodePropertiesOption,
        )

    expression = compiled("")
    if not expression.isValid():
        raise FilterError(
            Filter.tr(
                "/{value}/ is not a regular expression: {error}, at character {place}.",
                value=value,
                error=expression.errorString(),
                place=expression.patternErrorOffset(),
            )
        )
    return Expression(value, compiled(f"(*LIMIT_MATCH={EXPRESSION_LIMIT})"))


def _dtype(value: str) -> Term:
    names = (name.strip().removeprefix("torch.") for name in value.casefold().split(","))
    return DtypeIs(tuple(_DTYPE_ALIASES.get(name, name) for name in names if name))


def _shape(value: str) -> Term:
    text = value.casefold().replace("×", "x").strip()
    if text in ("scalar", "[]", "()"):
        return ShapeIs(())
    if (found := re.fullmatch(r"([0-9]{1,3})d", text)) is not None:
        return AxesAre(int(found[1]))
    parts = [part.strip() for part in re.split(r"[x,]", text.strip("[]()"))]
    if len(parts) > 1 and not parts[-1]:
        parts[-1] = "*"  # the next axis is still to be typed
    axes: list[int | str] = []
    for part in parts:
        if part in ("*", "?"):
            axes.append(part)
        elif re.fullmatch(f"[0-9]{{1,{_MOST_DIGITS}}}", part):
            axes.append(int(part))
        else:
            raise FilterError(
                Filter.tr("shape:{value} is not a shape.", value=value),
                advice=Filter.tr(
                    "Type it like shape:4096x1024, shape:[4096,1024], shape:*x3x3 or shape:4d."
                ),
            )
    return ShapeIs(tuple(axes))


def _size(value: str) -> Term:
    digits = f"[0-9]{{1,{_MOST_DIGITS}}}"
    found = re.fullmatch(
        rf"(>=|<=|>|<|=|≥|≤)?\s*({digits}(?:\.[0-9]*)?|\.{digits})\s*([a-z]*)", value.casefold()
    )
    if found is None or found[3] not in _UNITS:
        raise FilterError(
            Filter.tr("size:{value} is not a size.", value=value),
            advice=Filter.tr("Type it like size:>1MB, size:<=10KiB or size:4096."),
        )
    comparison = {"≥": ">=", "≤": "<=", None: "="}.get(found[1], found[1])
    return SizeIs(comparison, float(found[2]) * _UNITS[found[3]])


def _device(value: str) -> Term:
    return DeviceIs(value.casefold())


def _kind(value: str) -> Term:
    return KindIs(value.casefold())


#: How the value behind each field is understood; the empty field is a plain word.
_FIELDS: Final[dict[str, Callable[[str], Term]]] = {
    "": _word,
    "re": _expression,
    "dtype": _dtype,
    "type": _dtype,
    "shape": _shape,
    "size": _size,
    "device": _device,
    "kind": _kind,
}
