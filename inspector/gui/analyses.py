"""What was counted of tensors: kept, in case it is looked at again, and counted for the levels."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from typing import Final, TypeAlias

from PySide6.QtCore import QObject, Signal

from inspector.analysis.summary import Analysis
from inspector.gui.identity import identity_of
from inspector.gui.tasks import Request, Task, TaskRunner
from inspector.gui.text import Texts
from inspector.values.arrays import ArraySource
from inspector.values.regions import Region

LevelTexts = Texts("LevelTexts")

#: Results that are kept.
_KEPT: Final = 200

_LANE: Final = "whole statistics"


#: An analysis, and the `identity_of` what it was made of.
Counted: TypeAlias = tuple[Hashable, Analysis]

#: Counts a region, in a worker.
Analyse: TypeAlias = Callable[[ArraySource, Region, Task], Analysis]


class KeptAnalyses:
    """The last results, by tensor and region; none of what may change, such as live tensors.

    May be used from any thread.
    """

    def __init__(self) -> None:
        self._found: Final[OrderedDict[Hashable, Analysis]] = OrderedDict()
        self._lock: Final = threading.Lock()

    def find(self, identity: Hashable, region: Region) -> Analysis | None:
        """What was counted of a region of what had an `identity_of`; None if it is not kept."""
        place = identity, region
        with self._lock:
            if place in self._found:
                self._found.move_to_end(place)
            return self._found.get(place)

    def count(self, source: ArraySource, region: Region, analyse: Analyse, task: Task) -> Counted:
        """What was counted of a region, or is counted now and kept. In a worker."""
        identity = identity_of(source)
        found = self.find(identity, region)
        if found is None:
            found = analyse(source, region, task)
            self._keep(identity, region, found)
        return identity, found

    def _keep(self, identity: Hashable, region: Region, found: Analysis) -> None:
        if identity is None:
            return
        with self._lock:
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
        analyse: Analyse,
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
        self._runner.submit(
            _LANE,
            Request(
                work=partial(self._kept.count, source, region, self._analyse),
                partial=self._tell,
                done=self._take,
                failed=self.failed.emit,
                bulk=True,
                title=LevelTexts.tr("Levels"),
            ),
        )

    def _take(self, counted: Counted) -> None:
        self._tell(counted[1])

    def _tell(self, found: Analysis) -> None:
        if found.statistics.exact:
            self.analysed.emit(found)
