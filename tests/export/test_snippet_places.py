"""Snippets for what no library loads safely: pieces, compressed runs, pickles, parts of tensors.

Each is run, and what it makes is compared with what is shown, bit for bit.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import pickle
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import gguf
import h5py
import numpy as np
import onnx
import pytest
import torch
import torch.distributed.checkpoint as dcp
from gguf import GGUFEndian
from safetensors.torch import save_file
from snippet_runs import check, run, same
from torch.distributed.checkpoint.filesystem import _StorageInfo
from torch.distributed.checkpoint.metadata import (
    ChunkStorageMetadata,
    Metadata,
    MetadataIndex,
    TensorProperties,
    TensorStorageMetadata,
)

from inspector.checkpoints import Checkpoint, open_checkpoint
from inspector.checkpoints.errors import InspectorError, TensorError
from inspector.checkpoints.ggml import BLOCK_SIZES
from inspector.export.snippet import snippet
from inspector.values.ggml import BLOCKS
from inspector.values.live import live_checkpoint
from inspector.values.regions import parse_region

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse .*:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*quantize.*:UserWarning"),
    pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning"),
    pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered:RuntimeWarning"),
]


class Own:
    """What no safe reader of torch's loads, so that its tensors are read by their bytes."""

    def __init__(self, **tensors: object) -> None:
        self.__dict__ |= tensors


def opened(path: Path, count: int) -> Checkpoint:
    checkpoint = open_checkpoint(path)
    assert len(checkpoint.entries) == count
    return checkpoint


def check_all(checkpoint: Checkpoint, *ways: str) -> None:
    for entry in checkpoint.entries:
        check(checkpoint, entry, ways=ways)


# Pieces ------------------------------------------------------------------------------------------


def in_chunks(folder: Path, whole: torch.Tensor, boxes: list[tuple[int, int, int, int]]) -> None:
    """A tensor that several ranks saved; chunks with more columns than rows lie transposed."""
    folder.mkdir()
    chunks, places = [], {}
    for rank, (row, column, height, width) in enumerate(boxes):
        piece = whole[row : row + height, column : column + width].clone()
        piece = piece.t().contiguous().t() if width > height else piece
        name = f"__{rank}_0.distcp"
        torch.save(piece, folder / name)
        index = MetadataIndex("w", (row, column))
        places[index] = _StorageInfo(name, 0, (folder / name).stat().st_size)
        chunks.append(ChunkStorageMetadata(torch.Size((row, column)), torch.Size((height, width))))
    tensor = TensorStorageMetadata(TensorProperties(whole.dtype), whole.size(), chunks)
    metadata = Metadata({"w": tensor}, None, places)
    (folder / ".metadata").write_bytes(pickle.dumps(metadata, protocol=4))


BOXES = [(0, 0, 3, 4), (0, 4, 3, 2), (3, 0, 2, 6)]


@pytest.mark.parametrize("name", ["float32", "bfloat16", "complex64", "int16"])
def test_chunks_of_a_distributed_checkpoint(tmp_path: Path, name: str) -> None:
    whole = (torch.randn(5, 6) * 100).to(getattr(torch, name))
    in_chunks(tmp_path / "saved", whole, BOXES)
    checkpoint = opened(tmp_path / "saved", 1)
    check_all(checkpoint, "stored[0:3, 0:4] = ", "as_strided(", "__2_0.distcp")
    made = run(snippet(checkpoint, checkpoint.entries[0], form="raw"))
    assert made.tobytes() == whole.view(torch.uint8).numpy().tobytes()


def test_what_torch_saves_distributed(tmp_path: Path) -> None:
    state = {
        "w": torch.randn(7, 5),
        "turned": torch.randn(3, 2, dtype=torch.complex128).t(),
        "scalar": torch.tensor(0.5),
        "flags": torch.tensor([True, False]),
    }
    with warnings.catch_warnings(action="ignore"):
        dcp.save(state, checkpoint_id=tmp_path, no_dist=True)
    check_all(opened(tmp_path, 4), "stored[")


