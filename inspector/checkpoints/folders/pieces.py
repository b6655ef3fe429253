"""Tensors that several safetensors files hold pieces of.

Source: ``torch/distributed/checkpoint/hf_storage.py`` and ``_hf_utils.py`` of torch 2.9 to 2.13.
The metadata ``DCP_SHARDING_INFO`` of each file say at which index its piece of each tensor begins.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from inspector.checkpoints.assembled import AssembledBytes, Piece
from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.geometry import contiguous, integers, strided_problem
from inspector.checkpoints.model import Checkpoint, Storage, TensorEntry

#: The name in the metadata.
SHARDING_KEY: Final = "DCP_SHARDING_INFO"

Start = tuple[int, ...]


def read_starts(part: Checkpoint) -> dict[str, Start] | None:
    """Where the tensors of a file begin in those that they are pieces of; None if it says none."""
    text = part.metadata.get(SHARDING_KEY)
    if text is None or part.format != "safetensors":
        return None
    try:
        claimed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if type(claimed) is not dict:
        return None
    found = {}
    for name, record in claimed.items():
        start = integers(record.get("saved_offsets")) if type(record) is dict else None
        if start is not None and (not start or min(start) >= 0):
            found[name] = start
    return found


@dataclass(frozen=True, slots=True)
class _Part:
    entry: TensorEntry
    start: Start
    shard: str


class Pieces:
    """Collects the pieces of tensors, by name."""

    def __init__(self) -> None:
        self._parts: Final[dict[str, list[_Part]]] = {}

    def add(self, entry: TensorEntry, start: Start, shard: str) -> None:
        """Take down that ``entry`` is the piece that begins at ``start``."""
        self._parts.setdefault(entry.name, []).append(_Part(entry, start, shard))

    def count(self, name: str) -> int:
        """Of how many pieces of a tensor one knows."""
        return len(self._parts.get(name, ()))

    def put_together(self, entries: Sequence[TensorEntry]) -> list[TensorEntry]:
        """``entries`` with the whole tensors in the place of their first pieces."""
        result = []
        for entry in entries:
            parts = self._parts.get(entry.name)
            if parts is None or (len(parts) == 1 and not any(parts[0].start)):
                result.append(entry)
            else:
                result.append(_whole(entry, parts))
        return result


def _whole(first: TensorEntry, parts: list[_Part]) -> TensorEntry:
    rank = len(first.shape)
    problem = ""
    for part in parts:
        problem = problem or part.entry.problem
        if len(part.start) != rank or len(part.entry.shape) != rank:
            return replace(first, problem="Its pieces have different numbers of dimensions.")
        if part.entry.dtype != first.dtype:
            problem = "Its pieces have different dtypes."
    shape = tuple(
        max(part.start[axis] + part.entry.shape[axis] for part in parts) for axis in range(rank)
    )
    itemsize = ITEMSIZE.get(first.dtype, 0)
    there = sum(math.prod(part.entry.shape) for part in parts)
    numel = math.prod(shape)
    if not problem and there < numel:
        problem = f"Of its {numel:,} elements, the files hold only {there:,}."
    stride = contiguous(shape)
    problem = problem or strided_problem(shape, stride, 0, itemsize, numel * itemsize)
    storage = None
    if not problem:
        pieces = [
            Piece(
                part.start,
                part.entry.shape,
                part.entry.storage.source,
                part.entry.storage.offset,
            )
            for part in parts
            if part.entry.storage is not None
        ]
        source = AssembledBytes(shape, itemsize, pieces, first.name)
        storage = Storage(source, 0, source.size, f"{len(parts):,} pieces")
    shards = ", ".join(dict.fromkeys(part.shard for part in parts[:8]))
    if len(parts) > 8:
        shards += f" and {len(parts) - 8:,} more"
    return replace(
        first,
        shape=shape,
        stride=stride,
        storage=storage,
        details={**first.details, "shard": shards, "pieces": f"{len(parts):,}"},
        problem=problem,
    )
