"""macOS: a small bundle in the user's own Applications, which starts the installed command.

The Finder asks Launch Services, which reads of each bundle what it opens; paths come to the program
as events, not as arguments.
"""

from __future__ import annotations

import plistlib
import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from inspector import __version__
from inspector.checkpoints.errors import InspectorError
from inspector.desktop.program import NAME, TITLE, Program
from inspector.desktop.report import Report, failure

_IDENTIFIER: Final = "org.tensor-inspector.Viewer"

#: Where the bundle remembers that the folder of Applications was made for it.
_MADE_FOLDER: Final = "TensorInspectorMadeFolder"

#: What Launch Services is told with.
LSREGISTER: Final = (
    "/System/Library/Frameworks/CoreServices.framework/Frameworks/LaunchServices.framework"
    "/Support/lsregister"
)

#: Types of files: identifier, name, suffixes.
_TYPES: Final = (
    ("org.pytorch.checkpoint", "PyTorch checkpoint", ("pt", "pth", "ckpt")),
    ("co.huggingface.safetensors", "safetensors file", ("safetensors",)),
    ("ai.ggml.gguf", "GGUF model", ("gguf",)),
)

#: Runs a program and says whether it succeeded.
Run = Callable[[Sequence[str]], bool]


def bundle_path() -> Path:
    """Where the bundle is, for this user."""
    return Path.home() / "Applications" / f"{TITLE}.app"


def is_registered(bundle: Path) -> bool:
    """Whether our bundle is there, and the program that it starts."""
    if not _found(bundle):
        return False
    try:
        words = shlex.split(_launcher(bundle).read_text("utf-8").splitlines()[-1])
    except (OSError, ValueError, IndexError):
        return False
    return len(words) > 1 and Path(words[1]).is_file()


def register(program: Program, bundle: Path, run: Run) -> Report:
    """Make checkpoints open with a program; done again, it puts right what is not.

    Raises
    ------
    InspectorError
        If another program's bundle is in the way, or the system refuses to write.
    """
    found = _found(bundle)
    if bundle.exists() and not found:
        raise InspectorError(
            f"{bundle} is in the way, and Tensor Inspector did not make it.",
            advice="Move it elsewhere, and try again.",
        )
    made_folder = bool(found.get(_MADE_FOLDER)) or not bundle.parent.exists()
    is_new = False
    for name, data in _contents(program, made_folder).items():
        path = bundle / "Contents" / name
        try:
            if not path.is_file() or path.read_bytes() != data:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                is_new = True
            if path == _launcher(bundle):
                path.chmod(0o755)
        except OSError as error:
            raise failure(path, error) from error
    done = [f"{'Wrote' if is_new else 'Kept'} {bundle}"]
    if run((LSREGISTER, "-f", str(bundle))):
        done.append("Told Launch Services what it opens")
        return Report((*done, f"Checkpoints open by double-click with {program.command[0]}"))
    return Report(tuple(done), ("Launch Services could not be told. Open the bundle once.",))


def unregister(bundle: Path, run: Run) -> Report:
    """Take the bundle away, and out of Launch Services.

    Raises
    ------
    InspectorError
        If the system refuses to remove it.
    """
    found = _found(bundle)
    if not found:
        return Report(("Nothing is registered.",))
    told = run((LSREGISTER, "-u", str(bundle)))
    try:
        shutil.rmtree(bundle)
    except OSError as error:
        raise failure(bundle, error) from error
    if found.get(_MADE_FOLDER):
        with suppress(OSError):  # somebody else's things are in it
            bundle.parent.rmdir()
    done = (f"Removed {bundle}", f"Checkpoints no longer open with {TITLE}.")
    return Report(done, () if told else ("Launch Services could not be told.",))


def _launcher(bundle: Path) -> Path:
    return bundle / "Contents" / "MacOS" / NAME


def _found(bundle: Path) -> Mapping[str, Any]:
    """What a bundle of ours says of itself; nothing if there is none, or it is another's."""
    try:
        with (bundle / "Contents" / "Info.plist").open("rb") as file:
            info = plistlib.load(file)
    except (OSError, plistlib.InvalidFileException, ValueError):
        return {}
    is_ours = isinstance(info, dict) and info.get("CFBundleIdentifier") == _IDENTIFIER
    return info if is_ours else {}


def _contents(program: Program, made_folder: bool) -> Mapping[str, bytes]:
    """The bundle's files, below its ``Contents``; what tells that it is ours comes first."""
    icons = program.resources / "icons"
    start = f'#!/bin/sh\nexec {shlex.join(program.command)} "$@"\n'
    return {
        "Info.plist": plistlib.dumps({**_info(), _MADE_FOLDER: made_folder}),
        "PkgInfo": b"APPL????",
        f"MacOS/{NAME}": start.encode(errors="surrogateescape"),
        "Resources/program.icns": (icons / "icon.icns").read_bytes(),
        "Resources/document.icns": (icons / "document.icns").read_bytes(),
    }


def _info() -> dict[str, Any]:
    """What the bundle says of itself."""
    return {
        "CFBundleIdentifier": _IDENTIFIER,
        "CFBundleName": TITLE,
        "CFBundleDisplayName": TITLE,
        "CFBundleExecutable": NAME,
        "CFBundleIconFile": "program",
        "CFBundlePackageType": "APPL",
        "CFBundleInfoDictionaryVersion": "6.0",
        "CFBundleVersion": __version__,
        "CFBundleShortVersionString": __version__,
        "NSHighResolutionCapable": True,
        "CFBundleDocumentTypes": [
            {
                "CFBundleTypeName": name,
                "CFBundleTypeRole": "Viewer",
                # Whoever makes such files goes first.
                "LSHandlerRank": "Alternate",
                "CFBundleTypeIconFile": "document",
                "LSItemContentTypes": [identifier],
            }
            for identifier, name, _ in _TYPES
        ],
        # Imported, not exported: the types are not ours.
        "UTImportedTypeDeclarations": [
            {
                "UTTypeIdentifier": identifier,
                "UTTypeDescription": name,
                "UTTypeConformsTo": ["public.data"],
                "UTTypeTagSpecification": {"public.filename-extension": list(suffixes)},
            }
            for identifier, name, suffixes in _TYPES
        ],
    }
