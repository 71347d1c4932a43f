"""Amazon Redshift: its dialect, with the traps of the stock one mended, and its expressions."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.dml import Delete
from sqlalchemy_redshift.dialect import (
    RedshiftDDLCompiler,
    RedshiftDialect_redshift_connector,
)

from ..sql import Clean, EpochMs, HasBit, HasNul, Matches, Octets
from .redshift_trouble import is_dropped


class SparkifyDDLCompiler(RedshiftDDLCompiler):  # type: ignore[misc]
    """Without CHECK, which Redshift does not know.

    Source: https://docs.aws.amazon.com/redshift/latest/dg/c_unsupported-postgresql-features.html
    """

    def visit_check_constraint(self, constraint: Any, **kw: Any) -> Any:
        return None

    def visit_column_check_constraint(self, constraint: Any, **kw: Any) -> str:
        return ""


class RedshiftDialect(RedshiftDialect_redshift_connector):  # type: ignore[misc]
    """The stock dialect without RETURNING, which Redshift rejects (upstream issues 281, 330)."""

    ddl_compiler = SparkifyDDLCompiler
    insert_returning = False
    update_returning = False
    delete_returning = False
    # The stock compiler writes LIMIT into the text, so a cached statement would keep the first.
    supports_statement_cache = False

    def _set_backslash_escapes(self, connection: Any) -> None:
        # Redshift reads a backslash in a literal as an escape; the stock dialect leaves it single.
        # Source: https://docs.aws.amazon.com/redshift/latest/dg/pattern-matching-conditions-posix.html
        self._backslash_escapes = True

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        return is_dropped(e)


# The stock package compiles DELETE .. WHERE EXISTS into a statement that is not correlated and
# empties the table, and drops USING for columns inside a function.
@compiles(Delete, "redshift")
def _delete(element: Delete, compiler: Any, **kw: Any) -> str:
    return str(compiler.visit_delete(element, **kw))


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


@compiles(HasBit, "redshift")
def _has_bit(element: Any, compiler: Any, **kw: Any) -> str:
    mask, bit = (compiler.process(part, **kw) for part in element.clauses)
    return f"(({mask} & CAST({bit} AS BIGINT)) <> 0)"
