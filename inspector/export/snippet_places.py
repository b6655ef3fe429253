"""The lines of a snippet that open the stored numbers, wherever they are: ``stored``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeGuard

from inspector.checkpoints.assembled import Piece
from inspector.checkpoints.geometry import contiguous
from inspector.checkpoints.model import Storage
from inspector.checkpoints.places import (
    Decoded,
    InFile,
    Inflated,
    InPickle,
    InPieces,
    PlacedPiece,
    UnplacedError,
    Where,
    WrittenDown,
    where_is,
    where_piece_is,
)
from inspector.export.snippet_steps import NUMPY, Steps
from inspector.values.regions import Region

#: Pieces of which an array is put together in a snippet, at most: a line for each.
MOST_PIECES: Final = 64

#: The modules of Python that decompress a file as they open it.
_MODULES: Final = {"gzip": "gzip", "bzip2": "bz2", "xz": "lzma", "lzma": "lzma"}


@dataclass(frozen=True, slots=True)
class Box:
    """How numbers lie in a storage.

    Attributes
    ----------
    word
        NumPy's, with the byte order: ``<f4``.
    start
        Where the first one is, in bytes.
    shape
        In numbers, none of them 0.
    strides
        In bytes.
    """

    word: str
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def itemsize(self) -> int:
        """Bytes of a number."""
        return int(self.word.lstrip("<>")[1:])

    @property
    def is_contiguous(self) -> bool:
        """Whether it lies in C order."""
        plain = contiguous(self.shape)
        return self.strides == tuple(step * self.itemsize for step in plain)

    @property
    def reach(self) -> int:
        """Numbers from the first one to the last one in the storage."""
        steps = zip(self.shape, self.strides, strict=True)
        return 1 + sum((count - 1) * step for count, step in steps) // self.itemsize


def opened(storage: Storage, box: Box, region: Region | None = None) -> Steps:
    """Lines that make ``stored``, of the shape of a box. Nothing but what is needed is read.

    Parameters
    ----------
    region
        Of the box, for which it will be used; None for all of it. The rest may be anything.

    Raises
    ------
    UnplacedError
        If there are no such lines; it says why.
    CheckpointError
        If the place can not be found out.
    """
    where = where_is(storage.source, storage.offset)
    if isinstance(where, InPieces):
        return _assembled(where, box, region)
    if isinstance(where, InFile):
        return (NUMPY,), [path_line(where.path), *_mapped(where.offset, box)]
    imports, lines, offset = _data(where, box.start + box.reach * box.itemsize)
    strides = "" if box.is_contiguous else f", strides={box.strides}"
    at = f"buffer=data, offset={offset + box.start}"
    made = f"stored = np.ndarray({box.shape}, dtype={box.word!r}, {at}{strides})"
    return (*imports, NUMPY), [*lines, made]


def path_line(path: Path) -> str:
    """The line that names the file."""
    return f"path = {_literal(path)}"


def _literal(path: Path) -> str:
    """Code that is run in another folder has to find it."""
    return repr(str(path.absolute()))


def memmap(path: str, word: str, start: int, shape: tuple[int, ...]) -> str:
    """A file, mapped, of which nothing is read yet."""
    return f"np.memmap({path}, dtype={word!r}, mode='r', offset={start}, shape={shape})"


def _mapped(offset: int, box: Box) -> list[str]:
    start = offset + box.start
    if box.is_contiguous:
        return [f"stored = {memmap('path', box.word, start, box.shape)}"]
    return [
        f"stored = {memmap('path', box.word, start, (box.reach,))}",
        f"stored = np.lib.stride_tricks.as_strided(stored, {box.shape}, {box.strides})",
    ]


def _data(
    where: Inflated | Decoded | InPickle | WrittenDown, length: int
) -> tuple[tuple[str, ...], list[str], int]:
    """Imports, lines that make the bytes ``data``, and where in these the wanted ones begin."""
    if isinstance(where, Inflated) or _is_zlib(where):
        return (*_all_of(where, "data"), where.offset)
    if isinstance(where, Decoded):
        module = _MODULES[where.compression]
        opening = f"with {module}.open(path) as file:"
        lines = [f"    file.seek({where.offset})", f"    data = file.read({length})"]
        return (f"import {module}",), [path_line(where.path), opening, *lines], 0
    if isinstance(where, InPickle):
        imports, lines = _from_pickle(where)
        return imports, lines, where.offset
    return (), [f"data = bytes.fromhex({where.data.hex()!r})  # of the pickle"], where.offset


def _is_zlib(where: Where) -> TypeGuard[Decoded]:
    """Whether it is compressed in the one way of which Python opens no file."""
    return isinstance(where, Decoded) and where.compression not in _MODULES


def _all_of(where: Inflated | Decoded, name: str) -> Steps:
    """All that is compressed."""
    if isinstance(where, Decoded):
        lines = [path_line(where.path), 'with open(path, "rb") as file:']
        return ("import zlib",), [*lines, f"    {name} = zlib.decompress(file.read())"]
    lines = [path_line(where.run.path), 'with open(path, "rb") as file:']
    lines += [f"    file.seek({where.run.offset})"]
    made = f"zlib.decompressobj(-15).decompress(file.read({where.length}))"
    return ("import zlib",), [*lines, f"    {name} = {made}"]


def _from_pickle(where: InPickle) -> Steps:
    """`pickletools` reads a pickle's opcodes, and runs none of them."""
    pickle, start, opcode = where.pickle, where.pickle.offset, where.opcode
    found = "next(value for _, value, at in pickletools.genops({}) if at == {})"
    text = ["data = data.encode('latin1')"] if where.as_text else []
    if isinstance(pickle, Inflated) or _is_zlib(pickle):
        imports, lines = _all_of(pickle, "opcodes")
        after = f"data = {found.format(f'opcodes[{start}:]' if start else 'opcodes', opcode)}"
        return (*imports, "import pickletools"), [*lines, after, *text]
    module = _MODULES[pickle.compression] if isinstance(pickle, Decoded) else ""
    opening = f"{module}.open(path)" if module else 'open(path, "rb")'
    lines = [path_line(pickle.path), f"with {opening} as file:"]
    lines += [f"    file.seek({start})"] if start else []
    lines += [f"    data = {found.format('file', start + opcode)}"]
    imports = (f"import {module}",) if module else ()
    return (*imports, "import pickletools"), [*lines, *text]


