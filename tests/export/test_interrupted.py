"""What an export leaves behind that does not get to its end."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from export_sources import export

from inspector.checkpoints.errors import ExportError
from inspector.export import parts
from inspector.export.atomic import atomic_folder
from inspector.export.formats import FORMATS, ExportFormat
from inspector.values.arrays import InMemoryArray

#: Where a new process finds the package.
ROOT = Path(parts.__file__).parents[2]

#: Writes 64 or 256 MiB; half-way it prints a line and waits for ever.
CODE = """
import sys
from pathlib import Path
import numpy as np
from inspector.checkpoints.errors import ExportError
from inspector.export.formats import format_named
from inspector.export.parts import whole_part
from inspector.export.run import export_plan, plan_export
from inspector.values.arrays import InMemoryArray

def progress(share):
    if share >= 0.5 and sys.argv[3] == "wait":
        print(share, flush=True)
        sys.stdin.read()

array = InMemoryArray(np.broadcast_to(np.float32(1), (16, int(sys.argv[4]))))
format = format_named(sys.argv[2])
parts = [whole_part(f"w{n}", array) for n in range(4 if format.several else 1)]
try:
    export_plan(plan_export(format, parts), Path(sys.argv[1]),
                check=lambda: None, progress=progress)
except ExportError as error:
    print(error)
"""


def prepared(folder: Path, known: ExportFormat) -> Path:
    """A target that is there already, if it can be."""
    target = folder / f"out{known.suffix}"
    if not known.is_folder:
        target.write_bytes(b"before")
    return target


def assert_as_before(target: Path, known: ExportFormat) -> None:
    if known.is_folder:
        assert not target.exists()
    else:
        assert target.read_bytes() == b"before"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_killed_half_way(known: ExportFormat, tmp_path: Path) -> None:
    target = prepared(tmp_path, known)
    numbers = 1 << (13 if known.name == "csv" else 18)
    with subprocess.Popen(
        [sys.executable, "-c", CODE, str(target), known.name, "wait", str(numbers)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"0.5")
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert_as_before(target, known)
    (left,) = [path for path in tmp_path.iterdir() if path != target]
    assert left.name.startswith(".tensor-inspector-")
    export(InMemoryArray(np.arange(3)), target, name=known.name)
    assert left.exists(), "another export may be writing it"
    yesterday = time.time() - 25 * 60 * 60
    for path in [*(left.iterdir() if left.is_dir() else ()), left]:
        os.utime(path, (yesterday, yesterday))
    export(InMemoryArray(np.arange(3)), tmp_path / "next.npy")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["next.npy", target.name])


def test_only_our_own_leftovers_are_removed(tmp_path: Path) -> None:
    names = [".tensor-inspector-notes", "tensor-inspector-1.part", ".other.part"]
    yesterday = time.time() - 25 * 60 * 60
    for name in names:
        (tmp_path / name).write_bytes(b"mine")
        os.utime(tmp_path / name, (yesterday, yesterday))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"mine")
    (tmp_path / ".tensor-inspector-0.part").symlink_to(elsewhere)
    export(InMemoryArray(np.arange(3)), tmp_path / "out.npy")
    kept = {*names, "elsewhere", ".tensor-inspector-0.part", "out.npy"}
    assert {path.name for path in tmp_path.iterdir()} == kept


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_a_file_larger_than_the_system_allows(known: ExportFormat, tmp_path: Path) -> None:
    """A real refusal by the kernel in the middle of writing."""
    target = prepared(tmp_path, known)
    numbers = 1 << (13 if known.name == "csv" else 18)
    limit = 100_000
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(target), known.name, "go", str(numbers)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.stderr == ""
    assert "larger than this disk or your limits allow" in done.stdout
    assert_as_before(target, known)
    assert [path for path in tmp_path.iterdir() if path != target] == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system with room for 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("this system has no mount")
    if done.returncode:
        pytest.skip("only root may mount a small disk; FullDisk stands in for it elsewhere")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_a_disk_that_is_full(known: ExportFormat, small_disk: Path) -> None:
    target = prepared(small_disk, known)
    large = InMemoryArray(np.zeros((200, 200)))
    with pytest.raises(ExportError, match=r"it needs .* bytes, and its disk has"):
        export(large, target, name=known.name)
    assert_as_before(target, known)
    assert [path for path in small_disk.iterdir() if path != target] == []


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_a_disk_that_fills_up_meanwhile(
    known: ExportFormat, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.export.run.check_room", lambda _target, _nbytes: None)
    target = prepared(small_disk, known)
    large = InMemoryArray(np.full((200, 200), 0.1))
    with pytest.raises(ExportError, match="the disk is full"):
        export(large, target, name=known.name)
    assert_as_before(target, known)
    assert [path for path in small_disk.iterdir() if path != target] == []


# Folders ----------------------------------------------------------------------------------------


def test_a_folder_appears_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with atomic_folder(target) as folder:
        (folder / "a").write_bytes(b"1")
        assert not target.exists()
        assert folder.parent == tmp_path
    assert (target / "a").read_bytes() == b"1"
    assert list(tmp_path.iterdir()) == [target]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    link = tmp_path / "link"
    link.symlink_to(target)
    with atomic_folder(link) as folder:
        (folder / "a").write_bytes(b"1")
    assert link.is_symlink()
    assert (target / "a").read_bytes() == b"1"


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("full", "a folder with something in it"),
        ("file", "it is a file, not a folder"),
        ("missing/out", "its folder does not exist"),
        ("n" * 300, "its name is too long"),
    ],
)
def test_folders_that_are_refused(tmp_path: Path, made: str, words: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_bytes(b"mine")
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(ExportError, match=words), atomic_folder(tmp_path / made):
        raise AssertionError("it must not get this far")
    assert (tmp_path / "full" / "mine").read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]


def test_a_folder_that_was_filled_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with pytest.raises(ExportError), atomic_folder(target) as folder:  # noqa: PT012
        (folder / "a").write_bytes(b"1")
        target.mkdir()
        (target / "mine").write_bytes(b"mine")
    assert [path.name for path in target.iterdir()] == ["mine"]
    assert list(tmp_path.iterdir()) == [target]
