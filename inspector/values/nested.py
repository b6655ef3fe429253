"""The pieces of nested tensors, each a tensor of its own shape in the memory of all.

Source: ``torch/nested/_internal/nested_tensor.py`` (jagged) and
``aten/src/ATen/NestedTensorImpl.h`` (strided).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NoReturn

from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.geometry import strided_problem
from inspector.checkpoints.model import Checkpoint, TensorEntry
from inspector.checkpoints.naming import join_name
from inspector.values.arrays import Array
from inspector.values.reading import StoredTensor, parts_of
from inspector.values.regions import Region

#: Pieces that are looked up at a time, at most.
MOST_PIECES: Final = 10_000


def pieces_of(entry: TensorEntry, numbers: range | None = None) -> tuple[TensorEntry, ...]:
    """Some of the pieces of a nested tensor as entries of their own: ``t[0]``, ``t[1]`` ...

    Their sizes are read from the file, their numbers are not.

    Parameters
    ----------
    entry
        Of kind ``nested``; the length of its only axis is the number of its pieces.
    numbers
        Which of them; None for the first `MOST_PIECES`.

    Raises
    ------
    TensorError
        If its sizes or offsets can not be read, or make no sense.
    """
    if entry.problem:
        raise TensorError(entry.problem)
    count = entry.shape[0] if entry.shape else 0
    if numbers is None:
        numbers = range(min(count, MOST_PIECES))
    if len(numbers) > MOST_PIECES or (
        numbers and not (numbers[0] in range(count) and numbers[-1] in range(count))
    ):
        raise TensorError(f"{entry.name} has {count:,} pieces; ask for {MOST_PIECES:,} of them.")
    if not numbers:
        return ()
    made = (
        _jagged(entry, numbers)
        if entry.details.get("layout") == "jagged"
        else _strided(entry, numbers)
    )
    return tuple(made)


def piece_named(checkpoint: Checkpoint, name: str) -> TensorEntry | None:
    """The piece of a nested tensor that is called ``t[3]``; None if there is none."""
    whole, bracket, number = name.rpartition("[")
    entry = checkpoint.find(whole) if bracket else None
    digits = number.removesuffix("]")
    if entry is None or entry.kind != "nested" or not digits.isdecimal() or len(digits) > 18:
        return None
    if int(digits) >= (entry.shape[0] if entry.shape else 0):
        return None
    return pieces_of(entry, range(int(digits), int(digits) + 1))[0]


def refuse_nested(entry: TensorEntry) -> NoReturn:
    """Say why a nested tensor has no values as a whole."""
    count = entry.shape[0] if entry.shape else 0
    named = [_name(entry, number) for number in range(min(count, 3))]
    more = f" … {_name(entry, count - 1)}" if count > 3 else ""
    raise TensorError(
        f"{entry.name} is a nested tensor of {count:,} pieces, each with a shape of its own.",
        advice=f"Open the pieces one by one ({', '.join(named)}{more}), or its parts: "
        f"{parts_of(entry)}.",
    )


def _name(entry: TensorEntry, number: int) -> str:
    return join_name(entry.name, number, first=False)


def _strided(entry: TensorEntry, numbers: range) -> Iterator[TensorEntry]:
    values = _part(entry, "values")
    sizes, strides = _rows(entry, "sizes", numbers), _rows(entry, "strides", numbers)
    offsets = _rows(entry, "storage_offsets", numbers)
    if (
        values.stride != (1,)
        or sizes.ndim != 2
        or strides.shape != sizes.shape
        or offsets.ndim != 1
    ):
        raise TensorError(f"The sizes, strides and offsets of {entry.name} do not fit together.")
    for number, size, stride, offset in zip(
        numbers, sizes.tolist(), strides.tolist(), offsets.tolist(), strict=True
    ):
        shape, step = tuple(size), tuple(stride)
        problem = strided_problem(shape, step, offset, 1, values.numel)
        if problem:
            shape = tuple(max(0, length) for length in shape)
        yield _piece(entry, values, number, shape, step, offset, problem)


def _jagged(entry: TensorEntry, numbers: range) -> Iterator[TensorEntry]:
    values = _part(entry, "values")
    axis = _ragged_axis(entry, values)
    ordered = numbers if numbers.step > 0 else numbers[::-1]
    starts = _rows(entry, "offsets", ordered)
    if any(part.path[-1] == "lengths" for part in entry.components):
        lengths = _rows(entry, "lengths", ordered)
    else:
        behind = range(ordered.start + 1, ordered.stop + 1, ordered.step)
        lengths = _rows(entry, "offsets", behind) - starts
    if starts.ndim != 1 or lengths.shape != starts.shape:
        raise TensorError(f"The offsets and lengths of {entry.name} do not fit together.")
    rows = dict(zip(ordered, zip(starts.tolist(), lengths.tolist(), strict=True), strict=True))
    for number in numbers:
        start, length = rows[number]
        problem = ""
        if start < 0 or length < 0 or start + length > values.shape[axis]:
            problem = f"It reaches from {start:,} to {start + length:,} of {values.shape[axis]:,}."
            length = max(0, length)
        shape = (*values.shape[:axis], length, *values.shape[axis + 1 :])
        yield _piece(
            entry, values, number, shape, values.stride, start * values.stride[axis], problem
        )


def _piece(
    entry: TensorEntry,
    values: TensorEntry,
    number: int,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    offset: int,
    problem: str,
) -> TensorEntry:
    return replace(
        values,
        name=_name(entry, number),
        path=(*entry.path, number),
        shape=shape,
        stride=stride,
        storage_offset=values.storage_offset + (0 if problem else offset),
        problem=problem,
    )


def _ragged_axis(entry: TensorEntry, values: TensorEntry) -> int:
    word = entry.details.get("ragged axis", "1")
    axis = int(word) - 1 if word.isdecimal() and len(word) < 4 else -1
    if not 0 <= axis < len(values.shape):
        raise TensorError(f"The ragged axis of {entry.name} is none of its axes.")
    return axis


def _part(entry: TensorEntry, name: str) -> TensorEntry:
    found = next((part for part in entry.components if part.path[-1] == name), None)
    if found is None:
        raise TensorError(f"The file has no {name} for {entry.name}.")
    return found


def _rows(entry: TensorEntry, name: str, numbers: range) -> Array:
    """Some rows of the integers of one of the parts."""
    source = StoredTensor(_part(entry, name))
    shape = source.shape
    if source.dtype.values.kind != "i" or not shape or shape[0] <= max(numbers[0], numbers[-1]):
        raise TensorError(f"The {name} of {entry.name} are not integers for each of its pieces.")
    return source.read(Region((numbers, *(range(size) for size in shape[1:]))))
