"""Pickles outside of zip archives: torch's legacy files, plain pickles, joblib."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import pickle
import struct
import tarfile
from collections import OrderedDict
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.checkpoints import Checkpoint, CheckpointError, InspectorError, open_checkpoint
from inspector.values.regions import Region
from inspector.values.tensors import tensor_source

#: Those of which torch itself reads a storage in this format.
DTYPES = [
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int8,
    torch.uint8,
    torch.int64,
    torch.bool,
    torch.complex64,
]


def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    made = {str(dtype): (torch.randn(5, 7) * 3).to(dtype) for dtype in DTYPES}
    made["strided"] = torch.randn(6, 8)[::2, 1:5].t()
    made["scalar"] = torch.tensor(2.5)
    made["empty"] = torch.empty(0, 3)
    return made


def raw(checkpoint: Checkpoint, name: str) -> bytes:
    entry = checkpoint.find(name)
    assert entry is not None, [entry.name for entry in checkpoint.entries]
    assert entry.problem == ""
    source = tensor_source(entry)
    return source.read_raw(Region.whole(source.shape)).tobytes()


def torch_raw(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def assert_equal_to_torch(checkpoint: Checkpoint, expected: dict[str, torch.Tensor]) -> None:
    assert [entry.name for entry in checkpoint.entries] == list(expected)
    for entry, (name, tensor) in zip(checkpoint.entries, expected.items(), strict=True):
        assert entry.shape == tuple(tensor.shape)
        assert entry.stride == tensor.stride()
        assert f"torch.{entry.dtype}" == str(tensor.dtype)
        assert raw(checkpoint, name) == torch_raw(tensor)


# torch legacy -----------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_a_legacy_file_equals_torchs_own_reading(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "old.pth"
    torch.save(state(), path, _use_new_zipfile_serialization=False, pickle_protocol=protocol)
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == "torch legacy"
    assert_equal_to_torch(checkpoint, torch.load(path, weights_only=False))
    assert checkpoint.metadata["pickle protocol"] == (str(protocol) if protocol > 1 else "0 or 1")
    assert checkpoint.metadata["byte order of the machine"] == "little"
    assert checkpoint.findings == []
    checkpoint.close()


def test_tensors_of_a_legacy_file_share_their_storage(tmp_path: Path) -> None:
    whole = torch.arange(12.0)
    path = tmp_path / "views.pt"
    torch.save(
        {"whole": whole, "part": whole[3:9:2], "n": 7}, path, _use_new_zipfile_serialization=False
    )
    checkpoint = open_checkpoint(path)
    first, second = checkpoint.entries
    assert first.storage is second.storage
    assert raw(checkpoint, "part") == torch_raw(whole[3:9:2])
    assert [(value.name, value.text) for value in checkpoint.values] == [("n", "7")]
    checkpoint.close()


def test_a_legacy_file_cut_at_every_place(tmp_path: Path) -> None:
    expected = {"a": torch.arange(6.0), "b": torch.arange(9, dtype=torch.int16)}
    buffer = io.BytesIO()
    torch.save(expected, buffer, _use_new_zipfile_serialization=False)
    content = buffer.getvalue()
    path = tmp_path / "cut.pt"
    listed = 0
    for end in range(len(content)):
        path.write_bytes(content[:end])
        try:
            checkpoint = open_checkpoint(path)
        except CheckpointError:
            continue
        listed += 1
        assert any("cut short" in found.message for found in checkpoint.findings)
        for entry in checkpoint.entries:
            if not entry.problem:
                assert raw(checkpoint, entry.name) == torch_raw(expected[entry.name])
        checkpoint.close()
    # From the end of the description on, all are listed.
    assert listed > 50


def test_a_legacy_file_of_a_whole_module_and_an_optimizer(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(5, 4)).sum().backward()
    optimizer.step()
    path = tmp_path / "all.pt"
    torch.save(
        {"model": model, "optimizer": optimizer.state_dict(), "args": argparse.Namespace(lr=0.1)},
        path,
        _use_new_zipfile_serialization=False,
    )
    checkpoint = open_checkpoint(path)
    for name, tensor in model.state_dict().items():
        assert raw(checkpoint, f"model.{name}") == torch_raw(tensor)
    average = optimizer.state_dict()["state"][0]["exp_avg"]
    assert raw(checkpoint, "optimizer.state[0].exp_avg") == torch_raw(average)
    assert ("args.lr", "0.1") in [(value.name, value.text) for value in checkpoint.values]
    checkpoint.close()


def test_every_pickle_of_a_legacy_file_is_judged(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"w": torch.ones(2)}, buffer, _use_new_zipfile_serialization=False)
    stream = io.BytesIO(buffer.getvalue())
    magic, protocol, system = (pickle.load(stream) for _ in range(3))
    bomb = b"\x80\x02" + b"cos\nsystem\n" + b"X\x04\x00\x00\x00true\x85R."
    path = tmp_path / "bomb.pt"
    path.write_bytes(
        pickle.dumps(magic, 2)
        + pickle.dumps(protocol, 2)
        + bomb
        + buffer.getvalue()[stream.tell() :]
    )
    assert system["little_endian"]
    checkpoint = open_checkpoint(path)
    assert raw(checkpoint, "w") == torch_raw(torch.ones(2))
    assert [found.severity for found in checkpoint.findings] == ["danger"]
    assert "os.system" in checkpoint.findings[0].message
    checkpoint.close()


# torch tar --------------------------------------------------------------------------------------


def tar_of(tensors: dict[str, torch.Tensor]) -> bytes:
    """An archive as torch 0.1.9 wrote it, by what torch's own `legacy_load` reads."""
    storages, described = io.BytesIO(), io.BytesIO()
    pickle.dump(len(tensors), storages, 2)
    pickle.dump(len(tensors), described, 2)
    for number, tensor in enumerate(tensors.values()):
        storage = tensor.untyped_storage()
        kind = getattr(torch, f"{LEGACY[tensor.dtype]}Storage")
        pickle.dump((100 + number, "cpu", kind), storages, 2)
        storages.write((storage.nbytes() // tensor.itemsize).to_bytes(8, "little"))
        storages.write(bytes(storage))
        pickle.dump((number, 100 + number, torch.FloatTensor), described, 2)
        described.write(struct.pack("<ii", tensor.dim(), 0))
        described.write(struct.pack(f"<{tensor.dim()}q", *tensor.shape))
        described.write(struct.pack(f"<{tensor.dim()}q", *tensor.stride()))
        described.write(struct.pack("<q", tensor.storage_offset()))
    pickle.dump([], storages, 2)
    pickled = io.BytesIO()

    class Pickler(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            return str(value.number) if isinstance(value, Reference) else None

    names = OrderedDict((name, Reference(number)) for number, name in enumerate(tensors))
    Pickler(pickled, 2).dump({"model": names, "epoch": 3})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in (
            ("sys_info", pickle.dumps({"little_endian": True}, 2)),
            ("pickle", pickled.getvalue()),
            ("tensors", described.getvalue()),
            ("storages", storages.getvalue()),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class Reference:
    """Stands for a tensor in a pickle."""

    def __init__(self, number: int) -> None:
        self.number = number


LEGACY = {torch.float32: "Float", torch.int64: "Long", torch.float16: "Half", torch.uint8: "Byte"}


def test_a_tar_file_equals_torchs_own_reading(tmp_path: Path) -> None:
    tensors = {
        "w": torch.randn(4, 5),
        "t": torch.randn(6, 7).t()[1:3],
        "long": torch.arange(9),
        "byte": torch.arange(5, dtype=torch.uint8),
    }
    path = tmp_path / "model.pth"
    path.write_bytes(tar_of(tensors))
    expected = torch.load(path, weights_only=False)
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == "torch tar"
    assert [entry.name for entry in checkpoint.entries] == [f"model.{name}" for name in tensors]
    for name, tensor in expected["model"].items():
        assert raw(checkpoint, f"model.{name}") == torch_raw(tensor)
        assert torch.equal(tensor, tensors[name])
    assert [(value.name, value.text) for value in checkpoint.values] == [("epoch", "3")]
    checkpoint.close()


def test_a_tar_file_cut_at_every_place(tmp_path: Path) -> None:
    expected = {"w": torch.randn(4, 5), "v": torch.arange(300)}
    content, path = tar_of(expected), tmp_path / "cut.pth"
    for end in range(0, len(content), 61):
        path.write_bytes(content[:end])
        with contextlib.suppress(CheckpointError):
            checkpoint = open_checkpoint(path)
            for entry in checkpoint.entries:
                if not entry.problem:
                    name = entry.name.removeprefix("model.")
                    assert raw(checkpoint, entry.name) == torch_raw(expected[name])
            checkpoint.close()


# Plain pickles ----------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(6))
def test_a_plain_pickle_of_tensors_equals_pickles_own_reading(
    tmp_path: Path, protocol: int
) -> None:
    path = tmp_path / "state.pkl"
    path.write_bytes(pickle.dumps(state(), protocol))
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == "pickle"
    assert_equal_to_torch(checkpoint, pickle.loads(path.read_bytes()))
    checkpoint.close()


@pytest.mark.parametrize("protocol", range(6))
def test_a_plain_pickle_of_arrays_and_values(tmp_path: Path, protocol: int) -> None:
    rng = np.random.default_rng(1)
    arrays = {
        "small": rng.standard_normal((3, 4)),
        "large": rng.standard_normal((300, 200)).astype(np.float32),
        "fortran": np.asfortranarray(rng.integers(0, 99, (40, 50))),
        "big": np.arange(9, dtype=">i4"),
    }
    path = tmp_path / "arrays.pickle"
    path.write_bytes(
        pickle.dumps({**arrays, "epoch": 3, "rate": np.float32(0.5), "tags": ["a", "b"]}, protocol)
    )
    checkpoint = open_checkpoint(path)
    assert [entry.name for entry in checkpoint.entries] == list(arrays)
    for name, array in arrays.items():
        native = array.astype(array.dtype.newbyteorder("="))
        assert raw(checkpoint, name) == native.tobytes()
    values = {value.name: value.text for value in checkpoint.values}
    assert values == {"epoch": "3", "rate": "0.5", "tags": "['a', 'b']"}
    checkpoint.close()


def test_tensors_that_share_a_storage_share_it_here_too(tmp_path: Path) -> None:
    linear = torch.nn.Linear(300, 200)
    path = tmp_path / "module.pkl"
    path.write_bytes(pickle.dumps({"module": linear, "weight": linear.weight}))
    checkpoint = open_checkpoint(path)
    names = [entry.name for entry in checkpoint.entries]
    assert names == ["module.weight", "module.bias", "weight"]
    assert raw(checkpoint, "module.weight") == torch_raw(linear.weight.detach())
    assert raw(checkpoint, "weight") == torch_raw(linear.weight.detach())
    checkpoint.close()


def test_pickles_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "log.pkl"
    with path.open("wb") as file:
        for step in range(3):
            pickle.dump({"step": step, "grad": torch.full((4,), float(step))}, file)
    checkpoint = open_checkpoint(path)
    assert [entry.name for entry in checkpoint.entries] == ["[0].grad", "[1].grad", "[2].grad"]
    assert raw(checkpoint, "[2].grad") == torch_raw(torch.full((4,), 2.0))
    assert [value.text for value in checkpoint.values] == ["0", "1", "2"]
    checkpoint.close()
    with path.open("ab") as file:
        file.write(b"\xff\xff\xff")
    checkpoint = open_checkpoint(path)
    assert any("3 bytes follow" in found.message for found in checkpoint.findings)
    checkpoint.close()


@pytest.mark.parametrize("protocol", range(6))
def test_a_hostile_pickle_runs_nothing(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {mark}",)

    path = tmp_path / "bomb.pkl"
    path.write_bytes(pickle.dumps({"w": torch.ones(2), "bomb": Bomb()}, protocol))
    checkpoint = open_checkpoint(path)
    assert raw(checkpoint, "w") == torch_raw(torch.ones(2))
    assert any(found.severity == "danger" for found in checkpoint.findings)
    assert not mark.exists()
    checkpoint.close()


def test_what_an_archive_within_a_pickle_asks_for_is_judged(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, ("true",)

    inner = io.BytesIO()
    torch.save(Bomb(), inner, _use_new_zipfile_serialization=False)

    class Outer:
        def __reduce__(self) -> tuple[object, tuple[bytes]]:
            return torch.storage._load_from_bytes, (inner.getvalue(),)

    path = tmp_path / "nested.pkl"
    path.write_bytes(pickle.dumps({"w": Outer()}))
    checkpoint = open_checkpoint(path)
    assert any(found.severity == "danger" for found in checkpoint.findings)
    assert [value.name for value in checkpoint.values] == ["w"]
    checkpoint.close()


@pytest.mark.parametrize(
    "text", ["import os\n", "(see below)\n", "Values:\n1, 2\n", "I am a text.\n", "name,age\nA,1\n"]
)
def test_a_text_is_no_pickle(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notes.pkl"
    path.write_text(text)
    with pytest.raises(CheckpointError, match="text"):
        open_checkpoint(path)


# joblib -----------------------------------------------------------------------------------------


class Estimator:
    """As in scikit-learn: an object with arrays as attributes."""

    def __init__(self) -> None:
        self.coef_ = np.random.default_rng(2).standard_normal((30, 40))
        self.classes_ = np.array(["a", "bc"])
        self.alpha = 0.25


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_joblib_file_equals_joblibs_own_reading(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "model.joblib"
    saved = {
        "estimator": Estimator(),
        "fortran": np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4)),
        "objects": np.array([1, "two", None], dtype=object),
        "empty": np.empty((0, 3)),
        "last": np.arange(100_000),
        "step": 12,
    }
    joblib.dump(saved, path, protocol=protocol)
    expected = joblib.load(path)
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == "joblib"
    assert raw(checkpoint, "estimator.coef_") == expected["estimator"].coef_.tobytes()
    for name in ("fortran", "last", "empty"):
        assert raw(checkpoint, name) == expected[name].tobytes()
    values = {value.name: value.text for value in checkpoint.values}
    assert values["step"] == "12"
    assert values["estimator.alpha"] == "0.25"
    assert values["objects"] == "[1, 'two', None]"
    assert "U2" in values["estimator.classes_"]
    assert [found for found in checkpoint.findings if found.severity != "note"] == []
    checkpoint.close()


# Damage -----------------------------------------------------------------------------------------


def _samples() -> list[bytes]:
    legacy = io.BytesIO()
    tensors = OrderedDict(w=torch.arange(6.0).reshape(2, 3), v=torch.ones(4).half())
    torch.save(tensors, legacy, _use_new_zipfile_serialization=False)
    dumped = io.BytesIO()
    joblib.dump({"a": np.arange(5), "e": Estimator(), "o": np.array([1, None])}, dumped)
    return [
        legacy.getvalue(),
        dumped.getvalue(),
        tar_of(tensors),
        *(pickle.dumps(tensors, n) for n in (0, 2, 4)),
    ]


SAMPLES = _samples()


@given(
    sample=st.sampled_from(SAMPLES),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=5),
    end=st.floats(0.3, 1),
)
@settings(max_examples=200, deadline=None)
def test_damage_is_an_error_in_words(
    tmp_path_factory: pytest.TempPathFactory,
    sample: bytes,
    changes: list[tuple[float, int]],
    end: float,
) -> None:
    content = bytearray(sample)
    for place, byte in changes:
        content[min(int(place * len(content)), len(content) - 1)] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.pkl"
    path.write_bytes(content[: int(end * len(content)) + 1])
    with contextlib.suppress(InspectorError):
        checkpoint = open_checkpoint(path)
        for entry in checkpoint.entries:
            source = tensor_source(entry)
            if entry.numel < 1000:
                source.read(Region.whole(source.shape))
        checkpoint.close()


def test_each_tensor_has_the_beginning_of_its_own_archive(tmp_path: Path) -> None:
    """The archives of one file mostly begin alike; one that does not is read by its own."""
    data = pickle.dumps([torch.full((2,), float(i)) for i in range(4)])
    version = pickle.dumps(1001, protocol=2)
    assert data.count(version) == 4
    at = data.index(version, data.index(version) + 1)
    path = tmp_path / "a.pkl"
    path.write_bytes(data[:at] + pickle.dumps(1002, protocol=2) + data[at + len(version) :])
    checkpoint = open_checkpoint(path)
    for i, entry in enumerate(checkpoint.entries):
        assert tensor_source(entry).read(Region.whole((2,))).tolist() == [i, i]
    assert [found.message for found in checkpoint.findings] == [
        "The format's version is 1002 instead of 1001."
    ]
