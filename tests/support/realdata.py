"""The real logs and songs, which stay outside of the project."""

from __future__ import annotations

from pathlib import Path

#: Tests marked ``realdata`` are skipped where this folder is missing.
DATA = Path(__file__).parents[3] / "shared" / "data"
