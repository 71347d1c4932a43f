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

from .core.errors import DatabaseError, LockError, SchemaVersionError
from .core.observer import SILENT, Observer
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
from .models.extensions import declarations_for

if TYPE_CHECKING:
    from .inspection.freshness import SourceCheck
    from .inspection.profile.results import Profile
    from .inspection.report.report import Report
    from .inspection.runs import RunDetail
    from .jobs.compact_result import Compaction
    from .jobs.downgrade_losses import Loss
    from .jobs.erase import Erasure
    from .jobs.prune import Pruning

log = logging.getLogger("sparkify_dwh")


class Warehouse:
    """A warehouse: its settings, its declarations and its engine.

    Each method opens a connection and closes it; nothing is kept between calls.

    :param settings: where the warehouse and its sources are; read from the environment and
        ``sparkify.toml`` by default.
    :param declarations: sources and targets; by default those that ship and those of
        ``settings.extensions``.
    :param observer: receives the progress of loads and profiles.
    :raises SettingsError: when a setting cannot be used.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        declarations: Declarations | None = None,
        observer: Observer = SILENT,
    ) -> None:
        self.settings = settings or Settings()
        self.declarations = declarations or declarations_for(self.settings)
        self.observer = observer
        self._tell: Callable[[str], None] = log.info

    def __repr__(self) -> str:
        return f"Warehouse({self.settings.masked()['database_url']!r})"

    def _gate(self) -> SchemaGate:
        return SchemaGate(self.settings, self.declarations, self._tell)

    def _engine(self) -> Engine:
        engine = load_engine(self.settings)
        engine.tell = self._tell
        return engine

    @property
    def engine(self) -> sa.Engine:
        """A SQLAlchemy engine for the warehouse, for what this class does not offer.

        :raises MissingExtraError: when the driver of the engine is not installed.
        """
        return self._engine().create()

    # The schema ---------------------------------------------------------------------------

    def migrate(self, to: str = "heads") -> SchemaStatus:
        """Migrates the schema to a revision, the newest by default.

        :raises UsageError: when there is no such revision.
        :raises DatabaseError: when the database cannot be opened or is held by another.
        """
        from .jobs import migrate

        config = self._gate().config
        with self._engine().session() as connection:
            migrate.upgrade(connection, config, to)
            return migrate.status(connection, config)

    def migration_losses(self, to: str) -> list[Loss]:
        """The tables and columns that hold rows and that migrating to a revision would drop.

        :raises UsageError: when there is no such revision.
        :raises DatabaseError: when the database cannot be opened or reached.
        """
        from .jobs.downgrade_losses import losses

        engine = self._engine()
        if not engine.exists():
            return []
        with engine.session(read_only=True) as connection:
            return losses(connection, self._gate().config, to)

    def schema_status(self) -> SchemaStatus:
        """Which schema version the database has; creates nothing.

        :raises DatabaseError: when the database cannot be opened or reached.
        """
        return self._gate().status(self._engine())

    def migration_sql(self, to: str = "heads") -> str:
        """The SQL that migrates an empty database to a revision; does not connect.

        :raises UsageError: when there is no such revision.
        """
        from .jobs import migrate

        return migrate.migration_sql(self._gate().config, to)

    # Loading ------------------------------------------------------------------------------

    def load(self, *, all: bool = False, dry_run: bool = False) -> Run:
        """Loads the objects that are new, in one transaction.

        :param all: also loads objects that the ledger holds; this does not change the star.
        :param dry_run: does everything, then rolls back; records no run.
        :raises SourceError: when a source is missing or unreadable.
        :raises QualityError: when rules, limits or checks refuse the load.
        :raises DatabaseError: when the database, its lock or its schema version stands in the way.
        """
        engine, gate = self._engine(), self._gate()
        if dry_run and engine.embedded and gate.is_missing(engine):
            engine = engine.aside()
        return load(
            engine,
            self.declarations,
            self.settings,
            prepare=partial(gate.prepare, engine),
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
        """Combines the many small objects of a source into a few gzip objects of even size.

        Loads read these instead of the original objects; star, refusals and ledger come out the
        same. Objects that change later are loaded on their own.

        :param source: name of a source, such as ``songs``.
        :param into: a folder or ``s3://`` prefix; ``compacted/`` under ``work_prefix`` by default.
        :param slices: the number of compacted objects is a multiple of this; by default the
            cluster's number of slices.
        :param all: also compacts objects that are loaded already, for a later ``load(all=True)``.
        :param dry_run: writes nothing.
        :raises SettingsError: when the source or the place cannot be used.
        :raises SourceError: when an object cannot be read or written.
        :raises DatabaseError: when the ledger cannot be read or written.
        """
        from .jobs.compact import compact

        engine = self._engine()
        return compact(
            *(engine, self.declarations, partial(self._gate().prepare, engine), source, into),
            slices=slices,
            reload=all,
            dry_run=dry_run,
        )

    def plan(self, engine: str | None = None, *, all: bool = False) -> Plan:
        """The statements of the next load; creates nothing and records nothing.

        :param engine: plans for this engine with an empty ledger, without connecting or listing.
        :raises UsageError: when there is no such engine.
        """
        return plan(self.settings, self.declarations, self._gate(), engine, reload=all)

    # Looking at files ---------------------------------------------------------------------

    def profile(self, *sources: str, top: int = 5) -> Profile:
        """Profiles files before any table exists; creates no database.

        :param sources: a declared source by its name or its setting (``events``, ``log_data``),
            or any folder, file or ``s3://bucket/prefix/`` of JSON; by default all that are set.
        :param top: how many of the most frequent values to keep for each field.
        :returns: one ``SourceProfile`` each, by position or by name.
        :raises SettingsError: when a source has no place.
        :raises SourceError: when one is missing, unreadable or empty.
        """
        from .inspection.profile import profile

        return profile.profile(
            self.settings, self.declarations, sources, top=top, observer=self.observer
        )

    # Erasing ------------------------------------------------------------------------------

    def erase(self, user: int | str, *, dry_run: bool = False) -> Erasure:
        """Removes a person from star, staging and quarantine in one transaction.

        The erasure is recorded without the data; later loads leave the person's rows out.

        :param user: the id, in any spelling that a file may use.
        :param dry_run: does everything, then rolls back; records nothing.
        :raises UsageError: when it is not an id.
        :raises DatabaseError: when the database, its lock or its schema stands in the way.
        """
        from .jobs.erase import erase

        return erase(
            self._reader(),
            self.declarations,
            user,
            require_current=self._gate().require_current,
            dry_run=dry_run,
        )

    def prune(
        self, days: int | None = None, *, before: datetime | None = None, dry_run: bool = False
    ) -> Pruning:
        """Removes old runs from the audit tables; the ledger stays.

        :param days: removes runs that started more than this many days ago; 90 by default.
        :param before: removes runs that started before this moment instead (UTC without a zone).
        :param dry_run: does everything, then rolls back.
        :raises UsageError: when the moment is in the future.
        :raises DatabaseError: when the database, its lock or its schema stands in the way.
        """
        from .jobs.prune import cutoff, prune

        return prune(
            self._reader(),
            cutoff(days, before),
            require_current=self._gate().require_current,
            dry_run=dry_run,
        )

    def check_sources(self, max_age: float = 0.0) -> SourceCheck:
        """Compares the sources with the ledger: objects never loaded, changed since, or gone.

        :param max_age: seconds an object may wait for a load; 0: no object may wait.
        :raises SourceError: when a source is missing or unreadable.
        :raises DatabaseError: when there is no warehouse, or its schema stands in the way.
        """
        from .inspection.freshness import check_sources

        return check_sources(
            self._reader(),
            self.declarations,
            require_current=self._gate().require_current,
            max_age=max_age,
        )

    # Reading ------------------------------------------------------------------------------

    def query(self, sql: str, limit: int | None = None) -> Table:
        """Runs a query; the warehouse is opened read-only.

        :param limit: the most rows to return.
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
        """Refused rows of one run, or of the newest run of each object.

        ``in_star`` is true where the star now holds the row that the record describes, as it does
        once a repaired record is loaded; None where the record names no key.

        :param locate: reads the run's objects again to find objects and lines that the engine did
            not report.
        :raises UsageError: when no run has this id.
        :raises DatabaseError: when there is no warehouse yet.
        """
        from .inspection import rejects

        with self._reading() as engine:
            return rejects.rejects(engine, self.declarations, run_id, locate=locate)

    def check(self) -> CheckResult:
        """Checks keys, foreign keys and declared rules of the whole star; failures do not raise.

        :raises DatabaseError: when there is no warehouse yet.
        """
        from .inspection import checks

        with self._reading() as engine:
            return checks.check(engine, self.declarations)

    def report(self, path: str | Path | None = None) -> Report:
        """A self-contained HTML page: runs, books, refused rows, rules, the star, its schema.

        Everything is read in one transaction. The page needs no network and escapes all data.

        :param path: the file to write, whole or not at all; None: nothing is written.
        :raises UsageError: when the path is a folder, a file that is not an HTML page, or cannot be
            written.
        :raises DatabaseError: when there is no warehouse yet, or its schema version differs.
        """
        from .inspection.report.build import build_report
        from .inspection.report.report import writable

        place = None if path is None else writable(path)
        with self._reading() as engine:
            report = build_report(engine, self.declarations, self._gate().require_current)
        if place is not None:
            report.write(place)
        return report

    def lineage(self) -> Table:
        """The declared origin of each column of the star: fields of files.

        ``how`` is ``as typed``, ``computed`` (from one row), ``derived`` (from several rows or
        tables) or ``looked up``; ``through`` names the columns of other tables it comes from,
        ``by`` the columns that a look-up compares. Opens no database and raises nothing.
        """
        from .models import lineage

        return Table(lineage.LINEAGE_COLUMNS, lineage.lineage_rows(self.declarations))

    @contextmanager
    def _reading(self) -> Iterator[Engine]:
        """An engine to read with; where reading fails by the schema version, the error says so."""
        engine = self._reader()
        try:
            yield engine
        except LockError:
            raise
        except DatabaseError as error:
            try:
                with engine.session(read_only=True) as connection:
                    self._gate().require_current(connection)
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
