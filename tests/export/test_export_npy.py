"""What np.load makes of an export, and what happens when it does not get to its end."""

from __future__ import annotations

import tracemalloc
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import torch
from export_sources import CancelAfter, RawArray, assert_same_bits, export, export_parts

from inspector.checkpoints import open_checkpoint
from inspector.checkpoints.errors import Cancelled, ExportError
from inspector.checkpoints.sources import LocalFile
from inspector.export import parts
from inspector.export.formats import format_named
from inspector.export.parts import whole_part
from inspector.export.run import plan_export
from inspector.values.arrays import Array, InMemoryArray
from inspector.values.dtypes import DTYPES
from inspector.values.regions import Region, parse_region


def random_raw(name: str, shape: tuple[int, ...]) -> Array:
    kind = DTYPES[name].raw
    rng = np.random.default_rng(0)
    if kind.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    # Any patterns: NaN with all kinds of payloads among them.
    drawn = rng.integers(0, 256, (*shape, kind.itemsize), dtype=np.uint8)
    return drawn.view(kind).reshape(shape)


@pytest.mark.parametrize("name", sorted(DTYPES))
def test_every_dtype_bit_for_bit(name: str, tmp_path: Path) -> None:
    stored = random_raw(name, (9, 11))
    source = RawArray(stored, name)
    target = tmp_path / "out.npy"
    with np.errstate(all="ignore"):
        export(source, target)
        wanted = source.read(Region.whole(source.shape))
    assert_same_bits(np.load(target, allow_pickle=False), wanted)
    np.save(tmp_path / "numpy.npy", wanted)
    assert target.read_bytes() == (tmp_path / "numpy.npy").read_bytes()


@pytest.mark.parametrize("text", ["2", ":, ::-2, 3", "..., 0", "1:4, 2, ::3", "1, 2, 3", ":0"])
def test_regions(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "BLOCK", 24)
    array = np.arange(5 * 6 * 7).reshape(5, 6, 7)
    export(InMemoryArray(array), tmp_path / "out.npy", text)
    wanted = InMemoryArray(array).read(parse_region(text, array.shape))
    assert_same_bits(np.load(tmp_path / "out.npy"), wanted)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (1,) * 20])
def test_odd_shapes(shape: tuple[int, ...], tmp_path: Path) -> None:
    heard: list[float] = []
    array = np.full(shape, 1 + 2j, np.complex64)
    export(InMemoryArray(array), tmp_path / "out.npy", progress=heard.append)
    assert_same_bits(np.load(tmp_path / "out.npy"), array)
    assert heard[-1] == 1.0


def test_strides_of_every_kind(tmp_path: Path) -> None:
    base = np.arange(24.0).reshape(4, 6)
    for array in (base.T, base[::-1, ::2], np.broadcast_to(base[:, :1], (4, 1000)), base[1]):
        export(InMemoryArray(array), tmp_path / "out.npy")
        loaded = np.load(tmp_path / "out.npy")
        assert loaded.flags.c_contiguous
        assert np.array_equal(loaded, array)


