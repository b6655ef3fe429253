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
from inspector.checkpoints.model import Quantizer
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


def exported_with_everything(path: Path) -> torch.export.ExportedProgram:
    """Parameters, buffers of both kinds, constants, sample inputs by place and by name."""

    class Full(Model):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("passing", torch.arange(4.0), persistent=False)
            self.constant = torch.arange(5.0)
            self.tied = self.layer

        def forward(self, x: torch.Tensor, *, y: torch.Tensor) -> torch.Tensor:
            more = self.passing.sum() + self.constant.sum()  # type: ignore[operator]
            return super().forward(x) + more + y.sum() + torch.tensor([2.5])

    program = torch.export.export(Full(), (torch.randn(2, 3),), {"y": torch.ones(2)})
    torch.export.save(program, path, extra_files={"note.txt": "hi"})
    return program


def test_all_that_torch_export_writes(tmp_path: Path) -> None:
    path = tmp_path / "a.pt2"
    program = exported_with_everything(path)
    expected = dict(program.state_dict)
    expected |= {f"constants.{name}": value for name, value in program.constants.items()}
    (x,), keywords = program.example_inputs
    expected |= {"sample_inputs[0][0]": x, "sample_inputs[1].y": keywords["y"]}
    assert {"tied.weight", "constants.passing", "constants.constant"} <= set(expected)
    checkpoint = open_checkpoint(path)
    assert {entry.name for entry in checkpoint.entries} == set(expected)
    for name, tensor in expected.items():
        assert values(checkpoint, name) == tensor.tolist()
        entry = checkpoint.find(name)
        assert entry is not None
        assert entry.stride == tensor.stride()
        assert entry.requires_grad == tensor.requires_grad
    checkpoint.close()


def test_a_torch_export_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.pt2"
    program = exported_with_everything(path)
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        described = archive.getinfo("a/data/weights/model_weights_config.json")
        following = archive.getinfo("a/data/constants/tensor_0")
    refused = listed = 0
    for length in range(200, len(whole), 211):
        path.write_bytes(whole[:length])
        if length < described.header_offset + described.file_size:
            with pytest.raises(CheckpointError, match=r"cut short.*before the description"):
                open_checkpoint(path)
            refused += 1
        elif length >= following.header_offset:
            checkpoint = open_checkpoint(path)
            assert "tensors can be read" in checkpoint.findings[0].message
            for name, tensor in program.state_dict.items():
                assert values(checkpoint, name) == tensor.tolist()
            listed += 1
            checkpoint.close()
    assert refused > 2
    assert listed > 20


def with_payload(path: Path, payload: bytes) -> Path:
    """An archive of torch.export of two tensors, of which one has an archive of its own."""
    own = {"path_name": "weight_0", "is_param": True, "use_pickle": True, "tensor_meta": None}
    meta = {
        "dtype": 7,
        "sizes": [{"as_int": 2}],
        "strides": [{"as_int": 1}],
        "storage_offset": {"as_int": 0},
    }
    plain = {"path_name": "weight_1", "use_pickle": False, "tensor_meta": meta}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data/weights/weight_0", payload)
        archive.writestr("a/data/weights/weight_1", torch.ones(2).numpy().tobytes())
        archive.writestr(
            "a/data/weights/model_weights_config.json",
            json.dumps({"config": {"own.kind": own, "plain": plain}}),
        )
        archive.writestr("a/archive_format", "pt2")
    return path


def test_tensors_with_an_archive_of_their_own(tmp_path: Path) -> None:
    """What is no plain strided tensor is saved by torch.save within the archive."""
    sparse = torch.tensor([[0.0, 2], [3, 0]]).to_sparse()
    checkpoint = open_checkpoint(with_payload(tmp_path / "a.pt2", nested(sparse)))
    assert [entry.name for entry in checkpoint.entries] == ["own.kind", "plain"]
    own = checkpoint.entries[0]
    assert (own.kind, own.shape) == ("sparse_coo", (2, 2))
    part = StoredTensor(own.components[1])
    assert part.read(Region.whole(part.shape)).tolist() == [2, 3]
    assert values(checkpoint, "plain") == [1, 1]
    checkpoint.close()


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (b"anything", "no torch zip"),
        (b"", "no torch zip"),
        (b"PK\3\4" + bytes(50), "cut short"),
    ],
)
def test_a_damaged_archive_takes_its_own_tensor_alone(
    tmp_path: Path, payload: bytes, problem: str
) -> None:
    checkpoint = open_checkpoint(with_payload(tmp_path / "a.pt2", payload))
    lost = checkpoint.find("own.kind")
    assert lost is not None
    assert problem in lost.problem
    assert values(checkpoint, "plain") == [1, 1]
    checkpoint.close()


