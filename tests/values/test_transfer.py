"""Bytes come from a device in blocks, through two buffers; a stand-in plays the device."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.checkpoints.errors import InspectorError, TensorError
from inspector.checkpoints.model import Storage, TensorEntry
from inspector.values.live_bytes import DeviceBytes
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region
from inspector.values.transfer import (
    BLOCK,
    PlainMover,
    StreamMover,
    Transfer,
    _view,
    current_streams,
    mover_of,
)


class StandIn:
    """Plays a device: a copy arrives when it is waited for, not before.

    Attributes
    ----------
    log
        What it was asked for, in order.
    fail
        Raises what it likes, by the name of a request.
    """

    name = "cuda:7"

    def __init__(self) -> None:
        self.log: list[tuple[object, ...]] = []
        self.fail: dict[str, Callable[[], None]] = {}
        self.under_way = 0
        self.most_under_way = 0
        self.numbers = 0

    def _ask(self, what: str, *details: object) -> None:
        self.log.append((what, *details))
        self.fail.get(what, lambda: None)()

    def buffer(self, nbytes: int, *, pinned: bool) -> torch.Tensor:
        self._ask("pin" if pinned else "allocate", nbytes)
        return torch.empty(nbytes, dtype=torch.uint8)

    def follow(self) -> None:
        self._ask("follow")

    def start(self, storage: torch.UntypedStorage, offset: int, target: torch.Tensor) -> Ticket:
        self.numbers += 1
        self._ask("start", self.numbers, offset, len(target))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        target.fill_(0xEE)  # whatever is still in the buffer is lost
        source = _view(storage, offset, len(target), torch.device("cpu"))
        return Ticket(self, self.numbers, source, target)


class Ticket:
    def __init__(
        self, device: StandIn, number: int, source: torch.Tensor, target: torch.Tensor
    ) -> None:
        self._device, self._number = device, number
        self._source, self._target = source, target

    def synchronize(self) -> None:
        self._device._ask("wait", self._number)
        self._device.under_way -= 1
        self._target.copy_(self._source)


def storage_of(nbytes: int) -> torch.UntypedStorage:
    return torch.arange(nbytes).to(torch.uint8).untyped_storage()


def fetched(
    transfer: Transfer, storage: torch.UntypedStorage, offset: int, length: int
) -> bytearray:
    buffer = bytearray(length)
    transfer.copy(storage, offset, memoryview(buffer))
    return buffer


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 90))
def test_any_range_in_blocks_of_any_size(offset: int, length: int, block: int) -> None:
    device, storage = StandIn(), storage_of(700)
    transfer = Transfer(device, block)
    expected = bytes(storage)[offset : offset + length]
    for _ in range(2):
        assert fetched(transfer, storage, offset, length) == expected
    starts = [details for what, *details in device.log if what == "start"]
    assert all(size <= block for _, _, size in starts)
    assert sum(size for _, _, size in starts) == 2 * length
    assert device.most_under_way <= 2
    assert device.under_way == 0


def test_blocks_of_the_real_size() -> None:
    storage = storage_of(2 * BLOCK + 5_000_001)
    found = fetched(Transfer(StandIn()), storage, 1, storage.nbytes() - 1)
    assert found == bytes(memoryview(torch.empty(0, dtype=torch.uint8).set_(storage).numpy()))[1:]


def test_the_device_fills_one_buffer_while_the_other_is_emptied() -> None:
    device = StandIn()
    fetched(Transfer(device, 10), storage_of(45), 3, 42)
    order = [(what, details[0]) for what, *details in device.log if what in ("start", "wait")]
    assert order == [
        ("start", 1),
        ("start", 2),
        ("wait", 1),
        ("start", 3),
        ("wait", 2),
        ("start", 4),
        ("wait", 3),
        ("start", 5),
        ("wait", 4),
        ("wait", 5),
    ]


def test_only_what_is_asked_for_is_fetched_and_two_buffers_are_all() -> None:
    device, storage = StandIn(), storage_of(1000)
    transfer = Transfer(device, 64)
    assert not device.log  # no memory is taken before it is needed
    fetched(transfer, storage, 100, 5)
    assert device.log == [("follow",), ("pin", 64), ("start", 1, 100, 5), ("wait", 1)]
    for _ in range(3):
        fetched(transfer, storage, 0, 1000)
    assert [entry for entry in device.log if entry[0] in ("pin", "allocate")] == [("pin", 64)] * 2
    device.log.clear()
    fetched(transfer, storage, 10, 0)
    assert not device.log


def test_what_is_pending_on_the_device_is_waited_for_before_each_read() -> None:
    device, storage = StandIn(), storage_of(100)
    transfer = Transfer(device, 10)
    for _ in range(2):
        fetched(transfer, storage, 0, 100)
    follows = [n for n, entry in enumerate(device.log) if entry[0] == "follow"]
    starts = [n for n, entry in enumerate(device.log) if entry[0] == "start"]
    assert len(follows) == 2
    assert follows[0] < starts[0]
    assert starts[9] < follows[1] < starts[10]


def raise_(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_without_memory_to_pin_ordinary_memory_does() -> None:
    device, storage = StandIn(), storage_of(100)
    device.fail["pin"] = raise_(RuntimeError("cudaHostAlloc failed"))
    transfer = Transfer(device, 10)
    assert fetched(transfer, storage, 0, 100) == bytes(storage)
    assert fetched(transfer, storage, 0, 100) == bytes(storage)
    asked = [entry[0] for entry in device.log if entry[0] in ("pin", "allocate")]
    assert asked == ["pin", "allocate", "allocate"]


@pytest.mark.parametrize(
    ("where", "error", "part", "advice"),
    [
        ("start", RuntimeError("CUDA error: device lost\nmore"), "cuda:7: CUDA error", "started"),
        ("wait", RuntimeError("CUDA error: unspecified launch failure"), "fetched from", "started"),
        ("follow", torch.OutOfMemoryError("CUDA out of memory."), "not enough memory", "Free"),
        ("allocate", MemoryError(), "not enough memory", "Free"),
    ],
    ids=["lost", "while waiting", "device memory", "memory"],
)
def test_what_fails_is_told_in_words(where: str, error: Exception, part: str, advice: str) -> None:
    device, storage = StandIn(), storage_of(100)
    if where == "allocate":
        device.fail["pin"] = raise_(RuntimeError("no memory to pin"))
    device.fail[where] = raise_(error)
    transfer = Transfer(device, 30)
    with pytest.raises(TensorError, match=part) as raised:
        fetched(transfer, storage, 0, 100)
    assert "more" not in raised.value.message
    assert advice in raised.value.advice


def test_a_failure_leaves_no_buffer_that_the_device_may_still_write_to() -> None:
    device, storage = StandIn(), storage_of(100)
    transfer = Transfer(device, 30)
    fetched(transfer, storage, 0, 100)
    device.fail["wait"] = raise_(RuntimeError("a hiccup"))
    with pytest.raises(TensorError):
        fetched(transfer, storage, 0, 100)
    device.fail.clear()
    device.log.clear()
    assert fetched(transfer, storage, 0, 100) == bytes(storage)
    assert [entry[0] for entry in device.log].count("pin") == 2


def test_threads_take_turns() -> None:
    device, storage = StandIn(), storage_of(5000)
    transfer = Transfer(device, 16)
    results: list[bytearray] = []
    together = threading.Barrier(4)

    def work() -> None:
        together.wait()
        results.append(fetched(transfer, storage, 7, 3000))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [bytes(storage)[7:3007]] * 4
    assert device.most_under_way == 2


def tensor_on(device: StandIn, block: int, dtype: str = "int16") -> StoredTensor:
    """A tensor of 100 x 90 elements in the stand-in's memory."""
    storage = torch.arange(9000, dtype=getattr(torch, dtype)).untyped_storage()
    source = DeviceBytes(storage, Transfer(device, block))
    held = Storage(source, 0, source.size, "at 0x10", origin=source.origin)
    return StoredTensor(TensorEntry("w", ("w",), dtype, (100, 90), (90, 1), held, device="cuda:7"))