@pytest.mark.parametrize("name", ["npy", "npz", "csv", "mat", "safetensors"])
@pytest.mark.parametrize("text", ["...", "1:, ::-2, 3:", "2, :, :5", ":, 1, :"])
@pytest.mark.parametrize("block", [24, 200, 1 << 20])
def test_what_is_stored_in_another_order_is_written_in_c_order(
    name: str, text: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes, in whichever parts they are read and put in order."""
    if name == "csv" and text in ("...", "1:, ::-2, 3:"):
        return  # it has two axes at most
    array = np.random.default_rng(0).random((5, 6, 7)).astype(np.float32)
    export(InMemoryArray(array), tmp_path / "plain", text, name)
    monkeypatch.setattr(parts, "BLOCK", block)
    for stretch, order in product((16, 100, 1000), permutations(range(3))):
        monkeypatch.setattr(parts, "STRETCH", stretch)
        turned = array.transpose(order).copy(order="C").transpose(np.argsort(order))
        heard: list[float] = []
        export(InMemoryArray(turned), tmp_path / "turned", text, name, progress=heard.append)
        assert _content(tmp_path / "turned") == _content(tmp_path / "plain")
        assert heard == sorted(heard)
        assert heard[-1] == 1.0


def _content(path: Path) -> bytes:
    """A file's bytes; of MATLAB's format without the time of day."""
    content = path.read_bytes()
    return content[128:] if content.startswith(b"MATLAB") else content


def test_what_is_stored_transposed_takes_few_reads_and_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "BLOCK", 1 << 18)
    monkeypatch.setattr(parts, "STRETCH", 1 << 23)
    tensor = torch.arange(1 << 24, dtype=torch.float32).reshape(4096, 4096).t()
    torch.save({"w": tensor}, tmp_path / "transposed.pt")
    reads: list[int] = []
    plain = LocalFile.read_into

    def read_into(file: LocalFile, offset: int, buffer: memoryview) -> None:
        reads.append(len(buffer))
        plain(file, offset, buffer)

    (entry,) = open_checkpoint(tmp_path / "transposed.pt").entries
    monkeypatch.setattr(LocalFile, "read_into", read_into)
    tracemalloc.start()
    try:
        export_parts("npy", [parts.part_of(entry)], tmp_path / "out.npy")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.array_equal(np.load(tmp_path / "out.npy"), tensor.numpy())
    assert len(reads) <= 8 * 4096  # one for each column of 512 rows, at most, and not of 16
    assert peak < 20 << 20


@pytest.mark.parametrize("calls", [0, 1, 3, 9, 14])
def test_cancelled_while_it_is_put_in_order(
    calls: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "BLOCK", 400)
    monkeypatch.setattr(parts, "STRETCH", 1600)
    source = InMemoryArray(np.zeros((100, 10), np.float32).T)
    with pytest.raises(Cancelled):
        export(source, tmp_path / "out.npy", check=CancelAfter(calls))
    assert list(tmp_path.iterdir()) == []


def test_agrees_with_torch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tensor = torch.randn(300, 400).to(torch.bfloat16)
    source = RawArray(tensor.view(torch.int16).numpy().view(np.uint16), "bfloat16")
    export(source, tmp_path / "values.npy")
    assert_same_bits(np.load(tmp_path / "values.npy"), tensor.float().numpy())


def test_the_plan_says_what_happens() -> None:
    source = RawArray(np.zeros((4, 5), np.uint16), "bfloat16")
    said = plan_export(format_named("npy"), [whole_part("w", source)])
    assert [(item.shape, item.dtype) for item in said.items] == [((4, 5), "float32")]
    assert said.least == said.most == 128 + 80
    assert said.notes == ("bfloat16 widened to float32, exact",)
    plain = InMemoryArray(np.zeros(3, np.float32))
    assert plan_export(format_named("npy"), [whole_part("w", plain)]).notes == (
        "the values as they are",
    )


def test_progress_goes_up_to_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "BLOCK", 400)
    heard: list[float] = []
    export(InMemoryArray(np.zeros((10, 100), np.float32)), tmp_path / "x", progress=heard.append)
    assert heard == sorted(heard)
    assert heard[0] == 0.1
    assert heard[-1] == 1.0
    assert len(heard) >= 10


@pytest.mark.parametrize("calls", [0, 1, 5, 10])
def test_cancelled_half_way(
    calls: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also after the last block: until the file is complete, nobody has asked for it."""
    monkeypatch.setattr(parts, "BLOCK", 400)
    target = tmp_path / "out.npy"
    target.write_bytes(b"before")
    source = InMemoryArray(np.zeros((10, 100), np.float32))
    with pytest.raises(Cancelled):
        export(source, target, check=CancelAfter(calls))
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_bytes() == b"before"


def test_values_that_cannot_be_read_leave_the_target(tmp_path: Path) -> None:
    class Broken(InMemoryArray):
        def read(self, region: Region) -> Array:
            raise ExportError("torn")

    target = tmp_path / "out.npy"
    with pytest.raises(ExportError, match="torn"):
        export(Broken(np.zeros(3)), target)
    assert list(tmp_path.iterdir()) == []


def test_protected_files_are_not_overwritten(tmp_path: Path) -> None:
    model = tmp_path / "model.pt"
    model.write_bytes(b"weights")
    (tmp_path / "link").symlink_to(model)
    (tmp_path / "hard").hardlink_to(model)
    (tmp_path / "sub").mkdir()
    source = InMemoryArray(np.zeros(3))
    for name in ("model.pt", "link", "hard", "sub/../model.pt"):
        with pytest.raises(ExportError, match="not overwritten"):
            export(source, tmp_path / name, protected=[tmp_path / "other", model])
    # A protected file that was deleted meanwhile is still not written.
    with pytest.raises(ExportError, match="not overwritten"):
        export(source, tmp_path / "sub" / ".." / "gone", protected=[tmp_path / "gone"])
    assert model.read_bytes() == b"weights"
    export(source, tmp_path / "fine.npy", protected=[model])


def test_what_cannot_fit_is_refused_before_writing(tmp_path: Path) -> None:
    source = InMemoryArray(np.broadcast_to(np.float64(1), (2**40, 2**18)))
    with pytest.raises(ExportError, match=r"it needs .* bytes") as caught:
        export(source, tmp_path / "out.npy")
    assert "part of the tensor" in caught.value.advice
    assert list(tmp_path.iterdir()) == []
