"""Archives whose directory is lost: what is found without it, and what it may take."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import torch

from inspector.checkpoints import Checkpoint, CheckpointError, open_checkpoint
from inspector.checkpoints.sources import MemoryBytes
from inspector.checkpoints.zip_directory import MemberSource, ZipDirectory
from inspector.checkpoints.zip_recovery import LocalHeaders
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region


def header(flags: int, method: int, size: int, name: bytes = b"a/d") -> bytes:
    """A local header that claims ``size`` bytes."""
    numbers = struct.pack("<4s2xHH8xIIHH", b"PK\3\4", flags, method, size, size, len(name), 0)
    return numbers + name


def read(checkpoint: Checkpoint, name: str) -> object:
    entry = checkpoint.find(name)
    assert entry is not None
    source = StoredTensor(entry)
    return source.read(Region.whole(source.shape)).tolist()


def without_directory(path: Path) -> bytes:
    data = path.read_bytes()
    return data[: data.index(b"PK\1\2")]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("sizes_follow", [False, True])
def test_members_are_the_same_without_the_directory(
    tmp_path: Path, method: int, sizes_follow: bool
) -> None:
    path = tmp_path / "a.zip"
    contents = {f"a/{n}": bytes([n]) * (1000 * n) for n in range(5)}
    with zipfile.ZipFile(path, "w", method) as archive:
        if sizes_follow:
            # As in a stream: the sizes come behind the bytes.
            archive._seekable = False  # type: ignore[attr-defined]
        for name, content in contents.items():
            archive.writestr(name, content)
    source = MemoryBytes(without_directory(path))
    headers = LocalHeaders(source, lambda: None)
    found = list(headers)
    directory = ZipDirectory(source, found)
    assert [member.name for member in found] == list(contents)
    assert headers.cut is None
    for member in found:
        assert MemberSource(directory, member).read(0, member.size) == contents[member.name]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_cut_archive_that_was_packed_again(tmp_path: Path, method: int) -> None:
    """Deflated members end where deflate says, whatever is missing behind."""
    plain, packed = tmp_path / "plain.pt", tmp_path / "packed.pt"
    tensors = {f"w{n}": torch.arange(500.0) + n for n in range(4)}
    torch.save(tensors, plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(packed, "w", method) as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
        place = next(info for info in new.infolist() if info.filename.endswith("data/2"))
    # In the middle of the bytes of the third.
    packed.write_bytes(packed.read_bytes()[: place.header_offset + 30 + place.compress_size // 2])
    checkpoint = open_checkpoint(packed)
    assert [entry.name for entry in checkpoint.entries if not entry.problem] == ["w0", "w1"]
    for name in ("w0", "w1"):
        assert read(checkpoint, name) == tensors[name].tolist()
    assert "2 of 4 tensors can be read" in checkpoint.findings[0].message
    checkpoint.close()


@pytest.mark.parametrize("method", [0, 8])
def test_a_member_that_claims_too_much_does_not_hide_the_next(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.pt"
    tensors = {f"w{n}": torch.full((50,), float(n)) for n in range(4)}
    torch.save(tensors, path)
    with zipfile.ZipFile(path) as archive:
        place = next(info for info in archive.infolist() if info.filename.endswith("data/1"))
    data = bytearray(without_directory(path))
    at = place.header_offset
    data[at + 6 : at + 10] = struct.pack("<HH", 0, method)
    data[at + 18 : at + 26] = struct.pack("<II", 1 << 30, 1 << 30)
    path.write_bytes(data)
    checkpoint = open_checkpoint(path)
    assert [entry.name for entry in checkpoint.entries if not entry.problem] == ["w0", "w2", "w3"]
    assert read(checkpoint, "w3") == tensors["w3"].tolist()
    lost = checkpoint.find("w1")
    assert lost is not None
    assert "claims more bytes" in lost.problem
    checkpoint.close()


def test_a_pickle_that_claims_too_much_does_not_hide_the_next(tmp_path: Path) -> None:
    """The size is behind the bytes, as torch writes it, and known from the pickle, which lies."""
    path = tmp_path / "a.pt"
    torch.save({"w": torch.ones(77), "v": torch.arange(50.0)}, path)
    data = without_directory(path).replace(b"K\x4d", b"K\xff")
    assert data != without_directory(path)
    path.write_bytes(data[: data.index(struct.pack("<50f", *range(50))) + 200 + 24])
    checkpoint = open_checkpoint(path)
    assert read(checkpoint, "v") == torch.arange(50.0).tolist()
    short = checkpoint.find("w")
    assert short is not None
    assert "1,020" in short.problem
    assert "308" in short.problem
    checkpoint.close()


HOSTILE = {
    "plain": header(0, 0, 0),
    "sizes that follow nowhere": header(8, 0, 0),
    "stored, claims too much": header(0, 0, 0xFFFFFFF0),
    "deflated, claims too much": header(0, 8, 0xFFFFFFF0),
    "deflated, inflates to nothing": header(8, 8, 0) + b"\0\0\0\xff\xff" * 2,
    "deflated, one in another": header(8, 8, 0) + b"\0\xff\xff\0\0" + b"x" * 100,
    "descriptors that do not fit": header(8, 0, 0) + b"PK\7\x08" + bytes(16),
    "signatures": b"PK\3\4",
    "descriptors alone": b"PK\7\x08",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_megabytes_of_fake_headers_end_soon(name: str) -> None:
    size = 4 << 20
    data = header(8, 0, 0) + HOSTILE[name] * (size // len(HOSTILE[name]))
    began = time.process_time()
    for _ in LocalHeaders(MemoryBytes(data), lambda: None):
        pass
    assert time.process_time() - began < 3


@pytest.mark.parametrize("name", HOSTILE)
def test_fake_headers_take_little_memory(name: str) -> None:
    data = header(8, 0, 0) + HOSTILE[name] * ((64 << 10) // len(HOSTILE[name]))
    source = MemoryBytes(data)
    tracemalloc.start()
    for _ in LocalHeaders(source, lambda: None):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A piece of what is inflated, at most.
    assert peak < 3 << 20


class StopError(Exception):
    pass


@pytest.mark.parametrize(
    "data",
    [
        header(0, 0, 0) * 20_000,
        header(8, 0, 0) + bytes(5 << 20),
        header(8, 8, 0) + b"\0\0\0\xff\xff" * 100_000,
        header(8, 0, 0) + b"PK\7\x08" * 100_000,
    ],
    ids=["many members", "a long search", "inflating", "descriptors"],
)
def test_a_recovery_can_be_cancelled(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(data)

    def stop() -> None:
        raise StopError

    with pytest.raises(StopError):
        open_checkpoint(path, check=stop)
    # It is the file that is refused, not the cancelling that is always there.
    with pytest.raises(CheckpointError):
        open_checkpoint(path)
