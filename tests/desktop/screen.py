"""A screen in memory with a desktop on it: Xvfb, a message bus, a window manager."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

#: What it takes.
TOOLS = ("Xvfb", "dbus-daemon", "openbox", "thunar", "xdotool")

_SIZE = "1280x800x24"

#: Seconds for which anything on the screen is waited for: other programs start, and the machine
#: may be busy.
_PATIENCE = 90


@dataclass(frozen=True, slots=True)
class Screen:
    """What is on the screen, and the hand that points at it.

    Attributes
    ----------
    session
        The environment variables of programs on it.
    memory
        The file in which Xvfb keeps the pixels.
    """

    session: dict[str, str]
    memory: Path

    def pixels(self) -> np.ndarray[Any, Any]:
        """Red, green and blue of every pixel now, uint8 of (rows, columns, 3)."""
        data = self.memory.read_bytes()
        # https://www.x.org/releases/X11R7.7/doc/man/man5/XWD.5.xhtml: big-endian words.
        head = np.frombuffer(data, ">u4", 25)
        width, height, pitch = int(head[4]), int(head[5]), int(head[12])
        assert head[11] == 32
        start = int(head[0]) + 12 * int(head[19])
        rows = np.frombuffer(data, np.uint8, height * pitch, start).reshape(height, pitch)
        return rows[:, : width * 4].reshape(height, width, 4)[:, :, 2::-1]

    def xdotool(self, *arguments: str | int) -> list[str]:
        """Words of xdotool's answer; none if it finds nothing."""
        done = subprocess.run(
            ["xdotool", *map(str, arguments)],
            env=self.session,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        return done.stdout.splitlines()

    def window_named(self, pattern: str) -> str | None:
        """The window whose title this regular expression describes."""
        found = self.xdotool("search", "--onlyvisible", "--name", pattern)
        assert len(found) <= 1, found
        return found[0] if found else None

    def double_click(self, row: int, column: int) -> None:
        """Move the pointer there, and click twice."""
        self.xdotool("mousemove", column, row)
        self.xdotool("click", "--repeat", 2, "--delay", 60, 1)


@contextmanager
def desktop(session: dict[str, str], folder: Path) -> Iterator[Screen]:
    """A screen with a window manager; all that runs on it ends with it.

    Parameters
    ----------
    session
        The variables of the user's session.
    folder
        An empty one.
    """
    with ExitStack() as running:
        with (folder / "display").open("w+") as display:
            options = ["-displayfd", "1", "-screen", "0", _SIZE, "-fbdir", str(folder), "-noreset"]
            running.enter_context(_program(["Xvfb", *options], session, folder, display.fileno()))
            number = wait_for(lambda: _line(folder / "display"), "a screen")
        with (folder / "bus").open("w+") as bus:
            options = ["--session", "--nofork", "--nopidfile", "--print-address=1"]
            running.enter_context(
                _program(["dbus-daemon", *options], session, folder, bus.fileno())
            )
            address = wait_for(lambda: _line(folder / "bus"), "a message bus")
        session = {**session, "DISPLAY": f":{number}", "DBUS_SESSION_BUS_ADDRESS": address}
        running.enter_context(_program(["openbox"], session, folder))
        yield Screen(session, folder / "Xvfb_screen0")


@contextmanager
def file_manager(screen: Screen, folder: Path, log: Path) -> Iterator[None]:
    """Thunar, with a window on a folder."""
    with _program(["thunar", str(folder)], screen.session, log):
        yield


def wait_for(look: Callable[[], T | None], what: str) -> T:
    """What there is once there is something; programs of others tell nobody when they are done."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        found = look()
        if found is not None:
            return found
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


@contextmanager
def _program(
    command: Sequence[str], session: dict[str, str], folder: Path, output: int | None = None
) -> Iterator[None]:
    """A program that runs meanwhile; what it complains of is written down."""
    with (folder / f"{command[0]}.log").open("w") as log:
        running = subprocess.Popen(
            command,
            env=session,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log if output is None else output,
            stderr=log,
        )
        try:
            yield
        finally:
            running.terminate()
            running.wait(_PATIENCE)


def _line(path: Path) -> str | None:
    """The first line of a file, once it is complete."""
    text = path.read_text()
    return text.splitlines()[0] if text.endswith("\n") else None


def is_running(process: int) -> bool:
    """Whether a process is there that is not merely waiting to be buried."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def command_of(process: int) -> list[str]:
    """What a process was started with."""
    return [
        os.fsdecode(word)
        for word in Path(f"/proc/{process}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    ]
