"""What the tensor tree says of files, groups, tensors and totals, in words."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from html import escape
from typing import Final

from inspector.checkpoints.model import Finding, TensorEntry, ValueEntry
from inspector.checkpoints.naming import display_text
from inspector.gui.text import Texts
from inspector.gui.tree_matching import Totals
from inspector.gui.tree_rows import Row
from inspector.gui.tree_sorting import Column

Tree = Texts("Tree")

#: Names and findings that a tooltip lists before it only counts.
_LISTED: Final = 8

_SHORT_DTYPES: Final = {
    "bfloat16": "bf16",
    "float16": "f16",
    "float32": "f32",
    "float64": "f64",
    "complex32": "c32",
    "complex64": "c64",
    "complex128": "c128",
    "int8": "i8",
    "int16": "i16",
    "int32": "i32",
    "int64": "i64",
    "uint8": "u8",
    "uint16": "u16",
    "uint32": "u32",
    "uint64": "u64",
}

#: What the columns are called.
TITLES: Final = {
    Column.NAME: Tree.QT_TR_NOOP("Name"),
    Column.SHAPE: Tree.QT_TR_NOOP("Shape"),
    Column.TYPE: Tree.QT_TR_NOOP("Type"),
    Column.SIZE: Tree.QT_TR_NOOP("Size"),
    Column.DEVICE: Tree.QT_TR_NOOP("Device"),
}

#: The label of a row, as it can be shown.
shown_label = lru_cache(maxsize=4096)(display_text)


def bytes_text(nbytes: int) -> str:
    """Bytes in binary units: ``512 B``, ``32.0 MiB``."""
    if nbytes < 1024:
        return f"{nbytes} B"
    for power, unit in enumerate(("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"), 1):
        tenths = _rounded(nbytes * 10, 1024**power)
        if tenths < 10_000:
            return f"{tenths // 10}.{tenths % 10} {unit}"
        if tenths < 10_235:
            return f"{_rounded(tenths, 10):,} {unit}"
    return f"{number_text(tenths // 10)} EiB"


def amount_text(number: int) -> str:
    """A number as people say it: ``9,600``, ``340 M``, ``7.2 B`` (10 to the power of 9)."""
    if number < 10_000:
        return f"{number:,}"
    for power, unit in enumerate(("K", "M", "B", "T"), 1):
        tenths = _rounded(number * 10, 1000**power)
        if tenths < 1_000:
            return f"{tenths // 10}.{tenths % 10} {unit}"
        if tenths < 9_995:
            return f"{_rounded(tenths, 10)} {unit}"
    return f"{number_text(_rounded(tenths, 10))} T"


def number_text(number: int) -> str:
    """``1,225``; what no screen has room for, as a power of ten."""
    if number.bit_length() <= 64:
        return f"{number:,}"
    return Tree.tr("about 10^{power}", power=int(number.bit_length() * math.log10(2)))


def _rounded(number: int, by: int) -> int:
    """Division of whole numbers of any size, to the nearest."""
    return (2 * number + by) // (2 * by)


def tensors_text(number: int) -> str:
    """``1 tensor``, ``1,225 tensors``."""
    return Tree.tr("{n:,} tensors", "{n:,} tensor", number)


def shape_text(shape: tuple[int, ...], *, short: bool = False) -> str:
    """``4096 × 1024``, ``768``, ``scalar``; ``4096×1024`` if it is to be short."""
    times = "×" if short else " × "
    if not shape:
        return Tree.tr("scalar")
    return display_text(times.join(map(_length_text, shape)), 60)


def _length_text(length: int) -> str:
    return str(length) if length.bit_length() <= 64 else number_text(length)


def short_dtype(dtype: str) -> str:
    """``bf16`` for ``bfloat16``: for columns with little room."""
    return _SHORT_DTYPES.get(dtype, display_text(dtype.replace("float", "f"), 40))


def file_note(row: Row) -> str:
    """What stands beside a file's name."""
    file = row.file
    if file.error is not None:
        return display_text(file.error.message)
    if file.checkpoint is None:
        return Tree.tr("reading…")
    if row.segment.matches is not None:
        return Tree.tr("{count:,} of {all:,}", count=row.count, all=row.tree.counts[0])
    return tensors_text(row.tree.counts[0])


