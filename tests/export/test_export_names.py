"""Names of files and variables, whatever a tensor is called."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.checkpoints.errors import ExportError
from inspector.export.names import file_name, file_names, is_device, variable_names
from inspector.export.targets import check_target

ANY_NAMES = st.lists(st.text() | st.sampled_from(["a", "A", "a_2", "con", "..", "é", "e\u0301"]))


def test_file_names_for_tensors() -> None:
    assert file_name("layers.0.weight", ".npy") == "layers.0.weight.npy"
    assert file_name("a/b:c*", ".npy") == "a_b_c_.npy"
    assert file_name("..", ".npy") == "tensor.npy"
    assert file_name("nul", ".npy") == "_nul.npy"
    assert len(file_name("x" * 1000, ".npy")) == 140
    assert len(file_name("重" * 1000, ".npy").encode()) <= 140


@given(ANY_NAMES)
def test_every_file_name_is_one_that_every_system_takes(names: list[str]) -> None:
    made = file_names(names, ".npy")
    assert len({name.casefold() for name in made}) == len(names)
    for name in made:
        check_target(Path("/tmp", name), windows=True)
        assert Path(name).name == name
        assert len(name.encode()) <= 160
        assert name.endswith(".npy")


@given(ANY_NAMES)
def test_every_variable_name_is_one_that_matlab_takes(names: list[str]) -> None:
    made = variable_names(names)
    assert len(set(made)) == len(names)
    for name in made:
        assert name.isascii()
        assert name.isidentifier()
        assert name[0] != "_"
        assert len(name) <= 63


def test_variable_names_stay_recognisable() -> None:
    names = ["layers.0.weight", "layers_0_weight", "end", "0.bias", "_x"]
    assert variable_names(names) == [
        "layers_0_weight",
        "layers_0_weight_2",
        "xend",
        "x0_bias",
        "x_x",
    ]


def test_many_names_alike_take_no_time() -> None:
    made = file_names(["x"] * 20_000)
    assert made[-1] == "x_20000"


@pytest.mark.parametrize("name", ["NUL", "con.npy", "Com1.tar.gz", "lpt¹", "AUX .txt"])
def test_devices_of_windows(name: str) -> None:
    assert is_device(name)
    with pytest.raises(ExportError, match="keeps this name for a device"):
        check_target(Path(name), windows=True)
    check_target(Path(name), windows=False)


@pytest.mark.parametrize(
    ("name", "windows", "words"),
    [
        ("a\0b", False, "zero character"),
        ("a\ud800", False, "has no bytes for"),
        ("a?.npy", True, r"Windows allows no '\?'"),
        ("a:b", True, "Windows allows no ':'"),
        ("a.", True, "no dot or space at the end"),
        ("a ", True, "no dot or space at the end"),
        ("/", False, "has no name"),
    ],
)
def test_names_that_a_system_refuses(name: str, windows: bool, words: str) -> None:
    with pytest.raises(ExportError, match=words) as caught:
        check_target(Path(name), windows=windows)
    assert caught.value.advice


@pytest.mark.parametrize("name", ["console.npy", "a.b.c", "com.npy", "nulls"])
def test_ordinary_names(name: str) -> None:
    check_target(Path(name), windows=True)
