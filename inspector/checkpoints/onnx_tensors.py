"""The tensors of an ONNX file: what a TensorProto describes, and where its numbers are.

They are in the message, as bytes or in fields named after their types, or in a file beside the
model. Source: ``onnx/onnx.proto`` (IR version 14).
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.folders.directory import inside
from inspector.checkpoints.geometry import contiguous, integers, strided_problem
from inspector.checkpoints.model import UNKNOWN, ByteSource, Finding, Storage, TensorEntry
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.onnx_messages import FIELD_COST, MAX_NAME, Messages, signed
from inspector.checkpoints.protobuf import Field, packed_varints
from inspector.checkpoints.sources import FilePool, LocalFile
from inspector.checkpoints.unpacked import LOOSE, PackedNumbers, Run, TypedNumbers

#: torch's dtype by TensorProto.DataType.
DTYPES: Final = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float16",
    11: "float64",
    12: "uint32",
    13: "uint64",
    14: "complex64",
    15: "complex128",
    16: "bfloat16",
    17: "float8_e4m3fn",
    18: "float8_e4m3fnuz",
    19: "float8_e5m2",
    20: "float8_e5m2fnuz",
    24: "float8_e8m0fnu",
}
STRING: Final = 8


def _table(values: list[int]) -> tuple[bytes, ...]:
    return tuple(bytes((value & 255,)) for value in values)


def _floats(exponent: int, mantissa: int, bias: int) -> tuple[bytes, ...]:
    """What a small float of so many bits becomes, which has neither infinities nor NaN."""
    numbers = []
    for code in range(1 << exponent + mantissa):
        power, fraction = code >> mantissa, (code & (1 << mantissa) - 1) / (1 << mantissa)
        numbers.append((min(power, 1) + fraction) * 2.0 ** (max(power, 1) - bias))
    return tuple(struct.pack("<f", sign * number) for sign in (1, -1) for number in numbers)


#: Types of which a byte, or three, hold several: the word, the dtype of what they are unpacked
#: to, bits, and the bytes for each code.
_PACKED: Final = {
    21: ("UINT4", "uint8", 4, _table(list(range(16)))),
    22: ("INT4", "int8", 4, _table([*range(8), *range(-8, 0)])),
    23: ("FLOAT4E2M1", "float32", 4, _floats(2, 1, 1)),
    25: ("UINT2", "uint8", 2, _table([0, 1, 2, 3])),
    26: ("INT2", "int8", 2, _table([0, 1, -2, -1])),
    27: ("FLOAT6E2M3", "float32", 6, _floats(2, 3, 1)),
    28: ("FLOAT6E3M2", "float32", 6, _floats(3, 2, 3)),
}

#: What holds how many numbers of some bits.
_HELD_BY: Final = {2: "4 in a byte", 4: "2 in a byte", 6: "4 in 3 bytes"}

#: Texts of a tensor of texts that are kept.
MAX_TEXTS: Final = 8

#: The wire type of the numbers in the fields named after their types, where they are not packed.
_LOOSE: Final = {4: 5, 5: 0, 7: 0, 10: 1, 11: 0}

#: Types whose numbers are not in fields of whole numbers; narrower ones have their bits there.
_NEVER_WHOLE: Final = ("float32", "float64", "complex64", "complex128")


@dataclass(slots=True)
class OnnxTensor:
    """The fields of a TensorProto, which is in the file as ``message``."""

    message: Field
    dims: list[int] = field(default_factory=list)
    kind: int = 0
    name: str = ""
    raw: Field | None = None
    #: The fields with typed numbers, by their number.
    typed: dict[int, list[Run]] = field(default_factory=dict)
    #: The first of its texts, and the number of all.
    texts: list[Field] = field(default_factory=list)
    text_count: int = 0
    external: dict[str, str] = field(default_factory=dict)
    is_external: bool = False
    is_segment: bool = False


class TensorReader:
    """Reads TensorProtos.

    Parameters
    ----------
    messages
        Of the model's file.

    Attributes
    ----------
    findings
        What the tensors ask for that is refused.
    """

    def __init__(self, messages: Messages) -> None:
        self.findings: Final[list[Finding]] = []
        self._messages: Final = messages
        self._file: Final = messages.file
        self._pool: Final = FilePool()
        self._files: Final[dict[str, LocalFile | str]] = {}

    @property
    def files(self) -> list[LocalFile]:
        """The files beside the model that hold numbers; to be closed."""
        return [file for file in self._files.values() if isinstance(file, LocalFile)]

    def name(self, message: Field) -> str:
        """The name alone."""
        for found in self._messages.fields(message, lenient=True):
            if found.number == 8:
                return self._messages.text(found, MAX_NAME)
        return ""

    def read(self, message: Field) -> OnnxTensor:
        """The fields of a tensor.

        Raises
        ------
        CheckpointError
            If they are damaged.
        """
        tensor = OnnxTensor(message)
        for found in self._messages.fields(message, lenient=True):
            if found.number == 1:
                tensor.dims += [found.value] if found.kind == 0 else self._dims(found)
                if len(tensor.dims) > 1000:
                    raise CheckpointError(
                        "A tensor has more than 1,000 dimensions.", where=f"byte {found.offset}"
                    )
            elif found.number == 2 and found.kind == 0:
                tensor.kind = found.value
            elif found.number == 3:
                tensor.is_segment = True
            elif found.number in _LOOSE:
                self._add_typed(found, tensor.typed.setdefault(found.number, []))
            elif found.number == 6:
                tensor.text_count += 1
                if len(tensor.texts) < MAX_TEXTS:
                    tensor.texts.append(found)
            elif found.number == 8 and found.kind == 2:
                tensor.name = self._messages.text(found, MAX_NAME)
            elif found.number == 9 and found.kind == 2:
                tensor.raw = found
            elif found.number == 13 and found.kind == 2 and len(tensor.external) < 16:
                key, value = self._messages.pair(found)
                tensor.external[key] = value
            elif found.number == 14 and found.kind == 0:
                tensor.is_external = found.value == 1
        return tensor

    def _add_typed(self, found: Field, runs: list[Run]) -> None:
        last = runs[-1] if runs else None
        if found.kind == 2:
            self._messages.spend(FIELD_COST)
            # A run may claim to reach beyond a file that is cut short.
            there = max(0, min(found.length, self._file.size - found.offset))
            runs.append(found._replace(length=there))
        elif found.kind == _LOOSE[found.number]:
            if not isinstance(last, bytearray):
                self._messages.spend(FIELD_COST)
                last = bytearray()
                runs.append(last)
            last += found.value.to_bytes(LOOSE, "little")

    def _dims(self, found: Field) -> list[int]:
        return packed_varints(self._file.read(found.offset, min(found.length, 10_000)))

    def entry(self, tensor: OnnxTensor, name: str, inside: str) -> TensorEntry:
        """The entry of a tensor of numbers; its ``problem`` says why they can't be read.

        ``inside`` says what it is a part of, besides the model's graph; may be empty.
        """
        packed = _PACKED.get(tensor.kind)
        dtype = packed[1] if packed else DTYPES.get(tensor.kind, "")
        shape = integers(tuple(signed(number) for number in tensor.dims))
        if not dtype or shape is None or (shape and min(shape) < 0):
            what = "shape" if dtype else f"type {tensor.kind}"
            return damaged_entry(name, f"Its {what} is not known.")
        details = {"saved as": f"{packed[0]}, {_HELD_BY[packed[2]]}"} if packed else {}
        details |= {"inside": inside} if inside else {}
        numel = math.prod(shape)
        problem, storage = "", None
        try:
            storage = self._storage(tensor, name, dtype, numel)
        except CheckpointError as error:
            problem = error.message
        if storage is not None:
            problem = strided_problem(shape, contiguous(shape), 0, ITEMSIZE[dtype], storage.nbytes)
        return TensorEntry(
            name=name,
            path=(name,),
            dtype=dtype,
            shape=shape,
            stride=contiguous(shape),
            storage=storage,
            details=details,
            problem=problem,
        )

    def _storage(self, tensor: OnnxTensor, name: str, dtype: str, numel: int) -> Storage:
        """Where a tensor's numbers are. Raises in words if they are nowhere."""
        if tensor.is_segment:
            raise CheckpointError("It is one segment of a tensor; segments are not put together.")
        source: ByteSource = self._file
        if tensor.is_external:
            source, offset, length = self._external(tensor.external)
        elif tensor.raw is not None:
            offset, length = tensor.raw.offset, tensor.raw.length
        else:
            return self._typed(tensor, name, dtype, numel)
        length = max(0, min(length, source.size - offset))
        packed = _PACKED.get(tensor.kind)
        if packed is not None:
            numbers = PackedNumbers(
                source, offset, length, packed[2], packed[3], numel, tensor.message
            )
            return Storage(numbers, 0, numbers.size, name)
        return Storage(source, offset, length, name)

    def _typed(self, tensor: OnnxTensor, name: str, dtype: str, numel: int) -> Storage:
        """Numbers in the fields that are named after their types."""
        itemsize = ITEMSIZE[dtype]
        for number, width in ((4, 4), (10, 8)):
            runs = tensor.typed.get(number, [])
            # One packed run is what is written; its numbers are as they are in memory.
            if len(runs) == 1 and isinstance(runs[0], Field):
                return Storage(self._file, runs[0].offset, runs[0].length, name)
            if runs and not itemsize % width:
                count = min(numel * (itemsize // width), _held(runs, width))
                fixed = TypedNumbers(
                    self._file, runs, width, count, name, tensor.message, fixed=True
                )
                return Storage(fixed, 0, fixed.size, name)
        runs = [run for number in (5, 7, 11) for run in tensor.typed.get(number, [])]
        if not runs and numel:
            raise CheckpointError("The file has no numbers for it.")
        if not runs:
            return Storage(self._file, 0, 0, name)
        packed = _PACKED.get(tensor.kind)
        # Two 4-bit numbers are in one number of the field; each 6-bit one has its own.
        bits = 0 if packed is None else 8 if packed[2] == 6 else packed[2]
        count = -(-numel * bits // 8) if packed else numel
        if count > _held(runs, 1):
            raise CheckpointError(
                f"It should have {numel:,} numbers, more than there are bytes for them."
            )
        if not packed and dtype in _NEVER_WHOLE:
            raise CheckpointError(f"The file has whole numbers for it, which {dtype} has not.")
        width = 1 if packed else itemsize
        numbers = TypedNumbers(self._file, runs, width, count, name, tensor.message)
        if packed is not None:
            table = packed[3] * 4 if bits == 8 else packed[3]
            unpacked = PackedNumbers(numbers, 0, count, bits, table, numel, tensor.message)
            return Storage(unpacked, 0, unpacked.size, name)
        return Storage(numbers, 0, numbers.size, name)

    def _external(self, given: dict[str, str]) -> tuple[LocalFile, int, int]:
        """The file beside the model, and which of its bytes (CVE-2022-25882, CVE-2024-27318)."""
        name = given.get("location", "")
        found = self._files.get(name)
        if found is None:
            found = self._files[name] = self._open(self._file.path.parent, name)
        if isinstance(found, str):
            raise CheckpointError(found)
        offset, length = _number(given.get("offset", "0")), _number(given.get("length", "-1"))
        if length < 0:
            length = max(0, found.size - offset)
        if offset < 0 or offset + length > found.size:
            raise CheckpointError(
                f"It should be bytes {offset:,} to {offset + length:,} of {display_text(name, 200)}"
                f", which has {found.size:,}."
            )
        return found, offset, length

    def _open(self, folder: Path, name: str) -> LocalFile | str:
        try:
            path = inside(folder, name.removeprefix("./"))
            # A hub's cache has a link for the model, and links beside it to files beside that.
            own = (os.path.realpath(folder), os.path.split(os.path.realpath(self._file.path))[0])
            real = os.path.realpath(path)
            if not any(os.path.commonpath([place, real]) == place for place in own):
                raise CheckpointError(
                    f"{display_text(name, 200)!r} is a link that leads out of the folder; it is "
                    "not followed."
                )
            return LocalFile(path, self._pool)
        except CheckpointError as error:
            message = f"Its numbers are in a file beside the model. {error.message}"
            if "not followed" in error.message:
                self.findings.append(Finding("danger", message, display_text(name, 200)))
            return message


def _held(runs: list[Run], width: int) -> int:
    """Numbers of so many bytes that fields can hold, at most."""
    return sum(
        len(run) // LOOSE if isinstance(run, bytearray) else run.length // width for run in runs
    )


def damaged_entry(name: str, problem: str) -> TensorEntry:
    """The entry of a tensor that is not described."""
    return TensorEntry(name, (name,), UNKNOWN, (), (), None, problem=problem)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else -1
