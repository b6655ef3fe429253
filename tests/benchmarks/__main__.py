"""``python -m tests.benchmarks [--quick] [--dir FOLDER]``: a table in Markdown.

Each row is measured beside its reference in the same run; the best of several runs counts. Files
are warm in the page cache.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import torch
from safetensors.torch import save_file

from inspector.checkpoints import open_checkpoint
from inspector.export.formats import format_named
from inspector.export.parts import part_of
from inspector.export.run import export_plan, plan_export
from inspector.values.live import live_checkpoint
from inspector.values.regions import Region
from inspector.values.tensors import tensor_source
from tests.benchmarks.bounds import measure_choosing, measure_frames
from tests.benchmarks.measuring import best, ignore, never, process, row, stored
from tests.benchmarks.passes import measure_passes

START = Path(__file__).parent / "start.py"
HEARTBEAT = Path(__file__).parent / "heartbeat.py"
SCROLLING = Path(__file__).parent / "scrolling.py"
#: Prints a process's peak resident memory in KiB (Linux). Unlike `getrusage`, it does not count
#: the process that started it.
MEMORY = "print(next(line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line))"

#: Exports a tensor from the command line.
EXPORT = (
    "import sys; from inspector.cli import main;"
    "main([sys.argv[1], '--export', 'w', '--output', sys.argv[2]]);"
)
#: What the references of exports are made with.
LIBRARIES = "import sys, torch, numpy as np; from safetensors.torch import save_file;"


def until_printed(*command: str) -> float:
    """Seconds from the start of a process to the first line that it prints."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    since = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as started:
        assert started.stdout is not None
        line = started.stdout.readline()
        taken = time.perf_counter() - since
        started.stdout.read()
    if '"tensors": 1000' not in line:
        raise RuntimeError(f"the window did not list its tensors: {line!r}")
    return taken


def measure_start(folder: Path, times: int) -> None:
    """From the process's start to the painted list."""
    path = folder / "thousand.pt"
    torch.save({f"a{n // 10}.w{n % 10}": torch.ones(2) for n in range(1000)}, path)
    ours = min(until_printed(str(START), str(path)) for _ in range(times))
    reference = best(lambda: process("-c", "import torch"), times)
    row("start to painted list of 1,000 tensors / import torch", ours, reference, "<= 0.5")


def measure_listing(folder: Path, times: int, *, quick: bool) -> None:
    """Many tensors, and a large file."""
    path = folder / "many.pt"
    count = 5_000 if quick else 50_000
    torch.save({f"a{n // 10}.w{n % 10}": torch.ones(2) for n in range(count)}, path)
    ours = best(lambda: open_checkpoint(path).close(), times)
    reference = best(lambda: torch.load(path, mmap=True, weights_only=True), times)
    row(f"listing {count:,} tensors / torch.load(mmap)", ours, reference, "<= 0.25")
    large = folder / "layers.pt"
    size = 90 if quick else 900
    torch.save({f"layers.{n}.w": torch.zeros(556, 1024) for n in range(size)}, large)
    ours = best(lambda: open_checkpoint(large).close(), times)
    reference = best(lambda: torch.load(large, mmap=True, weights_only=True), times)
    megabytes = large.stat().st_size / 1e6
    row(f"listing {size} tensors, {megabytes:,.0f} MB / torch.load(mmap)", ours, reference, "15 ms")
    listing = "import sys; from inspector.checkpoints import open_checkpoint as o; o(sys.argv[1]);"
    ours = int(process("-c", listing + MEMORY, str(large))) / 1024
    loading = "import sys, torch; torch.load(sys.argv[1], mmap=True);"
    reference = int(process("-c", loading + MEMORY, str(large))) / 1024
    row("peak memory of that listing / torch.load(mmap)", ours, reference, "< 40 MiB", "MiB")
    large.unlink()


