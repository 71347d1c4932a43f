"""DuckDB: the embedded engine. Its dialect, how it spells expressions, how it is opened."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from duckdb_sqlalchemy import DBAPI

from ...core.settings import Settings
from ...models.declare import Source
from ...models.expressions import integer
from ...steps.executor import Executor
from ...steps.quarantine import Quarantine
from ...steps.typed_rows import typed_ahead
from ...storage.compacted_file import CompactedFile
from ...storage.objects import Object
from ...storage.s3 import S3
from ..base import Reading
from ..compacted_reader import CompactedReader
from .connection import DuckDBConnection
from .dialect import DuckDBDialect, ReadJson
from .incoming_table import UNNUMBERED, incoming_table, replace_staging
from .reader import Reader

_JSON_TYPES = (
    (sa.BigInteger, "BIGINT"),
    (sa.Integer, "BIGINT"),
    (sa.Boolean, "BOOLEAN"),
    (sa.DateTime, "TIMESTAMP"),
    (sa.Float, "DOUBLE"),
)


def json_type(column: sa.Column[Any]) -> str:
    """DuckDB's name for what a column holds, for ``read_json``."""
    for kind, name in _JSON_TYPES:
        if isinstance(column.type, kind):
            return name
    return "VARCHAR"


class DuckDBEngine(DuckDBConnection):
    """A database in one file, opened by one process at a time: how it reads and fills."""

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
        raw = self.raw_table(source)
        files = CompactedReader(self.s3, self.scratch, source, quarantine, objects, compacted)
        objects = files.others

        def insert(names: Sequence[str], injected: tuple[str, str]) -> sa.Insert:
            types = dict.fromkeys(source.keys, "VARCHAR")
            types |= {injected[0]: "VARCHAR", injected[1]: "BIGINT"}
            lines = ReadJson(
                sa.bindparam("files", required=False, type_=sa.ARRAY(sa.String)), types, True
            )
            found = lines.table_valued(
                *(sa.column(k, sa.String) for k in (*types, "_file")), name="lines"
            )
            keys = {column: key for key, column in source.keys.items()}
            ahead = {c.name: integer(found.c[keys[n]]) for n, c in typed_ahead(source).items()}
            place = sa.func.coalesce(found.c[injected[0]], found.c._file), found.c[injected[1]]
            read = [*(found.c[key] for key in source.keys), *place, found.c._file, UNNUMBERED]
            return sa.insert(raw).from_select([*names, *ahead], sa.select(*read, *ahead.values()))

        reader = Reader(ex, source, raw, self.scratch, quarantine, insert, files, self.fill)
        self._readers[source.name] = reader
        if not ex.planning:
            with ex.timed("read", source.name):
                local, changed = self._local(
                    objects, partial(ex.observer.advance, "fetch", source.name)
                )
            if changed:
                return Reading(changed=changed)
            objects = local
        return reader.read(objects)

    def _local(
        self, objects: Sequence[Object], fetched: Callable[[int], None]
    ) -> tuple[list[Object], set[str]]:
        """The objects as local files, and the keys of those that changed or vanished.

        Those on S3 are copied to ``scratch``, once in a run, and stay there until it ends: a
        refused record is shown as it stands in its object.
        """
        missing = [o for o in objects if not o.path and o not in self._copies]
        changed = set()
        for found in self.s3.fetch(missing, self.scratch) if missing else ():
            if isinstance(found, str):
                changed.add(found)
            else:
                # For the reader it is a file like any other, with the version that a file has.
                modified = str(Path(found.path).stat().st_mtime_ns)
                self._copies[replace(found, path="")] = replace(found, version=modified)
                fetched(found.size)
        return [self._copies.get(o, o) for o in objects if o.key not in changed], changed

    def stage(self, ex: Executor, source: Source) -> None:
        replace_staging(ex, source, self.raw_table(source))

    def remains(self, tables: Sequence[sa.Table]) -> str:
        # Measured: a checkpoint does not overwrite them.
        if not tables:
            return ""
        return (
            "the database file keeps the bytes of deleted rows; a copy of it by COPY FROM DATABASE "
            "does not (docs/operations.md)"
        )

    def staged_counts(self, ex: Executor, source: Source) -> dict[str, int]:
        """Rows of each object in the raw table, by key."""
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
                    file.write(json.dumps(row, default=_plain) + "\n")
        types = {c.name: json_type(c) for c in table.columns}
        lines = ReadJson(
            sa.bindparam("files", required=False, type_=sa.ARRAY(sa.String)), types, False
        )
        columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in types]
        found = lines.table_valued(*columns, name="rows")
        statement = sa.insert(table).from_select(
            list(types), sa.select(*(found.c[name] for name in types))
        )
        return ex.change(statement, {"files": [str(path)]}, step=step, target=target)


def _plain(value: Any) -> Any:
    return value.isoformat(sep=" ") if hasattr(value, "isoformat") else str(value)


__all__ = ["DBAPI", "DuckDBDialect", "DuckDBEngine"]
