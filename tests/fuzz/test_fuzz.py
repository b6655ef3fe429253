"""Every parser on mutations of real files of its format, within a minute for all.

The same for hours: ``python -m tests.fuzz --hours 2``.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspector.checkpoints import InspectorError

from . import target
from .cases import Case, seed_cases
from .mutations import mutate
from .seeds import SEEDS
from .target import examine
from .watch import watched

#: The same examples in every run: what is new is looked for in the long runs.
SETTINGS = settings(
    max_examples=100,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

#: Mutations by chance alone, for each format.
PLAIN_RUNS = 150


def _for_ever() -> None:
    while True:
        pass


def _import_anew(name: str) -> None:
    with pytest.raises(ImportError):
        __import__(name)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Case]]:
    """The seeds by format, each of which was opened once, so that all that is needed is loaded."""
    found: dict[str, list[Case]] = {}
    folder = tmp_path_factory.mktemp("warm")
    for case in seed_cases(tmp_path_factory.mktemp("seeds")):
        found.setdefault(case.format, []).append(case)
        examine(case.write(folder / case.format), folder / case.format)
    return found


@pytest.mark.parametrize("kind", SEEDS)
def test_real_files_are_without_complaint(
    tmp_path: Path, cases: dict[str, list[Case]], kind: str
) -> None:
    for number, case in enumerate(cases[kind]):
        folder = tmp_path / str(number)
        assert examine(case.write(folder), folder).complaint == ""


@pytest.mark.parametrize("kind", SEEDS)
def test_mutations_that_hypothesis_chooses(
    tmp_path: Path, cases: dict[str, list[Case]], kind: str
) -> None:
    @SETTINGS
    @given(st.randoms(use_true_random=False))
    def run(rng: Random) -> None:
        case = rng.choice(cases[kind]).mutated(rng, ())
        assert examine(case.write(tmp_path / "it"), tmp_path / "it").complaint == ""

    run()


@pytest.mark.parametrize("kind", SEEDS)
def test_mutations_by_chance(tmp_path: Path, cases: dict[str, list[Case]], kind: str) -> None:
    others = tuple(content for case in cases[kind] for content in case.files.values())
    for seed in range(PLAIN_RUNS):
        rng = Random(seed)
        case = rng.choice(cases[kind]).mutated(rng, others)
        outcome = examine(case.write(tmp_path / "it"), tmp_path / "it")
        assert outcome.complaint == "", f"seed {seed}"


def test_mutations_reach_beyond_the_first_check(
    tmp_path: Path, cases: dict[str, list[Case]]
) -> None:
    """Files that are refused at once would make all this worthless."""
    for kind in ("torch-zip", "safetensors"):
        opened = 0
        for seed in range(40):
            rng = Random(seed)
            case = rng.choice(cases[kind]).mutated(rng, ())
            opened += bool(examine(case.write(tmp_path / "it"), tmp_path / "it").format)
        assert 5 < opened < 40


def test_a_mutation_is_decided_by_its_seed(cases: dict[str, list[Case]]) -> None:
    for kind in SEEDS:
        content = next(iter(cases[kind][0].files.values()))
        changed = [mutate(Random(seed), content) for seed in range(20)]
        assert changed == [mutate(Random(seed), content) for seed in range(20)]
        assert len(set(changed)) > 10


@pytest.mark.parametrize(
    ("event", "act"),
    [
        ("open", lambda: Path("/etc/hostname").exists() and Path("/etc/hostname").read_bytes()),
        ("open", lambda: os.close(os.open("/", os.O_RDONLY))),
        ("os.listdir", lambda: list(Path("/").iterdir())),
        ("os.system", lambda: os.system("true")),
        ("subprocess.Popen", lambda: subprocess.run(["true"], check=True)),
        ("exec", lambda: exec("1")),
        ("compile", lambda: compile("1", "x", "eval")),
        ("pickle.find_class", lambda: pickle.loads(b"cos\nsystem\n.")),
        ("import", lambda: _import_anew("a_module_that_is_not_there")),
        ("ctypes.dlopen", lambda: ctypes.CDLL(None)),
    ],
)
def test_the_watch_sees(tmp_path: Path, event: str, act: Callable[[], object]) -> None:
    with watched(tmp_path) as seen:
        act()
    assert any(line.startswith(event) for line in seen)


def test_the_watch_lets_reading_pass_and_writing_not(tmp_path: Path) -> None:
    path = tmp_path / "own"
    path.write_bytes(b"x")
    with watched(tmp_path) as seen:
        path.read_bytes()
    assert seen == []
    with watched(tmp_path) as seen:
        path.write_bytes(b"y")
    assert len(seen) == 1
    (tmp_path / "link").symlink_to("/")
    with watched(tmp_path) as seen:
        list((tmp_path / "link").iterdir())
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("act", "complaint"),
    [
        (lambda: bytes(10**8), "bytes of memory"),
        (_for_ever, "did not end"),
        (lambda: {}["x"], "KeyError"),
        (lambda: exec("1"), "did something to the machine: compile"),
        (lambda: os.dup(2), "left a file open"),
    ],
)
def test_what_is_wrong_is_complained_about(
    tmp_path: Path,
    cases: dict[str, list[Case]],
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[], object],
    complaint: str,
) -> None:
    held: list[object] = []

    def bad(_: Path) -> None:
        held.append(act())
        raise InspectorError("Refused.")

    monkeypatch.setattr(target, "open_checkpoint", bad)
    monkeypatch.setattr(target, "_HANG_SECONDS", 0.2)
    outcome = examine(cases["safetensors"][0].write(tmp_path))
    if held and type(held[0]) is int:
        os.close(held[0])
    assert complaint in outcome.complaint
