"""Which versions of what the program runs with, for people and for reports of errors.

Nothing is imported for it: torch alone would take a second.
"""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module
from typing import Any, Final

from inspector import __version__

#: What the program stands on: what it is called, and the name that it is installed by.
_STANDS_ON: Final = (
    ("torch", "torch"),
    ("NumPy", "numpy"),
    ("numba", "numba"),
    ("PySide6 (Qt)", "PySide6-Essentials"),
    ("pyqtgraph", "pyqtgraph"),
)


def versions() -> dict[str, str]:
    """What each part is called, and its version. Reads some files: up to a tenth of a second."""
    from importlib.metadata import PackageNotFoundError, version  # 20 ms that the start needs not

    found = {
        "tensor-inspector": __version__,
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
    }
    for name, package in _STANDS_ON:
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            found[name] = "not installed"
    found["System"] = f"{platform.platform()}, {os.cpu_count() or 1} processors"
    return found


def devices() -> str:
    """The accelerators that torch sees, if the program has a use for torch at all.

    Neither torch nor a device is woken up for it, which would take memory on the device: without
    torch there is nothing to say, and names are those of devices that are in use already.
    """
    if "torch" not in sys.modules:
        return "not asked for: torch is not in use"
    torch: Any = import_module("torch")  # waits for another thread that is importing it
    count = torch.cuda.device_count()
    if count and torch.cuda.is_initialized():
        return ", ".join(torch.cuda.get_device_name(number) for number in range(count))
    if count:
        return f"{count} CUDA"
    return "MPS" if torch.backends.mps.is_available() else "none"


def version_text() -> str:
    """What ``--version`` prints: the program's own in the first line, the others below it."""
    found = versions()
    lines = [f"tensor-inspector {found.pop('tensor-inspector')}"]
    lines += [f"{name} {text}" for name, text in found.items()]
    return "\n".join(lines)
