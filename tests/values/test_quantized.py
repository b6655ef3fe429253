"""torch's quantized tensors, in every form, beside ``dequantize`` and ``int_repr``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import made_entries
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_entries import dense, same, source_of, whole

from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.geometry import contiguous
from inspector.checkpoints.model import Quantizer, TensorEntry
from inspector.values.forms import forms_of
from inspector.values.regions import Region
from inspector.values.tensors import tensor_source

pytestmark = pytest.mark.filterwarnings("ignore:.*quantize.*:UserWarning")

STORED = {"qint8": torch.int8, "quint8": torch.uint8, "qint32": torch.int32}
PACKED = {"quint4x2": 2, "quint2x4": 4}


def saved(tmp_path: Path, tensor: torch.Tensor) -> TensorEntry:
    entry = made_entries.saved(tmp_path, tensor)
    assert forms_of(entry) == ("values", "integers", "raw")
    return entry


def every(dtype: torch.dtype) -> torch.Tensor:
    """All integers of a narrow dtype; of a wide one the ends, and some."""
    limits = torch.iinfo(dtype)
    if limits.bits == 8:
        return torch.arange(limits.min, limits.max + 1).to(dtype)
    some = torch.randint(limits.min, limits.max, (1001,))
    return torch.cat([torch.tensor([limits.min, limits.max, 0, -1, 1]), some]).to(dtype)


@pytest.mark.parametrize("scale", [0.1, 1 / 3, 1e-30, 3e38, 1e-50, 1e60, -2.0, float("nan"), 0.0])
@pytest.mark.parametrize("name", STORED)
def test_one_scale_for_all(tmp_path: Path, name: str, scale: float) -> None:
    integers = every(STORED[name])
    limits = torch.iinfo(integers.dtype)
    for zero_point in (limits.min, limits.max, 7):
        tensor = torch._make_per_tensor_quantized_tensor(integers, scale, zero_point)
        entry = saved(tmp_path, tensor)
        same(whole(entry), tensor.dequantize().numpy())
        same(whole(entry, "integers"), integers.numpy())
        raw = whole(entry, "raw")
        assert raw.dtype.kind == "u"
        assert raw.tobytes() == integers.numpy().tobytes()


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("name", STORED)
def test_a_scale_for_each_channel(tmp_path: Path, name: str, axis: int) -> None:
    dtype = STORED[name]
    limits = torch.iinfo(dtype)
    shape = (5, 6, 7)
    integers = torch.randint(limits.min, limits.max, shape).to(dtype)
    scales = torch.rand(shape[axis], dtype=torch.float64)
    zero_points = torch.randint(limits.min, limits.max, (shape[axis],))
    zero_points[:2] = torch.tensor([limits.min, limits.max])
    tensor = torch._make_per_channel_quantized_tensor(integers, scales, zero_points, axis)
    entry = saved(tmp_path, tensor)
    same(whole(entry), tensor.dequantize().numpy())
    same(whole(entry, "integers"), integers.numpy())
    assert f"each index of axis {axis}" in tensor_source(entry).summary


@pytest.mark.parametrize("axis", range(2))
@pytest.mark.parametrize("name", ["qint8", "quint8", *PACKED])
def test_zero_points_that_are_not_whole(tmp_path: Path, name: str, axis: int) -> None:
    numbers = torch.randn(5, 7)
    scales, zero_points = torch.rand(numbers.shape[axis]), torch.randn(numbers.shape[axis]) * 3
    tensor = torch.quantize_per_channel(numbers, scales, zero_points, axis, getattr(torch, name))
    assert tensor.qscheme() == torch.per_channel_affine_float_qparams
    same(whole(saved(tmp_path, tensor)), tensor.dequantize().numpy())


@pytest.mark.parametrize("shape", [(), (1,), (3,), (8,), (3, 5), (2, 3, 4), (0, 3)])
@pytest.mark.parametrize("name", PACKED)
def test_several_integers_in_a_byte(tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    top = (1 << 8 // PACKED[name]) - 1
    integers = torch.randint(0, top + 1, shape)
    tensor = torch.quantize_per_tensor(integers.float(), 1.0, 0, getattr(torch, name))
    entry = saved(tmp_path, tensor)
    assert np.array_equal(whole(entry, "integers"), integers.numpy())
    same(whole(entry), tensor.dequantize().numpy())
    assert whole(entry, "raw").tobytes() == tensor.int_repr().numpy().tobytes()
    assert entry.nbytes == tensor.int_repr().numel()


@pytest.mark.parametrize("name", PACKED)
def test_several_integers_in_a_byte_with_a_scale_for_each_channel(
    tmp_path: Path, name: str
) -> None:
    numbers = torch.arange(40.0).reshape(5, 8) % 3
    scales, zeros = torch.linspace(0.5, 2, 5), torch.zeros(5)
    tensor = torch.quantize_per_channel(numbers, scales, zeros, 0, getattr(torch, name))
    entry = saved(tmp_path, tensor)
    same(whole(entry), tensor.dequantize().numpy())
    # The scales are beside these bytes, and none of them.
    assert whole(entry, "raw").tobytes() == bytes(tensor.untyped_storage().tolist())


@pytest.mark.parametrize("name", PACKED)
def test_every_byte_of_packed_integers(tmp_path: Path, name: str) -> None:
    per_byte = PACKED[name]
    count = 256 * per_byte
    tensor = torch.quantize_per_tensor(torch.zeros(count), 0.25, 1, getattr(torch, name))
    for number in range(256):
        tensor.untyped_storage()[number] = number
    assert tensor.int_repr().tolist() == list(range(256))
    same(whole(saved(tmp_path, tensor)), tensor.dequantize().numpy())


def test_other_strides_and_offsets(tmp_path: Path) -> None:
    tensor = torch.quantize_per_tensor(torch.randn(6, 7), 0.1, 3, torch.qint8)
    for seen in (tensor.t(), tensor[1:4, ::2], tensor[2, 3], tensor[:0]):
        same(whole(saved(tmp_path, seen)), seen.dequantize().numpy())
    images = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    scales, zero_points = torch.rand(3).double(), torch.tensor([1, 2, 3])
    tensor = torch.quantize_per_channel(images, scales, zero_points, 1, torch.qint8)
    same(whole(saved(tmp_path, tensor)), tensor.dequantize().numpy())
    # torch counts the offset of packed integers in bytes.
    packed = torch.quantize_per_tensor(torch.arange(15.0), 1.0, 0, torch.quint4x2)[2:8]
    same(whole(saved(tmp_path, packed)), packed.dequantize().numpy())


def packed_entry(name: str, shape: tuple[int, ...], data: bytes) -> TensorEntry:
    entry = dense("t", np.frombuffer(data, np.uint8), name)
    return replace(
        entry, shape=shape, stride=contiguous(shape), kind="quantized", quantizer=Quantizer(0.5, 1)
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, tuple[int, ...], Region]:
    name = draw(st.sampled_from([*PACKED, "float4"]))
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)))
    axes: list[range | int] = []
    for size in shape:
        if draw(st.booleans()):
            axes.append(draw(st.integers(0, size - 1)))
        else:
            start, stop = draw(st.integers(0, size)), draw(st.integers(0, size))
            axes.append(range(size)[start : stop : draw(st.sampled_from([1, 2, 3, 5, -1, -3]))])
    return name, shape, Region(tuple(axes))


@given(cases(), st.integers(0, 3))
@settings(max_examples=300)
def test_any_region_of_what_is_packed(case: tuple[str, tuple[int, ...], Region], gap: int) -> None:
    name, shape, region = case
    count = int(np.prod(shape))
    data = np.random.default_rng(count).integers(0, 256, count, np.uint8)
    if name == "float4":
        entry = dense(
            "t",
            data[: count // shape[-1] * -(-shape[-1] // 2)].reshape(*shape[:-1], -1),
            "float4_e2m1fn_x2",
        )
        low, high = FLOAT4[data & 15], FLOAT4[data >> 4]
        pairs = np.stack([low, high], axis=1)[: entry.numel]
        expected = pairs.reshape(*entry.shape[:-1], -1)
        source = tensor_source(entry)
        assert source.shape == expected.shape
    else:
        entry = packed_entry(name, shape, data.tobytes())
        bits = 8 // PACKED[name]
        # The definition, one bit after the other: the first number is in the lowest ones.
        stream = np.unpackbits(data, bitorder="little").reshape(-1, bits)
        numbers = stream @ (1 << np.arange(bits))
        expected = numbers[:count].reshape(shape)
        source = tensor_source(entry, "integers")
    for axis, item in reversed(list(enumerate(region.axes))):
        expected = expected.take(item if isinstance(item, int) else list(item), axis=axis)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inspector.values.quantized._GAP", gap)
        patch.setattr("inspector.values.computed.MOST", 7)
        np.testing.assert_array_equal(source.read(region), expected)


FLOAT4 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6], np.float32)


def test_channels_of_a_region_are_read_alone(tmp_path: Path) -> None:
    tensor = torch.quantize_per_channel(
        torch.randn(500, 8), torch.rand(500).double(), torch.zeros(500), 0, torch.qint8
    )
    entry = saved(tmp_path, tensor)
    expected = tensor.dequantize().numpy()
    source = tensor_source(entry)
    assert np.array_equal(source.read(Region((range(400, 100, -7), 3))), expected[400:100:-7, 3])
    assert np.array_equal(source.read(Region((7, range(8)))), expected[7])


def test_steps_say_what_was_done_and_that_it_rounds(tmp_path: Path) -> None:
    tensor = torch.quantize_per_tensor(torch.randn(5), 0.1, 3, torch.quint8)
    entry = saved(tmp_path, tensor)
    source = tensor_source(entry)
    assert source.summary == (
        "read from the file · quint8 dequantized to float32 as torch does: scale 0.1, zero point 3"
    )
    assert [step.exact for step in source.steps] == [True, False]
    integers = tensor_source(entry, "integers")
    assert integers.summary == (
        "read from the file · the integers as stored, without scale 0.1, zero point 3"
    )
    assert all(step.exact for step in integers.steps)


def quantized(quantizer: Quantizer | None, **parts: np.ndarray) -> TensorEntry:
    components = tuple(dense(f"t.{name}", array) for name, array in parts.items())
    entry = dense("t", np.arange(6, dtype=np.uint8).reshape(2, 3), "quint8")
    return replace(entry, kind="quantized", quantizer=quantizer, components=components)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (quantized(None), "no scale and zero point for t"),
        (quantized(Quantizer(0.5, 256)), "zero point 256 is no uint8"),
        (quantized(Quantizer(0.5, -1)), "zero point -1"),
        (quantized(Quantizer(axis=0)), "no scales for t"),
        (quantized(Quantizer(axis=2)), "axis 2"),
        (
            quantized(Quantizer(axis=0), scales=np.ones(3), zero_points=np.zeros(2, int)),
            r"scales \(float64, shape \[3\]\) are not one number for each of 2 channels",
        ),
        (
            quantized(Quantizer(axis=0), scales=np.ones(2, int), zero_points=np.zeros(2, int)),
            "scales",
        ),
        (
            quantized(Quantizer(axis=0), scales=np.ones(2), zero_points=np.zeros((2, 1), int)),
            "zero_points",
        ),
        (
            quantized(Quantizer(axis=0), scales=np.ones(2), zero_points=np.array([0, 300])),
            "zero point 300",
        ),
    ],
)
def test_damaged_parameters_are_refused_in_words(entry: TensorEntry, words: str) -> None:
    with pytest.raises(TensorError, match=words):
        tensor_source(entry).read(Region.whole((2, 3)))
    assert whole(entry, "integers").tolist() == [[0, 1, 2], [3, 4, 5]]


def test_integers_without_a_quantizer_are_shown_as_they_are() -> None:
    entry = dense("t", np.arange(4, dtype=np.uint8), "quint8")
    assert forms_of(entry) == ("values", "raw")
    assert "without scale and zero point" in tensor_source(entry).summary
    assert whole(entry).tolist() == [0, 1, 2, 3]
    packed = replace(packed_entry("quint4x2", (4,), b"\x21\x43"), kind="dense", quantizer=None)
    assert whole(packed).tolist() == [1, 2, 3, 4]


def test_the_scales_are_read_for_the_region_only() -> None:
    entry = quantized(Quantizer(axis=1), scales=np.ones(3), zero_points=np.zeros(3, np.int64))
    tensor_source(entry).read(Region((range(2), 1)))
    assert source_of(entry, "scales").taken == 8
