"""The DuckDB engine: reads objects into raw tables, replaces staging, fills tables."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ...core.settings import Settings
from ...models.declare import Source
from ...steps.executor import Executor
from ...steps.quarantine import Quarantine
from ...storage.compacted_file import CompactedFile
from ...storage.objects import Object
from ...storage.s3 import S3
from ..base import Reading
from ..compacted_reader import CompactedReader
from .connection import DuckDBConnection
from .dialect import DuckDBDialect, ReadJson
from .incoming_table import incoming_table, replace_staging
from .raw_rows import RawRows
from .reader import Reader

_JSON_TYPES = (
    (sa.BigInteger, "BIGINT"),
    (sa.Integer, "BIGINT"),
    (sa.Boolean, "BOOLEAN"),
    (sa.DateTime, "TIMESTAMP"),
    (sa.Float, "DOUBLE"),
)


def json_type(column: sa.Column[Any]) -> str:
    """DuckDB's type of a column's values, for ``read_json``."""
    for kind, name in _JSON_TYPES:
        if isinstance(column.type, kind):
            return name
    return "VARCHAR"


class DuckDBEngine(DuckDBConnection):
    """Loads objects into a DuckDB database; see ``DuckDBConnection`` for opening it."""

    plan_dialect = DuckDBDialect(paramstyle="named")

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._readers: dict[str, Reader] = {}
        self.s3 = S3(settings)
        self._copies: dict[Object, Object] = {}

    def close(self) -> None:
        super().close()
        self._copies.clear()

    def raw_table(self, source: Source) -> sa.Table:
        return incoming_table(source)

    def place(self, raw: sa.Table) -> sa.ColumnElement[Any]:
        column: sa.ColumnElement[Any] = raw.c._row
        return column

    def read(
        self,
        ex: Executor,
        source: Source,
        objects: Sequence[Object],
        quarantine: Quarantine,
        compacted: Sequence[CompactedFile] = (),
    ) -> Reading:
        files = CompactedReader(self.s3, self.scratch, source, quarantine, objects, compacted)
        rows = RawRows(ex, source, self.raw_table(source), self.fill)
        reader = Reader(rows, self.scratch, quarantine, files)
        self._readers[source.name] = reader
        objects = files.others
        if not ex.planning:
            with ex.timed("read", source.name):
                objects, changed = self._local(
                    objects, partial(ex.observer.advance, "fetch", source.name)
                )
            if changed:
                return Reading(changed=changed)
        return reader.read(objects)

    def _local(
        self, objects: Sequence[Object], fetched: Callable[[int], None]
    ) -> tuple[list[Object], set[str]]:
        """The objects as local files, and the keys of those that changed or vanished.

        Those on S3 are copied to ``scratch`` once and stay there until the run ends, since refused
        records are read from them again.
        """
        missing = [o for o in objects if not o.path and o not in self._copies]
        changed = set()
        for found in self.s3.fetch(missing, self.scratch) if missing else ():
            if isinstance(found, str):
                changed.add(found)
            else:
                # The reader treats it as a local file, whose version is its mtime.
                modified = str(Path(found.path).stat().st_mtime_ns)
                self._copies[replace(found, path="")] = replace(found, version=modified)
                fetched(found.size)
        return [self._copies.get(o, o) for o in objects if o.key not in changed], changed

    def stage(self, ex: Executor, source: Source) -> None:
        replace_staging(ex, source, self.raw_table(source))

    def remains(self, tables: Sequence[sa.Table]) -> str:
        # Measured: a checkpoint does not overwrite the bytes of deleted rows.
        if not tables:
            return ""
        return (
            "the database file still contains the bytes of deleted rows; a copy made with "
            "COPY FROM DATABASE does not (docs/operations.md)"
        )

    def staged_counts(self, ex: Executor, source: Source) -> dict[str, int]:
        key = self.raw_table(source).c._object
        found = ex.rows(
            sa.select(key, sa.func.count()).group_by(key),
            step="read",
            target=source.name,
        )
        return dict(found)  # type: ignore[arg-type]

    def quarantine_rows(
        self, ex: Executor, source: Source, violations: sa.Table, quarantine: Quarantine
    ) -> None:
        self._readers[source.name].quarantine_rows(violations)

    def fill(
        self,
        ex: Executor,
        table: sa.Table,
        rows: Iterable[Mapping[str, Any]] | Path,
        *,
        step: str,
        target: str | None = None,
        bounded: bool = False,
    ) -> int:
        path = rows if isinstance(rows, Path) else Path()
        if not isinstance(rows, Path) and not ex.planning:
            path = self.scratch / f"fill-{os.urandom(6).hex()}.json"
            with path.open("w", encoding="ascii") as file:
                for row in rows:
                    file.write(json.dumps(row, default=_json_value) + "\n")
        types = {c.name: json_type(c) for c in table.columns}
        lines = ReadJson(
            sa.bindparam("files", required=False, type_=sa.ARRAY(sa.String)), types, False
        )
        columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in types]
        read = lines.table_valued(*columns, name="rows")
        statement = sa.insert(table).from_select(
            list(types), sa.select(*(read.c[name] for name in types))
        )
        return ex.change(statement, {"files": [str(path)]}, step=step, target=target)


def _json_value(value: Any) -> Any:
    return value.isoformat(sep=" ") if hasattr(value, "isoformat") else str(value)
