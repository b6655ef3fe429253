"""Nodes to tensor entries: storages, and the strided tensors that lie in them.

Source: ``torch/_utils.py`` and ``torch/_tensor.py`` of torch 0.4 to 2.13. Every number here comes
from the file; a tensor that does not make sense becomes an entry with a problem, never an error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from inspector.checkpoints.describe import describe, integer_text
from inspector.checkpoints.dtypes import ITEMSIZE, PACKED
from inspector.checkpoints.geometry import integers, packed_problem, strided_problem
from inspector.checkpoints.model import NO_DETAILS, ByteSource, PathPart, Storage, TensorEntry
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.pickle_nodes import (
    FarBytes,
    GlobalNode,
    ObjectNode,
    PersistentNode,
    encoded_text,
    latin1,
)
from inspector.checkpoints.torch_types import is_untyped, storage_dtype, view_bits

#: Tensors in tensors (a parameter of a subclass of a ...), at most.
MAX_NESTING: Final = 16

#: Storages that are remembered as too short, at most.
_MAX_MISMATCHED: Final = 100

#: What is said where there is nothing better to say.
DAMAGED: Final = "Its description in the file is damaged."
_NO_REFERENCE = "Its storage is not described as torch does."

Path = tuple[PathPart, ...]
Args = tuple[object, ...]

#: Finds a storage by its key in the file. A text says why it can't be read, as the end of a
#: sentence about it; None says that it is not there.
FindStorage = Callable[[str], Storage | str | None]

#: Opens the archive that lies in the bytes which ``torch.storage._load_from_bytes`` is given.
OpenNested = Callable[[bytes | FarBytes], "Nested"]

#: A storage, the dtype of its elements, the device that it was on, why it can't be read.
_Reference = tuple[Storage | None, str, str, str]


@dataclass(frozen=True, slots=True)
class Nested:
    """What lies in an archive within a pickle.

    Attributes
    ----------
    value
        The root of its nodes.
    rebuilder
        Makes its tensors.
    problem
        Why it can not be read, as a sentence; empty if it can.
    """

    value: object
    rebuilder: Rebuilder | None
    problem: str = ""


class Rebuilder:
    """Makes entries of nodes.

    Parameters
    ----------
    find
        Finds a storage by its key.
    open_nested
        Opens archives within the pickle; without it, they are objects like any other.
    pickle
        What the nodes' pickle was read from, where it begins; None if nobody needs to know.

    Attributes
    ----------
    pickle
        As it was given.
    mismatched
        Keys of the storages that have fewer bytes than the pickle claims.
    """

    def __init__(
        self,
        find: FindStorage,
        open_nested: OpenNested | None = None,
        pickle: ByteSource | None = None,
    ) -> None:
        self.pickle: Final = pickle
        self._find: Final = find
        self._open_nested: Final = open_nested
        self._nested: Final[dict[int, Nested]] = {}
        self._dtypes: Final[dict[int, str]] = {}
        #: Each storage by its key, why it can't be read, and its bytes by the pickle's own word.
        self._storages: Final[dict[str, tuple[Storage | None, str, int]]] = {}
        self.mismatched: Final[dict[str, str]] = {}

    @property
    def claimed(self) -> dict[str, int]:
        """Bytes that each storage has by the pickle's own word, by its key."""
        return {key: claimed for key, (_, _, claimed) in self._storages.items()}

    def tensor(
        self, build: Builder, node: ObjectNode, name: str, path: Path, depth: int = 0
    ) -> TensorEntry:
        """The entry for a node, by what `rebuild_kinds.builder` found for it."""
        try:
            if type(node.args) is not tuple or depth > MAX_NESTING:
                raise DamagedError(DAMAGED)
            return build(self, node.args, name, path, depth)
        except DamagedError as error:
            return TensorEntry(name, path, "?", (), (), None, problem=str(error))

    def nested(self, node: object) -> Nested | None:
        """What an archive within the pickle holds; None if the node is none."""
        if (
            self._open_nested is None
            or type(node) is not ObjectNode
            or type(node.callee) is not GlobalNode
            or node.callee.qualified != "torch.storage._load_from_bytes"
            or type(node.args) is not tuple
            or len(node.args) != 1
        ):
            return None
        data = node.args[0]
        if type(data) is ObjectNode:
            # Protocols without bytes
            text = encoded_text(data)
            data = None if text is None else latin1(text)
        if type(data) is not bytes and type(data) is not FarBytes:
            return None
        number = id(node)
        if number not in self._nested:
            self._nested[number] = self._open_nested(data)
        return self._nested[number]

    def bare_storage(self, node: PersistentNode, name: str, path: Path) -> TensorEntry:
        """A storage that was saved by itself, as a tensor of one dimension."""
        try:
            storage, dtype, device, problem = self._reference(node)
        except DamagedError as error:
            return TensorEntry(name, path, "?", (), (), None, problem=str(error))
        count = storage.nbytes // ITEMSIZE[dtype] if storage is not None else 0
        count *= PACKED.get(dtype, 1)
        return TensorEntry(
            name=name,
            path=path,
            dtype=dtype,
            shape=(count,),
            stride=(1,),
            storage=storage,
            device=device,
            details={"saved as": "storage"},
            problem=problem,
        )

    def _reference(self, node: object) -> _Reference:
        """What ``("storage", class, key, location, count)`` refers to."""
        if type(node) is not PersistentNode:
            return self._nested_reference(node)
        pid = node.pid
        if type(pid) is not tuple or len(pid) < 5 or type(pid[2]) is not str:
            raise DamagedError(_NO_REFERENCE)
        kind, key, device, count = pid[1], pid[2], pid[3], pid[4]
        # By identity: a class is one node, and there are few; nothing of the file is hashed.
        dtype = self._dtypes.get(id(kind))
        if not dtype:
            dtype = self._dtypes[id(kind)] = storage_dtype(kind)
        if not dtype:
            raise DamagedError(f"The kind of its storage is not known: {describe(kind)}.")
        known = self._storages.get(key)
        if known is None:
            known = self._storages[key] = self._storage(key, kind, dtype, count)
        storage, problem, _ = known
        return storage, dtype, device if type(device) is str else "?", problem

    def _nested_reference(self, node: object) -> _Reference:
        """The same for a storage that is in a pickle or archive of its own."""
        nested = self.nested(node)
        if nested is None:
            raise DamagedError(_NO_REFERENCE)
        if nested.rebuilder is None:
            raise DamagedError(nested.problem)
        return nested.rebuilder._reference(nested.value)

    def _storage(
        self, key: str, kind: object, dtype: str, count: object
    ) -> tuple[Storage | None, str, int]:
        claimed = count if type(count) is int else -1
        claimed *= 1 if is_untyped(kind) else ITEMSIZE[dtype]
        found = self._find(key)
        if found is None:
            return None, "The file has no storage for it.", claimed
        if isinstance(found, str):
            return None, f"Its storage {display_text(key, 100)} {found}.", claimed
        if claimed > found.nbytes and len(self.mismatched) < _MAX_MISMATCHED:
            whole = integer_text(claimed, ",")
            self.mismatched[key] = f"it has {found.nbytes:,} of {whole} bytes"
        return found, "", claimed

    def strided(
        self,
        args: Args,
        name: str,
        path: Path,
        depth: int,
        dtype: str = "",
        meta_at: int = 6,
    ) -> TensorEntry:
        """The tensor that all of torch's strided formats describe alike: a `Builder`."""
        if len(args) < 4:
            raise DamagedError(DAMAGED)
        storage, own_dtype, device, problem = self._reference(args[0])
        dtype = dtype or own_dtype
        offset, shape, stride = args[1], integers(args[2]), integers(args[3])
        if shape is None or stride is None or type(offset) is not int:
            raise DamagedError("Its shape, stride or offset is none.")
        if offset >= 1 << 63:
            raise DamagedError("Its offset is impossible.")
        if storage is not None:
            nbytes, per_byte = storage.nbytes, PACKED.get(dtype)
            problem = (
                packed_problem(shape, stride, offset, per_byte, nbytes)
                if per_byte
                else strided_problem(shape, stride, offset, ITEMSIZE[dtype], nbytes)
            )
        conj = neg = False
        if len(args) > meta_at:
            conj, neg = view_bits(args[meta_at])
        return TensorEntry(
            name,
            path,
            dtype,
            shape,
            stride,
            storage,
            offset,
            device if len(device) < 40 else display_text(device, 40),
            "dense",
            len(args) > 4 and args[4] is True,
            conj,
            neg,
            (),
            NO_DETAILS,
            problem,
        )


class DamagedError(Exception):
    """A tensor that is not described as torch does; its text is for the user."""


Builder = Callable[[Rebuilder, Args, str, Path, int], TensorEntry]
