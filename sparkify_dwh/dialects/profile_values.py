"""Values of a field, grouped, as expressions: their kind, text and number; what is told of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ..sql import BLANKS, INTEGER_PATTERN, NUMBER_PATTERN, Matches, Octets
from ..transform import FIRST_MS, LAST_MS

#: Characters of a value that are shown.
CUT = 1000
_TIME = (
    "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    "([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?(Z|[-+][0-9]{2}:?[0-9]{2})?)?$"
)
_CONTROL, _LATER_CONTROL = "[\\x00-\\x1f\\x7f]", "[\\x{80}-\\x{9f}]"
_TWICE = "[\\x{c2}-\\x{f4}][\\x{80}-\\x{bf}]"
NULL, EMPTY = "null", '""'


def _fixed(value: Any) -> sa.ColumnElement[Any]:
    """A constant that the engine sees as one, so that a pattern is compiled once."""
    return sa.literal(value, literal_execute=True)


def given_value(value: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Whether a JSON value is neither missing nor null nor ''."""
    return sa.and_(value.is_not(None), value != _fixed(NULL), value != _fixed(EMPTY))


def _between(value: Any, first: str, beyond: str) -> sa.ColumnElement[bool]:
    return sa.and_(value >= _fixed(first), value < _fixed(beyond))


def typed(groups: sa.FromClause) -> sa.Subquery:
    """The groups with their kind, the text of strings, and numbers as numbers."""
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
    counts = first.c.kind.in_(["integer", "number"])
    as_text = sa.and_(
        _between(string, "-", ":"),
        sa.or_(Matches(string, INTEGER_PATTERN), Matches(string, NUMBER_PATTERN)),
    )
    spelled = sa.case((counts, first.c.v), (as_text, string))
    return sa.select(
        first.c.v,
        first.c.n,
        first.c.kind,
        string,
        sa.func.coalesce(string, first.c.v).label("shown"),
        sa.try_cast(spelled, sa.Double).label("number"),
        sa.try_cast(spelled, sa.Numeric(38, 0)).label("whole"),
        Matches(string, _fixed(_TIME)).label("is_time"),
    ).subquery("typed")


def suspect(text: Any) -> sa.ColumnElement[bool]:
    """Whether a text may be UTF-8 that was read as latin-1."""
    return sa.and_(
        Octets(text) != sa.func.length(text), sa.func.regexp_matches(text, _fixed(_TWICE))
    )


def damages(text: Any) -> dict[str, sa.ColumnElement[bool]]:
    """By kind of damage, whether the text looks so."""
    later = sa.and_(
        Octets(text) != sa.func.length(text), sa.func.regexp_matches(text, _fixed(_LATER_CONTROL))
    )
    return {
        "control characters": sa.func.regexp_matches(text, _fixed(_CONTROL)),
        "later": later,
        "lost characters": sa.func.contains(text, "\ufffd"),
        "stray blanks": sa.func.trim(text, BLANKS) != text,
    }


def statistics(values: sa.Subquery) -> sa.Select[Any]:
    """One row of everything that is told of a field."""
    c = values.c
    text, kind, given = c.text, c.kind, c.v != _fixed(EMPTY)

    def rows(condition: Any) -> sa.ColumnElement[int]:
        return sa.func.coalesce(sa.func.sum(c.n).filter(condition), 0)

    is_text, counts = kind == "string", kind.in_(["integer", "number"])
    time = sa.or_(c.is_time, sa.and_(c.number >= _fixed(FIRST_MS), c.number < _fixed(LAST_MS)))
    columns = {
        name: rows(kind == name)
        for name in ("string", "integer", "number", "boolean", "object", "array", "not a number")
    }
    columns |= {
        "nulls": rows(kind.is_(None)),
        "empty": rows(sa.not_(given)),
        "distinct": sa.func.count().filter(kind.is_not(None)),
        "most": sa.func.max(c.n).filter(kind.is_not(None)),
        "text_min": sa.func.min(text).filter(given),
        "text_max": sa.func.max(text).filter(given),
        "whole_min": sa.func.min(c.whole).filter(kind == "integer"),
        "whole_max": sa.func.max(c.whole).filter(kind == "integer"),
        "real_min": sa.func.min(c.number).filter(counts),
        "real_max": sa.func.max(c.number).filter(counts),
        "any_min": sa.func.min(c.number),
        "any_max": sa.func.max(c.number),
        "least_positive": sa.func.min(c.number).filter(c.number > 0),
        "least_flag": sa.func.min(c.v).filter(kind == "boolean"),
        "greatest_flag": sa.func.max(c.v).filter(kind == "boolean"),
        "chars": sa.func.max(sa.func.length(c.shown)).filter(kind.is_not(None)),
        "bytes": sa.func.max(Octets(c.shown)).filter(kind.is_not(None)),
        "longest": sa.func.arg_max(sa.func.left(c.shown, CUT), Octets(c.shown)).filter(
            kind.is_not(None)
        ),
        "numbers_as_text": rows(sa.and_(is_text, c.number.is_not(None))),
        "fractions": rows(sa.func.floor(c.number) != c.number),
        "times": rows(time),
        "suspects": rows(suspect(text)),
        "bytes_trimmed": sa.func.max(Octets(sa.func.trim(c.shown, BLANKS))).filter(
            sa.and_(kind.is_not(None), sa.func.coalesce(sa.not_(suspect(text)), sa.true()))
        ),
    }
    for name, condition in damages(text).items():
        columns[name] = rows(condition)
        columns[f"{name} distinct"] = sa.func.count().filter(condition)
    return sa.select(*(column.label(name) for name, column in columns.items()))
