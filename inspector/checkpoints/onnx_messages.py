"""The messages of an ONNX file: their fields, their texts, and what they may cost.

Source: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from inspector.checkpoints.protobuf import Field, Wire
from inspector.checkpoints.sources import LocalFile

#: Characters of a text and of a name, at most.
MAX_TEXT: Final = 1000
MAX_NAME: Final = 4096

#: Bytes that entries and their names may take: this, and so many for each byte of the file.
_ALLOWANCE: Final = 16 << 20
_ALLOWANCE_PER_BYTE: Final = 16
#: What one more entry takes of them, and one more field that is kept.
ENTRY_COST: Final = 1200
FIELD_COST: Final = 200

#: Steps between two calls of ``check``.
_ROUND: Final = 2048


class AllowanceSpentError(Exception):
    """The entries would fill more memory than the file is worth."""


class Messages:
    """Reads the messages of a file.

    Parameters
    ----------
    file
        The model.
    check
        Called now and then; may raise `Cancelled`.
    """

    def __init__(self, file: LocalFile, check: Callable[[], None]) -> None:
        self.file: Final = file
        self._wire: Final = Wire(file)
        self._check: Final = check
        self._allowance = _ALLOWANCE + _ALLOWANCE_PER_BYTE * file.size
        self._steps = 0

    def fields(self, message: Field, *, lenient: bool = False) -> Iterator[Field]:
        """The fields of a message.

        Parameters
        ----------
        lenient
            Whether the last one may reach beyond the message.

        Raises
        ------
        CheckpointError
            At the field that is damaged.
        """
        # In a file that is cut short, all that the end lies in is cut.
        lenient = lenient or message.end > self.file.size
        end = min(message.end, self.file.size)
        for found in self._wire.fields(message.offset, end, lenient=lenient):
            self._steps += 1
            if self._steps % _ROUND == 0:
                self._check()
            yield found

    def text(self, found: Field, most: int = MAX_TEXT) -> str:
        """The beginning of a field's text; empty if it holds none."""
        if found.kind != 2:
            return ""
        length = max(0, min(found.length, most, self.file.size - found.offset))
        return self.file.read(found.offset, length).decode("utf-8", "replace")

    def pair(self, message: Field) -> tuple[str, str]:
        """The key and the value of a StringStringEntryProto."""
        texts = {1: "", 2: ""}
        for found in self.fields(message):
            if found.number in texts:
                texts[found.number] = self.text(found)
        return texts[1], texts[2]

    def spend(self, count: int) -> None:
        """Account for bytes of memory.

        Raises
        ------
        AllowanceSpentError
            If the entries so far take much more than the file.
        """
        self._allowance -= count
        if self._allowance < 0:
            raise AllowanceSpentError


def signed(value: int) -> int:
    """A varint of 64 bits as the int64 that it stands for."""
    return value - (1 << 64) if value >= 1 << 63 else value
