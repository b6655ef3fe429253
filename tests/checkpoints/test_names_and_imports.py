"""Names from files, shown safely and never twice; and what a pickle asks to import, judged."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import threading
from pathlib import Path

import hostile_pickles as made
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inspector.checkpoints import Cancelled, InspectorError, display_text, open_checkpoint
from inspector.checkpoints.describe import describe
from inspector.checkpoints.imports import judge_imports
from inspector.checkpoints.listing import to_json, to_text
from inspector.checkpoints.naming import Names, OtherKey, join_name
from inspector.checkpoints.pickle_nodes import GlobalNode


@given(st.text(st.characters(), max_size=900), st.integers(3, 400))
def test_shown_text_is_printable_and_bounded(text: str, limit: int) -> None:
    shown = display_text(text, limit)
    assert not any(
        ord(character) < 32 or character in "\x7f\u202e\u2028\ufeff" for character in shown
    )
    shown.encode()
    assert len(shown) <= limit * 10
    if len(text) <= limit and text.isascii() and text.isprintable():
        assert shown == text


def test_what_could_mislead_is_escaped() -> None:
    assert display_text("a\u202eb\n\x1b[31m\ud800") == "a\\u202eb\\u000a\\u001b[31m\\ud800"
    assert display_text("Größe × 日本 😀") == "Größe × 日本 😀"
    cut = display_text("a" * 500 + "b" * 500)
    assert len(cut) <= 400
    assert cut.startswith("aaa")
    assert cut.endswith("bbb")
    assert "…" in cut


def test_names_are_joined_as_promised() -> None:
    assert join_name("", "a.b", first=True) == "a.b"
    assert join_name("a", "b", first=False) == "a.b"
    assert join_name("a", 0, first=False) == "a[0]"
    assert join_name("", 3, first=True) == "[3]"
    assert join_name("a", OtherKey("[(1, 2)]"), first=False) == "a[(1, 2)]"


@given(st.lists(st.sampled_from(["a", "a #2", "a #3", "", " #2"]), max_size=40))
def test_no_name_is_given_twice(wanted: list[str]) -> None:
    names = Names()
    given_out = [names.unique(name) for name in wanted]
    assert len(set(given_out)) == len(wanted)
    for name, got in zip(wanted, given_out, strict=True):
        assert got.startswith(name)


def test_a_hundred_thousand_equal_names_take_no_time() -> None:
    names = Names()
    given_out = [names.unique("w") for _ in range(100_000)]
    assert given_out[:3] == ["w", "w #2", "w #3"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2**5000, "an integer of 5,001 bits"),
        (-1, "-1"),
        ("it's\n", "it's\\u000a"),
        (["it's\n"], '["it\'s\\n"]'),
        (b"abc", "b'abc'"),
        (None, "None"),
        (float("nan"), "nan"),
        ((1,), "(1,)"),
        ((), "()"),
    ],
)
def test_values_as_text(value: object, text: str) -> None:
    assert describe(value) == text


def test_values_of_any_size_and_shape_are_short() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep] * 100
    assert len(describe(deep)) <= 400
    assert len(describe(["x" * 10**6] * 1000)) <= 400
    assert len(describe(b"x" * 10**6)) <= 400


def judged(module: str, name: str) -> str:
    findings = judge_imports([GlobalNode(module, name, 7)], "data.pkl")
    return findings[0].severity if findings else "ordinary"


@pytest.mark.parametrize(
    "qualified",
    [
        "os system",
        "posix system",
        "nt system",
        "subprocess Popen",
        "builtins eval",
        "builtins exec",
        "builtins __import__",
        "builtins getattr.__self__",
        "__builtin__ open",
        "importlib import_module",
        "runpy run_path",
        "pty spawn",
        "socket create_connection",
        "shutil rmtree",
        "sys exit",
        "ctypes CDLL",
        "pickle loads",
        "_pickle loads",
        "marshal loads",
        "code InteractiveInterpreter",
        "webbrowser open",
        "torch os.system",
        "torch.serialization os.system",
        "collections _sys.modules",
        "torch load",
        "torch.hub load",
        "torch.utils.cpp_extension load",
        "torch._inductor.codecache compile_file",
        "torch.jit.unsupported_tensor_ops execWrapper",
        "torch.utils.collect_env run",
        "torch.utils._config_module ConfigModule.load_config",
        "numpy load",
        "numpy.testing._private.utils runstring",
        "pip main",
        "pip._internal main",
        "timeit timeit",
        "cProfile runctx",
        "pydoc pipepager",
        "operator attrgetter",
        "asyncio.unix_events _UnixSubprocessTransport._start",
        "idlelib.debugobj ObjectTreeItem",
        "lib2to3.pgen2.grammar Grammar.loadgrammar",
    ],
)
def test_what_only_harm_would_need(qualified: str) -> None:
    assert judged(*qualified.split(" ")) == "danger"


@pytest.mark.parametrize(
    ("qualified", "severity"),
    [
        ("torch._utils _rebuild_tensor_v2", "ordinary"),
        ("torch FloatStorage", "ordinary"),
        ("torch.cuda HalfStorage", "ordinary"),
        ("collections OrderedDict", "ordinary"),
        ("numpy dtype", "ordinary"),
        ("numpy._core.multiarray scalar", "ordinary"),
        ("argparse Namespace", "ordinary"),
        ("builtins set", "ordinary"),
        ("builtins getattr", "warning"),
        ("pathlib PosixPath", "note"),
        ("datetime datetime", "note"),
        ("functools partial", "note"),
        ("my.model Net", "note"),
        ("torch.nn.modules.linear Linear", "note"),
        ("torch.distributed.tensor DTensor", "note"),
        ("torch.distributed.tensor.placement_types Shard", "note"),
        ("transformers.training_args TrainingArguments", "note"),
    ],
)
def test_what_people_save(qualified: str, severity: str) -> None:
    assert judged(*qualified.split(" ")) == severity


def test_findings_about_imports_stay_few() -> None:
    asked = [GlobalNode("os", f"f{index}", index) for index in range(1000)]
    asked += [GlobalNode(f"m{index}", "x" * 10_000, index) for index in range(1000)]
    findings = judge_imports(asked, "data.pkl")
    assert len(findings) < 60
    assert sum(len(finding.message) for finding in findings) < 20_000
    assert any("950" in finding.message for finding in findings)


def test_a_danger_says_where_it_is(tmp_path: Path) -> None:
    path = made.archive(tmp_path / "a.pt", b"\x80\x02Ncos\nsystem\n\x86.")
    (finding,) = open_checkpoint(path).findings
    assert finding.message == "This file asks to run `os.system`; nothing was run."
    assert finding.where == "data.pkl, byte 3"


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = made.archive(tmp_path / "broken.pt", b"\x80\x02(")
    with pytest.raises(InspectorError) as caught:
        open_checkpoint(path)
    assert "broken.pt" in caught.value.message
    assert "data.pkl" in caught.value.message
    assert caught.value.where.startswith("byte")
    assert caught.value.advice


def test_no_file_stays_open_after_an_error(tmp_path: Path) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("no list of descriptors here")
    bad = made.archive(tmp_path / "broken.pt", b"\x80\x02(")
    (tmp_path / "foreign").write_bytes(b"foreign")
    before = len(list(descriptors.iterdir()))
    for path in (bad, tmp_path / "foreign", tmp_path / "missing", tmp_path, Path("/dev/null")):
        with pytest.raises(InspectorError):
            open_checkpoint(path)
    assert len(list(descriptors.iterdir())) == before


@pytest.mark.parametrize("was_on", [True, False])
def test_garbage_collection_is_as_it_was(tmp_path: Path, was_on: bool) -> None:
    path = made.archive(tmp_path / "a.pt", b"\x80\x02](" + b"N" * 200_000 + b"e.")
    seen: list[bool] = []
    inside, outside = threading.Event(), threading.Event()

    def check() -> None:
        seen.append(gc.isenabled())
        inside.set()
        assert outside.wait(10)

    def cancel() -> None:
        raise Cancelled

    was_enabled = gc.isenabled()
    (gc.enable if was_on else gc.disable)()
    try:
        thread = threading.Thread(target=open_checkpoint, args=(path,), kwargs={"check": check})
        thread.start()
        assert inside.wait(10)
        with pytest.raises(Cancelled):
            open_checkpoint(path, check=cancel)
        # The other one is still at it.
        assert not gc.isenabled()
        outside.set()
        thread.join()
        assert gc.isenabled() == was_on
    finally:
        outside.set()
        (gc.enable if was_enabled else gc.disable)()
    assert seen
    assert not any(seen)


def test_the_module_of_a_file_is_not_imported(tmp_path: Path) -> None:
    path = made.archive(tmp_path / "a.pt", b"\x80\x02cantigravity\nfly\n)R.")
    open_checkpoint(path)
    assert "antigravity" not in sys.modules


def test_errors_are_safe_to_show_whatever_they_name(tmp_path: Path) -> None:
    error = InspectorError("a\x1b[31m\n\u202eb", where="\x00" * 10**6, advice="\ud800")
    assert str(error).isprintable()
    assert error.message == "a\\u001b[31m\\u000a\\u202eb"
    assert len(str(error)) < 20_000
    path = made.archive(tmp_path / "a.pt", b"\x80\x02N.")
    path.write_bytes(path.read_bytes().replace(b"archive/data.pkl", b"archive\x1bdata.pkl", 1))
    with pytest.raises(InspectorError) as caught:
        open_checkpoint(path)
    assert str(caught.value).isprintable()


def test_everything_that_a_file_asks_to_import_is_listed(tmp_path: Path) -> None:
    path = tmp_path / "it.pt"
    torch.save({"w": torch.ones(2), "args": argparse.Namespace(lr=1), "pool": Harmful()}, path)
    checkpoint = open_checkpoint(path)
    found = {item.name: item.judgement for item in checkpoint.imports}
    assert found == {
        f"{os.system.__module__}.system": "danger",
        "argparse.Namespace": "ordinary",
        "torch._utils._rebuild_tensor_v2": "ordinary",
        "torch.FloatStorage": "ordinary",
        "collections.OrderedDict": "ordinary",
    }
    assert next(iter(found.values())) == "danger"
    assert to_json(checkpoint)["imports"][0]["judgement"] == "danger"
    assert any("nothing was imported" in line for line in to_text(checkpoint))
    checkpoint.close()


class Harmful:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("exit 1",)
