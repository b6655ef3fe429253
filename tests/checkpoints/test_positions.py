"""Several readers of what only inflates forward: each goes on where it was."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import threading
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.checkpoints import decompressed, inflated
from inspector.checkpoints.decompressed import Decompressed, compression_of
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.inflated import InflatedMember
from inspector.checkpoints.model import ByteSource
from inspector.checkpoints.positions import MOST
from inspector.checkpoints.sources import MemoryBytes

#: Packs badly, so that bytes that are read say how many were inflated.
DATA = random.Random(0).randbytes(1_000_000)


class Counted(MemoryBytes):
    """Counts the bytes that are read, and can hold a reader up or fail."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.taken = 0
        self.held: dict[int, threading.Event] = {}
        self.waiting = threading.Semaphore(0)
        self.broken = False

    def read(self, offset: int, length: int) -> bytes:
        if self.broken:
            raise CheckpointError("gone")
        self.taken += length
        if offset in self.held:
            self.waiting.release()
            assert self.held[offset].wait(60)
        return super().read(offset, length)


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def member(packed: Counted, size: int = len(DATA)) -> InflatedMember:
    return InflatedMember(packed, 0, packed.size, size, "m")


def whole_file(packed: Counted) -> Decompressed:
    compression = compression_of(packed.read(0, 6))
    assert compression is not None
    return Decompressed(packed, compression, lambda: None)


#: Each way to pack, and what reads it.
WAYS: dict[str, tuple[Callable[[bytes], bytes], Callable[[Counted], ByteSource]]] = {
    "deflated member": (deflated, member),
    "gzip": (gzip.compress, whole_file),
    "zlib": (zlib.compress, whole_file),
    "bz2": (bz2.compress, whole_file),
    "xz": (lzma.compress, whole_file),
}


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing stays in memory, and there is no place to go back to but the beginning."""
    monkeypatch.setattr(inflated, "_PLACE_DISTANCE", 1 << 30)
    monkeypatch.setattr(decompressed, "_KEPT", 1 << 10)
    monkeypatch.setattr(decompressed.Decompressed, "_remember", lambda *_: None)


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("way", WAYS)
def test_two_readers_in_turn_inflate_all_of_it_twice_at_most(way: str) -> None:
    """One goes in larger steps than the other, as the picture does beside the statistics."""
    pack, make = WAYS[way]
    packed = Counted(pack(DATA))
    source = make(packed)
    packed.taken = 0
    steps, places = (10_000, 70_000), [0, 0]
    while min(places) < len(DATA):
        for reader, step in enumerate(steps):
            begin = places[reader]
            length = min(step, len(DATA) - begin)
            assert source.read(begin, length) == DATA[begin : begin + length]
            places[reader] += length
    assert packed.taken <= 2 * packed.size


@pytest.mark.usefixtures("_small")
def test_as_many_readers_as_there_are_positions() -> None:
    packed = Counted(deflated(DATA))
    source = member(packed)
    step = 10_000
    for begin in range(0, len(DATA), step):
        for reader in range(MOST):
            place = (begin + reader * 250_000) % len(DATA)
            length = min(step, len(DATA) - place)
            assert source.read(place, length) == DATA[place : place + length]
    # To its beginning, and once around.
    assert packed.taken <= MOST * 2 * packed.size


@settings(deadline=None, max_examples=60)
@given(
    reads=st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 30_000)), max_size=30),
    distance=st.sampled_from([1000, 20_000, 1 << 20]),
    way=st.sampled_from(list(WAYS)),
)
def test_any_reads_in_any_order(reads: list[tuple[int, int]], distance: int, way: str) -> None:
    data = DATA[:50_000] + bytes(50_000)
    pack, make = WAYS[way]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inflated, "_PLACE_DISTANCE", distance)
        patch.setattr(decompressed, "_KEPT", distance)
        packed = Counted(pack(data))
        source = member(packed, len(data)) if make is member else make(packed)
        for offset, length in reads:
            length = min(length, len(data) - offset)
            buffer = bytearray(length)
            source.read_into(offset, memoryview(buffer))
            assert buffer == data[offset : offset + length]
            assert source.read(offset, length) == buffer


@pytest.mark.parametrize("way", WAYS)
def test_more_threads_than_positions(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflated, "_PLACE_DISTANCE", 25_000)
    monkeypatch.setattr(decompressed, "_KEPT", 25_000)
    pack, make = WAYS[way]
    data = DATA[:200_000]
    packed = Counted(pack(data))
    source = member(packed, len(data)) if make is member else make(packed)
    right: list[bool] = []

    def read(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(10):
            offset = dice.randrange(len(data))
            length = dice.randrange(min(20_000, len(data) - offset) + 1)
            right.append(source.read(offset, length) == data[offset : offset + length])

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(MOST + 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 10 * (MOST + 3)
    if isinstance(source, InflatedMember):
        # Each place is remembered once, whoever came by first.
        places = [place.position for place in source._places]
        assert places == list(range(0, 25_000 * len(places), 25_000))
        assert len(places) >= 8
        assert len(source._positions._idle) <= MOST


def held_up(
    source: ByteSource, packed: Counted, chunk: int
) -> tuple[threading.Thread, list[bytes]]:
    """A reader that waits for some compressed bytes; and what it gets."""
    packed.held[chunk << 16] = threading.Event()
    found: list[bytes] = []
    place = (chunk << 16) + 1000
    thread = threading.Thread(target=lambda: found.append(source.read(place, 10)))
    thread.start()
    assert packed.waiting.acquire(timeout=60)
    return thread, found


@pytest.mark.usefixtures("_small")
def test_nobody_waits_for_another_while_there_is_a_position() -> None:
    packed = Counted(deflated(DATA))
    source = member(packed)
    threads = [held_up(source, packed, chunk) for chunk in range(2, 1 + MOST)]
    assert source.read(5, 1000) == DATA[5:1005]  # by the last position
    threads.append(held_up(source, packed, 10))
    # Now that all are taken, one more has to wait, and gets its bytes in the end.
    late: list[bytes] = []
    waiting = threading.Thread(target=lambda: late.append(source.read(7, 100)))
    waiting.start()
    for event in packed.held.values():
        event.set()
    for thread, found in [*threads, (waiting, late)]:
        thread.join(60)
        assert len(found) == 1
    assert late == [DATA[7:107]]
    assert len(source._positions._idle) <= MOST


def test_a_failed_read_takes_no_position_with_it() -> None:
    packed = Counted(deflated(DATA))
    source = member(packed)
    packed.broken = True
    for _ in range(2 * MOST):
        with pytest.raises(CheckpointError, match="gone"):
            source.read(0, 100)
    packed.broken = False
    assert source.read(100, 100) == DATA[100:200]
