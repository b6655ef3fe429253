"""The known holes of others, each by its number: none of them is one here."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import hostile_pickles as made
import pytest
import torch
from hostile_calls import P2, P4, Call, assert_named, call, checked, dangers, touch


def hostile(mark: Path, protocol: int = 2) -> bytes:
    """A pickle that runs a command."""
    return pickle.dumps(Call(os.system, touch(mark)), protocol)


def test_cve_2018_20406_a_memo_of_4_gb(tmp_path: Path) -> None:
    """CPython: LONG_BINPUT with a huge index allocated for all the smaller ones."""
    for index in (2**28, 2**31 - 1, 2**32 - 1):
        path = made.archive(tmp_path / "a.pt", P2 + b"N" + made.put(index) + b".")
        tracemalloc.start()
        assert_named(path)
        assert tracemalloc.get_traced_memory()[1] < 10e6
        tracemalloc.stop()


def test_cve_2025_32434_tar_files_ran_in_spite_of_weights_only(tmp_path: Path) -> None:
    """torch.load: the oldest format went to an unpickler that obeys."""
    path = tmp_path / "old.pt"
    for member in ("sys_info", "storages", "tensors", "pickle"):
        with tarfile.open(path, "w") as archive:
            for name in ("sys_info", "storages", "tensors", "pickle"):
                content = hostile(tmp_path / "ran") if name == member else pickle.dumps(0, 2)
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        assert_named(path)


def test_cve_2026_24747_items_for_what_is_no_dictionary(tmp_path: Path) -> None:
    """torch.load with weights_only: SETITEM wrote into tensors, beyond their memory."""
    for target in (made.tensor("0"), b"ctorch\nFloatStorage\n", b"N", b"]", made.text("a")):
        for items in (b"K\x00K\x01s", b"(K\x00K\x01u", b"\x8a\x08" + b"\xff" * 7 + b"\x7fK\x01s"):
            data = P2 + b"](" + target + items + made.tensor("0") + b"e."
            path = made.archive(tmp_path / "a.pt", data, s0=struct.pack("<2f", 1, 2))
            checkpoint = checked(path)
            assert checkpoint is not None
            assert not checkpoint.entries[-1].problem


def test_cve_2026_24747_storages_shorter_than_they_claim(tmp_path: Path) -> None:
    """The other half: the count in the pickle was believed, not the bytes in the file."""
    data = P2 + b"}" + made.text("t")
    data += made.tensor(count=made.number(1000), shape=made.numbers(1000)) + b"s."
    checkpoint = checked(made.archive(tmp_path / "a.pt", data, s0=bytes(8)))
    assert checkpoint is not None
    assert "of which the file has 8" in checkpoint.entries[0].problem


def test_cve_2026_4538_pickles_in_pt2_archives(tmp_path: Path) -> None:
    """torch.export.load: what the archive marks as pickled was unpickled."""

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.weight

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(Module(), (torch.ones(2),)), buffer)
    path = tmp_path / "model.pt2"
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("_config.json"):
                config = json.loads(content)
                for entry in config.get("config", {}).values():
                    entry["use_pickle"] = True
                content = json.dumps(config).encode()
            elif "/data/weights/" in name or "/data/constants/" in name or "sample" in name:
                content = hostile(tmp_path / "ran")
            new.writestr(name, content)
    checked(path)


def test_cve_2025_1716_pip(tmp_path: Path) -> None:
    """picklescan: ``pip.main`` was on no list."""
    data = P4 + call("pip", "main", "install", "https://localhost/") + b"."
    assert dangers(made.archive(tmp_path / "a.pt", data))


def test_cve_2025_1889_a_pickle_under_an_unusual_name(tmp_path: Path) -> None:
    """picklescan: looked at suffixes; a data.pkl loaded a second pickle from ``config.p``."""
    path = made.archive(
        tmp_path / "a.pt", P4 + call("torch.serialization", "load", "config.p") + b"."
    )
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/config.p", hostile(tmp_path / "ran"))
    assert dangers(path)


def test_cve_2025_1944_names_that_differ(tmp_path: Path) -> None:
    """picklescan: gave up on another name in the local header, where torch went on."""
    path = made.archive(tmp_path / "a.pt", hostile(tmp_path / "ran"))
    path.write_bytes(path.read_bytes().replace(b"archive/data.pkl", b"archive/data.pk1", 1))
    assert_named(path)


def test_cve_2025_1945_flags_of_members(tmp_path: Path) -> None:
    """picklescan: gave up on members that claim to be encrypted, where torch went on."""
    path = made.archive(tmp_path / "a.pt", hostile(tmp_path / "ran"))
    whole = path.read_bytes()
    for bit in range(16):
        data = bytearray(whole)
        for place in (6, data.index(b"PK\x01\x02") + 8):
            struct.pack_into("<H", data, place, 1 << bit)
        path.write_bytes(data)
        assert_named(path)


@pytest.mark.parametrize("suffix", [".bin", ".pt", ".pth", ".ckpt", ".safetensors", ".onnx"])
def test_cve_2025_10155_a_plain_pickle_by_the_name_of_another_format(
    tmp_path: Path, suffix: str
) -> None:
    """picklescan: believed the suffix."""
    path = tmp_path / f"model{suffix}"
    for protocol in range(6):
        path.write_bytes(hostile(tmp_path / "ran", protocol))
        assert_named(path)


def test_cve_2025_10156_checksums_that_are_wrong(tmp_path: Path) -> None:
    """picklescan: gave up on them, where torch went on."""
    path = made.archive(tmp_path / "a.pt", hostile(tmp_path / "ran"))
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 16, 1)
    path.write_bytes(data)
    assert dangers(path)


def test_cve_2025_10157_modules_below_a_listed_one(tmp_path: Path) -> None:
    """picklescan: ``asyncio`` was listed, ``asyncio.unix_events`` was let through."""
    name = "_UnixSubprocessTransport._start"
    data = P4 + call("asyncio.unix_events", name, "x") + b"."
    assert dangers(made.archive(tmp_path / "a.pt", data))


@pytest.mark.parametrize(
    "gadget",
    [
        "uuid _get_command_stdout",
        "imaplib IMAP4_stream",
        "_pyrepl.pager pipe_pager",
        "_osx_support _read_output",
        "_aix_support _read_cmd_output",
    ],
)
def test_cve_2026_56315_modules_that_nobody_thought_of(tmp_path: Path, gadget: str) -> None:
    """picklescan: functions deep in the standard library that run commands."""
    module, name = gadget.split(" ")
    data = P4 + call(module, name, touch(tmp_path / "ran")) + b"."
    assert dangers(made.archive(tmp_path / "a.pt", data))


def external(location: str) -> bytes:
    """An ONNX model with one tensor, whose data is said to be elsewhere."""
    import onnx
    from onnx import TensorProto, helper

    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2])
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    graph = helper.make_graph([], "graph", [], [], [tensor])
    made_of: bytes = onnx.ModelProto(ir_version=8, graph=graph).SerializeToString()
    return made_of


@pytest.mark.parametrize(
    "location",
    [
        "../secret",
        "inner/../../secret",
        "link/secret",
        "linked",
        "/etc/passwd",
        "file:///etc/passwd",
        "..\\secret",
        "./../secret",
        "",
        ".",
        "\0",
    ],
)
def test_cve_2022_25882_and_2024_27318_data_outside_of_the_folder(
    tmp_path: Path, location: str
) -> None:
    """onnx: external data named files anywhere, and the check of it could be led astray."""
    (tmp_path / "secret").write_bytes(bytes(8))
    folder = tmp_path / "model"
    (folder / "inner").mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path)
    (folder / "linked").symlink_to(tmp_path / "secret")
    path = folder / "model.onnx"
    path.write_bytes(external(location))
    checkpoint = checked(path)  # which sees that nothing is opened beyond the folder
    if checkpoint is not None:
        assert checkpoint.entries[0].problem
