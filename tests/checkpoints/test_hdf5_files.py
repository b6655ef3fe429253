"""HDF5 and Keras files written by h5py: listing and values equal h5py's own."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.checkpoints import Checkpoint, CheckpointError, InspectorError, open_checkpoint
from inspector.values.regions import Region
from inspector.values.tensors import tensor_source

VERSIONS = ["earliest", "latest"]
DTYPES = [
    *("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"),
    *(">i2", ">u4", ">f4", ">f8"),
]


def values(checkpoint: Checkpoint, name: str) -> np.ndarray[Any, Any]:
    entry = checkpoint.find(name)
    assert entry is not None, [entry.name for entry in checkpoint.entries]
    source = tensor_source(entry)
    return source.read(Region.whole(source.shape))


def assert_equal_to_h5py(path: Path) -> Checkpoint:
    """Every numeric dataset has h5py's own values, bit for bit."""
    checkpoint = open_checkpoint(path)
    found: dict[str, np.ndarray[Any, Any]] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.__setitem__(name, item[()]) if isinstance(item, h5py.Dataset) else None
            )
        )
    assert {entry.name for entry in checkpoint.entries} == set(found)
    for name, expected in found.items():
        array = values(checkpoint, name)
        assert array.shape == np.shape(expected)
        native = np.asarray(expected).astype(np.asarray(expected).dtype.newbyteorder("="))
        assert array.dtype == native.dtype
        assert array.tobytes() == native.tobytes()
    return checkpoint


@pytest.mark.parametrize("version", VERSIONS)
def test_every_dtype_in_both_byte_orders(tmp_path: Path, version: str) -> None:
    path = tmp_path / "dtypes.h5"
    rng = np.random.default_rng(1)
    with h5py.File(path, "w", libver=version) as file:
        for dtype in DTYPES:
            name = dtype.replace(">", "big_").replace("?", "bool")
            file[name] = (rng.standard_normal((4, 6)) * 50).astype(dtype)
        file["scalar"] = np.float64(2.5)
        file["empty"] = np.empty((0, 3), np.float32)
    assert_equal_to_h5py(path).close()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": (7, 5)},
        {"chunks": (7, 5), "compression": "gzip"},
        {"chunks": (7, 5), "compression": "gzip", "shuffle": True, "fletcher32": True},
        {"chunks": (100, 64)},
        {"chunks": (7, 5), "maxshape": (None, 64)},
        {"chunks": (7, 5), "maxshape": (None, None), "compression": "gzip"},
    ],
    ids=str,
)
def test_every_layout(tmp_path: Path, version: str, options: dict[str, Any]) -> None:
    path = tmp_path / "layout.h5"
    data = np.random.default_rng(2).standard_normal((100, 64)).astype(np.float32)
    with h5py.File(path, "w", libver=version) as file:
        file.create_dataset("w", data=data, **options)
    checkpoint = assert_equal_to_h5py(path)
    entry = checkpoint.find("w")
    assert entry is not None
    part = tensor_source(entry).read(Region((range(13, 77, 3), range(60, 4, -7))))
    np.testing.assert_array_equal(part, data[13:77:3, 60:4:-7])
    checkpoint.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_chunks_that_were_never_written_have_the_fill_value(tmp_path: Path, version: str) -> None:
    path = tmp_path / "grown.h5"
    with h5py.File(path, "w", libver=version) as file:
        grown = file.create_dataset(
            "w", (3, 4), np.int32, chunks=(2, 3), maxshape=(None, None), fillvalue=-7
        )
        grown[0, :2] = 5
        grown.resize((9, 8))
        grown[8, 7] = 1
    assert_equal_to_h5py(path).close()


@pytest.mark.parametrize("version", VERSIONS)
def test_many_groups_links_and_attributes(tmp_path: Path, version: str) -> None:
    path = tmp_path / "many.h5"
    with h5py.File(path, "w", libver=version) as file:
        for number in range(300):
            file[f"layer_{number}/kernel:0"] = np.full(3, number, np.float32)
        for number in range(30):
            file.attrs[f"note_{number}"] = f"text {number}"
        file["again"] = h5py.SoftLink("/layer_1")
    checkpoint = open_checkpoint(path)
    names = [entry.name for entry in checkpoint.entries]
    assert sorted(names) == sorted(f"layer_{number}/kernel:0" for number in range(300))
    assert values(checkpoint, "layer_299/kernel:0").tolist() == [299.0] * 3
    said = {**checkpoint.metadata, **{value.name: value.text for value in checkpoint.values}}
    assert "text 29" in "\n".join(said.values())
    checkpoint.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_outside_of_the_file_is_read(tmp_path: Path, version: str) -> None:
    secret, path = tmp_path / "secret.bin", tmp_path / "links.h5"
    secret.write_bytes(bytes(range(64)))
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["w"] = np.ones(3)
    with h5py.File(path, "w", libver=version) as file:
        file["own"] = np.arange(3)
        file["elsewhere"] = h5py.ExternalLink("other.h5", "/w")
        file.create_dataset("raw", (64,), np.uint8, external=[(str(secret), 0, 64)])
        if version == "latest":
            layout = h5py.VirtualLayout((3,), np.float64)
            layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "w", (3,))
            file.create_virtual_dataset("virtual", layout)
    checkpoint = open_checkpoint(path)
    assert values(checkpoint, "own").tolist() == [0, 1, 2]
    for entry in checkpoint.entries:
        assert bool(entry.problem) == (entry.name != "own")
    (link,) = checkpoint.values
    assert (link.name, link.text) == (
        "elsewhere",
        "→ /w in the file other.h5, which is not followed",
    )
    assert any("not opened" in found.message for found in checkpoint.findings)
    checkpoint.close()


