"""Where bytes come from: exact reads, errors for all else, bounded memory."""

from __future__ import annotations

import errno
import os
import random
import threading
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest
from fuzz.seeds import SEEDS

from inspector.checkpoints import inflated, open_checkpoint, sources
from inspector.checkpoints.changes import change_of, mark_file
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.inflated import InflatedMember
from inspector.checkpoints.sources import LocalFile, MemoryBytes, files_of


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize("at_offset", [True, False])
def test_a_file_is_read_exactly_by_several_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_offset: bool
) -> None:
    # The second way is that of systems without reads at an offset.
    monkeypatch.setattr(sources, "_READS_AT_OFFSET", at_offset)
    data = random.Random(1).randbytes(1 << 20)
    path = tmp_path / "data"
    path.write_bytes(data)
    file = LocalFile(path)
    wrong: list[int] = []

    def read(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(200):
            offset = dice.randrange(len(data))
            length = dice.randrange(min(5000, len(data) - offset) + 1)
            buffer = bytearray(length)
            file.read_into(offset, memoryview(buffer))
            expected = data[offset : offset + length]
            if file.read(offset, length) != expected or buffer != expected:
                wrong.append(offset)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    file.close()
    assert wrong == []


@pytest.mark.parametrize(("offset", "length"), [(-1, 2), (0, 11), (11, 0), (5, -1), (2**70, 1)])
def test_what_is_outside_is_refused(tmp_path: Path, offset: int, length: int) -> None:
    (tmp_path / "data").write_bytes(b"0123456789")
    file = LocalFile(tmp_path / "data")
    member = InflatedMember(MemoryBytes(deflated(b"0123456789")), 0, 12, 10, "m")
    for source in (file, MemoryBytes(b"0123456789"), member):
        with pytest.raises(CheckpointError):
            source.read(offset, length)
    file.close()


def test_each_change_of_the_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"0123456789")
    file = LocalFile(path)
    assert file.read(0, 4) == b"0123"
    path.write_bytes(b"9876543210")
    os.utime(path, ns=(1, 1))
    with pytest.raises(CheckpointError, match="changed"):
        file.read(0, 4)
    file.close()


def test_a_deleted_file_is_still_the_one_that_was_opened(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"old")
    file = LocalFile(path)
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "new").replace(path)
    assert file.read(0, 3) == b"old"
    file.close()


@pytest.mark.parametrize(
    "code", [errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.EACCES, errno.ENODEV]
)
@pytest.mark.parametrize("call", ["fstat", "preadv"])
def test_a_disk_that_goes_away_is_an_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, call: str
) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"0123456789")
    file = LocalFile(path)
    mark = mark_file(path)
    assert mark is not None

    def gone(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, gone)
    with pytest.raises(CheckpointError, match=f"can not be read any more: {os.strerror(code)}"):
        file.read(0, 4)
    monkeypatch.setattr(Path, "stat", gone)
    assert change_of(path, mark) == f"can not be reached any more: {os.strerror(code)}"
    monkeypatch.undo()
    assert file.read(0, 4) == b"0123"
    file.close()


def test_a_closed_file_waits_for_its_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"0123456789")
    file = LocalFile(path)
    reading, closed = threading.Event(), threading.Event()
    plain = LocalFile._read_some

    def slow(self: LocalFile, fd: int, offset: int, buffer: memoryview) -> int:
        reading.set()
        assert closed.wait(10)
        return plain(self, fd, offset, buffer)

    monkeypatch.setattr(LocalFile, "_read_some", slow)
    results: list[bytes] = []
    thread = threading.Thread(target=lambda: results.append(file.read(0, 10)))
    thread.start()
    assert reading.wait(10)
    file.close()
    file.close()
    closed.set()
    thread.join()
    assert results == [b"0123456789"]
    with pytest.raises(CheckpointError, match="closed"):
        file.read(0, 1)


def test_inflating_forward_backward_and_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflated, "_PLACE_DISTANCE", 10_000)
    monkeypatch.setattr(inflated, "_MAX_PLACES", 16)
    dice = random.Random(2)
    data = b"".join(bytes([dice.randrange(8)]) * dice.randrange(40) for _ in range(30_000))
    packed = deflated(data)
    source = MemoryBytes(b"before" + packed + b"behind")
    member = InflatedMember(source, 6, len(packed), len(data), "m")
    assert member.size == len(data)
    assert member.read(0, len(data)) == data
    for _ in range(200):
        offset = dice.randrange(len(data) + 1)
        length = dice.randrange(min(20_000, len(data) - offset) + 1)
        buffer = bytearray(length)
        member.read_into(offset, memoryview(buffer))
        assert buffer == data[offset : offset + length]
        assert member.read(offset, length) == buffer
    assert len(member._places) <= 17


def test_going_back_does_not_inflate_from_the_start() -> None:
    packed = deflated(bytes(64 << 20))
    reads: list[int] = []

    class Counted(MemoryBytes):
        def read(self, offset: int, length: int) -> bytes:
            reads.append(length)
            return super().read(offset, length)

    member = InflatedMember(Counted(packed), 0, len(packed), 64 << 20, "m")
    member.read((64 << 20) - 10, 10)
    began = time.process_time()
    for _ in range(20):
        member.read((60 << 20) + 5, 10)
        member.read((60 << 20) + 1, 10)
    # Inflating 60 MB takes some 60 ms; 40 times that from the start would take seconds.
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("packed", "claimed"),
    [
        (deflated(b"short"), 500),
        (deflated(bytes(10_000))[:-5], 10_000),
        (b"\xff" * 100, 100),
        (b"", 0),
        (deflated(b"a" * 1000)[:1], 1000),
    ],
)
def test_runs_that_lie_are_errors(packed: bytes, claimed: int) -> None:
    member = InflatedMember(MemoryBytes(packed), 0, len(packed), claimed, "member x")
    if not claimed:
        assert member.read(0, 0) == b""
        return
    with pytest.raises(CheckpointError, match="member x"):
        member.read(0, member.size)
    with pytest.raises(CheckpointError, match="member x"):
        member.read_into(0, memoryview(bytearray(member.size)))


def test_a_claim_allocates_nothing() -> None:
    packed = deflated(b"x" * 100)
    member = InflatedMember(MemoryBytes(packed), 0, len(packed), 2**60, "m")
    assert member.size <= len(packed) * 1032
    tracemalloc.start()
    with pytest.raises(CheckpointError):
        member.read(0, member.size)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("kind", SEEDS)
def test_every_storage_leads_to_its_files(tmp_path: Path, kind: str) -> None:
    """Whatever is between: archives, what is compressed, chunks, pieces, packed numbers."""
    for number, write in enumerate(SEEDS[kind]):
        folder = tmp_path / str(number)
        folder.mkdir()
        checkpoint = open_checkpoint(write(folder))
        parts = [part for entry in checkpoint.entries for part in (entry, *entry.components)]
        storages = {part.storage for part in parts if part.storage is not None}
        for storage in storages:
            found = {file.path.resolve() for file in files_of([storage.source])}
            assert found <= {path.resolve() for path in checkpoint.files}
            in_no_file = "in the object header", "nothing", "never written", "scales", "zero_points"
            assert len(found) == 1 or storage.key in in_no_file, storage.key
        checkpoint.close()
