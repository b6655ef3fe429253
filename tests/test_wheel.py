"""The wheel carries what the program needs, and works where there is no source tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Installation:
    """A fresh environment with the wheel in it, and an empty folder to work in."""

    environment: Path
    elsewhere: Path

    def run(self, *command: str | Path) -> str:
        """The output of a program of the environment, started where no source tree is."""
        program, *arguments = map(str, command)
        return _run(str(_programs(self.environment) / program), *arguments, folder=self.elsewhere)


def _run(*command: str, folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _programs(environment: Path) -> Path:
    scripts = Path(sysconfig.get_path("scripts", vars={"base": str(environment)}))
    assert scripts.is_relative_to(environment)
    return scripts


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the tree."""
    source = tmp_path_factory.mktemp("source")
    no_caches = shutil.ignore_patterns("__pycache__")
    for name in ("inspector", "resources"):
        shutil.copytree(ROOT / name, source / name, ignore=no_caches)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, source)
    target = tmp_path_factory.mktemp("wheel")
    options = ["--wheel", "--no-isolation", "--outdir", str(target)]
    _run(sys.executable, "-m", "build", *options, str(source), folder=source)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The wheel, installed without a network beside this environment's libraries."""
    environment = tmp_path_factory.mktemp("installation") / "environment"
    elsewhere = tmp_path_factory.mktemp("elsewhere")
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


@pytest.mark.parametrize(
    "name",
    [
        "icon.svg",
        "document.svg",
        "sample.pt",
        "tensor-inspector.xml",
        "tensor-inspector.desktop",
        "icons/document-48.png",
        "icons/document.ico",
        "icons/icon.icns",
    ],
)
def test_resources_are_inside_the_package(installation: Installation, name: str) -> None:
    script = (
        "import inspector; from inspector.resources import resource_path;"
        f"print(inspector.__file__); print(resource_path({name!r}))"
    )
    package, found = map(Path, installation.run("python", "-c", script).splitlines())
    assert package.is_relative_to(installation.environment)
    assert found.is_relative_to(package.parent)
    assert found.read_bytes() == (ROOT / "resources" / name).read_bytes()


def test_the_command_lists_the_packaged_sample(installation: Installation) -> None:
    script = "from inspector.resources import resource_path; print(resource_path('sample.pt'))"
    sample = installation.run("python", "-c", script).strip()
    listed = installation.run("tensor-inspector", sample, "--list")
    assert "torch zip" in listed.splitlines()[0]
    assert "float32" in listed


def test_the_command_exports(installation: Installation) -> None:
    sample = ROOT / "resources" / "sample.pt"
    script = (
        "import sys; from inspector.checkpoints import open_checkpoint;"
        "print(open_checkpoint(sys.argv[1]).entries[0].name)"
    )
    name = installation.run("python", "-c", script, sample).rstrip("\n")
    target = installation.elsewhere / "out.npy"
    installation.run("tensor-inspector", sample, "--export", name, "--output", target)
    assert target.read_bytes().startswith(b"\x93NUMPY")


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    import zipfile

    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"inspector"}
    assert not [name for name in names if name.endswith(".pyc")]
