"""HDF5 files of h5py's, of every age and layout: what is listed and read equals h5py's answer."""

from __future__ import annotations

import json
import threading
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hdf5_files import compare, messages, values, written

from inspector.checkpoints import open_checkpoint
from inspector.checkpoints.hdf5 import datasets
from inspector.checkpoints.hdf5.assembly import AssembledChunks
from inspector.checkpoints.model import TensorEntry
from inspector.checkpoints.sources import LocalFile
from inspector.values.regions import Region, parse_region
from inspector.values.tensors import tensor_source

LIBVERS: tuple[Any, ...] = ("earliest", ("earliest", "v110"), ("v110", "v110"), "latest")

NAMES = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16", "b1")
DTYPES = [f"{order}{name}" for order in "<>" for name in NAMES]


def random(shape: tuple[int, ...], dtype: str = "f8") -> np.ndarray[Any, Any]:
    return (np.random.default_rng(0).standard_normal(shape) * 50).astype(dtype)


@pytest.mark.parametrize("libver", LIBVERS)
def test_every_dtype_and_byte_order(tmp_path: Path, libver: Any) -> None:
    def fill(file: h5py.File) -> None:
        for name in DTYPES:
            file[f"plain/{name}"] = random((5, 7), name)
            file.create_dataset(f"chunked/{name}", data=random((5, 7), name), chunks=(2, 3))
        file["scalar"] = 3.5
        file["none"] = np.zeros((0, 4))
        file.create_dataset("none in chunks", (0, 4), "f4", chunks=(2, 2), maxshape=(None, 4))
        file.create_dataset("never", shape=(10, 3), dtype="i4", fillvalue=9)

    checkpoint = compare(written(tmp_path / "dtypes.h5", fill, libver))
    dtypes = {entry.name.rpartition("/")[2]: entry.dtype for entry in checkpoint.entries}
    assert (dtypes["<b1"], dtypes[">c8"], dtypes["<f2"]) == ("bool", "complex64", "float16")


@pytest.mark.parametrize("libver", LIBVERS)
@pytest.mark.parametrize("compression", [None, "gzip", "lzf"])
def test_chunks_of_every_index(tmp_path: Path, libver: Any, compression: str | None) -> None:
    def fill(file: h5py.File) -> None:
        for chunk in [(3, 4), (20, 20), (1, 7), (20, 1)]:
            for most in [None, (None, 20), (20, None), (None, None), (40, 40)]:
                file.create_dataset(
                    f"{chunk}{most}",
                    data=random((20, 20), "f4"),
                    chunks=chunk,
                    maxshape=most,
                    compression=compression,
                    shuffle=compression is not None,
                    fletcher32=chunk[0] == 3,
                )
        file.create_dataset("4-d", data=random((6, 5, 4, 3), "i2"), chunks=(4, 2, 3, 3))

    compare(written(tmp_path / "chunks.h5", fill, libver))


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_large_indexes_with_chunks_that_were_never_written(tmp_path: Path, libver: Any) -> None:
    """Enough chunks for pages and secondary blocks of both kinds of array, and for deep trees."""

    def fill(file: h5py.File) -> None:
        def made(name: str, shape: tuple[int, int], chunk: tuple[int, int], most: Any) -> Any:
            return file.create_dataset(name, shape, "f4", chunks=chunk, maxshape=most, fillvalue=7)

        made("rows", (30_000, 3), (1, 3), (None, 3))[::1000] = 5
        made("columns", (3, 200_000), (3, 1), (3, None))[:, 199_000:199_300] = 5
        fixed = file.create_dataset("fixed", (9_000, 3), "f4", chunks=(1, 3), compression="gzip")
        fixed[5000:5010] = 5
        made("both", (50, 50), (1, 1), (None, None))[::2, ::3] = np.arange(425).reshape(25, 17)
        grown = made("grown", (5, 5), (2, 2), (None, None))
        grown[:] = 1
        grown.resize((9, 3))

    compare(written(tmp_path / "large.h5", fill, libver))


def low_level(path: Path, shape: tuple[int, ...], plist: h5py.h5p.PropDCID, libver: Any) -> None:
    """A dataset with properties that h5py's upper layer does not have."""
    with h5py.File(path, "w", libver=libver) as file:
        space = h5py.h5s.create_simple(shape)
        made = h5py.h5d.create(file.id, b"w", h5py.h5t.IEEE_F32LE, space, plist)
        h5py.Dataset(made)[:] = random(shape, "f4")


