"""Opens a DuckDB database, waits for its lock, and shares it between threads.

One process at a time may write a file; others may read it only while none writes. Within a process
all connections share one database with one configuration, and the last connection closes it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from ...core.errors import DatabaseError, LockError, UsageError
from ...core.observer import Fraction, unknown_fraction
from ...core.settings import Settings
from ...models.audit import LoadLock
from ...models.base import table_of
from ...steps.executor import Executor
from ..base import Engine
from .database_file import create_database, is_database
from .errors import database_error, holder_of, is_conflict, is_other_configuration
from .incoming_table import drop_incoming

MEMORY = ":memory:"
_POLL = 0.05
#: Locks between writing threads, by process and file: a forked process must not inherit them.
_WRITE_LOCKS: dict[tuple[int, str], threading.RLock] = {}


class DuckDBConnection(Engine):
    """A database in one file, opened by one process at a time."""

    name = "duckdb"
    reads_first = True
    embedded = True
    # Measured: an outer join builds a hash table of all 15 million rows of `time`, in 0.4 s for a
    # load of one day; NOT EXISTS reads only the rows near that day, in 0.03 s.
    checks_apart = True

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._set_path(make_url(settings.database_url).database or MEMORY)

    def _set_path(self, database: str) -> None:
        self.path = database if database == MEMORY else str(Path(database).expanduser())
        self.url = make_url(self.settings.database_url).set(database=self.path)

    def aside(self) -> Engine:
        self._require_folder()
        other = type(self)(self.settings)
        other._set_path(str(other.scratch / "warehouse.duckdb"))
        other.tell = self.tell
        return other

    def exists(self) -> bool:
        return self.path != MEMORY and is_database(Path(self.path))

    # Opening --------------------------------------------------------------------------------

    def create(self, read_only: bool = False) -> sa.Engine:
        config = {"access_mode": "READ_ONLY"} if read_only else {}
        engine = sa.create_engine(self.url, poolclass=NullPool, connect_args={"config": config})
        sa.event.listen(engine, "connect", self._set_up)
        sa.event.listen(engine, "handle_error", _signal_error)
        return engine

    def _set_up(self, connection: Any, record: Any) -> None:
        # Not in the configuration, which must be the same for all connections of a process.
        if self.settings.memory_limit:
            _limit_memory(connection, self.settings.memory_limit)
        # DuckDB's own progress bar would appear in every terminal, and is set for each connection.
        # In a notebook without ipywidgets it cannot be set, and does not appear.
        with contextlib.suppress(duckdb.InvalidInputException):
            connection.execute("SET enable_progress_bar = false")

    def connect(
        self, read_only: bool = False, wait: Callable[[str], None] | None = None
    ) -> sa.Connection:
        return self._connect(read_only, wait or self.tell, self._deadline())

    @contextlib.contextmanager
    def session(self, read_only: bool = False) -> Iterator[sa.Connection]:
        deadline = self._deadline()
        turn = contextlib.nullcontext() if read_only else self._write_turn(deadline)
        with turn:
            try:
                with self._connect(read_only, self.tell, deadline) as connection:
                    yield connection
            except sa.exc.DBAPIError as error:
                raise self.explain(error) from error

    def _deadline(self) -> float:
        return time.monotonic() + self.settings.lock_timeout

    @contextlib.contextmanager
    def _write_turn(self, deadline: float) -> Iterator[None]:
        """One thread of this process writes at a time: two would only conflict."""
        if self.path == MEMORY:
            yield
            return
        lock = _WRITE_LOCKS.setdefault(
            (os.getpid(), os.path.realpath(self.path)), threading.RLock()
        )
        if not lock.acquire(blocking=False):
            self.tell(f"waiting for another thread of this process, which is writing {self.path}")
            if not lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
                raise self._lock_error("another thread of this process")
        try:
            yield
        finally:
            lock.release()

    def _connect(
        self, read_only: bool, tell: Callable[[str], None], deadline: float
    ) -> sa.Connection:
        if not read_only:
            self._create_file()
        engine, announced = self.create(read_only), False
        while True:
            try:
                return self._open(engine, read_only)
            except sa.exc.DBAPIError as error:
                holder = holder_of(error)
                if holder is None:
                    raise self.explain(error) from error
            if time.monotonic() >= deadline:
                raise self._lock_error(holder)
            if not announced:
                tell(f"waiting for {holder}, which has {self.path} open")
                announced = True
            time.sleep(max(0.0, min(_POLL, deadline - time.monotonic())))

    def _open(self, engine: sa.Engine, read_only: bool) -> sa.Connection:
        try:
            return engine.connect()
        except sa.exc.DBAPIError as error:
            if not read_only or not is_other_configuration(error):
                raise
        # Another thread has it open for writing. Both share one database then, and a read-only
        # transaction replaces the access_mode.
        shared = self.create().execution_options(isolation_level="AUTOCOMMIT")
        sa.event.listen(shared, "begin", _begin_read_only)
        sa.event.listen(shared, "before_cursor_execute", _require_one_query)
        sa.event.listen(shared, "handle_error", _explain_write)
        return shared.connect()

    def _lock_error(self, holder: str) -> LockError:
        return LockError(
            f"{self.path} is in use by {holder}; waited {self.settings.lock_timeout:g} s",
            "wait for it to end, or wait longer: --lock-timeout",
        )

    def _require_folder(self) -> None:
        folder = Path(os.path.realpath(self.path)).parent
        if not folder.is_dir():
            raise DatabaseError(
                f"there is no folder {folder} for the database {self.path}",
                "create it, or name another file: --database-url duckdb:///file.duckdb",
            )
        if not os.access(folder, os.W_OK):
            raise self.explain(PermissionError(f"{folder}: Permission denied"))

    def _create_file(self) -> None:
        path = Path(os.path.realpath(self.path))
        if self.path == MEMORY or is_database(path):
            return
        self._require_folder()
        try:
            create_database(path)
        except (duckdb.Error, OSError) as error:
            raise self.explain(error) from error

    def watch(self, connection: sa.Connection) -> Fraction:
        try:
            connection.exec_driver_sql("SET enable_progress_bar = true")
            connection.exec_driver_sql("SET enable_progress_bar_print = false")
            connection.commit()
        except sa.exc.DBAPIError:  # a notebook without ipywidgets: see _set_up
            connection.rollback()
            return unknown_fraction
        driver: Any = connection.connection.dbapi_connection

        def fraction() -> float | None:
            try:
                percent = driver.query_progress()
            except duckdb.Error:  # the connection was closed
                return None
            return None if percent < 0 else min(percent / 100, 1.0)

        return fraction

    # Errors ---------------------------------------------------------------------------------

    def explain(self, error: BaseException) -> Exception:
        return database_error(error, self.path)

    def advice(self, error: BaseException) -> str:
        # The second line, such as 'Did you mean "sparkify.users"?', or the place of the error.
        lines = self._words(error)[1:2]
        return "" if not lines or lines[0].startswith("LINE ") else lines[0]

    def is_conflict(self, error: BaseException) -> bool:
        return is_conflict(error)

    # Loading --------------------------------------------------------------------------------

    def lock(self, ex: Executor) -> None:
        # The file locks out other processes, the write turn other threads, and this row other
        # connections of this process that the library did not open. Measured: an UPDATE that
        # changes no value locks nothing.
        lock = table_of(LoadLock)
        ex.change(sa.delete(lock), step="lock")
        ex.change(sa.insert(lock).values(id=sa.literal_column("1")), step="lock")

    def sweep(self, connection: sa.Connection) -> None:
        drop_incoming(connection)


def _limit_memory(connection: Any, limit: str) -> None:
    """Sets DuckDB's limit to seven eighths, because it uses more memory than it counts.

    Measured on joins of 15 million rows in 2 GiB: up to 0.6 GiB more, including Python's share.
    """
    (size,) = connection.execute("SELECT parse_formatted_bytes(?)", [limit]).fetchone()
    connection.execute(f"SET memory_limit = '{size * 7 // 8}B'")


def _signal_error(context: Any) -> BaseException | None:
    """The exception of a signal handler, instead of the engine's error that hides it."""
    error = context.original_exception
    if type(error) is not RuntimeError or error.__cause__ is None:
        return None
    # The statement continues in the background until it is interrupted.
    context.connection.connection.dbapi_connection.interrupt()
    cause: BaseException = error.__cause__
    return cause


def _begin_read_only(connection: sa.Connection) -> None:
    connection.connection.cursor().execute("BEGIN TRANSACTION READ ONLY")


def _require_one_query(
    connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> None:
    try:
        parts = duckdb.extract_statements(statement)
    except duckdb.Error:
        return  # the statement fails anyway
    if len(parts) > 1 or any(p.type == duckdb.StatementType.TRANSACTION for p in parts):
        raise UsageError("only one query at a time can run during a load")


def _explain_write(context: Any) -> Exception | None:
    if "read-only mode" in str(context.original_exception):
        return UsageError("the statement would write", "only queries are allowed")
    return None
