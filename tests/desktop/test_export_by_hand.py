"""An export from end to end: by real keys, from the tensor in the window to the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from programs import DESKTOP, inspector
from screen import Screen, wait_for

pytestmark = DESKTOP

DIALOG = "^Export$"

#: The desktop's own dialog for files.
CHOOSING = "^Export to$"


def test_a_tensor_is_exported_or_not_by_keys_alone(
    screen: Screen, installed: Path, tmp_path: Path
) -> None:
    folder, elsewhere = tmp_path / "home" / "models", tmp_path / "home" / "other arrays"
    folder.mkdir()
    elsewhere.mkdir()
    weight = torch.randn(5, 7)
    weight[:2] = float("nan")
    torch.save({"layer.weight": weight}, folder / "model.pt")
    title = "^layer.weight — model.pt — Tensor Inspector$"

    with inspector(screen, installed, folder / "model.pt", title=title, log=tmp_path) as window:
        screen.wait_for_picture()
        come(screen, DIALOG, "ctrl+e", window)
        screen.type("not this")
        go(screen, DIALOG, "Escape")
        assert names(folder) == {"model.pt"}

        come(screen, DIALOG, "ctrl+e", window)
        screen.press("ctrl+a")
        screen.type("typed.npy")
        go(screen, DIALOG, "Return")
        wait_for(lambda: (folder / "typed.npy").exists(), "the typed file")

        dialog = come(screen, DIALOG, "ctrl+e", window)
        screen.press("Tab")
        come(screen, CHOOSING, "space")
        screen.press("ctrl+a")
        screen.type(str(elsewhere / "Chosen_1.npy"))
        go(screen, CHOOSING, "Return")
        screen.bring_to_front(dialog)
        go(screen, DIALOG, "Return")
        wait_for(lambda: (elsewhere / "Chosen_1.npy").exists(), "the chosen file")
    assert names(folder) == {"model.pt", "typed.npy"}
    assert names(elsewhere) == {"Chosen_1.npy"}
    for path in (folder / "typed.npy", elsewhere / "Chosen_1.npy"):
        np.testing.assert_array_equal(np.load(path), weight.numpy(), strict=True)


def come(screen: Screen, title: str, keys: str, window: str | None = None) -> str:
    """Have a dialog come up by keys, until it has the keyboard itself."""
    screen.press(keys, window)
    dialog = wait_for(lambda: screen.window_named(title), f"the dialog {title}")
    wait_for(lambda: screen.xdotool("getactivewindow") == [dialog], "its being active")
    return dialog


def go(screen: Screen, title: str, keys: str) -> None:
    """End a dialog by keys."""
    screen.press(keys)
    wait_for(lambda: screen.window_named(title) is None, f"the end of the dialog {title}")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
