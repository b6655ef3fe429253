"""NumPy's .npz format: a zip archive of .npy files, stored as they are.

Source: ``numpy.savez``, and PKWARE's APPNOTE 6.3 for the sizes.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from typing import BinaryIO, Final

from inspector.export.formats import format_named
from inspector.export.names import file_names
from inspector.export.npy import array_size, write_array
from inspector.export.parts import Item, Part, Plan, Transfer, plain_item

_SUFFIX: Final = ".npy"

#: Beyond these, zipfile writes 64-bit fields.
_LARGE: Final = (1 << 31) - 1
_MANY: Final = (1 << 16) - 1


def plan(parts: Sequence[Part]) -> Plan:
    """A member for each part; its key in ``np.load`` is the tensor's name, made safe."""
    names = file_names((part.name for part in parts), _SUFFIX)
    items = tuple(
        plain_item(part, name.removesuffix(_SUFFIX))
        for part, name in zip(parts, names, strict=True)
    )
    size = _archive_size((_member(item), array_size(item)) for item in items)
    return Plan(format_named("npz"), items, size, size)


def write(wanted: Plan, file: BinaryIO, transfer: Transfer) -> None:
    """Write what was planned, one member after the other."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for item in wanted.items:
            # The time of the first zip archives, so that the same tensors make the same file.
            member = zipfile.ZipInfo(_member(item), (1980, 1, 1, 0, 0, 0))
            with archive.open(member, "w", force_zip64=True) as opened:
                write_array(opened, item, transfer)


def _member(item: Item) -> str:
    return f"{item.name}{_SUFFIX}"


def _archive_size(members: Iterable[tuple[str, int]]) -> int:
    """Bytes of an archive with stored members of these names and sizes."""
    offset = directory = count = 0
    for name, size in members:
        length = len(name.encode())
        fields = 2 * (size > _LARGE) + (offset > _LARGE)
        directory += 46 + length + (4 + 8 * fields if fields else 0)
        offset += 30 + length + 20 + size
        count += 1
    is_large = count > _MANY or max(offset, directory) > _LARGE
    return offset + directory + 22 + (56 + 20 if is_large else 0)
