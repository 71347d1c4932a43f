"""Connecting to Amazon Redshift, provisioned or serverless, and locking the warehouse there."""

from __future__ import annotations

import os
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from ...core.errors import DatabaseError, LockError, MissingExtraError, SparkifyError
from ...core.settings import Settings
from ...core.version import __version__
from ...models.audit import LoadLock
from ...models.base import table_of
from ...steps import ledger
from ...steps.executor import Executor
from ..base import Engine
from .database_url import DEFAULT_PORT, check_url, connect_timeout, ssl_mode
from .dialect import RedshiftDialect
from .driver_errors import fields, is_from_driver, is_from_inside
from .errors import Server, explain_driver_error
from .login import Login, ask
from .statements import Lock, SetParameter

#: Marks the statements of this library for a DBA, in SYS_QUERY_HISTORY and WLM rules.
QUERY_GROUP = "sparkify_dwh"
APPLICATION = f"sparkify_dwh {__version__}"
#: Seconds: firewalls drop connections that are idle for more than a few minutes, and a COPY sends
#: nothing while it runs.
#: Source: https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-firewall-guidance.html
KEEPALIVE = {"tcp_keepalive_idle": 60, "tcp_keepalive_interval": 10, "tcp_keepalive_count": 6}


class RedshiftConnection(Engine):
    """Connects over TLS, verified by default, as the user that ``auth`` provides."""

    name = "redshift"
    reads_first = False
    embedded = False
    # The fact table is not sorted by its key, so a query for some of its rows reads all of them.
    checks_apart = False
    plan_dialect = RedshiftDialect(paramstyle="named")

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        url = make_url(settings.database_url)
        self.login = Login(settings, url)
        self.url = url.set(password=None)

    def exists(self) -> bool:
        return True

    @property
    def server(self) -> Server:
        """Where connections go.

        :raises SettingsError: when the URL does not name it, or has unknown options.
        """
        check_url(self.url)
        return Server(
            host=self.url.host or "",
            port=self.url.port or DEFAULT_PORT,
            database=self.url.database or "",
            user=self.url.username,
            auth=self.settings.auth,
            timeout=connect_timeout(self.url),
            statement_timeout=self.settings.statement_timeout,
        )

    def create(self, read_only: bool = False) -> sa.Engine:
        server = self.server
        try:
            import redshift_connector  # noqa: F401
        except ImportError:
            raise MissingExtraError("redshift", f"connecting to {server.host}") from None
        mode = ssl_mode(self.url)
        engine = sa.create_engine(
            self.url.set(username="", port=server.port, query={}),
            poolclass=NullPool,
            hide_parameters=True,
            connect_args={
                "application_name": APPLICATION,
                "timeout": server.timeout,
                "ssl": mode != "disable",
                # On its own the driver would only warn of a wrong host name.
                "sslmode": mode if mode != "disable" else None,
                "tcp_keepalive": True,
                **KEEPALIVE,
            },
        )
        sa.event.listen(engine, "do_connect", self._log_in)
        sa.event.listen(engine, "handle_error", self._handle)
        if read_only:
            sa.event.listen(engine, "begin", _begin_read_only)
        return engine

    def _log_in(self, dialect: Any, record: Any, cargs: Any, cparams: dict[str, Any]) -> Any:
        credentials = self.login.credentials()
        while True:
            cparams["user"] = credentials.user
            cparams["password"] = credentials.password.get_secret_value()
            try:
                connection = dialect.connect(*cargs, **cparams)
                self._set_up(connection)
                return connection
            except Exception as error:
                _close_sockets(error)
                refused = fields(error).get("C") in ("28000", "28P01")
                renewed = self.login.renew() if refused else None
                if renewed is None:
                    raise
                credentials = renewed
            finally:
                del cparams["password"]

    def _set_up(self, connection: Any) -> None:
        # The driver applies its timeout to every answer, so it would also end a long COPY:
        # https://github.com/aws/amazon-redshift-python-driver/issues/91
        connection._usock.settimeout(None)
        cursor = connection.cursor()
        cursor.execute(f"SET query_group TO '{QUERY_GROUP}'")
        if self.settings.statement_timeout:
            cursor.execute(f"SET statement_timeout TO {self._statement_ms}")
        connection.commit()
        cursor.close()

    def _handle(self, context: Any) -> Exception | None:
        """Turns an error that the driver leaks, such as a KeyError, into one of ours."""
        error = context.original_exception
        if context.sqlalchemy_exception is not None or not is_from_inside(error):
            return None
        context.is_disconnect = True
        return explain_driver_error(error, self.server)

    @property
    def _statement_ms(self) -> int:
        return max(1, int((self.settings.statement_timeout or 0) * 1000))

    def connect(
        self, read_only: bool = False, wait: Callable[[str], None] | None = None
    ) -> sa.Connection:
        engine = self.create(read_only)
        try:
            return engine.connect()
        except SparkifyError:
            raise
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> NoReturn:
        if not is_from_driver(error):
            raise error
        explained = self.explain(error)
        if not fields(error):
            explained = self._explain_state() or explained
        raise explained from error

    def _explain_state(self) -> DatabaseError | None:
        """Why the cluster does not answer, if its state in AWS explains it."""
        name = self.settings.cluster_identifier
        if name is None:
            return None
        try:
            answer = ask(self.settings, "redshift", "describe_clusters", ClusterIdentifier=name)
            state = str(answer["Clusters"][0]["ClusterStatus"])
        except (SparkifyError, LookupError):
            return None
        if state in ("paused", "pausing"):
            return DatabaseError(
                f"the cluster {name} is {state}", "resume it: sparkify infra resume"
            )
        if state in ("available", "available, prep-for-resize"):
            return None
        return DatabaseError(
            f"the cluster {name} is {state}, so {self.server} does not answer",
            "wait until it is available: sparkify infra status",
        )

    @contextmanager
    def session(self, read_only: bool = False) -> Iterator[sa.Connection]:
        try:
            with super().session(read_only) as connection:
                yield connection
        except SparkifyError:
            raise
        except Exception as error:
            if not is_from_driver(error):
                raise
            raise self.explain(error) from error

    def database_message(self, error: BaseException) -> str:
        return fields(error).get("M") or super().database_message(error)

    def advice(self, error: BaseException) -> str:
        return fields(error).get("H", "")

    def explain(self, error: BaseException) -> Exception:
        return explain_driver_error(error, self.server)

    def is_conflict(self, error: BaseException) -> bool:
        return fields(error).get("M", "").startswith("1023")

    def lock(self, ex: Executor) -> None:
        # LOCK has no NOWAIT: statement_timeout bounds the wait and is restored afterwards.
        wait = max(1, int(self.settings.lock_timeout * 1000))
        ex.change(SetParameter("statement_timeout", wait), step="lock")
        try:
            ex.change(Lock(table_of(LoadLock)), step="lock")
        except sa.exc.DBAPIError as error:
            if fields(error).get("C") != "57014":
                raise
            raise self._lock_error() from None
        if self.settings.statement_timeout:
            ex.change(SetParameter("statement_timeout", self._statement_ms), step="lock")
        else:
            ex.change(sa.text("RESET statement_timeout"), step="lock")

    def _lock_error(self) -> LockError:
        """Names the loader at work: the newest other one that started and has not ended."""
        here = (socket.gethostname(), os.getpid())
        try:
            with self.session() as connection:
                runs = ledger.open_runs(connection)
        except DatabaseError:
            runs = []
        others = [run for run in runs if (run.host, run.pid) != here] or runs[1:]
        holder = (
            f"load {others[0].run_id} (process {others[0].pid} on {others[0].host})"
            if others
            else "another session"
        )
        return LockError(
            f"{holder} holds the warehouse; waited {self.settings.lock_timeout:g} s",
            "wait for it to end, or wait longer: --lock-timeout",
        )


def _begin_read_only(connection: sa.Connection) -> None:
    # Unless autocommit is on, the driver begins the transaction itself, always a writing one.
    # Source: https://docs.aws.amazon.com/redshift/latest/dg/r_BEGIN.html
    raw: Any = connection.connection.dbapi_connection
    raw.autocommit = True
    try:
        raw.cursor().execute("BEGIN READ ONLY")
    finally:
        raw.autocommit = False


def _close_sockets(error: Exception) -> None:
    """Closes the connection that a refused login leaves half open."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        half = frame.f_locals.get("self")
        if type(half).__module__.startswith("redshift_connector"):
            for name in ("_sock", "_usock"):
                if (opened := getattr(half, name, None)) is not None:
                    with suppress(OSError, ValueError):
                        opened.close()
