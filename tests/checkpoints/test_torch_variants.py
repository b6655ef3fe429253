"""What torch.save can be told to write, and what people save with it, against torch's answer."""

from __future__ import annotations

import argparse
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hostile_pickles import archive
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils.serialization import config

from inspector.checkpoints import Checkpoint, open_checkpoint
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region


def read(checkpoint: Checkpoint, name: str) -> np.ndarray[Any, Any]:
    entry = checkpoint.find(name)
    assert entry is not None
    assert not entry.problem
    source = StoredTensor(entry)
    return source.read(Region.whole(source.shape))


def assert_equal(checkpoint: Checkpoint, expected: dict[str, torch.Tensor]) -> None:
    """Names in their order, geometry and values are those of ``expected``."""
    assert [entry.name for entry in checkpoint.entries] == list(expected)
    for entry in checkpoint.entries:
        tensor = expected[entry.name].detach()
        assert (entry.shape, entry.stride) == (tuple(tensor.shape), tensor.stride())
        assert f"torch.{entry.dtype}" == str(tensor.dtype)
        assert read(checkpoint, entry.name).tolist() == tensor.tolist()


TENSORS = {
    "half": torch.arange(5, dtype=torch.float16),
    "single": torch.randn(3, 4).t(),
    "brain": torch.randn(7).bfloat16(),
    "double": torch.randn(2, dtype=torch.float64),
    "complex": torch.randn(3, dtype=torch.complex64),
    "whole": torch.arange(-3, 3),
    "short": torch.arange(-3, 3, dtype=torch.int16),
    "truth": torch.tensor([True, False]),
    "byte": torch.arange(9, dtype=torch.uint8),
    "none": torch.empty(0, 3),
}


@contextmanager
def no_checksums() -> Iterator[None]:
    torch.serialization.set_crc32_options(False)
    try:
        yield
    finally:
        torch.serialization.set_crc32_options(True)


@pytest.mark.parametrize("alignment", [64, 1, 4096])
@pytest.mark.parametrize("checked", [True, False])
def test_alignment_and_checksums(tmp_path: Path, alignment: int, checked: bool) -> None:
    path = tmp_path / "a.pt"
    with config.patch({"save.storage_alignment": alignment}):
        if checked:
            torch.save(TENSORS, path)
        else:
            with no_checksums():
                torch.save(TENSORS, path)
    checkpoint = open_checkpoint(path)
    assert checkpoint.metadata["storage_alignment"] == str(alignment)
    assert_equal(checkpoint, torch.load(path))
    checkpoint.close()


def test_a_buffer_has_archive_for_a_root(tmp_path: Path) -> None:
    path = tmp_path / "anything.pt"
    buffer = io.BytesIO()
    torch.save(TENSORS, buffer)
    path.write_bytes(buffer.getvalue())
    with zipfile.ZipFile(path) as members:
        assert "archive/data.pkl" in members.namelist()
    checkpoint = open_checkpoint(path)
    assert_equal(checkpoint, TENSORS)
    checkpoint.close()


def rewritten(path: Path, *, swap: bool = False, keys: bool = False, deflate: bool = False) -> Path:
    """A torch file again, changed in ways that torch's own reader understands."""
    changed = path.with_name("changed.pt")
    widths = {str(index): width(tensor) for index, tensor in enumerate(TENSORS.values())}
    method = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(changed, "w", method) as new:
        for name in old.namelist():
            data = old.read(name)
            folder, _, key = name.rpartition("/")
            is_storage = folder.endswith("/data")
            if swap and is_storage and data:
                data = np.frombuffer(data, f"u{widths[key]}").byteswap().tobytes()
            if swap and key == "byteorder":
                data = b"big"
            if keys and is_storage:
                name = f"{folder}/{94_340_341_200_120 + int(key)}"
            if keys and key == "data.pkl":
                for index in range(len(TENSORS)):
                    short = b"X\x01\0\0\0" + str(index).encode() + b"q"
                    number = str(94_340_341_200_120 + index).encode()
                    assert data.count(short) == 1
                    data = data.replace(short, b"X\x0e\0\0\0" + number + b"q")
            new.writestr(name, data)
    return changed


def width(tensor: torch.Tensor) -> int:
    """Bytes of what is turned round in another byte order: half of a complex number."""
    return tensor.element_size() // (2 if tensor.is_complex() else 1)


@pytest.mark.parametrize("change", ["swap", "keys", "deflate"])
def test_archives_that_torch_reads_but_does_not_write_here(tmp_path: Path, change: str) -> None:
    """Of big-endian machines; of old versions, which named storages by address; packed again."""
    path = tmp_path / "a.pt"
    torch.save(TENSORS, path)
    changed = rewritten(path, **{change: True})
    loaded = torch.load(changed)
    for name, tensor in TENSORS.items():
        assert torch.equal(loaded[name], tensor)
    checkpoint = open_checkpoint(changed)
    assert_equal(checkpoint, loaded)
    assert checkpoint.metadata["byteorder"] == ("big" if change == "swap" else "little")
    checkpoint.close()


def test_beyond_4_gb_as_torch_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    with torch.serialization.skip_data():
        torch.save({"large": torch.empty(1100, 1 << 20), "small": torch.empty(5)}, path)
    found = path.stat()
    assert found.st_size > 4 << 30
    if found.st_blocks * 512 > 1 << 20:
        pytest.skip("this disk has no holes")
    with zipfile.ZipFile(path) as members:
        place = members.getinfo("a/data/1")
    with path.open("r+b") as file:
        file.seek(place.header_offset + 26)
        name, extra = np.frombuffer(file.read(4), "<u2").tolist()
        file.seek(place.header_offset + 30 + name + extra)
        file.write(torch.arange(5.0).numpy().tobytes())
    checkpoint = open_checkpoint(path)
    assert [(entry.name, entry.problem) for entry in checkpoint.entries] == [
        ("large", ""),
        ("small", ""),
    ]
    assert read(checkpoint, "small").tolist() == [0, 1, 2, 3, 4]
    large = checkpoint.entries[0]
    assert StoredTensor(large).read(Region.whole((1, 1))).tolist()
    checkpoint.close()


