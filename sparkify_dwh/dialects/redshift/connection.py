"""Amazon Redshift, provisioned or serverless: how it is reached, locked and looked after."""

from __future__ import annotations

import os
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from ...core.errors import DatabaseError, LockError, MissingExtraError, SettingsError, SparkifyError
from ...core.settings import Settings
from ...core.version import __version__
from ...models.audit import LoadLock
from ...models.base import table_of
from ...steps import ledger
from ...steps.executor import Executor
from ..base import Engine
from .dialect import RedshiftDialect
from .errors import Endpoint, explain, fields, from_driver, is_drivers
from .login import Login, ask
from .statements import Lock, SetParameter

#: By it a DBA finds what this library runs, in SYS_QUERY_HISTORY and WLM rules.
QUERY_GROUP = "sparkify_dwh"
APPLICATION = f"sparkify_dwh {__version__}"
#: Seconds to wait for a server to answer, unless the URL says otherwise: ``?timeout=5``.
CONNECT_TIMEOUT = 30.0
PORT = 5439
#: How the certificate is checked; ``disable`` is no TLS at all.
SSL_MODES = ("verify-full", "verify-ca", "disable")
#: Seconds: firewalls forget connections that are idle for longer than some minutes, and a COPY
#: says nothing for as long as it runs.
#: Source: https://docs.aws.amazon.com/redshift/latest/mgmt/connecting-firewall-guidance.html
KEEPALIVE = {"tcp_keepalive_idle": 60, "tcp_keepalive_interval": 10, "tcp_keepalive_count": 6}


