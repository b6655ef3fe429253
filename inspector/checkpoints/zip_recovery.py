"""The members of a zip archive whose directory is lost, found by their local headers.

A download that stopped has no directory, since that comes last. What comes before each member is
enough to go on: its name, and mostly its size. torch leaves the size to a descriptor behind the
bytes; then it is known from elsewhere (`LocalHeaders.expected`), or searched for.

Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.9 and 4.5.3.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Final

from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.zip_directory import (
    DEFLATED,
    ENCRYPTED,
    ENTRY_SIGNATURE,
    LOCAL_SIGNATURE,
    STORED,
    ZipMember,
    zip64_sizes,
)

_DESCRIPTOR_SIGNATURE = b"PK\x07\x08"

#: Signature, flags, method, compressed and plain size, bytes of the name and of the extra field.
_HEADER = struct.Struct("<4s2xHH8xIIHH")
_SIZES32 = struct.Struct("<II")
_SIZES64 = struct.Struct("<QQ")
#: Descriptor without its sizes: signature and checksum.
_DESCRIPTOR = 8

#: The sizes come behind the bytes.
_SIZES_FOLLOW = 8

#: Bytes that are read at a time: around a header, and in a search.
_NEAR = 1 << 16
_PIECE = 1 << 20

#: Compressed bytes that are looked at first, and at most at a time. Small members are many.
_FIRST = 1 << 10
_CHUNK = 1 << 16

#: Inflated bytes to find the ends of members, at most: this, and so many for each byte of the file.
_INFLATED = 64 << 20
_INFLATED_PER_BYTE = 40

#: Members between two calls of ``check``.
_ROUND = 4096

#: Bytes in which another member is looked for behind one that claims more than the file has. The
#: file is mostly cut there, and what is left of a storage may be very large.
_SEARCHED = 1 << 30

#: Bytes that are searched in all, at most: this, and so many for each byte of the file. A place
#: that looks like what is wanted, and is not, takes as long as so many bytes.
_SEARCHED_PER_BYTE = 2
_MISFIT = 1 << 14


class LocalHeaders:
    """Finds members one after the other; to be iterated once.

    Each byte of the archive is looked at a bounded number of times, whatever its headers claim.

    Parameters
    ----------
    source
        The archive, or the beginning of one.
    check
        Called about every 10 ms; may raise `Cancelled`.

    Attributes
    ----------
    expected
        Sizes of members that are known from elsewhere, by name. May be added to between two
        members: a size that proves right saves a search through the bytes.
    cut
        The last member, if its end is not in the file. Its ``size`` is what is there. One that
        claims too much, with others behind it, is not cut: it has a ``problem``.
    complete
        Whether all members were found: the directory follows the last one.
    """

    def __init__(self, source: ByteSource, check: Callable[[], None]) -> None:
        self.expected: Final[dict[str, int]] = {}
        self.cut: ZipMember | None = None
        self.complete = False
        self._source: Final = source
        self._size: Final = source.size
        self._window: Final = _Window(source, check)
        self._check: Final = check
        self._inflatable = _INFLATED + _INFLATED_PER_BYTE * source.size
        self._searchable = _SEARCHED + _SEARCHED_PER_BYTE * source.size
        self._root = ""

    def __iter__(self) -> Iterator[ZipMember]:
        """The members that can be told apart, the one that is cut included."""
        at = self._window.find(LOCAL_SIGNATURE, 0)
        count = 0
        while at >= 0:
            member = self._member(at)
            if member is None:
                return
            yield member
            count += 1
            if count % _ROUND == 0:
                self._check()
            if self.cut is not None:
                return
            at = self._following(member.limit)

    def _following(self, end: int) -> int:
        """Offset of the header behind a member that ends at ``end``; -1 if there is none."""
        for skipped in (0, _DESCRIPTOR + _SIZES32.size, _DESCRIPTOR + _SIZES64.size):
            signature = self._window.get(end + skipped, 4)
            if signature == LOCAL_SIGNATURE:
                return end + skipped
            if signature == ENTRY_SIGNATURE:
                self.complete = True
                return -1
        return self._window.find(LOCAL_SIGNATURE, end)

    def _member(self, at: int) -> ZipMember | None:
        """The member with the header at ``at``; None if the file ends within the header."""
        head = self._window.get(at, _HEADER.size)
        if len(head) < _HEADER.size:
            return None
        _, flags, method, compressed, size, name_size, extra_size = _HEADER.unpack(head)
        names = self._window.get(at + _HEADER.size, name_size + extra_size)
        if len(names) < name_size + extra_size:
            return None
        name = str(names[:name_size], "utf-8", "surrogateescape")
        self._root = self._root or name.partition("/")[0]
        size, compressed = zip64_sizes(names[name_size:], size, compressed)
        start = at + _HEADER.size + name_size + extra_size
        unknown = bool(flags & _SIZES_FOLLOW) and not compressed
        problem, whole = "", True
        if flags & ENCRYPTED:
            problem = "is encrypted"
        elif method == STORED:
            size = compressed = self._stored(name, start) if unknown else compressed
            whole = 0 <= size <= self._size - start
        elif method != DEFLATED:
            problem = f"is compressed by method {method}, which is not read here"
        elif unknown or compressed > self._size - start:
            compressed, size, whole = self._deflated(start)
        if problem:
            size, whole = 0, not unknown and compressed <= self._size - start
        end = start + compressed
        if not whole:
            end = self._search(LOCAL_SIGNATURE, start, self._is_of_archive, _SEARCHED)
            if end >= 0:
                size = 0
                problem = problem or "claims more bytes than there are up to the next one"
        cut = end < 0
        if cut:
            end = self._size
            size = end - start if method == STORED and not problem else size
        member = ZipMember(name, method, end - start, size, at, problem)
        member.limit = end
        if cut:
            self.cut = member
        return member

    def _is_of_archive(self, at: int) -> bool:
        """Whether a signature belongs to a header of this archive.

        The bytes of a storage may look like a header; few look like one of the same folder.
        """
        wanted = self._root.encode("utf-8", "surrogateescape")
        head = self._window.get(at, _HEADER.size + len(wanted))
        return len(head) > _HEADER.size and head[_HEADER.size :] == wanted

    def _stored(self, name: str, start: int) -> int:
        """Bytes of a stored member, by the descriptor behind it; -1 if none is found."""
        expected = self.expected.get(name, -1)
        longest = _DESCRIPTOR + _SIZES64.size
        near = self._size
        if start + expected > self._size:
            # Mostly the file is cut here. If the claim lies, the descriptor may be near.
            near = _SEARCHED
        elif expected >= 0:
            # Not by the window, which only ever goes forward.
            end = start + expected
            found = self._source.read(end, min(longest, self._size - end))
            if _is_descriptor(found, expected):
                return expected

        def fits(at: int) -> bool:
            return _is_descriptor(self._window.get(at, longest), at - start)

        at = self._search(_DESCRIPTOR_SIGNATURE, start, fits, near)
        return at - start if at >= 0 else -1

    def _search(self, wanted: bytes, start: int, fits: Callable[[int], bool], near: int) -> int:
        """Offset of the first ``wanted`` that fits, from ``start`` on; -1 if none is found.

        Looks at ``near`` bytes, and at no more than what may be searched in all.
        """
        at, end = start, min(self._size, start + near)
        while self._searchable > 0:
            found = self._window.find(wanted, at, end)
            self._searchable -= (found if found >= 0 else end) - at
            if found < 0 or fits(found):
                return found
            at = found + 1
            self._searchable -= _MISFIT
            if self._searchable // _MISFIT % 64 == 0:
                self._check()
        return -1

    def _deflated(self, start: int) -> tuple[int, int, bool]:
        """Compressed and inflated bytes of a deflated member, and whether it is whole."""
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        at, inflated, pending, chunk = start, 0, b"", _FIRST
        while not inflater.eof and self._inflatable > 0:
            if not pending:
                pending = self._window.get(at, chunk)
                at += len(pending)
                chunk = min(2 * chunk, _CHUNK)
            if not pending:
                break
            try:
                part = len(inflater.decompress(pending, _PIECE))
            except zlib.error:
                break
            # What inflates to nothing takes time as well.
            self._inflatable -= max(part, len(pending) - len(inflater.unconsumed_tail))
            pending = inflater.unconsumed_tail
            inflated += part
            self._check()
        used = at - len(inflater.unused_data) - len(pending) - start
        return used, inflated, inflater.eof


def _is_descriptor(found: bytes, size: int) -> bool:
    """Whether bytes begin with the descriptor of a stored member of ``size`` bytes."""
    return found.startswith(_DESCRIPTOR_SIGNATURE) and any(
        len(found) >= _DESCRIPTOR + sizes.size
        and sizes.unpack_from(found, _DESCRIPTOR) == (size, size)
        for sizes in (_SIZES32, _SIZES64)
    )


class _Window:
    """The bytes around one place of a source, read in pieces."""

    def __init__(self, source: ByteSource, check: Callable[[], None]) -> None:
        self._source: Final = source
        self._check: Final = check
        self._start = 0
        self._data = b""

    def get(self, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes; fewer where the source ends."""
        self._load(offset, length, _NEAR)
        return self._data[offset - self._start : offset - self._start + length]

    def _load(self, offset: int, length: int, piece: int) -> None:
        """Have ``length`` bytes from ``offset`` on in memory, as far as the source goes."""
        left = max(0, self._source.size - offset)
        end = offset + min(length, left)
        if not self._start <= offset <= end <= self._start + len(self._data):
            self._data = self._source.read(offset, min(max(piece, length), left)) if left else b""
            self._start = offset

    def find(self, wanted: bytes, offset: int, end: int | None = None) -> int:
        """Offset of the next ``wanted`` from ``offset`` on; -1 if there is none before ``end``."""
        end = self._source.size if end is None else end
        while offset + len(wanted) <= end:
            self._load(offset, len(wanted), _PIECE)
            at = self._data.find(wanted, offset - self._start)
            if at >= 0:
                return self._start + at
            offset = self._start + len(self._data) - len(wanted) + 1
            self._check()
        return -1
