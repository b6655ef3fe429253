"""A double-click from end to end: a real file manager, a real pointer, the window it opens."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from installed import Installation
from screen import TOOLS, Screen, command_of, desktop, file_manager, is_running, wait_for
from user_session import environment_of, needs, run

from inspector.gui.theme import NAN

pytestmark = needs(*TOOLS, "gio", "update-mime-database", "update-desktop-database")

#: A colour of the cells in our icon of documents, which nothing else on the screen has.
ICON = (0xFD, 0xD9, 0x75)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A new user. The paths of sockets have to be short."""
    with tempfile.TemporaryDirectory(prefix="run-") as runtime:
        made = environment_of(tmp_path / "home")
        made.pop("PYTHONPATH", None)
        made |= {"XDG_RUNTIME_DIR": runtime, "LC_ALL": "C.UTF-8", "NO_AT_BRIDGE": "1"}
        made |= {"XDG_CURRENT_DESKTOP": "XFCE"}
        yield made


@pytest.fixture
def screen(session: dict[str, str], tmp_path: Path) -> Iterator[Screen]:
    """The user's screen."""
    folder = tmp_path / "screen"
    folder.mkdir()
    with desktop(session, folder) as made:
        yield made


def test_a_double_click_opens_the_window_with_the_tensors(
    screen: Screen, session: dict[str, str], installation: Installation, tmp_path: Path
) -> None:
    command = installation.program("tensor-inspector")
    registered = run(session, command, "--register")
    assert (registered.returncode, registered.stderr) == (0, "")
    folder = tmp_path / "home" / "models"
    folder.mkdir()
    weight = torch.arange(16.0).reshape(4, 4)
    weight[:2, :2] = float("nan")
    torch.save({"layer.weight": weight}, folder / "model.ckpt")

    with file_manager(screen, folder, tmp_path):
        wait_for(lambda: screen.window_named("^models - Thunar$"), "the file manager")
        screen.double_click(*_icon_at_rest(screen))
        title = "^layer.weight — model.ckpt — Tensor Inspector$"
        window = wait_for(lambda: screen.window_named(title), "the window with the tensor")
        # A quarter of the picture is NaN, in a colour that nothing else has.
        wait_for(lambda: _count(screen, NAN) > 10_000 or None, "the tensor's picture")
        # By this a task bar knows whose window it is: the entry says the same.
        assert screen.xdotool("search", "--onlyvisible", "--class", "^tensor-inspector$") == [
            window
        ]
        process = int(screen.xdotool("getwindowpid", window)[0])
        assert command_of(process)[1:] == [str(command), str(folder / "model.ckpt")]
        screen.xdotool("windowactivate", "--sync", window)
        screen.xdotool("key", "--window", window, "ctrl+q")
        wait_for(lambda: not is_running(process) or None, "the window's end")

    run(session, command, "--unregister")
    asked = run(session, "gio", "info", "-a", "standard::content-type", folder / "model.ckpt")
    assert "application/zip" in asked.stdout


def _icon_at_rest(screen: Screen) -> tuple[int, int]:
    """Where the icon of a checkpoint is, once its window moves no more."""
    places: list[tuple[int, int] | None] = [None]

    def look() -> tuple[int, int] | None:
        places.append(_icon(screen))
        return places[-1] if places[-1] == places[-2] else None

    return wait_for(look, "the checkpoint's icon in the file manager")


def _icon(screen: Screen) -> tuple[int, int] | None:
    """Where the icon of a checkpoint is, row and column of its middle."""
    rows, columns = np.nonzero(_is(screen, ICON))
    if len(rows) < 20:
        return None
    return int(rows.mean()), int(columns.mean())


def _count(screen: Screen, colour: tuple[int, int, int]) -> int:
    return int(_is(screen, colour).sum())


def _is(screen: Screen, colour: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    """Which pixels have a colour."""
    return (screen.pixels() == np.array(colour, np.uint8)).all(axis=2)
