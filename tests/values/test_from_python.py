"""`to_numpy` gives the array that torch itself would give, and the steps tell how."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from live_tensors import DTYPES, LAYOUTS, make_dense
from safetensors.torch import save_file

import inspector
from inspector.checkpoints import open_checkpoint
from inspector.checkpoints.errors import TensorError
from inspector.values.from_python import to_numpy
from inspector.values.regions import Region

pytestmark = pytest.mark.filterwarnings("ignore:ComplexHalf support:UserWarning")

VIEWS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "transposed": lambda tensor: tensor.t(),
    "strided": lambda tensor: tensor[1:, ::2],
    "expanded": lambda tensor: tensor[:, :1].expand(-1, 7),
    "overlapping": lambda tensor: tensor.as_strided((3, 3), (1, 1)),
    "0-d": lambda tensor: tensor[0, 0],
    "empty": lambda tensor: tensor[:0],
}


def test_a_plain_tensor_shares_its_memory_and_is_read_only() -> None:
    tensor = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    found = to_numpy(tensor)
    assert found.shares_memory
    assert np.shares_memory(found.array, tensor.numpy())
    assert not found.array.flags.writeable
    assert found.steps == ()
    assert found.exact
    assert found.summary == "memory shared with the tensor"
    tensor[1, 2] = -1
    assert found.array[1, 2] == -1


def test_shared_memory_outlives_the_tensor() -> None:
    tensor = torch.arange(100_000.0)
    array = to_numpy(tensor, "[5:]").array
    expected = tensor[5:].clone().numpy()
    del tensor
    torch.zeros(100_000)
    np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("view", VIEWS)
def test_strides_carry_over(view: str) -> None:
    seen = VIEWS[view](torch.arange(20, dtype=torch.int16).reshape(4, 5))
    found = to_numpy(seen)
    assert found.shares_memory
    np.testing.assert_array_equal(found.array, seen.numpy())
    assert found.array.strides == seen.numpy().strides or not seen.numel()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_dtype_and_layout_is_torchs_own(dtype: torch.dtype, layout: str) -> None:
    tensor = LAYOUTS[layout](make_dense(dtype))
    found = to_numpy(tensor)
    expected = exact(tensor)
    assert found.array.dtype == expected.dtype
    np.testing.assert_array_equal(found.array, expected)
    is_plain = dtype not in (torch.bfloat16, torch.complex32) and "float8" not in str(dtype)
    assert found.shares_memory == is_plain
    if is_plain:  # else NaN may differ in the bits that do not matter
        assert found.array.tobytes() == expected.tobytes()


def exact(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """torch's own way to the values."""
    if tensor.dtype == torch.complex32:
        pairs = torch.view_as_real(tensor.contiguous()).float().numpy()
        return np.ascontiguousarray(pairs).view(np.complex64)[..., 0]
    name = str(tensor.dtype)
    return (tensor.float() if "bfloat16" in name or "float8" in name else tensor).numpy()


def test_a_parameter_is_detached() -> None:
    parameter = torch.nn.Parameter(torch.randn(3, 4))
    found = to_numpy(parameter)
    np.testing.assert_array_equal(found.array, parameter.detach().numpy())
    assert found.shares_memory
    assert [step.text for step in found.steps] == ["detached from autograd"]
    assert parameter.requires_grad


def test_a_tensor_with_history_is_detached() -> None:
    tensor = torch.randn(3, requires_grad=True) * 2
    np.testing.assert_array_equal(to_numpy(tensor).array, tensor.detach().numpy())


def test_a_conjugate_is_resolved() -> None:
    tensor = torch.randn(3, 4, dtype=torch.complex64).conj()
    found = to_numpy(tensor)
    np.testing.assert_array_equal(found.array, tensor.resolve_conj().numpy())
    assert not found.shares_memory
    assert "conjugate resolved" in found.summary
    assert tensor.is_conj()


def test_a_negative_is_resolved() -> None:
    tensor = torch.randn(3, 4, dtype=torch.complex64).conj().imag
    assert tensor.is_neg()
    found = to_numpy(tensor)
    np.testing.assert_array_equal(found.array, tensor.resolve_neg().numpy())
    assert "negative resolved" in found.summary


