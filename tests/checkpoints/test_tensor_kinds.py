"""Each way in which torch describes a tensor, on files that torch wrote."""

from __future__ import annotations

import collections
import dataclasses
import functools
import pickle
import warnings
from pathlib import Path
from typing import Any

import hostile_pickles as made
import numpy as np
import pytest
import torch

from inspector.checkpoints import Checkpoint, TensorEntry, open_checkpoint
from inspector.checkpoints.geometry import packed_problem, strided_problem
from inspector.checkpoints.model import Quantizer
from inspector.values.regions import Region
from inspector.values.tensors import tensor_source

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*quantize.*:UserWarning"),
    pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*nested tensors:UserWarning"),
    pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta:UserWarning"),
]


def saved(tmp_path: Path, value: Any, **options: Any) -> Checkpoint:
    path = tmp_path / "saved.pt"
    torch.save(value, path, **options)
    return open_checkpoint(path)


def one(tmp_path: Path, value: Any) -> TensorEntry:
    (entry,) = saved(tmp_path, {"t": value}).entries
    return entry


def numbers(entry: TensorEntry) -> torch.Tensor:
    """A dense entry as torch's tensor, made of nothing but the entry."""
    storage = entry.storage
    assert storage is not None
    assert not entry.problem
    raw = bytearray(storage.source.read(storage.offset, storage.nbytes))
    flat = torch.frombuffer(raw, dtype=getattr(torch, entry.dtype))
    return flat.as_strided(entry.shape, entry.stride, entry.storage_offset)


def parts(entry: TensorEntry) -> dict[str, torch.Tensor]:
    for component in entry.components:
        assert component.name.startswith(f"{entry.name}.")
        assert component.path[:-1] == entry.path
    return {str(component.path[-1]): numbers(component) for component in entry.components}


@pytest.mark.parametrize("layout", ["csr", "csc", "bsr", "bsc"])
def test_compressed_sparse_layouts(tmp_path: Path, layout: str) -> None:
    dense = torch.eye(4) * torch.arange(1.0, 5)
    blocks = {"blocksize": (2, 2)} if layout.startswith("b") else {}
    tensor = getattr(dense, f"to_sparse_{layout}")(**blocks)
    entry = one(tmp_path, tensor)
    assert entry.kind == f"sparse_{layout}"
    assert (entry.shape, entry.dtype) == ((4, 4), "float32")
    rows = layout in ("csr", "bsr")
    names = ("crow_indices", "col_indices") if rows else ("ccol_indices", "row_indices")
    found = parts(entry)
    assert list(found) == [*names, "values"]
    for name in found:
        assert torch.equal(found[name], getattr(tensor, name)())


def test_coordinates_say_whether_they_are_coalesced(tmp_path: Path) -> None:
    indices, values = torch.tensor([[0, 0]]), torch.ones(2)
    tensor = torch.sparse_coo_tensor(indices, values, (3,), check_invariants=True)
    assert one(tmp_path, tensor).details["coalesced"] == "no"
    entry = one(tmp_path, tensor.coalesce())
    assert entry.details["coalesced"] == "yes"
    assert list(parts(entry)) == ["indices", "values"]


def test_quantized_by_channel(tmp_path: Path) -> None:
    scales, zeros = torch.tensor([0.1, 0.2]).double(), torch.tensor([0, 1])
    tensor = torch.quantize_per_channel(torch.rand(2, 3), scales, zeros, 0, torch.qint8)
    entry = one(tmp_path, tensor)
    assert (entry.kind, entry.dtype, entry.shape) == ("quantized", "qint8", (2, 3))
    assert entry.details == {"scheme": "per_channel_affine", "axis": "0"}
    assert entry.quantizer == Quantizer(axis=0)
    found = parts(entry)
    assert torch.equal(found["int_repr"], tensor.int_repr())
    assert torch.equal(found["scales"], scales)
    assert torch.equal(found["zero_points"], zeros)


