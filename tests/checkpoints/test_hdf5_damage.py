"""HDF5 files that are cut short, damaged or made to harm."""

from __future__ import annotations

import io
import struct
import time
import zipfile
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hdf5_files import messages, patched, values, written
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.checkpoints import Checkpoint, CheckpointError, InspectorError, open_checkpoint
from inspector.checkpoints.hdf5 import datasets


@cache
def sample(libver: Any) -> bytes:
    """A file with a little of everything."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=libver) as file:
        file.attrs["keras_version"] = "2.9"
        file.attrs["names"] = [b"a", b"bc"]
        file["g/w"] = np.arange(20.0)
        file["g/text"] = ["one", "two"]
        for index in range(12):
            file[f"many/n{index}"] = index
            file["many"].attrs[f"a{index}"] = "text"
        for most in [None, (None, 8), (None, None)]:
            file.create_dataset(
                f"c{most}",
                data=np.arange(64).reshape(8, 8),
                chunks=(3, 3),
                maxshape=most,
                compression="gzip",
                shuffle=True,
            )
        file.create_dataset("lzf", data=np.zeros(100), chunks=(30,), compression="lzf")
    return buffer.getvalue()


def opened(path: Path, raw: bytes) -> Checkpoint:
    path.write_bytes(raw)
    return open_checkpoint(path)


def read_all(path: Path, raw: bytes) -> None:
    """List and read everything; only our own errors may come."""
    try:
        checkpoint = opened(path, raw)
    except InspectorError:
        return
    for entry in checkpoint.entries:
        if entry.nbytes > 1 << 20:
            continue
        with suppress(InspectorError):
            values(entry)
    checkpoint.close()


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_cut_short_everywhere(tmp_path: Path, libver: Any) -> None:
    raw = sample(libver)
    path = tmp_path / "cut.h5"
    for length in [*range(8, 120, 3), *range(120, len(raw), 211)]:
        read_all(path, raw[:length])


def test_what_is_left_of_a_truncated_file(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file["first"] = np.arange(1000)
        file["last"] = np.arange(1000)

    path = written(tmp_path / "cut.h5", fill)
    raw = path.read_bytes()
    checkpoint = opened(path, raw[:-100])
    assert f"should have {len(raw):,} bytes, and has {len(raw) - 100:,}" in messages(checkpoint)
    first, last = checkpoint.entries
    assert values(first).tolist() == list(range(1000))
    assert f"byte {len(raw):,}" in last.problem


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_any_damage_is_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, libver: Any
) -> None:
    path = tmp_path_factory.mktemp("damage") / "damaged.h5"
    raw = sample(libver)
    number = st.sampled_from([0, 1, 2, 7, 8, 255, 0x7F, 0x80])
    changes = st.lists(st.tuples(st.integers(0, len(raw) - 1), number), min_size=1, max_size=6)
    wide = st.lists(
        st.tuples(
            st.integers(0, len(raw) - 8),
            st.integers(0, len(raw)) | st.sampled_from([2**32 - 1, 2**63, 2**64 - 1]),
        ),
        max_size=2,
    )

    @given(changes, wide)
    @settings(max_examples=120, deadline=None, database=None)
    def damage(bytes_: list[tuple[int, int]], numbers: list[tuple[int, int]]) -> None:
        changed = bytearray(raw)
        for at, value in bytes_:
            changed[at] = value
        for at, value in numbers:
            struct.pack_into("<Q", changed, at, value)
        began = time.process_time()
        read_all(path, bytes(changed))
        assert time.process_time() - began < 5

    damage()


def test_a_header_that_goes_on_in_itself(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        for index in range(40):
            file.attrs[f"a{index}"] = np.zeros(50)
        file["w"] = np.arange(3)

    path = written(tmp_path / "cycle.h5", fill)
    raw = path.read_bytes()
    root = struct.unpack_from("<Q", raw, 64)[0]
    at = root + 16
    while struct.unpack_from("<H", raw, at)[0] != 0x10:
        at += 8 + struct.unpack_from("<H", raw, at + 2)[0]
    address, length = struct.unpack_from("<QQ", raw, at + 8)
    # The block itself begins with a continuation that leads to it.
    cycle = patched(raw, address, "<HHIQQ", 0x10, 16, 0, address, length)
    checkpoint = opened(path, cycle)
    assert "where it was before" in messages(checkpoint)


def test_a_tree_of_links_that_comes_back(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        for index in range(600):
            file[f"g/n{index}"] = index
        file["w"] = np.arange(3)

    path = written(tmp_path / "tree.h5", fill)
    raw = bytearray(path.read_bytes())
    inner = next(
        at for at in range(0, len(raw) - 8, 8) if raw[at : at + 5] == b"TREE\0" and raw[at + 5] == 1
    )
    for level in (1, 2):
        # Its first child is itself; with a level that fits, only the visit tells.
        changed = patched(bytes(raw), inner + 32, "<Q", inner)
        changed = patched(changed, inner + 5, "<B", level)
        checkpoint = opened(path, changed)
        assert "B-tree" in messages(checkpoint)
        assert checkpoint.find("w") is not None


def test_groups_in_groups_without_end(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        group: Any = file
        for _ in range(400):
            group = group.create_group("g")
        file["w"] = np.arange(3)

    checkpoint = open_checkpoint(written(tmp_path / "deep.h5", fill, "latest"))
    assert "deeper than 256" in messages(checkpoint)
    assert checkpoint.find("w") is not None


def test_a_shape_beyond_counting_and_beyond_the_file(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        file.create_dataset("huge", (2**37, 2**20), "f4", chunks=(2**10, 2**10), fillvalue=2)
        made = file.create_dataset(
            "chunk", (2**15, 2**15), "i2", chunks=(2**15, 2**14), fillvalue=3
        )
        assert made.id.get_num_chunks() == 0

    checkpoint = open_checkpoint(written(tmp_path / "huge.h5", fill))
    entries = {entry.name: entry for entry in checkpoint.entries}
    # Nobody wrote to it; still, each of its numbers can be had.
    storage = entries["huge"].storage
    assert storage is not None
    assert struct.unpack("<f", storage.source.read(2**58, 4)) == (2.0,)
    storage = entries["chunk"].storage
    assert storage is not None
    assert struct.unpack("<h", storage.source.read(2**30 + 2**20, 2)) == (3,)


@pytest.mark.parametrize("shape", [(0, 2**62), (2**32, 2**31), (2**61, 0, 4)])
def test_a_shape_that_no_array_can_have(tmp_path: Path, shape: tuple[int, ...]) -> None:
    small = tuple(range(3, 3 + len(shape)))
    path = written(tmp_path / "w.h5", lambda file: file.create_dataset("w", small, "f4"))
    raw = path.read_bytes()
    layout = f"<{len(shape)}Q"
    at = raw.index(struct.pack(layout, *small))
    (entry,) = opened(path, patched(raw, at, layout, *shape)).entries
    assert "counted in 60 bits" in entry.problem
    with pytest.raises(InspectorError):
        values(entry)


def test_a_chunk_that_inflates_to_something_else(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        made = file.create_dataset("w", (100,), "i4", chunks=(100,), compression="gzip")
        made[:] = np.arange(100)

    path = written(tmp_path / "bad.h5", fill)
    with h5py.File(path, "r+") as file:
        for raw in (b"not deflated", zlib.compress(bytes(10_000_000))):
            file["w"].id.write_direct_chunk((0,), raw)
            file.flush()
            (entry,) = open_checkpoint(path).entries
            with pytest.raises(CheckpointError, match="chunk is damaged"):
                values(entry)


@pytest.mark.parametrize("raw", [b"x", b"not deflated", zlib.compress(bytes(30))])
def test_a_large_chunk_that_is_damaged(
    tmp_path: Path, raw: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(file: h5py.File) -> None:
        options = {"compression": "gzip", "shuffle": True, "fletcher32": True}
        made = file.create_dataset("w", (100,), "i4", chunks=(100,), **options)
        made[:] = np.arange(100)

    path = written(tmp_path / "bad.h5", fill)
    with h5py.File(path, "r+") as file:
        file["w"].id.write_direct_chunk((0,), raw)
    monkeypatch.setattr(datasets, "MAX_CHUNK", 100)
    (entry,) = open_checkpoint(path).entries
    with pytest.raises(CheckpointError):
        values(entry)


def test_weights_that_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", "[" * 100_000)
        archive.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n" + bytes(100 << 20))
    with pytest.raises(CheckpointError, match="made to fill the memory"):
        open_checkpoint(path)


def test_names_that_disturb(tmp_path: Path) -> None:
    def fill(file: h5py.File) -> None:
        for name in ("a\u202eb", "a\nb", "a.b", "@a"):
            file.create_group(name)["w"] = 1
            file[name].attrs["x\u202e"] = "y\u202e"

    checkpoint = open_checkpoint(written(tmp_path / "names.h5", fill, "latest"))
    names = {entry.name for entry in checkpoint.entries}
    assert names == {"a\u202eb/w", "a\nb/w", "a.b/w", "@a/w"}
    assert all("\u202e" not in value.text for value in checkpoint.values)


def test_a_dataset_without_elements_may_lie_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.h5"
    with h5py.File(path, "w") as file:
        file["w"] = np.ones((7, 11))
        offset = file["w"].id.get_offset()
    content = path.read_bytes()
    content = content.replace(struct.pack("<QQ", 7, 11), struct.pack("<QQ", 7, 0))
    content = content.replace(struct.pack("<QQ", offset, 616), struct.pack("<QQ", 1 << 60, 616))
    path.write_bytes(content)
    checkpoint = open_checkpoint(path)
    (entry,) = checkpoint.entries
    assert entry.shape == (7, 0)
    assert entry.storage is not None
    assert entry.storage.offset + entry.storage.nbytes <= entry.storage.source.size
    assert values(entry).shape == (7, 0)
    checkpoint.close()
