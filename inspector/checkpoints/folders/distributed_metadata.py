"""What ``.metadata`` of a distributed checkpoint says, from the inert nodes of its pickle.

Source: ``torch/distributed/checkpoint/metadata.py``: ``Metadata``, ``TensorStorageMetadata``,
``MetadataIndex``; ``_StorageInfo`` of ``filesystem.py``; ``planner_data`` as
``default_planner.py`` fills it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from inspector.checkpoints.describe import describe
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.geometry import integers
from inspector.checkpoints.model import PathPart
from inspector.checkpoints.pickle_nodes import DictNode, GlobalNode, ObjectNode
from inspector.checkpoints.torch_types import attributes, torch_dtype

Shape = tuple[int, ...]

#: Steps of a name that the planner keeps, at most.
_MAX_STEPS: Final = 64


@dataclass(frozen=True, slots=True)
class Place:
    """A run of a file.

    Attributes
    ----------
    offset, length
        In bytes.
    transforms
        What was done to its bytes, such as ``stream.zstd/1``; mostly empty.
    """

    file: str
    offset: int
    length: int
    transforms: str


@dataclass(frozen=True, slots=True)
class TensorRecord:
    """One tensor, as the metadata describe it.

    Attributes
    ----------
    starts, lengths
        Of its chunks, in elements.
    problem
        Why it makes no sense; mostly empty.
    """

    dtype: str
    shape: Shape
    starts: tuple[Shape, ...] = ()
    lengths: tuple[Shape, ...] = ()
    requires_grad: bool = False
    problem: str = ""


@dataclass(slots=True)
class DistributedMetadata:
    """All of it.

    Attributes
    ----------
    records
        By the tensor's or value's name; None for a value.
    paths
        The steps that a name was joined from, where the planner kept them.
    about
        What it says of itself.
    """

    records: dict[str, TensorRecord | None] = field(default_factory=dict)
    paths: dict[str, tuple[PathPart, ...]] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)

    def place(self, name: str, start: Shape | None) -> Place | None:
        """Where a value, or the chunk of a tensor that begins at ``start``, is."""
        found = self.places.get(_key(name, start))
        # Old versions did not say where the only chunk of a tensor begins.
        return found or self.places.get(_key(name, None))


def _key(name: str, start: Shape | None) -> str:
    # As text: files can be made so that many tuples of numbers have one hash.
    return name if start is None else f"{name}\0{','.join(map(str, start))}"


def read_metadata(root: object, opcodes: int) -> DistributedMetadata:
    """Understand the pickle of ``.metadata``.

    Parameters
    ----------
    opcodes
        Of the pickle: no more chunks are looked at.

    Raises
    ------
    CheckpointError
        If it is something else.
    """
    fields = _fields(root)
    described = fields.get("state_dict_metadata")
    if type(described) is not DictNode:
        raise CheckpointError(
            ".metadata is a pickle, but not one of torch.distributed.checkpoint.",
            advice="Look at how it was written.",
        )
    result = DistributedMetadata()
    budget = opcodes
    for name, node in described.pairs:
        if type(name) is not str:
            continue
        if _class(node).endswith("BytesStorageMetadata"):
            result.records[name] = None
        else:
            record = _tensor(node, budget)
            budget -= len(record.starts)
            result.records[name] = record
    for index, info in _pairs(fields.get("storage_data")):
        _add_place(result, index, info)
    for name, steps in _pairs(fields.get("planner_data")):
        path = _path(steps)
        if type(name) is str and path:
            result.paths[name] = path
    if type(fields.get("version")) is str:
        result.about["version"] = describe(fields["version"])
    about = _fields(fields.get("storage_meta"))
    for key in ("save_id", "modules"):
        if about.get(key):
            result.about[key] = describe(about[key])
    return result


def _class(node: object) -> str:
    callee = node.callee if type(node) is ObjectNode else None
    return callee.qualified if type(callee) is GlobalNode else ""


def _fields(node: object) -> dict[str, object]:
    """The attributes of a dataclass."""
    if type(node) is not ObjectNode or not node.states:
        return {}
    return dict(attributes(node.states[-1]))


def _pairs(node: object) -> list[tuple[object, object]]:
    return node.pairs if type(node) is DictNode else []


def _tensor(node: object, budget: int) -> TensorRecord:
    fields = _fields(node)
    properties = fields.get("properties")
    states = properties.states if type(properties) is ObjectNode else []
    state = states[-1] if states else None
    if type(state) is tuple and state:
        dtype, grad = torch_dtype(state[0]), len(state) > 2 and state[2] is True
    else:
        named = dict(attributes(state))
        dtype, grad = torch_dtype(named.get("dtype")), named.get("requires_grad") is True
    shape = integers(fields.get("size"))
    chunks = fields.get("chunks")
    if shape is None or (shape and min(shape) < 0) or type(chunks) is not list:
        return TensorRecord(dtype or "?", (), problem="Its description is damaged.")
    if not dtype:
        return TensorRecord("?", shape, problem="Its dtype is not known.")
    if len(chunks) > budget:
        return TensorRecord(dtype, shape, problem="It has more chunks than the file can describe.")
    starts, lengths = [], []
    for chunk in chunks:
        box = _fields(chunk)
        start, length = integers(box.get("offsets")), integers(box.get("sizes"))
        if start is None or length is None:
            return TensorRecord(dtype, shape, problem="The description of a chunk is damaged.")
        starts.append(start)
        lengths.append(length)
    return TensorRecord(dtype, shape, tuple(starts), tuple(lengths), grad)


def _add_place(result: DistributedMetadata, index: object, info: object) -> None:
    key, fields = _fields(index), _fields(info)
    name, file = key.get("fqn"), fields.get("relative_path")
    offset, length = fields.get("offset"), fields.get("length")
    if (
        type(name) is not str
        or type(file) is not str
        or type(offset) is not int
        or type(length) is not int
        or max(offset.bit_length(), length.bit_length()) > 63
    ):
        return
    claimed = key.get("offset")
    start = None if claimed is None else integers(claimed)
    transforms = fields.get("transform_descriptors")
    result.places[_key(name, start)] = Place(
        file, offset, length, describe(transforms) if transforms else ""
    )


def _path(steps: object) -> tuple[PathPart, ...]:
    """The steps of a name: keys and positions."""
    if type(steps) is not tuple or len(steps) > _MAX_STEPS:
        return ()
    for step in steps:
        if type(step) is not str and (type(step) is not int or step.bit_length() > 63):
            return ()
    return steps
