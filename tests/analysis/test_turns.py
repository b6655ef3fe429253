"""Who gets one of the places for work on a block."""

from __future__ import annotations

import threading

import pytest

from inspector.analysis import blocks, turns
from inspector.analysis.blocks import work_together


@pytest.fixture
def one_place(monkeypatch: pytest.MonkeyPatch) -> turns._Places:
    """As on a machine with one core."""
    only = turns._Places(1)
    monkeypatch.setattr(blocks, "at_work", only)
    return only


def test_who_waits_goes_before_who_comes_back(one_place: turns._Places) -> None:
    order: list[str] = []

    def wait() -> None:
        with one_place:
            order.append("who waits")

    with one_place:
        thread = threading.Thread(target=wait)
        thread.start()
        while not one_place._waiting:
            threading.Event().wait(0.001)
    with one_place:
        order.append("who comes back")
    thread.join()
    assert order == ["who waits", "who comes back"]


def test_what_fails_leaves_its_place(one_place: turns._Places) -> None:
    def fail(_: int) -> None:
        raise ValueError

    for _ in range(2):
        with pytest.raises(ValueError):
            work_together(iter([1, 2]), [fail, fail])
    with one_place:
        pass