def test_chunks_that_are_all_there_from_the_start(tmp_path: Path) -> None:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((3, 3))
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    low_level(tmp_path / "implicit.h5", (7, 7), plist, "latest")
    compare(tmp_path / "implicit.h5")


def test_elements_in_the_header(tmp_path: Path) -> None:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.COMPACT)
    low_level(tmp_path / "compact.h5", (7,), plist, "earliest")
    compare(tmp_path / "compact.h5")


def test_bfloat16_and_a_type_that_has_a_name(tmp_path: Path) -> None:
    path = tmp_path / "types.h5"
    bits = np.arange(0x3F00, 0x3F40, dtype=np.uint16)
    with h5py.File(path, "w") as file:
        brain = h5py.h5t.IEEE_F16LE.copy()
        brain.set_fields(15, 7, 8, 0, 7)
        brain.set_ebias(127)
        space = h5py.h5s.create_simple(bits.shape)
        made = h5py.h5d.create(file.id, b"brain", brain, space)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, bits, mtype=brain)
        file["named"] = np.dtype("f4")
        file.create_dataset("typed", data=[1.0, 2.0], dtype=file["named"])
        file["blocks"] = np.ones(3, np.dtype(("f4", (2, 2))))
    entries = {entry.name: entry for entry in open_checkpoint(path).entries}
    assert entries["brain"].dtype == "bfloat16"
    wide = (bits.astype(np.uint32) << 16).view(np.float32)
    assert values(entries["brain"]).tobytes() == wide.tobytes()
    assert values(entries["typed"]).tolist() == [1.0, 2.0]
    assert entries["blocks"].shape == (3, 2, 2)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("track", [False, True])
def test_many_links_and_many_attributes(tmp_path: Path, libver: Any, track: bool) -> None:
    names = [f"n{index * 7919 % 1500}" for index in range(1500)]

    def fill(file: h5py.File) -> None:
        many = file.create_group("many", track_order=track)
        for index, name in enumerate(names):
            many[name] = index
        noted = file.create_group("noted", track_order=track)
        for index, name in enumerate(names[:300]):
            noted.attrs[name] = index
        if libver == "latest":
            noted.attrs["long"] = np.zeros(20_000)

    checkpoint = compare(written(tmp_path / "many.h5", fill, libver))
    wanted = names if track else sorted(names)
    assert [entry.name for entry in checkpoint.entries] == [f"many/{name}" for name in wanted]
    found = {value.name: value.text for value in checkpoint.values}
    assert all(found[f"noted/@{name}"] == str(i) for i, name in enumerate(names[:300]))
    assert ("noted/@long" in found) == (libver == "latest")
    if track:
        order = [value.name.removeprefix("noted/@") for value in checkpoint.values]
        assert order[:300] == names[:300]


def test_behind_what_a_user_put_first(tmp_path: Path) -> None:
    path = tmp_path / "user.h5"
    with h5py.File(path, "w", userblock_size=2048) as file:
        file.create_dataset("w", data=random((9, 9)), chunks=(4, 4))
        file["plain"] = random((3,))
    with path.open("r+b") as raw:
        raw.write(b"some text of the user's")
    compare(path)


