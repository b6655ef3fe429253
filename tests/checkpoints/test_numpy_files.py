"""Arrays that NumPy saved: listing and values beside np.load's, and files that lie."""

from __future__ import annotations

import contextlib
import io
import pickle
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy_format

from inspector.checkpoints import (
    Checkpoint,
    CheckpointError,
    InspectorError,
    TensorEntry,
    open_checkpoint,
)
from inspector.checkpoints.literals import parse_literal
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region

PLAIN = [
    "?",
    *("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"),
    *("f2", "f4", "f8", "c8", "c16"),
]


def values(entry: TensorEntry) -> np.ndarray:
    return StoredTensor(entry).read(Region(tuple(range(length) for length in entry.shape)))


def messages(checkpoint: Checkpoint) -> str:
    return "\n".join(finding.message for finding in checkpoint.findings)


def header(text: str, version: tuple[int, int] = (1, 0)) -> bytes:
    """A .npy file's first bytes around any text."""
    raw = text.encode()
    length = struct.pack("<H" if version[0] == 1 else "<I", len(raw))
    return b"\x93NUMPY" + bytes(version) + length + raw


def described(descr: str, shape: str, fortran: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n"


def listed(tmp_path: Path, content: bytes) -> Checkpoint:
    path = tmp_path / "made.npy"
    path.write_bytes(content)
    return open_checkpoint(path)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("word", PLAIN)
def test_every_dtype_order_and_layout(tmp_path: Path, word: str, order: str) -> None:
    random = np.random.default_rng(0)
    dtype = np.dtype(word).newbyteorder(order)
    raw = random.integers(0, 2 if word == "?" else 256, 5 * 6 * 7 * dtype.itemsize, np.uint8)
    array = raw.view(dtype).reshape(5, 6, 7)
    for layout in (array, np.asfortranarray(array), array[2], array[2, 3, 4], array[:, :0]):
        np.save(tmp_path / "layer.npy", layout)
        (entry,) = open_checkpoint(tmp_path / "layer.npy").entries
        theirs = np.load(tmp_path / "layer.npy", allow_pickle=False)
        assert (entry.name, entry.path, entry.problem) == ("layer", ("layer",), "")
        ours = values(entry)
        assert ours.dtype == theirs.dtype.newbyteorder("=")
        assert ours.shape == theirs.shape
        assert ours.tobytes() == theirs.astype(theirs.dtype.newbyteorder("=")).tobytes()


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version(tmp_path: Path, version: tuple[int, int]) -> None:
    buffer = io.BytesIO()
    array = np.arange(6, dtype=">i2").reshape(2, 3)
    npy_format.write_array(buffer, array, version)
    checkpoint = listed(tmp_path, buffer.getvalue())
    (entry,) = checkpoint.entries
    np.testing.assert_array_equal(values(entry), array)
    assert checkpoint.format == "NumPy array"
    assert checkpoint.metadata == {
        "version": f"{version[0]}.{version[1]}",
        "dtype": ">i2",
        "order": "C",
    }
    assert checkpoint.findings == []


def test_a_header_of_python_2(tmp_path: Path) -> None:
    content = header(described("u'<i2'", "(2L, 3L)")) + np.arange(6, dtype="<i2").tobytes()
    (entry,) = listed(tmp_path, content).entries
    np.testing.assert_array_equal(values(entry), np.arange(6).reshape(2, 3))


def test_several_arrays_in_one_file(tmp_path: Path) -> None:
    arrays = [np.arange(4.0), np.array([{"a": 1}], object), np.ones((2, 2), np.uint8)]
    with (tmp_path / "many.npy").open("wb") as file:
        for array in arrays:
            np.save(file, array)
    checkpoint = open_checkpoint(tmp_path / "many.npy")
    assert [entry.name for entry in checkpoint.entries] == ["many", "many #2"]
    assert [(value.name, value.text) for value in checkpoint.values] == [("many[0].a", "1")]
    np.testing.assert_array_equal(values(checkpoint.entries[0]), arrays[0])
    np.testing.assert_array_equal(values(checkpoint.entries[1]), arrays[2])
    with (tmp_path / "many.npy").open("ab") as file:
        file.write(b"\x93NUMPY\x01\x00\xff\xff")
    assert "cut short" in messages(open_checkpoint(tmp_path / "many.npy"))
    (tmp_path / "tail.npy").write_bytes((tmp_path / "many.npy").read_bytes()[:160] + b"12345")
    assert "5 bytes follow" in messages(open_checkpoint(tmp_path / "tail.npy"))


def test_types_of_ml_dtypes(tmp_path: Path) -> None:
    numbers = np.array([[1.5, -2.0, 0.1]])
    for name, dtype in (("bfloat16", "bits16"), ("float8_e4m3fn", "bits8")):
        array = numbers.astype(name)
        np.save(tmp_path / "a.npy", array)
        (entry,) = open_checkpoint(tmp_path / "a.npy").entries
        assert (entry.dtype, entry.problem) == (dtype, "")
        assert values(entry).tobytes() == array.tobytes()
        assert "bfloat16" in entry.details["saved as"]
    array = numbers.astype(ml_dtypes.float8_e5m2)
    np.save(tmp_path / "a.npy", array)
    (entry,) = open_checkpoint(tmp_path / "a.npy").entries
    assert entry.dtype == "float8_e5m2"
    np.testing.assert_array_equal(values(entry), array.astype(np.float32))


@pytest.mark.parametrize(
    ("array", "dtype", "problem"),
    [
        (np.zeros(5000, "U3"), "U3", "texts, not numbers"),
        (np.zeros(5000, "S3"), "S3", "texts of bytes"),
        (np.zeros(3, "M8[ns]"), "M8[ns]", "dates"),
        (np.zeros(3, "m8[D]"), "m8[D]", "spans of time"),
        (np.zeros(3, np.longdouble), "f16", "torch has no such dtype"),
        (np.zeros(3, np.clongdouble), "c32", "torch has no such dtype"),
        (np.zeros(3, "V5"), "V5", "whose meaning the file does not say"),
        (
            np.zeros(3, [("x", "<f4"), (("title", "y"), ">i2", (2, 3)), ("z", [("q", "u1")])]),
            "structured",
            "records",
        ),
    ],
)
def test_what_torch_has_no_numbers_for(
    tmp_path: Path, array: np.ndarray, dtype: str, problem: str
) -> None:
    with (tmp_path / "a.npy").open("wb") as file:
        np.save(file, array)
        np.save(file, np.arange(3))
    checkpoint = open_checkpoint(tmp_path / "a.npy")
    entry, following = checkpoint.entries
    assert (entry.dtype, entry.shape) == (dtype, array.shape)
    assert problem in entry.problem
    assert problem in messages(checkpoint)
    # Its size is known all the same.
    np.testing.assert_array_equal(values(following), np.arange(3))


def test_short_texts_are_values(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz",
        word=np.array("Größe"),
        big=np.array(["a", "bc"], ">U2"),
        raw=np.array(b"csr"),
        w=np.ones(2),
    )
    checkpoint = open_checkpoint(tmp_path / "a.npz")
    assert {value.name: (value.type_name, value.text) for value in checkpoint.values} == {
        "word": ("numpy.U5", "Größe"),
        "big": ("numpy.U2", "['a', 'bc']"),
        "raw": ("numpy.S3", "b'csr'"),
    }
    assert [entry.name for entry in checkpoint.entries] == ["w"]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives(tmp_path: Path, save: Any) -> None:
    arrays = {
        "weight": np.random.default_rng(0).normal(size=(300, 40)),
        "layer/bias": np.asfortranarray(np.arange(12, dtype=">i4").reshape(3, 4)),
        "empty": np.zeros((0, 5), np.float16),
        "bad\u202ename": np.ones(3, np.complex64),
        "a.npy": np.zeros(2, np.uint8),
    }
    save(tmp_path / "model", **arrays)
    checkpoint = open_checkpoint(tmp_path / "model.npz")
    assert checkpoint.format == "NumPy archive"
    assert checkpoint.metadata == {"version": "1.0"}
    assert checkpoint.findings == []
    with np.load(tmp_path / "model.npz", allow_pickle=False) as theirs:
        assert [entry.name for entry in checkpoint.entries] == list(theirs)
        for entry in checkpoint.entries:
            assert entry.path == (entry.name,)
            np.testing.assert_array_equal(values(entry), theirs[entry.name])
    weight = checkpoint.find("weight")
    assert weight is not None
    part = StoredTensor(weight).read(Region((range(17, 20), range(3, 40, 5))))
    np.testing.assert_array_equal(part, arrays["weight"][17:20, 3:40:5])
    checkpoint.close()
    with pytest.raises(CheckpointError):
        values(weight)


def test_a_sparse_matrix_of_scipy_shows_its_parts(tmp_path: Path) -> None:
    matrix = scipy.sparse.random_array((40, 30), density=0.1, format="csr", rng=0)
    scipy.sparse.save_npz(tmp_path / "m.npz", matrix)
    checkpoint = open_checkpoint(tmp_path / "m.npz")
    for name in ("data", "indices", "indptr"):
        entry = checkpoint.find(name)
        assert entry is not None
        np.testing.assert_array_equal(values(entry), getattr(matrix, name))
    assert ("format", "b'csr'") in [(value.name, value.text) for value in checkpoint.values]


def test_the_archive_is_known_by_its_content(tmp_path: Path) -> None:
    np.savez(tmp_path / "model.npz", w=np.arange(3))
    for name in ("model.pt", "model"):
        (tmp_path / name).write_bytes((tmp_path / "model.npz").read_bytes())
        assert open_checkpoint(tmp_path / name).format == "NumPy archive"


def test_members_that_are_no_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", w=np.arange(3))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("notes\u202e.txt", "hello")
        archive.writestr("text.npy", "hello")
        archive.writestr("short.npy", b"\x93NUMPY\x01\x00")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("w.npy", npy(np.ones(2)))
    checkpoint = open_checkpoint(tmp_path / "a.npz")
    assert "1 members are no NumPy arrays: notes\\u202e.txt" in messages(checkpoint)
    assert "twice" in messages(checkpoint)
    problems = {entry.name: entry.problem for entry in checkpoint.entries}
    assert problems["w"] == ""
    assert "does not begin as a NumPy array" in problems["text"]
    assert "length of its header" in problems["short"]


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


class Attack:
    """Unpickling it would end the test run."""

    def __reduce__(self) -> Any:
        import os

        return os._exit, (3,)


def test_pickles_of_objects_are_read_and_not_run(tmp_path: Path) -> None:
    objects = np.array([{"w": np.arange(3.0), "epoch": 7}, Attack()], object)
    np.save(tmp_path / "model.npy", objects)
    checkpoint = open_checkpoint(tmp_path / "model.npy")
    (entry,) = checkpoint.entries
    assert entry.name == "model[0].w"
    np.testing.assert_array_equal(values(entry), np.arange(3.0))
    assert ("model[0].epoch", "7") in [(value.name, value.text) for value in checkpoint.values]
    assert "allow_pickle" in messages(checkpoint)
    danger = [finding for finding in checkpoint.findings if finding.severity == "danger"]
    assert any("_exit" in finding.message for finding in danger)
    np.savez_compressed(tmp_path / "model.npz", objects=objects, **{"objects[0].w": np.ones(2)})
    checkpoint = open_checkpoint(tmp_path / "model.npz")
    assert sorted(entry.name for entry in checkpoint.entries) == [
        "objects[0].w",
        "objects[0].w #2",
    ]


def test_a_damaged_pickle_of_objects(tmp_path: Path) -> None:
    content = npy(np.array([{"a": 1}], object))
    (entry,) = listed(tmp_path, content[:-3]).entries
    assert entry.problem
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        bomb = pickle.dumps(bytes(60 << 20))
        archive.writestr("w.npy", header(described("'|O'", "()")) + bomb)
    (entry,) = open_checkpoint(path).entries
    assert "fill the memory" in entry.problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (described("'<f4'", "(1000, 1000)"), "needs 4,000,000 bytes, of which the file has 8"),
        (described("'<f4'", f"({2**62}, {2**62})"), "cut short"),
        (described("'<f4'", f"({2**62}, {2**62}, 0)"), ""),
        (described("'<f4'", f"({2**70},)"), "no shape"),
        (described("'<f4'", "(-2,)"), "negative"),
        (described("'<f4'", "(True,)"), "no shape"),
        (described("'<f4'", "[2]"), "no shape"),
        (described("'<f4'", "2"), "no shape"),
        (described("'<f4'", "(2)"), "no shape"),
        (described("'<f4'", "(1,)" + " " * 60_000), ""),
        (described("'<f4'", "(" + "1, " * 65 + "2)"), "66 dimensions"),
        (described("'<f4'", "(" + "1, " * 2000 + ")"), "no shape"),
        (described("'<f7'", "(1,)"), "no such dtype"),
        (described("'nonsense'", "(1,)"), "no such dtype"),
        (described("7", "(1,)"), "records"),
        (described("[('a',)]", "(1,)"), "records"),
        (described("[('a', '<f4', (9,) )]", "(1,)"), "needs 36 bytes"),
        (described("'<U0'", "(3,)"), "texts"),
    ],
)
def test_headers_that_lie(tmp_path: Path, text: str, problem: str) -> None:
    (entry,) = listed(tmp_path, header(text) + bytes(8)).entries
    assert problem in entry.problem
    assert bool(entry.problem) == bool(problem)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header("{}"), "does not say descr"),
        (header("[1, 2]"), "does not say descr"),
        (header("("), "literal"),
        (header("{'descr': __import__('os').system('true')}"), "literal"),
        (header("{'descr': 'a' 'b'}"), "literal"),
        (header("[" * 60_000), "literal"),
        (header("{1: 2}"), "literal"),
        (header("9" * 50_000), "literal"),
        (header("'" + "\\" * 50_001), "literal"),
        (header("{}", (1, 1)), "Version 1.1"),
        (header("{}", (4, 0)), "Version 4.0"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "4,294,967,295 bytes; more than"),
        (b"\x93NUMPY\x02\x00\xff\xff\x00\x00{", "up to byte 65,547, and there are 13"),
        (b"\x93NUMPY\x01", "cut short"),
    ],
)
def test_headers_that_are_none(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(CheckpointError, match="could not be opened as NumPy array") as caught:
        listed(tmp_path, content)
    assert message in caught.value.message


def test_a_deep_record_is_no_burden(tmp_path: Path) -> None:
    deep = "[('a', " * 30 + "'<f4'" + f", ({2**62}, 2))]" + f", ({2**62}, 2))]" * 29
    (entry,) = listed(tmp_path, header(described(deep, "(1,)"))).entries
    assert "records" in entry.problem
    began = time.process_time()
    wide = "[" + "('a', '<f4'), " * 60_000 + "]"
    (entry,) = listed(tmp_path, header(described(wide, "(1,)"), (2, 0)) + bytes(240_000)).entries
    assert "records" in entry.problem
    assert len(entry.problem) < 1000
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "value",
    [(), (1,), (1, 2), [], [1], {}, {"a": ()}, {"a": [(1, -2)], "b": None}, True, "a'b\\\n\u20ac"],
)
def test_literals_are_python_s(value: object) -> None:
    assert parse_literal(repr(value), "It") == value