def test_a_region_of_a_tensor_fetches_little_more_than_itself() -> None:
    device = StandIn()
    tensor = tensor_on(device, BLOCK)
    found = tensor.convert(Region((range(3, 5), range(10, 20))))
    expected = np.arange(9000, dtype=np.int16).reshape(100, 90)[3:5, 10:20]
    np.testing.assert_array_equal(found.array, expected)
    sizes = [details[-1] for what, *details in device.log if what == "start"]
    assert sum(sizes) == (90 + 10) * 2  # type: ignore[arg-type]
    assert [step.text for step in found.steps] == ["moved from cuda:7 to the CPU"]
    assert tensor.share(Region.whole(tensor.shape)) is None


def test_the_whole_needs_no_more_than_two_buffers_and_itself() -> None:
    device = StandIn()
    found = tensor_on(device, 1000).read(Region.whole((100, 90)))
    np.testing.assert_array_equal(found, np.arange(9000, dtype=np.int16).reshape(100, 90))
    assert [details for what, *details in device.log if what == "pin"] == [[1000], [1000]]
    assert device.most_under_way == 2


def test_a_closed_or_freed_storage_is_told() -> None:
    device = StandIn()
    storage = storage_of(100)
    source = DeviceBytes(storage, Transfer(device, 10))
    with pytest.raises(InspectorError, match="which has 100"):
        source.read(90, 11)
    storage.resize_(50)
    assert source.read(40, 10) == bytes(range(40, 50))
    with pytest.raises(TensorError, match="freed or made smaller"):
        source.read(45, 10)
    source.close()
    with pytest.raises(TensorError, match="not held any more"):
        source.read(0, 1)