@pytest.mark.parametrize("protocol", range(1, 6))
def test_every_pickle_protocol(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "a.pt"
    torch.save(TENSORS, path, pickle_protocol=protocol)
    checkpoint = open_checkpoint(path)
    assert_equal(checkpoint, torch.load(path, weights_only=False))
    checkpoint.close()


def test_protocol_0_can_not_refer_to_storages(tmp_path: Path) -> None:
    """torch writes it, and can not read it again."""
    path = tmp_path / "a.pt"
    torch.save({"w": torch.ones(2), "n": 5}, path, pickle_protocol=0)
    with pytest.raises(AssertionError, match="saved_id"):
        torch.load(path, weights_only=False)
    checkpoint = open_checkpoint(path)
    assert "not described as torch does" in checkpoint.entries[0].problem
    assert [(value.name, value.text) for value in checkpoint.values] == [("n", "5")]
    checkpoint.close()


@pytest.mark.parametrize(
    "kind", [torch.optim.Adam, torch.optim.SGD, torch.optim.LBFGS], ids=lambda kind: kind.__name__
)
def test_training_states(tmp_path: Path, kind: type[torch.optim.Optimizer]) -> None:
    model = torch.nn.Linear(3, 2)
    options = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    optimizer = kind(model.parameters(), lr=0.125, **options)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)

    def closure() -> float:
        optimizer.zero_grad()
        loss = model(torch.ones(4, 3)).square().sum()
        loss.backward()
        return float(loss.detach())

    for _ in range(2):
        optimizer.step(closure)
    scheduler.step()
    path = tmp_path / "a.pt"
    state = {
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "rng": torch.get_rng_state(),
        "numpy_rng": np.random.RandomState(3).get_state(),
    }
    torch.save(state, path)
    checkpoint = open_checkpoint(path)
    expected = {
        f"optimizer.state[{index}].{name}": value
        for index, slots in state["optimizer"]["state"].items()
        for name, value in slots.items()
        if isinstance(value, torch.Tensor)
    }
    assert expected
    for name, tensor in expected.items():
        assert read(checkpoint, name).tolist() == tensor.tolist()
    assert read(checkpoint, "rng").tolist() == torch.get_rng_state().tolist()
    numbers = state["numpy_rng"][1]
    assert read(checkpoint, "numpy_rng[1]").tolist() == numbers.tolist()
    values = {value.name: value.text for value in checkpoint.values}
    assert values["optimizer.param_groups[0].initial_lr"] == "0.125"
    assert values["scheduler.step_size"] == "3"
    assert not any(entry.problem for entry in checkpoint.entries)
    checkpoint.close()


def test_what_lightning_saves(tmp_path: Path) -> None:
    path = tmp_path / "a.ckpt"
    options = argparse.Namespace(lr=0.5, layers=[1, 2], device=torch.device("cuda:1"))
    weight = torch.nn.Parameter(torch.ones(2))
    weight.note = "kept"  # type: ignore[attr-defined]
    state = {"hyper_parameters": options, "score": np.float32(0.25), "state_dict": {"w": weight}}
    torch.save(state, path)
    checkpoint = open_checkpoint(path)
    assert_equal(checkpoint, {"state_dict.w": weight})
    values = {value.name: value.text for value in checkpoint.values}
    assert values["hyper_parameters.lr"] == "0.5"
    assert values["hyper_parameters.layers"] == "[1, 2]"
    assert "cuda" in values["hyper_parameters.device"]
    assert values["score"] == "0.25"
    assert values["state_dict.w.note"] == "kept"
    checkpoint.close()


def test_a_dtensor_shows_what_is_here(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.distributed.init_process_group("fake", rank=0, world_size=2, store=FakeStore())
    try:
        mesh = init_device_mesh("cpu", (2,))
        local = torch.arange(6.0).reshape(2, 3)
        torch.save({"w": DTensor.from_local(local, mesh, [Shard(0)])}, path)
    finally:
        torch.distributed.destroy_process_group()
    checkpoint = open_checkpoint(path)
    entry = checkpoint.find("w")
    assert entry is not None
    assert (entry.kind, entry.shape, entry.dtype) == ("subclass", (4, 3), "float32")
    (part,) = (part for part in entry.components if part.name == "w._local_tensor")
    source = StoredTensor(part)
    assert source.read(Region.whole(source.shape)).tolist() == local.tolist()
    assert "DTensor" in entry.details["class"]
    # Its class has slots. What it is made of is no entry of its own, and not counted twice.
    assert part.name not in [each.name for each in checkpoint.entries]
    checkpoint.close()


@pytest.mark.parametrize("word", ["quint4x2", "quint2x4"])
def test_storages_of_parts_of_bytes_are_listed(tmp_path: Path, word: str) -> None:
    storage = {"quint4x2": "QUInt4x2Storage", "quint2x4": "QUInt2x4Storage"}[word]
    data = b"\x80\x02(X\x07\0\0\0storagectorch\n" + storage.encode()
    data += b"\nX\x01\0\0\x000X\x03\0\0\0cpuK\x08tQ."
    checkpoint = open_checkpoint(archive(tmp_path / "a.pt", data, s0=bytes(8)))
    (entry,) = checkpoint.entries
    assert entry.dtype == word
    checkpoint.close()