def test_members_do_not_keep_what_inflating_takes(tmp_path: Path) -> None:
    path = tmp_path / "many.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for index in range(500):
            archive.writestr(f"{index}.npy", npy(np.zeros(100)))
    tracemalloc.start()
    checkpoint = open_checkpoint(path)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(checkpoint.entries) == 500
    assert kept < 2 << 20
    assert peak < 3 << 20


def test_an_archive_beyond_4_gb(tmp_path: Path) -> None:
    path = tmp_path / "large.npz"
    content = npy(np.arange(5))
    large = header(described("'|u1'", f"({5 << 30},)")) + b"\1"
    with path.open("wb") as file, zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo("large.npy")
        info.file_size = info.compress_size = len(large) + (5 << 30) - 1
        info.header_offset = info.CRC = 0
        file.write(info.FileHeader(zip64=True) + large)
        file.seek((5 << 30) - 1, 1)
        archive.filelist.append(info)
        archive.NameToInfo[info.filename] = info
        archive.start_dir = file.tell()
        archive.writestr("small.npy", content)
    checkpoint = open_checkpoint(path)
    first, second = checkpoint.entries
    assert (first.shape, first.problem, second.problem) == ((5 << 30,), "", "")
    np.testing.assert_array_equal(values(second), np.arange(5))
    assert StoredTensor(first).read(Region((range(2),))).tolist() == [1, 0]


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "b.npz"])
def test_truncation_anywhere(tmp_path: Path, name: str) -> None:
    array = np.arange(6.0)
    if name == "a.npy":
        np.save(tmp_path / name, array)
    else:
        save = np.savez if name == "a.npz" else np.savez_compressed
        save(tmp_path / name, a=array, b=np.array({"c": 1}))
    whole = (tmp_path / name).read_bytes()
    for length in range(len(whole)):
        (tmp_path / name).write_bytes(whole[:length])
        try:
            checkpoint = open_checkpoint(tmp_path / name)
        except CheckpointError:
            continue
        assert checkpoint.findings
        assert all(entry.problem for entry in checkpoint.entries)


