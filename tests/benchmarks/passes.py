"""The rows about whole passes over a tensor: statistics, histogram, quantiles, picture, profile."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from inspector.analysis.profiles import PlaneLine, plan_line, render_curve
from inspector.analysis.quantiles import SHARES
from inspector.analysis.statistics import summarise
from inspector.analysis.summary import analyse
from inspector.analysis.tiles import plan_tile, preview_tile, render_tile
from inspector.checkpoints import open_checkpoint
from inspector.export.formats import format_named
from inspector.export.parts import part_of
from inspector.export.run import export_plan, plan_export
from inspector.values.regions import Plane, Region
from inspector.values.tensors import TensorSource, tensor_source
from tests.benchmarks.measuring import best, ignore, never, row, stored

#: Elements a read, of the plain reads too.
_BLOCK = 1 << 18


def measure_passes(folder: Path, times: int, *, quick: bool) -> None:
    """Of 4 GB, where statistics and picture are what one waits for; beside NumPy's own of less."""
    for name in ("float32", "bfloat16"):
        dtype = getattr(torch, name)
        side = 4096 if quick else 32_768
        path = folder / "passes.pt"
        few = torch.randn(side // 8, side)
        torch.save({"w": few.to(dtype).repeat(8 if name == "float32" else 16, 1)}, path)
        source = stored(path, "w")
        size = f"{path.stat().st_size / 1e9:.1f} GB {name}"
        _measure_one(source, path, size, min(times, 3))
        path.unlink()
    _measure_beside_numpy(folder, times, 2048 if quick else 8192)
    _measure_transposed(folder, min(times, 3), 2048 if quick else 8192)


def _measure_one(source: TensorSource, path: Path, size: str, times: int) -> None:
    region, plane = Region.whole(source.shape), Plane.first(source.shape)
    rows, columns = source.shape
    plan = plan_tile(rows, columns, (0, rows), (0, columns), (600, 400))

    def plain() -> None:
        buffer = bytearray(_BLOCK * source.dtype.raw.itemsize)
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass

    heard = {"check": never, "progress": ignore}
    reference = best(plain, times)
    counted = best(partial(summarise, source, region, **heard), times)  # type: ignore[arg-type]
    drawn = best(partial(render_tile, source, plane, plan, "largest magnitude", **heard), times)  # type: ignore[arg-type]
    known = best(partial(analyse, source, region, partial=ignore, **heard), times)  # type: ignore[arg-type]
    row(f"statistics of {size} / plain read", counted, reference, "")
    row(f"picture of {size} / plain read", drawn, reference, "")
    row(f"statistics and picture of {size} / plain read", counted + drawn, reference, "<= 3")
    if source.dtype.raw.itemsize > 2:
        more, what = known - counted, "histogram and quantiles"
    else:  # which one pass finds with all the rest
        more, what = known, "statistics, histogram and quantiles"
    row(f"exact {what} of {size} / plain read", more, reference, "<= 8")
    sample = best(lambda: preview_tile(source, plane, plan, check=never), times)
    row("its sampled picture / plain read", sample, reference, "150 ms")
    line = PlaneLine(plane, False, columns // 2)
    down = plan_line(rows, (0, rows), 400)
    column = best(partial(render_curve, source, line, down, **heard), times)  # type: ignore[arg-type]
    row(f"profile of a column of {rows:,} / plain read", column, reference, "")


def _measure_beside_numpy(folder: Path, times: int, side: int) -> None:
    """The same figures by NumPy's own functions, of an array in memory and of a mapped file."""
    array = np.random.default_rng(0).standard_normal((side, side), np.float32)
    path = folder / "mapped.npy"
    np.save(path, array)
    (entry,) = open_checkpoint(path).entries
    source = tensor_source(entry)
    region = Region.whole(source.shape)
    size = f"{array.nbytes >> 20} MiB float32"

    def ours() -> None:
        summarise(source, region, check=never, progress=ignore)

    for what, other in (
        ("in memory", lambda: figures(array)),
        ("of np.load(mmap)", lambda: figures(np.load(path, mmap_mode="r"))),
    ):
        reference = best(other, min(times, 3))
        row(f"statistics of {size} / NumPy's own, {what}", best(ours, times), reference, "")

    def more() -> None:
        figures(array)
        np.histogram(array, 256)
        np.quantile(array, SHARES)

    def all_of_ours() -> None:
        analyse(source, region, check=never, progress=ignore, partial=ignore)

    what = f"statistics, histogram and quantiles of {size} / NumPy's own, in memory"
    row(what, best(all_of_ours, 2), best(more, 1), "")
    path.unlink()


def _measure_transposed(folder: Path, times: int, side: int) -> None:
    """What a tensor that is stored transposed costs more than the same one in C order."""
    numbers = torch.randn(side, side)
    taken: list[tuple[float, ...]] = []
    for tensor in (numbers, numbers.t()):
        path, target = folder / "order.pt", folder / "order.npy"
        torch.save({"w": tensor}, path)
        source = stored(path, "w")
        region, plane = Region.whole(source.shape), Plane.first(source.shape)
        plan = plan_tile(side, side, (0, side), (0, side), (600, 400))
        heard = {"check": never, "progress": ignore}
        wanted = plan_export(format_named("npy"), [part_of(source.entry)])
        taken.append(
            (
                best(partial(analyse, source, region, partial=ignore, **heard), times),  # type: ignore[arg-type]
                best(partial(render_tile, source, plane, plan, "mean", **heard), times),  # type: ignore[arg-type]
                best(partial(export_plan, wanted, target, **heard), times),  # type: ignore[arg-type]
            )
        )
        path.unlink()
        target.unlink()
    what = (("statistics, histogram and quantiles", "1"), ("picture", "1"), ("export", "<= 4"))
    for (name, aim), reference, turned in zip(what, *taken, strict=True):
        size = f"{side * side >> 18} MiB float32"
        row(f"{name} of {size} stored transposed / in C order", turned, reference, aim)


def figures(array: NDArray[np.float32]) -> tuple[object, ...]:
    """What the window says of a tensor, as one asks NumPy for it."""
    return (
        *(array.min(), array.argmin(), array.max(), array.argmax()),
        *(array.mean(dtype=np.float64), array.std(dtype=np.float64)),
        *(array.size - np.count_nonzero(array), np.isnan(array).sum()),
        *(np.isposinf(array).sum(), np.isneginf(array).sum()),
    )
