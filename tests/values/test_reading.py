"""Regions of tensors in real files, compared with torch's own loading and slicing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_entries import Bytes

from inspector.checkpoints import open_checkpoint
from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.model import Storage, TensorEntry
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region, parse_region


def entry_of(array: np.ndarray, source: Bytes, name: str, **facts: Any) -> TensorEntry:
    """The entry of a view of an array whose memory is the source's."""
    base = array
    while base.base is not None:
        base = base.base
    offset = (array.ctypes.data - base.ctypes.data) // array.itemsize
    return TensorEntry(
        name="t",
        path=("t",),
        dtype=name,
        shape=array.shape,
        stride=tuple(step // array.itemsize for step in array.strides),
        storage=Storage(source, 0, source.size, "0", facts.pop("byteorder", "little")),
        storage_offset=offset,
        **facts,
    )


@st.composite
def views(draw: st.DrawFn) -> np.ndarray:
    """Views as torch can have them: offsets, strides, transposed, broadcast, overlapping."""
    shape = draw(st.lists(st.integers(1, 7), min_size=1, max_size=4))
    view = np.arange(int(np.prod(shape)), dtype=np.int32)
    view = view.reshape(shape)
    view = view[
        tuple(slice(draw(st.integers(0, n - 1)), None, draw(st.integers(1, 3))) for n in shape)
    ]
    view = view.transpose(draw(st.permutations(range(view.ndim))))
    if draw(st.booleans()):
        view = np.broadcast_to(view, (draw(st.integers(1, 3)), *view.shape))
    return view


@st.composite
def views_and_regions(draw: st.DrawFn) -> tuple[np.ndarray, Region]:
    view = draw(views())
    axes: list[range | int] = []
    for size in view.shape:
        if draw(st.booleans()):
            axes.append(draw(st.integers(0, size - 1)))
        else:
            start, stop = draw(st.integers(0, size)), draw(st.integers(0, size))
            step = draw(st.sampled_from([1, 2, 3, -1, -2]))
            axes.append(range(size)[start:stop:step])
    return view, Region(tuple(axes))


@given(views_and_regions())
@settings(max_examples=400)
def test_any_region_of_any_view(case: tuple[np.ndarray, Region]) -> None:
    view, region = case
    base = view
    while base.base is not None:
        base = base.base
    source = Bytes(base.tobytes())
    stored = StoredTensor(entry_of(view, source, "int32"))
    expected = view
    for axis, item in reversed(list(enumerate(region.axes))):
        expected = expected.take(item if isinstance(item, int) else list(item), axis=axis)
    found = stored.read(region)
    assert found.shape == region.shape
    np.testing.assert_array_equal(found, expected)
    assert not found.flags.writeable


@pytest.mark.parametrize("name", ["bfloat16", "float8_e5m2", "complex32", "float32"])
def test_a_single_element_is_an_array(name: str) -> None:
    source = Bytes(bytes(range(32)))
    dtype = getattr(torch, name)
    entry = TensorEntry("t", ("t",), name, (2, 2), (2, 1), Storage(source, 0, 32, "0"))
    found = StoredTensor(entry).read(parse_region("[1, 1]", (2, 2)))
    assert isinstance(found, np.ndarray)
    assert found.shape == ()
    expected = torch.frombuffer(bytearray(source.data), dtype=dtype)[3]
    assert (
        found.item() == (expected.to(torch.complex64) if name == "complex32" else expected).item()
    )


def test_a_contiguous_region_is_one_read() -> None:
    array = np.arange(1000, dtype=np.int32).reshape(10, 100)
    source = Bytes(array.tobytes())
    StoredTensor(entry_of(array, source, "int32")).read(parse_region("[2:5]", array.shape))
    assert source.reads == [(800, 1200)]


def test_a_column_of_a_wide_matrix_reads_little() -> None:
    array = np.zeros((8, 2**16), np.float64)
    source = Bytes(array.tobytes())
    StoredTensor(entry_of(array, source, "float64")).read(parse_region("[:, 7]", array.shape))
    assert sum(length for _, length in source.reads) == 8 * 8


def test_places_that_are_near_are_read_together() -> None:
    # A read that is longer by some kilobytes costs less than one for each place.
    array = np.arange(2 * 2**18, dtype=np.float32).reshape(2, 2**18)
    source = Bytes(array.tobytes())
    region = parse_region("[:, 5:60000:1000]", array.shape)
    found = StoredTensor(entry_of(array, source, "float32")).read(region)
    np.testing.assert_array_equal(found, array[:, 5:60000:1000])
    assert source.reads == [(20, 236_004), (2**20 + 20, 236_004)]


class Huge(Bytes):
    """More bytes than there is memory, all alike."""

    @property
    def size(self) -> int:
        return 2**40

    def read_into(self, offset: int, buffer: memoryview) -> None:
        self.reads.append((offset, len(buffer)))


@pytest.mark.parametrize("step", [2**power for power in range(1, 22)])
def test_what_is_read_besides_takes_little_memory(step: int) -> None:
    source = Huge(b"")
    entry = TensorEntry("t", ("t",), "float32", (2**38,), (1,), Storage(source, 0, 2**40, "0"))
    StoredTensor(entry).read(Region((range(0, 2**14 * step, step),)))
    assert max(length for _, length in source.reads) <= 2**23


def test_a_broadcast_axis_takes_no_memory() -> None:
    source = Bytes(np.float32(1.5).tobytes())
    entry = TensorEntry("t", ("t",), "float32", (2**30, 2**30), (0, 0), Storage(source, 0, 4, "0"))
    found = StoredTensor(entry).read(Region.whole(entry.shape))
    assert found.shape == (2**30, 2**30)
    assert found[2**29, 2**29] == 1.5
    assert source.reads == [(0, 4)]


def test_big_endian_bytes_are_swapped() -> None:
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    source = Bytes(array.astype(">i4").tobytes())
    stored = StoredTensor(entry_of(array, source, "int32", byteorder="big"))
    np.testing.assert_array_equal(stored.read(Region.whole((2, 3))), array)
    assert "big-endian" in stored.summary


def test_a_boolean_byte_counts_once_whatever_it_is() -> None:
    source = Bytes(bytes([0, 1, 2, 255]))
    entry = TensorEntry("t", ("t",), "bool", (4,), (1,), Storage(source, 0, 4, "0"))
    found = StoredTensor(entry).read(Region.whole((4,)))
    assert found.tolist() == [False, True, True, True]
    assert found.sum() == 3


def test_more_than_memory_is_refused_in_words() -> None:
    source = Bytes(b"\0" * 8)
    entry = TensorEntry("t", ("t",), "float64", (2**50, 2**10), (1, 1), Storage(source, 0, 8, "0"))
    with pytest.raises(TensorError, match="more than memory can hold"):
        StoredTensor(entry).read(Region.whole(entry.shape))


torch.manual_seed(0)
CASES = {
    "float32": torch.randn(5, 7),
    "float64 transposed": torch.randn(5, 7, dtype=torch.float64).t(),
    "bfloat16": torch.randn(4, 3, 2).to(torch.bfloat16),
    "float16 strided": torch.randn(9, 8).half()[1::2, ::3],
    "float8_e4m3fn": torch.randn(6, 6).to(torch.float8_e4m3fn),
    "float8_e5m2": torch.randn(6, 6).to(torch.float8_e5m2),
    "int64": torch.tensor([2**63 - 1, -(2**63), 2**53 + 1]),
    "uint16": torch.arange(12, dtype=torch.int32).to(torch.uint16).reshape(3, 4),
    "bool": torch.tensor([[True, False], [False, True]]),
    "complex64 conjugate": torch.randn(3, 3, dtype=torch.complex64).conj(),
    "complex32": torch.view_as_complex(torch.randn(3, 2).half()),
    "negative": torch.randn(3, dtype=torch.complex64).conj().imag,
    "expanded": torch.randn(3, 1).expand(3, 5),
    "0-d": torch.tensor(3.25),
    "empty": torch.empty(0, 4),
    "channels last": torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
    "parameter": torch.nn.Parameter(torch.randn(3)),
}


def torch_answer(tensor: torch.Tensor) -> np.ndarray:
    """What torch itself makes of a tensor; only the widening is asked for."""
    tensor = tensor.detach().resolve_conj().resolve_neg()
    if tensor.dtype == torch.complex32:
        tensor = tensor.to(torch.complex64)
    elif tensor.dtype == torch.bfloat16 or "float8" in str(tensor.dtype):
        tensor = tensor.to(torch.float32)
    return tensor.numpy()


@pytest.mark.filterwarnings("ignore:ComplexHalf:UserWarning")
def test_values_from_a_torch_file_equal_torchs(tmp_path: Path) -> None:
    path = tmp_path / "all.pt"
    torch.save(dict(CASES), path)
    loaded = torch.load(path, weights_only=False)
    checkpoint = open_checkpoint(path)
    assert [entry.name for entry in checkpoint.entries] == list(CASES)
    for entry in checkpoint.entries:
        expected = torch_answer(loaded[entry.name])
        found = StoredTensor(entry).read(Region.whole(entry.shape))
        assert found.dtype == expected.dtype, entry.name
        assert found.tobytes() == expected.tobytes(), entry.name


@pytest.mark.filterwarnings("ignore:ComplexHalf:UserWarning")
def test_values_from_a_safetensors_file_equal_its_own(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = tmp_path / "all.safetensors"
    tensors = {
        name: tensor.detach().resolve_conj().resolve_neg().contiguous().clone()
        for name, tensor in CASES.items()
        if tensor.dtype != torch.complex32
    }
    save_file(tensors, path)
    loaded = load_file(path)
    checkpoint = open_checkpoint(path)
    assert {entry.name for entry in checkpoint.entries} == set(tensors)
    for entry in checkpoint.entries:
        expected = torch_answer(loaded[entry.name])
        assert StoredTensor(entry).read(Region.whole(entry.shape)).tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", ["bfloat16", "float16", "complex64", "complex32"])
def test_raw_elements_of_a_lazy_tensor_widen_to_its_values(name: str) -> None:
    source = Bytes(np.arange(1, 9, dtype=np.float16).tobytes())
    entry = TensorEntry(
        "t", ("t",), name, (2,), (1,), Storage(source, 0, 16, "0"), is_neg=True, is_conj=True
    )
    stored = StoredTensor(entry)
    region = Region.whole((2,))
    values = stored.read(region)
    np.testing.assert_array_equal(stored.dtype.widen(stored.read_raw(region)), values)
    plain = StoredTensor(replace(entry, is_neg=False, is_conj=False)).read(region)
    np.testing.assert_array_equal(values, -np.conj(plain))


def test_a_tensor_saved_from_a_gpu_says_so() -> None:
    source = Bytes(np.zeros(4, np.float32).tobytes())
    entry = TensorEntry(
        "t", ("t",), "float32", (4,), (1,), Storage(source, 0, 16, "0"), device="cuda:1"
    )
    assert "saved from cuda:1" in StoredTensor(entry).summary


def test_a_meta_tensor_says_that_it_has_no_values() -> None:
    entry = TensorEntry("t", ("t",), "float32", (4,), (1,), None, kind="meta")
    with pytest.raises(TensorError, match="no values"):
        StoredTensor(entry)
