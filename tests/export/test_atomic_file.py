"""The target is either the whole new file or exactly what it was."""

from __future__ import annotations

import errno
import io
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from inspector.checkpoints.errors import Cancelled, ExportError
from inspector.export import atomic
from inspector.export.atomic import (
    atomic_file,
    atomic_folder,
    check_replaceable,
    check_room,
    export_error,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a target in it, and nothing else."""
    (tmp_path / "target").write_bytes(b"before")
    return tmp_path


def assert_as_before(folder: Path) -> None:
    assert [path.name for path in folder.iterdir()] == ["target"]
    assert (folder / "target").read_bytes() == b"before"


def test_the_target_is_replaced_at_the_end(folder: Path) -> None:
    target = folder / "target"
    with atomic_file(target) as file:
        file.write(b"after")
        file.flush()
        assert target.read_bytes() == b"before"
        beside = [path.name for path in folder.iterdir() if path != target]
        assert len(beside) == 1
        assert beside[0].startswith(".")
    assert target.read_bytes() == b"after"
    assert list(folder.iterdir()) == [target]


def test_a_new_file_appears_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "new"
    with atomic_file(target) as file:
        file.write(b"x" * 100_000)
        assert not target.exists()
    assert target.stat().st_size == 100_000


@pytest.mark.parametrize("error", [Cancelled, KeyboardInterrupt, ValueError, SystemExit])
def test_any_exception_leaves_everything_as_it_was(
    folder: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error):  # noqa: PT012, SIM117
        with atomic_file(folder / "target") as file:
            file.write(b"half")
            raise error
    assert_as_before(folder)


def test_a_failed_rename_leaves_everything_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: Path, _target: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(ExportError, match="disk reported an error"):  # noqa: SIM117
        with atomic_file(folder / "target") as file:
            file.write(b"whole")
    assert_as_before(folder)


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o755])
def test_an_existing_target_keeps_its_permissions(folder: Path, mode: int) -> None:
    (folder / "target").chmod(mode)
    with atomic_file(folder / "target") as file:
        file.write(b"after")
    assert stat.S_IMODE((folder / "target").stat().st_mode) == mode


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_target_follows_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    old = os.umask(umask)
    try:
        with atomic_file(tmp_path / "new") as file:
            file.write(b"after")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == mode


def test_a_symbolic_link_is_followed_and_kept(folder: Path) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    link = elsewhere / "link"
    link.symlink_to(folder / "target")
    with atomic_file(link) as file:
        file.write(b"after")
    assert link.is_symlink()
    assert (folder / "target").read_bytes() == b"after"
    assert list(elsewhere.iterdir()) == [link]
    dangling = folder / "dangling"
    dangling.symlink_to(folder / "new")
    with atomic_file(dangling) as file:
        file.write(b"new")
    assert dangling.is_symlink()
    assert (folder / "new").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("", "is a folder"),
        ("missing/file", "folder does not exist"),
        ("target/file", "not a folder"),
        ("n" * 300, "name is too long"),
    ],
)
def test_impossible_targets_are_named_in_words(folder: Path, place: str, words: str) -> None:
    target = folder / place
    with pytest.raises(ExportError, match=words) as caught, atomic_file(target):
        raise AssertionError("it must not get this far")
    assert str(target) in caught.value.message
    assert caught.value.advice
    assert_as_before(folder)


def test_the_kernel_refuses() -> None:
    with pytest.raises(ExportError), atomic_file(Path("/proc/tensor-inspector")):
        raise AssertionError("it must not get this far")


def test_a_device_or_a_pipe_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read, write = os.pipe()  # as /dev/stdout is, which resolves to no path
    for target in (tmp_path / "pipe", Path(os.devnull), Path(f"/dev/fd/{write}")):
        with pytest.raises(ExportError, match="device or a pipe"):
            check_replaceable(target, folder=False)
        with pytest.raises(ExportError, match="device or a pipe"), atomic_file(target):
            raise AssertionError("it must not get this far")
    os.close(read)
    os.close(write)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_a_write_protected_target(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not by chmod: root may write everywhere.
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)
    with pytest.raises(ExportError, match="write-protected"), atomic_file(folder / "target"):
        raise AssertionError("it must not get this far")
    assert_as_before(folder)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "may not write there"),
        (errno.EROFS, "read-only"),
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EMFILE, "Too many open files"),
    ],
)
def test_a_folder_that_refuses(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refuse(_path: Path) -> BinaryIO:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic, "_create", refuse)
    with pytest.raises(ExportError, match=words), atomic_file(folder / "target"):
        raise AssertionError("it must not get this far")
    assert_as_before(folder)


def test_an_error_without_a_number_is_told_as_it_is() -> None:
    assert "odd" in str(export_error(Path("x"), OSError("odd")))


class FullDisk(io.FileIO):
    """A file on a disk with room for 10,000 bytes."""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        if self.tell() + len(data) > 10_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


@pytest.mark.parametrize("size", [20_000, 1_000_000])
def test_a_disk_that_fills_up(folder: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(
        atomic, "_create", lambda path: io.BufferedWriter(FullDisk(path, "xb"), 15_000)
    )
    with pytest.raises(ExportError, match="disk is full"):  # noqa: SIM117
        with atomic_file(folder / "target") as file:
            file.write(b"x" * size)
    assert_as_before(folder)


def test_a_cancelled_export_onto_a_full_disk_is_cancelled(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left in the buffer fails when the file is closed; that is not the news."""
    monkeypatch.setattr(
        atomic, "_create", lambda path: io.BufferedWriter(FullDisk(path, "xb"), 30_000)
    )
    with pytest.raises(Cancelled):  # noqa: PT012, SIM117
        with atomic_file(folder / "target") as file:
            file.write(b"x" * 20_000)
            raise Cancelled
    assert_as_before(folder)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_device(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = io.BufferedWriter(io.FileIO("/dev/full", "wb"))
    monkeypatch.setattr(atomic, "_create", lambda _path: full)
    with pytest.raises(ExportError, match="disk is full"):  # noqa: SIM117
        with atomic_file(folder / "target") as file:
            file.write(b"x")
    assert_as_before(folder)


def test_a_file_larger_than_the_system_allows(folder: Path) -> None:
    """A real refusal by the kernel in the middle of writing."""
    code = """
import sys
from pathlib import Path
from inspector.checkpoints.errors import ExportError
from inspector.export.atomic import atomic_file
try:
    with atomic_file(Path(sys.argv[1])) as file:
        for _ in range(100):
            file.write(bytes(65536))
except ExportError as error:
    print(error)
"""
    limit = 1 << 20
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder / "target")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(atomic.__file__).parents[2],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert "larger than this disk or your limits allow" in done.stdout
    assert_as_before(folder)


def test_room_is_checked_before_writing(folder: Path) -> None:
    check_room(folder / "target", 1000)
    with pytest.raises(ExportError, match=r"needs 1,180,591,620,717,411,303,424 bytes"):
        check_room(folder / "target", 2**70)
    with pytest.raises(ExportError, match="folder does not exist"):
        check_room(folder / "missing" / "file", 1)


def test_ctrl_c_right_after_the_file_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the program knows that it is there."""
    plain_open, plain_mkdir = os.open, Path.mkdir

    def opened(*arguments: Any) -> int:
        os.close(plain_open(*arguments))
        raise KeyboardInterrupt

    def made(self: Path) -> None:
        plain_mkdir(self)
        raise KeyboardInterrupt

    for begin, owner, name, action in (
        (atomic_file, os, "open", opened),
        (atomic_folder, Path, "mkdir", made),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, action)
            with pytest.raises(KeyboardInterrupt), begin(tmp_path / "out"):
                pytest.fail("it has begun")
    assert list(tmp_path.iterdir()) == []
