"""Finds what Redshift does not have in the tokens of a statement, and refuses it by name."""

from __future__ import annotations

from collections.abc import Sequence

from . import allow
from .data_types import parse_type
from .errors import GUIDE, RedshiftError, refused, unknown
from .tokens import Token, at, closing, render, split

# Words that may come before a parenthesis without being a function
_KEYWORDS = frozenset(
    allow.names(
        "all and any as between by case check distinct else except exists from full group "
        "having ilike in inner intersect into is join key left like limit not offset on or over "
        "partition references right select set some table then to union unique using values "
        "varying when where with within interval default return returning"
    )
)
_FRAMED = frozenset(
    [
        "any_value",
        "avg",
        "bool_and",
        "bool_or",
        "count",
        "first_value",
        "last_value",
        "max",
        "min",
        "nth_value",
        "stddev",
        "stddev_pop",
        "stddev_samp",
        "sum",
        "variance",
    ]
)
_FEATURES = "c_unsupported-postgresql-features"
# Matched word by word; a match is refused with the page
_PHRASES: tuple[tuple[str, str], ...] = (
    ("distinct on", _FEATURES),
    ("filter (", _FEATURES),
    ("is distinct from", "c_unsupported-postgresql-functions"),
    ("is not distinct from", "c_unsupported-postgresql-functions"),
    ("lateral", _FEATURES),
    ("( values", "r_INSERT_30"),
    ("on conflict", _FEATURES),
    ("on duplicate", _FEATURES),
    ("for update", _FEATURES),
    ("for share", _FEATURES),
    ("fetch first", "r_ORDER_BY_clause"),
    ("fetch next", "r_ORDER_BY_clause"),
    ("intersect all", "r_UNION"),
    ("except all", "r_UNION"),
    ("( insert", "r_WITH_clause"),
    ("( update", "r_WITH_clause"),
    ("( delete", "r_WITH_clause"),
    ("as materialized", "r_WITH_clause"),
    ("as not materialized", "r_WITH_clause"),
    ("with ordinality", _FEATURES),
    ("tablesample", _FEATURES),
    ("returning", _FEATURES),
    ("set (", "r_UPDATE"),
)
_UNKNOWN_WORDS = frozenset({"qualify", "pivot", "unpivot", "rollup", "cube", "grouping"})


def check(tokens: Sequence[Token]) -> None:
    """Refuse clauses, operators, functions and types that are not on the allow-list."""
    for index, token in enumerate(tokens):
        if token.kind == "dollar":
            raise refused("dollar quoting outside a procedure", "r_CREATE_PROCEDURE")
        if token.kind == "operator":
            _check_operator(tokens, index)
        elif token.is_("["):
            raise refused("an array or a subscript", "c_unsupported-postgresql-datatypes")
        if token.low in allow.REFUSED_WORDS and not is_column(tokens, index):
            raise refused(token.low, allow.REFUSED_WORDS[token.low])
        if token.low in _UNKNOWN_WORDS and not is_column(tokens, index):
            raise unknown(token.low.upper())
        catalog = token.name.startswith("pg_") and not at(tokens, index + 1).is_("(")
        if catalog and token.name not in allow.CATALOG_TABLES:
            raise unknown(f"the catalog's {token.name}")
        for phrase, page in _PHRASES:
            if _matches(tokens, index, phrase):
                raise refused(phrase.strip("( ").upper(), page)
        if token.low == "over":
            _check_window(tokens, index)
        if token.low == "window" and index + 2 < len(tokens) and tokens[index + 2].low == "as":
            raise refused("WINDOW", "r_Window_function_synopsis")
        if token.name and at(tokens, index + 1).is_("("):
            _check_call(tokens, index)


def is_column(tokens: Sequence[Token], index: int) -> bool:
    """Whether a word is part of a dotted name, and so no keyword."""
    return at(tokens, index - 1).is_(".") or at(tokens, index + 1).is_(".")


def _matches(tokens: Sequence[Token], index: int, phrase: str) -> bool:
    if at(tokens, index - 1).is_("."):
        return False
    return all(at(tokens, index + offset).is_(word) for offset, word in enumerate(phrase.split()))


def _check_operator(tokens: Sequence[Token], index: int) -> None:
    text = tokens[index].text
    if text in allow.REFUSED_OPERATORS:
        raise refused(f"the operator {text}", allow.REFUSED_OPERATORS[text])
    if text not in allow.OPERATORS:
        raise unknown(f"the operator {text}")
    if text == "::":
        kind = parse_type(tokens[index + 1 :], catalog=True)
        if kind.length is not None:
            # Redshift truncates to bytes; only CAST(… AS …) can be rewritten to do that
            raise unknown(f"::{kind.sql} (write CAST(… AS {kind.sql.upper()}))")
    if text in ("<", ">", "<=", ">=") and _is_row(tokens, index):
        raise refused(f"the comparison of rows by {text}", "r_comparison_condition")


def _is_row(tokens: Sequence[Token], index: int) -> bool:
    if not (at(tokens, index - 1).is_(")") and at(tokens, index + 1).is_("(")):
        return False
    depth = 0
    for start in range(index - 1, -1, -1):
        depth += 1 if tokens[start].is_(")") else -1 if tokens[start].is_("(") else 0
        if depth == 0:
            break
    before = at(tokens, start - 1)
    call = bool(before.name) and before.low not in _KEYWORDS
    return not call and len(split(tokens[start + 1 : index - 1], ",")) > 1


def _check_window(tokens: Sequence[Token], index: int) -> None:
    if not at(tokens, index + 1).is_("("):
        raise refused("a named window", "r_Window_function_synopsis")
    inner = tokens[index + 2 : closing(tokens, index + 1)]
    low = [token.low for token in inner]
    if "range" in low or "groups" in low or "exclude" in low:
        raise refused("a frame other than ROWS", "r_Window_function_synopsis")
    if "nulls" in low:
        raise refused("NULLS FIRST or LAST in a window", _FEATURES)
    name, depth = "", 0
    for start in range(index - 1, -1, -1):
        depth += 1 if tokens[start].is_(")") else -1 if tokens[start].is_("(") else 0
        if depth == 0:
            name = at(tokens, start - 1).name
            break
    if name in _FRAMED and "order" in low and "rows" not in low:
        raise RedshiftError(
            "Aggregate window functions with an ORDER BY clause require a frame clause",
            "42601",
            f"see {GUIDE.format('r_Window_function_synopsis')}",
        )


def _check_call(tokens: Sequence[Token], index: int) -> None:
    token, name = tokens[index], tokens[index].name
    start = index
    while at(tokens, start - 1).is_(".") and at(tokens, start - 2).name:
        start -= 2
    before = at(tokens, start - 1)
    if before.is_("into", "table", "exists", "references", "as", "view", ")"):
        return  # a table or an alias with a column list
    if before.is_("with", "recursive", ","):
        end = closing(tokens, index + 1)
        if at(tokens, end + 1).low == "as" and at(tokens, end + 2).is_("("):
            return  # a common table expression
    call = name in ("left", "right") and not at(tokens, index - 1).is_("join")
    if token.low in _KEYWORDS and not call:
        return
    if name in allow.TYPES and name not in allow.FUNCTIONS:
        return
    if start < index and tokens[start].name != "pg_catalog":
        raise unknown(f"the function {render(tokens[start : index + 1]).strip()}")
    if name in allow.REFUSED_FUNCTIONS:
        raise refused(f"the function {name}", allow.REFUSED_FUNCTIONS[name])
    if name not in allow.FUNCTIONS:
        raise unknown(f"the function {name}")
