"""An interpreter of pickle opcodes that makes inert nodes and runs nothing.

It knows nothing of torch. Numbers, strings, bytes, tuples and lists become Python's own; all the
rest becomes one of the classes of `pickle_nodes`. No value of the file is ever hashed, compared,
called or imported, nothing is allocated from a length field, and the work is bounded by the
length of the input: each opcode costs a bounded time plus the bytes that it covers.

The opcodes are those of CPython's ``pickletools``, protocols 0 to 5.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import NoReturn

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.pickle_nodes import GlobalNode, ObjectNode, OpaqueNode
from inspector.checkpoints.pickle_opcodes import MISSING, RARE, ComputedNameError, Hooks, Machine
from inspector.checkpoints.pickle_salvage import salvage

_u16 = struct.Struct("<H").unpack_from
_u32 = struct.Struct("<I").unpack_from
_i32 = struct.Struct("<i").unpack_from
_f64 = struct.Struct(">d").unpack_from

#: What follows the NEWFALSE in torch's tensors, which is their ``requires_grad``: BINGET gives
#: OrderedDict, EMPTY_TUPLE and REDUCE make one for hooks, TUPLE the arguments, REDUCE the tensor;
#: each of the three is stored by LONG_BINPUT.
_END = struct.Struct("<BB3xIHIHI")
_END_OPCODES = (0x68, 0x7274, 0x7252)
_END_SAVED = 8


#: How the opcodes' functions say that a pickle makes no sense.
_DAMAGE = (IndexError, KeyError, EOFError, ValueError, struct.error)


#: The value of a pickle of which only the imports are known.
_LOST = OpaqueNode("could not be read")


class Pickle:
    """What one pickle holds.

    Attributes
    ----------
    value
        Its value: plain, or a node.
    globals
        Every class and function that it names, once each, in the order of the first request.
    end
        The offset of the first byte behind its STOP.
    opcodes
        How many were interpreted: no fewer than there are values and references to them.
    size
        The bytes that were interpreted, without those that were jumped over.
    protocol
        What it says of itself; 0 where it says nothing, as protocols 0 and 1 do.
    unused
        How many values it makes that are no part of its own. Python drops them too, after it has
        run what makes them.
    """

    __slots__ = ("end", "globals", "opcodes", "protocol", "size", "unused", "value")

    def __init__(self, machine: Machine, opcodes: int, size: int, protocol: int) -> None:
        self.value = machine.stack[-1]
        self.unused = len(machine.stack) - 1 + sum(map(len, machine.outer))
        self.globals = tuple(machine.globals.values())
        self.end = machine.position
        self.opcodes = opcodes
        self.size = size
        self.protocol = protocol

    @property
    def protocol_text(self) -> str:
        """The protocol for people."""
        return str(self.protocol) if self.protocol else "0 or 1"

    @property
    def oddity(self) -> str:
        """What no pickler leaves behind, as a sentence; mostly empty."""
        if not self.unused:
            return ""
        values = "a value" if self.unused == 1 else f"{self.unused:,} values"
        return (
            f"The pickle makes {values} beside its own, which no pickler does: this is how "
            "calls are put in front of a harmless checkpoint. Nothing was run."
        )


class PickleEndsError(CheckpointError):
    """The bytes end before the pickle does."""


def interpret(
    data: bytes,
    start: int = 0,
    *,
    name: str = "The pickle",
    check: Callable[[], None] | None = None,
) -> Pickle:
    """Interpret the pickle that begins at ``start``.

    Parameters
    ----------
    data
        The bytes; what lies behind the STOP opcode is not looked at.
    name
        What to call it in an error, at the beginning of a sentence.
    check
        Called about every 10 ms; may raise `Cancelled`.

    Raises
    ------
    CheckpointError
        If it is damaged; ``where`` gives the byte.
    """
    return _run(Machine(data, start, Hooks()), name, check)


class PickleStream:
    """Pickles that follow each other in a source, which is read as far as they need it.

    Parameters
    ----------
    source, start
        Where the first one begins.
    check
        Called about every 10 ms; may raise `Cancelled`.
    """

    def __init__(
        self,
        source: bytes | ByteSource,
        start: int = 0,
        *,
        check: Callable[[], None] | None = None,
    ) -> None:
        self._machine = Machine(source, start, Hooks())
        self._check = check
        self._globals: dict[tuple[str, str], GlobalNode] = {}

    @property
    def globals(self) -> tuple[GlobalNode, ...]:
        """Every class and function that the pickles so far name, once each."""
        return tuple(self._globals.values())

    @property
    def interpreted(self) -> int:
        """Bytes of pickles so far, without those that were jumped over."""
        return self._machine.before + self._machine.pos

    @property
    def rest(self) -> int:
        """Bytes of the source behind the pickles so far."""
        return self._machine.rest

    def next(self, name: str = "The pickle", hooks: Hooks | None = None) -> Pickle:
        """Interpret the next one. Raises as `interpret` does."""
        self._machine.renew()
        self._machine.hooks = hooks or Hooks()
        try:
            return _run(self._machine, name, self._check)
        finally:
            for key, node in self._machine.globals.items():
                self._globals.setdefault(key, node)

    def salvage(self) -> Pickle | None:
        """What there was of the pickle that `next` just refused.

        None if there was nothing at all, not even an import.
        """
        machine = self._machine
        found = salvage(machine.outer, machine.stack)
        if found is None and not machine.globals:
            return None
        machine.outer, machine.stack = [], [_LOST if found is None else found]
        size = machine.before + machine.pos
        return Pickle(machine, size, size, 0)

    def take(self, length: int) -> bytes:
        """The next bytes, which are no pickle; there have to be so many."""
        return self._machine.take(length)

    def starts_marked(self, start: int) -> bool:
        """Whether there is a protocol's mark at ``start``, as far as it is still known."""
        place = start - self._machine.base
        return place < 0 or self._machine.data[place : place + 1] == b"\x80"

    def skip(self, length: int) -> None:
        """Go on behind the next bytes; there have to be so many."""
        self._machine.skip(length)

    @property
    def position(self) -> int:
        """Where the next one begins."""
        return self._machine.position


