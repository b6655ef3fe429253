"""torch's zip format: what ``torch.save`` writes since 1.6, and TorchScript.

``<root>/data.pkl`` describes the tensors, ``<root>/data/<key>`` holds the bytes of the storages.

Source: ``torch/serialization.py`` and ``caffe2/serialize/inline_container.cc``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.formats.torch_script import is_script, list_script, script_format
from inspector.checkpoints.model import ByteSource, Checkpoint
from inspector.checkpoints.sources import LocalFile
from inspector.checkpoints.torch_archive import TorchArchive, walk_pickle
from inspector.checkpoints.torch_recovery import MISSING, Recovery, recover, storage_claims
from inspector.checkpoints.walk import Walk
from inspector.checkpoints.zip_directory import (
    END_SIGNATURE,
    LOCAL_SIGNATURE,
    ZipDirectory,
    ZipMember,
    first_name,
)

#: What a zip archive that is none of torch's may hold.
_CHECKPOINT_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt", ".safetensors", ".npy")

#: Bytes at the end of a file in which the directory of an archive is looked for.
_TAIL = 1 << 16


def sniff(head: bytes, source: ByteSource) -> bool:
    """Whether the file begins as a zip archive does."""
    return head.startswith(LOCAL_SIGNATURE)


def sniff_first_member(head: bytes, source: ByteSource) -> bool:
    """Whether the file begins as `torch.save` writes it, with data.pkl below some folder."""
    return first_name(head).endswith("/data.pkl")


def sniff_behind_something(head: bytes, source: ByteSource) -> bool:
    """Whether the file ends as a zip archive does, with something else before the archive."""
    start = max(0, source.size - _TAIL)
    if END_SIGNATURE not in source.read(start, source.size - start):
        return False
    try:
        return ZipDirectory(source).before > 0
    except CheckpointError:
        return False


def open_file(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    """List a torch zip file.

    Raises
    ------
    CheckpointError
        If it is no zip archive of torch's, or its pickle is damaged.
    """
    lost: Recovery | None = None
    try:
        directory = ZipDirectory(file)
    except CheckpointError as error:
        lost = recover(file, check, error)
        lost.refuse_cut_pickle()
        directory = lost.directory
    archive = TorchArchive(
        directory,
        find_root(directory.members),
        check,
        missing=MISSING if lost else "",
    )
    metadata = archive.notes()
    walk = Walk(check)
    main = archive.pickle("data.pkl")
    metadata["pickle protocol"] = str(archive.protocol)
    rebuilder = archive.rebuilder("data")
    walk_pickle(walk, main, rebuilder)
    findings = walk.judge(main.globals, "data.pkl")
    script = is_script(archive)
    if script:
        findings += list_script(archive, walk, metadata)
    if lost is not None:
        claims = storage_claims(archive, rebuilder.claimed)
        findings.insert(0, lost.finding(claims, walk.entries))
    return Checkpoint(
        path=file.path,
        format=script_format(archive) if script else "torch zip",
        size=file.size,
        entries=walk.entries,
        values=walk.values,
        imports=walk.imports,
        metadata=metadata,
        findings=[*findings, *archive.findings, *walk.findings()],
        sources=(file,),
    )


def find_root(members: Mapping[str, ZipMember]) -> str:
    """The folder of data.pkl, with its slash, among the members by name.

    torch takes the folder of the first member. Archives that were packed again have it elsewhere.

    Raises
    ------
    CheckpointError
        If there is none; it says what the archive is instead.
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
            "[Content_Types].xml" in members,
            "is an office document",
            "Choose a checkpoint instead.",
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
