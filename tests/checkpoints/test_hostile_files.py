"""Files that mean harm, or were harmed: nothing runs, nothing hangs, and only our errors escape."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path

import hostile_pickles as made
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from inspector.checkpoints import Checkpoint, InspectorError, open_checkpoint
from inspector.checkpoints.listing import to_json, to_text


def consumed(path: Path) -> Checkpoint | None:
    """Open a file and look at all there is; None if it is refused in words."""
    try:
        checkpoint = open_checkpoint(path)
        json.dumps(to_json(checkpoint))
        "\n".join(to_text(checkpoint))
        for entry in checkpoint.entries[:100]:
            if entry.storage is not None and not entry.problem:
                length = min(entry.storage.nbytes, 64)
                try:
                    entry.storage.source.read(entry.storage.offset, length)
                except InspectorError:
                    continue
    except InspectorError:
        return None
    else:
        checkpoint.close()
        return checkpoint


class Attack:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_run_and_the_attack_is_named(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "ran"
    data = pickle.dumps({"x": Attack(mark), "lr": 0.5}, protocol)
    path = made.archive(tmp_path / "attack.pt", data)
    checkpoint = open_checkpoint(path)
    assert not mark.exists()
    dangers = [finding for finding in checkpoint.findings if finding.severity == "danger"]
    assert any("system" in finding.message for finding in dangers)
    assert {value.name: value.text for value in checkpoint.values}["lr"] == "0.5"


def _nested_key(depth: int) -> bytes:
    return b"\x80\x02}" + b")" + b"\x85" * depth + b"K\x01s."


def _doubling(depth: int, build: bytes, memo: bytes = b"q") -> bytes:
    """A graph in which each level holds the one below twice."""
    out = bytearray(b"\x80\x02" + build + b"q\x00")
    for level in range(1, depth):
        if build == b"]":
            out += b"]q" + bytes([level]) + b"(h" + bytes([level - 1]) + b"h" + bytes([level - 1])
            out += b"e"
        else:
            out += b"h" + bytes([level - 1]) + b"\x86q" + bytes([level])
    return bytes(out)


ATTACKS = {
    "LONG_BINPUT 2^28": b"\x80\x02}r" + struct.pack("<I", 2**28) + b".",
    "a tuple a million deep as a key": _nested_key(10**6),
    "shared children": b"\x80\x02}" + _doubling(40, b")")[2:] + b"K\x01s.",
    "shared lists": _doubling(40, b"]") + b".",
    "20,000 colliding keys": b"\x80\x02}("
    + b"".join(
        b"\x8a\x0a" + (i * (2**61 - 1)).to_bytes(10, "little", signed=True) + b"K\x01"
        for i in range(20_000)
    )
    + b"u.",
    "BYTEARRAY8 of 4 GB": b"\x80\x05\x96" + struct.pack("<Q", 2**32) + b"abc.",
    "BINUNICODE8 of 2^60": b"\x80\x04\x8d" + struct.pack("<Q", 2**60) + b".",
    "slot state on a class": b"\x80\x02cinspector.checkpoints.model\nTensorEntry\nN}X\x04\0\0\0"
    b"nameK\x01s\x86b.",
    "a number of a million digits": b"I" + b"9" * 10**6 + b"\n.",
    "no STOP": b"\x80\x02}",
    "an empty stack": b"\x80\x020.",
    "a missing memo": b"\x80\x02h\x07.",
    "an unknown opcode": b"\x80\x02\xff.",
    "a mark alone": b"\x80\x02(.",
    "a list in itself": b"\x80\x02]q\x00h\x00a.",
    "an object as its own state": b"\x80\x02cposix\nsystem\n)Rq\x00h\x00b.",
    "lone surrogates": b"\x80\x02X\x03\0\0\0\xed\xa0\x80.",
    "a million empty dicts": b"\x80\x02](" + b"}" * 10**6 + b"e.",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_end_soon_and_take_little(tmp_path: Path, name: str) -> None:
    path = made.archive(tmp_path / "attack.pt", ATTACKS[name])
    size = path.stat().st_size
    tracemalloc.start()
    began = time.process_time()
    consumed(path)
    took = time.process_time() - began
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took < 5 + size / 20_000
    assert peak < 50e6 + 400 * size


def test_geometry_is_judged_by_the_members_real_size(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"w": torch.arange(4.0), "v": torch.arange(3.0)}, path)
    with zipfile.ZipFile(path) as archive:
        root = archive.namelist()[0].partition("/")[0]
        data = archive.read(f"{root}/data.pkl")
        members = [archive.read(f"{root}/data/{key}") for key in "01"]
    # Both the storage's count and the tensor's size lie: 200 elements instead of 4.
    assert data.count(b"K\x04") >= 2
    lying = data.replace(b"K\x04", b"K\xc8")
    lie = made.archive(tmp_path / "lie.pt", lying, s0=members[0], s1=members[1])
    checkpoint = open_checkpoint(lie)
    bad, good = checkpoint.find("w"), checkpoint.find("v")
    assert bad is not None
    assert bad.problem
    assert good is not None
    assert not good.problem
    assert any(finding.severity == "warning" for finding in checkpoint.findings)


def test_a_bomb_of_zeros_is_not_inflated(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("archive/data.pkl", "w", force_zip64=True) as member:
            for _ in range(512):
                member.write(bytes(2**20))
        archive.writestr("archive/version", b"3\n")
    tracemalloc.start()
    assert consumed(path) is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200e6


def test_a_wholly_deflated_archive_opens(tmp_path: Path) -> None:
    plain, small = tmp_path / "plain.pt", tmp_path / "small.pt"
    tensor = torch.arange(1000.0)
    torch.save({"w": tensor}, plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    entry = open_checkpoint(small).find("w")
    assert entry is not None
    assert entry.storage is not None
    storage = entry.storage
    assert storage.source.read(storage.offset, storage.nbytes) == tensor.numpy().tobytes()
    assert storage.source.read(storage.offset + 2000, 8) == tensor.numpy().tobytes()[2000:2008]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "LFS"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
        (b"\x93NUMPY\x01\x00", "NumPy array"),
        (b"GGUF\x03\0\0\0", "GGUF"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (bytes.fromhex("80028a0a6cfc9c46f9206aa85019") + b".", "ends too early"),
        (b"anything else at all", "not"),
    ],
)
def test_what_is_not_a_checkpoint_is_named_for_what_it_is(
    tmp_path: Path, content: bytes, part: str
) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(InspectorError) as caught:
        open_checkpoint(path)
    assert part.lower() in str(caught.value).lower()


def test_missing_folder_and_pipe(tmp_path: Path) -> None:
    with pytest.raises(InspectorError):
        open_checkpoint(tmp_path / "missing.pt")
    with pytest.raises(InspectorError):
        open_checkpoint(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InspectorError):
        open_checkpoint(pipe)


@pytest.mark.parametrize(
    "header",
    [
        b'{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,400]}}',
        b'{"w":{"dtype":"F32","shape":[400],"data_offsets":[0,16]}}',
        b'{"w":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}',
        b'{"w":{"dtype":"F32","shape":[1e3],"data_offsets":[0,16]}}',
        b'{"w":{"dtype":"F32","shape":[' + b"1," * 70 + b'4],"data_offsets":[0,16]}}',
        b'{"w":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[0,16]}}',
        b'{"w":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}}',
        b'{"w":{"dtype":"F32"}}',
        b'{"w":[]}',
        b'{"w":' + b"[" * 100_000,
        b"[]",
        b"{",
        b'{"\xff":1}',
    ],
)
def test_lying_safetensors_headers(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "lie.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))
    checkpoint = consumed(path)
    if checkpoint is not None:
        assert checkpoint.findings or any(entry.problem for entry in checkpoint.entries)


def test_truncation_anywhere(tmp_path: Path) -> None:
    torch.save({"w": torch.randn(10, 10), "n": 3}, tmp_path / "a.pt")
    save_file({"w": torch.randn(10, 10)}, tmp_path / "a.safetensors")
    cut = tmp_path / "cut"
    for source in (tmp_path / "a.pt", tmp_path / "a.safetensors"):
        whole = source.read_bytes()
        for length in range(0, len(whole), 7):
            cut.write_bytes(whole[:length])
            consumed(cut)


def test_mutations_of_real_files(tmp_path: Path) -> None:
    dice = random.Random(0)
    torch.save({"a": [torch.randn(3), {"b": torch.ones(2).bfloat16()}], "n": 3}, tmp_path / "a.pt")
    save_file({"w": torch.randn(3), "v": torch.ones(2)}, tmp_path / "a.safetensors")
    victim = tmp_path / "victim"
    for source in (tmp_path / "a.pt", tmp_path / "a.safetensors"):
        whole = source.read_bytes()
        for _ in range(1500):
            data = bytearray(whole)
            for _ in range(dice.randint(1, 8)):
                data[dice.randrange(len(data))] = dice.randrange(256)
            victim.write_bytes(data)
            consumed(victim)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_as_a_pickle(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    consumed(made.archive(tmp_path_factory.mktemp("fuzz") / "x.pt", b"\x80\x02" + data))


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(plain, st.integers(0, 5))
@settings(max_examples=200, deadline=None)
def test_whatever_python_pickles_is_read(
    tmp_path_factory: pytest.TempPathFactory, value: object, protocol: int
) -> None:
    folder = tmp_path_factory.mktemp("plain")
    checkpoint = open_checkpoint(made.archive(folder / "x.pt", pickle.dumps(value, protocol)))
    assert checkpoint.entries == [] or list(checkpoint.entries) == []
    assert all(finding.severity != "danger" for finding in checkpoint.findings)


def test_a_file_that_changes_or_shrinks_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file({"w": torch.randn(1000)}, path)
    entry = open_checkpoint(path).find("w")
    assert entry is not None
    assert entry.storage is not None
    storage = entry.storage
    with path.open("r+b") as file:
        file.truncate(100)
    with pytest.raises(InspectorError, match="changed"):
        storage.source.read(storage.offset, storage.nbytes)


def test_a_cancelled_opening_stops(tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop() -> None:
        raise StopError

    buffer = io.BytesIO()
    torch.save({f"w{i}": torch.ones(1) for i in range(5000)}, buffer)
    path = tmp_path / "many.pt"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(StopError):
        open_checkpoint(path, check=stop)
