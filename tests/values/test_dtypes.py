"""Every dtype of torch, every pattern of the narrow ones, beside torch's and ml_dtypes' answers."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
import torch
from made_entries import same

from inspector.checkpoints.errors import TensorError
from inspector.values.dtypes import DTYPES, dtype_of, native, widen_bfloat16
from inspector.values.from_python import to_numpy

FLOAT8 = ["float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"]

#: Only made by quantizing, which test_conversion does.
QUANTIZED = {"qint8", "quint8", "qint32", "quint4x2", "quint2x4"}


def test_the_table_holds_every_dtype_of_torch() -> None:
    names = {
        str(value).removeprefix("torch.")
        for value in vars(torch).values()
        if isinstance(value, torch.dtype)
    }
    assert set(DTYPES) == names
    for name, dtype in DTYPES.items():
        assert dtype.raw.itemsize == getattr(torch, name).itemsize


@pytest.mark.parametrize("name", FLOAT8)
def test_every_float8_code(name: str) -> None:
    codes = torch.arange(256, dtype=torch.uint8)
    ours = to_numpy(codes.view(getattr(torch, name)))
    theirs = codes.view(getattr(torch, name)).to(torch.float32).numpy()
    same(ours.array, theirs)
    same(ours.array, codes.numpy().view(getattr(ml_dtypes, name)).astype(np.float32))
    assert not ours.shares_memory
    assert "exact" in ours.summary


def test_every_bfloat16_pattern() -> None:
    patterns = torch.arange(65536, dtype=torch.int32).to(torch.uint16)
    ours = to_numpy(patterns.view(torch.bfloat16)).array
    theirs = patterns.view(torch.bfloat16).to(torch.float32).numpy()
    # The bits themselves: NaN payloads too.
    np.testing.assert_array_equal(ours.view(np.uint32), theirs.view(np.uint32))


@pytest.mark.parametrize("shape", [(5_000_001,), (1, 5_000_000), (3, 2_000_000), (2_500_000, 2)])
def test_large_bfloat16_tensors_are_widened_by_two_threads(shape: tuple[int, ...]) -> None:
    patterns = np.arange(np.prod(shape), dtype=np.uint32).astype(np.uint16).reshape(shape)
    expected = patterns.astype(np.uint32) << 16
    found = widen_bfloat16(patterns)
    np.testing.assert_array_equal(found.view(np.uint32), expected)
    np.testing.assert_array_equal(widen_bfloat16(patterns.T).view(np.uint32), expected.T)


def test_every_float16_pattern_in_complex32() -> None:
    halves = torch.arange(65536, dtype=torch.int32).to(torch.uint16).view(torch.float16)
    pairs = torch.stack([halves, halves.flip(0)], dim=1).contiguous()
    half_complex = pairs.view(torch.complex32).reshape(256, 256)
    ours = to_numpy(half_complex).array
    assert ours.shape == (256, 256)
    same(ours.real.reshape(-1), pairs[:, 0].float().numpy())
    same(ours.imag.reshape(-1), pairs[:, 1].float().numpy())
    same(to_numpy(half_complex[3, 5]).array.real, pairs[3 * 256 + 5, 0].float().numpy())


@pytest.mark.parametrize("name", sorted(set(DTYPES) - QUANTIZED))
def test_every_dtype_gives_its_stored_bits_or_values(name: str) -> None:
    raw = torch.arange(1, 65, dtype=torch.uint8)
    dtype = getattr(torch, name)
    tensor = raw.view(torch.bool if name == "bool" else dtype)
    # Two float4 numbers are in each byte: the values are more than the elements.
    array = to_numpy(tensor, form="raw" if "float4" in name else "values").array
    described = DTYPES[name]
    assert array.dtype == described.values
    assert array.shape == tensor.shape
    bits = raw.numpy().view(described.raw)
    same(array, described.widen(bits))


def test_a_foreign_dtype_is_refused_in_words() -> None:
    with pytest.raises(TensorError, match="F6"):
        dtype_of("F6")
    with pytest.raises(TensorError, match="counterpart"):
        native(np.dtype("U3"))
    with pytest.raises(TensorError, match="counterpart"):
        native(np.dtype(">f4"))
