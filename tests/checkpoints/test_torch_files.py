"""Files that torch and safetensors wrote: listing and bytes equal their own answers."""

from __future__ import annotations

import argparse
import collections
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from inspector.checkpoints import TensorEntry, open_checkpoint
from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.listing import to_json, to_text


def flattened(value: Any, name: str = "") -> dict[str, torch.Tensor]:
    """Every tensor in what torch.load gives, by the name that we promise."""
    if isinstance(value, torch.Tensor):
        return {name or "tensor": value}
    found: dict[str, torch.Tensor] = {}
    if isinstance(value, dict):
        for key, item in value.items():
            part = f"[{key}]" if isinstance(key, int) else f".{key}" if name else str(key)
            found |= flattened(item, name + part)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            found |= flattened(item, f"{name}[{index}]")
    return found


def stored_bytes(entry: TensorEntry) -> bytes:
    """A dense entry's elements in C order, straight from its storage."""
    assert entry.storage is not None
    storage = entry.storage
    whole = storage.source.read(storage.offset, storage.nbytes)
    view = np.lib.stride_tricks.as_strided(
        np.frombuffer(whole, np.uint8)[entry.storage_offset * entry.itemsize :],
        (*entry.shape, entry.itemsize),
        (*(step * entry.itemsize for step in entry.stride), 1),
        writeable=False,
    )
    return view.tobytes()


def torchs_bytes(tensor: torch.Tensor) -> bytes:
    plain = tensor.detach().resolve_conj().resolve_neg().contiguous()
    return plain.reshape(-1).view(torch.uint8).numpy().tobytes() if plain.numel() else b""


def state() -> dict[str, Any]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(5, 2)
    )
    optimizer = torch.optim.Adam(model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    base = torch.randn(6, 8)
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "views": {"part": base[1::2, ::3], "turned": base.t(), "wide": base[:, :1].expand(6, 5)},
        "list": [torch.tensor(1.5), (torch.arange(3), [torch.empty(0, 4)])],
        7: torch.ones(2),
        "epoch": 3,
    }


