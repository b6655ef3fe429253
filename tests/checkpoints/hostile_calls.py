"""Pickles that ask for a call, in all the ways there are; and what must be true of such files.

Should one of them ever run, it leaves a file behind, which every test looks for.
"""

from __future__ import annotations

import struct
from pathlib import Path

from fuzz.target import examine
from hostile_pickles import text

from inspector.checkpoints import Checkpoint, InspectorError, open_checkpoint

#: What pickles of protocol 2 and 4 begin with.
P2, P4 = b"\x80\x02", b"\x80\x04"


class Call:
    """An object that Python pickles as the call of a function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


def touch(mark: Path) -> str:
    """The command that the payloads are."""
    return f"touch {mark}"


def stack_global(module: str, name: str) -> bytes:
    """STACK_GLOBAL with its two names."""
    return text(module) + text(name) + b"\x93"


def call(module: str, name: str, *arguments: str) -> bytes:
    """A REDUCE of a global with texts."""
    return stack_global(module, name) + b"(" + b"".join(map(text, arguments)) + b"tR"


def byte_string(content: bytes) -> bytes:
    """BINBYTES."""
    return b"B" + struct.pack("<I", len(content)) + content


def checked(path: Path) -> Checkpoint | None:
    """Open a file under watch; None if it was refused in words. Nothing may have run."""
    folder = path.parent
    before = {found.name for found in folder.iterdir()}
    outcome = examine(path)
    assert outcome.complaint == ""
    assert {found.name for found in folder.iterdir()} == before
    try:
        checkpoint = open_checkpoint(path)
    except InspectorError:
        return None
    checkpoint.close()
    return checkpoint


def dangers(path: Path) -> list[str]:
    """The findings that say danger, after `checked`."""
    checkpoint = checked(path)
    assert checkpoint is not None
    return [found.message for found in checkpoint.findings if found.severity == "danger"]


def assert_named(path: Path) -> None:
    """The file is refused in words, or its danger is named; and nothing has run."""
    checkpoint = checked(path)
    assert checkpoint is None or any(found.severity == "danger" for found in checkpoint.findings), (
        checkpoint.findings
    )
