"""Python that makes the same array as is shown: this file, this tensor, this part, this form.

By the library that people use for the format where that is safe and gives the same numbers; else
by the bytes themselves, which need nothing but NumPy. Nothing of a file gets into the code but as
a literal.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.ggml import BLOCK_SIZES
from inspector.checkpoints.model import Checkpoint, PathPart, TensorEntry
from inspector.checkpoints.places import place_in_file
from inspector.export.snippet_steps import Wanted, array_steps, stored_steps, tensor_steps
from inspector.values.bits import HALVES
from inspector.values.dtypes import DTYPES
from inspector.values.forms import Form
from inspector.values.ggml import WITHOUT_REFERENCE
from inspector.values.regions import Region
from inspector.values.tensors import tensor_source

#: What a pickle may ask for so that ``torch.load`` with ``weights_only`` makes plain containers and
#: tensors of it: less than torch allows, so that a path is one of keys.
_PLAIN_IMPORTS: Final = re.compile(
    r"collections\.OrderedDict|torch\.Size|torch\.device|torch\.serialization\._get_layout"
    r"|torch\._utils\._rebuild_(tensor_v2|tensor_v3|parameter|sparse_tensor|qtensor)"
    r"|torch\._utils\._rebuild_(meta_tensor_no_storage|nested_tensor)"
    r"|torch\.(Double|Float|Half|Long|Int|Short|Char|Byte|Bool|BFloat16|Complex(Double|Float)"
    r"|QInt8|QUInt8|QInt32)Storage|torch\.storage\.UntypedStorage"
    r"|torch\.per_(tensor|channel)_(affine|symmetric)"
    r"|torch\.(bool|u?int(8|16|32|64)|float(16|32|64)|bfloat16|complex(32|64|128)"
    r"|float8_e(4m3fn|4m3fnuz|5m2|5m2fnuz|8m0fnu)|q(u?int8|int32))"
)
#: A list of imports is cut there.
_MANY_IMPORTS: Final = 1000

#: What a tensor is called that is all there is in a pickle, without a key.
_ROOT_NAMES: Final = frozenset({"tensor", "array", "storage"})


@dataclass(frozen=True, slots=True)
class _Code:
    """Modules to import, and the lines after that."""

    imports: tuple[str, ...]
    lines: list[str]

    def text(self) -> str:
        return "\n".join((*self.imports, "", *self.lines, ""))


def snippet(
    checkpoint: Checkpoint, entry: TensorEntry, region: Region | None = None, form: Form = "values"
) -> str:
    """Python code after which ``array`` is what `tensor_source` reads of a region.

    Parameters
    ----------
    checkpoint
        In which the entry is.
    region
        Of the form's source; None for the whole.
    form
        One of the entry's forms.

    Returns
    -------
    str
        Lines of code. For a worker thread: an archive's local header may be read for them.

    Raises
    ------
    InspectorError
        If there is no such form, or no code in a few lines; it says why.
    """
    while entry.kind == "subclass" and entry.storage is None and len(entry.components) == 1:
        (entry,) = entry.components  # a wrapper shows what is in it
    source = tensor_source(entry, form)
    wanted = Wanted(
        checkpoint, entry, form, region or Region.whole(source.shape), source.shape, source.dtype
    )
    for way in (_by_library, _by_bytes, _by_reader):
        code = way(wanted)
        if code is not None:
            return code.text()
    raise TensorError(_why_not(wanted))


def _why_not(wanted: Wanted) -> str:
    entry, kind = wanted.entry, wanted.checkpoint.format
    if entry.dtype in WITHOUT_REFERENCE:
        return f"The gguf package can not dequantize {entry.dtype}, so no snippet gives its values."
    if entry.kind not in ("dense", "subclass"):
        return (
            f"No library makes this form of a {entry.kind.replace('_', ' ')} tensor in a few safe "
            "lines. Export it instead."
        )
    return (
        f"The bytes of this tensor do not lie in a file in one piece, and no library reads it "
        f"from this ({kind}) in a few safe lines. Export it instead."
    )


# By the bytes ------------------------------------------------------------------------------------


def _by_bytes(wanted: Wanted) -> _Code | None:
    """Straight from where the numbers are in the file."""
    entry = wanted.entry
    if entry.storage is None:
        return None
    place = place_in_file(entry.storage.source, entry.storage.offset)
    if place is None:
        return None
    found = stored_steps(wanted, place[1])
    if found is None:
        return None
    imports, lines = found
    return _Code(imports, [f"path = {str(place[0].absolute())!r}", *lines])


# By a library ------------------------------------------------------------------------------------


def _by_library(wanted: Wanted) -> _Code | None:
    """By what people load such files with, if that gives exactly this tensor."""
    way = _LIBRARIES.get(wanted.checkpoint.format)
    if way is None or wanted.form == "raw":
        return None
    return way(wanted) if _is_the_only_one(wanted) else None


def _by_reader(wanted: Wanted) -> _Code | None:
    """By what decodes a format whose bytes are not the numbers."""
    way = _READERS.get(wanted.checkpoint.format)
    return way(wanted) if way is not None and _is_the_only_one(wanted) else None


def _is_the_only_one(wanted: Wanted) -> bool:
    """Whether the way to the entry leads to nothing else: no part of a tensor, no second key."""
    entry = wanted.entry
    same = [other for other in wanted.checkpoint.entries if other.path == entry.path]
    if len(same) != 1 or same[0] is not entry:
        return False
    # "weight #2" may be the name that the listing made up for a second "weight".
    base, number, _ = entry.name.rpartition(" #")
    return not number or all(other.name != base for other in wanted.checkpoint.entries)


def _start(wanted: Wanted) -> list[str]:
    return [f"path = {str(wanted.checkpoint.path.absolute())!r}"]


def _has_numpy_dtype(wanted: Wanted) -> bool:
    dtype = DTYPES.get(wanted.entry.dtype)
    return dtype is not None and dtype.raw == dtype.values and dtype.category != "bits"


def _safetensors(wanted: Wanted) -> _Code | None:
    plain = _has_numpy_dtype(wanted)
    found = array_steps(wanted) if plain else tensor_steps(wanted)
    if found is None:
        return None
    target, framework = ("array", "numpy") if plain else ("tensor", "pt")
    imports, lines = found
    opened = [
        *_start(wanted),
        f'with safe_open(path, framework="{framework}") as file:',
        f"    {target} = file.get_tensor({wanted.entry.name!r})",
    ]
    return _Code((*imports, "from safetensors import safe_open"), [*opened, *lines])


def _torch(wanted: Wanted) -> _Code | None:
    """``torch.load`` where it is sure to load the file without any class of the file's own."""
    checkpoint, entry = wanted.checkpoint, wanted.entry
    keys = _subscripts(entry.path)
    found = tensor_steps(wanted)
    if keys is None or found is None or not _loads_safely(checkpoint):
        return None
    stored = [part.storage for part in (entry, *entry.components) if part.storage is not None]
    if any(each.byteorder == "big" for each in stored) or "saved as" in entry.details:
        return None
    in_place = all(place_in_file(each.source, each.offset) is not None for each in stored)
    can_map = checkpoint.format == "torch zip" and entry.kind == "dense" and in_place
    mapped = ", mmap=True" if can_map else ""
    imports, lines = found
    loaded = [
        *_start(wanted),
        f'loaded = torch.load(path, map_location="cpu", weights_only=True{mapped})',
        f"tensor = loaded{keys}",
    ]
    return _Code(imports, [*loaded, *lines])


