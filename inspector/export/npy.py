"""Export to NumPy's .npy format, streamed."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib import format as npy_format

from inspector.checkpoints.errors import ExportError
from inspector.export.atomic import atomic_file, check_room
from inspector.values.arrays import ArraySource
from inspector.values.regions import Region

#: Bytes a block: as fast as the disk allows, and a cancelled export still ends at once.
_BYTES: Final = 1 << 22


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was written.

    Attributes
    ----------
    path
        The target as it was given.
    shape, dtype
        Of the array in the file.
    nbytes
        The size of the file, header included.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    nbytes: int


@dataclass(frozen=True, slots=True)
class NpyDescription:
    """What an export would write.

    Attributes
    ----------
    shape, dtype
        Of the array in the file.
    nbytes
        The size of the file, header included.
    note
        What happens to the values, in words.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    nbytes: int
    note: str


def describe_npy(source: ArraySource, region: Region, raw: bool = False) -> NpyDescription:
    """Say what `export_npy` would write for the same arguments. Reads no values."""
    dtype = source.dtype.raw if raw else source.dtype.values
    if raw and source.dtype.raw != source.dtype.values:
        note = f"the bits of {source.dtype.name} as {dtype}"
    else:
        note = source.dtype.note or "the values as they are"
    nbytes = len(_header(region.shape, dtype)) + region.numel * dtype.itemsize
    return NpyDescription(region.shape, dtype, nbytes, note)


def export_npy(
    source: ArraySource,
    region: Region,
    target: Path,
    *,
    raw: bool = False,
    protected: Collection[Path] = (),
    check: Callable[[], None],
    progress: Callable[[float], None],
) -> ExportResult:
    """Write a region as a .npy file; ``np.load`` gives its values back, bit for bit.

    Runs on any thread but the window's. Memory: a few blocks of 4 MiB, whatever the size. The
    target is replaced at the very end; until then, and on any error, it is as it was.

    Parameters
    ----------
    raw
        Whether to write the stored patterns (``dtype.raw``, such as uint16 for bfloat16) instead
        of the values.
    protected
        Files that must not be overwritten, such as the opened checkpoint.
    check
        Called before each block; what it raises goes through.
    progress
        Called with 0 to 1 after each block.

    Raises
    ------
    ExportError
        If the target is protected, too small a disk's, or cannot be written.
    InspectorError
        If the values cannot be read.
    """
    if any(_same_file(target, path) for path in protected):
        raise ExportError(
            f"{target} is the file that is open, and it is not overwritten.",
            advice="Choose another name.",
        )
    plan = describe_npy(source, region, raw)
    check_room(target, plan.nbytes)
    most = max(1, _BYTES // plan.dtype.itemsize)
    done = 0
    with atomic_file(target) as file:
        file.write(_header(plan.shape, plan.dtype))
        for part in region.blocks(most):
            check()
            block = source.read_raw(part) if raw else source.read(part)
            # Bytes, because the buffer protocol knows no complex numbers.
            file.write(np.ascontiguousarray(block).reshape(-1).view(np.uint8).data)
            done += part.numel
            progress(done / region.numel)
        check()
    progress(1.0)
    return ExportResult(target, plan.shape, plan.dtype, plan.nbytes)


def _header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """The header as ``np.save`` writes it. NumPy's 64 axes at most always fit version 1.0."""
    file = BytesIO()
    npy_format.write_array_header_1_0(
        file,
        {"descr": npy_format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape},
    )
    return file.getvalue()


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        # One of them does not exist (yet).
        return os.path.realpath(one) == os.path.realpath(other)
