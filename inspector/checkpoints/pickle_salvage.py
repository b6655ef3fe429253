"""What can be had of a pickle that was cut: the values that were complete, where they belong."""

from __future__ import annotations

from inspector.checkpoints.pickle_nodes import DictNode, ObjectNode


def salvage(outer: list[list[object]], stack: list[object]) -> object:
    """The value that was being made, with what it had so far; None if there was nothing.

    Parameters
    ----------
    outer, stack
        The stacks below each MARK, and the last one. They are used up.
    """
    levels = [*outer, stack]
    while len(levels) > 1:
        values = _closed(levels.pop())
        below = levels[-1]
        target = below[-1] if below else None
        if type(target) is DictNode:
            target.pairs.extend(zip(values[::2], values[1::2], strict=False))
        elif type(target) is ObjectNode and all(type(key) is str for key in values[::2]):
            target.contents.pairs.extend(zip(values[::2], values[1::2], strict=False))
        elif type(target) is list:
            target.extend(values)
        elif values:
            below.append(values)
    values = [value for value in _closed(levels[0]) if _holds_something(value)]
    if not values:
        return None
    return values[0] if len(values) == 1 else values


def _holds_something(value: object) -> bool:
    if type(value) is DictNode:
        return bool(value.pairs)
    if type(value) is ObjectNode:
        return True
    return isinstance(value, list | tuple) and len(value) > 0


def _closed(values: list[object]) -> list[object]:
    """Put a state into its object, and a value under its key, where these come last."""
    while len(values) > 1:
        last, before = values[-1], values[-2]
        if type(last) is DictNode and type(before) is ObjectNode:
            before.contents.states.append(last)
            values = values[:-1]
        elif len(values) == 3 and type(before) is str and type(values[0]) is DictNode:
            values[0].pairs.append((before, last))
            values = values[:1]
        else:
            break
    return values
