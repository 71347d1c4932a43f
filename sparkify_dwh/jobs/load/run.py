"""A load from start to end: its record in the run log, its attempts, its outcome."""

from __future__ import annotations

import errno
import itertools
import logging
import random
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import sqlalchemy as sa

from ...core.errors import DatabaseError, LockError, SourceError, SparkifyError, reason
from ...core.progress import SILENT, Observer
from ...core.settings import Settings
from ...dialects.base import Engine
from ...models.audit import LOADED, NOTHING_NEW
from ...models.declare import Declarations
from ...models.extensions import locations
from ...steps import ledger
from ...steps.executor import Executor
from ...steps.ledger import ACTIVE, Loader
from ...steps.quarantine import Quarantine
from ...storage.listing import list_sources, look
from ...storage.objects import Listing, ObjectsChanged
from ...storage.scratch import no_room
from . import attempt as pipeline
from . import notify
from .result import Run
from .run_log import RunLog
from .state import LedgerMoved, Load

log = logging.getLogger("sparkify_dwh.load")
#: An object that changes while it is read is left for the next load; a source that never rests
#: ends the load.
MAX_RESTARTS = 3
#: A load whose connection breaks, or that another session gets in the way of, starts again so
#: often; between embedded connections ``lock_timeout`` is the limit.
RETRIES = 5
DRY_RUN = "dry run"
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


