"""The formats on offer, in one ordered table. NumPy is not needed to read it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from inspector.checkpoints.errors import ExportError


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """A format that can be written.

    Attributes
    ----------
    name
        As the command line has it.
    label
        In words.
    suffix
        With its dot; empty for a folder.
    several
        Whether it takes more than one tensor.
    most_axes
        The largest number of axes that it takes.
    module
        In this package; imported when it is needed.
    needs
        A package that has to be installed besides; empty for none.
    """

    name: str
    label: str
    suffix: str
    several: bool
    most_axes: int
    module: str
    needs: str = ""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, not a file."""
        return not self.suffix


#: Every format, in the order of the list that the user sees.
FORMATS: Final = (
    ExportFormat("npy", "NumPy array", ".npy", False, 64, "npy"),
    ExportFormat("npz", "NumPy archive", ".npz", True, 64, "npz"),
    ExportFormat("folder", "Folder of .npy files", "", True, 64, "folder"),
    ExportFormat("csv", "Comma-separated text", ".csv", False, 2, "csv_text"),
    ExportFormat("mat", "MATLAB 5", ".mat", True, 32, "mat", needs="scipy"),
    ExportFormat("safetensors", "safetensors", ".safetensors", True, 64, "safetensors"),
)


def format_named(name: str) -> ExportFormat:
    """The format of this name, which must be one of the table."""
    return next(known for known in FORMATS if known.name == name)


def format_of(target: Path) -> ExportFormat:
    """The format that a target's suffix asks for.

    Raises
    ------
    ExportError
        If it asks for none.
    """
    suffix = target.suffix.lower()
    for known in FORMATS:
        if suffix and known.suffix == suffix:
            return known
    suffixes = ", ".join(known.suffix for known in FORMATS if known.suffix)
    raise ExportError(
        f"The name {target} does not say in which format to write.",
        advice=f"End it in one of {suffixes}, or name a format.",
    )


def refusal(wanted: ExportFormat, count: int, axes: int) -> str:
    """Why a format cannot take so many tensors with so many axes at most; empty if it can."""
    if wanted.needs and find_spec(wanted.needs) is None:
        return f"{wanted.label} needs SciPy, which is not installed: pip install scipy"
    if count > 1 and not wanted.several:
        return f"{wanted.label} ({wanted.suffix}) holds one tensor, not {count:,}"
    if axes > wanted.most_axes:
        return f"{wanted.label} holds at most {wanted.most_axes} axes, not {axes}"
    return ""
