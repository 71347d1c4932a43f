"""Plans for transactions, locks, maintenance, parameters, users and grants."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from . import allow
from .cursor import Cursor
from .errors import RedshiftError, unknown
from .expressions import expression
from .plan import Login, Plan
from .tokens import Token, render, split

Planner = Callable[[Sequence[Token]], Plan]


def begin(tokens: Sequence[Token]) -> Plan:
    """BEGIN; the isolation level is accepted and ignored: the database has its own.

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


def end(word: str) -> Planner:
    """COMMIT or ROLLBACK in any spelling: r_COMMIT, r_END, r_ROLLBACK, r_ABORT."""

    def planner(tokens: Sequence[Token]) -> Plan:
        if [token.low for token in tokens[1:]] not in ([], ["work"], ["transaction"]):
            raise unknown(render(tokens).upper())
        return Plan(word)

    return planner


def lock(tokens: Sequence[Token]) -> Plan:
    """LOCK accepts neither a mode nor NOWAIT: it is always ACCESS EXCLUSIVE.

    https://docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html
    """
    cursor = Cursor(tokens)
    cursor.next()
    cursor.take("table")
    names = [render(_whole_name(part)) for part in split(cursor.rest, ",")]
    return Plan("LOCK TABLE " + ", ".join(names), tag="LOCK TABLE", lock=True)


def truncate(tokens: Sequence[Token]) -> Plan:
    """TRUNCATE commits, even inside a block: r_TRUNCATE."""
    cursor = Cursor(tokens)
    cursor.next()
    cursor.take("table")
    return Plan("TRUNCATE TABLE " + render(_whole_name(cursor.rest)), commits=True)


def _whole_name(tokens: Sequence[Token]) -> list[Token]:
    cursor = Cursor(tokens)
    name = cursor.name()
    cursor.finish()
    return name


def vacuum(tokens: Sequence[Token]) -> Plan:
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


def analyze(tokens: Sequence[Token]) -> Plan:
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


def set_parameter(tokens: Sequence[Token]) -> Plan:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_SET.html"""
    cursor = Cursor(tokens)
    cursor.next()
    if cursor.take("session", "characteristics", "as", "transaction", "isolation", "level"):
        # sqlalchemy-redshift sends this to leave AUTOCOMMIT; the database has its own level
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


def reset(tokens: Sequence[Token]) -> Plan:
    """https://docs.aws.amazon.com/redshift/latest/dg/r_RESET.html"""
    _expect(tokens, 2)
    return Plan(f"RESET {_parameter(tokens[1])}")


def show(tokens: Sequence[Token]) -> Plan:
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


def grant(tokens: Sequence[Token]) -> Plan:
    """GRANT and REVOKE; the word ROLE, which Postgres does not accept, is removed: r_GRANT."""
    kept = [t for t in tokens if t.low != "role"]
    if any(t.low in ("assumerole", "datashare", "model", "language", "external") for t in kept):
        raise unknown("GRANT or REVOKE of this kind")
    return Plan(render(_plain(kept)))


def _plain(tokens: Sequence[Token]) -> list[Token]:
    """The tokens with names folded; refuses expressions."""
    out: list[Token] = []
    for token in tokens:
        if token.kind == "operator" or token.is_("["):
            raise RedshiftError(f'syntax error at or near "{token.text}"', "42601")
        out += expression([token]) if token.kind == "quoted" else [token]
    return out


def unchanged(tokens: Sequence[Token]) -> Plan:
    """A statement that Postgres accepts unchanged."""
    return Plan(render(_plain(tokens)))


def create_role(tokens: Sequence[Token]) -> Plan:
    """CREATE GROUP and CREATE ROLE: r_CREATE_GROUP, r_CREATE_ROLE."""
    return Plan(render(_plain(tokens)), role=tokens[2].name)


def user(tokens: Sequence[Token]) -> Plan:
    """CREATE USER and ALTER USER; the stand-in stores the password, Postgres only gets the user.

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
            "number, without ' \" \\ / @ or space",
            "22023",
        )
    return value


def alone(command: str) -> Planner:
    """A command that Redshift refuses inside a block, and the stand-in always."""

    def planner(tokens: Sequence[Token]) -> Plan:
        return Plan("", alone=command, missing=True)

    return planner
