"""Objects of the running program as checkpoints: modules, optimizers, nested tensors and arrays.

The walk is that of files (`inspector.checkpoints.walk`), with what lies below live containers. It
asks for no more than what they hold: no hook, no property and no ``__repr__`` of a user's own
class runs.
"""

from __future__ import annotations

import argparse
import dataclasses
import enum
import sys
import types
from collections import UserDict, UserList, deque
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any, Final

import numpy as np

from inspector.checkpoints.containers import Child, children, is_plain
from inspector.checkpoints.describe import SCALARS, describe, type_name
from inspector.checkpoints.errors import InspectorError
from inspector.checkpoints.model import Checkpoint, PathPart, TensorEntry
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.pickle_nodes import DictNode, SetNode
from inspector.checkpoints.rebuild import Rebuilder
from inspector.checkpoints.walk import Frame, Walk
from inspector.values.live_bytes import Devices, LiveStorages
from inspector.values.live_tensors import LiveTensors

#: Names that may be given to what has one already, such as the modules of a model that is there
#: twice; and what the listing may cost in bytes. Both are there against graphs of lists that
#: unfold to more than there is memory.
_AGAIN: Final = 100_000
_COST: Final = 64 << 20

#: What torch writes on a parameter that is a wrapper.
_OWN_MARK: Final = "_is_param"

#: Characters of a title.
_TITLE: Final = 100


class LiveObject:
    """An object of the running program, held to be looked at until it is released.

    Parameters
    ----------
    value
        Anything; see `live_checkpoint`.
    title
        What to call it besides its type.

    Attributes
    ----------
    name
        ``live: Linear``, after the title if it has one.
    """

    def __init__(self, value: object, title: str = "") -> None:
        kind = f"live: {type(value).__name__}"
        self.name: Final = display_text(f"{title} — {kind}" if title else kind, _TITLE)
        self._held: list[object] = [value]
        self._devices: Devices | None = Devices()

    def look(self, check: Callable[[], None] | None = None) -> Checkpoint:
        """List what it holds at the moment.

        Takes some 50 µs for each tensor, in any thread. The numbers are only read when they are
        looked at, and are always those of that moment.

        Parameters
        ----------
        check
            Called now and then; may raise `Cancelled`.

        Returns
        -------
        Checkpoint
            To be closed: until then its sources hold the tensors' memory.

        Raises
        ------
        InspectorError
            If the object was released.
        Cancelled
            If ``check`` did.
        """
        devices = self._devices
        if devices is None:
            raise InspectorError(f"{self.name} is not held any more.")
        return _look(self._held[0], self.name, devices, check or _ignore)

    def release(self) -> None:
        """Let go of the object, and of the buffers for devices."""
        self._held = []
        self._devices = None


def live_checkpoint(value: object) -> Checkpoint:
    """List the tensors and plain values in an object of the running program.

    Parameters
    ----------
    value
        A tensor, NumPy array, module, optimizer, or any nesting of them in dictionaries, lists,
        tuples, named tuples, dataclasses and namespaces. It is not changed.

    Returns
    -------
    Checkpoint
        To be closed. Named as in a file: a module's tensors as in its state dict, tied ones under
        each of their names, and buffers that are not persistent too; an optimizer's state by the
        number of the parameter.
    """
    return LiveObject(value).look()


def _ignore() -> None:
    pass


def _look(value: object, name: str, devices: Devices, check: Callable[[], None]) -> Checkpoint:
    storages = LiveStorages(devices)
    walk = LiveWalk(LiveTensors(storages), check)
    try:
        walk.run(value, Rebuilder(lambda _: None), nodes=_AGAIN, size=_COST)
    except BaseException:
        for source in storages.sources:
            source.close()
        raise
    return Checkpoint(
        path=Path(name.replace("/", "∕")),
        format=f"live {_qualified(type(value))}",
        size=storages.nbytes,
        entries=walk.entries,
        values=walk.values,
        findings=walk.findings(),
        sources=storages.sources,
    )


def _loaded(module: str, *names: str) -> tuple[type, ...]:
    """Classes of a module, if the program has imported it; else it has no object of them."""
    found = sys.modules.get(module)
    return tuple(getattr(found, name) for name in names if hasattr(found, name))