def interpret_within(machine: Machine, name: str) -> Pickle:
    """Interpret a pickle that lies within another one, at the position of its machine.

    The machine goes on behind it. Nothing of the outer pickle can be reached by the inner one.
    """
    outer = machine.stack, machine.outer, machine.memo, machine.globals, machine.hooks
    saved = machine.saved
    machine.renew()
    machine.hooks = Hooks()
    try:
        return _run(machine, name, None)
    finally:
        machine.stack, machine.outer, machine.memo, machine.globals, machine.hooks = outer
        machine.saved = saved


def _run(machine: Machine, name: str, check: Callable[[], None] | None) -> Pickle:
    opcodes = 0
    before = machine.before + machine.pos
    try:
        machine.advance()
        mark = machine.data[machine.pos : machine.pos + 2]
        protocol = mark[1] if len(mark) == 2 and mark[0] == 0x80 else 0
        while (last := _interpret_round(machine)) < 0:
            opcodes += machine.round
            # A thread that waits for the interpreter, such as the window's, goes first.
            time.sleep(0)
            if check is not None:
                check()
            machine.advance()
    except (*_DAMAGE, ComputedNameError) as error:
        _fail(machine, name, error)
    if not machine.stack:
        _fail(machine, name, IndexError())
    size = machine.before + machine.pos - before
    return Pickle(machine, opcodes + last + 1 + machine.saved, size, protocol)


def _fail(machine: Machine, name: str, error: Exception) -> NoReturn:
    kind = CheckpointError
    if machine.pos >= len(machine.data) or isinstance(error, EOFError | struct.error):
        what = "ends too early"
        kind = PickleEndsError
    elif isinstance(error, ComputedNameError):
        what = "computes the name of what it asks to import, which no pickler does"
    elif isinstance(error, IndexError):
        what = "is damaged: it uses a value that is not there"
    elif isinstance(error, KeyError):
        what = "is damaged, or is no pickle: it has an instruction that does not exist"
    elif isinstance(error, UnicodeError):
        what = "is damaged: it has text that is no text"
    else:
        what = "is damaged, or of a kind that is not known: it has a number that is none"
    raise kind(
        f"{name} {what}.",
        where=f"byte {machine.position}",
        advice="Get the file again from where it came from, or look at how it was written.",
    ) from error


