"""The one family of errors that a user of the package ever sees."""

from __future__ import annotations


class InspectorError(Exception):
    """Something that could not be done, in words for the person who asked for it.

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
        super().__init__(message)
        self.message = message
        self.where = where
        self.advice = advice

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
