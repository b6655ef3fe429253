"""What a pickle asks to import, judged. The judgement decides on a word, never on an action.

Nothing of it is imported or run, whatever the judgement: lists of dangerous names are known to be
incomplete (CVE-2025-1716 and its like), so nothing depends on this one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from inspector.checkpoints.model import Finding
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.pickle_nodes import GlobalNode

#: Modules whose classes and functions are what tensors and plain values are made of.
_ORDINARY_MODULES: Final = frozenset(
    {
        "torch",
        "torch._utils",
        "torch._tensor",
        "torch.cuda",
        "torch.storage",
        "torch.nn.parameter",
        "torch.jit._pickle",
        "collections",
        "numpy",
        "numpy.core.multiarray",
        "numpy._core.multiarray",
        "numpy._core.numeric",
        "numpy.core.numeric",
        "ml_dtypes",
    }
)
_ORDINARY: Final = frozenset(
    {
        "_codecs.encode",
        "argparse.Namespace",
        "copy_reg._reconstructor",
        "copyreg._reconstructor",
        "torch.serialization._get_layout",
        "torch.nested._internal.nested_tensor.NestedTensor",
        "torch.nested._internal.nested_tensor._rebuild_njt",
    }
)

#: Functions of the modules above that do more than make values.
_DANGEROUS: Final = frozenset(
    {
        "numpy.load",
        "numpy.fromfile",
        "numpy.save",
        "torch.load",
        "torch.save",
        "torch.compile",
        "torch.hub",
        "torch.ops",
        "torch.classes",
        "torch.import_ir_module",
    }
)

_BUILTINS: Final = frozenset({"builtins", "__builtin__"})
_BUILTIN_TYPES: Final = frozenset(
    [
        "bool",
        "bytearray",
        "bytes",
        "complex",
        "dict",
        "float",
        "frozenset",
        "int",
        "list",
        "long",
        "object",
        "range",
        "set",
        "slice",
        "str",
        "tuple",
        "type",
        "unicode",
        "xrange",
    ]
)
#: Can reach harmful things, and is also how Python pickles bound methods.
_DOUBTFUL: Final = frozenset({"getattr", "super", "property", "hasattr", "iter", "map", "reversed"})

#: Modules of the standard library whose objects people keep in checkpoints.
_PLAIN_STDLIB: Final = frozenset(
    [
        "_codecs",
        "abc",
        "argparse",
        "array",
        "calendar",
        "collections",
        "copyreg",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "fractions",
        "functools",
        "ipaddress",
        "logging",
        "numbers",
        "pathlib",
        "random",
        "re",
        "string",
        "time",
        "types",
        "typing",
        "uuid",
        "weakref",
        "zoneinfo",
        "_collections_abc",
        "_thread",
        "threading",
        "queue",
        "statistics",
        "io",
    ]
)

#: Packages that are no part of Python and run or fetch things.
_HARMFUL_PACKAGES: Final = frozenset(
    [
        "pip",
        "setuptools",
        "pkg_resources",
        "distutils",
        "IPython",
        "dill",
        "cloudpickle",
        "joblib",
        "requests",
        "urllib3",
        "paramiko",
        "fsspec",
        "commands",
        "posixpath_system",
        "torch.hub",
        "torch.utils.cpp_extension",
        "torch._inductor",
        "torch._dynamo",
        "torch.distributed",
        "torch.jit.unsupported_tensor_ops",
        "torch.utils.collect_env",
        "torch.utils.bottleneck",
        "torch.utils._config_module",
        "torch.utils.data.datapipes",
        "torch.fx",
        "numpy.testing",
        "numpy.f2py",
        "numpy.distutils",
        "numpy.ctypeslib",
    ]
)

#: Names in one finding, at most.
_MAX_NAMES: Final = 20
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


def _severity(node: GlobalNode) -> str:
    """``danger``, ``warning``, ``note``, or nothing for what tensors are made of."""
    module, name = node.module, node.name
    package = module.partition(".")[0]
    if module in _BUILTINS:
        if name in _BUILTIN_TYPES:
            return ""
        return "warning" if name in _DOUBTFUL else "danger"
    qualified = node.qualified
    if qualified in _ORDINARY:
        return ""
    if qualified in _DANGEROUS or package in _HARMFUL_PACKAGES:
        return "danger"
    if any(qualified.startswith(f"{harmful}.") for harmful in _HARMFUL_PACKAGES):
        return "danger" if name[:1].islower() or "." in name else "note"
    # `torch` and `serialization.os.system` is a way to say `os.system`.
    if any(part.lstrip("_") in sys.stdlib_module_names for part in name.split(".")[:-1]):
        return "danger"
    if module in _ORDINARY_MODULES and "." not in name:
        return ""
    if package in sys.stdlib_module_names:
        return "note" if package in _PLAIN_STDLIB else "danger"
    return "note"


def _shown(node: GlobalNode) -> str:
    return display_text(node.qualified, 120)


def _names(nodes: list[GlobalNode]) -> str:
    shown = ", ".join(f"`{_shown(node)}`" for node in nodes[:_MAX_NAMES])
    rest = len(nodes) - _MAX_NAMES
    return shown if rest <= 0 else f"{shown} and {rest:,} more"