class LiveWalk(Walk):
    """Collects entries and values from a live object."""

    def __init__(self, tensors: LiveTensors, check: Callable[[], None]) -> None:
        super().__init__(check)
        self._tensors: Final = tensors
        self._tensor_types: Final = _loaded("torch", "Tensor")
        self._storage_types: Final = _loaded("torch", "UntypedStorage", "TypedStorage")

    def _container(self, frame: Frame, part: PathPart | None, value: object, quiet: bool) -> None:
        """Whatever is not a plain number or text."""
        kind = type(value)
        if issubclass(kind, self._tensor_types):
            self._leaf(frame, part, value, "tensor", self._tensors.tensor)
        elif issubclass(kind, np.ndarray):
            self._leaf(frame, part, value, "array", self._tensors.array)
        elif issubclass(kind, self._storage_types):
            self._leaf(frame, part, value, "storage", self._tensors.bare_storage)
        elif (text := _value_text(value)) is not None:
            self._value(frame, part, value, text)
        elif self._may_list(id(value)):
            # Steps may lead to what was made only now; it is known by its identity, so it stays.
            below = _below(value)
            self._roots.append(below)
            if not below:
                self._seen[id(value)] = 1
                # A module without parameters is nothing to mention.
                if not issubclass(kind, _loaded("torch.nn", "Module")):
                    self._value(frame, part, value, _empty_text(value))
                return
            name, path = self._place(frame, part)
            self._enter(id(value), name, path, below, quiet)

    def _leaf(
        self,
        frame: Frame,
        part: PathPart | None,
        value: Any,
        default: str,
        make: Callable[[Any, str, tuple[PathPart, ...]], TensorEntry],
    ) -> None:
        if not self._may_list(id(value)):
            return
        name, path = self._place(frame, part, default)
        entry = make(value, self._names.unique(name), path)
        self._add(id(value), entry)
        hung_on = getattr(value, "__dict__", None) if default == "tensor" else None
        if hung_on and entry.kind != "nested" and self._may_list(id(hung_on)):
            # What Python code keeps with a tensor, but for what it is made of
            parts = {*(component.path[-1] for component in entry.components), _OWN_MARK}
            below = [step for step in _of_pairs(hung_on) if step[0] not in parts]
            self._roots.append(below)
            self._enter(id(hung_on), name, path, below, False)


def _of_pairs(held: dict[object, object]) -> list[Child]:
    node = DictNode()
    # `dict`'s own, at once: another thread may be adding to it.
    node.pairs = list(dict.items(held))
    return children(node)


def _below(value: object) -> list[Child]:
    """The steps from a container, and what they lead to; none if it is no container."""
    kind = type(value)
    for classes, steps in _CONTAINERS:
        if issubclass(kind, classes):
            return steps(value)
    for module, name, steps in _TORCH_CONTAINERS:
        if issubclass(kind, _loaded(module, name)):
            return steps(value)
    if dataclasses.is_dataclass(kind):
        names = [each.name for each in dataclasses.fields(kind)]
        return [(name, getattr(value, name)) for name in names if hasattr(value, name)]
    return []


def _of_tuple(value: Any) -> list[Child]:
    items = tuple.__iter__(value)
    names = getattr(type(value), "_fields", None)
    if type(names) is tuple and len(names) == len(value):
        return list(zip(names, items, strict=True))
    return list(enumerate(items))


def _of_module(module: Any) -> list[Child]:
    """Parameters, buffers and modules by name, in the order of the state dict; then other tensors.

    Not `named_parameters`, which a class may have made something else of.
    """
    found: list[Child] = []
    for held in ("_parameters", "_buffers", "_modules"):
        parts = getattr(module, held, None) or {}
        found += [(name, value) for name, value in list(parts.items()) if value is not None]
    tensors = (*_loaded("torch", "Tensor"), np.ndarray)
    beside = list(vars(module).items())
    return found + [(name, value) for name, value in beside if issubclass(type(value), tensors)]