def _loads_safely(checkpoint: Checkpoint) -> bool:
    """Whether torch's own safe reader loads the file, and makes nothing but plain containers."""
    return (
        checkpoint.metadata.get("pickle protocol") == "2"
        and len(checkpoint.imports) < _MANY_IMPORTS
        and all(_PLAIN_IMPORTS.fullmatch(asked.name) for asked in checkpoint.imports)
        and all(finding.severity == "note" for finding in checkpoint.findings)
    )


def _subscripts(path: tuple[PathPart, ...]) -> str | None:
    """A path as ``["model"][3]``; None if it may not be one of keys and positions."""
    if len(path) == 1 and path[0] in _ROOT_NAMES:
        return None
    if not all(type(part) in (str, int) for part in path):
        return None
    return "".join(f"[{part!r}]" for part in path)


def _npy(wanted: Wanted) -> _Code | None:
    checkpoint = wanted.checkpoint
    alone = len(checkpoint.entries) == 1 and not checkpoint.values and not checkpoint.imports
    if not (alone and _has_numpy_dtype(wanted)):
        return None
    return _numpy_load(wanted, [*_start(wanted), 'array = np.load(path, mmap_mode="r")'])


def _npz(wanted: Wanted) -> _Code | None:
    name = wanted.entry.name
    if wanted.checkpoint.imports or not _has_numpy_dtype(wanted):
        return None
    return _numpy_load(wanted, [*_start(wanted), f"array = np.load(path)[{name!r}]"])


