"""What the stand-in does for one statement of a client."""

from __future__ import annotations

from dataclasses import dataclass

from .copy_command import CopyCommand


@dataclass(frozen=True, slots=True)
class Login:
    """A password to store once the statement has succeeded."""

    user: str
    password: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The statement for Postgres, and what happens around it.

    sql: the statement for Postgres; empty if there is none.
    tag: the command tag for the client, if it differs from Postgres' own.
    before, after: the stand-in's own statements, in the same transaction.
    alone: the command's name, if it cannot run inside a transaction block.
    commits: whether the open transaction is committed afterwards.
    missing: whether the stand-in cannot run it at all.
    lock: whether it has no effect outside a transaction block.
    role: the group or role that it creates, for the whole cluster and not only for the database.
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
