"""ONNX models: their initializers, and the tensors in the attributes of their nodes.

A walk over the wire format of protocol buffers, which passes over the tensors' bytes: 0.5 ms for a
model of any size, where loading it takes its whole size in memory.

Sources: ``onnx/onnx.proto`` (IR version 11), protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.folders.directory import inside
from inspector.checkpoints.geometry import contiguous, integers, strided_problem
from inspector.checkpoints.model import (
    UNKNOWN,
    ByteSource,
    Checkpoint,
    Finding,
    Storage,
    TensorEntry,
    ValueEntry,
)
from inspector.checkpoints.naming import Names, display_text
from inspector.checkpoints.protobuf import Field, Wire, packed_varints
from inspector.checkpoints.sources import FilePool, LocalFile
from inspector.checkpoints.unpacked import LOOSE, PackedNumbers, Run, TypedNumbers
from inspector.checkpoints.walk import tensor_problems

#: Fields of a ModelProto, with their wire types (0: a number, 2: bytes with a length).
_MODEL: Final = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_NOTES: Final = {2: "producer", 3: "producer version", 4: "domain", 6: "doc string"}
_GRAPH, _HIGHEST_VERSION = 7, 1000

#: torch's dtype by TensorProto.DataType.
_DTYPES: Final = {
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
_STRING: Final = 8
_FLOAT4: Final = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


def _table(values: list[int]) -> tuple[bytes, ...]:
    return tuple(bytes((value & 255,)) for value in values)


#: Types of which a byte holds several: the word, the dtype of what they are unpacked to, bits, and
#: the bytes for each code.
_PACKED: Final = {
    21: ("UINT4", "uint8", 4, _table(list(range(16)))),
    22: ("INT4", "int8", 4, _table([*range(8), *range(-8, 0)])),
    23: (
        "FLOAT4E2M1",
        "float32",
        4,
        tuple(struct.pack("<f", sign * value) for sign in (1, -1) for value in _FLOAT4),
    ),
    25: ("UINT2", "uint8", 2, _table([0, 1, 2, 3])),
    26: ("INT2", "int8", 2, _table([0, 1, -2, -1])),
}

#: Graphs within graphs, and what one model lists besides tensors, at most.
_MAX_DEPTH: Final = 64
_MAX_VALUES: Final = 10_000
_MAX_TEXT: Final = 1000
_MAX_NAME: Final = 4096
_MAX_TEXTS: Final = 8
_MAX_OPSETS: Final = 50
_MAX_FINDINGS: Final = 100

#: Bytes that entries and their names may take: this, and so many for each byte of the file.
_ALLOWANCE: Final = 16 << 20
_ALLOWANCE_PER_BYTE: Final = 16
_ENTRY_COST: Final = 1200
_FIELD_COST: Final = 200

#: The wire type of the numbers in the fields named after their types, where they are not packed.
_LOOSE: Final = {4: 5, 5: 0, 7: 0, 10: 1, 11: 0}

#: Types whose numbers are not in fields of whole numbers; narrower ones have their bits there.
_NEVER_WHOLE: Final = ("float32", "float64", "complex64", "complex128")

#: Fields of a model that are looked at to tell whether it is one.
_MAX_SNIFFED: Final = 4096

#: Bytes of a field before its content, at most.
_LONGEST_START: Final = 20

#: Steps between two calls of ``check``.
_ROUND: Final = 2048


def sniff(head: bytes, source: ByteSource) -> bool:
    """Whether a file is a ModelProto: it has no mark, so all of its fields have to fit."""
    if not head or head[0] & 7 not in (0, 2) or head[0] >> 3 not in _MODEL:
        return False
    graph = version = False
    end = 0
    fields = Wire(source).fields(0, source.size, lenient=True)
    try:
        for found in islice(fields, _MAX_SNIFFED):
            if _MODEL.get(found.number) != found.kind:
                return False
            graph = graph or found.number == _GRAPH
            if found.number == 1:
                version = 0 < found.value <= _HIGHEST_VERSION
            end = max(end, found.end)
    except CheckpointError:
        # The last one may be cut within its number or its length.
        if source.size - end > _LONGEST_START:
            return False
    return graph and version


def open_file(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    """List an ONNX model.

    Raises
    ------
    CheckpointError
        If its messages are damaged.
    """
    listing = _Listing(file, check)
    try:
        listing.model()
        return listing.checkpoint()
    except BaseException:
        listing.close()
        raise


@dataclass(slots=True)
class _Tensor:
    """The fields of a TensorProto."""

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


#: A graph that is still to be looked at, the beginning of the names in it, and how deep it lies.
_Inner = tuple[Field, str, int]

#: The fields of an AttributeProto that hold tensors and graphs, one or many.
_PARTS: Final = (5, 6, 10, 11, 22, 23)


class _AllowanceSpentError(Exception):
    """The entries would fill more memory than the file is worth."""


class _Listing:
    """Goes through a model and collects what is in it."""

    def __init__(self, file: LocalFile, check: Callable[[], None]) -> None:
        self._file: Final = file
        self._wire: Final = Wire(file)
        self._check: Final = check
        self._names: Final = Names()
        self._pool: Final = FilePool()
        self._files: Final[dict[str, LocalFile | str]] = {}
        self._entries: Final[list[TensorEntry]] = []
        self._values: Final[list[ValueEntry]] = []
        self._metadata: Final[dict[str, str]] = {}
        self._findings: Final[list[Finding]] = []
        self._allowance = _ALLOWANCE + _ALLOWANCE_PER_BYTE * file.size
        self._steps = 0

    def checkpoint(self) -> Checkpoint:
        """What was found."""
        others = [file for file in self._files.values() if isinstance(file, LocalFile)]
        return Checkpoint(
            path=self._file.path,
            format="ONNX",
            size=self._file.size + sum(file.size for file in others),
            entries=self._entries,
            values=self._values,
            metadata=self._metadata,
            findings=[*self._findings, *tensor_problems(self._entries)],
            sources=(self._file, *others),
            files=(self._file.path, *(file.path for file in others)),
        )

    def close(self) -> None:
        """Close the files beside the model: for when there is to be no checkpoint."""
        for file in self._files.values():
            if isinstance(file, LocalFile):
                file.close()

    def model(self) -> None:
        """The ModelProto, and all in it."""
        try:
            self._model()
        except _AllowanceSpentError:
            self._warn("The list ends early: it would take much more memory than the file.")

    def _model(self) -> None:
        opsets: list[str] = []
        # Graphs and functions that are still to be looked at, with the way to them.
        pending: list[_Inner] = []
        with self._damage_told():
            for found in self._fields(Field(0, 2, 0, 0, self._file.size), lenient=True):
                if found.end > self._file.size:
                    self._warn(
                        f"The file is cut short: it should have at least {found.end:,} bytes, and "
                        f"has {self._file.size:,}."
                    )
                with self._damage_told():
                    self._model_part(found, opsets)
                if found.number in (_GRAPH, 25):
                    self._spend(_FIELD_COST)
                    pending.append((found, "", 0))
        if opsets:
            self._metadata["opset"] = ", ".join(opsets)
        # In the order of the file
        pending.reverse()
        while pending:
            inner: list[_Inner] = []
            with self._damage_told():
                self._graph(*pending.pop(), inner)
            pending += reversed(inner)

    def _model_part(self, found: Field, opsets: list[str]) -> None:
        """What a field of the ModelProto says of the model, unless it is a graph."""
        if found.number == 1:
            self._metadata["IR version"] = str(found.value)
        elif found.number == 5:
            self._metadata["model version"] = str(_signed(found.value))
        elif found.number in _NOTES:
            self._note(_NOTES[found.number], self._text(found))
        elif found.number == 8 and len(opsets) < _MAX_OPSETS:
            opsets.append(self._opset(found))
        elif found.number == 14:
            self._note(*self._pair(found))

    def _graph(self, graph: Field, way: str, depth: int, inner: list[_Inner]) -> None:
        """List a GraphProto or FunctionProto; the graphs in its nodes are added to ``inner``."""
        is_node = 7 if graph.number == 25 else 1
        for found in self._fields(graph, lenient=True):
            if found.kind != 2:
                continue
            with self._damage_told():
                if found.number == is_node:
                    self._node(found, way, depth, inner)
                elif graph.number != 25:
                    self._graph_part(found, way)

    def _graph_part(self, found: Field, way: str) -> None:
        """List what lies in a GraphProto beside its nodes."""
        if found.number == 2 and not way:
            self._note("graph", self._text(found))
        elif found.number == 5:
            self._tensor(found, way, inside="an inner graph" if way else "")
        elif found.number == 15:
            self._sparse(found, way)
        elif found.number in (11, 12) and not way:
            self._value_info(found, "inputs" if found.number == 11 else "outputs")

    def _node(self, node: Field, way: str, depth: int, inner: list[_Inner]) -> None:
        # Twice through the fields, since a list of them would be much larger than they are.
        name = kind = output = ""
        for found in self._fields(node):
            if found.kind != 2:
                continue
            if found.number == 2 and not output:
                output = self._text(found, _MAX_NAME)
            elif found.number == 3:
                name = self._text(found, _MAX_NAME)
            elif found.number == 4:
                kind = self._text(found, 100)
        place = way + (name or output or kind or "node")
        for found in self._fields(node):
            if found.kind == 2 and found.number == 5:
                self._attribute(found, place, kind, depth, inner)

    def _attribute(
        self, attribute: Field, place: str, kind: str, depth: int, inner: list[_Inner]
    ) -> None:
        name = ""
        count = 0
        for found in self._fields(attribute):
            if found.kind == 2 and found.number == 1:
                name = self._text(found, 100)
            elif found.kind == 2 and found.number in _PARTS:
                count += 1
        if not count:
            return
        base = place if kind == "Constant" else f"{place}.{name}"
        parts = (part for part in self._fields(attribute) if part.number in _PARTS)
        for number, part in enumerate(part for part in parts if part.kind == 2):
            where = f"{base}[{number}]" if count > 1 else base
            if part.number in (6, 11):
                if depth < _MAX_DEPTH and len(where) < _MAX_NAME:
                    self._spend(2 * _FIELD_COST + len(where))
                    inner.append((part, f"{where}.", depth + 1))
                else:
                    self._warn("Graphs lie too deep within graphs, and are not listed.")
            elif part.number in (22, 23):
                self._sparse(part, f"{where}.")
            else:
                self._tensor(part, "", where, inside="a node")

    # Tensors ------------------------------------------------------------------------------------

    def _tensor(self, found: Field, way: str, place: str = "", *, inside: str = "") -> None:
        """List a TensorProto, under its name or under ``place``.

        ``inside`` says what it is a part of; empty if it is an initializer of the model.
        """
        tensor, problem = _Tensor(), ""
        try:
            self._read_tensor(found, tensor)
        except CheckpointError as error:
            problem = error.message
        name = place or way + tensor.name or "tensor"
        self._spend(_ENTRY_COST + len(name))
        if problem:
            self._entries.append(_damaged(self._names.unique(name), problem))
        elif tensor.kind == _STRING:
            self._strings(tensor, name)
        else:
            self._entries.append(self._entry(tensor, self._names.unique(name), inside))

    def _sparse(self, found: Field, way: str) -> None:
        """List the parts of a SparseTensorProto."""
        name = ""
        for part in self._fields(found):
            if part.number == 1 and part.kind == 2:
                name = self._tensor_name(part)
                place = f"{way}{name or 'sparse'}.values"
                self._tensor(part, "", place, inside="a sparse tensor")
            elif part.number == 2 and part.kind == 2:
                place = f"{way}{name or 'sparse'}.indices"
                self._tensor(part, "", place, inside="a sparse tensor")

    def _tensor_name(self, message: Field) -> str:
        for found in self._fields(message, lenient=True):
            if found.number == 8:
                return self._text(found, _MAX_NAME)
        return ""

    def _read_tensor(self, message: Field, tensor: _Tensor) -> None:
        for found in self._fields(message, lenient=True):
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
                if len(tensor.texts) < _MAX_TEXTS:
                    tensor.texts.append(found)
            elif found.number == 8 and found.kind == 2:
                tensor.name = self._text(found, _MAX_NAME)
            elif found.number == 9 and found.kind == 2:
                tensor.raw = found
            elif found.number == 13 and found.kind == 2 and len(tensor.external) < 16:
                key, value = self._pair(found)
                tensor.external[key] = value
            elif found.number == 14 and found.kind == 0:
                tensor.is_external = found.value == 1

    def _add_typed(self, found: Field, runs: list[Run]) -> None:
        last = runs[-1] if runs else None
        if found.kind == 2:
            self._spend(_FIELD_COST)
            # A run may claim to reach beyond a file that is cut short.
            there = max(0, min(found.length, self._file.size - found.offset))
            runs.append(found._replace(length=there))
        elif found.kind == _LOOSE[found.number]:
            if not isinstance(last, bytearray):
                self._spend(_FIELD_COST)
                last = bytearray()
                runs.append(last)
            last += found.value.to_bytes(LOOSE, "little")

    def _dims(self, found: Field) -> list[int]:
        return packed_varints(self._file.read(found.offset, min(found.length, 10_000)))

    def _entry(self, tensor: _Tensor, name: str, inside: str) -> TensorEntry:
        packed = _PACKED.get(tensor.kind)
        dtype = packed[1] if packed else _DTYPES.get(tensor.kind, "")
        shape = integers(tuple(_signed(number) for number in tensor.dims))
        if not dtype or shape is None or (shape and min(shape) < 0):
            what = "shape" if dtype else f"type {tensor.kind}"
            return _damaged(name, f"Its {what} is not known.")
        details = {"saved as": f"{packed[0]}, {8 // packed[2]} in a byte"} if packed else {}
        details |= {"inside": inside} if inside else {}
        numel = 1
        for length in shape:
            numel *= length
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

    def _storage(self, tensor: _Tensor, name: str, dtype: str, numel: int) -> Storage:
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
            numbers = PackedNumbers(source, offset, length, packed[2], packed[3], numel)
            return Storage(numbers, 0, numbers.size, name)
        return Storage(source, offset, length, name)

    def _typed(self, tensor: _Tensor, name: str, dtype: str, numel: int) -> Storage:
        """Numbers in the fields that are named after their types."""
        itemsize = ITEMSIZE[dtype]
        for number, width in ((4, 4), (10, 8)):
            runs = tensor.typed.get(number, [])
            # One packed run is what is written; its numbers are as they are in memory.
            if len(runs) == 1 and isinstance(runs[0], Field):
                return Storage(self._file, runs[0].offset, runs[0].length, name)
            if runs and not itemsize % width:
                count = min(numel * (itemsize // width), _held(runs, width))
                fixed = TypedNumbers(self._file, runs, width, count, name, fixed=True)
                return Storage(fixed, 0, fixed.size, name)
        runs = [run for number in (5, 7, 11) for run in tensor.typed.get(number, [])]
        if not runs and numel:
            raise CheckpointError("The file has no numbers for it.")
        packed = _PACKED.get(tensor.kind)
        # Two 4-bit numbers are in one number of the field.
        count = -(-numel * packed[2] // 8) if packed else numel
        if count > _held(runs, 1):
            raise CheckpointError(
                f"It should have {numel:,} numbers, more than there are bytes for them."
            )
        if not packed and dtype in _NEVER_WHOLE:
            raise CheckpointError(f"The file has whole numbers for it, which {dtype} has not.")
        numbers = TypedNumbers(self._file, runs, 1 if packed else itemsize, count, name)
        if packed is not None:
            unpacked = PackedNumbers(numbers, 0, count, packed[2], packed[3], numel)
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
                self._findings.append(Finding("danger", message, display_text(name, 200)))
            return message

    # Words --------------------------------------------------------------------------------------

    def _fields(self, message: Field, *, lenient: bool = False) -> Iterator[Field]:
        # In a file that is cut short, all that the end lies in is cut.
        lenient = lenient or message.end > self._file.size
        end = min(message.end, self._file.size)
        for found in self._wire.fields(message.offset, end, lenient=lenient):
            self._steps += 1
            if self._steps % _ROUND == 0:
                self._check()
            yield found

    def _text(self, found: Field, most: int = _MAX_TEXT) -> str:
        if found.kind != 2:
            return ""
        length = max(0, min(found.length, most, self._file.size - found.offset))
        return self._file.read(found.offset, length).decode("utf-8", "replace")

    def _pair(self, message: Field) -> tuple[str, str]:
        texts = {1: "", 2: ""}
        for found in self._fields(message):
            if found.number in texts:
                texts[found.number] = self._text(found)
        return texts[1], texts[2]

    def _opset(self, message: Field) -> str:
        domain, version = "", 0
        for found in self._fields(message):
            if found.number == 1:
                domain = self._text(found, 100)
            elif found.number == 2 and found.kind == 0:
                version = found.value
        return display_text(f"{domain or 'ai.onnx'} {version}")

    def _note(self, name: str, text: str) -> None:
        if len(self._metadata) < 1000:
            self._metadata.setdefault(display_text(name, 100), display_text(text, _MAX_TEXT))

    def _strings(self, tensor: _Tensor, name: str) -> None:
        shown = ", ".join(repr(self._text(text, 100)) for text in tensor.texts)
        more = f", … {tensor.text_count:,} texts" if tensor.text_count > _MAX_TEXTS else ""
        self._value(name, "array of text", f"[{shown}{more}]")

    def _value_info(self, message: Field, kind: str) -> None:
        name, text = "", ""
        for found in self._fields(message):
            if found.number == 1:
                name = self._text(found, _MAX_NAME)
            elif found.number == 2 and found.kind == 2:
                text = self._type(found)
        self._value(f"{kind}.{name}", "tensor", text)

    def _type(self, message: Field) -> str:
        """A TypeProto in words, as far as it is a tensor's: ``float32 [1, 3, height]``."""
        for tensor in self._fields(message):
            if tensor.number != 1 or tensor.kind != 2:
                continue
            kind, shape = "", "[…]"
            for found in self._fields(tensor):
                if found.number == 1 and found.kind == 0:
                    kind = _DTYPES.get(found.value, f"type {found.value}")
                elif found.number == 2 and found.kind == 2:
                    shape = self._shape(found)
            return f"{kind} {shape}"
        return "not a tensor"

    def _shape(self, message: Field) -> str:
        lengths: list[str] = []
        for dimension in self._fields(message):
            text = "?"
            if dimension.kind == 2:
                for found in self._fields(dimension):
                    if found.number == 1 and found.kind == 0:
                        text = str(_signed(found.value))
                    elif found.number == 2:
                        text = self._text(found, 100)
            if len(lengths) < 64:
                lengths.append(text)
        return f"[{', '.join(lengths)}]"

    def _value(self, name: str, kind: str, text: str) -> None:
        if len(self._values) < _MAX_VALUES:
            unique = self._names.unique(name)
            self._values.append(ValueEntry(unique, (unique,), kind, display_text(text)))

    def _spend(self, count: int) -> None:
        self._allowance -= count
        if self._allowance < 0:
            raise _AllowanceSpentError

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        """Pass over what is damaged, and say so; what stands beside it is listed."""
        try:
            yield
        except CheckpointError as error:
            self._warn(f"A part of the model is not listed. {error}")

    def _warn(self, message: str) -> None:
        finding = Finding("warning", message)
        if len(self._findings) < _MAX_FINDINGS and finding not in self._findings:
            self._findings.append(finding)


def _held(runs: list[Run], width: int) -> int:
    """Numbers of so many bytes that fields can hold, at most."""
    return sum(
        len(run) // LOOSE if isinstance(run, bytearray) else run.length // width for run in runs
    )


def _damaged(name: str, problem: str) -> TensorEntry:
    return TensorEntry(name, (name,), UNKNOWN, (), (), None, problem=problem)


def _signed(value: int) -> int:
    """A varint of 64 bits as the int64 that it stands for."""
    return value - (1 << 64) if value >= 1 << 63 else value


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else -1
