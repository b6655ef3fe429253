"""What every test may use."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from installed import Installation, build_wheel, install

# Before any Qt import: tests need no screen, unless a real one is asked for.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture(scope="session", autouse=True)
def _no_window_of_the_user() -> Iterator[None]:
    """No test meets a window that is open on this machine, nor leaves anything for it."""
    folder = tempfile.mkdtemp(prefix="ti-")  # short, as the paths of sockets have to be
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        yield
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that users install."""
    return build_wheel(tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The installed program, and an empty folder to work in."""
    environment = tmp_path_factory.mktemp("installation") / "environment"
    return install(wheel, environment, tmp_path_factory.mktemp("elsewhere"))


@pytest.fixture(scope="session")
def qapp_cls() -> type:
    """The application of the tests is the program's own."""
    from inspector.gui.application import Application

    return Application