ALL_DTYPES = sorted(
    name
    for name in ITEMSIZE
    if not name.startswith(("q", "bits")) and not name.rstrip("1234567").endswith("int")
)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_training_checkpoint(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "training.pt"
    torch.save(state(), path, pickle_protocol=protocol)
    expected = flattened(torch.load(path, weights_only=False))
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == "torch zip"
    assert [entry.name for entry in checkpoint.entries] == list(expected)
    shared: dict[int, set[int]] = collections.defaultdict(set)
    for entry in checkpoint.entries:
        tensor = expected[entry.name]
        assert f"torch.{entry.dtype}" == str(tensor.dtype)
        assert entry.shape == tuple(tensor.shape)
        assert entry.stride == tensor.stride()
        assert entry.storage_offset == tensor.storage_offset()
        assert entry.requires_grad == tensor.requires_grad
        assert not entry.problem
        assert stored_bytes(entry) == torchs_bytes(tensor)
        if tensor.numel():
            shared[tensor.untyped_storage().data_ptr()].add(id(entry.storage))
    # The same tensors share a storage as torch says.
    assert all(len(storages) == 1 for storages in shared.values())
    values = {value.name: value.text for value in checkpoint.values}
    assert values["epoch"] == "3"


@pytest.mark.filterwarnings("ignore:ComplexHalf:UserWarning")
@pytest.mark.parametrize("name", ALL_DTYPES)
def test_every_dtype(tmp_path: Path, name: str) -> None:
    path = tmp_path / "dtype.pt"
    raw = torch.arange(96, dtype=torch.uint8) % 2
    tensor = raw.view(getattr(torch, name)).reshape(2, -1)
    torch.save({"t": tensor}, path)
    entry = open_checkpoint(path).find("t")
    assert entry is not None
    assert (entry.dtype, entry.shape, entry.stride) == (name, tuple(tensor.shape), tensor.stride())
    assert entry.nbytes == 96
    assert stored_bytes(entry) == raw.numpy().tobytes()


def test_the_dtypes_are_torchs() -> None:
    theirs = {
        str(value).removeprefix("torch."): value.itemsize
        for value in vars(torch).values()
        if isinstance(value, torch.dtype)
    }
    assert theirs == ITEMSIZE


def test_a_flat_state_dict_keeps_its_keys(tmp_path: Path) -> None:
    path = tmp_path / "flat.bin"
    torch.save({"a.b.weight": torch.ones(2), "a": torch.ones(3), "": torch.ones(1)}, path)
    assert [entry.name for entry in open_checkpoint(path).entries][:2] == ["a.b.weight", "a"]


def test_a_tensor_alone_and_a_list(tmp_path: Path) -> None:
    path = tmp_path / "one.pt"
    torch.save(torch.ones(2, 3), path)
    assert [entry.name for entry in open_checkpoint(path).entries] == ["tensor"]
    torch.save([torch.ones(1), torch.ones(2)], path)
    assert [entry.name for entry in open_checkpoint(path).entries] == ["[0]", "[1]"]


def test_flags_and_devices(tmp_path: Path) -> None:
    path = tmp_path / "flags.pt"
    numbers = torch.randn(3, dtype=torch.complex64)
    torch.save(
        {
            "conj": numbers.conj(),
            "neg": torch.randn(3, dtype=torch.complex64).conj().imag,
            "parameter": torch.nn.Parameter(torch.ones(2)),
            "meta": torch.empty(3, 4, device="meta"),
        },
        path,
    )
    found = {entry.name: entry for entry in open_checkpoint(path).entries}
    assert found["conj"].is_conj
    assert found["neg"].is_neg
    assert found["parameter"].requires_grad
    assert found["meta"].kind == "meta"
    assert found["meta"].shape == (3, 4)
    assert found["meta"].storage is None


@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning")
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_sparse_and_quantized(tmp_path: Path) -> None:
    path = tmp_path / "kinds.pt"
    sparse = torch.eye(4).to_sparse()
    quantized = torch.quantize_per_tensor(torch.randn(5), 0.1, 3, torch.quint8)
    torch.save({"sparse": sparse, "quantized": quantized}, path)
    found = {entry.name: entry for entry in open_checkpoint(path).entries}
    assert found["sparse"].kind == "sparse_coo"
    parts = {part.name.rpartition(".")[2]: part for part in found["sparse"].components}
    assert stored_bytes(parts["values"]) == torchs_bytes(sparse.values())
    assert stored_bytes(parts["indices"]) == torchs_bytes(sparse.indices())
    assert found["quantized"].kind == "quantized"
    assert stored_bytes(found["quantized"]) == quantized.int_repr().numpy().tobytes()
    assert any("0.1" in text for text in found["quantized"].details.values())


class Unknown:
    """A class that a reader of the file does not have."""

    def __init__(self) -> None:
        self.weight = torch.arange(4.0)
        self.inner = {"more": [torch.ones(2)]}


def test_classes_are_not_needed(tmp_path: Path) -> None:
    path = tmp_path / "objects.pt"
    torch.save(
        {
            "object": Unknown(),
            "module": torch.nn.Linear(2, 3),
            "namespace": argparse.Namespace(lr=0.1, w=torch.ones(5)),
            "scalar": np.float64(2.5),
        },
        path,
    )
    checkpoint = open_checkpoint(path)
    names = {entry.name for entry in checkpoint.entries}
    assert {
        "object.weight",
        "object.inner.more[0]",
        "module.weight",
        "module.bias",
        "namespace.w",
    } <= names
    assert any("Unknown" in finding.message for finding in checkpoint.findings)
    values = {value.name: value.text for value in checkpoint.values}
    assert values["namespace.lr"] == "0.1"
    assert values["scalar"] == "2.5"


def test_one_dict_under_two_names_is_listed_twice(tmp_path: Path) -> None:
    path = tmp_path / "twice.pt"
    weights = {"w": torch.ones(2)}
    torch.save({"model": weights, "ema": weights}, path)
    first, second = open_checkpoint(path).entries
    assert (first.name, second.name) == ("model.w", "ema.w")
    assert first.storage is second.storage


def test_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    names = [name for name in ALL_DTYPES if "x2" not in name and name != "complex32"]
    tensors = {
        name: (torch.arange(64, dtype=torch.uint8) % 2).view(getattr(torch, name)).reshape(2, -1)
        for name in names
        if name not in ("float8_e4m3fnuz", "float8_e5m2fnuz", "complex128")
    }
    save_file(tensors, path, metadata={"format": "pt", "author": "us"})
    loaded = load_file(path)
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == "safetensors"
    assert checkpoint.metadata["author"] == "us"
    assert {entry.name for entry in checkpoint.entries} == set(loaded)
    for entry in checkpoint.entries:
        tensor = loaded[entry.name]
        assert f"torch.{entry.dtype}" == str(tensor.dtype)
        assert (entry.shape, entry.stride) == (tuple(tensor.shape), tensor.stride())
        assert stored_bytes(entry) == torchs_bytes(tensor)


def test_the_listing_as_json_and_text(tmp_path: Path) -> None:
    path = tmp_path / "training.pt"
    torch.save(state(), path)
    checkpoint = open_checkpoint(path)
    listing = json.loads(json.dumps(to_json(checkpoint)))
    assert {"path", "format", "metadata", "findings", "entries"} <= set(listing)
    expected = flattened(torch.load(path, weights_only=False))
    for row in listing["entries"]:
        tensor = expected[row["name"]]
        assert row["shape"] == list(tensor.shape)
        assert row["stride"] == list(tensor.stride())
        assert row["nbytes"] == tensor.nbytes
        assert row["device"] == "cpu"
        assert row["kind"] == "dense"
    text = "\n".join(to_text(checkpoint))
    assert all(name in text for name in expected)
