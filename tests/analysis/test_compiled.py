"""Which way a pass goes, and that there is one without numba."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from analysis_sources import Listener

from inspector.analysis import compiled
from inspector.analysis.summary import analyse
from inspector.analysis.tiles import plan_tile, render_tile
from inspector.values.arrays import InMemoryArray
from inspector.values.regions import Plane, Region


@pytest.fixture(params=["absent", "broken", "switched off"])
def no_numba(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """As if it were not installed, did not go with NumPy, or was told to compile nothing."""
    if request.param == "absent":
        monkeypatch.setitem(sys.modules, "numba", None)
    elif request.param == "broken":
        (tmp_path / "numba.py").write_text("raise SystemError('initialization failed')\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "numba", raising=False)
    else:
        monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    monkeypatch.delitem(sys.modules, "inspector.analysis.kernels", raising=False)
    monkeypatch.delattr("inspector.analysis.kernels", raising=False)
    compiled._kernels.cache_clear()
    yield
    compiled._kernels.cache_clear()


def test_small_passes_load_no_compiler() -> None:
    script = """
import sys
import numpy as np
from inspector.analysis.summary import analyse
from inspector.values.arrays import InMemoryArray
from inspector.values.regions import Region
numbers = np.ones((300, 400), np.float32)
heard = dict(check=lambda: None, progress=lambda _: None, partial=lambda _: None)
analyse(InMemoryArray(numbers), Region.whole(numbers.shape), **heard)
sys.exit("numba" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_which_way_depends_on_the_size_alone() -> None:
    assert compiled.kernels_for(compiled.WORTHWHILE - 1) is None
    assert compiled.kernels_for(compiled.WORTHWHILE) is not None


@pytest.mark.parametrize("kept", [0, 100])
def test_what_was_compiled_may_be_cut_off(tmp_path: Path, kept: int) -> None:
    script = """
import numpy as np
from inspector.analysis import compiled
assert compiled.kernels_for(compiled.WORTHWHILE).ends(np.arange(3.0)) == (0, 2)
"""
    command = [sys.executable, "-c", script]
    places = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run(command, env=places, check=True)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for path in files:
        os.truncate(path, kept)
    for _ in range(2):  # the first of which keeps it anew
        subprocess.run(command, env=places, check=True)
    assert all(path.stat().st_size > 100 for path in files if path.suffix == ".nbi")


@pytest.mark.usefixtures("no_numba")
def test_without_numba_everything_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "WORTHWHILE", 0)
    assert compiled.kernels_for(1) is None
    numbers = np.random.default_rng(0).standard_normal((300, 400)).astype(np.float32)
    source, listener = InMemoryArray(numbers), Listener()
    found = analyse(source, Region.whole(numbers.shape), partial=lambda _: None, **listener.both)
    assert found.statistics.maximum == numbers.max()
    assert found.quantiles is not None
    plan = plan_tile(300, 400, (0, 300), (0, 400), (50, 50))
    tile = render_tile(source, Plane.first(numbers.shape), plan, "maximum", **listener.both)
    assert tile.values.max() == numbers.max()
