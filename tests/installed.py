"""The program as its users have it: a wheel, installed where no source tree is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Installation:
    """A fresh environment with the wheel in it, and an empty folder to work in."""

    environment: Path
    elsewhere: Path

    def program(self, name: str) -> Path:
        """The path of a program of the environment."""
        return _programs(self.environment) / name

    def run(self, *command: str | Path) -> str:
        """The output of a program of the environment, started where no source tree is."""
        program, *arguments = map(str, command)
        return _run(str(self.program(program)), *arguments, folder=self.elsewhere)


def _run(*command: str, folder: Path) -> str:
    # Nothing is to be found but what is installed.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _programs(environment: Path) -> Path:
    scripts = Path(sysconfig.get_path("scripts", vars={"base": str(environment)}))
    assert scripts.is_relative_to(environment)
    return scripts


def build_wheel(source: Path, target: Path) -> Path:
    """The wheel, built from a copy of the tree; both folders are empty."""
    no_caches = shutil.ignore_patterns("__pycache__")
    for name in ("inspector", "resources"):
        shutil.copytree(ROOT / name, source / name, ignore=no_caches)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    options = ["--wheel", "--no-isolation", "--outdir", str(target)]
    _run(sys.executable, "-m", "build", *options, str(source), folder=source)
    (built,) = target.glob("*.whl")
    return built


def install(wheel: Path, environment: Path, elsewhere: Path) -> Installation:
    """The wheel, installed without a network beside this environment's libraries."""
    _run(sys.executable, "-m", "venv", "--without-pip", str(environment), folder=elsewhere)
    python = str(_programs(environment) / "python")
    pip = [sys.executable, "-m", "pip", "--python", python]
    options = ["--no-deps", "--no-index", "--disable-pip-version-check", "--no-compile"]
    _run(*pip, "install", *options, str(wheel), folder=elsewhere)
    # NumPy, Qt and torch are those of this environment; ours comes first.
    packages = _run(
        python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=elsewhere
    )
    libraries = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    text = "".join(f"{library}\n" for library in sorted(libraries))
    (Path(packages.strip()) / "libraries.pth").write_text(text)
    return Installation(environment, elsewhere)
