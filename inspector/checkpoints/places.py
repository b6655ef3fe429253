"""Where the bytes of a storage are in a file, if they lie there in one piece and as they are."""

from __future__ import annotations

from pathlib import Path

from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.sources import FileWindow, LocalFile
from inspector.checkpoints.zip_directory import MemberSource


def place_in_file(source: ByteSource, offset: int) -> tuple[Path, int] | None:
    """The file in which a byte of a source lies, and its offset there.

    None where the bytes after it are not those of the file: compressed, put together from pieces,
    in memory. May read the local header of an archive's member.

    Raises
    ------
    CheckpointError
        If such a header can not be read.
    """
    while not isinstance(source, LocalFile):
        origin = source.origin(offset) if isinstance(source, FileWindow | MemberSource) else None
        if origin is None:
            return None
        source, offset = origin
    return source.path, offset
