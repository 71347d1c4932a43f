"""From a client's statement to the stand-in's plan for it.

A statement is known by its first words. Anything not listed here is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from . import allow
from .copy_command import parse_copy
from .ddl import Cursor, alter_table, create_table
from .errors import RedshiftError, refused, unknown
from .expressions import expression, query
from .plan import Login, Plan
from .reflection import answer
from .tokens import Token, render, split, tokenize, words

Planner = Callable[[Sequence[Token]], Plan]


def plan(sql: str) -> Plan:
    """The plan for one statement; raises RedshiftError for what is refused."""
    tokens = tokenize(sql)
    while tokens and tokens[-1].is_(";"):
        tokens.pop()
    if not tokens:
        return Plan("")
    if len(split(tokens, ";")) > 1:
        raise RedshiftError("cannot insert multiple commands into a prepared statement", "42601")
    reflected = answer(sql)
    if reflected:
        return Plan(reflected)
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
    if cursor.rest and cursor.here.low not in ("using", "where"):
        raise refused("an alias of the table in DELETE", "r_DELETE")
    return Plan(render(query([*words("DELETE FROM"), *tokens[target:]])))


def _begin(tokens: Sequence[Token]) -> Plan:
    """The isolation level is taken and ignored: the database decides.

    https://docs.aws.amazon.com/redshift/latest/dg/r_BEGIN.html
    """
    text = " ".join(token.low for token in tokens)
    match = re.fullmatch(
        r"(?:begin|start)(?: work| transaction)?"
        r"(?: isolation level (?:serializable|repeatable read|read committed|read uncommitted))?"
        r"( read only| read write)?",
        text,
    )
    if not match:
        raise unknown(text.upper())
    return Plan("BEGIN" + (match[1] or "").upper())


def _end(word: str) -> Planner:
    def planner(tokens: Sequence[Token]) -> Plan:
        if [token.low for token in tokens[1:]] not in ([], ["work"], ["transaction"]):
            raise unknown(render(tokens).upper())
        return Plan(word)

    return planner


def _lock(tokens: Sequence[Token]) -> Plan:
    """LOCK takes no mode and no NOWAIT: it is always ACCESS EXCLUSIVE.

    https://docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html
    """
    cursor = Cursor(tokens)
    cursor.next()
    cursor.take("table")
    names = [render(_whole_name(part)) for part in split(cursor.rest, ",")]
    return Plan("LOCK TABLE " + ", ".join(names), tag="LOCK TABLE", lock=True)


def _truncate(tokens: Sequence[Token]) -> Plan:
    """TRUNCATE commits, also inside BEGIN: r_TRUNCATE."""
    cursor = Cursor(tokens)
    cursor.next()
    cursor.take("table")
    return Plan("TRUNCATE TABLE " + render(_whole_name(cursor.rest)), commits=True)


def _whole_name(tokens: Sequence[Token]) -> list[Token]:
    cursor = Cursor(tokens)
    name = cursor.name()
    cursor.finish()
    return name


def _vacuum(tokens: Sequence[Token]) -> Plan:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_VACUUM_command.html"""
    cursor = Cursor(tokens)
    cursor.next()
    for phrase in ("full", "sort only", "delete only", "reindex", "recluster"):
        if cursor.take(*phrase.split()):
            break
    name = render(cursor.name()).strip() if cursor.here.name else ""
    if cursor.take("to"):
        cursor.next()
        if not cursor.take("percent"):
            raise cursor.error()
    cursor.take("boost")
    cursor.finish()
    return Plan(f"VACUUM {name}", alone="VACUUM")


def _analyze(tokens: Sequence[Token]) -> Plan:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_ANALYZE.html"""
    cursor = Cursor(tokens)
    cursor.next()
    if cursor.here.low == "compression":
        raise unknown("ANALYZE COMPRESSION")
    cursor.take("verbose")
    sql = "ANALYZE"
    if cursor.here.name:
        sql += render(cursor.name())
        if cursor.here.is_("("):
            sql += f" ({render(expression(cursor.group()))})"
    cursor.take("predicate", "columns")
    cursor.take("all", "columns")
    cursor.finish()
    return Plan(sql)


def _copy(tokens: Sequence[Token]) -> Plan:
    return Plan("", tag="COPY", copy=parse_copy(tokens))


def _set(tokens: Sequence[Token]) -> Plan:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_SET.html"""
    cursor = Cursor(tokens)
    cursor.next()
    if cursor.take("session", "characteristics", "as", "transaction", "isolation", "level"):
        # sqlalchemy-redshift sends it to leave AUTOCOMMIT; the database decides the level
        return Plan("", tag="SET")
    scope = "LOCAL" if cursor.take("local") else "SESSION"
    cursor.take("session")
    name = _parameter(cursor.next())
    if not (cursor.take("to") or cursor.take("=")):
        raise cursor.error()
    return Plan(f"SET {scope} {name} TO {render(cursor.rest)}")


def _parameter(token: Token) -> str:
    if token.name not in allow.PARAMETERS:
        raise unknown(f"the parameter {token.text}")
    return f"redshift.{token.name}" if token.name in allow.FOREIGN_PARAMETERS else token.name


