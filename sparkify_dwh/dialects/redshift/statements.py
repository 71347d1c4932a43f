"""COPY, LOCK, ANALYZE, VACUUM and SET as statements, and the rules that COPY's errors stand for."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import ClauseElement

#: The rule that a record breaks, by Redshift's error code.
#: Source: https://docs.aws.amazon.com/redshift/latest/dg/r_Load_Error_Reference.html
RULES = {
    1204: "too_long",
    1207: "malformed_json",
    1213: "malformed_json",
    1216: "malformed_json",
    1220: "invalid_utf8",
    1221: "invalid_utf8",
    1224: "malformed_json",
}
#: Codes of a record that COPY does not accept as JSON; the reader may, such as one with a NaN.
INVALID_JSON = frozenset({1216})
#: The highest MAXERROR.
MAX_ERROR = 100_000


class Copy(Executable, ClauseElement):
    """``COPY`` of JSON objects into a table.

    Source: https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html

    :param columns: their names, in the order of the jsonpaths.
    :param source: address of a manifest, or a prefix.
    :param role: ``default`` or the ARN of a role.
    :param json: ``auto``, ``auto ignorecase`` or the address of a jsonpaths file.
    """

    inherit_cache = False
    supports_execution = True

    def __init__(
        self,
        table: sa.Table,
        columns: list[str],
        source: str,
        *,
        role: str,
        json: str,
        manifest: bool,
        gzip: bool = False,
        region: str | None = None,
        max_error: int = 0,
    ) -> None:
        self.table, self.columns, self.source = table, columns, source
        self.role, self.json, self.manifest, self.gzip = role, json, manifest, gzip
        self.region, self.max_error = region, max_error


class Lock(Executable, ClauseElement):
    """``LOCK TABLE``, which waits without limit unless statement_timeout is set.

    Source: https://docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html
    """

    inherit_cache = False
    supports_execution = True

    def __init__(self, table: sa.Table) -> None:
        self.table = table


class Maintain(Executable, ClauseElement):
    """``ANALYZE`` or ``VACUUM DELETE ONLY`` of a table; VACUUM fails inside a transaction.

    Source: https://docs.aws.amazon.com/redshift/latest/dg/r_VACUUM_command.html
    """

    inherit_cache = False
    supports_execution = True

    def __init__(self, table: sa.Table, verb: str) -> None:
        self.table, self.verb = table, verb


class SetParameter(Executable, ClauseElement):
    """``SET`` of a session parameter to a whole number, such as statement_timeout (ms)."""

    inherit_cache = False
    supports_execution = True

    def __init__(self, name: str, value: int) -> None:
        self.name, self.value = name, value


@compiles(Copy, "redshift")
def _copy(element: Copy, compiler: Any, **kw: Any) -> str:
    def text(value: str) -> str:
        # The driver looks for % only in statements with parameters; this one has none.
        return str(compiler.render_literal_value(value, sa.String()))

    prepare = compiler.preparer
    role = "default" if element.role == "default" else text(element.role)
    parts = [
        f"COPY {prepare.format_table(element.table)}",
        f"({', '.join(prepare.quote(name) for name in element.columns)})",
        f"FROM {text(element.source)}",
        f"IAM_ROLE {role}",
        f"FORMAT AS JSON {text(element.json)}",
        *(["GZIP"] if element.gzip else []),
        *(["MANIFEST"] if element.manifest else []),
        *([f"REGION {text(element.region)}"] if element.region else []),
        "TIMEFORMAT 'auto'",
        # Encodings stay as declared and ANALYZE updates statistics; here both would slow each load.
        "COMPUPDATE OFF STATUPDATE OFF",
        *([f"MAXERROR {int(element.max_error)}"] if element.max_error else []),
    ]
    return " ".join(parts)


@compiles(Lock, "redshift")
def _lock(element: Lock, compiler: Any, **kw: Any) -> str:
    return f"LOCK TABLE {compiler.preparer.format_table(element.table)}"


@compiles(Maintain, "redshift")
def _maintain(element: Maintain, compiler: Any, **kw: Any) -> str:
    return f"{element.verb} {compiler.preparer.format_table(element.table)}"


@compiles(SetParameter, "redshift")
def _set(element: SetParameter, compiler: Any, **kw: Any) -> str:
    return f"SET {compiler.preparer.quote(element.name)} TO {int(element.value)}"
