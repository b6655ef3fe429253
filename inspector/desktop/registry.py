"""The registry of Windows, behind the few words that `windows` needs. Exists on Windows alone."""

from __future__ import annotations

import ctypes
import sys
import winreg
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from inspector.checkpoints.errors import InspectorError

assert sys.platform == "win32"

_CHANGE: Final = winreg.KEY_READ | winreg.KEY_WRITE

#: What `SHChangeNotify` is told: that associations have changed; and that nothing else follows.
_SHCNE_ASSOCCHANGED: Final = 0x08000000
_SHCNF_IDLIST: Final = 0


class UserHive:
    """HKEY_CURRENT_USER, as a `windows.Hive`."""

    def read(self, key: str, name: str) -> str | None:
        return _text(winreg.HKEY_CURRENT_USER, key, name)

    def opener(self, suffix: str) -> str:
        # The user's part before everybody's, as the Explorer sees them.
        return _text(winreg.HKEY_CLASSES_ROOT, suffix, "") or ""

    def write(self, key: str, name: str, text: str) -> None:
        with _words(key), winreg.CreateKeyEx(winreg.HKEY_CURRENT_USER, key, 0, _CHANGE) as opened:
            winreg.SetValueEx(opened, name, 0, winreg.REG_SZ, text)

    def remove_value(self, key: str, name: str) -> bool:
        with _words(key):
            try:
                with winreg.OpenKey(winreg.HKEY_CURRENT_USER, key, 0, _CHANGE) as opened:
                    winreg.DeleteValue(opened, name)
            except FileNotFoundError:
                return False
        return True

    def remove_key(self, key: str) -> bool:
        with _words(key):
            try:
                with winreg.OpenKey(winreg.HKEY_CURRENT_USER, key, 0, _CHANGE) as opened:
                    below = [winreg.EnumKey(opened, at) for at in range(_counts(opened)[0])]
            except FileNotFoundError:
                return False
            for name in below:
                self.remove_key(rf"{key}\{name}")
            winreg.DeleteKey(winreg.HKEY_CURRENT_USER, key)
        return True

    def prune(self, key: str) -> None:
        with _words(key):
            try:
                with winreg.OpenKey(winreg.HKEY_CURRENT_USER, key, 0, _CHANGE) as opened:
                    is_empty = _counts(opened) == (0, 0)
            except FileNotFoundError:
                return
            if is_empty:
                winreg.DeleteKey(winreg.HKEY_CURRENT_USER, key)

    def announce(self) -> None:
        ctypes.windll.shell32.SHChangeNotify(_SHCNE_ASSOCCHANGED, _SHCNF_IDLIST, None, None)


def _counts(key: winreg.HKEYType) -> tuple[int, int]:
    """How many keys and values are in a key."""
    keys, values, _ = winreg.QueryInfoKey(key)
    return keys, values


def _text(root: int, key: str, name: str) -> str | None:
    with _words(key):
        try:
            with winreg.OpenKey(root, key) as opened:
                value, kind = winreg.QueryValueEx(opened, name)
        except FileNotFoundError:
            return None
    # The Explorer's own notes have no kind and no text; that they are there is what counts.
    return value if kind in (winreg.REG_SZ, winreg.REG_EXPAND_SZ) else ""


@contextmanager
def _words(key: str) -> Iterator[None]:
    """Say in words what the registry refuses."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise InspectorError(
            rf"HKEY_CURRENT_USER\{key} cannot be changed: {error.strerror or error}.",
            advice="Your computer may be managed by somebody who does not allow it.",
        ) from error
