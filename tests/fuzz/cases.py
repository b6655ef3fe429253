"""A checkpoint as the bytes of its files: made by the seeds, mutated, written to be opened."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from .mutations import mutate

#: What else the names of files in a folder may become.
_NAMES: Final = ("model.safetensors", "latest", ".metadata", "a\nb.pt", "x" * 200)


@dataclass(frozen=True, slots=True)
class Case:
    """One checkpoint.

    Attributes
    ----------
    format
        The key of its seeds.
    files
        Content by path, relative to the checkpoint's own folder.
    opened
        Which of them is opened; empty for the folder.
    """

    format: str
    files: dict[str, bytes]
    opened: str

    @classmethod
    def read(cls, kind: str, folder: Path, opened: Path) -> Case:
        """What a seed wrote into a folder."""
        files = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        return cls(kind, files, "" if opened == folder else str(opened.relative_to(folder)))

    def write(self, folder: Path) -> Path:
        """Make the folder hold these files and no others. Returns what is to be opened."""
        if len(self.files) > 1 or not self.opened:
            shutil.rmtree(folder, ignore_errors=True)
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder / self.opened

    def mutated(self, rng: Random, others: tuple[bytes, ...]) -> Case:
        """The same with a change in one of the files, or among the files."""
        files = dict(self.files)
        name = rng.choice(list(files))
        if len(files) > 1:
            # What is opened tells of the others; it is worth more tries than the rest.
            name = rng.choice((name, self.opened or name))
            action = rng.randrange(20)
            if action == 0 and name != self.opened:
                del files[name]
                return Case(self.format, files, self.opened)
            if action == 1 and name != self.opened:
                new = rng.choice((*_NAMES, *files))
                files[new] = files.pop(name)
                return Case(self.format, files, self.opened)
            if action == 2:
                files[name] = rng.choice(list(files.values()))
        files[name] = mutate(rng, files[name], others)
        return Case(self.format, files, self.opened)


def seed_cases(root: Path, formats: tuple[str, ...] = ()) -> list[Case]:
    """The seeds of some formats (by default of all), written below ``root`` and read again."""
    from .seeds import SEEDS  # needs torch, which those who only use cases do without

    cases = []
    for kind in formats or tuple(SEEDS):
        for number, write in enumerate(SEEDS[kind]):
            folder = root / f"{kind}-{number}"
            folder.mkdir(parents=True)
            cases.append(Case.read(kind, folder, write(folder)))
    return cases
