"""Checkpoints of several files: listing and values equal the writers' own readers'."""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import pickle
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import distributed_writer
import gguf
import numpy as np
import pytest
import torch
import torch.distributed.checkpoint as dcp
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch.distributed.checkpoint.filesystem import _StorageInfo
from torch.distributed.checkpoint.metadata import (
    BytesStorageMetadata,
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)

from inspector.checkpoints import Checkpoint, CheckpointError, InspectorError, open_checkpoint
from inspector.checkpoints.errors import ExportError
from inspector.checkpoints.sources import FilePool, LocalFile
from inspector.export.formats import format_named
from inspector.export.parts import part_of
from inspector.export.run import export_plan, plan_export
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def bits(checkpoint: Checkpoint, name: str) -> bytes:
    entry = checkpoint.find(name)
    assert entry is not None, name
    source = StoredTensor(entry)
    return source.read_raw(Region.whole(source.shape)).tobytes()


def torch_bits(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def messages(checkpoint: Checkpoint) -> str:
    return "\n".join(f"{found.severity}: {found.message}" for found in checkpoint.findings)


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


# Shards -----------------------------------------------------------------------------------------


def shards(folder: Path, suffix: str = "safetensors") -> dict[str, torch.Tensor]:
    """Three shards and their index, as ``save_torch_state_dict`` and transformers write them."""
    folder.mkdir(exist_ok=True)
    stem = "model" if suffix == "safetensors" else "pytorch_model"
    state, weight_map = {}, {}
    for number in range(1, 4):
        part = {
            f"layers.{number}.weight": torch.randn(number, 5),
            f"layers.{number}.bias": torch.randn(5).bfloat16(),
        }
        name = f"{stem}-{number:05}-of-00003.{suffix}"
        if suffix == "safetensors":
            save_file(part, folder / name, metadata={"format": "pt"})
        else:
            torch.save(part, folder / name)
        state.update(part)
        weight_map.update(dict.fromkeys(part, name))
    total = sum(tensor.nbytes for tensor in state.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    content = json.dumps(index, indent=2, sort_keys=True) + "\n"
    (folder / f"{stem}.{suffix}.index.json").write_text(content)
    return state


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
@pytest.mark.parametrize("opened", ["", "index", "shard"])
def test_shards_are_one_checkpoint(tmp_path: Path, suffix: str, opened: str) -> None:
    state = shards(tmp_path / "m", suffix)
    stem = "model" if suffix == "safetensors" else "pytorch_model"
    name = {
        "": "",
        "index": f"{stem}.{suffix}.index.json",
        "shard": f"{stem}-00002-of-00003.{suffix}",
    }[opened]
    checkpoint = open_checkpoint(tmp_path / "m" / name)
    assert {entry.name for entry in checkpoint.entries} == set(state)
    assert all(bits(checkpoint, key) == torch_bits(tensor) for key, tensor in state.items())
    assert ("is one of 4 files" in messages(checkpoint)) == (opened == "shard")
    assert "warning" not in messages(checkpoint)
    assert checkpoint.metadata["total_size"] == str(sum(t.nbytes for t in state.values()))
    found = checkpoint.find("layers.2.bias")
    assert found is not None
    assert found.details["shard"] == f"{stem}-00002-of-00003.{suffix}"
    assert {path.name for path in checkpoint.files} == {
        path.name for path in (tmp_path / "m").iterdir()
    }
    checkpoint.close()


def test_missing_and_broken_shards_leave_the_rest_readable(tmp_path: Path) -> None:
    state = shards(tmp_path)
    (tmp_path / "model-00001-of-00003.safetensors").unlink()
    (tmp_path / "model-00003-of-00003.safetensors").write_bytes(b"")
    checkpoint = open_checkpoint(tmp_path)
    assert "1 of 3 shards is missing: model-00001-of-00003.safetensors" in messages(checkpoint)
    assert "is empty" in messages(checkpoint)
    assert {entry.name for entry in checkpoint.entries} == set(state)
    assert bits(checkpoint, "layers.2.weight") == torch_bits(state["layers.2.weight"])
    lost = checkpoint.find("layers.1.bias")
    assert lost is not None
    assert "is missing" in lost.problem
    assert tmp_path / "model-00001-of-00003.safetensors" in checkpoint.files


def test_an_index_that_does_not_fit_its_shards(tmp_path: Path) -> None:
    shards(tmp_path)
    path = tmp_path / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    where = index["weight_map"]
    del where["layers.1.bias"]
    where["layers.1.weight"] = "model-00002-of-00003.safetensors"
    where["nowhere"] = "model-00002-of-00003.safetensors"
    path.write_text(json.dumps(index))
    text = messages(open_checkpoint(tmp_path))
    assert "1 tensors of the shards are not in the index: layers.1.bias" in text
    assert "1 tensors are not where the index says, but in another shard: layers.1.weight" in text
    assert "1 tensors of the index are in none of the shards that it names: nowhere" in text


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    shards(tmp_path)
    path = tmp_path / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"]["lost"] = "x" * 4000
    path.write_text(json.dumps(index))
    lost = open_checkpoint(tmp_path).find("lost")
    assert lost is not None
    assert "is missing" in lost.problem


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/../../secret", "..\\secret", ""])
def test_names_that_lead_out_are_not_followed(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "m"
    shards(folder)
    save_file({"stolen": torch.ones(1)}, tmp_path / "secret")
    path = folder / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"]["stolen"] = name
    path.write_text(json.dumps(index))
    checkpoint = open_checkpoint(folder)
    assert "danger" in messages(checkpoint)
    assert "not followed" in messages(checkpoint)
    stolen = checkpoint.find("stolen")
    assert stolen is not None
    assert stolen.storage is None


def test_a_linked_folder_does_not_lead_out(tmp_path: Path) -> None:
    shards(tmp_path / "m")
    (tmp_path / "other").mkdir()
    save_file({"stolen": torch.ones(1)}, tmp_path / "other" / "x.safetensors")
    (tmp_path / "m" / "sub").symlink_to(tmp_path / "other")
    path = tmp_path / "m" / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"]["stolen"] = "sub/x.safetensors"
    path.write_text(json.dumps(index))
    assert "leads out of the folder" in messages(open_checkpoint(tmp_path / "m"))


def test_the_hubs_cache_of_links(tmp_path: Path) -> None:
    state = shards(tmp_path / "real")
    repository = tmp_path / "models--someone--model"
    snapshot = repository / "snapshots" / "abc123"
    for folder in (repository / "blobs", repository / "refs", snapshot):
        folder.mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc123")
    for number, file in enumerate(sorted((tmp_path / "real").iterdir())):
        file.rename(repository / "blobs" / f"{number:064}")
        (snapshot / file.name).symlink_to(Path("../../blobs") / f"{number:064}")
    for path in (snapshot, snapshot / "model-00001-of-00003.safetensors", repository):
        checkpoint = open_checkpoint(path)
        assert len(checkpoint.entries) == len(state)
        assert "warning" not in messages(checkpoint)


@pytest.mark.parametrize("content", ["", "[]", "{", "{}", '{"weight_map": 3}', "[" * 100_000])
def test_damaged_indexes(tmp_path: Path, content: str) -> None:
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(content)
    with pytest.raises(CheckpointError):
        open_checkpoint(path)


def test_numbered_files_without_an_index(tmp_path: Path) -> None:
    state = shards(tmp_path)
    (tmp_path / "model.safetensors.index.json").unlink()
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    checkpoint = open_checkpoint(tmp_path / "model-00003-of-00003.safetensors")
    assert {e.name for e in checkpoint.entries} == {k for k in state if "layers.2" not in k}
    assert "1 of 3 shards is missing: model-00002-of-00003" in messages(checkpoint)


def test_many_shards_need_few_descriptors(tmp_path: Path) -> None:
    count = 300
    for number in range(1, count + 1):
        name = f"model-{number:05}-of-{count:05}.safetensors"
        save_file({f"w{number}": torch.full((4,), float(number))}, tmp_path / name)
    before = descriptors()
    checkpoint = open_checkpoint(tmp_path)
    assert len(checkpoint.entries) == count
    for number in range(1, count + 1):
        assert bits(checkpoint, f"w{number}") == torch_bits(torch.full((4,), float(number)))
    assert descriptors() - before <= 40
    checkpoint.close()
    assert descriptors() == before


def test_a_file_that_was_replaced_while_it_rested(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"two")
    pool = FilePool(1)
    first, second = LocalFile(tmp_path / "a", pool), LocalFile(tmp_path / "b", pool)
    assert (first.read(0, 3), second.read(0, 3)) == (b"one", b"two")
    stamp = (tmp_path / "a").stat()
    (tmp_path / "new").write_bytes(b"bad")
    os.utime(tmp_path / "new", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    (tmp_path / "new").rename(tmp_path / "a")
    with pytest.raises(CheckpointError, match="has changed"):
        first.read(0, 3)
    first.close()
    second.close()


@pytest.mark.parametrize("name", ["../x.safetensors", "/etc/passwd", ""])
def test_an_index_that_names_only_files_elsewhere(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"w": name}}))
    with pytest.raises(CheckpointError, match="names no shard in its folder") as caught:
        open_checkpoint(path)
    assert caught.value.advice


def test_an_only_shard_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": {"w": "model-00001-of-00001.safetensors"}}))
    with pytest.raises(CheckpointError, match="The only shard is not there: model-00001-of"):
        open_checkpoint(path)


# torch.distributed.checkpoint -------------------------------------------------------------------


def saved_state() -> dict[str, Any]:
    return {
        "model": {
            "w": torch.randn(7, 5),
            "half": torch.randn(3).bfloat16(),
            "turned": torch.randn(4, 6).t(),
            "turned_complex": torch.randn(3, 2, dtype=torch.complex128).t(),
            "flags": torch.tensor([True, False]),
        },
        "optimizer": {
            "state": {0: {"exp_avg": torch.randn(2, 2)}},
            "param_groups": [{"lr": 0.125, "params": [0, 1]}],
        },
        "epoch": 7,
        "note": "hello",
    }


def dcp_save(state: dict[str, Any], folder: Path, **options: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.save(state, checkpoint_id=None if options else folder, no_dist=True, **options)


@pytest.mark.parametrize("opened", ["", ".metadata", "__0_0.distcp"])
def test_distributed_checkpoints(tmp_path: Path, opened: str) -> None:
    state = saved_state()
    folder = tmp_path / "step"
    dcp_save(state, folder)
    checkpoint = open_checkpoint(folder / opened)
    theirs = {key: torch.zeros_like(value) for key, value in state["model"].items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.load({"model": theirs}, checkpoint_id=folder, no_dist=True)
    for key, tensor in theirs.items():
        assert bits(checkpoint, f"model.{key}") == torch_bits(tensor), key
    values = {value.name: value.text for value in checkpoint.values}
    assert values["epoch"] == "7"
    assert values["note"] == "hello"
    assert values["optimizer.param_groups[0].lr"] == "0.125"
    found = checkpoint.find("optimizer.state.0.exp_avg")
    assert found is not None
    assert found.path == ("optimizer", "state", "0", "exp_avg")
    assert "warning" not in messages(checkpoint)
    assert {path.name for path in checkpoint.files} == {".metadata", "__0_0.distcp"}
    checkpoint.close()


def chunked(folder: Path, whole: torch.Tensor, edges: list[tuple[int, ...]]) -> None:
    """A tensor that several ranks saved, written as `FileSystemWriter` lays it out."""
    folder.mkdir()
    chunks, places = [], {}
    for rank, box in enumerate(edges):
        start, length = box[:2], box[2:]
        piece = whole[start[0] : start[0] + length[0], start[1] : start[1] + length[1]].clone()
        name = f"__{rank}_0.distcp"
        torch.save(piece, folder / name)
        size = (folder / name).stat().st_size
        places[MetadataIndex("w", start)] = _StorageInfo(name, 0, size)
        chunks.append(ChunkStorageMetadata(torch.Size(start), torch.Size(length)))
    tensor = TensorStorageMetadata(TensorProperties(whole.dtype), whole.size(), chunks)
    write_metadata(folder, Metadata({"w": tensor}, None, places))


def write_metadata(folder: Path, metadata: Metadata) -> None:
    (folder / ".metadata").write_bytes(pickle.dumps(metadata, protocol=4))


BOXES = [(0, 0, 3, 4), (0, 4, 3, 2), (3, 0, 2, 6)]


def test_chunks_are_assembled_as_torch_does(tmp_path: Path) -> None:
    whole = torch.randn(5, 6)
    folder = tmp_path / "step"
    chunked(folder, whole, BOXES)
    theirs = {"w": torch.zeros(5, 6)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.load(theirs, checkpoint_id=folder, no_dist=True)
    assert torch.equal(theirs["w"], whole)
    checkpoint = open_checkpoint(folder)
    assert bits(checkpoint, "w") == torch_bits(theirs["w"])
    assert checkpoint.entries[0].details["chunks"] == "3"


def test_a_missing_file_takes_its_chunks_alone(tmp_path: Path) -> None:
    whole = torch.randn(5, 6)
    folder = tmp_path / "step"
    chunked(folder, whole, BOXES)
    (folder / "__2_0.distcp").unlink()
    checkpoint = open_checkpoint(folder)
    assert "__2_0.distcp" in messages(checkpoint)
    source = StoredTensor(checkpoint.entries[0])
    there = source.read(Region((range(3), range(6))))
    assert there.tobytes() == torch_bits(whole[:3])
    with pytest.raises(InspectorError, match=r"__2_0\.distcp is missing"):
        source.read(Region.whole((5, 6)))


def test_no_metadata(tmp_path: Path) -> None:
    dcp_save({"a": torch.ones(1)}, tmp_path / "s")
    (tmp_path / "s" / ".metadata").unlink()
    for path in (tmp_path / "s", tmp_path / "s" / "__0_0.distcp"):
        with pytest.raises(CheckpointError, match=r"not the file \.metadata"):
            open_checkpoint(path)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"relative_path": "../outside"}, "not followed"),
        ({"relative_path": "/etc/passwd"}, "not followed"),
        ({"offset": 10**9}, "cut short"),
        ({"length": 10**15}, "cut short"),
        ({"length": 3}, "for a chunk of"),
        ({"offset": -5}, "cut short"),
        ({"transform_descriptors": ["stream.zstd/1"]}, "stream.zstd/1"),
    ],
)
def test_places_that_lie(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    folder = tmp_path / "s"
    chunked(folder, torch.randn(5, 6), [(0, 0, 5, 6)])
    torch.save(torch.ones(5, 6), tmp_path / "outside")
    metadata = pickle.loads((folder / ".metadata").read_bytes())
    for info in metadata.storage_data.values():
        for key, value in change.items():
            setattr(info, key, value)
    write_metadata(folder, metadata)
    (entry,) = open_checkpoint(folder).entries
    assert expected in entry.problem


@pytest.mark.parametrize("size", [(5, 600), (2**40, 2**40), (5,)])
def test_shapes_that_lie(tmp_path: Path, size: tuple[int, ...]) -> None:
    folder = tmp_path / "s"
    chunked(folder, torch.randn(5, 6), [(0, 0, 5, 6)])
    metadata = pickle.loads((folder / ".metadata").read_bytes())
    metadata.state_dict_metadata["w"].size = torch.Size(size)
    write_metadata(folder, metadata)
    (entry,) = open_checkpoint(folder).entries
    assert entry.problem


def test_chunks_that_are_shared_a_million_times(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    chunks = [ChunkStorageMetadata(torch.Size((n,)), torch.Size((1,))) for n in range(1500)]
    tensor = TensorStorageMetadata(TensorProperties(torch.float32), torch.Size((1500,)), chunks)
    others = [
        TensorStorageMetadata(tensor.properties, tensor.size, tensor.chunks) for _ in range(1500)
    ]
    write_metadata(folder, Metadata({str(n): other for n, other in enumerate(others)}))
    assert "more chunks than the file" in open_checkpoint(folder).entries[-1].problem


def test_what_several_processes_save_together(tmp_path: Path) -> None:
    """By torch's own writers in processes of their own, sharded by DTensor."""
    script = Path(distributed_writer.__file__)
    processes = [
        subprocess.Popen(
            [sys.executable, script, str(rank), "2", tmp_path / "store", tmp_path / "saved"]
        )
        for rank in range(2)
    ]
    assert [process.wait(120) for process in processes] == [0, 0]
    whole = distributed_writer.whole_state()
    theirs = {name: torch.empty_like(tensor) for name, tensor in whole.items()}
    with warnings.catch_warnings(action="ignore"):
        dcp.load(theirs, checkpoint_id=tmp_path / "saved/torch", no_dist=True)
    for folder in ("torch", "hugging-face"):
        checkpoint = open_checkpoint(tmp_path / "saved" / folder)
        for name, tensor in whole.items():
            assert bits(checkpoint, name) == torch_bits(tensor) == torch_bits(theirs[name])
    own = open_checkpoint(tmp_path / "saved/torch")
    assert {"only0", "only1"} < {entry.name for entry in own.entries}
    assert bits(own, "only1") == torch_bits(torch.ones(2))
    assert [(value.name, value.text) for value in own.values] == [("epoch", "7")]
    # Both in one folder: each goes by the name of its own.
    names = {entry.name for entry in open_checkpoint(tmp_path / "saved").entries}
    assert {"torch: rows", "hugging-face: rows"} <= names


@pytest.mark.parametrize("distributed", [False, True])
def test_the_hugging_face_writer(tmp_path: Path, distributed: bool) -> None:
    state = {"a": torch.randn(4, 3), "b": torch.randn(2).half()}
    writer = dcp.HuggingFaceStorageWriter(
        path=str(tmp_path / "hf"),
        fqn_to_index_mapping={"a": 1, "b": 2},
        save_distributed=distributed,
    )
    dcp_save(state, tmp_path, storage_writer=writer)
    checkpoint = open_checkpoint(tmp_path / "hf")
    assert {entry.name for entry in checkpoint.entries} == {"a", "b"}
    assert all(bits(checkpoint, key) == torch_bits(tensor) for key, tensor in state.items())


def test_pieces_of_several_ranks_are_assembled(tmp_path: Path) -> None:
    whole = torch.randn(5, 4)
    for rank, (start, piece) in enumerate(((0, whole[:2]), (2, whole[2:])), 1):
        info = json.dumps({"w": {"saved_offsets": [start, 0]}})
        save_file(
            {"w": piece.contiguous()},
            tmp_path / f"shard-{rank:05}-model-00001-of-00001.safetensors",
            metadata={"format": "pt", "DCP_SHARDING_INFO": info, "DCP_VERSION": "1.0"},
        )
    theirs = {"w": torch.zeros(5, 4)}
    reader = dcp.HuggingFaceStorageReader(str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dcp.load(theirs, storage_reader=reader, no_dist=True)
    for path in (tmp_path, tmp_path / "shard-00002-model-00001-of-00001.safetensors"):
        checkpoint = open_checkpoint(path)
        (entry,) = checkpoint.entries
        assert entry.shape == (5, 4)
        assert bits(checkpoint, "w") == torch_bits(theirs["w"])


@pytest.fixture(scope="module")
def distributed_bytes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("dcp") / "s"
    dcp_save(saved_state(), folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@given(
    which=st.sampled_from([".metadata", "__0_0.distcp"]),
    where=st.floats(0, 1),
    new=st.binary(min_size=0, max_size=4),
    cut=st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_mutated_folders_raise_nothing_else(
    tmp_path_factory: pytest.TempPathFactory,
    distributed_bytes: dict[str, bytes],
    which: str,
    where: float,
    new: bytes,
    cut: bool,
) -> None:
    folder = tmp_path_factory.mktemp("mutated")
    for name, data in distributed_bytes.items():
        if name == which:
            at = int(where * len(data))
            data = data[:at] + new + (b"" if cut else data[at + len(new) :])
        (folder / name).write_bytes(data)
    try:
        checkpoint = open_checkpoint(folder)
    except InspectorError:
        return
    for entry in checkpoint.entries:
        try:
            if math.prod(entry.shape) < 10_000:
                source = StoredTensor(entry)
                source.read(Region.whole(source.shape))
        except InspectorError:
            pass
    checkpoint.close()


# Folders ----------------------------------------------------------------------------------------


def test_a_set_of_files(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2), "epoch": 3}, tmp_path / "a.pt")
    (tmp_path / "sub").mkdir()
    save_file({"w": torch.zeros(3)}, tmp_path / "sub" / "b.safetensors")
    (tmp_path / "broken.pt").write_bytes((tmp_path / "a.pt").read_bytes()[:60])
    (tmp_path / "site.pth").write_text("import nothing\n")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / ".git").mkdir()
    save_file({"hidden": torch.zeros(3)}, tmp_path / ".git" / "x.safetensors")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    assert [entry.name for entry in checkpoint.entries] == ["a.pt: w", "sub/b.safetensors: w"]
    assert checkpoint.entries[1].path == ("sub/b.safetensors", "w")
    assert [value.name for value in checkpoint.values] == ["a.pt: epoch"]
    (finding,) = [found for found in checkpoint.findings if found.severity == "warning"]
    assert finding.where == "broken.pt"
    assert bits(checkpoint, "a.pt: w") == torch_bits(torch.ones(2))


def test_the_only_checkpoint_keeps_its_names(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(3)}, tmp_path / "m.safetensors")
    checkpoint = open_checkpoint(tmp_path)
    assert [entry.name for entry in checkpoint.entries] == ["w"]
    assert checkpoint.path == tmp_path
    assert checkpoint.files == (tmp_path / "m.safetensors",)


def test_a_model_with_its_optimizer_beside_it(tmp_path: Path) -> None:
    state = shards(tmp_path)
    torch.save({"lr": 0.5, "m": torch.ones(1)}, tmp_path / "optimizer.pt")
    checkpoint = open_checkpoint(tmp_path)
    assert {entry.name for entry in checkpoint.entries} == {*state, "optimizer.pt: m"}


def test_lightning(tmp_path: Path) -> None:
    """A run's folder, as the Trainer's logger and its ModelCheckpoint leave it."""
    run = tmp_path / "lightning_logs/version_0"
    (run / "checkpoints").mkdir(parents=True)
    (run / "hparams.yaml").write_text("lr: 0.1\n")
    (run / "metrics.csv").write_text("epoch,loss\n0,1.5\n")
    state = torch.nn.Linear(3, 2).state_dict()
    for epoch in (0, 1):
        torch.save(
            {
                "epoch": epoch,
                "global_step": 10 * epoch,
                "pytorch-lightning_version": "2.5",
                "state_dict": state,
                "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(2, 3)}}}],
                "hyper_parameters": argparse.Namespace(lr=0.1),
            },
            run / f"checkpoints/epoch={epoch}-step={10 * epoch}.ckpt",
        )
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.format == "Lightning folder with 2 checkpoints"
    first = "lightning_logs/version_0/checkpoints/epoch=0-step=0.ckpt: "
    assert bits(checkpoint, f"{first}state_dict.weight") == torch_bits(state["weight"])
    names = {entry.name for entry in checkpoint.entries}
    assert f"{first}optimizer_states[0].state[0].exp_avg" in names
    assert f"{first}hyper_parameters.lr" in {value.name for value in checkpoint.values}


@pytest.mark.parametrize("opened", ["", "model-00002-of-00003.gguf"])
def test_gguf_in_splits(tmp_path: Path, opened: str) -> None:
    """As gguf's own writer splits them, like llama.cpp's gguf-split."""
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama", split_max_tensors=2)
    arrays = {f"blk.{i}.w": np.arange(64, dtype=np.float32).reshape(2, 32) * i for i in range(5)}
    for name, array in arrays.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert len(list(tmp_path.iterdir())) == 3
    checkpoint = open_checkpoint(tmp_path / opened)
    assert [entry.name for entry in checkpoint.entries] == list(arrays)
    for name, array in arrays.items():
        assert bits(checkpoint, name) == array.tobytes()


def test_hundreds_of_shards_keep_few_files_open(tmp_path: Path) -> None:
    count = 300
    for i in range(count):
        save_file(
            {f"w{i}": torch.full((2,), float(i))},
            tmp_path / f"model-{i + 1:05d}-of-{count:05d}.safetensors",
        )
    before = descriptors()
    checkpoint = open_checkpoint(tmp_path)
    assert len(checkpoint.entries) == count
    for i in (0, 299, 5, 150, 0):
        assert bits(checkpoint, f"w{i}") == torch_bits(torch.full((2,), float(i)))
    assert descriptors() < before + 64
    checkpoint.close()
    assert descriptors() == before


def test_deepspeed(tmp_path: Path) -> None:
    for step in (5, 10):
        folder = tmp_path / f"global_step{step}"
        folder.mkdir()
        torch.save({"module": {"w": torch.ones(2)}}, folder / "mp_rank_00_model_states.pt")
        flat = {"optimizer_state_dict": {"fp32_flat_groups": [torch.ones(4)]}}
        torch.save(flat, folder / "zero_pp_rank_0_mp_rank_00_optim_states.pt")
    (tmp_path / "latest").write_text("global_step10")
    checkpoint = open_checkpoint(tmp_path)
    assert {entry.name for entry in checkpoint.entries} == {
        "global_step10/mp_rank_00_model_states.pt: module.w",
        "global_step10/zero_pp_rank_0_mp_rank_00_optim_states.pt: "
        "optimizer_state_dict.fp32_flat_groups[0]",
    }
    assert checkpoint.format == "DeepSpeed folder with 2 checkpoints"
    assert "To see global_step5, open that folder itself" in messages(checkpoint)
    assert "zero_to_fp32.py" in messages(checkpoint)
    (tmp_path / "latest").write_text("global_step99")
    checkpoint = open_checkpoint(tmp_path)
    assert "global_step99, which is not there" in messages(checkpoint)
    assert len(checkpoint.entries) == 4


def test_megatron(tmp_path: Path) -> None:
    for rank in (0, 1):
        folder = tmp_path / "iter_0000100" / f"mp_rank_{rank:02}"
        folder.mkdir(parents=True)
        torch.save({"model": {"w": torch.full((2,), rank)}}, folder / "model_optim_rng.pt")
    (tmp_path / "iter_0000050").mkdir()
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("100")
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.format == "Megatron folder with 2 checkpoints"
    assert [entry.name for entry in checkpoint.entries] == [
        f"iter_0000100/mp_rank_{rank:02}/model_optim_rng.pt: model.w" for rank in (0, 1)
    ]


def test_megatron_with_a_distributed_checkpoint(tmp_path: Path) -> None:
    dcp_save({"w": torch.ones(2)}, tmp_path / "iter_0000100")
    torch.save({"iteration": 100}, tmp_path / "iter_0000100" / "common.pt")
    checkpoint = open_checkpoint(tmp_path / "iter_0000100")
    assert [entry.name for entry in checkpoint.entries] == ["w"]
    assert [value.name for value in checkpoint.values] == ["common.pt: iteration"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "has no files in it"),
        ({"readme.md": b"text"}, "holds no checkpoint: none of its 1 files"),
        ({"m.safetensors": b""}, "It is empty"),
        ({"m.bin": b"version https://git-lfs.github.com/spec/v1\noid x\n"}, "git lfs pull"),
    ],
)
def test_folders_without_a_checkpoint(
    tmp_path: Path, files: dict[str, bytes], expected: str
) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(CheckpointError, match=expected) as caught:
        open_checkpoint(tmp_path)
    assert caught.value.advice


