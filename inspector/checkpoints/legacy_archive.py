"""An archive in torch's legacy scheme: pickles, and behind them the bytes of the storages.

A file of torch before 1.6 is one; a tensor in an ordinary pickle lies within bytes that are one.

Source: ``torch/serialization.py`` (``_legacy_save``, ``_legacy_load``) and
``torch/csrc/serialization.cpp``: counts and numbers are little-endian on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from inspector.checkpoints.describe import describe
from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.model import ByteSource, Finding, Storage
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.pickle_nodes import DictNode, GlobalNode, PersistentNode
from inspector.checkpoints.pickle_opcodes import Hooks
from inspector.checkpoints.pickles import PickleEndsError, PickleStream, interpret
from inspector.checkpoints.rebuild import Rebuilder
from inspector.checkpoints.torch_types import storage_dtype

MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001

#: Bytes that the pickle of the magic number takes, at most.
_MAGIC_BYTES: Final = 64

#: Bytes of the first three pickles; torch writes some 120.
_LONGEST_PREAMBLE: Final = 1024

#: Bytes of the count before a storage.
_COUNT: Final = 8

#: Elements that a storage can claim: no count in the file can be higher.
_MOST: Final = (1 << 63) - 1

#: Findings about single storages, at most.
_MAX_FINDINGS: Final = 20


def is_legacy(head: bytes) -> bool:
    """Whether bytes begin with the pickle of torch's magic number, in any protocol."""
    if head[:1] not in (b"\x80", b"L"):
        return False
    try:
        value = interpret(head[:_MAGIC_BYTES]).value
    except CheckpointError:
        return False
    return type(value) is int and value == MAGIC


@dataclass(frozen=True, slots=True)
class _Claim:
    """What the pickle says of a storage: bytes of an element, and of all of them."""

    itemsize: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Preamble:
    """What all archives of one writer begin with: three pickles that tell of the format.

    Attributes
    ----------
    raw
        Their bytes; empty if they are longer than any that torch writes.
    """

    raw: bytes
    system: dict[str, str]
    findings: tuple[Finding, ...]
    globals: tuple[GlobalNode, ...]


