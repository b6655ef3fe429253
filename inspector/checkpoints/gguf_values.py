"""What stands in a GGUF file before its tensors' bytes: numbers, texts and lists, read forward.

Source: ``docs/gguf.md`` of ggml-org/ggml; for version 1, whose counts have 32 bits, the first
``gguf_init_from_file`` in ggml.c.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, Literal

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.naming import display_text

#: Texts and lists within lists that are stepped over, at most: no vocabulary comes near, and a
#: sparse file could hold any number of empty ones.
_MAX_ITEMS: Final = 1 << 24

#: Items of a list that are shown, at most.
_SHOWN: Final = 8

#: Bytes of a text that are read to be shown; of longer ones, the beginning.
_MAX_TEXT: Final = 1 << 16

#: Bytes of a key or a tensor's name, at most; the specification's limit for keys.
_MAX_NAME: Final = (1 << 16) - 1

_CHUNK: Final = 1 << 18
_ROUND: Final = 1 << 14

_TEXT, _LIST = 8, 9

#: GGUF's word and struct's letter for a value's type.
_TYPES: Final = {
    0: ("uint8", "B"),
    1: ("int8", "b"),
    2: ("uint16", "H"),
    3: ("int16", "h"),
    4: ("uint32", "I"),
    5: ("int32", "i"),
    6: ("float32", "f"),
    7: ("bool", "B"),
    _TEXT: ("string", ""),
    _LIST: ("array", ""),
    10: ("uint64", "Q"),
    11: ("int64", "q"),
    12: ("float64", "d"),
}


class DamagedHeaderError(CheckpointError):
    """The header can not be read beyond some place; what stands before it can."""


class HeaderReader:
    """Reads a GGUF header forward, never beyond the file.

    Parameters
    ----------
    source, position
        Where the header begins.
    byteorder, version
        Of the file; version 1 has shorter counts.
    check
        Called about every 10 ms; may raise `Cancelled`.
    """

    def __init__(
        self,
        source: ByteSource,
        position: int,
        byteorder: Literal["little", "big"],
        version: int,
        check: Callable[[], None],
    ) -> None:
        self._source: Final = source
        self._check: Final = check
        order = "<" if byteorder == "little" else ">"
        self._structs: Final = {
            letter: struct.Struct(order + letter) for _, letter in _TYPES.values() if letter
        }
        self._count: Final = "I" if version == 1 else "Q"
        self._window = b""
        self._window_start = position
        self._items = 0
        #: The offset of what is read next, in bytes.
        self.position = position

    def number(self, letter: str) -> int | float:
        """A number of one of struct's types."""
        layout = self._structs[letter]
        value: int | float = layout.unpack(self._take(layout.size))[0]
        return value

    def uint32(self) -> int:
        """An unsigned number of 32 bits."""
        return int(self.number("I"))

    def uint64(self) -> int:
        """An unsigned number of 64 bits."""
        return int(self.number("Q"))

    def count(self) -> int:
        """A number of things: 64 bits, or 32 in version 1."""
        return int(self.number(self._count))

    def name(self, what: str) -> str:
        """A key or a tensor's name."""
        begin = self.position
        length = self.count()
        if length > _MAX_NAME:
            raise DamagedHeaderError(
                f"{what} claims a name of {length:,} bytes; more than {_MAX_NAME:,} are not "
                "allowed.",
                where=f"byte {begin:,}",
            )
        return self._take(length).decode("utf-8", "replace")

    def value(self, key: str) -> tuple[str, str, int | float | None]:
        """A value of any type.

        Returns
        -------
        word : str
            Its type in GGUF's word: ``uint32``, ``array of string``.
        text : str
            As it can be shown.
        number : int, float or None
            The number, if it is one.
        """
        kind = self.uint32()
        word, letter = self._type(kind, key)
        if letter:
            number = self.number(letter)
            return word, self._number_text(kind, number), number
        if kind == _TEXT:
            return word, display_text(self._text(self.count())), None
        return (*self._list(key), None)

    def _type(self, kind: int, key: str) -> tuple[str, str]:
        try:
            return _TYPES[kind]
        except KeyError:
            raise DamagedHeaderError(
                f"The value of {display_text(key, 100)} has the type {kind}, which is not known, "
                "so nothing behind it can be found.",
                where=f"byte {self.position - 4:,}",
            ) from None

    def _list(self, key: str) -> tuple[str, str]:
        """An array's type and its first items as text; the rest is stepped over."""
        kind, count = self.uint32(), self.count()
        word, letter = self._type(kind, key)
        end = self._source.size
        shown = []
        first = min(count, _SHOWN)
        if letter:
            size = self._structs[letter].size
            if count * size > end - self.position:
                raise self._cut_short(count * size)
            shown = [self._number_text(kind, self.number(letter)) for _ in range(first)]
            self.position += (count - first) * size
        elif kind == _TEXT:
            shown = [repr(self._text(self.count(), 200)) for _ in range(first)]
            self._skip_texts(count - first)
        else:
            self._skip_lists(count, key)
        more = ["…"] if count > len(shown) else []
        noun = "item" if count == 1 else "items"
        text = f"[{', '.join(shown + more)}] {count:,} {noun}"
        return f"array of {word}", display_text(text)

    def _skip_texts(self, count: int) -> None:
        self._spend(count)
        layout = self._structs[self._count]
        size, unpack = layout.size, layout.unpack_from
        done = 0
        while done < count:
            begin = self._load(size)
            window = self._window
            offset, last = begin, len(window) - size
            # As many as lie in the bytes at hand, without a call for each.
            while done < count and offset <= last:
                offset += size + unpack(window, offset)[0]
                done += 1
            self.position += offset - begin
            if self.position > self._source.size:
                raise self._cut_short(self.position - self._source.size)
            self._check()

    def _skip_lists(self, count: int, key: str) -> None:
        """Step over the lists in a list, however deep."""
        self._spend(count)
        left = [count]
        steps = 0
        while left:
            if not left[-1]:
                left.pop()
                continue
            left[-1] -= 1
            kind, inner = self.uint32(), self.count()
            _, letter = self._type(kind, key)
            if letter:
                size = inner * self._structs[letter].size
                if size > self._source.size - self.position:
                    raise self._cut_short(size)
                self.position += size
            elif kind == _TEXT:
                self._skip_texts(inner)
            else:
                self._spend(inner)
                left.append(inner)
            steps += 1
            if steps % _ROUND == 0:
                self._check()

    def _spend(self, count: int) -> None:
        """Refuse counts that the rest of the file can not hold, or that nobody needs."""
        least = self._structs[self._count].size
        if count * least > self._source.size - self.position:
            raise self._cut_short(count * least)
        self._items += count
        if self._items > _MAX_ITEMS:
            raise DamagedHeaderError(
                f"The lists hold more than {_MAX_ITEMS:,} texts, as only files do that are made "
                "to keep a reader busy.",
                where=f"byte {self.position:,}",
            )

    def _text(self, length: int, limit: int = _MAX_TEXT) -> str:
        """A text of so many bytes, or its beginning."""
        if length > self._source.size - self.position:
            raise self._cut_short(length)
        text = self._take(min(length, limit)).decode("utf-8", "replace")
        self.position += max(0, length - limit)
        return text if length <= limit else f"{text}… ({length:,} bytes)"

    def _number_text(self, kind: int, number: int | float) -> str:
        if kind == 7:
            return str(bool(number))
        return single_text(number) if kind == 6 else repr(number)

    def _take(self, length: int) -> bytes:
        begin = self._load(length)
        self.position += length
        return self._window[begin : begin + length]

    def _load(self, length: int) -> int:
        """Have at least the next ``length`` bytes at hand; where they begin in the window."""
        left = self._source.size - self.position
        if length > left:
            raise self._cut_short(length)
        begin = self.position - self._window_start
        if not 0 <= begin <= len(self._window) - length:
            self._window = self._source.read(self.position, min(max(length, _CHUNK), left))
            self._window_start, begin = self.position, 0
        return begin

    def _cut_short(self, length: int) -> DamagedHeaderError:
        size = self._source.size
        return DamagedHeaderError(
            f"The file is cut short, or a length in it is wrong: {length:,} bytes should follow "
            f"byte {min(self.position, size):,}, and the file has {size:,}.",
            where=f"byte {min(self.position, size):,}",
            advice="The download or the copy did not finish. Get it again.",
        )


def single_text(number: float) -> str:
    """The shortest text that reads back as the same float32: ``1e-05``."""
    for digits in (6, 7, 8):
        text = f"{number:.{digits}g}"
        if struct.pack("<f", float(text)) == struct.pack("<f", number):
            break
    else:
        text = f"{number:.9g}"
    return text if any(char in text for char in ".en") else f"{text}.0"
