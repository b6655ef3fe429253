"""GGUF files: what the reference writer makes, both byte orders, damaged and hostile ones."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFEndian
from gguf.constants import GGML_QUANT_SIZES
from gguf.scripts.gguf_convert_endian import byteswap_tensors
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.checkpoints import Checkpoint, CheckpointError, open_checkpoint
from inspector.checkpoints.errors import Cancelled, InspectorError
from inspector.checkpoints.ggml import BLOCK_SIZES, BLOCK_TYPES, PLAIN_TYPES
from inspector.checkpoints.gguf_values import single_text
from inspector.gui.filter_terms import DtypeIs
from inspector.values.regions import Region
from inspector.values.tensors import tensor_source

PLAIN = {
    "f32": np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 3, 4),
    "f16": np.arange(6, dtype=np.float16).reshape(2, 3),
    "f64": np.array([1 / 3, -np.inf]),
    "i8": np.arange(-4, 4, dtype=np.int8),
    "i16": np.arange(-4, 4, dtype=np.int16),
    "i32": np.array([[2**31 - 1], [-7]], np.int32),
    "i64": np.array([2**62, -1]),
}
ROWS = np.random.default_rng(3).standard_normal((3, 512), np.float32)


def blocks_of(name: str) -> np.ndarray:
    """Blocks of a type: quantized by the reference where it can, else any bytes."""
    try:
        return gguf.quantize(ROWS, GGMLQuantizationType[name])
    except NotImplementedError:
        count, size = BLOCK_SIZES[name]
        rng = np.random.default_rng(4)
        return rng.integers(0, 256, (3, 512 // count * size), dtype=np.uint8)


def written(
    path: Path, *, big: bool = False, blocks: tuple[str, ...] = (), alignment: int = 0
) -> Path:
    """What the reference writer makes of values of every type and some tensors."""
    order = GGUFEndian.BIG if big else GGUFEndian.LITTLE
    writer = gguf.GGUFWriter(path, "llama", endianess=order)
    if alignment:
        writer.add_custom_alignment(alignment)
    writer.add_uint8("v.u8", 200)
    writer.add_int8("v.i8", -3)
    writer.add_uint16("v.u16", 60_000)
    writer.add_int16("v.i16", -30_000)
    writer.add_uint32("v.u32", 4_000_000_000)
    writer.add_int32("v.i32", -2_000_000_000)
    writer.add_float32("v.f32", 1e-5)
    writer.add_uint64("v.u64", 2**64 - 1)
    writer.add_int64("v.i64", -(2**63))
    writer.add_float64("v.f64", 0.1)
    writer.add_bool("v.bool", True)
    writer.add_string("v.text", "a\u202eb\nc")
    writer.add_array("v.tokens", [f"token {n}" for n in range(5_000)])
    writer.add_array("v.numbers", list(range(1_000)))
    for name, array in PLAIN.items():
        writer.add_tensor(name, array)
    for name in blocks:
        writer.add_tensor(f"q.{name}", blocks_of(name), raw_dtype=GGMLQuantizationType[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def handmade(
    path: Path,
    *,
    values: bytes = b"",
    tensors: bytes = b"",
    counts: tuple[int, int] = (0, 0),
    data: bytes = b"",
    version: int = 3,
) -> Path:
    """A file of any header; the tensors' data begin at a multiple of 32."""
    head = b"GGUF" + struct.pack("<IQQ", version, *counts) + values + tensors
    path.write_bytes(head + bytes(-len(head) % 32) + data)
    return path


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def tensor(name: str, dims: list[int], kind: int, offset: int) -> bytes:
    """A tensor's description; ``dims`` in the file's order."""
    return text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


def messages(checkpoint: Checkpoint) -> str:
    return "\n".join(f"{finding.where}: {finding.message}" for finding in checkpoint.findings)


def values_of(checkpoint: Checkpoint, name: str) -> np.ndarray:
    entry = checkpoint.find(name)
    assert entry is not None
    return tensor_source(entry).read(Region.whole(entry.shape))


