"""Several checkpoints as one: their entries, values, findings and files together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from inspector.checkpoints.model import (
    ByteSource,
    Checkpoint,
    Finding,
    Import,
    TensorEntry,
    ValueEntry,
)
from inspector.checkpoints.naming import Names, OtherKey

#: Findings and metadata of single files, at most; a thousand shards all say the same.
_MAX_FINDINGS: Final = 500
_MAX_METADATA: Final = 200
_MAX_IMPORTS: Final = 1000


class Joined:
    """Collects what several files hold.

    Attributes
    ----------
    names
        Those that were given away.
    """

    def __init__(self) -> None:
        self.names: Final = Names()
        self.entries: Final[list[TensorEntry]] = []
        self.values: Final[list[ValueEntry]] = []
        self.metadata: Final[dict[str, str]] = {}
        self.findings: Final[list[Finding]] = []
        self.size = 0
        self._imports: Final[dict[Import, None]] = {}
        self._seen: Final[set[Finding]] = set()
        self._sources: Final[list[ByteSource]] = []
        self._files: Final[dict[Path, None]] = {}

    def add_about(self, part: Checkpoint, label: str = "") -> None:
        """Take over what a checkpoint says of itself, and its files; not its entries.

        Parameters
        ----------
        label
            Which file it is; leads metadata and places, unless empty.
        """
        lead = f"{label}: " if label else ""
        for finding in part.findings:
            where = f"{label}, {finding.where}" if label and finding.where else label
            self.note(replace(finding, where=where) if label else finding)
        for name, text in part.metadata.items():
            if len(self.metadata) < _MAX_METADATA:
                self.metadata.setdefault(lead + name, text)
        for item in part.imports:
            if len(self._imports) < _MAX_IMPORTS:
                self._imports.setdefault(replace(item, where=label or item.where))
        self.size += part.size
        self._sources.extend(part.sources)
        self._files.update(dict.fromkeys(part.files))

    def add(self, part: Checkpoint, label: str = "") -> None:
        """Take over all of a checkpoint.

        Parameters
        ----------
        label
            Which file it is: the first step of the way to all in it. Empty for the one checkpoint
            whose entries keep their names.
        """
        self.add_about(part, label)
        unique = self.names.unique
        if not label:
            self.entries.extend(renamed(entry, unique(entry.name)) for entry in part.entries)
            self.values.extend(replace(value, name=unique(value.name)) for value in part.values)
            return
        step = OtherKey(label)
        for entry in part.entries:
            self.entries.append(_below(entry, step, unique(f"{label}: {entry.name}")))
        for value in part.values:
            name = unique(f"{label}: {value.name}")
            self.values.append(replace(value, name=name, path=(step, *value.path)))

    def note(self, finding: Finding) -> None:
        """Take down a finding, once."""
        if finding not in self._seen and len(self._seen) < _MAX_FINDINGS:
            self._seen.add(finding)
            self.findings.append(finding)

    def add_file(self, path: Path, size: int = 0) -> None:
        """Take down a file that belongs to the whole."""
        self._files[path] = None
        self.size += size

    def checkpoint(self, path: Path, kind: str) -> Checkpoint:
        """All together."""
        return Checkpoint(
            path=path,
            format=kind,
            size=self.size,
            entries=self.entries,
            values=self.values,
            metadata=self.metadata,
            findings=self.findings,
            imports=sorted(self._imports, key=lambda item: _ORDER.index(item.judgement)),
            sources=self._sources,
            files=tuple(self._files),
        )


_ORDER: Final = ("danger", "warning", "note", "ordinary")


def renamed(entry: TensorEntry, name: str, details: Mapping[str, str] | None = None) -> TensorEntry:
    """An entry under another name, and with further details."""
    if details:
        entry = replace(entry, details={**entry.details, **details})
    if name == entry.name:
        return entry
    before = len(entry.name)
    return replace(
        entry,
        name=name,
        components=tuple(
            renamed(component, name + component.name[before:]) for component in entry.components
        ),
    )


def _below(entry: TensorEntry, step: OtherKey, name: str) -> TensorEntry:
    before = len(entry.name)
    return replace(
        entry,
        name=name,
        path=(step, *entry.path),
        components=tuple(
            _below(component, step, name + component.name[before:])
            for component in entry.components
        ),
    )
