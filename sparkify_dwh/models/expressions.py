"""Expressions that engines spell differently, and comparisons that treat NULL as a value.

The engines under ``dialects/`` compile them; compiling one for an engine that lacks it raises an
error.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import reduce
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

#: What Python's ``str.strip()`` removes, as an explicit list: each engine's bare trim() differs.
BLANK_CHARACTERS = (
    "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005"
    "\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)

# Numbers in text: any 18 digits fit BIGINT.
_INTEGER = "^-?[0-9]{1,18}([.]0+)?$"
_NUMBER = "^-?[0-9]{1,15}([.][0-9]+)?([eE][-+]?[0-9]{1,2})?$"


# As literals, so that an engine compiles each pattern once for the whole statement.
INTEGER_PATTERN = sa.literal(_INTEGER, literal_execute=True)
NUMBER_PATTERN = sa.literal(_NUMBER, literal_execute=True)


BLANKS = sa.bindparam("blanks", BLANK_CHARACTERS, type_=sa.String())


class Clean(FunctionElement[str]):
    """Text without blanks (the second argument) at either end; '' becomes NULL."""

    name = "clean"
    type = sa.String()
    inherit_cache = True


class Octets(FunctionElement[int]):
    """Length of a text in bytes of UTF-8."""

    name = "octets"
    type = sa.BigInteger()
    inherit_cache = True


class Matches(FunctionElement[bool]):
    """Whether the whole text matches an anchored pattern."""

    name = "matches"
    type = sa.Boolean()
    inherit_cache = True


class EpochMs(FunctionElement[Any]):
    """Milliseconds since 1970-01-01 UTC (BIGINT) as TIMESTAMP, milliseconds kept."""

    name = "epoch_ms"
    type = sa.DateTime()
    inherit_cache = True


class HasNul(FunctionElement[bool]):
    """Whether a text contains U+0000."""

    name = "has_nul"
    type = sa.Boolean()
    inherit_cache = True


class Sha256(FunctionElement[str]):
    """SHA-256 of a text's UTF-8, hexadecimal in lower case."""

    name = "sha_256"
    type = sa.String(64)
    inherit_cache = True


class HasBit(FunctionElement[bool]):
    """Whether a bit of a BIGINT mask is set."""

    name = "has_bit"
    type = sa.Boolean()
    inherit_cache = True


class WholeNumber(FunctionElement[int]):
    """A text as BIGINT, or NULL where it is not a whole number of at most 18 digits."""

    name = "whole_number"
    type = sa.BigInteger()
    inherit_cache = True


@compiles(WholeNumber)
def whole_number(element: Any, compiler: Any, **kw: Any) -> str:
    """Compiles to SQL that every engine has."""
    return str(compiler.process(_integer(*element.clauses), **kw))


def integer(text: sa.ColumnElement[str]) -> sa.ColumnElement[int]:
    """A text as BIGINT, or NULL where it is not a whole number of at most 18 digits."""
    return WholeNumber(text)


def _integer(text: sa.ColumnElement[str]) -> sa.ColumnElement[int]:
    # A CASE guards the CAST, because DuckDB's TRY_CAST reads '12.7' as 13.
    number = sa.cast(text, sa.Double)
    return sa.case(
        (Matches(text, INTEGER_PATTERN), sa.cast(sa.func.split_part(text, ".", 1), sa.BigInteger)),
        (
            Matches(text, NUMBER_PATTERN),
            sa.case(
                (
                    sa.and_(sa.func.floor(number) == number, sa.func.abs(number) < 1e18),
                    sa.cast(number, sa.BigInteger),
                )
            ),
        ),
    )


def number(text: sa.ColumnElement[str]) -> sa.ColumnElement[float]:
    """A text as DOUBLE, or NULL where it is not a plain decimal number."""
    return sa.case((Matches(text, NUMBER_PATTERN), sa.cast(text, sa.Double)))


def descending(columns: Sequence[sa.ColumnElement[Any]]) -> list[sa.ColumnElement[Any]]:
    """ORDER BY terms, greatest first, NULL lowest.

    Engines differ in where DESC puts NULLs, and Redshift's window functions lack NULLS LAST.
    """
    terms: list[sa.ColumnElement[Any]] = []
    for column in columns:
        terms += [sa.case((column.is_(None), 1), else_=0), column.desc()]
    return terms


def greater(
    left: Sequence[sa.ColumnElement[Any]], right: Sequence[sa.ColumnElement[Any]]
) -> sa.ColumnElement[bool]:
    """Whether one row of columns is greater than another, column by column, NULL lowest.

    Written out, because Redshift has no comparison of rows.
    """
    result: sa.ColumnElement[bool] = sa.false()
    for one, other in reversed(list(zip(left, right, strict=True))):
        more = sa.and_(one.is_not(None), sa.or_(other.is_(None), one > other))
        result = sa.or_(more, sa.and_(same(one, other), result))
    return result


def same(one: sa.ColumnElement[Any], other: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Equality in which two NULLs are equal; Redshift has no IS NOT DISTINCT FROM."""
    return sa.or_(one == other, sa.and_(one.is_(None), other.is_(None)))


def differs(one: sa.ColumnElement[Any], other: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Inequality in which a NULL differs from a value."""
    return sa.or_(
        one != other,
        sa.and_(one.is_(None), other.is_not(None)),
        sa.and_(one.is_not(None), other.is_(None)),
    )


def join_on(
    left: sa.FromClause, right: sa.FromClause, names: Sequence[str]
) -> sa.ColumnElement[bool]:
    """Equality of the named columns of both sides."""
    return reduce(operator.and_, [left.c[name] == right.c[name] for name in names])


#: Milliseconds since 1970 of the times that are accepted: 2000-01-01 until 2101-01-01.
FIRST_MS, LAST_MS = 946_684_800_000, 4_133_980_800_000
