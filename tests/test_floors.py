"""The floors of the package: who knows whom, and what is never imported."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "resources" / "sample.pt"

#: Reports, as the last line of the output, which of the heavy packages have been imported.
_REPORT = """
import json, sys
names = ("torch", "numpy", "numba", "PySide6", "pyqtgraph")
heavy = [name for name in names if name in sys.modules]
print("\\n" + json.dumps(heavy))
"""


def imported_by(script: str, *arguments: str | Path) -> set[str]:
    """The heavy packages that a script imports, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script + _REPORT, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return set(json.loads(done.stdout.splitlines()[-1]))


def imported_by_command(arguments: Sequence[str | Path]) -> set[str]:
    """The heavy packages that a command line imports."""
    script = "import sys\nfrom inspector.cli import main\nassert main(sys.argv[1:]) == 0\n"
    return imported_by(script, *arguments)


def test_the_report_can_fail() -> None:
    assert imported_by("import numpy") == {"numpy"}


def test_every_contract_is_kept(tmp_path: Path) -> None:
    program = (
        "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--cache-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 kept, 0 broken" in done.stdout


def test_opening_needs_the_standard_library_alone() -> None:
    script = """
import sys
from inspector.checkpoints import open_checkpoint
checkpoint = open_checkpoint(sys.argv[1])
assert checkpoint.entries
checkpoint.close()
"""
    assert imported_by(script, SAMPLE) == set()


def test_importing_the_package_imports_nothing() -> None:
    script = """
import inspector
assert {"show", "to_numpy", "open_checkpoint", "Checkpoint"} <= set(dir(inspector))
assert not hasattr(inspector, "something")
"""
    assert imported_by(script) == set()
    star = "from inspector import *\nassert callable(show) and callable(to_numpy)"
    assert imported_by(star) == {"numpy"}


def test_the_public_functions_import_what_they_need_alone() -> None:
    script = """
import sys, inspector
checkpoint = inspector.open_checkpoint(sys.argv[1])
assert isinstance(checkpoint, inspector.Checkpoint)
assert "numpy" not in sys.modules
found = inspector.to_numpy(checkpoint.entries[0])
assert isinstance(found, inspector.Conversion)
assert inspector.to_numpy(found.array[::-1], (0, ...)).array.tobytes() == found.array[-1].tobytes()
"""
    assert imported_by(script, SAMPLE) == {"numpy"}


def test_opening_a_safetensors_file_needs_the_standard_library_alone(tmp_path: Path) -> None:
    header = json.dumps({"weight": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})
    path = tmp_path / "small.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(8))
    assert imported_by_command([path, "--list"]) == set()


@pytest.mark.parametrize("options", [["--list"], ["--list", "--json"]], ids=" ".join)
def test_list_imports_nothing_heavy(options: list[str]) -> None:
    assert imported_by_command([SAMPLE, *options]) == set()


def test_registering_imports_nothing_heavy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    assert imported_by_command(["--unregister"]) == set()


@pytest.mark.parametrize("name", ["out.npy", "out.npz", "out", "out.csv", "out.safetensors"])
def test_export_imports_numpy_alone(name: str, tmp_path: Path) -> None:
    script = """
import sys
from inspector.checkpoints import open_checkpoint
from inspector.cli import main
name = next(entry.name for entry in open_checkpoint(sys.argv[1]).entries if not entry.shape[1:])
assert main([sys.argv[1], "--export", name, "--output", sys.argv[2]]) == 0
"""
    assert imported_by(script, SAMPLE, tmp_path / name) == {"numpy"}
    assert (tmp_path / name).exists()


def test_the_window_imports_no_torch() -> None:
    assert "torch" not in imported_by("import inspector.app, inspector.gui.tensor_page")
