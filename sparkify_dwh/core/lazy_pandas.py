"""What a short command need not wait for."""

from __future__ import annotations

import sys


def hide_pandas() -> None:
    """Keeps DuckDB from importing pandas, for commands that have no use for it.

    Where it is installed, DuckDB imports it as soon as a value is bound, which takes as long as
    everything else that a short command does; where it is not, DuckDB looks for it once for each
    value.
    """
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]


def show_pandas() -> None:
    """Undoes ``hide_pandas``: modules of users may import it."""
    if sys.modules.get("pandas", sys) is None:
        del sys.modules["pandas"]
