"""What is asked of both ways to go over a block: compiled loops, and NumPy's functions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from inspector.analysis import compiled


@pytest.fixture(scope="module", params=["by NumPy", "compiled"])
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have every pass done in one of the two ways, however small it is."""
    worthwhile = compiled.WORTHWHILE
    if request.param == "compiled":
        assert compiled.kernels_for(worthwhile) is not None
    compiled.WORTHWHILE = 0 if request.param == "compiled" else 1 << 62
    yield
    compiled.WORTHWHILE = worthwhile
