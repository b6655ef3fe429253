"""The files that the window has open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from inspector.checkpoints.changes import FileMark
from inspector.checkpoints.errors import InspectorError
from inspector.checkpoints.model import Checkpoint, TensorEntry


@dataclass(frozen=True, slots=True, eq=False)
class OpenFile:
    """A file that was asked for: being read, read, or not readable.

    Attributes
    ----------
    number
        Tells apart two files of the same name, and a file from its reloaded self's rows.
    checkpoint
        None while it is being read and when it could not be read.
    error
        Why it could not be read.
    first
        The tensor to choose where the user chose none; None for the file itself.
    marks
        What the files that it consists of were like when they were read.
    """

    number: int
    path: Path
    checkpoint: Checkpoint | None = None
    error: InspectorError | None = None
    first: str | None = None
    marks: Mapping[Path, FileMark] = field(default_factory=dict)

    @property
    def is_loading(self) -> bool:
        """Whether it is still being read."""
        return self.checkpoint is None and self.error is None


@dataclass(frozen=True, slots=True)
class Choice:
    """What is chosen in the tree: a file, or a tensor in it.

    Attributes
    ----------
    entry
        None when the file itself (or a group or plain value in it) is chosen.
    sharers
        The names of all tensors in the tensor's storage, if it is not alone there.
    """

    file: OpenFile
    entry: TensorEntry | None = None
    sharers: tuple[str, ...] = field(default=(), compare=False)
