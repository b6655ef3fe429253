"""Folders of ``torch.distributed.checkpoint``: ``.metadata`` and ``__0_0.distcp`` and its like."""

from __future__ import annotations

from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.folders.directory import Directory, Group, Reader
from inspector.checkpoints.model import Checkpoint

METADATA: Final = ".metadata"
SUFFIX: Final = ".distcp"


def leads(name: str) -> bool:
    """Whether a file of this name stands for the folder."""
    return name == METADATA or name.endswith(SUFFIX)


def find(directory: Directory) -> list[Group]:
    """The checkpoint that a folder is, if it is one."""
    names = tuple(name for name in directory.files if leads(name))
    return [Group("", names)] if names else []


def open_group(directory: Directory, group: Group, reader: Reader) -> Checkpoint:
    """List a distributed checkpoint.

    Raises
    ------
    CheckpointError
        If its ``.metadata`` is missing or damaged.
    """
    if METADATA not in group.names:
        raise CheckpointError(
            f"{directory.path} holds {len(group.names):,} files of a distributed checkpoint, but "
            f"not the file {METADATA} that says what is in them.",
            advice=f"Copy {METADATA} too: a name that begins with a dot is easily left behind.",
        )
    # Few files need it, and it takes a third of what the package takes to import.
    from inspector.checkpoints.folders.distributed_listing import Listing

    listing = Listing(directory, reader)
    listing.read()
    return listing.checkpoint(group)
