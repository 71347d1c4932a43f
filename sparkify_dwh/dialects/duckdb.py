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
from duckdb_sqlalchemy import DBAPI, DuckDBDDLCompiler
from duckdb_sqlalchemy import Dialect as StockDialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from ..config import Settings
from ..declare import Source
from ..discover import Object
from ..executor import Executor
from ..models.base import Base
from ..packs import Pack
from ..quarantine import Quarantine
from ..s3 import Bucketeer
from ..sql import (
    Clean,
    EpochMs,
    HasBit,
    HasNul,
    Matches,
    Octets,
    Sha256,
    WholeNumber,
    integer,
    whole_number,
)
from ..transform import typed_ahead
from .base import Reading
from .compacted import Packed
from .duckdb_connection import DuckDBConnection
from .duckdb_read import Reader
from .incoming import UNNUMBERED, incoming_table, replace_staging


class SparkifyDDLCompiler(DuckDBDDLCompiler):
    """No keys in DDL.

    A primary key is an index here: measured on 1.5 million rows it makes the insert 3.4 and a
    delete-insert of 51,000 rows 22 times as slow. A foreign key forbids to delete a parent that
    had a child in the same transaction. Loads check both before they commit.
    """

    def visit_primary_key_constraint(self, constraint: Any, **kw: Any) -> Any:
        return None

    def visit_foreign_key_constraint(self, constraint: Any, **kw: Any) -> Any:
        return None

    def visit_unique_constraint(self, constraint: Any, **kw: Any) -> Any:
        return None

    def get_column_specification(self, column: Any, **kw: Any) -> str:
        text = str(super().get_column_specification(column, **kw))
        way = column.info.get("compression")
        return f"{text} USING COMPRESSION {way}" if way else text


class DuckDBDialect(StockDialect):
    """The stock dialect with bare schema names, and without keys in DDL."""

    ddl_compiler = SparkifyDDLCompiler
    #: Asked by migrations: without keys in DDL there are none to compare.
    emits_keys = False
    supports_statement_cache = True

    # A database is named like its file. In `sparkify.duckdb` the name `sparkify.songs` could mean
    # the database as well as the schema, and every statement fails; so such a one is renamed for
    # as long as it is open, as DuckDB itself does with `main.duckdb`.
    def connect(self, *cargs: Any, **cparams: Any) -> Any:
        connection = super().connect(*cargs, **cparams)
        (name,) = connection.execute("SELECT current_database()").fetchone()
        if name.lower() in {table.schema for table in Base.metadata.tables.values()}:
            old, new = (self.identifier_preparer.quote_identifier(n) for n in (name, name + "_db"))
            # Another thread may have been faster.
            connection.execute(f"ALTER DATABASE IF EXISTS {old} SET ALIAS TO {new}")
        return connection

    # The stock dialect says "db.schema", so that `alembic check` misses every table.
    def get_schema_names(self, connection: Any, **kw: Any) -> Any:
        names = sa.column("schema_name", sa.String)
        schemas = sa.func.duckdb_schemas().table_valued(
            names, sa.column("database_name", sa.String)
        )
        current = schemas.c.database_name == sa.func.current_database()
        found = connection.execute(sa.select(schemas.c.schema_name).where(current))
        return [name for (name,) in found if not name.startswith("pg_")]


class ReadJson(FunctionElement[Any]):
    """``read_json`` over lines of JSON, as a table.

    :param files: bind that holds the list of paths.
    :param types: type of each key that is read.
    :param lenient: a line that is no object becomes a row of NULLs in its place.
    """

    name = "read_json"
    inherit_cache = False

    def __init__(self, files: Any, types: Mapping[str, str], lenient: bool) -> None:
        super().__init__(files)
        self.types, self.lenient = dict(types), lenient


@compiles(ReadJson, "duckdb")
def _read_json(element: ReadJson, compiler: Any, **kw: Any) -> str:
    def text(value: str) -> str:
        return str(compiler.render_literal_value(value, sa.String()))

    types = ", ".join(f"{text(key)}: {text(kind)}" for key, kind in element.types.items())
    # Else a folder named year=1999 replaces the column of that name in the files below it.
    options = "format='newline_delimited', hive_partitioning=false, maximum_object_size=67108864"
    if element.lenient:
        options += ", ignore_errors=true, filename='_file'"
    files = compiler.process(element.clauses, **kw)
    return f"read_json({files}, columns={{{types}}}, {options})"


@compiles(Clean, "duckdb")
def _clean(element: Any, compiler: Any, **kw: Any) -> str:
    # An explicit trim of every value costs 3 times a look at its ends, and 20 times where it holds
    # more than ASCII: only those are trimmed that start or end with a blank.
    text, blanks = (compiler.process(part, **kw) for part in element.clauses)
    last = f"array_extract({text}, -1)"  # a quarter of the cost of right(text, 1)
    ends = f"contains({blanks}, array_extract({text}, 1)) OR contains({blanks}, {last})"
    other = f"strlen({text}) <> length({text}) AND ({ends})"
    suspect = f"{text} < '!' OR {last} < '!' OR {other}"
    return f"CASE WHEN {suspect} THEN nullif(trim({text}, {blanks}), '') ELSE {text} END"


@compiles(Octets, "duckdb")
def _octets(element: Any, compiler: Any, **kw: Any) -> str:
    return f"strlen({compiler.process(element.clauses, **kw)})"


@compiles(Matches, "duckdb")
def _matches(element: Any, compiler: Any, **kw: Any) -> str:
    return f"regexp_full_match({compiler.process(element.clauses, **kw)})"


@compiles(WholeNumber, "duckdb")
def _whole_number(element: Any, compiler: Any, **kw: Any) -> str:
    # What is spelled as the engine spells it itself needs no pattern, a third of the cost.
    text = compiler.process(element.clauses, **kw)
    value = f"TRY_CAST({text} AS BIGINT)"
    usual = f"CAST({value} AS VARCHAR) = {text} AND strlen({text}) < 19"
    return f"CASE WHEN {usual} THEN {value} ELSE {whole_number(element, compiler, **kw)} END"


@compiles(EpochMs, "duckdb")
def _epoch_ms(element: Any, compiler: Any, **kw: Any) -> str:
    return f"make_timestamp({compiler.process(element.clauses, **kw)} * 1000)"


@compiles(HasNul, "duckdb")
def _has_nul(element: Any, compiler: Any, **kw: Any) -> str:
    return f"contains({compiler.process(element.clauses, **kw)}, chr(0))"


@compiles(Sha256, "duckdb")
def _sha256(element: Any, compiler: Any, **kw: Any) -> str:
    return f"sha256({compiler.process(element.clauses, **kw)})"


@compiles(HasBit, "duckdb")
def _has_bit(element: Any, compiler: Any, **kw: Any) -> str:
    mask, bit = (compiler.process(part, **kw) for part in element.clauses)
    return f"(({mask} & CAST({bit} AS BIGINT)) <> 0)"


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
        self.s3 = Bucketeer(settings)
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
        packs: Sequence[Pack] = (),
    ) -> Reading:
        raw = self.raw_table(source)
        packed = Packed(self.s3, self.scratch, source, quarantine, objects, packs)
        objects = packed.others

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

        reader = Reader(ex, source, raw, self.scratch, quarantine, insert, packed, self.fill)
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
