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
from inspector.checkpoints.pickle_nodes import GlobalNode, ObjectNode, PersistentNode
from inspector.checkpoints.pickle_opcodes import MISSING, RARE, Machine

#: Opcodes between two calls of ``check``: some 10 ms.
_ROUND = 1 << 16

_u16 = struct.Struct("<H").unpack_from
_u32 = struct.Struct("<I").unpack_from
_i32 = struct.Struct("<i").unpack_from
_f64 = struct.Struct(">d").unpack_from


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
    """

    __slots__ = ("end", "globals", "opcodes", "value")

    def __init__(
        self, value: object, asked_for: tuple[GlobalNode, ...], end: int, opcodes: int
    ) -> None:
        self.value = value
        self.globals = asked_for
        self.end = end
        self.opcodes = opcodes


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
    machine = Machine(data, start)
    rounds = 0
    try:
        while (last := _interpret_round(machine)) < 0:
            rounds += 1
            # A thread that waits for the interpreter, such as the window's, goes first.
            time.sleep(0)
            if check is not None:
                check()
    except (IndexError, KeyError, EOFError, ValueError, struct.error) as error:
        _fail(machine, name, error)
    if machine.outer or len(machine.stack) != 1:
        _fail(machine, name, IndexError())
    return Pickle(
        machine.stack[0],
        tuple(machine.globals.values()),
        machine.pos,
        rounds * _ROUND + last + 1,
    )


def _fail(machine: Machine, name: str, error: Exception) -> NoReturn:
    if machine.pos >= len(machine.data) or isinstance(error, EOFError | struct.error):
        what = "ends too early"
    elif isinstance(error, IndexError):
        what = "is damaged: it uses a value that is not there"
    elif isinstance(error, KeyError):
        what = "is damaged, or is no pickle: it has an instruction that does not exist"
    elif isinstance(error, UnicodeError):
        what = "is damaged: it has text that is no text"
    else:
        what = "is damaged, or of a kind that is not known: it has a number that is none"
    raise CheckpointError(
        f"{name} {what}.",
        where=f"byte {machine.pos}",
        advice="Get the file again from where it came from, or look at how it was written.",
    ) from error


def _interpret_round(machine: Machine) -> int:
    """Interpret up to `_ROUND` opcodes.

    One long chain of tests over local variables, most frequent first as in a state dict: a
    function for each opcode takes three times as long.

    Returns
    -------
    int
        How many came before the STOP, or -1 if that is still to come.
    """
    data, pos, size = machine.data, machine.pos, len(machine.data)
    stack, outer, memo = machine.stack, machine.outer, machine.memo
    try:
        for done in range(_ROUND):
            op = data[pos]
            pos += 1
            if op == 0x72 and _u32(data, pos)[0] == len(memo):  # LONG_BINPUT
                memo.append(stack[-1])
                pos += 4
            elif op == 0x4B:  # BININT1
                stack.append(data[pos])
                pos += 1
            elif op == 0x68:  # BINGET
                value = memo[data[pos]]
                if value is MISSING:
                    raise IndexError
                stack.append(value)
                pos += 1
            elif op == 0x58:  # BINUNICODE
                end = pos + 4 + _u32(data, pos)[0]
                if end > size:
                    raise EOFError
                stack.append(str(data[pos + 4 : end], "utf-8", "surrogatepass"))
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
            elif op == 0x94:  # MEMOIZE
                memo.append(stack[-1])
            elif op == 0x8C:  # SHORT_BINUNICODE
                end = pos + 1 + data[pos]
                if end > size:
                    raise EOFError
                stack.append(str(data[pos + 1 : end], "utf-8", "surrogatepass"))
                pos = end
            elif op == 0x29:  # EMPTY_TUPLE
                stack.append(())
            elif op == 0x51:  # BINPERSID
                stack.append(PersistentNode(stack.pop()))
            elif op == 0x89:  # NEWFALSE
                stack.append(False)
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
            elif op == 0x85:  # TUPLE1
                stack.append((stack.pop(),))
            elif op == 0x4E:  # NONE
                stack.append(None)
            elif op == 0x2E:  # STOP
                return done
            else:
                machine.pos, machine.stack = pos, stack
                RARE[op](machine)
                pos, stack = machine.pos, machine.stack
        return -1
    finally:
        machine.pos, machine.stack = pos, stack
