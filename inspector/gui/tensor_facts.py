"""What is said of a tensor in words: its facts, its storage, how it became an array."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

from inspector.checkpoints.model import TensorEntry
from inspector.checkpoints.naming import display_text
from inspector.gui.text import Texts
from inspector.gui.tree_text import bytes_text, listed
from inspector.values.conversion import Step

Facts = Texts("Facts")

#: Tensors in the same storage that are named.
_NAMED = 8


def facts(entry: TensorEntry, sharers: Sequence[str] = (), *, live: bool = False) -> str:
    """What there is to say of a tensor besides its name, in one line.

    Parameters
    ----------
    sharers
        The names of the tensors in its storage, its own among them; empty if it is alone there.
    live
        Whether it is one of the running program.
    """
    if not entry.is_described:
        return Facts.tr("not described") if live else Facts.tr("not described in the file")
    shape = " × ".join(f"{size:,}" for size in entry.shape) or Facts.tr("scalar")
    parts = [entry.dtype, shape]
    if entry.kind != "dense":
        parts.insert(0, entry.kind.replace("_", " "))
    parts.append(bytes_text(entry.nbytes))
    if entry.device != "cpu":
        parts.append(
            Facts.tr("on {device}", device=entry.device)
            if live
            else Facts.tr("saved from {device}", device=entry.device)
        )
    if entry.requires_grad:
        parts.append(Facts.tr("requires grad"))
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
    told = listed(names)
    if others > _NAMED:
        told = Facts.tr("{names} and {more:,} more", names=told, more=others - _NAMED)
    if used >= whole:
        shared = Facts.tr(
            "its storage is shared with {n:,} others: {names}",
            "its storage is shared with {n:,} other: {names}",
            others,
            names=told,
        )
        return shared if others else ""
    part, all_of_it = bytes_text(used), bytes_text(whole)
    view = Facts.tr("a view of {part} of a {whole} storage", part=part, whole=all_of_it)
    if not others:
        return view
    return Facts.tr(
        "{view}, shared with {n:,} others: {names}",
        "{view}, shared with {n:,} other: {names}",
        others,
        view=view,
        names=told,
    )


def conversion_lines(steps: tuple[Step, ...]) -> list[str]:
    """The steps from the stored bytes to the array in order, and what that means for the numbers.

    Returns
    -------
    list of str
        One line each.
    """
    lines = []
    for number, step in enumerate(steps, 1):
        what = Facts.tr("copied") if step.copies else Facts.tr("nothing is copied")
        lines.append(f"{number}. {step.text}: {what}")
    if any(step.copies for step in steps):
        lines.append(
            Facts.tr("The array is a copy; it shares no memory with what it was read from.")
        )
    else:
        lines.append(Facts.tr("The array shares the tensor's memory."))
    rounded = [str(number) for number, step in enumerate(steps, 1) if not step.exact]
    if rounded:
        lines.append(
            Facts.tr(
                "The numbers are rounded in steps {steps}.",
                "The numbers are rounded in step {steps}.",
                len(rounded),
                steps=", ".join(rounded),
            )
        )
    else:
        lines.append(Facts.tr("Every number is exactly the one that is stored."))
    return lines
