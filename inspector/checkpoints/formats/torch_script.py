"""TorchScript: what it has beside a torch zip, and the files of torch 1.1 to 1.3 (``model.json``).

The code in such a file is never run and never compiled.

Source: ``torch/csrc/jit/serialization/export_module.cpp``, ``import_legacy.cpp`` and
``caffe2/proto/torch.proto``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from inspector.checkpoints.containers import Internal
from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.geometry import MAX_DIMENSIONS, integers, strided_problem
from inspector.checkpoints.model import (
    ByteSource,
    Checkpoint,
    Finding,
    Quantizer,
    Storage,
    TensorEntry,
)
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.pickle_nodes import DictNode, GlobalNode, ObjectNode
from inspector.checkpoints.rebuild import Path
from inspector.checkpoints.sources import LocalFile
from inspector.checkpoints.torch_archive import TorchArchive, parse_json, walk_pickle
from inspector.checkpoints.walk import Walk
from inspector.checkpoints.zip_directory import ZipDirectory, first_name

_MODEL: Final = "model.json"

#: Modules in modules; more are not looked into.
_MAX_DEPTH: Final = 256

#: Characters of the names of all modules, at most.
_NAMES: Final = 64 << 20

_CAPITAL: Final = re.compile("[A-Z]")

_DAMAGED = "Its description in model.json is damaged."

#: torch's dtype by caffe2's word and number, and the quantized ones.
_DTYPES: Final = {
    "FLOAT": "float32",
    "INT32": "int32",
    "BYTE": "uint8",
    "BOOL": "bool",
    "UINT8": "uint8",
    "INT8": "int8",
    "UINT16": "uint16",
    "INT16": "int16",
    "INT64": "int64",
    "FLOAT16": "float16",
    "DOUBLE": "float64",
}
_NUMBERS: Final = {
    1: "FLOAT",
    2: "INT32",
    3: "BYTE",
    5: "BOOL",
    6: "UINT8",
    7: "INT8",
    8: "UINT16",
    9: "INT16",
    10: "INT64",
    12: "FLOAT16",
    13: "DOUBLE",
}
_QUANTIZED: Final = {"uint8": "quint8", "int8": "qint8", "int32": "qint32"}

#: What stands in attributes.pkl for a tensor of the table.
_TENSOR_REFERENCES: Final = frozenset(
    {"torch.jit._pickle.build_tensor_from_id", "__main__.build_tensor_from_id", "__main__.TensorID"}
)


def is_script(archive: TorchArchive) -> bool:
    """Whether a torch zip is a TorchScript module."""
    return any(archive.member(name) is not None for name in ("constants.pkl", "bytecode.pkl"))


def script_format(archive: TorchArchive) -> str:
    """What kind of TorchScript an archive is, in words."""
    mobile = archive.member("bytecode.pkl") is not None
    return "TorchScript for mobile" if mobile else "TorchScript"


def list_script(archive: TorchArchive, walk: Walk, metadata: dict[str, str]) -> list[Finding]:
    """List what a TorchScript module has beside data.pkl.

    Raises
    ------
    CheckpointError
        If one of its pickles can not be read.
    """
    findings = []
    for name, quiet in (("constants", False), ("bytecode", True)):
        # Instructions are no values to show; their tensors are those of the constants, but for
        # old files, in which they have a folder.
        if archive.member(f"{name}.pkl") is None or (quiet and not archive.has_folder(name)):
            continue
        pickle = archive.pickle(f"{name}.pkl")
        if quiet:
            pickle.value = Internal(pickle.value)
        walk_pickle(walk, pickle, archive.rebuilder(name), (name,))
        findings += walk.judge(pickle.globals, f"{name}.pkl")
    return findings + note_code(archive, metadata)


def note_code(archive: TorchArchive, metadata: dict[str, str]) -> list[Finding]:
    """Say how much code there is, and which files its author added."""
    names = archive.names()
    code = sum(name.startswith(("code/", "libs/")) and name.endswith(".py") for name in names)
    extra = [name.removeprefix("extra/") for name in names if name.startswith("extra/")]
    if extra:
        metadata["extra files"] = display_text(", ".join(extra))
    if not code:
        return []
    metadata["code"] = f"{code:,} {'module' if code == 1 else 'modules'}"
    return [
        Finding("note", f"It has {metadata['code']} of code, which is never run here.", "code/")
    ]


def sniff(head: bytes, source: ByteSource) -> bool:
    """Whether a file is TorchScript as torch 1.1 to 1.3 wrote it."""
    name = first_name(head)
    if not name or name.endswith("data.pkl"):
        return False
    try:
        directory = ZipDirectory(source)
    except CheckpointError:
        return False
    return name.partition("/")[0] + f"/{_MODEL}" in directory.members


def open_file(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    """List a TorchScript file that is described by ``model.json``.

    Raises
    ------
    CheckpointError
        If the description is damaged.
    """
    directory = ZipDirectory(file)
    root = next(iter(directory.members), "").partition("/")[0] + "/"
    archive = TorchArchive(directory, root, check)
    metadata = archive.notes()
    model = parse_json(archive, _MODEL)
    for name in ("protoVersion", "producerName", "producerVersion"):
        if type(value := _field(model, name)) in (str, int):
            metadata[name] = display_text(str(value))
    walk = Walk(check)
    walk.allow(archive.directory.members[root + _MODEL].size)
    table = _Table(archive, model)
    findings = _list_modules(archive, model, walk, table)
    for number in table.unused():
        walk.insert(("constants", number), partial(table.entry, number))
    return Checkpoint(
        path=file.path,
        format="TorchScript of torch 1.1 to 1.3",
        size=file.size,
        entries=walk.entries,
        values=walk.values,
        imports=walk.imports,
        metadata=metadata,
        findings=[*findings, *note_code(archive, metadata), *archive.findings, *walk.findings()],
        sources=(file,),
    )


def _list_modules(
    archive: TorchArchive, model: dict[str, object], walk: Walk, table: _Table
) -> list[Finding]:
    """List the parameters, buffers and attributes of all modules, named as in a state dict."""
    findings: list[Finding] = []
    values: list[object] = []
    if archive.member("attributes.pkl") is not None:
        pickle = archive.pickle("attributes.pkl")
        findings += walk.judge(pickle.globals, "attributes.pkl")
        value = pickle.value
        values = list(value) if isinstance(value, list | tuple) else []
    plain = DictNode()
    for name, module in _modules(_field(model, "mainModule"), findings):
        for record in _records(_field(module, "parameters")):
            number = _number(_field(record, "tensorId"))
            walk.insert((_below(name, record),), partial(table.entry, number))
        for record in _records(_field(module, "attributes")):
            number = _number(_field(record, "id"))
            if not 0 <= number < len(values):
                continue
            reference = _reference(values[number])
            if reference is None:
                plain.pairs.append((_below(name, record), values[number]))
            elif reference not in table.used:
                walk.insert((_below(name, record),), partial(table.entry, reference))
    if values:
        pickle.value = plain
        walk_pickle(walk, pickle, archive.rebuilder("tensors"))
    return findings


def _modules(root: object, findings: list[Finding]) -> Iterator[tuple[str, dict[str, object]]]:
    """Each module with its name, the outermost first; in the order of a state dict."""
    waiting = [("", root, 0)]
    characters = _NAMES
    while waiting:
        name, module, depth = waiting.pop()
        if type(module) is not dict:
            continue
        yield name, module
        below = _records(_field(module, "submodules"))
        characters -= len(name) * len(below)
        if below and (depth >= _MAX_DEPTH or characters < 0):
            findings.append(Finding("warning", "Its deepest modules are not listed.", _MODEL))
            return
        waiting += [(_below(name, record), record, depth + 1) for record in reversed(below)]


class _Table:
    """The tensors of ``model.json``, which modules refer to by number."""

    def __init__(self, archive: TorchArchive, model: dict[str, object]) -> None:
        self.used: Final[set[int]] = set()
        self._archive: Final = archive
        self._records: Final = _records(_field(model, "tensors"))
        self._storages: Final[dict[str, Storage | str | None]] = {}

    def unused(self) -> list[int]:
        """The numbers of the tensors that were not asked for: constants of the code."""
        return [number for number in range(len(self._records)) if number not in self.used]

    def entry(self, number: int, name: str, path: Path) -> TensorEntry:
        """The entry for a tensor of the table."""
        if not 0 <= number < len(self._records):
            return _damaged(name, path, "The file does not describe it.")
        self.used.add(number)
        record = self._records[number]
        shape, stride = _sizes(_field(record, "dims")), _sizes(_field(record, "strides"))
        offset = _number(_field(record, "offset"))
        word = _field(record, "dataType")
        dtype = _DTYPES.get(_NUMBERS.get(word, "") if type(word) is int else str(word or "FLOAT"))
        if shape is None or stride is None:
            return _damaged(name, path, _DAMAGED)
        if dtype is None:
            return _damaged(name, path, f"Its dtype {display_text(str(word), 40)} is not known.")
        details: dict[str, str] = {}
        quantizer = None
        if _field(record, "isQuantized") is True:
            dtype = _QUANTIZED.get(dtype, dtype)
            scale, zero_point = _field(record, "scale"), _number(_field(record, "zeroPoint"))
            if type(scale) is float or (type(scale) is int and abs(scale) < 1 << 53):
                quantizer = Quantizer(float(scale), zero_point)
            details = {
                "scheme": "per_tensor_affine",
                "scale": display_text(str(scale), 40),
                "zero_point": str(zero_point),
            }
        storage, problem = self._storage(_field(_field(record, "data"), "key"))
        if storage is not None:
            problem = strided_problem(shape, stride, offset, ITEMSIZE[dtype], storage.nbytes)
        return TensorEntry(
            name=name,
            path=path,
            dtype=dtype,
            shape=shape,
            stride=stride,
            storage=storage,
            storage_offset=offset,
            device=display_text(str(_field(record, "device") or "cpu"), 40),
            kind="quantized" if details else "dense",
            requires_grad=_field(record, "requiresGrad") is True,
            details=details,
            problem=problem,
            quantizer=quantizer,
        )

    def _storage(self, key: object) -> tuple[Storage | None, str]:
        if type(key) is not str:
            return None, _DAMAGED
        if key not in self._storages:
            self._storages[key] = self._archive.storage(key, key)
        found = self._storages[key]
        if isinstance(found, Storage):
            return found, ""
        return None, f"Its storage {found or 'is not in the file'}."


def _damaged(name: str, path: Path, problem: str) -> TensorEntry:
    return TensorEntry(name, path, "?", (), (), None, problem=problem)


def _field(record: object, name: str) -> object:
    """A field of a message, by its name in JSON or in the schema; None if it is not set."""
    if type(record) is not dict:
        return None
    if name in record:
        return record[name]
    return record.get(_CAPITAL.sub(lambda match: f"_{match[0].lower()}", name))


def _records(value: object) -> list[object]:
    return value if type(value) is list else []


def _number(value: object) -> int:
    """An integer of protobuf's JSON, in which those of 64 bits are text; 0 if it is not set."""
    if type(value) is str and len(value) < 21 and value.lstrip("-").isdecimal():
        return int(value)
    if value is None:
        return 0
    return value if type(value) is int else -1


def _sizes(value: object) -> tuple[int, ...] | None:
    return integers([_number(item) for item in _records(value)[: MAX_DIMENSIONS + 1]])


def _below(name: str, record: object) -> str:
    own = _field(record, "name")
    own = own if type(own) is str else "?"
    return f"{name}.{own}" if name else own


def _reference(value: object) -> int | None:
    """The number of the tensor that a value in attributes.pkl stands for."""
    if type(value) is not ObjectNode or type(value.callee) is not GlobalNode:
        return None
    if value.callee.qualified not in _TENSOR_REFERENCES:
        return None
    # TensorID takes its number as a state.
    args = value.args if type(value.args) is tuple and value.args else tuple(value.states)
    return args[0] if len(args) == 1 and type(args[0]) is int else None
