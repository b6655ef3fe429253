"""The formats that can be read, in the order in which a file is tried on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Final, cast

from inspector.checkpoints.model import ByteSource, Checkpoint
from inspector.checkpoints.sources import LocalFile


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes
    ----------
    name
        In words, for messages.
    module
        The module in this package that knows it. It is imported with the first file that may be
        of the format: all of them together take longer than listing a large checkpoint.
    suffixes
        What the names of such files end in, lower case. They decide nothing.
    begins
        What such a file begins with, one of several; empty where the module has to look.
    test
        The module's function ``(head, source) -> bool`` that decides.
    """

    name: str
    module: str
    suffixes: tuple[str, ...] = ()
    begins: tuple[bytes, ...] = ()
    test: str = "sniff"

    def sniff(self, head: bytes, source: ByteSource) -> bool:
        """Whether a file is of this format, by its first bytes (up to `HEAD`) and its source."""
        if self.begins and not head.startswith(self.begins):
            return False
        test = cast(Callable[[bytes, ByteSource], bool], self._function(self.test))
        return test(head, source)

    def open(self, file: LocalFile, check: Callable[[], None]) -> Checkpoint:
        """List a file; calls ``check`` now and then, which may raise `Cancelled`."""
        opened = cast(
            Callable[[LocalFile, Callable[[], None]], Checkpoint], self._function("open_file")
        )
        return opened(file, check)

    def _function(self, name: str) -> object:
        return getattr(import_module(f"{__name__}.{self.module}"), name)


#: Bytes that `Format.sniff` is given, at most.
HEAD: Final = 4096

_TORCH: Final = (".pt", ".pth", ".ckpt", ".bin")
_SCRIPT: Final = (*_TORCH, ".jit", ".ptl")
_ZIP: Final = (b"PK\x03\x04",)

FORMATS: Final = (
    # The most frequent zip archive is known by its first member; for the others, the directory
    # has to be looked at.
    Format("torch zip", "torch_zip", _SCRIPT, _ZIP, "sniff_first_member"),
    Format("NumPy archive", "npz", (".npz",), _ZIP),
    Format("Keras archive", "keras", (".keras",), _ZIP),
    Format("torch.export archive", "torch_export", (".pt2",), _ZIP),
    Format("TorchScript of torch 1.1 to 1.3", "torch_script", _SCRIPT, _ZIP),
    Format("torch zip", "torch_zip", _SCRIPT, _ZIP),
    Format("GGUF", "gguf", (".gguf",), (b"GGUF",)),
    Format("safetensors", "safetensors", (".safetensors",)),
    Format("NumPy array", "npy", (".npy",), (b"\x93NUMPY",)),
    Format("HDF5", "hdf5", (".h5", ".hdf5")),
    Format("ONNX", "onnx", (".onnx",)),
    Format("torch legacy", "torch_legacy", _TORCH),
    Format("torch tar", "torch_tar", (*_TORCH, ".tar")),
    Format("pickle", "plain_pickle", (*_TORCH, ".pkl", ".pickle", ".p", ".joblib")),
    Format(
        "compressed pickle",
        "compressed_pickle",
        (*_TORCH, ".pkl", ".pickle", ".p", ".joblib", ".gz", ".bz2", ".xz", ".lzma", ".z"),
        (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\0\0", b"\x78"),
    ),
    # The last: a file of another format may hold a zip archive too.
    Format("torch zip", "torch_zip", _TORCH, test="sniff_behind_something"),
)

#: What the names of checkpoints end in, in the order of the formats.
SUFFIXES: Final = tuple(dict.fromkeys(suffix for known in FORMATS for suffix in known.suffixes))
