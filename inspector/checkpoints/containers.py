"""What lies one step below a value: the children of dictionaries, lists and objects."""

from __future__ import annotations

from typing import Final

from inspector.checkpoints.describe import SCALARS, describe
from inspector.checkpoints.model import PathPart
from inspector.checkpoints.naming import OtherKey
from inspector.checkpoints.pickle_nodes import (
    DictNode,
    GlobalNode,
    ObjectNode,
    SetNode,
    encoded_text,
)

#: A step and what it leads to. Without a step, what lies below is named as if it lay here: the
#: attributes of an object. It stays a child of its own, so that a state that a thousand objects
#: share is counted, and not spread a thousand times.
Child = tuple[PathPart | None, object]
Pairs = list[tuple[object, object]]

#: Where the parameters, buffers and children of a ``torch.nn.Module`` are. They are named as in
#: its state dict, without these words.
_MODULE_PARTS: Final = ("_parameters", "_buffers", "_modules")

#: Classes whose arguments say nothing but what they hold.
_MAPPINGS: Final = frozenset(
    f"{module}.{name}"
    for module, names in {
        "builtins": ("dict",),
        "__builtin__": ("dict",),
        "collections": ("OrderedDict", "defaultdict", "Counter"),
    }.items()
    for name in names
)
_SEQUENCES: Final = frozenset(
    f"{module}.{name}"
    for module, names in {
        "builtins": ("set", "frozenset", "list", "tuple"),
        "__builtin__": ("set", "frozenset", "list", "tuple"),
        "collections": ("deque",),
        "_collections": ("deque",),
        # TorchScript's marks around a value, which say its type
        "torch.jit._pickle": (
            "restore_type_tag",
            "build_intlist",
            "build_tensorlist",
            "build_doublelist",
            "build_boollist",
        ),
    }.items()
    for name in names
)

_SETS: Final = frozenset(
    f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("set", "frozenset")
)

_RECONSTRUCTORS: Final = frozenset({"copyreg._reconstructor", "copy_reg._reconstructor"})

#: Keys of 64 bits are positions and ids; longer ones are kept out of names.
_MAX_KEY: Final = 1 << 63

#: Characters of an object, such as a parameter, that stands in a name as the key that it is.
_MAX_KEY_TEXT: Final = 80

#: Arguments of an object that is shown as one value, at most.
_MAX_ARGUMENTS: Final = 64


class Internal:
    """A value that is an object's own business: its tensors are listed, its numbers are not."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value: Final = value


class Attributes:
    """A state that sets attributes of an object: its children are named as the object's."""

    __slots__ = ("of_mapping", "state")

    def __init__(self, state: DictNode, of_mapping: bool = False) -> None:
        self.state: Final = state
        self.of_mapping: Final = of_mapping


