"""A screen in memory: what is to be seen on it, and the hand that points and types."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pointer import pointer_name

from inspector.gui.theme import NAN

T = TypeVar("T")

#: Red, green and blue.
Rgb = tuple[int, int, int]

#: A row and a column.
Spot = tuple[int, int]

#: Pixels of an icon, or of what is looked at of something larger.
_PATCH = 60

#: Pixels of a colour that may be there by chance.
_FEW = 20

#: Moves of the hand from one place to another.
_STEPS = 12

#: Seconds for which anything on the screen is waited for: other programs start, and the machine
#: may be busy.
PATIENCE = 90


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
            timeout=PATIENCE,
            check=False,
        )
        return done.stdout.splitlines()

    def window_named(self, pattern: str) -> str | None:
        """The window whose title this regular expression describes."""
        found = self.xdotool("search", "--onlyvisible", "--name", pattern)
        assert len(found) <= 1, found
        return found[0] if found else None

    def title(self, window: str) -> str:
        """What a window says of itself."""
        return "".join(self.xdotool("getwindowname", window))

    def wait_for_title(self, window: str, title: str) -> None:
        """Until a window has exactly this title."""
        wait_for(lambda: self.title(window) == title, f"the title {title}")

    def wait_for_picture(self) -> None:
        """Until the picture of a tensor is there, a good part of which is NaN."""
        # Nothing else has this colour.
        wait_for(lambda: self.covers(NAN).sum() > 10_000, "the tensor's picture")

    def process(self, window: str) -> int:
        """Whose window it is."""
        return int(self.xdotool("getwindowpid", window)[0])

    def bring_to_front(self, window: str) -> None:
        """Have a window in front of the others, and give it the keyboard."""
        self.xdotool("windowactivate", "--sync", window)

    def cover(self, window: str) -> None:
        """Bring a window to the front, as large as the screen."""
        self.bring_to_front(window)
        self.xdotool("windowsize", window, "100%", "100%", "windowmove", window, 0, 0)

    def place(self, window: str, column: int, width: int) -> None:
        """Move a window to a column of the screen, and make it as wide, and high."""
        self.xdotool("windowsize", window, width, 700)
        self.xdotool("windowmove", window, column, 40)

        def is_there() -> bool:
            lines = self.xdotool("getwindowgeometry", "--shell", window)
            now = dict(line.split("=") for line in lines)
            # Its frame is told as its own at times.
            return now["WIDTH"] == str(width) and abs(int(now["X"]) - column) < 10

        wait_for(is_there, "a window in its place")

    def covers(self, colour: Rgb) -> np.ndarray[Any, Any]:
        """Which pixels have a colour, bool of (rows, columns)."""
        return (self.pixels() == np.array(colour, np.uint8)).all(axis=2)

    def spot(self, colour: Rgb) -> Spot:
        """The middle of the leftmost thing that has a colour, once it moves no more."""
        seen: list[Spot | None] = [None]

        def look() -> Spot | None:
            seen.append(_middle(self.covers(colour)))
            return seen[-1] if seen[-1] == seen[-2] else None

        return wait_for(look, f"something on the screen of the colour {colour}")

    # The hand -----------------------------------------------------------------------------------

    def press(self, keys: str, window: str | None = None) -> None:
        """Press keys together, in a window that is brought to the front first, or where one is."""
        if window is not None:
            self.bring_to_front(window)
        self.xdotool("key", keys)

    def type(self, text: str) -> None:
        """Type into whatever has the keyboard."""
        self.xdotool("type", text)

    def click(self, spot: Spot) -> None:
        """Move the pointer there, and click."""
        self.xdotool("mousemove", spot[1], spot[0], "click", 1)

    def double_click(self, spot: Spot) -> None:
        """Move the pointer there, and click twice."""
        self.xdotool("mousemove", spot[1], spot[0])
        self.xdotool("click", "--repeat", 2, "--delay", 60, 1)

    def drag(self, start: Spot, end: Spot, is_welcome: Callable[[], bool]) -> None:
        """Take what is there, and move it to another place; drop it once it is welcome there."""
        self.xdotool("mousemove", start[1], start[0], "mousedown", 1)
        for step in range(1, _STEPS + 1):
            row, column = (a + (b - a) * step // _STEPS for a, b in zip(start, end, strict=True))
            self.xdotool("mousemove", column, row)

        def look() -> bool:
            # No hand is quite at rest; and what the drag begins with takes its time.
            self.xdotool("mousemove_relative", 1, 0, "mousemove_relative", "--", -1, 0)
            return is_welcome()

        wait_for(look, "being told that it may be dropped here")
        self.xdotool("mouseup", 1)

    def promises_a_copy(self) -> bool:
        """Whether the pointer says that what is dropped now will be copied."""
        return pointer_name(self.session["DISPLAY"]) in ("dnd-copy", "copy")


def wait_for(look: Callable[[], T | None], what: str) -> T:
    """What is seen once it is something true; programs of others tell nobody that they are done."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def _middle(pixels: np.ndarray[Any, Any]) -> Spot | None:
    """Of the uppermost of the leftmost patches of pixels; None if there are next to none."""
    rows, columns = np.nonzero(pixels)
    if len(rows) < _FEW:
        return None
    near = columns < columns.min() + _PATCH
    rows, columns = rows[near], columns[near]
    near = rows < rows.min() + _PATCH
    return int(rows[near].mean()), int(columns[near].mean())
