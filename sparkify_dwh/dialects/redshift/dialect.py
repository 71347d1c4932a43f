"""Amazon Redshift: its dialect, with the traps of the stock one mended, and its expressions."""

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
from .errors import is_dropped
from .table_options import RedshiftNames

# The stock package, imported above, takes the name for a driver that is not installed.
registry.register("redshift", RedshiftNames.__module__, RedshiftNames.__name__)


class SparkifyDDLCompiler(RedshiftDDLCompiler):  # type: ignore[misc]
    """Without CHECK, which Redshift does not know.

    Source: https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-features.html
    """

    def visit_check_constraint(self, constraint: Any, **kw: Any) -> Any:
        return None

    def visit_column_check_constraint(self, constraint: Any, **kw: Any) -> str:
        return ""


class SparkifyPreparer(RedshiftIdentifierPreparer):  # type: ignore[misc]
    """Leaves a percent sign as it is: the driver takes none for a parameter inside of quotes."""

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
    # The stock compiler writes LIMIT into the text, so a cached statement would keep the first.
    supports_statement_cache = False
    #: Refused inside of a transaction: what widens a VARCHAR.
    #: Source: https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html
    widens_alone = True

    def _set_backslash_escapes(self, connection: Any) -> None:
        # Redshift reads a backslash in a literal as an escape; the stock dialect leaves it single.
        # Source: https://docs.aws.amazon.com/redshift/latest/dg/pattern-matching-conditions-posix.html
        self._backslash_escapes = True

    def set_isolation_level(self, dbapi_connection: Any, level: str) -> None:
        # Asking for the level before began a transaction, in which VACUUM and its like would run.
        dbapi_connection.rollback()
        if level == "AUTOCOMMIT":
            super().set_isolation_level(dbapi_connection, level)
        else:
            # Isolation is the database's: SET SESSION CHARACTERISTICS is PostgreSQL's statement.
            getattr(dbapi_connection, "connection", dbapi_connection).autocommit = False

    # The stock dialect takes names out of the text of a constraint with the quotes around them.
    def get_pk_constraint(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> dict[str, Any]:
        found = super().get_pk_constraint(connection, table_name, schema, **kw)
        return {**found, "constrained_columns": [*map(_bare, found["constrained_columns"])]}

    def get_foreign_keys(
        self, connection: Any, table_name: str, schema: str | None = None, **kw: Any
    ) -> list[dict[str, Any]]:
        return [
            {
                **found,
                "constrained_columns": [*map(_bare, found["constrained_columns"])],
                "referred_columns": [*map(_bare, found["referred_columns"])],
                "referred_table": _bare(found["referred_table"]),
                "referred_schema": found["referred_schema"] and _bare(found["referred_schema"]),
            }
            for found in super().get_foreign_keys(connection, table_name, schema, **kw)
        ]

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        return is_dropped(e)


def _bare(name: str) -> str:
    quoted = len(name) > 1 and name.startswith('"') and name.endswith('"')
    return name[1:-1].replace('""', '"') if quoted else name


# The stock package compiles DELETE .. WHERE EXISTS into a statement that is not correlated and
# empties the table, and drops USING for columns inside a function.
@compiles(Delete, "redshift")
def _delete(element: Delete, compiler: Any, **kw: Any) -> str:
    return str(compiler.visit_delete(element, **kw))


# Alembic's statements for Redshift are those for PostgreSQL, which it compiles by that name only.
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
    # In two steps, so that both counts fit the 32 bits that dateadd takes.
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
