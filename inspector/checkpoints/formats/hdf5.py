"""HDF5, as Keras writes it (.h5, .hdf5, .weights.h5): groups, datasets, attributes.

A dataset is named as in HDF5, by its path without the first slash:
``model_weights/dense/dense/kernel:0``.
Attributes of the root are the file's metadata; those of other groups are values named
``group/@attribute``, those of datasets are details of their entries. Links are listed, and never
followed but to objects of this file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from inspector.checkpoints.errors import CheckpointError
from inspector.checkpoints.geometry import contiguous
from inspector.checkpoints.hdf5.attributes import Attribute, read_attributes
from inspector.checkpoints.hdf5.datasets import Dataset, is_dataset, read_dataset
from inspector.checkpoints.hdf5.headers import ObjectHeader
from inspector.checkpoints.hdf5.heaps import GlobalHeap
from inspector.checkpoints.hdf5.links import Link, Links, is_group
from inspector.checkpoints.hdf5.space import Pages, Superblock, find_superblock
from inspector.checkpoints.model import (
    ByteSource,
    Checkpoint,
    Finding,
    PathPart,
    TensorEntry,
    ValueEntry,
)
from inspector.checkpoints.naming import Names, display_text
from inspector.checkpoints.sources import LocalFile
from inspector.checkpoints.walk import tensor_problems

#: Groups within groups; more are not looked into.
_MAX_DEPTH: Final = 256

_MAX_VALUES: Final = 100_000

#: Findings about damaged groups, at most.
_MAX_FINDINGS: Final = 100

#: Attributes of a dataset that are shown with it.
_MAX_DETAILS: Final = 16

#: Bytes that entries and their names may take: this, and so many for each byte of the file.
_ALLOWANCE: Final = 16 << 20
_ALLOWANCE_PER_BYTE: Final = 16
_ENTRY_COST: Final = 500

#: Objects between two calls of ``check``.
_ROUND: Final = 32

#: Characters of a model's configuration that are shown.
_MAX_CONFIG: Final = 1 << 16

#: Attributes of the root by which Keras is known.
_KERAS: Final = frozenset({"keras_version", "layer_names", "model_config"})

Path = tuple[PathPart, ...]


def sniff(head: bytes, source: ByteSource) -> bool:
    """Whether there is an HDF5 superblock, at the beginning or behind a user's block."""
    return find_superblock(source) is not None


def open_file(file: LocalFile, check: Callable[[], None]) -> Checkpoint:
    """List an HDF5 file.

    Raises
    ------
    CheckpointError
        If its superblock or its root group is damaged.
    """
    listing = Listing(Pages(file), check)
    listing.run()
    return Checkpoint(
        path=file.path,
        format="Keras HDF5" if listing.is_keras else "HDF5",
        size=file.size,
        entries=listing.entries,
        values=listing.values,
        metadata=listing.metadata,
        findings=listing.findings(),
        sources=(file,),
    )


