"""ONNX models written by onnx: listing and values equal `onnx.numpy_helper`'s."""

from __future__ import annotations

import contextlib
import tracemalloc
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
NEWER = ["UINT2", "INT2", "FLOAT6E2M3", "FLOAT6E3M2"]
PACKED = ["UINT4", "INT4", "FLOAT4E2M1", *(kind for kind in NEWER if hasattr(TensorProto, kind))]


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


@pytest.mark.skipif("FLOAT6E2M3" not in PACKED, reason="this onnx has no float6")
@pytest.mark.parametrize("kind", ["FLOAT6E2M3", "FLOAT6E3M2"])
def test_every_float_of_six_bits(tmp_path: Path, kind: str) -> None:
    for count in (1, 2, 3, 64, 65):
        codes = np.arange(count, dtype=np.uint8) % 64
        packed = sum(int(code) << 6 * index for index, code in enumerate(codes))
        raw = packed.to_bytes(-(-count * 6 // 8), "little")
        number = getattr(TensorProto, kind)
        tensor = TensorProto(name=kind, data_type=number, dims=[count], raw_data=raw)
        checkpoint = open_checkpoint(saved(tmp_path / "model.onnx", model(tensor)))
        expected = numpy_helper.to_array(tensor).astype(np.float32)
        assert values(checkpoint, kind).tobytes() == expected.tobytes()
        entry = checkpoint.entries[0]
        assert entry.details["saved as"] == f"{kind}, 4 in 3 bytes"
        source = tensor_source(entry)
        for start in range(count):
            part = source.read(Region((range(start, min(start + 3, count)),)))
            assert part.tobytes() == expected[start : start + 3].tobytes()
        checkpoint.close()


@pytest.mark.parametrize("kind", [*KINDS, *PACKED])
def test_tensors_without_elements_have_no_field_of_numbers(tmp_path: Path, kind: str) -> None:
    tensor = helper.make_tensor(kind, getattr(TensorProto, kind), [2, 0], [])
    checkpoint = open_checkpoint(saved(tmp_path / "model.onnx", model(tensor)))
    assert values(checkpoint, kind).shape == (2, 0)
    assert not checkpoint.findings
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


def encoded(number: int, content: bytes | int) -> bytes:
    """A field of bytes, or of a number of variable length."""

    def varint(value: int) -> bytes:
        made = bytearray()
        while value > 127:
            made.append(value & 127 | 128)
            value >>= 7
        return bytes((*made, value))

    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def by_hand(graph: bytes) -> bytes:
    """A model around a graph of any bytes."""
    return encoded(1, 8) + encoded(7, graph)


def test_numbers_in_fields_of_their_own_and_in_several_runs(tmp_path: Path) -> None:
    """What other writers of protocol buffers may do, and every reader has to take."""
    floats = np.arange(6, dtype="<f4")
    loose = b"".join(bytes((4 << 3 | 5,)) + number.tobytes() for number in floats)
    runs = encoded(4, floats[:2].tobytes()) + loose[10:15] + encoded(4, floats[3:].tobytes())
    doubles = b"".join(bytes((10 << 3 | 1,)) + number.tobytes() for number in floats.astype("<f8"))
    numbers = (3, -5, 2**40, 0, 7, 1)
    signed = [number % (1 << 64) for number in numbers]
    integers = b"".join(encoded(7, number) for number in signed[:4])
    integers += encoded(7, b"\x07\x01")
    fields = {"loose": (1, loose), "runs": (1, runs), "doubles": (11, doubles)}
    fields["integers"] = (7, integers)
    graph = b""
    for name, (kind, data) in fields.items():
        tensor = encoded(1, 6) + encoded(2, kind) + data + encoded(8, name.encode())
        graph += encoded(5, tensor)
    path = tmp_path / "hand.onnx"
    path.write_bytes(by_hand(graph))
    checkpoint = open_checkpoint(path)
    theirs = {tensor.name: tensor for tensor in onnx.load(path).graph.initializer}
    for name in fields:
        ours = values(checkpoint, name)
        assert ours.tobytes() == numpy_helper.to_array(theirs[name]).tobytes()
    assert values(checkpoint, "integers").tolist() == list(numbers)
    checkpoint.close()


def test_long_typed_numbers_are_read_anywhere_in_little_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    array = rng.integers(-(2**40), 2**40, 180_000) >> rng.integers(0, 40, 180_000)
    array[20_000:160_000] = 5
    tensor = helper.make_tensor("w", TensorProto.INT64, [180_000], array.tolist())
    checkpoint = open_checkpoint(saved(tmp_path / "long.onnx", model(tensor)))
    (entry,) = checkpoint.entries
    source = tensor_source(entry)
    tracemalloc.start()
    for start in (179_990, 0, 150_000, 7_777, 120_000):
        part = source.read(Region((range(start, start + 10),)))
        assert part.tolist() == array[start : start + 10].tolist()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12 << 20
    assert source.read(Region.whole(source.shape)).tolist() == array.tolist()
    checkpoint.close()


@pytest.mark.parametrize(
    ("kind", "data", "problem"),
    [
        (7, encoded(7, b"\1\2\3"), "more than there are bytes"),
        (7, encoded(7, b"\1\2\3\4" + b"\x80\1"), "has 5"),
        (7, encoded(7, b"\1\2\3\4\5\x80"), "cut, or has no end"),
        (7, encoded(7, b"\xff" * 30), "cut, or has no end"),
        (1, encoded(4, bytes(23)), "reaches up to byte 24"),
        (1, encoded(4, bytes(8)) + encoded(4, bytes(15)), "reaches up to byte 24"),
        (1, encoded(4, bytes(10)) + encoded(4, bytes(14)), "reaches up to byte 24"),
        (14, encoded(5, bytes(6)), "whole numbers"),
        (1, b"", "no numbers"),
        (99, b"", "type 99"),
    ],
)
def test_typed_numbers_that_are_too_few_or_damaged(
    tmp_path: Path, kind: int, data: bytes, problem: str
) -> None:
    good = encoded(1, 2) + encoded(2, 2) + encoded(9, b"\1\2") + encoded(8, b"good")
    bad = encoded(1, 6) + encoded(2, kind) + data + encoded(8, b"bad")
    path = tmp_path / "bad.onnx"
    path.write_bytes(by_hand(encoded(5, bad) + encoded(5, good)))
    checkpoint = open_checkpoint(path)
    assert values(checkpoint, "good").tolist() == [1, 2]
    entry = checkpoint.find("bad")
    assert isinstance(entry, TensorEntry)
    with pytest.raises(InspectorError) as caught:
        tensor_source(entry).read(Region.whole(entry.shape))
    assert problem in str(caught.value)
    checkpoint.close()


@pytest.mark.parametrize(
    "part",
    [
        encoded(1, b"\x2a\x7f\1"),
        encoded(1, encoded(5, b"\x0b")),
        encoded(5, b"\x08" + b"\xff" * 12),
        encoded(5, encoded(1, 1) * 1001),
        encoded(11, b"\x0f"),
        encoded(15, b"\x12\x7f"),
    ],
)
def test_a_damaged_part_leaves_the_others(tmp_path: Path, part: bytes) -> None:
    good = encoded(1, 2) + encoded(2, 2) + encoded(9, b"\1\2") + encoded(8, b"good")
    path = tmp_path / "part.onnx"
    path.write_bytes(by_hand(part + encoded(5, good)))
    checkpoint = open_checkpoint(path)
    assert values(checkpoint, "good").tolist() == [1, 2]
    assert any(finding.severity == "warning" for finding in checkpoint.findings)
    checkpoint.close()


def test_truncation_at_every_place_lists_what_is_there(tmp_path: Path) -> None:
    content = SAMPLE
    (opset,) = onnx.load_from_string(content).opset_import
    # The graph is the last field but one. A file that ends behind it is a whole message.
    behind_graph = len(content) - opset.ByteSize() - 2
    path = tmp_path / "cut.onnx"
    most = 0
    for length in (*range(len(content) - 1, behind_graph, -1), *range(behind_graph - 1, 60, -5)):
        path.write_bytes(content[:length])
        with contextlib.closing(open_checkpoint(path)) as checkpoint:
            assert checkpoint.findings
            if length < behind_graph:
                assert any("cut short" in finding.message for finding in checkpoint.findings)
            readable = 0
            for entry in checkpoint.entries:
                with contextlib.suppress(InspectorError):
                    tensor_source(entry).read(Region.whole(entry.shape))
                    readable += 1
            most = max(most, readable)
    assert most == 7


ATTRIBUTE = encoded(1, b"n" * 100)


@pytest.mark.parametrize(
    "graph",
    [
        encoded(5, b"") * 60_000,
        encoded(5, encoded(2, 22) + encoded(9, b"")) * 30_000,
        encoded(1, encoded(3, b"n" * 4000) + encoded(5, ATTRIBUTE + encoded(10, b"") * 60_000)),
        encoded(1, encoded(3, b"n" * 3000) + encoded(5, ATTRIBUTE + encoded(11, b"") * 60_000)),
        encoded(1, encoded(5, b"") * 60_000),
        encoded(5, encoded(5, 1) * 60_000),
        encoded(5, encoded(5, b"") * 60_000),
        encoded(5, encoded(2, 8) + encoded(6, b"") * 60_000),
        encoded(5, encoded(1, b"\1" * 120_000)),
        encoded(11, b"") * 60_000,
    ],
    ids=[
        "tensors",
        "int4",
        "names",
        "graphs",
        "attributes",
        "loose",
        "runs",
        "texts",
        "dims",
        "in",
    ],
)
def test_a_small_file_takes_little_memory_and_time(tmp_path: Path, graph: bytes) -> None:
    path = tmp_path / "hostile.onnx"
    path.write_bytes(by_hand(graph))
    tracemalloc.start()
    open_checkpoint(path).close()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < (20 << 20) + 24 * path.stat().st_size


def test_graphs_within_graphs_a_thousand_deep(tmp_path: Path) -> None:
    graph = encoded(5, encoded(8, b"w"))
    for _ in range(1000):
        graph = encoded(1, encoded(4, b"If") + encoded(5, encoded(1, b"b") + encoded(6, graph)))
    path = tmp_path / "deep.onnx"
    path.write_bytes(by_hand(graph))
    checkpoint = open_checkpoint(path)
    assert any("too deep" in finding.message for finding in checkpoint.findings)
    checkpoint.close()


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
