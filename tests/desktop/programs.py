"""Programs on a screen in memory: the desktop's own, a file manager, and ours."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from screen import PATIENCE, Screen, wait_for
from user_session import needs

#: Skips, in words, what needs a desktop where there is none.
DESKTOP = needs(
    *("Xvfb", "dbus-daemon", "openbox", "thunar", "xdotool"),
    *("gio", "update-mime-database", "update-desktop-database"),
)

#: A colour of the cells in our icon of documents, which no other icon has.
ICON = (0xFD, 0xD9, 0x75)

_SIZE = "1280x800x24"


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
def file_manager(screen: Screen, folder: Path, log: Path) -> Iterator[str]:
    """Thunar, with a window on a folder: which that is."""
    with _program(["thunar", str(folder)], screen.session, log):
        pattern = f"^{re.escape(folder.name)} - Thunar$"
        yield wait_for(lambda: screen.window_named(pattern), "the file manager")


@contextmanager
def inspector(screen: Screen, program: Path, *paths: Path, title: str, log: Path) -> Iterator[str]:
    """Our program, until it is ended by a key: its window, once that has this title.

    It must not complain of anything.
    """
    with _program([program, *paths], screen.session, log) as running:
        window = wait_for(lambda: screen.window_named(title), f"the window named {title}")
        yield window
        quit_by_key(screen, window)
        assert running.wait(PATIENCE) == 0
    # This desktop has no portal, on which Qt remarks.
    lines = (log / f"{program.name}.log").read_text().splitlines()
    assert [line for line in lines if "org.freedesktop.portal" not in line] == []


def quit_by_key(screen: Screen, window: str) -> None:
    """End our program, and wait until it has ended."""
    process = screen.process(window)
    screen.press("ctrl+q", window)
    wait_for(lambda: not is_running(process), "the program's end")


@contextmanager
def _program(
    command: Sequence[str | Path],
    session: dict[str, str],
    folder: Path,
    output: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs meanwhile; what it complains of is written down."""
    with (folder / f"{Path(command[0]).name}.log").open("w") as log:
        running = subprocess.Popen(
            command,
            env=session,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log if output is None else output,
            stderr=log,
        )
        try:
            yield running
        finally:
            running.terminate()
            running.wait(PATIENCE)


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


def files_of(process: int) -> set[Path]:
    """What a process has open."""
    found = set()
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            found.add(link.readlink())
    return found
