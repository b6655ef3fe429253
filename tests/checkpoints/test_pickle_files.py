"""Pickles that no torch file is around: pickle's, joblib's, compressed ones."""

from __future__ import annotations

import bz2
import collections
import contextlib
import dataclasses
import datetime
import decimal
import enum
import gzip
import io
import lzma
import os
import pickle
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.checkpoints import Checkpoint, InspectorError, TensorEntry, open_checkpoint
from inspector.checkpoints.decompressed import Decompressed, compression_of
from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.sources import MemoryBytes
from tests.checkpoints.test_torch_files import flattened, state, stored_bytes, torchs_bytes

PROTOCOLS = range(6)


def opened(path: Path, content: bytes) -> Checkpoint:
    path.write_bytes(content)
    return open_checkpoint(path)


def array_of(entry: TensorEntry) -> np.ndarray[Any, Any]:
    assert not entry.problem, entry.problem
    assert entry.storage is not None
    order = ">" if entry.storage.byteorder == "big" else "<"
    raw = np.frombuffer(stored_bytes(entry), np.dtype(entry.dtype).newbyteorder(order))
    return raw.reshape(entry.shape)


class Estimator:
    """As scikit-learn's are: arrays and numbers in attributes."""

    def __init__(self, **attributes: object) -> None:
        self.__dict__ |= attributes


def arrays() -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(0)
    return {
        "c": rng.normal(size=(3, 4)),
        "f": np.asfortranarray(rng.normal(size=(5, 3)).astype(np.float32)),
        "big": np.arange(5, dtype=">i4"),
        "empty": np.zeros((0, 3)),
        "scalar": np.array(7.5),
        "large": rng.normal(size=(200, 100)),
        "flags": np.array([True, False, True]),
    }


