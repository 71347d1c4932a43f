"""Amazon Redshift, provisioned or serverless: how it is reached, locked and looked after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from ..config import Settings
from ..errors import DatabaseError, MissingExtraError
from ..executor import Executor
from ..models.audit import LoadLock
from ..models.base import table_of
from ..version import __version__
from .base import Engine
from .redshift import RedshiftDialect
from .redshift_auth import Login
from .redshift_copy import Lock, SetParameter

#: By it a DBA finds what this library runs, in SYS_QUERY_HISTORY and WLM rules.
QUERY_GROUP = "sparkify_dwh"


class RedshiftConnection(Engine):
    """Connects by TLS, verified unless the URL says otherwise, as the user that ``auth`` gives."""

    name = "redshift"
    reads_first = False
    embedded = False
    plan_dialect = RedshiftDialect(paramstyle="named")

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.url = make_url(settings.database_url)
        self.login = Login(settings, self.url)

    def exists(self) -> bool:
        return True

    def create(self, read_only: bool = False) -> sa.Engine:
        try:
            import redshift_connector  # noqa: F401
        except ImportError:
            raise MissingExtraError("redshift", f"connecting to {self.url.host}") from None
        bare = self.url.set(username="", password=None)
        engine = sa.create_engine(
            bare,
            poolclass=NullPool,
            hide_parameters=True,
            connect_args={
                "application_name": f"sparkify_dwh {__version__}",
                "tcp_keepalive": True,
                "timeout": max(1, int(self.settings.lock_timeout) or 1),
            },
        )

        @sa.event.listens_for(engine, "do_connect")
        def _log_in(dialect: Any, record: Any, cargs: Any, cparams: dict[str, Any]) -> None:
            found = self.login.credentials()
            cparams["user"], cparams["password"] = found.user, found.password.get_secret_value()

        @sa.event.listens_for(engine, "connect")
        def _set_up(connection: Any, record: Any) -> None:
            cursor = connection.cursor()
            cursor.execute(f"SET query_group TO '{QUERY_GROUP}'")
            if self.settings.statement_timeout:
                limit = int(self.settings.statement_timeout * 1000)
                cursor.execute(f"SET statement_timeout TO {limit}")
            connection.commit()
            cursor.close()

        return engine

    def connect(
        self, read_only: bool = False, wait: Callable[[str], None] | None = None
    ) -> sa.Connection:
        try:
            return self.create(read_only).connect()
        except (sa.exc.DBAPIError, OSError) as error:
            raise self.explain(error) from error

    def explain(self, error: BaseException) -> Exception:
        text = str(getattr(error, "orig", error)).strip().splitlines()[0]
        return DatabaseError(f"{self.url.host}: {text}", "-v shows the traceback")

    def is_conflict(self, error: BaseException) -> bool:
        return "1023" in str(getattr(error, "orig", error))

    def lock(self, ex: Executor) -> None:
        # LOCK has no NOWAIT: statement_timeout bounds it, and goes back to what it was.
        wait = max(1, int(self.settings.lock_timeout * 1000))
        ex.change(SetParameter("statement_timeout", wait), step="lock")
        ex.change(Lock(table_of(LoadLock)), step="lock")
        usual = int((self.settings.statement_timeout or 0) * 1000)
        ex.change(SetParameter("statement_timeout", usual), step="lock")
