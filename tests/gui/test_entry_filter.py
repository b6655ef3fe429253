"""What can be typed into the filter box."""

from __future__ import annotations

import contextlib
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.checkpoints.model import TensorEntry, ValueEntry
from inspector.gui.entry_filter import parse_filter
from inspector.gui.filter_terms import FilterError


def tensor(
    name: str,
    shape: tuple[int, ...] = (4, 3),
    dtype: str = "float32",
    device: str = "cpu",
    kind: str = "dense",
) -> TensorEntry:
    stride = tuple(1 for _ in shape)
    return TensorEntry(name, (name,), dtype, shape, stride, None, device=device, kind=kind)  # type: ignore[arg-type]


def value(name: str) -> ValueEntry:
    return ValueEntry(name, (name,), "int", "12")


def found(text: str, *entries: TensorEntry | ValueEntry) -> list[str]:
    wanted = parse_filter(text)
    return [entry.name for entry in entries if wanted.matches(entry)]


Q, K, B = tensor("layers.0.Q_proj.weight"), tensor("layers.0.k_proj.weight"), tensor("fc.bias")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", [Q.name, K.name, B.name]),
        ("q_PROJ", [Q.name]),
        ("proj weight", [Q.name, K.name]),
        ("proj -q_", [K.name]),
        ("-weight", [B.name]),
        ('"proj.w"', [Q.name, K.name]),
        ('-"proj.w', [B.name]),
        ("/[qk]_proj/", [Q.name, K.name]),
        ("/^fc.bias$/", [B.name]),
        ("-/[qk]_proj/", [B.name]),
        ("/k_ /", []),
        ("/k_pr", [K.name]),  # while it is being typed
        ("re:^layers", [Q.name, K.name]),
        ("re:k_ weight", [K.name]),
        ("-", [Q.name, K.name, B.name]),
        ("/", [Q.name, K.name, B.name]),
        ("dtype:", [Q.name, K.name, B.name]),
        ("size:", [Q.name, K.name, B.name]),
        ("nosuchfield:1", []),
    ],
)
def test_names(text: str, names: list[str]) -> None:
    assert found(text, Q, K, B) == names


def test_a_colon_that_is_no_field_belongs_to_the_word() -> None:
    assert found("model:0", tensor("model:0"), tensor("model")) == ["model:0"]
    assert found('"dtype:x"', tensor("a.dtype:x"), tensor("b")) == ["a.dtype:x"]


def test_a_word_may_hold_slashes() -> None:
    assert found("dense/kernel", tensor("dense/kernel:0"), tensor("dense")) == ["dense/kernel:0"]


@pytest.mark.parametrize(
    ("text", "dtypes"),
    [
        ("dtype:bf16", ["bfloat16"]),
        ("dtype:torch.bfloat16", ["bfloat16"]),
        ("dtype:half", ["float16"]),
        ("dtype:float", ["float32"]),
        ("dtype:fp8", ["float8_e4m3fn", "float8_e5m2"]),
        ("dtype:float8_e5m2", ["float8_e5m2"]),
        ("dtype:i64", ["int64"]),
        ("dtype:int1", []),  # a dtype of its own, not the beginning of int16
        ("type:int", ["int64"]),
        ("dtype:bf16,fp16", ["bfloat16", "float16"]),
        ("-dtype:fp8 -dtype:int", ["bfloat16", "float16", "float32"]),
    ],
)
def test_dtype(text: str, dtypes: list[str]) -> None:
    all_dtypes = ["bfloat16", "float16", "float32", "float8_e4m3fn", "float8_e5m2", "int64"]
    assert found(text, *(tensor(name, dtype=name) for name in all_dtypes)) == dtypes


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("shape:4096x1024", ["2d"]),
        ("shape:[4096,1024]", ["2d"]),
        ("shape:(4096,1024)", ["2d"]),
        ("shape:4096×1024", ["2d"]),
        ("shape:4096x", ["2d"]),
        ("shape:*x3x3", ["3d", "4d"]),
        ("shape:?x3x3", ["3d"]),
        ("shape:64x*", ["3d", "4d"]),
        ("shape:*", ["1d", "2d", "3d", "4d"]),
        ("shape:*x*x*", ["3d", "4d"]),
        ("shape:4d", ["4d"]),
        ("shape:scalar", ["0d"]),
        ("shape:[]", ["0d"]),
        ("shape:768", ["1d"]),
    ],
)
def test_shape(text: str, names: list[str]) -> None:
    shapes = {"0d": (), "1d": (768,), "2d": (4096, 1024), "3d": (64, 3, 3), "4d": (64, 32, 3, 3)}
    assert found(text, *(tensor(name, shape) for name, shape in shapes.items())) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("size:>1MB", ["1 MiB", "1 MiB + 1"]),
        ("size:>1MiB", ["1 MiB + 1"]),
        ("size:>=1MiB", ["1 MiB", "1 MiB + 1"]),
        ("size:<=1.5k", ["1 KiB"]),
        ("size:<1KiB", []),
        ("size:1024", ["1 KiB"]),
        ("size:=1kib", ["1 KiB"]),
        ('size:"> 1 MB"', ["1 MiB", "1 MiB + 1"]),
    ],
)
def test_size(text: str, names: list[str]) -> None:
    sizes = {"1 KiB": 1024, "1 MiB": 1024**2, "1 MiB + 1": 1024**2 + 1}
    entries = [tensor(name, (size,), "uint8") for name, size in sizes.items()]
    assert found(text, *entries) == names


