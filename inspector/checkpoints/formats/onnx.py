"""ONNX models: their initializers, and the tensors in the attributes of their nodes.

A walk over the wire format of protocol buffers, which passes over the tensors' bytes: 0.5 ms for a
model of any size, where loading it takes its whole size in memory.

Sources: ``onnx/onnx.proto`` (IR version 11), protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.model import (
    ByteSource,
    Checkpoint,
    Finding,
    TensorEntry,
    ValueEntry,
)
from inspector.checkpoints.naming import Names, display_text
from inspector.checkpoints.onnx_messages import (
    ENTRY_COST,
    FIELD_COST,
    MAX_NAME,
    MAX_TEXT,
    AllowanceSpentError,
    Messages,
    signed,
)
from inspector.checkpoints.onnx_tensors import (
    DTYPES,
    MAX_TEXTS,
    STRING,
    OnnxTensor,
    TensorReader,
    damaged_entry,
)
from inspector.checkpoints.protobuf import Field, Wire
from inspector.checkpoints.sources import LocalFile
from inspector.checkpoints.walk import tensor_problems

#: Fields of a ModelProto, with their wire types (0: a number, 2: bytes with a length).
_MODEL: Final = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
_NOTES: Final = {2: "producer", 3: "producer version", 4: "domain", 6: "doc string"}
_GRAPH, _HIGHEST_VERSION = 7, 1000

#: Graphs within graphs, and what one model lists besides tensors, at most.
_MAX_DEPTH: Final = 64
_MAX_VALUES: Final = 10_000
_MAX_OPSETS: Final = 50
_MAX_FINDINGS: Final = 100

#: Fields of a model that are looked at to tell whether it is one.
_MAX_SNIFFED: Final = 4096

#: Bytes of a field before its content, at most.
_LONGEST_START: Final = 20


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


#: A graph that is still to be looked at, the beginning of the names in it, and how deep it lies.
_Inner = tuple[Field, str, int]

#: The fields of an AttributeProto that hold tensors and graphs, one or many.
_PARTS: Final = (5, 6, 10, 11, 22, 23)


class _Listing:
    """Goes through a model and collects what is in it."""

    def __init__(self, file: LocalFile, check: Callable[[], None]) -> None:
        self._file: Final = file
        self._messages: Final = Messages(file, check)
        self._tensors: Final = TensorReader(self._messages)
        self._names: Final = Names()
        self._entries: Final[list[TensorEntry]] = []
        self._values: Final[list[ValueEntry]] = []
        self._metadata: Final[dict[str, str]] = {}
        self._findings: Final[list[Finding]] = []

    def checkpoint(self) -> Checkpoint:
        """What was found."""
        others = self._tensors.files
        return Checkpoint(
            path=self._file.path,
            format="ONNX",
            size=self._file.size + sum(file.size for file in others),
            entries=self._entries,
            values=self._values,
            metadata=self._metadata,
            findings=[*self._findings, *self._tensors.findings, *tensor_problems(self._entries)],
            sources=(self._file, *others),
            files=(self._file.path, *(file.path for file in others)),
        )

    def close(self) -> None:
        """Close the files beside the model: for when there is to be no checkpoint."""
        for file in self._tensors.files:
            file.close()

    def model(self) -> None:
        """The ModelProto, and all in it."""
        try:
            self._model()
        except AllowanceSpentError:
            self._warn("The list ends early: it would take much more memory than the file.")

    def _model(self) -> None:
        opsets: list[str] = []
        # Graphs and functions that are still to be looked at, with the way to them.
        pending: list[_Inner] = []
        with self._damage_told():
            for found in self._messages.fields(Field(0, 2, 0, 0, self._file.size), lenient=True):
                if found.end > self._file.size:
                    self._warn(
                        f"The file is cut short: it should have at least {found.end:,} bytes, and "
                        f"has {self._file.size:,}."
                    )
                with self._damage_told():
                    self._model_part(found, opsets)
                if found.number in (_GRAPH, 25):
                    self._messages.spend(FIELD_COST)
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
            self._metadata["model version"] = str(signed(found.value))
        elif found.number in _NOTES:
            self._note(_NOTES[found.number], self._messages.text(found))
        elif found.number == 8 and len(opsets) < _MAX_OPSETS:
            opsets.append(self._opset(found))
        elif found.number == 14:
            self._note(*self._messages.pair(found))

    def _graph(self, graph: Field, way: str, depth: int, inner: list[_Inner]) -> None:
        """List a GraphProto or FunctionProto; the graphs in its nodes are added to ``inner``."""
        is_node = 7 if graph.number == 25 else 1
        for found in self._messages.fields(graph, lenient=True):
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
            self._note("graph", self._messages.text(found))
        elif found.number == 5:
            self._tensor(found, way, inside="an inner graph" if way else "")
        elif found.number == 15:
            self._sparse(found, way)
        elif found.number in (11, 12) and not way:
            self._value_info(found, "inputs" if found.number == 11 else "outputs")

    def _node(self, node: Field, way: str, depth: int, inner: list[_Inner]) -> None:
        # Twice through the fields, since a list of them would be much larger than they are.
        name = kind = output = ""
        for found in self._messages.fields(node):
            if found.kind != 2:
                continue
            if found.number == 2 and not output:
                output = self._messages.text(found, MAX_NAME)
            elif found.number == 3:
                name = self._messages.text(found, MAX_NAME)
            elif found.number == 4:
                kind = self._messages.text(found, 100)
        place = way + (name or output or kind or "node")
        for found in self._messages.fields(node):
            if found.kind == 2 and found.number == 5:
                self._attribute(found, place, kind, depth, inner)

    def _attribute(
        self, attribute: Field, place: str, kind: str, depth: int, inner: list[_Inner]
    ) -> None:
        name = ""
        count = 0
        for found in self._messages.fields(attribute):
            if found.kind == 2 and found.number == 1:
                name = self._messages.text(found, 100)
            elif found.kind == 2 and found.number in _PARTS:
                count += 1
        if not count:
            return
        base = place if kind == "Constant" else f"{place}.{name}"
        parts = (part for part in self._messages.fields(attribute) if part.number in _PARTS)
        for number, part in enumerate(part for part in parts if part.kind == 2):
            where = f"{base}[{number}]" if count > 1 else base
            if part.number in (6, 11):
                if depth < _MAX_DEPTH and len(where) < MAX_NAME:
                    self._messages.spend(2 * FIELD_COST + len(where))
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
        tensor, problem = None, ""
        try:
            tensor = self._tensors.read(found)
        except CheckpointError as error:
            problem = error.message
        own = tensor.name if tensor is not None else ""
        name = place or way + own or "tensor"
        self._messages.spend(ENTRY_COST + len(name))
        if tensor is None:
            self._entries.append(damaged_entry(self._names.unique(name), problem))
        elif tensor.kind == STRING:
            self._strings(tensor, name)
        else:
            self._entries.append(self._tensors.entry(tensor, self._names.unique(name), inside))

    def _sparse(self, found: Field, way: str) -> None:
        """List the parts of a SparseTensorProto."""
        name = ""
        for part in self._messages.fields(found):
            if part.number == 1 and part.kind == 2:
                name = self._tensors.name(part)
                place = f"{way}{name or 'sparse'}.values"
                self._tensor(part, "", place, inside="a sparse tensor")
            elif part.number == 2 and part.kind == 2:
                place = f"{way}{name or 'sparse'}.indices"
                self._tensor(part, "", place, inside="a sparse tensor")

    # Words --------------------------------------------------------------------------------------

    def _opset(self, message: Field) -> str:
        domain, version = "", 0
        for found in self._messages.fields(message):
            if found.number == 1:
                domain = self._messages.text(found, 100)
            elif found.number == 2 and found.kind == 0:
                version = found.value
        return display_text(f"{domain or 'ai.onnx'} {version}")

    def _note(self, name: str, text: str) -> None:
        if len(self._metadata) < 1000:
            self._metadata.setdefault(display_text(name, 100), display_text(text, MAX_TEXT))

    def _strings(self, tensor: OnnxTensor, name: str) -> None:
        shown = ", ".join(repr(self._messages.text(text, 100)) for text in tensor.texts)
        more = f", … {tensor.text_count:,} texts" if tensor.text_count > MAX_TEXTS else ""
        self._value(name, "array of text", f"[{shown}{more}]")

    def _value_info(self, message: Field, kind: str) -> None:
        name, text = "", ""
        for found in self._messages.fields(message):
            if found.number == 1:
                name = self._messages.text(found, MAX_NAME)
            elif found.number == 2 and found.kind == 2:
                text = self._type(found)
        self._value(f"{kind}.{name}", "tensor", text)

    def _type(self, message: Field) -> str:
        """A TypeProto in words, as far as it is a tensor's: ``float32 [1, 3, height]``."""
        for tensor in self._messages.fields(message):
            if tensor.number != 1 or tensor.kind != 2:
                continue
            kind, shape = "", "[…]"
            for found in self._messages.fields(tensor):
                if found.number == 1 and found.kind == 0:
                    kind = DTYPES.get(found.value, f"type {found.value}")
                elif found.number == 2 and found.kind == 2:
                    shape = self._shape(found)
            return f"{kind} {shape}"
        return "not a tensor"

    def _shape(self, message: Field) -> str:
        lengths: list[str] = []
        for dimension in self._messages.fields(message):
            text = "?"
            if dimension.kind == 2:
                for found in self._messages.fields(dimension):
                    if found.number == 1 and found.kind == 0:
                        text = str(signed(found.value))
                    elif found.number == 2:
                        text = self._messages.text(found, 100)
            if len(lengths) < 64:
                lengths.append(text)
        return f"[{', '.join(lengths)}]"

    def _value(self, name: str, kind: str, text: str) -> None:
        if len(self._values) < _MAX_VALUES:
            unique = self._names.unique(name)
            self._values.append(ValueEntry(unique, (unique,), kind, display_text(text)))

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
