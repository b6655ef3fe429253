"""What was counted of tensors: kept, in case it is looked at again, and counted for the levels."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Final

from PySide6.QtCore import QObject, Signal

from inspector.analysis.summary import Analysis
from inspector.gui.kept_tiles import identity_of
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.values.arrays import ArraySource
from inspector.values.regions import Region

#: Results that are kept.
_KEPT: Final = 200

_LANE: Final = "whole statistics"


class KeptAnalyses:
    """The last results, by tensor and region; none of what may change, such as live tensors."""

    def __init__(self) -> None:
        self._found: OrderedDict[object, Analysis] = OrderedDict()

    def find(self, source: ArraySource, region: Region) -> Analysis | None:
        """What was counted of a region; None if it is not kept."""
        place = identity_of(source), region
        if place in self._found:
            self._found.move_to_end(place)
        return self._found.get(place)

    def keep(self, source: ArraySource, region: Region, found: Analysis) -> None:
        """Remember what was counted of a region."""
        identity = identity_of(source)
        if identity is not None:
            self._found[identity, region] = found
            if len(self._found) > _KEPT:
                self._found.popitem(last=False)


class WholeCount(QObject):
    """Has a whole tensor counted, while what is shown is counted of a part. On the GUI thread.

    Parameters
    ----------
    analyse
        How it is counted, in a worker.
    """

    #: An exact `Analysis` of the whole tensor.
    analysed = Signal(object)
    failed = Signal(object)

    def __init__(
        self,
        runner: TaskRunner,
        kept: KeptAnalyses,
        analyse: Callable[[ArraySource, Region, Task], Analysis],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._runner = runner
        self._kept = kept
        self._analyse = analyse
        #: Of which tensor, also when it is counted.
        self._source: ArraySource | None = None

    def count(self, source: ArraySource | None) -> None:
        """Count another tensor, once, unless it is known; None counts none."""
        if source is self._source:
            return
        self._source = source
        self._runner.supersede(_LANE)
        if source is None:
            return
        region = Region.whole(source.shape)
        known = self._kept.find(source, region)
        if known is not None:
            self.analysed.emit(known)
            return
        self._runner.submit(
            _LANE,
            Request(
                work=partial(self._analyse, source, region),
                partial=self._tell,
                done=partial(self._take, source, region),
                failed=self.failed.emit,
                bulk=True,
                title="Levels",
            ),
        )

    def _take(self, source: ArraySource, region: Region, found: Analysis) -> None:
        self._kept.keep(source, region, found)
        self._tell(found)

    def _tell(self, found: Analysis) -> None:
        if found.statistics.exact:
            self.analysed.emit(found)
