"""A user's session of its own: a home folder, and the variables that lead to it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

#: What a session must not have of ours.
_FOREIGN = (
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "QT_QPA_PLATFORM",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
)


def needs(*tools: str) -> pytest.MarkDecorator:
    """Skip, in words, where the desktop's tools are not installed."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def environment_of(home: Path) -> dict[str, str]:
    """The variables of a new user whose home is this folder."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _FOREIGN and not name.startswith("XDG_")
    }
    return {
        **kept,
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        # xdg-mime asks gio, as on most desktops; without any, it asks `file`.
        "XDG_CURRENT_DESKTOP": "GNOME",
    }


def run(environment: dict[str, str], *command: str | Path) -> subprocess.CompletedProcess[str]:
    """A program in a session."""
    return subprocess.run(
        list(map(str, command)),
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def program(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Our program in a session."""
    return run(environment, sys.executable, "-m", "inspector", *arguments)
