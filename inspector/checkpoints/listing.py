"""A checkpoint's list of tensors as JSON and as text, for the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from inspector.checkpoints.model import Checkpoint, Import, Storage, TensorEntry
from inspector.checkpoints.naming import display_text

#: Other names that are given for one storage, at most.
_MAX_SHARED: Final = 16

#: Names that are given of what a file asks to import, for each judgement, at most.
_MAX_IMPORTS: Final = 40

#: Characters of the widest column of names.
_MAX_NAME: Final = 72


def to_json(checkpoint: Checkpoint) -> dict[str, Any]:
    """The list as what ``json.dumps`` takes.

    Names are exactly those of the file, and may hold any character.
    """
    sharing = _sharing(checkpoint)
    return {
        "path": str(checkpoint.path),
        "format": checkpoint.format,
        "size": checkpoint.size,
        "metadata": dict(checkpoint.metadata),
        "findings": [
            {"severity": finding.severity, "message": finding.message, "where": finding.where}
            for finding in checkpoint.findings
        ],
        "imports": [
            {"name": item.name, "judgement": item.judgement, "where": item.where}
            for item in checkpoint.imports
        ],
        "values": [
            {"name": value.name, "type": value.type_name, "text": value.text}
            for value in checkpoint.values
        ],
        "entries": [_entry_json(entry, sharing) for entry in checkpoint.entries],
    }


def to_text(checkpoint: Checkpoint) -> Iterator[str]:
    """The list as lines for people, with totals and findings."""
    count = len(checkpoint.entries)
    yield (
        f"{display_text(str(checkpoint.path))}: {checkpoint.format}, "
        f"{byte_text(checkpoint.size)}, {count:,} tensor{'' if count == 1 else 's'}"
    )
    yield from _table(checkpoint)
    yield from _totals(checkpoint)
    if checkpoint.values:
        yield ""
        yield "Values"
        for value in checkpoint.values:
            yield f"  {display_text(value.name, _MAX_NAME)} = {value.text}  ({value.type_name})"
    if checkpoint.imports:
        yield ""
        yield "Asks to import (nothing was imported)"
        yield from _imports(checkpoint.imports)
    if checkpoint.findings:
        yield ""
        yield "Findings"
        for finding in checkpoint.findings:
            where = f" ({display_text(finding.where)})" if finding.where else ""
            yield f"  {finding.severity}: {finding.message}{where}"


def byte_text(count: int) -> str:
    """A number of bytes in a unit that suits it: ``1.5 MiB``."""
    amount = float(min(count, 1 << 80))
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            return f"{count} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:,.1f} PiB"


def _sharing(checkpoint: Checkpoint) -> dict[int, list[str]]:
    """The names of the tensors in each storage that has several, by its identity."""
    names: dict[int, list[str]] = {}
    for entry in checkpoint.entries:
        if entry.storage is not None:
            names.setdefault(id(entry.storage), []).append(entry.name)
    return {number: found for number, found in names.items() if len(found) > 1}


def _entry_json(entry: TensorEntry, sharing: dict[int, list[str]]) -> dict[str, Any]:
    shared = sharing.get(id(entry.storage), [])[: _MAX_SHARED + 1]
    return {
        "name": entry.name,
        "shape": list(entry.shape),
        "dtype": entry.dtype,
        "stride": list(entry.stride),
        "device": entry.device,
        "nbytes": entry.nbytes,
        "kind": entry.kind,
        "requires_grad": entry.requires_grad,
        "is_conj": entry.is_conj,
        "is_neg": entry.is_neg,
        "storage_offset": entry.storage_offset,
        "storage": _storage_json(entry.storage),
        "shared_with": [name for name in shared if name != entry.name][:_MAX_SHARED],
        "details": dict(entry.details),
        "components": [_entry_json(component, {}) for component in entry.components],
        "problem": entry.problem,
    }


def _storage_json(storage: Storage | None) -> dict[str, Any] | None:
    return None if storage is None else {"key": storage.key, "nbytes": storage.nbytes}


def _table(checkpoint: Checkpoint) -> Iterator[str]:
    rows = [
        (
            display_text(entry.name, _MAX_NAME),
            " × ".join(map(str, entry.shape)) or ("scalar" if entry.is_described else "-"),
            entry.dtype,
            byte_text(entry.nbytes),
            _remarks(entry),
        )
        for entry in checkpoint.entries
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    for name, shape, dtype, nbytes, remarks in rows:
        line = (
            f"  {name:<{widths[0]}}  {shape:<{widths[1]}}  {dtype:<{widths[2]}}  "
            f"{nbytes:>{widths[3]}}  {remarks}"
        )
        yield line.rstrip()


def _remarks(entry: TensorEntry) -> str:
    remarks = [] if entry.device in ("cpu", "meta") else [display_text(entry.device, 40)]
    if entry.kind != "dense":
        remarks.append(entry.kind)
    if entry.problem:
        remarks.append(entry.problem)
    return ", ".join(remarks)


def _imports(imports: Sequence[Import]) -> Iterator[str]:
    """A line for each judgement."""
    by_judgement: dict[str, list[str]] = {}
    for item in imports:
        by_judgement.setdefault(item.judgement, []).append(display_text(item.name, 200))
    for judgement, names in by_judgement.items():
        rest = len(names) - _MAX_IMPORTS
        more = f" and {rest:,} more" if rest > 0 else ""
        yield f"  {judgement}: {', '.join(names[:_MAX_IMPORTS])}{more}"


def _totals(checkpoint: Checkpoint) -> Iterator[str]:
    entries = checkpoint.entries
    by_dtype: dict[str, int] = {}
    for entry in entries:
        if entry.is_described:
            by_dtype[entry.dtype] = by_dtype.get(entry.dtype, 0) + entry.nbytes
    if entries:
        parts = ", ".join(
            f"{dtype} {byte_text(nbytes)}"
            for dtype, nbytes in sorted(by_dtype.items(), key=lambda item: -item[1])
        )
        yield f"{sum(entry.numel for entry in entries):,} numbers in all: {parts}"
