"""Small real files of every format, by its reference writer, for the mutations to begin with.

Small, so that a mutation meets structure more often than numbers. Each writer is given a folder of
its own, and returns what is to be opened: a file in it, or the folder.
"""

from __future__ import annotations

import argparse
import collections
import io
import pickle
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

Writer = Callable[[Path], Path]


def _state() -> dict[str, object]:
    weight = torch.arange(12.0).reshape(3, 4)
    return {
        "weight": weight,
        "tied": weight,
        "view": weight.t()[1:],
        "half": torch.ones(3).half(),
        "brain": torch.ones(2, 2).bfloat16(),
        "scalar": torch.tensor(3),
        "empty": torch.empty(0, 5),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "flags": torch.tensor([True, False]),
        "float8": torch.ones(4).to(torch.float8_e4m3fn),
    }


def _training() -> dict[str, object]:
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    return {
        "state_dict": model.state_dict(),
        "optimizer_states": [optimizer.state_dict()],
        "hyper_parameters": argparse.Namespace(lr=0.1, layers=[1, 2]),
        "epoch": 3,
        "pytorch-lightning_version": "2.0",
    }


def _kinds() -> dict[str, object]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dense = torch.eye(3)
        return {
            "coo": dense.to_sparse(),
            "loose": torch.sparse_coo_tensor([[2, 0, 2], [1, 1, 1]], torch.ones(3), (3, 3)),
            "csr": dense.to_sparse_csr(),
            "csc": torch.stack([dense, dense]).to_sparse_csc(),
            "bsr": torch.eye(4).to_sparse_bsr((2, 2)),
            "bsc": torch.eye(4).bfloat16().to_sparse_bsc((2, 2)),
            "quantized": torch.quantize_per_tensor(dense, 0.1, 2, torch.qint8),
            "channels": torch.quantize_per_channel(
                dense, torch.ones(3), torch.zeros(3), 0, torch.quint8
            ),
            "packed": torch.quantize_per_channel(
                dense, torch.ones(3), torch.zeros(3), 1, torch.quint4x2
            ),
            "float4": torch.arange(6, dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
            "jagged": torch.nested.nested_tensor(
                [torch.ones(2), torch.ones(3)], layout=torch.jagged
            ),
            "nested": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
            "meta": torch.empty(3, device="meta"),
            "conj": torch.ones(2, dtype=torch.complex64).conj(),
        }


def _others() -> dict[object, object]:
    return {
        "array": np.arange(6, dtype=">i2").reshape(2, 3),
        "fortran": np.asfortranarray(np.ones((2, 3))),
        "scalar": np.float64(0.5),
        "text": np.array(["a", "bc"]),
        "objects": np.array([1, "x", None], dtype=object),
        "ordered": collections.OrderedDict(a=1),
        "deque": collections.deque([1, 2]),
        (1, 2): {3, 4},
        5: b"bytes",
        "nothing": None,
        "module": torch.nn.Linear(2, 2),
        "long": 2**70,
        "dtype": torch.float32,
        "device": torch.device("cuda", 1),
    }


def _saved(make: Callable[[], object], *, legacy: bool = False, protocol: int = 2) -> Writer:
    def write(folder: Path) -> Path:
        path = folder / "model.pt"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.save(
                make(),
                path,
                pickle_protocol=protocol,
                _use_new_zipfile_serialization=not legacy,
            )
        return path

    return write


def _deflated(folder: Path) -> Path:
    plain = _saved(_state)(folder)
    path = folder / "deflated.pt"
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    plain.unlink()
    return path


def _big_endian(folder: Path) -> Path:
    path = _saved(_state)(folder)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, b"big" if name.endswith("/byteorder") else content)
    return path


