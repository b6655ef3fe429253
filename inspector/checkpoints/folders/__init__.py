"""Checkpoints of several files: the layouts in their order, and folders of anything."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.folders import distributed, shards
from inspector.checkpoints.folders.directory import Directory, Group, Reader, is_there, look
from inspector.checkpoints.folders.joined import Joined
from inspector.checkpoints.folders.search import search
from inspector.checkpoints.foreign import is_pointer
from inspector.checkpoints.formats import FORMATS, HEAD
from inspector.checkpoints.model import Checkpoint, Finding
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.sources import LocalFile


@dataclass(frozen=True, slots=True)
class Layout:
    """One way in which several files make a checkpoint.

    Attributes
    ----------
    name
        In words, for messages.
    leads
        Whether a file stands for the whole, by its name: it is opened instead of the file.
    find
        The groups of files in a folder that belong together, by their names; no file is read.
    open
        Lists a group.
    """

    name: str
    leads: Callable[[str], bool]
    find: Callable[[Directory], list[Group]]
    open: Callable[[Directory, Group, Reader], Checkpoint]


LAYOUTS: Final = (
    Layout("a distributed checkpoint", distributed.leads, distributed.find, distributed.open_group),
    Layout("a checkpoint in shards", shards.leads, shards.find, shards.open_group),
)

#: What a folder is called by the names of the files that were found in it.
_KINDS: Final = (
    ("DeepSpeed folder", re.compile(r"(.*/)?(mp_rank_\d+_model_states|.*_optim_states)\.pt")),
    (
        "Megatron folder",
        re.compile(r"(.*/)?mp_rank_\d+(_\d+)*/(model_optim_rng|distrib_optim)\.pt"),
    ),
    ("Megatron folder", re.compile(r"(.*/)?iter_\d+(/.*)?")),
    ("Lightning folder", re.compile(r"(.*/)?(lightning_logs/.*|checkpoints/[^/]*\.ckpt)")),
)

#: The parts of parameters that DeepSpeed's ZeRO leaves in the files of each rank.
_ZERO: Final = re.compile(r"(.*/)?.*zero_pp_rank_\d+_mp_rank_\d+_.*\.pt")

#: What only a checkpoint is called: such a file is mentioned if it is none.
_SUFFIXES: Final = (".safetensors", ".pt", ".pth", ".ckpt", ".bin", ".gguf", ".onnx", ".h5")

_MAX_MEMBERS: Final = 5000


def open_group_of(path: Path, reader: Reader) -> Checkpoint | None:
    """The whole that a single file stands for, if it does: an index, a shard, ``.metadata``.

    Raises
    ------
    CheckpointError
        If there is a whole, but it can not be opened.
    """
    for layout in LAYOUTS:
        if not layout.leads(path.name) or not is_there(path):
            continue
        directory = look(path.parent)
        for group in layout.find(directory):
            if path.name in group.names:
                found = layout.open(directory, group, reader)
                message = (
                    f"{display_text(path.name, 100)} is one of {len(found.files):,} files that "
                    "belong together; all of them are shown."
                )
                note = [Finding("note", message)] if path.name != group.title else []
                return replace(found, path=path, findings=[*note, *found.findings])
    return None


@dataclass(frozen=True, slots=True)
class _Member:
    """A file, or a group of files, that is a checkpoint in a folder.

    Attributes
    ----------
    is_main
        A group in the folder that was asked for, not in one below it.
    """

    label: str
    open: Callable[[Reader], Checkpoint]
    is_group: bool
    is_main: bool


def open_folder(path: Path, reader: Reader) -> Checkpoint:
    """List a folder: the checkpoint that it is, or else the set of checkpoints in it.

    A group of files in the folder itself keeps the names of its tensors; so does the only
    checkpoint in a folder. In all other cases each name is led by its file's name.

    Raises
    ------
    CheckpointError
        If there is no checkpoint in it, or none that can be opened.
    """
    found = search(look(path), reader.check)
    joined = Joined()
    members: list[_Member] = []
    looked_at = 0
    for directory in found.directories:
        looked_at += len(directory.files)
        members += _members(directory, reader, joined)
    if not members:
        raise _no_checkpoint(path, looked_at, joined.findings)
    if len(members) > _MAX_MEMBERS:
        message = f"Of {len(members):,} checkpoints, the first {_MAX_MEMBERS:,} are listed."
        joined.note(Finding("warning", message))
        del members[_MAX_MEMBERS:]
    main = _main(members)
    opened: list[_Member] = []
    formats: list[str] = []
    first_error: CheckpointError | None = None
    for member in members:
        try:
            part = member.open(reader)
        except CheckpointError as error:
            first_error = first_error or error
            joined.note(Finding("warning", str(error), display_text(member.label)))
            continue
        joined.add(part, "" if member is main else member.label)
        opened.append(member)
        formats.append(part.format)
    if not opened and first_error is not None:
        raise _none_opened(path, len(members), first_error)
    for finding in found.findings:
        joined.note(finding)
    _note_partitions(opened, joined)
    return joined.checkpoint(path, _kind(opened, formats))


def _members(directory: Directory, reader: Reader, joined: Joined) -> list[_Member]:
    """The checkpoints in one folder. Says in ``joined`` what only looks like one."""
    members = []
    here = not directory.label
    claimed: set[str] = set()
    for layout in LAYOUTS:
        for group in layout.find(directory):
            claimed.update(group.names)
            label = (directory.label + group.title).rstrip("/")
            members.append(_Member(label, _group_opener(layout, directory, group), True, here))
    for name in directory.files:
        if name in claimed:
            continue
        reader.check()
        problem = _sniff(directory.path / name)
        label = directory.label + name
        if problem is None:
            members.append(_Member(label, _file_opener(directory.path / name), False, False))
        elif problem and name.lower().endswith(_SUFFIXES):
            joined.note(Finding("warning", problem, display_text(label)))
    if not here and len(members) == 1 and members[0].is_group:
        # A group that has a folder to itself is known by that, rather than by one of its files.
        members[0] = replace(members[0], label=directory.label.rstrip("/"))
    return members


def _group_opener(
    layout: Layout, directory: Directory, group: Group
) -> Callable[[Reader], Checkpoint]:
    return lambda reader: layout.open(directory, group, reader)


def _file_opener(path: Path) -> Callable[[Reader], Checkpoint]:
    return lambda reader: reader.checkpoint(path)


def _sniff(path: Path) -> str | None:
    """None if a file is of a known format; else what the user should know of it, or nothing."""
    try:
        file = LocalFile(path)
    except CheckpointError as error:
        return error.message
    try:
        if not file.size:
            return "It is empty."
        head = file.read(0, min(HEAD, file.size))
        if any(known.sniff(head, file) for known in FORMATS):
            return None
        if is_pointer(head):
            return "It is a git-lfs pointer: run `git lfs pull` in the folder."
        return ""
    except CheckpointError as error:
        return error.message
    finally:
        file.close()


def _main(members: list[_Member]) -> _Member | None:
    """The checkpoint that the folder is, whose names stay as they are."""
    if len(members) == 1:
        return members[0]
    return members[0] if members[0].is_main else None


def _kind(members: list[_Member], formats: list[str]) -> str:
    kind = next(
        (name for name, names in _KINDS for member in members if names.fullmatch(member.label)), ""
    )
    if len(members) == 1:
        return f"{kind}, {formats[0]}" if kind else formats[0]
    main = _main(members)
    if main is not None:
        return f"{formats[0]}, with {len(members) - 1:,} more checkpoints beside it"
    return f"{kind or 'folder'} with {len(members):,} checkpoints"


def _note_partitions(members: list[_Member], joined: Joined) -> None:
    if any(_ZERO.fullmatch(member.label) for member in members):
        joined.note(
            Finding(
                "note",
                "DeepSpeed's ZeRO keeps parameters and optimizer states as flat parts, one for "
                "each rank, as they are shown here. Its zero_to_fp32.py puts them together.",
            )
        )


def _no_checkpoint(path: Path, looked_at: int, findings: list[Finding]) -> CheckpointError:
    if not looked_at:
        return CheckpointError(
            f"The folder {path} has no files in it.", advice="Choose another folder, or a file."
        )
    if findings:
        first = findings[0]
        return CheckpointError(
            f"The folder {path} holds no checkpoint that is whole. {first.message}",
            where=first.where,
            advice=f"{len(findings):,} files in it are like that.",
        )
    return CheckpointError(
        f"The folder {path} holds no checkpoint: none of its {looked_at:,} files is of a known "
        "format.",
        advice="Choose the folder that the checkpoint was saved to.",
    )


def _none_opened(path: Path, count: int, error: CheckpointError) -> CheckpointError:
    if count == 1:
        return error
    return CheckpointError(
        f"None of the {count:,} checkpoints in the folder {path} can be opened. {error.message}",
        where=error.where,
        advice=error.advice,
    )
