"""The command line, as a user and as a script meets it."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

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
        ["a.pt", "--export", "x", "--output", "o.npy", "--json"],
        ["a.pt", "--list", "--tensor", "x"],
        ["--tensor", "x"],
        ["a.pt", "b.pt", "--tensor", "x"],
        ["a.pt", "--size", "800x600"],
        ["a.pt", "--screenshot", "o.png", "--size", "800"],
        ["a.pt", "--screenshot", "o.png", "--size", "10x10"],
        ["a.pt", "--screenshot", "o.png", "--size", "800x600x2"],
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
    assert capsys.readouterr().out.startswith("tensor-inspector ")


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
