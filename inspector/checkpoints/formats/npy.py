"""NumPy's .npy: a magic, a version, a Python literal that describes the array, its bytes.

Source: NEP 1, "A Simple File Format for NumPy Arrays", and ``numpy/lib/format.py``.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from inspector.checkpoints.assembled import AssembledBytes, Piece
from inspector.checkpoints.binary import unpack
from inspector.checkpoints.describe import describe
from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.geometry import column_major, contiguous, integers, strided_problem
from inspector.checkpoints.literals import parse_literal
from inspector.checkpoints.model import (
    ByteSource,
    Checkpoint,
    Finding,
    Storage,
    TensorEntry,
    ValueEntry,
)
from inspector.checkpoints.naming import Names, display_text
from inspector.checkpoints.pickles import interpret
from inspector.checkpoints.rebuild import Rebuilder
from inspector.checkpoints.sources import LocalFile
from inspector.checkpoints.torch_types import NUMPY_DTYPES
from inspector.checkpoints.walk import Walk, tensor_problems

MAGIC: Final = b"\x93NUMPY"

_AGAIN = "The download or the copy did not finish. Get it again."

_LENGTH: Final = {1: struct.Struct("<H"), 2: struct.Struct("<I"), 3: struct.Struct("<I")}

#: Bytes of a header: one that describes a record of thousands of fields takes a tenth.
_MAX_HEADER = 1 << 20

_LIMIT = 1 << 63

#: Arrays one behind the other in a file, at most.
_MAX_ARRAYS = 100_000

#: Arrays between two calls of ``check``.
_ROUND = 256

#: Bytes of an array of texts that is shown as a value.
_MAX_TEXT = 4096

#: Byte order, kind, width, unit of time: ``<f4``, ``|S12``, ``<M8[ns]``.
_WORD: Final = re.compile(r"([<>|=]?)([A-Za-z?])([0-9]{0,9})(\[[^\]]{0,20}\])?")

#: What NumPy writes for the types of ml_dtypes. Of those only one is of kind f and one byte wide;
#: all others lose their names.
_NAMELESS: Final = {"V1": "bits8", "V2": "bits16"}
_NAMED: Final = {"f1": "float8_e5m2"}
_NAMELESS_NOTE = (
    "The file does not say what they mean; NumPy writes bfloat16, float8 and int4 of ml_dtypes so."
)

#: Why there are no numbers, by NumPy's kind.
_FOREIGN: Final = {
    "S": "Its elements are texts of bytes, not numbers",
    "U": "Its elements are texts, not numbers",
    "V": "Its elements are bytes whose meaning the file does not say",
    "M": "Its elements are dates, which torch has no dtype for",
    "m": "Its elements are spans of time, which torch has no dtype for",
}


@dataclass(frozen=True, slots=True)
class _Header:
    """What stands before an array's bytes.

    Attributes
    ----------
    word
        The dtype without its byte order: ``f4``, ``U3``; ``structured`` for records.
    kind
        The first letter of the word; empty for records.
    itemsize
        Bytes; None if the word does not say.
    start
        Offset of the array's bytes in the source.
    """

    version: str
    descr: object
    word: str
    kind: str
    itemsize: int | None
    byteorder: Literal["little", "big"]
    fortran: bool
    shape: tuple[int, ...] | None
    start: int

    @property
    def nbytes(self) -> int | None:
        """The bytes that the array should take; None if that can not be said."""
        if self.shape is None or self.itemsize is None or (self.shape and min(self.shape) < 0):
            return None
        return math.prod(self.shape) * self.itemsize


def sniff(head: bytes, source: ByteSource) -> bool:
    """Whether the file begins as .npy does."""
    return head.startswith(MAGIC)


def open_file(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    """List a .npy file: one array, or several that were saved one behind the other.

    Raises
    ------
    CheckpointError
        If the first header is damaged or cut short.
    """
    arrays = ArrayList(check)
    name = file.path.stem
    header = read_header(file, 0)
    end = arrays.add(header, file, name, max_pickle=file.size)
    for index in range(_MAX_ARRAYS):
        if end is None or end + len(MAGIC) > file.size or file.read(end, len(MAGIC)) != MAGIC:
            break
        if index % _ROUND == _ROUND - 1:
            check()
        try:
            following = read_header(file, end)
        except CheckpointError as error:
            arrays.findings.append(Finding("warning", error.message, f"byte {end}"))
            break
        end = arrays.add(following, file, name, max_pickle=file.size)
    if end is not None and end < file.size:
        message = f"{file.size - end:,} bytes follow and were not looked at."
        arrays.findings.append(Finding("warning", message, f"byte {end}"))
    return arrays.checkpoint(file, "NumPy array", _metadata(header))


def read_header(source: ByteSource, offset: int) -> _Header:
    """Read what describes the array at ``offset``.

    Raises
    ------
    CheckpointError
        If it is damaged, cut short, or of a version that is not known.
    """
    fixed = source.read(offset, min(12, source.size - offset))
    if not fixed.startswith(MAGIC):
        raise CheckpointError("It does not begin as a NumPy array does.", where=f"byte {offset}")
    if len(fixed) < 8:
        raise CheckpointError("It is cut short within its header.", advice=_AGAIN)
    major, minor = fixed[6], fixed[7]
    layout = _LENGTH.get(major)
    if layout is None or minor:
        raise CheckpointError(
            f"Version {major}.{minor} of NumPy's format is not known; 1.0, 2.0 and 3.0 are.",
            where=f"byte {offset + 6}",
        )
    (length,) = unpack(layout, fixed, 8, "The length of its header")
    begin = offset + 8 + layout.size
    if length > _MAX_HEADER:
        raise CheckpointError(
            f"Its header claims {length:,} bytes; more than {_MAX_HEADER:,} are not read.",
            where=f"byte {offset + 8}",
        )
    if begin + length > source.size:
        raise CheckpointError(
            f"It is cut short: its header alone should reach up to byte {begin + length:,}, and "
            f"there are {source.size:,}.",
            advice=_AGAIN,
        )
    text = source.read(begin, length).decode("utf-8" if major == 3 else "latin-1", "replace")
    literal = parse_literal(text, "The header")
    if type(literal) is not dict or not {"descr", "fortran_order", "shape"} <= literal.keys():
        raise CheckpointError(
            "The header does not say descr, fortran_order and shape.", where=f"byte {begin}"
        )
    descr = literal["descr"]
    order, word, kind, itemsize = _dtype(descr)
    return _Header(
        version=f"{major}.{minor}",
        descr=descr,
        word=word,
        kind=kind,
        itemsize=itemsize,
        byteorder="big" if order == ">" else "little",
        fortran=literal["fortran_order"] is True,
        shape=integers(literal["shape"]) if type(literal["shape"]) is tuple else None,
        start=begin + length,
    )


class ArrayList:
    """Collects the arrays of one file.

    Parameters
    ----------
    check
        Called now and then; may raise `Cancelled`.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self.findings: Final[list[Finding]] = []
        self._names: Final = Names()
        self._entries: Final[list[TensorEntry]] = []
        self._values: Final[list[ValueEntry]] = []
        self._check: Final = check
        self._walk: Final = Walk(check, self._names)
        #: The walk needs what it walked over to stay.
        self._roots: Final[list[object]] = []

    def add(self, header: _Header, source: ByteSource, name: str, *, max_pickle: int) -> int | None:
        """List an array.

        Parameters
        ----------
        max_pickle
            Bytes of a pickle that may be read.

        Returns
        -------
        int or None
            Where it ends in ``source``; None if that is not known.
        """
        if header.kind == "O":
            return self._add_objects(header, source, name, max_pickle)
        text = self._text(header, source)
        if text:
            unique = self._names.unique(name)
            self._values.append(ValueEntry(unique, (unique,), f"numpy.{header.word}", text))
        else:
            unique = self._names.unique(name)
            self._entries.append(_entry(header, source, unique))
        nbytes = header.nbytes
        return None if nbytes is None else header.start + nbytes

    def add_damaged(self, name: str, problem: str) -> None:
        """List an array of which nothing can be said."""
        name = self._names.unique(name)
        entry = TensorEntry(name, (name,), "?", (), (), None, problem=problem)
        self._entries.append(entry)

    def checkpoint(self, file: LocalFile, kind: str, metadata: dict[str, str]) -> Checkpoint:
        """All that was listed."""
        return Checkpoint(
            path=file.path,
            format=kind,
            size=file.size,
            entries=[*self._entries, *self._walk.entries],
            values=[*self._values, *self._walk.values],
            imports=self._walk.imports,
            metadata=metadata,
            findings=[*self.findings, *tensor_problems(self._entries), *self._walk.findings()],
            sources=(file,),
        )

    def _text(self, header: _Header, source: ByteSource) -> str:
        """The text or texts of a small array of such; empty if it is another one."""
        nbytes = header.nbytes
        if header.kind not in ("S", "U") or nbytes is None or not 0 < nbytes <= _MAX_TEXT:
            return ""
        if header.start + nbytes > source.size or not header.itemsize:
            return ""
        try:
            raw = source.read(header.start, nbytes)
        except CheckpointError:
            # The entry says it when it is read.
            return ""
        texts: list[object] = []
        for at in range(0, nbytes, header.itemsize):
            item = raw[at : at + header.itemsize]
            if header.kind == "S":
                texts.append(item.rstrip(b"\0"))
            else:
                encoding = "utf-32-be" if header.byteorder == "big" else "utf-32-le"
                texts.append(item.decode(encoding, "replace").rstrip("\0"))
        return describe(texts if header.shape else texts[0])

    def _add_objects(
        self, header: _Header, source: ByteSource, name: str, max_pickle: int
    ) -> int | None:
        """List what a pickle of Python objects holds, without running it."""
        size = source.size - header.start
        place = display_text(name)
        message = (
            "An array of Python objects is a pickle, which can run programs when NumPy loads it "
            "with allow_pickle=True. Here it was read and not run."
        )
        self.findings.append(Finding("note", message, place))
        if size > max_pickle:
            self.add_damaged(
                name,
                f"Its pickle would inflate to {size:,} bytes, as only files do that are made to "
                "fill the memory.",
            )
            return None
        try:
            data = source.read(header.start, size)
            self._check()
            pickle = interpret(data, name=f"The pickle of {place}", check=self._check)
        except CheckpointError as error:
            self.add_damaged(name, error.message)
            return None
        self._roots.append(pickle.value)
        run = Piece((0,), (size,), source, header.start)
        self._walk.run(
            pickle.value,
            Rebuilder(
                lambda key: None, pickle=AssembledBytes((size,), 1, [run], f"The pickle of {place}")
            ),
            nodes=pickle.opcodes,
            size=pickle.end,
            path=(name,),
        )
        self.findings.extend(self._walk.judge(pickle.globals, place))
        return header.start + pickle.end


