"""A warehouse under test: what every one of them can do, on either engine and any source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from sparkify_dwh import Run, Warehouse
from support.reference import COLUMNS

#: The folder or prefix of each source, by the source's name; also the setting that names it.
SOURCES = {"events": "log_data", "songs": "song_data"}
NO_LIMIT = {"max_reject_ratio": 1.0}
Row = tuple[Any, ...]
Star = dict[str, list[Row]]


class Rig:
    """Puts files, loads them and looks at the tables."""

    warehouse: Warehouse
    #: Whether a row that a rule refuses is recorded with its object and line.
    records_place = True

    def put(self, source: str, name: str, data: bytes) -> Any:
        """Writes an object of a source; returns its path or address."""
        raise NotImplementedError

    def load(self, **options: Any) -> Run:
        return self.warehouse.load(**options)

    def query(self, sql: str, *values: Any) -> list[Row]:
        raise NotImplementedError

    def answers(self, queries: dict[str, str]) -> dict[str, list[Row]]:
        """The rows of each query, by its name."""
        return {name: self.query(sql) for name, sql in queries.items()}

    def star(self) -> Star:
        """All rows of the star, sorted by key, columns in the oracle's order."""
        return self.answers(
            {
                table: f"SELECT {', '.join(names)} FROM sparkify.{table} ORDER BY "
                + ", ".join(str(n) for n in range(1, len(names) + 1))
                for table, names in COLUMNS.items()
            }
        )

    def refused(self, run: Run) -> Counter[Row]:
        """(source, rule, object, line, raw, size) of the records that a run refused."""
        return Counter(
            self.query(
                "SELECT source, rule, key, line, raw, raw_bytes FROM audit.rejected_row"
                f" WHERE run_id = '{run.run_id}'"
            )
        )

    def rules(self, run: Run) -> Counter[tuple[str, str]]:
        """(source, rule) of the records that a run refused."""
        found: Counter[tuple[str, str]] = Counter()
        for (source, rule, *_), count in self.refused(run).items():
            found[source, rule] += count
        return found

    def table(self, name: str) -> list[Row]:
        """All rows of a table, sorted."""
        return sorted(self.query(f"SELECT * FROM {name}"), key=repr)

    def events(self) -> list[tuple[str, str]]:
        """(run, event) of the run log, in order."""
        return self.query('SELECT run_id, event FROM audit.load_run ORDER BY "at", event DESC')


class DuckDBRig(Rig):
    """A warehouse in a file, which is open only while it is read."""

    database: Path

    def query(self, sql: str, *values: Any) -> list[Row]:
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return connection.execute(sql, list(values)).fetchall()

    def answers(self, queries: dict[str, str]) -> dict[str, list[Row]]:
        with duckdb.connect(str(self.database), read_only=True) as connection:
            return {name: connection.execute(sql).fetchall() for name, sql in queries.items()}


#: Makes empty warehouses: ``make(**settings)``.
MakeRig = Callable[..., Rig]
