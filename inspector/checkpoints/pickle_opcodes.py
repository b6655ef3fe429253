"""The rare opcodes of a pickle; the frequent ones are in the loop of `pickles`.

Each function takes the machine with ``machine.pos`` behind the opcode, and leaves it behind the
opcode's argument. What is missing shows as IndexError, EOFError or ValueError, which `pickles`
turns into its one error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.pickle_nodes import (
    DictNode,
    FarBytes,
    GlobalNode,
    ObjectNode,
    OpaqueNode,
    PersistentNode,
    SetNode,
)
from inspector.checkpoints.pickle_window import PickleWindow

#: Decimal digits of a number in text. Python refuses to parse longer ones, because that takes
#: quadratic time, unless somebody has switched the limit off.
_MAX_DIGITS = 4300

_HIGHEST_PROTOCOL = 5

_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPED: Final = {
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"a": b"\a",
    b"b": b"\b",
    b"f": b"\f",
    b"v": b"\v",
    b"\\": b"\\",
    b"'": b"'",
    b'"': b'"',
    b"\n": b"",
}


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the user of the interpreter makes of some things that it knows nothing of.

    Attributes
    ----------
    reference
        What stands for a persistent id.
    built
        Called with each object that was given a state, and with the machine, which stands behind
        the opcode. It may change the node, and read or jump over what is there.
    """

    reference: Callable[[object], object] = PersistentNode
    built: Callable[[ObjectNode, Machine], None] | None = None


class Machine(PickleWindow):
    """The state of the stack machine that a pickle is a program for.

    Parameters
    ----------
    hooks
        What its user makes of references, and of objects that were given a state.
    """

    __slots__ = ("globals", "hooks", "memo", "outer", "saved", "stack")

    def __init__(self, source: bytes | ByteSource, start: int, hooks: Hooks) -> None:
        super().__init__(source, start)
        self.hooks = hooks
        self.renew()

    def renew(self) -> None:
        """Begin with another pickle, here."""
        self.stack: list[object] = []
        #: The stacks below each MARK. A value is only ever taken from above the last MARK.
        self.outer: list[list[object]] = []
        self.memo: list[object] = []
        self.globals: dict[tuple[str, str], GlobalNode] = {}
        #: Opcodes that were interpreted along with others, in one step.
        self.saved = 0

    def number(self, width: int, *, signed: bool = False) -> int:
        return int.from_bytes(self.take(width), "little", signed=signed)

    def sized(self, width: int) -> bytes:
        """The bytes behind a length of ``width`` bytes."""
        return self.take(self.number(width))

    def sized_far(self, width: int) -> bytes | FarBytes:
        """The same, where a long run may be left in the source."""
        return self.take_far(self.number(width))

    def digits(self) -> str:
        """A line that holds a number."""
        line = self.line()
        if len(line) > _MAX_DIGITS:
            raise ValueError
        return line.decode("ascii")

    def since_mark(self) -> list[object]:
        """Take the values above the last MARK, and the MARK."""
        values = self.stack
        self.stack = self.outer.pop()
        return values

    def put(self, index: int) -> None:
        """Store the top of the stack in the memo.

        Picklers count from 0 and spend at least a byte for each value, so an index beyond the
        input's length is an attack (CVE-2018-20406); what it may allocate is bounded by that.
        """
        memo = self.memo
        if not 0 <= index <= self.before + len(self.data):
            raise IndexError
        value = self.stack[-1]
        if index >= len(memo):
            memo.extend([MISSING] * (index + 1 - len(memo)))
        memo[index] = value

    def get(self, index: int) -> None:
        value = self.memo[index] if 0 <= index < len(self.memo) else MISSING
        if value is MISSING:
            raise IndexError
        self.stack.append(value)

    def named(self, module: str, name: str, offset: int) -> GlobalNode:
        """The node for a class or function."""
        node = self.globals.get((module, name))
        if node is None:
            node = self.globals[module, name] = GlobalNode(module, name, offset)
        return node

    def target(self) -> ObjectNode:
        """The top of the stack as an object that takes a state or items.

        What no pickler asks for (a state for a class, items for a number) makes an object around
        that value: it stays reachable, and nothing of ours is changed.
        """
        top = self.stack[-1]
        if type(top) is not ObjectNode:
            top = self.stack[-1] = ObjectNode(top, ())
        return top


