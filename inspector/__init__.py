"""Tensor Inspector: opens any model checkpoint and shows what is inside.

For scripts, notebooks and debuggers::

    inspector.show(model)                                   # the window, on what is in memory
    inspector.to_numpy(tensor, "[0, :, ::2]").array         # any tensor, or a part of it
    inspector.open_checkpoint("model.pt").entries           # what is in a file

Importing the package imports nothing heavy: each name is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inspector.checkpoints.errors import InspectorError
    from inspector.checkpoints.model import Checkpoint, TensorEntry
    from inspector.checkpoints.open import open_checkpoint
    from inspector.showing import show
    from inspector.values.conversion import Conversion, Step
    from inspector.values.from_python import to_numpy
    from inspector.values.regions import Region

__version__ = "0.1.0"

__all__ = [
    "Checkpoint",
    "Conversion",
    "InspectorError",
    "Region",
    "Step",
    "TensorEntry",
    "open_checkpoint",
    "show",
    "to_numpy",
]

#: Where each public name is at home.
_HOMES = {
    "Checkpoint": "inspector.checkpoints.model",
    "Conversion": "inspector.values.conversion",
    "InspectorError": "inspector.checkpoints.errors",
    "Region": "inspector.values.regions",
    "Step": "inspector.values.conversion",
    "TensorEntry": "inspector.checkpoints.model",
    "open_checkpoint": "inspector.checkpoints.open",
    "show": "inspector.showing",
    "to_numpy": "inspector.values.from_python",
}

if not TYPE_CHECKING:  # else every name would be taken for one of the package's

    def __getattr__(name: str) -> object:
        """Load a public name when it is first asked for."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value

    def __dir__() -> list[str]:
        """What there is, loaded or not."""
        return sorted({*globals(), *__all__})