def measure_huge(folder: Path, times: int) -> None:
    """Files of any size, beside small ones with as many tensors. They are holes, mostly."""
    count = 200

    def listed(path: Path) -> float:
        taken = best(lambda: open_checkpoint(path).close(), max(times, 5))
        path.unlink()
        return taken

    huge, small = folder / "huge.pt", folder / "small.pt"
    with torch.serialization.skip_data():
        torch.save({f"l{n}.w": torch.empty(1024, 8192) for n in range(count)}, huge)
    torch.save({f"l{n}.w": torch.empty(8, 8) for n in range(count)}, small)
    size = f"{huge.stat().st_size / 1e9:.1f} GB"
    ours, reference = listed(huge), listed(small)
    row(f"listing {count} tensors in {size} of torch zip / a small file", ours, reference, "1")
    for path, rows in ((huge, 1 << 17), (small, 8)):
        each = rows * 1024 * 4
        header = json.dumps(
            {
                f"l{n}.w": {
                    "dtype": "F32",
                    "shape": [rows, 1024],
                    "data_offsets": [n * each, (n + 1) * each],
                }
                for n in range(count)
            }
        ).encode()
        with path.open("wb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            file.truncate(8 + len(header) + count * each)
    size = f"{huge.stat().st_size / 1e9:.0f} GB"
    ours, reference = listed(huge), listed(small)
    row(f"listing {count} tensors in {size} of safetensors / a small file", ours, reference, "1")


def measure_values(folder: Path, times: int, side: int) -> None:
    """From a file to an array."""
    path = folder / "values.pt"
    torch.save({"w": torch.randn(side, side)}, path)
    page = Region((range(1000, 1060), range(500, 520)))
    ours = best(lambda: stored(path, "w").read(page), times)
    reference = best(
        lambda: torch.load(path, mmap=True, weights_only=True)["w"][1000:1060, 500:520].clone(),
        times,
    )
    row("open, and first page of 60 x 20 / torch.load(mmap)", ours, reference, "")
    source = stored(path, "w")
    whole = Region.whole(source.shape)
    plain = folder / "plain.bin"
    plain.write_bytes(bytes(side * side * 4))
    ours = best(lambda: source.read(whole), times)
    reference = best(lambda: np.fromfile(plain, np.float32), times)
    row(f"{side * side >> 18} MiB float32 to an array / np.fromfile", ours, reference, "<= 1.3")
    half = folder / "half.pt"
    torch.save({"w": torch.randn(2 * side, side).bfloat16()}, half)
    source = stored(half, "w")
    raw = source.read_raw(Region.whole(source.shape))
    ours = best(lambda: source.dtype.widen(raw), times)
    theirs = torch.from_numpy(raw.copy()).view(torch.bfloat16)
    reference = best(lambda: theirs.to(torch.float32), times)
    row("bfloat16 widened / torch, two threads", ours, reference, "<= 1")
    bits = raw.view(ml_dtypes.bfloat16)
    row("bfloat16 widened / ml_dtypes", ours, best(lambda: bits.astype(np.float32), times), "<= 1")


def measure_export(folder: Path, times: int, side: int) -> None:
    """From a file to a .npy."""
    path, copy = folder / "values.pt", folder / "copy.bin"
    entry = stored(path, "w").entry
    target = folder / "out.npy"

    def copied() -> None:
        shutil.copyfile(path, copy)
        with copy.open("rb+") as file:
            os.fsync(file.fileno())

    def exported() -> None:
        plan = plan_export(format_named("npy"), [part_of(entry)])
        export_plan(plan, target, check=never, progress=ignore)

    ours = best(exported, times)
    what = f"export of {side * side >> 18} MiB / copying the file, both with fsync"
    row(what, ours, best(copied, times), "<= 1.43")
    ours = int(process("-c", EXPORT + MEMORY, str(path), str(target)).split()[-1]) / 1024
    loading = (
        "import sys, torch, numpy as np;"
        "np.save(sys.argv[2], torch.load(sys.argv[1], mmap=True)['w'].numpy());"
    )
    reference = int(process("-c", loading + MEMORY, str(path), str(target))) / 1024
    row("peak memory of that export / torch and np.save", ours, reference, "< 300 MiB", "MiB")
    measure_formats(folder, times, side)


def measure_formats(folder: Path, times: int, side: int) -> None:
    """From a file to the formats that have a writer elsewhere, given the tensor as torch has it."""
    path = folder / "values.pt"
    entry = stored(path, "w").entry
    tensor = torch.load(path, mmap=True, weights_only=True)["w"]
    size = f"{side * side >> 18} MiB"
    loaded = "torch.load(sys.argv[1], mmap=True)['w']"
    for name, theirs, write, program in (
        (
            "npz",
            "np.savez",
            lambda target: np.savez(target, w=tensor.numpy()),
            f"np.savez(sys.argv[2], w={loaded}.numpy());",
        ),
        (
            "safetensors",
            "save_file",
            lambda target: save_file({"w": tensor}, target),
            f"save_file({{'w': {loaded}}}, sys.argv[2]);",
        ),
    ):
        target = folder / f"out.{name}"

        def exported(name: str = name, target: Path = target) -> None:
            plan = plan_export(format_named(name), [part_of(entry)])
            export_plan(plan, target, check=never, progress=ignore)

        def written(write: Callable[[Path], object] = write, target: Path = target) -> None:
            write(target)
            with target.open("rb+") as file:
                os.fsync(file.fileno())

        what = f"export of {size} as {name} / {theirs} of the loaded tensor, both with fsync"
        row(what, best(exported, times), best(written, times), "")
        ours = int(process("-c", EXPORT + MEMORY, str(path), str(target)).split()[-1]) / 1024
        program = (
            f"import sys, torch, numpy as np; from safetensors.torch import save_file;{program}"
        )
        reference = int(process("-c", program + MEMORY, str(path), str(target))) / 1024
        row(f"peak memory of that export / torch and {theirs}", ours, reference, "< 100 MiB", "MiB")
        target.unlink()


def measure_live(times: int, side: int) -> None:
    """Tensors of the running program, on the processor and on a GPU if there is one."""
    tensor = torch.randn(side, side)
    (entry,) = live_checkpoint(tensor).entries
    source = tensor_source(entry)
    whole = Region.whole(source.shape)
    size = f"{side * side >> 18} MiB float32"
    ours = best(lambda: source.read(whole), times)
    row(f"{size} in memory to an array / copy", ours, best(tensor.clone, times), "<= 1.3")
    model = torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(5000)))
    ours = best(lambda: live_checkpoint(model).close(), times)
    row("listing 10,000 parameters / state_dict", ours, best(model.state_dict, times), "")
    if not torch.cuda.is_available():
        return
    there = tensor.cuda()
    (entry,) = live_checkpoint(there).entries
    assert entry.storage is not None
    reads, target = entry.storage.source, memoryview(bytearray(entry.nbytes))
    pinned = torch.empty_like(tensor, pin_memory=True)

    def copied() -> None:
        pinned.copy_(there)
        torch.cuda.synchronize()

    ours = best(lambda: reads.read_into(0, target), times)
    reference = best(copied, times)
    row(f"{size} from the GPU / copy_ into pinned memory", ours, reference, "<= 1.25")


