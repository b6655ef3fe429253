"""safetensors: the length of a JSON header, the header, the tensors' bytes.

Source: the specification in the README of huggingface/safetensors.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Final

from inspector.checkpoints.binary import unpack
from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.geometry import contiguous, integers, strided_problem
from inspector.checkpoints.model import ByteSource, Checkpoint, Finding, Storage, TensorEntry
from inspector.checkpoints.naming import Names, display_text
from inspector.checkpoints.sources import LocalFile

#: The reference reader refuses longer headers.
MAX_HEADER = 100_000_000

_LENGTH = struct.Struct("<Q")

#: torch's dtype by the file's word.
DTYPES: Final = {
    "BOOL": "bool",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
    "F4": "float4_e2m1fn_x2",
}

#: Findings about single tensors, at most.
_MAX_FINDINGS = 100

#: Tensors between two calls of ``check``.
_ROUND = 4096


def sniff(head: bytes, source: ByteSource) -> bool:
    """Whether the file begins as a safetensors file does."""
    if len(head) < 9 or head[8:9] != b"{":
        return False
    length: int = _LENGTH.unpack_from(head)[0]
    return length <= max(MAX_HEADER, source.size)


def open_file(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    """List a safetensors file.

    Raises
    ------
    CheckpointError
        If its header is damaged or reaches beyond the file.
    """
    header, start = _read_header(file)
    check()
    metadata, findings = _metadata(header.pop("__metadata__", None))
    entries = []
    names = Names()
    for index, (name, record) in enumerate(header.items()):
        if index % _ROUND == _ROUND - 1:
            check()
        entries.append(_entry(file, start, names.unique(name), record))
    findings += _problems(entries)
    findings += _gaps(entries, start, file.size)
    return Checkpoint(
        path=file.path,
        format="safetensors",
        size=file.size,
        entries=entries,
        metadata=metadata,
        findings=findings,
        sources=(file,),
    )


def _read_header(file: LocalFile) -> tuple[dict[str, object], int]:
    """The header, and the offset of the first tensor's bytes."""
    (length,) = unpack(_LENGTH, file.read(0, min(8, file.size)), 0, "The header's length")
    if length > MAX_HEADER:
        raise CheckpointError(
            f"The header claims {length:,} bytes; more than {MAX_HEADER:,} are not allowed.",
            where="byte 0",
            advice="It is no safetensors file, or it is damaged.",
        )
    if 8 + length > file.size:
        raise CheckpointError(
            f"The file is cut short: its header alone takes {8 + length:,} bytes, and the file has "
            f"{file.size:,}.",
            advice="The download or the copy did not finish. Get it again.",
        )
    try:
        header = json.loads(file.read(8, length), parse_int=_bounded_int)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"The header is not the JSON that it should be: {display_text(str(error))}.",
            where=f"bytes 8 to {8 + length:,}",
            advice="The file is damaged; get it again.",
        ) from error
    if type(header) is not dict:
        raise CheckpointError("The header is no JSON object.", where="byte 8")
    return header, 8 + length


def _bounded_int(digits: str) -> int:
    # No offset or length needs more; Python refuses, or takes quadratic time, for much longer.
    return int(digits) if len(digits) <= 30 else -1


def _metadata(claimed: object) -> tuple[dict[str, str], list[Finding]]:
    if claimed is None:
        return {}, []
    if type(claimed) is not dict:
        return {}, [Finding("warning", "Its metadata are not text by name.", "__metadata__")]
    text = {name: value for name, value in claimed.items() if type(value) is str}
    if len(text) == len(claimed):
        return text, []
    return text, [Finding("warning", "Some of its metadata are not text.", "__metadata__")]


def _entry(file: LocalFile, start: int, name: str, record: object) -> TensorEntry:
    if type(record) is not dict:
        return _damaged(name, "Its description is no JSON object.")
    word, offsets = record.get("dtype"), integers(record.get("data_offsets"))
    shape = integers(record.get("shape"))
    if type(word) is not str:
        return _damaged(name, "It has no dtype.")
    if shape is None or (shape and min(shape) < 0):
        return _damaged(name, "Its shape is no shape.")
    dtype = DTYPES.get(word, display_text(word, 40))
    if offsets is None or len(offsets) != 2:
        return _damaged(name, "It does not say where its bytes are.")
    begin, end = offsets
    if dtype == "float4_e2m1fn_x2" and shape:
        # The file counts single numbers; torch counts the bytes that hold two of them.
        shape = (*shape[:-1], shape[-1] // 2)
    stride = contiguous(shape)
    available = max(0, file.size - start)
    problem = ""
    if not 0 <= begin <= end:
        problem = "Its bytes end before they begin."
        begin = end = 0
    elif end > available:
        problem = (
            f"The file is cut short: it should reach up to byte {start + end:,}, and the file has "
            f"{file.size:,}."
        )
        begin, end = min(begin, available), available
    nbytes = end - begin
    if not problem and word not in DTYPES:
        problem = f"The dtype {dtype} is not known."
    if not problem:
        wanted = ITEMSIZE[dtype]
        for length in shape:
            wanted *= length
        if wanted != nbytes:
            problem = f"Its shape needs {wanted:,} bytes, but it has {nbytes:,}."
        else:
            problem = strided_problem(shape, stride, 0, ITEMSIZE[dtype], nbytes)
    return TensorEntry(
        name=name,
        path=(name,),
        dtype=dtype,
        shape=shape,
        stride=stride,
        storage=Storage(file, start + begin, nbytes, f"bytes {begin} to {end}"),
        problem=problem,
    )


def _damaged(name: str, problem: str) -> TensorEntry:
    return TensorEntry(name, (name,), "?", (), (), None, problem=problem)


def _problems(entries: list[TensorEntry]) -> list[Finding]:
    found = [entry for entry in entries if entry.problem]
    findings = [
        Finding("warning", entry.problem, display_text(entry.name))
        for entry in found[:_MAX_FINDINGS]
    ]
    if len(found) > _MAX_FINDINGS:
        findings.append(
            Finding("warning", f"{len(found) - _MAX_FINDINGS:,} more tensors can not be read.")
        )
    return findings


def _gaps(entries: list[TensorEntry], start: int, size: int) -> list[Finding]:
    """Bytes that belong to several tensors or to none; the specification forbids both."""
    runs = sorted(
        (entry.storage.offset, entry.storage.nbytes)
        for entry in entries
        if entry.storage is not None
    )
    position, overlapping, unused = start, 0, 0
    for offset, nbytes in runs:
        if offset < position and nbytes:
            overlapping += 1
        unused += max(0, offset - position)
        position = max(position, offset + nbytes)
    unused += max(0, size - position)
    findings = []
    if overlapping:
        findings.append(
            Finding("warning", f"{overlapping:,} tensors share bytes with the one before them.")
        )
    if unused:
        bytes_belong = "byte of the file belongs" if unused == 1 else "bytes of the file belong"
        findings.append(Finding("warning", f"{unused:,} {bytes_belong} to no tensor."))
    return findings
