"""Lanes: the newest request wins, everything ends, and nothing old is ever delivered."""

from __future__ import annotations

import threading

import pytest
from pytestqt.qtbot import QtBot

from inspector.checkpoints.errors import InspectorError, TensorError
from inspector.gui.tasks import Request, Task, TaskRunner


class Inbox:
    """Notes what is delivered, and on which thread."""

    def __init__(self) -> None:
        self.values: list[object] = []
        self.errors: list[InspectorError] = []
        self.partials: list[object] = []
        self.shares: list[float] = []
        self.threads: set[threading.Thread] = set()

    def done(self, value: object) -> None:
        self.threads.add(threading.current_thread())
        self.values.append(value)

    def request(self, work: object, **options: object) -> Request[object]:
        return Request(
            work=work,  # type: ignore[arg-type]
            done=self.done,
            failed=self.errors.append,
            partial=self.partials.append,
            progress=self.shares.append,
            **options,  # type: ignore[arg-type]
        )


def test_a_value_arrives_on_the_gui_thread(qtbot: QtBot, runner: TaskRunner) -> None:
    inbox = Inbox()
    worker: list[threading.Thread] = []

    def work(_: Task) -> int:
        worker.append(threading.current_thread())
        return 7

    runner.submit("lane", inbox.request(work))
    qtbot.waitUntil(lambda: runner.is_idle)
    assert inbox.values == [7]
    assert inbox.threads == {threading.main_thread()}
    assert worker[0] is not threading.main_thread()


def test_a_superseded_result_is_never_delivered(qtbot: QtBot, runner: TaskRunner) -> None:
    inbox = Inbox()
    started, go_on = threading.Event(), threading.Event()

    def slow(_: Task) -> str:
        started.set()
        assert go_on.wait(10)
        return "old"  # although cancelled, it ends with a value

    runner.submit("lane", inbox.request(slow))
    assert started.wait(10)
    runner.submit("lane", inbox.request(lambda _: "new"))
    qtbot.waitUntil(lambda: runner.is_idle)
    go_on.set()
    other = Inbox()
    runner.submit("other", other.request(lambda _: None))
    qtbot.waitUntil(lambda: other.values == [None])
    assert inbox.values == ["new"]


def test_work_sees_at_its_next_check_that_it_was_superseded(
    qtbot: QtBot, runner: TaskRunner
) -> None:
    inbox = Inbox()
    started, ended = threading.Event(), threading.Event()

    def endless(task: Task) -> None:
        started.set()
        try:
            while True:
                task.check()
        finally:
            ended.set()

    runner.submit("lane", inbox.request(endless, bulk=True))
    assert started.wait(10)
    runner.supersede("lane")
    assert ended.wait(10)
    assert runner.is_idle
    assert inbox.values == []
    assert inbox.errors == []


def test_fifty_quick_choices_leave_one_result(qtbot: QtBot, runner: TaskRunner) -> None:
    inbox = Inbox()
    for number in range(50):
        runner.submit("lane", inbox.request(lambda _, number=number: number))
    qtbot.waitUntil(lambda: runner.is_idle)
    assert inbox.values == [49]


def test_lanes_do_not_disturb_each_other(qtbot: QtBot, runner: TaskRunner) -> None:
    inbox = Inbox()
    meet = threading.Barrier(2, timeout=10)

    def work(name: str) -> str:
        meet.wait()
        return name

    runner.submit("a", inbox.request(lambda _: work("a")))
    runner.submit("b", inbox.request(lambda _: work("b")))
    qtbot.waitUntil(lambda: runner.is_idle)
    assert sorted(inbox.values) == ["a", "b"]  # type: ignore[type-var]


def test_quick_work_does_not_wait_for_bulk_work(qtbot: QtBot, runner: TaskRunner) -> None:
    inbox = Inbox()
    go_on = threading.Event()
    for lane in range(5):
        runner.submit(lane, inbox.request(lambda _: go_on.wait(10), bulk=True))
    runner.submit("page", inbox.request(lambda _: "page"))
    qtbot.waitUntil(lambda: inbox.values == ["page"])
    go_on.set()
    qtbot.waitUntil(lambda: runner.is_idle)


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (TensorError("No values."), "No values."),
        (ZeroDivisionError("oops"), "Something went wrong inside"),
        (MemoryError(), "not enough memory"),
    ],
)
def test_every_error_is_delivered(
    qtbot: QtBot, runner: TaskRunner, error: Exception, part: str
) -> None:
    inbox = Inbox()

    def work(_: Task) -> None:
        raise error

    runner.submit("lane", inbox.request(work))
    qtbot.waitUntil(lambda: runner.is_idle)
    assert len(inbox.errors) == 1
    assert part in inbox.errors[0].message
    assert inbox.values == []


def test_partial_results_and_progress_come_first(qtbot: QtBot, runner: TaskRunner) -> None:
    inbox = Inbox()

    def work(task: Task) -> str:
        task.partial("first")
        for step in range(1000):
            task.progress(step / 1000)
        return "last"

    runner.submit("lane", inbox.request(work))
    qtbot.waitUntil(lambda: runner.is_idle)
    assert inbox.partials == ["first"]
    assert inbox.values == ["last"]
    assert 1 <= len(inbox.shares) < 10  # ten times a second at most


def test_cancelling_tells_the_one_who_asked(qtbot: QtBot, runner: TaskRunner) -> None:
    inbox = Inbox()
    told: list[bool] = []
    go_on = threading.Event()
    runner.submit(
        "lane",
        inbox.request(lambda _: go_on.wait(10), title="Work", cancelled=lambda: told.append(True)),
    )
    assert [activity.title for activity in runner.activities] == ["Work"]
    runner.cancel("lane")
    assert told == [True]
    assert runner.activities == ()
    go_on.set()


def test_closing_waits_for_the_workers_and_delivers_nothing_more(qtbot: QtBot) -> None:
    runner = TaskRunner()
    inbox = Inbox()
    started, ended = threading.Event(), threading.Event()

    def work(task: Task) -> None:
        started.set()
        try:
            while True:
                task.check()
        finally:
            ended.set()

    runner.submit("lane", inbox.request(work))
    assert started.wait(10)
    runner.close()
    assert ended.is_set()
    runner.submit("lane", inbox.request(lambda _: 1))
    assert runner.is_idle
    assert inbox.values == []