@pytest.mark.filterwarnings("ignore:.*quantize.*:UserWarning")
def test_quantized_tensors_are_dequantized() -> None:
    whole = torch.quantize_per_tensor(torch.randn(5), 0.1, 3, torch.quint8)
    found = to_numpy(whole)
    np.testing.assert_array_equal(found.array, whole.dequantize().numpy())
    assert "dequantized" in found.summary
    assert not found.exact
    assert not found.shares_memory
    np.testing.assert_array_equal(to_numpy(whole, form="integers").array, whole.int_repr().numpy())
    scales, zeros = torch.tensor([0.1, 0.2]).double(), torch.tensor([0, 1])
    by_channel = torch.quantize_per_channel(torch.rand(2, 3), scales, zeros, 0, torch.qint8)
    found = to_numpy(by_channel, "[1]")
    np.testing.assert_array_equal(found.array, by_channel.dequantize()[1].numpy())


@pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta:UserWarning")
@pytest.mark.parametrize("layout", ["coo", "csr", "csc", "bsr", "bsc"])
def test_sparse_tensors_are_dense(layout: str) -> None:
    dense = torch.eye(4) * torch.arange(1.0, 5)
    blocks = {"blocksize": (2, 2)} if layout.startswith("b") else {}
    tensor = getattr(dense, f"to_sparse{'' if layout == 'coo' else '_' + layout}")(**blocks)
    np.testing.assert_array_equal(to_numpy(tensor).array, dense.numpy())
    np.testing.assert_array_equal(to_numpy(tensor, "[1:, 2]").array, dense[1:, 2].numpy())


def test_a_subclass_is_seen_as_a_plain_tensor() -> None:
    class Mine(torch.Tensor):
        pass

    tensor = torch.randn(3).as_subclass(Mine)
    found = to_numpy(tensor)
    np.testing.assert_array_equal(found.array, torch.Tensor.numpy(tensor))
    assert "not as Mine" in found.summary


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4)[::-1, ::-2],
        np.arange(12, dtype=">i4").reshape(3, 4).T,
        np.arange(24, dtype=np.float16).reshape(2, 3, 4)[:, ::-1],
        np.array(7, np.uint64),
        np.zeros((0, 3), bool),
    ],
    ids=["backwards", "big-endian", "middle", "0-d", "empty"],
)
def test_arrays_of_numpy(array: np.ndarray[Any, Any]) -> None:
    found = to_numpy(array)
    np.testing.assert_array_equal(found.array, array)
    assert found.array.dtype.isnative
    assert found.shares_memory == array.dtype.isnative
    assert np.shares_memory(found.array, array) == (array.dtype.isnative and array.size > 0)


@pytest.mark.parametrize(
    "index",
    [
        None,
        "[1, :, ::-2]",
        (1, slice(None), slice(None, None, -2)),
        (..., np.int64(-1)),
        slice(1),
        -1,
        (0, 1, 2),
        (slice(2, 0), ...),
    ],
    ids=str,
)
def test_regions_are_those_of_numpy(index: Any) -> None:
    tensor = torch.arange(24).reshape(2, 3, 4)
    plain = (1, slice(None), slice(None, None, -2)) if isinstance(index, str) else index
    expected = tensor.numpy()[... if plain is None else plain]
    for source in (tensor, tensor.bfloat16(), tensor.numpy()[::-1, ::-1][::-1, ::-1]):
        found = to_numpy(source, index).array
        assert found.shape == expected.shape
        np.testing.assert_array_equal(found, expected)


def test_a_region_itself() -> None:
    tensor = torch.arange(12).reshape(3, 4)
    region = Region((range(2, -1, -1), 1))
    np.testing.assert_array_equal(to_numpy(tensor, region).array, [9, 5, 1])
    with pytest.raises(TensorError, match="does not fit"):
        to_numpy(tensor, Region((range(4), 1)))
    with pytest.raises(TensorError, match="does not fit"):
        to_numpy(tensor, Region((range(3),)))


