"""What is dragged with a real pointer between a real file manager and the window, either way."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import torch
from programs import DESKTOP, ICON, file_manager, files_of, inspector
from safetensors.torch import save_file
from screen import Screen, wait_for

pytestmark = DESKTOP

#: The row that is chosen in the tree, while the tree has the keyboard.
CHOSEN = (0x2F, 0x6B, 0xD8)

#: The frame that Thunar draws around a folder into which what is dragged may be dropped.
WELCOME = (0x4E, 0x9A, 0x06)

#: In the middle of the window, and in the file manager's folder below its icons.
IN_WINDOW, IN_FOLDER = (400, 885), (500, 330)

EMPTY = "Tensor Inspector"


def test_checkpoints_and_folders_are_dropped_on_the_window(
    screen: Screen, installed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "home" / "models"
    shards = folder / "sharded"
    shards.mkdir(parents=True)
    for name in "ab":
        torch.save({f"{name}.weight": torch.arange(16.0).reshape(4, 4)}, folder / f"{name}.pt")
    for number in (1, 2):
        shard = shards / f"model-0000{number}-of-00002.safetensors"
        save_file({f"layer.{number}": torch.ones(3, 3)}, shard)
    everything = files_below(folder)

    with (
        file_manager(screen, folder, tmp_path) as manager,
        inspector(screen, installed, title=f"^{EMPTY}$", log=tmp_path) as window,
    ):
        side_by_side(screen, manager, window)
        process = screen.process(window)
        icon = screen.spot(ICON)
        screen.drag(icon, IN_WINDOW, screen.promises_a_copy)
        screen.wait_for_title(window, f"a.weight — a.pt — {EMPTY}")
        assert files_of(process) & everything == {folder / "a.pt"}
        # All of them at once, with the one that is open already, which is not opened twice. The
        # click beside them is what keeps the next one at the icon from being a double-click.
        screen.click(IN_FOLDER)
        screen.press("ctrl+a", manager)
        screen.drag(icon, IN_WINDOW, screen.promises_a_copy)
        wait_for(lambda: files_of(process) >= everything, "the files' being open")
        for _ in ("a.pt", "b.pt", "sharded"):
            assert screen.title(window) != EMPTY
            close_one(screen, window, process, everything)
        screen.wait_for_title(window, EMPTY)
    assert files_below(folder) == everything


def test_what_is_dropped_opens_while_a_large_file_is_being_read(
    screen: Screen, installed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "home" / "models"
    folder.mkdir()
    torch.save({"weight": torch.full((4, 4), float("nan"))}, folder / "small.pt")
    # Puts nothing on the stack and takes it off again, twenty million times.
    whole = pickle.dumps({"array": np.ones((3, 3))}, 2)
    large = tmp_path / "large.pkl"
    large.write_bytes(whole[:2] + b"N0" * 20_000_000 + whole[2:])

    with (
        file_manager(screen, folder, tmp_path) as manager,
        inspector(screen, installed, large, title=f"^{EMPTY}$", log=tmp_path) as window,
    ):
        side_by_side(screen, manager, window)
        screen.drag(screen.spot(ICON), IN_WINDOW, screen.promises_a_copy)
        screen.wait_for_title(window, f"weight — small.pt — {EMPTY}")
        screen.wait_for_picture()
        screen.press("ctrl+w", window)
        # Had it been read, its array would be chosen and named; were it given up, it were closed.
        screen.wait_for_title(window, f"large.pkl — {EMPTY}")
        assert large in files_of(screen.process(window))


def test_a_tensor_is_dragged_into_a_folder(screen: Screen, installed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "arrays"
    folder.mkdir()
    weight = torch.randn(5, 7, dtype=torch.float64)
    weight[:2] = float("nan")
    torch.save({"layer.weight": weight}, tmp_path / "model.pt")
    title = f"^layer.weight — model.pt — {EMPTY}$"

    with (
        file_manager(screen, folder, tmp_path) as manager,
        inspector(screen, installed, tmp_path / "model.pt", title=title, log=tmp_path) as window,
    ):
        side_by_side(screen, manager, window)
        screen.wait_for_picture()
        screen.bring_to_front(window)
        screen.drag(screen.spot(CHOSEN), IN_FOLDER, lambda: screen.covers(WELCOME).sum() > 1_000)
        target = folder / "layer.weight.npy"
        wait_for(lambda: target.exists(), "the dragged tensor's file")
    assert list(folder.iterdir()) == [target]
    found = np.load(target)
    np.testing.assert_array_equal(found, weight.numpy(), strict=True)


def side_by_side(screen: Screen, manager: str, window: str) -> None:
    screen.place(manager, 0, 480)
    screen.place(window, 500, 770)


def close_one(screen: Screen, window: str, process: int, files: set[Path]) -> None:
    """Close what is chosen of some files."""
    before = files_of(process) & files
    screen.press("ctrl+w", window)
    wait_for(lambda: files_of(process) & files < before, "a file's being closed")


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}
