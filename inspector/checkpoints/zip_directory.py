"""The directory of a zip archive, read without trust and without reading the members.

Python's ``zipfile`` is not used: it takes three times as long to import and to list, checks
checksums that torch may have left out, and does not see overlapping members.

Source: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 to 4.5.
"""

from __future__ import annotations

import struct
from itertools import pairwise
from operator import attrgetter
from typing import Final

from inspector.checkpoints.binary import unpack
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.inflated import MAX_RATIO, InflatedMember
from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.sources import check_range

#: What a zip archive begins with.
LOCAL_SIGNATURE: Final = b"PK\x03\x04"
#: What an entry of the directory begins with.
ENTRY_SIGNATURE: Final = b"PK\x01\x02"
#: What the record begins with that comes last.
END_SIGNATURE: Final = b"PK\x05\x06"
_END64_SIGNATURE = b"PK\x06\x06"
_LOCATOR_SIGNATURE = b"PK\x06\x07"

_LOCAL = struct.Struct("<4s22xHH")
_ENTRY = struct.Struct("<4s4xHH8xIIHHH8xI")
_END = struct.Struct("<4s4xHHIIH")
_END64_LOCATOR = struct.Struct("<4s4xQ4x")
_END64 = struct.Struct("<4s28xQQQ")

#: How a member is compressed, and the flag of one that is encrypted.
STORED: Final = 0
DEFLATED: Final = 8
ENCRYPTED: Final = 1
_FULL16 = 0xFFFF
_FULL32 = 0xFFFFFFFF

_AGAIN = "Get it again from where it came from."


class ZipMember:
    """One member, as the directory describes it.

    Attributes
    ----------
    size
        Bytes of its content: where `problem` is empty, no more than the archive can hold.
    problem
        Why it can not be read, as the end of a sentence that begins with its name; mostly empty.
    """

    __slots__ = ("compressed", "header", "limit", "method", "name", "problem", "size")

    def __init__(
        self, name: str, method: int, compressed: int, size: int, header: int, problem: str
    ) -> None:
        self.name = name
        self.method = method
        self.compressed = compressed
        self.size = size
        #: Offset of its local header.
        self.header = header
        #: Offset of what comes behind it: another member, or the directory.
        self.limit = header
        self.problem = problem


class ZipDirectory:
    """The members of a zip archive.

    Parameters
    ----------
    source
        The archive.
    found
        Members that were found without the directory, because it is lost.

    Attributes
    ----------
    members
        By name, in the directory's order. Of two with one name, the last.
    duplicates
        The names that occur more than once.
    before, behind
        Bytes of something else before and behind the archive.

    Raises
    ------
    CheckpointError
        If there is no directory, or it is damaged.
    """

    def __init__(self, source: ByteSource, found: list[ZipMember] | None = None) -> None:
        self.before = self.behind = 0
        if found is None:
            offset, length, count, self.before, self.behind = _find_directory(source)
            found = _parse(source.read(offset, length), offset, count, self.before)
            _bound(found, offset)
        self.source: Final = source
        self.members: Final[dict[str, ZipMember]] = {member.name: member for member in found}
        self.duplicates: Final = _repeated(found) if len(self.members) < len(found) else []

    def data_offset(self, member: ZipMember) -> int:
        """Where the bytes of a member begin, by its local header.

        The local header is checked against the directory, since a forged one makes readers that
        trust it read another member's bytes.

        Raises
        ------
        CheckpointError
            If the member can not be read, or its local header disagrees.
        """
        if member.problem:
            raise CheckpointError(f"{member.name} {member.problem}.")
        wanted = member.name.encode("utf-8", "surrogateescape")
        head = self.source.read(member.header, _LOCAL.size + len(wanted))
        signature, name_size, extra_size = _LOCAL.unpack_from(head)
        if (
            signature != LOCAL_SIGNATURE
            or name_size != len(wanted)
            or head[_LOCAL.size :] != wanted
        ):
            raise CheckpointError(
                f"{member.name} is not where the zip directory says.",
                where=f"byte {member.header}",
                advice=_AGAIN,
            )
        offset = member.header + len(head) + int(extra_size)
        if offset + member.compressed > member.limit:
            raise CheckpointError(
                f"{member.name} reaches into what comes behind it.",
                where=f"byte {member.header}",
                advice=_AGAIN,
            )
        return offset