def test_the_types_are_the_reference_s() -> None:
    sizes = {kind.name: size for kind, size in GGML_QUANT_SIZES.items()}
    assert {name: sizes[name] for name in BLOCK_TYPES.values()} == BLOCK_SIZES
    assert {kind.value for kind in GGMLQuantizationType} == {*BLOCK_TYPES, *PLAIN_TYPES}
    for number, name in BLOCK_TYPES.items():
        assert GGMLQuantizationType(number).name == name


@pytest.mark.parametrize("alignment", [0, 64])
def test_listing_and_values_are_the_reference_reader_s(tmp_path: Path, alignment: int) -> None:
    path = written(tmp_path / "m.gguf", blocks=tuple(BLOCK_SIZES), alignment=alignment)
    theirs = gguf.GGUFReader(path)
    checkpoint = open_checkpoint(path)
    assert checkpoint.findings == []
    assert checkpoint.metadata["alignment"] == str(alignment or 32)
    assert [entry.name for entry in checkpoint.entries] == [item.name for item in theirs.tensors]
    for entry, item in zip(checkpoint.entries, theirs.tensors, strict=True):
        assert entry.shape == tuple(reversed(item.shape.tolist()))
        assert entry.nbytes == item.n_bytes
        assert entry.storage is not None
        assert (entry.storage.offset, entry.storage.nbytes) == (item.data_offset, item.n_bytes)
        is_block = entry.name.startswith("q.")
        assert entry.kind == ("quantized" if is_block else "dense")
        assert not is_block or entry.dtype == item.tensor_type.name
        if entry.dtype in ("Q8_1", "Q8_K", "Q1_0"):
            continue
        with np.errstate(all="ignore"):
            expected = gguf.dequantize(item.data, item.tensor_type) if is_block else item.data
        found = values_of(checkpoint, entry.name)
        assert found.dtype == expected.dtype
        assert found.tobytes() == expected.tobytes()


