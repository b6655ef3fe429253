"""Runs snippets, and compares what they make with what is shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from inspector.checkpoints import Checkpoint
from inspector.checkpoints.model import TensorEntry
from inspector.export.snippet import snippet
from inspector.values.forms import Form, forms_of
from inspector.values.regions import Region, parse_region
from inspector.values.tensors import tensor_source


def run(code: str) -> np.ndarray[Any, Any]:
    """What a snippet calls ``array``."""
    space: dict[str, Any] = {}
    exec(compile(code, "snippet", "exec"), space)
    made = space["array"]
    assert type(made) is np.ndarray
    return made


def same(entry: TensorEntry, form: Form, region: Region, made: np.ndarray[Any, Any]) -> bool:
    """Whether an array is what is shown, to the bit; a float8 NaN may be any NaN."""
    shown = tensor_source(entry, form).read(region)
    if made.dtype != shown.dtype or made.shape != shown.shape or not made.dtype.isnative:
        return False
    if entry.dtype.startswith("float8"):
        return np.array_equal(made, shown, equal_nan=True)
    return made.tobytes() == shown.tobytes()


def regions_of(shape: tuple[int, ...]) -> list[Region]:
    texts = ["[...]"]
    if shape and 0 not in shape:
        texts += ["[0]", "[-1:, ...]", "[::2]"]
    if len(shape) > 1 and min(shape) > 1:
        texts += ["[1, :]", "[:, ::-1]", "[::-1, ::-2]", "[::-1, 1]", "[1:, 1]", "[1, 1]", "[0:0]"]
    return [parse_region(text, shape) for text in texts]


def check(checkpoint: Checkpoint, entry: TensorEntry, *, ways: tuple[str, ...] = ()) -> None:
    """Run the snippet of every form and of several regions; ``ways`` are in that of the values."""
    for form in forms_of(entry):
        shape = tensor_source(entry, form).shape
        for region in regions_of(shape):
            code = snippet(checkpoint, entry, region, form)
            assert same(entry, form, region, run(code)), f"{entry.name} {form} {region}\n{code}"
    whole = snippet(checkpoint, entry)
    for way in ways:
        assert way in whole, whole
