"""Tensors of a CUDA device, where there is one."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from live_tensors import DTYPES, LAYOUTS, make_dense

from inspector.checkpoints.model import TensorEntry
from inspector.values.from_python import to_numpy
from inspector.values.live import live_checkpoint
from inspector.values.regions import Region
from inspector.values.tensors import tensor_source

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    pytest.mark.filterwarnings("ignore:ComplexHalf support:UserWarning"),
    pytest.mark.filterwarnings("ignore:Sparse .* tensor support is in beta:UserWarning"),
]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_dtype_and_layout_bit_for_bit(dtype: torch.dtype, layout: str) -> None:
    here = LAYOUTS[layout](make_dense(dtype))
    there = LAYOUTS[layout](make_dense(dtype, "cuda"))
    found, expected = to_numpy(there), to_numpy(here)
    assert found.array.dtype == expected.array.dtype
    assert found.array.tobytes() == expected.array.tobytes()
    assert not found.shares_memory
    assert found.steps[0].text == "moved from cuda:0 to the CPU"
    part = (slice(None, None, -1), -1)
    assert to_numpy(there, part).array.tobytes() == to_numpy(here, part).array.tobytes()
    assert to_numpy(there, form="raw").array.tobytes() == to_numpy(here, form="raw").array.tobytes()


def test_conjugates_negatives_parameters_and_parts() -> None:
    tensor = torch.randn(5, 6, dtype=torch.complex64, device="cuda")
    for view in (tensor.conj(), tensor.conj().imag, torch.nn.Parameter(tensor.real)):
        expected = view.detach().cpu().resolve_conj().resolve_neg().numpy()
        np.testing.assert_array_equal(to_numpy(view).array, expected)
    sparse = torch.eye(4, device="cuda").to_sparse_csr()
    np.testing.assert_array_equal(to_numpy(sparse).array, np.eye(4, dtype=np.float32))
    (entry,) = live_checkpoint([sparse]).entries
    assert (entry.kind, entry.device) == ("sparse_csr", "cuda:0")
    for part, name in zip(entry.components, ("crow_indices", "col_indices", "values"), strict=True):
        np.testing.assert_array_equal(to_numpy(part).array, getattr(sparse, name)().cpu().numpy())


def test_a_large_tensor_takes_no_memory_on_the_device() -> None:
    tensor = torch.randint(0, 255, (100 << 20,), dtype=torch.uint8, device="cuda")
    (entry,) = live_checkpoint([tensor]).entries
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    found = to_numpy(entry).array
    assert torch.cuda.max_memory_allocated() == before
    assert found.tobytes() == tensor.cpu().numpy().tobytes()


def pinned_bytes() -> int:
    """Memory that torch has pinned."""
    return int(torch.cuda.host_memory_stats()["allocated_bytes.current"])


def test_a_region_fetches_and_pins_little() -> None:
    before = pinned_bytes()
    tensor = torch.arange(64 << 20, dtype=torch.int64, device="cuda").reshape(-1, 1024)
    (entry,) = live_checkpoint([tensor]).entries
    source = tensor_source(entry)
    found = source.read(Region((range(40_000, 40_010), range(7, 9))))
    np.testing.assert_array_equal(found, tensor[40_000:40_010, 7:9].cpu().numpy())
    assert pinned_bytes() - before <= 32 << 20


@pytest.mark.parametrize("of_its_own", [False, True], ids=["default stream", "own stream"])
def test_what_is_pending_is_seen(of_its_own: bool) -> None:
    stream = torch.cuda.Stream() if of_its_own else torch.cuda.current_stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        tensor = torch.zeros(1 << 20, device="cuda")
        (entry,) = live_checkpoint([tensor]).entries
        torch.cuda._sleep(200_000_000)
        tensor += 1
        found: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []
        worker = threading.Thread(target=lambda: found.append(to_numpy(entry).array))
        worker.start()
        worker.join()
    assert found[0].min() == 1


def test_a_training_loop_goes_on_beside_it() -> None:
    """What is trained while it is looked at ends bit for bit where it would have ended."""

    def trained(look: bool) -> torch.Tensor:
        torch.manual_seed(0)
        model = torch.nn.Linear(512, 512, device="cuda")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        data = torch.randn(64, 512, device="cuda")
        stop = threading.Event()
        entries: list[TensorEntry] = list(live_checkpoint(model).entries)

        def watch() -> None:
            while not stop.is_set():
                for entry in entries:
                    to_numpy(entry)

        worker = threading.Thread(target=watch)
        if look:
            worker.start()
        for _ in range(200):
            optimizer.zero_grad()
            model(data).square().mean().backward()
            optimizer.step()
        stop.set()
        if look:
            worker.join()
        return model.weight.detach().cpu()

    assert torch.equal(trained(False), trained(True))
