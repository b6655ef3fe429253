"""ONNX models written by onnx: listing and values equal `onnx.numpy_helper`'s."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from inspector.checkpoints import Checkpoint, CheckpointError, InspectorError, open_checkpoint
from inspector.checkpoints.model import TensorEntry
from inspector.values.regions import Region
from inspector.values.tensors import tensor_source

PLAIN = [
    "FLOAT UINT8 INT8 UINT16 INT16 INT32 INT64 BOOL FLOAT16 DOUBLE UINT32 UINT64 COMPLEX64",
    "COMPLEX128 BFLOAT16 FLOAT8E4M3FN FLOAT8E4M3FNUZ FLOAT8E5M2 FLOAT8E5M2FNUZ",
]
KINDS = " ".join(PLAIN).split()
PACKED = ["UINT4", "INT4", "FLOAT4E2M1"]


def values(checkpoint: Checkpoint, name: str) -> np.ndarray[Any, Any]:
    entry = checkpoint.find(name)
    assert isinstance(entry, TensorEntry), [entry.name for entry in checkpoint.entries]
    assert entry.problem == ""
    source = tensor_source(entry)
    return source.read(Region.whole(source.shape))


def model(*tensors: TensorProto, nodes: tuple[Any, ...] = (), **more: Any) -> onnx.ModelProto:
    """A model around initializers."""
    wanted = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "height", 3])
    graph = helper.make_graph(nodes, "network", [wanted], [wanted], initializer=tensors, **more)
    return helper.make_model(graph, producer_name="the tests", producer_version="1.2")


def random_tensor(kind: str, *, raw: bool) -> TensorProto:
    """3 x 5 numbers of a type, in raw bytes or in the typed field."""
    number = getattr(TensorProto, kind)
    rng = np.random.default_rng(7)
    dtype = helper.tensor_dtype_to_np_dtype(number)
    array = (rng.standard_normal((3, 5)) * 3).astype(np.float32)
    if kind.startswith("U") or kind == "BOOL":
        array = np.abs(array)
    made = array.astype(dtype)
    if raw:
        return numpy_helper.from_array(made, kind)
    flat = made.reshape(-1)
    given: Any = flat.tolist()
    if kind.startswith("COMPLEX"):
        given = flat
    return helper.make_tensor(kind, number, [3, 5], given)


def saved(path: Path, made: onnx.ModelProto) -> Path:
    path.write_bytes(made.SerializeToString())
    return path


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
@pytest.mark.parametrize("kind", [*KINDS, *PACKED])
def test_every_type_in_both_places(tmp_path: Path, kind: str, raw: bool) -> None:
    tensor = random_tensor(kind, raw=raw)
    checkpoint = open_checkpoint(saved(tmp_path / "model.onnx", model(tensor)))
    expected = numpy_helper.to_array(tensor)
    found = values(checkpoint, kind)
    assert found.shape == (3, 5)
    if kind in KINDS[:14]:
        assert found.tobytes() == expected.tobytes()
    else:
        np.testing.assert_array_equal(found.astype(np.float64), expected.astype(np.float64))
    checkpoint.close()


def test_what_a_model_says_of_itself(tmp_path: Path) -> None:
    made = model(numpy_helper.from_array(np.ones(3, np.float32), "w"))
    helper.set_model_props(made, {"author": "somebody"})
    checkpoint = open_checkpoint(saved(tmp_path / "model.onnx", made))
    assert checkpoint.format == "ONNX"
    assert checkpoint.metadata["producer"] == "the tests"
    assert checkpoint.metadata["producer version"] == "1.2"
    assert checkpoint.metadata["graph"] == "network"
    assert checkpoint.metadata["author"] == "somebody"
    assert checkpoint.metadata["IR version"] == str(made.ir_version)
    assert checkpoint.metadata["opset"] == f"ai.onnx {made.opset_import[0].version}"
    described = {value.name: value.text for value in checkpoint.values}
    assert described["inputs.x"] == "float32 [1, height, 3]"
    checkpoint.close()


def test_tensors_in_nodes_and_in_graphs_within_them(tmp_path: Path) -> None:
    inner = numpy_helper.from_array(np.arange(4.0), "inner")
    constant = numpy_helper.from_array(np.arange(6, dtype=np.int64).reshape(2, 3), "ignored")
    branch = helper.make_graph([], "branch", [], [], initializer=[inner])
    nodes = (
        helper.make_node("Constant", [], ["shape"], value=constant),
        helper.make_node("If", ["c"], ["y"], name="choice", then_branch=branch, else_branch=branch),
        helper.make_node("Odd", [], ["z"], name="odd", table=constant),
    )
    checkpoint = open_checkpoint(saved(tmp_path / "model.onnx", model(nodes=nodes)))
    names = [entry.name for entry in checkpoint.entries]
    assert sorted(names) == sorted(
        ["shape", "odd.table", "choice.then_branch.inner", "choice.else_branch.inner"]
    )
    assert values(checkpoint, "shape").tolist() == [[0, 1, 2], [3, 4, 5]]
    assert values(checkpoint, "choice.else_branch.inner").tolist() == [0, 1, 2, 3]
    checkpoint.close()


def test_sparse_initializers_and_texts(tmp_path: Path) -> None:
    sparse = helper.make_sparse_tensor(
        numpy_helper.from_array(np.array([1.5, 2.5], np.float32), "s"),
        numpy_helper.from_array(np.array([3, 9], np.int64), ""),
        [4, 5],
    )
    text = helper.make_tensor("words", TensorProto.STRING, [2], [b"one", b"two"])
    made = model(text, sparse_initializer=[sparse])
    checkpoint = open_checkpoint(saved(tmp_path / "model.onnx", made))
    assert values(checkpoint, "s.values").tolist() == [1.5, 2.5]
    assert values(checkpoint, "s.indices").tolist() == [3, 9]
    assert ("words", "['one', 'two']") in [(v.name, v.text) for v in checkpoint.values]
    checkpoint.close()


def test_external_data(tmp_path: Path) -> None:
    arrays = {name: np.random.default_rng(1).standard_normal((40, 50)) for name in "abc"}
    made = model(*(numpy_helper.from_array(array, name) for name, array in arrays.items()))
    path = tmp_path / "model.onnx"
    onnx.save(made, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    checkpoint = open_checkpoint(path)
    assert [file.name for file in checkpoint.files] == ["model.onnx", "weights.bin"]
    for name, array in arrays.items():
        assert values(checkpoint, name).tobytes() == array.tobytes()
    checkpoint.close()
    (tmp_path / "weights.bin").write_bytes(bytes(100))
    checkpoint = open_checkpoint(path)
    assert all("which has 100" in entry.problem for entry in checkpoint.entries)
    checkpoint.close()
    (tmp_path / "weights.bin").unlink()
    checkpoint = open_checkpoint(path)
    assert all("does not exist" in entry.problem for entry in checkpoint.entries)
    checkpoint.close()


@pytest.mark.parametrize(
    "place", ["../secret", "/etc/hostname", "a/../../secret", "link/secret", "linked"]
)
def test_cve_2022_25882_and_2024_27318_files_outside_are_not_read(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / "secret").write_bytes(bytes(64))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    (folder / "linked").symlink_to(tmp_path / "secret")
    tensor = numpy_helper.from_array(np.zeros(8), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", place
    checkpoint = open_checkpoint(saved(folder / "model.onnx", model(tensor)))
    assert "not followed" in checkpoint.entries[0].problem
    assert checkpoint.findings[0].severity == "danger"
    checkpoint.close()


def test_links_of_a_hubs_cache_are_followed(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "main"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    array = np.random.default_rng(1).standard_normal((40, 50))
    made = model(numpy_helper.from_array(array, "w"))
    onnx.save(
        made, blobs / "1f2e", save_as_external_data=True, location="weights", size_threshold=0
    )
    (blobs / "weights").rename(blobs / "3d4c")
    (snapshot / "model.onnx").symlink_to(blobs / "1f2e")
    (snapshot / "weights").symlink_to(blobs / "3d4c")
    checkpoint = open_checkpoint(snapshot / "model.onnx")
    assert values(checkpoint, "w").tobytes() == array.tobytes()
    checkpoint.close()


def test_a_truncated_model_says_so_and_lists_the_rest(tmp_path: Path) -> None:
    first, last = np.arange(100.0), np.arange(5000.0)
    made = model(numpy_helper.from_array(first, "first"), numpy_helper.from_array(last, "last"))
    content = made.SerializeToString()
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[:-30_000])
    checkpoint = open_checkpoint(path)
    assert "cut short" in checkpoint.findings[0].message
    assert values(checkpoint, "first").tobytes() == first.tobytes()
    assert checkpoint.entries[1].problem
    checkpoint.close()


@pytest.mark.parametrize("kind", ["FLOAT", "DOUBLE", "INT64", "INT4"])
def test_typed_numbers_of_a_truncated_model_are_those_that_are_there(
    tmp_path: Path, kind: str
) -> None:
    """Their storage had the bytes that the field claims, beyond the end of the file."""
    tensor = helper.make_tensor("w", getattr(TensorProto, kind), [200], [1] * 200)
    content = model(tensor).SerializeToString()
    path = tmp_path / "cut.onnx"
    for length in range(20, len(content), 17):
        path.write_bytes(content[:length])
        with (
            contextlib.suppress(CheckpointError),
            contextlib.closing(open_checkpoint(path)) as checkpoint,
        ):
            for entry in checkpoint.entries:
                if entry.storage is None or entry.problem:
                    continue
                assert entry.storage.offset + entry.storage.nbytes <= entry.storage.source.size
                tensor_source(entry).read(Region.whole(entry.shape))


@pytest.mark.parametrize(
    "content",
    [b"\x08\x07", b"hello", b"\x08\x07\x12\x03abc", bytes(100), b"\x3a\x00", b"\x0a\x01a"],
)
def test_other_files_are_not_claimed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(path)
    assert "opened as ONNX" not in str(caught.value)


SAMPLE = model(
    *(random_tensor(kind, raw=raw) for kind in ("FLOAT", "INT4", "FLOAT16") for raw in (1, 0)),
    nodes=(helper.make_node("Constant", [], ["k"], value=random_tensor("INT64", raw=False)),),
).SerializeToString()


@given(
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=6),
    end=st.one_of(st.just(1.0), st.floats(0.01, 1)),
)
@settings(max_examples=300, deadline=None)
def test_damage_is_an_error_in_words(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, int]], end: float
) -> None:
    content = bytearray(SAMPLE)
    for place, byte in changes:
        content[min(int(place * len(content)), len(content) - 1)] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(content[: int(end * (len(content) - 1)) + 1])
    with contextlib.suppress(InspectorError):
        checkpoint = open_checkpoint(path)
        for entry in checkpoint.entries:
            with contextlib.suppress(InspectorError):
                source = tensor_source(entry)
                if entry.numel < 1000:
                    source.read(Region.whole(source.shape))
        checkpoint.close()
