"""The command line's export: names and patterns to tensors, and how far it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO, cast, get_args

from inspector.checkpoints.errors import InspectorError, TensorError
from inspector.checkpoints.model import Checkpoint, TensorEntry
from inspector.checkpoints.naming import display_text

if TYPE_CHECKING:
    from inspector.export.formats import ExportFormat
    from inspector.export.parts import Part
    from inspector.export.run import ExportResult

#: Seconds between two words on how far it is.
_EVERY: Final = 0.2

#: Tensors that are listed of what was written, at most.
_MOST_LINES: Final = 200

#: Tensors that are named of those that were left out, at most.
_MOST_NAMES: Final = 10


class UsageError(InspectorError):
    """Arguments that mean nothing for this file."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for.

    Attributes
    ----------
    patterns
        Names, or patterns as a shell has them.
    format, form, region
        As given; None if they were not.
    """

    path: Path
    patterns: Sequence[str]
    target: Path
    format: str | None = None
    form: str | None = None
    region: str | None = None


def export(wanted: Wanted) -> None:
    """Write what is asked for, and say so on standard output.

    Raises
    ------
    UsageError
        If a format, form or region is none, or means nothing for a tensor.
    InspectorError
        If something cannot be read or written; then the target is as it was.
    """
    from inspector.checkpoints import open_checkpoint
    from inspector.export.run import export_plan, plan_export
    from inspector.export.targets import check_target

    checkpoint = open_checkpoint(wanted.path)
    try:
        check_target(wanted.target, checkpoint.files)
        known = _format(wanted)
        parts, left_out = _parts(checkpoint, wanted)
        plan = plan_export(known, parts)
        line = _ProgressLine(sys.stderr, display_text(wanted.target.name))
        try:
            result = export_plan(
                plan,
                wanted.target,
                protected=checkpoint.files,
                check=lambda: None,
                progress=line.show,
            )
        finally:
            line.clear()
    finally:
        checkpoint.close()
    _report(result)
    if left_out:
        names = ", ".join(display_text(name, 100) for name in left_out[:_MOST_NAMES])
        more = f" and {len(left_out) - _MOST_NAMES:,} more" if len(left_out) > _MOST_NAMES else ""
        print(f"Left out, having no values of their own: {names}{more}")


def _parts(checkpoint: Checkpoint, wanted: Wanted) -> tuple[list[Part], list[str]]:
    """What is meant, each tensor once, in the order of the patterns and then the file's.

    Returns
    -------
    parts, left_out
        And the names of tensors that have no values of their own, where a pattern took them along;
        one that is meant by its name, or all that a pattern takes, is an error.
    """
    from inspector.values.nested import piece_named

    parts: dict[str, Part] = {}
    left_out: list[str] = []
    for pattern in wanted.patterns:
        exact = checkpoint.find(pattern) or piece_named(checkpoint, pattern)
        if exact is not None:
            parts[exact.name] = _part(exact, wanted)
            continue
        matching = _matching(checkpoint, pattern)
        if not matching:
            raise InspectorError(_nothing(checkpoint, pattern))
        refused: list[TensorError] = []
        for entry in matching:
            try:
                parts[entry.name] = _part(entry, wanted)
            except TensorError as error:
                refused.append(error)
                left_out.append(entry.name)
        if len(refused) == len(matching):
            raise refused[0]
    return list(parts.values()), left_out


def _matching(checkpoint: Checkpoint, pattern: str) -> list[TensorEntry]:
    return [entry for entry in checkpoint.entries if fnmatchcase(entry.name, pattern)]


def _nothing(checkpoint: Checkpoint, pattern: str) -> str:
    near = get_close_matches(pattern, [entry.name for entry in checkpoint.entries], cutoff=0.8)
    hint = f" Did you mean {' or '.join(near)}?" if near else " Use --list to see the names."
    return f"{checkpoint.path} holds no tensor named {pattern}.{hint}"


def _format(wanted: Wanted) -> ExportFormat:
    from inspector.checkpoints.errors import ExportError
    from inspector.export.formats import format_named, format_of

    if wanted.format is not None:
        return format_named(wanted.format)
    if not wanted.target.suffix:
        return format_named("folder")
    try:
        return format_of(wanted.target)
    except ExportError as error:
        raise UsageError(error.message, advice=error.advice) from error


def _part(entry: TensorEntry, wanted: Wanted) -> Part:
    from inspector.export.parts import part_of
    from inspector.values.forms import Form, forms_of
    from inspector.values.regions import parse_region
    from inspector.values.tensors import tensor_source

    form = wanted.form or "values"
    if form not in get_args(Form):
        raise UsageError(f"{form} is no form; there are {', '.join(get_args(Form))}.")
    try:
        shape = tensor_source(entry, cast(Form, form)).shape
    except TensorError as error:
        if form == "values" or not forms_of(entry):
            raise
        raise UsageError(error.message) from error
    region = None
    if wanted.region is not None:
        try:
            region = parse_region(wanted.region, shape)
        except InspectorError as error:
            raise UsageError(
                f"{entry.name}: {error.message}", where=error.where, advice=error.advice
            ) from error
    return part_of(entry, cast(Form, form), region, shape)


class _ProgressLine:
    """How far it is, on one line of a terminal; silent where nobody watches."""

    def __init__(self, stream: TextIO, what: str) -> None:
        self._stream = stream
        self._what = what
        self._next = time.monotonic() + _EVERY if stream.isatty() else float("inf")
        self._shown = 0

    def show(self, share: float) -> None:
        """Say a share from 0 to 1, a few times a second."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _EVERY
            text = f"Exporting {self._what}: {share:.0%}"
            self._stream.write(f"\r{text}")
            self._stream.flush()
            self._shown = len(text)

    def clear(self) -> None:
        """Leave the line as it was."""
        if self._shown:
            self._stream.write(f"\r{' ' * self._shown}\r")
            self._stream.flush()


def _report(result: ExportResult) -> None:
    plan = result.plan
    for item in plan.items[:_MOST_LINES] if plan.format.several else ():
        name = display_text(item.part.name)
        known = f" as {display_text(item.name)}" if item.name != item.part.name else ""
        print(f"{name}{known}: {item.dtype}, shape {item.shape}")
    if len(plan.items) > _MOST_LINES:
        print(f"and {len(plan.items) - _MOST_LINES:,} more")
    (first, *more) = plan.items
    what = f"{len(plan.items):,} tensors" if more else f"{first.dtype}, shape {first.shape}"
    print(f"{display_text(str(result.path), 10_000)}: {what}, {result.nbytes:,} bytes")
    for note in (*plan.notes, *plan.remarks):
        print(display_text(note))
