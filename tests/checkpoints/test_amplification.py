"""Small files that claim to be large ones: by inflating, and by naming one thing many times."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import hostile_pickles as made
import numpy as np
import pytest
from hostile_calls import checked

from inspector.checkpoints import InspectorError, open_checkpoint


def packed(path: Path, *, stored: bool = False, **members: bytes) -> Path:
    """A zip archive; ``data__x`` is the name ``m/data/x``."""
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w", method, compresslevel=9) as archive:
        for name, content in members.items():
            archive.writestr("m/" + name.replace("__", "/"), content)
    return path


def exported(path: Path, records: dict[str, object], payload: bytes, *, stored: bool) -> Path:
    """An archive of torch.export whose weights are said to be pickled."""
    members = {
        "archive_format": b"pt2",
        "data__weights__m_weights_config.json": json.dumps({"config": records}).encode(),
        "data__weights__x": payload,
        "models__m.json": b"{}",
    }
    return packed(path, stored=stored, **members)


def a_torch_zip(tensors: int) -> bytes:
    """With so many tensors in one storage."""
    buffer = io.BytesIO()
    items = b"".join(made.text(f"k{number}") + made.tensor("0") for number in range(tensors))
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02}(" + items + b"u.")
        archive.writestr("a/data/0", bytes(8))
    return buffer.getvalue()


def test_pickles_that_deflate_well(tmp_path: Path) -> None:
    """8 KB were 8 million lists: 2 GB of memory, and a minute."""
    lists = b"\x80\x02](" + b"]" * 8_000_000 + b"e."
    assert checked(packed(tmp_path / "a.pt", **{"data.pkl": lists, "version": b"3"})) is None


def test_json_that_deflates_well(tmp_path: Path) -> None:
    config = b'{"config":{"a":[' + b"{}," * 2_700_000 + b"{}]}}"
    members = {
        "archive_format": b"pt2",
        "data__weights__m_weights_config.json": config,
        "models__m.json": b"{}",
    }
    checkpoint = checked(packed(tmp_path / "a.pt2", **members))
    assert checkpoint is not None
    assert any("would inflate" in finding.message for finding in checkpoint.findings)


def test_an_archive_in_an_archive_whose_directory_inflates(tmp_path: Path) -> None:
    """300 KB were a directory of 300 MB."""
    size = 300 << 20
    head = b"PK\x03\x04" + bytes(100)
    end = struct.pack("<4s4xHHIIH", b"PK\x05\x06", 1, 1, size, len(head), 0)
    records = {"w": {"path_name": "x", "use_pickle": True}}
    path = exported(tmp_path / "a.pt2", records, head + bytes(size) + end, stored=False)
    assert path.stat().st_size < 400_000
    checkpoint = checked(path)
    assert checkpoint is not None
    assert any("would inflate" in finding.message for finding in checkpoint.findings)


def test_one_member_that_is_referred_to_again_and_again(tmp_path: Path) -> None:
    """Each time it was read and listed anew."""
    records = {f"w{number}": {"path_name": "x", "use_pickle": True} for number in range(400)}
    path = exported(tmp_path / "a.pt2", records, a_torch_zip(60), stored=True)
    checkpoint = checked(path)
    assert checkpoint is not None
    assert 60 <= len(checkpoint.entries) < 400 * 60
    assert any("many times as large" in finding.message for finding in checkpoint.findings)


def test_many_small_members_share_what_may_be_listed(tmp_path: Path) -> None:
    """Each had an allowance of its own to list one value a thousand times."""
    levels = b"\x80\x02}" + made.text("w") + made.tensor("0") + b"s" + made.put(0) + b"0"
    for level in range(1, 12):
        below = made.get(level - 1)
        levels += b"}(" + made.text("a") + below + made.text("b") + below + b"u"
        levels += made.put(level) + b"0"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/data.pkl", levels + made.get(11) + b".")
        archive.writestr("a/data/0", bytes(8))
    records = {f"w{number}": {"path_name": "x", "use_pickle": True} for number in range(300)}
    path = exported(tmp_path / "a.pt2", records, buffer.getvalue(), stored=True)
    checkpoint = checked(path)
    assert checkpoint is not None
    assert len(checkpoint.entries) < path.stat().st_size


@pytest.mark.parametrize("count", [1, 20])
def test_what_is_named_within_reason_is_listed_each_time(tmp_path: Path, count: int) -> None:
    records = {f"w{number}": {"path_name": "x", "use_pickle": True} for number in range(count)}
    path = exported(tmp_path / "a.pt2", records, a_torch_zip(3), stored=True)
    checkpoint = checked(path)
    assert checkpoint is not None
    assert len(checkpoint.entries) == 3 * count
    assert not checkpoint.findings


def test_many_pickles_in_one_npz_share_what_may_inflate(tmp_path: Path) -> None:
    """Each could inflate to some MiB of its own: 1.5 MB took 12 GB, and minutes."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("first.npy", start + pickle.dumps(np.array([1, "x"], dtype=object)))
        for number in range(3):
            archive.writestr(f"{number}.npy", start + b"\x80\x02](" + b"N" * 900_000 + b"e.")
        archive.writestr("last.npy", start + pickle.dumps(np.array([2, "y"], dtype=object)))
    checkpoint = checked(path)
    assert checkpoint is not None
    assert [value.name for value in checkpoint.values] == ["first", "0", "last"]
    assert sum("would inflate" in entry.problem for entry in checkpoint.entries) == 2


@pytest.mark.parametrize("compress", [bz2.compress, zlib.compress])
@pytest.mark.parametrize("content", [b"]", b"0]"])
def test_compressed_pickles_that_deflate_well(
    tmp_path: Path, compress: Callable[[bytes], bytes], content: bytes
) -> None:
    """68 bytes were 30 million lists: more than 6 GB of memory."""
    path = tmp_path / "a.pkl.bz2"
    path.write_bytes(compress(b"\x80\x02](]" + content * 2_000_000))
    assert checked(path) is None
    with pytest.raises(InspectorError, match="made to fill the memory"):
        open_checkpoint(path)


def test_what_deflates_within_reason_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl.gz"
    path.write_bytes(gzip.compress(pickle.dumps([{"loss": 0.5}] * 1000 + [np.zeros(1 << 20)])))
    checkpoint = checked(path)
    assert checkpoint is not None
    assert [entry.name for entry in checkpoint.entries] == ["[1000]"]