def _of_optimizer(optimizer: Any) -> list[Child]:
    """Its state and groups, parameters by number, as in its state dict; no hook is called."""
    numbers: dict[int, int] = {}
    groups: list[dict[object, object]] = []
    for group in optimizer.param_groups:
        own = [numbers.setdefault(id(each), len(numbers)) for each in group["params"]]
        groups.append({**group, "params": own})
    state = {
        numbers.setdefault(id(key), len(numbers)): held
        for key, held in list(optimizer.state.items())
    }
    return [("state", state), ("param_groups", groups)]


_CONTAINERS: Final[tuple[tuple[tuple[type, ...], Callable[[Any], list[Child]]], ...]] = (
    ((dict,), _of_pairs),
    ((types.MappingProxyType,), lambda value: _of_pairs(dict(value))),
    ((list, deque), lambda value: list(enumerate(list(value)))),
    ((tuple,), _of_tuple),
    ((set, frozenset), lambda value: list(enumerate(list(value)))),
    ((UserDict,), lambda value: _of_pairs(dict(value.data))),
    ((UserList,), lambda value: list(enumerate(list(value.data)))),
    ((argparse.Namespace, types.SimpleNamespace), lambda value: _of_pairs(vars(value))),
)

_TORCH_CONTAINERS: Final[tuple[tuple[str, str, Callable[[Any], list[Child]]], ...]] = (
    ("torch.nn", "Module", _of_module),
    ("torch.optim", "Optimizer", _of_optimizer),
)

#: The value of an object of a subclass of these, whatever the subclass makes of it.
_PLAIN: Final[dict[type, Callable[[Any], object]]] = {
    int: int.__pos__,
    float: float.__pos__,
    str: str.__str__,
    bytes: lambda value: bytes.__getitem__(value, slice(None)),
}

_CODE: Final = (type, types.FunctionType, types.BuiltinFunctionType, types.MethodType)

#: Objects of torch that say all about themselves in a word.
_WORDS: Final = ("dtype", "device", "Size", "layout", "memory_format", "qscheme")


def _value_text(value: object) -> tuple[str, str] | None:
    """Type and text of what is shown in one line; None for what may hold something.

    Only such objects are asked for their text whose class is known.
    """
    kind = type(value)
    if kind in (list, tuple) and value and is_plain(value):
        return type_name(value), describe(value)
    if kind in (set, frozenset) and all(type(item) in SCALARS for item in value):  # type: ignore[attr-defined]
        node = SetNode(list(value), kind is frozenset)  # type: ignore[call-overload]
        return type_name(node), describe(node)
    if issubclass(kind, np.generic):
        return _numpy_scalar(value)  # type: ignore[arg-type]
    if issubclass(kind, enum.Enum):
        return kind.__name__, f"{kind.__name__}.{value.name}"  # type: ignore[attr-defined]
    for base, plain in _PLAIN.items():
        if issubclass(kind, base):
            return kind.__name__, describe(plain(value))
    if kind is complex or issubclass(kind, PurePath) or kind in _loaded("torch", *_WORDS):
        return kind.__name__, display_text(str(value))
    if issubclass(kind, _CODE):
        module, name = value.__module__, value.__qualname__  # type: ignore[attr-defined]
        return "class or function", display_text(f"{module}.{name}")
    return None


def _numpy_scalar(value: np.generic) -> tuple[str, str]:
    dtype = value.dtype
    word = dtype.name if dtype.kind in "biufc" else dtype.str.lstrip("<>|=")
    number = value.item()
    text = repr(number) if isinstance(number, complex) else describe(number)
    return f"numpy.{display_text(word, 40)}", text


def _empty_text(value: object) -> tuple[str, str]:
    """Type and text of an object that is no container, or an empty one."""
    kind = type(value)
    if issubclass(kind, dict | list | tuple | set | frozenset):
        empty = {dict: "{}", list: "[]", tuple: "()"}
        text = next((word for base, word in empty.items() if issubclass(kind, base)), "set()")
        return kind.__name__, text
    return _qualified(kind), "an object"


def _qualified(kind: type) -> str:
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return display_text(f"{module}{kind.__qualname__}", 200)
