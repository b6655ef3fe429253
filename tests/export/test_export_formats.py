"""Each format, read back by its own reader and compared with torch's own values, bit for bit."""

from __future__ import annotations

import json
import re
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch
from export_sources import RawArray, assert_same_bits, export, export_parts, nothing
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from inspector.checkpoints import Checkpoint, open_checkpoint
from inspector.checkpoints.errors import Cancelled, CheckpointError, ExportError
from inspector.export import formats, mat, npz, parts
from inspector.export.formats import FORMATS, format_named, format_of, refusal
from inspector.export.parts import Part, part_of, whole_part
from inspector.export.run import export_plan, plan_export
from inspector.values.arrays import Array, InMemoryArray
from inspector.values.dtypes import DTYPES
from inspector.values.regions import Region, parse_region

#: The dtypes that both torch and safetensors have.
SAFE = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "uint16",
    "int32",
    "uint32",
    "int64",
    "uint64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
    "float8_e4m3fn",
    "float8_e5m2",
    "float8_e4m3fnuz",
    "float8_e5m2fnuz",
]

SEVERAL = [known.name for known in FORMATS if known.several]


def random_tensor(dtype: str, *shape: int, seed: int = 0) -> torch.Tensor:
    """Any bits: NaN with all kinds of payloads among them."""
    kind = getattr(torch, dtype)
    generator = torch.Generator().manual_seed(seed)
    most = 2 if dtype == "bool" else 256
    width = torch.empty(0, dtype=kind).element_size()
    bits = torch.randint(0, most, (*shape, width), dtype=torch.uint8, generator=generator)
    return bits.view(kind).reshape(shape)


def all_tensors() -> dict[str, torch.Tensor]:
    """Every dtype, 0-d and empty ones, and views that are not contiguous."""
    made = {}
    for number, dtype in enumerate(SAFE):
        made[f"layers.{number}.{dtype}"] = random_tensor(dtype, 5, 7, seed=number)
        made[f"scalar.{dtype}"] = random_tensor(dtype, seed=number)
        made[f"empty.{dtype}"] = random_tensor(dtype, 0, 3)
    base = random_tensor("float32", 6, 8, 4, seed=99)
    made["turned"] = base.transpose(0, 2)
    made["strided"] = base[::2, 1:, 3]
    made["broadcast"] = base[:1, :1].expand(3, 5, 4)
    return made


def plain_values(tensor: torch.Tensor) -> Array:
    """What torch says the values are, as NumPy: widened where NumPy has no such dtype."""
    if tensor.dtype == torch.bfloat16 or "float8" in str(tensor.dtype):
        tensor = tensor.float()
    return tensor.contiguous().numpy()


def assert_is(found: Array, tensor: torch.Tensor, wanted: Array | None = None) -> None:
    """Torch's values bit for bit; of float8, which have several, any NaN is as good as another."""
    if wanted is None:
        wanted = plain_values(tensor)
    if "float8" in str(tensor.dtype):
        found, wanted = (
            np.where(np.isnan(each), np.float32(np.nan), each) for each in (found, wanted)
        )
    assert_same_bits(found, wanted)


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    """What is in the checkpoint."""
    return all_tensors()


