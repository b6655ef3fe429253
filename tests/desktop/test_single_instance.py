"""Launches of the program in processes of their own: they end up in one window."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from inspector.cli import main
from inspector.desktop import single_instance
from inspector.desktop.messages import MOST_PATHS, Message
from inspector.desktop.single_instance import Arrival, Lock, Place, arrive, meeting_place
from inspector.gui.settings import SettingsStore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and sockets of Unix")

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).parent / "launch.py"

#: Seconds that anything may take before it counts as failed.
PATIENCE = 30


class Launch:
    """One launch of the program, and what it tells of its window."""

    def __init__(self, arguments: Sequence[str | bytes], environment: Mapping[str, str]) -> None:
        self._told: queue.Queue[dict[str, Any]] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._told.put(json.loads(line))

    def next(self, what: str) -> Any:
        """What it tells next of that kind."""
        while True:
            told = self._told.get(timeout=PATIENCE)
            if what in told:
                return told[what]

    def ended_quietly(self) -> bool:
        """Wait for its end; whether it had nothing to say, as a launch without a window."""
        ended = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return ended == 0 and self._told.empty()

    def close(self) -> list[str]:
        """Close its window; the files in it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        files: list[str] = self.next("closed")
        assert self.process.wait(PATIENCE) == 0
        return files

    def stop(self) -> str:
        """End it, whatever it does; what it wrote on standard error."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        assert self.process.stderr is not None
        with self.process.stderr as errors:
            return errors.read().decode()


class Session:
    """A desktop session of its own, in which nobody else's window is."""

    def __init__(self, folder: Path) -> None:
        self.environment = {
            **os.environ,
            "QT_QPA_PLATFORM": "offscreen",
            "XDG_RUNTIME_DIR": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }
        self.launches: list[Launch] = []

    def launch(self, *arguments: str | bytes, **environment: str) -> Launch:
        """Start the program."""
        launch = Launch(arguments, {**self.environment, **environment})
        self.launches.append(launch)
        return launch

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Python to its end."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def window(self, *arguments: str | bytes, **environment: str) -> Launch:
        """Start the program, and wait until its window listens."""
        launch = self.launch(*arguments, **environment)
        assert launch.next("ready")
        return launch


