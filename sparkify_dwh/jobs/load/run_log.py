"""The rows of one run in the run log, each written in a short transaction.

The log is append-only. The load's transaction adds the row 'loaded' and never reads the log.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator

import sqlalchemy as sa

from ...core import run_context
from ...core.errors import (
    DatabaseError,
    QualityError,
    RejectLimitError,
    SparkifyError,
    exit_code,
    reason,
    without_samples,
)
from ...dialects.base import Engine
from ...models.audit import LOADED, NOTHING_NEW, REFUSED, ROLLED_BACK, STARTED
from ...steps import books, ledger
from ...steps.executor import Executor
from ...steps.ledger import ACTIVE, RUN, OpenRun, RunIdentity
from .state import LoadState

log = logging.getLogger("sparkify_dwh.load")
MAX_NAMED = 3


class RunLog:
    """The start and the end of one run.

    :param keeps: whether anything is written; a dry run is not recorded.
    """

    def __init__(
        self, engine: Engine, identity: RunIdentity, keeps: bool, tell: Callable[[str], None]
    ) -> None:
        self.engine, self.identity, self.keeps, self.tell = engine, identity, keeps, tell
        self.started = False
        #: Whether the end of a failed run is recorded, or must not be.
        self.recorded = False
        self._sent: set[str] = set()

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Marks this run as at work while the block lasts."""
        ACTIVE.add(self.identity.run_id)
        try:
            yield
        finally:
            ACTIVE.discard(self.identity.run_id)

    def start(self, connection: sa.Connection) -> list[str]:
        """Appends that this run starts, once.

        :returns: a sentence about each earlier run that died.
        """
        if self.started:
            return []
        messages = [
            f"load {run.run_id} of {run.at:%Y-%m-%d %H:%M:%S} UTC (process {run.pid} on "
            f"{run.host}) died; nothing of it is in the star"
            for run in self._died(connection)
        ]
        connection.rollback()
        self.end(connection, STARTED)
        self.started = self.keeps
        run_context.IS_RECORDED.set(self.started)
        for message in messages:
            self.tell(message)
        return messages

    def _died(self, connection: sa.Connection) -> list[OpenRun]:
        since = ledger.newest_ended(connection)
        return [
            run
            for run in ledger.open_runs(connection)
            if not ledger.is_at_work(run, embedded=self.engine.embedded)
            and (since is None or run.at > since)
        ][:MAX_NAMED]

    def end(
        self, connection: sa.Connection, event: str, error: BaseException | None = None
    ) -> None:
        """Appends an event in a short transaction."""
        # If it was sent before, its COMMIT may have succeeded without an answer.
        if self.keeps and not (event in self._sent and self.has(connection, event)):
            self._sent.add(event)
            with connection.begin():
                connection.execute(self._appended(event, error))

    def _appended(self, event: str, error: BaseException | None) -> sa.Insert:
        if error is None:
            return self.identity.event(event, exit_code=0 if event == NOTHING_NEW else None)
        return self.identity.event(
            event,
            without_samples(reason(error)),
            error=type(error).__name__[:64],
            exit_code=exit_code(error),
        )

    def has(self, connection: sa.Connection, event: str) -> bool:
        """Whether an event of this run is on record."""
        found = connection.execute(
            sa.select(RUN.c.run_id).where(
                RUN.c.run_id == self.identity.run_id, RUN.c.event == event
            )
        ).first()
        connection.rollback()
        return found is not None

    def fail(
        self, error: BaseException, state: LoadState | None, connection: sa.Connection | None
    ) -> None:
        """Records the failed run with what it refused, once.

        :param connection: the load's own, which keeps other loaders out; None: a new one is
            opened, and when that fails too, a warning is all.
        """
        if not self.started or self.recorded:
            return
        try:
            if connection is not None:
                connection.rollback()
                self._write(error, state, connection)
            else:
                with self.engine.session() as fresh:
                    self._write(error, state, fresh)
        except Exception as unwritten:
            if connection is None:
                # Where nothing can be written, stderr and the exit code are the record.
                log.warning("the failed run could not be recorded: %s", reason(unwritten))
        else:
            self.recorded = True

    def _write(
        self, error: BaseException, state: LoadState | None, connection: sa.Connection
    ) -> None:
        if self.has(connection, LOADED):
            self.tell(f"load {self.identity.run_id} was committed before this: {reason(error)}")
            return
        event = REFUSED if isinstance(error, QualityError) else ROLLED_BACK
        # Refused rows are worth the wait only where the data are at fault.
        if state is not None and _is_about_data(error):
            with contextlib.suppress(sa.exc.DBAPIError, OSError, SparkifyError):
                self._write_details(state, connection)
                if isinstance(error, RejectLimitError):
                    # Only here: the refused rows of a dry run are not kept.
                    seen = f"see all: sparkify rejects --run {self.identity.run_id}"
                    error.hint = f"{seen}; {error.hint}"
        self.end(connection, event, error)

    def _write_details(self, state: LoadState, connection: sa.Connection) -> None:
        ex = Executor(connection)
        with connection.begin():
            if state.quarantine.count:
                self.engine.fill(ex, ledger.REJECTED, state.quarantine.ready(), step="record")
            rows = books.measure_rows(self.identity.run_id, state.measures)
            self.engine.fill(ex, ledger.RESULT, rows, step="record", bounded=True)


def _is_about_data(error: BaseException) -> bool:
    return isinstance(error, SparkifyError) and not isinstance(error, DatabaseError)
