"""The checkpoints in a folder and the folders in it, found by their content."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.folders.directory import Directory, is_there, look, names_text
from inspector.checkpoints.model import Finding
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.sources import LocalFile

#: Folders within folders, folders, and files that are looked at, at most.
_MAX_DEPTH: Final = 8
_MAX_FOLDERS: Final = 2000
MAX_FILES: Final = 20_000

#: Bytes of a file that names the newest of several folders, at most.
_MAX_POINTER: Final = 256


@dataclass(frozen=True, slots=True)
class _Pointer:
    """A file that says which of the folders beside it counts.

    Attributes
    ----------
    file
        Its name, below the folder.
    target
        Makes the folder's name, below the same, of what the file says.
    siblings
        Which other folders are then passed over, because they are older states of the same.
    """

    file: str
    target: Callable[[str], str]
    siblings: re.Pattern[str]


def _iteration(text: str) -> str:
    return f"iter_{int(text):07d}" if text.isdecimal() and len(text) < 20 else text


#: DeepSpeed, Megatron, and the cache of Hugging Face's hub.
_POINTERS: Final = (
    _Pointer("latest", str, re.compile(r"global_step\d+")),
    _Pointer("latest_checkpointed_iteration.txt", _iteration, re.compile(r"iter_\d+|release")),
    _Pointer("refs/main", lambda text: f"snapshots/{text}", re.compile("blobs|refs|snapshots")),
)


@dataclass(slots=True)
class Search:
    """What was found.

    Attributes
    ----------
    directories
        Those to look for checkpoints in, the outermost first.
    findings
        What was passed over, and why.
    """

    directories: list[Directory] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def search(root: Directory, check: Callable[[], None]) -> Search:
    """Find the folders that may hold checkpoints, without following links to folders."""
    found = Search()
    waiting = [(root, 0)]
    files = 0
    while waiting:
        directory, depth = waiting.pop()
        check()
        found.directories.append(directory)
        files += len(directory.files)
        below = _chosen(directory, found.findings)
        if depth == _MAX_DEPTH and below:
            found.findings.append(
                Finding("note", "Folders that lie deeper were not looked into.", directory.label)
            )
            continue
        if len(found.directories) + len(waiting) + len(below) > _MAX_FOLDERS or files > MAX_FILES:
            message = "The folder holds very much; not all of it was looked at."
            found.findings.append(Finding("warning", message))
            break
        for name in reversed(below):
            try:
                inner = look(directory.path / name, f"{directory.label}{name}/")
            except CheckpointError as error:
                found.findings.append(Finding("warning", str(error)))
                continue
            waiting.append((inner, depth + 1))
    return found


def _chosen(directory: Directory, findings: list[Finding]) -> list[str]:
    """The folders in a folder that are to be looked into, by what its pointer says."""
    below = list(directory.folders)
    for pointer in _POINTERS:
        text = _read_pointer(directory, pointer.file)
        if not text:
            continue
        target = pointer.target(text)
        where = display_text(directory.label + pointer.file)
        if target.partition("/")[0] not in directory.folders or not is_there(
            directory.path / target
        ):
            message = f"It names {display_text(target, 100)}, which is not there."
            findings.append(Finding("warning", message, where))
            continue
        top = target.partition("/")[0]
        passed = [name for name in below if name != top and pointer.siblings.fullmatch(name)]
        if passed:
            message = (
                f"It names {display_text(target, 100)}, which is shown. To see {names_text(passed)}"
                ", open that folder itself."
            )
            findings.append(Finding("note", message, where))
        kept = [name for name in below if name not in passed]
        return [target if name == top else name for name in kept]
    return below


def _read_pointer(directory: Directory, name: str) -> str:
    """The folder's name that a pointer holds; empty if there is no such pointer."""
    first, _, rest = name.partition("/")
    if first not in (directory.folders if rest else directory.files):
        return ""
    try:
        file = LocalFile(directory.path / name)
    except CheckpointError:
        return ""
    try:
        raw = file.read(0, min(file.size, _MAX_POINTER))
    except CheckpointError:
        return ""
    finally:
        file.close()
    text = raw.decode("utf-8", "replace").strip()
    return text if re.fullmatch(r"\w[\w.+-]*", text) else ""
