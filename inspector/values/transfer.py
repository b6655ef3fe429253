"""From a device's memory to the processor's: in blocks, through two staging buffers.

What needs a device is behind `Mover`; the order of things, and what becomes of failures, is in
`Transfer`, which a test drives without any device.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

from inspector.checkpoints.errors import TensorError

if TYPE_CHECKING:
    import torch

#: Bytes of a staging buffer. Each takes a device some hundred times longer to fill than it takes
#: to be told to, and two of them are all the memory that a tensor of any size needs.
BLOCK: Final = 16 << 20

#: Bytes from which on torch's several threads copy: one alone is slower than a fast bus, but
#: calling them together takes longer than it takes to copy a little.
_SHARED: Final = 4 << 20

#: torch's modules of devices on which a thread may compute in a stream of its own.
_WITH_STREAMS: Final = ("cuda", "xpu", "hpu", "npu", "mtia")


class Ticket(Protocol):
    """A copy that was begun."""

    def synchronize(self) -> None:
        """Wait until it has ended, without the GIL."""


class Mover(Protocol):
    """What differs between devices: one of them, as `Transfer` needs it.

    Its methods are called by one thread at a time, and raise RuntimeError where the device, or the
    memory for a buffer, fails them.
    """

    @property
    def name(self) -> str:
        """``cuda:0``."""

    def buffer(self, nbytes: int, *, pinned: bool) -> torch.Tensor:
        """A uint8 tensor on the CPU; into a pinned one, the device writes by itself."""

    def follow(self) -> None:
        """Let the copies from now on see all that the program has asked of the device so far."""

    def start(self, storage: torch.UntypedStorage, offset: int, target: torch.Tensor) -> Ticket:
        """Begin to fill ``target`` with a storage's bytes from ``offset`` on.

        It takes no memory on the device and waits for nothing but what `follow` said.
        """


class Transfer:
    """Copies bytes from one device. For any thread; they take turns.

    Parameters
    ----------
    block
        Bytes of each of the two staging buffers, which are made when they are needed.
    """

    def __init__(self, mover: Mover, block: int = BLOCK) -> None:
        self._mover: Final = mover
        self._block: Final = block
        self._lock: Final = threading.Lock()
        self._stages: list[torch.Tensor] = []
        self._pinned = True

    @property
    def name(self) -> str:
        """The device: ``cuda:0``."""
        return self._mover.name

    def copy(self, storage: torch.UntypedStorage, offset: int, buffer: memoryview) -> None:
        """Fill the writable ``buffer`` with a storage's bytes from ``offset`` on.

        The range has to be inside the storage.

        Raises
        ------
        TensorError
            If the device or the memory fails; it says which.
        """
        if not len(buffer):
            return
        import torch

        target = torch.frombuffer(buffer, dtype=torch.uint8)
        with self._lock:
            try:
                self._mover.follow()
                self._run(storage, offset, target)
            except (RuntimeError, MemoryError) as error:
                # A copy may be under way into them; torch keeps their memory until it has ended.
                self._stages.clear()
                raise _failed(self.name, error) from error

    def _run(self, storage: torch.UntypedStorage, offset: int, target: torch.Tensor) -> None:
        """While the device fills one buffer, the other one is emptied."""
        begun: tuple[Ticket, torch.Tensor, torch.Tensor] | None = None
        for number, start in enumerate(range(0, len(target), self._block)):
            part = target[start : start + self._block]
            stage = self._stage(number % 2)[: len(part)]
            ticket = self._mover.start(storage, offset + start, stage)
            if begun is not None:
                _finish(*begun)
            begun = ticket, stage, part
        if begun is not None:
            _finish(*begun)

    def _stage(self, number: int) -> torch.Tensor:
        if number == len(self._stages):
            self._stages.append(self._new_stage())
        return self._stages[number]

    def _new_stage(self) -> torch.Tensor:
        if self._pinned:
            try:
                return self._mover.buffer(self._block, pinned=True)
            except RuntimeError:
                # Slower, but it comes to the same: the system has no more memory to pin.
                self._pinned = False
        return self._mover.buffer(self._block, pinned=False)


def _finish(ticket: Ticket, stage: torch.Tensor, part: torch.Tensor) -> None:
    ticket.synchronize()
    if len(part) < _SHARED:
        part.numpy()[:] = stage.numpy()
    else:
        part.copy_(stage)


def _failed(device: str, error: Exception) -> TensorError:
    reason = str(error).partition("\n")[0].strip() or type(error).__name__
    if isinstance(error, MemoryError) or "out of memory" in reason.lower():
        return TensorError(
            f"There is not enough memory to fetch the tensor from {device}: {reason}",
            advice="Free some of the device's memory, or of the computer's, and try again.",
        )
    return TensorError(
        f"The tensor could not be fetched from {device}: {reason}",
        advice="If the device itself has failed, the program that uses it must be started again.",
    )


class StreamMover:
    """A device with streams and events: cuda, and those made like it. A `Mover`.

    Copies run in a stream of their own. It waits, on the device, for what was asked for before;
    nothing else waits for anything.

    Parameters
    ----------
    module
        torch's for such devices: ``torch.cuda``.
    program
        The stream in which the program computes; None if it is the device's default one.
    """

    def __init__(self, device: torch.device, module: Any, program: object = None) -> None:
        self._device: Final = device
        self._module: Final = module
        self._program: Final = program
        self._stream: Any = None

    @property
    def name(self) -> str:
        """``cuda:0``."""
        return str(self._device)

    def buffer(self, nbytes: int, *, pinned: bool) -> torch.Tensor:
        """See `Mover`."""
        return _buffer(nbytes, pinned=pinned)

    def follow(self) -> None:
        """See `Mover`."""
        if self._stream is None:
            self._stream = self._module.Stream(device=self._device)
        # This thread's stream is the device's default one, unless it was told otherwise.
        for stream in (self._program, self._module.current_stream(self._device)):
            if stream is None:
                continue
            event = self._module.Event()
            event.record(stream)
            self._stream.wait_event(event)

    def start(self, storage: torch.UntypedStorage, offset: int, target: torch.Tensor) -> Ticket:
        """See `Mover`."""
        with self._module.stream(self._stream):
            target.copy_(_view(storage, offset, len(target), self._device), non_blocking=True)
            # Waiting for it leaves the processor to others, not only the GIL.
            options = {"blocking": True} if self._device.type == "cuda" else {}
            event = self._module.Event(**options)
            event.record(self._stream)
        ticket: Ticket = event
        return ticket


class PlainMover:
    """A device of which torch copies one piece after the other, such as mps. A `Mover`."""

    def __init__(self, device: torch.device) -> None:
        self._device: Final = device

    @property
    def name(self) -> str:
        """``mps:0``."""
        return str(self._device)

    def buffer(self, nbytes: int, *, pinned: bool) -> torch.Tensor:
        """See `Mover`."""
        return _buffer(nbytes, pinned=pinned)

    def follow(self) -> None:
        """Its copies wait for what was asked for before by themselves."""

    def start(self, storage: torch.UntypedStorage, offset: int, target: torch.Tensor) -> Ticket:
        """See `Mover`."""
        target.copy_(_view(storage, offset, len(target), self._device))
        return _Done()


class _Done:
    def synchronize(self) -> None:
        """The copy has ended."""


def current_streams() -> dict[str, object]:
    """The streams in which the calling thread computes, by the devices' names.

    Only of devices that the program uses already; none is woken up for it.
    """
    torch = sys.modules.get("torch")
    streams: dict[str, object] = {}
    for kind in _WITH_STREAMS:
        module = getattr(torch, kind, None)
        if module is not None and getattr(module, "is_initialized", bool)():
            for number in range(module.device_count()):
                streams[f"{kind}:{number}"] = module.current_stream(number)
    return streams


def mover_of(device: torch.device, program: object) -> Mover:
    """What copies from a device; see `StreamMover` for ``program``."""
    import torch

    module = getattr(torch, device.type, None)
    if all(hasattr(module, name) for name in ("Stream", "Event", "stream", "current_stream")):
        return StreamMover(device, module, program)
    return PlainMover(device)


def _buffer(nbytes: int, *, pinned: bool) -> torch.Tensor:
    import torch

    return torch.empty(nbytes, dtype=torch.uint8, device="cpu", pin_memory=pinned)


def _view(
    storage: torch.UntypedStorage, offset: int, length: int, device: torch.device
) -> torch.Tensor:
    """Some bytes of a storage, where they are: no memory, no computation."""
    import torch

    # Not `set_` with a length: it would make a storage larger that was freed in between.
    whole = torch.empty(0, dtype=torch.uint8, device=device).set_(storage)
    part = whole[offset : offset + length]
    if len(part) != length:
        raise RuntimeError("its storage was freed or made smaller meanwhile")
    return part