SEEDS = [
    npy(np.arange(6, dtype=">f4").reshape(2, 3)),
    npy(np.array([{"w": np.arange(3.0)}, "text"], object)),
    npy(np.zeros(2, [("x", "<f4"), ("y", "U3")])),
]
for save in (np.savez, np.savez_compressed):
    buffer = io.BytesIO()
    save(buffer, w=np.arange(4.0), s=np.array("text"), o=np.array([1, None], object))
    SEEDS.append(buffer.getvalue())


@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 10**6), st.binary(min_size=1, max_size=4)), max_size=4),
)
@settings(max_examples=300, deadline=None)
def test_mutated_files(
    tmp_path_factory: pytest.TempPathFactory, seed: bytes, edits: list[tuple[int, bytes]]
) -> None:
    data = bytearray(seed)
    for at, piece in edits:
        at %= len(data)
        data[at : at + len(piece)] = piece
    path = tmp_path_factory.getbasetemp() / "mutated"
    path.write_bytes(data)
    try:
        checkpoint = open_checkpoint(path)
    except InspectorError:
        return
    for entry in checkpoint.entries:
        if not entry.problem and entry.nbytes < 10_000 and entry.storage is not None:
            try:
                values(entry)
            except InspectorError:
                continue
    checkpoint.close()


@given(st.text(alphabet="{}[]()',:ab1 \\\"TrueNoneL\n", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_literal(text: str) -> None:
    with contextlib.suppress(CheckpointError):
        parse_literal(text, "It")
