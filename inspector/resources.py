"""Where the icons and the sample checkpoint are, in a wheel and in a source tree."""

from __future__ import annotations

from pathlib import Path

from inspector.checkpoints.errors import InspectorError


def resource_path(name: str) -> Path:
    """The path of a file of ``resources/``.

    Raises
    ------
    InspectorError
        If the installation is incomplete.
    """
    package = Path(__file__).parent
    for folder in (package / "_resources", package.parent / "resources"):
        if (folder / name).is_file():
            return folder / name
    raise InspectorError(
        f"{name} is missing from this installation.", advice="Install tensor-inspector again."
    )
