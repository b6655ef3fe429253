"""Pickles that are compressed as a whole, as joblib and many people do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from inspector.checkpoints.decompressed import Decompressed, compression_of, first_bytes
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.formats.plain_pickle import is_pickle, list_pickles
from inspector.checkpoints.model import ByteSource, Checkpoint, Finding
from inspector.checkpoints.sources import LocalFile

#: Decompressed bytes that are looked at to see whether they are a pickle.
_LOOKED_AT: Final = 4096

#: Bytes of pickles that are interpreted, beside the long runs of numbers and texts: these, and so
#: many times the file's bytes.
_INTERPRETED: Final = 1 << 19
_MAX_RATIO: Final = 40


def sniff(head: bytes, source: ByteSource) -> bool:
    """Whether the file decompresses to a pickle."""
    compression = compression_of(head)
    if compression is None:
        return False
    try:
        start = first_bytes(source, compression, _LOOKED_AT)
    except CheckpointError:
        return False
    return is_pickle(start, whole=len(start) < _LOOKED_AT)


def open_file(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    """List a compressed file of pickles.

    Raises
    ------
    CheckpointError
        If it is damaged, and nothing can be listed, or decompresses to too much.
    """
    compression = compression_of(file.read(0, min(64, file.size)))
    if compression is None:
        raise CheckpointError("Its compression is not known.")
    source = Decompressed(file, compression, check)
    findings = []
    if source.problem:
        message = f"The compressed data {source.problem}; {source.size:,} bytes were had from it."
        findings.append(Finding("warning", message))
    most = _INTERPRETED + _MAX_RATIO * file.size
    return list_pickles(file, source, {"compression": compression.name}, findings, check, most)
