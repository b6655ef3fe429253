"""Every array of every kind of file that the fuzzer begins with has a snippet, or a reason."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import torch
from fuzz.seeds import SEEDS
from snippet_runs import run, same

from inspector.checkpoints import open_checkpoint
from inspector.checkpoints.errors import InspectorError
from inspector.checkpoints.model import TensorEntry
from inspector.export.snippet import snippet
from inspector.values.forms import Form, forms_of
from inspector.values.nested import pieces_of
from inspector.values.regions import Region, parse_region
from inspector.values.tensors import tensor_source

#: All the reasons for which there may be no snippet.
REASONS: Final = re.compile(
    r"It is in the running program, and in no file that code could read\."
    r"|There is no code of a few lines for it\. ("
    r"It is put together from [\d,]+ pieces, and code for more than 64 would be no snippet\."
    r"|It is a part of what is put together from several pieces\."
    r"|One of its pieces is compressed\."
    r"|Its bytes are compressed twice\."
    r"|The compressed data .*, and no library reads it\."
    r"|Its bytes are in a pickle within a pickle\."
    r"|Python's pickletools do not find its bytes in the pickle\."
    r"|Its numbers are not in the file as bytes of one run\."
    r"|Something is wrong with the model, which its library may refuse\.)"
    r" Export it instead\."
)

#: Runs snippets, by themselves: nothing of this program is there.
PROGRAM: Final = """
import json, sys, traceback, warnings
warnings.simplefilter("ignore")
made = []
for code in json.load(sys.stdin):
    space = {}
    try:
        exec(code, space)
        array = space["array"]
        made.append([str(array.dtype), list(array.shape), array.tobytes().hex()])
    except Exception:
        made.append([traceback.format_exc()])
assert not any(name.partition(".")[0] == "inspector" for name in sys.modules)
json.dump(made, sys.stdout)
"""


@dataclass(frozen=True)
class Case:
    """A snippet, and the array that it should make."""

    name: str
    code: str
    shown: np.ndarray

    def agrees(self, made: list[object]) -> bool:
        shown = [str(self.shown.dtype), list(self.shown.shape), self.shown.tobytes().hex()]
        return made == shown


def every(entries: Iterator[TensorEntry]) -> Iterator[TensorEntry]:
    """Entries, what they are made of, and the pieces of nested ones."""
    for entry in entries:
        yield entry
        yield from every(iter(entry.components))
        if entry.kind == "nested":
            yield from pieces_of(entry)


def regions_of(shape: tuple[int, ...]) -> list[Region]:
    texts = ["[...]"]
    if shape and 0 not in shape:
        texts += ["[-1]", "[::-1]"]
    if len(shape) > 1 and min(shape) > 1:
        texts += ["[1:, ::-1]"]
    return [parse_region(text, shape) for text in texts]


def shown_in(entry: TensorEntry, form: Form) -> Iterator[tuple[Region, np.ndarray]]:
    source = tensor_source(entry, form)
    for region in regions_of(source.shape):
        yield region, source.read(region)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    """Of every seed's file, every array in every form, whole and in part."""
    found, refused = [], []
    for kind, writers in SEEDS.items():
        for number, write in enumerate(writers):
            folder = tmp_path_factory.mktemp("seed")
            checkpoint = open_checkpoint(write(folder))
            for entry in every(iter(checkpoint.entries)):
                for form in forms_of(entry):
                    for region, shown in shown_in(entry, form):
                        name = f"{kind}[{number}] {entry.name} {form} {region}"
                        try:
                            code = snippet(checkpoint, entry, region, form)
                        except InspectorError as error:
                            refused.append(f"{name}: {error}")
                        else:
                            found.append(Case(name, code, shown))
            checkpoint.close()
    unexplained = [text for text in refused if not REASONS.fullmatch(text.partition(": ")[2])]
    assert not unexplained
    return found


@pytest.mark.filterwarnings("ignore:.*:UserWarning", "ignore:.*:FutureWarning")
def test_every_snippet_of_every_format_makes_what_is_shown(
    cases: list[Case], tmp_path: Path
) -> None:
    assert len(cases) > 1500
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM],
        input=json.dumps([case.code for case in cases]),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert len(made) == len(cases)
    wrong = [
        f"{case.name}\n{case.code}\n{''.join(map(str, result[:1]))}"
        for case, result in zip(cases, made, strict=True)
        if not case.agrees(result)
    ]
    assert not wrong, "\n".join(wrong[:5])


def test_snippets_find_files_that_were_opened_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = {"a": np.arange(3), "t": torch.arange(3.0)}
    torch.save(plain, tmp_path / "model.pt")
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(plain))
    for kind in ("distributed", "onnx", "joblib", "gguf"):
        (tmp_path / kind).mkdir()
        SEEDS[kind][0](tmp_path / kind)
    monkeypatch.chdir(tmp_path)
    for name in ("model.pt", "model.pkl", *("distributed", "onnx", "joblib", "gguf")):
        for entry in (checkpoint := open_checkpoint(Path(name))).entries:
            code = snippet(checkpoint, entry)
            with monkeypatch.context() as elsewhere:
                elsewhere.chdir("/")
                assert same(entry, "values", Region.whole(entry.shape), run(code)), code


def test_no_snippet_is_long(cases: list[Case]) -> None:
    """Half a screen: most are of five lines."""
    assert max(len(case.code.splitlines()) for case in cases) <= 25
