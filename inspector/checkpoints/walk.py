"""The walk over a pickle's nodes that finds every tensor and every plain value.

It is a loop, not a recursion. Each container is looked into once; again only within a budget, so
that what is saved under two names is listed under both, while a graph of shared lists that would
unfold to millions costs no more than it has nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from inspector.checkpoints.containers import (
    Attributes,
    Child,
    Internal,
    children,
    identity,
    is_plain,
    is_plain_object,
    plain_length,
)
from inspector.checkpoints.describe import SCALARS, describe, type_name
from inspector.checkpoints.imports import judge_imports, list_imports
from inspector.checkpoints.model import Finding, Import, PathPart, TensorEntry, ValueEntry
from inspector.checkpoints.naming import Names, display_text, join_name
from inspector.checkpoints.numpy_values import NumpyArray, NumpyReader
from inspector.checkpoints.pickle_nodes import DictNode, GlobalNode, ObjectNode, PersistentNode
from inspector.checkpoints.rebuild import Builder, Nested, Path, Rebuilder
from inspector.checkpoints.rebuild_kinds import builder, has_attributes, saved_attributes

#: Containers within containers; more are not looked into.
_MAX_DEPTH: Final = 256

_MAX_VALUES: Final = 100_000

#: Findings about single tensors, at most.
_MAX_FINDINGS: Final = 100

#: Kinds that have no numbers of their own, without anything being wrong.
_WITHOUT_NUMBERS: Final = frozenset({"meta", "subclass"})

#: Bytes that entries and their names may take: this, and so many for each byte of the pickle.
_ALLOWANCE: Final = 16 << 20
_ALLOWANCE_PER_BYTE: Final = 16
_ENTRY_COST: Final = 500

#: Values that may be listed again: so many, and as many as the pickles have opcodes.
_AGAIN: Final = 1000

#: In place of the identity of what the root lies in.
_ROOT: Final = 0

#: Entries between two calls of ``check``.
_ROUND: Final = 2048


class Frame:
    """A container that is being looked into."""

    __slots__ = ("identity", "name", "path", "quiet", "rebuilder", "rest")

    def __init__(
        self,
        number: int,
        name: str,
        path: Path,
        quiet: bool,
        rest: Iterator[Child],
        rebuilder: Rebuilder,
    ) -> None:
        self.identity = number
        self.name = name
        self.path = path
        #: Whether the plain values in it are not shown.
        self.quiet = quiet
        self.rest = rest
        #: Makes the tensors in it: those of an archive within the pickle have their own.
        self.rebuilder = rebuilder


class _AllowanceSpentError(Exception):
    """The entries would fill more memory than the file is worth."""


class Walk:
    """Collects entries, values and findings from one or several pickles of a file.

    Parameters
    ----------
    check
        Called now and then; may raise `Cancelled`.
    names
        Where names are shared with what else the file holds.
    """

    def __init__(self, check: Callable[[], None], names: Names | None = None) -> None:
        self.entries: Final[list[TensorEntry]] = []
        self.values: Final[list[ValueEntry]] = []
        self.imports: Final[list[Import]] = []
        self._rebuilders: Final[list[Rebuilder]] = []
        self._numpy: Final = NumpyReader()
        self._check: Final = check
        self._names: Final = names or Names()
        self._frames: list[Frame] = []
        #: Kept, because what was met is known by the identity of its objects.
        self._roots: Final[list[object]] = []
        #: The containers and tensors that were met, with how much it takes to list them again.
        self._seen: Final[dict[int, int]] = {}
        self._active: Final[set[int]] = set()
        self._again = _AGAIN
        self._allowance = _ALLOWANCE
        self._hidden_values = 0
        self._not_again = 0
        self._too_deep = 0
        self._spent = False

    def run(
        self, root: object, rebuilder: Rebuilder, *, nodes: int, size: int, path: Path = ()
    ) -> None:
        """Walk from ``root``.

        Parameters
        ----------
        rebuilder
            Makes the tensors.
        nodes, size
            The pickle's opcodes and bytes; what the walk may cost is measured by them.
        path
            What the root is called. Where it has no name, a tensor or value that is all there is
            gets one.
        """
        self._rebuilders.append(rebuilder)
        self._roots.append(root)
        self._again += nodes
        self.allow(size)
        self._frames = [Frame(_ROOT, _joined(path), path, False, iter([(None, root)]), rebuilder)]
        try:
            while self._frames:
                self._advance(self._frames[-1])
        except _AllowanceSpentError:
            self._spent = True
        self._active.clear()

    def allow(self, size: int) -> None:
        """Let the list grow by what ``size`` bytes of description are worth."""
        self._allowance += _ALLOWANCE_PER_BYTE * size

    def insert(self, path: Path, make: Callable[[str, Path], TensorEntry]) -> None:
        """List a tensor that no pickle describes.

        Parameters
        ----------
        make
            Makes the entry, given its name and ``path``.
        """
        name = _joined(path)
        self._allowance -= len(name) + 8 * len(path) + _ENTRY_COST
        if self._allowance < 0:
            self._spent = True
            return
        self.entries.append(make(self._names.unique(name), path))
        if len(self.entries) % _ROUND == 0:
            self._check()

    def judge(self, asked_for: Sequence[GlobalNode], member: str) -> list[Finding]:
        """Take down what a pickle asks to import, and what is surprising about it.

        Parameters
        ----------
        member
            Where the pickle is.
        """
        self.imports.extend(list_imports(asked_for, member))
        return judge_imports(asked_for, member)

    def findings(self) -> list[Finding]:
        """What was noticed, once the walks are over."""
        found = tensor_problems(self.entries)
        for rebuilder in self._rebuilders:
            for key, numbers in rebuilder.mismatched.items():
                message = f"A storage is shorter than the file says: {numbers}."
                found.append(Finding("warning", message, f"storage {display_text(key, 100)}"))
        for count, message in (
            (self._not_again, "values that occur again and again are not listed each time"),
            (self._too_deep, f"values lie deeper than {_MAX_DEPTH} levels and are not listed"),
            (self._hidden_values, "more plain values are not listed"),
        ):
            if count:
                found.append(Finding("warning", f"{count:,} {message}."))
        if self._spent:
            message = "The list ends early: it would take much more memory than the file."
            found.append(Finding("warning", message))
        return found

    def _advance(self, frame: Frame) -> None:
        """Go on in a container, up to the next one within it or to its end."""
        depth = len(self._frames)
        for part, value in frame.rest:
            quiet = frame.quiet
            if type(value) is Internal:
                quiet, value = True, value.value
            if type(value) is ObjectNode:
                self._object(frame, part, value, quiet)
            elif type(value) is PersistentNode:
                self._storage(frame, part, value)
            elif type(value) not in SCALARS:
                self._container(frame, part, value, quiet)
            elif not quiet:
                self._value(frame, part, value)
            if len(self._frames) > depth:
                return
        self._frames.pop()
        self._active.discard(frame.identity)

    def _object(self, frame: Frame, part: PathPart | None, node: ObjectNode, quiet: bool) -> None:
        build = builder(node)
        if build is not None:
            self._tensor(frame, part, node, build)
        elif (nested := frame.rebuilder.nested(node)) is not None:
            self._nested(frame, part, node, nested, quiet)
        elif (array := self._numpy.array(node)) is not None:
            self._array(frame, part, node, array, quiet)
        elif not (is_plain_object(node) or self._numpy.is_scalar(node)):
            self._container(frame, part, node, quiet)
        elif not quiet:
            self._value(frame, part, node)

    def _tensor(
        self, frame: Frame, part: PathPart | None, node: ObjectNode, build: Builder
    ) -> None:
        number = id(node)
        if number in self._seen and not self._may_list(number):
            return
        name, path = self._place(frame, part, "tensor")
        name = self._names.unique(name)
        entry = frame.rebuilder.tensor(build, node, name, path)
        self._add(number, entry)
        if entry.kind == "nested" or not has_attributes(build):
            return
        for state in saved_attributes(node, build):
            if type(state) is not DictNode:
                if state is not None:
                    self._enter(number, name, path, [("state", state)], False)
            elif self._may_list(id(state)):
                parts = {component.path[-1] for component in entry.components}
                below = [child for child in children(Attributes(state)) if child[0] not in parts]
                self._enter(id(state), name, path, below, False)

    def _nested(
        self,
        frame: Frame,
        part: PathPart | None,
        node: ObjectNode,
        nested: Nested,
        quiet: bool,
    ) -> None:
        """Go on in an archive within the pickle, as if what it holds were here."""
        if not self._may_list(id(node)):
            return
        if nested.rebuilder is None:
            self._seen[id(node)] = 1
            self._value(frame, part, node, (type_name(node), nested.problem))
            return
        name, path = (frame.name, frame.path) if part is None else self._place(frame, part)
        self._enter(id(node), name, path, [(None, nested.value)], quiet, nested.rebuilder)

    def _array(
        self,
        frame: Frame,
        part: PathPart | None,
        node: ObjectNode,
        array: NumpyArray,
        quiet: bool,
    ) -> None:
        if array.items is not None:
            self._container(frame, part, array.items, quiet)
        elif not array.dtype or array.raw is None:
            if not quiet:
                self._value(frame, part, node, array.described())
        elif self._may_list(id(node)):
            name, path = self._place(frame, part, "array")
            entry = array.entry(self._names.unique(name), path, frame.rebuilder.pickle)
            self._add(id(node), entry)

    def _storage(self, frame: Frame, part: PathPart | None, node: PersistentNode) -> None:
        if self._may_list(id(node)):
            name, path = self._place(frame, part, "storage")
            name = self._names.unique(name)
            self._add(id(node), frame.rebuilder.bare_storage(node, name, path))

    def _container(self, frame: Frame, part: PathPart | None, value: object, quiet: bool) -> None:
        number = identity(value)
        if not self._may_list(number):
            return
        plain = is_plain(value)
        below = [] if plain else children(value)
        if below:
            name, path = self._place(frame, part)
            self._enter(number, name, path, below, quiet)
            return
        self._seen[number] = plain_length(value)
        # Without a step of its own, an empty part of an object is nothing to mention.
        if not quiet and (part is not None or plain or frame.identity == _ROOT):
            self._value(frame, part, value)

    def _enter(
        self,
        number: int,
        name: str,
        path: Path,
        below: list[Child],
        quiet: bool,
        rebuilder: Rebuilder | None = None,
    ) -> None:
        self._seen[number] = 1 + len(below)
        if len(self._frames) >= _MAX_DEPTH:
            self._too_deep += 1
            return
        self._active.add(number)
        self._frames.append(
            Frame(number, name, path, quiet, iter(below), rebuilder or self._frames[-1].rebuilder)
        )

    def _may_list(self, number: int) -> bool:
        """Whether to list something now: for the first time, or again within the budget."""
        if number in self._active:
            return False
        cost = self._seen.get(number)
        if cost is not None:
            if cost > self._again:
                self._not_again += 1
                return False
            self._again -= cost
        return True

    def _place(self, frame: Frame, part: PathPart | None, default: str = "") -> tuple[str, Path]:
        """Name and path one step below a container, paid for.

        ``default`` is both for the only entry of a file.
        """
        path = frame.path
        if part is None:
            return (frame.name, path) if path or not default else (default, (default,))
        name = (
            join_name(frame.name, part, first=not path) if path or type(part) is not str else part
        )
        path = (*path, part)
        self._allowance -= len(name) + 8 * len(path)
        if self._allowance < 0:
            raise _AllowanceSpentError
        return name, path

    def _add(self, number: int, entry: TensorEntry) -> None:
        count = 1
        for component in entry.components:
            count += 1 + len(component.components)
            self._allowance -= (1 + len(component.components)) * len(component.name)
        self._seen[number] = count
        self._allowance -= count * _ENTRY_COST
        self.entries.append(entry)
        if len(self.entries) % _ROUND == 0:
            self._check()

    def _value(
        self,
        frame: Frame,
        part: PathPart | None,
        value: object,
        described: tuple[str, str] | None = None,
    ) -> None:
        """List a plain value; ``described`` are its type and text, if they are known."""
        if len(self.values) >= _MAX_VALUES:
            self._hidden_values += 1
            return
        name, path = self._place(frame, part, "value")
        described = described or self._numpy.scalar(value)
        kind, text = described or (type_name(value), describe(value))
        self._allowance -= _ENTRY_COST
        self.values.append(ValueEntry(self._names.unique(name), path, kind, text))
        if len(self.values) % _ROUND == 0:
            self._check()


def _joined(path: Path) -> str:
    name = ""
    for position, part in enumerate(path):
        name = join_name(name, part, first=position == 0)
    return name


def tensor_problems(entries: Sequence[TensorEntry]) -> list[Finding]:
    """A finding for each tensor that can't be read but should, up to some number."""
    found = [entry for entry in entries if entry.problem and entry.kind not in _WITHOUT_NUMBERS]
    findings = [
        Finding("warning", entry.problem, display_text(entry.name))
        for entry in found[:_MAX_FINDINGS]
    ]
    if len(found) > _MAX_FINDINGS:
        rest = len(found) - _MAX_FINDINGS
        findings.append(Finding("warning", f"{rest:,} more tensors can't be read."))
    return findings