class Items:
    """The items of a Python 2 OrderedDict: a list of lists of two."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[object]) -> None:
        self.pairs: Final = pairs


def identity(value: object) -> int:
    """The number of the container that a child leads to, whatever stands around it."""
    if type(value) is Attributes:
        return id(value.state)
    if type(value) is Items:
        return id(value.pairs)
    if type(value) is SetNode:
        return id(value.elements)
    return id(value)


def is_plain(value: object) -> bool:
    """Whether a value is shown in one line: a number, a text, a list or set of such."""
    if type(value) is SetNode:
        value = value.elements
    if type(value) is list or type(value) is tuple:
        return all(type(item) in SCALARS for item in value)
    return type(value) in SCALARS


def plain_length(value: object) -> int:
    """What it takes to find out that a value is plain, in items."""
    if type(value) is SetNode:
        value = value.elements
    return 1 + len(value) if isinstance(value, list | tuple) else 1


def is_plain_object(node: ObjectNode) -> bool:
    """Whether an object is shown in one line, such as ``torch.device('cuda', 0)``."""
    args = node.args
    return (
        type(node.callee) is GlobalNode
        and node.callee.qualified not in _MAPPINGS
        and node.callee.qualified not in _SEQUENCES
        and type(args) is tuple
        and len(args) <= _MAX_ARGUMENTS
        and all(type(part) is GlobalNode or _is_small(part) for part in args)
        and not (node.states or node.pairs or node.elements or node.kwargs)
    )


def _is_small(value: object) -> bool:
    if isinstance(value, list | tuple) and len(value) > _MAX_ARGUMENTS:
        return False
    return is_plain(value) or encoded_text(value) is not None


def children(value: object) -> list[Child]:
    """The steps from a container, and what they lead to; none if it is no container."""
    if type(value) is DictNode:
        return _items(value.pairs)
    if type(value) is list or type(value) is tuple:
        return list(enumerate(value))
    if type(value) is SetNode:
        return list(enumerate(value.elements))
    if type(value) is ObjectNode:
        return _object_children(value)
    if type(value) is Attributes:
        return _attributes(value.state, value.of_mapping)
    if type(value) is Items:
        return _items([(item[0], item[1]) for item in value.pairs if _is_pair(item)])  # type: ignore[index]
    return []


def _items(pairs: Pairs) -> list[Child]:
    found: list[Child] = []
    for index, (key, value) in enumerate(pairs):
        if type(key) is str or (type(key) is int and -_MAX_KEY <= key < _MAX_KEY):
            found.append((key, value))
        elif _is_small(key) or type(key) is GlobalNode:
            found.append((OtherKey(f"[{describe(key)}]"), value))
        else:
            text = describe(key)
            name = text if len(text) <= _MAX_KEY_TEXT else f"value {index}"
            found.append((OtherKey(f"[{name}]"), value))
            found.append((OtherKey(f"[key {index}]"), key))
    return found


def _object_children(node: ObjectNode) -> list[Child]:
    callee, args = node.callee, node.args
    name = callee.qualified if type(callee) is GlobalNode else ""
    found: list[Child] = []
    if type(callee) is not GlobalNode:
        found.append(("callee", callee))
    if name in _MAPPINGS or name in _SEQUENCES:
        found += _held_by_arguments(args, name)
    elif name not in _RECONSTRUCTORS and not (type(args) is tuple and not args):
        found.append(("args", args))
    if node.kwargs is not None:
        found.append(("kwargs", node.kwargs))
    found += enumerate(node.elements)
    found += _items(node.pairs)
    for state in node.states:
        for part in state_parts(state):
            found += _set_by(part, name in _MAPPINGS)
    return found


def _held_by_arguments(args: object, name: str) -> list[Child]:
    if type(args) is not tuple:
        return [("args", args)]
    found: list[Child] = []
    for value in args[:2]:
        if name in _MAPPINGS and type(value) is list and all(map(_is_pair, value[:1])):
            found.append((None, Items(value)))
        elif name in _SETS and type(value) is list:
            found.append((None, SetNode(value, False)))
        elif type(value) not in SCALARS and type(value) is not GlobalNode:
            found.append((None, value))
    return found


def _is_pair(item: object) -> bool:
    return isinstance(item, list | tuple) and len(item) == 2


def state_parts(state: object) -> tuple[object, ...]:
    """A state, or the two of an object whose class has slots: of its dictionary, and of those."""
    if type(state) is tuple and len(state) == 2 and type(state[1]) is DictNode:
        return state
    return (state,)


def _set_by(state: object, of_mapping: bool) -> list[Child]:
    if type(state) is DictNode:
        return [(None, Attributes(state, of_mapping))]
    # It is for the class's own ``__setstate__``, and may be anything.
    return [] if state is None else [("state", state)]


def _attributes(state: DictNode, of_mapping: bool) -> list[Child]:
    keys = {key for key, _ in state.pairs if type(key) is str}
    is_module = "_parameters" in keys and "_modules" in keys
    found: list[Child] = []
    for part, value in _items(state.pairs):
        if is_module and part in _MODULE_PARTS:
            found.append((None, value))
        elif (is_module or of_mapping) and isinstance(part, str) and part.startswith("_"):
            found.append((part, Internal(value)))
        else:
            found.append((part, value))
    return found