class _Module(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
        self.register_buffer("steps", torch.arange(3.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x + self.steps) + torch.ones(2)


def _script(folder: Path) -> Path:
    path = folder / "model.jit"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(_Module(), torch.ones(1, 3)), path)
    return path


def _exported(folder: Path) -> Path:
    path = folder / "model.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(_Module(), (torch.ones(1, 3),))
        torch.export.save(program, path)
    return path


def _tar(folder: Path) -> Path:
    """What torch wrote before 0.1.10. No torch of today does; the reader of today's is followed."""

    def pickled(value: object) -> bytes:
        return pickle.dumps(value, 2)

    storages = pickled(1) + pickled((1, "cpu", torch.FloatStorage))
    storages += struct.pack("<q6f", 6, *range(6)) + pickled([])
    tensors = pickled(1) + pickled((2, 1, torch.FloatTensor))
    tensors += struct.pack("<i4x2q2qq", 2, 2, 3, 3, 1, 0)
    main = b"\x80\x02}X\x06\0\0\0weightX\x01\0\0\x002Qs."
    path = folder / "model.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in (
            ("sys_info", pickled({"protocol_version": 1000, "little_endian": True})),
            ("storages", storages),
            ("tensors", tensors),
            ("pickle", main),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def _safetensors(folder: Path) -> Path:
    from safetensors.torch import save_file

    path = folder / "model.safetensors"
    tensors = {
        name: value.clone().contiguous()
        for name, value in _state().items()
        if isinstance(value, torch.Tensor)
    }
    save_file(tensors, path, metadata={"format": "pt", "note": "a\nb"})
    return path


def _shards(folder: Path) -> Path:
    from safetensors.torch import save_file

    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    save_file({"a": torch.ones(2)}, folder / names[0], metadata={"format": "pt"})
    save_file({"b": torch.ones(3), "c": torch.ones(1)}, folder / names[1])
    (folder / "model.safetensors.index.json").write_text(
        '{"metadata": {"total_size": 24}, "weight_map": '
        f'{{"a": "{names[0]}", "b": "{names[1]}", "c": "{names[1]}"}}}}'
    )
    return folder


def _distributed(folder: Path) -> Path:
    import torch.distributed.checkpoint

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.distributed.checkpoint.save(
            {"model": {"w": torch.arange(6.0).reshape(2, 3)}, "step": 3, "rate": [0.1]},
            checkpoint_id=folder,
        )
    return folder


def _deepspeed(folder: Path) -> Path:
    (folder / "latest").write_text("global_step3")
    steps = folder / "global_step3"
    steps.mkdir()
    torch.save({"module": {"w": torch.ones(2)}}, steps / "mp_rank_00_model_states.pt")
    torch.save(
        {"optimizer_state_dict": {"flat": torch.ones(3)}},
        steps / "zero_pp_rank_0_mp_rank_00_optim_states.pt",
    )
    return folder


def _gguf(folder: Path) -> Path:
    import gguf

    path = folder / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("small")
    writer.add_block_count(2)
    writer.add_float32("number", 0.5)
    writer.add_bool("flag", True)
    writer.add_array("tokens", ["a", "b", "ü"])
    writer.add_array("scores", [1.0, 2.0])
    writer.add_array("levels", [[1, 2], [3, 4]])
    values = np.arange(64, dtype=np.float32).reshape(2, 32)
    writer.add_tensor("plain", values)
    writer.add_tensor("half", values.astype(np.float16))
    for kind in (gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q4_0):
        writer.add_tensor(kind.name, gguf.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _npy(make: Callable[[], np.ndarray], version: tuple[int, int] | None = None) -> Writer:
    def write(folder: Path) -> Path:
        path = folder / "array.npy"
        with path.open("wb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about version 2.0, which is asked for here
            np.lib.format.write_array(file, make(), version=version)
        return path

    return write


def _npz(save: Callable[..., None]) -> Writer:
    def write(folder: Path) -> Path:
        path = folder / "arrays.npz"
        save(path, a=np.arange(4.0), b=np.ones((2, 2), ">i2"), c=np.array(["x", "yz"]))
        return path

    return write


def _onnx(external: bool) -> Writer:
    def write(folder: Path) -> Path:
        import onnx
        from onnx import TensorProto, helper, numpy_helper

        path = folder / "model.onnx"
        tensors = [
            numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3), "raw"),
            helper.make_tensor("floats", TensorProto.FLOAT, [2], [1.0, 2.0]),
            helper.make_tensor("longs", TensorProto.INT64, [2], [1, -2]),
            helper.make_tensor("halves", TensorProto.FLOAT16, [2], [1.0, 2.0]),
            helper.make_tensor("brains", TensorProto.BFLOAT16, [2], [1.0, 2.0]),
            helper.make_tensor("texts", TensorProto.STRING, [1], [b"text"]),
        ]
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])]
        outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])]
        node = helper.make_node("Add", ["x", "raw"], ["y"])
        graph = helper.make_graph([node], "graph", inputs, outputs, tensors)
        model = helper.make_model(graph, producer_name="fuzz")
        onnx.save(
            model,
            path,
            save_as_external_data=external,
            location="weights.bin",
            size_threshold=0,
        )
        return path

    return write


def _hdf5(fill: Callable[[Any], None], libver: str = "earliest") -> Writer:
    def write(folder: Path) -> Path:
        import h5py

        path = folder / "model.h5"
        with h5py.File(path, "w", libver=libver) as file:
            fill(file)
        return path

    return write


def _keras(file: Any) -> None:
    file.attrs["keras_version"] = "2.9"
    file.attrs["layer_names"] = np.array([b"dense", b"other"])
    group = file.create_group("model_weights/dense")
    group.create_dataset("kernel", data=np.arange(6, dtype=np.float32).reshape(2, 3))
    group.create_dataset("bias", data=np.ones(3, ">f2"))
    group["same"] = group["kernel"]


