"""torch's zip format: what ``torch.save`` writes since 1.6, and TorchScript.

``<root>/data.pkl`` describes the tensors, ``<root>/data/<key>`` holds the bytes of the storages.

Source: ``torch/serialization.py`` and ``caffe2/serialize/inline_container.cc``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Literal

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.imports import judge_imports
from inspector.checkpoints.model import ByteSource, Checkpoint, Finding, Storage
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.pickles import Pickle, interpret
from inspector.checkpoints.rebuild import Rebuilder
from inspector.checkpoints.sources import LocalFile
from inspector.checkpoints.walk import Walk
from inspector.checkpoints.zip_directory import (
    LOCAL_SIGNATURE,
    MemberSource,
    ZipDirectory,
    ZipMember,
)

#: Members beside data.pkl in which the file says something of itself.
_NOTES: Final = (
    "version",
    "byteorder",
    ".format_version",
    ".storage_alignment",
    ".data/serialization_id",
)
_MAX_NOTE: Final = 256

#: A deflated pickle may inflate to this, and to so many times its size: a pickle of tensors
#: deflates to a tenth.
_INFLATED: Final = 8 << 20
_MAX_RATIO: Final = 40

#: Names that several members have, in one finding, at most.
_MAX_NAMES: Final = 10


def sniff(head: bytes, source: ByteSource) -> bool:
    """Whether the file begins as a zip archive does."""
    return head.startswith(LOCAL_SIGNATURE)


def open_file(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    """List a torch zip file.

    Raises
    ------
    CheckpointError
        If it is no zip archive of torch's, or its pickle is damaged.
    """
    archive = _Archive(file, check)
    metadata = archive.notes()
    walk = Walk(check)
    main = archive.pickle("data.pkl")
    metadata["pickle protocol"] = str(archive.protocol)
    walk.run(main.value, archive.rebuilder("data"), nodes=main.opcodes, size=main.end)
    imports = judge_imports(main.globals, "data.pkl")
    is_script = archive.has("constants.pkl")
    if is_script:
        constants = archive.pickle("constants.pkl")
        walk.run(
            constants.value,
            archive.rebuilder("constants"),
            nodes=constants.opcodes,
            size=constants.end,
            path=("constants",),
        )
        imports += judge_imports(constants.globals, "constants.pkl")
    return Checkpoint(
        path=file.path,
        format="TorchScript" if is_script else "torch zip",
        size=file.size,
        entries=walk.entries,
        values=walk.values,
        metadata=metadata,
        findings=[*imports, *archive.findings, *walk.findings()],
        sources=(file,),
    )


class _Archive:
    """The members of the archive, by their names in torch's scheme."""

    def __init__(self, file: LocalFile, check: Callable[[], None]) -> None:
        self._file: Final = file
        self._check: Final = check
        self._directory: Final = ZipDirectory(file)
        self._root: Final = _find_root(self._directory.members)
        self._byteorder: Literal["little", "big"] = "little"
        #: Of the pickle that was read last.
        self.protocol = 0
        self.findings: Final[list[Finding]] = []
        self._note_duplicates()

    def has(self, name: str) -> bool:
        """Whether there is a member of this name below the root."""
        return self._root + name in self._directory.members

    def notes(self) -> dict[str, str]:
        """What the file says of itself."""
        found = {}
        for name in _NOTES:
            member = self._directory.members.get(self._root + name)
            if member is None:
                continue
            try:
                raw = self._source(member).read(0, min(member.size, _MAX_NOTE))
            except CheckpointError as error:
                self.findings.append(Finding("warning", error.message, member.name))
                continue
            text = display_text(raw.decode("utf-8", "replace").strip())
            found[name.rpartition("/")[2].removeprefix(".")] = text
        order = found.get("byteorder", "little")
        if order == "big":
            self._byteorder = "big"
        elif order != "little":
            message = f"The byte order {order} is not known; little-endian is assumed."
            self.findings.append(Finding("warning", message, "byteorder"))
        return found

    def pickle(self, name: str) -> Pickle:
        """Interpret a member."""
        member = self._directory.members[self._root + name]
        allowed = max(member.compressed, _INFLATED + _MAX_RATIO * member.compressed)
        if member.size > allowed:
            raise CheckpointError(
                f"{name} would inflate from {member.compressed:,} to {member.size:,} bytes, as "
                "only files do that are made to fill the memory.",
                where=member.name,
            )
        data = self._source(member).read(0, member.size)
        self._check()
        self.protocol = data[1] if data[:1] == b"\x80" and len(data) > 1 else 0
        pickle = interpret(data, name=name, check=self._check)
        if pickle.end < len(data):
            message = f"{len(data) - pickle.end:,} bytes follow its end and were not looked at."
            self.findings.append(Finding("warning", message, name))
        return pickle

    def rebuilder(self, folder: str) -> Rebuilder:
        """What makes tensors of the storages in a folder of the archive."""
        members, prefix = self._directory.members, f"{self._root}{folder}/"

        directory, order = self._directory, self._byteorder

        def find(key: str) -> Storage | str | None:
            member = members.get(prefix + key)
            if member is None:
                return None
            if member.problem:
                return member.problem
            return Storage(MemberSource(directory, member), 0, member.size, key, order)

        return Rebuilder(find)

    def _source(self, member: ZipMember) -> MemberSource:
        return MemberSource(self._directory, member)

    def _note_duplicates(self) -> None:
        names = self._directory.duplicates
        if names:
            shown = ", ".join(display_text(name, 100) for name in names[:_MAX_NAMES])
            self.findings.append(
                Finding(
                    "warning",
                    f"{len(names):,} members are there twice: {shown}. The last one is "
                    "shown; other programs may take the first.",
                )
            )


def _find_root(members: Mapping[str, ZipMember]) -> str:
    """The folder of data.pkl, with its slash.

    torch takes the folder of the first member. Archives that were packed again have it elsewhere.
    """
    first = next(iter(members), "")
    root = first.partition("/")[0] + "/"
    if root + "data.pkl" in members:
        return root
    found = [name for name in members if name == "data.pkl" or name.endswith("/data.pkl")]
    if found:
        return min(found, key=len).removesuffix("data.pkl")
    raise _other_zip(members)


def _other_zip(members: Mapping[str, ZipMember]) -> CheckpointError:
    """What a zip archive without data.pkl is, as far as its names tell."""
    names = list(members)[:10_000]
    for is_it, message, advice in (
        (not names, "is an empty zip archive", "There is nothing in it."),
        (
            any(name.endswith("archive_format") for name in names),
            "is a torch.export archive (.pt2), which this version does not read yet",
            "Save its weights by torch.save or safetensors.",
        ),
        (
            bool(names) and all(name.endswith(".npy") for name in names),
            "is a NumPy archive (.npz), which this version does not read yet",
            "",
        ),
        (
            "[Content_Types].xml" in members,
            "is an office document",
            "Choose a checkpoint instead.",
        ),
        (
            any(name.endswith("model.json") for name in names),
            "is TorchScript of torch 1.0, which this version does not read yet",
            "",
        ),
        (
            any(name.endswith(_CHECKPOINT_SUFFIXES) for name in names),
            "is a zip archive with checkpoints in it",
            "Unpack it, and open what comes out.",
        ),
    ):
        if is_it:
            return CheckpointError(f"The file {message}.", advice=advice)
    return CheckpointError(
        "The file is a zip archive, but no torch checkpoint: it has no data.pkl.",
        advice="Unpack it, and look for a checkpoint in it.",
    )


_CHECKPOINT_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".safetensors")
