"""What a launch of the program says to the window that is there: one line of JSON, bounded.

Whoever reads it trusts nothing in it: another program of the same user may have written it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

#: Changes whenever an older program would misunderstand the message.
PROTOCOL: Final = 1

#: Bytes of a message, its newline included, and files in it, at most.
MOST_BYTES: Final = 1 << 20
MOST_PATHS: Final = 1000

#: Bytes of the paths in one message that `split` makes, at most: leaves room for all the rest.
_ROOM: Final = MOST_BYTES // 2

#: Characters of a message's own number, at most.
_MOST_DIGITS: Final = 64

#: The two answers to a message. Whoever gets neither does not know.
OPENED: Final = b"opened\n"
REFUSED: Final = b"refused\n"


def _new_number() -> str:
    return os.urandom(16).hex()


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be opened.

    Attributes
    ----------
    paths
        Absolute; none only brings the window to the front.
    tensor
        The name of the tensor to choose in the last file.
    token
        What the desktop gave to the launch, so that a window may come to the front.
    number
        Which message it is: one that comes twice is followed once.
    until
        Seconds of `time.monotonic`, which is the same clock in every process. Whoever sent the
        message opens the files itself after that, so a window that was frozen must not.
    """

    paths: tuple[Path, ...] = ()
    tensor: str | None = None
    token: str = ""
    number: str = field(default_factory=_new_number)
    until: float = math.inf


def split(paths: Sequence[Path], tensor: str | None, token: str) -> Iterator[Message]:
    """As many messages as these files need, and at least one."""
    message = Message((), tensor, token)
    room = _ROOM
    for path in paths:
        size = len(_quoted(path)) + 1
        if message.paths and (size > room or len(message.paths) == MOST_PATHS):
            yield message
            message, room = Message((), tensor, token), _ROOM
        message = replace(message, paths=(*message.paths, path))
        room -= size
    yield message


def encode(message: Message) -> bytes:
    """A message as it is sent, with its newline; pure ASCII, whatever bytes a name has."""
    content = {
        "protocol": PROTOCOL,
        "number": message.number,
        "until": message.until,
        "paths": [str(path) for path in message.paths],
        "tensor": message.tensor,
        "token": message.token,
    }
    return json.dumps(content).encode("ascii") + b"\n"


def decode(line: bytes) -> Message | None:
    """The message in a line; None if it is none, or one of a protocol that we don't know."""
    if len(line) > MOST_BYTES:
        return None
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.get("protocol") != PROTOCOL:
        return None
    number, until, paths, tensor, token = (
        content.get(name) for name in ("number", "until", "paths", "tensor", "token")
    )
    if (
        isinstance(number, str)
        and 0 < len(number) <= _MOST_DIGITS
        and isinstance(until, float)
        and isinstance(paths, list)
        and len(paths) <= MOST_PATHS
        and all(map(_is_path, paths))
        and (tensor is None or isinstance(tensor, str))
        and isinstance(token, str)
        and token.isascii()
        and "\0" not in token
    ):
        return Message(tuple(map(Path, paths)), tensor, token, number, until)
    return None


def _quoted(path: Path) -> str:
    return json.dumps(str(path))


def _is_path(value: object) -> bool:
    """Whether it is text that names a file wherever the program was started."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        os.fsencode(value)
    except UnicodeEncodeError:  # half a surrogate pair
        return False
    return Path(value).is_absolute()
