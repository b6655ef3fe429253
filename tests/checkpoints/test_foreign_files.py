"""Files that are no checkpoints: what they are instead, and what to do."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from inspector.checkpoints import CheckpointError, open_checkpoint

HDF5 = b"\x89HDF\r\n\x1a\n"


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message", "advice"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345678\n",
            "git-lfs pointer: the file itself of 12,345,678 bytes",
            "git lfs pull",
        ),
        (b"\xef\xbb\xbf \n<HTML><head>", "saved web page", "Download"),
        (b"<!-- saved from a hub -->\n<html>", "saved web page", "Download"),
        (b"<?xml version='1.0'?><Error>AccessDenied</Error>", "XML", "Download"),
        (b'{"error": "Repository not found"}', "JSON text: {", "Download"),
        (b'{"metadata": {}, "weight_map": {"w": "1.safetensors"}}', "index", "Open the files"),
        (b"Invalid username or password.\n", "text file: Invalid username", "Download"),
        ("Zugriff verweigert: Größe".encode(), "text file", "Download"),
        (gzip.compress(b"x"), "gzip", "Unpack"),
        (bz2.compress(b"x"), "bzip2", "Unpack"),
        (lzma.compress(b"x"), "xz", "Unpack"),
        (tar(), "tar archive", "Unpack"),
        (b"\x04\x22\x4d\x18....", "lz4", "Unpack"),
        (bytes(100_000), "did not finish", "again"),
        (b"%PDF-1.7 ...", "PDF", "Choose"),
        (b"\x89PNG\r\n\x1a\n", "picture", "Choose"),
        (b"PK\x05\x06" + bytes(18), "empty zip", "again"),
        (bytes(range(200, 256)), "begins with the bytes c8 c9 ca", "safetensors"),
        (b"4\0\0\0PTMF" + bytes(60), "TorchScript for mobile as a flatbuffer", "torch.jit.save"),
        (b"PYTORCH1" + bytes(60), "TorchScript of a preview of torch 1.0", "torch.save"),
        (b"\xff" * 1000, "begins with the bytes ff ff", "safetensors"),
        (b"a" * 4095 + "ä".encode(), "text file", "Download"),
        (HDF5 + bytes(4), "cut short after 12 bytes, within its superblock", "again"),
        (
            b"\x89HDF\r\n\x1a\n" + bytes(5) + b"\x08\x08" + bytes(20),
            "within its superblock",
            "again",
        ),
        (b"\xff", "begins with the bytes ff", "safetensors"),
        (b"PK\x03\x04" + b"\xee" * 50, "cut short", "did not finish"),
    ],
)
def test_a_sentence_and_a_next_step(
    tmp_path: Path, content: bytes, message: str, advice: str
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(path)
    assert str(path) in caught.value.message
    assert message in caught.value.message
    assert advice in caught.value.advice


def test_names_that_are_none() -> None:
    for name in ("a\0b", "x" * 5000):
        with pytest.raises(CheckpointError, match="can not be opened"):
            open_checkpoint(name)


def test_a_loop_of_links(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(CheckpointError, match="can not be opened"):
        open_checkpoint(tmp_path / "a")


@pytest.mark.parametrize(
    ("name", "save", "says"),
    [
        ("a.safetensors", torch.save, "but its content is torch zip"),
        ("a.pt", save_file, "but its content is safetensors"),
        ("a.PT", torch.save, ""),
        ("a.ckpt", torch.save, ""),
        ("a", torch.save, ""),
        ("a.weights", save_file, ""),
        ("a.safetensors", save_file, ""),
    ],
)
def test_a_name_that_promises_another_format_is_noted(
    tmp_path: Path, name: str, save: Callable[[object, Path], None], says: str
) -> None:
    path = tmp_path / name
    save({"w": torch.ones(2)}, path)
    checkpoint = open_checkpoint(path)
    checkpoint.close()
    notes = [found.message for found in checkpoint.findings if "Its name ends in" in found.message]
    assert len(notes) == bool(says)
    assert says in "".join(notes)
    assert [entry.name for entry in checkpoint.entries] == ["w"]
