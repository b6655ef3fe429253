"""The formats that can be read, in the order in which a file is tried on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from inspector.checkpoints.formats import hdf5, keras, safetensors, torch_zip
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
    """

    name: str
    sniff: Callable[[bytes, ByteSource], bool]
    open: Callable[[LocalFile, Callable[[], None]], Checkpoint]


#: Bytes that `Format.sniff` is given, at most.
HEAD: Final = 4096

FORMATS: Final = (
    Format("a Keras archive", keras.sniff, keras.open_file),
    Format("torch zip", torch_zip.sniff, torch_zip.open_file),
    Format("safetensors", safetensors.sniff, safetensors.open_file),
    Format("HDF5", hdf5.sniff, hdf5.open_file),
)
