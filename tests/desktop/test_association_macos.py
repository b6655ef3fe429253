"""Registering on macOS, as far as it can be known without one: the bundle, and who is told."""

from __future__ import annotations

import plistlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from user_session import ROOT

from inspector.checkpoints.errors import InspectorError
from inspector.desktop import macos
from inspector.desktop.program import Program


class Told:
    """Launch Services: keeps what it was told."""

    def __init__(self, *, listens: bool = True) -> None:
        self.commands: list[Sequence[str]] = []
        self._listens = listens

    def __call__(self, command: Sequence[str]) -> bool:
        self.commands.append(command)
        return self._listens


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Where the bundle will be."""
    return tmp_path / "Applications" / "Tensor Inspector.app"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A program that says how it is called."""
    path = tmp_path / "it's a $folder" / "tensor-inspector"
    path.parent.mkdir()
    path.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    path.chmod(0o755)
    return Program((str(path), "-P"), ROOT / "resources")


def test_what_the_bundle_says_of_itself(bundle: Path, program: Program) -> None:
    told = Told()
    report = macos.register(program, bundle, told)
    info = plistlib.loads((bundle / "Contents" / "Info.plist").read_bytes())
    declared = info["UTImportedTypeDeclarations"]
    tags = [kind["UTTypeTagSpecification"]["public.filename-extension"] for kind in declared]
    suffixes = sorted(suffix for tag in tags for suffix in tag)
    assert suffixes == ["ckpt", "gguf", "pt", "pth", "safetensors"]
    documents = info["CFBundleDocumentTypes"]
    kinds = [kind for document in documents for kind in document["LSItemContentTypes"]]
    assert kinds == [kind["UTTypeIdentifier"] for kind in declared]
    for document in documents:
        assert document["CFBundleTypeRole"] == "Viewer"
        assert document["LSHandlerRank"] == "Alternate"
        icon = bundle / "Contents" / "Resources" / f"{document['CFBundleTypeIconFile']}.icns"
        assert icon.read_bytes()[:4] == b"icns"
    assert (bundle / "Contents" / "Resources" / f"{info['CFBundleIconFile']}.icns").is_file()
    assert info["CFBundlePackageType"] == "APPL"
    assert told.commands == [(macos.LSREGISTER, "-f", str(bundle))]
    assert report.undone == ()


def test_the_bundle_starts_the_program(bundle: Path, program: Program) -> None:
    macos.register(program, bundle, Told())
    info = plistlib.loads((bundle / "Contents" / "Info.plist").read_bytes())
    launcher = bundle / "Contents" / "MacOS" / info["CFBundleExecutable"]
    ran = subprocess.run([launcher, "a b", "$c"], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["-P", "a b", "$c"]


def test_nothing_is_left_of_it(bundle: Path, program: Program) -> None:
    bundle.parent.mkdir()
    assert not macos.is_registered(bundle)
    macos.register(program, bundle, Told())
    assert macos.is_registered(bundle)
    told = Told()
    macos.unregister(bundle, told)
    assert not macos.is_registered(bundle)
    assert list(bundle.parent.iterdir()) == []
    assert told.commands == [(macos.LSREGISTER, "-u", str(bundle))]
    assert macos.unregister(bundle, told).done == ("Nothing is registered.",)
    assert len(told.commands) == 1


@pytest.mark.parametrize("others", [False, True])
def test_a_folder_that_was_made_goes_too(bundle: Path, program: Program, others: bool) -> None:
    macos.register(program, bundle, Told())
    macos.register(program, bundle, Told())
    if others:
        (bundle.parent / "Other.app").mkdir()
    macos.unregister(bundle, Told())
    assert bundle.parent.exists() == others


def test_a_second_time_changes_nothing(bundle: Path, program: Program) -> None:
    assert macos.register(program, bundle, Told()).done[0] == f"Wrote {bundle}"
    before = {path: path.stat().st_mtime_ns for path in bundle.rglob("*")}
    assert macos.register(program, bundle, Told()).done[0] == f"Kept {bundle}"
    assert {path: path.stat().st_mtime_ns for path in bundle.rglob("*")} == before


@pytest.mark.parametrize("identifier", [None, "com.example.Other"])
def test_another_programs_bundle_is_left_alone(
    bundle: Path, program: Program, identifier: str | None
) -> None:
    (bundle / "Contents").mkdir(parents=True)
    if identifier is not None:
        info = plistlib.dumps({"CFBundleIdentifier": identifier})
        (bundle / "Contents" / "Info.plist").write_bytes(info)
    with pytest.raises(InspectorError, match="is in the way"):
        macos.register(program, bundle, Told())
    macos.unregister(bundle, Told())
    assert bundle.exists()


def test_launch_services_that_do_not_listen_are_said(bundle: Path, program: Program) -> None:
    report = macos.register(program, bundle, Told(listens=False))
    assert report.undone
    assert not any("open by double-click" in line for line in report.done)


def test_a_program_that_is_gone_is_not_registered(bundle: Path, program: Program) -> None:
    macos.register(program, bundle, Told())
    Path(program.command[0]).unlink()
    assert not macos.is_registered(bundle)
