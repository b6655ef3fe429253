"""Python that makes the same array as is shown: this file, this tensor, this part, this form.

By the library that people use for the format where that is safe and gives the same numbers; else
by the bytes themselves, which need nothing but NumPy. Nothing of a file gets into the code but as
a literal.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.model import Checkpoint, PathPart, Storage, TensorEntry
from inspector.checkpoints.places import UnplacedError, place_in_file
from inspector.checkpoints.unpacked import PackedNumbers, TypedNumbers
from inspector.export.snippet_blocks import block_steps
from inspector.export.snippet_parts import part_steps
from inspector.export.snippet_places import Box, path_line
from inspector.export.snippet_steps import NUMPY, Steps, Wanted, array_steps, tensor_steps
from inspector.export.snippet_stored import stored_steps
from inspector.values.bits import HALVES
from inspector.values.dtypes import DTYPES
from inspector.values.forms import Form
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

#: Bytes of the header of an array that `numpy.load` takes.
_LONGEST_HEADER: Final = 10_000

#: What a tensor is called that is all there is in a pickle, without a key.
_ROOT_NAMES: Final = frozenset({"tensor", "array", "storage"})


@dataclass(frozen=True, slots=True)
class _Code:
    """Modules to import, and the lines after that."""

    imports: tuple[str, ...]
    lines: list[str]

    def text(self) -> str:
        imports = sorted(set(self.imports), key=_importance)
        lines, path = [], ""
        for line in self.lines:
            if line != path:  # the parts of a tensor are in the same file, as a rule
                lines.append(line)
            path = line if line.startswith("path = ") else path
        return "\n".join((*imports, "", *lines, ""))


def _importance(line: str) -> tuple[bool, bool, str]:
    """Python's own modules come first, and then whole ones."""
    _, module, *_ = line.split()
    return module not in sys.stdlib_module_names, line.startswith("from"), line


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
        Lines of code. For a worker thread: headers, and a pickle, may be read for them.

    Raises
    ------
    InspectorError
        If there is no such form, or no code in a few lines; it says why.
    """
    while entry.kind == "subclass" and entry.storage is None and len(entry.components) == 1:
        (entry,) = entry.components  # a wrapper shows what is in it
    source = tensor_source(entry, form)
    if any(part.storage is not None and part.storage.origin for part in _with_parts(entry)):
        raise TensorError("It is in the running program, and in no file that code could read.")
    wanted = Wanted(
        checkpoint, entry, form, region or Region.whole(source.shape), source.shape, source.dtype
    )
    reason = ""
    for way in (_by_library, _by_bytes, _by_reader):
        try:
            code = way(wanted)
        except UnplacedError as error:
            reason = error.message
            continue
        if code is not None:
            return code.text()
    raise TensorError(
        f"There is no code of a few lines for it. {reason}", advice="Export it instead."
    )


def _with_parts(entry: TensorEntry) -> Iterator[TensorEntry]:
    yield entry
    for part in entry.components:
        yield from _with_parts(part)


# By the bytes ------------------------------------------------------------------------------------


def _by_bytes(wanted: Wanted) -> _Code | None:
    """Straight from where the numbers are in the file."""
    for steps in (stored_steps, part_steps, block_steps):
        if (found := steps(wanted)) is not None:
            return _Code(*found)
    return None


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
    return None if way is None else way(wanted)


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
    """The file itself, also where the folder was opened that has but this one."""
    files, path = wanted.checkpoint.files, wanted.checkpoint.path
    return [path_line(path if path in files else files[0])]


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
    untyped = any(asked.name == "torch.storage.UntypedStorage" for asked in checkpoint.imports)
    if untyped and checkpoint.format == "torch legacy":
        return None  # torch can save these so, and not load them
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
    storage = wanted.entry.storage
    if storage is None or storage.offset > _LONGEST_HEADER:
        return None
    return None if found is None else _Code(found[0], [*loaded, *found[1]])


def _hdf5(wanted: Wanted) -> _Code | None:
    return _by_h5py(wanted, [], "path")


def _keras(wanted: Wanted) -> _Code | None:
    unpacked = "weights = io.BytesIO(zipfile.ZipFile(path).read('model.weights.h5'))"
    return _by_h5py(wanted, [unpacked], "weights", "import io", "import zipfile")


def _by_h5py(wanted: Wanted, before: list[str], file: str, *modules: str) -> _Code | None:
    if not _is_the_only_one(wanted):
        return None
    name = "/".join(str(part) for part in wanted.entry.path)
    opened = [*_start(wanted), *before, f'with h5py.File({file}, "r") as file:']
    plain = _has_numpy_dtype(wanted) and wanted.form != "raw" and wanted.entry.dtype not in HALVES
    found = array_steps(wanted)
    if plain and found is not None:
        lines = [f"    array = file[{name!r}][...]"]
        return _Code((*modules, "import h5py", *found[0]), [*opened, *lines, *found[1]])

    def as_stored(_storage: Storage, box: Box, _region: Region | None) -> Steps:
        """Without what h5py makes of the type: it knows but one way to write complex numbers."""
        everything = "h5py.h5s.ALL, h5py.h5s.ALL"
        lines = [
            f"    stored, dataset = np.empty({box.shape}, dtype={box.word!r}), file[{name!r}].id",
            f"    dataset.read({everything}, stored, dataset.get_type())",
        ]
        return (*modules, "import h5py", NUMPY), [*opened, *lines]

    found = stored_steps(wanted, opening=as_stored)
    return None if found is None else _Code(*found)


def _onnx(wanted: Wanted) -> _Code | None:
    """Of the message alone, which also may be in a node, or have a name that another one has."""
    entry = wanted.entry
    source = None if entry.storage is None else entry.storage.source
    found = array_steps(wanted)
    if found is None or not isinstance(source, PackedNumbers | TypedNumbers):
        return None
    if any(finding.severity != "note" for finding in wanted.checkpoint.findings):
        raise UnplacedError("Something is wrong with the model, which its library may refuse.")
    # Numbers that are packed may be in a file beside the model.
    folder = str(wanted.checkpoint.path.absolute().parent)
    lines = [
        *_start(wanted),
        'with open(path, "rb") as file:',
        f"    file.seek({source.message.offset})",
        f"    tensor = onnx.TensorProto.FromString(file.read({source.message.length}))",
        f"array = onnx.numpy_helper.to_array(tensor, {folder!r})",
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
_READERS: Final[dict[str, _Way]] = {
    "ONNX": _onnx,
    "HDF5": _hdf5,
    "Keras HDF5": _hdf5,
    "Keras archive": _keras,
}