def test_pieces_in_safetensors(tmp_path: Path) -> None:
    whole = torch.randn(5, 4).bfloat16()
    for rank, (start, piece) in enumerate(((0, whole[:2]), (2, whole[2:])), 1):
        info = json.dumps({"w": {"saved_offsets": [start, 0]}})
        save_file(
            {"w": piece.contiguous()},
            tmp_path / f"shard-{rank:05}-model-00001-of-00001.safetensors",
            metadata={"format": "pt", "DCP_SHARDING_INFO": info, "DCP_VERSION": "1.0"},
        )
    check_all(opened(tmp_path, 1), "stored[0:2, 0:4] = ", "stored[2:5, 0:4] = ")


def test_of_the_pieces_those_that_are_needed(tmp_path: Path) -> None:
    whole = torch.randn(200, 3)
    in_chunks(tmp_path / "saved", whole, [(row, 0, 2, 3) for row in range(0, 200, 2)])
    checkpoint = opened(tmp_path / "saved", 1)
    (entry,) = checkpoint.entries
    with pytest.raises(TensorError, match="from 100 pieces, and code for more than 64"):
        snippet(checkpoint, entry)
    region = parse_region("[9:3:-1]", entry.shape)
    code = snippet(checkpoint, entry, region)
    assert code.count("np.memmap(") == 3
    assert same(entry, "values", region, run(code))


def test_pieces_that_are_missing(tmp_path: Path) -> None:
    in_chunks(tmp_path / "saved", torch.randn(5, 6), BOXES)
    (tmp_path / "saved/__2_0.distcp").unlink()
    checkpoint = opened(tmp_path / "saved", 1)
    (entry,) = checkpoint.entries
    with pytest.raises(InspectorError, match=r"__2_0\.distcp is missing"):
        snippet(checkpoint, entry)
    region = parse_region("[:3]", entry.shape)
    assert same(entry, "values", region, run(snippet(checkpoint, entry, region)))


# Compressed, and in pickles ----------------------------------------------------------------------


def arrays() -> dict[str, object]:
    large = np.arange(20_000, dtype=np.float32).reshape(100, 200)
    return {
        "a": np.arange(12, dtype=">i2").reshape(3, 4),
        "f": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        "twin": [np.arange(3), np.arange(3)],
        "flags": np.array([True, False]),
        "large": large,
        "none": np.empty((0, 3)),
        "text": "Ünicode \U0001f642 \n",
    }


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_in_pickles(tmp_path: Path, protocol: int) -> None:
    for name, write in (("torch.pt", torch.save), ("plain.pkl", dump)):
        path = tmp_path / name
        value = {**arrays(), "t": torch.arange(6.0).reshape(2, 3).bfloat16()}
        if name == "torch.pt" and protocol == 0:
            continue  # torch writes storages' keys as objects then
        write(value, path, pickle_protocol=protocol)
        checkpoint = opened(path, 8)
        check_all(checkpoint)
        small = next(entry for entry in checkpoint.entries if entry.path[-1] == "a")
        assert "pickletools.genops(" in snippet(checkpoint, small)


def dump(value: object, path: Path, *, pickle_protocol: int) -> None:
    path.write_bytes(pickle.dumps("another one before", 2) + pickle.dumps(value, pickle_protocol))