#: In the memo, where nothing was stored.
MISSING: Final = OpaqueNode("a value that was never stored")


def _text(raw: bytes | FarBytes) -> str | bytes | FarBytes:
    """A string of Python 2, which had no text: UTF-8 if it is, else the bytes."""
    if type(raw) is FarBytes:
        return raw
    assert type(raw) is bytes
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if code[:1] == b"x" and len(code) == 3:
        return bytes([int(code[1:], 16)])
    if code[:1].isdigit() and code[:1] < b"8":
        return bytes([int(code, 8) & 255])
    return _ESCAPED.get(code, b"\\" + code)


def _proto(m: Machine) -> None:
    if m.number(1) > _HIGHEST_PROTOCOL:
        raise ValueError


def _int_line(m: Machine) -> None:
    text = m.digits()
    # Protocol 0 and 1 have no booleans: these two spellings are theirs.
    m.stack.append({"00": False, "01": True}[text] if text in ("00", "01") else int(text))


def _long_line(m: Machine) -> None:
    m.stack.append(int(m.digits().removesuffix("L")))


def _string_line(m: Machine) -> None:
    line = m.line().strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise ValueError
    m.stack.append(_text(_ESCAPE.sub(_unescape, line[1:-1])))


def _list(m: Machine) -> None:
    made = m.since_mark()
    m.stack.append(made)


def _frozenset(m: Machine) -> None:
    made = SetNode(m.since_mark(), True)
    m.stack.append(made)


def _pairs(values: list[object]) -> zip[tuple[object, object]]:
    if len(values) % 2:
        raise IndexError
    return zip(values[::2], values[1::2], strict=True)


def _dict(m: Machine) -> None:
    made = DictNode()
    made.pairs.extend(_pairs(m.since_mark()))
    m.stack.append(made)


def _append(m: Machine) -> None:
    value = m.stack.pop()
    _extend(m, [value])


def _extend(m: Machine, values: list[object]) -> None:
    top = m.stack[-1]
    if type(top) is list:
        top.extend(values)
    elif type(top) is SetNode:
        top.elements.extend(values)
    else:
        m.target().contents.elements.extend(values)


def _set_item(m: Machine) -> None:
    value = m.stack.pop()
    key = m.stack.pop()
    _set_pairs(m, [key, value])


def _set_pairs(m: Machine, values: list[object]) -> None:
    top = m.stack[-1]
    if type(top) is DictNode:
        top.pairs.extend(_pairs(values))
    else:
        m.target().contents.pairs.extend(_pairs(values))


def _build(m: Machine) -> None:
    state = m.stack.pop()
    target = m.target()
    target.contents.states.append(state)
    if m.hooks.built is not None:
        m.hooks.built(target, m)


def _global(m: Machine) -> None:
    offset = m.base + m.pos - 1
    module, name = m.line().decode("utf-8"), m.line().decode("utf-8")
    m.stack.append(m.named(module, name, offset))


class ComputedNameError(Exception):
    """An import by a name that is no text, but the result of a call."""


def _stack_global(m: Machine) -> None:
    name, module = m.stack.pop(), m.stack.pop()
    if type(name) is not str or type(module) is not str:
        raise ComputedNameError
    m.stack.append(m.named(module, name, m.base + m.pos - 1))


def _inst(m: Machine) -> None:
    offset = m.base + m.pos - 1
    module, name = m.line().decode("ascii"), m.line().decode("ascii")
    args = tuple(m.since_mark())
    m.stack.append(ObjectNode(m.named(module, name, offset), args))


def _obj(m: Machine) -> None:
    values = m.since_mark()
    m.stack.append(ObjectNode(values[0], tuple(values[1:])))


def _new_object(m: Machine) -> None:
    args = m.stack.pop()
    m.stack.append(ObjectNode(m.stack.pop(), args))


def _new_object_ex(m: Machine) -> None:
    kwargs, args = m.stack.pop(), m.stack.pop()
    made = ObjectNode(m.stack.pop(), args)
    made.contents.kwargs = kwargs
    m.stack.append(made)


