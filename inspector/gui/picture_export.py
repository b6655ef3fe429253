"""The picture as a PNG: what is drawn, or one pixel for each cell."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Final

from PySide6.QtCore import QBuffer, QIODevice, QObject, Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog, QWidget

from inspector.analysis.tiles import Reduction, TilePlan, render_tile
from inspector.checkpoints.naming import display_text
from inspector.export.atomic import atomic_file
from inspector.export.names import file_name
from inspector.export.targets import check_target
from inspector.gui.colours import Picture, paint
from inspector.gui.heatmap import Heatmap
from inspector.gui.position import Position
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.text import Texts
from inspector.values.arrays import ArraySource
from inspector.values.regions import Plane

Exporting = Texts("Exporting")

#: Cells that become pixels of their own, at most: 64 MiB as an image in memory.
MOST_CELLS: Final = 1 << 24

_SUFFIX: Final = ".png"


class PictureExporter(QObject):
    """Writes the heatmap to a file. Lives on the GUI thread."""

    message = Signal(str)
    failed = Signal(object)

    def __init__(self, runner: TaskRunner, window: QWidget) -> None:
        super().__init__(window)
        self._runner = runner
        self._window = window

    def ask(
        self,
        heatmap: Heatmap,
        position: Position,
        name: str,
        folder: Path,
        protected: Collection[Path] = (),
    ) -> None:
        """Let the user choose a file, and whether it is as drawn or has one pixel a cell.

        Parameters
        ----------
        name
            Of the tensor.
        protected
            Files that must not be overwritten.
        """
        plane, drawn = heatmap.plane, heatmap.image()
        words = Exporting.tr("As drawn, {size} pixels", size=_size(drawn.width(), drawn.height()))
        ways = {f"{words} (*.png)": partial(_same, drawn)}
        source, overview = position.source, heatmap.overview
        if source is not None and overview is not None and plane.rows * plane.columns <= MOST_CELLS:
            size = _size(plane.columns, plane.rows)
            words = Exporting.tr("One pixel a cell, {size} pixels", size=size)
            ways[f"{words} (*.png)"] = partial(
                cells_image, source, plane, overview, heatmap.reduction
            )
        dialog = QFileDialog(self._window, Exporting.tr("Save the picture"), str(folder))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters(list(ways))
        dialog.setDefaultSuffix(_SUFFIX.removeprefix("."))
        dialog.selectFile(file_name(name, _SUFFIX))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        # A system's own dialog may not say which kind was chosen.
        dialog.fileSelected.connect(
            lambda target: self._save(
                ways.get(dialog.selectedNameFilter(), partial(_same, drawn)),
                Path(target),
                protected,
            )
        )
        dialog.open()

    def _save(
        self, make: Callable[[Task], QImage], target: Path, protected: Collection[Path]
    ) -> None:
        self._runner.submit(
            ("picture", str(target)),
            Request(
                work=partial(_write, make, target, tuple(protected)),
                done=partial(self._tell_saved, target),
                failed=self.failed.emit,
                cancelled=lambda: self.message.emit(
                    Exporting.tr("Saving the picture was cancelled")
                ),
                bulk=True,
                title=Exporting.tr("Saving {name}", name=display_text(target.name)),
            ),
        )

    def _tell_saved(self, target: Path, size: str) -> None:
        text = Exporting.tr("Saved the picture, {size} pixels, to {path}", size=size, path=target)
        self.message.emit(display_text(text))


def cells_image(
    source: ArraySource, plane: Plane, overview: Picture, reduction: Reduction, task: Task
) -> QImage:
    """A whole plane with one pixel a cell, in the colours of its overview. In a worker."""
    plan = TilePlan(range(plane.rows), range(plane.columns), 1, 1)
    tile = render_tile(source, plane, plan, reduction, check=task.check, progress=task.progress)
    pixels = paint(tile, overview.levels, overview.colouring).pixels
    height, width = pixels.shape[:2]
    form = QImage.Format.Format_RGBA8888
    # A copy, since the image does not keep the array alive.
    return QImage(pixels.data, width, height, 4 * width, form).copy()


def _same(image: QImage, _: Task) -> QImage:
    return image


def _write(
    make: Callable[[Task], QImage], target: Path, protected: Collection[Path], task: Task
) -> str:
    check_target(target, protected)
    image = make(task)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]  # its stubs want the name as bytes
    task.check()
    with atomic_file(target) as file:
        file.write(buffer.data().data())
    return _size(image.width(), image.height())


def _size(width: int, height: int) -> str:
    return f"{width:,} × {height:,}"
