"""Bounded reads of numbers from untrusted bytes, with one error."""

from __future__ import annotations

from struct import Struct
from typing import Any

from inspector.checkpoints.errors import CheckpointError


def unpack(layout: Struct, data: bytes, offset: int, what: str) -> tuple[Any, ...]:
    """Read the fields of ``layout`` from ``data`` at ``offset``.

    Parameters
    ----------
    layout
        Compiled once, by the module that knows the format.
    data
        Bytes that were read from a file, with any content and of any length.
    offset
        In bytes; any integer.
    what
        What is read, for the message: "the zip directory's entry 7".

    Raises
    ------
    CheckpointError
        If the fields do not lie within ``data``.
    """
    if offset < 0 or offset + layout.size > len(data):
        raise CheckpointError(
            f"{what} needs {layout.size:,} bytes, of which the file holds only "
            f"{max(0, len(data) - offset) if offset >= 0 else 0:,}.",
            where=f"byte {offset}",
        )
    return layout.unpack_from(data, offset)


def take(data: bytes, offset: int, length: int, what: str) -> bytes:
    """Copy ``length`` bytes from ``data`` at ``offset``; never fewer, never more.

    Raises
    ------
    CheckpointError
        If they do not lie within ``data``.
    """
    if offset < 0 or length < 0 or offset + length > len(data):
        raise CheckpointError(
            f"{what} claims {length:,} bytes, more than there are.", where=f"byte {offset}"
        )
    return data[offset : offset + length]
