"""One window for each user and screen: how a launch finds the window that is there.

Every launch tries to lock a file. Whoever gets the lock opens the window, and listens for the
others (`listener`), who hand their files to it and end. The lock is the kernel's, which takes it
back when the process ends in whatever way; so there is no stale lock, whatever the file says. (A
`QLockFile` goes by the process number in it, and believes any other Python that has got it.)

What does not answer is never waited for without an end: the launch then opens its own window.
This module is imported before anything of the window is, and needs QtCore, and QtNetwork only
where there is somebody to talk to.
"""

from __future__ import annotations

import os
import sys
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Final

from PySide6.QtCore import QStandardPaths, qInstallMessageHandler

from inspector.desktop.messages import MOST_BYTES, OPENED, Message, encode, split

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

#: Seconds within which a window answers, or counts as frozen.
_ANSWER: Final = 3.0

#: Seconds for which an answer may be on its way.
_GRACE: Final = 0.5

#: Seconds for which a launch that has the lock may take until it listens: on a cold disk, Qt alone
#: takes several.
_START: Final = 20.0

#: Seconds between two tries.
_PAUSE: Final = 0.02

#: Bytes of a socket's path, at most: the limit of macOS; Linux has four more.
_LONGEST: Final = 103

#: Windows on different screens don't help each other, nor do those that nobody sees.
_SCREEN: Final = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "SESSIONNAME")

#: What the desktop gives to a launch, so that its window may come to the front.
_TOKENS: Final = ("XDG_ACTIVATION_TOKEN", "DESKTOP_STARTUP_ID")


class Lock:
    """A file that is locked by this process, until it is released or the process ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, path: Path) -> Lock | None:
        """Lock a file, which is made if need be; None if another process has locked it.

        Raises
        ------
        OSError
            If the file can't be made, or its file system has no locks.
        """
        # Python's descriptors are not inherited, so no child of ours keeps the lock.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if _lock(descriptor):
                return cls(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def release(self) -> None:
        """Let the next launch have it. The file stays: removing it would be a race."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


if sys.platform == "win32":

    def _lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Place:
    """Where the launches of one user, on one screen, of one version meet.

    Attributes
    ----------
    lock
        The file that the window has locked.
    server
        What the window listens at, as `QLocalServer` takes it.
    """

    lock: Path
    server: str


@dataclass(frozen=True, slots=True)
class Meeting:
    """A place of which this process has the lock, so that it is to listen there."""

    server: str
    lock: Lock


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a launch goes on.

    Attributes
    ----------
    handed_over
        Whether all files are open in the window that was there: this launch has nothing to do.
    paths
        What is left to be opened.
    meeting
        Where to listen for later launches; None if this window is not to.
    is_frozen
        Whether the window that is there does not answer.
    """

    handed_over: bool = False
    paths: Sequence[Path] = ()
    meeting: Meeting | None = None
    is_frozen: bool = False


class _Answer(Enum):
    OPENED = 0
    REFUSED = 1
    NONE = 2


def arrive(
    paths: Sequence[Path],
    tensor: str | None,
    version: str,
    *,
    new_window: bool = False,
    environment: Mapping[str, str] = os.environ,
) -> Arrival:
    """Hand files to the window that is there, or find out that this launch opens one.

    Blocks until the window has answered: some milliseconds, or seconds if it is only starting or
    frozen. No file is opened twice, and none is lost.

    Parameters
    ----------
    paths
        What to open.
    tensor
        The name of the tensor to choose in the last file.
    version
        The program's version: others have windows of their own.
    new_window
        Whether to open a window in any case.
    environment
        Where the screen and the desktop's token are told.
    """
    left = list(paths)
    try:
        place = meeting_place(version, environment)
        if place is None:
            return Arrival(paths=left)
        if new_window:
            return Arrival(paths=left, meeting=_meeting(place, Lock.take(place.lock)))
        token = next(filter(str.isascii, filter(None, map(environment.get, _TOKENS))), "")
        # The working directory is this launch's own.
        for message in split([path.absolute() for path in paths], tensor, token):
            found = _deliver(place, message)
            if found is not _Answer.OPENED:
                lock = found if isinstance(found, Lock) else None
                return Arrival(
                    paths=left, meeting=_meeting(place, lock), is_frozen=found is _Answer.NONE
                )
            del left[: len(message.paths)]
    except OSError:
        # A folder that can't be written to, file system without locks, working directory that is
        # gone: nothing that should keep a window from opening.
        return Arrival(paths=left)
    return Arrival(handed_over=True)


def meeting_place(version: str, environment: Mapping[str, str]) -> Place | None:
    """Where launches with this screen and version meet; None if there is no place for it."""
    kind = QStandardPaths.StandardLocation.RuntimeLocation
    if sys.platform == "win32":  # where that would be the user's own folder, for all to see
        kind = QStandardPaths.StandardLocation.TempLocation
    with _quiet():
        # On Linux, a folder that is the user's alone, or nothing: Qt looks at its mode and owner.
        folder = QStandardPaths.writableLocation(kind)
    if not folder:
        return None
    screen = "\0".join(environment.get(name, "").removesuffix(".0") for name in _SCREEN)
    name = f"tensor-inspector-{version}-{zlib.crc32(os.fsencode(screen)):08x}"
    path = Path(folder) / name
    if len(os.fsencode(path)) > _LONGEST and sys.platform != "win32":
        return None
    # On Windows it is the name of a pipe, which has no folder.
    server = f"{name}-{zlib.crc32(os.fsencode(path)):08x}" if sys.platform == "win32" else str(path)
    return Place(path.with_name(f"{name}.lock"), server)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Qt from complaining that there is no folder of the session."""
    before = qInstallMessageHandler(lambda *_: None)
    try:
        yield
    finally:
        qInstallMessageHandler(before)


def _meeting(place: Place, lock: Lock | None) -> Meeting | None:
    return None if lock is None else Meeting(place.server, lock)


def _deliver(place: Place, message: Message) -> Lock | _Answer:
    """Have the window follow a message, unless there is none: then its lock is ours."""
    until = time.monotonic() + _START
    while time.monotonic() < until:
        lock = Lock.take(place.lock)
        if lock is not None:
            return lock
        answer = _ask(place.server, message)
        if answer is not None:
            return answer
        time.sleep(_PAUSE)
    return _Answer.NONE


def _ask(server: str, message: Message) -> _Answer | None:
    """Send a message and wait for the answer; None if nobody listens, or hangs up instead."""
    from PySide6.QtNetwork import QLocalSocket

    until = time.monotonic() + _ANSWER
    line = encode(replace(message, until=until))
    if len(line) > MOST_BYTES:
        return _Answer.REFUSED
    socket = QLocalSocket()
    socket.setReadBufferSize(len(OPENED) + 1)
    socket.connectToServer(server)
    if not socket.waitForConnected(int(_ANSWER * 1000)):
        errors = QLocalSocket.LocalSocketError
        absent = (errors.ServerNotFoundError, errors.ConnectionRefusedError)
        return None if socket.error() in absent else _Answer.NONE
    socket.write(line)
    while not socket.canReadLine():
        if socket.state() != QLocalSocket.LocalSocketState.ConnectedState:
            return None
        left = until + _GRACE - time.monotonic()
        # If it was this process that was frozen, the answer may be there by now.
        if not socket.waitForReadyRead(max(1, int(left * 1000))) and left <= 0:
            return _Answer.NONE
    return _Answer.OPENED if socket.readLine().data() == OPENED else _Answer.REFUSED
