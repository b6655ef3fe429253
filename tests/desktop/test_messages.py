"""What launches tell each other: any name of a file comes through, and nothing else does."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.desktop.messages import (
    MOST_BYTES,
    MOST_PATHS,
    Message,
    decode,
    encode,
    split,
)

#: Names as Linux has them: any bytes but two.
NAMES = st.binary(min_size=1, max_size=40).map(
    lambda name: os.fsdecode(name.replace(b"\0", b"0").replace(b"/", b"_"))
)


@pytest.mark.skipif(sys.platform == "win32", reason="names are bytes")
@given(st.lists(NAMES, max_size=5), st.none() | st.text(max_size=20))
def test_every_name_comes_through(names: list[str], tensor: str | None) -> None:
    message = Message(tuple(Path("/somewhere", name) for name in names), tensor, "token", "1", 2.5)
    line = encode(message)
    assert line.index(b"\n") == len(line) - 1
    found = decode(line)
    assert found == message
    assert [os.fsencode(path) for path in found.paths] == [
        os.fsencode(path) for path in message.paths
    ]


@pytest.mark.parametrize(("number", "length"), [(0, 1), (1, 1), (2500, 10), (700, 4000)])
def test_many_files_are_several_messages(number: int, length: int) -> None:
    paths = [Path(f"/{place:0{length}}") for place in range(number)]
    messages = list(split(paths, None, ""))
    assert [path for message in messages for path in message.paths] == paths
    assert len({message.number for message in messages}) == len(messages)
    assert all(len(message.paths) <= MOST_PATHS for message in messages)
    assert all(len(encode(message)) <= MOST_BYTES for message in messages)
    assert len(messages) < 10
    assert all(decode(encode(message)) == message for message in messages)


def line(**changes: Any) -> bytes:
    """A message with something else in it; None leaves it out."""
    content = json.loads(encode(Message((Path("/a.pt"),), "w", "token", "1", 1.0)))
    content = {**content, **changes}
    return json.dumps({k: v for k, v in content.items() if v is not ...}).encode() + b"\n"


def test_the_line_that_is_changed_is_a_message() -> None:
    assert decode(line()) == Message((Path("/a.pt"),), "w", "token", "1", 1.0)


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"\n",
        b"GET / HTTP/1.1\r\n",
        b"\xff\xfe\0\n",
        b"null\n",
        b"[1]\n",
        b"{}\n",
        b"[" * 100_000,
        b"1" * 100_000,
        line(protocol=2),
        line(protocol=...),
        line(number=7),
        line(number=""),
        line(number="7" * 1000),
        line(until="soon"),
        line(until=None),
        line(until=...),
        line(paths="/a.pt"),
        line(paths={"/a.pt": 1}),
        line(paths=[7]),
        line(paths=["a.pt"]),
        line(paths=[""]),
        line(paths=["../a.pt"]),
        line(paths=["/a\0.pt"]),
        line(paths=["/\ud800.pt"]),
        line(paths=["/a.pt", None]),
        line(paths=["/a.pt"] * (MOST_PATHS + 1)),
        line(paths=...),
        line(tensor=7),
        line(token=None),
        line(token="a\0"),
        line(token="\udcff"),
        line(more="x" * MOST_BYTES),
    ],
    ids=lambda wrong: ascii(wrong[:40]),
)
def test_anything_else_is_no_message(wrong: bytes) -> None:
    assert decode(wrong) is None
