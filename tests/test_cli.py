"""The command line, as a user and as a script meets it."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch
from safetensors.torch import load_file

from inspector import __version__, cli_export
from inspector.cli import main

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "resources" / "sample.pt"
DISPLAY_NAMES = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")


def run(*arguments: str | Path, display: bool = True) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own; without `display`, in a session without a screen."""
    environment = dict(os.environ)
    if not display:
        for name in DISPLAY_NAMES:
            environment.pop(name, None)
    return subprocess.run(
        [sys.executable, "-m", "inspector", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def state() -> dict[str, torch.Tensor]:
    """Tensors that differ in everything that is listed."""
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(6, 8, 4, generator=generator)
    return {
        "layer.weight": weight,
        "layer.turned": weight.transpose(0, 2),
        "layer.half": torch.randn(5, 7, generator=generator).to(torch.bfloat16),
        "layer.bias": torch.arange(8, dtype=torch.float64),
        "steps": torch.tensor(3),
        "mask": torch.tensor([True, False, True]),
        "waves": torch.randn(3, 2, dtype=torch.complex64, generator=generator),
        "nothing": torch.empty(0, 4),
    }


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A small file that torch wrote."""
    path = tmp_path / "small.pt"
    torch.save(state(), path)
    return path


def assert_one_line(text: str) -> str:
    """A message is one line that begins with the program's name; here it is without that."""
    assert text.count("\n") == 1
    assert text.endswith("\n")
    name = "tensor-inspector: "
    assert text.startswith(name)
    return text.removeprefix(name).rstrip("\n")


# List -------------------------------------------------------------------------------------------


def test_list_names_every_tensor(checkpoint: Path) -> None:
    done = run(checkpoint, "--list")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert "small.pt" in lines[0]
    assert "torch zip" in lines[0]
    assert "8 tensors" in lines[0]
    for (name, tensor), line in zip(state().items(), lines[1:9], strict=True):
        words = line.split()
        assert words[0] == name
        assert str(tensor.dtype).removeprefix("torch.") in words
    assert "6 × 8 × 4" in lines[1]
    assert "scalar" in lines[5]


def test_list_as_json_is_what_torch_lists(checkpoint: Path) -> None:
    done = run(checkpoint, "--list", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    listing = json.loads(done.stdout)
    assert {"path", "format", "metadata", "findings", "entries"} <= listing.keys()
    assert listing["path"] == str(checkpoint)
    assert listing["format"] == "torch zip"
    loaded = torch.load(checkpoint, weights_only=True)
    assert [_described(entry) for entry in listing["entries"]] == [
        {
            "name": name,
            "shape": list(tensor.shape),
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "stride": list(tensor.stride()),
            "device": "cpu",
            "nbytes": tensor.nbytes,
            "kind": "dense",
            "storage_offset": tensor.storage_offset(),
        }
        for name, tensor in loaded.items()
    ]


def _described(entry: dict[str, Any]) -> dict[str, Any]:
    names = ("name", "shape", "dtype", "stride", "device", "nbytes", "kind", "storage_offset")
    return {name: entry[name] for name in names}


def test_list_as_json_says_what_shares_a_storage(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(checkpoint), "--list", "--json"]) == 0
    shared = {
        entry["name"]: entry["shared_with"]
        for entry in json.loads(capsys.readouterr().out)["entries"]
    }
    assert shared["layer.weight"] == ["layer.turned"]
    assert shared["layer.turned"] == ["layer.weight"]
    assert shared["layer.bias"] == []


def test_list_as_json_keeps_any_name(tmp_path: Path) -> None:
    names = ["häuser.重み", "with\nnewline", "tab\t", 'quote"', "a.b"]
    path = tmp_path / "names.pt"
    torch.save({name: torch.zeros(1) for name in names}, path)
    done = run(path, "--list", "--json")
    assert done.returncode == 0
    assert [entry["name"] for entry in json.loads(done.stdout)["entries"]] == names


def test_list_as_text_keeps_one_line_a_tensor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "names.pt"
    torch.save({"one\ntwo": torch.zeros(1), "\x1b[31mred": torch.zeros(1)}, path)
    assert main([str(path), "--list"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert len(out.partition("\n\n")[0].splitlines()) == 4


def test_list_runs_nothing_that_the_file_asks_for(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    path = tmp_path / "harmful.pt"
    torch.save({"weight": torch.ones(2), "bomb": Harmful()}, path)
    done = run(path, "--list", "--json")
    assert done.returncode == 0
    listing = json.loads(done.stdout)
    assert [entry["name"] for entry in listing["entries"]] == ["weight"]
    dangers = [found for found in listing["findings"] if found["severity"] == "danger"]
    assert any("system" in found["message"] for found in dangers)
    assert not (tmp_path / "ran").exists()


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "many.pt"
    torch.save({f"layer.{number}": torch.zeros(1) for number in range(3000)}, path)
    listing = subprocess.Popen(
        [sys.executable, "-m", "inspector", str(path), "--list"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert listing.stdout is not None
    assert listing.stderr is not None
    listing.stdout.readline()
    listing.stdout.close()
    assert listing.stderr.read() == b""
    listing.stderr.close()
    assert listing.wait(60) == 0


# Export -----------------------------------------------------------------------------------------


def expected(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """What torch says the values are, as NumPy."""
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def assert_same(found: np.ndarray[Any, Any], wanted: np.ndarray[Any, Any]) -> None:
    """Bit for bit."""
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    assert found.tobytes() == wanted.tobytes()


def test_export_in_a_process_of_its_own(checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "half.npy"
    done = run(checkpoint, "--export", "layer.half", "--output", target)
    assert (done.returncode, done.stderr) == (0, "")
    assert str(target) in done.stdout
    assert "bfloat16 widened to float32" in done.stdout
    assert_same(np.load(target), expected(state()["layer.half"]))


@pytest.mark.parametrize("name", list(state()))
def test_export_whole(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    target = tmp_path / "out.npy"
    assert main([str(checkpoint), "--export", name, "--output", str(target)]) == 0
    assert capsys.readouterr().err == ""
    assert_same(np.load(target), expected(state()[name]))


def test_export_a_piece_of_a_nested_tensor(tmp_path: Path) -> None:
    pieces = [torch.randn(2, 3), torch.randn(4, 3)]
    path, target = tmp_path / "nested.pt", tmp_path / "out.npy"
    torch.save({"t": torch.nested.nested_tensor(pieces, layout=torch.jagged)}, path)
    assert main([str(path), "--export", "t", "--output", str(target)]) == 1
    assert main([str(path), "--export", "t[1]", "--output", str(target)]) == 0
    assert_same(np.load(target), pieces[1].numpy())


@pytest.mark.parametrize(
    ("name", "region", "index"),
    [
        ("layer.weight", "[3, :, ::2]", np.s_[3, :, ::2]),
        ("layer.weight", "-1", np.s_[-1]),
        ("layer.weight", "[..., 1]", np.s_[..., 1]),
        ("layer.weight", "2:5, 1:2", np.s_[2:5, 1:2]),
        ("layer.weight", "[4:4]", np.s_[4:4]),
        ("layer.turned", "[1:3, ::3]", np.s_[1:3, ::3]),
        ("layer.half", "[1:4, 2]", np.s_[1:4, 2]),
        ("layer.half", "[4, 6]", np.s_[4, 6]),
        ("steps", "[]", np.s_[()]),
    ],
)
def test_export_a_region(
    checkpoint: Path, tmp_path: Path, name: str, region: str, index: Any
) -> None:
    target = tmp_path / "out.npy"
    arguments = [str(checkpoint), "--export", name, "--output", str(target), "--region", region]
    assert main(arguments) == 0
    assert_same(np.load(target), expected(state()[name][index]))


def test_export_a_region_backwards(checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.npy"
    arguments = [str(checkpoint), "--export", "layer.weight", "--output", str(target)]
    assert main([*arguments, "--region", "[::-1, 5:1:-2]"]) == 0
    assert_same(
        np.load(target), np.ascontiguousarray(state()["layer.weight"][:].numpy()[::-1, 5:1:-2])
    )


def test_export_replaces_another_file(checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.npy"
    target.write_bytes(b"something older")
    assert main([str(checkpoint), "--export", "layer.bias", "--output", str(target)]) == 0
    assert_same(np.load(target), expected(state()["layer.bias"]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.npy", "small.pt"]


@pytest.mark.parametrize("way", ["itself", "relative", "symbolic link", "hard link"])
def test_export_never_overwrites_what_is_open(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    before = checkpoint.read_bytes()
    target = checkpoint
    if way == "relative":
        target = tmp_path / ".." / tmp_path.name / "small.pt"
    elif way == "symbolic link":
        target = tmp_path / "link.npy"
        target.symlink_to(checkpoint)
    elif way == "hard link":
        target = tmp_path / "link.npy"
        target.hardlink_to(checkpoint)
    assert main([str(checkpoint), "--export", "layer.weight", "--output", str(target)]) == 1
    assert "not overwritten" in assert_one_line(capsys.readouterr().err)
    assert checkpoint.read_bytes() == before


def test_a_folder_is_listed_and_exported_but_not_written_into(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    for name in ("a.pt", "b.pt"):
        torch.save({"w": torch.ones(2)}, folder / name)
    assert main([str(folder), "--list"]) == 0
    assert "a.pt: w" in capsys.readouterr().out
    target = tmp_path / "w.npy"
    assert main([str(folder), "--export", "b.pt: w", "--output", str(target)]) == 0
    assert np.load(target).tolist() == [1, 1]
    before = (folder / "a.pt").read_bytes()
    assert main([str(folder), "--export", "b.pt: w", "--output", str(folder / "a.pt")]) == 1
    assert (folder / "a.pt").read_bytes() == before


def test_export_into_a_missing_folder(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "missing" / "out.npy"
    assert main([str(checkpoint), "--export", "layer.weight", "--output", str(target)]) == 1
    assert "missing" in assert_one_line(capsys.readouterr().err)


@pytest.mark.parametrize("given", ["suffix", "format"])
@pytest.mark.parametrize("kind", ["npz", "folder", "mat", "safetensors"])
def test_export_several_by_names_and_patterns(
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    given: str,
) -> None:
    suffix = "" if kind == "folder" else f".{kind}"
    target = tmp_path / (f"out{suffix}" if given == "suffix" else "out.any")
    arguments = ["--export", "layer.*", "steps", "layer.bias", "--output", str(target)]
    if given == "format":
        arguments += ["--format", kind]
    assert main([str(checkpoint), *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    names = ["layer.weight", "layer.turned", "layer.half", "layer.bias", "steps"]
    assert all(name in out for name in names)
    assert f"{target}: 5 tensors" in out
    if kind == "safetensors":
        found = load_file(target)
        assert set(found) == set(names)
        assert all(torch.equal(found[name], state()[name]) for name in names)
        return
    loaded = _loaded(kind, target, names)
    for name in names:
        assert_same(loaded[name].reshape(state()[name].shape), expected(state()[name]))


def _loaded(kind: str, target: Path, names: list[str]) -> dict[str, np.ndarray[Any, Any]]:
    if kind == "npz":
        with np.load(target) as archive:
            return {name: archive[name] for name in names}
    if kind == "folder":
        return {name: np.load(target / f"{name}.npy") for name in names}
    variables = scipy.io.loadmat(target)
    return {name: variables[name.replace(".", "_")] for name in names}


def test_export_as_text(checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "half.csv"
    assert main([str(checkpoint), "--export", "layer.half", "--output", str(target)]) == 0
    assert_same(np.loadtxt(target, np.float32, delimiter=","), expected(state()["layer.half"]))


def test_export_raw_bits(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "half.npy"
    arguments = [str(checkpoint), "--export", "layer.half", "--output", str(target)]
    assert main([*arguments, "--form", "raw", "--region", "[1:3, 2]"]) == 0
    assert "the bits of bfloat16 as uint16" in capsys.readouterr().out
    bits = state()["layer.half"][1:3, 2].clone().view(torch.int16).numpy().view(np.uint16)
    assert_same(np.load(target), bits)


def test_a_region_of_several_tensors(checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.npz"
    arguments = [str(checkpoint), "--export", "layer.[wt]*", "--output", str(target)]
    assert main([*arguments, "--region", "[-1, ::2]"]) == 0
    with np.load(target) as loaded:
        for name in ("layer.weight", "layer.turned"):
            assert_same(loaded[name], np.ascontiguousarray(state()[name][-1, ::2].numpy()))


def test_an_exact_name_wins_over_a_pattern(tmp_path: Path) -> None:
    path, target = tmp_path / "odd.pt", tmp_path / "out.npy"
    torch.save({"w[1]": torch.ones(2), "w1": torch.zeros(3), "*": torch.full((4,), 4.0)}, path)
    assert main([str(path), "--export", "w[1]", "--output", str(target)]) == 0
    assert np.load(target).tolist() == [1, 1]
    assert main([str(path), "--export", "*", "--output", str(target)]) == 0
    assert np.load(target).tolist() == [4] * 4


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--export", "layer.*", "--output", "o.npy"], 1, "holds one tensor, not 4"),
        (["--export", "layer.weight", "--output", "o.csv"], 1, "at most 2 axes, not 3"),
        (["--export", "nothing.*", "--output", "o.npz"], 1, "holds no tensor named nothing.*"),
        (["--export", "layer.wieght", "--output", "o.npz"], 1, "Did you mean layer.weight"),
        (["--export", "steps", "--output", "o.pt"], 2, "does not say in which format"),
        (["--export", "steps", "--output", "o.npy", "--form", "odd"], 2, "odd is no form"),
        (
            ["--export", "steps", "--output", "o.npy", "--form", "phase"],
            2,
            "steps (int64) has no phase form; it has values, raw.",
        ),
        (["--export", "*", "--output", "o.npz", "--region", "[0, 0]"], 2, "layer.bias: "),
        (["--export", "steps", "--output", "a\0b.npy"], 1, "zero character"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_export_that_is_refused(
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([str(checkpoint), *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert words in assert_one_line(err)
    assert list(tmp_path.iterdir()) == [checkpoint]


def test_a_folder_with_something_in_it_is_kept(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "mine").write_bytes(b"mine")
    assert main([str(checkpoint), "--export", "*", "--output", str(target)]) == 1
    assert "a folder with something in it" in assert_one_line(capsys.readouterr().err)
    assert [path.name for path in target.iterdir()] == ["mine"]


def test_progress_is_told_on_a_terminal_alone(tmp_path: Path) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, wanted in ((Terminal(), "Exporting out.npy: 50%"), (io.StringIO(), "")):
        line = cli_export._ProgressLine(stream, "out.npy")
        line._next = min(line._next, 0) if stream.isatty() else line._next
        line.show(0.5)
        assert stream.getvalue().strip("\r") == wanted
        line.clear()
        assert stream.getvalue().endswith("\r") is bool(wanted)


@pytest.mark.skipif(not hasattr(signal, "SIGINT"), reason="this system has no SIGINT")
def test_an_interrupted_export_leaves_nothing(tmp_path: Path) -> None:
    path, target = tmp_path / "large.safetensors", tmp_path / "out.csv"
    header = b'{"w":{"dtype":"F32","shape":[20000,1000],"data_offsets":[0,80000000]}}'
    with path.open("wb") as file:  # sparse; as text it takes half a minute
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 80_000_000)
    with subprocess.Popen(
        [sys.executable, "-m", "inspector", path, "--export", "w", "--output", target],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not any(each.suffix == ".part" for each in tmp_path.iterdir()):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert assert_one_line(err) == "Interrupted."
    assert list(tmp_path.iterdir()) == [path]


# What cannot be read ----------------------------------------------------------------------------


def _unreadable(path: Path, kind: str) -> None:
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        torch.save(state(), path)
        path.write_bytes(path.read_bytes()[:200])
    elif kind == "truncated header":
        path.write_bytes(struct.pack("<Q", 4000) + b'{"weight":{"dtype":"F32","shape":[2],')
    elif kind == "text":
        path.write_text("Dear reader,\nthis is no checkpoint.\n")
    elif kind == "web page":
        path.write_text("<!DOCTYPE html>\n<html><body>Not found</body></html>\n")
    elif kind == "pointer":
        path.write_text(
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d7a' * 16}\nsize 1234567\n"
        )
    elif kind == "picture":
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(64))
    elif kind == "zeros":
        path.write_bytes(bytes(4096))
    elif kind == "folder":
        path.mkdir()


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("missing", "exist"),
        ("empty", "empty"),
        ("truncated", ""),
        ("truncated header", ""),
        ("text", ""),
        ("web page", "web page"),
        ("pointer", "git-lfs"),
        ("picture", ""),
        ("zeros", ""),
        ("folder", "folder"),
    ],
)
def test_an_unreadable_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, word: str
) -> None:
    path = tmp_path / "given.pt"
    _unreadable(path, kind)
    for arguments in (["--list"], ["--list", "--json"], ["--export", "x", "--output", "o.npy"]):
        assert main([str(path), *arguments]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        message = assert_one_line(err)
        assert "given.pt" in message
        assert word in message


def test_of_a_cut_file_the_rest_is_listed_and_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, target = tmp_path / "given.pt", tmp_path / "first.npy"
    torch.save({"first": torch.arange(9.0), "last": torch.ones(9)}, path)
    whole = path.read_bytes()
    # The numbers of the second tensor come last, before the notes and the directory.
    path.write_bytes(whole[: whole.rindex(torch.ones(9).numpy().tobytes()) + 8])
    assert main([str(path), "--list"]) == 0
    assert "cut short" in capsys.readouterr().out
    assert main([str(path), "--export", "first", "--output", str(target)]) == 0
    np.testing.assert_array_equal(np.load(target), np.arange(9, dtype=np.float32))
    assert main([str(path), "--export", "last", "--output", str(tmp_path / "last.npy")]) == 1
    assert not (tmp_path / "last.npy").exists()


@pytest.mark.parametrize("kind", ["missing", "truncated", "text"])
def test_an_unreadable_file_in_a_process_of_its_own(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "given.pt"
    _unreadable(path, kind)
    done = run(path, "--list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "given.pt" in assert_one_line(done.stderr)


def test_a_name_with_control_characters_stays_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "a\nb\x1b[31m.pt"), "--list"]) == 1
    assert "\x1b" not in assert_one_line(capsys.readouterr().err)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8:strict"])
def test_what_the_output_cannot_say_is_written_as_numbers(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "two.pt"
    torch.save({"漢": torch.ones(2, 3), "half": torch.ones(2, dtype=torch.bfloat16)}, path)
    target = tmp_path / "out\n\udc80.npz"
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    for arguments in (["--list"], ["--export", "*", "--output", os.fsencode(target)]):
        done = subprocess.run(
            [sys.executable, "-m", "inspector", path, *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        name = "漢" if encoding.startswith("utf") else "\\u6f22"
        assert name.encode() in done.stdout
    assert b"out\\u000a\\udc80.npz: 2 tensors" in done.stdout
    assert set(np.load(target)) == {"漢", "half"}


@pytest.mark.parametrize(
    ("name", "hint"),
    [("layer.wieght", "Did you mean layer.weight?"), ("qqqqqqqqqqq", "--list")],
)
def test_an_unknown_tensor(
    checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    hint: str,
) -> None:
    target = tmp_path / "out.npy"
    assert main([str(checkpoint), "--export", name, "--output", str(target)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    message = assert_one_line(err)
    assert name in message
    assert hint in message
    assert not target.exists()


# Wrong usage ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["--list"],
        ["a.pt", "b.pt", "--list"],
        ["a.pt", "--json"],
        ["a.pt", "--export", "x"],
        ["a.pt", "--output", "o.npy"],
        ["--export", "x", "--output", "o.npy"],
        ["a.pt", "b.pt", "--export", "x", "--output", "o.npy"],
        ["a.pt", "--list", "--export", "x", "--output", "o.npy"],
        ["a.pt", "--list", "--screenshot", "o.png"],
        ["a.pt", "--list", "--output", "o.npy"],
        ["a.pt", "--list", "--region", "[0]"],
        ["a.pt", "--region", "[0]"],
        ["a.pt", "--format", "npy"],
        ["a.pt", "--list", "--form", "raw"],
        ["a.pt", "--export", "x", "--output", "o.npy", "--format", "png"],
        ["a.pt", "--export", "--output", "o.npy"],
        ["--export", "x", "a.pt", "--output", "o.npy"],
        ["a.pt", "--export", "x", "--output", "o.npy", "--json"],
        ["a.pt", "--list", "--tensor", "x"],
        ["--tensor", "x"],
        ["a.pt", "b.pt", "--tensor", "x"],
        ["a.pt", "--size", "800x600"],
        ["a.pt", "--screenshot", "o.png", "--size", "800"],
        ["a.pt", "--screenshot", "o.png", "--size", "10x10"],
        ["a.pt", "--screenshot", "o.png", "--size", "800x600x2"],
        ["a.pt", "--register"],
        ["a.pt", "--unregister"],
        ["--register", "--unregister"],
        ["--register", "--list"],
        ["a.pt", "--theme", "pink"],
        ["a.pt", "--unknown"],
    ],
    ids=" ".join,
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "tensor-inspector: error: " in err.splitlines()[-1]


def test_wrong_usage_in_a_process_of_its_own() -> None:
    done = run("a.pt", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--json goes with --list" in done.stderr


@pytest.mark.parametrize("region", ["[9]", "[0, 0, 0, 0]", "abc", "[::0]", "[..., ...]", "[0,,1]"])
def test_a_wrong_region(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], region: str
) -> None:
    target = tmp_path / "out.npy"
    arguments = ["--export", "layer.weight", "--output", str(target), "--region", region]
    assert main([str(checkpoint), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert_one_line(err)
    assert not target.exists()


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"tensor-inspector {__version__}"
    assert f"torch {torch.__version__}" in lines
    assert f"NumPy {np.__version__}" in lines


# Screens ----------------------------------------------------------------------------------------


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have a display")
def test_without_a_display(checkpoint: Path) -> None:
    done = run(checkpoint, display=False)
    assert (done.returncode, done.stdout) == (1, "")
    message = assert_one_line(done.stderr)
    assert "--list" in message
    assert "DISPLAY" in message


def test_screenshot_needs_no_display(tmp_path: Path) -> None:
    target = tmp_path / "window.png"
    done = run(SAMPLE, "--screenshot", target, "--size", "900x620", display=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    content = target.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", content[16:24]) == (900, 620)
    # A window without contents would be a few thousand bytes.
    assert len(content) > 10_000


def test_screenshot_of_an_unknown_tensor(tmp_path: Path) -> None:
    target = tmp_path / "window.png"
    done = run(SAMPLE, "--screenshot", target, "--tensor", "no such tensor", display=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no such tensor" in assert_one_line(done.stderr)
    assert not target.exists()


def test_screenshot_of_a_missing_file(tmp_path: Path) -> None:
    target = tmp_path / "window.png"
    done = run(tmp_path / "missing.pt", "--screenshot", target, display=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "missing.pt" in assert_one_line(done.stderr)
    assert not target.exists()


@pytest.mark.filterwarnings("ignore:.*nested tensors:UserWarning")
def test_a_pattern_leaves_out_what_has_no_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, target = tmp_path / "some.pt", tmp_path / "out.npz"
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    state = {"a": torch.ones(3), "n": nested, "m": torch.empty(2, device="meta")}
    torch.save(state, path)
    assert main([str(path), "--export", "*", "--output", str(target)]) == 0
    assert "Left out, having no values of their own: n, m" in capsys.readouterr().out
    assert list(np.load(target)) == ["a"]
    for names in (["n"], ["[nm]"], ["a", "m"]):
        other = tmp_path / "other.npz"
        assert main([str(path), "--export", *names, "--output", str(other)]) == 1
        assert "tensor-inspector: " in capsys.readouterr().err
        assert not other.exists()