def _dtype(descr: object) -> tuple[str, str, str, int | None]:
    """Byte order, word without it, kind, and bytes of an element."""
    if type(descr) is not str:
        return "", "structured", "", _record_size(descr)
    match = _WORD.fullmatch(descr)
    if match is None:
        return "", display_text(descr, 40), "", None
    order, kind, digits, unit = match.groups(default="")
    itemsize = int(digits) * (4 if kind == "U" else 1) if digits else None
    return order, kind + digits + unit, kind, itemsize


def _record_size(descr: object) -> int | None:
    """Bytes of a record: a list of names with dtypes and, perhaps, shapes. Nested no deeper than
    `parse_literal` allows."""
    if type(descr) is not list:
        return None
    total = 0
    for field in descr:
        if type(field) is not tuple or len(field) not in (2, 3):
            return None
        size = _dtype(field[1])[3]
        shape = integers(field[2]) if len(field) == 3 else ()
        if size is None or shape is None or (shape and min(shape) < 0):
            return None
        total += size * math.prod(shape)
        if total >= _LIMIT:
            return None
    return total


def _entry(header: _Header, source: ByteSource, name: str) -> TensorEntry:
    shape = header.shape or ()
    dtype = NUMPY_DTYPES.get(header.word) or _NAMED.get(header.word) or _NAMELESS.get(header.word)
    stride = column_major(shape) if header.fortran else contiguous(shape)
    available = max(0, source.size - header.start)
    details = {}
    if header.word in _NAMELESS:
        details["saved as"] = f"{header.word}: bytes without a meaning. {_NAMELESS_NOTE}"
    if header.shape is None:
        problem = "Its shape is no shape."
    elif header.nbytes is not None and header.nbytes > available:
        problem = (
            f"It is cut short: its shape needs {header.nbytes:,} bytes, of which the file has "
            f"{available:,}."
        )
    elif dtype is None:
        problem = _foreign(header)
    else:
        problem = strided_problem(shape, stride, 0, ITEMSIZE[dtype], available)
    return TensorEntry(
        name=name,
        path=(name,),
        dtype=dtype or header.word,
        shape=shape,
        stride=stride,
        storage=Storage(source, header.start, available, f"byte {header.start}", header.byteorder),
        details=details,
        problem=problem,
    )


def _foreign(header: _Header) -> str:
    """Why a dtype of NumPy's has no numbers here."""
    if header.word == "structured":
        return f"Its elements are records, not numbers: {describe(header.descr)}."
    reason = _FOREIGN.get(header.kind, "torch has no such dtype")
    return f"{reason} (NumPy's {header.word})."


def _metadata(header: _Header) -> dict[str, str]:
    return {
        "version": header.version,
        "dtype": describe(header.descr),
        "order": "Fortran" if header.fortran else "C",
    }
