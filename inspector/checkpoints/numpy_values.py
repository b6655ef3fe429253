"""NumPy's scalars and arrays as pickles hold them, without NumPy."""

from __future__ import annotations

import struct
from typing import Final, Literal

from inspector.checkpoints.describe import describe, type_name
from inspector.checkpoints.dtypes import ITEMSIZE, STRUCT_CODES
from inspector.checkpoints.geometry import column_major, contiguous, integers, strided_problem
from inspector.checkpoints.model import ByteSource, PathPart, Storage, TensorEntry
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.pickle_nodes import FarBytes, GlobalNode, ObjectNode, encoded_text
from inspector.checkpoints.pickled import PickledBytes
from inspector.checkpoints.sources import MemoryBytes
from inspector.checkpoints.torch_types import numpy_dtype

#: Both spellings of where NumPy keeps its private functions.
_PLACES = ("numpy.core", "numpy._core")

_SCALARS: Final = frozenset(f"{place}.multiarray.scalar" for place in _PLACES)
_RECONSTRUCTED: Final = frozenset(f"{place}.multiarray._reconstruct" for place in _PLACES)
_FROM_BUFFER: Final = frozenset(f"{place}.numeric._frombuffer" for place in _PLACES)

#: Bytes of a scalar, at most: a text of NumPy's may be long, but is not shown in full.
_MAX_SCALAR: Final = 4096


class NumpyArray:
    """What a pickled array consists of.

    Attributes
    ----------
    dtype
        torch's word, or empty if torch has none; then `word` is NumPy's.
    items
        The elements of an array of Python objects; else None.
    raw
        The bytes of the others; None if they are missing.
    """

    __slots__ = ("big", "dtype", "fortran", "items", "raw", "shape", "word")

    def __init__(
        self,
        shape: object,
        dtype: object,
        fortran: bool,
        items: list[object] | None,
        raw: bytes | FarBytes | None,
    ) -> None:
        self.shape: Final = integers(shape)
        self.dtype, self.big, self.word = numpy_dtype(dtype)
        self.fortran: Final = fortran
        self.items: Final = items
        self.raw: Final = raw

    def described(self) -> tuple[str, str]:
        """Type and text of an array that torch has no dtype for."""
        shape = "" if self.shape is None else f" of shape {describe(self.shape)}"
        return "numpy.ndarray", f"NumPy array{shape}, {display_text(self.word, 40)}"

    def entry(
        self, name: str, path: tuple[PathPart, ...], pickle: ByteSource | None
    ) -> TensorEntry:
        """The array as a dense tensor, in the pickle that was read from a source."""
        storage = self._storage(pickle)
        shape = self.shape or ()
        stride = column_major(shape) if self.fortran else contiguous(shape)
        if self.shape is None:
            problem = "Its shape is none."
        else:
            problem = strided_problem(shape, stride, 0, ITEMSIZE[self.dtype], storage.nbytes)
        return TensorEntry(
            name=name,
            path=path,
            dtype=self.dtype,
            shape=shape,
            stride=stride,
            storage=storage,
            details={"saved as": "NumPy array"},
            problem=problem,
        )

    def _storage(self, pickle: ByteSource | None) -> Storage:
        byteorder: Literal["little", "big"] = "big" if self.big else "little"
        raw = self.raw
        if type(raw) is FarBytes:
            return Storage(raw.source, raw.offset, raw.length, "in the pickle", byteorder)
        data = raw if type(raw) is bytes else b""
        source = MemoryBytes(data) if pickle is None else PickledBytes(data, pickle)
        return Storage(source, 0, len(data), "in the pickle", byteorder)


class NumpyReader:
    """Recognises NumPy's arrays and scalars in the nodes of one file."""

    def __init__(self) -> None:
        #: Bytes that a protocol without bytes wrote as text, by the identity of the text: a
        #: file may refer to one text a million times.
        self._encoded: dict[int, bytes | None] = {}

    def array(self, node: ObjectNode) -> NumpyArray | None:
        """The parts of an array; None if the node is none, or is damaged."""
        if type(node.callee) is not GlobalNode:
            return None
        if node.callee.qualified in _FROM_BUFFER:
            args = node.args
            if type(args) is not tuple or len(args) < 4:
                return None
            fortran = type(args[3]) is str and args[3] == "F"
            return NumpyArray(args[2], args[1], fortran, None, self.content(args[0]))
        if node.callee.qualified not in _RECONSTRUCTED:
            return None
        state = node.states[-1] if node.states else None
        if type(state) is not tuple or len(state) < 5:
            return None
        data = state[4]
        return NumpyArray(
            state[1],
            state[2],
            state[3] is True or (type(state[3]) is int and state[3] == 1),
            data if type(data) is list else None,
            self.content(data),
        )

    def is_scalar(self, node: ObjectNode) -> bool:
        """Whether the node makes a NumPy scalar, as far as its callee tells."""
        return type(node.callee) is GlobalNode and node.callee.qualified in _SCALARS

    def scalar(self, node: object) -> tuple[str, str] | None:
        """Type and text of a NumPy scalar, or of bytes; None if the node is neither."""
        if type(node) is not ObjectNode:
            return None
        if encoded_text(node) is not None:
            raw = self.content(node)
            return None if raw is None else (type_name(raw), describe(raw))
        args = node.args
        if not self.is_scalar(node) or type(args) is not tuple or len(args) < 2:
            return None
        dtype, big, word = numpy_dtype(args[0])
        raw = self.content(args[1])
        if type(raw) is not bytes or len(raw) > _MAX_SCALAR:
            return None
        if dtype not in STRUCT_CODES:
            return f"numpy.{display_text(word, 40)}", describe(_text_of(word, raw))
        layout = struct.Struct((">" if big else "<") + STRUCT_CODES[dtype])
        if layout.size != len(raw):
            return None
        numbers = layout.unpack(raw)
        value = numbers[0] if len(numbers) == 1 else complex(*numbers)
        return f"numpy.{dtype}", repr(value)

    def content(self, value: object) -> bytes | FarBytes | None:
        """Bytes, also where a protocol without bytes wrote ``_codecs.encode(text, "latin1")``."""
        if type(value) is bytes or type(value) is FarBytes:
            return value
        if type(value) is str:
            # A string of Python 2 that happens to be text
            return self._encode(value, "utf-8")
        text = encoded_text(value)
        return None if text is None else self._encode(text, "latin1")

    def _encode(self, text: str, encoding: str) -> bytes | None:
        if id(text) not in self._encoded:
            try:
                self._encoded[id(text)] = text.encode(encoding)
            except UnicodeEncodeError:
                self._encoded[id(text)] = None
        return self._encoded[id(text)]


def _text_of(word: str, raw: bytes) -> object:
    """NumPy's texts are UTF-32; all else is shown as bytes."""
    return raw.decode("utf-32-le", "replace") if word.startswith("U") else raw
