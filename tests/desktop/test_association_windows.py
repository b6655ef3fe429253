"""Registering on Windows, as far as it can be known without one: the keys and values of a hive."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from user_session import ROOT

from inspector.desktop import windows
from inspector.desktop.program import Program

CLASSES = r"Software\Classes"
OURS = rf"{CLASSES}\TensorInspector.Checkpoint"
NOTED = r"Software\Microsoft\Windows\CurrentVersion\Explorer\FileExts"
OPENED = (".pt", ".pth", ".ckpt", ".safetensors", ".gguf")


class FakeHive:
    """A user's registry in memory."""

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, str]] = {}
        self.everybody: dict[str, str] = {}
        self.announced = 0

    def read(self, key: str, name: str) -> str | None:
        return self.keys.get(key, {}).get(name)

    def opener(self, suffix: str) -> str:
        return self.read(rf"{CLASSES}\{suffix}", "") or self.everybody.get(suffix, "")

    def write(self, key: str, name: str, text: str) -> None:
        parts = key.split("\\")
        for count in range(1, len(parts) + 1):
            self.keys.setdefault("\\".join(parts[:count]), {})
        self.keys[key][name] = text

    def remove_value(self, key: str, name: str) -> bool:
        return self.keys.get(key, {}).pop(name, None) is not None

    def remove_key(self, key: str) -> bool:
        was_there = key in self.keys
        for known in [known for known in self.keys if f"{known}\\".startswith(f"{key}\\")]:
            del self.keys[known]
        return was_there

    def prune(self, key: str) -> None:
        below = any(known.startswith(f"{key}\\") for known in self.keys)
        if not below and self.keys.get(key) == {}:
            del self.keys[key]

    def announce(self) -> None:
        self.announced += 1


@pytest.fixture
def hive() -> FakeHive:
    """The hive of a user who has other programs."""
    made = FakeHive()
    made.write(CLASSES, "", "")
    made.write(rf"{CLASSES}\.txt", "", "Editor.Text")
    made.write(rf"{NOTED}\.pt\OpenWithProgids", "Other.Thing", "")
    return made


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """An installed Python that shows no console."""
    python = tmp_path / "Program Files" / "pythonw.exe"
    python.parent.mkdir()
    python.write_bytes(b"")
    return Program((str(python), "-P", "-m", "inspector"), ROOT / "resources")


def test_what_is_written(hive: FakeHive, program: Program) -> None:
    windows.register(program, hive)
    assert hive.read(OURS, "") == "Model checkpoint"
    assert hive.read(rf"{OURS}\shell\open\command", "") == (
        f'"{program.command[0]}" -P -m inspector "%1"'
    )
    assert hive.read(rf"{OURS}\shell\open", "FriendlyAppName") == "Tensor Inspector"
    for key, name in ((rf"{OURS}\DefaultIcon", ""), (rf"{OURS}\Application", "ApplicationIcon")):
        icon = hive.read(key, name)
        assert icon is not None
        assert Path(icon).read_bytes()[:4] == b"\0\0\1\0"
    assert hive.read(rf"{OURS}\Application", "AppUserModelID") == windows.APP_ID
    for suffix in OPENED:
        assert hive.read(rf"{CLASSES}\{suffix}", "") == windows.PROG_ID
        assert hive.read(rf"{CLASSES}\{suffix}\OpenWithProgids", windows.PROG_ID) == ""
    assert hive.announced == 1


def test_bin_is_offered_and_never_taken_over(hive: FakeHive, program: Program) -> None:
    windows.register(program, hive)
    assert hive.read(rf"{CLASSES}\.bin\OpenWithProgids", windows.PROG_ID) == ""
    assert hive.read(rf"{CLASSES}\.bin", "") is None
    assert not any(key.startswith(rf"{CLASSES}\.zip") for key in hive.keys)


@pytest.mark.parametrize("whose", ["user", "everybody"])
def test_what_opens_already_goes_on_doing_so(hive: FakeHive, program: Program, whose: str) -> None:
    if whose == "user":
        hive.write(rf"{CLASSES}\.pt", "", "Other.Model")
    else:
        hive.everybody[".pt"] = "Other.Model"
    before = hive.read(rf"{CLASSES}\.pt", "")
    report = windows.register(program, hive)
    assert hive.read(rf"{CLASSES}\.pt", "") == before
    assert hive.read(rf"{CLASSES}\.pt\OpenWithProgids", windows.PROG_ID) == ""
    assert any("Left .pt to what opens it (Other.Model)" in line for line in report.done)
    windows.unregister(hive)
    assert hive.read(rf"{CLASSES}\.pt", "") == before


def test_nothing_is_left_of_it(hive: FakeHive, program: Program) -> None:
    before = copy.deepcopy(hive.keys)
    assert not windows.is_registered(hive)
    windows.register(program, hive)
    assert windows.is_registered(hive)
    # What the Explorer notes once it has offered the program.
    hive.write(rf"{NOTED}\.pt\OpenWithProgids", windows.PROG_ID, "")
    report = windows.unregister(hive)
    assert hive.keys == before
    assert not windows.is_registered(hive)
    assert rf"Removed HKEY_CURRENT_USER\{OURS}" in report.done
    assert hive.announced == 2
    assert windows.unregister(hive).done == ("Nothing is registered.",)


def test_a_second_time_changes_nothing(hive: FakeHive, program: Program) -> None:
    windows.register(program, hive)
    before = copy.deepcopy(hive.keys)
    assert windows.register(program, hive).done == ("Everything is as it should be.",)
    assert hive.keys == before


def test_a_default_that_others_took_since_is_theirs(hive: FakeHive, program: Program) -> None:
    windows.register(program, hive)
    hive.write(rf"{CLASSES}\.ckpt", "", "Other.Model")
    hive.write(rf"{CLASSES}\.gguf\OpenWithProgids", "Other.Model", "")
    windows.unregister(hive)
    assert hive.read(rf"{CLASSES}\.ckpt", "") == "Other.Model"
    assert hive.keys[rf"{CLASSES}\.gguf\OpenWithProgids"] == {"Other.Model": ""}


def test_a_program_that_is_gone_is_not_registered(hive: FakeHive, program: Program) -> None:
    windows.register(program, hive)
    Path(program.command[0]).unlink()
    assert not windows.is_registered(hive)
