"""torch archives that were cut or damaged, torch.export's, and TorchScript of all ages."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import pytest
import torch

from inspector.checkpoints import Checkpoint, CheckpointError, InspectorError, open_checkpoint
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region


def values(checkpoint: Checkpoint, name: str) -> object:
    entry = checkpoint.find(name)
    assert entry is not None
    source = StoredTensor(entry)
    return source.read(Region.whole(source.shape)).tolist()


def saved(path: Path) -> tuple[dict[str, torch.Tensor], bytes]:
    tensors = {f"w{n}": torch.randn(50 + n) for n in range(6)}
    torch.save(tensors, path)
    return tensors, path.read_bytes()


def test_a_download_that_stopped_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    tensors, whole = saved(path)
    with zipfile.ZipFile(path) as archive:
        pickled = archive.infolist()[0]
    end = whole.index(b"PK\x07\x08", pickled.header_offset)
    seen = set()
    for length in range(1, len(whole), 37):
        path.write_bytes(whole[:length])
        if length < end + 16:
            with pytest.raises(CheckpointError):
                open_checkpoint(path)
            continue
        checkpoint = open_checkpoint(path)
        assert [entry.name for entry in checkpoint.entries] == list(tensors)
        readable = [entry.name for entry in checkpoint.entries if not entry.problem]
        assert readable == list(tensors)[: len(readable)]
        for name in readable:
            assert values(checkpoint, name) == tensors[name].tolist()
        message = checkpoint.findings[0].message
        assert f"{len(readable)} of 6 tensors can be read" in message
        assert f"{length:,}" in message
        assert ("at least" in message) == (len(readable) < 6)
        seen.add(len(readable))
        checkpoint.close()
    assert seen == set(range(7))


def test_a_cut_pickle_says_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    _, whole = saved(path)
    path.write_bytes(whole[:200])
    with pytest.raises(CheckpointError, match=r"within data.pkl.*bytes of it are there"):
        open_checkpoint(path)


def test_a_damaged_directory_and_junk_around_the_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    tensors, whole = saved(path)
    at = whole.index(b"PK\x01\x02")
    for data, part in (
        (whole[:at] + b"XX" + whole[at + 2 :], "one by one"),
        (b"#!/bin/sh\n" + whole, "10 bytes come before"),
        (whole + b"tail", "4 bytes follow"),
        (whole + bytes(200_000), "one by one"),
    ):
        path.write_bytes(data)
        checkpoint = open_checkpoint(path)
        assert any(part in finding.message for finding in checkpoint.findings)
        for name, tensor in tensors.items():
            assert values(checkpoint, name) == tensor.tolist()
        checkpoint.close()


def test_a_million_fake_headers_end_soon(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    for flags in (b"\0\0", b"\x08\0"):
        path.write_bytes((b"PK\x03\x04\0\0" + flags + bytes(22)) * 200_000)
        with pytest.raises(CheckpointError):
            open_checkpoint(path)


class Model(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 4)
        self.register_buffer("steps", torch.arange(3.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) + self.steps.sum()  # type: ignore[operator]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_torch_export(tmp_path: Path) -> None:
    path = tmp_path / "a.pt2"
    exported = torch.export.export(Model(), (torch.randn(2, 3),))
    torch.export.save(exported, path)
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == "torch.export archive"
    for name, tensor in exported.state_dict.items():
        assert values(checkpoint, name) == tensor.tolist()
    assert checkpoint.find("sample_inputs[0][0]") is not None
    assert checkpoint.metadata["torch version"] == torch.__version__


def nested(value: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def test_torch_export_of_2_1_to_2_5(tmp_path: Path) -> None:
    path = tmp_path / "old.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
        archive.writestr("serialized_state_dict.pt", nested({"w": torch.tensor([1.0, 2.0])}))
        archive.writestr("serialized_constants.pt", nested({"c": torch.tensor([3.0])}))
        archive.writestr("version", "5.3")
    checkpoint = open_checkpoint(path)
    assert values(checkpoint, "w") == [1, 2]
    assert values(checkpoint, "constants.c") == [3]


def test_torchscript_of_model_json(tmp_path: Path) -> None:
    # No torch that still runs writes it: put together by the schema of ModelDef.
    table = [
        {
            "dims": ["2"],
            "offset": "0",
            "strides": ["1"],
            "requiresGrad": True,
            "dataType": "FLOAT",
            "data": {"key": "tensors/0"},
            "device": "cpu",
        },
        {"dims": ["9"], "strides": ["1"], "dataType": "INT64", "data": {"key": "tensors/1"}},
    ]
    model = {
        "protoVersion": "3",
        "tensors": table,
        "mainModule": {
            "name": "M",
            "attributes": [{"name": "rate", "type": "float", "id": "0"}],
            "submodules": [{"name": "layer", "parameters": [{"name": "weight", "tensorId": "0"}]}],
        },
    }
    path = tmp_path / "old.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/tensors/0", torch.tensor([1.5, 2.5]).numpy().tobytes())
        archive.writestr("m/tensors/1", bytes(8))
        archive.writestr("m/attributes.pkl", pickle.dumps((0.5,), 2))
        archive.writestr("m/model.json", json.dumps(model))
    checkpoint = open_checkpoint(path)
    assert values(checkpoint, "layer.weight") == [1.5, 2.5]
    assert [(value.name, value.text) for value in checkpoint.values] == [("rate", "0.5")]
    short = checkpoint.find("constants[1]")
    assert short is not None
    assert "72" in short.problem


def test_only_our_errors_escape(tmp_path: Path) -> None:
    path = tmp_path / "a.pt2"
    torch.export.save(torch.export.export(Model(), (torch.randn(2, 3),)), path)
    whole = path.read_bytes()
    for at in range(0, len(whole), 61):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :])
        try:
            open_checkpoint(path).close()
        except InspectorError:
            continue
