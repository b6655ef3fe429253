"""What can be typed into the filter box: its grammar, and whether an entry answers to it.

No widget is touched here, so `EntryFilter.matches` may run in a worker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from PySide6.QtCore import QRegularExpression

from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.errors import InspectorError
from inspector.checkpoints.model import TensorEntry, ValueEntry

Entry = TensorEntry | ValueEntry

#: Characters of a name that a regular expression looks at.
_EXPRESSION_REACH: Final = 2_000

#: Attempts that an expression has at each place in a name: a fraction of a millisecond. Python's
#: own ``re`` holds the interpreter's lock while it backtracks, for hours if it is asked
#: ``(a+)+$``, and so would stop the window even from a worker.
_EXPRESSION_LIMIT: Final = 20_000

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

_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    "=": lambda a, b: a == b,
}

#: The greatest number of digits that are taken for an axis or a size.
_MOST_DIGITS: Final = 20


class FilterError(InspectorError):
    """A filter that cannot be understood, or that takes too long."""


class Term(Protocol):
    """One condition of a filter."""

    def matches(self, entry: Entry) -> bool:
        """Whether the entry fulfils it."""


@dataclass(frozen=True, slots=True)
class Word:
    """Part of the full name, whatever its case. ``needle`` is casefolded."""

    needle: str

    def matches(self, entry: Entry) -> bool:
        """Whether the name contains the word."""
        return self.needle in entry.name.casefold()


@dataclass(frozen=True, slots=True)
class Expression:
    """A regular expression (Perl's, whatever the case) that is found somewhere in the name."""

    pattern: str
    compiled: QRegularExpression

    def matches(self, entry: Entry) -> bool:
        """Whether it is found.

        Raises
        ------
        FilterError
            If it needs too many attempts.
        """
        name = entry.name[:_EXPRESSION_REACH]
        if not name.isascii():  # half a surrogate pair is an error to Qt
            name = name.encode("utf-8", "replace").decode()
        match = self.compiled.match(name)
        if not match.isValid():
            raise FilterError(
                f"/{self.pattern}/ takes too long on the name {entry.name[:40]}…",
                advice="Repetitions inside repetitions, such as (a+)+, are what makes it slow.",
            )
        return match.hasMatch()


@dataclass(frozen=True, slots=True)
class DtypeIs:
    """One of several dtypes: whole names, or the beginnings of names."""

    names: tuple[str, ...]

    def matches(self, entry: Entry) -> bool:
        """Whether it is a tensor of such a dtype."""
        if not isinstance(entry, TensorEntry):
            return False
        dtype = entry.dtype.casefold()
        return any(
            dtype == name or (name not in ITEMSIZE and dtype.startswith(name))
            for name in self.names
        )


@dataclass(frozen=True, slots=True)
class ShapeIs:
    """A pattern of axes: a number, ``?`` for any one axis, ``*`` for one axis or more."""

    axes: tuple[int | str, ...]

    def matches(self, entry: Entry) -> bool:
        """Whether it is a tensor of such a shape."""
        return isinstance(entry, TensorEntry) and _axes_match(self.axes, entry.shape)


@dataclass(frozen=True, slots=True)
class AxesAre:
    """A number of axes."""

    count: int

    def matches(self, entry: Entry) -> bool:
        """Whether it is a tensor with so many axes."""
        return isinstance(entry, TensorEntry) and len(entry.shape) == self.count


@dataclass(frozen=True, slots=True)
class SizeIs:
    """A comparison with the tensor's bytes."""

    comparison: str
    nbytes: float

    def matches(self, entry: Entry) -> bool:
        """Whether it is a tensor of such a size."""
        return isinstance(entry, TensorEntry) and _COMPARISONS[self.comparison](
            entry.nbytes, self.nbytes
        )


@dataclass(frozen=True, slots=True)
class DeviceIs:
    """The beginning of the device that the tensor was saved from."""

    prefix: str

    def matches(self, entry: Entry) -> bool:
        """Whether it is a tensor from such a device."""
        return isinstance(entry, TensorEntry) and entry.device.casefold().startswith(self.prefix)


@dataclass(frozen=True, slots=True)
class KindIs:
    """Part of the word for what kind of tensor it is."""

    needle: str

    def matches(self, entry: Entry) -> bool:
        """Whether it is a tensor of such a kind."""
        return isinstance(entry, TensorEntry) and self.needle in entry.kind


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a term."""

    term: Term

    def matches(self, entry: Entry) -> bool:
        """Whether the term does not match."""
        return not self.term.matches(entry)


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
            f"/{value}/ is not a regular expression: {expression.errorString()}, "
            f"at character {expression.patternErrorOffset()}."
        )
    return Expression(value, compiled(f"(*LIMIT_MATCH={_EXPRESSION_LIMIT})"))


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
                f"shape:{value} is not a shape.",
                advice="Type it like shape:4096x1024, shape:[4096,1024], shape:*x3x3 or shape:4d.",
            )
    return ShapeIs(tuple(axes))


def _axes_match(pattern: tuple[int | str, ...], shape: tuple[int, ...]) -> bool:
    """Whether a pattern of axes covers the whole shape. Takes ``len(pattern) * len(shape)`` steps.

    ``reached`` holds which beginnings of the shape the pattern so far can cover.
    """
    reached = {0}
    for part in pattern:
        if part == "*":
            reached = set(range(min(reached) + 1, len(shape) + 1))
        else:
            reached = {
                at + 1 for at in reached if at < len(shape) and (part == "?" or shape[at] == part)
            }
        if not reached:
            return False
    return len(shape) in reached


def _size(value: str) -> Term:
    digits = f"[0-9]{{1,{_MOST_DIGITS}}}"
    found = re.fullmatch(
        rf"(>=|<=|>|<|=|≥|≤)?\s*({digits}(?:\.[0-9]*)?|\.{digits})\s*([a-z]*)", value.casefold()
    )
    if found is None or found[3] not in _UNITS:
        raise FilterError(
            f"size:{value} is not a size.",
            advice="Type it like size:>1MB, size:<=10KiB or size:4096.",
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
