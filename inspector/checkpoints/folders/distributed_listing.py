"""What is in a folder of ``torch.distributed.checkpoint``.

``.metadata`` is a pickle with the size, dtype and chunks of every tensor, and with where each chunk
lies: a run of a .distcp file that is a complete torch zip archive. The archives are looked into
when values are asked for, but for those of plain values, which are shown at once.

Source: ``torch/distributed/checkpoint/metadata.py`` and ``filesystem.py`` of torch 2.0 to 2.13.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from inspector.checkpoints.assembled import AssembledBytes, Piece
from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.folders.chunks import ChunkBytes, MissingBytes, open_slice
from inspector.checkpoints.folders.directory import (
    Directory,
    Group,
    Reader,
    inside,
    is_there,
    names_text,
)
from inspector.checkpoints.folders.distributed import METADATA, SUFFIX
from inspector.checkpoints.folders.distributed_metadata import (
    Place,
    TensorRecord,
    read_metadata,
)
from inspector.checkpoints.geometry import contiguous, strided_problem
from inspector.checkpoints.model import Checkpoint, Finding, PathPart, Storage, TensorEntry
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.pickles import Pickle, interpret
from inspector.checkpoints.sources import LocalFile
from inspector.checkpoints.torch_archive import walk_pickle
from inspector.checkpoints.walk import Walk

#: Where the classes are that every such pickle is made of.
_OWN: Final = ("torch.distributed.checkpoint.metadata", "torch.distributed.checkpoint.filesystem")

#: Plain values that are looked for in the files; each takes some reads.
_MAX_VALUES: Final = 20_000

#: Files or messages that are told apart, at most.
_MAX_PROBLEMS: Final = 100


class Listing:
    """What the metadata describe, judged by the files that are there."""

    def __init__(self, directory: Directory, reader: Reader) -> None:
        self._directory: Final = directory
        self._reader: Final = reader
        self._walk: Final = Walk(reader.check)
        self._metadata: dict[str, str] = {}
        self._findings: Final[list[Finding]] = []
        self._files: Final[dict[str, LocalFile | str]] = {}
        self._lost: Final[dict[str, int]] = {}
        self._file = reader.file(directory.path / METADATA)
        self._hidden = 0
        #: Bytes that were read of plain values, and bytes of the files that were opened.
        self._read = self._held = 0

    def read(self) -> None:
        """List everything that ``.metadata`` describes."""
        data = self._file.read(0, self._file.size)
        pickle = interpret(data, name=METADATA, check=self._reader.check)
        judged = [node for node in pickle.globals if not node.module.startswith(_OWN)]
        self._findings.extend(self._walk.judge(judged, METADATA))
        self._walk.allow(len(data))
        metadata = read_metadata(pickle.value, pickle.opcodes)
        self._metadata = {**metadata.about, "pickle protocol": str(data[1] if len(data) > 1 else 0)}
        for number, (name, record) in enumerate(metadata.records.items()):
            if number % 1024 == 1023:
                self._reader.check()
            path = metadata.paths.get(name, (name,))
            if record is None:
                self._value(path, metadata.place(name, None))
            else:
                self._tensor(path, name, record, [metadata.place(name, c) for c in record.starts])

    def _value(self, path: tuple[PathPart, ...], place: Place | None) -> None:
        """List what a run that is no tensor holds."""
        if self._hidden or len(self._walk.values) >= _MAX_VALUES:
            self._hidden += 1
            return
        problem = "the metadata do not say where it is"
        if place is not None:
            file, problem = self._locate(place)
            if file is not None and not self._may_read(place):
                problem = "the metadata refer to more than the files hold"
            elif file is not None:
                try:
                    archive = open_slice(file, place, self._reader.check)
                    archive.notes()
                    pickle = archive.pickle("data.pkl")
                    self._judge(pickle)
                    walk_pickle(self._walk, pickle, archive.rebuilder("data"), path)
                    return
                except CheckpointError as error:
                    problem = error.message.rstrip(".")
        where = display_text(".".join(map(str, path)))
        if len(self._findings) < _MAX_PROBLEMS:
            self._findings.append(Finding("warning", f"A value can not be read: {problem}.", where))

    def _may_read(self, place: Place) -> bool:
        """Whether to read a run as a whole: all of them together are no more than the files."""
        self._read += place.length
        return self._read <= self._held

    def _judge(self, pickle: Pickle) -> None:
        """Take down what the pickle of a value asks to import; most ask for the same."""
        for item in self._walk.judge(pickle.globals, SUFFIX):
            if len(self._findings) < _MAX_PROBLEMS and item not in self._findings:
                self._findings.append(item)

    def _tensor(
        self,
        path: tuple[PathPart, ...],
        name: str,
        record: TensorRecord,
        places: list[Place | None],
    ) -> None:
        shape, itemsize = record.shape, ITEMSIZE.get(record.dtype, 0)
        stride = contiguous(shape)
        pieces, problems = [], []
        there = 0
        for start, lengths, place in zip(record.starts, record.lengths, places, strict=True):
            chunk, problem = self._chunk(record, start, lengths, place, itemsize)
            if chunk is None:
                problems.append(problem)
                chunk = MissingBytes(math.prod(lengths) * itemsize, f"{name}: {problem}.")
            else:
                there += math.prod(lengths)
            pieces.append(Piece(start, lengths, chunk))
        numel = math.prod(shape)
        whole = record.problem or strided_problem(shape, stride, 0, itemsize, numel * itemsize)
        if not whole and problems and there == 0 and numel:
            whole = f"None of its {len(pieces):,} chunks can be read: {problems[0]}."
        elif not whole and not problems and there < numel:
            whole = f"Of its {numel:,} elements, the chunks hold only {there:,}."
        details = {"chunks": f"{len(pieces):,}"}
        if problems and not whole:
            details["missing chunks"] = f"{len(problems):,}: {problems[0]}"
        storage = None
        if not whole:
            source = AssembledBytes(shape, itemsize, pieces, display_text(name))
            storage = Storage(source, 0, source.size, f"{len(pieces):,} chunks")

        def make(unique: str, path: tuple[PathPart, ...]) -> TensorEntry:
            return TensorEntry(
                name=unique,
                path=path,
                dtype=record.dtype,
                shape=shape,
                stride=stride,
                storage=storage,
                requires_grad=record.requires_grad,
                details=details,
                problem=whole,
            )

        self._walk.insert(path, make)

    def _chunk(
        self,
        record: TensorRecord,
        start: tuple[int, ...],
        lengths: tuple[int, ...],
        place: Place | None,
        itemsize: int,
    ) -> tuple[ChunkBytes | MissingBytes | None, str]:
        """The bytes of a chunk, or why there are none."""
        shape = record.shape
        if len(start) != len(shape) or len(lengths) != len(shape):
            return None, "a chunk has another number of dimensions than the tensor"
        for first, count, size in zip(start, lengths, shape, strict=True):
            if first < 0 or count < 0 or first + count > size:
                return None, "a chunk reaches beyond the tensor"
        needed = math.prod(lengths) * itemsize
        if not needed:
            return MissingBytes(0, ""), ""
        if place is None:
            return None, "the metadata do not say where a chunk is"
        file, problem = self._locate(place)
        if file is None:
            return None, problem
        if place.length < needed:
            return None, (
                f"{display_text(place.file, 100)} has {place.length:,} bytes for a chunk of "
                f"{needed:,}"
            )
        return ChunkBytes(file, place, record.dtype, lengths, itemsize), ""

    def _locate(self, place: Place) -> tuple[LocalFile | None, str]:
        """The file that a run is in, or why it can not be read."""
        shown = display_text(place.file, 100)
        found = self._files.get(place.file)
        if found is None:
            found = self._files[place.file] = self._open(place.file)
            self._held += found.size if isinstance(found, LocalFile) else 0
        if isinstance(found, str):
            self._lost[shown] = self._lost.get(shown, 0) + 1
            return None, found
        if place.transforms:
            return None, (
                f"its bytes went through {display_text(place.transforms, 100)}, which can not be "
                "undone here"
            )
        if place.offset < 0 or place.length < 0 or place.offset + place.length > found.size:
            return None, (
                f"{shown} is cut short: it should reach up to byte "
                f"{place.offset + place.length:,}, and has {found.size:,}"
            )
        return found, ""

    def _open(self, name: str) -> LocalFile | str:
        shown = display_text(name, 100)
        try:
            path = inside(self._directory.path, name)
        except CheckpointError as error:
            self._findings.append(Finding("danger", error.message, METADATA))
            return f"its file is called {shown}, which is not followed"
        if not is_there(path):
            return f"{shown} is missing"
        try:
            return self._reader.file(path)
        except CheckpointError as error:
            return error.message.rstrip(".")

    def checkpoint(self, group: Group) -> Checkpoint:
        """All that was found."""
        files = [found for found in self._files.values() if isinstance(found, LocalFile)]
        if self._lost:
            self._findings.insert(
                0,
                Finding(
                    "warning",
                    f"{len(self._lost):,} of {len(self._files):,} files can not be read or are "
                    f"missing, and {sum(self._lost.values()):,} chunks with them: "
                    f"{names_text(list(self._lost))}.",
                ),
            )
        if self._hidden:
            message = f"{self._hidden:,} more plain values are not listed."
            self._findings.append(Finding("warning", message))
        partly = [entry for entry in self._walk.entries if "missing chunks" in entry.details]
        for entry in partly[:_MAX_PROBLEMS]:
            message = f"Parts of it can not be read. {entry.details['missing chunks']}."
            self._findings.append(Finding("warning", message, display_text(entry.name)))
        paths: list[Path] = [self._directory.path / name for name in group.names]
        return Checkpoint(
            path=self._directory.path,
            format="torch.distributed.checkpoint",
            size=self._file.size + sum(file.size for file in files),
            entries=self._walk.entries,
            values=self._walk.values,
            metadata=self._metadata,
            findings=[*self._findings, *self._walk.findings()],
            imports=tuple(dict.fromkeys(self._walk.imports)),
            sources=(self._file, *files),
            files=tuple(dict.fromkeys([*paths, *(file.path for file in files)])),
        )
