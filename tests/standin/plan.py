"""What the stand-in does with one statement of a client."""

from __future__ import annotations

from dataclasses import dataclass

from .copy_command import CopyCommand


@dataclass(frozen=True, slots=True)
class Login:
    """A password to put on record once the statement has succeeded."""

    user: str
    password: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The statement for Postgres, and what happens around it.

    sql: what Postgres gets; empty for nothing at all.
    tag: the command tag for the client, where Postgres' own differs.
    before, after: statements of the stand-in's own, in the same transaction.
    alone: the command, where it cannot run inside a transaction block.
    commits: the open transaction is committed afterwards.
    missing: the stand-in has nothing to run for it, not even alone.
    lock: only meaningful inside a transaction block, and nothing outside of one.
    role: the group or role that it makes, for the whole cluster and not only for the database.
    """

    sql: str
    tag: str = ""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    alone: str = ""
    missing: bool = False
    commits: bool = False
    lock: bool = False
    role: str = ""
    copy: CopyCommand | None = None
    login: Login | None = None


def literal(value: str | None) -> str:
    """A value as a literal for Postgres, whatever `standard_conforming_strings` says."""
    if value is None:
        return "NULL"
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escaped}'"
