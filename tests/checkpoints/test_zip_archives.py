"""The zip directory: what torch and Python write, and archives that lie."""

from __future__ import annotations

import random
import struct
import time
import zipfile
from pathlib import Path

import hostile_pickles as made
import pytest
import torch

from inspector.checkpoints import CheckpointError, open_checkpoint
from inspector.checkpoints.sources import LocalFile, MemoryBytes
from inspector.checkpoints.zip_directory import MemberSource, ZipDirectory

ONE_TENSOR = b"\x80\x02}" + made.text("w") + made.tensor("0") + b"s."


def directory_of(data: bytes) -> ZipDirectory:
    return ZipDirectory(MemoryBytes(data))


def content(directory: ZipDirectory, name: str) -> bytes:
    member = directory.members[name]
    return MemberSource(directory, member).read(0, member.size)


def parts(path: Path) -> tuple[bytearray, int, int]:
    """An archive's bytes, with the offsets of the first directory entry and the end record."""
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\5\6")
    return data, struct.unpack_from("<I", data, end + 16)[0], end


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_same_as_pythons_reader(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    dice = random.Random(3)
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.comment = b"a comment" * 1000
        for index in range(50):
            info = zipfile.ZipInfo(f"folder/{index}é")
            info.compress_type = method
            info.extra = b"\xfe\xca\x04\x00abcd"
            archive.writestr(info, dice.randbytes(dice.randrange(3000)))
    directory = directory_of(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        assert list(directory.members) == archive.namelist()
        for name in archive.namelist():
            assert content(directory, name) == archive.read(name)


def test_a_comment_may_look_like_an_end_record(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = b"PK\5\6" + b"\xff" * 40 + b"PK\5\6"
        archive.writestr("m", b"content")
    assert content(directory_of(path.read_bytes()), "m") == b"content"


def test_zip64_by_its_extra_fields_and_end_record(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive, archive.open("m", "w", force_zip64=True) as member:
        member.write(b"content")
    data, entry, end = parts(path)
    # As written for members beyond 4 GB: all three numbers in the extra field, in this order.
    name_end = entry + 46 + 1
    extra = struct.pack("<HHQQQ", 1, 24, 7, 7, 0)
    directory = bytearray(data[entry:name_end])
    directory[20:28] = b"\xff" * 8
    directory[30:32] = struct.pack("<H", len(extra))
    directory[42:46] = b"\xff" * 4
    directory += extra
    at = entry + len(directory)
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(directory), entry)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, at, 1)
    last = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)
    wide = bytes(data[:entry]) + bytes(directory) + end64 + locator + last
    assert content(directory_of(wide), "m") == b"content"
    assert end
    # A locator that points anywhere is an error.
    broken = wide.replace(locator, struct.pack("<4sIQI", b"PK\6\7", 0, 2**63, 1))
    with pytest.raises(CheckpointError, match="not in the file"):
        directory_of(broken)
    unsigned = wide.replace(b"PK\6\6", b"PK\0\0")
    with pytest.raises(CheckpointError, match="damaged"):
        directory_of(unsigned)
    # One that is right but for what was put before the archive is not.
    assert content(directory_of(b"before" + wide), "m") == b"content"


def test_a_torch_file_beyond_4_gb_is_as_quick_as_a_small_one(tmp_path: Path) -> None:
    path = tmp_path / "large.pt"
    with path.open("wb") as file:
        writer = zipfile.ZipFile(file, "w", allowZip64=True)
        with writer.open("archive/data/0", "w", force_zip64=True) as member:
            member.write(struct.pack("<2f", 1.5, 2.5))
        writer.writestr("archive/data.pkl", ONE_TENSOR)
        writer.close()
    data, entry, end = parts(path)
    # The directory is moved behind a hole of 5 GB, which takes no room on the disk.
    hole = 5 << 30
    length = end - entry
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 2, 2, length, hole)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, hole + length, 1)
    last = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)
    with path.open("r+b") as file:
        file.truncate(entry)
        file.seek(hole)
        file.write(bytes(data[entry:end]) + end64 + locator + last)
    began = time.process_time()
    checkpoint = open_checkpoint(path)
    assert time.process_time() - began < 1
    entry_of_w = checkpoint.find("w")
    assert entry_of_w is not None
    assert entry_of_w.storage is not None
    assert entry_of_w.storage.source.read(0, 8) == struct.pack("<2f", 1.5, 2.5)
    checkpoint.close()


