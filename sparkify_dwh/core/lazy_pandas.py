"""Keeping pandas out of commands that do not use it: importing it takes longer than they do."""

from __future__ import annotations

import sys


def hide_pandas() -> None:
    """Keeps DuckDB from importing pandas.

    DuckDB imports it as soon as a value is bound, which doubles the time of a short command;
    where pandas is not installed, DuckDB searches for it once for each value.
    """
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]


def show_pandas() -> None:
    """Undoes ``hide_pandas``, for modules of users that may import it."""
    if sys.modules.get("pandas", sys) is None:
        del sys.modules["pandas"]