@pytest.mark.parametrize("dtype", [torch.quint8, torch.qint8, torch.qint32])
def test_quantized_as_a_whole(tmp_path: Path, dtype: torch.dtype) -> None:
    tensor = torch.quantize_per_tensor(torch.rand(5), 0.25, 3, dtype)
    entry = one(tmp_path, tensor)
    assert (entry.kind, f"torch.{entry.dtype}") == ("quantized", str(dtype))
    assert entry.details == {"scheme": "per_tensor_affine", "scale": "0.25", "zero_point": "3"}
    assert entry.storage is not None
    assert entry.storage.source.read(0, entry.nbytes) == tensor.int_repr().numpy().tobytes()


def test_the_scale_of_a_quantizer_has_all_its_digits(tmp_path: Path) -> None:
    scale = 0.1 + 2**-40
    tensor = torch.quantize_per_tensor(torch.rand(5), scale, 3, torch.qint8)
    assert one(tmp_path, tensor).quantizer == Quantizer(scale, 3)


@pytest.mark.parametrize(("name", "per_byte"), [("quint4x2", 2), ("quint2x4", 4)])
def test_several_quantized_numbers_in_a_byte(tmp_path: Path, name: str, per_byte: int) -> None:
    tensor = torch.quantize_per_tensor(torch.rand(3, 5), 0.1, 3, getattr(torch, name))
    entry = one(tmp_path, tensor)
    assert (entry.dtype, entry.shape, entry.problem) == (name, (3, 5), "")
    assert entry.nbytes == tensor.int_repr().numel() == -(-15 // per_byte)
    scales, zeros = torch.rand(3), torch.rand(3)
    tensor = torch.quantize_per_channel(torch.rand(3, 5), scales, zeros, 0, getattr(torch, name))
    entry = one(tmp_path, tensor)
    assert (entry.problem, entry.quantizer) == ("", Quantizer(axis=0))
    assert torch.equal(parts(entry)["int_repr"], tensor.int_repr())


def test_packed_numbers_have_to_be_there_and_in_order() -> None:
    assert packed_problem((3, 5), (5, 1), 0, 2, 8) == ""
    assert "byte 8 of its storage, of which the file has 7" in packed_problem(
        (3, 5), (5, 1), 0, 2, 7
    )
    assert "byte 9" in packed_problem((3, 5), (5, 1), 1, 2, 8)
    assert "packed" in packed_problem((5, 3), (1, 5), 0, 2, 8)
    assert packed_problem((1, 0), (7, 7), 0, 2, 0) == ""
    assert "before" in packed_problem((1,), (1,), -1, 4, 8)


def qtensor(scheme: bytes) -> bytes:
    storage = b"(" + made.text("storage") + b"ctorch\nQInt8Storage\n" + made.text("0")
    storage += made.text("cpu") + b"K\x02tQ"
    data = b"\x80\x02ctorch._utils\n_rebuild_qtensor\n(" + storage + b"K\0K\x02\x85K\x01\x85"
    return data + scheme + b"\x89}tR."


def test_channels_as_lists_as_before_torch_1_4(tmp_path: Path) -> None:
    numbers = b"](G\x3f\xb9\x99\x99\x99\x99\x99\x9aG\x3f\xe0\0\0\0\0\0\0e](K\x03K\x04e"
    scheme = b"(ctorch\nper_channel_affine\n" + numbers + b"K\0t"
    path = made.archive(tmp_path / "a.pt", qtensor(scheme), s0=bytes(2))
    (entry,) = open_checkpoint(path).entries
    assert (entry.problem, entry.quantizer) == ("", Quantizer(axis=0))
    found = parts(entry)
    assert found["scales"].tolist() == [0.1, 0.5]
    assert found["zero_points"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("scheme", "quantizer"),
    [
        (b"(ctorch\nper_tensor_symmetric\nG\x3f\xe0\0\0\0\0\0\0K\0t", Quantizer(0.5, 0)),
        (
            b"(ctorch\nper_channel_symmetric\n](G\x3f\xe0\0\0\0\0\0\0e](K\0eK\0t",
            Quantizer(axis=0),
        ),
    ],
)
def test_symmetric_schemes(tmp_path: Path, scheme: bytes, quantizer: Quantizer) -> None:
    path = made.archive(tmp_path / "a.pt", qtensor(scheme), s0=bytes(2))
    (entry,) = open_checkpoint(path).entries
    assert (entry.problem, entry.quantizer) == ("", quantizer)


@pytest.mark.parametrize(
    "scheme",
    [
        b"(ctorch\nper_tensor_affine\n" + made.text("0.1") + b"K\x03t",
        b"(ctorch\nper_tensor_affine\nK\x01K\x03t",
        b"(ctorch\nper_tensor_affine\nG\x3f\xe0\0\0\0\0\0\0Nt",
        b"(ctorch\nper_channel_affine\n](G\x3f\xe0\0\0\0\0\0\0e](K\x03eK\x07t",
    ],
    ids=["scale of text", "scale of an integer", "no zero point", "no such axis"],
)
def test_a_quantizer_that_makes_no_sense(tmp_path: Path, scheme: bytes) -> None:
    path = made.archive(tmp_path / "a.pt", qtensor(scheme), s0=bytes(2))
    (entry,) = open_checkpoint(path).entries
    assert (entry.problem, entry.quantizer) == ("", None)


def test_channels_that_are_no_numbers(tmp_path: Path) -> None:
    scheme = b"(ctorch\nper_channel_affine\n](" + made.text("x") + b"e](K\x03eK\0t"
    path = made.archive(tmp_path / "a.pt", qtensor(scheme), s0=bytes(2))
    (entry,) = open_checkpoint(path).entries
    assert entry.problem == "Its scales are no numbers."


def test_nested(tmp_path: Path) -> None:
    pieces = [torch.ones(2, 3), torch.ones(4, 3) * 2]
    entry = one(tmp_path, torch.nested.nested_tensor(pieces))
    assert (entry.kind, entry.shape, entry.details["pieces"]) == ("nested", (2,), "2")
    found = parts(entry)
    assert torch.equal(found["values"], torch.cat([piece.flatten() for piece in pieces]))
    assert found["sizes"].tolist() == [[2, 3], [4, 3]]
    jagged = one(tmp_path, torch.nested.nested_tensor(pieces, layout=torch.jagged))
    assert (jagged.kind, jagged.shape, jagged.details["layout"]) == ("nested", (2,), "jagged")
    found = parts(jagged)
    assert torch.equal(found["values"], torch.cat(pieces))
    assert found["offsets"].tolist() == [0, 2, 6]
    turned = torch.nested.nested_tensor(pieces, layout=torch.jagged).transpose(1, 2)
    assert one(tmp_path, turned).details["ragged axis"] == "2"


class Tagged(torch.Tensor):
    """A subclass that torch does not know."""


def test_subclasses_and_what_python_hung_on_them(tmp_path: Path) -> None:
    tensor = torch.arange(3.0).as_subclass(Tagged)
    tensor.extra = torch.ones(2)  # type: ignore[attr-defined]
    tensor.note = "a note"  # type: ignore[attr-defined]
    parameter = torch.nn.Parameter(torch.ones(4))
    parameter.state = {"deep": [torch.ones(5)]}  # type: ignore[attr-defined]
    checkpoint = saved(tmp_path, {"t": tensor, "p": parameter})
    found = {entry.name: entry for entry in checkpoint.entries}
    assert list(found) == ["t", "t.extra", "p", "p.state.deep[0]"]
    assert "Tagged" in found["t"].details["class"]
    assert torch.equal(numbers(found["t"]), torch.arange(3.0))
    assert found["p"].requires_grad
    assert [(value.name, value.text) for value in checkpoint.values] == [("t.note", "a note")]


class Wrapper(torch.Tensor):
    """Like a DTensor: no numbers of its own."""

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Wrapper:
        made_now: Wrapper = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, (8, 2), dtype=inner.dtype
        )
        return made_now

    def __init__(self, inner: torch.Tensor) -> None:
        self._local_tensor = inner
        self.placement = "shard"

    @classmethod
    def __torch_dispatch__(cls, *args: object, **kwargs: object) -> object:
        raise NotImplementedError