def test_no_file_of_a_set_is_written_over(tmp_path: Path) -> None:
    state = shards(tmp_path)
    checkpoint = open_checkpoint(tmp_path / "model.safetensors.index.json")
    plan = plan_export(format_named("npy"), [part_of(checkpoint.entries[0])])
    target = tmp_path / "model-00003-of-00003.safetensors"
    with pytest.raises(ExportError, match="not overwritten"):
        export_plan(
            plan,
            target,
            protected=checkpoint.files,
            check=lambda: None,
            progress=lambda _: None,
        )
    assert set(load_file(target)) == {key for key in state if "layers.3" in key}


def test_values_that_all_refer_to_one_run_are_not_read_a_thousand_times(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"N0" * 50_000 + b"K\x01.")
        archive.writestr("archive/version", "3")
    content = buffer.getvalue()
    (tmp_path / "__0_0.distcp").write_bytes(content)
    names = [f"v{number}" for number in range(1000)]
    metadata = Metadata(
        state_dict_metadata={name: BytesStorageMetadata() for name in names},
        storage_data={
            MetadataIndex(name): _StorageInfo("__0_0.distcp", 0, len(content)) for name in names
        },
    )
    (tmp_path / ".metadata").write_bytes(pickle.dumps(metadata, 4))
    checkpoint = open_checkpoint(tmp_path)
    checkpoint.close()
    assert [value.text for value in checkpoint.values] == ["1"]
    assert any("more than the files hold" in found.message for found in checkpoint.findings)
