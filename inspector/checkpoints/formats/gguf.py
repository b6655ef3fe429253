"""GGUF: a header of keys, values and tensor descriptions, then the tensors' bytes.

Source: ``docs/gguf.md`` of ggml-org/ggml. Versions 1 to 3; either byte order, which shows in the
version number alone.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.geometry import MAX_DIMENSIONS, contiguous, strided_problem
from inspector.checkpoints.ggml import (
    BLOCK_SIZES,
    BLOCK_TYPES,
    PLAIN_TYPES,
    REMOVED_TYPES,
    block_bytes,
)
from inspector.checkpoints.gguf_values import DamagedHeaderError, HeaderReader
from inspector.checkpoints.model import (
    ByteSource,
    Checkpoint,
    Finding,
    Storage,
    TensorEntry,
    ValueEntry,
)
from inspector.checkpoints.naming import Names, display_text
from inspector.checkpoints.sources import LocalFile
from inspector.checkpoints.walk import tensor_problems

_MAGIC: Final = b"GGUF"
_VERSION: Final = struct.Struct("<I")
_ALIGNMENT: Final = 32

#: Values and tensors that are listed, at most.
_MAX_VALUES: Final = 100_000
_MAX_TENSORS: Final = 1_000_000

#: Findings about names, and about tensors that share bytes, at most.
_MAX_FINDINGS: Final = 100

#: Values or tensors between two calls of ``check``.
_ROUND: Final = 2048


@dataclass(slots=True)
class _Header:
    """What the header holds, as far as it could be read."""

    values: list[ValueEntry] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    tensors: list[_Tensor] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    alignment: int = _ALIGNMENT
    #: Why the tensors' bytes can not be found; empty if they can.
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor's description; the shape in torch's order, the offset from the first tensor's."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


def sniff(head: bytes, source: ByteSource) -> bool:
    """Whether the file begins as a GGUF file does."""
    return head.startswith(_MAGIC)


def open_file(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    """List a GGUF file; what stands before a damaged place, where there is one.

    Raises
    ------
    CheckpointError
        If it ends within its first numbers, or is of a version that is not known.
    """
    version, byteorder = _version(file)
    reader = HeaderReader(file, 8, byteorder, version, check)
    header = _Header()
    tensors, values = reader.count(), reader.count()
    header.metadata |= {"version": str(version), "byte order": byteorder}
    try:
        _read_values(reader, header, values, check)
        _read_tensors(reader, header, tensors, check)
    except DamagedHeaderError as error:
        header.problem = "The file's header is damaged, so the tensor's bytes can not be found."
        header.findings.append(_damage(header, error, values, tensors))
    header.metadata["alignment"] = str(header.alignment)
    # Rounded up without trusting the alignment to be a power of two.
    start = -(-reader.position // max(1, header.alignment)) * max(1, header.alignment)
    entries = _entries(file, header, start, byteorder, check)
    return Checkpoint(
        path=file.path,
        format="GGUF",
        size=file.size,
        entries=entries,
        values=header.values,
        metadata=header.metadata,
        findings=[*header.findings, *tensor_problems(entries), *_runs(entries, header, start)],
        sources=(file,),
    )


def _version(file: LocalFile) -> tuple[int, Literal["little", "big"]]:
    if file.size < 24:
        raise CheckpointError(
            f"The file is cut short: it has {file.size:,} bytes, and a GGUF file at least 24.",
            advice="The download or the copy did not finish. Get it again.",
        )
    raw = file.read(4, 4)
    little, big = int.from_bytes(raw, "little"), int.from_bytes(raw, "big")
    if 1 <= little <= 3:
        return little, "little"
    if 1 <= big <= 3:
        return big, "big"
    raise CheckpointError(
        f"The file says that it is of version {min(little, big):,}; versions 1 to 3 are known.",
        where="byte 4",
        advice="It is damaged, or newer than this program.",
    )


def _read_values(
    reader: HeaderReader, header: _Header, count: int, check: Callable[[], None]
) -> None:
    names = Names()
    for index in range(count):
        if index % _ROUND == _ROUND - 1:
            check()
        if index == _MAX_VALUES:
            raise DamagedHeaderError(
                f"It claims {count:,} keys, of which only {_MAX_VALUES:,} are read.",
                where=f"byte {reader.position:,}",
            )
        key = reader.name("A key")
        word, text, number = reader.value(key)
        name = names.unique(key)
        _note_twice(header, key, name)
        header.values.append(ValueEntry(name, (name,), word, text))
        if key.startswith("general.") and not word.startswith("array"):
            header.metadata.setdefault(key, text)
        if key == "general.alignment":
            _take_alignment(header, word, number)


def _take_alignment(header: _Header, word: str, number: int | float | None) -> None:
    if word == "uint32" and type(number) is int and number > 0 and not number & (number - 1):
        header.alignment = number
    else:
        header.problem = (
            "The file's general.alignment is no power of two, so the tensor's bytes can not be "
            "found."
        )


def _read_tensors(
    reader: HeaderReader, header: _Header, count: int, check: Callable[[], None]
) -> None:
    names = Names()
    for index in range(count):
        if index % _ROUND == _ROUND - 1:
            check()
        if index == _MAX_TENSORS:
            raise DamagedHeaderError(
                f"It claims {count:,} tensors, of which only {_MAX_TENSORS:,} are listed.",
                where=f"byte {reader.position:,}",
            )
        begin = reader.position
        name = reader.name("A tensor")
        dimensions = reader.uint32()
        if dimensions > MAX_DIMENSIONS:
            raise DamagedHeaderError(
                f"The tensor {display_text(name, 100)} claims {dimensions:,} dimensions; more "
                f"than {MAX_DIMENSIONS} can not be.",
                where=f"byte {begin:,}",
            )
        lengths = [reader.count() for _ in range(dimensions)]
        kind, offset = reader.uint32(), reader.uint64()
        unique = names.unique(name)
        _note_twice(header, name, unique)
        header.tensors.append(_Tensor(unique, tuple(reversed(lengths)), kind, offset))


def _note_twice(header: _Header, name: str, unique: str) -> None:
    if name != unique and len(header.findings) < _MAX_FINDINGS:
        message = "This name is there twice; other programs refuse the file."
        header.findings.append(Finding("warning", message, display_text(name)))


def _damage(header: _Header, error: DamagedHeaderError, values: int, tensors: int) -> Finding:
    read = (
        f"{len(header.values):,} of {values:,} keys and {len(header.tensors):,} of {tensors:,} "
        "tensors could be read."
    )
    message = " ".join(part for part in (error.message, read, error.advice) if part)
    return Finding("warning", message, error.where)


def _entries(
    file: LocalFile,
    header: _Header,
    start: int,
    byteorder: Literal["little", "big"],
    check: Callable[[], None],
) -> list[TensorEntry]:
    entries = []
    for index, tensor in enumerate(header.tensors):
        if index % _ROUND == _ROUND - 1:
            check()
        entry = _entry(file, tensor, start + tensor.offset, byteorder)
        if header.problem:
            entry = replace(entry, storage=None, problem=header.problem)
        entries.append(entry)
    return entries


def _entry(
    file: LocalFile, tensor: _Tensor, begin: int, byteorder: Literal["little", "big"]
) -> TensorEntry:
    """A tensor whose bytes begin at ``begin`` in the file."""
    dtype = PLAIN_TYPES.get(tensor.kind) or BLOCK_TYPES.get(tensor.kind) or ""
    is_block = tensor.kind in BLOCK_TYPES
    shape, problem, storage = tensor.shape, "", None
    if not dtype:
        dtype = REMOVED_TYPES.get(tensor.kind, f"ggml type {tensor.kind}")
        problem = (
            f"Its type {dtype} is one that ggml gave up; its values can not be read."
            if tensor.kind in REMOVED_TYPES
            else f"Its type has the number {tensor.kind}, which is not known."
        )
    if shape and max(shape) >= 1 << 63:
        shape, problem = (), "Its shape is no shape."
    stride = contiguous(shape)
    if not problem:
        problem = strided_problem(shape, stride, 0, 0, 0) or _row_problem(dtype, shape)
    if not problem:
        numel = math.prod(shape)
        # A 0 for the bytes of a block is impossible: the type is known here.
        wanted = (block_bytes(dtype, numel) or 0) if is_block else numel * ITEMSIZE[dtype]
        there = max(0, min(begin + wanted, file.size) - min(begin, file.size))
        if there < wanted:
            problem = (
                f"The file is cut short: it should reach up to byte {begin + wanted:,}, and the "
                f"file has {file.size:,}."
            )
        key = f"bytes {begin:,} to {begin + there:,}"
        storage = Storage(file, min(begin, file.size), there, key, byteorder)
    return TensorEntry(
        name=tensor.name,
        path=(tensor.name,),
        dtype=dtype,
        shape=shape,
        stride=stride,
        storage=storage,
        kind="quantized" if is_block else "dense",
        problem=problem,
    )


def _row_problem(dtype: str, shape: tuple[int, ...]) -> str:
    count = BLOCK_SIZES.get(dtype, (1, 0))[0]
    row = shape[-1] if shape else 1
    if row % count == 0:
        return ""
    return f"Its rows of {row:,} numbers are not made of whole blocks of {count}."


def _runs(entries: list[TensorEntry], header: _Header, start: int) -> list[Finding]:
    """Tensors that share bytes, or do not begin where the alignment says."""
    runs = sorted(
        (
            (entry.storage.offset, entry.storage.nbytes, entry.name)
            for entry in entries
            if entry.storage is not None and entry.storage.nbytes and not entry.problem
        ),
    )
    findings = []
    end, before = start, ""
    for offset, nbytes, name in runs:
        if offset < end:
            message = f"It shares bytes with {display_text(before, 100)}."
            findings.append(Finding("warning", message, display_text(name)))
        elif (offset - start) % header.alignment:
            message = f"It does not begin at a multiple of {header.alignment} bytes."
            findings.append(Finding("warning", message, display_text(name)))
        if offset + nbytes > end:
            end, before = offset + nbytes, name
    if len(findings) > _MAX_FINDINGS:
        rest = len(findings) - _MAX_FINDINGS
        findings[_MAX_FINDINGS:] = [Finding("warning", f"So it is with {rest:,} more tensors.")]
    return findings
