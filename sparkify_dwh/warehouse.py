"""The library's front door: one object whose methods mirror the commands."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from .core.errors import DatabaseError, LockError, SchemaVersionError, UsageError
from .core.progress import SILENT, Observer
from .core.settings import Settings
from .core.table import Table
from .dialects import load_engine
from .dialects.base import Engine
from .inspection.checks import CheckResult
from .jobs.load.plan import Plan, plan
from .jobs.load.result import Run
from .jobs.load.run import load
from .jobs.migrate import SchemaStatus
from .jobs.schema_gate import SchemaGate
from .models.declare import Declarations
from .models.extensions import declared

if TYPE_CHECKING:
    from .inspection.freshness import SourceCheck
    from .inspection.profile.results import Profile
    from .inspection.report.writing import Report
    from .inspection.runs import RunDetail
    from .jobs.compact_result import Compaction
    from .jobs.downgrade_losses import Loss
    from .jobs.erase import Erasure
    from .jobs.prune import Pruning

log = logging.getLogger("sparkify_dwh")


class Warehouse:
    """A warehouse: its settings, its declarations and its engine.

    Each method opens a connection of its own and closes it; nothing is kept between calls.

    :param settings: where the warehouse and its sources are; read from the environment and
        ``sparkify.toml`` when left out.
    :param declarations: sources and targets; the shipped ones and those of
        ``settings.extensions`` when left out.
    :param observer: is told how loads and profiles go on.
    :raises SettingsError: when a setting cannot be used.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        declarations: Declarations | None = None,
        observer: Observer = SILENT,
    ) -> None:
        self.settings = settings or Settings()
        self.declarations = declarations or declared(self.settings)
        self.observer = observer
        self._tell: Callable[[str], None] = log.info
        self._gate = SchemaGate(self.settings, self.declarations, lambda text: self._tell(text))

    def __repr__(self) -> str:
        return f"Warehouse({self.settings.masked()['database_url']!r})"

    def _engine(self) -> Engine:
        engine = load_engine(self.settings)
        engine.tell = self._tell
        return engine

    @property
    def engine(self) -> sa.Engine:
        """A SQLAlchemy engine of the warehouse, for what this class does not offer.

        :raises MissingExtraError: when the driver of the engine is not installed.
        """
        return self._engine().create()

    # The schema ---------------------------------------------------------------------------

    def migrate(self, to: str = "heads") -> SchemaStatus:
        """Brings the schema to a revision, the newest by default.

        :raises UsageError: when there is no such revision.
        :raises DatabaseError: when the database cannot be opened or is held by another.
        """
        from .jobs import migrate

        with self._engine().session() as connection:
            migrate.upgrade(connection, self._gate.config, to)
            return migrate.status(connection, self._gate.config)

    def migration_losses(self, to: str) -> list[Loss]:
        """The tables and columns with rows that migrating to a revision would drop.

        :raises UsageError: when there is no such revision.
        :raises DatabaseError: when the database cannot be opened or reached.
        """
        from .jobs.downgrade_losses import losses

        engine = self._engine()
        if not engine.exists():
            return []
        with engine.session(read_only=True) as connection:
            return losses(connection, self._gate.config, to)

    def schema_status(self) -> SchemaStatus:
        """Which schema version the database has; creates nothing.

        :raises DatabaseError: when the database cannot be opened or reached.
        """
        return self._gate.status(self._engine())

    def migration_sql(self, to: str = "heads") -> str:
        """The SQL of migrating an empty database to a revision; connects to none.

        :raises UsageError: when there is no such revision.
        """
        from .jobs import migrate

        return migrate.migration_sql(self._gate.config, to)

    # Loading ------------------------------------------------------------------------------

    def load(self, *, all: bool = False, dry_run: bool = False) -> Run:
        """Loads the objects that are new, in one transaction.

        :param all: also objects that the ledger holds; the star does not change by it.
        :param dry_run: does everything, rolls back and records no run.
        :raises SourceError: when a source is missing or unreadable.
        :raises QualityError: when rules, limits or checks refuse the load.
        :raises DatabaseError: when the database, its lock or its schema version stands in the way.
        """
        engine = self._engine()
        if dry_run and engine.embedded and self._gate.is_missing(engine):
            engine = engine.aside()
        return load(
            engine,
            self.declarations,
            self.settings,
            prepare=partial(self._gate.prepare, engine),
            reload=all,
            dry_run=dry_run,
            tell=self._tell,
            observer=self.observer,
        )

    def compact(
        self,
        source: str,
        into: str | None = None,
        *,
        slices: int | None = None,
        all: bool = False,
        dry_run: bool = False,
    ) -> Compaction:
        """Puts many small objects of a source into few gzip objects of an even size.

        Loads take these instead of the objects they were made of, with the same star, refusals
        and ledger as a result; objects that change later load by themselves.

        :param source: name of a source, such as ``songs``.
        :param into: a folder or ``s3://`` prefix; ``compacted/`` under ``work_prefix`` otherwise.
        :param slices: the number of compacted objects is a multiple of it; the cluster's own when
            left out.
        :param all: also objects that were loaded, for the next load of all.
        :param dry_run: writes nothing.
        :raises SettingsError: when the source or the place cannot be used.
        :raises SourceError: when an object cannot be read or written.
        :raises DatabaseError: when the ledger cannot be read or written.
        """
        from .jobs.compact import compact

        engine = self._engine()
        return compact(
            *(engine, self.declarations, partial(self._gate.prepare, engine), source, into),
            slices=slices,
            reload=all,
            dry_run=dry_run,
        )

    def plan(self, engine: str | None = None, *, all: bool = False) -> Plan:
        """The statements of the next load; creates nothing and records nothing.

        :param engine: plan for this engine with an empty ledger, without connecting or listing.
        :raises UsageError: when there is no such engine.
        """
        return plan(self.settings, self.declarations, self._gate, engine, reload=all)

    # Looking at files ---------------------------------------------------------------------

    def profile(self, *sources: str, top: int = 5) -> Profile:
        """What is in the files, before any table exists; creates no database.

        :param sources: a declared source by its name or its setting (``events``, ``log_data``),
            or any folder, file or ``s3://bucket/prefix/`` of JSON; all that are set when none is
            named.
        :param top: how many of the most frequent values of each field are kept.
        :returns: one ``SourceProfile`` for each, by position or by name.
        :raises SettingsError: when a source has no place.
        :raises SourceError: when one is missing, unreadable or holds no file.
        """
        from .inspection.profile import profile

        return profile.profile(
            self.settings, self.declarations, sources, top=top, observer=self.observer
        )

    # Erasing ------------------------------------------------------------------------------

    def erase(self, user: int | str, *, dry_run: bool = False) -> Erasure:
        """Removes a person from star, staging and quarantine in one transaction.

        It is on record without the data; later loads leave the person's rows out.

        :param user: the id, in any spelling that a file may have.
        :param dry_run: does everything, rolls back and records nothing.
        :raises UsageError: when it is no id.
        :raises DatabaseError: when the database, its lock or its schema stands in the way.
        """
        from .jobs.erase import Erasing

        return Erasing(
            self._reader(),
            self.declarations,
            user,
            ready=self._gate.require_current,
            dry_run=dry_run,
        ).run()

    def prune(
        self, days: int | None = None, *, before: datetime | None = None, dry_run: bool = False
    ) -> Pruning:
        """Takes what is known of old runs out of the audit tables; the ledger stays.

        :param days: runs that started earlier than so many days ago are old; 90 by default.
        :param before: instead, runs that started before this moment (UTC where it has no zone).
        :param dry_run: does everything and rolls back.
        :raises UsageError: when the moment lies in the future.
        :raises DatabaseError: when the database, its lock or its schema stands in the way.
        """
        from .jobs.prune import cutoff, prune

        return prune(
            self._reader(), cutoff(days, before), ready=self._gate.require_current, dry_run=dry_run
        )

    def check_sources(self, max_age: float = 0.0) -> SourceCheck:
        """What the sources hold against the ledger: never loaded, changed since, gone.

        :param max_age: seconds that an object may wait for a load; 0: none may wait.
        :raises SourceError: when a source is missing or unreadable.
        :raises DatabaseError: when there is no warehouse, or its schema stands in the way.
        """
        from .inspection.freshness import check_sources

        return check_sources(
            self._reader(), self.declarations, ready=self._gate.require_current, max_age=max_age
        )

    # Reading ------------------------------------------------------------------------------

    def query(self, sql: str, limit: int | None = None) -> Table:
        """The answer to a query; the warehouse is opened for reading only.

        :param limit: at most so many rows.
        :raises UsageError: when the statement is wrong or would write.
        :raises DatabaseError: when there is no warehouse yet.
        """
        from .inspection import query

        return query.query(self._reader(), sql, limit)

    def runs(self) -> Table:
        """The run log, newest first.

        :raises DatabaseError: when there is no warehouse yet.
        """
        from .inspection import runs

        with self._reading() as engine:
            return runs.runs(engine)

    def run(self, run_id: str) -> RunDetail:
        """Everything on record about one run.

        :raises UsageError: when no run has this id.
        :raises DatabaseError: when there is no warehouse yet.
        """
        from .inspection import runs

        with self._reading() as engine:
            return runs.run_detail(engine, run_id)

    def rejects(self, run_id: str | None = None, *, locate: bool = False) -> Table:
        """Refused rows: of one run, or of the newest run of each object.

        :param locate: finds objects and lines where the engine did not tell them, by reading the
            run's objects again.

        ``in_star`` tells whether the star now holds the row that the record meant, as it does
        after its repair was loaded; None where the text names no key.

        :raises UsageError: when no run has this id.
        :raises DatabaseError: when there is no warehouse yet.
        """
        from .inspection import rejects

        with self._reading() as engine:
            return rejects.rejects(engine, self.declarations, run_id, locate=locate)

    def check(self) -> CheckResult:
        """Keys, foreign keys and declared checks of the whole star; a failed one raises nothing.

        :raises DatabaseError: when there is no warehouse yet.
        """
        from .inspection import checks

        with self._reading() as engine:
            return checks.check(engine, self.declarations)

    def report(self, path: str | Path | None = None) -> Report:
        """One self-contained HTML page: runs, books, refused rows, rules, the star, its schema.

        All of it is read in one transaction. The page needs no network, and what it shows of the
        data is escaped.

        :param path: a file to write it to, whole or not at all; None: nothing is written.
        :raises UsageError: when the path is a folder, a file that is no HTML page, or cannot be
            written.
        :raises DatabaseError: when there is no warehouse yet, or its schema version is another.
        """
        from .inspection.report import report
        from .inspection.report.writing import writable

        place = None if path is None else writable(path)
        with self._reading() as engine:
            made = report(engine, self.declarations, self._gate.require_current)
        if place is not None:
            made.write(place)
        return made

    def lineage(self) -> Table:
        """For each column of the star the fields of the files that it comes from, as declared.

        ``how`` is ``as typed``, ``computed`` (from one row), ``derived`` (from several rows or
        tables) or ``looked up``; ``through`` names the columns of other tables it is taken from,
        ``by`` the columns that a look-up compares. Opens no database and raises nothing.
        """
        from .models import lineage

        return Table(lineage.COLUMNS, lineage.lineage_rows(self.declarations))

    @contextmanager
    def _reading(self) -> Iterator[Engine]:
        """An engine to read with; where another schema is why that fails, the error says so."""
        engine = self._reader()
        try:
            yield engine
        except LockError:
            raise
        except DatabaseError as error:
            try:
                with engine.session(read_only=True) as connection:
                    self._gate.require_current(connection)
            except SchemaVersionError as version_error:
                raise version_error from error
            except DatabaseError:
                pass
            raise

    def _reader(self) -> Engine:
        engine = self._engine()
        if not engine.exists():
            raise DatabaseError(
                f"there is no warehouse at {self.settings.masked()['database_url']}",
                "run: sparkify load",
            )
        return engine


__all__ = ["UsageError", "Warehouse", "declared"]
