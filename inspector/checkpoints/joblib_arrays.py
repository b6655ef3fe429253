"""The arrays of a joblib dump: their bytes lie in the middle of the pickle.

joblib pickles a ``NumpyArrayWrapper`` in place of an array, and interrupts the pickle behind it to
write the array's bytes: plain, after a padding whose length its first byte says, or, for arrays of
Python objects, as a pickle of their own.

Source: ``joblib/numpy_pickle.py`` of joblib 0.10 to 1.6.
"""

from __future__ import annotations

import math
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.geometry import integers
from inspector.checkpoints.pickle_nodes import FarBytes, GlobalNode, ObjectNode
from inspector.checkpoints.pickle_opcodes import Machine
from inspector.checkpoints.pickles import interpret_within
from inspector.checkpoints.torch_types import attributes, numpy_dtype, numpy_itemsize

_WRAPPERS: Final = frozenset(
    {
        "joblib.numpy_pickle.NumpyArrayWrapper",
        "sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper",
    }
)

#: The arrays become what NumPy's protocol 5 makes of an array; `numpy_values` knows it.
_FROM_BUFFER: Final = GlobalNode("numpy.core.numeric", "_frombuffer", 0)


class JoblibArrays:
    """Finds the arrays while a pickle is interpreted; its `built` is the interpreter's hook.

    Attributes
    ----------
    count
        Arrays so far.
    globals
        What the pickles of arrays of objects ask to import.
    """

    def __init__(self) -> None:
        self.count = 0
        self.globals: Final[list[GlobalNode]] = []

    def built(self, node: ObjectNode, machine: Machine) -> None:
        """Turn a wrapper into the array whose bytes follow, and jump over them."""
        if _class(node) not in _WRAPPERS:
            return
        self.count += 1
        parts = dict(attributes(node.states[-1]))
        dtype, shape = parts.get("dtype"), integers(parts.get("shape"))
        try:
            itemsize = numpy_itemsize(dtype)
        except ValueError:
            itemsize = -1
        if itemsize == -1 or shape is None or any(length < 0 for length in shape):
            raise CheckpointError(
                "What follows an array of joblib's can not be found: its dtype "
                f"{numpy_dtype(dtype)[2]} or its shape is not known.",
                where=f"byte {machine.position}",
            )
        if itemsize is None:
            self._objects(node, machine)
            return
        if parts.get("numpy_array_alignment_bytes") is not None:
            machine.skip(machine.number(1))
        length = math.prod(shape) * itemsize
        raw = machine.take_far(min(length, machine.rest), 0)
        node.become(ObjectNode(_FROM_BUFFER, (raw, dtype, shape, parts.get("order"))))
        if type(raw) is FarBytes and raw.length < length:
            raise EOFError

    def _objects(self, node: ObjectNode, machine: Machine) -> None:
        inner = interpret_within(machine, "An array of objects")
        self.globals.extend(inner.globals)
        if type(inner.value) is ObjectNode:
            node.become(inner.value)
        else:
            node.become(ObjectNode(node.callee, (inner.value,)))


def _class(node: ObjectNode) -> str:
    """The class of an object that a pickler made."""
    callee = node.callee
    if type(callee) is GlobalNode and callee.name == "_reconstructor":
        # How protocols 0 and 1 make objects
        callee = node.args[0] if type(node.args) is tuple and node.args else None
    return callee.qualified if type(callee) is GlobalNode else ""
