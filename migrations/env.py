"""Alembic's environment; the settings provide the URL and everything else.

``alembic -x database_url=…`` overrides the setting for one command.
"""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy.engine import make_url

import sparkify_dwh.dialects  # noqa: F401  (registers the dialects before an engine is made)
from sparkify_dwh.core.settings import Settings
from sparkify_dwh.dialects import load_engine
from sparkify_dwh.dialects.duckdb.incoming_table import is_incoming
from sparkify_dwh.jobs.migrate import has_lock
from sparkify_dwh.models.base import Base
from sparkify_dwh.steps.executor import Executor

config = context.config
settings: Settings = config.attributes.get("settings") or Settings(
    database_url=context.get_x_argument(as_dictionary=True).get("database_url")
)
SCHEMAS = {table.schema for table in Base.metadata.tables.values()}


def include_name(name: str | None, kind: str, parents: Any) -> bool:
    """Compares only the warehouse's own schemas and tables."""
    if kind == "table" and name is not None:
        return not is_incoming(name)
    return name in SCHEMAS if kind == "schema" else True


def include_object(item: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
    """Skips foreign keys on engines whose DDL has none."""
    return kind != "foreign_key_constraint" or getattr(
        context.get_context().dialect, "emits_keys", True
    )


OPTIONS: dict[str, Any] = {
    "target_metadata": Base.metadata,
    "include_schemas": True,
    "include_name": include_name,
    "include_object": include_object,
    "compare_type": True,
}


def migrate(connection: Any, *, locked: bool) -> None:
    """Runs the migrations in one transaction, under the load lock if it exists."""
    engine = load_engine(settings)
    engine.sweep(connection)
    context.configure(connection=connection, **OPTIONS)
    with context.begin_transaction():
        if locked:
            engine.lock(Executor(connection))
        context.run_migrations()


if context.is_offline_mode():
    context.configure(
        dialect_name=make_url(settings.database_url).get_backend_name(),
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        **OPTIONS,
    )
    with context.begin_transaction():
        context.run_migrations()
elif (given := config.attributes.get("connection")) is not None:
    migrate(given, locked=config.attributes["locked"])
else:
    with load_engine(settings).session() as connection:
        migrate(connection, locked=has_lock(connection))