def test_wrappers_show_what_they_wrap(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path, {"t": Wrapper(torch.arange(4.0))})
    (entry,) = checkpoint.entries
    assert (entry.kind, entry.shape) == ("subclass", (8, 2))
    assert "Wrapper" in entry.details["class"]
    assert torch.equal(parts(entry)["_local_tensor"], torch.arange(4.0))
    assert [(value.name, value.text) for value in checkpoint.values] == [("t.placement", "shard")]


def test_devices_without_storages(tmp_path: Path) -> None:
    data = b"\x80\x02ctorch._utils\n_rebuild_device_tensor_from_cpu_tensor\n("
    data += made.tensor("0") + b"ctorch\nfloat32\n" + made.text("xla:1") + b"\x88tR."
    (entry,) = open_checkpoint(made.archive(tmp_path / "a.pt", data, s0=bytes(8))).entries
    assert (entry.device, entry.requires_grad, entry.problem) == ("xla:1", True, "")


def test_the_first_rebuild_function_and_other_devices(tmp_path: Path) -> None:
    storage = b"(" + made.text("storage") + b"ctorch.cuda\nHalfStorage\n" + made.text("0")
    storage += made.text("cuda:3") + b"K\x02tQ"
    data = b"\x80\x02ctorch._utils\n_rebuild_tensor\n(" + storage + b"K\0K\x02\x85K\x01\x85tR."
    (entry,) = open_checkpoint(made.archive(tmp_path / "a.pt", data, s0=bytes(4))).entries
    assert (entry.device, entry.dtype, entry.problem) == ("cuda:3", "float16", "")
    assert not entry.requires_grad


