"""Tensors whose axes lie otherwise in memory than in their shape: every form is the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_entries import Bytes, dense

from inspector.checkpoints.dtypes import PACKED
from inspector.checkpoints.model import Quantizer, TensorEntry
from inspector.values.arrays import InMemoryArray, axes_by_stride
from inspector.values.dtypes import DTYPES
from inspector.values.forms import forms_of
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region
from inspector.values.tensors import tensor_source

NAMES = [name for name in DTYPES if name not in PACKED]


def entry_of(name: str, shape: tuple[int, ...], seed: int) -> TensorEntry:
    """Any patterns in C order; of quantized types with a scale, some with one for each channel."""
    raw = DTYPES[name].raw
    rng = np.random.default_rng(seed)
    array = rng.integers(0, 256, (*shape, raw.itemsize), np.uint8).view(raw).reshape(shape)
    if name not in ("qint8", "quint8", "qint32"):
        return dense("t", array, name)
    if not shape or seed % 2:
        return dense("t", array, name, kind="quantized", quantizer=Quantizer(0.25, 3))
    parts = (
        dense("t.scales", rng.random(shape[-1])),
        dense("t.zero_points", rng.integers(0, 9, shape[-1])),
    )
    by_channel = Quantizer(axis=len(shape) - 1)
    return dense("t", array, name, kind="quantized", quantizer=by_channel, components=parts)


def kept_in(entry: TensorEntry, order: tuple[int, ...]) -> TensorEntry:
    """The same tensor in a file that has its axes in this order, the outermost first."""
    storage = entry.storage
    assert storage is not None
    raw = DTYPES[entry.dtype].raw
    array = np.frombuffer(storage.source.read(0, storage.nbytes), raw).reshape(entry.shape)
    memory = array.transpose(order).copy(order="C")
    stride = [step // raw.itemsize for step in memory.strides]
    return replace(
        entry,
        stride=tuple(stride[order.index(axis)] for axis in range(len(order))),
        storage=replace(storage, source=Bytes(memory.tobytes())),
    )


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_every_form_of_every_dtype(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(NAMES))
    shape = tuple(data.draw(st.lists(st.integers(1, 6), max_size=4)))
    plain = entry_of(name, shape, data.draw(st.integers(0, 99)))
    order = tuple(data.draw(st.permutations(range(len(shape)))))
    turned = kept_in(plain, order)
    if DTYPES[name].category == "complex":
        conj, neg = data.draw(st.booleans()), data.draw(st.booleans())
        plain, turned = (replace(each, is_conj=conj, is_neg=neg) for each in (plain, turned))
    form = data.draw(st.sampled_from(forms_of(plain) or ("raw",)))
    one, other = tensor_source(plain, form), tensor_source(turned, form)
    axes: list[range | int] = []
    for size in one.shape:
        part = range(size)[data.draw(st.integers(0, size - 1)) :: data.draw(st.integers(1, 3))]
        axes.append(data.draw(st.sampled_from([part, part[::-1], part[0]])))
    region = Region(tuple(axes))
    assert sorted(other.axis_order) == list(range(len(other.shape)))
    for left, right in (
        (one.read(region), other.read(region)),
        (one.read_raw(region), other.read_raw(region)),
    ):
        assert left.shape == right.shape == region.shape
        assert left.dtype == right.dtype
        assert left.tobytes() == right.tobytes()
        assert not right.flags.writeable


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float8_e4m3fn", "complex64", "qint8"])
def test_every_form_says_how_its_numbers_lie(name: str) -> None:
    order = (2, 0, 1)
    entry = kept_in(entry_of(name, (30, 40, 50), 1), order)
    for form in forms_of(entry):
        source = tensor_source(entry, form)
        assert source.axis_order[:3] == order
        found = source.read(Region.whole(source.shape))
        if found.ndim == 3:
            # Nothing has to be turned by whoever goes over it in that order.
            assert found.transpose(order).flags.c_contiguous


def test_a_float4_tensor_is_kept_as_its_bytes_are() -> None:
    entry = kept_in(entry_of("float4_e2m1fn_x2", (8, 10), 1), (1, 0))
    source = tensor_source(entry)
    assert source.shape == (8, 20)
    assert source.axis_order == (1, 0)


@pytest.mark.parametrize(
    ("strides", "order"),
    [
        ((), ()),
        ((1,), (0,)),
        ((10, 1), (0, 1)),
        ((1, 10), (1, 0)),
        ((-1, 10), (1, 0)),
        ((1000, 1, 100, 10), (0, 2, 3, 1)),
        ((0, 1), (0, 1)),  # a row that is repeated: as good in C order
        ((10, 0, 1), (0, 1, 2)),
        ((1, 0, 10), (2, 0, 1)),
        ((0, 0), (0, 1)),
    ],
)
def test_the_order_of_strides(strides: tuple[int, ...], order: tuple[int, ...]) -> None:
    assert axes_by_stride(strides) == order


def test_what_is_stored_transposed_is_one_read_and_not_turned() -> None:
    entry = kept_in(entry_of("float32", (300, 400), 1), (1, 0))
    found = StoredTensor(entry).read(Region((range(300), range(100, 200))))
    assert entry.storage is not None
    source = entry.storage.source
    assert isinstance(source, Bytes)
    assert source.reads == [(300 * 100 * 4, 300 * 100 * 4)]
    assert found.T.flags.c_contiguous


def test_a_live_array_says_how_it_lies() -> None:
    assert InMemoryArray(np.zeros((3, 4)).T).axis_order == (1, 0)
