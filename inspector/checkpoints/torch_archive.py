"""An archive in torch's scheme: a root folder, pickles, and folders with the bytes of storages.

``torch.save``, TorchScript and ``torch.export`` share it; archives are also members of archives.

Source: ``torch/serialization.py`` and ``caffe2/serialize/inline_container.cc``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final, Literal

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.model import ByteSource, Finding, Storage
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.pickles import Pickle, PickleStream
from inspector.checkpoints.rebuild import Path, Rebuilder
from inspector.checkpoints.walk import Walk
from inspector.checkpoints.zip_directory import MemberSource, ZipDirectory, ZipMember

#: Members beside data.pkl in which the file says something of itself.
_NOTES: Final = (
    "version",
    ".data/version",
    "byteorder",
    ".format_version",
    ".storage_alignment",
    ".data/serialization_id",
    "archive_version",
)
_MAX_NOTE: Final = 256

#: A deflated pickle or text may inflate to this, and to so many times its size: a pickle of
#: tensors deflates to a tenth. Each byte of it may become a list of 80 bytes in memory.
_INFLATED: Final = 1 << 20
_MAX_RATIO: Final = 40

#: A description in JSON takes about ten times its bytes in memory.
MAX_JSON: Final = 64 << 20

#: Names that several members have, in one finding, at most.
_MAX_NAMES: Final = 10


class Budget:
    """What the members of a file may inflate to that are read as a whole, all of them together.

    An archive may refer to one member a thousand times, and to thousands that deflate well.

    Parameters
    ----------
    size
        The file's bytes.
    """

    def __init__(self, size: int) -> None:
        self._left = _INFLATED + _MAX_RATIO * size

    def spend(self, member: ZipMember) -> None:
        """Account for a member that is going to be read.

        Raises
        ------
        CheckpointError
            If it would inflate to what no such member has, or all of them have had too much.
        """
        allowed = max(member.compressed, _INFLATED + _MAX_RATIO * member.compressed)
        if member.size > allowed:
            raise CheckpointError(
                f"{display_text(member.name)} would inflate from {member.compressed:,} to "
                f"{member.size:,} bytes, as only files do that are made to fill the memory.",
                where=display_text(member.name),
            )
        self._left -= member.size
        if self._left < 0:
            raise CheckpointError(
                "It was not read: what the archive refers to is many times as large as the archive."
            )


class TorchArchive:
    """The members of an archive, by their names in torch's scheme.

    Parameters
    ----------
    directory
        The members.
    root
        The folder that all is in, with its slash; may be empty.
    check
        Called now and then; may raise `Cancelled`.
    missing
        Why a storage that is not there is not, as the end of a sentence about it; empty if the
        file gives no reason.
    budget
        That of the archive around this one, if there is one.

    Attributes
    ----------
    budget
        For members that are read as a whole.
    protocol
        Of the pickle that was read last.
    findings
        What was noticed so far.
    """

    def __init__(
        self,
        directory: ZipDirectory,
        root: str,
        check: Callable[[], None],
        *,
        missing: str = "",
        budget: Budget | None = None,
    ) -> None:
        self.directory: Final = directory
        self.budget: Final = budget or Budget(directory.source.size)
        self.root: Final = root
        self.protocol = 0
        self.findings: Final[list[Finding]] = []
        self._check: Final = check
        self._missing: Final = missing
        self._byteorder: Literal["little", "big"] = "little"
        self._pickle: ByteSource | None = None
        self._note_surroundings()

    def member(self, name: str) -> ZipMember | None:
        """The member of this name below the root."""
        return self.directory.members.get(self.root + name)

    def names(self) -> list[str]:
        """The names below the root, without it."""
        start = len(self.root)
        return [name[start:] for name in self.directory.members if name.startswith(self.root)]

    def has_folder(self, name: str) -> bool:
        """Whether there are members in a folder below the root."""
        prefix = f"{self.root}{name}/"
        return any(name.startswith(prefix) for name in self.directory.members)

    def notes(self) -> dict[str, str]:
        """What the file says of itself; sets the byte order of its storages."""
        found = {}
        for name in _NOTES:
            member = self.member(name)
            if member is None:
                continue
            try:
                raw = self.source(member).read(0, min(member.size, _MAX_NOTE))
            except CheckpointError as error:
                self._warn(error.message, member.name)
                continue
            text = display_text(raw.decode("utf-8", "replace").strip())
            found[name.rpartition("/")[2].removeprefix(".")] = text
        order = found.get("byteorder", "little")
        if order == "big":
            self._byteorder = "big"
        elif order != "little":
            message = f"The byte order {order} is not known; little-endian is assumed."
            self._warn(message, "byteorder")
        return found

    def content(self, name: str) -> bytes:
        """All of a member that is there.

        Raises
        ------
        CheckpointError
            If it can not be read, or would inflate to what no such member has.
        """
        member = self.directory.members[self.root + name]
        self.budget.spend(member)
        data = self.source(member).read(0, member.size)
        self._check()
        return data

    def pickle(self, name: str) -> Pickle:
        """Interpret a member, as far as it makes sense.

        Raises
        ------
        CheckpointError
            If it can not be read, or is damaged before it holds anything.
        """
        data = self.content(name)
        self._pickle = self.source(self.directory.members[self.root + name])
        self.protocol = data[1] if data[:1] == b"\x80" and len(data) > 1 else 0
        shown = display_text(name)
        stream = PickleStream(data, check=self._check)
        try:
            pickle = stream.next(shown)
        except CheckpointError as error:
            left = stream.salvage()
            if left is None:
                raise
            self._warn(f"{error.message} What comes before is listed.", f"{shown}, {error.where}")
            return left
        if pickle.end < len(data):
            self._warn(
                f"{len(data) - pickle.end:,} bytes follow its end and were not looked at.", shown
            )
        if pickle.oddity:
            self._warn(pickle.oddity, shown)
        return pickle

    def _warn(self, message: str, where: str = "") -> None:
        self.findings.append(Finding("warning", message, where))

    def rebuilder(self, folder: str) -> Rebuilder:
        """What makes tensors of the pickle read last, of storages in a folder of the archive."""

        prefix = f"{self.root}{folder}/"
        return Rebuilder(lambda key: self._storage(prefix + key, key), pickle=self._pickle)

    def storage(self, name: str, key: str) -> Storage | str | None:
        """A member as a storage; a text says why it can not be read, None that it is not there."""
        return self._storage(self.root + name, key)

    def _storage(self, full_name: str, key: str) -> Storage | str | None:
        member = self.directory.members.get(full_name)
        if member is None:
            return self._missing or None
        if member.problem:
            return member.problem
        source = MemberSource(self.directory, member)
        return Storage(source, 0, member.size, key, self._byteorder)

    def source(self, member: ZipMember) -> ByteSource:
        """The content of a member."""
        return MemberSource(self.directory, member)

    def _note_surroundings(self) -> None:
        directory = self.directory
        names = directory.duplicates
        if names:
            shown = ", ".join(display_text(name, 100) for name in names[:_MAX_NAMES])
            self._warn(
                f"{len(names):,} members are there twice: {shown}. The last one is "
                "shown; other programs may take the first."
            )
        for count, where in ((directory.before, "come before"), (directory.behind, "follow")):
            if count:
                self._warn(f"{count:,} bytes {where} the zip archive and were not looked at.")


def parse_json(archive: TorchArchive, name: str) -> dict[str, object]:
    """A member that is a JSON object.

    Raises
    ------
    CheckpointError
        If it is not there, too long, or none.
    """
    member = archive.member(name)
    shown = display_text(name)
    if member is None:
        raise CheckpointError(f"The archive has no {shown}.")
    if member.size > MAX_JSON:
        raise CheckpointError(f"{shown} has {member.size:,} bytes, too many to be looked at.")
    try:
        found = json.loads(archive.content(name), parse_int=bounded_int)
    except (ValueError, RecursionError) as error:
        reason = display_text(str(error))
        raise CheckpointError(f"{shown} is not the JSON that it should be: {reason}.") from error
    if type(found) is not dict:
        raise CheckpointError(f"{shown} is no JSON object.")
    return found


def bounded_int(digits: str) -> int:
    """An integer of JSON; no size needs more digits, and Python takes long for many more."""
    return int(digits) if len(digits) <= 30 else -1


def walk_pickle(walk: Walk, pickle: Pickle, rebuilder: Rebuilder, path: Path = ()) -> None:
    """List what a pickle holds, below ``path``."""
    walk.run(pickle.value, rebuilder, nodes=pickle.opcodes, size=pickle.end, path=path)