def keras_weights(file: h5py.File) -> dict[str, np.ndarray[Any, Any]]:
    """Weights as Keras 2 lays them out."""
    rng = np.random.default_rng(3)
    file.attrs["keras_version"] = "2.15.0"
    file.attrs["backend"] = "tensorflow"
    file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"n": 1}})
    group = file.create_group("model_weights")
    group.attrs["layer_names"] = [b"dense", b"dense_1"]
    found = {}
    for layer in ("dense", "dense_1"):
        inner = group.create_group(layer)
        inner.attrs["weight_names"] = [f"{layer}/kernel:0".encode(), f"{layer}/bias:0".encode()]
        for name, shape in (("kernel:0", (5, 4)), ("bias:0", (4,))):
            found[f"model_weights/{layer}/{layer}/{name}"] = rng.standard_normal(shape)
            inner[f"{layer}/{name}"] = found[f"model_weights/{layer}/{layer}/{name}"]
    return found


def test_a_keras_2_model(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        expected = keras_weights(file)
    checkpoint = assert_equal_to_h5py(path)
    assert {entry.name for entry in checkpoint.entries} == set(expected)
    said = "\n".join([*checkpoint.metadata.values(), *(v.text for v in checkpoint.values)])
    for word in ("2.15.0", "tensorflow", "Sequential", "dense_1"):
        assert word in said
    checkpoint.close()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_keras_3_archive(tmp_path: Path, method: int) -> None:
    buffer = io.BytesIO()
    kernel = np.random.default_rng(4).standard_normal((64, 32)).astype(np.float32)
    with h5py.File(buffer, "w") as file:
        file["layers/dense/vars/0"] = kernel
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.5.0"}))
        archive.writestr("config.json", json.dumps({"class_name": "Functional"}))
        archive.writestr("model.weights.h5", buffer.getvalue())
    checkpoint = open_checkpoint(path)
    (entry,) = checkpoint.entries
    assert values(checkpoint, entry.name).tobytes() == kernel.tobytes()
    said = "\n".join([*checkpoint.metadata.values(), *(v.text for v in checkpoint.values)])
    assert "3.5.0" in said
    checkpoint.close()


def test_a_users_block_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "user.h5"
    with h5py.File(path, "w", userblock_size=1024) as file:
        file["w"] = np.arange(5.0)
    with path.open("r+b") as file:
        file.write(b"something else")
    checkpoint = open_checkpoint(path)
    assert values(checkpoint, "w").tolist() == [0, 1, 2, 3, 4]
    checkpoint.close()


def _samples() -> list[bytes]:
    made = []
    for version in VERSIONS:
        buffer = io.BytesIO()
        with h5py.File(buffer, "w", libver=version) as file:
            keras_weights(file)
            for number in range(12):
                file[f"g/{number}"] = number
            file.create_dataset(
                "c", data=np.arange(60.0).reshape(6, 10), chunks=(4, 4), compression="gzip"
            )
            file.create_dataset("e", data=np.arange(9), chunks=(2,), maxshape=(None,))
        made.append(buffer.getvalue())
    return made


SAMPLES = _samples()


@given(
    sample=st.sampled_from(SAMPLES),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8),
    end=st.one_of(st.just(1.0), st.floats(0.01, 1)),
)
@settings(max_examples=250, deadline=None)
def test_damage_is_an_error_in_words(
    tmp_path_factory: pytest.TempPathFactory,
    sample: bytes,
    changes: list[tuple[float, int]],
    end: float,
) -> None:
    content = bytearray(sample)
    for place, byte in changes:
        content[min(int(place * len(content)), len(content) - 1)] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.h5"
    path.write_bytes(content[: int(end * (len(content) - 1)) + 1])
    with contextlib.suppress(InspectorError):
        checkpoint = open_checkpoint(path)
        for entry in checkpoint.entries:
            with contextlib.suppress(InspectorError):
                source = tensor_source(entry)
                if entry.numel < 1000:
                    source.read(Region.whole(source.shape))
        checkpoint.close()


def test_a_file_cut_short_says_so(tmp_path: Path) -> None:
    path = tmp_path / "cut.h5"
    path.write_bytes(SAMPLES[0][:-100])
    checkpoint = open_checkpoint(path)
    whole = len(SAMPLES[0])
    assert f"should have {whole:,} bytes, and has {whole - 100:,}" in checkpoint.findings[0].message
    checkpoint.close()
    path.write_bytes(SAMPLES[0][:20])
    with pytest.raises(CheckpointError, match="cut"):
        open_checkpoint(path)


def test_a_dataset_without_elements_may_lie_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.h5"
    with h5py.File(path, "w") as file:
        file["w"] = np.ones((7, 11))
        offset = file["w"].id.get_offset()
    content = path.read_bytes()
    content = content.replace(struct.pack("<QQ", 7, 11), struct.pack("<QQ", 7, 0))
    content = content.replace(struct.pack("<QQ", offset, 616), struct.pack("<QQ", 1 << 60, 616))
    path.write_bytes(content)
    checkpoint = open_checkpoint(path)
    (entry,) = checkpoint.entries
    assert entry.shape == (7, 0)
    assert entry.storage is not None
    assert entry.storage.offset + entry.storage.nbytes <= entry.storage.source.size
    assert values(checkpoint, "w").shape == (7, 0)
    checkpoint.close()
