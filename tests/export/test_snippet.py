"""Snippets are run, and what they make is compared with what is shown, bit for bit."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import gguf
import h5py
import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from snippet_runs import check, regions_of, run, same

from inspector.checkpoints import Checkpoint, open_checkpoint
from inspector.checkpoints.model import Storage, TensorEntry
from inspector.checkpoints.sources import LocalFile
from inspector.export.snippet import _PLAIN_IMPORTS, snippet
from inspector.values.forms import forms_of
from inspector.values.regions import Region, parse_region
from inspector.values.tensors import tensor_source

NAMES = [
    "bool",
    *("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "bfloat16", "float32", "float64", "complex32", "complex64", "complex128"),
    *("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
]

pytestmark = [
    pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental:UserWarning"),
    # NumPy's word on NaN among the numbers
    pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning"),
    # torch's on what it is going to give up
    pytest.mark.filterwarnings("ignore:.*quantized tensor:UserWarning"),
    pytest.mark.filterwarnings("ignore:TypedStorage is deprecated:UserWarning"),
]


def of_dtype(name: str) -> torch.Tensor:
    """4 x 6 numbers of any patterns, NaN and infinities among them."""
    dtype = getattr(torch, name)
    count = 24 * torch.empty(0, dtype=dtype).element_size()
    bits = torch.arange(count).mul(2654435761).bitwise_right_shift(7).to(torch.uint8)
    return (bits % 2 if dtype == torch.bool else bits).view(dtype).reshape(4, 6)


# torch -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_torch_files_of_every_dtype(tmp_path: Path, name: str) -> None:
    tensor = of_dtype(name)
    path = tmp_path / "model.pt"
    torch.save({"state": {"w": tensor}, "list": [1, {7: tensor.clone()}]}, path)
    checkpoint = open_checkpoint(path)
    for entry, keys in zip(checkpoint.entries, ("['state']['w']", "['list'][1][7]"), strict=True):
        # torch makes other NaN than NumPy of this one's.
        ways = ("np.memmap(",) if name == "complex32" else ("mmap=True", f"loaded{keys}")
        check(checkpoint, entry, ways=ways)


def test_of_a_part_that_runs_backwards_no_more_is_loaded(tmp_path: Path) -> None:
    """torch takes no steps backwards, so the part is taken first, and then turned."""
    path = tmp_path / "model.pt"
    tensor = torch.randn(5, 6, 7).bfloat16()
    torch.save({"w": tensor}, path)
    checkpoint = open_checkpoint(path)
    (entry,) = checkpoint.entries
    code = snippet(checkpoint, entry, parse_region("[3, ::-1, 5:1:-2]", entry.shape))
    assert "tensor = tensor[3, :, 3:6:2]\n" in code
    flipped = torch.flip(tensor[3, :, 3:6:2].float(), (0, 1))
    assert torch.equal(torch.from_numpy(run(code)), flipped)


def test_torch_files_of_every_layout(tmp_path: Path) -> None:
    base = torch.randn(5, 6)
    wave = torch.randn(3, 4, dtype=torch.complex64)
    path = tmp_path / "model.pt"
    torch.save(
        {
            "transposed": base.T,
            "column": base[:, 2],
            "part": base[1:4, ::2],
            "expanded": base[:1].expand(3, 6),
            "overlapping": base.as_strided((4, 3), (2, 1), 5),
            "scalar": torch.tensor(0.5).bfloat16(),
            "empty": torch.empty(0, 3),
            "parameter": torch.nn.Parameter(torch.randn(2, 3)),
            "conjugate": wave.conj(),
            "negative": wave.clone().conj().imag,
            "half": base.bfloat16().T,
            "pairs": wave.T,
            "no data": torch.empty(3, device="meta"),
            "sparse": torch.eye(3).to_sparse(),
            "quantized": torch.quantize_per_tensor(torch.ones(3), 0.1, 2, torch.qint8),
        },
        path,
    )
    checkpoint = open_checkpoint(path)
    assert len(checkpoint.entries) == 15
    for entry in checkpoint.entries[:12]:
        check(checkpoint, entry, ways=("weights_only=True",))


def test_by_bytes_every_dtype_and_layout(tmp_path: Path) -> None:
    class Own:  # what torch's safe reader refuses
        pass

    path = tmp_path / "model.pt"
    tensors = {name: of_dtype(name) for name in NAMES}
    tensors |= {f"{name}.T": tensor.T for name, tensor in tensors.items()}
    tensors |= {f"{name}.part": tensors[name][1:, ::2] for name in NAMES}
    tensors["scalar"] = torch.tensor(0.1).bfloat16()
    tensors["conj"] = torch.randn(2, 3, dtype=torch.complex64).conj()
    tensors["neg"] = torch.randn(2, 3, dtype=torch.complex64).conj().imag
    owner = Own()
    owner.tensors = tensors  # type: ignore[attr-defined]
    Own.__qualname__, Own.__module__ = "Own", __name__
    globals()["Own"] = Own
    torch.save(owner, path)
    checkpoint = open_checkpoint(path)
    assert len(checkpoint.entries) == len(tensors)
    for entry in checkpoint.entries:
        check(checkpoint, entry, ways=("np.memmap(",))
        assert "torch.load" not in snippet(checkpoint, entry)


def test_legacy_and_deflated_torch_files(tmp_path: Path) -> None:
    state = {"a": {"w": torch.randn(3, 4)}, "b": torch.randn(4).bfloat16()}
    old = tmp_path / "old.pt"
    torch.save(state, old, _use_new_zipfile_serialization=False)
    plain, packed = tmp_path / "plain.pt", tmp_path / "packed.pt"
    torch.save(state, plain)
    with zipfile.ZipFile(plain) as archive, zipfile.ZipFile(packed, "w") as out:
        for name in archive.namelist():
            out.writestr(name, archive.read(name), zipfile.ZIP_DEFLATED)
    for path in (old, packed):
        checkpoint = open_checkpoint(path)
        for entry in checkpoint.entries:
            for region in regions_of(entry.shape):
                code = snippet(checkpoint, entry, region)
                assert "torch.load" in code
                assert "mmap" not in code
                assert same(entry, "values", region, run(code))
    for entry in checkpoint.entries:
        code = snippet(checkpoint, entry, form="raw")
        assert "zlib.decompressobj(-15)" in code
        check(checkpoint, entry)


@pytest.mark.parametrize(
    "saved",
    [
        pytest.param(torch.arange(6.0), id="a tensor alone"),
        pytest.param(torch.arange(6.0).untyped_storage(), id="a storage alone"),
        pytest.param({"s": torch.arange(6.0).untyped_storage()}, id="a storage"),
        pytest.param({"tensor": torch.arange(6.0)}, id="a key that looks like no key"),
        pytest.param({(1, 2): torch.arange(6.0)}, id="another key"),
        pytest.param({"a": np.arange(6.0)}, id="an array"),
        pytest.param({"a": {torch.arange(6.0)}}, id="a set"),
    ],
)
def test_where_no_key_leads_to_it(tmp_path: Path, saved: object) -> None:
    path = tmp_path / "model.pt"
    torch.save(saved, path)
    checkpoint = open_checkpoint(path)
    (entry,) = checkpoint.entries
    check(checkpoint, entry)


def test_torch_loads_all_that_is_called_plain() -> None:
    from torch import _weights_only_unpickler

    allowed = _weights_only_unpickler._get_allowed_globals()
    plain = [name for name in allowed if _PLAIN_IMPORTS.fullmatch(name)]
    assert len(plain) > 30
    for asked in (
        *("torch.FloatStorage", "torch.complex64", "torch._utils._rebuild_tensor_v2"),
        *("collections.OrderedDict", "torch.Size", "torch.float8_e5m2"),
    ):
        assert asked in plain
    for refused in ("torch.load", "os.system", "torch._utils._rebuild_x", "builtins.set"):
        assert not _PLAIN_IMPORTS.fullmatch(refused)


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
@pytest.mark.parametrize("name", ["float32", "bfloat16", "complex64", "int64", "float8_e5m2"])
@pytest.mark.parametrize("layout", ["coo", "csr", "csc", "bsr", "bsc"])
def test_sparse_tensors(tmp_path: Path, layout: str, name: str) -> None:
    values = torch.tensor([1, 0, 3, 4]).to(getattr(torch, name))
    if layout == "coo":
        # One place has two values; together with a zero that is stored, all that a pattern is of.
        places = torch.tensor([[0, 2, 2, 2], [1, 0, 3, 3]])
        tensor = torch.sparse_coo_tensor(places, values, (3, 4))
    else:
        if layout.startswith("b"):
            values = values.reshape(4, 1, 1).expand(4, 3, 2).contiguous()
        made = getattr(torch, f"sparse_{layout}_tensor")
        shape = (9, 8) if layout.startswith("b") else (3, 4)
        ends, others = (
            ([0, 1, 1, 4], [1, 0, 2, 3]) if layout[-1] == "r" else ([0, 1, 1, 3, 4], [1, 0, 2, 2])
        )
        tensor = made(torch.tensor(ends), torch.tensor(others), values, shape)
    path = tmp_path / "model.pt"
    torch.save({"s": tensor}, path)
    checkpoint = open_checkpoint(path)
    (entry,) = checkpoint.entries
    check(checkpoint, entry, ways=("np.memmap(",))
    for part in entry.components:
        check(checkpoint, part, ways=("np.memmap(",))


def test_quantized_tensors(tmp_path: Path) -> None:
    numbers = torch.randn(4, 6)
    path = tmp_path / "model.pt"
    scales, zeros = torch.rand(4), torch.arange(4)
    whole = {
        name: torch.quantize_per_tensor(numbers, 0.1, 2, getattr(torch, name))
        for name in ("qint8", "quint8", "qint32")
    }
    whole["channels"] = torch.quantize_per_channel(numbers, scales, zeros, 0, torch.qint8)
    packed = torch.quantize_per_tensor(numbers, 0.1, 2, torch.quint4x2)
    torch.save(whole, path)
    checkpoint = open_checkpoint(path)
    for entry in checkpoint.entries:
        assert forms_of(entry) == ("values", "integers", "raw")
        check(checkpoint, entry, ways=("dequantize()",))
    torch.save({"packed": packed}, path)
    checkpoint = open_checkpoint(path)
    (entry,) = checkpoint.entries
    check(checkpoint, entry, ways=("np.memmap(",))


# Other formats -----------------------------------------------------------------------------------


def test_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    names = [name for name in NAMES if name not in ("complex32", "complex128")]
    save_file({name: of_dtype(name) for name in names} | {"scalar": torch.tensor(1.5)}, path)
    checkpoint = open_checkpoint(path)
    for entry in checkpoint.entries:
        check(checkpoint, entry, ways=("safe_open(path", f"get_tensor({entry.name!r})"))


def test_two_numbers_in_a_byte(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    codes = torch.arange(256).to(torch.uint8).reshape(4, 64)
    save_file({"w": codes.view(torch.float4_e2m1fn_x2)}, path)
    checkpoint = open_checkpoint(path)
    (entry,) = checkpoint.entries
    assert tensor_source(entry).shape == (4, 128)
    check(checkpoint, entry, ways=("np.memmap(",))


@pytest.mark.parametrize("order", ["<", ">"])
def test_numpy_files(tmp_path: Path, order: str) -> None:
    arrays = {
        name: of_dtype(name).numpy()
        for name in NAMES
        if name not in ("bfloat16", "complex32") and "float8" not in name
    }
    arrays = {name: array.astype(array.dtype.newbyteorder(order)) for name, array in arrays.items()}
    arrays["fortran"] = np.asfortranarray(np.arange(12.0).reshape(3, 4))
    stored, deflated = tmp_path / "stored.npz", tmp_path / "deflated.npz"
    np.savez(stored, **arrays)
    np.savez_compressed(deflated, **arrays)
    checkpoint = open_checkpoint(stored)
    for entry in checkpoint.entries:
        check(checkpoint, entry, ways=(f"np.load(path)[{entry.name!r}]",))
    checkpoint = open_checkpoint(deflated)
    for entry in checkpoint.entries:
        check(checkpoint, entry, ways=(f"np.load(path)[{entry.name!r}]",))
    path = tmp_path / "one.npy"
    np.save(path, arrays["complex64"])
    checkpoint = open_checkpoint(path)
    check(checkpoint, checkpoint.entries[0], ways=("np.load(path,",))


def test_several_arrays_in_one_npy_file(tmp_path: Path) -> None:
    path = tmp_path / "several.npy"
    with path.open("wb") as file:
        np.save(file, np.arange(3.0))
        np.save(file, np.arange(4))
    checkpoint = open_checkpoint(path)
    assert len(checkpoint.entries) == 2
    for entry in checkpoint.entries:
        check(checkpoint, entry, ways=("np.memmap(",))


def test_hdf5_and_keras(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["a/plain"] = np.arange(12.0, dtype=">f4").reshape(3, 4)
        file.create_dataset("a/packed", data=np.arange(12).reshape(3, 4), compression="gzip")
        file.create_dataset("never", shape=(3, 4), chunks=(2, 2), dtype=">i2", fillvalue=7)
        file["mask"] = np.array([[True, False], [True, True]])
        file["wave"] = np.array([[1 + 2j, 3 - 4j]])
        pair = np.dtype([("real", "<f4"), ("imag", "<f4")])
        file["matlab"] = np.array([[(1, 2), (3, -4)]], dtype=pair)
        pairs = np.array([[(1, 2), (3, -4)]] * 3, dtype=pair).astype(
            [(n, ">f4") for n in pair.names]
        )
        file.create_dataset("tables", data=pairs, chunks=(2, 2), compression="gzip")
        file["one"] = np.array((1, 2), dtype=pair)
    keras = tmp_path / "model.keras"
    with zipfile.ZipFile(keras, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.write(path, "model.weights.h5")
    for each in (path, keras):
        checkpoint = open_checkpoint(each)
        assert len(checkpoint.entries) == 8
        for entry in checkpoint.entries:
            check(checkpoint, entry, ways=("h5py.File(",))


def test_gguf(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    rows = np.random.default_rng(3).standard_normal((3, 512), np.float32)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("plain", rows)
    for name in ("Q4_0", "Q8_0", "Q6_K", "BF16"):
        kind = gguf.GGMLQuantizationType[name]
        if name == "Q6_K":
            data = np.random.default_rng(4).integers(0, 256, (3, 420), dtype=np.uint8)
        else:
            data = gguf.quantize(rows, kind)
        writer.add_tensor(name, data, raw_dtype=kind)
    for step in ("header", "kv_data", "tensors"):
        getattr(writer, f"write_{step}_to_file")()
    writer.close()
    checkpoint = open_checkpoint(path)
    assert len(checkpoint.entries) == 5
    for entry in checkpoint.entries:
        blocks = entry.name in ("Q4_0", "Q8_0", "Q6_K")
        check(checkpoint, entry, ways=("dequantize(" if blocks else "np.memmap(",))


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
def test_onnx(tmp_path: Path, raw: bool) -> None:
    kinds = ["FLOAT", "INT8", "INT64", "BOOL", "FLOAT16"]
    kinds += ["BFLOAT16", "COMPLEX64", "FLOAT8E4M3FN", "UINT16"]
    tensors = []
    for kind in kinds:
        number = getattr(onnx.TensorProto, kind)
        dtype = onnx.helper.tensor_dtype_to_np_dtype(number)
        made = np.array([[0, 1, 2], [3, 1, 0]]).astype(dtype)
        flat: Any = made.reshape(-1) if kind.startswith("COMPLEX") else made.reshape(-1).tolist()
        tensors.append(
            onnx.numpy_helper.from_array(made, kind)
            if raw
            else onnx.helper.make_tensor(kind, number, [2, 3], flat)
        )
    inner = onnx.helper.make_tensor("inner", onnx.TensorProto.INT8, [2], [1, 2])
    node = onnx.helper.make_node("Constant", [], ["INT8"], value=inner)
    graph = onnx.helper.make_graph([node], "g", [], [], initializer=tensors)
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.helper.make_model(graph).SerializeToString())
    checkpoint = open_checkpoint(path)
    assert len(checkpoint.entries) == len(kinds) + 1
    for entry in checkpoint.entries:
        check(checkpoint, entry)


def test_a_big_endian_torch_file(tmp_path: Path) -> None:
    plain, big = tmp_path / "plain.pt", tmp_path / "big.pt"
    torch.save({"w": of_dtype("bfloat16"), "c": of_dtype("complex64")}, plain)
    with zipfile.ZipFile(plain) as archive, zipfile.ZipFile(big, "w") as out:
        for name in archive.namelist():
            data = b"big" if name.endswith("byteorder") else archive.read(name)
            out.writestr(name, data)
    checkpoint = open_checkpoint(big)
    for entry in checkpoint.entries:
        check(checkpoint, entry, ways=("np.memmap(", "'>"))


def test_shards(tmp_path: Path) -> None:
    shards = {"a": "one.safetensors", "b": "two.safetensors"}
    for name, file in shards.items():
        save_file({name: of_dtype("bfloat16")}, tmp_path / file)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    checkpoint = open_checkpoint(index)
    assert len(checkpoint.entries) == 2
    for entry in checkpoint.entries:
        check(checkpoint, entry, ways=("np.memmap(", shards[entry.name]))


# Hostile names, and by itself --------------------------------------------------------------------

#: What could end a literal or a line, or make it read as what it is not.
NASTY = st.text(
    st.sampled_from("'\"\\\n\r\0{}#%\u2028\u202e\u2066\ud800éa ") | st.characters(), max_size=20
)


def literals(code: str) -> list[object]:
    return [node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)]


@given(name=NASTY, path=NASTY, kind=st.sampled_from(["safetensors", "torch zip", "NumPy archive"]))
def test_names_stay_within_their_literals(
    tmp_path_factory: pytest.TempPathFactory, name: str, path: str, kind: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "names.bin"
    file.write_bytes(bytes(64))
    source = LocalFile(file)
    entry = TensorEntry(name, (name,), "float32", (4,), (1,), Storage(source, 0, 16, "0"))
    metadata = {"pickle protocol": "2"}
    checkpoint = Checkpoint(Path("/") / path, kind, 64, [entry], metadata=metadata)
    code = snippet(checkpoint, entry)
    found = literals(code)
    if "memmap" not in code:
        assert name in found
        assert str((Path("/") / path).absolute()) in found
    # Nothing but the few lines that are always there.
    assert len(ast.parse(code).body) <= 8
    assert code.isprintable() or all(char.isprintable() or char == "\n" for char in code), (
        "something invisible is in the code"
    )
    source.close()


def test_snippets_need_nothing_of_this_program(tmp_path: Path) -> None:
    target = tmp_path / 'it\'s "here"\nand there.safetensors'
    save_file({"a'b\n\\": of_dtype("bfloat16")}, target)
    other = tmp_path / "model.pt"
    torch.save({"x": of_dtype("float32")}, other)
    codes, expected = [], []
    for path in (target, other):
        checkpoint = open_checkpoint(path)
        for form in ("values", "raw"):
            (entry,) = checkpoint.entries
            codes.append(snippet(checkpoint, entry, form=form))  # type: ignore[arg-type]
            source = tensor_source(entry, form)  # type: ignore[arg-type]
            expected.append(source.read(Region.whole(source.shape)).tobytes().hex())
    program = (
        "import json, sys\nmade = []\n"
        "for code in json.load(sys.stdin):\n"
        "    space = {}\n    exec(code, space)\n    made.append(space['array'].tobytes().hex())\n"
        "assert 'inspector' not in sys.modules\nprint(json.dumps(made))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        input=json.dumps(codes),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == expected
