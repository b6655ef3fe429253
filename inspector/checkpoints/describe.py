"""Plain values and nodes as text of bounded length, whatever they contain."""

from __future__ import annotations

from inspector.checkpoints.naming import display_text
from inspector.checkpoints.pickle_nodes import (
    DictNode,
    FarBytes,
    GlobalNode,
    ObjectNode,
    OpaqueNode,
    PersistentNode,
    SetNode,
    encoded_text,
    latin1,
)

#: Types whose values are plain.
SCALARS: frozenset[type] = frozenset({bool, int, float, str, bytes, FarBytes, type(None)})

#: Items that are shown of a collection: of the outermost, and of those within.
_ITEMS = 24
_INNER_ITEMS = 4

_DEPTH = 4
_PIECE = 120
_BYTES = 32

#: Longer integers take Python quadratic time to print.
_MAX_BITS = 1024


def describe(value: object) -> str:
    """A value as text that is safe to show, of at most `naming.DISPLAY_LIMIT` characters.

    Text stands for itself; inside of something else it is quoted.
    """
    if type(value) is str:
        return display_text(value)
    return display_text(_text(value, _DEPTH))


def type_name(value: object) -> str:
    """The name of a value's type: Python's word, or the class that the file names."""
    if type(value) is ObjectNode:
        return display_text(_callee(value, 2), 200)
    if type(value) is DictNode:
        return "dict"
    if type(value) is SetNode:
        return "frozenset" if value.frozen else "set"
    if type(value) is GlobalNode:
        return "class or function"
    if type(value) is PersistentNode:
        return "reference"
    if type(value) is OpaqueNode:
        return "opaque"
    if type(value) is FarBytes:
        return "bytes"
    return type(value).__name__ if value is not None else "None"


def integer_text(value: int, grouping: str = "") -> str:
    """An integer, or how long it is; with a comma as grouping, in thousands."""
    if value.bit_length() > _MAX_BITS:
        return f"an integer of {value.bit_length():,} bits"
    return format(value, grouping)


def _text(value: object, depth: int) -> str:
    if type(value) is int:
        return integer_text(value)
    if type(value) is str:
        return repr(value if len(value) <= _PIECE else f"{value[: _PIECE - 1]}…")
    if type(value) is bytes:
        return _bytes_text(value[:_BYTES], len(value))
    if type(value) is FarBytes:
        return f"{value.length:,} bytes"
    if isinstance(value, bool | float) or value is None:
        return repr(value)
    if depth == 0:
        return "…"
    return _collection(value, depth)


def _bytes_text(first: bytes, length: int) -> str:
    return repr(first) if length <= len(first) else f"{first!r}… ({length:,} bytes)"


def _collection(value: object, depth: int) -> str:
    if type(value) is tuple:
        inner = _items(value, depth)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if type(value) is list:
        return f"[{_items(value, depth)}]"
    if type(value) is SetNode:
        return f"{{{_items(value.elements, depth)}}}" if value.elements else "set()"
    if type(value) is DictNode:
        return f"{{{_pairs(value.pairs, depth)}}}"
    if type(value) is GlobalNode:
        return value.qualified[:_PIECE]
    if type(value) is PersistentNode:
        return f"reference {_text(value.pid, depth - 1)}"
    if type(value) is OpaqueNode:
        return value.text
    if type(value) is ObjectNode:
        encoded = encoded_text(value)
        raw = None if encoded is None else latin1(encoded[:_BYTES])
        if encoded is not None and raw is not None:
            return _bytes_text(raw, len(encoded))
        return f"{_callee(value, depth - 1)}({_arguments(value, depth)})"
    return type(value).__name__


def _callee(node: ObjectNode, depth: int) -> str:
    callee = node.callee
    if (
        type(callee) is GlobalNode
        and callee.name == "_reconstructor"
        and type(node.args) is tuple
        and node.args
    ):
        # How protocols 0 and 1 make an object of the class in the first argument.
        callee = node.args[0]
    return _text(callee, depth)


def _arguments(node: ObjectNode, depth: int) -> str:
    args = node.args
    if type(node.callee) is GlobalNode and node.callee.name == "_reconstructor":
        args = ()
    parts = []
    if type(args) is tuple:
        if args:
            parts.append(_items(args, depth))
    else:
        parts.append(_text(args, depth - 1))
    if node.elements:
        parts.append(f"[{_items(node.elements, depth)}]")
    if node.pairs:
        parts.append(f"{{{_pairs(node.pairs, depth)}}}")
    return ", ".join(parts)


def _items(values: tuple[object, ...] | list[object], depth: int) -> str:
    count = _ITEMS if depth == _DEPTH else _INNER_ITEMS
    shown = ", ".join([_text(value, depth - 1) for value in values[:count]])
    return shown if len(values) <= count else f"{shown}, … {len(values):,} items"


def _pairs(pairs: list[tuple[object, object]], depth: int) -> str:
    count = _ITEMS if depth == _DEPTH else _INNER_ITEMS
    shown = ", ".join(
        [f"{_text(key, depth - 1)}: {_text(value, depth - 1)}" for key, value in pairs[:count]]
    )
    return shown if len(pairs) <= count else f"{shown}, … {len(pairs):,} items"