def _reset(tokens: Sequence[Token]) -> Plan:
    _expect(tokens, 2)
    return Plan(f"RESET {_parameter(tokens[1])}")


def _show(tokens: Sequence[Token]) -> Plan:
    """Redshift reports every transaction as serializable: r_BEGIN."""
    if [token.low for token in tokens[1:]] == ["transaction", "isolation", "level"]:
        return Plan("SELECT 'serializable'::text AS transaction_isolation", tag="SHOW")
    _expect(tokens, 2)
    name = _parameter(tokens[1])
    if name.startswith("redshift."):
        return Plan(
            f"SELECT coalesce(current_setting('{name}', true), '') AS {tokens[1].name}", tag="SHOW"
        )
    return Plan(f"SHOW {name}")


def _expect(tokens: Sequence[Token], count: int) -> None:
    if len(tokens) != count:
        raise unknown(f"the statement {render(tokens)}")


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


def _grant(tokens: Sequence[Token]) -> Plan:
    """Roles are named with the word ROLE, which Postgres does not take: r_GRANT."""
    kept = [t for t in tokens if t.low != "role"]
    if any(t.low in ("assumerole", "datashare", "model", "language", "external") for t in kept):
        raise unknown("GRANT or REVOKE of this kind")
    return Plan(render(_plain(kept)))


def _plain(tokens: Sequence[Token]) -> list[Token]:
    """Names folded, and no expression among them."""
    out: list[Token] = []
    for token in tokens:
        if token.kind == "operator" or token.is_("["):
            raise RedshiftError(f'syntax error at or near "{token.text}"', "42601")
        out += expression([token]) if token.kind == "quoted" else [token]
    return out


def _passed(tokens: Sequence[Token]) -> Plan:
    return Plan(render(_plain(tokens)))


def _user(tokens: Sequence[Token]) -> Plan:
    """The proxy keeps the passwords; Postgres only gets the user.

    https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_USER.html
    """
    cursor = Cursor(tokens)
    verb = cursor.next().low
    cursor.next()
    user = cursor.next().name
    login: Login | None = None
    options: list[str] = []
    cursor.take("with")
    while cursor.rest:
        if cursor.take("password", "disable"):
            login = Login(user, None)
        elif cursor.take("password"):
            login = Login(user, _password(cursor.next().value))
        elif cursor.here.low in ("createdb", "nocreatedb"):
            options.append(cursor.next().text)
        elif cursor.take("createuser"):
            options.append("SUPERUSER")
        elif not cursor.take("nocreateuser"):
            raise unknown(f"{verb.upper()} USER … {cursor.here.text.upper()}")
    if verb == "create" and login is None:
        raise RedshiftError("CREATE USER needs PASSWORD", "42601")
    quoted = '"' + user.replace('"', '""') + '"'
    return Plan(f"{verb.upper()} USER {quoted} {' '.join(options)}", login=login)


def _password(value: str) -> str:
    checks = (r".{8,64}", r".*[A-Z].*", r".*[a-z].*", r".*[0-9].*", r"[^'\"\\/@ ]*")
    if not all(re.fullmatch(check, value, re.DOTALL) for check in checks):
        raise RedshiftError(
            "password must be 8 to 64 characters with an upper-case and a lower-case letter and a "
            "number, and none of ' \" \\ / @ or blank",
            "22023",
        )
    return value


def _alone(command: str) -> Planner:
    def planner(tokens: Sequence[Token]) -> Plan:
        return Plan("", alone=command, missing=True)

    return planner


_BY_TWO_WORDS: dict[str, Planner] = {
    "create table": create_table,
    "create temp": create_table,
    "create temporary": create_table,
    "create local": create_table,
    "create view": _create_view,
    "create or": _create_view,
    "create schema": _passed,
    "create group": _passed,
    "create role": _passed,
    "create user": _user,
    "create database": _alone("CREATE DATABASE"),
    "create library": _alone("CREATE LIBRARY"),
    "create external": _alone("CREATE EXTERNAL TABLE"),
    "drop database": _alone("DROP DATABASE"),
    "drop library": _alone("DROP LIBRARY"),
    "drop table": _passed,
    "drop view": _passed,
    "drop schema": _passed,
    "drop group": _passed,
    "drop role": _passed,
    "drop user": _passed,
    "alter table": alter_table,
    "alter schema": _passed,
    "alter group": _passed,
    "alter default": _grant,
    "alter user": _user,
    "comment on": _passed,
    "start transaction": _begin,
}
_BY_WORD: dict[str, Planner] = {
    "select": _query,
    "with": _query,
    "insert": _insert,
    "update": _insert,
    "delete": _delete,
    "begin": _begin,
    "commit": _end("COMMIT"),
    "end": _end("COMMIT"),
    "rollback": _end("ROLLBACK"),
    "abort": _end("ROLLBACK"),
    "lock": _lock,
    "truncate": _truncate,
    "vacuum": _vacuum,
    "analyze": _analyze,
    "copy": _copy,
    "set": _set,
    "reset": _reset,
    "show": _show,
    "explain": _explain,
    "grant": _grant,
    "revoke": _grant,
}