class Loading:
    """One run of a load.

    :param ready: called with the connection before anything else: it migrates the database, or
        raises where the schema is not this library's.
    :param tell: called with a line of text whenever a person may want to know what happens.
    :param observer: is told how the work goes on.
    """

    def __init__(
        self,
        engine: Engine,
        declarations: Declarations,
        settings: Settings,
        *,
        ready: Callable[[sa.Connection], None],
        reload: bool = False,
        dry_run: bool = False,
        tell: Callable[[str], None] = log.info,
        observer: Observer = SILENT,
    ) -> None:
        self.engine, self.declarations, self.settings = engine, declarations, settings
        self.ready, self.reload, self.dry_run, self.tell = ready, reload, dry_run, tell
        self.observer = observer
        self.started_at = ledger.utc_now()
        self.loader = Loader(ledger.new_run_id(self.started_at), engine.name)
        self.log = RunLog(engine, self.loader, not dry_run, tell)
        self.warnings: list[str] = []
        self._load: Load | None = None
        self._ex: Executor | None = None
        self._recorded = self._committing = False

    def run(self) -> Run:
        """Loads what is new.

        :raises SparkifyError: of the class that says why; the load was rolled back.
        """
        return notify.told(
            self.loader,
            self.started_at,
            self.settings,
            self.declarations,
            self._run,
            dry_run=self.dry_run,
        )

    def _run(self) -> Run:
        places = locations(self.settings, self.declarations)
        listings = list_sources(self.settings, places, self.observer)
        began = time.perf_counter()
        try:
            with self.log.active():
                return self._sessions(listings, began)
        except BaseException as error:
            if not self._recorded:
                self.log.fail(error, self._load, None)
            if self.log.started and not self.dry_run:
                error.__dict__["run_id"] = self.loader.run_id
            raise
        finally:
            self.engine.close()

    def _sessions(self, listings: Mapping[str, Listing], began: float) -> Run:
        """Loads by one connection, or by another one where that is lost at work."""
        for attempt in itertools.count(1):
            try:
                with self.engine.session() as connection:
                    return self._session(connection, listings, began)
            except DatabaseError as error:
                if not self.log.started or not self.engine.is_lost(error):
                    raise
                if self._committing and (done := self._settled(began)) is not None:
                    return done
                if attempt > RETRIES:
                    raise
                self.tell(f"{error.what}; starting again ({attempt} of {RETRIES})")
            time.sleep(_pause(attempt))
        raise AssertionError

    def _session(
        self, connection: sa.Connection, listings: Mapping[str, Listing], began: float
    ) -> Run:
        try:
            self.ready(connection)
            if not self.log.started:
                self.warnings = self.log.start(connection)
            return self._attempts(connection, listings, began)
        except BaseException as error:
            told = self._told(error)
            if not self.engine.is_lost(error):
                self._recorded = self.log.fail(told, self._load, connection)
            if told is error:
                raise
            raise told from error

    def _settled(self, began: float) -> Run | None:
        """The result of a load whose COMMIT got no answer, where it was done all the same.

        :raises DatabaseError: when the database cannot be asked.
        """
        assert self._load is not None and self._ex is not None
        for attempt in itertools.count(1):
            try:
                with self.engine.session() as connection:
                    done = self.log.has(connection, LOADED)
                    if not done:
                        # Whoever gets the lock knows that the other transaction has ended.
                        with connection.begin():
                            self.engine.lock(Executor(connection))
                        done = self.log.has(connection, LOADED)
                    if not done:
                        return None
                    self.tell("COMMIT got no answer; the run is in the ledger")
                    self._load.warnings += self._housekeep(connection)
                    return self._result(self._load, self._ex, LOADED, began)
            except DatabaseError as error:
                if attempt > RETRIES or not self.engine.is_lost(error):
                    self._recorded = True
                    run = self.loader.run_id
                    raise DatabaseError(
                        f"COMMIT of load {run} got no answer, and now {error.what}",
                        f"sparkify runs {run} tells whether it is loaded; loading again is safe",
                    ) from error
            time.sleep(_pause(attempt))
        raise AssertionError

    def _told(self, error: BaseException) -> BaseException:
        """An error as one of ours, where it is the database's or that of a full disk."""
        if isinstance(error, SparkifyError):
            return error
        if isinstance(error, sa.exc.DBAPIError) or self.engine.is_lost(error):
            return self.engine.explain(error)
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            return no_room(error, self.engine.scratch)
        return error

    def _attempts(
        self, connection: sa.Connection, listings: Mapping[str, Listing], began: float
    ) -> Run:
        waiting: set[str] = set()
        conflict_since: float | None = None
        for attempt in itertools.count(1):
            path = self.engine.scratch / f"rejected-{attempt}.json"
            quarantine = Quarantine(path, self.loader.run_id, self.started_at)
            try:
                return self._swept(connection, listings, quarantine, waiting, began)
            except ObjectsChanged as changed:
                waiting |= changed.keys
                self._warn_changed(changed.keys)
                if attempt > MAX_RESTARTS:
                    raise SourceError(
                        f"objects keep changing while they are read, such as {min(waiting)}",
                        "load when their writer is done",
                    ) from None
            except LedgerMoved:
                self.tell("another load or an erasure was committed meanwhile; starting again")
            except sa.exc.DBAPIError as error:
                if not self.engine.is_conflict(error):
                    raise
                conflict_since = conflict_since or time.monotonic()
                self._wait_for_other(error, time.monotonic() - conflict_since, attempt)
            finally:
                with suppress(OSError):
                    quarantine.close()
            connection.rollback()
            self.engine.reset(connection)
        raise AssertionError

    def _swept(self, connection: sa.Connection, *args: Any) -> Run:
        """An attempt that leaves nothing behind in the database unless it commits."""
        done = None
        try:
            done = self._attempt(connection, *args)
            return done
        finally:
            if done is None or self.dry_run:
                with suppress(sa.exc.SQLAlchemyError):
                    connection.rollback()
                    self.engine.sweep(connection)

    def _wait_for_other(self, error: sa.exc.DBAPIError, waited: float, attempt: int) -> None:
        if not self.engine.embedded:
            told = self.engine.explain(error)
            if attempt > RETRIES:
                raise told from error
            self.tell(f"{reason(told)}; starting again ({attempt} of {RETRIES})")
        elif waited >= self.settings.lock_timeout:
            raise LockError(
                "another connection of this process keeps changing what this load writes; "
                f"waited {waited:.0f} s",
                "close it, or allow more: --lock-timeout",
            ) from None
        time.sleep(min(1.0, 0.05 * attempt))

    def _warn_changed(self, keys: Collection[str]) -> None:
        for key in sorted(keys)[:3]:
            self.warnings.append(f"{key} changed while it was read; it waits for the next load")
        if len(keys) > 3:
            self.warnings.append(f"{len(keys) - 3} more objects changed; they wait too")
        self.tell(self.warnings[-1])

    def _attempt(
        self,
        connection: sa.Connection,
        listings: Mapping[str, Listing],
        quarantine: Quarantine,
        waiting: Collection[str],
        began: float,
    ) -> Run:
        load = Load(self.engine, self.declarations, self.settings, self.loader, quarantine)
        load.warnings = self.warnings
        ex = Executor(connection)
        if self.observer is not SILENT:
            ex.observer, ex.fraction = self.observer, self.engine.watch(connection)
        self._load, self._ex, self._committing = load, ex, False
        load.past = ledger.past(ex)
        some = pipeline.discover(ex, load, listings, self.reload, waiting)
        connection.rollback()
        if not some:
            self.log.end(connection, NOTHING_NEW)
            return self._result(load, ex, NOTHING_NEW, began)
        if self.engine.reads_first:
            ex.commit_each = True
            pipeline.read(ex, load)
            ex.commit_each = False
        with connection.begin() as transaction:
            self.engine.lock(ex)
            if ledger.past(ex) != load.past:
                raise LedgerMoved
            if not self.engine.reads_first:
                pipeline.read(ex, load)
            pipeline.write(ex, load)
            pipeline.unchanged(load, partial(look, self.settings))
            if self.dry_run:
                transaction.rollback()
            self._committing = not self.dry_run
        self._committing = False
        if not self.dry_run:
            load.warnings += self._housekeep(connection)
        return self._result(load, ex, DRY_RUN if self.dry_run else LOADED, began)

    def _housekeep(self, connection: sa.Connection) -> list[str]:
        """What the engine needs after a load; it cannot fail what is committed."""
        assert self._load is not None and self._ex is not None
        self._ex.connection = connection
        try:
            return self.engine.housekeep(self._ex, self._load.deleted)
        except (sa.exc.DBAPIError, SparkifyError) as error:
            return [f"the load is committed, but {reason(self._told(error))}"]

    def _result(self, load: Load, ex: Executor, event: str, began: float) -> Run:
        return Run(
            run_id=self.loader.run_id,
            event=event,
            engine=self.engine.name,
            started_at=self.started_at,
            seconds=time.perf_counter() - began,
            sources=[batch.book for batch in load.batches],
            targets=load.accounts,
            measures=load.measures,
            steps=list(ex.steps.values()),
            refused=_by_rule(load.quarantine.by_rule),
            warnings=list(load.warnings),
        )


def _pause(attempt: int) -> float:
    """Seconds before the next attempt, spread so that several loaders do not meet again."""
    return min(5.0, 0.1 * 2.0**attempt) * random.uniform(0.5, 1.5)


def _by_rule(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Refused records by rule; rules of several sources may share a name."""
    found: dict[str, int] = {}
    for (_, rule), count in counts.items():
        found[rule] = found.get(rule, 0) + count
    return found


__all__ = ["ACTIVE", "Loading", "list_sources", "locations", "look"]
