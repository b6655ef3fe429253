"""A torch archive that lost its directory: a download that stopped, a damaged end.

``torch.save`` writes data.pkl first, and that says how large each storage has to be. So the
members are found without a search through their bytes, and what is missing can be told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.model import ByteSource, Finding, TensorEntry
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.torch_archive import TorchArchive, walk_pickle
from inspector.checkpoints.walk import Walk
from inspector.checkpoints.zip_directory import ZipDirectory, ZipMember
from inspector.checkpoints.zip_recovery import LocalHeaders

#: Why a storage of a file that is cut short is not there, as `TorchArchive` says it.
MISSING: Final = "lies behind the end of the file"

_MAIN = "data.pkl"

#: Members that an error names, at most.
_MAX_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Recovery:
    """What is left of an archive.

    Attributes
    ----------
    directory
        The members that were found.
    reason
        What is wrong with the directory of the archive itself.
    cut
        The member that the file ends in, if it ends in one.
    size
        The file's bytes.
    """

    directory: ZipDirectory
    reason: CheckpointError
    cut: ZipMember | None
    size: int

    def refuse_cut_pickle(self) -> None:
        """Say so if nothing can be listed, because data.pkl is not there, or not all of it.

        Raises
        ------
        CheckpointError
            Then, with what is there.
        """
        members = list(self.directory.members.values())
        if self.cut is not None and _is_main(self.cut):
            what = (
                f"within {_MAIN}, which describes the tensors: only {self.cut.size:,} bytes of it "
                "are there"
            )
        elif any(map(_is_main, members)):
            return
        elif not members:
            raise self.reason
        else:
            shown = ", ".join(
                f"{display_text(member.name, 100)} ({member.size:,} bytes)"
                for member in members[:_MAX_SHOWN]
            )
            more = len(members) - _MAX_SHOWN
            what = (
                f"before {_MAIN}, which describes the tensors. There are {shown}"
                f"{f' and {more:,} more members' if more > 0 else ''}"
            )
        raise CheckpointError(
            f"The file is cut short after {self.size:,} bytes, {what}.", advice=self.reason.advice
        )

    def finding(self, claimed: Mapping[str, int], entries: Sequence[TensorEntry]) -> Finding:
        """What happened, and what is left.

        Parameters
        ----------
        claimed
            Bytes that the storages should have, by the names of their members.
        entries
            What was listed.
        """
        members = self.directory.members
        missing = sum(
            max(0, size - (members[name].size if name in members else 0))
            for name, size in claimed.items()
        )
        readable = sum(not entry.problem for entry in entries)
        if missing:
            what = (
                f"The file is cut short: it has {self.size:,} bytes, and at least "
                f"{self.size + missing:,} are expected."
            )
        else:
            what = f"{self.reason.message} The members were found one by one."
        count = f"{readable:,} of {len(entries):,} tensors can be read."
        return Finding("warning", f"{what} {count}")


def recover(source: ByteSource, check: Callable[[], None], reason: CheckpointError) -> Recovery:
    """Find the members of an archive by what stands before each of them.

    Raises
    ------
    CheckpointError
        If the source can not be read any more.
    """
    headers = LocalHeaders(source, check)
    found: list[ZipMember] = []
    for member in headers:
        found.append(member)
        if _is_main(member) and member is not headers.cut and not headers.expected:
            headers.expected.update(_claims(source, member, check))
    return Recovery(ZipDirectory(source, found), reason, headers.cut, source.size)


def storage_claims(archive: TorchArchive, claimed: Mapping[str, int]) -> dict[str, int]:
    """What a pickle says of the sizes of its storages, by the names of their members."""
    return {f"{archive.root}data/{key}": size for key, size in claimed.items()}


def _is_main(member: ZipMember) -> bool:
    return member.name == _MAIN or member.name.endswith(f"/{_MAIN}")


def _claims(source: ByteSource, member: ZipMember, check: Callable[[], None]) -> dict[str, int]:
    root = member.name.removesuffix(_MAIN)
    archive = TorchArchive(ZipDirectory(source, [member]), root, check)
    rebuilder = archive.rebuilder("data")
    try:
        walk_pickle(Walk(check), archive.pickle(_MAIN), rebuilder)
    except CheckpointError:
        # What is wrong with it is told when it is read for the list.
        return {}
    return storage_claims(archive, rebuilder.claimed)
