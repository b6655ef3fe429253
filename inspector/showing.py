"""`show`: the window on an object of the running program."""

from __future__ import annotations

import sys
import threading
from typing import Any, Final

from inspector.checkpoints.errors import InspectorError
from inspector.display import check_display

#: Other bindings of Qt. Two of them in one process have two applications, and crash.
_OTHER_BINDINGS: Final = ("PyQt5", "PyQt6", "PySide2")


def show(value: object, *, title: str = "", block: bool = True) -> None:
    """Open a window on a tensor, array, module, optimizer, state dict, or any nesting of them.

    The object is not changed. The window shows its numbers as they are when it reads them; F5
    looks at the object again. Once the window is closed, nothing holds the object any more.

    To be called in the main thread. The object is listed by a worker thread, some 50 µs a tensor;
    numbers on an accelerator are fetched when they are looked at, beside whatever it computes.

    Parameters
    ----------
    value
        What to show: dictionaries, lists, tuples, named tuples, dataclasses and namespaces are
        looked into, at any depth. A module shows its parameters and buffers, an optimizer its
        state and groups.
    title
        What to call the window, besides the object's type.
    block
        Whether to return only when the window is closed. Without it, the window lives as long as
        somebody runs Qt's event loop: ``%gui qt6`` in IPython and Jupyter.

    Raises
    ------
    InspectorError
        If there is no display, this is not the main thread, or another binding of Qt is in use.
    KeyboardInterrupt
        On Ctrl+C while it blocks; the window is closed.
    """
    if threading.current_thread() is not threading.main_thread():
        raise InspectorError(
            f"Windows live in the main thread, and this is {threading.current_thread().name}.",
            advice="Call inspector.show in the main thread.",
        )
    for binding in _OTHER_BINDINGS:
        module = sys.modules.get(f"{binding}.QtWidgets")
        if module is not None and module.QApplication.instance() is not None:
            raise InspectorError(
                f"This session's windows are {binding}'s, and two bindings of Qt crash together.",
                advice="Start it with PySide6: QT_API=pyside6, %gui qt6.",
            )
    if _application() is None:
        check_display()
    from inspector.app import show_object

    show_object(value, title, block=block)


def _application() -> Any:
    """The session's application, without importing Qt for it."""
    core = sys.modules.get("PySide6.QtCore")
    return None if core is None else core.QCoreApplication.instance()
