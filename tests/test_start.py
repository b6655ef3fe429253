"""The window shows a file's tensors before torch is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import torch

SCRIPT = Path(__file__).parent / "benchmarks" / "start.py"


def test_a_thousand_tensors_are_painted_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "thousand.pt"
    torch.save({f"block.{n // 10}.part{n % 10}.weight": torch.ones(2) for n in range(1000)}, path)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(path)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["tensors"] == 1000
    assert report["rows"] > 1
    assert report["visible"]
    assert not report["torch"]
