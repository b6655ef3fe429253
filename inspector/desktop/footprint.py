"""Files of ours in a folder that is everybody's: written, remembered, taken back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Final

from inspector.checkpoints.errors import InspectorError
from inspector.desktop.report import failure

#: Where it is remembered, below the folder.
_RECORD: Final = "tensor-inspector/registered.json"


@dataclass(frozen=True, slots=True)
class Record:
    """What was made below a folder, by paths relative to it with ``/``.

    Attributes
    ----------
    command
        The program that the files name, and its arguments.
    files
        What we wrote.
    caches
        What the desktop's tools wrote on our behalf where nothing was before.
    folders
        What had to be made for all of them; ``.`` and ``..`` are the folder itself and above.
    """

    command: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    caches: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


class Footprint:
    """All that we left below a folder.

    What is to be written is remembered before it is, so that a process that is killed on the way
    leaves no file that could not be taken back.

    Parameters
    ----------
    home
        The folder; it need not exist.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self.record = _load(home / _RECORD)

    def write(
        self, wanted: Mapping[str, bytes], caches: Iterable[str], command: Sequence[str]
    ) -> tuple[str, ...]:
        """Have exactly these files, whatever was registered before.

        Parameters
        ----------
        wanted
            The files, by their paths below the folder.
        caches
            What the desktop's tools will write next. What is there already is not ours.
        command
            The program that the files name.

        Returns
        -------
        tuple of str
            Those that were not so already.

        Raises
        ------
        InspectorError
            If somebody else's file is in the way, or the system refuses. If nothing of ours was
            there before, then nothing of it remains.
        """
        before = self.record
        self._refuse_to_replace(set(wanted) - set(before.files), wanted)
        new = [name for name in caches if not os.path.lexists(self._home / name)]
        folders = self._missing_folders([_RECORD, *wanted, *new])
        started = replace(
            before,
            files=tuple(sorted({*before.files, *wanted})),
            caches=tuple(sorted({*before.caches, *new})),
            folders=tuple(dict.fromkeys((*before.folders, *folders))),
        )
        try:
            return self._make(wanted, started, replace(started, command=tuple(command)))
        except InspectorError:
            if not before.files:
                self.record = started
                with suppress(InspectorError):
                    self.remove_files()
                    self.forget(lambda _: True)
            raise

    def _make(
        self, wanted: Mapping[str, bytes], started: Record, finished: Record
    ) -> tuple[str, ...]:
        for name in started.folders:
            _make_folder(self._folder(name))
        self._remember(started)
        written = [name for name, data in wanted.items() if _write(self._home / name, data)]
        for name in set(started.files) - set(wanted):
            _unlink(self._home / name)
        self._remember(replace(finished, files=tuple(sorted(wanted))))
        return tuple(written)

    def remove_files(self) -> tuple[str, ...]:
        """Take our files away; what they were is remembered until `forget`.

        Returns
        -------
        tuple of str
            Those that were still there.

        Raises
        ------
        InspectorError
            If the system refuses.
        """
        removed = []
        for name in self.record.files:
            _unlink(_part(self._home / name))
            if _unlink(self._home / name):
                removed.append(name)
        return tuple(removed)

    def forget(self, is_idle: Callable[[str], bool]) -> None:
        """Take away the rest: caches, folders that are empty, and the memory of it.

        Parameters
        ----------
        is_idle
            Whether a cache serves nobody else; those that do stay.

        Raises
        ------
        InspectorError
            If the system refuses.
        """
        for name in self.record.caches:
            if is_idle(name):
                _unlink(self._home / name)
        _unlink(_part(self._home / _RECORD))
        _unlink(self._home / _RECORD)
        folders = map(self._folder, self.record.folders)
        for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
            with suppress(OSError):  # somebody else's things are in it
                folder.rmdir()
        self.record = Record()

    def _refuse_to_replace(self, new: Iterable[str], wanted: Mapping[str, bytes]) -> None:
        for name in new:
            path = self._home / name
            if os.path.lexists(path) and not _holds(path, wanted[name]):
                raise InspectorError(
                    f"{path} is in the way, and Tensor Inspector did not make it.",
                    advice="Move it elsewhere, and try again.",
                )

    def _missing_folders(self, names: Iterable[str]) -> tuple[str, ...]:
        """The folders that these files need and that are not there, outermost first."""
        missing = {
            folder
            for name in names
            for folder in (self._home / name).parents
            if not os.path.lexists(folder)
        }
        ordered = sorted(missing, key=lambda folder: (len(folder.parts), folder))
        return tuple(Path(os.path.relpath(folder, self._home)).as_posix() for folder in ordered)

    def _folder(self, name: str) -> Path:
        return Path(os.path.normpath(self._home / name))

    def _remember(self, record: Record) -> None:
        text = json.dumps(asdict(record), indent=1)
        _write(self._home / _RECORD, f"{text}\n".encode())
        self.record = record


def _load(path: Path) -> Record:
    """What was remembered; nothing where there is nothing, or nothing of ours."""
    try:
        found = json.loads(path.read_bytes())
        values = {field.name: tuple(found[field.name]) for field in fields(Record)}
    except (OSError, ValueError, KeyError, TypeError):
        return Record()
    texts = [text for value in values.values() for text in value]
    if not all(isinstance(text, str) for text in texts):
        return Record()
    # Whoever changed it must not have us remove anything elsewhere.
    if any(Path(name).is_absolute() or ".." in Path(name).parts for name in _names(values)):
        return Record()
    return Record(**values)


def _names(values: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return (*values["files"], *values["caches"])


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def _part(path: Path) -> Path:
    """What a file is called until all of it is there."""
    return path.with_name(f".{path.name}.part")


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise failure(path, error) from error


def _write(path: Path, data: bytes) -> bool:
    """Have a file hold this, at once or not at all. Whether it did not already."""
    if _holds(path, data):
        return False
    part = _part(path)
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise failure(path, error) from error
    return True


def _unlink(path: Path) -> bool:
    """Remove a file. Whether it was there."""
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise failure(path, error) from error
    return True
