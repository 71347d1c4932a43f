"""Progress of `sparkify infra` on a terminal: a live list of resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.safe_text import escape_controls

if TYPE_CHECKING:
    from ..infra.results import StackEvent


class InfraProgress:
    """Lists each resource once, with its newest status; lines scroll above the list."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False, markup=False)
        self._live: Any = None
        self._newest: dict[str, StackEvent] = {}

    def show(self, item: str | StackEvent) -> None:
        """Writes a line above the list, or shows an event in it."""
        if isinstance(item, str):
            self._console.print(escape_controls(item))
            return
        if item.reason and item.status.endswith("FAILED"):
            self._console.print(escape_controls(str(item)))
        self._newest[item.resource] = item
        self._started().update(self._table(), refresh=True)

    def stop(self) -> None:
        """Leaves the list on the screen; the next event starts a new one."""
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._newest = {}

    def _started(self) -> Any:
        if self._live is None:
            from rich.live import Live

            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        return self._live

    def _table(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for event in self._newest.values():
            status = event.status.replace("_", " ").lower()
            style = "red" if "failed" in status else "green" if "complete" in status else "yellow"
            table.add_row(
                Text(escape_controls(event.resource)), Text(status, style), Text(event.type, "dim")
            )
        return table
