"""A finding: made small, and kept as files beside a text that says how to see it again."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from .cases import Case
from .target import Outcome, examine

#: Seconds that making a finding smaller may take.
_SHRINKING: Final = 20.0


def keep_finding(findings: Path, case: Case, complaint: str) -> Path:
    """Write a finding's files, and what it is. Returns its folder."""
    digest = hashlib.sha256(key_of(case, complaint).encode()).hexdigest()[:8]
    folder = findings / f"{case.format}-{digest}"
    opened = case.write(folder / "files")
    (folder / "how.txt").write_text(
        f"format: {case.format}\ncomplaint: {complaint}\nagain: python -m tests.fuzz {opened}\n"
    )
    return folder


def key_of(case: Case, complaint: str) -> str:
    """What makes two findings the same: the format, and the complaint without its numbers."""
    head = complaint.partition(": ")[0]
    return f"{case.format} {head if ' in ' in head else re.sub(r'[0-9.,]+', 'N', head)}"


def examine_case(case: Case, folder: Path) -> Outcome:
    """Write a case and examine it."""
    return examine(case.write(folder), folder)


def make_smaller(case: Case, complaint: str, folder: Path) -> tuple[Case, str]:
    """Take away what is not needed for the same complaint, for some seconds."""
    key, end = key_of(case, complaint), time.monotonic() + _SHRINKING

    def is_same(changed: Case) -> bool:
        nonlocal complaint
        found = examine_case(changed, folder).complaint
        if not found or key_of(changed, found) != key:
            return False
        complaint = found
        return True

    for name in sorted(case.files, key=lambda name: -len(case.files[name])):
        case = _without_runs(case, name, is_same, end)
    return case, complaint


def _without_runs(case: Case, name: str, is_same: Callable[[Case], bool], end: float) -> Case:
    """Take runs of bytes out of one file, long ones first."""
    length = max(1, len(case.files[name]) // 2)
    while True:
        at = 0
        while at < len(case.files[name]):
            if time.monotonic() > end:
                return case
            content = case.files[name]
            fewer = content[:at] + content[at + length :]
            changed = Case(case.format, {**case.files, name: fewer}, case.opened)
            if is_same(changed):
                case = changed
            else:
                at += length
        if length == 1:
            return case
        length //= 2
