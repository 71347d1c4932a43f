"""DuckDB: the embedded engine. Its dialect, how it spells expressions, how it is opened."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa
from duckdb_sqlalchemy import DBAPI, DuckDBDDLCompiler
from duckdb_sqlalchemy import Dialect as StockDialect
from sqlalchemy.engine import make_url
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import NullPool
from sqlalchemy.sql.functions import FunctionElement

from ..config import Settings
from ..declare import Source
from ..discover import Object
from ..errors import DatabaseError, LockError
from ..executor import Executor
from ..models.audit import LoadLock
from ..models.base import Base, table_of
from ..quarantine import Quarantine
from ..s3 import Bucketeer
from ..sql import Clean, EpochMs, HasBit, HasNul, Matches, Octets
from ..transform import copied, temporary, typed_ahead, typed_value
from .base import Engine, Reading
from .duckdb_read import Reader

_HELD = re.compile(r"Conflicting lock is held in (?P<program>.*?) \(PID (?P<pid>\d+)\)")


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
    # An explicit trim of every value costs 3 times a look at its ends: only those are trimmed
    # that start or end with a blank of ASCII, or hold other characters.
    text, blanks = (compiler.process(part, **kw) for part in element.clauses)
    last = f"array_extract({text}, -1)"  # a quarter of the cost of right(text, 1)
    suspect = f"{text} < '!' OR {last} < '!' OR strlen({text}) <> length({text})"
    return f"CASE WHEN {suspect} THEN nullif(trim({text}, {blanks}), '') ELSE {text} END"


@compiles(Octets, "duckdb")
def _octets(element: Any, compiler: Any, **kw: Any) -> str:
    return f"strlen({compiler.process(element.clauses, **kw)})"


@compiles(Matches, "duckdb")
def _matches(element: Any, compiler: Any, **kw: Any) -> str:
    return f"regexp_full_match({compiler.process(element.clauses, **kw)})"


@compiles(EpochMs, "duckdb")
def _epoch_ms(element: Any, compiler: Any, **kw: Any) -> str:
    return f"make_timestamp({compiler.process(element.clauses, **kw)} * 1000)"


@compiles(HasNul, "duckdb")
def _has_nul(element: Any, compiler: Any, **kw: Any) -> str:
    return f"contains({compiler.process(element.clauses, **kw)}, chr(0))"


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


class DuckDBEngine(Engine):
    """A database in one file, opened by one process at a time."""

    name = "duckdb"
    reads_first = True
    embedded = True
    plan_dialect = DuckDBDialect(paramstyle="named")

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.path = make_url(settings.database_url).database or ":memory:"
        self._scratch: Path | None = None
        self._readers: dict[str, Reader] = {}
        self.s3 = Bucketeer(settings)
        self._copies: dict[Object, Object] = {}

    @property
    def scratch(self) -> Path:
        """A folder for spooled objects, removed by ``close``."""
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="sparkify-"))
        return self._scratch

    def close(self) -> None:
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None
            self._copies.clear()

    def exists(self) -> bool:
        return self.path != ":memory:" and Path(self.path).exists()

    def create(self, read_only: bool = False) -> sa.Engine:
        config: dict[str, Any] = {}
        if self.settings.memory_limit:
            config["memory_limit"] = self.settings.memory_limit
        if read_only:
            config["access_mode"] = "READ_ONLY"
        engine = sa.create_engine(
            self.settings.database_url, poolclass=NullPool, connect_args={"config": config}
        )

        # It draws on a terminal whose owner asked for no drawing, and can be set for one
        # connection only.
        @sa.event.listens_for(engine, "connect")
        def _quiet(connection: Any, record: Any) -> None:
            connection.execute("SET enable_progress_bar = false")

        return engine

    def connect(
        self, read_only: bool = False, wait: Callable[[str], None] | None = None
    ) -> sa.Connection:
        deadline = time.monotonic() + self.settings.lock_timeout
        engine = self.create(read_only)
        while True:
            try:
                return engine.connect()
            except sa.exc.DBAPIError as error:
                held = _HELD.search(str(error))
                if held is None:
                    raise self.explain(error) from error
                if time.monotonic() >= deadline:
                    raise LockError(
                        f"{self.path} is in use by {Path(held['program']).name} "
                        f"(process {held['pid']}); waited {self.settings.lock_timeout:g} s",
                        "wait for it to end, or allow more: --lock-timeout",
                    ) from None
                if wait:
                    wait(f"process {held['pid']}")
                    wait = None
                time.sleep(min(0.1, max(0.0, deadline - time.monotonic())))

    def explain(self, error: BaseException) -> Exception:
        text = str(getattr(error, "orig", error)).strip().splitlines()[0]
        if Path(self.path).is_dir():
            return DatabaseError(
                f"{self.path} is a folder, no database", "name a file: duckdb:///file.duckdb"
            )
        lowered = text.lower()
        if "no space left" in lowered or "could not write" in lowered:
            return DatabaseError(
                f"no space to write {self.path}: {text}", "free some space, then load again"
            )
        if "permission denied" in lowered or "read-only" in lowered:
            return DatabaseError(
                f"{self.path} cannot be written: {text}", "give this user the right to write it"
            )
        if "not a valid duckdb" in lowered or "serialization" in lowered:
            return DatabaseError(f"{self.path} is no DuckDB database: {text}", "name another file")
        if "out of memory" in lowered:
            return DatabaseError(f"out of memory: {text}", "allow more: --memory-limit")
        return DatabaseError(f"{self.path}: {text}", "-v shows the traceback")

    def is_conflict(self, error: BaseException) -> bool:
        cause = getattr(error, "orig", error)
        return isinstance(cause, duckdb.TransactionException) or "onflict" in str(cause)

    def lock(self, ex: Executor) -> None:
        # The file is the lock between processes; a row of its own is it between threads of one.
        lock = table_of(LoadLock)
        ex.change(sa.update(lock).values(id=lock.c.id), step="lock")

    def raw_table(self, source: Source) -> sa.Table:
        return temporary(
            f"raw_{source.name}",
            *copied(source.columns),
            sa.Column("_object", sa.String),
            sa.Column("_line", sa.BigInteger),
            sa.Column("_file", sa.String),
            *typed_ahead(source),
        )

    def place(self, raw: sa.Table) -> sa.ColumnElement[Any]:
        return sa.literal_column(f"{raw.name}.rowid", sa.BigInteger)

    def read(
        self, ex: Executor, source: Source, objects: Sequence[Object], quarantine: Quarantine
    ) -> Reading:
        raw = self.raw_table(source)

        def insert(names: Sequence[str], injected: tuple[str, str]) -> sa.Insert:
            types = dict.fromkeys(source.keys, "VARCHAR")
            types |= {injected[0]: "VARCHAR", injected[1]: "BIGINT"}
            lines = ReadJson(
                sa.bindparam("files", required=False, type_=sa.ARRAY(sa.String)), types, True
            )
            found = lines.table_valued(
                *(sa.column(k, sa.String) for k in (*types, "_file")), name="lines"
            )
            numbers = [spec for spec in source.fields if spec.kind != "text"]
            keys = {column: key for key, column in source.keys.items()}
            values = [typed_value(spec, found.c[keys[spec.column]]) for spec in numbers]
            return sa.insert(raw).from_select(
                [*names, *(c.name for c in typed_ahead(source))],
                sa.select(*(found.c[key] for key in (*types, "_file")), *values),
            )

        reader = Reader(ex, source, raw, self.scratch, quarantine, insert)
        self._readers[source.name] = reader
        if not ex.planning:
            with ex.timed("read", source.name):
                local, changed = self._local(objects)
            if changed:
                return Reading(changed=changed)
            objects = local
        reading = reader.read(objects)
        ex.create(reader.way_back, step="read", target=source.name)
        self.fill(ex, reader.way_back, reader.pieces_read(), step="read", target=source.name)
        return reading

    def _local(self, objects: Sequence[Object]) -> tuple[list[Object], set[str]]:
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
        return [self._copies.get(o, o) for o in objects if o.key not in changed], changed

    def stage(self, ex: Executor, source: Source) -> None:
        reader = self._readers[source.name]
        names = [*(c.name for c in source.columns), "_object", "_line", "_row"]
        rows = reader.staged_rows().add_columns(self.place(reader.raw))
        ex.change(
            sa.insert(source.staging).from_select(names, rows),
            step="stage",
            target=source.name,
        )

    def staged_counts(self, ex: Executor, source: Source) -> dict[str, int]:
        """Rows of each object in the raw table, by key."""
        staged = self._readers[source.name].staged_rows().subquery("staged")
        found = ex.rows(
            sa.select(staged.c._object, sa.func.count()).group_by(staged.c._object),
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
