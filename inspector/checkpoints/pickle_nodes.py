"""The inert nodes that a pickle is turned into.

A node never runs, hashes or compares anything of the file; it only holds what the file said. Who
walks over nodes must expect cycles, shared children, and children of any type at any place.
"""

from __future__ import annotations

from typing import Final

from inspector.checkpoints.model import ByteSource


class GlobalNode:
    """A class or function that the pickle asks for by name. It is never imported.

    There is one node for each pair of names in a pickle.
    """

    __slots__ = ("module", "name", "offset", "qualified")

    def __init__(self, module: str, name: str, offset: int) -> None:
        self.module: Final = module
        self.name: Final = name
        #: The byte at which it was first asked for.
        self.offset: Final = offset
        #: ``module.name``.
        self.qualified: Final = f"{module}.{name}"


class DictNode:
    """A dictionary as the list of its key and value pairs, repeated keys included."""

    __slots__ = ("pairs",)

    def __init__(self) -> None:
        self.pairs: list[tuple[object, object]] = []


class SetNode:
    """A set or a frozenset as the list of its elements, repeated ones included."""

    __slots__ = ("elements", "frozen")

    def __init__(self, elements: list[object], frozen: bool) -> None:
        self.elements = elements
        self.frozen: Final = frozen


class PersistentNode:
    """A reference to something outside the pickle: torch's storages."""

    __slots__ = ("pid",)

    def __init__(self, pid: object) -> None:
        self.pid = pid


class OpaqueNode:
    """Something that is not in the file: an extension code, an out-of-band buffer."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class FarBytes:
    """A long run of bytes that was left where it is: in the source of the pickle."""

    __slots__ = ("length", "offset", "source")

    def __init__(self, source: ByteSource, offset: int, length: int) -> None:
        self.source: Final = source
        self.offset: Final = offset
        self.length: Final = length


class _Contents:
    """What some objects have beside their callee and arguments; most have none."""

    __slots__ = ("elements", "kwargs", "pairs", "states")

    def __init__(self) -> None:
        self.kwargs: object = None
        self.states: list[object] = []
        self.pairs: list[tuple[object, object]] = []
        self.elements: list[object] = []


class ObjectNode:
    """The call of something with arguments, and what was put into the result afterwards.

    Attributes
    ----------
    callee
        Mostly a `GlobalNode`, but whatever the file says.
    args
        Mostly a tuple, but whatever the file says.
    """

    __slots__ = ("_contents", "args", "callee")

    def __init__(self, callee: object, args: object) -> None:
        self.callee = callee
        self.args = args
        self._contents: _Contents | None = None

    def become(self, other: ObjectNode) -> None:
        """Turn into another object, wherever in the pickle this one was used already."""
        self.callee, self.args, self._contents = other.callee, other.args, other._contents

    @property
    def contents(self) -> _Contents:
        """Its contents, to be added to."""
        if self._contents is None:
            self._contents = _Contents()
        return self._contents

    @property
    def kwargs(self) -> object:
        """The keyword arguments of NEWOBJ_EX, a `DictNode` unless the file lies, or None."""
        return None if self._contents is None else self._contents.kwargs

    @property
    def states(self) -> list[object]:
        """What it is asked to take as its state, once for each BUILD."""
        return [] if self._contents is None else self._contents.states

    @property
    def pairs(self) -> list[tuple[object, object]]:
        """The items that are set in it, as in a dictionary."""
        return [] if self._contents is None else self._contents.pairs

    @property
    def elements(self) -> list[object]:
        """The elements that are appended or added to it."""
        return [] if self._contents is None else self._contents.elements


_BYTES: Final = frozenset({"builtins.bytes", "__builtin__.bytes"})


def encoded_text(node: object) -> str | None:
    """The text that a protocol without bytes wrote in their place; None if there is none."""
    if (
        type(node) is not ObjectNode
        or type(node.callee) is not GlobalNode
        or type(node.args) is not tuple
    ):
        return None
    name, args = node.callee.qualified, node.args
    if name == "_codecs.encode" and args and type(args[0]) is str:
        return args[0]
    # No bytes at all are written as a call without arguments.
    return "" if name in _BYTES and not args else None


def latin1(text: str) -> bytes | None:
    """The bytes that such a text stands for; None if it stands for none."""
    try:
        return text.encode("latin1")
    except UnicodeEncodeError:
        return None