def test_a_keras_2_model(tmp_path: Path) -> None:
    config = json.dumps({"class_name": "Sequential", "config": {"layers": ["x" * 500] * 400}})

    def fill(file: h5py.File) -> None:
        file.attrs["keras_version"] = b"2.9.0"
        file.attrs["backend"] = b"tensorflow"
        file.attrs["model_config"] = config
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"dense", b"dropout"]
        layer = weights.create_group("dense")
        layer.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        layer["dense/kernel:0"] = random((8, 4), "f4")
        layer["dense/bias:0"] = random((4,), "f4")
        weights.create_group("dropout").attrs["weight_names"] = np.array([], "S1")

    checkpoint = compare(written(tmp_path / "keras2.h5", fill))
    assert checkpoint.format == "Keras HDF5"
    assert checkpoint.metadata["keras_version"] == "2.9.0"
    assert checkpoint.metadata["HDF5 superblock version"] == "0"
    assert checkpoint.metadata["model_config"].startswith('{"class_name": "Sequential"')
    assert len(checkpoint.metadata["model_config"]) < len(config)
    found = {value.name: value.text for value in checkpoint.values}
    assert found["model_weights/@layer_names"] == "['dense', 'dropout']"
    assert found["model_weights/dense/@weight_names"] == "['dense/kernel:0', 'dense/bias:0']"
    kernel = checkpoint.find("model_weights/dense/dense/kernel:0")
    assert kernel is not None
    assert kernel.path == ("model_weights", "dense", "dense", "kernel:0")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_keras_3_archive(tmp_path: Path, method: int) -> None:
    inner, path = tmp_path / "model.weights.h5", tmp_path / "model.keras"
    kernel, bias = random((300, 40), "f4"), random((40,), "f4")
    with h5py.File(inner, "w") as file:
        file["layers/dense/vars/0"] = kernel
        file["layers/dense/vars/1"] = bias
        file.create_group("optimizer/vars")
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.4", "date": "today"}))
        archive.writestr("config.json", json.dumps({"class_name": "Functional"}))
        archive.write(inner, "model.weights.h5")
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == "Keras archive"
    assert checkpoint.metadata["keras_version"] == "3.4"
    assert checkpoint.metadata["model class"] == "Functional"
    assert not checkpoint.findings
    assert [entry.name for entry in checkpoint.entries] == [
        "layers/dense/vars/0",
        "layers/dense/vars/1",
    ]
    assert values(checkpoint.entries[0]).tobytes() == kernel.tobytes()
    assert values(checkpoint.entries[1]).tobytes() == bias.tobytes()
    assert any(value.name == "config.json" for value in checkpoint.values)


