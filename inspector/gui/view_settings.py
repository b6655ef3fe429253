"""Between the settings and the controls of the views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QSplitter

from inspector.gui.settings import Settings

if TYPE_CHECKING:
    from inspector.gui.tensor_page import TensorPage


def set_sizes(splitter: QSplitter, sizes: Sequence[int]) -> None:
    """Give a splitter's parts the share of its room that they had; nothing if that is nonsense."""
    if len(sizes) == splitter.count() and any(sizes):
        splitter.setSizes(list(sizes))


def show_settings(settings: Settings, page: TensorPage) -> None:
    """Set the controls of a page that shows nothing yet."""
    controls, statistics = page.heatmap.controls, page.statistics
    controls.choose(settings.levels, settings.colour_map, settings.reduction)
    controls.logarithmic.setChecked(settings.logarithmic)
    controls.square.setChecked(settings.square)
    page.format_box.choose(settings.number_formats)
    statistics.more_box.setChecked(settings.more_figures)
    statistics.log_box.setChecked(settings.log_counts)
    views, upper = page.splitters
    set_sizes(views, settings.views_splitter)
    set_sizes(upper, settings.upper_splitter)


def with_page(settings: Settings, page: TensorPage) -> Settings:
    """The settings, with those that a page's controls show."""
    controls, statistics = page.heatmap.controls, page.statistics
    levels, colour_map, reduction = controls.choices
    views, upper = page.splitters
    return replace(
        settings,
        levels=levels,
        colour_map=colour_map,
        reduction=reduction,
        logarithmic=controls.logarithmic.isChecked(),
        square=controls.square.isChecked(),
        number_formats=page.format_box.choices,
        more_figures=statistics.more_box.isChecked(),
        log_counts=statistics.log_box.isChecked(),
        views_splitter=_sizes(views, settings.views_splitter),
        upper_splitter=_sizes(upper, settings.upper_splitter),
    )


def _sizes(splitter: QSplitter, before: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of all parts; those before, while one of them has folded away."""
    sizes = tuple(splitter.sizes())
    return sizes if all(sizes) else before
