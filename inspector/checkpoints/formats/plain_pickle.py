"""Plain pickles of any protocol, several in one file, and joblib's dumps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.joblib_arrays import JoblibArrays
from inspector.checkpoints.model import ByteSource, Checkpoint, Finding
from inspector.checkpoints.nested_archives import NestedArchives
from inspector.checkpoints.pickle_opcodes import Hooks
from inspector.checkpoints.pickles import Pickle, PickleEndsError, PickleStream
from inspector.checkpoints.rebuild import Rebuilder
from inspector.checkpoints.sources import LocalFile, MemoryBytes
from inspector.checkpoints.walk import Walk

#: What a pickle of protocol 0 or 1 may begin with, which have no mark of their own.
_BEGINNINGS: Final = b"(]})cILFSVNKJMGXUT"

#: Pickles in one file, at most.
_MAX_PICKLES: Final = 100_000


def sniff(head: bytes, source: ByteSource) -> bool:
    """Whether the file is a pickle: by its mark, or by making sense as one."""
    return is_pickle(head, whole=source.size <= len(head))


def is_pickle(head: bytes, *, whole: bool) -> bool:
    """Whether bytes are the beginning of a pickle, or ``whole`` ones."""
    if head[:1] == b"\x80":
        return head[1:2] in (b"\2", b"\3", b"\4", b"\5")
    if not head or head[0] not in _BEGINNINGS:
        return False
    stream = PickleStream(MemoryBytes(head))
    hooks = Hooks(built=JoblibArrays().built)
    try:
        while stream.rest:
            stream.next(hooks=hooks)
    except PickleEndsError:
        # So far it made sense, up to the end of what is looked at.
        return not whole
    except CheckpointError:
        return False
    return True


def open_file(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    """List a file of one or several pickles.

    Raises
    ------
    CheckpointError
        If it is damaged, and nothing can be listed.
    """
    return list_pickles(file, file, {}, [], check, file.size)


class _BombError(CheckpointError):
    """What is interpreted is much more than the file is worth."""


@dataclass(slots=True)
class _Pickles:
    """The pickles of a file, one after the other."""

    found: list[Pickle] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    joblib: JoblibArrays = field(default_factory=JoblibArrays)

    def read(self, source: ByteSource, check: Callable[[], None], most: int) -> None:
        """Interpret them, up to the first that is none; ``most`` bytes of them.

        Raises
        ------
        CheckpointError
            If the first is none, or they have more bytes.
        """

        def check_bytes() -> None:
            check()
            if stream.interpreted > most:
                raise _BombError(
                    f"It decompresses to more than {most:,} bytes beside numbers and texts, as "
                    "only files do that are made to fill the memory.",
                    advice="Decompress it yourself if you trust it.",
                )

        stream = PickleStream(source, check=check_bytes)
        hooks = Hooks(built=self.joblib.built)
        while stream.rest and len(self.found) < _MAX_PICKLES:
            start, rest = stream.position, stream.rest
            try:
                check_bytes()
                self.found.append(stream.next("The pickle", hooks))
            except _BombError:
                raise
            except CheckpointError as error:
                self._failed(stream, error, start, rest)
                return
        for oddity in {pickle.oddity for pickle in self.found} - {""}:
            self._warn(oddity)
        if stream.rest:
            self._warn(f"{stream.rest:,} bytes with more pickles were not looked at.")

    def _failed(self, stream: PickleStream, error: CheckpointError, start: int, rest: int) -> None:
        is_cut = isinstance(error, PickleEndsError) and stream.starts_marked(start)
        left = stream.salvage() if is_cut or not self.found else None
        if left is None and not self.found:
            raise error
        if left is None:
            self._warn(f"{rest:,} bytes follow its end and were not looked at.")
            return
        self.found.append(left)
        self._warn(f"{error.message} What comes before is listed.", error.where)

    def _warn(self, message: str, where: str = "") -> None:
        self.findings.append(Finding("warning", message, where))


def list_pickles(
    file: LocalFile,
    source: ByteSource,
    metadata: dict[str, str],
    findings: list[Finding],
    check: Callable[[], None],
    most: int,
) -> Checkpoint:
    """List the pickles in a source.

    Parameters
    ----------
    file
        Where ``source`` has its bytes from.
    metadata, findings
        What is known so far.
    most
        Bytes that may be interpreted: a value of one byte takes some sixty in memory.

    Raises
    ------
    CheckpointError
        If the first pickle is damaged, and nothing can be listed.
    """
    pickles = _Pickles()
    pickles.read(source, check, most)
    found = pickles.found
    nested = NestedArchives(source, check)
    walk = Walk(check)
    walk.run(
        found[0].value if len(found) == 1 else [pickle.value for pickle in found],
        Rebuilder(lambda key: None, nested.open, source),
        nodes=sum(pickle.opcodes for pickle in found),
        size=sum(pickle.size for pickle in found),
    )
    asked_for = {
        (node.module, node.name): node
        for group in (*(pickle.globals for pickle in found), pickles.joblib.globals, nested.globals)
        for node in group
    }
    protocols = sorted({pickle.protocol_text for pickle in found})
    metadata["pickle protocol"] = ", ".join(protocols)
    if len(found) > 1:
        metadata["pickles"] = f"{len(found):,}"
    return Checkpoint(
        path=file.path,
        format=_format(pickles, metadata),
        size=file.size,
        entries=walk.entries,
        values=walk.values,
        imports=walk.imports,
        metadata=metadata,
        findings=[
            *walk.judge(list(asked_for.values()), "the pickle"),
            *findings,
            *pickles.findings,
            *nested.findings,
            *walk.findings(),
        ],
        sources=(source, file) if source is not file else (file,),
    )


def _format(pickles: _Pickles, metadata: dict[str, str]) -> str:
    name = "joblib" if pickles.joblib.count else "pickle"
    return f"{name}, compressed" if "compression" in metadata else name
