"""The one family of errors that a user of the package ever sees."""

from __future__ import annotations

from typing import Final

from inspector.checkpoints.naming import display_text

#: Characters of each part of an error, at most: the names in it come from files.
_LIMIT: Final = 2000


class InspectorError(Exception):
    """Something that could not be done, in words for the person who asked for it.

    Messages name members and tensors by words of the file, so what could disturb a terminal or a
    window is escaped here, in one place, however an error comes about.

    Parameters
    ----------
    message
        What is wrong, in one sentence, naming the file or the tensor.
    where
        Where in the file: a member's name, a byte offset, a key. Empty if it concerns the whole.
    advice
        What the user can do about it. Empty if nothing useful can be said.
    """

    def __init__(self, message: str, *, where: str = "", advice: str = "") -> None:
        self.message = display_text(message, _LIMIT)
        self.where = display_text(where, _LIMIT)
        self.advice = display_text(advice, _LIMIT)
        super().__init__(self.message)

    def __str__(self) -> str:
        """Everything in one line, as the command line prints it."""
        text = f"{self.message} ({self.where})" if self.where else self.message
        return f"{text} {self.advice}" if self.advice else text


class CheckpointError(InspectorError):
    """A file that is missing, foreign, damaged or hostile."""


class TensorError(InspectorError):
    """One tensor whose values cannot be had, while the rest of its file can."""


class ExportError(InspectorError):
    """A file that could not be written. The target is as it was before."""


class Cancelled(InspectorError):  # noqa: N818 - it is an outcome that somebody asked for
    """The task was given up because nobody wants its result any more."""

    def __init__(self) -> None:
        super().__init__("Cancelled.")