def measure_heartbeat(folder: Path, times: int, *, quick: bool) -> None:
    """The longest time for which the window's event loop waits. The worst of several runs."""
    path, side = folder / "gigabyte.pt", 2048 if quick else 16384
    torch.save(
        {
            "big": torch.randn(side, side),
            "half": torch.randn(4096, 4096).bfloat16(),
            "conv": torch.randn(64, 64, 3, 3),
        },
        path,
    )
    runs = [
        json.loads(process(str(HEARTBEAT), str(path), str(folder / "beat.npy")))
        for _ in range(times)
    ]
    size = f"{path.stat().st_size / 1e9:.1f} GB"
    for stage, what in (
        ("start", "while the views are built"),
        ("open", f"while {size} are opened, drawn and counted"),
        ("choose", "while tensors are chosen in turn"),
        ("export", "while one is exported"),
    ):
        worst = max(run[stage] for run in runs) / 1e3
        row(f"longest gap of the event loop {what} / one frame", worst, 1 / 60, "50 ms")
    path.unlink()


def measure_scrolling(times: int) -> None:
    """How fast the grid turns its pages, wherever they are. The best of several runs."""
    ours, reference = (
        max(json.loads(process(str(SCROLLING), which)) for _ in range(times))
        for which in ("grid", "table")
    )
    what = "scrolling pages a second at 2^40 elements / QTableView of 10^7 rows"
    row(what, ours, reference, ">= 0.5", "pages/s")


def measure(folder: Path, *, quick: bool) -> None:
    """Every row."""
    times, side = (2, 2048) if quick else (5, 8192)
    print("| what | ours | reference | ratio | aim |\n| --- | --- | --- | --- | --- |")
    measure_start(folder, times)
    measure_heartbeat(folder, times, quick=quick)
    measure_scrolling(times)
    measure_choosing(folder, times, quick=quick)
    measure_frames(folder, times, quick=quick)
    measure_listing(folder, times, quick=quick)
    measure_huge(folder, times)
    measure_values(folder, times, side)
    measure_export(folder, times, side)
    measure_passes(folder, times, quick=quick)
    measure_live(times, side)


def main() -> None:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--dir", type=Path, help="where the files go for the time being")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as folder:
        measure(Path(folder), quick=options.quick)


if __name__ == "__main__":
    main()
