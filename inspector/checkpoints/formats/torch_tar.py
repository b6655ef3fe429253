"""torch's tar format, from before 0.1.10: members for storages, tensors and the object.

Source: ``legacy_load`` in ``torch/serialization.py``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final

from inspector.checkpoints.binary import unpack
from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.geometry import MAX_DIMENSIONS
from inspector.checkpoints.legacy_archive import system_words
from inspector.checkpoints.model import ByteSource, Checkpoint, Finding, Storage
from inspector.checkpoints.pickle_nodes import GlobalNode, ObjectNode, PersistentNode
from inspector.checkpoints.pickle_opcodes import Hooks
from inspector.checkpoints.pickles import PickleEndsError, PickleStream
from inspector.checkpoints.rebuild import Rebuilder
from inspector.checkpoints.sources import LocalFile, SourceSlice
from inspector.checkpoints.torch_types import storage_dtype
from inspector.checkpoints.walk import Walk

_BLOCK: Final = 512
_NEEDED: Final = ("storages", "tensors", "pickle")
_NAMES: Final = frozenset({*_NEEDED, "sys_info"})

#: Headers that are looked at, at most: torch writes four.
_MAX_HEADERS: Final = 1000

_INT32: Final = struct.Struct("<i4x")
_INT64: Final = struct.Struct("<q")

#: What makes a tensor of a storage.
_REBUILD: Final = GlobalNode("torch._utils", "_rebuild_tensor", 0)


def sniff(head: bytes, source: ByteSource) -> bool:
    """Whether the file is a tar archive with torch's members."""
    if head[257:262] != b"ustar":
        return False
    try:
        members = dict(_members(source))
    except CheckpointError:
        return False
    return all(name in members for name in _NEEDED[:2])


