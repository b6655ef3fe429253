"""PySide's types are all made, on the GUI thread, before a worker imports what asks for them."""

from __future__ import annotations

import subprocess
import sys

#: Prints how many types were missing before, and how many when the worker imported the views.
SCRIPT = """
import sys
from PySide6 import QtCore, QtGui, QtWidgets
from inspector.app import build_application
from inspector.gui import opening
from inspector.gui.main_window import MainWindow

def missing():
    modules = (QtCore, QtGui, QtWidgets)
    return sum(name not in vars(module) for module in modules for name in dir(module))

found, plain = [], opening.import_module
def import_module(name):
    found.append(missing())
    return plain(name)
opening.import_module = import_module
application, theme = build_application("light")
window = MainWindow(theme)
window.show()
found.append(missing())
timer = QtCore.QTimer(interval=5)
timer.timeout.connect(lambda: window.page is not None and application.quit())
timer.start()
application.exec()
window.close()
sys.stdout.write(repr(found))
"""


def test_they_are_made_before_the_views_are_imported() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, check=True, text=True, timeout=120
    )
    before, *then = map(int, ran.stdout.strip("[]").split(","))
    assert before > 100
    assert then
    assert not any(then)