@pytest.fixture
def checkpoint(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> Iterator[Checkpoint]:
    """A file that torch wrote."""
    path = tmp_path / "all.pt"
    torch.save(tensors, path)
    opened = open_checkpoint(path)
    yield opened
    opened.close()


def parts_of(checkpoint: Checkpoint) -> list[Part]:
    return [part_of(entry) for entry in checkpoint.entries]


# Several tensors --------------------------------------------------------------------------------


def test_npz_holds_torchs_values(
    checkpoint: Checkpoint, tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    export_parts("npz", parts_of(checkpoint), tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz", allow_pickle=False) as loaded:
        assert list(loaded) == list(tensors)
        for name, tensor in tensors.items():
            assert_is(loaded[name], tensor)
    with zipfile.ZipFile(tmp_path / "out.npz") as archive:
        assert archive.testzip() is None
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}


def test_a_folder_holds_torchs_values_and_says_which_is_where(
    checkpoint: Checkpoint, tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    target = tmp_path / "out"
    export_parts("folder", parts_of(checkpoint), target)
    index = json.loads((target / "index.json").read_text())["tensors"]
    assert {path.name for path in target.iterdir()} == {"index.json", *(i["file"] for i in index)}
    for said, (name, tensor) in zip(index, tensors.items(), strict=True):
        found = np.load(target / said["file"], allow_pickle=False)
        assert_is(found, tensor)
        assert said["name"] == name
        assert (tuple(said["shape"]), said["dtype"]) == (found.shape, str(found.dtype))
        assert ("bfloat16 widened" in said["note"]) is (tensor.dtype == torch.bfloat16)


def test_safetensors_is_the_reference_writers_file(
    checkpoint: Checkpoint, tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    export_parts("safetensors", parts_of(checkpoint), tmp_path / "out.safetensors")
    contiguous = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    save_file(contiguous, tmp_path / "reference.safetensors", metadata={"format": "pt"})
    ours = (tmp_path / "out.safetensors").read_bytes()
    assert ours == (tmp_path / "reference.safetensors").read_bytes()
    with safe_open(tmp_path / "out.safetensors", "pt") as opened:
        assert opened.metadata() == {"format": "pt"}
        for name, tensor in tensors.items():
            found = opened.get_tensor(name)
            assert (found.dtype, found.shape) == (tensor.dtype, tensor.shape)
            width = tensor.element_size()
            if tensor.numel():
                assert torch.equal(
                    found.reshape(-1, 1).view(torch.uint8).reshape(-1, width),
                    tensor.contiguous().reshape(-1, 1).view(torch.uint8).reshape(-1, width),
                )


@pytest.mark.parametrize("dtype", ["float4_e2m1fn_x2", "float8_e8m0fnu"])
def test_safetensors_keeps_packed_and_rare_types(dtype: str, tmp_path: Path) -> None:
    tensors = {"w": random_tensor(dtype, 3, 8), "v": random_tensor(dtype, 4)}
    torch.save(tensors, tmp_path / "rare.pt")
    checkpoint = open_checkpoint(tmp_path / "rare.pt")
    result = export_parts("safetensors", parts_of(checkpoint), tmp_path / "out.safetensors")
    assert result.plan.notes[0].startswith("the stored bits as they are, F")
    save_file(tensors, tmp_path / "reference.safetensors", metadata={"format": "pt"})
    ours = (tmp_path / "out.safetensors").read_bytes()
    assert ours == (tmp_path / "reference.safetensors").read_bytes()
    # As numbers, two float4 ones of each byte.
    export_parts("npz", parts_of(checkpoint), tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as loaded:
        assert loaded["w"].shape == (3, 16 if dtype == "float4_e2m1fn_x2" else 8)
        assert loaded["w"].dtype == np.float32


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_sparse_and_quantized_tensors_as_numbers(tmp_path: Path) -> None:
    dense = torch.tensor([[0.0, 1.5, 0.0], [2.5, 0.0, -1.0]]).bfloat16()
    numbers = torch.randn(4, 6)
    tensors = {
        "sparse": dense.to_sparse(),
        "quantized": torch.quantize_per_channel(
            numbers, torch.rand(4) + 0.1, torch.zeros(4, dtype=torch.long), 0, torch.qint8
        ),
    }
    torch.save(tensors, tmp_path / "kinds.pt")
    checkpoint = open_checkpoint(tmp_path / "kinds.pt")
    export_parts("safetensors", parts_of(checkpoint), tmp_path / "out.safetensors")
    found = load_file(tmp_path / "out.safetensors")
    assert torch.equal(found["sparse"], dense.float())
    assert torch.equal(found["quantized"], tensors["quantized"].dequantize())
    entry = checkpoint.find("quantized")
    assert entry is not None
    export_parts("npy", [part_of(entry, "integers")], tmp_path / "integers.npy")
    assert np.load(tmp_path / "integers.npy").tolist() == tensors["quantized"].int_repr().tolist()


def test_mat_holds_torchs_values(
    checkpoint: Checkpoint, tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    result = export_parts("mat", parts_of(checkpoint), tmp_path / "out.mat")
    loaded = scipy.io.loadmat(tmp_path / "out.mat")
    assert [item.part.name for item in result.plan.items] == list(tensors)
    for item in result.plan.items:
        wanted = plain_values(tensors[item.part.name])
        if wanted.dtype == np.float16:
            with np.errstate(invalid="ignore"):
                wanted = wanted.astype(np.float32)
        if wanted.dtype == bool:
            wanted = wanted.astype(np.uint8)
        found = loaded[item.name]
        # SciPy reads what has no elements as float64 or the like; its shape stays.
        shape = (*(1,) * (2 - wanted.ndim), *wanted.shape)
        assert found.shape == shape
        if wanted.size:
            assert_is(found.reshape(wanted.shape), tensors[item.part.name], wanted)
    assert dict(result.plan.renamed)["scalar.bool"] == "scalar_bool"


@pytest.mark.parametrize("name", SEVERAL)
def test_regions_in_small_blocks(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "BLOCK", 40)
    array = np.arange(4 * 5 * 6, dtype=np.float64).reshape(4, 5, 6)
    wanted = [
        whole_part(text, InMemoryArray(array), parse_region(text, array.shape))
        for text in ("[2]", "[::-1, 3]", "[:, 1:4, ::2]", "[1, 2, 3]", "[2:2]")
    ]
    heard: list[float] = []
    target = tmp_path / f"out{format_named(name).suffix}"
    export_parts(name, wanted, target, progress=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == 1
    assert len(heard) > 20
    found = load_all(name, target)
    for part, array_found in zip(wanted, found, strict=True):
        values = part.source.read(part.region)
        assert array_found.reshape(values.shape).tolist() == values.tolist()


def load_all(name: str, target: Path) -> list[Array]:
    """The arrays of an export, in the order of the tensors' names."""
    if name == "npz":
        with np.load(target) as loaded:
            return [loaded[key] for key in loaded]
    if name == "folder":
        index = json.loads((target / "index.json").read_text())["tensors"]
        return [np.load(target / said["file"]) for said in index]
    if name == "safetensors":
        found = load_file(target)
        return [found[key].numpy() for key in ("[2]", "[::-1, 3]", "[:, 1:4, ::2]")] + [
            found["[1, 2, 3]"].numpy(),
            found["[2:2]"].numpy(),
        ]
    variables = scipy.io.loadmat(target)
    return [value for key, value in variables.items() if not key.startswith("__")]


@pytest.mark.parametrize("name", SEVERAL)
def test_names_that_would_leave_the_folder_or_clash(name: str, tmp_path: Path) -> None:
    names = [
        "../../etc/passwd",
        "/absolute",
        "..",
        "a/b",
        "a\\b",
        "a_b",
        "A_B",
        "nul",
        "CON.weight",
        "zero\0character",
        "x" * 400,
        "x" * 401,
        "重" * 200,
        "",
        " . ",
        "__metadata__",
        "end",
        "1st",
        "lone\ud800",
        "index.json",
    ]
    wanted = [
        whole_part(each, InMemoryArray(np.full(3, number))) for number, each in enumerate(names)
    ]
    target = tmp_path / "sub" / f"out{format_named(name).suffix}"
    target.parent.mkdir()
    result = export_parts(name, wanted, target)
    assert list(tmp_path.iterdir()) == [target.parent]
    assert list(target.parent.iterdir()) == [target]
    there = [item.name for item in result.plan.items]
    assert len({each.casefold() for each in there}) == len(names) or name in ("safetensors", "mat")
    assert len(set(there)) == len(names)
    found = {item.part.name: item.name for item in result.plan.items}
    numbers = {each: number for number, each in enumerate(names)}
    if name == "npz":
        with np.load(target) as loaded:
            assert {each: int(loaded[found[each]][0]) for each in names} == numbers
    elif name == "folder":
        assert {each: int(np.load(target / f"{found[each]}.npy")[0]) for each in names} == numbers
        assert not any(set(path.name) & set('<>:"/\\|?*\0') for path in target.iterdir())
        assert max(len(path.name.encode()) for path in target.iterdir()) <= 255
    elif name == "mat":
        variables = scipy.io.loadmat(target)
        assert {each: int(variables[found[each]][0, 0]) for each in names} == numbers
        assert all(each.isidentifier() and each.isascii() and len(each) < 64 for each in there)
    else:
        with safe_open(target, "np") as opened:
            assert {each: int(opened.get_tensor(found[each])[0]) for each in names} == numbers
            assert found["../../etc/passwd"] == "../../etc/passwd"


def test_two_tensors_of_one_name_are_not_one_in_safetensors() -> None:
    part = whole_part("w", InMemoryArray(np.zeros(3)))
    with pytest.raises(ExportError, match="2 of the tensors are called w"):
        plan_export(format_named("safetensors"), [part, part])


@pytest.mark.parametrize("dtype", sorted(set(DTYPES) - set(SAFE)))
def test_what_safetensors_lacks_is_refused_in_words(dtype: str, tmp_path: Path) -> None:
    source = RawArray(np.zeros((2, 4), DTYPES[dtype].raw), dtype)
    if dtype in ("float8_e8m0fnu", "float4_e2m1fn_x2"):  # torch's loader of the package lacks them
        export(source, tmp_path / "out.safetensors", name="safetensors")
        with safe_open(tmp_path / "out.safetensors", "pt") as opened:
            shape = opened.get_slice("tensor").get_shape()
        assert shape == ([2, 8] if dtype == "float4_e2m1fn_x2" else [2, 4])
        (entry,) = open_checkpoint(tmp_path / "out.safetensors").entries
        assert (entry.dtype, entry.shape) == (dtype, (2, 4))
        return
    with pytest.raises(ExportError, match=f"tensor is {dtype}, and safetensors has no such type"):
        plan_export(format_named("safetensors"), [whole_part("tensor", source)])


@pytest.mark.parametrize("lazy", ["conj", "neg"])
def test_lazy_tensors_are_resolved(lazy: str, tmp_path: Path) -> None:
    tensor = torch.randn(3, 4, dtype=torch.complex64)
    view = tensor.conj() if lazy == "conj" else torch._neg_view(tensor)
    torch.save({"w": view}, tmp_path / "lazy.pt")
    checkpoint = open_checkpoint(tmp_path / "lazy.pt")
    export_parts("safetensors", parts_of(checkpoint), tmp_path / "out.safetensors")
    assert torch.equal(load_file(tmp_path / "out.safetensors")["w"], view.resolve_conj())


def test_raw_bits_are_what_torch_stores(
    checkpoint: Checkpoint, tensors: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    entries = [checkpoint.find(f"layers.{SAFE.index(name)}.{name}") for name in SAFE]
    wanted = [part_of(entry, "raw") for entry in entries if entry is not None]
    export_parts("npz", wanted, tmp_path / "raw.npz")
    with np.load(tmp_path / "raw.npz") as loaded:
        for name, array in loaded.items():
            tensor = tensors[name]
            assert array.dtype.kind == "u"
            assert array.shape == ((*tensor.shape, 2) if tensor.is_complex() else tensor.shape)
            assert array.tobytes() == tensor.view(torch.uint8).numpy().tobytes()
    part = part_of(entries[SAFE.index("complex64")], "raw", Region((range(1, 3), 2)))  # type: ignore[arg-type]
    export_parts("npy", [part], tmp_path / "raw.npy")
    name = f"layers.{SAFE.index('complex64')}.complex64"
    assert np.load(tmp_path / "raw.npy").tobytes() == plain_values(tensors[name][1:3, 2]).tobytes()


# Text -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", SAFE)
def test_csv_reads_back_as_torchs_values(dtype: str, tmp_path: Path) -> None:
    for shape in ((9, 11), (13,), (1, 4), (4, 1), ()):
        tensor = random_tensor(dtype, *shape)
        torch.save({"w": tensor}, tmp_path / "w.pt")
        (entry,) = open_checkpoint(tmp_path / "w.pt").entries
        result = export_parts("csv", [part_of(entry)], tmp_path / "w.csv")
        wanted = plain_values(tensor)
        (call,) = re.findall(r"np\.loadtxt\(.*\)", result.plan.remarks[0])
        found = eval(call, {"np": np, "file": tmp_path / "w.csv"})
        assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
        # Text has one NaN, so that only where they are can be compared.
        np.testing.assert_array_equal(np.nan_to_num(found, nan=1), np.nan_to_num(wanted, nan=1))
        if wanted.dtype.kind == "f":
            number = ~np.isnan(wanted)
            assert np.array_equal(np.isnan(found), np.isnan(wanted))
            assert np.array_equal(np.signbit(found)[number], np.signbit(wanted)[number])


@given(
    st_numpy.arrays(
        st.sampled_from([np.float32, np.float64, np.complex64]),
        st_numpy.array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=4),
    )
)
def test_csv_is_exact(tmp_path_factory: pytest.TempPathFactory, array: Array) -> None:
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    export(InMemoryArray(array), path, name="csv")
    found = np.loadtxt(path, delimiter=",", dtype=array.dtype, ndmin=array.ndim)
    np.testing.assert_array_equal(found, array)


def test_csv_in_pieces_of_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.arange(7 * 10).reshape(7, 10)
    wanted = "".join(f"{','.join(map(str, row))}\n" for row in array.tolist())
    for block in (16 * 8 * 3, 16 * 8 * 10, 16 * 8 * 25):
        monkeypatch.setattr(parts, "BLOCK", block)
        export(InMemoryArray(array), tmp_path / "x.csv", name="csv")
        assert (tmp_path / "x.csv").read_text() == wanted


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_csv_of_nothing_is_empty(shape: tuple[int, ...], tmp_path: Path) -> None:
    export(InMemoryArray(np.zeros(shape)), tmp_path / "x.csv", name="csv")
    assert (tmp_path / "x.csv").read_bytes() == b""


# What a format cannot hold ----------------------------------------------------------------------


def test_what_a_format_cannot_hold_is_said_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = whole_part("w", InMemoryArray(np.zeros((1,) * 33)))
    for name, chosen, word in (
        ("csv", [deep], "at most 2 axes, not 33"),
        ("mat", [deep], "at most 32 axes"),
        ("npy", [deep, deep], "holds one tensor, not 2"),
        ("npz", [], "no tensor is chosen"),
    ):
        with pytest.raises(ExportError, match=word):
            plan_export(format_named(name), chosen)
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    with pytest.raises(ExportError, match="needs SciPy, which is not installed"):
        plan_export(format_named("mat"), [whole_part("w", InMemoryArray(np.zeros(3)))])
    assert refusal(format_named("safetensors"), 5, 64) == ""


@pytest.mark.parametrize("shape", [(1 << 14, 1 << 14, 2), (0, 1 << 31)])
def test_mat_refuses_what_matlab_cannot_open(shape: tuple[int, ...]) -> None:
    large = InMemoryArray(np.broadcast_to(np.float32(0), shape))
    with pytest.raises(ExportError, match="a variable of MATLAB 5 has at most 2,147,483,647"):
        plan_export(format_named("mat"), [whole_part("w", large)])
    small = InMemoryArray(np.broadcast_to(np.float16(0), (1 << 14, 1 << 14)))
    plan = plan_export(format_named("mat"), [whole_part("w", small)])
    assert "float16 widened to float32" in plan.notes[0]
    assert "1,073,741,824 bytes" in plan.remarks[0]


def test_mat_without_the_memory_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Array:
        raise MemoryError

    monkeypatch.setattr(mat.np, "empty", refuse)
    with pytest.raises(ExportError, match="not enough memory"):
        export(InMemoryArray(np.zeros(3)), tmp_path / "x.mat", name="mat")
    assert list(tmp_path.iterdir()) == []


def test_a_suffix_names_a_format() -> None:
    for known in FORMATS:
        if known.suffix:
            assert format_of(Path(f"a{known.suffix.upper()}")) is known
    for name in ("model.pt", "model", ".npy"):
        with pytest.raises(ExportError, match="does not say in which format"):
            format_of(Path(name))


def test_npz_beyond_four_gigabytes_has_the_size_that_was_said() -> None:
    """What cannot be written in a test can be counted as the standard library counts it."""

    class Hole:
        """Where a zip archive goes that nobody keeps."""

        def __init__(self) -> None:
            self.position = self.end = 0

        def write(self, data: Any) -> int:
            self.position += len(data)
            self.end = max(self.end, self.position)
            return len(data)

        def seek(self, offset: int, whence: int = 0) -> int:
            self.position = offset + (self.position if whence == 1 else self.end * (whence == 2))
            return self.position

        def tell(self) -> int:
            return self.position

        def flush(self) -> None:
            pass

    for members in ([3 << 30, 5], [5, 1 << 30, 1 << 30, 7], [9]):
        hole, archive_members = Hole(), [(f"a{n}.npy", size) for n, size in enumerate(members)]
        with zipfile.ZipFile(hole, "w") as archive:  # type: ignore[arg-type]
            for name, size in archive_members:
                with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                    member._crc = 0
                    hole.write(range(size - 4))
                    member._file_size = member._compress_size = size - 4
                    member.write(b"last")
        assert hole.end == npz._archive_size(archive_members)


# While it is written ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [known.name for known in FORMATS if known.name != "mat"])
def test_memory_is_bounded(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    side = 1 << (8 if name == "csv" else 12)
    monkeypatch.setattr(parts, "BLOCK", 1 << (16 if name == "csv" else 22))
    source = RawArray(np.broadcast_to(np.uint16(0x3F80), (side, side)), "bfloat16")
    tracemalloc.start()
    try:
        target = tmp_path / f"x{format_named(name).suffix}"
        export(source, target, name=name)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (1 << 20 if name == "csv" else 24 << 20)


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_a_cancelled_export_leaves_nothing(known: formats.ExportFormat, tmp_path: Path) -> None:
    def check() -> None:
        raise Cancelled

    target = tmp_path / f"x{known.suffix}"
    with pytest.raises(Cancelled):
        export(InMemoryArray(np.zeros(3)), target, name=known.name, check=check)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
def test_a_source_that_is_cut_meanwhile_leaves_the_target(
    known: formats.ExportFormat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "BLOCK", 4000)
    path = tmp_path / "w.pt"
    torch.save({"w": torch.zeros(100, 100)}, path)
    (entry,) = open_checkpoint(path).entries
    target = tmp_path / f"x{known.suffix}"
    if not known.is_folder:
        target.write_bytes(b"before")

    def cut(share: float) -> None:
        if share > 0.3:
            with path.open("rb+") as file:
                file.truncate(2000)

    plan = plan_export(known, [part_of(entry)])
    with pytest.raises(CheckpointError, match="has changed"):
        export_plan(plan, target, check=nothing, progress=cut)
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(
        ["w.pt"] if known.is_folder else ["w.pt", target.name]
    )
    assert known.is_folder or target.read_bytes() == b"before"
