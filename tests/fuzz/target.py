"""What is done to each file: open it, list it, read some of its values, close it, under watch."""

from __future__ import annotations

import codecs
import gc
import importlib
import json
import os
import pkgutil
import signal
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import inspector.checkpoints
from inspector.checkpoints import Checkpoint, InspectorError, open_checkpoint
from inspector.checkpoints.listing import to_json, to_text
from inspector.checkpoints.model import TensorEntry
from inspector.values.forms import Form, forms_of
from inspector.values.nested import pieces_of
from inspector.values.regions import Region
from inspector.values.tensors import tensor_source

from .watch import watched

#: Elements that are read of a tensor, and tensors that are read of a file, at most.
_MAX_ELEMENTS: Final = 2048
_MAX_TENSORS: Final = 40

#: Time on the processor: this, and so much for each byte of the file. Under tracemalloc, which
#: triples it.
_SECONDS: Final = 2.0
_SECONDS_PER_BYTE: Final = 40e-6

#: Memory: this, and so many bytes for each byte of the file.
_PEAK: Final = 64 << 20
_PEAK_PER_BYTE: Final = 400

#: After this time on the clock a run is ended from outside.
_HANG_SECONDS: Final = 30

#: Characters of one line of a listing; names of parts can be joined from several.
_MAX_LINE: Final = 20_000

# Formats are imported with the first file that may be of them.
for _module in pkgutil.walk_packages(inspector.checkpoints.__path__, "inspector.checkpoints."):
    importlib.import_module(_module.name)

# Python loads these when they are first used; a file that makes it do so is no attack.
for _encoding in (
    "latin1",
    "utf-8",
    "utf-16-le",
    "utf-16-be",
    "utf-32-le",
    "utf-32-be",
    "ascii",
    "raw-unicode-escape",
    "unicode-escape",
    "cp437",
    "idna",
):
    codecs.lookup(_encoding)


class HangError(BaseException):
    """The run took too long on the clock. No ``except Exception`` keeps it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run went.

    Attributes
    ----------
    format
        What the file was opened as; empty if it was refused.
    refusal
        The error that said why not, in words.
    seconds
        On the processor.
    peak
        Bytes that Python and NumPy held at once, beyond what was there before.
    complaint
        What should not have been, empty if all is well; its first line says which kind.
    """

    format: str
    refusal: str
    seconds: float
    peak: int
    complaint: str


def examine(path: Path, folder: Path | None = None) -> Outcome:
    """Do everything to a checkpoint that the program would do with it.

    Parameters
    ----------
    path
        The file, or folder, to open.
    folder
        Where the checkpoint may read; by default the folder that holds the file.
    """
    own = folder or (path if path.is_dir() else path.parent)
    size = sum(file.stat().st_size for file in (own.rglob("*") if path.is_dir() else (path,)))
    descriptors = _descriptors()
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start(1)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    began = time.process_time()
    kind, refusal, complaint = "", "", ""
    try:
        with _clock(), watched(own) as seen:
            try:
                kind, complaint = _use(path)
            except InspectorError as error:
                refusal = str(error)
                complaint = _unsafe(refusal)
    except (Exception, HangError, RecursionError) as error:  # noqa: BLE001 - that is the point
        complaint = _described(error)
        error.__traceback__ = None
    seconds = time.process_time() - began
    peak = tracemalloc.get_traced_memory()[1] - before
    if not tracing:
        tracemalloc.stop()
    complaint = complaint or _measured(seconds, peak, size)
    if seen:
        complaint = "did something to the machine: " + "; ".join(seen)
    if not complaint and _descriptors() != descriptors:
        complaint = "left a file open"
    if not complaint and not gc.isenabled():
        gc.enable()
        complaint = "left the garbage collection switched off"
    return Outcome(kind, refusal, seconds, peak, complaint)