def _chunked(file: Any) -> None:
    values = np.arange(24, dtype=np.float32).reshape(4, 6)
    file.create_dataset("packed", data=values, chunks=(2, 3), compression="gzip")
    file.create_dataset("shuffled", data=values, chunks=(2, 6), shuffle=True, fletcher32=True)
    file.create_dataset("one", data=values, chunks=(4, 6))
    file.create_dataset("grows", data=values, chunks=(2, 6), maxshape=(None, 6))
    file.create_dataset("grows both ways", data=values, chunks=(2, 3), maxshape=(None, None))
    file.create_dataset("absent", shape=(4, 6), chunks=(2, 3), dtype="i2", fillvalue=7)


def _types(file: Any) -> None:
    import h5py

    file.create_dataset("scalar", data=3)
    file.create_dataset("nothing", data=h5py.Empty("f4"))
    file.create_dataset("text", data="words")
    file.create_dataset("texts", data=["a", "bc"], dtype=h5py.string_dtype())
    file.create_dataset("fixed", data=np.array([b"a", b"bc"]))
    file.create_dataset("pairs", data=np.zeros(2, [("a", "f4"), ("b", "i2", (2,))]))
    file.create_dataset("complex", data=np.ones(2, np.complex64))
    file.create_dataset("flags", data=np.array([True, False]))
    file.create_dataset("named", data=1, dtype=h5py.enum_dtype({"A": 0, "B": 1}, "i1"))
    file.create_dataset("opaque", data=np.frombuffer(b"ab", "V1"))
    file["type"] = np.dtype("f4")
    file.attrs["reference"] = file["scalar"].ref


def _links(file: Any) -> None:
    import h5py

    file.create_dataset("w", data=np.ones(2))
    file["soft"] = h5py.SoftLink("/w")
    file["loop"] = h5py.SoftLink("/loop")
    file["outside"] = h5py.ExternalLink("../other.h5", "/w")
    file.create_group("ring")["up"] = file["/"]
    layout = h5py.VirtualLayout(shape=(2,), dtype="f8")
    layout[:] = h5py.VirtualSource("../other.h5", "w", shape=(2,))
    file.create_virtual_dataset("virtual", layout)
    file.create_dataset("raw", shape=(2,), dtype="f8", external=[("/etc/hostname", 0, 16)])


def _many(file: Any) -> None:
    group = file.create_group("group", track_order=True)
    for number in range(20):
        group.create_dataset(f"a name of some length {number}", data=np.ones(1, np.int8))
        file.attrs[f"attribute {number}"] = number


def _pickled(protocol: int) -> Writer:
    def write(folder: Path) -> Path:
        path = folder / "model.pkl"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path.write_bytes(pickle.dumps({"w": torch.ones(2, 3), **_others()}, protocol))
        return path

    return write


def _joblib(compress: object) -> Writer:
    def write(folder: Path) -> Path:
        import joblib

        path = folder / "model.joblib"
        values = {"a": np.arange(6.0).reshape(2, 3), "b": [np.ones(3, np.int8)], "n": 3}
        joblib.dump(values, path, compress=compress)
        return path

    return write


#: Writers by format, in the order of the program's own table.
SEEDS: Final[dict[str, tuple[Writer, ...]]] = {
    "torch-zip": (
        _saved(_state),
        _saved(_training),
        _saved(_kinds),
        _saved(_others),
        _saved(_training, protocol=4),
        _deflated,
        _big_endian,
    ),
    "torchscript": (_script,),
    "pt2": (_exported,),
    "safetensors": (_safetensors,),
    "torch-legacy": (
        _saved(_state, legacy=True),
        _saved(_training, legacy=True),
        _saved(_others, legacy=True, protocol=4),
    ),
    "torch-tar": (_tar,),
    "gguf": (_gguf,),
    "npy": (
        _npy(lambda: np.arange(6.0).reshape(2, 3)),
        _npy(lambda: np.asfortranarray(np.ones((2, 3), ">i4")), (2, 0)),
        _npy(lambda: np.zeros(2, [("ä", "f4"), ("b", "i2", (2,))]), (3, 0)),
        _npy(lambda: np.array([1, "x"], dtype=object)),
    ),
    "npz": (_npz(np.savez), _npz(np.savez_compressed)),
    "onnx": (_onnx(False), _onnx(True)),
    "hdf5": tuple(
        _hdf5(fill, libver)
        for fill in (_keras, _chunked, _types, _links, _many)
        for libver in ("earliest", "latest")
    ),
    "pickle": tuple(_pickled(protocol) for protocol in range(6)),
    "joblib": (_joblib(0), _joblib(3), _joblib(("gzip", 3)), _joblib(("bz2", 3))),
    "shards": (_shards,),
    "distributed": (_distributed,),
    "deepspeed": (_deepspeed,),
}
