"""A load from start to end: its record in the run log, its attempts, its outcome."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from . import audit, pipeline
from .audit import Loader, OpenRun
from .config import Settings
from .declare import Declarations, Source
from .dialects.base import Engine
from .discover import Listing, Object, list_folder, look_again
from .errors import (
    LockError,
    QualityError,
    RejectLimitError,
    SettingsError,
    SourceError,
    SparkifyError,
)
from .executor import Executor
from .models.audit import NOTHING_NEW, REFUSED, ROLLED_BACK, STARTED
from .pipeline import LedgerMoved, Load, ObjectsChanged
from .quarantine import Quarantine
from .results import Run
from .s3 import SCHEME, Bucketeer

log = logging.getLogger("sparkify_dwh.load")
#: An object that changes while it is read is left for the next load; a source that never rests
#: ends the load.
MAX_RESTARTS = 3


def locations(settings: Settings, declarations: Declarations) -> dict[str, str]:
    """Where each source is, for those that have a place.

    :raises SettingsError: when no source has one.
    """
    found = {
        source.name: place
        for source in declarations.sources
        if (place := settings.location(source.name, source.setting))
    }
    if not found:
        names = " or ".join(s.setting for s in declarations.sources)
        raise SettingsError("no source is set", f"set {names}, or: sparkify init")
    return found


def list_sources(settings: Settings, places: Mapping[str, str]) -> dict[str, Listing]:
    """Lists every source.

    :raises SourceError: when one is missing or unreadable.
    """
    listings = {}
    for name, place in places.items():
        listings[name] = (
            Bucketeer(settings).list_prefix(place)
            if place.startswith(SCHEME)
            else list_folder(place)
        )
    return listings


def look(settings: Settings, source: Source, objects: list[Object]) -> set[str]:
    """Keys of objects that are no longer what was listed."""
    place = settings.location(source.name, source.setting) or ""
    if not place.startswith(SCHEME):
        return look_again(objects, os.stat)
    now = {(o.key, o.version, o.size) for o in Bucketeer(settings).list_prefix(place).objects}
    return {o.key for o in objects if (o.key, o.version, o.size) not in now}


class Loading:
    """One run of a load.

    :param tell: called with a line of text whenever a person may want to know what happens.
    """

    def __init__(
        self,
        engine: Engine,
        declarations: Declarations,
        settings: Settings,
        *,
        reload: bool = False,
        dry_run: bool = False,
        tell: Callable[[str], None] = log.info,
    ) -> None:
        self.engine, self.declarations, self.settings = engine, declarations, settings
        self.reload, self.dry_run, self.tell = reload, dry_run, tell
        self.started_at = audit.utc_now()
        self.loader = Loader(audit.new_run_id(self.started_at), engine.name)
        self.warnings: list[str] = []
        self.died: list[OpenRun] = []
        self._load: Load | None = None
        self._ex: Executor | None = None

    def run(self) -> Run:
        """Loads what is new.

        :raises SparkifyError: of the class that says why; the load was rolled back.
        """
        listings = list_sources(self.settings, locations(self.settings, self.declarations))
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="sparkify-") as folder:
            ACTIVE.add(self.loader.run_id)
            try:
                return self._attempts(listings, Path(folder), began)
            except BaseException as error:
                self._record_failure(error)
                raise
            finally:
                ACTIVE.discard(self.loader.run_id)
                self.engine.close()

    def _attempts(self, listings: Mapping[str, Listing], folder: Path, began: float) -> Run:
        deadline = time.monotonic() + self.settings.lock_timeout
        waiting: set[str] = set()
        attempt = 0
        while True:
            attempt += 1
            quarantine = Quarantine(
                folder / f"rejected-{attempt}.json", self.loader.run_id, self.started_at
            )
            try:
                return self._attempt(listings, quarantine, waiting, began, attempt == 1)
            except ObjectsChanged as changed:
                waiting |= changed.keys
                self._warn_changed(changed.keys)
                if len(waiting) and attempt > MAX_RESTARTS:
                    raise SourceError(
                        f"objects keep changing while they are read, such as {min(waiting)}",
                        "load when their writer is done",
                    ) from None
            except LedgerMoved:
                self.tell("another load was committed meanwhile; starting again")
            except sa.exc.DBAPIError as error:
                if not self.engine.is_conflict(error):
                    raise self.engine.explain(error) from error
                if time.monotonic() >= deadline:
                    raise LockError(
                        f"another loader of this process is at work; waited "
                        f"{self.settings.lock_timeout:g} s",
                        "wait for it to end, or allow more: --lock-timeout",
                    ) from None
                time.sleep(0.05)
            finally:
                quarantine.close()

    def _warn_changed(self, keys: Collection[str]) -> None:
        for key in sorted(keys)[:3]:
            self.warnings.append(f"{key} changed while it was read; it waits for the next load")
        if len(keys) > 3:
            self.warnings.append(f"{len(keys) - 3} more objects changed; they wait too")
        self.tell(self.warnings[-1])

    def _attempt(
        self,
        listings: Mapping[str, Listing],
        quarantine: Quarantine,
        waiting: Collection[str],
        began: float,
        first: bool,
    ) -> Run:
        load = Load(self.engine, self.declarations, self.settings, self.loader, quarantine)
        load.warnings = self.warnings
        with self.engine.session() as connection:
            if first:
                self._open(connection)
            ex = Executor(connection)
            self._load, self._ex = load, ex
            ledger_rows = audit.ledger_size(ex)
            if not pipeline.discover(ex, load, listings, self.reload, waiting):
                connection.rollback()
                self._append(connection, NOTHING_NEW)
                return self._result(load, ex, NOTHING_NEW, began)
            connection.rollback()
            if self.engine.reads_first:
                ex.commit_each = True
                pipeline.read(ex, load)
                ex.commit_each = False
            with connection.begin() as transaction:
                self.engine.lock(ex)
                if audit.ledger_size(ex) != ledger_rows:
                    raise LedgerMoved
                if not self.engine.reads_first:
                    pipeline.read(ex, load)
                pipeline.write(ex, load)
                pipeline.unchanged(load, partial(look, self.settings))
                if self.dry_run:
                    transaction.rollback()
            if not self.dry_run:
                load.warnings += self.engine.housekeep(connection)
            return self._result(load, ex, "dry run" if self.dry_run else "loaded", began)

    def _open(self, connection: sa.Connection) -> None:
        """Says which earlier loads died, and that this one starts."""
        for earlier in audit.open_runs(connection):
            # Holding the file of an embedded database proves that no other process is at work.
            gone = self.engine.embedded or not earlier.alive
            if gone and earlier.run_id not in ACTIVE:
                self.died.append(earlier)
        connection.rollback()
        for earlier in self.died[:1]:
            self.tell(
                f"load {earlier.run_id} of {earlier.at:%Y-%m-%d %H:%M:%S} (process {earlier.pid} "
                f"on {earlier.host}) died; nothing of it is in the star"
            )
        self._append(connection, STARTED)

    def _append(self, connection: sa.Connection, event: str, reason: str | None = None) -> None:
        if self.dry_run:
            return
        with connection.begin():
            connection.execute(self.loader.event(event, reason))

    def _record_failure(self, error: BaseException) -> None:
        """Leaves the failed run on record, with what it refused; the star is as before."""
        if self.dry_run or self._load is None:
            return
        event = REFUSED if isinstance(error, QualityError) else ROLLED_BACK
        reason = _reason(error)
        try:
            with self.engine.session() as connection:
                ex = Executor(connection)
                with connection.begin():
                    if isinstance(error, SparkifyError) and self._load.quarantine.count:
                        self.engine.fill(
                            ex, audit.REJECTED, self._load.quarantine.path, step="record"
                        )
                    rows = audit.measure_rows(self.loader.run_id, self._load.measures)
                    self.engine.fill(ex, audit.RESULT, rows, step="record", bounded=True)
                    connection.execute(self.loader.event(event, reason))
            if isinstance(error, RejectLimitError):
                # Only now: what a dry run refuses is nowhere to be seen.
                error.hint = f"see all: sparkify rejects --run {self.loader.run_id}; {error.hint}"
        except Exception as unwritten:
            # Where nothing can be written, stderr and the exit code are the record.
            log.warning("the failed run could not be recorded: %s", _reason(unwritten))

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


#: Runs of this process that are at work, so that a thread is not taken for a dead loader.
ACTIVE: set[str] = set()


def _by_rule(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Refused records by rule; rules of several sources may share a name."""
    found: dict[str, int] = {}
    for (_, rule), count in counts.items():
        found[rule] = found.get(rule, 0) + count
    return found


def _reason(error: BaseException) -> str:
    if isinstance(error, SparkifyError):
        return error.what
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return f"{type(error).__name__}: {error}".splitlines()[0]
