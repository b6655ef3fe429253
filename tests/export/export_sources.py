"""What the export tests share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inspector.checkpoints.errors import Cancelled
from inspector.export.formats import format_named
from inspector.export.parts import Part, whole_part
from inspector.export.run import ExportResult, export_plan, plan_export
from inspector.values.arrays import Array, ArraySource, InMemoryArray
from inspector.values.dtypes import DTYPES
from inspector.values.regions import Region, parse_region


class RawArray(InMemoryArray):
    """Stored patterns of any of torch's dtypes behind the door, as a file has them."""

    def __init__(self, raw: Array, dtype: str) -> None:
        self._array = raw
        self._dtype = DTYPES[dtype]

    def read(self, region: Region) -> Array:
        return self._dtype.widen(self.read_raw(region))


class CancelAfter:
    """A check that gives up after some calls."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self) -> None:
        if self.left == 0:
            raise Cancelled
        self.left -= 1


def nothing(*_: object) -> None:
    """Neither cancels nor listens."""


def export_parts(name: str, parts: Sequence[Part], target: Path, **listeners: Any) -> ExportResult:
    """Export in the format of this name; what was said beforehand has to be true."""
    plan = plan_export(format_named(name), parts)
    result = export_plan(plan, target, **{"check": nothing, "progress": nothing, **listeners})
    files = list(target.iterdir()) if target.is_dir() else [target]
    assert result.path == target
    assert result.nbytes == sum(file.stat().st_size for file in files)
    assert plan.least <= result.nbytes <= plan.most
    return result


def export(
    source: ArraySource, target: Path, text: str = "...", name: str = "npy", **listeners: Any
) -> ExportResult:
    """Export one source, or a region of it."""
    part = whole_part("tensor", source, parse_region(text, source.shape))
    return export_parts(name, [part], target, **listeners)


def assert_same_bits(one: Array, other: Array) -> None:
    """Dtype, shape and bytes; the sign of a zero and the payload of a NaN among them."""
    assert one.dtype == other.dtype
    assert one.shape == other.shape
    assert np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()
