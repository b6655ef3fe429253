"""What every test may use."""

from __future__ import annotations

import os

# Before any Qt import: tests need no screen, unless a real one is asked for.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