def _use(path: Path) -> tuple[str, str]:
    """Open, list, read, close. Returns the format, and what is wrong with the listing."""
    checkpoint = open_checkpoint(path)
    try:
        complaint = _listed(checkpoint)
        for entry in _chosen(checkpoint):
            for form in forms_of(entry) or ("values",):
                complaint = complaint or _read(entry, form)
    finally:
        checkpoint.close()
    return checkpoint.format, complaint


def _listed(checkpoint: Checkpoint) -> str:
    """What is wrong with the listing."""
    json.dumps(to_json(checkpoint))
    names = [entry.name for entry in checkpoint.entries]
    if len(set(names)) != len(names):
        return "two entries have one name"
    for line in to_text(checkpoint):
        if complaint := _unsafe(line):
            return complaint
    for finding in checkpoint.findings:
        if complaint := _unsafe(finding.message):
            return complaint
    for entry in checkpoint.entries:
        storage = entry.storage
        if storage is None or entry.problem:
            continue
        if storage.offset < 0 or storage.offset + storage.nbytes > storage.source.size:
            return f"a storage reaches beyond its source: {entry.name!r}"[:200]
    return ""


def _unsafe(text: str) -> str:
    """Why a text should not be shown."""
    if len(text) > _MAX_LINE:
        return f"shows {len(text):,} characters in a line"
    if not text.isprintable():
        bad = sorted({character for character in text if not character.isprintable()})
        # Spaces of all kinds, private characters and unassigned ones harm nobody.
        bad = [character for character in bad if _is_unsafe(character)]
        if bad:
            return f"shows unsafe characters: {bad[:5]!r} in {text[:200]!r}"
    return ""


def _is_unsafe(character: str) -> bool:
    code = ord(character)
    return code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or code in _MARKS


_MARKS: Final = frozenset((*range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070)))


def _chosen(checkpoint: Checkpoint) -> Iterator[TensorEntry]:
    """The first tensors, and their parts."""
    for entry in checkpoint.entries[:_MAX_TENSORS]:
        yield entry
        yield from entry.components[:4]
        if entry.kind == "nested":
            with suppress(InspectorError):
                yield from pieces_of(entry)[:4]


def _read(entry: TensorEntry, form: Form) -> str:
    """Read the first and last elements along each axis. Returns what is wrong with them."""
    try:
        source = tensor_source(entry, form)
        for last in (False, True):
            region = _corner(source.shape, last)
            array = source.read(region)
            if array.shape != region.shape:
                return f"a read of {region.shape} gave {array.shape}"
            source.read_raw(region)
    except InspectorError as error:
        return _unsafe(str(error))
    return ""


def _corner(shape: tuple[int, ...], last: bool) -> Region:
    """A region of up to some elements at the beginning or the end."""
    left, axes = _MAX_ELEMENTS, []
    for length in shape:
        count = min(length, left)
        left = max(1, left // max(1, count))
        start = length - count if last else 0
        axes.append(range(start, start + count))
    return Region(tuple(axes))


def _measured(seconds: float, peak: int, size: int) -> str:
    if seconds > _SECONDS + _SECONDS_PER_BYTE * size:
        return f"took {seconds:.1f} s for {size:,} bytes"
    if peak > _PEAK + _PEAK_PER_BYTE * size:
        return f"took {peak:,} bytes of memory for {size:,} bytes"
    return ""


def _described(error: BaseException) -> str:
    """The error, and the innermost lines of ours that it went through."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "inspector" in Path(code.co_filename).parts:
            places.append(f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return f"{type(error).__name__} in {' < '.join(reversed(places[-6:]))}: {str(error)[:300]}"


def _descriptors() -> int:
    """How many files this process has open; 0 where nothing tells."""
    try:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - without a Path for each
    except OSError:
        return 0


@contextmanager
def _clock() -> Iterator[None]:
    """End what takes too long, where signals can."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise HangError(f"did not end within {_HANG_SECONDS} s")

    old = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, _HANG_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