def test_storages_by_themselves(tmp_path: Path) -> None:
    storage = torch.arange(3.0).untyped_storage()
    first, second = saved(tmp_path, {"s": storage, "again": storage}).entries
    assert (first.name, first.shape, first.dtype) == ("s", (12,), "uint8")
    assert first.storage is second.storage
    assert bytes(storage) == numbers(first).numpy().tobytes()


@pytest.mark.parametrize("protocol", range(2, 6))
def test_numpy_arrays(tmp_path: Path, protocol: int) -> None:
    arrays = {
        "c": np.arange(6.0).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
        "big": np.arange(3, dtype=">u4"),
        "bool": np.array([True, False]),
        "complex": np.array([1 + 2j]),
        "half": np.arange(3, dtype=np.float16),
        "empty": np.zeros((0, 4)),
        "scalar": np.array(5),
    }
    texts = {"texts": np.array(["ab", "c"]), "dates": np.array(["2020-01-01"], "M8[D]")}
    objects = {"objects": np.array([torch.ones(2), None], dtype=object)}
    checkpoint = saved(tmp_path, arrays | texts | objects, pickle_protocol=protocol)
    found = {entry.name: entry for entry in checkpoint.entries}
    assert list(found) == [*arrays, "objects[0]"]
    for name, array in arrays.items():
        entry = found[name]
        assert not entry.problem
        assert entry.dtype == array.dtype.newbyteorder("=").name
        assert entry.shape == array.shape
        if array.size:
            step = tuple(number // array.itemsize for number in array.strides)
            assert entry.stride == step
        assert entry.storage is not None
        assert entry.storage.byteorder == ("big" if name == "big" else "little")
        assert entry.storage.source.read(0, entry.storage.nbytes) == array.tobytes("A")
    values = {value.name: value.text for value in checkpoint.values}
    assert "U2" in values["texts"]
    assert "(1,)" in values["dates"]


def test_numpy_scalars(tmp_path: Path) -> None:
    scalars = {
        "f8": np.float64(0.1),
        "f4": np.float32(1.5),
        "f2": np.float16(0.5),
        "i8": np.int64(-3),
        "u1": np.uint8(200),
        "b": np.bool_(True),
        "c": np.complex64(1 + 2j),
        "u": np.str_("héllo"),
    }
    checkpoint = saved(tmp_path, scalars)
    values = {value.name: (value.type_name, value.text) for value in checkpoint.values}
    assert values == {
        "f8": ("numpy.float64", "0.1"),
        "f4": ("numpy.float32", "1.5"),
        "f2": ("numpy.float16", "0.5"),
        "i8": ("numpy.int64", "-3"),
        "u1": ("numpy.uint8", "200"),
        "b": ("numpy.bool", "True"),
        "c": ("numpy.complex64", "(1+2j)"),
        "u": ("numpy.U5", "héllo"),
    }


class Tree(collections.OrderedDict):  # type: ignore[type-arg]
    """A subclass that nobody has."""


class Slotted:
    __slots__ = ("weight",)

    def __init__(self) -> None:
        self.weight = torch.ones(3)

    def __getstate__(self) -> tuple[None, dict[str, object]]:
        return None, {"weight": self.weight}


@pytest.mark.parametrize("protocol", range(2, 6))
def test_every_container(tmp_path: Path, protocol: int) -> None:
    weight = torch.ones(1)
    value = {
        "ordered": collections.OrderedDict(a=weight),
        "default": collections.defaultdict(list, {"b": [weight]}),
        "subclass": Tree(c=weight),
        "queue": collections.deque([weight]),
        "set": {1, 2},
        "frozen": frozenset({"x"}),
        "slots": Slotted(),
        "tuple": (weight, {"d": weight}),
        (1, "k"): weight,
        None: weight,
        2.5: weight,
        True: weight,
        torch.float32: weight,
    }
    checkpoint = saved(tmp_path, value, pickle_protocol=protocol)
    assert [entry.name for entry in checkpoint.entries] == [
        "ordered.a",
        "default.b[0]",
        "subclass.c",
        "queue[0]",
        "slots.weight",
        "tuple[0]",
        "tuple[1].d",
        "[(1, 'k')]",
        "[None]",
        "[2.5]",
        "[True]",
        "[torch.float32]",
    ]
    values = {item.name: (item.type_name, item.text) for item in checkpoint.values}
    assert values["set"] == ("set", "{1, 2}")
    assert values["frozen"][1] == "{'x'}"


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    """Python gives it a list of its fields for a state."""

    weight: torch.Tensor
    step: int


class Stated:
    """Its state is whatever it is given."""

    def __init__(self, state: object) -> None:
        self.held = state

    def __getstate__(self) -> object:
        return self.held

    def __setstate__(self, state: object) -> None:
        self.held = state


@pytest.mark.parametrize("legacy", [False, True])
def test_states_that_are_no_attributes(tmp_path: Path, legacy: bool) -> None:
    weight = torch.arange(3.0)
    value = {
        "frozen": Frozen(weight, 7),
        "tensor": Stated(weight + 1),
        "list": Stated([weight + 2, Stated(weight + 3)]),
        "pair": Stated((weight + 4, {"slot": weight + 5})),
        "partial": functools.partial(print, weight + 6, end=weight + 7),
    }
    checkpoint = saved(tmp_path, value, _use_new_zipfile_serialization=not legacy)
    found = {entry.name: numbers(entry)[0].item() for entry in checkpoint.entries}
    assert found == {
        "frozen.state[0]": 0,
        "tensor.state": 1,
        "list.state[0]": 2,
        "list.state[1].state": 3,
        "pair.state": 4,
        "pair.slot": 5,
        "partial.state[1][0]": 6,
        "partial.state[2].end": 7,
    }
    assert ("frozen.state[1]", "7") in [(value.name, value.text) for value in checkpoint.values]


def test_a_tensors_state_that_is_no_attributes(tmp_path: Path) -> None:
    inner = made.tensor("0")
    for state in (inner, b"(" + inner + b"N\x86l", b"N"):
        data = b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(cbuiltins\nprint\ncm\nT\n)"
        data += state + b"tR."
        path = made.archive(tmp_path / "a.pt", data, s0=bytes(8))
        names = [entry.name for entry in open_checkpoint(path).entries]
        assert names[0] == "tensor"
        assert len(names) == (1 if state == b"N" else 2)


def test_a_module_quantized_dynamically(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.ao.quantization.quantize_dynamic(
            torch.nn.Sequential(torch.nn.Linear(3, 4)), {torch.nn.Linear}, dtype=torch.qint8
        )
        checkpoint = saved(tmp_path, model)
    weight, bias = checkpoint.entries
    assert weight.kind == "quantized"
    assert weight.name == "0._packed_params._packed_params.state[0][0]"
    source = tensor_source(weight)
    array = source.read(Region.whole(source.shape))
    assert np.array_equal(array, model[0].weight().dequantize().numpy())
    assert torch.equal(numbers(bias), model[0].bias())


def test_tensors_as_keys_have_names_to_type(tmp_path: Path) -> None:
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(3)).sum().backward()
    optimizer.step()
    found = {entry.name: entry for entry in saved(tmp_path, optimizer).entries}
    states = optimizer.state
    for index, parameter in enumerate((layer.weight, layer.bias)):
        assert torch.equal(numbers(found[f"state[key {index}]"]), parameter.detach())
        average = numbers(found[f"state[value {index}].exp_avg"])
        assert torch.equal(average, states[parameter]["exp_avg"])


def test_items_of_python_2(tmp_path: Path) -> None:
    data = b"\x80\x02ccollections\nOrderedDict\n]](U\x01a" + made.tensor("0") + b"ea\x85R."
    (entry,) = open_checkpoint(made.archive(tmp_path / "a.pt", data, s0=bytes(8))).entries
    assert entry.name == "a"


@pytest.mark.parametrize("protocol", [0, 1])
def test_objects_of_the_oldest_protocols(tmp_path: Path, protocol: int) -> None:
    pickled = pickle.dumps({"n": Plain()}, protocol)
    checkpoint = open_checkpoint(made.archive(tmp_path / "a.pt", pickled))
    values = {value.name: value.text for value in checkpoint.values}
    assert values == {"n.rate": "0.5", "n.steps": "[1, 2]"}


class Plain:
    def __init__(self) -> None:
        self.rate = 0.5
        self.steps = [1, 2]


def test_modules_are_named_as_in_their_state_dict(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    checkpoint = saved(tmp_path, model)
    state = model.state_dict()
    assert [entry.name for entry in checkpoint.entries] == list(state)
    for entry in checkpoint.entries:
        assert torch.equal(numbers(entry), state[entry.name])
    values = {value.name for value in checkpoint.values}
    assert "0.kernel_size" in values
    assert not any("_hooks" in name for name in values)
    nested = saved(tmp_path, {"model": model, "more": [model]})
    assert nested.entries[0].name == "model.0.weight"
    assert nested.entries[7].name == "more[0].0.weight"


def test_tied_weights_share_their_storage(tmp_path: Path) -> None:
    weight = torch.nn.Parameter(torch.ones(2, 2))
    checkpoint = saved(tmp_path, {"embed": weight, "head": weight, "row": weight.detach()[1]})
    storages = {id(entry.storage) for entry in checkpoint.entries}
    assert len(checkpoint.entries) == 3
    assert len(storages) == 1


def test_lists_of_numbers_are_one_value(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path, {"losses": [0.5] * 10_000, "betas": (0.9, 0.999), "none": []})
    values = {value.name: value for value in checkpoint.values}
    assert list(values) == ["losses", "betas", "none"]
    assert values["betas"].text == "(0.9, 0.999)"
    assert "10,000 items" in values["losses"].text
    assert len(values["losses"].text) <= 400
    assert values["none"].text == "[]"


def test_lengths_that_numpy_can_not_multiply_are_a_problem_also_without_elements() -> None:
    assert "63 bits" in strided_problem((0, 1 << 62), (1, 1), 0, 4, 0)
    assert "63 bits" in strided_problem((1 << 61,), (0,), 0, 8, 8)
    assert strided_problem((0, 1 << 60), (1, 1), 0, 4, 0) == ""
    assert strided_problem((1 << 40,), (0,), 0, 4, 4) == ""
