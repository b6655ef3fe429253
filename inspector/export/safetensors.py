"""The safetensors format: the stored elements as they are, whatever NumPy has of their dtype.

Source: the specification in the README of huggingface/safetensors, and the order in which its
reference writer puts the tensors: those of wider dtypes first, so that each is aligned.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import BinaryIO, Final

from inspector.checkpoints.errors import ExportError
from inspector.checkpoints.formats.safetensors import DTYPES as NAMES
from inspector.checkpoints.formats.safetensors import MAX_HEADER
from inspector.export.formats import format_named
from inspector.export.parts import Item, Part, Plan, Transfer, little_endian
from inspector.values.dtypes import DTYPES
from inspector.values.regions import Region

_WORDS: Final = {dtype: word for word, dtype in NAMES.items()}

#: As the reference writer ranks them, the last first.
_ORDER: Final = (
    "BOOL",
    "F4",
    "U8",
    "I8",
    "F8_E5M2",
    "F8_E4M3",
    "F8_E8M0",
    "F8_E4M3FNUZ",
    "F8_E5M2FNUZ",
    "I16",
    "U16",
    "F16",
    "BF16",
    "I32",
    "U32",
    "F32",
    "C64",
    "F64",
    "I64",
    "U64",
)

#: Names that a header cannot have.
_TAKEN: Final = "__metadata__"


def plan(parts: Sequence[Part]) -> Plan:
    """Every part by its tensor's name, in the dtype that is stored.

    Raises
    ------
    ExportError
        If safetensors has no such dtype, or cannot hold such names.
    """
    items = [_item(part) for part in parts]
    names = [item.name for item in items]
    ((most_frequent, times),) = Counter(names).most_common(1)
    if times > 1:
        raise ExportError(
            f"{times} of the tensors are called {most_frequent}, and a safetensors file tells "
            "its tensors apart by their names.",
            advice="Export them one by one.",
        )
    items.sort(key=lambda item: (-_ORDER.index(item.dtype), item.name.encode()))
    header = _header(items)
    if len(header) - 8 > MAX_HEADER:
        raise ExportError(
            f"The names and shapes of {len(items):,} tensors take {len(header):,} bytes, and a "
            f"safetensors file has room for {MAX_HEADER:,} of them.",
            advice="Choose fewer tensors.",
        )
    size = len(header) + sum(item.nbytes for item in items)
    return Plan(format_named("safetensors"), tuple(items), size, size)


def write(wanted: Plan, file: BinaryIO, transfer: Transfer) -> None:
    """Write what was planned."""
    file.write(_header(wanted.items))
    for item in wanted.items:
        for block in transfer.blocks(item):
            file.write(little_endian(block))


def _item(part: Part) -> Item:
    if part.packed is not None:
        part = replace(part, source=part.packed, region=Region.whole(part.packed.shape))
    dtype, shape = part.source.dtype, part.region.shape
    # Values that were computed are what NumPy says, whatever they were computed of.
    is_stored = dtype.raw == DTYPES[dtype.name].raw if dtype.name in DTYPES else False
    word = _WORDS.get(dtype.name if is_stored else dtype.raw.name)
    if word is None:
        raise ExportError(
            f"{part.name} is {dtype.name}, and safetensors has no such type.",
            advice="Export its bits, or choose another format.",
        )
    if word == "F4":
        if not shape:
            raise ExportError(
                f"{part.name} is a single byte of two float4 numbers, and safetensors counts "
                "single ones.",
                advice="Export its bits, or choose another format.",
            )
        # The file counts single numbers; torch counts the bytes that hold two of them.
        shape = (*shape[:-1], 2 * shape[-1])
    is_kept = part.packed is not None or (is_stored and dtype.raw != dtype.values)
    note = f"the stored bits as they are, {word}" if is_kept else part.note
    # What UTF-8 has no bytes for is escaped.
    name = part.name.encode("utf-8", "backslashreplace").decode()
    return Item(part, name if name != _TAKEN else f"{name}_2", shape, word, note, raw=True)


def _header(items: Sequence[Item]) -> bytes:
    """Length and JSON, filled up with spaces to a multiple of eight bytes."""
    header: dict[str, object] = {_TAKEN: {"format": "pt"}}
    begin = 0
    for item in items:
        end = begin + item.nbytes
        header[item.name] = {
            "dtype": item.dtype,
            "shape": list(item.shape),
            "data_offsets": [begin, end],
        }
        begin = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
