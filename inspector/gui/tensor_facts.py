"""What is said of a tensor in words: its facts, its storage, how it became an array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

from inspector.checkpoints.model import TensorEntry
from inspector.checkpoints.naming import display_text
from inspector.gui.tree_text import bytes_text, counted, listed
from inspector.values.conversion import Step

#: Tensors in the same storage that are named.
_NAMED = 8


def facts(entry: TensorEntry, sharers: Sequence[str] = ()) -> str:
    """What there is to say of a tensor besides its name, in one line.

    Parameters
    ----------
    sharers
        The names of the tensors in its storage, its own among them; empty if it is alone there.
    """
    if not entry.is_described:
        return "not described in the file"
    shape = " × ".join(f"{size:,}" for size in entry.shape) or "scalar"
    parts = [entry.dtype, shape]
    if entry.kind != "dense":
        parts.insert(0, entry.kind.replace("_", " "))
    parts.append(bytes_text(entry.nbytes))
    if entry.device != "cpu":
        parts.append(f"saved from {entry.device}")
    if entry.requires_grad:
        parts.append("requires grad")
    parts.extend(f"{name} {display_text(text)}" for name, text in entry.details.items())
    parts.extend(filter(None, (storage_text(entry, sharers),)))
    return "  ·  ".join(parts)


def storage_text(entry: TensorEntry, sharers: Sequence[str] = ()) -> str:
    """How a tensor lies in a storage that holds more than it; empty if it has one of its own."""
    if entry.storage is None or not entry.itemsize:
        return ""
    # An axis without a stride repeats the same elements.
    pairs = zip(entry.shape, entry.stride, strict=False)
    used = math.prod(size for size, stride in pairs if stride or not size) * entry.itemsize
    whole = entry.storage.nbytes
    others = max(0, len(sharers) - 1)
    # A storage may be cut into a hundred thousand tensors; only the first are looked at.
    names = list(islice((name for name in sharers if name != entry.name), _NAMED))
    more = f" and {others - _NAMED:,} more" if others > _NAMED else ""
    shared = f"shared with {counted(others, 'other')}: {listed(names)}{more}" if others else ""
    if used >= whole:
        return f"its storage is {shared}" if others else ""
    view = f"a view of {bytes_text(used)} of a {bytes_text(whole)} storage"
    return f"{view}, {shared}" if others else view


def conversion_lines(steps: tuple[Step, ...]) -> list[str]:
    """The steps from the stored bytes to the array in order, and what that means for the numbers.

    Returns
    -------
    list of str
        One line each.
    """
    lines = [
        f"{number}. {step.text}: {'copied' if step.copies else 'nothing is copied'}"
        for number, step in enumerate(steps, 1)
    ]
    if any(step.copies for step in steps):
        lines.append("The array is a copy; it shares no memory with what it was read from.")
    else:
        lines.append("The array shares the tensor's memory.")
    rounded = [str(number) for number, step in enumerate(steps, 1) if not step.exact]
    if rounded:
        noun = "step" if len(rounded) == 1 else "steps"
        lines.append(f"The numbers are rounded in {noun} {', '.join(rounded)}.")
    else:
        lines.append("Every number is exactly the one that is stored.")
    return lines