def _interpret_round(machine: Machine) -> int:
    """Interpret a round of opcodes.

    One long chain of tests over local variables, most frequent first as in a state dict: a
    function for each opcode takes three times as long.

    Returns
    -------
    int
        How many came before the STOP, or -1 if that is still to come.
    """
    data, pos, limit = machine.data, machine.pos, machine.limit
    stack, outer, memo = machine.stack, machine.outer, machine.memo
    reference = machine.hooks.reference
    try:
        for done in range(machine.round):
            op = data[pos]
            pos += 1
            if op == 0x72 and _u32(data, pos)[0] == len(memo):  # LONG_BINPUT
                memo.append(stack[-1])
                pos += 4
            elif op == 0x68:  # BINGET
                value = memo[data[pos]]
                if value is MISSING:
                    raise IndexError
                stack.append(value)
                pos += 1
            elif op == 0x4B:  # BININT1
                stack.append(data[pos])
                pos += 1
            elif op == 0x58 and (end := pos + 4 + _u32(data, pos)[0]) <= limit:  # BINUNICODE
                stack.append(data[pos + 4 : end].decode("utf-8", "surrogatepass"))
                pos = end
            elif op == 0x28:  # MARK
                outer.append(stack)
                stack = []
            elif op == 0x52:  # REDUCE
                args = stack.pop()
                stack.append(ObjectNode(stack.pop(), args))
            elif op == 0x74:  # TUPLE
                made = tuple(stack)
                stack = outer.pop()
                stack.append(made)
            elif op == 0x86:  # TUPLE2
                second = stack.pop()
                stack.append((stack.pop(), second))
            elif op == 0x85:  # TUPLE1
                stack.append((stack.pop(),))
            elif op == 0x29:  # EMPTY_TUPLE
                stack.append(())
            elif op == 0x51:  # BINPERSID
                stack.append(reference(stack.pop()))
            elif op == 0x89:  # NEWFALSE
                stack.append(False)
                if pos + _END.size <= limit and data[pos + 2 : pos + 5] == b")Rr":
                    # Nine opcodes at once, if they are what ends each of torch's tensors.
                    get, index, first, tuple_put, second, call_put, third = _END.unpack_from(
                        data, pos
                    )
                    count = len(memo)
                    if (get, tuple_put, call_put) == _END_OPCODES and (
                        (first, second, third) == (count, count + 1, count + 2)
                        and index < count
                        and (value := memo[index]) is not MISSING
                        and outer
                        and outer[-1]
                    ):
                        hooks = ObjectNode(value, ())
                        stack.append(hooks)
                        made = tuple(stack)
                        stack = outer.pop()
                        called = ObjectNode(stack.pop(), made)
                        stack.append(called)
                        memo += (hooks, made, called)
                        pos += _END.size
                        machine.saved += _END_SAVED
            elif op == 0x94:  # MEMOIZE
                memo.append(stack[-1])
            elif op == 0x8C and (end := pos + 1 + data[pos]) <= limit:  # SHORT_BINUNICODE
                stack.append(data[pos + 1 : end].decode("utf-8", "surrogatepass"))
                pos = end
            elif op == 0x6A:  # LONG_BINGET
                value = memo[_u32(data, pos)[0]]
                if value is MISSING:
                    raise IndexError
                stack.append(value)
                pos += 4
            elif op == 0x4D:  # BININT2
                stack.append(_u16(data, pos)[0])
                pos += 2
            elif op == 0x4A:  # BININT
                stack.append(_i32(data, pos)[0])
                pos += 4
            elif op == 0x47:  # BINFLOAT
                stack.append(_f64(data, pos)[0])
                pos += 8
            elif op == 0x71 and data[pos] == len(memo):  # BINPUT
                memo.append(stack[-1])
                pos += 1
            elif op == 0x4E:  # NONE
                stack.append(None)
            elif op == 0x2E:  # STOP
                return done
            else:
                machine.pos, machine.stack = pos, stack
                try:
                    RARE[op](machine)
                finally:
                    data, pos, limit = machine.data, machine.pos, machine.limit
                    stack = machine.stack
                if pos > limit:
                    return -1
        return -1
    finally:
        machine.pos, machine.stack = pos, stack
