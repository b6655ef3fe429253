"""The wheel carries what the program needs, and works where there is no source tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from installed import ROOT, Installation


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
