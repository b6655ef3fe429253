"""NumPy's .npz: a zip archive whose members are .npy files, stored or deflated.

Source: ``numpy/lib/npyio.py``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.formats.npy import ArrayList, read_header
from inspector.checkpoints.model import ByteSource, Checkpoint, Finding
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.sources import LocalFile
from inspector.checkpoints.zip_directory import LOCAL_SIGNATURE, MemberSource, ZipDirectory

_SUFFIX = ".npy"

#: The length of the first member's name, in its local header, and where the name begins.
_NAME_LENGTH: Final = struct.Struct("<26xH")
_NAME = 30

#: The deflated pickles of a file may inflate to this, together, and each to so many times its size.
_INFLATED: Final = 1 << 20
_MAX_RATIO: Final = 40

#: Members between two calls of ``check``, and names in one finding, at most.
_ROUND = 64
_MAX_NAMES = 10


def sniff(head: bytes, source: ByteSource) -> bool:
    """Whether the file is a zip archive whose first member is called .npy."""
    if not head.startswith(LOCAL_SIGNATURE) or len(head) < _NAME:
        return False
    (length,) = _NAME_LENGTH.unpack_from(head)
    return head[_NAME : _NAME + length].endswith(_SUFFIX.encode())


def open_file(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    """List an .npz file by the headers of its members.

    Raises
    ------
    CheckpointError
        If the zip archive is damaged or cut short.
    """
    directory = ZipDirectory(file)
    arrays = ArrayList(check)
    others = []
    versions = set()
    spare = _INFLATED
    for index, member in enumerate(directory.members.values()):
        if index % _ROUND == 0:
            check()
        if not member.name.endswith(_SUFFIX):
            others.append(member.name)
            continue
        name = member.name.removesuffix(_SUFFIX)
        if member.problem:
            arrays.add_damaged(name, f"It {member.problem}.")
            continue
        try:
            header = read_header(MemberSource(directory, member), 0)
        except CheckpointError as error:
            arrays.add_damaged(name, error.message)
            continue
        versions.add(header.version)
        worth = _MAX_RATIO * member.compressed
        # Another source than the one before, which keeps what inflating takes once it has begun.
        source = MemberSource(directory, member)
        arrays.add(header, source, name, max_pickle=worth + spare)
        if header.kind == "O" and source.size <= worth + spare:
            spare -= max(0, source.size - worth)
    if others:
        arrays.findings.append(_mention("are no NumPy arrays", others))
    if directory.duplicates:
        message = "are there twice; the last one is shown, others may take the first"
        arrays.findings.append(_mention(message, directory.duplicates))
    metadata = {"version": ", ".join(sorted(versions))} if versions else {}
    return arrays.checkpoint(file, "NumPy archive", metadata)


def _mention(message: str, names: list[str]) -> Finding:
    shown = ", ".join(display_text(name, 100) for name in names[:_MAX_NAMES])
    return Finding("warning", f"{len(names):,} members {message}: {shown}.")
