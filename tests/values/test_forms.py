"""The forms of a tensor in a file, compared with torch's own answer."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import get_args

import ml_dtypes
import numpy as np
import pytest
import torch
from made_entries import dense, same, whole
from made_entries import saved as one

from inspector.checkpoints import open_checkpoint
from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.model import Kind, Storage, TensorEntry
from inspector.values.forms import Form, forms_of
from inspector.values.regions import Region, parse_region
from inspector.values.tensors import tensor_source

#: Every dtype that the installed torch has, so that a new one fails here.
NAMES = sorted(
    {
        str(item).removeprefix("torch.")
        for item in vars(torch).values()
        if isinstance(item, torch.dtype)
    }
)

#: What no torch function saves: torch knows but their names.
UNSAVED = [f"{sign}int{bits}" for sign in ("", "u") for bits in range(1, 8)]


def patterns(name: str) -> np.ndarray:
    """Bytes: all patterns of types of 8 and 16 bits, of wider ones the special values and some."""
    itemsize = getattr(torch, name).itemsize
    if itemsize == 1:
        return np.arange(256, dtype=np.uint8)
    if itemsize == 2 or name == "complex32":
        every = np.arange(65536, dtype=np.uint16)
        return (every if itemsize == 2 else np.stack([every, every[::-1]], axis=1)).view(np.uint8)
    part = np.dtype(np.float32 if name in ("float32", "complex64") else np.float64)
    limits = np.finfo(part)
    special = [
        0.0,
        -0.0,
        np.inf,
        -np.inf,
        np.nan,
        limits.max,
        limits.tiny,
        limits.smallest_subnormal,
    ]
    some = np.random.default_rng(0).integers(0, 256, 1024 * 16, np.uint8)
    bits = np.array(special * 4, part).view(np.uint8)
    if part == np.float32:
        bits = np.append(bits, np.array([0x7F800001, 0xFFC12345] * 2, np.uint32).view(np.uint8))
    return np.append(bits, some).reshape(-1)


def entry_of(tmp_path: Path, name: str, bits: np.ndarray) -> TensorEntry:
    flat = bits.reshape(-1)
    if name in UNSAVED:
        return dense("t", flat, name)
    tensor = torch.from_numpy(flat.copy()).view(getattr(torch, name))
    if "quint" in name or "qint" in name:
        # Without a quantizer, as torch stores what was a quantized tensor's storage.
        path = tmp_path / "saved.pt"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            kind = getattr(
                torch,
                {
                    "qint8": "QInt8Storage",
                    "quint8": "QUInt8Storage",
                    "qint32": "QInt32Storage",
                    "quint4x2": "QUInt4x2Storage",
                    "quint2x4": "QUInt2x4Storage",
                }[name],
            )
            untyped = torch.from_numpy(flat.copy()).untyped_storage()
            torch.save({"t": kind(wrap_storage=untyped)}, path)
        (entry,) = open_checkpoint(path).entries
        return entry
    return one(tmp_path, tensor)


def expected_values(name: str, bits: np.ndarray) -> np.ndarray:
    """What another program makes of these bytes."""
    flat = torch.from_numpy(bits.reshape(-1).copy())
    dtype = getattr(torch, name)
    if name == "bool":
        return bits.reshape(-1) != 0
    if name in UNSAVED or "bits" in name:
        return bits.reshape(-1).view(np.uint16 if name == "bits16" else np.uint8)
    if name == "float4_e2m1fn_x2":
        halves = np.stack([bits & 15, bits >> 4], axis=-1).reshape(-1)
        return halves.view(ml_dtypes.float4_e2m1fn).astype(np.float32)
    if name in ("qint8", "quint8", "qint32"):
        return flat.view(getattr(torch, name[1:])).numpy()
    if name in ("quint4x2", "quint2x4"):
        width = 4 if name == "quint4x2" else 2
        stream = np.unpackbits(bits, bitorder="little").reshape(-1, width)
        return (stream @ (1 << np.arange(width))).astype(np.uint8)
    if name == "complex32":
        return flat.view(torch.float16).float().numpy().view(np.complex64)
    if name == "bfloat16" or name.startswith("float8"):
        return flat.view(dtype).to(torch.float32).numpy()
    return flat.view(dtype).numpy()


@pytest.mark.parametrize("name", NAMES)
def test_every_form_of_every_dtype(tmp_path: Path, name: str) -> None:
    bits = patterns(name)
    entry = entry_of(tmp_path, name, bits)
    assert (entry.dtype, entry.problem) == (name, "")
    complex_forms = ("real", "imaginary", "magnitude", "phase") if "complex" in name else ()
    assert forms_of(entry) == ("values", *complex_forms, "raw")
    expected = expected_values(name, bits)
    found = whole(entry, "values")
    same(found, expected)
    if name in ("bfloat16", "float16", "float32", "float64", "complex64", "complex128"):
        assert found.tobytes() == expected.tobytes()  # the bits of every NaN, too
    assert all(step.exact for step in tensor_source(entry).steps)
    raw = whole(entry, "raw")
    assert raw.dtype.kind == "u"
    assert raw.tobytes() == bits.tobytes()
    if complex_forms:
        same(whole(entry, "real"), expected.real)
        same(whole(entry, "imaginary"), expected.imag)
        assert [step.exact for step in tensor_source(entry, "phase").steps][-1] is False


class Wrapper(torch.Tensor):
    """Without numbers of its own."""

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Wrapper:
        made: Wrapper = torch.Tensor._make_wrapper_subclass(cls, (8,))  # type: ignore[attr-defined]
        return made

    def __init__(self, inner: torch.Tensor) -> None:
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, *args: object, **kwargs: object) -> object:
        raise NotImplementedError


def kinds() -> list[tuple[Kind, torch.Tensor, tuple[Form, ...]]]:
    """A tensor of each kind, or several, and the forms that it has."""
    eye, cells = torch.eye(4), ("values", "pattern")
    pieces = [torch.ones(2, 3), torch.ones(4, 3)]
    stored = ("values", "integers", "raw")
    parts: tuple[Form, ...] = ("values", "real", "imaginary", "magnitude", "phase", "raw")
    return [
        ("dense", eye, ("values", "raw")),
        ("dense", torch.nn.Parameter(eye), ("values", "raw")),
        ("sparse_coo", eye.to_sparse(), cells),
        ("sparse_csr", eye.to_sparse_csr(), cells),
        ("sparse_csc", eye.to_sparse_csc(), cells),
        ("sparse_bsr", eye.to_sparse_bsr((2, 2)), cells),
        ("sparse_bsc", eye.to_sparse_bsc((2, 2)), cells),
        ("quantized", torch.quantize_per_tensor(eye, 0.1, 3, torch.qint8), stored),
        ("quantized", torch.quantize_per_tensor(eye, 0.1, 3, torch.quint2x4), stored),
        ("nested", torch.nested.nested_tensor(pieces), ()),
        ("nested", torch.nested.nested_tensor(pieces, layout=torch.jagged), ()),
        ("meta", torch.empty(3, device="meta"), ()),
        ("subclass", Wrapper(torch.ones(2).cfloat()), parts),
    ]


@pytest.mark.filterwarnings("ignore:.*(quantize|nested|Sparse).*:UserWarning")
def test_forms_of_every_kind(tmp_path: Path) -> None:
    made = kinds()
    assert {kind for kind, _, _ in made} == set(get_args(Kind))
    for kind, tensor, forms in made:
        entry = one(tmp_path, tensor)
        assert (entry.kind, forms_of(entry)) == (kind, forms)
        for form in get_args(Form):
            if form in forms:
                source = tensor_source(entry, form)
                assert source.read(Region.whole(source.shape)).shape == source.shape
                assert source.entry is entry
            else:
                with pytest.raises(TensorError):
                    tensor_source(entry, form)


def test_two_float4_numbers_of_each_byte(tmp_path: Path) -> None:
    codes = torch.arange(24, dtype=torch.uint8).reshape(4, 6)
    tensor = codes.view(torch.float4_e2m1fn_x2)
    expected = np.stack([codes.numpy() & 15, codes.numpy() >> 4], axis=-1).reshape(4, 12)
    expected = expected.view(ml_dtypes.float4_e2m1fn).astype(np.float32)
    entry = one(tmp_path, tensor)
    source = tensor_source(entry)
    assert (entry.shape, source.shape, entry.nbytes) == ((4, 6), (4, 12), 24)
    same(whole(entry, "values"), expected)
    same(source.read(parse_region("[1::2, 3:10]", (4, 12))), expected[1::2, 3:10])
    turned = one(tmp_path, tensor.t())
    by_column = expected.reshape(4, 6, 2).transpose(1, 0, 2).reshape(6, 8)
    same(whole(turned, "values"), by_column)
    # Without an axis there are two numbers all the same.
    same(whole(one(tmp_path, tensor[3, 5]), "values"), expected[3, 10:])
    assert whole(one(tmp_path, tensor[:0]), "values").shape == (0, 12)


def test_float4_of_safetensors(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    codes = torch.arange(12, dtype=torch.uint8).reshape(2, 6)
    path = tmp_path / "four.safetensors"
    save_file({"t": codes.view(torch.float4_e2m1fn_x2)}, path)
    (entry,) = open_checkpoint(path).entries
    halves = np.stack([codes.numpy() & 15, codes.numpy() >> 4], axis=-1).reshape(2, 12)
    same(whole(entry, "values"), halves.view(ml_dtypes.float4_e2m1fn).astype(np.float32))


def test_views_of_one_storage_have_both_sizes(tmp_path: Path) -> None:
    whole_tensor = torch.zeros(100, 10)
    path = tmp_path / "views.pt"
    torch.save({"all": whole_tensor, "row": whole_tensor[3]}, path)
    every, row = open_checkpoint(path).entries
    assert every.storage is row.storage is not None
    assert (row.nbytes, every.nbytes, row.storage.nbytes) == (40, 4000, 4000)


def test_where_the_bytes_come_from_is_the_storage_s_to_say() -> None:
    entry = dense("t", np.ones(3, np.float32), device="cuda:0")
    assert tensor_source(entry).summary == "saved from cuda:0, read straight from the file"
    storage = entry.storage
    assert storage is not None
    words = "moved from cuda:0 in blocks"
    live = Storage(storage.source, 0, storage.nbytes, "", origin=words)
    live_entry = replace(entry, storage=live)
    assert tensor_source(live_entry).summary == words
    assert tensor_source(live_entry, "raw").steps[0].text == words


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
