"""Object headers: the messages of which a group, a dataset or a datatype consists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.hdf5.space import Cursor, Space

DATASPACE: Final = 0x01
LINK_INFO: Final = 0x02
DATATYPE: Final = 0x03
OLD_FILL: Final = 0x04
FILL: Final = 0x05
LINK: Final = 0x06
EXTERNAL_FILES: Final = 0x07
LAYOUT: Final = 0x08
FILTERS: Final = 0x0B
ATTRIBUTE: Final = 0x0C
CONTINUATION: Final = 0x10
SYMBOL_TABLE: Final = 0x11
ATTRIBUTE_INFO: Final = 0x15

_WHAT: Final = "An object header"
_SHARED: Final = 2

#: Bytes before the first message, at most.
_MAX_PREFIX: Final = 34

#: Messages of an object, at most; old files have one for each attribute.
_MAX_MESSAGES: Final = 200_000


class Message:
    """One message.

    Attributes
    ----------
    kind
        One of the numbers above, or another.
    shared
        Whether the data only say where the message is.
    order
        Number by order of creation, if the object keeps it.
    """

    __slots__ = ("data", "kind", "order", "shared")

    def __init__(self, kind: int, data: bytes, shared: bool, order: int = 0) -> None:
        self.kind = kind
        self.data = data
        self.shared = shared
        self.order = order


class ObjectHeader:
    """The messages of one object.

    Parameters
    ----------
    space, address
        Where it is.

    Attributes
    ----------
    messages
        Those that could be read, in the file's order.
    problem
        Why there may be more, as a sentence; mostly empty.

    Raises
    ------
    CheckpointError
        If there is no object header at the address.
    """

    def __init__(self, space: Space, address: int) -> None:
        self.space: Final = space
        self.messages: Final[list[Message]] = []
        self.problem = ""
        self._waiting: Final[list[tuple[int, int]]] = []
        self._ordered = False
        start = space.upto(address, _MAX_PREFIX, _WHAT)
        self._modern: Final = start.startswith(b"OHDR")
        begin, length = self._prefix(Cursor(start, space, _WHAT, address))
        self._read(address + begin, length, continuation=False)

    def first(self, kind: int) -> Message | None:
        """The first message of a kind."""
        return next(self.all(kind), None)

    def all(self, kind: int) -> Iterator[Message]:
        """The messages of a kind."""
        return (message for message in self.messages if message.kind == kind)

    def cursor(self, kind: int, what: str) -> Cursor | None:
        """The first message of a kind, to be read, wherever it is; None if there is none."""
        message = self.first(kind)
        return None if message is None else open_message(self.space, message, what)

    def _prefix(self, cursor: Cursor) -> tuple[int, int]:
        """Where the messages begin behind the address, and their bytes."""
        if not self._modern:
            cursor.version(1)
            cursor.skip(7)
            return 16, cursor.number(4)
        cursor.skip(4)
        cursor.version(2)
        flags = cursor.number(1)
        self._ordered = bool(flags & 4)
        cursor.skip((16 if flags & 32 else 0) + (4 if flags & 16 else 0))
        length = cursor.number(1 << (flags & 3))
        return cursor.at, length

    def _read(self, address: int, length: int, *, continuation: bool) -> None:
        self._block(address, length, continuation)
        met = {address}
        while self._waiting:
            following, length = self._waiting.pop(0)
            if following in met:
                self.problem = "An object header goes on where it was before."
                continue
            met.add(following)
            try:
                self._block(following, length, True)
            except CheckpointError as error:
                self.problem = error.message

    def _block(self, address: int, length: int, continuation: bool) -> None:
        """The messages of one run of bytes."""
        space = self.space
        if continuation and self._modern:
            cursor = space.cursor(address, length, _WHAT)
            cursor.signature(b"OCHK")
            end = length - 4
        else:
            cursor = Cursor(space.upto(address, length, _WHAT), space, _WHAT, address)
            if cursor.left < length:
                self.problem = space.beyond(address, length, _WHAT).message
            end = len(cursor.data)
        prefix = (6 if self._ordered else 4) if self._modern else 8
        while end - cursor.at >= prefix:
            kind, size, flags, order = self._message_prefix(cursor)
            if cursor.at + size > end:
                self.problem = "A message in an object header is longer than the header."
                return
            data = cursor.take(size)
            if kind == CONTINUATION:
                inner = Cursor(data, space, "A continuation", address)
                self._waiting.append((inner.address(), inner.length()))
            elif kind:
                self.messages.append(Message(kind, data, bool(flags & _SHARED), order))
            if len(self.messages) > _MAX_MESSAGES:
                raise cursor.error(f"has more than {_MAX_MESSAGES:,} messages")

    def _message_prefix(self, cursor: Cursor) -> tuple[int, int, int, int]:
        if not self._modern:
            kind, size, flags = cursor.number(2), cursor.number(2), cursor.number(1)
            cursor.skip(3)
            return kind, size, flags, 0
        kind, size, flags = cursor.number(1), cursor.number(2), cursor.number(1)
        return kind, size, flags, cursor.number(2) if self._ordered else 0


def open_message(space: Space, message: Message, what: str) -> Cursor:
    """A message to be read; a shared one is looked up."""
    if not message.shared:
        return Cursor(message.data, space, what)
    return shared_message(Cursor(message.data, space, what), message.kind)


def shared_message(cursor: Cursor, kind: int) -> Cursor:
    """The message of a kind that lies in the header of another object.

    Raises
    ------
    CheckpointError
        If it is in a heap of shared messages, which is not read here, or is not to be found.
    """
    version, place = cursor.version(1, 2, 3), cursor.number(1)
    if version == 1:
        cursor.skip(6)
    elif version == 3 and place == 1:
        raise cursor.error("is in the file's heap of shared messages, which is not read here")
    message = ObjectHeader(cursor.space, cursor.address()).first(kind)
    if message is None or message.shared:
        raise cursor.error("is said to be in another object, but is not there")
    return Cursor(message.data, cursor.space, cursor.what)
