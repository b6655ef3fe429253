"""torch's first format, a tar archive: what ``torch.save`` wrote before 0.1.10.

Member ``storages`` has the numbers, ``tensors`` has shapes and strides, and ``pickle`` refers to
both by number.

Source: ``legacy_load`` in ``torch/serialization.py``; POSIX.1-1988 for ``ustar``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from inspector.checkpoints.binary import unpack
from inspector.checkpoints.describe import describe
from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.geometry import MAX_DIMENSIONS
from inspector.checkpoints.legacy_archive import describe_machine
from inspector.checkpoints.model import ByteSource, Checkpoint, Finding, Storage
from inspector.checkpoints.pickle_nodes import GlobalNode, ObjectNode, PersistentNode
from inspector.checkpoints.pickle_opcodes import Hooks
from inspector.checkpoints.pickles import Pickle, PickleStream
from inspector.checkpoints.rebuild import Rebuilder
from inspector.checkpoints.sources import FileWindow, LocalFile
from inspector.checkpoints.torch_types import storage_dtype
from inspector.checkpoints.walk import Walk

_BLOCK: Final = 512
_MAX_MEMBERS: Final = 10_000

#: What an archive of torch's has.
_PARTS: Final = ("storages", "tensors", "pickle")

_REBUILD: Final = GlobalNode("torch._utils", "_rebuild_tensor", 0)


def sniff(head: bytes, source: ByteSource) -> bool:
    """Whether the file is a tar archive with torch's members."""
    if head[257:262] != b"ustar":
        return False
    try:
        return all(part in _members(source) for part in _PARTS)
    except CheckpointError:
        return False


