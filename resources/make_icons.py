"""Draws the icons that desktops want as pixels: ``python resources/make_icons.py``.

From ``icon.svg`` and ``document.svg`` come PNG pictures of the usual sizes, and of these an
``.ico`` for Windows and an ``.icns`` for macOS, which hold them as they are.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PySide6.QtCore import QBuffer, QIODevice, Qt
from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

RESOURCES = Path(__file__).parent

#: Pixels of each side. The last is for macOS alone.
SIZES = (16, 32, 48, 64, 128, 256, 512)

#: Which sizes Windows shows.
ICO_SIZES = (16, 32, 48, 64, 256)

#: What an .icns file calls a PNG picture of each size.
ICNS_KINDS = {16: b"icp4", 32: b"icp5", 64: b"icp6", 128: b"ic07", 256: b"ic08", 512: b"ic09"}


def drawn(renderer: QSvgRenderer, side: int) -> bytes:
    """The picture as PNG, of so many pixels on each side."""
    image = QImage(side, side, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    renderer.render(painter)
    painter.end()
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(buffer.data().data())


def ico(pictures: dict[int, bytes]) -> bytes:
    """The pictures as an icon for Windows; a side of 256 is written as 0."""
    chosen = [(side, pictures[side]) for side in ICO_SIZES]
    head = struct.pack("<HHH", 0, 1, len(chosen))
    offset = len(head) + 16 * len(chosen)
    for side, data in chosen:
        head += struct.pack("<BBBBHHII", side % 256, side % 256, 0, 0, 1, 32, len(data), offset)
        offset += len(data)
    return head + b"".join(data for _, data in chosen)


def icns(pictures: dict[int, bytes]) -> bytes:
    """The pictures as an icon for macOS."""
    chunks = b"".join(
        kind + struct.pack(">I", 8 + len(pictures[side])) + pictures[side]
        for side, kind in ICNS_KINDS.items()
    )
    return b"icns" + struct.pack(">I", 8 + len(chunks)) + chunks


def main() -> None:
    """Write all of them into ``icons/``."""
    application = QGuiApplication([])
    folder = RESOURCES / "icons"
    folder.mkdir(exist_ok=True)
    for name in ("icon", "document"):
        renderer = QSvgRenderer(str(RESOURCES / f"{name}.svg"))
        pictures = {side: drawn(renderer, side) for side in SIZES}
        for side in SIZES[:-1]:
            (folder / f"{name}-{side}.png").write_bytes(pictures[side])
        (folder / f"{name}.ico").write_bytes(ico(pictures))
        (folder / f"{name}.icns").write_bytes(icns(pictures))
    print(folder)
    del application


if __name__ == "__main__":
    main()
