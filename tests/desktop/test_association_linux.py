"""Registering on Linux: what is written, what is left alone, what remains of it afterwards."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from user_session import ROOT, environment_of, needs, program, run

from inspector.checkpoints.errors import InspectorError
from inspector.desktop import linux
from inspector.desktop.desktop_entry import entry_for
from inspector.desktop.linux import ENTRY, TYPES, Places
from inspector.desktop.program import Program, session_environment, this_program

TOOLS = needs("update-mime-database", "update-desktop-database")

#: What a file manager notes when the user chooses.
CHOSEN = b"""[Default Applications]
application/x-torch-checkpoint=tensor-inspector.desktop
text/plain=editor.desktop;tensor-inspector.desktop;
# a remark on tensor-inspector.desktop
image/png=viewer.desktop

[Added Associations]
application/x-gguf=tensor-inspector.desktop;
application/x-other=not-tensor-inspector.desktop;
"""
NOT_CHOSEN = b"""[Default Applications]
text/plain=editor.desktop;
# a remark on tensor-inspector.desktop
image/png=viewer.desktop

[Added Associations]
application/x-other=not-tensor-inspector.desktop;
"""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """The folders of a new user; there are none yet."""
    home = tmp_path / "home"
    home.mkdir()
    return Places(home / ".local" / "share", home / ".config")


@pytest.fixture
def command(tmp_path: Path) -> Program:
    """A program that writes down how it is called."""
    return program_in(tmp_path / "programs")


def program_in(folder: Path) -> Program:
    """A program that writes its arguments beside itself."""
    folder.mkdir(parents=True)
    path = folder / "tensor-inspector"
    path.write_text(
        '#!/bin/sh\nprintf "%s\\n" "$@" > "$(dirname "$0")/called.part"\n'
        'mv "$(dirname "$0")/called.part" "$(dirname "$0")/called"\n'
    )
    path.chmod(0o755)
    return Program((str(path),), ROOT / "resources")


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder, with what is in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def home_of(places: Places) -> Path:
    return places.data.parent.parent


# Coming and going -------------------------------------------------------------------------------


@TOOLS
def test_nothing_is_left_of_it(places: Places, command: Program) -> None:
    assert not linux.is_registered(places)
    linux.register(command, places)
    assert linux.is_registered(places)
    assert (places.data / "mime" / "mime.cache").exists()
    assert (places.data / "applications" / "mimeinfo.cache").exists()
    report = linux.unregister(places)
    assert not linux.is_registered(places)
    assert tree(home_of(places)) == {}
    assert report.undone == ()
    assert linux.unregister(places).done == ("Nothing is registered.",)


@TOOLS
def test_the_command_line_reports_and_may_be_repeated(tmp_path: Path) -> None:
    session = environment_of(tmp_path)
    first, second = program(session, "--register"), program(session, "--register")
    data = Path(session["XDG_DATA_HOME"])
    for done, verb in ((first, "Wrote"), (second, "Kept")):
        assert (done.returncode, done.stderr) == (0, "")
        lines = done.stdout.splitlines()
        assert [line for line in lines if line.startswith(verb)] == lines[:3]
        assert lines[0].endswith(str(data / TYPES))
        assert lines[1].endswith(str(data / ENTRY))
        assert "14 icons" in lines[2]
        assert [line.partition(":")[0] for line in lines[3:6]] == [
            "Refreshed the types of files",
            "Refreshed the list of programs",
            "Refreshed the icons",
        ]
        assert lines[6].startswith("Checkpoints open by double-click with /")
        assert len(lines) == 7
    third, fourth = program(session, "--unregister"), program(session, "--unregister")
    assert (third.returncode, third.stderr) == (0, "")
    assert f"Removed {data / ENTRY}" in third.stdout
    assert (fourth.returncode, fourth.stdout) == (0, "Nothing is registered.\n")
    assert tree(tmp_path) == {}


@TOOLS
def test_a_second_time_changes_nothing(places: Places, command: Program) -> None:
    linux.register(command, places)
    before = tree(places.data)
    entry = (places.data / ENTRY).stat()
    linux.register(command, places)
    assert tree(places.data) == before
    assert (places.data / ENTRY).stat().st_mtime_ns == entry.st_mtime_ns


@TOOLS
def test_what_others_have_there_stays(places: Places, command: Program) -> None:
    others = {
        "mime/packages/other.xml": b'<mime-info xmlns="http://www.freedesktop.org/standards/'
        b'shared-mime-info"><mime-type type="application/x-other"><glob pattern="*.oth"/>'
        b"</mime-type></mime-info>",
        "applications/other.desktop": b"[Desktop Entry]\nType=Application\nName=Other\n"
        b"Exec=true\nMimeType=application/x-other;\n",
        "icons/hicolor/48x48/apps/other.png": b"picture",
        "tensor-inspector/notes.txt": b"the user's own",
    }
    for name, data in others.items():
        path = places.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for tool, folder in (
        ("update-mime-database", "mime"),
        ("update-desktop-database", "applications"),
    ):
        subprocess.run([tool, places.data / folder], check=True)
    before = tree(home_of(places))
    linux.register(command, places)
    assert "x-gguf" in (places.data / "applications" / "mimeinfo.cache").read_text()
    linux.unregister(places)
    after = tree(home_of(places))
    assert after.keys() == before.keys()
    assert after == before


@TOOLS
def test_what_came_later_keeps_what_it_needs(places: Places, command: Program) -> None:
    linux.register(command, places)
    entry = places.data / "applications" / "later.desktop"
    entry.write_text("[Desktop Entry]\nType=Application\nName=L\nExec=true\nMimeType=text/x-l;\n")
    linux.unregister(places)
    assert set(tree(places.data)) == {
        "applications",
        "applications/later.desktop",
        "applications/mimeinfo.cache",
    }
    cache = (places.data / "applications" / "mimeinfo.cache").read_text()
    assert "text/x-l=later.desktop" in cache
    assert "tensor-inspector" not in cache


@TOOLS
def test_another_installation_takes_over(places: Places, command: Program, tmp_path: Path) -> None:
    linux.register(command, places)
    other = program_in(tmp_path / "other")
    linux.register(other, places)
    text = (places.data / ENTRY).read_text()
    assert other.command[0] in text
    assert command.command[0] not in text
    linux.unregister(places)
    assert tree(home_of(places)) == {}


@TOOLS
def test_what_an_older_version_wrote_goes_too(
    places: Places, command: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = linux._wanted
    with monkeypatch.context() as patch:
        patch.setattr(
            linux, "_wanted", lambda program: {**wanted(program), "mime/packages/old.xml": b"<a/>"}
        )
        linux.register(command, places)
    assert (places.data / "mime" / "packages" / "old.xml").exists()
    linux.register(command, places)
    assert not (places.data / "mime" / "packages" / "old.xml").exists()
    linux.unregister(places)
    assert tree(home_of(places)) == {}


@TOOLS
def test_a_program_that_is_gone_is_not_registered(places: Places, command: Program) -> None:
    linux.register(command, places)
    assert linux.is_registered(places)
    Path(command.command[0]).unlink()
    assert not linux.is_registered(places)


# The user's own choices -------------------------------------------------------------------------


def test_every_mention_of_us_is_taken_back(places: Places, command: Program) -> None:
    linux.register(command, places)
    lists = [
        places.settings / "mimeapps.list",
        places.settings / "gnome-mimeapps.list",
        places.data / "applications" / "mimeapps.list",
    ]
    places.settings.mkdir()
    for path in lists:
        path.write_bytes(CHOSEN)
        path.chmod(0o640)
    report = linux.unregister(places)
    for path in lists:
        assert path.read_bytes() == NOT_CHOSEN
        assert path.stat().st_mode & 0o777 == 0o640
        assert any(str(path) in line for line in report.done)


def test_a_list_behind_a_link_stays_behind_it(
    places: Places, command: Program, tmp_path: Path
) -> None:
    linux.register(command, places)
    places.settings.mkdir()
    real, link = tmp_path / "dotfiles", places.settings / "mimeapps.list"
    real.write_bytes(CHOSEN.replace(b"\n", b"\r\n"))
    link.symlink_to(real)
    linux.unregister(places)
    assert link.is_symlink()
    assert real.read_bytes() == NOT_CHOSEN.replace(b"\n", b"\r\n")


def test_registering_overrules_an_earlier_removal(places: Places, command: Program) -> None:
    places.settings.mkdir()
    path = places.settings / "mimeapps.list"
    before = b"[Default Applications]\na/b=tensor-inspector.desktop;\n"
    path.write_bytes(
        before + b"[Removed Associations]\napplication/x-gguf=tensor-inspector.desktop;x.desktop;\n"
    )
    linux.register(command, places)
    assert path.read_bytes() == before + b"[Removed Associations]\napplication/x-gguf=x.desktop;\n"


# What may hinder it -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [ENTRY, TYPES, "icons/hicolor/48x48/apps/tensor-inspector.png"])
def test_a_file_of_another_program_is_not_replaced(
    places: Places, command: Program, name: str
) -> None:
    path = places.data / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"another program's")
    before = tree(home_of(places))
    with pytest.raises(InspectorError, match="is in the way") as raised:
        linux.register(command, places)
    assert str(path) in str(raised.value)
    assert tree(home_of(places)) == before
    linux.unregister(places)
    assert tree(home_of(places)) == before


@pytest.mark.parametrize("name", ["icons", "mime/packages", "tensor-inspector"])
def test_a_file_in_the_place_of_a_folder_is_said(
    places: Places, command: Program, name: str
) -> None:
    path = places.data / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a file")
    before = tree(home_of(places))
    with pytest.raises(InspectorError, match="a file is in the way of a folder"):
        linux.register(command, places)
    assert tree(home_of(places)) == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("after", [0, 1, 2, 9])
def test_nothing_of_a_half_remains(
    places: Places,
    command: Program,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    after: int,
) -> None:
    write, written = Path.write_bytes, iter(range(after))

    def refuse(path: Path, data: bytes) -> int:
        if next(written, None) is None:
            raise OSError(number, os.strerror(number))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", refuse)
    words = {errno.ENOSPC: "disk is full", errno.EROFS: "read-only", errno.EACCES: "may not write"}
    with pytest.raises(InspectorError, match=words[number]):
        linux.register(command, places)
    assert tree(home_of(places)) == {}


@TOOLS
def test_a_failed_change_leaves_what_was_registered(
    places: Places, command: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    linux.register(command, places)
    before = {name: data for name, data in tree(places.data).items() if "registered" not in name}
    other = program_in(tmp_path / "other")
    write = Path.write_bytes

    def refuse(path: Path, data: bytes) -> int:
        if "applications" in str(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", refuse)
        with pytest.raises(InspectorError, match="disk is full"):
            linux.register(other, places)
    after = {name: data for name, data in tree(places.data).items() if "registered" not in name}
    assert after == before
    assert linux.is_registered(places)
    linux.unregister(places)
    assert tree(home_of(places)) == {}


def test_a_read_only_home_is_said_on_the_command_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    if os.access(tmp_path, os.W_OK):
        pytest.skip("nothing is read-only for the superuser")
    done = program(environment_of(tmp_path), "--register")
    tmp_path.chmod(0o700)
    assert (done.returncode, done.stdout) == (1, "")
    assert "you may not write there" in done.stderr


def test_a_killed_registration_can_be_taken_back(
    places: Places, command: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    replace, done = Path.replace, iter(range(9))

    def die(path: Path, target: Path) -> Any:
        if next(done, None) is None:
            raise Killed
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", die)
        with pytest.raises(Killed):
            linux.register(command, places)
    assert (places.data / TYPES).exists()
    linux.unregister(places)
    assert tree(home_of(places)) == {}


@pytest.mark.parametrize(
    "record",
    [
        b"no JSON",
        b"[]",
        b'{"command": [], "files": ["../../precious"], "caches": [], "folders": []}',
        b'{"command": [], "files": [], "caches": ["/precious"], "folders": []}',
        b'{"command": [], "files": [1], "caches": [], "folders": []}',
    ],
)
def test_a_record_that_is_not_ours_removes_nothing(places: Places, record: bytes) -> None:
    places.data.mkdir(parents=True)
    precious = home_of(places) / "precious"
    precious.write_bytes(b"precious")
    path = places.data / "tensor-inspector" / "registered.json"
    path.parent.mkdir()
    path.write_bytes(record)
    linux.unregister(places)
    assert precious.exists()
    assert path.exists()


def test_a_missing_tool_is_said_with_what_helps(tmp_path: Path) -> None:
    session = {**environment_of(tmp_path), "PATH": str(tmp_path)}
    done = program(session, "--register")
    assert done.returncode == 1
    assert "Wrote the program's entry" in done.stdout
    assert "Checkpoints open by double-click" not in done.stdout
    first, second = done.stderr.splitlines()
    assert "update-mime-database is not installed. Install shared-mime-info" in first
    assert "update-desktop-database is not installed. Install desktop-file-utils" in second
    assert not linux.is_registered(Places(tmp_path / ".local" / "share", tmp_path / ".config"))
    program(session, "--unregister")
    assert tree(tmp_path) == {}


# The entry --------------------------------------------------------------------------------------


@needs("desktop-file-validate")
def test_the_entry_is_valid(places: Places, command: Program, tmp_path: Path) -> None:
    linux.register(command, places)
    done = run(environment_of(tmp_path), "desktop-file-validate", places.data / ENTRY)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_entry_opens_every_type_that_is_declared() -> None:
    import xml.etree.ElementTree as ElementTree

    root = ElementTree.parse(ROOT / "resources" / "tensor-inspector.xml").getroot()
    declared = [kind.get("type") for kind in root if kind.tag.endswith("mime-type")]
    entry = (ROOT / "resources" / "tensor-inspector.desktop").read_text()
    (line,) = [line for line in entry.splitlines() if line.startswith("MimeType=")]
    assert line.removeprefix("MimeType=").rstrip(";").split(";") == declared


@needs("gio", "desktop-file-validate")
@pytest.mark.parametrize(
    "folder",
    [
        "plain",
        "with space",
        "per%cent",
        "100%F",
        "quo'te",
        'double"quote',
        "dollar$HOME",
        "back\\slash",
        "tick`x",
        "a;b&c(d)",
        "equals=sign",
        "häuser 重み",
        "all \\ $\" '%`= of them",
    ],
)
def test_a_program_of_any_path_is_started(tmp_path: Path, folder: str) -> None:
    program = program_in(tmp_path / folder)
    template = (ROOT / "resources" / "tensor-inspector.desktop").read_text()
    entry = tmp_path / "test.desktop"
    entry.write_bytes(entry_for(template, program.command))
    files = ["/some/model.ckpt", "/some/other one.pt"]
    session = environment_of(tmp_path)
    checked = run(session, "desktop-file-validate", entry)
    assert (checked.returncode, checked.stdout) == (0, "")
    started = run(session, "gio", "launch", entry, *files)
    assert (started.returncode, started.stderr) == (0, "")
    assert list(_called(tmp_path / folder)) == files


def _called(folder: Path) -> Iterator[str]:
    """What the program was called with; it is started, and not waited for."""
    import time

    deadline = time.monotonic() + 20
    while not (folder / "called").exists():
        assert time.monotonic() < deadline, "the program was not started"
        time.sleep(0.01)
    return iter((folder / "called").read_text().splitlines())


def test_a_path_that_no_entry_can_hold_is_refused() -> None:
    for path in ("/with\nnewline/tensor-inspector", "/not\udcfftext/tensor-inspector"):
        with pytest.raises(InspectorError, match="no desktop entry can hold"):
            entry_for("Exec=x\n", [path])


def test_paths_of_the_session_that_are_not_absolute_count_for_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert linux.user_places() == Places(tmp_path / ".local" / "share", tmp_path / ".config")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert linux.user_places().data == tmp_path / "data"


# Which program ----------------------------------------------------------------------------------


def test_what_runs_from_its_sources_alone_is_not_registered(tmp_path: Path) -> None:
    """A Python that does not know the package, started in its folder, has no program to name."""
    environment, session = tmp_path / "environment", environment_of(tmp_path / "home")
    run(session, os.fspath(_python()), "-m", "venv", "--without-pip", environment)
    session.pop("PYTHONPATH", None)
    done = run(session, environment / "bin" / "python", "-m", "inspector", "--register")
    assert (done.returncode, done.stdout) == (1, "")
    assert "runs from a folder of its sources" in done.stderr
    assert not (tmp_path / "home").exists()


@TOOLS
def test_without_its_command_the_package_is_started(tmp_path: Path) -> None:
    """And never what lies beside the checkpoint under the package's name."""
    environment, session = tmp_path / "environment", environment_of(tmp_path / "home")
    session.pop("PYTHONPATH", None)
    run(session, os.fspath(_python()), "-m", "venv", "--without-pip", environment)
    python = environment / "bin" / "python"
    asked = run(session, python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    (Path(asked.stdout.strip()) / "inspector.pth").write_text(f"{ROOT}\n")
    assert program_of(run(session, python, "-m", "inspector", "--register")) == str(python)
    data = Path(session["XDG_DATA_HOME"])
    record = json.loads((data / "tensor-inspector" / "registered.json").read_text())
    assert record["command"] == [str(python), "-P", "-m", "inspector"]
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "inspector.py").write_text("print('trapped')")
    ran = subprocess.run(
        [*record["command"], "--version"], cwd=trap, env=session, capture_output=True, check=True
    )
    assert b"trapped" not in ran.stdout


def test_a_program_that_brings_its_python_is_itself_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As PyInstaller makes it; the desktop's tools have the system's libraries, not its own."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", "/opt/tensor-inspector/tensor-inspector")
    assert this_program().command == ("/opt/tensor-inspector/tensor-inspector",)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/tensor-inspector/_internal")
    assert "LD_LIBRARY_PATH" not in session_environment()
    monkeypatch.setenv("LD_LIBRARY_PATH_ORIG", "/usr/local/lib")
    assert session_environment()["LD_LIBRARY_PATH"] == "/usr/local/lib"
    assert "LD_LIBRARY_PATH_ORIG" not in session_environment()


def program_of(done: subprocess.CompletedProcess[str]) -> str:
    """The program that a report ends with."""
    assert done.stdout, done.stderr
    return done.stdout.splitlines()[-1].rpartition(" with ")[2]


def _python() -> Path:
    return Path(sys.executable)
