"""The files that the window has open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from inspector.checkpoints.changes import FileMark
from inspector.checkpoints.errors import InspectorError
from inspector.checkpoints.model import Checkpoint, TensorEntry
from inspector.gui.text import Texts

if TYPE_CHECKING:
    from inspector.values.live import LiveObject

Opening = Texts("Opening")


@dataclass(frozen=True, slots=True, eq=False)
class OpenFile:
    """A file, or an object of the running program: being read, read, or not readable.

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
    pieces
        The pieces of its nested tensors, by the tensors' names.
    live
        The object that is looked at in place of a file; `path` then means nothing.
    """

    number: int
    path: Path
    checkpoint: Checkpoint | None = None
    error: InspectorError | None = None
    first: str | None = None
    marks: Mapping[Path, FileMark] = field(default_factory=dict)
    pieces: Mapping[str, tuple[TensorEntry, ...]] = field(default_factory=dict)
    live: LiveObject | None = None

    @property
    def name(self) -> str:
        """The file's name, or what the object is called."""
        return self.path.name if self.live is None else self.live.name

    @property
    def place(self) -> str:
        """The folder that the file is in, or a word about the object."""
        if self.live is None:
            return str(self.path.parent)
        return Opening.tr("in the memory of this Python session; F5 looks at it again")

    @property
    def folder(self) -> Path:
        """The folder in which what is exported is likely to belong."""
        return self.path.parent if self.live is None else Path.cwd()

    @property
    def protected(self) -> tuple[Path, ...]:
        """The files that nothing may be written over."""
        if self.live is not None:
            return ()
        files = self.checkpoint.files if self.checkpoint is not None else ()
        return (self.path, *(path for path in files if path != self.path))

    def close(self) -> None:
        """Give back the files, or let go of the object."""
        if self.checkpoint is not None:
            self.checkpoint.close()
        if self.live is not None:
            self.live.release()

    def parts_of(self, entry: TensorEntry) -> tuple[TensorEntry, ...]:
        """The tensors that a tensor is made of, and the pieces of a nested one."""
        return (*entry.components, *self.pieces.get(entry.name, ()))

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