class Inner(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.randn(3))
        self.register_buffer("seen", torch.tensor([1, 2]))
        self.rate = 0.25
        self.pieces = [torch.ones(2), torch.zeros(3)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale * self.rate + self.pieces[0].sum()


class Scripted(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()
        self.layers = torch.nn.ModuleList([torch.nn.Linear(3, 3), torch.nn.Linear(3, 2)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.inner(x)
        for layer in self.layers:
            x = layer(x)
        return x


script_is_old = pytest.mark.filterwarnings(
    "ignore:.*torch.jit.*:DeprecationWarning", "ignore:Lite Interpreter:DeprecationWarning"
)


@script_is_old
@pytest.mark.parametrize("mobile", [False, True])
def test_real_torchscript_equals_torchs_own_state(tmp_path: Path, mobile: bool) -> None:
    path = tmp_path / "a.pt"
    scripted = torch.jit.script(Scripted())
    if mobile:
        scripted._save_for_lite_interpreter(str(path))
        expected = scripted.state_dict()
    else:
        torch.jit.save(scripted, path, _extra_files={"note.txt": "hi"})
        expected = torch.jit.load(path).state_dict()
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == ("TorchScript for mobile" if mobile else "TorchScript")
    found = {entry.name for entry in checkpoint.entries}
    assert found == {*expected, "inner.pieces[0]", "inner.pieces[1]"}
    for name, tensor in expected.items():
        assert values(checkpoint, name) == tensor.tolist()
    assert values(checkpoint, "inner.pieces[0]") == [1, 1]
    assert {value.name: value.text for value in checkpoint.values}["inner.rate"] == "0.25"
    assert any("never run here" in finding.message for finding in checkpoint.findings)
    assert checkpoint.metadata.get("extra files") == (None if mobile else "note.txt")
    checkpoint.close()


@script_is_old
def test_constants_of_real_torchscript(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    constant = torch.randn(4)
    torch.jit.save(torch.jit.trace(lambda x: x + constant, torch.ones(4)), str(path))
    checkpoint = open_checkpoint(path)
    assert [entry.name for entry in checkpoint.entries] == ["constants[0]"]
    assert values(checkpoint, "constants[0]") == constant.tolist()
    checkpoint.close()
    # Parameters of a frozen module become constants.
    model = Scripted().eval()
    torch.jit.save(torch.jit.freeze(torch.jit.script(model)), path)
    checkpoint = open_checkpoint(path)
    found = [values(checkpoint, entry.name) for entry in checkpoint.entries]
    for parameter in model.parameters():
        assert parameter.tolist() in found
    checkpoint.close()


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
        {
            "dims": ["4"],
            "strides": ["1"],
            "dataType": "UINT8",
            "data": {"key": "tensors/1"},
            "isQuantized": True,
            "scale": 0.1,
            "zeroPoint": "3",
        },
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
    quantized = checkpoint.find("constants[2]")
    assert quantized is not None
    assert (quantized.dtype, quantized.quantizer) == ("quint8", Quantizer(0.1, 3))


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


def test_a_cut_file_is_not_taken_for_an_archive_within_it(tmp_path: Path) -> None:
    """A checkpoint may hold another one's bytes as a tensor; the cut comes right behind them."""
    inner = io.BytesIO()
    torch.save({"inner": torch.ones(3)}, inner)
    held = torch.frombuffer(bytearray(inner.getvalue()), dtype=torch.uint8)
    path = tmp_path / "outer.pt"
    torch.save({"first": torch.arange(4.0), "held": held, "last": torch.ones(1000)}, path)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(inner.getvalue()) + held.numel() + 30])
    checkpoint = open_checkpoint(path)
    entries = {entry.name: entry for entry in checkpoint.entries}
    assert list(entries) == ["first", "held", "last"]
    assert StoredTensor(entries["first"]).read(Region.whole((4,))).tolist() == [0, 1, 2, 3]
    assert StoredTensor(entries["held"]).read(Region.whole(held.shape)).tobytes() == (
        inner.getvalue()
    )
    assert entries["last"].problem
    assert any("cut short" in found.message for found in checkpoint.findings)


def test_two_archives_one_behind_the_other(tmp_path: Path) -> None:
    """The last one, as for Python's zipfile, or what torch takes; the rest is always said."""
    for name, count in (("a", 2), ("b", 2), ("c", 500)):
        torch.save({name: torch.ones(count)}, tmp_path / name)
    path = tmp_path / "both.pt"
    for last, found in (("b", "a"), ("c", "c")):
        path.write_bytes((tmp_path / "a").read_bytes() + (tmp_path / last).read_bytes())
        if last == "b":
            # The second one's end gives a place at which the first one has its directory.
            assert list(torch.load(path, weights_only=True)) == [found]
        checkpoint = open_checkpoint(path)
        assert [entry.name for entry in checkpoint.entries] == [found]
        word = "follow" if last == "b" else "come before"
        assert any(f"{word} the zip archive" in found.message for found in checkpoint.findings)