def assert_arrays(checkpoint: Checkpoint, expected: dict[str, np.ndarray[Any, Any]]) -> None:
    assert [entry.name for entry in checkpoint.entries] == list(expected)
    for entry in checkpoint.entries:
        array = expected[entry.name]
        assert entry.shape == array.shape
        assert np.array_equal(array_of(entry), array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_and_numbers(tmp_path: Path, protocol: int) -> None:
    values = {**arrays(), "n": np.float32(2.5), "alpha": 0.1}
    checkpoint = opened(tmp_path / "a.pkl", pickle.dumps(values, protocol))
    assert checkpoint.format == "pickle"
    assert checkpoint.metadata["pickle protocol"] == (str(protocol) if protocol > 1 else "0 or 1")
    assert_arrays(checkpoint, arrays())
    shown = {value.name: value.text for value in checkpoint.values}
    assert shown == {"n": "2.5", "alpha": "0.1"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tensors(tmp_path: Path, protocol: int) -> None:
    value = state()
    content = pickle.dumps(value, protocol)
    checkpoint = opened(tmp_path / "a.p", content)
    expected = flattened(pickle.loads(content))
    assert [entry.name for entry in checkpoint.entries] == list(expected)
    for entry in checkpoint.entries:
        tensor = expected[entry.name]
        assert (entry.shape, entry.stride) == (tuple(tensor.shape), tensor.stride())
        assert not entry.problem
        assert stored_bytes(entry) == torchs_bytes(tensor)
    assert not [found for found in checkpoint.findings if found.severity in ("warning", "danger")]


def test_a_large_tensor_stays_in_the_file(tmp_path: Path) -> None:
    value = {"a": torch.randn(400, 300), "b": torch.ones(2)}
    checkpoint = opened(tmp_path / "a.pkl", pickle.dumps(value))
    assert [stored_bytes(entry) for entry in checkpoint.entries] == [
        torchs_bytes(tensor) for tensor in value.values()
    ]
    checkpoint.close()
    with pytest.raises(InspectorError):
        stored_bytes(checkpoint.entries[0])


def test_a_module_and_an_archive_within(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    checkpoint = opened(tmp_path / "a.pkl", pickle.dumps(model))
    expected = model.state_dict()
    assert {entry.name for entry in checkpoint.entries} == set(expected)

    class Zipped:
        def __reduce__(self) -> Any:
            buffer = io.BytesIO()
            torch.save({"w": torch.arange(3), "epoch": 4}, buffer)
            return torch.storage._load_from_bytes, (buffer.getvalue(),)

    checkpoint = opened(tmp_path / "b.pkl", pickle.dumps({"inner": Zipped(), "x": 1}))
    assert [entry.name for entry in checkpoint.entries] == ["inner.w"]
    assert stored_bytes(checkpoint.entries[0]) == torchs_bytes(torch.arange(3))
    assert ("inner.epoch", "4") in [(value.name, value.text) for value in checkpoint.values]


def test_an_archive_within_that_is_damaged(tmp_path: Path) -> None:
    class Broken:
        def __reduce__(self) -> Any:
            return torch.storage._load_from_bytes, (b"nothing",)

    content = pickle.dumps({"bad": Broken(), "good": torch.ones(2)})
    checkpoint = opened(tmp_path / "a.pkl", content)
    assert [entry.name for entry in checkpoint.entries] == ["good"]
    assert any("can not be read" in value.text for value in checkpoint.values)
    assert any("within the pickle" in finding.message for finding in checkpoint.findings)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_several_pickles(tmp_path: Path, protocol: int) -> None:
    parts = [{"w": np.arange(3)}, np.ones(2), {"epoch": 3}]
    content = b"".join(pickle.dumps(part, protocol) for part in parts)
    checkpoint = opened(tmp_path / "many.any", content)
    assert [entry.name for entry in checkpoint.entries] == ["[0].w", "[1]"]
    assert [value.name for value in checkpoint.values] == ["[2].epoch"]
    assert checkpoint.metadata["pickles"] == "3"
    checkpoint = opened(tmp_path / "tail.pkl", pickle.dumps(parts[0], 4) + b"\xff" * 9)
    assert [entry.name for entry in checkpoint.entries] == ["w"]
    assert any("9 bytes follow" in finding.message for finding in checkpoint.findings)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_joblib(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "model.joblib"
    objects = np.array([1, "two", None], dtype=object)
    model = Estimator(**arrays(), words=np.array(["a", "bc"]), objects=objects, alpha=0.5)
    joblib.dump(model, path, protocol=protocol)
    loaded = joblib.load(path)
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == "joblib"
    assert_arrays(checkpoint, {name: getattr(loaded, name) for name in arrays()})
    shown = {value.name: value.text for value in checkpoint.values}
    assert shown["alpha"] == "0.5"
    assert "two" in shown["objects"]
    assert not [found for found in checkpoint.findings if found.severity in ("warning", "danger")]


@pytest.mark.parametrize("method", ["zlib", "gzip", "bz2", "lzma", "xz"])
def test_joblib_compressed(tmp_path: Path, method: str) -> None:
    path = tmp_path / "model.pkl"
    joblib.dump({**arrays(), "alpha": 1}, path, compress=(method, 3))
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == "joblib, compressed"
    assert checkpoint.metadata["compression"] == {"bz2": "bzip2"}.get(method, method)
    assert_arrays(checkpoint, {name: joblib.load(path)[name] for name in arrays()})


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zlib.compress])
def test_compressed_pickles(tmp_path: Path, compress: Any) -> None:
    whole = pickle.dumps(arrays(), 4)
    checkpoint = opened(tmp_path / "a.pkl.gz", compress(whole))
    assert_arrays(checkpoint, arrays())
    with pytest.raises(InspectorError):
        opened(tmp_path / "b", compress(b"this is text and no pickle\n" * 9))


def test_two_streams_in_one_file(tmp_path: Path) -> None:
    whole = pickle.dumps(arrays(), 4)
    for compress in (gzip.compress, bz2.compress, lzma.compress):
        content = compress(whole[:1000]) + compress(whole[1000:])
        assert_arrays(opened(tmp_path / "a", content), arrays())


def test_a_truncated_compressed_file(tmp_path: Path) -> None:
    content = gzip.compress(pickle.dumps({**arrays(), "last": np.ones((90, 90))}, 4))
    checkpoint = opened(tmp_path / "a.gz", content[:-100])
    assert [entry.name for entry in checkpoint.entries][:3] == ["c", "f", "big"]
    assert any("ends too early" in finding.message for finding in checkpoint.findings)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_bomb_is_refused(tmp_path: Path, compress: Any) -> None:
    head = pickle.dumps({"a": np.zeros(9)}, 4)[:-1]
    path = tmp_path / "bomb"
    path.write_bytes(compress(head + bytes(100 << 20)))
    with pytest.raises(CheckpointError, match="made to fill the memory"):
        open_checkpoint(path)


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_a_large_compressed_file_is_read_anywhere(compress: Any) -> None:
    whole = np.random.default_rng(1).integers(0, 4, 40 << 20, np.uint8).tobytes()
    packed = zlib.compress(whole, 1) if compress is gzip.compress else None
    if packed is None:
        whole = bytes(20 << 20) + whole[: 1 << 20] + bytes(20 << 20)
        packed = lzma.compress(whole, preset=0)
    compression = compression_of(packed[:64])
    assert compression is not None
    source = Decompressed(MemoryBytes(packed), compression, lambda: None)
    assert source.size == len(whole)
    for offset in (len(whole) - 9, 20 << 20, 0, 33 << 20, (21 << 20) - 5):
        assert source.read(offset, 9) == whole[offset : offset + 9]


def test_truncated_at_many_places(tmp_path: Path) -> None:
    path = tmp_path / "cut.joblib"
    joblib.dump(arrays(), path)
    whole = path.read_bytes()
    expected = arrays()
    most = 0
    for size in [*range(1, 2000, 7), *range(2000, len(whole), 5003)]:
        path.write_bytes(whole[:size])
        try:
            checkpoint = open_checkpoint(path)
        except InspectorError:
            continue
        assert checkpoint.findings
        readable = [entry for entry in checkpoint.entries if not entry.problem]
        for entry in readable:
            assert np.array_equal(array_of(entry), expected[entry.name])
        most = max(most, len(readable))
        checkpoint.close()
    assert most >= 5


@pytest.mark.parametrize(
    "content",
    [
        b'{"a": [1, 2]}\n',
        b"[1, 2, 3]\n",
        b"(c) 2020 Somebody\nAll rights reserved.\n",
        b"In the beginning was the file.\n",
        b"I'm a text.\n",
        b"N.B. this is a text\n",
        b"Name,Value\n1,2\n",
        b"Summary:\nFoo. Bar.\n",
        b"(define (f x) x)\n",
        b"cos\nwas here\n",
        b"# a comment\n" * 999,
        b"In the beginning\n" * 999,
    ],
)
def test_texts_are_no_pickles(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(CheckpointError) as caught:
        opened(tmp_path / "x.pkl", content)
    assert "text" in caught.value.message


@dataclasses.dataclass
class Settings:
    rate: float = 0.5
    layers: tuple[int, ...] = (1, 2)


class Point(NamedTuple):
    x: int
    y: int


class Colour(enum.Enum):
    RED = 1


EVERYTHING: dict[str, tuple[object, str, str]] = {
    # the value, what the name that is listed ends in, what its text holds
    "dataclass": (Settings(), ".rate", "0.5"),
    "namedtuple": (Point(3, 4), "", "Point(3, 4)"),
    "enum": (Colour.RED, "", "Colour(1)"),
    "defaultdict": (collections.defaultdict(int, a=1), ".a", "1"),
    "deque": (collections.deque([1, 2], 5), "[0]", "1"),
    "path": (Path("a/b"), "", "'a'"),
    "date": (datetime.datetime(2024, 1, 2), "", "datetime.datetime("),
    "decimal": (decimal.Decimal("1.5"), "", "'1.5'"),
    "complex": (1 + 2j, "", "1.0, 2.0"),
    "range": (range(3), "", "0, 3, 1"),
    "slice": (slice(1, 2), "", "1, 2, None"),
    "bytes": (b"abc", "", "abc"),
    "bytearray": (bytearray(b"abc"), "", "abc"),
    "set": ({1}, "", "{1}"),
    "frozenset": (frozenset({1}), "", "1"),
    "torch_size": (torch.Size([2, 3]), "", "2, 3"),
    "dtype": (torch.float16, "", "torch.float16"),
}


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("name", list(EVERYTHING))
def test_plain_values_can_be_read(tmp_path: Path, name: str, protocol: int) -> None:
    value, ending, text = EVERYTHING[name]
    checkpoint = opened(tmp_path / "a.pkl", pickle.dumps({name: value}, protocol))
    shown = {item.name: item.text for item in checkpoint.values}
    assert name + ending in shown, shown
    assert text in shown[name + ending]


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_runs(tmp_path: Path, protocol: int) -> None:
    mark = tmp_path / "ran"
    content = pickle.dumps({"x": Evil(mark), "w": np.ones(2)}, protocol)

    class Around:
        def __reduce__(self) -> Any:
            buffer = io.BytesIO()
            torch.save(Evil(mark), buffer)
            return torch.storage._load_from_bytes, (buffer.getvalue(),)

    objects = tmp_path / "objects"
    joblib.dump(np.array([Evil(mark)], dtype=object), objects)
    files = [content, gzip.compress(content), pickle.dumps({"x": Around()}, protocol)]
    for data in [*files, objects.read_bytes()]:
        checkpoint = opened(tmp_path / "a", data)
        assert any(
            finding.severity == "danger" and "mkdir" in finding.message
            for finding in checkpoint.findings
        )
    assert not mark.exists()


def test_what_claims_much_takes_little(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    for content in (
        b"\x80\x04\x8e" + (1 << 40).to_bytes(8, "little"),
        b"\x80\x04\x8d" + (1 << 40).to_bytes(8, "little"),
        b"\x80\x02]r\xff\xff\xff\x7f.",
        b"\x80\x02X\xff\xff\xff\xff",
    ):
        with pytest.raises(InspectorError):
            opened(path, content)
    with path.open("wb") as file:
        # A line that does not end, in a file of 64 GB that takes no room
        file.write(b"\x80\x02S'")
        file.truncate(64 << 30)
    with pytest.raises(InspectorError):
        open_checkpoint(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    path = tmp_path_factory.mktemp("whole") / "file"
    small = {"a": np.arange(4), "o": np.array([None, 1], dtype=object), "w": np.array(["x"])}
    joblib.dump(small, path)
    found = [path.read_bytes(), pickle.dumps(small, 0), gzip.compress(pickle.dumps(small, 4))]
    return [*found, pickle.dumps({"t": torch.ones(2), "k": Estimator(a=1)}, 3)]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damage_is_an_error_of_ours(
    whole: list[bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(data.draw(st.sampled_from(whole)))
    for place, byte in data.draw(
        st.lists(
            st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), min_size=1, max_size=6
        )
    ):
        content[place] = byte
    with contextlib.suppress(InspectorError):
        opened(tmp_path_factory.getbasetemp() / "damaged", bytes(content)).close()
