"""Before a command uses a database: does it have this library's schema, and if not, what then."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ..core.settings import Settings
from ..dialects.base import Engine
from ..models.declare import Declarations
from . import migrate
from .migrate import SchemaStatus

if TYPE_CHECKING:
    from alembic.config import Config


class SchemaGate:
    """Compares the schema of a database with the declarations.

    :param tell: called with a line of text when a database is migrated.
    """

    def __init__(
        self, settings: Settings, declarations: Declarations, tell: Callable[[str], None]
    ) -> None:
        self.settings, self.declarations, self.tell = settings, declarations, tell

    @cached_property
    def config(self) -> Config:
        """Alembic's configuration; made on first use, since Alembic is slow to import."""
        return migrate.alembic_config(self.settings, self.declarations)

    def status(self, engine: Engine) -> SchemaStatus:
        """Which schema version the database of an engine has; creates nothing."""
        if not engine.exists():
            return SchemaStatus((), migrate.newest_revisions(self.config), "missing")
        with engine.session(read_only=True) as connection:
            return migrate.status(connection, self.config)

    def is_missing(self, engine: Engine) -> bool:
        """Whether there is no database, or one without a schema."""
        if not engine.exists():
            return True
        with engine.session(read_only=True) as connection:
            found = self._outdated(connection)
            return found is not None and found.state == "missing"

    def is_present(self, connection: sa.Connection) -> bool:
        """Whether there is a schema; ends the transaction.

        :raises SchemaVersionError: when there is one, and it is not this library's.
        """
        found = self._outdated(connection)
        if found is not None and found.state != "missing":
            migrate.require_current(found)
        return found is None

    def require_current(self, connection: sa.Connection) -> None:
        """Ends the transaction.

        :raises SchemaVersionError: unless the database has this library's schema.
        """
        if (found := self._outdated(connection)) is not None:
            migrate.require_current(found)

    def prepare(self, engine: Engine, connection: sa.Connection) -> None:
        """Migrates a new embedded database, and refuses any other that is not current.

        :raises SchemaVersionError: unless the database has this library's schema in the end.
        """
        found = self._outdated(connection)
        if found is not None and found.state == "missing" and engine.embedded:
            self.tell("new database: migrating it first")
            migrate.upgrade(connection, self.config, "heads")
            connection.rollback()
            found = self._outdated(connection)
        if found is not None:
            migrate.require_current(found)

    def _outdated(self, connection: sa.Connection) -> SchemaStatus | None:
        """The status of a schema that is not current; None where it is. Ends the transaction."""
        if migrate.is_current(connection, self.declarations):
            return None
        found = migrate.status(connection, self.config)
        connection.rollback()
        return None if found.state == "current" else found