def _pop(m: Machine) -> None:
    if m.stack:
        m.stack.pop()
    else:
        m.since_mark()


def _pop_mark(m: Machine) -> None:
    m.since_mark()


def _frame(m: Machine) -> None:
    m.take(8)  # how much to buffer: of use to streams only


def _read_only(m: Machine) -> None:
    # READONLY_BUFFER changes nothing here, but has to have something on the stack.
    m.stack.append(m.stack.pop())


def _tuple3(m: Machine) -> None:
    third, second, first = m.stack.pop(), m.stack.pop(), m.stack.pop()
    m.stack.append((first, second, third))


def _unicode_line(m: Machine) -> None:
    m.stack.append(m.line().decode("raw-unicode-escape"))


def _pushed(make: Callable[[Machine], object]) -> Callable[[Machine], None]:
    """An opcode that only pushes what ``make`` reads, and leaves the stack alone otherwise."""

    def push(m: Machine) -> None:
        m.stack.append(make(m))

    return push


def _extension(width: int) -> Callable[[Machine], None]:
    return _pushed(lambda m: OpaqueNode(f"extension code {m.number(width)}"))


def _utf8(width: int) -> Callable[[Machine], None]:
    return _pushed(lambda m: m.sized(width).decode("utf-8", "surrogatepass"))


def _signed(width: int) -> Callable[[Machine], None]:
    return _pushed(lambda m: int.from_bytes(m.sized(width), "little", signed=True))


#: What is not in the loop of `pickles`, by opcode.
RARE: Final[dict[int, Callable[[Machine], None]]] = {
    code[0]: action
    for code, action in {
        b"\x80": _proto,
        b"\x95": _frame,
        b"0": _pop,
        b"1": _pop_mark,
        b"2": lambda m: m.stack.append(m.stack[-1]),  # DUP
        b"p": lambda m: m.put(int(m.digits())),
        b"q": lambda m: m.put(m.number(1)),
        b"r": lambda m: m.put(m.number(4)),
        b"g": lambda m: m.get(int(m.digits())),
        b"h": lambda m: m.get(m.number(1)),
        b"j": lambda m: m.get(m.number(4)),
        b"I": _int_line,
        b"L": _long_line,
        b"\x8a": _signed(1),
        b"\x8b": _signed(4),
        b"F": _pushed(lambda m: float(m.digits())),
        b"S": _string_line,
        b"U": _pushed(lambda m: _text(m.sized(1))),
        b"T": _pushed(lambda m: _text(m.sized_far(4))),
        b"V": _unicode_line,
        b"\x8c": _utf8(1),
        b"X": _utf8(4),
        b"\x8d": _utf8(8),
        b"B": _pushed(lambda m: m.sized_far(4)),
        b"C": _pushed(lambda m: m.sized(1)),
        b"\x8e": _pushed(lambda m: m.sized_far(8)),
        b"\x96": _pushed(lambda m: m.sized_far(8)),  # BYTEARRAY8: nobody here will change it
        b"\x97": _pushed(lambda m: OpaqueNode("out-of-band buffer")),
        b"\x98": _read_only,
        b"]": _pushed(lambda m: []),
        b"l": _list,
        b"a": _append,
        b"e": lambda m: _extend(m, m.since_mark()),
        b"}": _pushed(lambda m: DictNode()),
        b"d": _dict,
        b"s": _set_item,
        b"u": lambda m: _set_pairs(m, m.since_mark()),
        b"\x8f": _pushed(lambda m: SetNode([], False)),
        b"\x90": lambda m: _extend(m, m.since_mark()),
        b"\x91": _frozenset,
        b"\x87": _tuple3,
        b"\x88": lambda m: m.stack.append(True),
        b"c": _global,
        b"\x93": _stack_global,
        b"i": _inst,
        b"o": _obj,
        b"b": _build,
        b"\x81": _new_object,
        b"\x92": _new_object_ex,
        b"P": _pushed(lambda m: m.hooks.reference(m.line().decode("utf-8"))),
        b"\x82": _extension(1),
        b"\x83": _extension(2),
        b"\x84": _extension(4),
    }.items()
}