@pytest.mark.parametrize(
    "index", [True, 1.5, ("a",), ([0, 1],), None, np.arange(2), torch.ones(2)], ids=str
)
def test_what_is_no_index_is_refused_in_words(index: Any) -> None:
    with pytest.raises(TensorError, match="cannot be read"):
        to_numpy(torch.zeros(3), (index,))


def test_an_entry_of_a_file(tmp_path: Path) -> None:
    tensor = torch.randn(5, 6).bfloat16()
    torch.save({"w": tensor}, tmp_path / "a.pt")
    checkpoint = open_checkpoint(tmp_path / "a.pt")
    found = to_numpy(checkpoint.entries[0], "[::2]")
    np.testing.assert_array_equal(found.array, tensor[::2].float().numpy())
    assert not found.shares_memory
    assert "read from the file" in found.summary
    checkpoint.close()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e5m2, torch.complex64])
def test_what_no_memory_can_hold_is_refused_in_words(dtype: torch.dtype) -> None:
    tensor = torch.ones(1, dtype=dtype).expand(2**50).conj()
    with pytest.raises(TensorError, match=r"1,125,899,906,842,624 elements, more than memory"):
        to_numpy(tensor)
    assert to_numpy(tensor, "[::281474976710656]").array.tolist() == [1] * 4


def test_other_forms() -> None:
    tensor = torch.randn(4, dtype=torch.bfloat16)
    found = to_numpy(tensor, form="raw")
    np.testing.assert_array_equal(found.array, tensor.view(torch.uint16).numpy())
    assert not found.shares_memory
    with pytest.raises(TensorError, match="no phase form"):
        to_numpy(tensor, form="phase")


def test_a_sum_of_small_reads_is_the_whole() -> None:
    tensor = torch.arange(5 * 7 * 3, dtype=torch.int32).reshape(5, 7, 3).permute(2, 0, 1)
    parts = [to_numpy(tensor, (i, slice(j, j + 2))).array for i in range(3) for j in range(0, 5, 2)]
    np.testing.assert_array_equal(
        np.concatenate([part.reshape(-1) for part in parts]), tensor.reshape(-1).numpy()
    )


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: torch.empty(3, device="meta"), "meta device"),
        (lambda: torch.nested.nested_tensor([torch.zeros(2)], layout=torch.jagged), "nested"),
    ],
    ids=["meta", "nested"],
)
def test_what_has_no_values_of_its_own_is_refused_in_words(
    make: Callable[[], torch.Tensor], part: str
) -> None:
    with pytest.raises(TensorError, match=part):
        to_numpy(make())


def test_a_fake_tensor_is_refused_in_words() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        tensor = torch.empty(3)
    with pytest.raises(TensorError, match="fake tensor"):
        to_numpy(tensor)


def test_what_the_readme_says_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    section = readme.partition("## From Python")[2]
    (code, _, _) = section.partition("```python")[2].partition("```")
    save_file({"lm_head.weight": torch.randn(20, 3)}, tmp_path / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    calls: list[inspect.BoundArguments] = []
    signature = inspect.signature(inspector.show)
    monkeypatch.setattr(
        inspector, "show", lambda *values, **how: calls.append(signature.bind(*values, **how))
    )
    tensor = torch.randn(4, 5, 6)
    names: dict[str, Any] = {"model": torch.nn.Linear(2, 2), "x": tensor, "g": tensor}
    exec(code, names | {"tensor": tensor} | (namespace := {}), namespace)
    assert len(calls) == 2
    np.testing.assert_array_equal(namespace["found"].array, tensor[0, :, ::2].numpy())
    assert namespace["with_bits"].array.dtype == np.uint32
    assert namespace["array"].shape == (10, 3)


def test_what_is_no_tensor_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="list"):
        to_numpy([1, 2])  # type: ignore[arg-type]


def test_of_more_elements_than_an_array_can_have_a_part_is_had() -> None:
    tensor = torch.ones(1).expand(2**31, 2**31)
    with pytest.raises(TensorError, match="more than memory can hold"):
        to_numpy(tensor)
    assert to_numpy(tensor, "[5, -3:]").array.tolist() == [1.0, 1.0, 1.0]
