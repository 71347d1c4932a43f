"""The Redshift dialect, with fixes for traps of the stock one, and its SQL for our expressions."""

from __future__ import annotations

from typing import Any

from alembic.ddl.postgresql import PostgresqlColumnType, visit_column_type
from sqlalchemy.dialects import registry
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.dml import Delete
from sqlalchemy_redshift.dialect import (
    RedshiftDDLCompiler,
    RedshiftDialect_redshift_connector,
    RedshiftIdentifierPreparer,
)

from ...models.expressions import Clean, EpochMs, HasBit, HasNul, Matches, Octets, Sha256
from .driver_errors import is_dropped
from .table_options import RedshiftTableOptions

# The stock package, imported above, registers this name for a driver that is not installed.
registry.register("redshift", RedshiftTableOptions.__module__, RedshiftTableOptions.__name__)


class SparkifyDDLCompiler(RedshiftDDLCompiler):  # type: ignore[misc]
    """Leaves out CHECK, which Redshift does not have.

    Source: https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-features.html
    """

    def visit_check_constraint(self, constraint: Any, **kw: Any) -> Any:
        return None

    def visit_column_check_constraint(self, constraint: Any, **kw: Any) -> str:
        return ""


class SparkifyPreparer(RedshiftIdentifierPreparer):  # type: ignore[misc]
    """Does not double percent signs: the driver reads none inside quotes as a parameter."""

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self._double_percents = False


class RedshiftDialect(RedshiftDialect_redshift_connector):  # type: ignore[misc]
    """The stock dialect without RETURNING, which Redshift rejects (upstream issues 281, 330)."""

    ddl_compiler = SparkifyDDLCompiler
    preparer = SparkifyPreparer
    insert_returning = False
    update_returning = False
    delete_returning = False
    # The stock compiler writes the LIMIT into the text: a cached statement would keep the first.
    supports_statement_cache = False
    #: Whether a VARCHAR can only be widened outside of a transaction.
    #: Source: https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html
    widens_alone = True

    def _set_backslash_escapes(self, connection: Any) -> None:
        # Redshift reads a backslash in a literal as an escape; the stock dialect leaves it single.
        # Source: https://docs.aws.amazon.com/redshift/latest/dg/pattern-matching-conditions-posix.html
        self._backslash_escapes = True

    def set_isolation_level(self, dbapi_connection: Any, level: str) -> None:
        # SQLAlchemy has just asked for the level, which began a transaction: VACUUM fails in one.
        dbapi_connection.rollback()
        if level == "AUTOCOMMIT":
            super().set_isolation_level(dbapi_connection, level)
        else:
            # Isolation is set per database: SET SESSION CHARACTERISTICS is PostgreSQL's statement.
            getattr(dbapi_connection, "connection", dbapi_connection).autocommit = False

    # The stock dialect reads names from the text of a constraint and keeps their quotes.
    def get_pk_constraint(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> dict[str, Any]:
        key = super().get_pk_constraint(connection, table_name, schema, **kw)
        return {**key, "constrained_columns": [*map(_unquote, key["constrained_columns"])]}

    def get_foreign_keys(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[dict[str, Any]]:
        return [
            {
                **key,
                "constrained_columns": [*map(_unquote, key["constrained_columns"])],
                "referred_columns": [*map(_unquote, key["referred_columns"])],
                "referred_table": _unquote(key["referred_table"]),
                "referred_schema": key["referred_schema"] and _unquote(key["referred_schema"]),
            }
            for key in super().get_foreign_keys(connection, table_name, schema, **kw)
        ]

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        return is_dropped(e)


def _unquote(name: str) -> str:
    quoted = len(name) > 1 and name.startswith('"') and name.endswith('"')
    return name[1:-1].replace('""', '"') if quoted else name


# The stock package compiles DELETE .. WHERE EXISTS without its correlation, so it empties the
# table, and drops USING for columns inside a function.
@compiles(Delete, "redshift")
def _delete(element: Delete, compiler: Any, **kw: Any) -> str:
    return str(compiler.visit_delete(element, **kw))


# Alembic's statements for Redshift are PostgreSQL's, but it registers them for that name only.
compiles(PostgresqlColumnType, "redshift")(visit_column_type)


@compiles(Clean, "redshift")
def _clean(element: Any, compiler: Any, **kw: Any) -> str:
    text, blanks = (compiler.process(part, **kw) for part in element.clauses)
    return f"nullif(btrim({text}, {blanks}), '')"


@compiles(Octets, "redshift")
def _octets(element: Any, compiler: Any, **kw: Any) -> str:
    return f"octet_length({compiler.process(element.clauses, **kw)})"


@compiles(Matches, "redshift")
def _matches(element: Any, compiler: Any, **kw: Any) -> str:
    text, pattern = (compiler.process(part, **kw) for part in element.clauses)
    return f"{text} ~ {pattern}"


@compiles(EpochMs, "redshift")
def _epoch_ms(element: Any, compiler: Any, **kw: Any) -> str:
    # In two steps: dateadd accepts 32 bits only.
    ms = compiler.process(element.clauses, **kw)
    start = "TIMESTAMP '1970-01-01 00:00:00'"
    days = f"dateadd(day, CAST(({ms}) / 86400000 AS INTEGER), {start})"
    return f"dateadd(ms, CAST(mod({ms}, 86400000) AS INTEGER), {days})"


@compiles(HasNul, "redshift")
def _has_nul(element: Any, compiler: Any, **kw: Any) -> str:
    return f"(strpos({compiler.process(element.clauses, **kw)}, chr(0)) > 0)"


@compiles(Sha256, "redshift")
def _sha256(element: Any, compiler: Any, **kw: Any) -> str:
    return f"sha2({compiler.process(element.clauses, **kw)}, 256)"


@compiles(HasBit, "redshift")
def _has_bit(element: Any, compiler: Any, **kw: Any) -> str:
    mask, bit = (compiler.process(part, **kw) for part in element.clauses)
    return f"(({mask} & CAST({bit} AS BIGINT)) <> 0)"