def test_links_are_listed_and_not_followed(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file["a/w"] = random((3,))
        file["tied"] = file["a/w"]
        file["a/up"] = file["/"]
        file["soft"] = h5py.SoftLink("/a/w")
        file["a/round"] = h5py.SoftLink("/a/round")
        file["outside"] = h5py.ExternalLink("/etc/passwd", "/x")

    for libver in ("earliest", "latest"):
        path = written(tmp_path / f"{libver}.h5", fill, libver)
        checkpoint = open_checkpoint(path)
        entries = {entry.name: entry for entry in checkpoint.entries}
        assert set(entries) == {"a/w", "tied"}
        assert entries["a/w"].storage.offset == entries["tied"].storage.offset  # type: ignore[union-attr]
        found = {value.name: (value.type_name, value.text) for value in checkpoint.values}
        assert found["soft"] == ("soft link", "→ /a/w")
        assert found["a/round"] == ("soft link", "→ /a/round")
        assert found["a/up"] == ("hard link", "→ the group /")
        assert found["outside"][0] == "external link"
        assert "/etc/passwd" in found["outside"][1]
        assert "not followed" in found["outside"][1]


def test_what_is_no_number_and_what_lies_elsewhere(tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(1000))

    def fill(file: h5py.File) -> None:
        file["text"] = "hello"
        file["texts"] = ["one", "two"]
        file["bytes"] = np.array([b"ab", b"c"])
        file["nothing"] = h5py.Empty("f4")
        file["compound"] = np.zeros(3, [("x", "f4"), ("y", "i4")])
        file["colour"] = np.zeros(3, np.uint8)
        file.create_dataset("ragged", (2,), h5py.vlen_dtype(np.int32))
        file.create_dataset("away", (10,), "f4", external=[(str(secret), 0, 40)])
        layout = h5py.VirtualLayout((3,), "f4")
        layout[:] = h5py.VirtualSource(str(secret), "x", (3,))
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("offset", (8, 8), "i4", chunks=(4, 4), scaleoffset=3)
        file["enum"] = np.array([1, 0], h5py.enum_dtype({"RED": 0, "BLUE": 1}, "u1"))
        file["good"] = random((4,))

    checkpoint = open_checkpoint(written(tmp_path / "kinds.h5", fill, "latest"))
    texts = {value.name: value.text for value in checkpoint.values}
    assert texts["text"] == "hello"
    assert texts["texts"] == "['one', 'two']"
    assert texts["bytes"] == "['ab', 'c']"
    assert "nothing" in texts["nothing"]
    entries = {entry.name: entry for entry in checkpoint.entries}
    for name, words in {
        "compound": "compound of x, y",
        "ragged": "variable-length int32",
        "away": "other files",
        "virtual": "virtual",
        "offset": "scaleoffset",
    }.items():
        assert words in entries[name].problem, name
        assert name in messages(checkpoint)
        assert entries[name].storage is None, name
    assert values(entries["enum"]).tolist() == [1, 0]
    assert "RED = 0" in entries["enum"].details["values"]
    assert values(entries["good"]).tobytes() == random((4,)).tobytes()


def test_a_large_chunk_is_unpacked_once_for_all_who_wait_for_it() -> None:
    size = 20_000_000
    calls: list[tuple[int, ...]] = []
    others: list[threading.Thread] = []

    def decoded(place: tuple[int, ...]) -> bytes:
        calls.append(place)
        if not others:
            other = threading.Thread(target=lambda: source.read(5, 10))
            others.append(other)
            other.start()
            other.join(0.1)  # it has the time to do what it should not
        return bytes(size)

    source = AssembledChunks((size,), (size,), 1, decoded, b"\0", (), size)
    assert source.read(0, 10) == bytes(10)
    others[0].join(10)
    assert not others[0].is_alive()
    assert calls == [(0,)]


def test_chunks_that_take_too_much_memory_are_named(tmp_path: Path) -> None:
    path = tmp_path / "large.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("w", (2**25,), "f4", chunks=(2**25,), compression="lzf")
    entry = open_checkpoint(path).find("w")
    assert isinstance(entry, TensorEntry)
    assert "chunks have 134,217,728 bytes" in entry.problem
    assert "compressed by lzf" in entry.problem


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_large_chunks_are_read_piece_by_piece(
    tmp_path: Path, libver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every filter that is undone piece by piece, here of chunks that only count as large."""

    def fill(file: h5py.File) -> None:
        for name in ("f4", ">f8", "i2", "u1", "c8"):
            for number, options in enumerate(
                (
                    {},
                    {"fletcher32": True},
                    {"compression": "gzip"},
                    {"compression": "gzip", "shuffle": True},
                    {"compression": "gzip", "shuffle": True, "fletcher32": True},
                    {"shuffle": True},
                )
            ):
                file.create_dataset(
                    f"{name}/{number}", data=random((70, 90), name), chunks=(40, 50), **options
                )
                whole = f"{name}/whole {number}"
                file.create_dataset(whole, data=random((70, 90), name), chunks=(70, 90), **options)
        made = file.create_dataset("w", (100, 30), "f4", chunks=(10, 30), fillvalue=7)
        made[20:45] = 1

    monkeypatch.setattr(datasets, "MAX_CHUNK", 100)
    checkpoint = compare(written(tmp_path / "large.h5", fill, libver))
    for entry in checkpoint.entries:
        source = tensor_source(entry)
        region = parse_region("[::-3, 5:80:7]", source.shape)
        whole = source.read(Region.whole(source.shape))
        assert np.array_equal(source.read(region), whole[::-3, 5:80:7])


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_chunks_beside_each_other_are_not_unpacked_for_every_row(
    tmp_path: Path, compression: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three of them are more than are kept, so that one would make room for the other."""
    path = tmp_path / "wide.h5"
    numbers = np.arange(1000 * 9000, dtype="f4").reshape(1000, 9000)
    with h5py.File(path, "w") as file:
        file.create_dataset("w", data=numbers, chunks=(1000, 3000), compression=compression)
    checkpoint = open_checkpoint(path)
    (entry,) = checkpoint.entries
    read = 0

    def counted(file: LocalFile, offset: int, buffer: memoryview) -> None:
        nonlocal read
        read += len(buffer)
        plain(file, offset, buffer)

    plain = LocalFile.read_into
    monkeypatch.setattr(LocalFile, "read_into", counted)
    source = tensor_source(entry)
    for rows in Region.whole(source.shape).blocks(100_000, source.axis_order):
        assert np.array_equal(source.read(rows), numbers[rows.axes[0].start : rows.axes[0].stop])
    assert read < 1.1 * path.stat().st_size


@pytest.mark.parametrize(
    "options", [{}, {"compression": "gzip"}, {"compression": "gzip", "shuffle": True}]
)
def test_a_chunk_of_any_size_takes_little_memory(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "large.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset("w", (2**25,), "f4", chunks=(2**25,), **options)
        made[12_345_678] = 3
    checkpoint = open_checkpoint(path)
    (entry,) = checkpoint.entries
    source = tensor_source(entry)
    tracemalloc.start()
    found = source.read(Region((range(12_345_670, 12_345_690),)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.tolist() == [0] * 8 + [3] + [0] * 11
    assert peak < 12 << 20
