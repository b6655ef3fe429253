"""The part of a pickle's bytes that is in memory while it is interpreted.

A pickle does not say how long it is, and gigabytes may follow it or lie within it. So a source is
read from the beginning of the pickle on as far as it is needed, and long runs of bytes stay where
they are. Reading goes forward only, which suits compressed sources.
"""

from __future__ import annotations

from typing import Final

from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.pickle_nodes import FarBytes

#: Opcodes that are interpreted at a stretch, at most.
_ROUND: Final = 1 << 16

#: Bytes that an opcode takes, at most, without what has a length of its own.
_OPCODE: Final = 9

#: Bytes that are read at a time: at first and behind what was left out, and further on.
_FIRST: Final = 1 << 16
_NEXT: Final = 4 << 20

#: The part of a window that is kept for a last round.
_TAIL: Final = 1 / 6

#: Runs of bytes of at least this length stay in the source.
_FAR: Final = 1 << 16

#: Bytes of one text, at most.
_MAX_TEXT: Final = 1 << 30


class PickleWindow:
    """A window on bytes, and a position in it.

    Attributes
    ----------
    data
        The bytes in the window.
    pos
        The position in ``data``.
    base
        Where the window begins in the source.
    limit
        Up to here in ``data``, a round of opcodes of fixed length finds all of their bytes in the
        window. The length of ``data`` if nothing follows.
    before
        Bytes that were looked at before the window.
    round
        Opcodes that may be interpreted at a stretch.
    """

    __slots__ = ("_end", "_source", "base", "before", "data", "limit", "pos", "round")

    def __init__(self, source: bytes | ByteSource, start: int) -> None:
        self.before = 0
        self.round = _ROUND
        if isinstance(source, bytes):
            self._source: ByteSource | None = None
            self.data, self.base, self.pos = source, 0, start
            self._end = len(source)
            self.limit = len(source)
        else:
            self._source = source
            self._end = source.size
            self.data, self.base, self.pos = b"", start, 0
            self._extend(_FIRST)

    @property
    def position(self) -> int:
        """Where the position is in the source."""
        return self.base + self.pos

    @property
    def rest(self) -> int:
        """Bytes of the source behind the position."""
        return self._end - self.base - self.pos

    def advance(self) -> None:
        """See to it that a round of opcodes finds its bytes."""
        if self.pos > self.limit:
            self._extend(_NEXT)

    def take(self, length: int) -> bytes:
        """The next bytes; a length that reaches beyond the end allocates nothing."""
        end = self.pos + length
        if length < 0 or end > len(self.data):
            if length < 0 or length > self.rest:
                raise EOFError
            self._extend(length)
            end = length
        taken = self.data[self.pos : end]
        self.pos = end
        return taken

    def take_far(self, length: int, shortest: int = _FAR) -> bytes | FarBytes:
        """The next bytes, left where they are if they are ``shortest`` or more."""
        if length < shortest or self._source is None:
            return self.take(length)
        if length > self.rest:
            raise EOFError
        far = FarBytes(self._source, self.position, length)
        self.skip(length)
        return far

    def skip(self, length: int) -> None:
        """Go on behind the next bytes."""
        if length < 0 or length > self.rest:
            raise EOFError
        if self.pos + length <= len(self.data):
            self.pos += length
            return
        self.before += self.pos
        self.base += self.pos + length
        self.data, self.pos = b"", 0
        self._extend(_FIRST)

    def line(self) -> bytes:
        """The bytes up to the next line feed, without it."""
        seen = 0
        while (end := self.data.find(b"\n", self.pos + seen)) < 0:
            seen = len(self.data) - self.pos
            if self.base + len(self.data) >= self._end:
                raise EOFError
            self._extend(2 * seen)
        taken = self.data[self.pos : end]
        self.pos = end + 1
        return taken

    def _extend(self, length: int) -> None:
        """Let the window begin at the position, and have ``length`` bytes if there are so many."""
        if length > _MAX_TEXT:
            raise ValueError
        kept = self.data[self.pos :]
        self.base += self.pos
        self.before += self.pos
        self.pos = 0
        more = min(max(length, _FIRST) - len(kept), self._end - self.base - len(kept))
        if more > 0 and self._source is not None:
            kept += self._source.read(self.base + len(kept), more)
        self.data = kept
        if self.base + len(kept) >= self._end:
            self.round, self.limit = _ROUND, len(kept)
        else:
            self.round = min(_ROUND, int(len(kept) * _TAIL) // _OPCODE)
            self.limit = len(kept) - self.round * _OPCODE
