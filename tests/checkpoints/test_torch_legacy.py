"""torch's formats from before the zip: listing and bytes equal torch's own."""

from __future__ import annotations

import contextlib
import io
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.checkpoints import Checkpoint, InspectorError, open_checkpoint
from inspector.checkpoints.pickles import PickleStream
from inspector.checkpoints.sources import MemoryBytes
from tests.checkpoints.test_torch_files import flattened, state, stored_bytes, torchs_bytes


def save(value: Any, path: Path, protocol: int = 2) -> None:
    torch.save(value, path, _use_new_zipfile_serialization=False, pickle_protocol=protocol)


def assert_equal(checkpoint: Checkpoint, expected: dict[str, torch.Tensor]) -> None:
    assert [entry.name for entry in checkpoint.entries] == list(expected)
    for entry in checkpoint.entries:
        tensor = expected[entry.name]
        assert f"torch.{entry.dtype}" == str(tensor.dtype)
        assert (entry.shape, entry.stride) == (tuple(tensor.shape), tensor.stride())
        assert not entry.problem
        assert stored_bytes(entry) == torchs_bytes(tensor)


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_a_training_checkpoint(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "model.pth"
    save(state(), path, protocol)
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == "torch legacy"
    assert checkpoint.metadata["byte order of the machine"] == "little"
    assert checkpoint.metadata["pickle protocol"] == (str(protocol) if protocol > 1 else "0 or 1")
    assert "long 4" in checkpoint.metadata["sizes of C types"]
    assert [finding for finding in checkpoint.findings if finding.severity != "note"] == []
    assert_equal(checkpoint, flattened(torch.load(path, weights_only=False)))


@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_a_whole_module(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    save(model, path)
    checkpoint = open_checkpoint(path)
    expected = model.state_dict()
    assert {entry.name for entry in checkpoint.entries} == set(expected)
    for entry in checkpoint.entries:
        assert stored_bytes(entry) == torchs_bytes(expected[entry.name])


class Writer(pickle._Pickler):  # type: ignore[misc]
    def persistent_id(self, obj: object) -> object:
        return obj.pid if isinstance(obj, Reference) else None


class Reference:
    def __init__(self, *pid: object) -> None:
        self.pid = pid


class Call:
    def __init__(self, function: object, *args: object) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


def by_hand(
    value: object, storages: list[tuple[str, bytes, int]], little: bool = True, counts: str = "<q"
) -> bytes:
    out = io.BytesIO()
    info = {"protocol_version": 1001, "little_endian": little, "type_sizes": {"int": 4}}
    for part in (0x1950A86A20F9469CFC6C, 1001, info):
        pickle.dump(part, out, 2)
    Writer(out, 2).dump(value)
    pickle.dump([key for key, _, _ in storages], out, 2)
    for _, data, count in storages:
        out.write(struct.pack(counts, count) + data)
    return out.getvalue()


def tensor(pid: Reference, offset: int, *shape: int) -> Call:
    stride = tuple(torch.empty(shape).stride())
    return Call(torch._utils._rebuild_tensor, pid, offset, shape, stride)


NUMBERS = torch.arange(6, dtype=torch.float32)
RAW = torchs_bytes(NUMBERS)


def test_views_of_storages(tmp_path: Path) -> None:
    path = tmp_path / "views.pth"
    whole = Reference("storage", torch.FloatStorage, "1", "cpu", 6, None)
    part = Reference("storage", torch.FloatStorage, "1", "cpu", 6, ("2", 2, 3))
    path.write_bytes(by_hand({"a": tensor(whole, 0, 6), "b": tensor(part, 1, 2)}, [("1", RAW, 6)]))
    expected = torch.load(path, weights_only=False)
    assert expected["b"].tolist() == [3, 4]
    assert_equal(open_checkpoint(path), expected)


def test_a_file_of_python_2(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    data = by_hand(
        {"a": tensor(Reference("storage", torch.FloatStorage, "1", "cpu", 6, None), 0, 6)},
        [("1", RAW, 6)],
    )
    for word in (b"storage", b"1", b"cpu", b"a", b"little_endian"):
        text = b"X" + struct.pack("<I", len(word)) + word
        data = data.replace(text, b"U" + bytes([len(word)]) + word)
    path.write_bytes(data)
    assert_equal(open_checkpoint(path), torch.load(path, weights_only=False))


def test_big_endian(tmp_path: Path) -> None:
    value = {"a": tensor(Reference("storage", torch.FloatStorage, "1", "cpu", 6, None), 0, 6)}
    path = tmp_path / "big.pth"
    # As torch writes it on such a machine: the numbers are little-endian nevertheless.
    path.write_bytes(by_hand(value, [("1", RAW, 6)], little=False))
    checkpoint = open_checkpoint(path)
    assert checkpoint.metadata["byte order of the machine"] == "big"
    assert_equal(checkpoint, torch.load(path, weights_only=False))
    path.write_bytes(by_hand(value, [("1", RAW, 6)], little=False, counts=">q"))
    checkpoint = open_checkpoint(path)
    storage = checkpoint.entries[0].storage
    assert storage is not None
    assert storage.byteorder == "big"
    assert any("big-endian" in finding.message for finding in checkpoint.findings)


@pytest.mark.parametrize("count", [5, 7, -1, 1 << 62, -(1 << 63)])
def test_counts_that_lie(tmp_path: Path, count: int) -> None:
    value = {
        "a": tensor(Reference("storage", torch.FloatStorage, "1", "cpu", 6, None), 0, 6),
        "b": tensor(Reference("storage", torch.FloatStorage, "2", "cpu", 6, None), 0, 6),
    }
    path = tmp_path / "lies.pth"
    path.write_bytes(by_hand(value, [("1", RAW, count), ("2", RAW, 6)]))
    checkpoint = open_checkpoint(path)
    assert [entry.name for entry in checkpoint.entries] == ["a", "b"]
    assert any("by its own count" in finding.message for finding in checkpoint.findings)
    if count not in (5, 7):
        assert stored_bytes(checkpoint.entries[1]) == RAW


@pytest.mark.parametrize("protocol", [2, 4])
def test_truncated_at_every_place(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "cut.pth"
    values = {name: torch.full((40,), number) for number, name in enumerate("abc")}
    save(values, path, protocol)
    data = path.read_bytes()
    end = 0
    stream = PickleStream(MemoryBytes(data))
    for _ in range(4):
        end = stream.next().end
    for size in range(1, len(data)):
        path.write_bytes(data[:size])
        if size < end:
            with pytest.raises(InspectorError):
                open_checkpoint(path)
            continue
        checkpoint = open_checkpoint(path)
        assert [entry.name for entry in checkpoint.entries] == ["a", "b", "c"]
        assert f"{size:,} bytes" in checkpoint.findings[0].message
        whole = [entry for entry in checkpoint.entries if not entry.problem]
        assert f"{len(whole)} of 3" in checkpoint.findings[0].message
        for entry in whole:
            assert stored_bytes(entry) == torchs_bytes(values[entry.name])
    assert f"{len(data):,} are expected" in checkpoint.findings[0].message


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.pth"
    value = {
        "a": tensor(Reference("storage", torch.FloatStorage, "1", "cpu", 1 << 34, None), 0, 6),
        "b": tensor(Reference("storage", torch.FloatStorage, "2", "cpu", 6, None), 0, 6),
    }
    data = by_hand(value, [("1", b"", 1 << 34)])
    data = data.replace(b"X\x01\x00\x00\x001q\x00a.", b"")
    head = by_hand(value, [("1", b"", 1 << 34), ("2", b"", 6)])[:-8]
    with path.open("wb") as file:
        file.write(head)
        file.seek(1 << 36, io.SEEK_CUR)
        file.write(struct.pack("<q", 6) + RAW)
    checkpoint = open_checkpoint(path)
    assert stored_bytes(checkpoint.entries[1]) == RAW
    checkpoint.close()


def test_many_tensors_cross_the_windows(tmp_path: Path) -> None:
    path = tmp_path / "many.pth"
    values = {f"layer.{index}": torch.full((2,), index) for index in range(4000)}
    save(values, path)
    assert_equal(open_checkpoint(path), values)


def tar_file(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def tar_members() -> dict[str, bytes]:
    storages = b"".join(
        [
            pickle.dumps(1, 2),
            pickle.dumps((11, "cpu", torch.FloatStorage), 2),
            struct.pack("<q", 6) + RAW,
            pickle.dumps([(12, 11, 2, 3)], 2),
        ]
    )
    tensors = b"".join(
        [
            pickle.dumps(2, 2),
            pickle.dumps((21, 11, torch.FloatTensor), 2),
            struct.pack("<ii5q", 2, 0, 2, 3, 3, 1, 0),
            pickle.dumps((22, 12, torch.FloatTensor), 2),
            struct.pack("<ii3q", 1, 0, 2, 1, 1),
        ]
    )
    out = io.BytesIO()
    Writer(out, 2).dump({"w": TarReference("21"), "v": TarReference("22"), "epoch": 3})
    info = pickle.dumps({"protocol_version": 1000, "little_endian": True}, 2)
    return {"sys_info": info, "pickle": out.getvalue(), "tensors": tensors, "storages": storages}


class TarReference(Reference):
    def __init__(self, key: str) -> None:
        self.pid = key  # type: ignore[assignment]


def test_a_tar_file(tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    tar_file(path, tar_members())
    expected = torch.load(path, weights_only=False)
    assert expected["v"].tolist() == [3, 4]
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == "torch tar"
    assert checkpoint.metadata["protocol version"] == "1000"
    assert_equal(checkpoint, flattened(expected))
    assert [(value.name, value.text) for value in checkpoint.values] == [("epoch", "3")]


def test_a_tar_file_that_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    tar_file(path, tar_members())
    data = path.read_bytes()
    at = data.index(RAW)
    path.write_bytes(data[: at + 12])
    checkpoint = open_checkpoint(path)
    assert len(checkpoint.entries) == 2
    assert checkpoint.entries[0].problem
    assert any("cut short" in finding.message for finding in checkpoint.findings)
    for size in range(0, len(data), 61):
        path.write_bytes(data[:size])
        with contextlib.suppress(InspectorError):
            open_checkpoint(path).close()


def test_links_in_a_tar_file_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    members = tar_members()
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            if name == "pickle":
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    with pytest.raises(InspectorError, match="tar archive"):
        open_checkpoint(path)


def test_hostile_pickles_run_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    import os

    evil = Call(os.mkdir, str(mark))
    legacy = tmp_path / "a.pth"
    legacy.write_bytes(by_hand({"x": evil}, []))
    members = tar_members()
    tar = tmp_path / "b.pt"
    tar_file(tar, {**members, "pickle": pickle.dumps(evil, 2)})
    info = tmp_path / "c.pth"
    parts = (0x1950A86A20F9469CFC6C, 1001, evil, {}, [])
    info.write_bytes(b"".join(pickle.dumps(part, 2) for part in parts))
    for path in (legacy, tar, info):
        findings = open_checkpoint(path).findings
        assert any(finding.severity == "danger" for finding in findings)
    assert not mark.exists()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    path = tmp_path_factory.mktemp("whole") / "file"
    save({"a": torch.ones(3), "b": [torch.arange(4)]}, path)
    legacy = path.read_bytes()
    tar_file(path, tar_members())
    return [legacy, path.read_bytes()]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_is_an_error_of_ours(
    files: list[bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    content = bytearray(data.draw(st.sampled_from(files)))
    for place, byte in data.draw(
        st.lists(
            st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), min_size=1, max_size=6
        )
    ):
        content[place] = byte
    path.write_bytes(content)
    with contextlib.suppress(InspectorError):
        open_checkpoint(path).close()
