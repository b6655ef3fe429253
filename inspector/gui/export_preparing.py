"""What an export would be, found out in a worker before it is started."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspector.checkpoints.errors import TensorError
from inspector.export.formats import ExportFormat
from inspector.export.parts import Plan, part_of
from inspector.export.run import Place, look_at, plan_export
from inspector.gui.export_scopes import Scope
from inspector.gui.tasks import Task
from inspector.values.forms import Form


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """An export that can be started.

    Attributes
    ----------
    protected
        Files that must not be overwritten.
    left_out
        The names of those of several tensors that have no values, or not in this form.
    """

    plan: Plan
    target: Path
    place: Place
    protected: Collection[Path]
    left_out: Sequence[str] = ()


def find_out(
    scope: Scope,
    wanted: ExportFormat,
    form: Form,
    target: Path,
    protected: Collection[Path],
    task: Task,
) -> Prepared:
    """The plan for a scope, and what its target is like.

    In a worker: the scope may hold very many tensors, and a disk may be slow to answer.

    Raises
    ------
    InspectorError
        If it cannot be exported like that; it says why.
    """
    parts, left_out = [], []
    for entry in scope.entries():
        task.check()
        try:
            parts.append(part_of(entry, form, scope.region, scope.shape))
        except TensorError:
            if not scope.is_several:
                raise
            left_out.append(entry.name)
    plan = plan_export(wanted, parts)
    return Prepared(plan, target, look_at(plan, target, protected), protected, left_out)