class LegacyArchive:
    """The pickles of an archive, and where its storages are.

    Parameters
    ----------
    source
        Begins with the archive.
    check
        Called now and then; may raise `Cancelled`.
    known
        The beginning of another archive. This one has mostly the same, which then need not be
        interpreted again: a file may hold an archive for each tensor.

    Attributes
    ----------
    preamble
        Its beginning.
    main
        The pickle of what was saved.
    globals
        What all of its pickles ask to import.
    missing
        Bytes that the file should have beyond its end, at least.
    findings
        What was noticed.

    Raises
    ------
    CheckpointError
        If it is no such archive, or its pickles are damaged or cut.
    """

    def __init__(
        self, source: ByteSource, check: Callable[[], None], known: Preamble | None = None
    ) -> None:
        self._source: Final = source
        self._check: Final = check
        self._claims: Final[dict[str, _Claim]] = {}
        self._views: Final[dict[str, tuple[str, int, int]]] = {}
        self._storages: Final[dict[str, Storage]] = {}
        self._byteorder: Literal["little", "big"] = "little"
        #: Why the storages that were not found are not there.
        self._lost = ""
        self.missing = 0
        if known is not None and _begins_with(source, known.raw):
            stream = PickleStream(source, len(known.raw), check=check)
            self.preamble = known
        else:
            stream = PickleStream(source, check=check)
            self.preamble = _read_preamble(source, stream)
        self.findings: Final[list[Finding]] = list(self.preamble.findings)
        self.main: Final = stream.next("The pickle", Hooks(reference=self._reference))
        if self.main.oddity:
            self._warn(self.main.oddity)
        self._find_storages(stream)
        self.globals: Final = tuple(dict.fromkeys((*self.preamble.globals, *stream.globals)))

    @property
    def system(self) -> dict[str, str]:
        """What the file says of the machine that wrote it, text by name."""
        return self.preamble.system

    def rebuilder(self) -> Rebuilder:
        """What makes tensors of the storages."""
        return Rebuilder(self.storage, pickle=self._source)

    def _reference(self, pid: object) -> object:
        """What stands for a persistent id: a class for a module, a node for a storage."""
        if type(pid) is not tuple or len(pid) < 2:
            return PersistentNode(pid)
        if pid[0] == "module" and type(pid[0]) is str:
            return pid[1]
        if len(pid) < 5 or type(pid[2]) is not str or type(pid[4]) is not int:
            return PersistentNode(pid)
        kind, key, count = pid[1], pid[2], pid[4]
        # Like torch, by the first reference: others may see the same bytes as another dtype.
        itemsize = ITEMSIZE.get(storage_dtype(kind), 1)
        if key not in self._claims:
            self._claims[key] = _Claim(itemsize, min(max(0, count), _MOST) * itemsize)
        view = pid[5] if len(pid) > 5 else None
        if type(view) is not tuple or len(view) < 3:
            return PersistentNode(pid)
        offset, length = view[1], view[2]
        if type(offset) is not int or type(length) is not int or offset < 0 or length < 0:
            return PersistentNode(pid)
        name = f"{key}[{describe(offset)}:{describe(offset + length)}]"
        self._views[name] = (key, offset * itemsize, length * itemsize)
        return PersistentNode((pid[0], kind, name, pid[3], length))

    def storage(self, key: str) -> Storage | str | None:
        """A storage by its key; or why it can't be read, as the end of a sentence; or None."""
        found = self._storages.get(key)
        if found is not None:
            return found
        if key not in self._views:
            return self._lost or None
        root, offset, length = self._views[key]
        whole = self._storages.get(root)
        if whole is None:
            return self._lost or None
        # Between 0 and what is there: a view is cut where its storage is.
        start = min(offset, whole.nbytes)
        length = min(length, whole.nbytes - start)
        view = Storage(whole.source, whole.offset + start, length, key, whole.byteorder)
        self._storages[key] = view
        return view

    def _find_storages(self, stream: PickleStream) -> None:
        """Go from count to count, over the bytes of the storages."""
        try:
            keys = stream.next("The list of storages").value
        except PickleEndsError:
            self._lost = "lies behind the end of the file"
            self.missing = sum(_COUNT + claim.nbytes for claim in self._claims.values())
            return
        if type(keys) is not list or not all(type(key) is str for key in keys):
            raise CheckpointError("The list of its storages is none.")
        offset = stream.position
        order = list(dict.fromkeys(keys))
        for position, key in enumerate(order):
            if position % 1024 == 0:
                self._check()
            claim = self._claims.get(key)
            if claim is None:
                self._lost = f"lies behind storage {display_text(key, 40)}, of unknown length"
                self._warn(f"Storage {display_text(key, 40)} belongs to no tensor.")
                return
            offset = self._place(key, claim, offset)
        if offset > self._source.size:
            self._lost = "lies behind the end of the file"
            self.missing = offset - self._source.size
        elif offset < self._source.size:
            self._warn(f"{self._source.size - offset:,} bytes follow the last storage.")

    def _place(self, key: str, claim: _Claim, offset: int) -> int:
        """Take down where a storage is, and return where it should end."""
        size = self._source.size
        start = offset + _COUNT
        nbytes = claim.nbytes
        if start <= size:
            nbytes = self._length(key, claim, self._source.read(offset, _COUNT), size - start)
            there = min(nbytes, size - start)
            self._storages[key] = Storage(self._source, start, there, key, self._byteorder)
        return start + nbytes

    def _length(self, key: str, claim: _Claim, raw: bytes, rest: int) -> int:
        """The bytes of a storage, by its count in the file and by the pickle."""
        counted = int.from_bytes(raw, self._byteorder, signed=True) * claim.itemsize
        if counted == claim.nbytes:
            return counted
        other: Literal["little", "big"] = "big" if self._byteorder == "little" else "little"
        swapped = int.from_bytes(raw, other, signed=True) * claim.itemsize
        if swapped == claim.nbytes and not self._storages:
            # torch never writes this; other writers of the format may.
            self._byteorder = other
            self._warn("Its numbers are big-endian, other than torch writes them.")
            return swapped
        trusted = counted if 0 <= counted <= rest else claim.nbytes
        if len(self.findings) < _MAX_FINDINGS:
            self._warn(
                f"Storage {display_text(key, 40)} has {describe(counted)} bytes by its own count, "
                f"and {describe(claim.nbytes)} by the pickle; {describe(trusted)} are taken."
            )
        return trusted

    def _warn(self, message: str) -> None:
        self.findings.append(Finding("warning", message))


def _begins_with(source: ByteSource, raw: bytes) -> bool:
    return bool(raw) and source.size >= len(raw) and source.read(0, len(raw)) == raw


def _read_preamble(source: ByteSource, stream: PickleStream) -> Preamble:
    """Interpret the first three pickles. Raises as `LegacyArchive` does."""
    magic = stream.next("The magic number").value
    protocol = stream.next("The protocol number").value
    if type(magic) is not int or magic != MAGIC:
        raise CheckpointError("It is no torch file: its magic number is another one.")
    findings = []
    if type(protocol) is not int or protocol != _PROTOCOL:
        message = f"The format's version is {describe(protocol)} instead of {_PROTOCOL}."
        findings.append(Finding("warning", message))
    system = describe_machine(stream.next("The description of the machine").value)
    length = stream.position if stream.position <= _LONGEST_PREAMBLE else 0
    return Preamble(source.read(0, length), system, tuple(findings), stream.globals)


def describe_machine(node: object) -> dict[str, str]:
    """The description of the machine that wrote the file, for people."""
    if type(node) is not DictNode:
        return {}
    found = {}
    for key, value in node.pairs[:16]:
        if key == "little_endian" and type(key) is str:
            found["byte order of the machine"] = "little" if value is True else "big"
        elif key == "type_sizes" and type(key) is str and type(value) is DictNode:
            sizes = [f"{describe(name)} {describe(size)}" for name, size in value.pairs[:8]]
            found["sizes of C types"] = ", ".join(sizes)
        elif type(key) is str:
            found[display_text(key, 40).replace("_", " ")] = describe(value)
    return found
