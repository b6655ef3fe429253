"""A new user's desktop, with the installed program on it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from installed import Installation
from programs import desktop
from screen import Screen
from user_session import environment_of, run


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


@pytest.fixture
def installed(session: dict[str, str], installation: Installation) -> Path:
    """The installed program, which checkpoints open with, and whose icon they have."""
    path = installation.program("tensor-inspector")
    registered = run(session, path, "--register")
    assert (registered.returncode, registered.stderr) == (0, "")
    return path
