"""What a pickle asks to import, judged. The judgement decides on a word, never on an action.

Nothing of it is imported or run, whatever the judgement: lists of dangerous names are known to be
incomplete (CVE-2025-1716 and its like), so nothing depends on this one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final, Literal

from inspector.checkpoints import import_lists as lists
from inspector.checkpoints.model import Finding, Import, Severity
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.pickle_nodes import GlobalNode

#: Parts of a name that are looked at; those in the lists have fewer.
_MAX_PARTS: Final = 8

#: Names in one finding, at most.
_MAX_NAMES: Final = 20
#: Names in the account, at most.
_MAX_LISTED: Final = 1000
_ORDER: Final = ("danger", "warning", "note", "ordinary")
#: Findings about single names, at most.
_MAX_FINDINGS: Final = 50


def judge_imports(asked_for: Sequence[GlobalNode], member: str) -> list[Finding]:
    """Findings about what a pickle asks to import.

    Parameters
    ----------
    member
        Where the pickle is, for `Finding.where`.
    """
    dangerous, doubtful, unknown = [], [], []
    for node in asked_for:
        severity = _severity(node)
        if severity == "danger":
            dangerous.append(node)
        elif severity == "warning":
            doubtful.append(node)
        elif severity == "note":
            unknown.append(node)
    findings = [
        Finding(
            "danger",
            f"This file asks to run `{_shown(node)}`; nothing was run.",
            f"{member}, byte {node.offset}",
        )
        for node in dangerous[:_MAX_FINDINGS]
    ]
    if len(dangerous) > _MAX_FINDINGS:
        rest = len(dangerous) - _MAX_FINDINGS
        findings.append(Finding("danger", f"It asks to run {rest:,} more functions; none was run."))
    if doubtful:
        findings.append(
            Finding(
                "warning",
                f"This file asks to run {_names(doubtful)}, which can be used for harm; nothing "
                "was run.",
                member,
            )
        )
    if unknown:
        findings.append(
            Finding(
                "note",
                f"{_names(unknown)} {'is' if len(unknown) == 1 else 'are'} not needed to look "
                "inside, and not imported: such objects show what they hold.",
                member,
            )
        )
    return findings


def list_imports(asked_for: Sequence[GlobalNode], member: str) -> list[Import]:
    """The plain account of what a pickle asks to import, the surprising first.

    Parameters
    ----------
    member
        Where the pickle is, for `Import.where`.
    """
    found = [
        Import(node.qualified, _severity(node) or "ordinary", member)
        for node in asked_for[:_MAX_LISTED]
    ]
    found.sort(key=lambda item: _ORDER.index(item.judgement))
    return found


def _severity(node: GlobalNode) -> Severity | Literal[""]:
    """``danger``, ``warning``, ``note``, or nothing for what tensors are made of."""
    module, name, qualified = node.module, node.name, node.qualified
    if module in lists.BUILTINS:
        return _builtin(name)
    if _is_listed(qualified, lists.DANGEROUS) or _is_listed(qualified, lists.HARMFUL):
        return "danger"
    if qualified in lists.DOUBTFUL:
        return "warning"
    # `torch` and `serialization.os.system` is a way to say `os.system`.
    *way, last = name.split(".")
    if (
        any(_is_stdlib(part.lstrip("_")) for part in way)
        or last.strip("_") in lists.REACHED_MODULES
    ):
        return "danger"
    if module in lists.WITH_PRIVATE_MODULES and name.startswith("_"):
        return "warning"
    if "." not in name and name.startswith(lists.ORDINARY.get(module, ())):
        return ""
    is_function = _is_function(name)
    if is_function and _is_listed(qualified, lists.HARMFUL_FUNCTIONS):
        return "danger"
    package = module.partition(".")[0]
    if package in lists.PLAIN_STDLIB or module in lists.PLAIN_STDLIB:
        return _plain(qualified, name)
    if qualified in lists.PLAIN_CLASSES:
        return "note"
    if _is_stdlib(package):
        return "danger"
    if is_function and name.rpartition(".")[2] in lists.TELLING_NAMES:
        return "warning"
    return "note"


def _builtin(name: str) -> Severity | Literal[""]:
    if name in lists.BUILTIN_TYPES:
        return ""
    if name in lists.BUILTIN_DOUBTFUL:
        return "warning"
    if name in lists.BUILTIN_HARMLESS or name.endswith(("Error", "Exception", "Warning")):
        return "note"
    return "danger"


def _plain(qualified: str, name: str) -> Severity:
    """The judgement on a name in one of the plain modules: not on what is hidden in it."""
    if qualified in lists.PLAIN_PRIVATE:
        return "note"
    is_hidden = name.startswith("_") and not name.endswith("__") and _is_function(name)
    return "danger" if is_hidden or ("." in name and _is_function(name)) else "note"


def _is_function(name: str) -> bool:
    """Whether the last part of a name is written as functions are, as far as one can tell."""
    return name.rpartition(".")[2].lstrip("_")[:1].islower()


def _is_stdlib(package: str) -> bool:
    return package in sys.stdlib_module_names or package in lists.OTHER_STDLIB


def _is_listed(qualified: str, names: frozenset[str]) -> bool:
    """Whether a name, or a package that it lies in, is one of ``names``."""
    end = -1
    for _ in range(_MAX_PARTS):
        end = qualified.find(".", end + 1)
        if end < 0:
            return qualified in names
        if qualified[:end] in names:
            return True
    return False


def _shown(node: GlobalNode) -> str:
    return display_text(node.qualified, 120)


def _names(nodes: list[GlobalNode]) -> str:
    shown = ", ".join(f"`{_shown(node)}`" for node in nodes[:_MAX_NAMES])
    rest = len(nodes) - _MAX_NAMES
    return shown if rest <= 0 else f"{shown} and {rest:,} more"
