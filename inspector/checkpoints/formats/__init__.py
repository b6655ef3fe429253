"""The formats that can be read, in the order in which a file is tried on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from inspector.checkpoints.formats import (
    plain_pickle,
    safetensors,
    torch_export,
    torch_legacy,
    torch_script,
    torch_tar,
    torch_zip,
)
from inspector.checkpoints.model import ByteSource, Checkpoint
from inspector.checkpoints.sources import LocalFile


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes
    ----------
    name
        In words, for messages.
    sniff
        Whether a file is of this format, by its first bytes (up to `HEAD`) and by its source.
    open
        Lists a file; calls its second argument now and then, which may raise `Cancelled`.
    suffixes
        What the names of such files end in, lower case. They decide nothing.
    """

    name: str
    sniff: Callable[[bytes, ByteSource], bool]
    open: Callable[[LocalFile, Callable[[], None]], Checkpoint]
    suffixes: tuple[str, ...] = ()


#: Bytes that `Format.sniff` is given, at most.
HEAD: Final = 4096

_TORCH: Final = (".pt", ".pth", ".ckpt", ".bin")

_PICKLE: Final = (".pkl", ".pickle", ".p", ".joblib")

FORMATS: Final = (
    Format("torch.export archive", torch_export.sniff, torch_export.open_file, (".pt2",)),
    Format(
        "TorchScript of torch 1.1 to 1.3",
        torch_script.sniff,
        torch_script.open_file,
        (*_TORCH, ".jit"),
    ),
    Format("torch zip", torch_zip.sniff, torch_zip.open_file, (*_TORCH, ".jit", ".ptl")),
    Format("torch legacy", torch_legacy.sniff, torch_legacy.open_file, _TORCH),
    Format("torch tar", torch_tar.sniff, torch_tar.open_file, _TORCH),
    Format("safetensors", safetensors.sniff, safetensors.open_file, (".safetensors",)),
    # Many a checkpoint with torch's suffix is a plain pickle.
    Format("pickle", plain_pickle.sniff, plain_pickle.open_file, (*_PICKLE, *_TORCH)),
    Format(
        "compressed pickle",
        plain_pickle.sniff_compressed,
        plain_pickle.open_compressed,
        (*_PICKLE, *_TORCH, ".gz", ".bz2", ".xz", ".lzma", ".z"),
    ),
    # The last: a file of another format may hold a zip archive too.
    Format("torch zip", torch_zip.sniff_behind_something, torch_zip.open_file, _TORCH),
)

#: What the names of checkpoints end in, in the order of the formats.
SUFFIXES: Final = tuple(dict.fromkeys(suffix for known in FORMATS for suffix in known.suffixes))
