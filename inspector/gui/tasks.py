"""Background work: lanes, cancellation, progress, and one way back to the GUI thread."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from inspector.analysis.turns import leave_a_core
from inspector.checkpoints.errors import Cancelled, InspectorError
from inspector.gui.text import Texts

TaskTexts = Texts("TaskTexts")

T = TypeVar("T")

#: Seconds after which a worker that computes in Python hands over to the window. With Python's own
#: 5 ms, a paint that crosses into Qt twenty times waits a tenth of a second beside a scan.
_SWITCH_INTERVAL: Final = 0.0005

#: By how much work stands back behind the window on a busy machine (Unix niceness).
_NICENESS: Final = 10

#: Milliseconds for which a result waits for others where results follow one another, as they do
#: while something is scrolled: a pause between them is shorter than these seconds.
_GATHER: Final = 8
_FOLLOWS: Final = 0.05

#: Seconds for which results are handed over in one turn of the event loop.
_HAND_OVER: Final = 0.004

#: Seconds for which bulk work lets what somebody waits for go first, at the most; between two looks
#: at it; and after it, in which it is painted.
_GIVES_WAY: Final = 0.3
_LOOK: Final = 0.01
_PAINTED: Final = 0.03

#: Seconds between two reports of progress.
_REPORT_EVERY: Final = 0.1


#: Set when the program ends. The public `atexit` would come too late: after Python has waited for
#: the threads of every pool.
_ending: Final = threading.Event()
threading._register_atexit(_ending.set)  # type: ignore[attr-defined]


class Task:
    """What a piece of background work is handed: how to stop, and how to tell how far it is.

    Its methods are for the worker thread.
    """

    def __init__(self, tell: Callable[[Callable[[_Lane], None]], None]) -> None:
        self._tell = tell
        self._stop = threading.Event()
        self._reported = 0.0

    def cancel(self) -> None:
        """Ask the work to stop at its next `check`. May be called from any thread."""
        self._stop.set()

    def check(self) -> None:
        """Call at every block.

        Raises
        ------
        Cancelled
            If nobody wants the result any more, or the program ends: a session may end with its
            windows open, and Python waits for the workers.
        """
        if self._stop.is_set() or _ending.is_set():
            raise Cancelled

    def progress(self, share: float) -> None:
        """Report progress from 0 to 1; passed on ten times a second at most."""
        now = time.monotonic()
        if now - self._reported >= _REPORT_EVERY:
            self._reported = now
            self._tell(lambda lane: lane.on_progress(share))

    def partial(self, value: object) -> None:
        """Hand over a first result while the work goes on."""
        self._tell(lambda lane: lane.on_partial(value))


def _ignore(_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """A piece of background work and what becomes of it.

    Attributes
    ----------
    work
        Runs in a worker thread. It must capture all that it needs, and touch no widget.
    done, failed
        Exactly one of them is called, on the GUI thread, unless the request is superseded or
        cancelled.
    partial, progress
        Called on the GUI thread while the work goes on.
    cancelled
        Called on the GUI thread when the user cancelled it (not when it was superseded).
    bulk
        Whether it may take long (a scan, an export); such work has threads of its own, so that
        pages and pictures never wait for it.
    title
        What the status bar says while it runs; empty for work that is not worth a word.
    """

    work: Callable[[Task], T]
    done: Callable[[T], None]
    failed: Callable[[InspectorError], None]
    partial: Callable[[Any], None] = _ignore
    progress: Callable[[float], None] = _ignore
    cancelled: Callable[[], None] | None = None
    bulk: bool = False
    title: str = ""


class _Lane:
    """What one lane is doing. Lives on the GUI thread."""

    def __init__(self, request: Request[Any], task: Task, on_progress: Callable[[], None]) -> None:
        self.request = request
        self.task = task
        self.share = 0.0
        self._changed = on_progress

    def on_progress(self, share: float) -> None:
        self.share = share
        self.request.progress(share)
        self._changed()

    def on_partial(self, value: object) -> None:
        self.request.partial(value)


@dataclass(frozen=True, slots=True)
class _Message:
    """From a worker to the GUI thread, about one lane at one generation."""

    key: Hashable
    generation: int
    deliver: Callable[[_Lane], None]
    final: bool = False


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that runs, for the status bar."""

    key: Hashable
    title: str
    share: float


