"""The conditions of a filter: each looks at one entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from PySide6.QtCore import QRegularExpression

from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.errors import InspectorError
from inspector.checkpoints.model import TensorEntry, ValueEntry
from inspector.gui.text import Texts

Filter = Texts("Filter")

Entry = TensorEntry | ValueEntry

#: Characters of a name that a regular expression looks at.
_EXPRESSION_REACH: Final = 2_000

#: Attempts that an expression has at each place in a name: a fraction of a millisecond. Python's
#: own ``re`` holds the interpreter's lock while it backtracks, for hours if it is asked
#: ``(a+)+$``, and so would stop the window even from a worker.
EXPRESSION_LIMIT: Final = 20_000

_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    "=": lambda a, b: a == b,
}


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
                Filter.tr(
                    "/{pattern}/ takes too long on the name {name}…",
                    pattern=self.pattern,
                    name=entry.name[:40],
                ),
                advice=Filter.tr(
                    "Repetitions inside repetitions, such as (a+)+, are what makes it slow."
                ),
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
