"""Objects of the running program are listed as the file that torch makes of them is."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import enum
import gc
import threading
import types
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from inspector.checkpoints import Checkpoint, TensorEntry, TensorError, open_checkpoint
from inspector.checkpoints.errors import InspectorError
from inspector.values.from_python import to_numpy
from inspector.values.live import LiveObject, live_checkpoint
from inspector.values.regions import Region
from inspector.values.tensors import tensor_source

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*quantize.*:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*nested tensors:UserWarning"),
    pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning"),
    pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta:UserWarning"),
]


def names(value: object) -> list[str]:
    return [entry.name for entry in live_checkpoint(value).entries]


def values(value: object) -> dict[str, tuple[str, str]]:
    return {each.name: (each.type_name, each.text) for each in live_checkpoint(value).values}


def read(entry: TensorEntry) -> np.ndarray[Any, Any]:
    """Through the door, as the window does."""
    source = tensor_source(entry)
    return source.read(Region.whole(source.shape))


def outcome(entry: TensorEntry) -> np.ndarray[Any, Any] | str:
    """Its values, or why it has none in one array."""
    try:
        return read(entry)
    except TensorError as error:
        return error.message


class Plain(torch.Tensor):
    """A subclass with memory of its own."""


class Wrapper(torch.Tensor):
    """Like a DTensor: no numbers of its own."""

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Wrapper:
        made: Wrapper = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, (8, 2), dtype=inner.dtype
        )
        return made

    def __init__(self, inner: torch.Tensor) -> None:
        self._local_tensor = inner

    @classmethod
    def __torch_dispatch__(cls, *args: object, **kwargs: object) -> object:
        raise NotImplementedError


class Flattened(Wrapper):
    """A wrapper that says what it is made of."""

    def __init__(self, inner: torch.Tensor) -> None:
        self.codes, self.scale = inner.to(torch.int8), inner.sum()

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["codes", "scale"], None

    @staticmethod
    def __tensor_unflatten__(*_: object) -> torch.Tensor:
        raise NotImplementedError


def _nested(**options: Any) -> torch.Tensor:
    return torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(4, 3) * 2], **options)


def _per_channel() -> torch.Tensor:
    scales, zeros = torch.tensor([0.1, 0.2]).double(), torch.tensor([0, 1])
    return torch.quantize_per_channel(torch.rand(2, 3), scales, zeros, 0, torch.qint8)


def _packed() -> torch.Tensor:
    scales, zeros = torch.tensor([0.1, 0.2]), torch.tensor([1.0, 2.0])
    return torch.quantize_per_channel(torch.rand(2, 3), scales, zeros, 0, torch.quint4x2)


DIAGONAL = torch.eye(4) * torch.arange(1.0, 5)

KINDS: dict[str, Callable[[], torch.Tensor]] = {
    "dense": lambda: torch.randn(3, 4),
    "view": lambda: torch.randn(5, 6)[1:, ::2].t(),
    "conjugate": lambda: torch.randn(3, dtype=torch.complex64).conj(),
    "negative": lambda: torch.randn(3, dtype=torch.complex64).conj().imag,
    "requires grad": lambda: nn.Parameter(torch.ones(2)),
    "float8": lambda: torch.randn(4).to(torch.float8_e5m2),
    "uint16": lambda: torch.arange(3).to(torch.uint16),
    "quantized": lambda: torch.quantize_per_tensor(torch.rand(5), 0.25, 3, torch.quint8),
    "per channel": _per_channel,
    "packed": _packed,
    "coo": lambda: torch.sparse_coo_tensor(
        torch.tensor([[0, 0]]), torch.ones(2), (3,), check_invariants=True
    ),
    "coalesced": lambda: DIAGONAL.to_sparse(),
    "csr": lambda: DIAGONAL.to_sparse_csr(),
    "csc": lambda: DIAGONAL.to_sparse_csc(),
    "bsr": lambda: DIAGONAL.to_sparse_bsr((2, 2)),
    "bsc": lambda: DIAGONAL.to_sparse_bsc((2, 2)),
    "nested": _nested,
    "jagged": lambda: _nested(layout=torch.jagged),
    "ragged within": lambda: _nested(layout=torch.jagged).transpose(1, 2),
    "subclass": lambda: torch.arange(3.0).as_subclass(Plain),
    "wrapper": lambda: Wrapper(torch.arange(4.0)),
    "flattened": lambda: Flattened(torch.arange(4.0)),
}


def facts(entry: TensorEntry) -> tuple[object, ...]:
    """What a live entry and that of a file have to agree on."""
    return (
        entry.name,
        entry.path,
        entry.kind,
        entry.dtype,
        entry.shape,
        entry.stride,
        entry.storage_offset,
        entry.requires_grad,
        entry.is_conj,
        entry.is_neg,
        # a file says per_channel_affine in both cases
        {key: text.removesuffix("_float_qparams") for key, text in entry.details.items()},
        entry.problem,
        entry.quantizer,
        [facts(component) for component in entry.components],
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_as_in_its_file(tmp_path: Path, kind: str) -> None:
    tensor = KINDS[kind]()
    torch.save({"t": tensor}, tmp_path / "t.pt")
    stored = open_checkpoint(tmp_path / "t.pt")
    live = live_checkpoint({"t": tensor})
    assert [facts(entry) for entry in live.entries] == [facts(entry) for entry in stored.entries]
    assert not live.findings
    for ours, theirs in zip(live.entries, stored.entries, strict=True):
        pairs = [(ours, theirs), *zip(ours.components, theirs.components, strict=True)]
        for one, other in pairs:
            np.testing.assert_array_equal(outcome(one), outcome(other))


def test_a_plain_state_dict_is_as_in_its_file(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.LSTM(3, 4))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}
    torch.save(state, tmp_path / "t.pt")
    stored = open_checkpoint(tmp_path / "t.pt")
    for value in (state, {"model": model, "optimizer": optimizer, "epoch": 3}):
        live = live_checkpoint(value)
        assert [entry.name for entry in live.entries] == [entry.name for entry in stored.entries]
        for ours, theirs in zip(live.entries, stored.entries, strict=True):
            assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
            np.testing.assert_array_equal(read(ours), read(theirs))
        ours_values = {(each.name, each.type_name, each.text) for each in live.values}
        assert {(each.name, each.type_name, each.text) for each in stored.values} <= ours_values


class Tied(nn.Module):
    """One weight under two names, and buffers of both kinds."""

    kept: torch.Tensor
    passing: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("kept", torch.ones(2))
        self.register_buffer("passing", torch.zeros(2), persistent=False)
        self.register_parameter("none", None)
        self.beside = torch.full((2,), 7.0)
        self.nothing = nn.Dropout()
        self._secret = torch.ones(1)


def test_a_module_lists_tied_weights_and_every_buffer() -> None:
    model = Tied()
    live = live_checkpoint(model)
    found = {entry.name: entry for entry in live.entries}
    assert list(found) == ["kept", "passing", "embed.weight", "head.weight", "beside", "_secret"]
    assert found["embed.weight"].storage is found["head.weight"].storage
    assert found["kept"].storage is not found["passing"].storage
    assert found["head.weight"].requires_grad
    assert not live.values


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    "wrap",
    [
        torch.jit.script,
        torch.compile,
        nn.DataParallel,
        nn.utils.parametrizations.weight_norm,
    ],
    ids=["script", "compile", "data parallel", "parametrized"],
)
def test_modules_of_other_makes_are_named_as_in_their_state_dict(
    wrap: Callable[[nn.Module], nn.Module],
) -> None:
    model = wrap(nn.Linear(3, 2))
    live = live_checkpoint(model)
    state = model.state_dict()
    assert [entry.name for entry in live.entries] == list(state)
    for entry in live.entries:
        np.testing.assert_array_equal(read(entry), state[entry.name].numpy())


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")
def test_a_dtensor_shows_its_local_shard(tmp_path: Path) -> None:
    from torch import distributed
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_tensor

    store = distributed.FileStore(str(tmp_path / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        whole = torch.randn(8, 4)
        tensor = distribute_tensor(whole, init_device_mesh("cpu", (1,)), [Shard(0)])
        live = live_checkpoint({"t": tensor, "p": nn.Parameter(tensor)})
        for entry in live.entries:
            assert (entry.kind, entry.shape, entry.problem) == ("subclass", (8, 4), "")
            assert "DTensor" in entry.details["class"]
            (shard,) = entry.components
            assert shard.name == f"{entry.name}._local_tensor"
            np.testing.assert_array_equal(read(shard), whole.numpy())
        assert not live.values
        assert "local shard of a DTensor" in to_numpy(tensor).summary
    finally:
        distributed.destroy_process_group()


def test_no_code_of_a_user_is_called() -> None:
    class Guarded(nn.Linear):
        def refuse(self, *_: object, **__: object) -> Any:
            raise AssertionError

        state_dict = named_parameters = named_buffers = parameters = __repr__ = refuse

    class Loud(dict):  # type: ignore[type-arg]
        def items(self) -> Any:
            raise AssertionError

        __iter__ = __getitem__ = keys = __repr__ = __str__ = items

    class Odd:
        def __repr__(self) -> str:
            raise AssertionError

        __str__ = __repr__

        @property
        def __class__(self) -> Any:
            raise AssertionError

    class Count(int):
        def __repr__(self) -> str:
            raise AssertionError

        __str__ = __format__ = __repr__  # type: ignore[assignment]

    model = Guarded(2, 2)
    model.register_state_dict_pre_hook(lambda *_: pytest.fail("a hook was called"))
    optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    optimizer.register_state_dict_pre_hook(lambda *_: pytest.fail("a hook was called"))
    value = Loud(model=model, optimizer=optimizer, odd=Odd(), count=Count(5))
    live = live_checkpoint(value)
    assert [entry.name for entry in live.entries] == ["model.weight", "model.bias"]
    texts = {each.name: each.text for each in live.values}
    assert texts["count"] == "5"
    assert texts["odd"] == "an object"


class Pair(NamedTuple):
    left: torch.Tensor
    right: torch.Tensor


@dataclasses.dataclass
class Batch:
    inputs: torch.Tensor
    size: int


@dataclasses.dataclass(slots=True)
class Slotted:
    inputs: torch.Tensor


class Mood(enum.Enum):
    CALM = 1


def test_every_container() -> None:
    one = torch.ones(1)
    value = {
        "ordered": collections.OrderedDict(a=one),
        "default": collections.defaultdict(list, {"b": [one]}),
        "list": [one, (one, {"c": one})],
        "queue": collections.deque([one]),
        "pair": Pair(one, one),
        "batch": Batch(one, 8),
        "slots": Slotted(one),
        "space": argparse.Namespace(d=one),
        "simple": types.SimpleNamespace(e=one),
        "proxy": types.MappingProxyType({"f": one}),
        "user": collections.UserDict(g=one),
        (1, "k"): one,
        3: one,
        None: one,
    }
    assert names(value) == [
        "ordered.a",
        "default.b[0]",
        "list[0]",
        "list[1][0]",
        "list[1][1].c",
        "queue[0]",
        "pair.left",
        "pair.right",
        "batch.inputs",
        "slots.inputs",
        "space.d",
        "simple.e",
        "proxy.f",
        "user.g",
        "[(1, 'k')]",
        "[3]",
        "[None]",
    ]
    assert len({id(entry.storage) for entry in live_checkpoint(value).entries}) == 1


def test_plain_values() -> None:
    value = {
        "int": 3,
        "float": np.float64(0.1),
        "half": np.float16(0.5),
        "text": np.str_("é"),
        "list": [1, 2],
        "empty": [],
        "none": None,
        "set": {1},
        "mood": Mood.CALM,
        "dtype": torch.float32,
        "device": torch.device("cpu"),
        "size": torch.Size([2, 3]),
        "path": Path("/a/b"),
        "complex": 1 + 2j,
        "class": Batch,
        "code": torch.save,
        "object": object(),
    }
    found = values(value)
    assert {name: text for name, (_, text) in found.items()} == {
        "int": "3",
        "float": "0.1",
        "half": "0.5",
        "text": "é",
        "list": "[1, 2]",
        "empty": "[]",
        "none": "None",
        "set": "{1}",
        "mood": "Mood.CALM",
        "dtype": "torch.float32",
        "device": "cpu",
        "size": "torch.Size([2, 3])",
        "path": "/a/b",
        "complex": "(1+2j)",
        "class": f"{__name__}.Batch",
        "code": "torch.serialization.save",
        "object": "an object",
    }
    assert found["float"][0] == "numpy.float64"


def test_a_single_tensor_has_a_name() -> None:
    assert names(torch.ones(2)) == ["tensor"]
    assert names(np.ones(2)) == ["array"]
    assert names(torch.ones(2).untyped_storage()) == ["storage"]
    assert values(42) == {"value": ("int", "42")}


def test_cycles_end() -> None:
    loop: dict[str, Any] = {"w": torch.ones(1)}
    loop["again"] = [loop, {"deep": loop}]
    assert names(loop) == ["w"]
    model = nn.Module()
    model.inner = nn.Linear(1, 1)
    model.inner.outer = model
    assert names(model) == ["inner.weight", "inner.bias"]


def test_a_graph_that_unfolds_to_more_than_there_is_memory_is_cut() -> None:
    level: list[Any] = [torch.ones(1)]
    for _ in range(60):
        level = [level, level]
    live = live_checkpoint(level)
    assert live.entries
    assert any("not listed each time" in finding.message for finding in live.findings)


def test_deep_nesting_is_cut_in_words() -> None:
    value: list[Any] = [torch.ones(1)]
    for _ in range(100_000):
        value = [value]
    assert any("deeper" in finding.message for finding in live_checkpoint(value).findings)
    while value and isinstance(value[0], list):  # or its end would recurse
        value = value[0]


def test_arrays_and_tensors_of_one_memory_share_their_storage() -> None:
    array = np.arange(12.0).reshape(3, 4)
    live = live_checkpoint(
        {"a": array, "t": torch.from_numpy(array), "view": array[1:, ::-1], "o": np.arange(12.0)}
    )
    storages = [entry.storage for entry in live.entries]
    assert storages[0] is storages[1]
    assert storages[0] is storages[2]
    assert storages[0] is not storages[3]
    np.testing.assert_array_equal(read(live.entries[2]), array[1:, ::-1])


ARRAYS: dict[str, np.ndarray[Any, Any]] = {
    "plain": np.arange(24, dtype=np.int16).reshape(2, 3, 4),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "backwards": np.arange(24.0).reshape(4, 6)[::-1, ::-2],
    "big-endian": np.arange(5, dtype=">f4")[::-1],
    "broadcast": np.broadcast_to(np.arange(3), (4, 3)),
    "field": np.array([(1, 2.0), (3, 4.0)], [("i", "<i4"), ("x", "<f4")])["x"],
    "0-d": np.array(2.5),
    "empty": np.zeros((0, 2)),
    "strided over": np.lib.stride_tricks.as_strided(np.arange(6.0), (3, 2), (8, 16)),
    "unaligned": np.frombuffer(bytes(range(17)), np.uint8)[1:].view(np.float32),
    "recarray": np.arange(3.0).view(np.recarray),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_any_strides(name: str) -> None:
    array = ARRAYS[name]
    (entry,) = live_checkpoint([array]).entries
    assert not entry.problem
    assert (entry.shape, entry.dtype) == (array.shape, array.dtype.newbyteorder("=").name)
    np.testing.assert_array_equal(read(entry), array)
    if array.ndim == 2 and array.size:
        source = tensor_source(entry)
        part = Region((range(array.shape[0] - 1, -1, -1), array.shape[1] - 1))
        np.testing.assert_array_equal(source.read(part), np.asarray(array)[::-1, -1])


@pytest.mark.parametrize(
    ("array", "part"),
    [
        (np.zeros(2, [("x", "f4"), ("y", "f8")]), "structured array, with the fields x, y"),
        (np.array([None, "a"], object), "Python objects"),
        (np.array(["2020-01-01"], "M8[D]"), "datetime64"),
        (np.array(["abc"]), "no dtype"),
        (np.zeros(2, np.longdouble), "no dtype"),
        (np.zeros(3, [("x", "i1"), ("y", "<f4")])["y"], "apart"),
    ],
    ids=["structured", "object", "date", "text", "long", "odd strides"],
)
def test_other_arrays_have_a_problem_in_words(array: np.ndarray[Any, Any], part: str) -> None:
    live = live_checkpoint({"a": array})
    (entry,) = live.entries
    assert part in entry.problem
    assert entry.shape == array.shape
    assert [finding.where for finding in live.findings] == ["a"]
    with pytest.raises(TensorError, match=part):
        tensor_source(entry)


def test_meta_and_fake_tensors_have_no_data() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        fake = torch.empty(3, 4)
    live = live_checkpoint({"meta": torch.empty(2, device="meta"), "fake": fake})
    assert [(entry.kind, entry.shape) for entry in live.entries] == [
        ("meta", (2,)),
        ("meta", (3, 4)),
    ]
    assert not live.findings
    assert all("without numbers" in entry.problem for entry in live.entries)


def test_what_stands_for_numbers_that_are_nowhere_has_a_problem_in_words() -> None:
    seen: list[TensorEntry] = []

    def look(tensor: torch.Tensor) -> torch.Tensor:
        seen.extend(live_checkpoint([tensor]).entries)
        return tensor.sum()

    torch.func.vmap(look)(torch.ones(2, 3))
    torch.func.grad(look)(torch.ones(3))
    assert [entry.shape for entry in seen] == [(3,), (3,)]
    assert all("torch.func" in entry.problem for entry in seen)
    lazy = live_checkpoint(nn.LazyLinear(3)).entries
    assert [entry.name for entry in lazy] == ["weight", "bias"]
    assert all("uninitialized" in entry.problem for entry in lazy)


def test_a_subclass_whose_own_code_fails_has_a_problem_in_words() -> None:
    class Broken(Flattened):
        def __tensor_flatten__(self) -> Any:
            raise LookupError("no more parts")

    entry, *parts = live_checkpoint([Broken(torch.ones(2))]).entries
    assert [part.name for part in parts] == ["[0].codes", "[0].scale"]
    assert entry.problem == "A Broken that does not say what it holds: no more parts"


def test_a_freed_storage_is_told() -> None:
    tensor = torch.ones(1000)
    live = live_checkpoint({"w": tensor})
    tensor.untyped_storage().resize_(0)
    with pytest.raises(TensorError, match="freed or made smaller"):
        read(live.entries[0])
    with pytest.raises(TensorError, match="freed or made smaller"):
        to_numpy(live.entries[0])
    (again,) = live_checkpoint({"w": tensor}).entries
    assert "0 of the 4,000 bytes" in again.problem


def test_values_are_those_of_the_moment() -> None:
    tensor = torch.zeros(3)
    (entry,) = live_checkpoint([tensor]).entries
    before = read(entry)
    tensor += 1
    assert before.tolist() == [0, 0, 0]
    assert read(entry).tolist() == [1, 1, 1]
    tensor.data = torch.full((2000,), 5.0)  # the old memory is still there
    assert read(entry).tolist() == [1, 1, 1]


def test_nothing_is_changed() -> None:
    model = Tied()
    optimizer = torch.optim.Adam(model.parameters())
    model.head(model.embed(torch.tensor([1]))).sum().backward()
    optimizer.step()
    tensors = [*model.parameters(), *model.buffers()]
    before = [(each._version, each.data_ptr(), each.detach().clone()) for each in tensors]
    keys = set(vars(model)), set(optimizer.state), len(optimizer.param_groups[0])
    live = live_checkpoint({"m": model, "o": optimizer})
    for entry in live.entries:
        read(entry)
        to_numpy(entry)
    after = [(each._version, each.data_ptr(), each.detach()) for each in tensors]
    assert [each[:2] for each in before] == [each[:2] for each in after]
    assert all(torch.equal(one[2], other[2]) for one, other in zip(before, after, strict=True))
    assert keys == (set(vars(model)), set(optimizer.state), len(optimizer.param_groups[0]))


def test_closing_lets_go_of_every_tensor() -> None:
    memory = np.ones(1000, np.float32)
    held = {
        "shared": torch.from_numpy(memory),
        "array": np.ones(5),
        "model": nn.Linear(2, 2),
        "sparse": torch.eye(3).to_sparse(),
    }
    watched = [weakref.ref(each) for each in (memory, *held.values(), *held["model"].parameters())]  # type: ignore[operator]
    value = LiveObject(held)
    live: Checkpoint = value.look()
    for entry in live.entries:
        if entry.storage is not None:
            read(entry)
    del memory, held
    live.close()
    value.release()
    with pytest.raises(TensorError, match="not held any more"):
        read(live.entries[0])
    with pytest.raises(InspectorError, match="not held any more"):
        value.look()
    gc.collect()
    assert [each() for each in watched] == [None] * len(watched)


def test_listing_does_not_hold_the_tensors_themselves() -> None:
    tensor = torch.ones(3)
    watched = weakref.ref(tensor)
    live = live_checkpoint([tensor])
    del tensor
    gc.collect()
    assert watched() is None
    assert read(live.entries[0]).tolist() == [1, 1, 1]


def test_a_cancelled_look_raises() -> None:
    from inspector.checkpoints.errors import Cancelled

    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        LiveObject([torch.ones(1) for _ in range(5000)]).look(stop)


def test_dictionaries_may_grow_while_they_are_looked_at() -> None:
    value = {f"k{n}": torch.ones(1) for n in range(3000)}
    grow = threading.Event()

    def check() -> None:
        if not grow.is_set():
            value.update({f"new{n}": torch.ones(1) for n in range(3000)})
            grow.set()

    assert len(LiveObject(value).look(check).entries) == 3000
    assert grow.is_set()


def test_titles() -> None:
    assert LiveObject(torch.ones(1)).name == "live: Tensor"
    assert LiveObject(nn.Linear(1, 1), "the encoder/2").name == "the encoder/2 — live: Linear"