class TaskRunner(QObject):
    """Runs requests in lanes: a new request in a lane supersedes the one before it.

    Lives on the GUI thread, and every method is for that thread. A result reaches its callback
    only while its request is still the lane's newest.
    """

    #: Something began, went on or ended.
    changed = Signal()
    _message = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        _switch_often.begin()
        # Figures and two profiles of a tensor of any size may take for ever; an export still runs.
        self._quick, self._bulk = (
            ThreadPoolExecutor(count, thread_name_prefix=name, initializer=_stand_back)
            for count, name in ((2, "quick"), (4, "bulk"))
        )
        self._lanes: dict[Hashable, _Lane] = {}
        self._generations: dict[Hashable, int] = {}
        self._closed = False
        #: Lanes with work that somebody waits for; workers look at it.
        self._urgent = 0
        self._inbox: deque[_Message] = deque()
        self._handed_over = 0.0
        self._turn = QTimer(self, singleShot=True)
        self._turn.timeout.connect(self._deliver_waiting)
        self._message.connect(self._receive)

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not self._lanes

    @property
    def activities(self) -> tuple[Activity, ...]:
        """What runs and has a title, oldest first."""
        return tuple(
            Activity(key, lane.request.title, lane.share)
            for key, lane in self._lanes.items()
            if lane.request.title
        )

    def is_running(self, key: Hashable) -> bool:
        """Whether a lane has work that runs or waits."""
        return key in self._lanes

    def submit(self, key: Hashable, request: Request[T]) -> None:
        """Start a request, superseding what its lane was doing."""
        if self._closed:
            return
        self.supersede(key)
        generation = self._generations.get(key, 0) + 1
        self._generations[key] = generation
        task = Task(lambda deliver: self._message.emit(_Message(key, generation, deliver)))
        self._lanes[key] = _Lane(request, task, self.changed.emit)
        self._count_urgent()
        pool = self._bulk if request.bulk else self._quick
        if not request.bulk:  # somebody waits for it
            leave_a_core()
        pool.submit(self._run, key, generation, request, task)
        self.changed.emit()

    def supersede(self, key: Hashable) -> None:
        """Stop what a lane is doing, and forget it without a word."""
        lane = self._lanes.pop(key, None)
        if lane is not None:
            lane.task.cancel()
            self._generations[key] += 1
            self._count_urgent()
            self.changed.emit()

    def cancel(self, key: Hashable) -> None:
        """Stop what a lane is doing because the user asked for it."""
        lane = self._lanes.get(key)
        self.supersede(key)
        if lane is not None and lane.request.cancelled is not None:
            lane.request.cancelled()

    def close(self) -> None:
        """Cancel everything and wait until the workers have stopped. Nothing is delivered later."""
        if self._closed:
            return
        self._closed = True
        for key in list(self._lanes):
            self.supersede(key)
        for pool in (self._quick, self._bulk):
            pool.shutdown(wait=True, cancel_futures=True)
        _switch_often.end()

    def _run(self, key: Hashable, generation: int, request: Request[T], task: Task) -> None:
        """In a worker: the work, and its end as a message."""
        deliver: Callable[[_Lane], None]
        try:
            task.check()
            if request.bulk:
                self._give_way(task)
            deliver = partial(_deliver_value, value=request.work(task))
        except Cancelled:
            deliver = _deliver_nothing
        except InspectorError as error:
            deliver = partial(_deliver_error, error=error)
        except Exception as error:  # noqa: BLE001 - the user sees it, with all its details
            deliver = partial(_deliver_error, error=_unexpected(error))
        self._message.emit(_Message(key, generation, deliver, final=True))

    def _give_way(self, task: Task) -> None:
        """Wait for what somebody waits for: with more threads, all of it would take longer."""
        ends = time.monotonic() + _GIVES_WAY
        while self._urgent and time.monotonic() < ends:
            time.sleep(_LOOK)
            task.check()
            if not self._urgent:
                time.sleep(_PAINTED)
        task.check()

    def _count_urgent(self) -> None:
        self._urgent = sum(not lane.request.bulk for lane in self._lanes.values())

    @Slot(object)
    def _receive(self, message: _Message) -> None:
        """Take a message, which waits a moment for those that come with it.

        Each of them changes widgets, and to paint these once for all of them is most of the saving:
        a row, a column and a page of values come within the same few milliseconds.
        """
        self._inbox.append(message)
        if not self._turn.isActive():
            self._turn.start(_GATHER if time.monotonic() - self._handed_over < _FOLLOWS else 0)

    def _deliver_waiting(self) -> None:
        """Hand over what has come; if that takes longer than anybody should wait, a part of it."""
        ends = time.monotonic() + _HAND_OVER
        while self._inbox and time.monotonic() < ends:
            self._deliver(self._inbox.popleft())
        self._handed_over = time.monotonic()
        if self._inbox:
            self._turn.start(0)

    def _deliver(self, message: _Message) -> None:
        lane = self._lanes.get(message.key)
        if lane is None or self._generations[message.key] != message.generation:
            return
        if message.final:
            del self._lanes[message.key]
            self._count_urgent()
        message.deliver(lane)
        if message.final:
            self.changed.emit()


class _SwitchOften:
    """Has threads take turns often while there is a runner; afterwards as the program had it."""

    def __init__(self) -> None:
        self._runners = 0
        self._before = 0.0

    def begin(self) -> None:
        """A runner more."""
        if not self._runners:
            self._before = sys.getswitchinterval()
            sys.setswitchinterval(_SWITCH_INTERVAL)
        self._runners += 1

    def end(self) -> None:
        """A runner less."""
        self._runners -= 1
        if not self._runners:
            sys.setswitchinterval(self._before)


_switch_often: Final = _SwitchOften()


def _stand_back() -> None:
    """Lower this thread's priority where threads have their own (Linux)."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def _deliver_value(lane: _Lane, value: object) -> None:
    lane.request.done(value)


def _deliver_error(lane: _Lane, error: InspectorError) -> None:
    lane.request.failed(error)


def _deliver_nothing(_: _Lane) -> None:
    pass


def _unexpected(error: Exception) -> InspectorError:
    details = "".join(traceback.format_exception(error))
    if isinstance(error, MemoryError):
        return InspectorError(TaskTexts.tr("There is not enough memory for this."), where=details)
    return InspectorError(
        TaskTexts.tr("Something went wrong inside Tensor Inspector: {error}", error=repr(error)),
        where=details,
        advice=TaskTexts.tr("Please report it, with these details."),
    )
