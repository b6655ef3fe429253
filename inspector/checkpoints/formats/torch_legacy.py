"""torch's legacy format: what ``torch.save`` wrote before 1.6, and still does if it is told to."""

from __future__ import annotations

from collections.abc import Callable

from inspector.checkpoints.legacy_archive import LegacyArchive, is_legacy
from inspector.checkpoints.model import ByteSource, Checkpoint, Finding
from inspector.checkpoints.sources import LocalFile
from inspector.checkpoints.walk import Walk


def sniff(head: bytes, source: ByteSource) -> bool:
    """Whether the file begins with the pickle of torch's magic number."""
    return is_legacy(head)


def open_file(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    """List a torch legacy file.

    Raises
    ------
    CheckpointError
        If its pickles are damaged or cut.
    """
    archive = LegacyArchive(file, check)
    main = archive.main
    walk = Walk(check)
    walk.run(main.value, archive.rebuilder(), nodes=main.opcodes, size=main.size)
    findings = walk.judge(archive.globals, "the pickles")
    if archive.missing:
        whole = sum(not entry.problem for entry in walk.entries)
        message = (
            f"The file is cut short: it has {file.size:,} bytes, and at least "
            f"{file.size + archive.missing:,} are expected. {whole:,} of {len(walk.entries):,} "
            "tensors can be read."
        )
        findings.insert(0, Finding("warning", message))
    return Checkpoint(
        path=file.path,
        format="torch legacy",
        size=file.size,
        entries=walk.entries,
        values=walk.values,
        imports=walk.imports,
        metadata={**archive.system, "pickle protocol": main.protocol_text},
        findings=[*findings, *archive.findings, *walk.findings()],
        sources=(file,),
    )
