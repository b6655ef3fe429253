"""Any torch tensor becomes the array that torch itself would give, and the steps tell how."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from inspector.checkpoints.errors import TensorError
from inspector.values.conversion import convert


def test_a_plain_tensor_shares_its_memory_and_is_read_only() -> None:
    tensor = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    found = convert(tensor)
    assert found.shares_memory
    assert np.shares_memory(found.array, tensor.numpy())
    assert not found.array.flags.writeable
    assert found.steps == ()
    assert found.exact
    assert found.summary == "memory shared with the tensor"


@pytest.mark.parametrize(
    "view",
    [
        lambda tensor: tensor.t(),
        lambda tensor: tensor[1:, ::2],
        lambda tensor: tensor[:, :1].expand(-1, 7),
        lambda tensor: tensor.as_strided((3, 3), (1, 1)),
        lambda tensor: tensor[0, 0],
        lambda tensor: tensor[:0],
    ],
    ids=["transposed", "strided", "expanded", "overlapping", "0-d", "empty"],
)
def test_strides_carry_over(view: object) -> None:
    tensor = torch.arange(20, dtype=torch.int16).reshape(4, 5)
    seen = view(tensor)  # type: ignore[operator]
    found = convert(seen)
    assert found.shares_memory
    np.testing.assert_array_equal(found.array, seen.numpy())


def test_a_parameter_is_detached() -> None:
    parameter = torch.nn.Parameter(torch.randn(3, 4))
    found = convert(parameter)
    np.testing.assert_array_equal(found.array, parameter.detach().numpy())
    assert found.shares_memory
    assert [step.text for step in found.steps] == ["detached from autograd"]
    assert parameter.requires_grad


def test_a_tensor_with_history_is_detached() -> None:
    tensor = torch.randn(3, requires_grad=True) * 2
    np.testing.assert_array_equal(convert(tensor).array, tensor.detach().numpy())


def test_a_conjugate_is_resolved() -> None:
    tensor = torch.randn(3, 4, dtype=torch.complex64).conj()
    found = convert(tensor)
    np.testing.assert_array_equal(found.array, tensor.resolve_conj().numpy())
    assert not found.shares_memory
    assert "conjugate resolved" in found.summary
    assert tensor.is_conj()


def test_a_negative_is_resolved() -> None:
    tensor = torch.randn(3, 4, dtype=torch.complex64).conj().imag
    assert tensor.is_neg()
    found = convert(tensor)
    np.testing.assert_array_equal(found.array, tensor.resolve_neg().numpy())
    assert "negative resolved" in found.summary


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_a_quantized_tensor_is_dequantized() -> None:
    tensor = torch.quantize_per_tensor(torch.randn(5), 0.1, 3, torch.quint8)
    found = convert(tensor)
    np.testing.assert_array_equal(found.array, tensor.dequantize().numpy())
    assert "quint8 dequantized" in found.summary
    assert not found.exact


def test_a_subclass_is_seen_as_a_plain_tensor() -> None:
    class Mine(torch.Tensor):
        pass

    tensor = torch.randn(3).as_subclass(Mine)
    found = convert(tensor)
    np.testing.assert_array_equal(found.array, torch.Tensor.numpy(tensor))
    assert "not as Mine" in found.summary


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: torch.empty(3, device="meta"), "meta tensor"),
        (lambda: torch.eye(3).to_sparse(), "sparse tensor .COO."),
        (lambda: torch.nested.nested_tensor([torch.zeros(2)], layout=torch.jagged), "nested"),
    ],
    ids=["meta", "sparse", "nested"],
)
def test_what_has_no_values_of_its_own_is_refused_in_words(make: object, part: str) -> None:
    with pytest.raises(TensorError, match=part):
        convert(make())  # type: ignore[operator]


@pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta:UserWarning")
@pytest.mark.parametrize("layout", ["csr", "csc", "bsr", "bsc"])
def test_compressed_layouts_are_refused_in_words(layout: str) -> None:
    dense = torch.eye(4)
    sparse = getattr(dense, f"to_sparse_{layout}")(*([(2, 2)] if layout[0] == "b" else []))
    with pytest.raises(TensorError, match=layout.upper()):
        convert(sparse)


def test_a_fake_tensor_is_refused_in_words() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        tensor = torch.empty(3)
    with pytest.raises(TensorError, match="FakeTensor"):
        convert(tensor)


def test_what_is_no_tensor_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="ndarray"):
        convert(np.zeros(3))  # type: ignore[arg-type]


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_cuda_tensor_is_moved() -> None:
    tensor = torch.randn(5, device="cuda")
    found = convert(tensor)
    np.testing.assert_array_equal(found.array, tensor.cpu().numpy())
    assert not found.shares_memory
    assert "moved from cuda:0" in found.summary
