"""Stored elements of a tensor as a NumPy array, with the steps that led to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from inspector.values.arrays import Array, read_only
from inspector.values.dtypes import DType


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was done on the way from a tensor to an array.

    Attributes
    ----------
    text
        In a few words, such as ``moved from cuda:0 to the CPU``.
    copies
        Whether the numbers were copied, so that the array no longer shares the tensor's memory.
    exact
        Whether every number is still the one that is stored; else it was rounded.
    """

    text: str
    copies: bool = False
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Conversion:
    """A NumPy array and how it came about.

    Attributes
    ----------
    array
        The values, read-only, in native byte order.
    steps
        What was done, in order.
    shares_memory
        Whether the array looks at the tensor's own memory.
    """

    array: Array
    steps: tuple[Step, ...]
    shares_memory: bool

    @property
    def exact(self) -> bool:
        """Whether no step rounded."""
        return all(step.exact for step in self.steps)

    @property
    def summary(self) -> str:
        """The steps as one line."""
        return summary(self.steps, self.shares_memory)


@dataclass(frozen=True, slots=True)
class RawValues:
    """Stored elements on their way to becoming values.

    Attributes
    ----------
    raw
        Of dtype ``dtype.raw``, in native byte order.
    is_conj, is_neg
        Whether the conjugate or the negative of what is stored is meant.
    steps
        What was done so far.
    shares_memory
        Whether `raw` looks at the tensor's own memory.
    """

    raw: Array
    dtype: DType
    is_conj: bool = False
    is_neg: bool = False
    steps: tuple[Step, ...] = ()
    shares_memory: bool = False


def summary(steps: tuple[Step, ...], shares_memory: bool) -> str:
    """Steps as one line, ending in where the memory is."""
    ending = "memory shared with the tensor" if shares_memory else ""
    return " · ".join(filter(None, (*(step.text for step in steps), ending)))


def convert(values: RawValues) -> Conversion:
    """Turn stored elements into the array that they mean.

    bfloat16 and the float8 types become float32, complex32 becomes complex64, all exactly; types
    without values of their own (``bits8``, ``int4`` ...) stay raw integers.

    Returns
    -------
    Conversion
        Its array has the shape of the elements, is read-only, and has dtype
        ``values.dtype.values``.
    """
    array = values.dtype.widen(values.raw)
    steps = list(values.steps)
    shares = values.shares_memory
    if array is not values.raw:
        steps.append(Step(values.dtype.note, copies=True))
        shares = False
    elif values.dtype.note:
        steps.append(Step(values.dtype.note))
    if values.is_conj:
        array, shares = np.conjugate(array), False
        steps.append(Step("conjugate resolved", copies=True))
    if values.is_neg:
        array, shares = np.negative(array), False
        steps.append(Step("negative resolved", copies=True))
    return Conversion(read_only(array), tuple(steps), shares)


def with_steps(values: RawValues, *steps: Step) -> RawValues:
    """The same elements with further steps noted after the present ones."""
    return replace(values, steps=(*values.steps, *steps))
