"""Takes the README's screenshots: ``python resources/make_screenshots.py``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RESOURCES = Path(__file__).parent

SHOTS = {
    "light": ("model.stripes.weight", "light"),
    "dark": ("model.stem.weight", "dark"),
}


def main() -> None:
    """Write every picture, each from a process of its own."""
    folder = RESOURCES / "screenshots"
    folder.mkdir(exist_ok=True)
    for name, (tensor, theme) in SHOTS.items():
        target = folder / f"{name}.png"
        command = [sys.executable, "-m", "inspector", str(RESOURCES / "sample.pt")]
        options = ["--tensor", tensor, "--theme", theme, "--size", "1280x800"]
        subprocess.run([*command, "--screenshot", str(target), *options], check=True)
        print(target)


if __name__ == "__main__":
    main()