def open_file(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    """List a torch tar file.

    Raises
    ------
    CheckpointError
        If its members are damaged or cut.
    """
    members = dict(_members(file))
    archive = _Archive(members, check)
    archive.read_storages()
    archive.read_tensors()
    metadata = archive.system()
    main = archive.stream("pickle").next("The member pickle", Hooks(reference=archive.reference))
    walk = Walk(check)
    walk.run(main.value, Rebuilder(archive.storages.get), nodes=main.opcodes, size=main.size)
    imports = [
        finding
        for name, stream in archive.asked_for
        for finding in walk.judge(stream.globals, name)
    ]
    metadata["pickle protocol"] = main.protocol_text
    return Checkpoint(
        path=file.path,
        format="torch tar",
        size=file.size,
        entries=walk.entries,
        values=walk.values,
        imports=walk.imports,
        metadata=metadata,
        findings=[*imports, *archive.findings, *walk.findings()],
        sources=(file,),
    )


class _Archive:
    """The storages and tensors, by the numbers that the pickle knows them by, as text."""

    def __init__(self, members: dict[str, SourceSlice], check: Callable[[], None]) -> None:
        self._members: Final = members
        self._check: Final = check
        self._kinds: Final[dict[str, tuple[object, object]]] = {}
        self._tensors: Final[dict[str, ObjectNode]] = {}
        self.storages: Final[dict[str, Storage | str]] = {}
        self.findings: Final[list[Finding]] = []
        #: What the pickles of each member ask to import.
        self.asked_for: Final[list[tuple[str, PickleStream]]] = []

    def stream(self, name: str) -> PickleStream:
        """The pickles of a member that has to be there."""
        stream = PickleStream(self.member(name), check=self._check)
        self.asked_for.append((name, stream))
        return stream

    def member(self, name: str) -> SourceSlice:
        """A member that has to be there."""
        found = self._members.get(name)
        if found is None:
            raise CheckpointError(f"The archive has no member {name}: it was cut short.")
        return found

    def system(self) -> dict[str, str]:
        """What the file says of the machine that wrote it."""
        if "sys_info" not in self._members:
            return {}
        try:
            return system_words(self.stream("sys_info").next().value)
        except CheckpointError as error:
            self.findings.append(Finding("warning", error.message, "sys_info"))
            return {}

    def read_storages(self) -> None:
        """Find the storages, and those that are views of others."""
        source, stream = self.member("storages"), self.stream("storages")
        try:
            for _ in range(_count(stream)):
                self._storage(stream, source)
            views = stream.next("The list of views").value
        except (PickleEndsError, EOFError):
            self.findings.append(Finding("warning", "The member is cut short.", "storages"))
            return
        for view in views if type(views) is list else []:
            self._view(view)

    def read_tensors(self) -> None:
        """Find how the tensors lie in their storages."""
        stream = self.stream("tensors")
        try:
            for _ in range(_count(stream)):
                self._tensor(stream)
        except (PickleEndsError, EOFError):
            self.findings.append(Finding("warning", "The member is cut short.", "tensors"))

    def reference(self, pid: object) -> object:
        """What stands for a persistent id: a class, a tensor or a storage."""
        if type(pid) is tuple and pid:
            return pid[0]
        key = _key(pid)
        if key in self._tensors:
            return self._tensors[key]
        return self._storage_node(key) if key in self._kinds else PersistentNode(pid)

    def _storage(self, stream: PickleStream, source: SourceSlice) -> None:
        fields = stream.next("The description of a storage").value
        if type(fields) is not tuple or len(fields) != 3:
            raise CheckpointError("A storage is not described as torch does.", where="storages")
        key, dtype = _key(fields[0]), storage_dtype(fields[2])
        (count,) = unpack(_INT64, stream.take(_INT64.size), 0, "The count of a storage")
        if not dtype or count < 0:
            raise CheckpointError("The kind or count of a storage is none.", where="storages")
        nbytes = count * ITEMSIZE[dtype]
        there = min(nbytes, stream.rest)
        self.storages[key] = Storage(source, stream.position, there, key)
        self._kinds[key] = (fields[2], fields[1])
        stream.skip(nbytes)

    def _view(self, view: object) -> None:
        if type(view) is not tuple or len(view) != 4:
            return
        key, root, offset, count = _key(view[0]), _key(view[1]), view[2], view[3]
        whole = self.storages.get(root)
        if not isinstance(whole, Storage) or type(offset) is not int or type(count) is not int:
            return
        itemsize = ITEMSIZE[storage_dtype(self._kinds[root][0])]
        start = min(max(0, offset) * itemsize, whole.nbytes)
        length = min(max(0, count) * itemsize, whole.nbytes - start)
        self.storages[key] = Storage(whole.source, whole.offset + start, length, key)
        self._kinds[key] = self._kinds[root]

    def _tensor(self, stream: PickleStream) -> None:
        fields = stream.next("The description of a tensor").value
        if type(fields) is not tuple or len(fields) != 3:
            raise CheckpointError("A tensor is not described as torch does.", where="tensors")
        (dimensions,) = unpack(_INT32, stream.take(_INT32.size), 0, "The dimensions of a tensor")
        if not 0 <= dimensions <= MAX_DIMENSIONS:
            raise CheckpointError("A tensor has an impossible number of dimensions.")
        numbers = struct.Struct(f"<{2 * dimensions + 1}q")
        shape_stride = unpack(numbers, stream.take(numbers.size), 0, "The shape of a tensor")
        node = self._storage_node(_key(fields[1]))
        shape, stride = shape_stride[:dimensions], shape_stride[dimensions:-1]
        self._tensors[_key(fields[0])] = ObjectNode(
            _REBUILD, (node, shape_stride[-1], shape, stride)
        )

    def _storage_node(self, key: str) -> PersistentNode:
        kind, location = self._kinds.get(key, (None, "cpu"))
        found = self.storages.get(key)
        itemsize = ITEMSIZE.get(storage_dtype(kind), 1)
        count = found.nbytes // itemsize if isinstance(found, Storage) else 0
        return PersistentNode(("storage", kind, key, location, count))


def _key(value: object) -> str:
    """The number of a storage or tensor, as text: what the file chose is not used for hashing."""
    if type(value) is int and value.bit_length() <= 64:
        return str(value)
    return value if type(value) is str else "?"


def _count(stream: PickleStream) -> int:
    count = stream.next("The number of members").value
    if type(count) is not int or count < 0:
        raise CheckpointError("The number of storages or tensors is none.")
    return count


def _members(source: ByteSource) -> Iterator[tuple[str, SourceSlice]]:
    """The plain members of a tar archive that torch writes. Links and all else are passed over."""
    offset = 0
    for _ in range(_MAX_HEADERS):
        if offset + _BLOCK > source.size:
            return
        header = source.read(offset, _BLOCK)
        size = _number(header[124:136])
        if not header.strip(b"\0") or size is None:
            return
        offset += _BLOCK
        name = header[:100].rstrip(b"\0").decode("latin1").removeprefix("./")
        if name in _NAMES and header[156:157] in (b"0", b"\0", b"7"):
            yield name, SourceSlice(source, offset, min(size, source.size - offset))
        offset += -(-size // _BLOCK) * _BLOCK


def _number(raw: bytes) -> int | None:
    """A number in a header: octal digits, or GNU's binary for large ones."""
    if raw[:1] == b"\x80":
        return int.from_bytes(raw[1:])
    digits = raw.strip(b"\0 ")
    if not digits.isdigit() or b"8" in digits or b"9" in digits:
        return None if digits else 0
    return int(digits, 8)
