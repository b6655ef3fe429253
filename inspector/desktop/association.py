"""Opening checkpoints by double-click, for the user who asks for it, on the system that runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from inspector.desktop.program import this_program
from inspector.desktop.report import Report


def is_registered() -> bool:
    """Whether checkpoints open by double-click with an installation of this program that is there.

    Looks at a few files, or keys of the registry. On any thread.
    """
    if sys.platform == "win32":
        from inspector.desktop import registry, windows

        return windows.is_registered(registry.UserHive())
    if sys.platform == "darwin":
        from inspector.desktop import macos

        return macos.is_registered(macos.bundle_path())
    from inspector.desktop import linux

    return linux.is_registered(linux.user_places())


def set_registered(wanted: bool) -> Report:
    """Make checkpoints open by double-click with the program that runs, or take that back.

    May take seconds, in which the desktop's tools run: not on a window's thread. Doing it again is
    safe; what is right stays as it is.

    Returns
    -------
    Report
        What was done.

    Raises
    ------
    InspectorError
        If something is in the way, or the system refuses.
    """
    if sys.platform == "win32":
        from inspector.desktop import registry, windows

        hive = registry.UserHive()
        return windows.register(this_program(), hive) if wanted else windows.unregister(hive)
    if sys.platform == "darwin":
        from inspector.desktop import macos

        bundle = macos.bundle_path()
        if wanted:
            return macos.register(this_program(), bundle, _succeeds)
        return macos.unregister(bundle, _succeeds)
    from inspector.desktop import linux

    places = linux.user_places()
    return linux.register(this_program(), places) if wanted else linux.unregister(places)


def _succeeds(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
