"""The nouns of the lowest floor: what a file holds, without its data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, Protocol

from inspector.checkpoints.dtypes import ITEMSIZE, PACKED
from inspector.checkpoints.ggml import block_bytes

#: What kind of tensor an entry is. ``dense`` is a strided run of numbers in one storage.
Kind = Literal[
    "dense",
    "sparse_coo",
    "sparse_csr",
    "sparse_csc",
    "sparse_bsr",
    "sparse_bsc",
    "quantized",
    "nested",
    "meta",
    "subclass",
]

#: The dtype of a tensor that the file does not describe.
UNKNOWN: Final = "?"

#: The details of a tensor of which there is nothing further to say.
NO_DETAILS: Final[Mapping[str, str]] = MappingProxyType({})

Severity = Literal["note", "warning", "danger"]

#: A step on the way from the root of a file to a value in it: a dictionary key or attribute name
#: (str), or an integer key or list position (int).
PathPart = str | int


def _setters(cls: type) -> tuple[Callable[[object, object], None], ...]:
    """What sets the fields of a new instance of a frozen, slotted dataclass, by their order.

    The ``__init__`` of such a class calls ``object.__setattr__`` for each field, which takes
    more than twice as long. There are as many entries and storages as there are tensors.
    """
    return tuple(getattr(cls, each.name).__set__ for each in fields(cls))


class ByteSource(Protocol):
    """Reads bytes at an offset. Safe to call from several threads at once."""

    @property
    def size(self) -> int:
        """Bytes that can be read."""

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``offset`` on.

        Raises
        ------
        CheckpointError
            If the range is not inside the source, or the file changed or became unreadable.
        """

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill the writable ``buffer`` (format ``B``) from ``offset`` on. Raises as `read` does."""

    def close(self) -> None:
        """Give back the file. Later reads raise `CheckpointError`."""


@dataclass(frozen=True, slots=True, eq=False, init=False)
class Storage:
    """A run of bytes in a source; several entries may share one (compared by identity).

    Attributes
    ----------
    nbytes
        The bytes that are really there, never a claim of the file.
    key
        What the file calls it, for display.
    origin
        How its bytes are had, if not from a file, in words: ``read from memory``.
    """

    source: ByteSource
    offset: int
    nbytes: int
    key: str
    byteorder: Literal["little", "big"]
    origin: str

    # By hand, since it is quicker: see `_setters`.
    def __init__(
        self,
        source: ByteSource,
        offset: int,
        nbytes: int,
        key: str,
        byteorder: Literal["little", "big"] = "little",
        origin: str = "",
    ) -> None:
        set_source, set_offset, set_nbytes, set_key, set_byteorder, set_origin = _SET_STORAGE
        set_source(self, source)
        set_offset(self, offset)
        set_nbytes(self, nbytes)
        set_key(self, key)
        set_byteorder(self, byteorder)
        set_origin(self, origin)


_SET_STORAGE: Final = _setters(Storage)


@dataclass(frozen=True, slots=True)
class Quantizer:
    """How the integers of a quantized tensor stand for numbers: ``(integer - zero point) * scale``.

    Attributes
    ----------
    scale, zero_point
        Those of all elements; without a meaning where there is an axis.
    axis
        The axis along which the components ``scales`` and ``zero_points`` have a number for each
        index; None if all elements have the same.
    """

    scale: float = 1.0
    zero_point: int = 0
    axis: int | None = None


@dataclass(frozen=True, slots=True, eq=False, init=False)
class TensorEntry:
    """One tensor by name, without its data.

    Attributes
    ----------
    name
        Unique in its checkpoint: keys joined by dots, integers as ``[0]``; the key itself in a
        flat state dict.
    path
        The same as separate steps; the tree is built from it.
    dtype
        torch's name without ``torch.``, or the file's own word for a type that torch lacks, or
        `UNKNOWN`.
    stride, storage_offset
        In elements.
    storage
        None where the file has no data for it (meta tensors, kinds made of `components`, damage).
    device
        The device that it was saved from: ``cpu``, ``cuda:1`` ...
    components
        The dense tensors that a sparse, nested or wrapped tensor is made of. Their names begin
        with this entry's; they are not listed on their own in `Checkpoint.entries`.
    details
        Further facts in words, such as a quantizer's scale: name to text.
    problem
        Why its values cannot be read, as a sentence; empty if they can.
    quantizer
        Of kind ``quantized``, how torch stores it; None otherwise, or if the file does not say.
    """

    name: str
    path: tuple[PathPart, ...]
    dtype: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    storage: Storage | None
    storage_offset: int
    device: str
    kind: Kind
    requires_grad: bool
    is_conj: bool
    is_neg: bool
    components: tuple[TensorEntry, ...]
    details: Mapping[str, str]
    problem: str
    quantizer: Quantizer | None

    # By hand, since it is quicker: see `_setters`.
    def __init__(
        self,
        name: str,
        path: tuple[PathPart, ...],
        dtype: str,
        shape: tuple[int, ...],
        stride: tuple[int, ...],
        storage: Storage | None,
        storage_offset: int = 0,
        device: str = "cpu",
        kind: Kind = "dense",
        requires_grad: bool = False,
        is_conj: bool = False,
        is_neg: bool = False,
        components: tuple[TensorEntry, ...] = (),
        details: Mapping[str, str] = NO_DETAILS,
        problem: str = "",
        quantizer: Quantizer | None = None,
    ) -> None:
        (
            set_name,
            set_path,
            set_dtype,
            set_shape,
            set_stride,
            set_storage,
            set_storage_offset,
            set_device,
            set_kind,
            set_requires_grad,
            set_is_conj,
            set_is_neg,
            set_components,
            set_details,
            set_problem,
            set_quantizer,
        ) = _SET_ENTRY
        set_name(self, name)
        set_path(self, path)
        set_dtype(self, dtype)
        set_shape(self, shape)
        set_stride(self, stride)
        set_storage(self, storage)
        set_storage_offset(self, storage_offset)
        set_device(self, device)
        set_kind(self, kind)
        set_requires_grad(self, requires_grad)
        set_is_conj(self, is_conj)
        set_is_neg(self, is_neg)
        set_components(self, components)
        set_details(self, details)
        set_problem(self, problem)
        set_quantizer(self, quantizer)

    @property
    def numel(self) -> int:
        """Elements: the product of the shape, 1 for a 0-d tensor, 0 where it is not known."""
        return math.prod(self.shape) if self.is_described else 0

    @property
    def is_described(self) -> bool:
        """Whether its shape and dtype are known; else it is but a name, with a problem."""
        return self.dtype != UNKNOWN or bool(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of one element; 0 if the dtype is not one of torch's (ggml's blocks hold many)."""
        return ITEMSIZE.get(self.dtype, 0)

    @property
    def nbytes(self) -> int:
        """Bytes of the elements, however few of them are stored.

        `numel` times `itemsize`, or the bytes that numbers are packed in, or ggml's blocks.
        """
        if self.components:
            return sum(component.nbytes for component in self.components)
        if self.itemsize:
            return -(-self.numel * self.itemsize // PACKED.get(self.dtype, 1))
        return block_bytes(self.dtype, self.numel) or 0


_SET_ENTRY: Final = _setters(TensorEntry)


@dataclass(frozen=True, slots=True, eq=False)
class ValueEntry:
    """A plain value beside the tensors: an epoch, a learning rate, a version string.

    Attributes
    ----------
    type_name
        ``int``, ``str``, ``numpy.float64``, a class that the file names ...
    text
        The value, safe to show and of bounded length.
    """

    name: str
    path: tuple[PathPart, ...]
    type_name: str
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the reader noticed and the user should know.

    Attributes
    ----------
    severity
        ``note``: ordinary. ``warning``: part of the file is not as it should be. ``danger``: the
        file asks for something that only harm would need.
    where
        A member, an offset or an entry's name; may be empty.
    """

    severity: Severity
    message: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Import:
    """A class or function that a pickle asks for. It was not imported.

    Attributes
    ----------
    name
        ``module.name``, as the file has it.
    judgement
        ``ordinary``: what tensors and plain values are made of. Else as in `Finding.severity`.
    where
        The pickle that asks for it; empty if there is but one.
    """

    name: str
    judgement: Literal["ordinary", "note", "warning", "danger"]
    where: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """An opened file or folder: its format, its entries, what it says of itself, what was noticed.

    Attributes
    ----------
    path
        What was opened.
    format
        In words: ``torch zip``, ``safetensors``.
    size
        Bytes of all its files.
    metadata
        What the file says of itself, text by name.
    imports
        All that its pickles ask to import, the surprising first. Nothing of it was imported.
    sources
        What has to be closed.
    files
        All files that it was read from, or would be if they were there. Without a word on them,
        it is `path` alone.
    """

    path: Path
    format: str
    size: int
    entries: Sequence[TensorEntry]
    values: Sequence[ValueEntry] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    imports: Sequence[Import] = ()
    sources: Sequence[ByteSource] = ()
    files: Sequence[Path] = ()

    def __post_init__(self) -> None:
        if not self.files:
            object.__setattr__(self, "files", (self.path,))

    def find(self, name: str) -> TensorEntry | None:
        """The entry, or the component of an entry or of its components, of this name."""
        return _named(self.entries, name)

    def close(self) -> None:
        """Give back the files. Entries keep their description; reading them raises."""
        for source in self.sources:
            source.close()


def _named(entries: Sequence[TensorEntry], name: str) -> TensorEntry | None:
    for entry in entries:
        if entry.name == name:
            return entry
        if entry.components and (found := _named(entry.components, name)) is not None:
            return found
    return None