def cell_text(row: Row, column: Column, *, short: bool = False) -> str:
    """One cell. ``short`` asks for the short form of shapes, dtypes and counts."""
    item = row.item
    if column == Column.NAME:
        label = shown_label(row.tree.labels[row.node])
        return f"{label} = {display_text(item.text)}" if isinstance(item, ValueEntry) else label
    if isinstance(item, ValueEntry):
        return ""
    if isinstance(item, TensorEntry):
        return _tensor_text(item, column, short)
    if column == Column.SHAPE:
        return _count_text(row, short)
    if column == Column.SIZE and row.file.checkpoint is not None and row.count:
        return bytes_text(row.nbytes)
    return ""


def _count_text(row: Row, short: bool) -> str:
    if row.node == 0 and (row.file.checkpoint is None or row.segment.matches is not None):
        return file_note(row)
    return f"{row.count:,}" if short else tensors_text(row.count)


def _tensor_text(entry: TensorEntry, column: Column, short: bool) -> str:
    if column != Column.DEVICE and not entry.is_described:
        return "–"
    if column == Column.SHAPE:
        return shape_text(entry.shape, short=short)
    if column == Column.TYPE:
        return short_dtype(entry.dtype) if short else display_text(entry.dtype, 40)
    if column == Column.SIZE:
        return bytes_text(entry.nbytes)
    return display_text(entry.device, 40)


def accessible_text(row: Row, *, unfolded: bool) -> str:
    """A row for a screen reader."""
    name = cell_text(row, Column.NAME)
    parts = [name]
    item = row.item
    if isinstance(item, ValueEntry):
        return ", ".join((name, Tree.tr("value")))
    if isinstance(item, TensorEntry):
        parts.append(Tree.tr("tensor"))
        if item.is_described:
            parts += [item.dtype, shape_text(item.shape), bytes_text(item.nbytes)]
        parts += [item.problem] if item.problem else []
    elif row.node == 0:
        parts += [Tree.tr("file"), file_note(row)]
    else:
        parts += [Tree.tr("group"), tensors_text(row.count)]
    if row.is_foldable:
        parts.append(Tree.tr("unfolded") if unfolded else Tree.tr("folded"))
    return ", ".join(parts)


def tooltip(row: Row) -> str:
    """All about a row, as HTML in which nothing of the file is taken for markup."""
    item = row.item
    if isinstance(item, TensorEntry):
        lines = list(_tensor_lines(row, item))
    elif isinstance(item, ValueEntry):
        lines = [f"= {item.text}", Tree.tr("a plain value ({type})", type=item.type_name)]
    elif row.node == 0:
        lines = list(_file_lines(row))
    else:
        lines = [f"{tensors_text(row.count)}, {bytes_text(row.nbytes)}"]
    is_path = row.node == 0 and row.file.live is None
    name = str(row.file.path) if is_path else row.tree.full_name(row.node)
    shown = (escape(display_text(line)) for line in lines)
    return f"<p><b>{_breakable(name)}</b><br>{'<br>'.join(shown)}</p>"


def _breakable(name: str) -> str:
    """A name that a narrow tooltip can break after its dots."""
    return escape(display_text(name)).replace(".", ".\u200b").replace("/", "/\u200b")


def _tensor_lines(row: Row, entry: TensorEntry) -> Iterable[str]:
    yield f"{entry.dtype}, {shape_text(entry.shape)}, {bytes_text(entry.nbytes)}"
    if entry.kind != "dense":
        yield Tree.tr("kind: {kind}", kind=entry.kind.replace("_", " "))
    if entry.kind in ("dense", "quantized") and entry.stride != _contiguous(entry.shape):
        steps = ", ".join(map(_length_text, entry.stride))
        yield Tree.tr("stride {steps} (not contiguous)", steps=steps)
    device = entry.device
    is_stored = row.file.live is None
    text = (
        Tree.tr("saved from {device}", device=device)
        if is_stored
        else Tree.tr("on {device}", device=device)
    )
    yield ", ".join((text, Tree.tr("requires grad"))) if entry.requires_grad else text
    if entry.storage is not None:
        start = entry.storage_offset
        key, size = entry.storage.key, bytes_text(entry.storage.nbytes)
        text = Tree.tr("storage {key}: {size}", key=key, size=size)
        begins = Tree.tr("from element {index} on", index=number_text(start))
        yield f"{text}, {begins}" if start else text
        others = [name for name in sharers(row) if name != entry.name]
        if others:
            yield Tree.tr("shares its storage with {names}", names=listed(others))
    for key, text in entry.details.items():
        yield f"{key}: {text}"
    if entry.problem:
        yield f"⚠ {entry.problem}"


