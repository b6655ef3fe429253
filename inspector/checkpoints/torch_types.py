"""What the small things of torch and NumPy in a pickle mean: dtypes, devices, layouts, states."""

from __future__ import annotations

from typing import Final

from inspector.checkpoints.describe import describe
from inspector.checkpoints.dtypes import ITEMSIZE
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.pickle_nodes import DictNode, GlobalNode, ObjectNode

#: dtype of the elements of a storage, by the class of the storage without ``Storage``.
_STORAGE_DTYPES: Final = {
    "Byte": "uint8",
    "Char": "int8",
    "Short": "int16",
    "Int": "int32",
    "Long": "int64",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Float": "float32",
    "Double": "float64",
    "Bool": "bool",
    "ComplexFloat": "complex64",
    "ComplexDouble": "complex128",
    "QInt8": "qint8",
    "QUInt8": "quint8",
    "QInt32": "qint32",
    "QUInt4x2": "quint4x2",
    "QUInt2x4": "quint2x4",
    "Untyped": "uint8",
}

_ALIASES: Final = {
    "half": "float16",
    "float": "float32",
    "double": "float64",
    "short": "int16",
    "int": "int32",
    "long": "int64",
    "chalf": "complex32",
    "cfloat": "complex64",
    "cdouble": "complex128",
}

#: torch's dtype by NumPy's kind and width.
NUMPY_DTYPES: Final = {
    "b1": "bool",
    "i1": "int8",
    "i2": "int16",
    "i4": "int32",
    "i8": "int64",
    "u1": "uint8",
    "u2": "uint16",
    "u4": "uint32",
    "u8": "uint64",
    "f2": "float16",
    "f4": "float32",
    "f8": "float64",
    "c8": "complex64",
    "c16": "complex128",
}

#: Characters of NumPy's word for a dtype: ``U123``.
_MAX_WORD: Final = 100

#: Attributes of a tensor that are looked at to find what it is made of, at most.
_MAX_PARTS: Final = 64


def storage_dtype(node: object) -> str:
    """The dtype of a storage class such as ``torch.cuda.FloatStorage``; empty if it is none."""
    if type(node) is not GlobalNode or not node.module.startswith("torch"):
        return ""
    return _STORAGE_DTYPES.get(node.name.removesuffix("Storage"), "")


def is_untyped(node: object) -> bool:
    """Whether a storage class counts bytes instead of elements."""
    return type(node) is GlobalNode and node.name == "UntypedStorage"


def torch_dtype(node: object) -> str:
    """The dtype that ``torch.float8_e5m2`` and its like stand for; empty if it is none."""
    if type(node) is not GlobalNode or node.module != "torch":
        return ""
    name = _ALIASES.get(node.name, node.name)
    return name if name in ITEMSIZE else ""


def numpy_dtype(node: object) -> tuple[str, bool, str]:
    """What a pickled ``numpy.dtype`` means.

    Returns
    -------
    dtype : str
        torch's word, or empty if torch has no such dtype.
    big : bool
        Whether its bytes are big-endian.
    word : str
        NumPy's own word, such as ``U5``.
    """
    if type(node) is not ObjectNode or type(node.args) is not tuple or not node.args:
        return "", False, "?"
    first = node.args[0]
    if type(first) is GlobalNode:
        # ml_dtypes: numpy.dtype(ml_dtypes.bfloat16)
        known = first.name if first.module.startswith("ml_dtypes") else ""
        return (known if known in ITEMSIZE else ""), False, first.name
    if type(first) is not str or len(first) > _MAX_WORD:
        return "", False, "?"
    state = node.states[-1] if node.states else None
    order = state[1] if type(state) is tuple and len(state) > 1 else "<"
    fields = state[4] if type(state) is tuple and len(state) > 4 else None
    if fields is not None:
        return "", False, "structured"
    word = first.lstrip("<>=|")
    big = (type(order) is str and order == ">") or first.startswith(">")
    return NUMPY_DTYPES.get(word, ""), big, word


def numpy_itemsize(node: object) -> int | None:
    """Bytes of an element of a pickled ``numpy.dtype``; None if its elements are objects.

    Raises
    ------
    ValueError
        If the dtype is none.
    """
    if type(node) is not ObjectNode or type(node.args) is not tuple or not node.args:
        raise ValueError
    state = node.states[-1] if node.states else None
    if type(state) is tuple and len(state) > 7 and type(state[5]) is int and state[5] > 0:
        # Texts, bytes and records say how long they are. Bit 0: some are objects.
        return None if type(state[7]) is int and state[7] & 1 else state[5]
    word = numpy_dtype(node)[2]
    if word[:1] == "O":
        return None
    digits = word[1:]
    if not digits.isdecimal() or len(digits) > 9:
        raise ValueError
    return int(digits) * (4 if word[:1] == "U" else 1)


def view_bits(metadata: object) -> tuple[bool, bool]:
    """Whether a tensor's numbers are to be conjugated, and negated, when they are read."""
    if type(metadata) is not DictNode:
        return False, False
    bits = {key: value is True for key, value in metadata.pairs[:_MAX_PARTS] if type(key) is str}
    return bits.get("conj", False), bits.get("neg", False)


def attributes(state: object) -> list[tuple[str, object]]:
    """The first attributes that a state sets: a dictionary, or a pair of it and one for slots."""
    parts = state if type(state) is tuple and len(state) == 2 else (state,)
    return [
        (key, value)
        for part in parts
        if type(part) is DictNode
        for key, value in part.pairs[:_MAX_PARTS]
        if type(key) is str
    ]


def device_text(node: object) -> str:
    """``cuda:0`` for a ``torch.device`` or its text."""
    if type(node) is str:
        return display_text(node, 40)
    if type(node) is ObjectNode and type(node.args) is tuple and node.args:
        return display_text(":".join(describe(part) for part in node.args[:2]), 40)
    return "?"


def layout_text(node: object) -> str:
    """``sparse_csr`` for what ``torch.serialization._get_layout`` is asked for."""
    if type(node) is GlobalNode:
        return node.name
    if type(node) is ObjectNode and type(node.args) is tuple and node.args:
        word = node.args[0]
        if type(word) is str:
            return word.removeprefix("torch.")
    return ""