def test_arrays_in_pickles_of_archives(tmp_path: Path) -> None:
    plain, packed, old = tmp_path / "plain.pt", tmp_path / "packed.pt", tmp_path / "old.pt"
    torch.save(arrays(), plain)
    torch.save(arrays(), old, _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(plain) as archive, zipfile.ZipFile(packed, "w") as out:
        for name in archive.namelist():
            out.writestr(name, archive.read(name), zipfile.ZIP_DEFLATED)
    objects = np.array([np.arange(3), np.ones((2, 2))], dtype=object)
    np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
    np.savez_compressed(tmp_path / "objects.npz", objects=objects)
    for path in (plain, old, packed):
        check_all(opened(path, 7))
    for name in ("objects.npy", "objects.npz"):
        check_all(opened(tmp_path / name, 2), "pickletools.genops(")


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "lzma": lzma.compress,
    "lzma alone": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "zlib": zlib.compress,
}


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_pickles_that_are_compressed(tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(COMPRESSIONS[name](pickle.dumps({**arrays(), "t": torch.arange(6.0)}, 4)))
    check_all(opened(path, 8))


def test_what_is_compressed_and_cut(tmp_path: Path) -> None:
    path = tmp_path / "cut.pkl.gz"
    noise = np.random.default_rng(1).bytes(400_000)
    whole = gzip.compress(pickle.dumps({"a": np.arange(3), "rest": noise}, 4))
    path.write_bytes(whole[:-40_000])
    checkpoint = opened(path, 1)
    with pytest.raises(TensorError, match="compressed data ends too early, and no library"):
        snippet(checkpoint, checkpoint.entries[0])


def test_a_header_longer_than_numpy_takes(tmp_path: Path) -> None:
    path = tmp_path / "long.npy"
    array = np.arange(6.0).reshape(2, 3)
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}" + b" " * 20_000 + b"\n"
    magic = b"\x93NUMPY\x02\0" + len(header).to_bytes(4, "little")
    path.write_bytes(magic + header + array.tobytes())
    check_all(opened(path, 1), "np.memmap(")


