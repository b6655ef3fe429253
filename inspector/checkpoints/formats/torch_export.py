"""torch.export's archives (``.pt2``) of torch 2.6 and later, and those of torch 2.1 to 2.5.

``data/weights/<model>_weights_config.json`` describes the weights, whose storages are members by
themselves; ``data/constants`` does the same for constants and buffers that are in no state dict.
A tensor of a class of its own, and the sample inputs, are whole torch zips inside the archive.
Older archives are a zip of torch zips. Compiled code in a package of AOTInductor is named, and
never loaded.

Source: ``torch/export/pt2_archive/_package.py``, ``torch/_export/serde/schema.py`` and
``torch/export/__init__.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.geometry import integers, strided_problem
from inspector.checkpoints.model import ByteSource, Checkpoint, Finding, Storage, TensorEntry
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.rebuild import Path
from inspector.checkpoints.sources import LocalFile
from inspector.checkpoints.torch_archive import TorchArchive, parse_json, walk_pickle
from inspector.checkpoints.torch_recovery import MISSING, Recovery, recover
from inspector.checkpoints.walk import Walk
from inspector.checkpoints.zip_directory import LOCAL_SIGNATURE, ZipDirectory, first_name

_WEIGHTS: Final = "data/weights/"
_CONSTANTS: Final = "data/constants/"
_INPUTS: Final = "data/sample_inputs/"
_MODELS: Final = "models/"
_COMPILED: Final = "data/aotinductor/"

#: What an archive begins with, below its root.
_FIRST: Final = (_WEIGHTS, _CONSTANTS, _MODELS, _COMPILED, "archive_format")

#: The members of archives of torch 2.1 to 2.5, and what they are listed below. torch 2.1 gave
#: torch zips the suffix of JSON.
_OLD_MEMBERS: Final = (
    ("serialized_state_dict", ()),
    ("serialized_constants", ("constants",)),
    ("serialized_example_inputs", ("sample_inputs",)),
)
_OLD_MODEL: Final = "serialized_exported_program.json"

#: torch's dtype by the number in ``ScalarType`` of the schema.
_DTYPES: Final = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    9: "complex32",
    10: "complex64",
    11: "complex128",
    12: "bool",
    13: "bfloat16",
    28: "uint16",
    29: "float8_e4m3fn",
    30: "float8_e5m2",
    31: "float8_e4m3fnuz",
    32: "float8_e5m2fnuz",
    33: "float8_e8m0fnu",
    34: "uint32",
    35: "uint64",
}

_DAMAGED = "Its description in the file is damaged."

#: Members that one finding names, at most; and inputs and outputs.
_MAX_SHOWN: Final = 20


def sniff(head: bytes, source: ByteSource) -> bool:
    """Whether a file is an archive of torch.export, by its members."""
    name = first_name(head)
    if not name or name.endswith("/data.pkl"):
        return False
    root, _, first = name.partition("/")
    try:
        members = ZipDirectory(source).members
    except CheckpointError:
        # A download that stopped has no directory; what torch writes first is known.
        return first.startswith(_FIRST)
    return f"{root}/archive_format" in members or _OLD_MODEL in members


def open_file(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    """List an archive of torch.export.

    Raises
    ------
    CheckpointError
        If it can not be read.
    """
    lost: Recovery | None = None
    try:
        directory = ZipDirectory(file)
    except CheckpointError as error:
        lost = recover(file, check, error)
        directory = lost.directory
    old = _OLD_MODEL in directory.members
    root = "" if old else next(iter(directory.members), "").partition("/")[0] + "/"
    missing = MISSING if lost else ""
    archive = TorchArchive(directory, root, check, missing=missing)
    reader = _Reader(archive, check)
    metadata = archive.notes()
    if old:
        reader.list_old()
        reader.describe(_OLD_MODEL, metadata, "")
    else:
        reader.list_models(metadata)
        reader.note_compiled()
    if lost is not None:
        if not reader.walk.entries:
            raise CheckpointError(
                f"The file is cut short after {file.size:,} bytes, before the description of its "
                "tensors, which comes behind them.",
                advice=lost.reason.advice,
            )
        reader.findings.insert(0, lost.finding({}, reader.walk.entries))
    return Checkpoint(
        path=file.path,
        format="torch.export archive",
        size=file.size,
        entries=reader.walk.entries,
        values=reader.walk.values,
        imports=reader.walk.imports,
        metadata=metadata,
        findings=[*reader.findings, *archive.findings, *reader.walk.findings()],
        sources=(file,),
    )


class _Reader:
    """Lists the parts of an archive; what can not be read becomes a finding."""

    def __init__(self, archive: TorchArchive, check: Callable[[], None]) -> None:
        self.walk: Final = Walk(check)
        self.findings: Final[list[Finding]] = []
        self._archive: Final = archive
        self._check: Final = check
        self._names: Final = archive.names()
        self._storages: Final[dict[str, Storage | str | None]] = {}

    def list_old(self) -> None:
        """The torch zips of an archive of torch 2.1 to 2.5."""
        for stem, path in _OLD_MEMBERS:
            for name in (f"{stem}.pt", f"{stem}.json"):
                if self._archive.member(name) is not None:
                    self._nested(name, path)

    def list_models(self, metadata: dict[str, str]) -> None:
        """Weights, constants and sample inputs of each model; of several, below its name."""
        models = self._models()
        for model in models:
            place: Path = (model,) if len(models) > 1 else ()
            for folder, suffix, below in (
                (_WEIGHTS, "weights_config", ()),
                (_CONSTANTS, "constants_config", ("constants",)),
            ):
                name = f"{folder}{model}_{suffix}.json"
                if self._archive.member(name) is not None:
                    self._attempt(name, partial(self._config, name, folder, (*place, *below)))
                # before there was a description
                if self._archive.member(f"{folder}{model}.pt") is not None:
                    self._nested(f"{folder}{model}.pt", (*place, *below))
            inputs = f"{_INPUTS}{model}.pt"
            if self._archive.member(inputs) is not None:
                self._nested(inputs, (*place, "sample_inputs"))
            if self._archive.member(f"{_MODELS}{model}.json") is not None:
                label = f"{display_text(model, 40)}: " if place else ""
                self.describe(f"{_MODELS}{model}.json", metadata, label)
            compiled = f"{_COMPILED}{model}/weights_config.json"
            if self._archive.member(compiled) is not None:
                self._attempt(compiled, partial(self._compiled_weights, compiled, place))

    def describe(self, name: str, metadata: dict[str, str], label: str) -> None:
        """What the program says of itself."""
        self._attempt(
            name, lambda: self._describe(parse_json(self._archive, name), metadata, label)
        )

    def note_compiled(self) -> None:
        """Name the compiled code of an AOTInductor package."""
        code = [name for name in self._names if name.startswith(_COMPILED)]
        code = [name for name in code if not name.endswith(".json")]
        if code:
            shown = ", ".join(display_text(name, 100) for name in code[:_MAX_SHOWN])
            more = len(code) - _MAX_SHOWN
            self.findings.append(
                Finding(
                    "note",
                    f"It has {len(code):,} compiled files, which are never loaded here: {shown}"
                    f"{f' and {more:,} more' if more > 0 else ''}.",
                    _COMPILED,
                )
            )

    def _models(self) -> list[str]:
        """The names of the models, in the order in which the archive first mentions them."""
        found: dict[str, None] = {}
        for name in self._names:
            for folder, suffix in (
                (_WEIGHTS, "_weights_config.json"),
                (_CONSTANTS, "_constants_config.json"),
                (_MODELS, ".json"),
                (_WEIGHTS, ".pt"),
            ):
                if name.startswith(folder) and name.endswith(suffix):
                    found[name[len(folder) : len(name) - len(suffix)]] = None
            if name.startswith(_COMPILED) and "/" in name[len(_COMPILED) :]:
                found[name[len(_COMPILED) :].partition("/")[0]] = None
        return list(found)

    def _attempt(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except CheckpointError as error:
            self.findings.append(Finding("warning", error.message, display_text(name)))

    def _config(self, name: str, folder: str, place: Path) -> None:
        """List the tensors that a member describes in JSON."""
        config = parse_json(self._archive, name).get("config")
        if type(config) is not dict:
            raise CheckpointError("It describes no tensors.")
        self.walk.allow(self._archive.directory.members[self._archive.root + name].size)
        for key, record in config.items():
            payload = record.get("path_name") if type(record) is dict else None
            if type(payload) is not str or type(record) is not dict:
                self.walk.insert((*place, key), partial(_damaged, _DAMAGED))
            elif record.get("use_pickle") is True:
                self._nested_tensor(folder + payload, (*place, key))
            else:
                self.walk.insert((*place, key), partial(self._entry, folder + payload, record))

    def _entry(self, payload: str, record: dict[str, object], name: str, path: Path) -> TensorEntry:
        meta = record.get("tensor_meta")
        if type(meta) is not dict:
            return _damaged(_DAMAGED, name, path)
        shape, stride = _sizes(meta.get("sizes")), _sizes(meta.get("strides"))
        offset = _size(meta.get("storage_offset"))
        if shape is None or stride is None or type(offset) is not int or offset >= 1 << 63:
            return _damaged("Its shape, stride or offset is none.", name, path)
        number = meta.get("dtype")
        dtype = _DTYPES.get(number) if type(number) is int else None
        if dtype is None:
            return _damaged(f"Its dtype {display_text(str(number), 40)} is not known.", name, path)
        if payload not in self._storages:
            self._storages[payload] = self._archive.storage(payload, payload.rpartition("/")[2])
        storage = self._storages[payload]
        if isinstance(storage, Storage):
            nbytes = storage.nbytes
            problem = strided_problem(shape, stride, offset, ITEMSIZE[dtype], nbytes)
            if problem and not nbytes:
                # torch itself fills such a tensor with zeros.
                problem = "It was exported from a fake tensor, without numbers."
        else:
            problem = f"Its storage {storage or 'is not in the file'}."
        return TensorEntry(
            name=name,
            path=path,
            dtype=dtype,
            shape=shape,
            stride=stride,
            storage=storage if isinstance(storage, Storage) else None,
            storage_offset=offset,
            device=_device(meta.get("device")),
            requires_grad=meta.get("requires_grad") is True,
            details={"parameter": "yes"} if record.get("is_param") is True else {},
            problem=problem,
        )

    def _nested(self, name: str, place: Path) -> None:
        """List what a torch zip inside the archive holds."""
        self._attempt(name, lambda: self._list_nested(name, place))

    def _nested_tensor(self, name: str, place: Path) -> None:
        """The same for a tensor that has an archive of its own."""
        try:
            self._list_nested(name, place)
        except CheckpointError as error:
            self.walk.insert(place, partial(_damaged, error.message))

    def _list_nested(self, name: str, place: Path) -> None:
        member = self._archive.member(name)
        if member is None:
            raise CheckpointError("The archive has no such member, which it describes.")
        if member.problem:
            raise CheckpointError(f"It {member.problem}.")
        source = self._archive.source(member)
        if source.size < 4 or source.read(0, 4) != LOCAL_SIGNATURE:
            raise CheckpointError("It is no torch zip, and was not looked at.")
        # Its directory, too, is read as a whole.
        budget = self._archive.budget
        budget.spend(member)
        directory = ZipDirectory(source)
        root = first_root(directory)
        inner = TorchArchive(directory, root, self._check, budget=budget)
        inner.notes()
        pickle = inner.pickle("data.pkl")
        walk_pickle(self.walk, pickle, inner.rebuilder("data"), place)
        self.findings.extend(self.walk.judge(pickle.globals, display_text(name)))
        self.findings.extend(inner.findings)

    def _compiled_weights(self, name: str, place: Path) -> None:
        """List the weights of an AOTInductor package: each a torch zip, seen as the model does."""
        for key, record in parse_json(self._archive, name).items():
            payload = record[0] if type(record) is list and record else None
            if type(payload) is not str:
                self.walk.insert((*place, key), partial(_damaged, _DAMAGED))
            else:
                self._nested_tensor(_WEIGHTS + payload, (*place, key))

    def _describe(self, program: dict[str, object], metadata: dict[str, str], label: str) -> None:
        for key in ("torch_version", "schema_version", "opset_version"):
            value = program.get(key)
            if type(value) is dict:
                numbers = list(value.items())[:_MAX_SHOWN]
                if key == "schema_version":
                    value = ".".join(str(number) for _, number in numbers)
                else:
                    value = ", ".join(f"{word} {number}" for word, number in numbers)
            if type(value) is str or type(value) is int:
                metadata[label + key.replace("_", " ")] = display_text(str(value))
        module = program.get("graph_module")
        signature = module.get("signature") if type(module) is dict else None
        graph = module.get("graph") if type(module) is dict else None
        nodes = graph.get("nodes") if type(graph) is dict else None
        if type(nodes) is list:
            metadata[label + "graph"] = f"{len(nodes):,} nodes"
        if type(signature) is dict:
            for key, kind in (("input_specs", "user_input"), ("output_specs", "user_output")):
                names = _argument_names(signature.get(key), kind)
                if names:
                    metadata[label + key.removesuffix("_specs") + "s"] = display_text(names)


def first_root(directory: ZipDirectory) -> str:
    """The folder of data.pkl in an archive that torch.save wrote, with its slash.

    Raises
    ------
    CheckpointError
        If there is none.
    """
    root = next(iter(directory.members), "").partition("/")[0] + "/"
    if root + "data.pkl" not in directory.members:
        raise CheckpointError("It is a zip archive without data.pkl.")
    return root


def _damaged(problem: str, name: str, path: Path) -> TensorEntry:
    return TensorEntry(name, path, "?", (), (), None, problem=problem)


def _size(value: object) -> object:
    """``{"as_int": 3}``; anything else, such as a symbol, is no size of a stored tensor."""
    return value.get("as_int") if type(value) is dict else None


def _sizes(value: object) -> tuple[int, ...] | None:
    return integers([_size(item) for item in value]) if type(value) is list else None


def _device(value: object) -> str:
    if type(value) is not dict:
        return "?"
    kind, index = value.get("type"), value.get("index")
    return display_text(f"{kind}:{index}" if type(index) is int else str(kind), 40)


def _argument_names(specs: object, kind: str) -> str:
    """The names of a program's own inputs or outputs."""
    names = []
    for spec in specs[:1000] if type(specs) is list else []:
        own = spec.get(kind) if type(spec) is dict else None
        argument = own.get("arg") if type(own) is dict else None
        for value in argument.values() if type(argument) is dict else ():
            name = value.get("name") if type(value) is dict else None
            names.append(name if type(name) is str else "?")
    more = len(names) - _MAX_SHOWN
    return ", ".join(names[:_MAX_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