def _numpy_load(wanted: Wanted, loaded: list[str]) -> _Code | None:
    found = array_steps(wanted)
    return None if found is None else _Code(found[0], [*loaded, *found[1]])


def _hdf5(wanted: Wanted) -> _Code | None:
    return _by_h5py(wanted, [], "path")


def _keras(wanted: Wanted) -> _Code | None:
    unpacked = "weights = io.BytesIO(zipfile.ZipFile(path).read('model.weights.h5'))"
    return _by_h5py(wanted, [unpacked], "weights", "import io", "import zipfile")


def _by_h5py(wanted: Wanted, before: list[str], file: str, *modules: str) -> _Code | None:
    found = array_steps(wanted)
    if found is None or not _has_numpy_dtype(wanted):
        return None
    if wanted.entry.dtype in HALVES and _by_bytes(wanted) is not None:
        return None  # h5py knows but one of the ways in which complex numbers are written
    name = "/".join(str(part) for part in wanted.entry.path)
    lines = [
        *_start(wanted),
        *before,
        f'with h5py.File({file}, "r") as file:',
        f"    array = file[{name!r}][()]",
    ]
    return _Code((*modules, "import h5py", *found[0]), [*lines, *found[1]])


def _gguf(wanted: Wanted) -> _Code | None:
    """Only blocks: plain numbers are read by their bytes."""
    entry = wanted.entry
    if entry.dtype not in BLOCK_SIZES or entry.dtype in WITHOUT_REFERENCE:
        return None
    found = array_steps(wanted)
    if found is None or entry.storage is None or entry.storage.byteorder == "big":
        return None
    lines = [
        *_start(wanted),
        "tensors = GGUFReader(path).tensors",
        f"tensor = next(each for each in tensors if each.name == {entry.name!r})",
        "array = dequantize(tensor.data, tensor.tensor_type)",
    ]
    return _Code((*found[0], "from gguf import GGUFReader, dequantize"), [*lines, *found[1]])


def _onnx(wanted: Wanted) -> _Code | None:
    """Initializers of the graph itself, which have names of their own."""
    found = array_steps(wanted)
    if found is None or wanted.form == "raw" or "inside" in wanted.entry.details:
        return None
    lines = [
        *_start(wanted),
        "stored = onnx.load(path).graph.initializer",
        f"tensor = next(each for each in stored if each.name == {wanted.entry.name!r})",
        "array = onnx.numpy_helper.to_array(tensor)",
    ]
    return _Code((*found[0], "import onnx"), [*lines, *found[1]])


_Way = Callable[[Wanted], _Code | None]

#: What is tried first, by the format's word.
_LIBRARIES: Final[dict[str, _Way]] = {
    "safetensors": _safetensors,
    "torch zip": _torch,
    "torch legacy": _torch,
    "NumPy array": _npy,
    "NumPy archive": _npz,
    "HDF5": _hdf5,
    "Keras HDF5": _hdf5,
    "Keras archive": _keras,
}

#: What is tried where the bytes are not the numbers.
_READERS: Final[dict[str, _Way]] = {"GGUF": _gguf, "ONNX": _onnx}
