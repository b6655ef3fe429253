"""The forms of a tensor in a file, compared with torch's own answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from inspector.checkpoints import open_checkpoint
from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.model import TensorEntry
from inspector.values.forms import Form, forms_of
from inspector.values.regions import Region, parse_region
from inspector.values.tensors import tensor_source


def one(tmp_path: Path, tensor: torch.Tensor) -> TensorEntry:
    path = tmp_path / "saved.pt"
    torch.save({"t": tensor}, path)
    (entry,) = open_checkpoint(path).entries
    return entry


def whole(entry: TensorEntry, form: Form) -> np.ndarray:
    source = tensor_source(entry, form)
    array = source.read(Region.whole(source.shape))
    assert array.dtype == source.dtype.values
    assert not array.flags.writeable
    return array


_NAMES = [
    "bool",
    *("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex32", "complex64", "complex128"),
    *("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
]


@pytest.mark.parametrize("name", _NAMES)
def test_bits_are_those_in_torch_s_memory(tmp_path: Path, name: str) -> None:
    dtype = getattr(torch, name)
    bits = torch.arange(256 * 16, dtype=torch.int64).mul(2654435761).to(torch.uint8)
    if dtype == torch.bool:
        bits = bits % 2
    tensor = bits.view(dtype).reshape(4, -1)
    found = whole(one(tmp_path, tensor), "raw")
    assert found.dtype.kind == "u"
    assert found.tobytes() == bits.numpy().tobytes()
    assert found.shape == (*tensor.shape, 2) if dtype.is_complex else tensor.shape


def test_bits_of_a_part_of_complex_numbers(tmp_path: Path) -> None:
    tensor = torch.randn(5, 6, dtype=torch.complex64)
    source = tensor_source(one(tmp_path, tensor), "raw")
    expected = torch.view_as_real(tensor).numpy().view(np.uint32)
    for index, picked in (
        ("[1:4, ::-2, :]", np.s_[1:4, ::-2, :]),
        ("[2, :, 1]", np.s_[2, :, 1]),
        ("[:, 3, ::-1]", np.s_[:, 3, ::-1]),
        ("[2, 3, :]", np.s_[2, 3, :]),
        ("[2, 3, 1]", np.s_[2, 3, 1]),
    ):
        found = source.read(parse_region(index, source.shape))
        assert found.shape == expected[picked].shape
        assert np.array_equal(found, expected[picked]), index


def test_bits_are_what_is_stored_not_its_conjugate(tmp_path: Path) -> None:
    tensor = torch.randn(3, dtype=torch.complex64)
    entry = one(tmp_path, tensor.conj())
    assert whole(entry, "raw").tobytes() == tensor.numpy().tobytes()
    assert "conjugate not resolved" in tensor_source(entry, "raw").summary
    assert np.array_equal(whole(entry, "imaginary"), -tensor.imag.numpy())


@pytest.mark.parametrize("name", ["complex32", "complex64", "complex128"])
@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental:UserWarning")
def test_parts_of_complex_numbers(tmp_path: Path, name: str) -> None:
    wide = torch.complex128 if name == "complex128" else torch.complex64
    tensor = torch.randn(50, dtype=wide)
    tensor[:4] = torch.tensor([complex("inf"), complex("nan"), -0.0, 3 - 4j], dtype=wide)
    tensor = tensor.to(getattr(torch, name))
    entry = one(tmp_path, tensor)
    assert forms_of(entry) == ("values", "real", "imaginary", "magnitude", "phase", "raw")
    widened = tensor.to(wide)
    assert np.array_equal(whole(entry, "real"), widened.real, equal_nan=True)
    assert np.array_equal(whole(entry, "imaginary"), widened.imag, equal_nan=True)
    for form, expected in (("magnitude", widened.abs()), ("phase", widened.angle())):
        found = whole(entry, form)
        assert found.dtype == expected.numpy().dtype
        np.testing.assert_array_max_ulp(found, expected.numpy(), 2)


def test_a_form_that_a_tensor_lacks(tmp_path: Path) -> None:
    with pytest.raises(TensorError, match=r"t \(float32\) has no phase form"):
        tensor_source(one(tmp_path, torch.ones(2)), "phase")
    empty = one(tmp_path, torch.ones(2, device="meta"))
    assert forms_of(empty) == ()
    with pytest.raises(TensorError, match="meta"):
        tensor_source(empty, "raw")