def test_bfloat16_is_dense(tmp_path: Path) -> None:
    path = tmp_path / "b.gguf"
    raw = gguf.quantize(ROWS, GGMLQuantizationType.BF16)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("w", raw, raw_dtype=GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    checkpoint = open_checkpoint(path)
    assert (checkpoint.entries[0].dtype, checkpoint.entries[0].kind) == ("bfloat16", "dense")
    expected = gguf.dequantize(raw, GGMLQuantizationType.BF16)
    assert values_of(checkpoint, "w").tobytes() == expected.tobytes()


@pytest.mark.parametrize("big", [False, True])
def test_values_of_every_type(tmp_path: Path, big: bool) -> None:
    checkpoint = open_checkpoint(written(tmp_path / "m.gguf", big=big))
    found = {value.name: (value.type_name, value.text) for value in checkpoint.values}
    assert found["v.u8"] == ("uint8", "200")
    assert found["v.i8"] == ("int8", "-3")
    assert found["v.u16"] == ("uint16", "60000")
    assert found["v.i16"] == ("int16", "-30000")
    assert found["v.u32"] == ("uint32", "4000000000")
    assert found["v.i32"] == ("int32", "-2000000000")
    assert found["v.f32"] == ("float32", "1e-05")
    assert found["v.u64"] == ("uint64", "18446744073709551615")
    assert found["v.i64"] == ("int64", "-9223372036854775808")
    assert found["v.f64"] == ("float64", "0.1")
    assert found["v.bool"] == ("bool", "True")
    assert found["v.text"] == ("string", r"a\u202eb\u000ac")
    word, shown = found["v.tokens"]
    assert word == "array of string"
    assert shown.startswith("['token 0', 'token 1', ")
    assert shown.endswith("…] 5,000 items")
    assert found["v.numbers"] == ("array of int32", "[0, 1, 2, 3, 4, 5, 6, 7, …] 1,000 items")
    assert checkpoint.metadata["general.architecture"] == "llama"
    assert checkpoint.metadata["version"] == "3"
    assert checkpoint.metadata["byte order"] == ("big" if big else "little")


def test_big_endian_values(tmp_path: Path) -> None:
    path = written(tmp_path / "big.gguf", big=True, blocks=("Q4_0", "Q6_K", "Q5_0", "MXFP4"))
    swapped = gguf.GGUFReader(path, "r+")
    for item in swapped.tensors:
        # The writer leaves the blocks as they are; the reference's converter swaps their fields.
        swap = byteswap_tensors.get(item.tensor_type)
        if swap is not None:
            flat = item._replace(data=item.data.reshape(-1))
            size = GGML_QUANT_SIZES[item.tensor_type][1]
            for offset in range(0, flat.data.size, size):
                swap(flat, offset)
    swapped.data.flush()
    checkpoint = open_checkpoint(path)
    for name, array in PLAIN.items():
        assert values_of(checkpoint, name).tobytes() == array.tobytes()
    for name in ("Q4_0", "Q6_K", "MXFP4"):
        expected = gguf.dequantize(blocks_of(name), GGMLQuantizationType[name])
        assert np.array_equal(values_of(checkpoint, f"q.{name}"), expected, equal_nan=True)
    with pytest.raises(InspectorError, match="big-endian"):
        values_of(checkpoint, "q.Q5_0")
    entry = checkpoint.find("q.Q4_0")
    assert entry is not None
    assert "big-endian fields swapped" in tensor_source(entry).summary


def test_version_1_has_short_counts(tmp_path: Path) -> None:
    path = tmp_path / "one.gguf"
    key = struct.pack("<I", 1) + b"k" + struct.pack("<II", 8, 2) + b"hi"
    items = struct.pack("<I", 1) + b"l" + struct.pack("<III", 9, 8, 1) + struct.pack("<I", 1) + b"x"
    info = struct.pack("<I", 1) + b"w" + struct.pack("<IIIIQ", 2, 3, 2, 0, 0)
    head = b"GGUF" + struct.pack("<III", 1, 1, 2) + key + items + info
    data = np.arange(6, dtype=np.float32)
    path.write_bytes(head + bytes(-len(head) % 32) + data.tobytes())
    checkpoint = open_checkpoint(path)
    assert [value.text for value in checkpoint.values] == ["hi", "['x'] 1 item"]
    assert checkpoint.findings == []
    assert values_of(checkpoint, "w").tolist() == data.reshape(2, 3).tolist()


def test_version_2_is_as_version_3(tmp_path: Path) -> None:
    info = tensor("w", [2], 0, 0)
    path = handmade(tmp_path / "two.gguf", tensors=info, counts=(1, 0), data=bytes(8), version=2)
    checkpoint = open_checkpoint(path)
    assert checkpoint.metadata["version"] == "2"
    assert values_of(checkpoint, "w").tolist() == [0, 0]


@pytest.mark.parametrize("version", [0, 4, 2**31, 2**32 - 1])
def test_versions_that_are_not_known(tmp_path: Path, version: int) -> None:
    path = handmade(tmp_path / "new.gguf", version=version)
    with pytest.raises(CheckpointError, match="versions 1 to 3 are known"):
        open_checkpoint(path)


@pytest.mark.parametrize(
    ("info", "problem"),
    [
        (tensor("w", [4], 77, 0), "the number 77, which is not known"),
        (tensor("w", [4], 31, 0), "Q4_0_4_4 is one that ggml gave up"),
        (tensor("w", [33], 2, 0), "33 numbers are not made of whole blocks of 32"),
        (tensor("w", [], 2, 0), "1 numbers are not made of whole blocks"),
        (tensor("w", [2**63], 0, 0), "no shape"),
        (tensor("w", [2**62, 2**62], 0, 0), "more elements than can be counted"),
        (tensor("w", [2**62, 2**62], 12, 0), "more elements than can be counted"),
        (tensor("w", [9], 0, 0), "cut short: it should reach up to byte"),
        (tensor("w", [1], 0, 2**64 - 1), "cut short"),
        (tensor("w", [64], 2, 0), "cut short: it should reach up to byte"),
    ],
)
def test_tensors_that_make_no_sense(tmp_path: Path, info: bytes, problem: str) -> None:
    tensors = info + tensor("good", [1], 0, 0)
    path = handmade(tmp_path / "odd.gguf", tensors=tensors, counts=(2, 0), data=bytes(32))
    checkpoint = open_checkpoint(path)
    assert problem in checkpoint.entries[0].problem
    assert problem in messages(checkpoint)
    with pytest.raises(InspectorError):
        values_of(checkpoint, "w")
    assert values_of(checkpoint, "good").tolist() == [0]


def test_tensors_that_share_bytes_or_are_out_of_line(tmp_path: Path) -> None:
    infos = tensor("a", [16], 0, 0) + tensor("b", [8], 0, 32) + tensor("c", [1], 0, 68)
    path = handmade(tmp_path / "runs.gguf", tensors=infos, counts=(3, 0), data=bytes(96))
    checkpoint = open_checkpoint(path)
    assert "b: It shares bytes with a." in messages(checkpoint)
    assert "c: It does not begin at a multiple of 32 bytes." in messages(checkpoint)


def test_names_that_are_there_twice(tmp_path: Path) -> None:
    value = text("k") + struct.pack("<IB", 0, 7)
    infos = tensor("w\n", [1], 0, 0) + tensor("w\n", [1], 0, 32)
    path = handmade(
        tmp_path / "twice.gguf", values=value * 2, tensors=infos, counts=(2, 2), data=bytes(36)
    )
    checkpoint = open_checkpoint(path)
    assert [entry.name for entry in checkpoint.entries] == ["w\n", "w\n #2"]
    assert [value.name for value in checkpoint.values] == ["k", "k #2"]
    assert messages(checkpoint).count("there twice") == 2
    assert "\n " not in messages(checkpoint)


@pytest.mark.parametrize(
    "value",
    [struct.pack("<II", 4, 0), struct.pack("<II", 4, 33), struct.pack("<Ii", 5, 32)],
)
def test_an_alignment_that_is_none(tmp_path: Path, value: bytes) -> None:
    path = handmade(
        tmp_path / "a.gguf",
        values=text("general.alignment") + value,
        tensors=tensor("w", [1], 0, 0),
        counts=(1, 1),
        data=bytes(32),
    )
    (entry,) = open_checkpoint(path).entries
    assert "general.alignment is no power of two" in entry.problem


_LIST = struct.pack("<I", 9)


@pytest.mark.parametrize(
    "content",
    [
        text("a") + _LIST + struct.pack("<IQ", 9, 2**60),
        text("a") + _LIST + struct.pack("<IQ", 8, 2**60),
        text("a") + _LIST + struct.pack("<IQ", 0, 2**63),
        text("a") + _LIST + struct.pack("<IQ", 12, 2**64 - 1),
        text("a") + struct.pack("<IQ", 8, 2**64 - 1),
        struct.pack("<Q", 2**64 - 1),
        text("a") + _LIST + struct.pack("<IQ", 9, 100_000) * 100_000,
        text("a") + _LIST + struct.pack("<IQ", 9, 1) * 200_000,
        text("a") + _LIST + struct.pack("<IQ", 8, 2**24 + 1) + bytes(16),
    ],
)
def test_huge_counts_end_at_once(tmp_path: Path, content: bytes) -> None:
    path = handmade(tmp_path / "h.gguf", values=content, counts=(2**63, 2**63))
    start = time.perf_counter()
    checkpoint = open_checkpoint(path)
    assert time.perf_counter() - start < 2
    assert not checkpoint.entries
    assert "0 of 9,223,372,036,854,775,808 tensors could be read" in messages(checkpoint)


def test_more_texts_than_any_vocabulary_has(tmp_path: Path) -> None:
    count = (1 << 24) + 100
    head = text("a") + _LIST + struct.pack("<IQ", 8, count)
    path = handmade(tmp_path / "sparse.gguf", values=head, counts=(0, 1))
    with path.open("rb+") as file:
        file.truncate(8 * count + 1000)
    start = time.perf_counter()
    assert "made to keep a reader busy" in messages(open_checkpoint(path))
    assert time.perf_counter() - start < 1


def test_lists_of_lists_are_stepped_over(tmp_path: Path) -> None:
    inner = struct.pack("<IQ", 0, 2) + b"\1\2"
    texts = struct.pack("<IQ", 8, 2) + text("ab") + text("c")
    deeper = struct.pack("<IQ", 9, 2) + inner + texts
    value = text("l") + _LIST + struct.pack("<IQ", 9, 3) + inner + deeper + texts
    after = text("after") + struct.pack("<IB", 0, 5)
    path = handmade(tmp_path / "l.gguf", values=value + after, counts=(0, 2))
    checkpoint = open_checkpoint(path)
    assert [value.text for value in checkpoint.values] == ["[…] 3 items", "5"]
    assert checkpoint.values[0].type_name == "array of array"


def test_a_value_of_an_unknown_type_and_too_many_dimensions(tmp_path: Path) -> None:
    good = text("k") + struct.pack("<IB", 0, 7)
    path = handmade(
        tmp_path / "t.gguf", values=good + text("x") + struct.pack("<I", 13), counts=(0, 3)
    )
    checkpoint = open_checkpoint(path)
    assert [value.name for value in checkpoint.values] == ["k"]
    assert "The value of x has the type 13" in messages(checkpoint)
    infos = tensor("w", [1], 0, 0) + text("v") + struct.pack("<I", 2**32 - 1)
    path = handmade(tmp_path / "d.gguf", tensors=infos, counts=(2, 0), data=bytes(64))
    checkpoint = open_checkpoint(path)
    assert "v claims 4,294,967,295 dimensions" in messages(checkpoint)
    assert "header is damaged" in checkpoint.entries[0].problem


def test_truncation_everywhere(tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    infos = tensor("a", [4, 2], 0, 0) + tensor("b", [32], 2, 32)
    value = (
        text("k")
        + struct.pack("<IB", 0, 7)
        + text("l")
        + _LIST
        + struct.pack("<IQ", 8, 1)
        + text("x")
    )
    whole = handmade(path, values=value, tensors=infos, counts=(2, 2), data=bytes(50)).read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        if size < 24:
            with pytest.raises(CheckpointError):
                open_checkpoint(path)
            continue
        checkpoint = open_checkpoint(path)
        assert f"{size:,}" in messages(checkpoint)
        if size >= len(whole) - 50 + 32:
            assert not checkpoint.entries[0].problem
        for entry in checkpoint.entries[1:]:
            assert entry.problem
        checkpoint.close()


def test_listing_can_be_cancelled(tmp_path: Path) -> None:
    path = written(tmp_path / "m.gguf")

    def cancel() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        open_checkpoint(path, check=cancel)


def test_a_vocabulary_takes_no_time(tmp_path: Path) -> None:
    path = tmp_path / "v.gguf"
    tokens = b"".join(text(f"token {n}") for n in range(300_000))
    handmade(
        path, values=text("t") + _LIST + struct.pack("<IQ", 8, 300_000) + tokens, counts=(0, 1)
    )
    start = time.perf_counter()
    assert open_checkpoint(path).values[0].text.endswith("300,000 items")
    assert time.perf_counter() - start < 1


def test_the_filter_finds_block_types(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(written(tmp_path / "m.gguf", blocks=("Q4_0", "Q4_K", "Q8_0")))
    for names, expected in ((("q4_k",), ["q.Q4_K"]), (("q4",), ["q.Q4_0", "q.Q4_K"])):
        term = DtypeIs(names)
        assert [entry.name for entry in checkpoint.entries if term.matches(entry)] == expected


@given(st.floats(width=32))
def test_single_text_reads_back_as_the_same_number(number: float) -> None:
    with np.errstate(all="ignore"):
        assert np.float32(single_text(number)).tobytes() == np.float32(number).tobytes() or (
            np.isnan(number)
        )


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("gguf") / "m.gguf"
    values = text("k") + struct.pack("<IB", 0, 7) + text("l") + _LIST
    values += struct.pack("<IQ", 8, 2) + text("x") + text("yz")
    values += text("general.alignment") + struct.pack("<II", 4, 32)
    infos = tensor("a", [4, 2], 0, 0) + tensor("b", [32], 2, 32)
    return handmade(path, values=values, tensors=infos, counts=(2, 3), data=bytes(50)).read_bytes()


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_only_our_errors_escape(
    tmp_path_factory: pytest.TempPathFactory, sample: bytes, data: st.DataObject
) -> None:
    mutated = bytearray(sample)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(4, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "mutated.gguf"
    path.write_bytes(mutated[: data.draw(st.integers(0, len(mutated)))])
    try:
        checkpoint = open_checkpoint(path)
    except InspectorError:
        return
    for entry in checkpoint.entries:
        if not entry.problem:
            source = tensor_source(entry)
            assert source.read(Region.whole(entry.shape)).shape == entry.shape
    checkpoint.close()