def test_100_000_members_are_listed_quickly(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", *[0] * 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    local = struct.pack("<4s5H3I2H", b"PK\3\4", *[0] * 5, 0, 0, 0, 6, 0)
    body, listed = bytearray(), bytearray()
    for index in range(100_000):
        name = b"%06d" % index
        listed += entry[:28] + struct.pack("<H", 6) + entry[30:42]
        listed += struct.pack("<I", len(body)) + name
        body += local + name
    last = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0, 0, len(listed), len(body), 0)
    end64 = struct.pack(
        "<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 10**5, 10**5, len(listed), len(body)
    )
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(body) + len(listed), 1)
    path.write_bytes(bytes(body + listed) + end64 + locator + last)
    began = time.process_time()
    directory = ZipDirectory(LocalFile(path))
    assert time.process_time() - began < 2
    assert len(directory.members) == 100_000
    assert not any(member.problem for member in directory.members.values())


def test_a_member_that_overlaps_another_is_not_read(tmp_path: Path) -> None:
    path = made.archive(tmp_path / "a.pt", ONE_TENSOR, s0=bytes(8), s1=b"secret!!")
    data, entry, _ = parts(path)
    at = data.index(b"archive/data/0", entry) - 46
    # Claims 100 bytes more, which are the next member's.
    data[at + 20 : at + 28] = struct.pack("<II", 108, 108)
    path.write_bytes(data)
    checkpoint = open_checkpoint(path)
    found = checkpoint.find("w")
    assert found is not None
    assert "overlaps" in found.problem
    assert found.storage is None
    assert any("overlaps" in finding.message for finding in checkpoint.findings)


def test_a_forged_local_header_is_seen_when_bytes_are_read(tmp_path: Path) -> None:
    path = made.archive(tmp_path / "a.pt", ONE_TENSOR, s0=bytes(8), s1=b"secret!!")
    whole, entry, _ = parts(path)
    at = whole.index(b"archive/data/0") - 30
    assert at < entry
    forged_extra, forged_name, forged_sign = bytearray(whole), bytearray(whole), bytearray(whole)
    forged_extra[at + 28 : at + 30] = struct.pack("<H", 52)
    forged_name[at + 30] = ord("b")
    forged_sign[at] = 0
    for data, message in (
        (forged_extra, "reaches into"),
        (forged_name, "is not where"),
        (forged_sign, "is not where"),
    ):
        path.write_bytes(data)
        checkpoint = open_checkpoint(path)
        found = checkpoint.find("w")
        assert found is not None
        assert found.storage is not None
        with pytest.raises(CheckpointError, match=message):
            found.storage.source.read(0, 8)
        with pytest.raises(CheckpointError, match=message):
            found.storage.source.read_into(0, memoryview(bytearray(8)))
        checkpoint.close()


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (8, struct.pack("<H", 1), "encrypted"),
        (10, struct.pack("<H", 12), "method 12"),
        (20, struct.pack("<I", 7), "two different sizes"),
        (42, struct.pack("<I", 2**31), "overlaps"),
    ],
)
def test_members_that_can_not_be_read_are_named(
    tmp_path: Path, offset: int, value: bytes, message: str
) -> None:
    path = made.archive(tmp_path / "a.pt", ONE_TENSOR, s0=bytes(8))
    data, entry, _ = parts(path)
    at = data.index(b"archive/data/0", entry) - 46 + offset
    data[at : at + len(value)] = value
    path.write_bytes(data)
    found = open_checkpoint(path).find("w")
    assert found is not None
    assert message in found.problem
    # The same for what the listing itself needs.
    data, entry, _ = parts(made.archive(path, ONE_TENSOR, s0=bytes(8)))
    at = data.index(b"archive/data.pkl", entry) - 46 + offset
    data[at : at + len(value)] = value
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(path)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_data_pkl_are_mentioned(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02K\x01.")
        archive.writestr("archive/data.pkl", b"\x80\x02K\x02.")
    checkpoint = open_checkpoint(path)
    assert [value.text for value in checkpoint.values] == ["2"]
    assert any("data.pkl" in finding.message for finding in checkpoint.findings)


#: Places in the end record: the count of members, the bytes of the directory, its offset.
COUNT, LENGTH, OFFSET = 10, 12, 16


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (COUNT, 0xFFFF),
        (COUNT, 5),
        (LENGTH, 0xFFFF),
        (LENGTH, 0xFFFE),
        (LENGTH, 0),
        (OFFSET, 0xFFFF),
        (OFFSET, 0xFFFE),
    ],
)
def test_an_end_record_that_lies_is_done_without(tmp_path: Path, field: int, value: int) -> None:
    path = made.archive(tmp_path / "a.pt", ONE_TENSOR, s0=bytes(range(8)))
    data, _, end = parts(path)
    data[end + field : end + field + 2] = struct.pack("<H", value)
    path.write_bytes(data)
    checkpoint = open_checkpoint(path)
    (found,) = checkpoint.entries
    assert found.storage is not None
    assert found.storage.source.read(0, 8) == bytes(range(8))
    assert any("one by one" in finding.message for finding in checkpoint.findings)
    checkpoint.close()


