"""The bytes of an HDF5 file by address: superblock, cached pages, and what reading may cost."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.model import ByteSource

SIGNATURE: Final = b"\x89HDF\r\n\x1a\n"

_AGAIN: Final = "The file is damaged, or its download did not finish; get it again."

#: Bytes of metadata that are read in one go, at most: the longest single structure.
_MAX_READ: Final = 32 << 20

#: What listing may cost, in bytes read: this, and so many for each byte of the file. Each read
#: counts some bytes on top.
_ALLOWANCE: Final = 16 << 20
_ALLOWANCE_PER_BYTE: Final = 16
_READ_COST: Final = 64

_PAGES: Final = 1024

#: Where the superblock may be after 0, 512, 1024 ...: the last place that is tried.
_LAST_PLACE: Final = 1 << 40


class Pages:
    """A source through a cache of pages, so that small reads nearby cost one read.

    Safe to use from several threads.

    Parameters
    ----------
    page
        Bytes of a page. `_PAGES` of them are kept.
    rereads
        How often a page that was dropped may be read again; None for any number. For sources
        that can not go back for free.
    """

    def __init__(self, source: ByteSource, page: int = 4096, rereads: int | None = None) -> None:
        self.source: Final = source
        self._page: Final = page
        self._rereads = rereads
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._met: set[int] = set()
        self._lock: Final = threading.Lock()

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes, which have to be within the source."""
        page = self._page
        first, last = offset // page, (offset + length - 1) // page
        if length <= 0:
            return b""
        if first == last:
            begin = offset - first * page
            return self._get(first)[begin : begin + length]
        if self._rereads is None and length > 16 * page:
            return self.source.read(offset, length)
        data = b"".join([self._get(number) for number in range(first, last + 1)])
        begin = offset - first * page
        return data[begin : begin + length]

    def _get(self, number: int) -> bytes:
        with self._lock:
            found = self._kept.get(number)
            if found is not None:
                self._kept.move_to_end(number)
                return found
            if self._rereads is not None:
                self._count(number)
        begin = number * self._page
        data = self.source.read(begin, min(self._page, self.source.size - begin))
        with self._lock:
            self._kept[number] = data
            while len(self._kept) > _PAGES:
                self._kept.popitem(last=False)
        return data

    def _count(self, number: int) -> None:
        assert self._rereads is not None
        if number in self._met:
            self._rereads -= 1
            if self._rereads < 0:
                raise CheckpointError(
                    "Its parts lie so scattered that inflating it again and again would take "
                    "hours.",
                    advice="Unpack the archive, and open the HDF5 file in it.",
                )
        self._met.add(number)


class Space:
    """The address space of an HDF5 file.

    Parameters
    ----------
    pages
        The file.
    base
        Offset of address 0: where the superblock is.
    offset_size, length_size
        Bytes of an address and of a length.
    bounded
        Whether reading may cost only so much, measured by the file.

    Attributes
    ----------
    size
        Bytes of the file from ``base`` on: no address may be beyond.
    """

    def __init__(
        self, pages: Pages, base: int, offset_size: int, length_size: int, *, bounded: bool = True
    ) -> None:
        self._pages: Final = pages
        self.source: Final = pages.source
        self.base: Final = base
        self.size: Final = pages.source.size - base
        self.offset_size: Final = offset_size
        self.length_size: Final = length_size
        self.undefined: Final = (1 << (8 * offset_size)) - 1
        self._bounded: Final = bounded
        self._allowance = _ALLOWANCE + _ALLOWANCE_PER_BYTE * pages.source.size

    def unbounded(self) -> Space:
        """The same space for reading values, which may go on for as long as somebody asks."""
        return Space(self._pages, self.base, self.offset_size, self.length_size, bounded=False)

    def read(self, address: int, length: int, what: str) -> bytes:
        """Bytes of metadata.

        Raises
        ------
        CheckpointError
            If they are not in the file, or if so much was read by now that the file must be made
            to waste time.
        """
        if length > _MAX_READ:
            raise CheckpointError(
                f"{what} claims {length:,} bytes, more than {_MAX_READ:,}.",
                where=f"byte {self.base + address}",
            )
        if not 0 <= address <= address + length <= self.size:
            raise self.beyond(address, length, what)
        self._allowance -= length + _READ_COST
        if self._allowance < 0 and self._bounded:
            raise CheckpointError(
                "Its parts refer to each other so often that reading them would take far longer "
                "than a file of this size should."
            )
        return self._pages.read(self.base + address, length)

    def cursor(self, address: int, length: int, what: str) -> Cursor:
        """Bytes of metadata, to be read field by field."""
        return Cursor(self.read(address, length, what), self, what, address)

    def upto(self, address: int, length: int, what: str) -> bytes:
        """``length`` bytes, or as many as there are up to the end of the file."""
        return self.read(address, max(0, min(length, self.size - address)), what)

    def beyond(self, address: int, length: int, what: str) -> CheckpointError:
        """The error for a range that is not in the file."""
        if address >= self.undefined:
            return CheckpointError(f"{what} has no place in the file.")
        return CheckpointError(
            f"{what} should reach up to byte {self.base + address + length:,}, and the file has "
            f"{self.base + self.size:,}.",
            where=f"byte {self.base + address}",
            advice=_AGAIN,
        )


