"""What an export would write, and writing it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from inspector.checkpoints.errors import ExportError
from inspector.export.atomic import atomic_file, atomic_folder, check_replaceable, check_room
from inspector.export.formats import ExportFormat, refusal
from inspector.export.parts import Check, Part, Plan, Progress, Transfer
from inspector.export.targets import check_target


class _Module(Protocol):
    """What the module of a format has."""

    def plan(self, parts: Sequence[Part]) -> Plan:
        """What would be written of these parts; reads no values."""

    def write(self, wanted: Plan, place: Any, transfer: Transfer) -> None:
        """Write it to an open file, or into a folder."""


@dataclass(frozen=True, slots=True, eq=False)
class ExportResult:
    """What was written.

    Attributes
    ----------
    path
        The target as it was given.
    nbytes
        Of the file, or of the files in the folder.
    """

    path: Path
    plan: Plan
    nbytes: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where something would be written.

    Attributes
    ----------
    free
        Bytes that are free on its disk.
    exists
        Whether there is a file, which would be replaced.
    """

    free: int
    exists: bool


def plan_export(wanted: ExportFormat, parts: Sequence[Part]) -> Plan:
    """Say what `export_plan` would write. Reads no values; for any thread but the window's.

    Raises
    ------
    ExportError
        If the format cannot hold these parts; it says why.
    """
    axes = max((len(part.region.shape) for part in parts), default=0)
    why = "no tensor is chosen" if not parts else refusal(wanted, len(parts), axes)
    if why:
        raise ExportError(f"This cannot be exported: {why}.", advice="Choose another format.")
    return _module(wanted).plan(parts)


def look_at(plan: Plan, target: Path, protected: Collection[Path] = ()) -> Place:
    """See whether a plan can be written to a target, as far as that shows beforehand.

    Raises
    ------
    ExportError
        If its name is impossible, it must not be overwritten, or its disk has not enough room.
    """
    check_target(target, protected)
    exists = check_replaceable(target, folder=plan.format.is_folder)
    return Place(check_room(target, plan.least), exists)


def export_plan(
    plan: Plan,
    target: Path,
    *,
    protected: Collection[Path] = (),
    check: Check,
    progress: Progress,
) -> ExportResult:
    """Write a file or folder, block by block.

    Runs on any thread but the window's. Memory: a few blocks of 4 MiB, whatever the size, and
    64 MiB more for a tensor that is not stored in C order; for MATLAB's format the largest tensor
    besides. The target is replaced at the very end; until
    then, and on any error, it is as it was.

    Parameters
    ----------
    protected
        Files that must not be overwritten, such as those of the opened checkpoint.
    check
        Called before each block; what it raises goes through.
    progress
        Called with 0 to 1, in bytes over all tensors.

    Raises
    ------
    ExportError
        If the target is protected, too small a disk's, or cannot be written.
    InspectorError
        If the values cannot be read.
    """
    look_at(plan, target, protected)
    transfer = Transfer(plan.items, check, progress)
    module = _module(plan.format)
    if plan.format.is_folder:
        with atomic_folder(target) as folder:
            module.write(plan, folder, transfer)
            check()
            nbytes = sum(path.stat().st_size for path in folder.iterdir())
    else:
        with atomic_file(target) as file:
            module.write(plan, file, transfer)
            check()
            nbytes = file.tell()
    progress(1.0)
    return ExportResult(target, plan, nbytes)


def _module(wanted: ExportFormat) -> _Module:
    return cast(_Module, import_module(f"inspector.export.{wanted.module}"))