def test_device_and_kind() -> None:
    a, b = tensor("a", device="cuda:1"), tensor("b", kind="sparse_coo")
    assert found("device:cuda", a, b) == ["a"]
    assert found("device:CUDA:1", a, b) == ["a"]
    assert found("kind:sparse", a, b) == ["b"]


def test_plain_values_answer_to_names_only() -> None:
    assert found("epoch", value("epoch"), tensor("a")) == ["epoch"]
    for text in ("dtype:f", "shape:*", "size:>0", "device:c", "kind:dense"):
        assert found(text, value("epoch")) == []


@pytest.mark.parametrize(
    "text",
    ["size:>abc", "size:>", "size:1XB", "shape:4y4", "shape:4x-1", "/(/", "re:[", "/a{2,1}/"],
)
def test_a_bad_filter_says_so(text: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    assert text.strip("/").removeprefix("re:") in caught.value.message


def test_an_expression_that_never_ends_is_given_up() -> None:
    wanted = parse_filter("/^(a+)+$/")
    began = time.monotonic()
    with pytest.raises(FilterError, match="too long"):
        wanted.matches(tensor("a" * 1_000 + "b"))
    assert time.monotonic() - began < 2


def test_hostile_names_are_looked_at() -> None:
    assert found("/x$/", tensor("\ud800\x00\u202e\nx"), tensor("y" * 100_000)) == [
        "\ud800\x00\u202e\nx"
    ]


WORDS = st.text(alphabet="abAB.[]01_", min_size=1, max_size=3)


@given(
    names=st.lists(st.text(alphabet="abAB.[]01_", max_size=8), max_size=8),
    words=st.lists(st.tuples(st.booleans(), WORDS), max_size=3),
    dtype=st.sampled_from(["", "float16", "float32"]),
    axes=st.lists(st.integers(0, 3), max_size=2),
)
def test_as_a_naive_reference(
    names: list[str], words: list[tuple[bool, str]], dtype: str, axes: list[int]
) -> None:
    entries = [
        tensor(name, tuple(axes[: index % 3]), ["float16", "float32"][index % 2])
        for index, name in enumerate(names)
    ]
    text = " ".join(f"{'-' if negated else ''}{word}" for negated, word in words)
    text += f" dtype:{dtype}" if dtype else ""
    text += f" shape:[{','.join(map(str, axes))}]"

    def reference(entry: TensorEntry) -> bool:
        return (
            all((word.lower() in entry.name.lower()) != negated for negated, word in words)
            and dtype in ("", entry.dtype)
            and entry.shape == tuple(axes)
        )

    assert found(text, *entries) == [entry.name for entry in entries if reference(entry)]


@given(st.lists(st.sampled_from(["*", "?", 1, 2, 3]), min_size=1, max_size=5), st.data())
def test_shape_patterns_as_regular_expressions(
    pattern: list[int | str], data: st.DataObject
) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 3), max_size=6)))
    expression = "".join(
        {"*": "[0-9]+", "?": "[0-9]"}.get(str(part), str(part)) for part in pattern
    )
    expected = re.fullmatch(expression, "".join(map(str, shape))) is not None
    wanted = parse_filter(f"shape:[{','.join(map(str, pattern))}]")
    assert wanted.matches(tensor("x", shape)) == expected


@given(st.text(max_size=30))
def test_whatever_is_typed(text: str) -> None:
    """Nothing but a `FilterError` comes out."""
    with contextlib.suppress(FilterError):
        parse_filter(text).matches(tensor("layers.0.weight"))
