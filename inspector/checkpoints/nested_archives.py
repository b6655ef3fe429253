"""torch's archives within the bytes of a pickle: what ``pickle.dump`` of a tensor makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from inspector.checkpoints.assembled import AssembledBytes, Piece
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.formats.torch_zip import find_root
from inspector.checkpoints.legacy_archive import LegacyArchive, Preamble
from inspector.checkpoints.model import ByteSource, Finding
from inspector.checkpoints.pickle_nodes import FarBytes, GlobalNode
from inspector.checkpoints.pickled import PickledBytes
from inspector.checkpoints.rebuild import Nested
from inspector.checkpoints.torch_archive import Budget, TorchArchive
from inspector.checkpoints.zip_directory import LOCAL_SIGNATURE, ZipDirectory

#: Findings about archives within a file, at most.
_MAX_FINDINGS: Final = 20


class NestedArchives:
    """Opens the archives within one file.

    Parameters
    ----------
    pickle
        What the pickles around them are read from.
    check
        Called now and then; may raise `Cancelled`.

    Attributes
    ----------
    findings
        What was noticed in them.
    """

    def __init__(self, pickle: ByteSource, check: Callable[[], None]) -> None:
        self._pickle: Final = pickle
        self._budget: Final = Budget(pickle.size)
        self._check: Final = check
        self._globals: Final[dict[tuple[str, str], GlobalNode]] = {}
        self._preamble: Preamble | None = None
        self.findings: Final[list[Finding]] = []

    @property
    def globals(self) -> list[GlobalNode]:
        """What they ask to import, once each."""
        return list(self._globals.values())

    def open(self, data: bytes | FarBytes) -> Nested:
        """Open the archive in some bytes of the pickle."""
        source: ByteSource
        if type(data) is FarBytes:
            piece = Piece((0,), (data.length,), data.source, data.offset)
            source = AssembledBytes((data.length,), 1, [piece], "An archive within the pickle")
        else:
            assert type(data) is bytes
            source = PickledBytes(data, self._pickle)
        try:
            if source.read(0, min(4, source.size)) == LOCAL_SIGNATURE:
                return self._zip(source)
            return self._legacy(source)
        except CheckpointError as error:
            message = f"An archive within the pickle can not be read. {error.message}"
            if len(self.findings) < _MAX_FINDINGS:
                self.findings.append(Finding("warning", message, error.where))
            return Nested(None, None, message)

    def _zip(self, source: ByteSource) -> Nested:
        directory = ZipDirectory(source)
        root = find_root(directory.members)
        archive = TorchArchive(directory, root, self._check, budget=self._budget)
        archive.notes()
        main = archive.pickle("data.pkl")
        self._note(main.globals, archive.findings)
        return Nested(main.value, archive.rebuilder("data"))

    def _legacy(self, source: ByteSource) -> Nested:
        archive = LegacyArchive(source, self._check, self._preamble)
        self._preamble = archive.preamble
        self._note(archive.globals, archive.findings)
        return Nested(archive.main.value, archive.rebuilder())

    def _note(self, asked_for: Sequence[GlobalNode], findings: list[Finding]) -> None:
        for node in asked_for:
            self._globals.setdefault((node.module, node.name), node)
        self.findings.extend(findings[: _MAX_FINDINGS - len(self.findings)])
