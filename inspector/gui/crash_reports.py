"""What becomes of an error that nobody expected: a report in a file, and a word in the window."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, TextIO

from PySide6.QtCore import QObject, QStandardPaths, Signal

from inspector import __version__
from inspector.desktop.program import NAME
from inspector.gui.text import Texts
from inspector.versions import versions

Crash = Texts("Crash")

#: Reports that are kept, the newest; and that one run of the program writes at most.
_KEPT: Final = 10

#: Characters of a traceback that are written: an endless recursion has a very long one.
_LONGEST: Final = 200_000

_REPORT, _FAULT = "crash", "fault"


def log_folder() -> Path:
    """Where the platform has programs of this user keep their logs."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Logs" / NAME
    kind = QStandardPaths.StandardLocation.GenericStateLocation
    return Path(QStandardPaths.writableLocation(kind)) / NAME / "log"


class CrashReports(QObject):
    """Writes a report of every error that reaches nobody, and tells of it; the program goes on.

    Of the same place in the code one report is written, and no more than some in all: a view that
    fails at each repaint must not fill the disk.

    A fault that ends the process (a segmentation fault, an abort) leaves the stacks of all threads
    in a file that is opened beforehand; the next start tells of it.

    Parameters
    ----------
    folder
        Where reports are written; made when it is needed.
    """

    #: A sentence for people, and the report. From whatever thread it was.
    reported = Signal(str, str)

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = folder
        self._seen: set[tuple[str, str, int]] = set()
        self._fault: tuple[Path, TextIO] | None = None
        self._had_handler = False
        self._before: tuple[Callable[..., object], Callable[..., object]] | None = None

    def install(self) -> None:
        """Take what Python and Qt's slots raise and nobody catches, from now on."""
        self._before = sys.excepthook, threading.excepthook
        sys.excepthook = self._take
        threading.excepthook = self._take_of_thread

    def watch_faults(self) -> None:
        """Have faults of the process leave their trace in a file, from now on."""
        path = self._folder / f"{_FAULT}-{_now()}-{os.getpid()}.txt"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = path.open("w", encoding="utf-8")
        except OSError:
            return  # as without this program
        file.write(f"{_heading()}\n")
        file.flush()
        self._had_handler = faulthandler.is_enabled()
        faulthandler.enable(file)
        self._fault = path, file

    def remove(self) -> None:
        """Leave everything as it was; the program ends."""
        if self._before is not None:
            sys.excepthook, threading.excepthook = self._before
            self._before = None
        if self._fault is not None:
            path, file = self._fault
            faulthandler.disable()
            if self._had_handler and sys.__stderr__ is not None:
                faulthandler.enable(sys.__stderr__)
            file.close()
            self._fault = None
            with suppress(OSError):
                path.unlink()

    def tell_of_last_time(self) -> None:
        """Tell of a fault that ended the program before, once."""
        found = None
        for path in sorted(self._folder.glob(f"{_FAULT}-*.txt")):
            if _is_running(path):
                continue
            with suppress(OSError):
                text = path.read_text(encoding="utf-8", errors="replace")
                if len(text.splitlines()) <= 1:  # it ended without a word, as when it is killed
                    path.unlink()
                    continue
                kept = path.with_name(path.name.replace(_FAULT, _REPORT, 1))
                path.replace(kept)
                found = kept, text
        if found is not None:
            self._keep_few()
            path, text = found
            self._tell(Crash.tr("Tensor Inspector ended unexpectedly the last time."), path, text)

    # Errors -------------------------------------------------------------------------------------

    def _take(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            self._before[0](kind, error, trace)
        if not issubclass(kind, KeyboardInterrupt):
            self._report(error, trace)

    def _take_of_thread(self, arguments: threading.ExceptHookArgs) -> None:
        if self._before is not None:
            self._before[1](arguments)
        if arguments.exc_value is not None:
            self._report(arguments.exc_value, arguments.exc_traceback)

    def _report(self, error: BaseException, trace: TracebackType | None) -> None:
        frames = traceback.extract_tb(trace)
        last = (frames[-1].filename, frames[-1].lineno or 0) if frames else ("", 0)
        place = (type(error).__name__, *last)
        if place in self._seen or len(self._seen) >= _KEPT:
            return
        self._seen.add(place)
        details = "".join(traceback.format_exception(type(error), error, trace))
        lines = [_heading(), *(f"{name}: {text}" for name, text in versions().items())]
        lines += [f"In the thread {threading.current_thread().name}:", _shortened(details)]
        text = "\n".join(lines)
        path = self._folder / f"{_REPORT}-{_now()}-{os.getpid()}-{len(self._seen)}.txt"
        self._tell(
            Crash.tr("Something went wrong inside Tensor Inspector."), self._write(path, text), text
        )

    def _write(self, path: Path, text: str) -> Path | None:
        """The file, or None if it could not be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            return None
        self._keep_few()
        return path

    def _keep_few(self) -> None:
        reports = sorted(self._folder.glob(f"{_REPORT}-*.txt"), key=lambda path: path.name)
        for path in reports[:-_KEPT]:
            with suppress(OSError):
                path.unlink()

    def _tell(self, message: str, path: Path | None, text: str) -> None:
        where = (
            Crash.tr("A report is in {path}.", path=path)
            if path
            else Crash.tr("No report of it could be written.")
        )
        request = Crash.tr("Please pass it on, with what you did.")
        self.reported.emit(f"{message} {where} {request}", text)


def _now() -> str:
    return time.strftime("%Y-%m-%d-%H%M%S", time.gmtime())


def _heading() -> str:
    return f"Tensor Inspector {__version__}, Python {sys.version.split()[0]}, {_now()} UTC"


def _shortened(text: str) -> str:
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]}\n…\n{text[-half:]}"


def _is_running(path: Path) -> bool:
    """Whether the process that a file of faults belongs to lives; it may be another of its number.

    On Windows, where that is not asked, such a file can be neither renamed nor removed.
    """
    if sys.platform == "win32":
        return False
    try:
        os.kill(int(path.stem.rsplit("-", 1)[-1]), 0)
    except (ValueError, ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    return True