class Listing:
    """Everything that is in an HDF5 file.

    Parameters
    ----------
    pages
        The file.
    check
        Called now and then; may raise `Cancelled`.

    Attributes
    ----------
    is_keras
        Whether Keras wrote it, as far as the root's attributes tell.

    Raises
    ------
    CheckpointError
        If there is no superblock that can be read.
    """

    def __init__(self, pages: Pages, check: Callable[[], None]) -> None:
        self.entries: Final[list[TensorEntry]] = []
        self.values: Final[list[ValueEntry]] = []
        self.metadata: Final[dict[str, str]] = {}
        self.is_keras = False
        self._check: Final = check
        self._block: Final = Superblock(pages)
        self._space: Final = self._block.space
        self._heap: Final = GlobalHeap(self._space)
        self._names: Final = Names()
        self._findings: Final[list[Finding]] = []
        self._groups: Final[dict[int, str]] = {}
        self._datasets: Final[dict[int, tuple[Dataset, dict[str, str]]]] = {}
        self._waiting: Final[list[tuple[Path, Link]]] = []
        self._allowance = _ALLOWANCE + _ALLOWANCE_PER_BYTE * pages.source.size
        self._hidden = 0

    def run(self) -> None:
        """List it.

        Raises
        ------
        CheckpointError
            If the root group can not be read.
        """
        size, end = self._space.base + self._space.size, self._block.end
        self.metadata["HDF5 superblock version"] = str(self._block.version)
        if size < end:
            self._note(
                f"The file is cut short: it should have {end:,} bytes, and has {size:,}. "
                "The download or the copy did not finish; get it again."
            )
        root = ObjectHeader(self._space, self._block.root)
        self._root_attributes(root)
        self._groups[self._block.root] = "/"
        self._group((), root)
        count = 0
        while self._waiting:
            path, link = self._waiting.pop()
            if count % _ROUND == 0:
                self._check()
            count += 1
            self._allowance -= sum(len(str(part)) + 8 for part in path) + _ENTRY_COST
            if self._allowance < 0:
                self._note("The list ends early: it would take much more memory than the file.")
                return
            try:
                self._link(path, link)
            except CheckpointError as error:
                self._note(error.message, _joined(path))

    def findings(self) -> list[Finding]:
        """What was noticed."""
        found = self._findings[:_MAX_FINDINGS]
        for count, message in (
            (len(self._findings) - len(found), "more parts of the file can not be read"),
            (self._hidden, "more plain values are not listed"),
        ):
            if count > 0:
                found.append(Finding("warning", f"{count:,} {message}."))
        return found + tensor_problems(self.entries)

    def _note(self, message: str, where: str = "") -> None:
        self._findings.append(Finding("warning", message, display_text(where)))

    def _link(self, path: Path, link: Link) -> None:
        if link.kind != "hard":
            place = "" if link.kind == "soft" else ", which is not followed"
            self._value(path, f"{link.kind} link", f"→ {link.target}{place}")
            return
        address = link.address
        if address in self._groups:
            self._value(path, "hard link", f"→ the group {self._groups[address]}")
        elif address in self._datasets:
            self._dataset(path, *self._datasets[address])
        else:
            header = ObjectHeader(self._space, address)
            if is_dataset(header):
                found = read_dataset(header, self._heap), self._details(path, header)
                self._datasets[address] = found
                self._dataset(path, *found)
            elif is_group(header):
                self._groups[address] = display_text("/" + _joined(path))
                self._group_attributes(path, header)
                self._group(path, header)
            else:
                self._value(path, "datatype", "(a type of its own)")

    def _group(self, path: Path, header: ObjectHeader) -> None:
        """Put the links of a group on the list of what is to be done."""
        links = Links(header)
        if links.problem:
            self._note(f"A group can not be read to its end. {links.problem}", _joined(path) or "/")
        if len(path) >= _MAX_DEPTH:
            if links.found:
                self._note(f"Groups lie deeper than {_MAX_DEPTH} levels and are not listed.")
            return
        self._waiting.extend(((*path, link.name), link) for link in reversed(links.found))

    def _dataset(self, path: Path, dataset: Dataset, attributes: dict[str, str]) -> None:
        if dataset.value is not None:
            self._value(path, *dataset.value)
            return
        self.entries.append(
            TensorEntry(
                name=self._names.unique(_joined(path)),
                path=path,
                dtype=dataset.dtype,
                shape=dataset.shape,
                stride=contiguous(dataset.shape),
                storage=dataset.storage,
                details={**dict(dataset.details), **attributes},
                problem=dataset.problem,
            )
        )

    def _attributes(self, path: Path, header: ObjectHeader) -> list[Attribute]:
        found, problem = read_attributes(header, self._heap)
        if problem:
            self._note(f"Some attributes can not be read. {problem}", _joined(path) or "/")
        return found

    def _details(self, path: Path, header: ObjectHeader) -> dict[str, str]:
        found = self._attributes(path, header)[:_MAX_DETAILS]
        return {display_text(f"@{one.name}", 100): display_text(one.text, 200) for one in found}

    def _group_attributes(self, path: Path, header: ObjectHeader) -> None:
        for one in self._attributes(path, header):
            self._allowance -= sum(len(str(part)) + 8 for part in path) + _ENTRY_COST
            self._value((*path, f"@{one.name}"), one.type_name, one.text)

    def _root_attributes(self, header: ObjectHeader) -> None:
        """The root's attributes: texts are metadata, and so is all else in words."""
        for one in self._attributes((), header):
            self.is_keras = self.is_keras or one.name in _KERAS
            text = one.text
            if type(one.value) is str and one.value[:1] in "{[":
                text = json_text(one.value)
            self.metadata[display_text(one.name)] = text
            if one.name == "model_config":
                self._value(("@model_config",), one.type_name, text)

    def _value(self, path: Path, type_name: str, text: str) -> None:
        if len(self.values) >= _MAX_VALUES:
            self._hidden += 1
            return
        name = self._names.unique(_joined(path))
        self.values.append(ValueEntry(name, path, display_text(type_name), text))


def json_text(text: str) -> str:
    """A model's configuration as text that is safe to show, of bounded length."""
    return display_text(text, _MAX_CONFIG)


def _joined(path: Path) -> str:
    return "/".join(str(part) for part in path)
