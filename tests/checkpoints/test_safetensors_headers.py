"""safetensors headers: ordinary, unusual, lying."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from inspector.checkpoints import Checkpoint, CheckpointError, open_checkpoint


def written(path: Path, header: object, data: bytes = b"") -> Path:
    """A file with any header: text as it is, all else as JSON."""
    raw = header.encode() if isinstance(header, str) else json.dumps(header).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + data)
    return path


def record(dtype: str, shape: list[Any], begin: object, end: object) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def messages(checkpoint: Checkpoint) -> str:
    return "\n".join(finding.message for finding in checkpoint.findings)


def test_two_numbers_in_a_byte_count_as_torch_counts(tmp_path: Path) -> None:
    path = tmp_path / "f4.safetensors"
    tensor = torch.arange(12, dtype=torch.uint8).view(torch.float4_e2m1fn_x2).reshape(3, 4)
    save_file({"w": tensor}, path)
    (entry,) = open_checkpoint(path).entries
    theirs = load_file(path)["w"]
    assert (f"torch.{entry.dtype}", entry.shape) == (str(theirs.dtype), tuple(theirs.shape))
    assert not entry.problem


def test_no_dimensions_and_no_elements(tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    save_file({"zero": torch.tensor(3.5), "none": torch.empty(0, 7)}, path)
    found = {entry.name: entry for entry in open_checkpoint(path).entries}
    assert (found["zero"].shape, found["zero"].nbytes) == ((), 4)
    assert (found["none"].shape, found["none"].nbytes) == ((0, 7), 0)
    assert not found["none"].problem


def test_names_that_the_reference_reader_takes(tmp_path: Path) -> None:
    one = json.dumps(record("U8", [1], 0, 1))
    two = json.dumps(record("U8", [2], 1, 3))
    header = f'{{"":{one},"a\\u0000b\\u202e":{two}}}'
    path = written(tmp_path / "names.safetensors", header, b"123")
    with safe_open(path, "pt") as theirs:
        assert sorted(theirs.keys()) == ["", "a\0b\u202e"]
    checkpoint = open_checkpoint(path)
    assert [entry.name for entry in checkpoint.entries] == ["", "a\0b\u202e"]
    assert [entry.path for entry in checkpoint.entries] == [("",), ("a\0b\u202e",)]
    assert checkpoint.findings == []


def test_of_two_equal_names_the_last_counts(tmp_path: Path) -> None:
    one, two = json.dumps(record("U8", [1], 0, 1)), json.dumps(record("U8", [3], 0, 3))
    path = written(tmp_path / "twice.safetensors", f'{{"w":{one},"w":{two}}}', b"123")
    (entry,) = open_checkpoint(path).entries
    assert entry.shape == (3,)


def test_holes_and_overlaps_are_mentioned(tmp_path: Path) -> None:
    path = tmp_path / "runs.safetensors"
    hole = {"a": record("U8", [2], 0, 2), "b": record("U8", [2], 5, 7)}
    checkpoint = open_checkpoint(written(path, hole, bytes(10)))
    assert "6 bytes of the file belong to no tensor" in messages(checkpoint)
    assert not any(entry.problem for entry in checkpoint.entries)
    overlap = {"a": record("U8", [4], 0, 4), "b": record("U8", [4], 2, 6)}
    checkpoint = open_checkpoint(written(path, overlap, bytes(6)))
    assert "share bytes" in messages(checkpoint)
    assert "belong to no tensor" not in messages(checkpoint)


def test_a_truncated_file_shows_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "cut.safetensors"
    save_file({"a": torch.ones(10), "b": torch.ones(10)}, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    checkpoint = open_checkpoint(path)
    left = [entry.name for entry in checkpoint.entries if not entry.problem]
    assert left == ["a"]
    assert f"byte {len(whole):,}" in messages(checkpoint)
    assert f"{len(whole) - 20:,}" in messages(checkpoint)
    path.write_bytes(whole[:40])
    with pytest.raises(CheckpointError, match="cut short"):
        open_checkpoint(path)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (record("F32", [3], 0, 8), "needs 12 bytes"),
        (record("F32", [2], 8, 0), "end before they begin"),
        (record("F32", [2], -8, 0), "end before they begin"),
        (record("F32", [2**70], 0, 8), "no shape"),
        (record("F32", [2**62, 2**62], 0, 8), "needs"),
        (record("F32", [-2], 0, 8), "no shape"),
        (record("F32", ["2"], 0, 8), "no shape"),
        (record("F32", [True], 0, 8), "no shape"),
        (record("F32", [2.0], 0, 8), "no shape"),
        (record("F32", [1] * 66 + [2], 0, 8), "67 dimensions"),
        (record("F6_E3M2", [2], 0, 8), "F6_E3M2 is not known"),
        (record("F32", [2], 0, "8"), "where its bytes are"),
        (record("F32", [2], 0, 2**80), "where its bytes are"),
        ({"dtype": "F32", "shape": [2]}, "where its bytes are"),
        ({"dtype": 7, "shape": [2], "data_offsets": [0, 8]}, "no dtype"),
        ([1, 2], "no JSON object"),
        (None, "no JSON object"),
    ],
)
def test_one_bad_record_leaves_the_others(tmp_path: Path, entry: object, problem: str) -> None:
    header = {"bad": entry, "good": record("F32", [2], 0, 8)}
    checkpoint = open_checkpoint(written(tmp_path / "bad.safetensors", header, bytes(8)))
    bad, good = checkpoint.entries
    assert problem in bad.problem
    assert not good.problem
    assert any(finding.where == "bad" for finding in checkpoint.findings)


@pytest.mark.parametrize("metadata", [[], "text", {"a": 1}, {"a": {"b": "c"}}])
def test_metadata_that_are_not_text(tmp_path: Path, metadata: object) -> None:
    header = {"__metadata__": metadata, "w": record("U8", [1], 0, 1)}
    checkpoint = open_checkpoint(written(tmp_path / "m.safetensors", header, b"1"))
    assert checkpoint.metadata == {}
    assert len(checkpoint.entries) == 1
    assert "metadata" in messages(checkpoint)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("{" + "[" * 100_000, "JSON"),
        ('{"a":' * 100_000, "JSON"),
        ('{"a"}', "JSON"),
        ("{" + '"a":NaN,' + '"b":' + "9" * 10_000, "JSON"),
    ],
)
def test_headers_that_are_no_json(tmp_path: Path, header: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(written(tmp_path / "h.safetensors", header))


def test_a_header_beyond_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "long.safetensors"
    with path.open("wb") as file:
        file.write((150_000_000).to_bytes(8, "little") + b'{"a":')
        file.truncate(200_000_000)
    with pytest.raises(CheckpointError, match="not allowed"):
        open_checkpoint(path)


def test_a_100_gb_file_lists_as_quickly_as_a_small_one(tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    count, each = 100, 1 << 30
    header = {
        f"w{index}": record("BF16", [each // 2], index * each, (index + 1) * each)
        for index in range(count)
    }
    written(path, header)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + count * each)
    began = time.process_time()
    checkpoint = open_checkpoint(path)
    assert time.process_time() - began < 0.5
    assert sum(entry.nbytes for entry in checkpoint.entries) == count * each
    assert checkpoint.findings == []
    last = checkpoint.entries[-1].storage
    assert last is not None
    assert last.source.read(last.offset + last.nbytes - 4, 4) == bytes(4)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["dtype", "shape", "data_offsets", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=4) | st.just("__metadata__"), json_values, max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_json_is_listed(tmp_path_factory: pytest.TempPathFactory, header: object) -> None:
    path = tmp_path_factory.mktemp("json") / "any.safetensors"
    open_checkpoint(written(path, header, bytes(64))).close()
