"""The tokenizer and its users: text in literals and comments is never touched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .errors import RedshiftError
from .rewrite import plan
from .tokens import render, statements, tokenize

_PIECES = st.sampled_from(
    ["select", "'it''s'", r"'a\'b'", '"Na""me"', "-- note\n", "/* a /* b */ c */", " ", "\n"]
)
_SIGNS = st.sampled_from(
    ["(", ")", "a.b", "::", "<>", "=-1", "1.5e3", ".5", "$1", ",", ";", "||", "x", "é"]
)


@given(st.lists(_PIECES | _SIGNS, max_size=12))
def test_joining_the_tokens_yields_the_text(pieces: list[str]) -> None:
    sql = " ".join(pieces)
    tokens = tokenize(sql)
    rest = sql[len(render(tokens)) :]
    assert render(tokens) + rest == sql
    assert not tokenize(rest)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_literal_keeps_its_value(value: str) -> None:
    sql = "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
    (token,) = tokenize(sql)
    assert token.value == value


def test_a_backslash_escapes_in_an_ordinary_literal() -> None:
    """pattern-matching-conditions-posix: the guide doubles every backslash in a literal."""
    (token,) = tokenize(r"'a\\d \'quoted\' ''too'''")
    assert token.value == r"a\d 'quoted' 'too'"


def test_operators_do_not_swallow_signs_and_comments() -> None:
    assert [t.text for t in tokenize("a=-1 b<>--no\n2 c||/*x*/d")] == [
        *("a", "=", "-", "1", "b", "<>", "2", "c", "||", "d")
    ]


def test_statements_are_split_outside_literals_only() -> None:
    assert [render(part).strip() for part in statements("select ';' ; -- a;b\nselect 2;")] == [
        "select ';'",
        "-- a;b\nselect 2",
    ]


@pytest.mark.parametrize("sql", ["'open", '"open', "/* open", "$$open", "select \x01"])
def test_what_cannot_be_read_is_an_error(sql: str) -> None:
    with pytest.raises(RedshiftError):
        tokenize(sql)


@pytest.mark.parametrize(
    "inside",
    ["sysdate", "distkey(a)", "returning", "string_agg(x)", "a ~* b", "savepoint", "[1]"],
)
def test_literals_and_comments_are_not_read_as_sql(inside: str) -> None:
    for sql in (f"SELECT '{inside}'", f"SELECT 1 -- {inside}\n", f"SELECT /* {inside} */ 1"):
        assert plan(sql).sql == sql.rstrip("\n").split(" --")[0] or inside in plan(sql).sql


def test_names_are_lower_case_even_when_quoted() -> None:
    """r_names: identifiers are case-insensitive and folded to lower case."""
    assert plan('SELECT "FirstName" AS "Given" FROM "T"').sql == (
        'SELECT "firstname" AS "given" FROM "t"'
    )