class Streams:
    """Plays torch's module of a device with streams, on the CPU."""

    def __init__(self) -> None:
        self.log: list[tuple[object, ...]] = []
        self.current: object = "the program's"

    def current_stream(self, device: torch.device) -> object:
        return self.current

    def Stream(self, device: torch.device) -> Streams.Side:  # noqa: N802 - as torch has it
        return Streams.Side(self)

    def Event(self) -> Streams.Mark:  # noqa: N802 - as torch has it
        return Streams.Mark(self)

    @contextmanager
    def stream(self, stream: object) -> Iterator[None]:
        before, self.current = self.current, stream
        yield
        self.current = before

    class Side:
        def __init__(self, module: Streams) -> None:
            self._module = module

        def wait_event(self, event: Streams.Mark) -> None:
            self._module.log.append(("side waits for", event.stream))

    class Mark:
        stream: object = None

        def __init__(self, module: Streams) -> None:
            self._module = module

        def record(self, stream: object) -> None:
            self.stream = stream
            name = "side" if isinstance(stream, Streams.Side) else stream
            self._module.log.append(("marked", name))

        def synchronize(self) -> None:
            self._module.log.append(("waited",))


def test_copies_run_beside_the_program_after_what_it_has_asked_for() -> None:
    module, storage = Streams(), storage_of(25)
    transfer = Transfer(StreamMover(torch.device("cpu"), module, "the program's"), 10)
    module.current = "the worker's"
    # No memory is pinned where there is no device.
    assert fetched(transfer, storage, 0, 25) == bytes(storage)
    assert module.log == [
        ("marked", "the program's"),
        ("side waits for", "the program's"),
        ("marked", "the worker's"),
        ("side waits for", "the worker's"),
        ("marked", "side"),
        ("marked", "side"),
        ("waited",),
        ("marked", "side"),
        ("waited",),
        ("waited",),
    ]
    assert module.current == "the worker's"


def test_the_programs_streams_are_known_and_no_device_is_woken_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: pytest.fail("it was woken up"))
    assert current_streams() == {}
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda number: f"stream of {number}")
    assert current_streams() == {"cuda:0": "stream of 0", "cuda:1": "stream of 1"}
    mover = mover_of(torch.device("cuda:1"), current_streams()["cuda:1"])
    assert isinstance(mover, StreamMover)
    assert mover.name == "cuda:1"
    assert isinstance(mover_of(torch.device("mps"), None), PlainMover)


def test_a_device_without_streams() -> None:
    storage = storage_of(1000)
    transfer = Transfer(PlainMover(torch.device("cpu")), 64)
    assert fetched(transfer, storage, 5, 900) == bytes(storage)[5:905]
    storage.resize_(10)
    with pytest.raises(TensorError, match="freed or made smaller"):
        fetched(transfer, storage, 5, 900)
    assert storage.nbytes() == 10