def open_file(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    """List a torch tar file.

    Raises
    ------
    CheckpointError
        If one of its members is damaged.
    """
    members = _members(file)
    reader = _Reader(file, members, check)
    machine = reader.machine()
    reader.read_storages()
    reader.read_tensors()
    pickle = reader.part("pickle")
    stream = PickleStream(pickle, check=check)
    main = stream.next("The pickle", Hooks(reference=reader.reference))
    walk = Walk(check)
    walk.run(main.value, Rebuilder(reader.find, pickle=pickle), nodes=main.opcodes, size=main.size)
    findings = walk.judge([*main.globals, *reader.globals.values()], "the pickle")
    if main.oddity:
        findings.append(Finding("warning", main.oddity, "pickle"))
    return Checkpoint(
        path=file.path,
        format="torch tar",
        size=file.size,
        entries=walk.entries,
        values=walk.values,
        imports=walk.imports,
        metadata={**machine, "pickle protocol": main.protocol_text},
        findings=[*findings, *reader.findings, *walk.findings()],
        sources=(file,),
    )


def _members(source: ByteSource) -> dict[str, tuple[int, int]]:
    """Offset and bytes of the regular files in a tar archive, by name without leading ``./``."""
    found: dict[str, tuple[int, int]] = {}
    at = 0
    for _ in range(_MAX_MEMBERS):
        if at + _BLOCK > source.size:
            break
        header = source.read(at, _BLOCK)
        name = header[:100].partition(b"\0")[0].decode("utf-8", "replace").removeprefix("./")
        digits = header[124:136].strip(b"\0 ")
        if not name or header[257:262] != b"ustar":
            break
        if not digits or digits.strip(b"01234567"):
            raise CheckpointError(f"The size of {name[:40]!r} is none.", where=f"byte {at}")
        size = int(digits, 8)
        start = at + _BLOCK
        if header[156:157] in (b"0", b"\0"):
            found.setdefault(name, (start, min(size, source.size - start)))
        at = start + -(-size // _BLOCK) * _BLOCK
    return found


class _Reader:
    """The members that the pickle refers to.

    Attributes
    ----------
    globals
        What their pickles ask to import, by name.
    findings
        What was noticed.
    """

    def __init__(
        self, file: LocalFile, members: dict[str, tuple[int, int]], check: Callable[[], None]
    ) -> None:
        self._file: Final = file
        self._members: Final = members
        self._check: Final = check
        self._storages: Final[dict[str, Storage]] = {}
        #: What stands for a storage in a tensor, and for a tensor or storage in the pickle.
        self._references: Final[dict[str, PersistentNode]] = {}
        self._tensors: Final[dict[str, ObjectNode]] = {}
        self.globals: Final[dict[str, GlobalNode]] = {}
        self.findings: Final[list[Finding]] = []

    def part(self, name: str) -> FileWindow:
        """One of the members."""
        offset, size = self._members[name]
        return FileWindow(self._file, offset, size)

    def find(self, key: str) -> Storage | None:
        """A storage by its key."""
        return self._storages.get(key)

    def reference(self, pid: object) -> object:
        """What a persistent id stands for: a tensor, a storage, or the class in a tuple."""
        if type(pid) is tuple and pid:
            return pid[0]
        key = _key(pid)
        return self._tensors.get(key) or self._references.get(key) or PersistentNode(pid)

    def machine(self) -> dict[str, str]:
        """``sys_info``: what the file says of the machine that wrote it."""
        if "sys_info" not in self._members:
            return {}
        try:
            stream = PickleStream(self.part("sys_info"), check=self._check)
            return describe_machine(self._next(stream).value)
        except CheckpointError as error:
            self.findings.append(Finding("warning", error.message, "sys_info"))
            return {}

    def read_storages(self) -> None:
        """``storages``: a count; for each a pickle, the number of elements, and they themselves."""
        part = self.part("storages")
        base = self._members["storages"][0]
        stream = PickleStream(part, check=self._check)
        for _ in range(_count(stream)):
            given = self._next(stream).value
            if type(given) is not tuple or len(given) < 3:
                raise CheckpointError("A storage is not described as torch does.")
            key, device, kind = _key(given[0]), given[1], given[2]
            itemsize = ITEMSIZE.get(storage_dtype(kind), 0)
            if not itemsize:
                raise CheckpointError(f"The kind of a storage is not known: {describe(kind)}.")
            numel = int.from_bytes(_taken(stream, 8), "little")
            start, nbytes = base + stream.position, numel * itemsize
            there = min(nbytes, stream.rest)
            self._storages[key] = Storage(self._file, start, there, key)
            self._references[key] = PersistentNode(("storage", kind, key, device, numel))
            if there < nbytes:
                self.findings.append(
                    Finding(
                        "warning",
                        f"The file is cut short: storage {key} should have {nbytes:,} bytes, and "
                        f"has {there:,}.",
                    )
                )
                return
            stream.skip(nbytes)
        if stream.rest:
            self._read_views(self._next(stream).value)

    def _read_views(self, views: object) -> None:
        """The storages that are parts of others: key, key of the whole, offset, length."""
        for view in views if type(views) is list else []:
            if type(view) is not tuple or len(view) < 4:
                continue
            whole = self._storages.get(_key(view[1]))
            reference = self._references.get(_key(view[1]))
            offset, numel = view[2], view[3]
            if whole is None or reference is None or type(offset) is not int or offset < 0:
                continue
            pid = reference.pid
            assert type(pid) is tuple
            key, itemsize = _key(view[0]), ITEMSIZE[storage_dtype(pid[1])]
            start = min(offset * itemsize, whole.nbytes)
            nbytes = max(0, numel) * itemsize if type(numel) is int else 0
            self._storages[key] = Storage(
                self._file, whole.offset + start, min(nbytes, whole.nbytes - start), key
            )
            self._references[key] = PersistentNode(("storage", pid[1], key, pid[3], numel))

    def read_tensors(self) -> None:
        """``tensors``: a count; for each a pickle, then its dimensions, shape, stride, offset."""
        stream = PickleStream(self.part("tensors"), check=self._check)
        for _ in range(_count(stream)):
            given = self._next(stream).value
            if type(given) is not tuple or len(given) < 2:
                raise CheckpointError("A tensor is not described as torch does.")
            # The count of dimensions takes 8 bytes, of which torch wrote 4.
            dimensions = int.from_bytes(_taken(stream, 8)[:4], "little", signed=True)
            if not 0 <= dimensions <= MAX_DIMENSIONS:
                raise CheckpointError(f"A tensor is said to have {dimensions:,} dimensions.")
            layout = struct.Struct(f"<{dimensions}q")
            shape = unpack(layout, _taken(stream, layout.size), 0, "A shape")
            stride = unpack(layout, _taken(stream, layout.size), 0, "A stride")
            offset = int.from_bytes(_taken(stream, 8), "little", signed=True)
            storage = self._references.get(_key(given[1]))
            self._tensors[_key(given[0])] = ObjectNode(_REBUILD, (storage, offset, shape, stride))

    def _next(self, stream: PickleStream) -> Pickle:
        pickle = stream.next("A description")
        for node in pickle.globals:
            self.globals.setdefault(node.qualified, node)
        return pickle


def _taken(stream: PickleStream, length: int) -> bytes:
    if length > stream.rest:
        raise CheckpointError("The archive is cut short, or damaged.", where="tensors")
    return stream.take(length)


def _count(stream: PickleStream) -> int:
    count = stream.next("The number of what follows").value
    # Each takes some bytes, so that a lie ends with the member.
    if type(count) is not int or not 0 <= count <= stream.rest:
        raise CheckpointError(f"It is said to hold {describe(count)} tensors or storages.")
    return count


def _key(number: object) -> str:
    """The number of a tensor or storage: the address that it had, as a number or a text."""
    return describe(number)
