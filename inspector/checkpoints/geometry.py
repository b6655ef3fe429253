"""Shapes, strides and offsets as files claim them, judged by the bytes that are there."""

from __future__ import annotations

import math
from typing import Final

from inspector.checkpoints.pickle_nodes import GlobalNode, ObjectNode

#: torch's own limit for strided tensors of most operations, and NumPy's.
MAX_DIMENSIONS: Final = 64

#: Beyond this, a shape is not even repeated to the user.
_MAX_SHOWN: Final = 1000

_LIMIT: Final = 1 << 63


def integers(value: object) -> tuple[int, ...] | None:
    """A shape or stride: a tuple, list or ``torch.Size`` of numbers of 64 bits; else None."""
    if type(value) is tuple and len(value) < 5:
        # The one that nearly all have, without the generality that costs time.
        for number in value:
            if type(number) is not int or not -_LIMIT <= number < _LIMIT:
                return None
        return value
    if type(value) is ObjectNode:
        callee, args = value.callee, value.args
        if type(callee) is GlobalNode and callee.qualified == "torch.Size" and type(args) is tuple:
            value = args[0] if args else ()
    if type(value) is list:
        value = tuple(value[:_MAX_SHOWN])
    if type(value) is not tuple or len(value) > _MAX_SHOWN:
        return None
    for number in value:
        if type(number) is not int or not -_LIMIT <= number < _LIMIT:
            return None
    if len(value) > MAX_DIMENSIONS and math.prod(value) >= _LIMIT:
        return None
    return value


def strided_problem(
    shape: tuple[int, ...], stride: tuple[int, ...], offset: int, itemsize: int, nbytes: int
) -> str:
    """Why a strided tensor can not be read from its storage.

    Parameters
    ----------
    offset
        In elements.
    nbytes
        The storage's bytes in the file.

    Returns
    -------
    str
        A sentence; empty if it can be read.
    """
    if len(shape) != len(stride):
        return f"Its shape has {len(shape)} dimensions, but its stride has {len(stride)}."
    if len(shape) > MAX_DIMENSIONS:
        return f"It has {len(shape)} dimensions, more than {MAX_DIMENSIONS}."
    last = offset
    # Also without elements: NumPy multiplies the lengths that are not 0.
    counted = itemsize or 1
    empty = False
    for length, step in zip(shape, stride):  # noqa: B905 - without a word it is quicker
        if length <= 0:
            if length < 0:
                return "Its shape has a negative length."
            empty = True
        elif step < 0:
            return "Its stride is negative."
        else:
            last += (length - 1) * step
            counted *= length
    if offset < 0:
        return "It begins before its storage."
    if not empty and (last + 1) * itemsize > nbytes:
        return (
            f"It reaches up to byte {(last + 1) * itemsize:,} of its storage, of which the file "
            f"has {nbytes:,}."
        )
    if counted >= _LIMIT:
        return "It has more bytes than can be counted in 63 bits."
    return ""


def packed_problem(
    shape: tuple[int, ...], stride: tuple[int, ...], offset: int, per_byte: int, nbytes: int
) -> str:
    """The same for a tensor of several numbers in a byte, which begins at a byte of its own.

    Source: ``aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp``, which takes the
    offset in bytes, and knows no strides.
    """
    problem = strided_problem(shape, stride, offset, 0, nbytes)
    if problem or 0 in shape:
        return problem
    walked = zip(shape, stride, contiguous(shape), strict=True)
    if any(length > 1 and step != plain for length, step, plain in walked):
        return f"Its stride is not that of {per_byte} numbers packed in each byte."
    end = offset - (-math.prod(shape) // per_byte)
    if end > nbytes:
        return f"It reaches up to byte {end:,} of its storage, of which the file has {nbytes:,}."
    return ""


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The stride of a tensor whose last dimension runs fastest, in elements."""
    stride = []
    step = 1
    for length in reversed(shape):
        stride.append(step)
        step *= max(1, length)
    return tuple(reversed(stride))


def column_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The stride of an array whose first dimension runs fastest, in elements."""
    return tuple(reversed(contiguous(tuple(reversed(shape)))))