class MemberSource:
    """The content of a member, stored or deflated. A `ByteSource`.

    The local header is read with the first bytes, so that listing an archive does not touch it.
    """

    __slots__ = ("_base", "_directory", "_member", "_source", "size")

    def __init__(self, directory: ZipDirectory, member: ZipMember) -> None:
        self._directory = directory
        self._member = member
        self._source: ByteSource | None = None
        self._base = 0
        #: Bytes, inflated.
        self.size: int = member.size

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes; see `ByteSource`."""
        check_range(self._member.name, self.size, offset, length)
        source = self._source or self._resolve()
        return source.read(self._base + offset, length)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill ``buffer``; see `ByteSource`."""
        check_range(self._member.name, self.size, offset, len(buffer))
        source = self._source or self._resolve()
        source.read_into(self._base + offset, buffer)

    @property
    def below(self) -> tuple[ByteSource]:
        """The archive."""
        return (self._directory.source,)

    def origin(self, offset: int) -> tuple[ByteSource, int]:
        """What a byte of the member is read from, and where in that it is.

        That is the archive, or of a deflated member an `InflatedMember`.

        Raises
        ------
        CheckpointError
            If the member's local header can not be read.
        """
        source = self._source or self._resolve()
        return source, self._base + offset

    def close(self) -> None:
        """The archive is closed by whoever opened it."""

    def _resolve(self) -> ByteSource:
        # Two threads may do this at once; both come to the same.
        directory, member = self._directory, self._member
        offset = directory.data_offset(member)
        if member.method == DEFLATED:
            self._source = InflatedMember(
                directory.source, offset, member.compressed, member.size, member.name
            )
        else:
            self._base = offset
            self._source = directory.source
        return self._source


def first_name(head: bytes) -> str:
    """The name of the first member, by the first bytes of an archive; empty if it has none."""
    if not head.startswith(LOCAL_SIGNATURE) or len(head) < _LOCAL.size:
        return ""
    size: int = _LOCAL.unpack_from(head)[1]
    return str(head[_LOCAL.size : _LOCAL.size + size], "utf-8", "surrogateescape")


def _find_directory(source: ByteSource) -> tuple[int, int, int, int, int]:
    """Offset and bytes of the directory, the number of its entries, bytes before and behind.

    Where something was put before the archive, all its offsets are smaller than the real ones. A
    directory of an archive within another one, of which the end is lost, is not what is wanted.
    """
    size = source.size
    # The end record is the last thing but for a comment of at most 65,535 bytes.
    start = max(0, size - _END.size - _FULL16 - _END64_LOCATOR.size)
    tail = source.read(start, size - start)
    at = len(tail)
    while (at := tail.rfind(END_SIGNATURE, 0, at)) >= 0:
        if at + _END.size > len(tail):
            continue
        _, _, count, length, offset, comment = _END.unpack_from(tail, at)
        if at + _END.size + comment > len(tail):
            continue
        end = start + at
        locator = at - _END64_LOCATOR.size
        if locator >= 0 and tail.startswith(_LOCATOR_SIGNATURE, locator):
            end = _END64_LOCATOR.unpack_from(tail, locator)[1]
            # Behind something else, the record lies further on: right before its locator.
            near = locator - _END64.size
            if end < start + near and tail.startswith(_END64_SIGNATURE, max(0, near)):
                end = start + near
            count, length, offset = _zip64_end(source, end)
        if offset + length > end:
            raise CheckpointError(
                "The zip directory is said to lie beyond its own end.",
                where=f"byte {start + at}",
                advice=_AGAIN,
            )
        shift = end - length - offset
        if shift and (
            source.read(offset, 4) == ENTRY_SIGNATURE
            or source.read(end - length, 4) != ENTRY_SIGNATURE
        ):
            shift = 0
        if shift and _is_inside_another(source, shift):
            continue
        behind = len(tail) - (at + _END.size + comment) + end - (offset + shift + length)
        return offset + shift, length, count, shift, behind
    raise CheckpointError(
        f"The file is cut short after {size:,} bytes: it begins as a zip archive, but the "
        "directory, which comes last, is missing.",
        advice="The download or the copy did not finish. " + _AGAIN,
    )


