"""Pickles and zip archives that no pickler writes, put together by hand."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path


def text(value: str) -> bytes:
    """BINUNICODE."""
    raw = value.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def put(index: int) -> bytes:
    """LONG_BINPUT."""
    return b"r" + struct.pack("<I", index)


def get(index: int) -> bytes:
    """LONG_BINGET."""
    return b"j" + struct.pack("<I", index)


def number(value: int) -> bytes:
    """LONG1, of up to 255 bytes."""
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def numbers(*values: int) -> bytes:
    """A tuple of integers."""
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(
    key: str = "0",
    *,
    offset: bytes = b"K\x00",
    shape: bytes = b"K\x02\x85",
    stride: bytes = b"K\x01\x85",
    count: bytes = b"K\x02",
    kind: bytes = b"ctorch\nFloatStorage\n",
) -> bytes:
    """What torch writes for a tensor, with any of its numbers replaced."""
    storage = b"(" + text("storage") + kind + text(key) + text("cpu") + count + b"tQ"
    arguments = b"(" + storage + offset + shape + stride
    arguments += b"\x89ccollections\nOrderedDict\n)Rt"
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R"


def archive(path: Path, data: bytes, **storages: bytes) -> Path:
    """A torch zip around a pickle; storages are given by ``s0=...`` for the key ``0``."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as made:
        made.writestr("archive/data.pkl", data)
        made.writestr("archive/byteorder", b"little")
        for name, content in storages.items():
            made.writestr(f"archive/data/{name[1:]}", content)
        made.writestr("archive/version", b"3\n")
    return path
