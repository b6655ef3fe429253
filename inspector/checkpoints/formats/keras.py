"""Keras's own archive (.keras): a zip with metadata.json, config.json and model.weights.h5.

Source: ``keras/src/saving/saving_lib.py`` (Keras 3). Archives of any other content belong to
other formats: the sniff looks for the weights' name in the zip's directory.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from inspector.checkpoints.describe import describe
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.formats.hdf5 import Listing, json_text
from inspector.checkpoints.hdf5.space import Pages
from inspector.checkpoints.model import ByteSource, Checkpoint, Finding, ValueEntry
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.sources import LocalFile
from inspector.checkpoints.zip_directory import (
    LOCAL_SIGNATURE,
    MemberSource,
    ZipDirectory,
)

_WEIGHTS: Final = "model.weights.h5"
_METADATA: Final = "metadata.json"
_CONFIG: Final = "config.json"

#: The local headers in which Keras writes its members; some of them come first in the file.
_MARKS: Final = (_METADATA, _CONFIG, _WEIGHTS)

#: Bytes of a text member that are read, at most.
_MAX_TEXT: Final = 4 << 20

#: How far deflated weights may inflate: this, and so many times their size.
_INFLATED: Final = 64 << 20
_MAX_RATIO: Final = 40

#: Reading deflated weights goes back to a page that it dropped at most so often.
_REREADS: Final = 1000
_PAGE: Final = 1 << 16


def sniff(head: bytes, source: ByteSource) -> bool:
    """Whether the file is a zip archive with Keras's weights in it."""
    if not head.startswith(LOCAL_SIGNATURE) or not head[30:].startswith(
        tuple(mark.encode() for mark in _MARKS)
    ):
        return False
    try:
        return _WEIGHTS in ZipDirectory(source).members
    except CheckpointError:
        # Cut short, or no zip archive after all: others say so.
        return False


def open_file(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    """List a Keras archive.

    Raises
    ------
    CheckpointError
        If its weights are damaged.
    """
    directory = ZipDirectory(file)
    texts = _Texts(directory)
    listing = Listing(_weights(directory), check)
    listing.run()
    return Checkpoint(
        path=file.path,
        format="Keras archive",
        size=file.size,
        entries=listing.entries,
        values=[*texts.values, *listing.values],
        metadata={**texts.metadata, **listing.metadata},
        findings=[*texts.findings, *listing.findings()],
        sources=(file,),
    )


def _weights(directory: ZipDirectory) -> Pages:
    member = directory.members[_WEIGHTS]
    if member.problem:
        raise CheckpointError(f"{_WEIGHTS} {member.problem}.", where=_WEIGHTS)
    source = MemberSource(directory, member)
    if member.compressed == member.size:
        return Pages(source)
    if member.size > _INFLATED + _MAX_RATIO * member.compressed:
        raise CheckpointError(
            f"{_WEIGHTS} would inflate from {member.compressed:,} to {member.size:,} bytes, as "
            "only files do that are made to fill the memory.",
            where=_WEIGHTS,
        )
    return Pages(source, _PAGE, _REREADS)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A member of JSON: its text, and what it says if it can be read."""

    text: str
    content: object


class _Texts:
    """What metadata.json and config.json say."""

    def __init__(self, directory: ZipDirectory) -> None:
        self.metadata: Final[dict[str, str]] = {}
        self.values: Final[list[ValueEntry]] = []
        self.findings: Final[list[Finding]] = []
        self._directory: Final = directory
        found = self._parsed(_METADATA)
        if found is not None and type(found.content) is dict:
            for name, value in list(found.content.items())[:100]:
                self.metadata[display_text(name)] = describe(value)
        config = self._parsed(_CONFIG)
        if config is not None:
            text = json_text(config.text)
            self.values.append(ValueEntry(_CONFIG, (_CONFIG,), "str", text))
            if type(config.content) is dict and type(config.content.get("class_name")) is str:
                self.metadata["model class"] = display_text(config.content["class_name"])

    def _parsed(self, name: str) -> _Parsed | None:
        member = self._directory.members.get(name)
        if member is None:
            return None
        try:
            if member.size > _MAX_TEXT:
                raise CheckpointError(f"It has {member.size:,} bytes, more than {_MAX_TEXT:,}.")
            raw = MemberSource(self._directory, member).read(0, member.size)
            text = raw.decode("utf-8", "replace")
        except CheckpointError as error:
            self.findings.append(Finding("warning", error.message, name))
            return None
        try:
            return _Parsed(text, json.loads(text))
        except (ValueError, RecursionError):
            self.findings.append(Finding("warning", "It is not the JSON that it should be.", name))
            return _Parsed(text, None)