def _is_inside_another(source: ByteSource, start: int) -> bool:
    """Whether the archive at ``start`` is a member of one that the source begins with.

    Of two archives one behind the other, the first has its own end right before the second.
    """
    if start < _END.size or source.read(0, 4) != LOCAL_SIGNATURE:
        return False
    return source.read(start - _END.size, 4) != END_SIGNATURE


def _zip64_end(source: ByteSource, offset: int) -> tuple[int, int, int]:
    what = "The end record of the zip64 directory"
    if offset + _END64.size > source.size:
        raise CheckpointError(f"{what} is not in the file.", where=f"byte {offset}", advice=_AGAIN)
    signature, count, length, start = unpack(_END64, source.read(offset, _END64.size), 0, what)
    if signature != _END64_SIGNATURE:
        raise CheckpointError(f"{what} is damaged.", where=f"byte {offset}", advice=_AGAIN)
    return count, length, start


def _parse(data: bytes, start: int, count: int, shift: int) -> list[ZipMember]:
    """The directory's entries.

    ``start`` is its offset in the file, for messages; ``shift`` is added to all other offsets.
    """
    found = []
    at = 0
    last = len(data) - _ENTRY.size
    unpack_from = _ENTRY.unpack_from
    for _ in range(count):
        if at > last:
            raise _damaged(start + at)
        fields = unpack_from(data, at)
        signature, flags, method, compressed, size, name_size, extra_size, rest, header = fields
        at += _ENTRY.size
        name_end = at + name_size
        end = name_end + extra_size + rest
        if signature != ENTRY_SIGNATURE or end > len(data):
            raise _damaged(start + at)
        # Reversible for any bytes, whatever the flag for UTF-8 says: a name is compared only.
        name = str(data[at:name_end], "utf-8", "surrogateescape")
        if size == _FULL32 or compressed == _FULL32 or header == _FULL32:
            extra = data[name_end : name_end + extra_size]
            size, compressed, header = zip64_sizes(extra, size, compressed, header)
        problem = ""
        if flags & ENCRYPTED:
            problem = "is encrypted"
        elif method == STORED:
            if compressed != size:
                problem = "has two different sizes"
        elif method != DEFLATED:
            problem = f"is compressed by method {method}, which is not read here"
        found.append(ZipMember(name, method, compressed, size, header + shift, problem))
        at = end
    return found


def zip64_sizes(extra: bytes, *values: int) -> tuple[int, ...]:
    """Put the 64-bit numbers of an extra field in the place of the 32-bit ones that are full."""
    wide = b""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            wide = extra[at + 4 : at + 4 + size]
            break
        at += 4 + size
    result = []
    for value in values:
        if value == _FULL32 and len(wide) >= 8:
            value = int.from_bytes(wide[:8], "little")
            wide = wide[8:]
        result.append(value)
    return tuple(result)


def _bound(members: list[ZipMember], end: int) -> None:
    """Find out where each member has to end, and which ones can not be where they claim."""
    ordered = sorted(members, key=attrgetter("header"))
    for member, following in pairwise(ordered):
        member.limit = following.header
    if ordered:
        ordered[-1].limit = max(end, ordered[-1].header)
    for member in ordered:
        if member.header + _LOCAL.size + len(member.name) + member.compressed > member.limit:
            member.problem = member.problem or "overlaps with what comes behind it"
        if member.problem:
            member.size = min(member.size, max(0, member.limit - member.header))
        elif member.method == DEFLATED:
            member.size = min(member.size, member.compressed * MAX_RATIO)


def _repeated(members: list[ZipMember]) -> list[str]:
    counts: dict[str, int] = {}
    for member in members:
        counts[member.name] = counts.get(member.name, 0) + 1
    return [name for name, count in counts.items() if count > 1]


def _damaged(offset: int) -> CheckpointError:
    return CheckpointError("The zip directory is damaged.", where=f"byte {offset}", advice=_AGAIN)
