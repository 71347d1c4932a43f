"""Schema versions: upgrade, downgrade, status and the SQL of migrations, through Alembic."""

from __future__ import annotations

import ast
import importlib.util
import io
import re
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ..core.errors import SchemaVersionError, UsageError
from ..core.settings import Settings
from ..dialects import register_with_alembic
from ..models.audit import LoadLock
from ..models.base import table_of
from ..models.declare import Declarations

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

#: Importing Alembic takes as long as a load that finds nothing new, and a current schema, by far
#: the usual case, can be told without it.
_VERSION = sa.table("alembic_version", sa.column("version_num", sa.String))
_NAMED = re.compile(r"(?m)^(revision|down_revision)(?:\s*:[^=\n]+)?\s*=\s*(.+)$")


@dataclass(frozen=True)
class SchemaStatus:
    """Revisions of the database and of this library; ``state`` says how they relate.

    ``state`` is ``missing``, ``current``, ``older`` or ``newer`` (unknown to this library).
    """

    database: tuple[str, ...]
    library: tuple[str, ...]
    state: str


def _folder() -> str:
    spec = importlib.util.find_spec("sparkify_dwh.migrations")
    assert spec is not None and spec.submodule_search_locations is not None
    return next(iter(spec.submodule_search_locations))


def _versions(folder: str) -> Path:
    return Path(folder) / "versions"


def is_current(connection: sa.Connection, declarations: Declarations) -> bool:
    """Whether the database has this library's schema; where not, ``status`` says what it has.

    Ends the transaction.
    """
    try:
        present = set(connection.execute(sa.select(_VERSION.c.version_num)).scalars())
    except sa.exc.DBAPIError:
        return False
    finally:
        connection.rollback()
    return bool(present) and present == _heads(declarations)


def _heads(declarations: Declarations) -> set[str]:
    """The newest revisions, read from the migrations without running them; none if unreadable."""
    revisions: set[str] = set()
    followed: set[str] = set()
    try:
        for place in (_versions(_folder()), *map(Path, declarations.version_locations)):
            for path in place.glob("*.py"):
                found = dict(_NAMED.findall(path.read_text(encoding="utf-8")))
                if not found:
                    continue
                revisions.add(ast.literal_eval(found["revision"]))
                before = ast.literal_eval(found["down_revision"])
                followed |= {before} if isinstance(before, str) else set(before or ())
    except (OSError, SyntaxError, ValueError, LookupError, TypeError):
        return set()
    return revisions - followed


def alembic_config(settings: Settings, declarations: Declarations) -> Config:
    """Alembic's configuration, without the ini file that an installed wheel lacks."""
    from alembic.config import Config

    register_with_alembic()
    folder = _folder()
    config = Config(output_buffer=io.StringIO(), stdout=io.StringIO())
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    versions = [str(_versions(folder)), *declarations.version_locations]
    config.set_main_option("version_locations", "\n".join(versions).replace("%", "%%"))
    config.attributes["settings"] = settings
    config.attributes["declarations"] = declarations
    return config


def status(connection: sa.Connection, config: Config) -> SchemaStatus:
    """Compares the database's revision with the library's; changes nothing."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(config)
    heads = tuple(sorted(script.get_heads()))
    present = tuple(sorted(MigrationContext.configure(connection).get_current_heads()))
    if not present:
        state = "missing"
    elif present == heads:
        state = "current"
    else:
        known = {revision.revision for revision in script.walk_revisions()}
        state = "older" if set(present) <= known else "newer"
    return SchemaStatus(present, heads, state)


def newest_revisions(config: Config) -> tuple[str, ...]:
    """The revisions that an up-to-date database has."""
    from alembic.script import ScriptDirectory

    return tuple(sorted(ScriptDirectory.from_config(config).get_heads()))


def require_current(found: SchemaStatus) -> None:
    """:raises SchemaVersionError: unless the database has this library's schema."""
    if found.state == "current":
        return
    has, needs = ", ".join(found.database) or "none", ", ".join(found.library)
    if found.state == "newer":
        raise SchemaVersionError(
            f"the database has schema version {has}, newer than this library's {needs}",
            "upgrade the library: pip install -U sparkify-dwh",
        )
    raise SchemaVersionError(
        f"the database has schema version {has}, this library needs {needs}",
        "run: sparkify migrate",
    )


def upgrade(connection: sa.Connection, config: Config, to: str) -> None:
    """Upgrades or downgrades to a revision within the caller's connection.

    :raises UsageError: when there is no such revision.
    :raises SchemaVersionError: when the database has a revision that this library does not know.
    """
    found = status(connection, config)
    connection.rollback()
    if found.state == "newer":
        require_current(found)
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError

    config.attributes["connection"] = connection
    config.attributes["locked"] = has_lock(connection)
    try:
        script = ScriptDirectory.from_config(config)
        present = MigrationContext.configure(connection).get_current_heads()
        if connection.in_transaction():
            connection.rollback()
        if goes_back(script, to, present):
            command.downgrade(config, to)
        else:
            command.upgrade(config, to)
    except CommandError as error:
        raise UsageError(f"cannot migrate to {to}: {error}", "sparkify migrate --status") from None
    finally:
        del config.attributes["connection"], config.attributes["locked"]


def has_lock(connection: sa.Connection) -> bool:
    """Whether there is a lock for a migration to take; ends the transaction."""
    lock = table_of(LoadLock)
    inspector = sa.inspect(connection)
    found = lock.schema in inspector.get_schema_names() and inspector.has_table(
        lock.name, schema=lock.schema
    )
    connection.rollback()
    return found


def widen(op: Any, table: str, column: str, length: int, *, schema: str) -> None:
    """For migrations: widens a VARCHAR column to ``length`` bytes.

    An engine that widens only outside transactions first commits what the migration did before and
    releases its lock: give it a revision of its own. Redshift refuses columns with a default, a key
    or UNIQUE: add a column, copy, drop and rename instead.

    :param op: ``alembic.op`` or an ``Operations``.
    """
    context = op.get_context()
    alone = getattr(context.dialect, "widens_alone", False)
    with context.autocommit_block() if alone else nullcontext():
        op.alter_column(table, column, type_=sa.String(length), schema=schema)


def goes_back(script: ScriptDirectory, to: str, present: Any) -> bool:
    """Whether migrating to a revision is a downgrade."""
    if to == "base":
        return bool(present)
    if to in ("head", "heads") or to.startswith("+"):
        return False
    if to.startswith("-"):
        return True
    wanted = script.get_revision(to)
    ancestors: set[str] = set()
    for head in present:
        ancestors |= {r.revision for r in script.iterate_revisions(head, "base")}
    return wanted is not None and wanted.revision in ancestors and wanted.revision not in present


def migration_sql(config: Config, to: str = "heads") -> str:
    """The SQL that migrating an empty database runs, for the engine of ``database_url``.

    :raises UsageError: when there is no such revision.
    """
    from alembic import command
    from alembic.util.exc import CommandError

    buffer = io.StringIO()
    config.output_buffer = buffer
    try:
        command.upgrade(config, to, sql=True)
    except CommandError as error:
        raise UsageError(f"cannot migrate to {to}: {error}", "sparkify migrate --status") from None
    return buffer.getvalue()