class RedshiftConnection(Engine):
    """Connects by TLS, verified unless the URL says otherwise, as the user that ``auth`` gives."""

    name = "redshift"
    reads_first = False
    embedded = False
    # The fact is not sorted by its key, so that each look at some of its rows reads all of them.
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
    def endpoint(self) -> Endpoint:
        """Where connections go.

        :raises SettingsError: when the URL does not say so, or has unknown options.
        """
        _check(self.url)
        return Endpoint(
            host=self.url.host or "",
            port=self.url.port or PORT,
            database=self.url.database or "",
            user=self.url.username,
            auth=self.settings.auth,
            timeout=_timeout(self.url),
            statement_timeout=self.settings.statement_timeout,
        )

    def create(self, read_only: bool = False) -> sa.Engine:
        endpoint = self.endpoint
        try:
            import redshift_connector  # noqa: F401
        except ImportError:
            raise MissingExtraError("redshift", f"connecting to {endpoint.host}") from None
        mode = str(self.url.query.get("sslmode", SSL_MODES[0]))
        engine = sa.create_engine(
            self.url.set(username="", port=endpoint.port, query={}),
            poolclass=NullPool,
            hide_parameters=True,
            connect_args={
                "application_name": APPLICATION,
                "timeout": endpoint.timeout,
                "ssl": mode != "disable",
                # Left to the driver, a wrong host name would only be warned of.
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
        found = self.login.credentials()
        while True:
            cparams["user"], cparams["password"] = found.user, found.password.get_secret_value()
            try:
                connection = dialect.connect(*cargs, **cparams)
                self._set_up(connection)
                return connection
            except Exception as error:
                _close_sockets(error)
                refused = fields(error).get("C") in ("28000", "28P01")
                again = self.login.renewed() if refused else None
                if again is None:
                    raise
                found = again
            finally:
                del cparams["password"]

    def _set_up(self, connection: Any) -> None:
        # The driver's timeout holds for every answer, so it would also end a long COPY:
        # https://github.com/aws/amazon-redshift-python-driver/issues/91
        connection._usock.settimeout(None)
        cursor = connection.cursor()
        cursor.execute(f"SET query_group TO '{QUERY_GROUP}'")
        if self.settings.statement_timeout:
            cursor.execute(f"SET statement_timeout TO {self._statement_ms}")
        connection.commit()
        cursor.close()

    def _handle(self, context: Any) -> Exception | None:
        """Makes an error of ours of what the driver did not make one of its own."""
        error = context.original_exception
        if context.sqlalchemy_exception is not None or not from_driver(error):
            return None
        context.is_disconnect = True
        return explain(error, self.endpoint)

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
        if not is_drivers(error):
            raise error
        told = self.explain(error)
        if not fields(error):
            told = self._state() or told
        raise told from error

    def _state(self) -> DatabaseError | None:
        """What AWS says of a cluster that does not answer, where that explains it."""
        name = self.settings.cluster_identifier
        if name is None:
            return None
        try:
            found = ask(self.settings, "redshift", "describe_clusters", ClusterIdentifier=name)
            state = str(found["Clusters"][0]["ClusterStatus"])
        except (SparkifyError, LookupError):
            return None
        if state in ("paused", "pausing"):
            return DatabaseError(
                f"the cluster {name} is {state}", "resume it: sparkify infra resume"
            )
        if state in ("available", "available, prep-for-resize"):
            return None
        return DatabaseError(
            f"the cluster {name} is {state}, so {self.endpoint} does not answer",
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
            if not is_drivers(error):
                raise
            raise self.explain(error) from error

    def said(self, error: BaseException) -> str:
        return fields(error).get("M") or super().said(error)

    def advice(self, error: BaseException) -> str:
        return fields(error).get("H", "")

    def explain(self, error: BaseException) -> Exception:
        return explain(error, self.endpoint)

    def is_conflict(self, error: BaseException) -> bool:
        return fields(error).get("M", "").startswith("1023")

    def lock(self, ex: Executor) -> None:
        # LOCK has no NOWAIT: statement_timeout bounds it, and goes back to what it was.
        wait = max(1, int(self.settings.lock_timeout * 1000))
        ex.change(SetParameter("statement_timeout", wait), step="lock")
        try:
            ex.change(Lock(table_of(LoadLock)), step="lock")
        except sa.exc.DBAPIError as error:
            if fields(error).get("C") != "57014":
                raise
            raise self._held() from None
        if self.settings.statement_timeout:
            ex.change(SetParameter("statement_timeout", self._statement_ms), step="lock")
        else:
            ex.change(sa.text("RESET statement_timeout"), step="lock")

    def _held(self) -> LockError:
        """Names the loader at work: the newest that started and has not ended, but for this one."""
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
            "wait for it to end, or allow more: --lock-timeout",
        )


def _begin_read_only(connection: sa.Connection) -> None:
    # Unless autocommit is on the driver begins one by itself, with no choice of its kind.
    # Source: https://docs.aws.amazon.com/redshift/latest/dg/r_BEGIN.html
    raw: Any = connection.connection.dbapi_connection
    raw.autocommit = True
    try:
        raw.cursor().execute("BEGIN READ ONLY")
    finally:
        raw.autocommit = False


def _check(url: URL) -> None:
    """:raises SettingsError: when a URL cannot be connected to, whatever the server."""
    if not url.host or "@" in url.host:
        # An @ in the host is the rest of a password, so the host is not shown.
        raise SettingsError(
            "database_url names no host"
            if not url.host
            else "database_url has more than one @ before the host",
            "percent-encode the password in it (@ is %40), or set SPARKIFY_DATABASE_PASSWORD",
        )
    if not url.database:
        raise SettingsError("database_url names no database", "end it with one, such as :5439/dev")
    unknown = sorted(set(url.query) - {"sslmode", "timeout"})
    if unknown:
        raise SettingsError(
            f"database_url has an unknown option {unknown[0]}", "it takes sslmode and timeout"
        )
    if url.query.get("sslmode", SSL_MODES[0]) not in SSL_MODES:
        raise SettingsError(
            "database_url has an sslmode that the driver does not know",
            f"it takes {', '.join(SSL_MODES)}",
        )


def _timeout(url: URL) -> float:
    try:
        seconds = float(str(url.query.get("timeout", CONNECT_TIMEOUT)))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86_400:
        raise SettingsError(
            "the timeout in database_url is no number of seconds", "write ?timeout=5"
        )
    return seconds


def _close_sockets(error: Exception) -> None:
    """Closes the connection that a refused login leaves half open."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        half = frame.f_locals.get("self")
        if type(half).__module__.startswith("redshift_connector"):
            for name in ("_sock", "_usock"):
                if (opened := getattr(half, name, None)) is not None:
                    with suppress(OSError, ValueError):
                        opened.close()
