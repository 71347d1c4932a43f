"""SQLAlchemy's DuckDB dialect with corrections, and our expressions in DuckDB's SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from duckdb_sqlalchemy import Dialect as StockDialect
from duckdb_sqlalchemy import DuckDBDDLCompiler
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from ...models.base import Base
from ...models.expressions import (
    Clean,
    EpochMs,
    HasBit,
    HasNul,
    Matches,
    Octets,
    Sha256,
    WholeNumber,
    whole_number,
)


class SparkifyDDLCompiler(DuckDBDDLCompiler):
    """Omits keys from DDL.

    A primary key is an index here: measured on 1.5 million rows, it makes the insert 3.4 times and
    a delete-insert of 51,000 rows 22 times as slow. A foreign key forbids deleting a parent that
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
        method = column.info.get("compression")
        return f"{text} USING COMPRESSION {method}" if method else text


class DuckDBDialect(StockDialect):
    """The stock dialect with plain schema names and without keys in DDL."""

    ddl_compiler = SparkifyDDLCompiler
    #: Migrations read this: without keys in DDL there are none to compare.
    emits_keys = False
    supports_statement_cache = True

    # A database has the name of its file. In `sparkify.duckdb` the name `sparkify.songs` is
    # ambiguous, database or schema, and every statement fails; so such a database is renamed while
    # it is open, as DuckDB itself does with `main.duckdb`.
    def connect(self, *cargs: Any, **cparams: Any) -> Any:
        connection = super().connect(*cargs, **cparams)
        (name,) = connection.execute("SELECT current_database()").fetchone()
        if name.lower() in {table.schema for table in Base.metadata.tables.values()}:
            old, new = (self.identifier_preparer.quote_identifier(n) for n in (name, name + "_db"))
            # Another thread may have renamed it.
            connection.execute(f"ALTER DATABASE IF EXISTS {old} SET ALIAS TO {new}")
        return connection

    # The stock dialect returns "db.schema", so that `alembic check` misses every table.
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
    :param lenient: a line that is not an object becomes a row of NULLs.
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
    # Otherwise a folder named year=1999 replaces the column of that name in the files in it.
    options = "format='newline_delimited', hive_partitioning=false, maximum_object_size=67108864"
    if element.lenient:
        options += ", ignore_errors=true, filename='_file'"
    files = compiler.process(element.clauses, **kw)
    return f"read_json({files}, columns={{{types}}}, {options})"


@compiles(Clean, "duckdb")
def _clean(element: Any, compiler: Any, **kw: Any) -> str:
    # Trimming every value costs 3 times as much as a look at its ends, and 20 times as much for
    # non-ASCII text: only values that start or end with a blank are trimmed.
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
    # What DuckDB would spell alike needs no pattern: a third of the cost.
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
