"""What the pointer looks like: by that, a user knows what letting go of something would do."""

from __future__ import annotations

import ctypes


class _Picture(ctypes.Structure):
    """``XFixesCursorImage``, https://www.x.org/releases/current/doc/fixesproto/fixesproto.txt."""

    _fields_ = (
        ("x", ctypes.c_short),
        ("y", ctypes.c_short),
        ("width", ctypes.c_ushort),
        ("height", ctypes.c_ushort),
        ("hot_x", ctypes.c_ushort),
        ("hot_y", ctypes.c_ushort),
        ("serial", ctypes.c_ulong),
        ("pixels", ctypes.POINTER(ctypes.c_ulong)),
        ("atom", ctypes.c_ulong),
        ("name", ctypes.c_char_p),
    )


def pointer_name(display: str) -> str:
    """The name that the program under the pointer gave to its look; empty if it gave none.

    Parameters
    ----------
    display
        The screen's name, such as ``:7``.
    """
    # Every file manager of GTK needs both.
    x11, fixes = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXfixes.so.3")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    fixes.XFixesGetCursorImage.restype = ctypes.POINTER(_Picture)
    opened = ctypes.c_void_p(x11.XOpenDisplay(display.encode()))
    assert opened, f"there is no screen {display}"
    try:
        picture = fixes.XFixesGetCursorImage(opened)
        assert picture
        name = picture.contents.name.decode()
        x11.XFree(picture)
    finally:
        x11.XCloseDisplay(opened)
    return name
