"""Plans what to do for a client's statement.

A statement is recognized by its first words. Anything not listed here is refused by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from . import allow, utility
from .copy_command import parse_copy
from .cursor import Cursor
from .ddl import alter_table, create_table
from .errors import RedshiftError, refused, unknown
from .expressions import query
from .plan import Plan
from .reflection import answer
from .tokens import Token, render, split, tokenize, words
from .utility import Planner

# https://docs.aws.amazon.com/redshift/latest/dg/c_redshift-sql.html
_LONGEST = 16 * 1024 * 1024
_LONG = 50_000


def plan(sql: str) -> Plan:
    """The plan for one statement; raises RedshiftError for what is refused."""
    # Long statements are rarely sent twice.
    return _cached_plan(sql) if len(sql) < _LONG else _plan(sql)


@lru_cache(maxsize=2000)
def _cached_plan(sql: str) -> Plan:
    return _plan(sql)


def _plan(sql: str) -> Plan:
    if len(sql) > _LONGEST // 4 and len(sql.encode()) > _LONGEST:
        raise RedshiftError(
            f"Statement is too large. Statement Size: {len(sql.encode())} bytes. "
            f"Maximum Allowed: {_LONGEST} bytes",
            "54000",
        )
    tokens = tokenize(sql)
    for token in tokens:
        if len(token.name.encode()) > 63:
            # Redshift accepts 127 bytes; Postgres would silently truncate the name
            raise unknown(f"a name of more than 63 bytes: {token.name}")
    while tokens and tokens[-1].is_(";"):
        tokens.pop()
    if not tokens:
        return Plan("")
    if len(split(tokens, ";")) > 1:
        raise RedshiftError("cannot insert multiple commands into a prepared statement", "42601")
    reflected = answer(sql)
    if reflected:
        return Plan(reflected)
    try:
        return _plan_tokens(tokens)
    except (IndexError, ValueError) as error:
        # the parser ran past the end of the statement
        raise RedshiftError(f'syntax error in "{sql.strip()[:100]}"', "42601") from error


def _plan_tokens(tokens: list[Token]) -> Plan:
    low = [token.low for token in tokens[:4]]
    for phrase, page in allow.REFUSED_STATEMENTS.items():
        expected = phrase.split()
        if low[: len(expected)] == expected:
            raise refused(phrase.upper(), page)
    for planners in (_BY_TWO_WORDS, _BY_WORD):
        planner = planners.get(" ".join(low[: 2 if planners is _BY_TWO_WORDS else 1]))
        if planner:
            return planner(tokens)
    if tokens[0].is_("("):
        return _query(tokens)
    raise unknown(f"the statement {' '.join(word for word in low[:2]).strip().upper()}")


def _query(tokens: Sequence[Token]) -> Plan:
    low = [token.low for token in split(tokens, ",")[0]]
    if tokens[0].low == "with" and ("insert" in low or "into" in low):
        raise refused("WITH before INSERT", "r_INSERT_30")
    if tokens[0].low == "select" and any(t.low == "into" for t in tokens if t.kind == "word"):
        raise unknown("SELECT INTO")
    return Plan(render(query(tokens)))


def _insert(tokens: Sequence[Token]) -> Plan:
    return Plan(render(query(tokens)))


def _delete(tokens: Sequence[Token]) -> Plan:
    cursor = Cursor(tokens)
    cursor.next()
    cursor.take("from")
    target = cursor.index
    cursor.name()
    if cursor.rest and cursor.here.low not in ("using", "where", "returning"):
        raise refused("an alias of the table in DELETE", "r_DELETE")
    return Plan(render(query([*words("DELETE FROM"), *tokens[target:]])))


def _copy(tokens: Sequence[Token]) -> Plan:
    return Plan("", tag="COPY", copy=parse_copy(tokens))


def _create_view(tokens: Sequence[Token]) -> Plan:
    low = [token.low for token in tokens]
    if low[-4:] == ["with", "no", "schema", "binding"]:
        raise unknown("WITH NO SCHEMA BINDING")
    return Plan(render(query(tokens)))


def _explain(tokens: Sequence[Token]) -> Plan:
    rest = tokens[2:] if tokens[1].low == "verbose" else tokens[1:]
    if not rest or rest[0].low not in ("select", "with", "insert", "update", "delete"):
        raise unknown("EXPLAIN of this statement")
    return Plan("EXPLAIN" + render(query(rest)))


_BY_TWO_WORDS: dict[str, Planner] = {
    "create table": create_table,
    "create temp": create_table,
    "create temporary": create_table,
    "create local": create_table,
    "create view": _create_view,
    "create or": _create_view,
    "create schema": utility.unchanged,
    "create group": utility.create_role,
    "create role": utility.create_role,
    "create user": utility.user,
    "create database": utility.alone("CREATE DATABASE"),
    "create library": utility.alone("CREATE LIBRARY"),
    "create external": utility.alone("CREATE EXTERNAL TABLE"),
    "drop database": utility.alone("DROP DATABASE"),
    "drop library": utility.alone("DROP LIBRARY"),
    "drop table": utility.unchanged,
    "drop view": utility.unchanged,
    "drop schema": utility.unchanged,
    "drop group": utility.unchanged,
    "drop role": utility.unchanged,
    "drop user": utility.unchanged,
    "alter table": alter_table,
    "alter schema": utility.unchanged,
    "alter group": utility.unchanged,
    "alter default": utility.grant,
    "alter user": utility.user,
    "comment on": utility.unchanged,
    "start transaction": utility.begin,
}
_BY_WORD: dict[str, Planner] = {
    "select": _query,
    "with": _query,
    "insert": _insert,
    "update": _insert,
    "delete": _delete,
    "begin": utility.begin,
    "commit": utility.end("COMMIT"),
    "end": utility.end("COMMIT"),
    "rollback": utility.end("ROLLBACK"),
    "abort": utility.end("ROLLBACK"),
    "lock": utility.lock,
    "truncate": utility.truncate,
    "vacuum": utility.vacuum,
    "analyze": utility.analyze,
    "copy": _copy,
    "set": utility.set_parameter,
    "reset": utility.reset,
    "show": utility.show,
    "explain": _explain,
    "grant": utility.grant,
    "revoke": utility.grant,
}
