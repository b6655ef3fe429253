"""Plain pickles: what ``pickle.dump`` and ``joblib.dump`` write, with tensors and arrays in them.

A tensor's storage is in the pickle as the bytes of an archive in torch's legacy format. joblib
interrupts the pickle by the bytes of each array, right behind the object that stands for it.

Sources: ``torch/storage.py`` (``__reduce__``), ``joblib/numpy_pickle.py`` (``NumpyArrayWrapper``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from inspector.checkpoints.assembled import AssembledBytes, Piece
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.geometry import integers
from inspector.checkpoints.legacy_archive import LegacyArchive
from inspector.checkpoints.model import ByteSource, Checkpoint, Finding, Storage
from inspector.checkpoints.numpy_values import NumpyReader
from inspector.checkpoints.pickle_nodes import (
    DictNode,
    FarBytes,
    GlobalNode,
    ObjectNode,
    PersistentNode,
)
from inspector.checkpoints.pickle_opcodes import Hooks, Machine
from inspector.checkpoints.pickles import (
    Pickle,
    PickleEndsError,
    PickleStream,
    interpret,
    interpret_within,
)
from inspector.checkpoints.rebuild import Rebuilder
from inspector.checkpoints.sources import LocalFile, MemoryBytes
from inspector.checkpoints.torch_types import numpy_itemsize
from inspector.checkpoints.walk import Walk

#: What stands in a joblib file before the bytes of an array.
_WRAPPER: Final = "joblib.numpy_pickle.NumpyArrayWrapper"

#: Pickles in one file, and findings about single storages, at most.
_MAX_PICKLES: Final = 10_000
_MAX_FINDINGS: Final = 20

#: What pickles of the protocols without a mark begin with: a mark, a global, an empty collection,
#: a text or number that is all there is.
_OLD: Final = frozenset(b"(c]})IFLSVNKMJGUTX")


def sniff(head: bytes, source: ByteSource) -> bool:
    """Whether the file begins with a pickle: by its mark, or by making sense as one."""
    if head[:1] == b"\x80":
        return head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    if head[:1] not in [bytes((code,)) for code in _OLD]:
        return False
    try:
        # Protocols 0 and 1 have no mark. A text is hardly ever a pickle by chance.
        interpret(head)
    except PickleEndsError:
        return source.size > len(head) and b"\n" in head
    except CheckpointError:
        return False
    return True


def open_file(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    """List a plain pickle, or several that follow each other.

    Raises
    ------
    CheckpointError
        If the first one is damaged or cut.
    """
    stream = PickleStream(file, check=check)
    arrays = _JoblibArrays()
    hooks = Hooks(built=arrays.take)
    pickles = [stream.next("The pickle", hooks)]
    findings: list[Finding] = []
    while stream.rest and len(pickles) < _MAX_PICKLES:
        position = stream.position
        try:
            pickles.append(stream.next(f"Pickle {len(pickles)}", hooks))
        except CheckpointError:
            rest = file.size - position
            message = f"{rest:,} bytes follow its end that are no pickle, and were not looked at."
            findings.append(Finding("warning", message, f"byte {position}"))
            break
    walk, nested = Walk(check), _NestedStorages(check)
    for number, pickle in enumerate(pickles):
        findings += walk.judge(pickle.globals, _place(number, pickles))
        walk.run(
            pickle.value,
            Rebuilder(nested.find, nested.reference),
            nodes=pickle.opcodes,
            size=pickle.size,
            path=(number,) if len(pickles) > 1 else (),
        )
    findings += walk.judge(tuple(nested.globals.values()), "a storage in the pickle")
    return Checkpoint(
        path=file.path,
        format="joblib" if arrays.count else "pickle",
        size=file.size,
        entries=walk.entries,
        values=walk.values,
        imports=walk.imports,
        metadata={"pickle protocol": str(pickles[0].protocol)},
        findings=[*findings, *nested.findings, *walk.findings()],
        sources=(file,),
    )


def _place(number: int, pickles: list[Pickle]) -> str:
    return f"pickle {number}" if len(pickles) > 1 else "the pickle"


class _JoblibArrays:
    """Puts the bytes behind the objects that stand for arrays into these objects."""

    def __init__(self) -> None:
        self.count = 0

    def take(self, node: ObjectNode, machine: Machine) -> None:
        """Make a NumPy array of a wrapper, as NumPy itself pickles it, and jump over its bytes."""
        if type(node.callee) is not GlobalNode or node.callee.qualified != _WRAPPER:
            return
        self.count += 1
        state = node.states[-1]
        given = {
            key: value
            for key, value in (state.pairs if type(state) is DictNode else [])
            if type(key) is str
        }
        shape, dtype = integers(given.get("shape")), given.get("dtype")
        if shape is None or min(shape, default=0) < 0:
            raise ValueError
        itemsize = numpy_itemsize(dtype)
        data: object
        if itemsize is None:
            data = interpret_within(machine, "The pickle of an array of objects").value
            if type(data) is ObjectNode:
                # It is an array itself, pickled as NumPy does.
                node.callee, node.args = data.callee, data.args
                node.contents.states[:] = data.states
                return
        else:
            if type(given.get("numpy_array_alignment_bytes")) is int:
                machine.skip(machine.number(1))
            data = machine.take_far(math.prod(shape) * itemsize)
        node.callee = GlobalNode("numpy._core.multiarray", "_reconstruct", node.callee.offset)
        node.contents.states[:] = [(1, shape, dtype, given.get("order") == "F", data)]


class _NestedStorages:
    """The storages that are in the pickle as archives of their own.

    Attributes
    ----------
    globals
        What their pickles ask to import, by name.
    findings
        What was noticed in them.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self._check: Final = check
        self._storages: Final[dict[str, Storage | str]] = {}
        self._bytes: Final = NumpyReader()
        #: By the identity of the bytes, which many tensors may refer to.
        self._known: Final[dict[int, PersistentNode | None]] = {}
        self.globals: Final[dict[str, GlobalNode]] = {}
        self.findings: Final[list[Finding]] = []

    def find(self, key: str) -> Storage | str | None:
        """A storage, by the key that `reference` gave it."""
        return self._storages.get(key)

    def reference(self, args: object) -> PersistentNode | None:
        """What refers to the storage in some bytes; see `rebuild.FindNested`."""
        given = args[0] if type(args) is tuple and args else None
        if id(given) not in self._known:
            self._known[id(given)] = None
            content = self._bytes.content(given)
            try:
                if content is not None:
                    self._known[id(given)] = self._read(content)
            except CheckpointError as error:
                if len(self.findings) < _MAX_FINDINGS:
                    message = f"A storage can not be read. {error.message}"
                    self.findings.append(Finding("warning", message, error.where))
        return self._known[id(given)]

    def _read(self, content: bytes | FarBytes) -> PersistentNode | None:
        archive = LegacyArchive(_source(content), self._check)
        for node in archive.globals:
            self.globals.setdefault(node.qualified, node)
        found = archive.main.value
        pid = found.pid if type(found) is PersistentNode else None
        if type(pid) is not tuple or len(pid) < 5 or type(pid[2]) is not str:
            return None
        key = f"{len(self._known)}.{pid[2]}"
        storage = archive.storage(pid[2])
        if storage is not None:
            self._storages[key] = storage
        return PersistentNode((pid[0], pid[1], key, pid[3], pid[4]))


def _source(content: bytes | FarBytes) -> ByteSource:
    if type(content) is bytes:
        return MemoryBytes(content)
    assert type(content) is FarBytes
    piece = Piece((0,), (content.length,), content.source, content.offset)
    return AssembledBytes((content.length,), 1, [piece], "A storage in the pickle")