def _assembled(where: InPieces, box: Box, region: Region | None) -> Steps:
    """Piece by piece, those that a region needs."""
    source = where.source
    whole, pair = box.shape[: len(source.shape)], box.shape[len(source.shape) :]
    if box.start or whole != source.shape or not box.is_contiguous:
        raise UnplacedError("It is a part of what is put together from several pieces.")
    needed = [each for each in source.pieces if region is None or _touches(each, region)]
    if len(needed) > MOST_PIECES:
        raise UnplacedError(
            f"It is put together from {len(needed):,} pieces, and code for more than "
            f"{MOST_PIECES} would be no snippet."
        )
    lines = [f"stored = np.empty({box.shape}, dtype={box.word!r})"]
    for each in needed:
        piece = where_piece_is(each, source.shape)
        ends = zip(piece.start, piece.shape, strict=True)
        place = ", ".join(f"{first}:{first + count}" for first, count in ends)
        lines.append(f"stored[{place or '...'}] = {_piece(piece, box, pair)}")
    return (NUMPY,), lines


def _touches(piece: Piece, region: Region) -> bool:
    for first, count, axis in zip(piece.start, piece.shape, region.axes, strict=False):
        low, high = (axis, axis) if isinstance(axis, int) else (min(axis), max(axis))
        if high < first or low >= first + count:
            return False
    return True


def _piece(piece: PlacedPiece, box: Box, pair: tuple[int, ...]) -> str:
    path, count = _literal(piece.where.path), math.prod(pair)
    size = box.itemsize
    strides = tuple(step * count * size for step in piece.stride) + (size,) * len(pair)
    inner = Box(box.word, piece.where.offset, (*piece.shape, *pair), strides)
    if inner.is_contiguous:
        return memmap(path, box.word, inner.start, inner.shape)
    flat = memmap(path, box.word, inner.start, (inner.reach,))
    return f"np.lib.stride_tricks.as_strided({flat}, {inner.shape}, {inner.strides})"
