"""Block-quantized tensors, compared with gguf.dequantize bit for bit."""

from __future__ import annotations

import re
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType, quants
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.analysis.histogram import analyse
from inspector.analysis.tiles import plan_tile, preview_tile, render_tile
from inspector.checkpoints import open_checkpoint
from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.ggml import BLOCK_SIZES
from inspector.checkpoints.model import Storage, TensorEntry
from inspector.checkpoints.sources import MemoryBytes
from inspector.cli import main
from inspector.values import ggml_codebooks
from inspector.values.ggml import BLOCKS, WITHOUT_REFERENCE
from inspector.values.regions import Plane, Region
from inspector.values.tensors import tensor_source

COMPARED = sorted(set(BLOCKS) - WITHOUT_REFERENCE)


class Counting(MemoryBytes):
    """Bytes in memory that count how many of them are read."""

    taken = 0

    def read_into(self, offset: int, buffer: memoryview) -> None:
        self.taken += len(buffer)
        super().read_into(offset, buffer)


def entry_of(name: str, raw: np.ndarray, source: MemoryBytes | None = None) -> TensorEntry:
    """A tensor of blocks, from their bytes: shape (..., bytes of a row)."""
    count, size = BLOCK_SIZES[name]
    shape = (*raw.shape[:-1], raw.shape[-1] // size * count)
    data = raw.tobytes()
    storage = Storage(source or MemoryBytes(data), 0, len(data), "0")
    return TensorEntry("w", ("w",), name, shape, (1,) * len(shape), storage, kind="quantized")


def random_blocks(name: str, *shape: int) -> np.ndarray:
    """Any bytes: scales of every size, infinite and NaN ones too."""
    rng = np.random.default_rng(5)
    *rows, blocks = shape
    return rng.integers(0, 256, (*rows, blocks * BLOCK_SIZES[name][1]), dtype=np.uint8)


def reference(name: str, raw: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return gguf.dequantize(raw, GGMLQuantizationType[name])


def whole(entry: TensorEntry) -> np.ndarray:
    return tensor_source(entry).read(Region.whole(entry.shape))


def never() -> None:
    pass


def ignore(_: object) -> None:
    pass


def test_every_type_that_the_reference_dequantizes_is_compared() -> None:
    theirs = {kind.name for kind in quants._type_traits}
    assert set(COMPARED) == theirs - {"BF16"}


@pytest.mark.parametrize("name", COMPARED)
def test_any_bytes_give_the_reference_s_bits(name: str) -> None:
    raw = random_blocks(name, 3, 50)
    found = whole(entry_of(name, raw))
    assert found.dtype == np.float32
    assert not found.flags.writeable
    assert found.tobytes() == reference(name, raw).tobytes()


@pytest.mark.parametrize("name", sorted(ggml_codebooks._CODEBOOKS))
def test_codebooks_are_the_reference_s(name: str) -> None:
    theirs = getattr(quants, name)
    theirs.init_grid()
    assert np.array_equal(ggml_codebooks.codebook(name), theirs.grid.reshape(theirs.grid_shape))


def test_types_without_a_reference_follow_ggml_s_formula() -> None:
    raw = np.frombuffer(np.float16(1.5).tobytes() + bytes([0b101, *[0] * 15]), np.uint8)
    one = whole(entry_of("Q1_0", raw))
    assert one[:4].tolist() == [1.5, -1.5, 1.5, -1.5]
    assert set(one[4:].tolist()) == {-1.5}
    numbers = np.arange(-128, 128, dtype=np.int8)
    raw = np.frombuffer(np.float32(0.5).tobytes() + numbers.tobytes() + bytes(32), np.uint8)
    assert whole(entry_of("Q8_K", raw)).tolist() == (numbers / 2).tolist()
    assert "ggml's formula" in tensor_source(entry_of("Q8_K", raw)).summary


@st.composite
def regions(draw: st.DrawFn, shape: tuple[int, ...]) -> Region:
    axes: list[range | int] = []
    for size in shape:
        if draw(st.booleans()):
            axes.append(draw(st.integers(0, size - 1)))
        else:
            start, stop = draw(st.integers(0, size)), draw(st.integers(0, size))
            step = draw(st.sampled_from([1, 2, 31, 32, 33, 100, -1, -3, -40]))
            axes.append(range(size)[start:stop:step])
    return Region(tuple(axes))


_RAW = random_blocks("Q5_0", 2, 3, 7)
_EXPECTED = reference("Q5_0", _RAW)


@given(regions((2, 3, 7 * 32)))
@settings(max_examples=300)
def test_any_region(region: Region) -> None:
    expected = _EXPECTED
    for number in reversed(range(3)):
        axis = region.axes[number]
        expected = np.take(
            expected, axis if isinstance(axis, int) else np.array(axis, int), axis=number
        )
    found = tensor_source(entry_of("Q5_0", _RAW)).read(region)
    assert found.shape == region.shape
    assert found.tobytes() == expected.tobytes()


def test_only_the_blocks_that_are_touched_are_read() -> None:
    raw = random_blocks("Q4_K", 64, 64)
    source = Counting(raw.tobytes())
    stored = tensor_source(entry_of("Q4_K", raw, source))
    found = stored.read(Region((range(5, 6), range(300, 310))))
    assert found.tobytes() == reference("Q4_K", raw)[5:6, 300:310].tobytes()
    assert source.taken == 144
    source.taken = 0
    stored.read(Region((3, range(10, 64 * 256, 5000))))
    assert source.taken == 4 * 144


def test_pieces_larger_than_what_is_dequantized_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = random_blocks("Q6_K", 9, 4)
    expected = reference("Q6_K", raw)
    monkeypatch.setattr("inspector.values.blocks.MOST", 600)
    stored = tensor_source(entry_of("Q6_K", raw))
    for region in (
        Region.whole(stored.shape),
        Region((range(9), 700)),
        Region((range(8, -1, -2), range(100, 1000, 7))),
        Region((range(9), range(3, 1024, 500))),
    ):
        index = tuple(axis if isinstance(axis, int) else np.array(axis) for axis in region.axes)
        if isinstance(index[0], np.ndarray) and isinstance(index[1], np.ndarray):
            index = np.ix_(*index)
        assert stored.read(region).tobytes() == expected[index].tobytes()


def test_raw_elements_widen_to_the_values() -> None:
    stored = tensor_source(entry_of("Q4_0", random_blocks("Q4_0", 2, 2)))
    region = Region.whole(stored.shape)
    raw = stored.read_raw(region)
    assert raw.dtype == stored.dtype.raw
    assert stored.dtype.widen(raw).tobytes() == stored.read(region).tobytes()


def test_what_can_not_be_read_says_why() -> None:
    with pytest.raises(TensorError, match="Q8_1 blocks can not be dequantized"):
        tensor_source(entry_of("Q8_1", np.zeros((1, 40), np.uint8)))
    entry = entry_of("IQ2_XS", random_blocks("IQ2_XS", 1, 1))
    assert entry.storage is not None
    big = Storage(entry.storage.source, 0, entry.storage.nbytes, "0", "big")
    swapped = TensorEntry("w", ("w",), "IQ2_XS", entry.shape, (256, 1), big, kind="quantized")
    with pytest.raises(TensorError, match="big-endian"):
        tensor_source(swapped)
    huge = tensor_source(TensorEntry("w", ("w",), "Q4_0", (1 << 50, 32), (32, 1), entry.storage))
    with pytest.raises(TensorError, match="more than memory can hold"):
        huge.read(Region.whole(huge.shape))


def quantized_file(path: Path) -> np.ndarray:
    """A file with one Q4_K tensor; its values as the reference has them."""
    raw = random_blocks("Q4_K", 40, 2)
    writer = gguf.GGUFWriter(path, "test")
    writer.add_tensor("blk.0.w", raw, raw_dtype=GGMLQuantizationType.Q4_K)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return reference("Q4_K", raw)


def test_statistics_picture_and_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, target = tmp_path / "q.gguf", tmp_path / "w.npy"
    expected = quantized_file(path)
    (entry,) = open_checkpoint(path).entries
    source, finite = tensor_source(entry), expected[np.isfinite(expected)]
    statistics, histogram = analyse(
        source, Region.whole(source.shape), check=never, progress=ignore, partial=ignore
    )
    assert statistics.nan == np.isnan(expected).sum() > 0
    assert (statistics.minimum, statistics.maximum) == (finite.min(), finite.max())
    assert histogram.counts.sum() == finite.size
    plan = plan_tile(40, 512, (0, 40), (0, 512), (64, 10))
    plane = Plane.first(source.shape)
    tile = render_tile(source, plane, plan, "largest magnitude", check=never, progress=ignore)
    assert np.nanmax(np.abs(tile.values)) == np.abs(finite).max()
    assert preview_tile(source, plane, plan, check=never).values.size
    assert main([str(path), "--export", "blk.0.w", "--output", str(target)]) == 0
    said = capsys.readouterr().out
    assert "Q4_K blocks dequantized to float32, bit for bit as gguf.dequantize does" in said
    assert np.load(target).tobytes() == expected.tobytes()
    assert main([str(path), "--list"]) == 0
    assert re.search(r"blk\.0\.w +40 × 512 +Q4_K +11\.2 KiB", capsys.readouterr().out)