def test_what_torch_saves_in_its_old_format_and_does_not_load(tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    state = {"eight": torch.ones(3).to(torch.float8_e5m2), "w": torch.randn(2, 3)}
    torch.save(state, path, _use_new_zipfile_serialization=False)
    check_all(opened(path, 2), "np.memmap(")


def test_booleans_of_any_byte(tmp_path: Path) -> None:
    flags = torch.tensor([0, 1, 2, 255], dtype=torch.uint8).view(torch.bool)
    torch.save({"b": flags, "t": flags.reshape(2, 2).t()}, tmp_path / "a.pt")
    save_file({"b": flags}, tmp_path / "b.safetensors")
    np.save(tmp_path / "c.npy", flags.numpy())
    np.savez_compressed(tmp_path / "d.npz", b=flags.numpy())
    for name, count in (("a.pt", 2), ("b.safetensors", 1), ("c.npy", 1), ("d.npz", 1)):
        check_all(opened(tmp_path / name, count))


def test_a_folder_with_one_file(tmp_path: Path) -> None:
    save_file({"w": torch.randn(2, 3)}, tmp_path / "model.safetensors")
    check_all(opened(tmp_path, 1), "model.safetensors")


def test_chunks_of_types_that_h5py_has_not(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    pair = np.dtype([("r", "<f2"), ("i", "<f2")])
    with h5py.File(path, "w") as file:
        for name, fields in (("brain", (7, 127)), ("eight", (2, 15))):
            mantissa, bias = fields
            size = 2 if name == "brain" else 1
            kind = h5py.h5t.IEEE_F16LE.copy()
            kind.set_fields(8 * size - 1, mantissa, 8 * size - 1 - mantissa, 0, mantissa)
            kind.set_size(size)
            kind.set_ebias(bias)
            create(file, name, kind, np.arange(12 * size, dtype=np.uint8) * 21)
        halves = h5py.h5t.py_create(pair)
        create(file, "halves", halves, np.arange(48, dtype=np.uint8) * 5)
    checkpoint = opened(path, 3)
    assert [entry.dtype for entry in checkpoint.entries] == ["bfloat16", "float8_e5m2", "complex32"]
    check_all(checkpoint, "dataset.get_type()")


def create(file: h5py.File, name: str, kind: h5py.h5t.TypeID, data: np.ndarray) -> None:
    """A compressed dataset of 3 x 4 of a type, from its bytes."""
    layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    layout.set_chunk((2, 3))
    layout.set_deflate(3)
    space = h5py.h5s.create_simple((3, 4))
    dataset = h5py.h5d.create(file.id, name.encode(), kind, space, layout)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, data, kind)


# Parts of tensors --------------------------------------------------------------------------------


def saved(path: Path, **tensors: object) -> Checkpoint:
    torch.save(Own(**tensors), path)
    return opened(path, len(tensors))


@pytest.mark.parametrize("name", ["bool", "uint8", "float16", "bfloat16", "float64", "complex64"])
def test_sparse_tensors_that_torch_does_not_load(tmp_path: Path, name: str) -> None:
    dtype = getattr(torch, name)
    generator = torch.Generator().manual_seed(1)
    mask = torch.rand((2, 4, 6), generator=generator) > 0.6
    batches = (torch.rand((2, 4, 6), generator=generator) * 100).mul(mask).to(dtype)
    # The same number of elements in each batch.
    dense = torch.stack([batches[0], batches[0] + batches[0]]) if dtype.is_floating_point else None
    one = batches[0]
    places = torch.randint(0, 3, (2, 40), generator=generator)
    many = (torch.randn((40, 2), generator=generator) * 100).abs().to(dtype)
    tensors = {
        "coo": one.to_sparse(),
        "sums": torch.sparse_coo_tensor(places, many, (3, 4, 2)),
        "no_axes": torch.sparse_coo_tensor(torch.empty(0, 3).long(), many[:3], (2,)),
        "csr": one.to_sparse_csr(),
        "csc": one.to_sparse_csc(),
        "bsr": one.to_sparse_bsr((2, 3)),
        "bsc": one.to_sparse_bsc((2, 3)),
        "nothing": torch.zeros(3, 4).to_sparse_csr(),
    }
    if dense is not None:
        tensors["batches"] = dense.to_sparse_bsr((2, 3))
        tensors["hybrid"] = one.reshape(4, 2, 3).to_sparse_csc(dense_dim=1)
    check_all(saved(tmp_path / "model.pt", **tensors))


def test_sparse_numbers_that_torch_makes_others_of(tmp_path: Path) -> None:
    """It makes a NaN of half of an infinite complex number, and any NaN of a NaN of bfloat16."""
    path = tmp_path / "model.pt"
    values = torch.tensor([complex(float("inf"), 1), complex(2, float("-inf"))])
    odd = torch.tensor([0x7F81, 0xFFC1 - 0x10000], dtype=torch.int16).view(torch.bfloat16)
    torch.save(
        {
            "infinite": torch.sparse_coo_tensor([[0, 2]], values.to(torch.complex64), (4,)),
            "nan": torch.sparse_csr_tensor([0, 1, 2], [0, 1], odd, (2, 2)),
        },
        path,
    )
    check_all(opened(path, 2), "np.zeros(")


def test_quantized_tensors_that_torch_does_not_load(tmp_path: Path) -> None:
    numbers = torch.randn(4, 6)
    scales, zeros = torch.rand(4), torch.arange(4)
    tensors: dict[str, object] = {
        name: torch.quantize_per_tensor(numbers, 0.1, 2, getattr(torch, name))
        for name in ("qint8", "quint8", "qint32", "quint4x2", "quint2x4")
    }
    tensors["turned"] = torch.quantize_per_tensor(numbers, 0.1, 2, torch.qint8).t()
    tensors["scalar"] = torch.quantize_per_tensor(torch.tensor(3.0), 0.1, 2, torch.quint8)
    tensors["nan"] = torch._make_per_tensor_quantized_tensor(
        torch.arange(4).to(torch.int8), float("nan"), 3
    )
    for axis, count in enumerate(numbers.shape):
        some, none = torch.rand(count), torch.rand(count)
        for name in ("qint8", "quint4x2"):
            tensors[f"channels{axis}_{name}"] = torch.quantize_per_channel(
                numbers, some, none, axis, getattr(torch, name)
            )
    tensors["floats"] = torch.quantize_per_channel(numbers, scales, zeros / 3, 0, torch.quint8)
    check_all(saved(tmp_path / "model.pt", **tensors))


def test_storages_of_packed_integers(tmp_path: Path) -> None:
    tensor = torch.quantize_per_tensor(torch.arange(8.0) % 4, 1.0, 0, torch.quint2x4)
    storage = torch.TypedStorage(
        wrap_storage=tensor.untyped_storage(), dtype=torch.quint2x4, _internal=True
    )
    path = tmp_path / "model.pt"
    torch.save(storage, path)
    check_all(opened(path, 1))


def test_packed_integers_of_gptq_are_what_they_are(tmp_path: Path) -> None:
    """Such files have plain integers, and what they stand for is up to another program."""
    path = tmp_path / "model.safetensors"
    save_file(
        {
            "q_proj.qweight": torch.randint(-(2**31), 2**31, (8, 4)).to(torch.int32),
            "q_proj.scales": torch.rand(2, 4).half(),
            "q_proj.qzeros": torch.randint(0, 255, (2, 4)).to(torch.uint8),
        },
        path,
    )
    check_all(opened(path, 3), "get_tensor(")


# GGUF and ONNX -----------------------------------------------------------------------------------


def blocks(name: str) -> np.ndarray:
    count, size = BLOCK_SIZES[name]
    return np.random.default_rng(7).integers(0, 256, (3, 512 // count * size), dtype=np.uint8)


def write_gguf(path: Path, names: list[str], order: GGUFEndian) -> None:
    writer = gguf.GGUFWriter(path, "llama", endianess=order)
    for name in names:
        writer.add_tensor(name, blocks(name), raw_dtype=gguf.GGMLQuantizationType[name])
    for step in ("header", "kv_data", "tensors"):
        getattr(writer, f"write_{step}_to_file")()
    writer.close()


def test_every_type_of_block(tmp_path: Path) -> None:
    known = [name for name in BLOCKS if hasattr(gguf.GGMLQuantizationType, name)]
    path = tmp_path / "model.gguf"
    write_gguf(path, known, GGUFEndian.LITTLE)
    check_all(opened(path, len(known)))


def test_blocks_of_a_big_endian_file(tmp_path: Path) -> None:
    names = [name for name, block in BLOCKS.items() if block.either_order]
    path = tmp_path / "big.gguf"
    write_gguf(path, names, GGUFEndian.BIG)
    check_all(opened(path, len(names)))


def test_tensors_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_gguf(path, ["Q8_0", "Q4_0"], GGUFEndian.LITTLE)
    path.write_bytes(path.read_bytes().replace(b"Q4_0", b"Q8_0", 1))
    check_all(opened(path, 2), "dequantize(")


def test_packed_numbers_of_onnx(tmp_path: Path) -> None:
    kinds = ["UINT4", "INT4", "FLOAT4E2M1", "UINT2", "INT2"]
    kinds = [kind for kind in kinds if hasattr(onnx.TensorProto, kind)]
    tensors = []
    for raw in (True, False):
        for kind in kinds:
            number = getattr(onnx.TensorProto, kind)
            dtype = onnx.helper.tensor_dtype_to_np_dtype(number)
            made = (np.arange(15) % 4 - (2 if kind.startswith("INT") else 0)).astype(dtype)
            made = made.reshape(3, 5)
            if raw:
                tensors.append(onnx.numpy_helper.from_array(made, kind))
            else:
                flat = made.reshape(-1).tolist()
                tensors.append(onnx.helper.make_tensor(f"{kind}'\n", number, [3, 5], flat))
    node = onnx.helper.make_node("Constant", [], ["inner"], value=tensors.pop())
    graph = onnx.helper.make_graph([node], "g", [], [], initializer=tensors)
    path = tmp_path / "model.onnx"
    model = onnx.helper.make_model(graph)
    onnx.save(
        model,
        path,
        save_as_external_data=True,
        location="beside.bin",
        size_threshold=0,
    )
    assert (tmp_path / "beside.bin").stat().st_size
    check_all(opened(path, 2 * len(kinds)), "onnx.TensorProto.FromString(")
    path.write_bytes(path.read_bytes()[:-20])
    checkpoint = open_checkpoint(path)
    assert any(finding.severity == "warning" for finding in checkpoint.findings)
    with pytest.raises(TensorError, match="Something is wrong with the model"):
        snippet(checkpoint, checkpoint.entries[0])


# In no file --------------------------------------------------------------------------------------


def test_tensors_of_the_running_program() -> None:
    held = {"w": torch.ones(2, 3), "s": torch.eye(3).to_sparse(), "a": np.ones(3)}
    checkpoint = live_checkpoint(held)
    for entry in checkpoint.entries:
        with pytest.raises(TensorError, match="in the running program, and in no file"):
            snippet(checkpoint, entry)