class Cursor:
    """Bytes that are read field by field, never beyond their end.

    Parameters
    ----------
    data
        Any bytes.
    space
        Gives the sizes of addresses and lengths.
    what
        What they are, for messages: "An object header".
    address
        Where they are in the space, for messages; None if they are part of something else.
    """

    __slots__ = ("at", "data", "space", "what", "where")

    def __init__(self, data: bytes, space: Space, what: str, address: int | None = None) -> None:
        self.data = data
        self.space = space
        self.what = what
        self.where = "" if address is None else f"byte {space.base + address}"
        #: Position of the next field.
        self.at = 0

    @property
    def left(self) -> int:
        """Bytes that are not read yet."""
        return len(self.data) - self.at

    def take(self, length: int) -> bytes:
        """The next bytes."""
        end = self.at + length
        if length < 0 or end > len(self.data):
            raise self.error(f"needs {length:,} bytes more, and has {self.left:,}")
        data = self.data[self.at : end]
        self.at = end
        return data

    def skip(self, length: int) -> None:
        """Leave bytes out."""
        self.take(length)

    def number(self, size: int) -> int:
        """An unsigned little-endian number of ``size`` bytes."""
        return int.from_bytes(self.take(size), "little")

    def address(self) -> int:
        """An address; `Space.undefined` if it is none."""
        return int.from_bytes(self.take(self.space.offset_size), "little")

    def length(self) -> int:
        """A length."""
        return int.from_bytes(self.take(self.space.length_size), "little")

    def text(self) -> bytes:
        """Bytes up to a NUL, which is taken too."""
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise self.error("has a name without an end")
        text = self.data[self.at : end]
        self.at = end + 1
        return text

    def signature(self, wanted: bytes) -> None:
        """Four letters that have to be there.

        Raises
        ------
        CheckpointError
            If there is something else.
        """
        found = self.take(len(wanted))
        if found != wanted:
            raise self.error(f"does not begin with {wanted.decode()}")

    def version(self, *known: int) -> int:
        """A version's byte, which has to be known."""
        found = self.number(1)
        if found not in known:
            raise self.error(f"has the version {found}, which is not known")
        return found

    def error(self, message: str) -> CheckpointError:
        """An error about these bytes; ``message`` goes on where `what` ends."""
        return CheckpointError(f"{self.what} {message}.", where=self.where)


#: Bytes of a superblock by its version, with addresses and lengths of two bytes.
_LEAST: Final = (24 + 6 * 2 + 24, 28 + 6 * 2 + 24, 12 + 4 * 2 + 4, 12 + 4 * 2 + 4)


class Superblock:
    """What stands at the beginning of a file.

    Attributes
    ----------
    version
        0 to 3.
    root
        Address of the root group's object header.
    end
        Bytes that the file should have.
    """

    def __init__(self, pages: Pages) -> None:
        place = find_superblock(pages.source)
        if place is None:
            raise CheckpointError("It has no HDF5 superblock.")
        head = pages.read(place, min(256, pages.source.size - place))
        self.version: Final = head[8] if len(head) > 8 else 0
        if self.version > 3:
            raise CheckpointError(
                f"Its superblock has version {self.version}; versions 0 to 3 are known.",
                where=f"byte {place}",
            )
        if len(head) < _LEAST[self.version]:
            raise CheckpointError(
                f"It is cut short after {pages.source.size:,} bytes, within its superblock, which "
                f"takes at least {_LEAST[self.version]:,}.",
                advice="Get it again from where it came from.",
            )
        sizes = head[13:15] if self.version < 2 else head[9:11]
        if len(sizes) < 2 or any(size not in (2, 4, 8) for size in sizes):
            raise CheckpointError(
                "Its superblock is damaged: it names no size of addresses.", where=f"byte {place}"
            )
        self.space: Final = Space(pages, place, sizes[0], sizes[1])
        cursor = Cursor(head, self.space, "The superblock", 0)
        if self.version < 2:
            cursor.skip(24 if self.version == 0 else 28)
            # The symbol table entry of the root: the offset of its name, and its header.
            base, _, end, _, _, root = (cursor.address() for _ in range(6))
        else:
            cursor.skip(12)
            base, _, end, root = (cursor.address() for _ in range(4))
        self.root: Final = root
        # What precedes the superblock may have been added or taken away since.
        self.end: Final = end - base + place


def find_superblock(source: ByteSource) -> int | None:
    """The offset of the superblock: 0, or behind what a user put before it: 512, 1024 ..."""
    place = 0
    while place + len(SIGNATURE) <= source.size and place <= _LAST_PLACE:
        if source.read(place, len(SIGNATURE)) == SIGNATURE:
            return place
        place = max(512, 2 * place)
    return None
