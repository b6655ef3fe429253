"""What a file is that none of the formats recognises, in words and with a next step."""

from __future__ import annotations

import re
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.naming import display_text

_LFS = b"version https://git-lfs.github.com/spec/"
_UNPACK = "Unpack it, and open what comes out."
_DOWNLOAD = "Download the file itself; the link may need a login, or lead to a page about the file."

#: First bytes, what they say, and what to do.
_MAGIC: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"\x1f\x8b", "is compressed by gzip.", _UNPACK),
    (b"BZh", "is compressed by bzip2.", _UNPACK),
    (b"\xfd7zXZ\x00", "is compressed by xz.", _UNPACK),
    (b"\x04\x22\x4d\x18", "is compressed by lz4.", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "is compressed by zstd.", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive.", _UNPACK),
    (b"Rar!\x1a\x07", "is a RAR archive.", _UNPACK),
    (b"PK\x05\x06", "is an empty zip archive.", "Get it again from where it came from."),
    (b"%PDF-", "is a PDF document.", "Choose a checkpoint instead."),
    (b"\x89PNG", "is a picture.", "Choose a checkpoint instead."),
    (b"\xff\xd8\xff", "is a picture.", "Choose a checkpoint instead."),
    (b"\x7fELF", "is a program or a library.", "Choose a checkpoint instead."),
    (b"MZ", "is a program or a library.", "Choose a checkpoint instead."),
)


#: What a flatbuffer has behind its first four bytes, and what it is.
_FLATBUFFERS: Final = {
    b"PTMF": "is TorchScript for mobile as a flatbuffer",
    b"ET12": "is a program for ExecuTorch",
    b"TFL3": "is a TensorFlow Lite model",
}
_SAVE_OTHERWISE: Final = (
    "Open the checkpoint that it was made of, or save its weights by torch.save or torch.jit.save."
)


def is_pointer(head: bytes) -> bool:
    """Whether a file that begins with ``head`` stands for one that git-lfs did not download."""
    return head.startswith(_LFS)


def describe_foreign(name: str, head: bytes, size: int) -> CheckpointError:
    """The error for a file of no known format.

    Parameters
    ----------
    name
        What to call it.
    head
        Its first bytes.
    size
        Its bytes.
    """
    for magic, what, advice in _MAGIC:
        if head.startswith(magic):
            return CheckpointError(f"{name} {what}", advice=advice)
    what, advice = _by_structure(head, size) or _by_text(head) or ("", "")
    if what:
        return CheckpointError(f"{name} {what}", advice=advice)
    return CheckpointError(
        f"{name} is no checkpoint of a known format: it begins with the bytes {head[:8].hex(' ')}.",
        advice="The files of torch and NumPy, safetensors, GGUF, ONNX, HDF5 and pickles can be "
        "read, whatever their names.",
    )


def _by_structure(head: bytes, size: int) -> tuple[str, str] | None:
    flatbuffer = _FLATBUFFERS.get(head[4:8])
    if flatbuffer:
        return f"{flatbuffer}, which is not read here.", _SAVE_OTHERWISE
    if head.startswith(b"PYTORCH1"):
        return (
            "is TorchScript of a preview of torch 1.0, which torch itself does not read.",
            _SAVE_OTHERWISE,
        )
    if head[257:262] == b"ustar":
        return (
            "is a tar archive: a torch file from before version 0.1.10, or something packed.",
            _UNPACK,
        )
    if not head.strip(b"\0"):
        return (
            f"begins with {len(head):,} zero bytes: the download of its {size:,} bytes did not "
            "finish.",
            "Get it again from where it came from.",
        )
    return None


def _by_text(head: bytes) -> tuple[str, str] | None:
    if is_pointer(head):
        size = re.search(rb"\nsize (\d{1,18})", head)
        there = f" of {int(size[1]):,} bytes" if size else ""
        return (
            f"is a git-lfs pointer: the file itself{there} was not downloaded.",
            "Run `git lfs pull` in its folder.",
        )
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")) or (
        text.startswith(b"<!--") and b"<html" in text
    ):
        return "is a saved web page.", _DOWNLOAD
    if text.startswith(b"<?xml"):
        return "is an XML text, perhaps the error message of a server.", _DOWNLOAD
    if b'"weight_map"' in text:
        return (
            "is the index of a checkpoint in several files, but has no name that ends in "
            ".index.json.",
            "Open the files that it names, or their folder.",
        )
    try:
        line = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(head) < 64 or error.start < len(head) - 3:
            return None
        line = head[: error.start].decode("utf-8")  # the end cuts a character in two
    if not head or any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head):
        return None
    first = display_text(line.strip().split("\n", 1)[0], 80)
    if text.startswith((b"{", b"[")):
        return f"is JSON text: {first}", _DOWNLOAD
    return f"is a text file: {first}", _DOWNLOAD
