"""The open files with the trees that are grown for them, and what names stand for in them."""

from __future__ import annotations

from collections.abc import Sequence

from inspector.checkpoints.model import TensorEntry
from inspector.gui.opened import Choice, OpenFile
from inspector.gui.tree_nodes import FileTree, RowKey


class OpenTrees:
    """Knows the files, and their trees as far as they are grown."""

    def __init__(self) -> None:
        self.files: tuple[OpenFile, ...] = ()
        self.trees: dict[int, FileTree] = {}

    def set_files(self, files: Sequence[OpenFile]) -> set[int]:
        """Take over the files, and forget the trees of others. The files' numbers."""
        self.files = tuple(files)
        numbers = {file.number for file in files}
        self.trees = {number: tree for number, tree in self.trees.items() if number in numbers}
        return numbers

    def keep(self, tree: FileTree) -> None:
        """A tree was grown; it counts if its file is still the one that is open."""
        if any(file is tree.file for file in self.files):
            self.trees[tree.file.number] = tree

    def file(self, number: int) -> OpenFile | None:
        """A file by number."""
        return next((file for file in self.files if file.number == number), None)

    def tree(self, file: OpenFile) -> FileTree | None:
        """A file's tree if it is grown already."""
        tree = self.trees.get(file.number)
        return tree if tree is not None and tree.file is file else None

    def entry(self, file: OpenFile, name: str) -> TensorEntry | None:
        """A tensor, or a part of one, by name."""
        tree = self.tree(file)
        if tree is not None:
            node = tree.positions["tensor"].get(name)
            item = None if node is None else tree.items[node]
            return item if isinstance(item, TensorEntry) else None
        return _named(file, name)

    def key(self, file: OpenFile, name: str | None) -> RowKey | None:
        """The key of a file (without a name) or an entry; None if there is no such entry.

        As long as a file is not read, any name is taken for a tensor's.
        """
        if name is None:
            return RowKey(file.number, "file", "")
        if file.checkpoint is None or self.entry(file, name) is not None:
            return RowKey(file.number, "tensor", name)
        if any(value.name == name for value in file.checkpoint.values):
            return RowKey(file.number, "value", name)
        return None

    def choice(self, key: RowKey | None) -> Choice | None:
        """What is chosen where a row of this key is."""
        file = None if key is None else self.file(key.number)
        if key is None or file is None:
            return None
        entry = self.entry(file, key.name) if key.kind == "tensor" else None
        return Choice(file, entry, self._sharers(file, entry))

    def _sharers(self, file: OpenFile, entry: TensorEntry | None) -> tuple[str, ...]:
        tree = self.tree(file)
        if tree is None or entry is None or entry.storage is None:
            return ()
        return tree.shared.get(id(entry.storage), ())


def _named(file: OpenFile, name: str) -> TensorEntry | None:
    for entry in file.checkpoint.entries if file.checkpoint is not None else ():
        if entry.name == name:
            return entry
        if entry.components and name.startswith(entry.name):
            part = next((part for part in file.parts_of(entry) if part.name == name), None)
            if part is not None:
                return part
    return None