def sharers(row: Row) -> tuple[str, ...]:
    """The names of the tensors in a tensor's storage if it is not alone there; else nothing."""
    item = row.item
    if not isinstance(item, TensorEntry) or item.storage is None:
        return ()
    return row.tree.shared.get(id(item.storage), ())


def listed(names: list[str]) -> str:
    """The first few of several names."""
    text = ", ".join(display_text(name, 80) for name in names[:_LISTED])
    more = len(names) - _LISTED
    return Tree.tr("{names} and {more:,} more", names=text, more=more) if more > 0 else text


def _contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides: list[int] = []
    step = 1
    for length in reversed(shape):
        strides.append(step)
        step *= max(length, 1)
    return tuple(reversed(strides))


def _file_lines(row: Row) -> Iterable[str]:
    file = row.file
    if file.error is not None:
        yield str(file.error)
        return
    if file.checkpoint is None:
        yield Tree.tr("reading…")
        return
    tensors = tensors_text(row.tree.counts[0])
    yield f"{file.checkpoint.format}, {bytes_text(file.checkpoint.size)}, {tensors}"
    findings = file.checkpoint.findings
    for finding in findings[:_LISTED]:
        yield _finding_text(finding)
    if len(findings) > _LISTED:
        yield Tree.tr("and {more:,} more", more=len(findings) - _LISTED)


def _finding_text(finding: Finding) -> str:
    signs = {"note": "•", "warning": "⚠", "danger": Tree.tr("⚠ danger:")}
    sign = signs[finding.severity]
    return f"{sign} {finding.message}" + (f" ({finding.where})" if finding.where else "")


def totals_texts(totals: Totals, shown: Totals | None) -> list[str]:
    """The totals in ever fewer words, for ever less room."""
    told = shown or totals
    first = tensors_text(told.tensors)
    if shown is not None:
        first = Tree.tr(
            "{count:,} of {n:,} tensors",
            "{count:,} of {n:,} tensor",
            totals.tensors,
            count=shown.tensors,
        )
    if not told.tensors:
        return [first]
    size = bytes_text(told.nbytes)
    elements = Tree.tr(
        "{amount} parameters",
        "{amount} parameters",
        told.elements,
        amount=amount_text(told.elements),
    )
    parts = f"{first} · {elements}"
    stored = ""
    if told.stored < told.nbytes:
        words = Tree.tr("{size} stored", size=bytes_text(told.stored))
        stored = f" · {words}"
    dtypes = ", ".join(
        f"{display_text(dtype, 30)} {bytes_text(nbytes)}"
        for dtype, (_, nbytes) in list(told.by_dtype.items())[:4]
    )
    if len(told.by_dtype) == 1:
        dtypes = display_text(next(iter(told.by_dtype)), 30)
    short = f"{first} · {amount_text(told.elements)} · {size}"
    return [
        f"{parts} · {size} ({dtypes}){stored}",
        f"{parts} · {size} ({dtypes})",
        f"{parts} · {size}{stored}",
        f"{parts} · {size}",
        short,
        f"{first} · {size}",
        first,
    ]


def totals_tooltip(totals: Totals, shown: Totals | None) -> str:
    """The totals in full."""
    told = shown or totals
    lines = [totals_texts(totals, shown)[0].split(" · ")[0]]
    if told.tensors:
        lines += _amounts(told)
    for dtype, (count, nbytes) in told.by_dtype.items():
        lines.append(f"{display_text(dtype, 40)}: {tensors_text(count)}, {bytes_text(nbytes)}")
    return "<p style='white-space:pre'>" + "<br>".join(escape(line) for line in lines) + "</p>"


def _amounts(told: Totals) -> list[str]:
    """Elements and bytes, to the last one."""
    numbers = told.elements, told.nbytes, told.stored
    elements, nbytes, stored = map(number_text, numbers)
    return [
        Tree.tr(
            "{count} parameters (elements of all tensors)",
            "{count} parameters (elements of all tensors)",
            told.elements,
            count=elements,
        ),
        Tree.tr(
            "{size} in tensors ({count} bytes)",
            "{size} in tensors ({count} bytes)",
            told.nbytes,
            size=bytes_text(told.nbytes),
            count=nbytes,
        ),
        Tree.tr(
            "{size} stored ({count} bytes)",
            "{size} stored ({count} bytes)",
            told.stored,
            size=bytes_text(told.stored),
            count=stored,
        ),
    ]
