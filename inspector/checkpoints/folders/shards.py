"""One checkpoint in several files: by an index with a ``weight_map``, or by numbered names.

Sources: ``huggingface_hub/serialization/_base.py`` (``save_torch_state_dict``, which writes
``model.safetensors.index.json``), ``transformers`` (``pytorch_model.bin.index.json``), and for the
pieces of tensors ``torch/distributed/checkpoint/hf_storage.py``. llama.cpp's ``gguf-split`` numbers
its files in the same way.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.folders.directory import (
    Directory,
    Group,
    Reader,
    inside,
    is_there,
    names_text,
)
from inspector.checkpoints.folders.joined import Joined, renamed
from inspector.checkpoints.folders.pieces import SHARDING_KEY, Pieces, read_starts
from inspector.checkpoints.model import Checkpoint, Finding, TensorEntry
from inspector.checkpoints.naming import display_text

_INDEX: Final = ".index.json"

#: ``model-00002-of-00007.safetensors``, and with the number of a rank in front.
_NUMBERED: Final = re.compile(
    r"(?:shard-\d{1,6}-)?(.*-)(\d{1,6})-of-(\d{1,6})(\.[A-Za-z0-9]+)", re.DOTALL
)
_SUFFIXES: Final = frozenset(
    {".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".npz", ".h5"}
)

#: The index of a checkpoint of a million tensors has a tenth of it.
_MAX_INDEX: Final = 100_000_000

#: Names between two calls of ``check``.
_ROUND: Final = 4096

_AGAIN: Final = "Get them from where the others came from."


def leads(name: str) -> bool:
    """Whether a file of this name stands for several."""
    return name.endswith(_INDEX) or _numbered(name) is not None


def find(directory: Directory) -> list[Group]:
    """The sets of shards in a folder: those with an index first."""
    there = set(directory.files)
    groups = [
        Group(name, _shards_beside(name, directory.files))
        for name in directory.files
        if name.endswith(_INDEX)
    ]
    for group in groups:
        there.difference_update(group.names)
    numbered: dict[tuple[str, int, str], list[str]] = {}
    for name in directory.files:
        key = _numbered(name)
        if key is not None and name in there:
            numbered.setdefault(key, []).append(name)
    # In the order of the safer format: where both are there, they hold the same.
    groups.sort(key=lambda group: "safetensors" not in group.title)
    return groups + [Group(names[0], tuple(names)) for names in numbered.values()]


def _numbered(name: str) -> tuple[str, int, str] | None:
    match = _NUMBERED.fullmatch(name)
    if match is None or match[4].lower() not in _SUFFIXES:
        return None
    # One that is numbered 1 of 1 belongs together with those of other ranks only.
    if int(match[3]) < 2 and not name.startswith("shard-"):
        return None
    return match[1], int(match[3]), match[4]


def _shards_beside(index: str, files: tuple[str, ...]) -> tuple[str, ...]:
    """The index and what by its name belongs to it, without reading it."""
    stem, _, suffix = index.removesuffix(_INDEX).rpartition(".")
    numbered = re.compile(
        rf"{re.escape(stem)}-\d{{1,6}}-of-\d{{1,6}}\.{re.escape(suffix)}", re.DOTALL
    )
    return (index, *(name for name in files if numbered.fullmatch(name)))


def open_group(directory: Directory, group: Group, reader: Reader) -> Checkpoint:
    """List a set of shards as one checkpoint.

    Raises
    ------
    CheckpointError
        If the index can not be read, or none of the shards.
    """
    union = _Union(directory, reader)
    if group.title.endswith(_INDEX):
        wanted = union.read_index(group.title)
        # Those that only their names tell of are shown too: the index may be an old one.
        for name in group.names[1:]:
            wanted.setdefault(name, [])
        kind = "safetensors" if "safetensors" in group.title else "torch"
        union.joined.metadata["index"] = group.title
    else:
        wanted = _with_missing(group)
        kind = _NUMBERED.sub(r"\4", group.title).removeprefix(".")
    for name, tensors in wanted.items():
        union.add_shard(name, tensors)
    union.finish(len(wanted))
    return union.joined.checkpoint(directory.path, f"{kind} in {len(wanted):,} shards")


def _with_missing(group: Group) -> dict[str, list[str]]:
    """The shards by name, those included whose numbers are missing."""
    wanted: dict[str, list[str]] = {}
    expected = 1
    for name in group.names:
        match = _NUMBERED.fullmatch(name)
        assert match is not None
        number = int(match[2])
        # Bounded: a name that claims a million shards is no set that can be listed.
        while expected < number and expected <= len(group.names) + 1000:
            wanted[_numbered_name(match, expected)] = []
            expected += 1
        wanted[name] = []
        expected = max(expected, number + 1)
    match = _NUMBERED.fullmatch(group.names[-1])
    assert match is not None
    for number in range(expected, min(int(match[3]), expected + 1000) + 1):
        wanted[_numbered_name(match, number)] = []
    return wanted


def _numbered_name(match: re.Match[str], number: int) -> str:
    start, end = match.span(2)
    text = str(number).zfill(end - start)
    return match.string[:start] + text + match.string[end:]


class _Union:
    """The shards of one checkpoint, put together."""

    def __init__(self, directory: Directory, reader: Reader) -> None:
        self._directory: Final = directory
        self._reader: Final = reader
        self.joined: Final = Joined()
        self._pieces: Final = Pieces()
        #: Where the index says that a tensor is.
        self._shard_of: dict[str, str] = {}
        self._missing: Final[list[str]] = []
        self._elsewhere: Final[list[str]] = []
        self._unknown: Final[list[str]] = []
        self._absent: Final[list[str]] = []
        self._twice: Final[list[str]] = []
        self._found: Final[set[str]] = set()
        self._broken: CheckpointError | None = None
        self._refused: CheckpointError | None = None
        self._opened = 0

    def read_index(self, name: str) -> dict[str, list[str]]:
        """The shards that an index names, each with its tensors, in the order of their names."""
        path = self._directory.path / name
        content, size = _index(self._reader, path)
        self.joined.add_file(path, size)
        claimed = content.get("weight_map")
        if type(claimed) is not dict:
            raise CheckpointError(
                f"{name} names no shards: it has no weight_map.",
                advice="Get it again from where it came from.",
            )
        about = content.get("metadata")
        if type(about) is dict:
            for key, value in about.items():
                if isinstance(value, str | int | float):
                    self.joined.metadata.setdefault(
                        display_text(key, 100), display_text(str(value))
                    )
        wanted: dict[str, list[str]] = {}
        wrong = []
        for number, (tensor, shard) in enumerate(claimed.items()):
            if number % _ROUND == _ROUND - 1:
                self._reader.check()
            if type(shard) is not str:
                wrong.append(tensor)
                continue
            self._shard_of[tensor] = shard
            wanted.setdefault(shard, []).append(tensor)
        if wrong:
            self._warn(f"The index does not say where {len(wrong):,} tensors are", wrong)
        return dict(sorted(wanted.items()))

    def add_shard(self, name: str, tensors: list[str]) -> None:
        """Take over the entries of a shard; ``tensors`` are those that the index puts there."""
        try:
            path = inside(self._directory.path, name)
        except CheckpointError as error:
            self._refused = self._refused or error
            self.joined.note(Finding("danger", error.message, "index"))
            self._lost(name, tensors, "has no name of a file in the folder")
            return
        self.joined.add_file(path)
        if not is_there(path):
            self._missing.append(name)
            self._lost(name, tensors, "is missing")
            return
        try:
            part = self._reader.checkpoint(path)
        except CheckpointError as error:
            self._broken = error
            self.joined.note(Finding("warning", str(error), display_text(name)))
            self._lost(name, tensors, "can not be read")
            return
        self._opened += 1
        self._take(name, part)

    def _take(self, name: str, part: Checkpoint) -> None:
        starts = read_starts(part)
        metadata = {key: text for key, text in part.metadata.items() if key != SHARDING_KEY}
        self.joined.add_about(replace(part, metadata=metadata))
        details = {"shard": name}
        for entry in part.entries:
            own = entry.name
            self._found.add(own)
            if self._shard_of and own not in self._shard_of:
                self._unknown.append(own)
            elif self._shard_of and self._shard_of[own] != name:
                self._elsewhere.append(own)
            if starts is not None and own in starts:
                self._pieces.add(entry, starts[own], name)
                if self._pieces.count(own) > 1:
                    continue
                self.joined.names.unique(own)
                self.joined.entries.append(renamed(entry, own, details))
                continue
            unique = self.joined.names.unique(own)
            if unique != own:
                self._twice.append(own)
            self.joined.entries.append(renamed(entry, unique, details))
        for value in part.values:
            unique = self.joined.names.unique(value.name)
            self.joined.values.append(replace(value, name=unique))

    def _lost(self, shard: str, tensors: list[str], why: str) -> None:
        for tensor in tensors:
            self._placeholder(tensor, f"Its shard {display_text(shard, 100)} {why}.", shard)

    def _placeholder(self, tensor: str, problem: str, shard: str) -> None:
        self._found.add(tensor)
        entry = TensorEntry(
            self.joined.names.unique(tensor),
            (tensor,),
            "?",
            (),
            (),
            None,
            details={"shard": shard},
            problem=problem,
        )
        self.joined.entries.append(entry)

    def finish(self, count: int) -> None:
        """Put the pieces together, and say what does not fit."""
        if not self._opened and self._broken is not None:
            raise self._broken
        if not self._opened and not self._missing and self._refused is not None:
            raise CheckpointError(
                f"The index names no shard in its folder. {self._refused.message}",
                advice="Get it again from where it came from.",
            )
        if not self._opened:
            shards = "The only shard is not" if count == 1 else f"None of the {count:,} shards is"
            raise CheckpointError(f"{shards} there: {names_text(self._missing)}.", advice=_AGAIN)
        if self._missing:
            verb = "is" if len(self._missing) == 1 else "are"
            self.joined.findings.insert(
                0,
                Finding(
                    "warning",
                    f"{len(self._missing):,} of {count:,} shards {verb} missing: "
                    f"{names_text(self._missing)}. {_AGAIN}",
                ),
            )
        self.joined.entries[:] = self._pieces.put_together(self.joined.entries)
        for tensor, shard in self._shard_of.items():
            if tensor not in self._found:
                self._absent.append(tensor)
                self._placeholder(tensor, f"{display_text(shard, 100)} does not hold it.", shard)
        for message, names in (
            ("{:,} tensors are not where the index says, but in another shard", self._elsewhere),
            ("{:,} tensors of the shards are not in the index", self._unknown),
            ("{:,} tensors of the index are in none of the shards that it names", self._absent),
            ("{:,} tensors are in several shards", self._twice),
        ):
            if names:
                self._warn(message.format(len(names)), names)

    def _warn(self, message: str, names: list[str]) -> None:
        self.joined.note(Finding("warning", f"{message}: {names_text(names)}."))


def _index(reader: Reader, path: Path) -> tuple[dict[str, object], int]:
    """What an index holds, and its bytes."""
    file = reader.file(path)
    if file.size > _MAX_INDEX:
        raise CheckpointError(f"{path.name} has {file.size:,} bytes, more than any index has.")
    reader.check()
    try:
        content = json.loads(file.read(0, file.size))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path.name} is not the JSON that it should be: {error}.",
            advice="Get it again from where it came from.",
        ) from error
    finally:
        file.close()
    reader.check()
    if type(content) is not dict:
        raise CheckpointError(f"{path.name} is no JSON object.")
    return content, file.size