def test_an_end_record_that_gives_fewer_members_is_believed(tmp_path: Path) -> None:
    path = made.archive(tmp_path / "a.pt", ONE_TENSOR, s0=bytes(8))
    data, _, end = parts(path)
    for count, message in ((0, "empty zip archive"), (2, "")):
        data[end + COUNT : end + COUNT + 2] = struct.pack("<H", count)
        path.write_bytes(data)
        if message:
            with pytest.raises(CheckpointError, match=message):
                open_checkpoint(path)
            continue
        (found,) = open_checkpoint(path).entries
        assert "no storage" in found.problem


def test_a_file_cut_short_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save({"w": torch.randn(100, 100)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    finding = open_checkpoint(path).findings[0]
    assert "cut short" in finding.message
    assert f"{len(whole) // 2:,} bytes" in finding.message
    assert "0 of 1 tensors" in finding.message


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["[Content_Types].xml"], "office"),
        (["model.weights.h5", "config.json"], "Keras"),
        (["weights/model.pt"], "checkpoints in it"),
        (["photo.jpg"], "no torch checkpoint"),
    ],
)
def test_other_zip_archives_are_named_for_what_they_are(
    tmp_path: Path, names: list[str], message: str
) -> None:
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(path)


@pytest.mark.parametrize("prefix", ["", "deep/er/archive/", "archive/"])
def test_archives_that_were_packed_again(tmp_path: Path, prefix: str) -> None:
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", b"hello")
        archive.writestr(f"{prefix}data.pkl", ONE_TENSOR)
        archive.writestr(f"{prefix}data/0", struct.pack("<2f", 1, 2))
    found = open_checkpoint(path).find("w")
    assert found is not None
    assert not found.problem


def test_big_endian_files_say_so(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    for order, finding_count in ((b"big", 0), (b"little", 0), (b"middle", 1)):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/data.pkl", ONE_TENSOR)
            archive.writestr("a/byteorder", order)
            archive.writestr("a/data/0", struct.pack(">2f", 1, 2))
        checkpoint = open_checkpoint(path)
        found = checkpoint.find("w")
        assert found is not None
        assert found.storage is not None
        assert found.storage.byteorder == ("big" if order == b"big" else "little")
        assert checkpoint.metadata["byteorder"] == order.decode()
        assert len(checkpoint.findings) == finding_count


def test_checksums_that_were_left_out_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    wanted = torch.randn(50)
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"w": wanted}, path)
    finally:
        torch.serialization.set_crc32_options(True)
    found = open_checkpoint(path).find("w")
    assert found is not None
    assert found.storage is not None
    assert found.storage.source.read(0, 200) == wanted.numpy().tobytes()


def test_torchscript_with_its_constants(tmp_path: Path) -> None:
    path = tmp_path / "script.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/data.pkl", ONE_TENSOR)
        archive.writestr("m/data/0", bytes(8))
        archive.writestr("m/constants.pkl", b"\x80\x02" + made.tensor("0") + b"\x85.")
        archive.writestr("m/constants/0", struct.pack("<2f", 3, 4))
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == "TorchScript"
    assert [entry.name for entry in checkpoint.entries] == ["w", "constants[0]"]
    storage = checkpoint.entries[1].storage
    assert storage is not None
    assert storage.source.read(0, 8) == struct.pack("<2f", 3, 4)
