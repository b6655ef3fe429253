"""Floor 1: what is in a file. It needs the standard library alone, and runs nothing of the file."""

from __future__ import annotations

from inspector.checkpoints.errors import Cancelled, CheckpointError, InspectorError, TensorError
from inspector.checkpoints.formats import SUFFIXES
from inspector.checkpoints.model import (
    ByteSource,
    Checkpoint,
    Finding,
    Kind,
    PathPart,
    Severity,
    Storage,
    TensorEntry,
    ValueEntry,
)
from inspector.checkpoints.naming import display_text
from inspector.checkpoints.open import open_checkpoint

__all__ = [
    "SUFFIXES",
    "ByteSource",
    "Cancelled",
    "Checkpoint",
    "CheckpointError",
    "Finding",
    "InspectorError",
    "Kind",
    "PathPart",
    "Severity",
    "Storage",
    "TensorEntry",
    "TensorError",
    "ValueEntry",
    "display_text",
    "open_checkpoint",
]
