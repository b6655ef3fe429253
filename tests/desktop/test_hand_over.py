"""One window: what is launched or double-clicked while it is there is opened in it, in front."""

from __future__ import annotations

from pathlib import Path

import torch
from programs import DESKTOP, ICON, file_manager, files_of, inspector
from screen import Screen, wait_for
from user_session import run

from inspector.gui.theme import NAN

pytestmark = DESKTOP


def test_later_launches_and_double_clicks_come_to_the_window_that_is_there(
    screen: Screen, installed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "home" / "models"
    folder.mkdir()
    first, second, third = tmp_path / "a.pt", tmp_path / "b.pt", folder / "c.pt"
    for path in (first, second, third):
        torch.save({f"{path.stem}.weight": torch.full((4, 4), float("nan"))}, path)
    title = "{0}.weight — {0}.pt — Tensor Inspector"

    with (
        file_manager(screen, folder, tmp_path) as manager,
        inspector(screen, installed, first, title=f"^{title.format('a')}$", log=tmp_path) as window,
    ):
        screen.wait_for_picture()
        screen.cover(manager)
        wait_for(lambda: not screen.covers(NAN).any(), "the window's being covered")
        launched = run(screen.session, installed, second)
        assert (launched.returncode, launched.stdout, launched.stderr) == (0, "", "")
        screen.wait_for_title(window, title.format("b"))
        screen.wait_for_picture()

        screen.xdotool("windowminimize", "--sync", window)
        wait_for(lambda: not screen.covers(NAN).any(), "the window's being minimised")
        screen.double_click(screen.spot(ICON))
        screen.wait_for_title(window, title.format("c"))
        screen.wait_for_picture()
        assert screen.xdotool("getactivewindow") == [window]
        assert screen.xdotool("search", "--class", "^tensor-inspector$") == [window]
        assert files_of(screen.process(window)) >= {first, second, third}