@pytest.fixture
def folder() -> Iterator[Path]:
    """A session's folder: for its user alone, and with a short path."""
    made = Path(tempfile.mkdtemp(prefix="ti-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def session(folder: Path) -> Iterator[Session]:
    """A session; its launches end with it."""
    made = Session(folder)
    yield made
    for launch in made.launches:
        launch.stop()


@pytest.fixture
def settings_file(folder: Path) -> Path:
    """Where the session's programs keep their settings; there is nothing yet."""
    path = folder / "config" / "tensor-inspector" / "window.ini"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def kept(settings_file: Path) -> SettingsStore:
    """The settings of the session's user."""
    return SettingsStore(settings_file)


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The session's folder, for launches in this process."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


# Launches ---------------------------------------------------------------------------------------


def test_six_launches_at_once_are_one_window_with_all_files(
    session: Session, tmp_path: Path
) -> None:
    # Among them one that is no UTF-8; none of them is a checkpoint, which the window says.
    names = [*(f"{number}.pt".encode() for number in range(5)), b"caf\xe9 \n.pt"]
    paths = [os.fsencode(tmp_path / os.fsdecode(name)) for name in names]
    for path in paths:
        Path(os.fsdecode(path)).touch()
    launches = [session.launch(path) for path in paths]
    ended: queue.Queue[Launch] = queue.Queue()

    def wait(launch: Launch) -> None:
        launch.process.wait()
        ended.put(launch)

    waiting = [threading.Thread(target=wait, args=[launch]) for launch in launches]
    for thread in waiting:
        thread.start()
    handed_over = {ended.get(timeout=PATIENCE) for _ in range(5)}
    (window,) = set(launches) - handed_over
    assert all(launch.ended_quietly() for launch in handed_over)
    assert sorted(window.close()) == sorted(map(os.fsdecode, paths))
    for thread in waiting:
        thread.join()


def test_relative_paths_and_a_tensor_are_handed_over(session: Session, tmp_path: Path) -> None:
    window = session.window()
    (tmp_path / "a.pt").touch()
    relative = os.path.relpath(tmp_path / "a.pt")
    assert session.launch(relative, "--tensor", "layer.weight").ended_quietly()
    while (told := window.next("tensor")) is None:
        pass
    assert told == "layer.weight"
    (opened,) = window.close()
    assert Path(opened).samefile(tmp_path / "a.pt")


def test_windows_of_their_own(session: Session) -> None:
    window = session.window("first.pt")
    assert session.launch("--new-window", "second.pt").next("ready") is False
    # Another screen; it is the one window there.
    elsewhere = session.window("third.pt", DISPLAY="elsewhere:7")
    assert [Path(path).name for path in elsewhere.close()] == ["third.pt"]
    assert [Path(path).name for path in window.close()] == ["first.pt"]


def test_a_setting_has_each_launch_open_a_window_of_its_own(
    session: Session, kept: SettingsStore
) -> None:
    window = session.window("first.pt")
    kept.update(lambda before: replace(before, one_window=False))
    second = session.launch("second.pt")
    assert second.next("ready") is False
    assert [Path(path).name for path in second.close()] == ["second.pt"]
    # Nothing is to be started again for it.
    kept.update(lambda before: replace(before, one_window=True))
    assert session.launch("third.pt").ended_quietly()
    assert [Path(path).name for path in window.close()] == ["first.pt", "third.pt"]


@pytest.mark.parametrize("content", [b"[program]\none%20window=@Variant(\0\0\0\t)\n", b"\0[", None])
def test_damaged_settings_keep_no_launch_from_the_window(
    session: Session, settings_file: Path, content: bytes | None
) -> None:
    window = session.window("first.pt")
    settings_file.unlink(missing_ok=True)
    if content is None:
        settings_file.mkdir()
    else:
        settings_file.write_bytes(content)
    assert session.launch("second.pt").ended_quietly()
    assert [Path(path).name for path in window.close()] == ["first.pt", "second.pt"]


def test_a_launch_without_files_brings_the_window_to_the_front(session: Session) -> None:
    # Where no other window is, a new one is that of later launches too.
    window = session.window("--new-window", "a.pt")
    assert session.launch().ended_quietly()
    assert window.next("front")
    assert [Path(path).name for path in window.close()] == ["a.pt"]


def test_a_killed_window_is_no_hindrance(session: Session, folder: Path) -> None:
    session.window().process.kill()
    session.launches[0].process.wait(PATIENCE)
    # It could tidy up nothing.
    assert len([path for path in folder.iterdir() if path.is_socket()]) == 1
    window = session.window("second.pt")
    assert session.launch("third.pt").ended_quietly()
    assert [Path(path).name for path in window.close()] == ["second.pt", "third.pt"]


def test_beside_a_frozen_window_another_opens(session: Session) -> None:
    frozen = session.window()
    frozen.process.send_signal(signal.SIGSTOP)
    second = session.launch("second.pt")
    assert any("does not answer" in text for text in second.next("says"))
    assert second.next("ready") is False
    assert [Path(path).name for path in second.close()] == ["second.pt"]
    assert "does not answer" in second.stop()
    session.launches.remove(second)
    # The messages are followed in their order, so that of the second launch was read before.
    frozen.process.send_signal(signal.SIGCONT)
    assert session.launch("third.pt").ended_quietly()
    assert [Path(path).name for path in frozen.close()] == ["third.pt"]


def test_handing_over_imports_nothing_of_the_window(session: Session) -> None:
    session.window()
    done = session.run(
        "-c",
        "import sys\nfrom inspector.cli import main\nassert main(['a.pt']) == 0\n"
        "print(*sorted(sys.modules), sep='\\n')",
    )
    assert (done.returncode, done.stderr) == (0, "")
    imported = set(done.stdout.splitlines())
    assert "PySide6.QtNetwork" in imported
    heavy = {"PySide6.QtGui", "PySide6.QtWidgets", "pyqtgraph", "numpy", "torch", "inspector.app"}
    assert not imported & heavy


def test_what_needs_no_screen_takes_no_part(session: Session, here: Path, folder: Path) -> None:
    sample = str(ROOT / "resources" / "sample.pt")
    assert main([sample, "--list"]) == 0
    target = str(folder / "window.png")
    assert session.run("-m", "inspector", sample, "--screenshot", target).returncode == 0
    assert [path.name for path in folder.iterdir()] == ["window.png"]


@pytest.mark.parametrize(
    "arguments", [["a.pt", "--list"], ["a.pt", "--screenshot=a.png"], ["--register"]]
)
def test_new_window_goes_with_the_window(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*arguments, "--new-window"])
    assert "--new-window goes with the window" in capsys.readouterr().err


# The place and its lock -------------------------------------------------------------------------


def test_a_lock_is_held_until_it_is_released(folder: Path) -> None:
    path = folder / "lock"
    lock = Lock.take(path)
    assert lock is not None
    assert Lock.take(path) is None
    lock.release()
    lock.release()
    again = Lock.take(path)
    assert again is not None
    again.release()


def test_a_lock_file_that_names_a_running_process_is_nobodys(here: Path) -> None:
    place = meeting_place("1", os.environ)
    assert place is not None
    # What a killed window would have left, whose number another Python has got by now.
    place.lock.write_text(f"{os.getpid()}\n{Path(sys.executable).resolve().name}\nhost\n")
    arrival = arrive([Path("a.pt")], None, "1")
    assert not arrival.handed_over
    assert arrival.paths == [Path("a.pt")]
    assert arrival.meeting is not None
    arrival.meeting.lock.release()


def test_a_new_window_beside_another_listens_to_nobody(here: Path) -> None:
    first = arrive([], None, "1")
    assert first.meeting is not None
    second = arrive([Path("a.pt")], None, "1", new_window=True)
    assert (second.handed_over, second.paths, second.meeting) == (False, [Path("a.pt")], None)
    first.meeting.lock.release()


def test_a_window_that_never_comes_is_not_waited_for(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single_instance, "_START", 0.1)
    starting = arrive([], None, "1")
    assert starting.meeting is not None
    second = arrive([Path("a.pt")], None, "1")
    assert second == Arrival(paths=[Path("a.pt")], is_frozen=True)
    starting.meeting.lock.release()


def test_what_is_no_message_opens_a_window(here: Path) -> None:
    first = arrive([], None, "1")
    assert first.meeting is not None
    assert arrive([Path("a.pt")], "w" * (1 << 20), "1") == Arrival(paths=[Path("a.pt")])
    first.meeting.lock.release()


def test_files_that_the_window_did_not_take_are_left(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are so many that it takes several messages, and it closes between them."""
    lock = Lock.take(here / "lock")
    assert lock is not None
    answers = iter([single_instance._Answer.OPENED, lock])
    taken: list[Path] = []

    def deliver(_: Place, message: Message) -> object:
        answer = next(answers)
        if answer is single_instance._Answer.OPENED:
            taken.extend(message.paths)
        return answer

    monkeypatch.setattr(single_instance, "_deliver", deliver)
    paths = [Path(f"/{number}.pt") for number in range(MOST_PATHS + 5)]
    arrival = arrive(paths, None, "1")
    assert [*taken, *arrival.paths] == paths
    assert len(taken) == MOST_PATHS
    assert arrival.meeting is not None
    lock.release()


def test_a_place_is_for_one_version_and_screen(here: Path) -> None:
    def place(version: str = "1", **environment: str) -> str:
        found = meeting_place(version, environment)
        assert found is not None
        assert Path(found.server).parent == here
        return found.server

    assert place() == place()
    screens = [
        {},
        {"DISPLAY": ":0"},
        {"DISPLAY": "localhost:10.0"},
        {"WAYLAND_DISPLAY": "wayland-0"},
        {"DISPLAY": ":0", "QT_QPA_PLATFORM": "offscreen"},
    ]
    places = {place(version, **screen) for screen in screens for version in ("1", "2")}
    assert len(places) == 10
    assert place(DISPLAY=":0.0") == place(DISPLAY=":0")


def test_where_launches_cannot_meet_each_opens_its_window(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    deep = folder / ("long" * 20)
    deep.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    assert meeting_place("1", {}) is None
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    place = meeting_place("1", os.environ)
    assert place is not None
    place.lock.mkdir()  # as little of a file as in a folder that can't be written to
    arrival = arrive([Path("a.pt")], None, "1")
    assert (arrival.handed_over, arrival.paths) == (False, [Path("a.pt")])
    assert arrival.meeting is None
    # Without a folder of the session, Qt takes one of the user's, and we say nothing about it.
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    meeting_place("1", {})
    assert capfd.readouterr() == ("", "")


def test_a_working_directory_that_is_gone_keeps_no_window_from_opening(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = here / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    arrival = arrive([Path("a.pt")], None, "1")
    assert (arrival.handed_over, arrival.paths) == (False, [Path("a.pt")])
