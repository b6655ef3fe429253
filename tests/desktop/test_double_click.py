"""A double-click from end to end: a real file manager, a real pointer, the window it opens."""

from __future__ import annotations

from pathlib import Path

import torch
from programs import DESKTOP, ICON, command_of, file_manager, quit_by_key
from screen import Screen, wait_for
from user_session import run

pytestmark = DESKTOP


def test_a_double_click_opens_the_window_with_the_tensors(
    screen: Screen, session: dict[str, str], installed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "home" / "models"
    folder.mkdir()
    weight = torch.arange(16.0).reshape(4, 4)
    weight[:2, :2] = float("nan")
    torch.save({"layer.weight": weight}, folder / "model.ckpt")

    with file_manager(screen, folder, tmp_path):
        screen.double_click(screen.spot(ICON))
        title = "^layer.weight — model.ckpt — Tensor Inspector$"
        window = wait_for(lambda: screen.window_named(title), "the window with the tensor")
        screen.wait_for_picture()
        # By this a task bar knows whose window it is: the entry says the same.
        assert screen.xdotool("search", "--onlyvisible", "--class", "^tensor-inspector$") == [
            window
        ]
        process = screen.process(window)
        assert command_of(process)[1:] == [str(installed), str(folder / "model.ckpt")]
        quit_by_key(screen, window)

    run(session, installed, "--unregister")
    asked = run(session, "gio", "info", "-a", "standard::content-type", folder / "model.ckpt")
    assert "application/zip" in asked.stdout
