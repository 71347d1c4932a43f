"""Expressions for the grouped values of a field: kind, text, number, damage, statistics."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from duckdb_sqlalchemy.datatypes import HugeInteger

from ....models.expressions import (
    BLANKS,
    FIRST_MS,
    INTEGER_PATTERN,
    LAST_MS,
    NUMBER_PATTERN,
    Clean,
    Matches,
    Octets,
)
from ....steps.executor import temporary

#: Maximum length of a value in a profile.
CUT = 1000
_TIME = (
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?(Z|[-+][0-9]{2}:?[0-9]{2})?)?$"
)
_CONTROL, _LATER_CONTROL = "[\\x00-\\x1f\\x7f]", "[\\x{80}-\\x{9f}]"
_DOUBLE_ENCODED = "[\\x{c2}-\\x{f4}][\\x{80}-\\x{bf}]"
#: Columns for kinds of damaged texts; ``later``: control characters beyond ASCII.
DAMAGES = ("control", "later", "lost", "blanks")
NULL, EMPTY = "null", '""'


def _fixed(value: Any) -> sa.ColumnElement[Any]:
    """A literal, not a bind, so that DuckDB compiles a pattern once."""
    return sa.literal(value, literal_execute=True)


def given_value(value: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether a JSON value is neither missing nor null nor ''."""
    return sa.and_(value.is_not(None), value != _fixed(NULL), value != _fixed(EMPTY))


def _between(value: Any, first: str, beyond: str) -> sa.ColumnElement[bool]:
    return sa.and_(value >= _fixed(first), value < _fixed(beyond))


def trimmed(text: Any) -> sa.ColumnElement[str]:
    """A text without blanks at its ends."""
    return sa.func.coalesce(Clean(text, BLANKS), sa.case((text.is_not(None), "")))


def typed(groups: sa.FromClause) -> sa.Select[Any]:
    """Values ``v`` and their counts ``n``, with kind, text, number, and damage of the text."""
    v = groups.c.v
    plain = sa.func.substr(v, 2, sa.func.length(v) - 2)
    text = sa.case((sa.func.contains(v, "\\"), sa.func.json_extract_string(v, "$")), else_=plain)
    digits = sa.or_(_between(v, "0", ":"), _between(v, "-0", "-:"))
    kind = sa.case(
        (_between(v, '"', "#"), "string"),
        (
            digits,
            sa.case((Matches(v, _fixed("^-?[0-9]+$")), "integer"), else_="number"),
        ),
        (v == NULL, None),
        (_between(v, "{", "|"), "object"),
        (_between(v, "[", "\\"), "array"),
        (v.in_(["true", "false"]), "boolean"),
        else_="not a number",
    )
    first = sa.select(
        v,
        groups.c.n,
        kind.label("kind"),
        sa.case((_between(v, '"', "#"), text)).label("text"),
    ).subquery("first")
    string = first.c.text
    is_number = first.c.kind.in_(["integer", "number"])
    as_text = sa.and_(
        _between(string, "-", ":"),
        sa.or_(Matches(string, INTEGER_PATTERN), Matches(string, NUMBER_PATTERN)),
    )
    spelled = sa.case((is_number, first.c.v), (as_text, string))
    wide = Octets(string) != sa.func.length(string)

    def contains(pattern: str) -> sa.ColumnElement[bool]:
        return sa.func.regexp_matches(string, _fixed(pattern))

    columns = {
        "v": first.c.v,
        "n": first.c.n,
        "kind": first.c.kind,
        "text": string,
        "number": sa.try_cast(spelled, sa.Double),
        "whole": sa.case((first.c.kind == "integer", sa.try_cast(first.c.v, HugeInteger()))),
        "is_time": Matches(string, _fixed(_TIME)),
        "double_encoded": sa.and_(wide, contains(_DOUBLE_ENCODED)),
        "control": contains(_CONTROL),
        "later": sa.and_(wide, sa.not_(contains(_CONTROL)), contains(_LATER_CONTROL)),
        "lost": sa.and_(wide, sa.func.contains(string, "\ufffd")),
        "blanks": trimmed(string) != string,
    }
    return sa.select(*(column.label(name) for name, column in columns.items()))


def typed_table() -> sa.Table:
    """A table for the rows of ``typed``."""
    flags = ("is_time", "double_encoded", *DAMAGES)
    return temporary(
        "grouped_values",
        sa.Column("v", sa.String),
        sa.Column("n", sa.BigInteger),
        sa.Column("kind", sa.String),
        sa.Column("text", sa.String),
        sa.Column("number", sa.Double),
        sa.Column("whole", HugeInteger()),  # DECIMAL(38, 0) costs 300 times as much
        *(sa.Column(name, sa.Boolean) for name in flags),
    )


def statistics(values: sa.Table) -> sa.Select[Any]:
    """All statistics of a field, in one row."""
    c = values.c
    text, kind, given = c.text, c.kind, c.v != _fixed(EMPTY)
    shown, is_value = sa.func.coalesce(text, c.v), kind.is_not(None)

    def rows(condition: Any) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.func.sum(c.n).filter(condition), 0)

    is_text, is_number = kind == "string", kind.in_(["integer", "number"])
    time = sa.or_(c.is_time, sa.and_(c.number >= _fixed(FIRST_MS), c.number < _fixed(LAST_MS)))
    columns = {
        name: rows(kind == name)
        for name in ("string", "integer", "number", "boolean", "object", "array", "not a number")
    }
    columns |= {
        "nulls": rows(kind.is_(None)),
        "empty": rows(sa.not_(given)),
        "distinct": sa.func.count().filter(is_value),
        "most": sa.func.max(c.n).filter(is_value),
        "text_min": sa.func.min(text).filter(given),
        "text_max": sa.func.max(text).filter(given),
        "whole_min": sa.func.min(c.whole).filter(kind == "integer"),
        "whole_max": sa.func.max(c.whole).filter(kind == "integer"),
        "real_min": sa.func.min(c.number).filter(is_number),
        "real_max": sa.func.max(c.number).filter(is_number),
        "any_min": sa.func.min(c.number),
        "any_max": sa.func.max(c.number),
        "least_positive": sa.func.min(c.number).filter(c.number > 0),
        "least_flag": sa.func.min(c.v).filter(kind == "boolean"),
        "greatest_flag": sa.func.max(c.v).filter(kind == "boolean"),
        "chars": sa.func.max(sa.func.length(shown)).filter(is_value),
        "bytes": sa.func.max(Octets(shown)).filter(is_value),
        "longest": sa.func.arg_max(sa.func.left(shown, CUT), Octets(shown)).filter(is_value),
        "numbers_as_text": rows(sa.and_(is_text, c.number.is_not(None))),
        "fractions": rows(sa.func.floor(c.number) != c.number),
        "times": rows(time),
        "double_encoded": rows(c.double_encoded),
        "bytes_trimmed": sa.func.max(Octets(trimmed(shown))).filter(
            sa.and_(is_value, sa.func.coalesce(sa.not_(c.double_encoded), sa.true()))
        ),
    }
    for name in DAMAGES:
        columns[name] = rows(c[name])
        columns[f"{name}_values"] = sa.func.count().filter(c[name])
    return sa.select(*(column.label(name) for name, column in columns.items()))
