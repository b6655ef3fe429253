"""The read-out of one element: its value, its bits, its exact value, its neighbours."""

from __future__ import annotations

from html import escape
from typing import Final

from inspector.checkpoints.model import TensorEntry
from inspector.gui.status_line import ReadOut
from inspector.gui.text import Texts
from inspector.values.bits import EXPLAINED, Bits, explain, short_text
from inspector.values.forms import Form
from inspector.values.regions import Plane, Region
from inspector.values.tensors import TensorSource, tensor_source
from inspector.values.text import number_text

ReadOuts = Texts("ReadOuts")

#: Characters of an exact value in the line; the tooltip has all.
_LONGEST: Final = 40

#: Characters of a line of the tooltip: the bits of 64, in eights, are one.
_LINE: Final = 71

#: For the parts of complex numbers: which of the two numbers a form shows.
_HALF: Final[dict[Form, int]] = {"real": 0, "imaginary": 1}


def read_element(source: TensorSource, form: Form, plane: Plane, cell: tuple[int, int]) -> ReadOut:
    """Read what there is to say of a cell of a plane. For a worker thread.

    Raises
    ------
    InspectorError
        If the element can not be read.
    """
    element = plane.element(*cell)
    value = source.read(Region(element))[()]
    return describe_element(element, value, form, _bits(source.entry, form, element))


def _bits(entry: TensorEntry, form: Form, element: tuple[int, ...]) -> tuple[Bits, ...]:
    """The bits behind an element; none where it is not a number of the file's own.

    A quantized or sparse tensor's value is computed, and so is a conjugate or a magnitude.
    """
    while entry.kind == "subclass" and entry.storage is None and len(entry.components) == 1:
        (entry,) = entry.components  # a wrapper shows what is in it
    shows_bits = form in ("values", "raw", *_HALF)
    if entry.kind not in ("dense", "subclass") or entry.dtype not in EXPLAINED or not shows_bits:
        return ()
    if (entry.is_conj or entry.is_neg) and form != "raw":
        return ()
    raw = tensor_source(entry, "raw")
    axes: tuple[range | int, ...] = (*element, _HALF[form]) if form in _HALF else element
    if len(axes) < len(raw.shape):
        axes = (*axes, range(2))  # both parts of a complex number
    patterns = raw.read(Region(axes)).reshape(-1).tolist()
    width = raw.dtype.raw.itemsize * 8
    if len(patterns) == 2:
        return explain(patterns[0] | patterns[1] << width, entry.dtype)
    # Either half of a complex number is explained alike.
    return explain(patterns[0], entry.dtype)[:1]


def describe_element(
    element: tuple[int, ...], value: object, form: Form, bits: tuple[Bits, ...]
) -> ReadOut:
    """The read-out of an element of which everything is known."""
    text = number_text(value, "exact")
    exact = _joined([part.exact for part in bits]) if bits and form != "raw" else text
    if form == "raw" and len(bits) == 1:
        text = bits[0].hexadecimal
    head = f"{list(element)} = {text}" if element else text
    parts = _single(bits[0], text, form) if len(bits) == 1 else _double(bits)
    parts = [part for part in parts if part]
    texts = tuple("   ".join((head, *parts[:count])) for count in range(len(parts), -1, -1))
    rows = []
    for number, part in enumerate(bits):
        name = f"{_part_names()[number]}: " if len(bits) == 2 else ""
        rows += [(f"{name}{key}", content) for key, content in _rows(part)]
    return ReadOut((*texts, text), head, text, _table(rows), exact)


def _single(bits: Bits, text: str, form: Form) -> list[str]:
    """What follows one number, the most important first."""
    exactly = "" if bits.exact == text else _shortened(bits.exact)
    if form == "raw":
        return [f"{bits.dtype} {_shortened(bits.exact)}", bits.note, bits.binary, _steps(bits)]
    exactly = ReadOuts.tr("exactly {number}", number=exactly) if exactly else ""
    return [bits.note, bits.hexadecimal, bits.binary, exactly, _steps(bits)]


def _part_names() -> tuple[str, str]:
    return ReadOuts.tr("real part"), ReadOuts.tr("imaginary part")


def _double(bits: tuple[Bits, ...]) -> list[str]:
    """What follows a complex number."""
    names = _part_names()
    notes = [f"{name} {part.note}" for name, part in zip(names, bits, strict=False) if part.note]
    return [
        ", ".join(notes),
        ", ".join(part.hexadecimal for part in bits),
        ", ".join(part.binary for part in bits),
    ]


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    mantissa, exponent, power = text.partition("e")
    tail = exponent + power
    return f"{mantissa[: _LONGEST - 1 - len(tail)]}…{tail}"


def _steps(bits: Bits) -> str:
    up, down = bits.step_up, bits.step_down
    if up is None and down is None:
        return ""
    if up == down and up is not None:
        return ReadOuts.tr("next {steps}", steps=f"±{short_text(up)}")
    steps = [] if up is None else [f"+{short_text(up)}"]
    steps += [] if down is None else [f"−{short_text(down)}"]
    return ReadOuts.tr("next {steps}", steps=" ".join(steps))


def _rows(bits: Bits) -> list[tuple[str, str]]:
    rows = [(ReadOuts.tr("dtype"), bits.dtype), (ReadOuts.tr("bits"), bits.hexadecimal)]
    if bits.exponent:
        for name, digits in (
            (ReadOuts.tr("sign"), bits.sign),
            (ReadOuts.tr("exponent"), bits.exponent),
            (ReadOuts.tr("mantissa"), bits.mantissa),
        ):
            rows += [(name, digits)] if digits else []
    else:
        rows.append((ReadOuts.tr("binary"), bits.binary))
    rows.append((ReadOuts.tr("exactly"), bits.exact))
    rows += [
        (name, f"{sign}{short_text(step)}")
        for name, sign, step in (
            (ReadOuts.tr("next larger"), "+", bits.step_up),
            (ReadOuts.tr("next smaller"), "−", bits.step_down),
        )
        if step is not None
    ]
    return [*rows, (ReadOuts.tr("note"), bits.note)] if bits.note else rows


def _joined(parts: list[str]) -> str:
    """One number, or a complex one as Python writes it."""
    if len(parts) == 1:
        return parts[0]
    real, imaginary = parts
    return f"{real}{'' if imaginary.startswith('-') else '+'}{imaginary}j"


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><td style='padding-right:12px'>{escape(name)}</td><td>{_breakable(content)}</td></tr>"
        for name, content in rows
    )
    return f"<table>{cells}</table>" if rows else ""


def _breakable(text: str) -> str:
    """Long digits in lines that fit a tooltip."""
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    return "<br>".join(escape(line) for line in lines)
