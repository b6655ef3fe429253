"""Sparse tensors of every layout, seen as dense ones, beside torch's ``to_dense``."""

from __future__ import annotations

import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_entries import in_memory, made_of, same, saved, source_of, whole

from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.model import TensorEntry
from inspector.values.forms import forms_of
from inspector.values.regions import Region, parse_region
from inspector.values.tensors import tensor_source

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta:UserWarning"),
    pytest.mark.filterwarnings("ignore:Sparse invariant checks are:UserWarning"),
    pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental:UserWarning"),
]

LAYOUTS = ["coo", "csr", "csc", "bsr", "bsc"]

#: What torch itself makes dense.
DTYPES = [
    *("bool", "uint8", "int8", "int16", "int32", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex32", "complex64", "complex128"),
]


def answer(tensor: torch.Tensor) -> np.ndarray:
    """torch's own, with nothing but a wider dtype where NumPy lacks the narrow one."""
    dense = tensor.to_dense()
    wider = {torch.bfloat16: torch.float32, torch.complex32: torch.complex64}
    return dense.to(wider.get(dense.dtype, dense.dtype)).numpy()


def sparse(dense: torch.Tensor, layout: str, *, dense_dim: int = 0) -> torch.Tensor:
    if layout == "coo":
        return dense.to_sparse(dense.dim() - dense_dim)
    options = {"dense_dim": dense_dim} if dense_dim else {}
    blocks = [(2, 3)] if layout.startswith("b") else []
    made: torch.Tensor = getattr(dense, f"to_sparse_{layout}")(*blocks, **options)
    return made


def holes(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(shape, generator=generator) > 0.6
    return torch.randn(shape, generator=generator) * 50 * mask


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_every_dtype(tmp_path: Path, layout: str, name: str) -> None:
    dtype = getattr(torch, name)
    wide = torch.complex64 if dtype.is_complex else torch.float32
    numbers = holes(8, 6).to(wide)
    if dtype.is_floating_point:
        numbers[0, :4] = torch.tensor([float("inf"), float("nan"), -float("inf"), 1e-7])
    if dtype.is_complex:
        numbers = numbers * (1 - 2j)
    # torch itself can not make every dtype sparse.
    tensor = sparse(numbers, layout)
    parts = [getattr(tensor, part)() for part in _PARTS[layout]]
    make = getattr(torch, f"sparse_{layout}_tensor")
    # A stored zero is negative: added to nothing, it becomes positive.
    values = (tensor.values() if layout != "coo" else tensor.coalesce().values()).to(dtype)
    if dtype.is_floating_point:
        values.view(-1)[-1] = -0.0
    tensor = make(*parts, values, (8, 6))
    if layout == "coo":
        tensor = tensor.coalesce() if name != "complex32" else tensor._coalesced_(True)
    entry = saved(tmp_path, tensor)
    assert forms_of(entry)[0] == "values"
    found = whole(entry)
    expected = answer(tensor)
    same(found, expected)
    assert all(step.exact for step in tensor_source(entry).steps)
    assert np.array_equal(whole(entry, "pattern"), pattern(tensor))


_PARTS = {
    "coo": ("_indices",),
    "csr": ("crow_indices", "col_indices"),
    "csc": ("ccol_indices", "row_indices"),
    "bsr": ("crow_indices", "col_indices"),
    "bsc": ("ccol_indices", "row_indices"),
}


@pytest.mark.parametrize("name", [name for name in DTYPES if name != "complex32"])
@pytest.mark.parametrize("inner", [(), (2, 3)], ids=["plain", "hybrid"])
def test_elements_at_one_place_are_added_as_torch_does(
    tmp_path: Path, name: str, inner: tuple[int, ...]
) -> None:
    generator = torch.Generator().manual_seed(1)
    count = 5000
    indices = torch.randint(0, 7, (2, count), generator=generator)
    values = torch.randn((count, *inner), generator=generator) * 100
    dtype = getattr(torch, name)
    values = (
        (values > 0)
        if dtype == torch.bool
        else values.to(torch.int64 if name[:3] in ("int", "uin") else dtype).to(dtype)
    )
    tensor = torch.sparse_coo_tensor(indices, values, (9, 8, *inner))
    entry = saved(tmp_path, tensor)
    expected = answer(tensor)
    assert whole(entry).tobytes() == expected.tobytes()
    step = tensor_source(entry).steps[-1]
    assert "sum" in step.text
    assert step.exact == (dtype == torch.bool or "int" in name)


@pytest.mark.parametrize("name", ["uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2"])
def test_what_torch_can_store_but_not_make_dense(tmp_path: Path, name: str) -> None:
    values = torch.tensor([3, 5, 7]).to(getattr(torch, name))
    for tensor in (
        torch.sparse_coo_tensor(torch.tensor([[0, 2, 2]]), values, (4,)),
        torch.sparse_csr_tensor(torch.tensor([0, 3]), torch.tensor([0, 2, 3]), values, (1, 4)),
    ):
        expected = [3, 0, 12, 0] if tensor.layout == torch.sparse_coo else [[3, 0, 5, 7]]
        assert whole(saved(tmp_path, tensor)).tolist() == expected


def test_an_infinite_complex_number_stays_what_it_is(tmp_path: Path) -> None:
    values = torch.tensor([complex("inf"), complex(1, 2)])
    tensor = torch.sparse_coo_tensor(torch.tensor([[1, 2]]), values, (4,))
    assert whole(saved(tmp_path, tensor)).tolist() == [0, complex("inf"), 1 + 2j, 0]


@pytest.mark.parametrize("layout", LAYOUTS[1:])
def test_batches_and_dense_axes(tmp_path: Path, layout: str) -> None:
    same = holes(8, 6) != 0
    batched = torch.randn(2, 3, 8, 6) * same
    tensor = sparse(batched, layout)
    assert np.array_equal(whole(saved(tmp_path, tensor)), answer(tensor))
    hybrid = torch.randn(8, 6, 2, 5) * same[..., None, None]
    tensor = sparse(hybrid, layout, dense_dim=2)
    entry = saved(tmp_path, tensor)
    assert np.array_equal(whole(entry), answer(tensor))
    assert np.array_equal(whole(entry, "pattern")[..., 0, 0], whole(entry, "pattern")[..., 1, 4])


@st.composite
def regions(draw: st.DrawFn, shape: tuple[int, ...]) -> Region:
    axes: list[range | int] = []
    for size in shape:
        if draw(st.booleans()):
            axes.append(draw(st.integers(0, size - 1)))
        else:
            start, stop = draw(st.integers(0, size)), draw(st.integers(0, size))
            step = draw(st.sampled_from([1, 2, 3, 30, -1, -2, -30]))
            axes.append(range(size)[start:stop:step])
    return Region(tuple(axes))


def pattern(tensor: torch.Tensor) -> np.ndarray:
    """Where torch has an element, by a tensor of ones at the same places."""
    if tensor.layout == torch.sparse_coo:
        ones = torch.ones_like(tensor._values(), dtype=torch.float32)
        found = torch.sparse_coo_tensor(tensor._indices(), ones, tensor.shape)
    else:
        by_rows = tensor.layout in (torch.sparse_csr, torch.sparse_bsr)
        found = torch.sparse_compressed_tensor(
            tensor.crow_indices() if by_rows else tensor.ccol_indices(),
            tensor.col_indices() if by_rows else tensor.row_indices(),
            torch.ones_like(tensor.values(), dtype=torch.float32),
            tensor.shape,
            layout=tensor.layout,
        )
    return found.to_dense().numpy() != 0


@cache
def example(layout: str) -> tuple[TensorEntry, np.ndarray, np.ndarray]:
    """A tensor with batches (not in COO) and dense axes, and torch's own answers."""
    same = holes(60, 45, seed=3) != 0
    shaped = torch.randn(2, 60, 45, 3) * same[..., None]
    tensor = sparse(shaped, layout.partition(" ")[0], dense_dim=1)
    if layout.endswith("no order"):
        order = torch.randperm(tensor._nnz())
        indices, values = tensor.indices()[:, order], tensor.values()[order]
        tensor = torch.sparse_coo_tensor(indices, values, tensor.shape)
    with tempfile.TemporaryDirectory() as folder:
        entry = in_memory(saved(Path(folder), tensor))
    return entry, answer(tensor), pattern(tensor)


EXAMPLES = [*LAYOUTS, "coo in no order"]


@pytest.mark.parametrize("layout", EXAMPLES)
@given(region=regions((2, 60, 45, 3)))
@settings(max_examples=60, deadline=None)
def test_any_region(layout: str, region: Region) -> None:
    entry, values, stored = example(layout)
    for axis, item in reversed(list(enumerate(region.axes))):
        picked = item if isinstance(item, int) else list(item)
        values, stored = values.take(picked, axis=axis), stored.take(picked, axis=axis)
    np.testing.assert_array_equal(tensor_source(entry).read(region), values)
    np.testing.assert_array_equal(tensor_source(entry, "pattern").read(region), stored)


@pytest.mark.parametrize("layout", EXAMPLES)
def test_portions_smaller_than_what_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    monkeypatch.setattr("inspector.values.sparse_coo._BLOCK", 7)
    monkeypatch.setattr("inspector.values.sparse_coo.MOST", 10)
    monkeypatch.setattr("inspector.values.sparse_compressed.MOST", 10)
    monkeypatch.setattr("inspector.values.sparse_compressed._ROWS", 2)
    entry, values, _ = example(layout)
    source = tensor_source(entry)
    region = parse_region("[:, 7:50:3, ::-1, 1]", source.shape)
    assert np.array_equal(source.read(region), values[:, 7:50:3, ::-1, 1])


def test_elements_of_one_place_in_several_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.values.sparse_coo._BLOCK", 4)
    indices = [[0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]]
    entry = made_of("sparse_coo", (4,), indices=indices, values=np.arange(11.0))
    source = tensor_source(entry)
    assert source.read(Region((1,))) == sum(range(1, 10))
    assert source.read(Region.whole((4,))).tolist() == [0, 45, 10, 0]


def test_without_elements_or_places(tmp_path: Path) -> None:
    for tensor in (
        torch.sparse_coo_tensor(size=(3, 4)),
        torch.sparse_coo_tensor(size=(0, 4)),
        torch.zeros(3, 4).to_sparse_csr(),
        torch.sparse_coo_tensor(torch.empty((0, 3), dtype=torch.int64), torch.ones(3, 2), (2,)),
        torch.tensor(5.0).to_sparse(),
    ):
        entry = saved(tmp_path, tensor)
        assert np.array_equal(whole(entry), answer(tensor)), tensor


def test_a_shape_of_2_to_the_40_is_as_good_as_a_small_one() -> None:
    entry = made_of(
        "sparse_coo", (1 << 20, 1 << 20), indices=[[5, 1 << 19], [7, 3]], values=np.float32([2, 4])
    )
    source = tensor_source(entry)
    assert source.shape == (1 << 20, 1 << 20)
    found = source.read(parse_region("[524280:524300, :20]", source.shape))
    assert found[8, 3] == 4
    assert np.count_nonzero(found) == 1


def test_places_beyond_63_bits_are_refused() -> None:
    entry = made_of("sparse_coo", (1 << 32, 1 << 32), indices=[[5], [7]], values=np.float32([2]))
    with pytest.raises(TensorError, match="63 bits"):
        tensor_source(entry)


def test_a_few_rows_of_csr_read_only_these() -> None:
    side = 5000
    entry = made_of(
        "sparse_csr",
        (side, side),
        crow_indices=np.arange(side + 1) * 10,
        col_indices=np.tile(np.arange(10), side),
        values=np.ones(side * 10),
    )
    source = tensor_source(entry)
    found = source.read(parse_region("[100:103, :]", source.shape))
    assert found.sum() == 30
    assert source_of(entry, "crow_indices").taken == 4 * 8
    assert source_of(entry, "values").taken == 30 * 8
    source.read(parse_region("[::1000, 0]", source.shape))
    assert source_of(entry, "values").taken == 80 * 8


def test_a_few_rows_of_sorted_coo_read_few_blocks() -> None:
    count = 1 << 20
    entry = made_of(
        "sparse_coo",
        (count, 4),
        indices=[np.arange(count), np.zeros(count, int)],
        values=np.ones(count),
    )
    source = tensor_source(entry)
    source.read(parse_region("[:1, :]", source.shape))
    looked_through = source_of(entry, "indices").taken
    source.read(parse_region("[500000:500010, :]", source.shape))
    assert source_of(entry, "indices").taken - looked_through <= 2 * (1 << 16) * 16
    assert source_of(entry, "values").taken == 11 * 8


def test_too_many_elements_in_no_order_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.values.sparse_coo._SORTED_BYTES", 20)
    entry = made_of("sparse_coo", (4,), indices=[[3, 1]], values=np.ones(2))
    with pytest.raises(TensorError, match=r"2 elements in no order.*t\.indices, t\.values"):
        tensor_source(entry).read(Region.whole((4,)))


def test_two_threads_look_through_the_indices_once() -> None:
    entry = made_of("sparse_coo", (50,), indices=[np.arange(50)], values=np.ones(50))
    source = tensor_source(entry)
    together = threading.Barrier(2)

    def read(number: int) -> float:
        together.wait()
        return float(source.read(Region((number,))))

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(read, (1, 2))) == [1.0, 1.0]
    # Once to check, once for each read.
    assert source_of(entry, "indices").taken == 3 * 50 * 8


COO = {"indices": [[0, 1], [1, 0]], "values": np.ones(2)}
CSR = {"crow_indices": [0, 1, 2], "col_indices": [1, 0], "values": np.ones(2)}


@pytest.mark.parametrize(
    ("kind", "parts", "words"),
    [
        ("sparse_coo", {"indices": [[0, 3], [1, 0]]}, "element 1 is at index 3 of axis 0"),
        ("sparse_coo", {"indices": [[0, 1], [-1, 0]]}, "index -1 of axis 1, which has 3"),
        ("sparse_coo", {"indices": [[0, 1, 2], [1, 0, 0]]}, r"indices \[2, 3\], values \[2\]"),
        ("sparse_coo", {"indices": [[0, 1]]}, "do not make a COO tensor"),
        ("sparse_coo", {"indices": [0, 1]}, "do not make a COO tensor"),
        ("sparse_coo", {"indices": [[0.5, 1], [1, 0]]}, "indices of t .float64. are not integers"),
        ("sparse_csr", {"crow_indices": [0, 5, 2]}, "number 1 of crow_indices is 5"),
        ("sparse_csr", {"crow_indices": [0, 2, 1]}, "number 2 of crow_indices is 1"),
        ("sparse_csr", {"crow_indices": [1, 1, 2]}, "number 0 of crow_indices is 1"),
        ("sparse_csr", {"crow_indices": [0, 1, 1]}, "rise from 0 to 2"),
        ("sparse_csr", {"crow_indices": [-1, 1, 2]}, "number 0 of crow_indices is -1"),
        ("sparse_csr", {"crow_indices": [0, 1, 1, 2]}, "do not make a CSR tensor"),
        ("sparse_csr", {"crow_indices": np.int64(3)}, "do not make a CSR tensor"),
        ("sparse_csr", {"col_indices": [1, 3]}, "number 1 of col_indices is 3, where there are 3"),
        ("sparse_csr", {"col_indices": [-2, 0]}, "number 0 of col_indices is -2"),
        ("sparse_csr", {"col_indices": [1, 0, 0]}, "do not make a CSR tensor"),
        ("sparse_csr", {"crow_indices": [0, 2, 2], "col_indices": [1, 1]}, "several elements"),
        ("sparse_bsr", {}, "do not make a BSR tensor"),
        ("sparse_bsr", {"values": np.ones((2, 0, 1))}, "do not make a BSR tensor"),
        ("sparse_bsr", {"values": np.ones((2, 1, 2))}, "do not make a BSR tensor"),
    ],
)
def test_damaged_indices_are_refused_in_words(
    kind: str, parts: dict[str, object], words: str
) -> None:
    sound = COO if kind == "sparse_coo" else CSR
    entry = made_of(kind, (2, 3), **(sound | parts))  # type: ignore[arg-type]
    with pytest.raises(TensorError, match=words):
        tensor_source(entry).read(Region.whole((2, 3)))


@pytest.mark.parametrize(
    ("kind", "sound"), [("sparse_coo", COO), ("sparse_csr", CSR)], ids=["coo", "csr"]
)
def test_indices_of_more_elements_than_their_storage_has(
    kind: str, sound: dict[str, object]
) -> None:
    entry = made_of(kind, (2, 3), **sound)  # type: ignore[arg-type]
    for number, component in enumerate(entry.components[:-1]):
        endless = replace(
            component,
            shape=(*component.shape[:-1], 1 << 40),
            stride=(*component.stride[:-1], 0),
        )
        parts = [*entry.components[:number], endless, *entry.components[number + 1 :]]
        with pytest.raises(TensorError, match=r"are 1,099,511,627,776, in \d+ bytes"):
            tensor_source(replace(entry, components=tuple(parts)))


def test_more_dimensions_than_numpy_has() -> None:
    entry = made_of("sparse_coo", (1,) * 70, indices=np.zeros((70, 1), int), values=np.ones(1))
    with pytest.raises(TensorError, match="70 dimensions"):
        tensor_source(entry)


@st.composite
def parts_that_fit(draw: st.DrawFn) -> TensorEntry:
    """Parts of the right shapes with anything in them; now and then one axis is longer."""
    layout = draw(st.sampled_from(LAYOUTS))
    size = st.integers(0, 3)
    rows, columns, count = draw(size), draw(size), draw(size)
    inner = tuple(draw(st.lists(size, max_size=1)))
    batches = tuple(draw(st.lists(size, max_size=1))) if layout != "coo" else ()
    block = (draw(st.integers(1, 2)), draw(st.integers(1, 2))) if layout[0] == "b" else ()
    height, width = block or (1, 1)
    ends = columns if layout in ("csc", "bsc") else rows
    shapes = {
        "coo": {"indices": (2, count)},
        "csr": {"crow_indices": (*batches, ends + 1), "col_indices": (*batches, count)},
        "csc": {"ccol_indices": (*batches, ends + 1), "row_indices": (*batches, count)},
    }[layout.replace("b", "c")]
    shapes["values"] = (*batches, count, *block, *inner)
    number = st.sampled_from([0, 0, 1, 1, 2, 3, -1, 2**62, -(2**63)])
    parts = {}
    for name, shape in shapes.items():
        if draw(st.integers(0, 9)) == 0:
            shape = (*shape[:-1], shape[-1] + 1)
        many = int(np.prod(shape))
        filled = draw(st.lists(number, min_size=many, max_size=many))
        parts[name] = np.sort(filled) if name[1:] in ("row_indices", "col_indices") else filled
        parts[name] = np.array(parts[name], np.int64).reshape(shape)
    shape = (*batches, rows * height, columns * width, *inner)
    return made_of(f"sparse_{layout}", shape, **parts)  # type: ignore[arg-type]


@given(parts_that_fit())
@settings(max_examples=500, deadline=None)
def test_whatever_the_parts_hold_only_words_come_out(entry: TensorEntry) -> None:
    for form in forms_of(entry):
        with suppress(TensorError):
            found = tensor_source(entry, form).read(Region.whole(entry.shape))
            assert found.shape == entry.shape


def test_a_coalesced_tensor_with_two_elements_at_one_place_is_refused() -> None:
    parts = {"indices": [[0, 0, 1]], "values": np.ones(3)}
    entry = made_of("sparse_coo", (3,), {"coalesced": "yes"}, **parts)
    with pytest.raises(TensorError, match="coalesced"):
        tensor_source(entry).read(Region.whole((3,)))
    source = tensor_source(made_of("sparse_coo", (3,), {"coalesced": "no"}, **parts))
    assert source.read(Region.whole((3,))).tolist() == [2, 1, 0]


def test_a_part_that_is_missing_or_damaged_is_named() -> None:
    entry = made_of("sparse_csr", (2, 3), **(CSR | {}))
    lacking = made_of("sparse_csr", (2, 3), crow_indices=[0, 1, 2], values=np.ones(2))
    with pytest.raises(TensorError, match="no col_indices for t"):
        tensor_source(lacking)
    assert forms_of(entry) == ("values", "pattern")


def test_parts_of_sparse_complex_numbers(tmp_path: Path) -> None:
    tensor = sparse(holes(8, 6).to(torch.complex64) * (1 - 2j), "csr")
    entry = saved(tmp_path, tensor)
    assert forms_of(entry) == ("values", "real", "imaginary", "magnitude", "phase", "pattern")
    assert np.array_equal(whole(entry, "imaginary"), answer(tensor).imag)
