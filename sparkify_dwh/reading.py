"""Looking without changing: plans, queries, the run log, refused rows, checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from . import audit, closing, loading, packs, pipeline, schema
from .audit import BOOK, FILE, RESULT, RUN, STEP, Loader
from .config import Settings
from .declare import Declarations
from .dialects import ENGINES, load_engine
from .dialects.base import Engine
from .discover import Listing
from .errors import UsageError
from .executor import Executor, Planner
from .history import run_log
from .models.audit import STARTED
from .quarantine import Quarantine
from .results import CheckResult, Plan, Table
from .state import Load


def plan(settings: Settings, declarations: Declarations, name: str | None, *, reload: bool) -> Plan:
    """See ``Warehouse.plan``."""
    if name is not None and name not in ENGINES:
        raise UsageError(f"there is no engine {name}", f"there are: {', '.join(ENGINES)}")
    engine = load_engine(settings, name)
    load = Load(
        engine,
        declarations,
        settings,
        Loader("run", engine.name, "host", 0, "user"),
        Quarantine(Path("/dev/null"), "run", audit.utc_now()),
    )
    ex = Planner(dialect=engine.plan_dialect)
    objects: dict[str, int] | None = None
    try:
        if name is None:
            objects = _pending(engine, load, settings, reload)
        else:
            empty = {source.name: Listing() for source in declarations.sources}
            pipeline.discover(ex, load, empty, reload, ())
            ex.statements.clear()
            for batch in load.batches:
                batch.pending = True
        _write_down(ex, load, engine, bool(objects is None or sum(objects.values())))
    finally:
        load.quarantine.close()
        engine.close()
    return Plan(ex.statements, objects)


def _pending(engine: Engine, load: Load, settings: Settings, reload: bool) -> dict[str, int]:
    listings = loading.list_sources(settings, loading.locations(settings, load.declarations))
    if engine.exists():
        config = schema.alembic_config(settings, load.declarations)
        with engine.session(read_only=True) as connection:
            found = schema.status(connection, config)
            if found.state != "missing":
                schema.require_current(found)
                pipeline.discover(Executor(connection), load, listings, reload, ())
    if not load.batches:
        none = Planner(dialect=engine.plan_dialect)
        pipeline.discover(none, load, listings, True, ())
    objects = {batch.source.name: len(batch.objects) for batch in load.batches}
    for batch in load.batches:
        batch.objects = []  # a plan opens none of them
    return objects


def _write_down(ex: Planner, load: Load, engine: Engine, pending: bool) -> None:
    ex.note("BEGIN")
    ex.change(load.loader.event(STARTED), step="record")
    ex.note("COMMIT")
    audit.past(ex)
    for source in load.declarations.sources:
        if any(batch.source is source for batch in load.batches):
            audit.ledger(ex, source)
            with ex.when("objects are new", pending):
                packs.held(ex, source)
    if not pending:
        ex.note("-- nothing new to load")
        return
    if engine.reads_first:
        ex.note("-- before the transaction: temporary tables only")
        pipeline.read(ex, load)
    ex.note("BEGIN")
    engine.lock(ex)
    audit.past(ex)
    if not engine.reads_first:
        pipeline.read(ex, load)
    pipeline.write(ex, load)
    ex.note("COMMIT")
    engine.housekeep(ex, load.deleted)


def _table(connection: sa.Connection, statement: sa.Select[Any]) -> Table:
    result = connection.execute(statement)
    return Table(tuple(result.keys()), [tuple(row) for row in result])


def query(engine: Engine, sql: str, limit: int | None) -> Table:
    """See ``Warehouse.query``."""
    if not sql.strip():
        raise UsageError("the query is empty", "give one SELECT")
    with engine.session(read_only=True) as connection:
        try:
            # Without parameters no driver looks for their marks, such as a percent sign.
            result = connection.execution_options(no_parameters=True).exec_driver_sql(sql)
            if not result.returns_rows:
                raise UsageError("the statement returns no rows", "only queries are answered")
            rows = result.fetchall() if limit is None else result.fetchmany(limit)
            return Table(tuple(result.keys()), [tuple(row) for row in rows])
        except (sa.exc.ProgrammingError, sa.exc.NotSupportedError, sa.exc.DataError) as error:
            said = f"the query failed: {engine.said(error)}"
            raise UsageError(said, engine.advice(error)) from error
        finally:
            connection.rollback()


def runs(engine: Engine) -> Table:
    """See ``Warehouse.runs``: newest first; a run without an end is running or died."""
    with engine.session(read_only=True) as connection:
        return run_log(engine, connection)


def run_detail(engine: Engine, run_id: str) -> dict[str, Table]:
    """Events, files, steps, books and rule values of one run.

    :raises UsageError: when no run has this id.
    """
    parts = {
        "events": (RUN, (RUN.c.at,)),
        "files": (FILE, (FILE.c.source, FILE.c.key)),
        "steps": (STEP, (STEP.c.position,)),
        "books": (BOOK, (BOOK.c.target, BOOK.c.account)),
        "rules": (RESULT, (RESULT.c.target, RESULT.c.rule)),
    }
    with engine.session(read_only=True) as connection:
        found = {
            name: _table(
                connection,
                sa.select(*(c for c in table.c if c.name != "run_id"))
                .where(table.c.run_id == run_id)
                .order_by(*order),
            )
            for name, (table, order) in parts.items()
        }
    if not found["events"].rows:
        raise UsageError(f"there is no run {run_id}", "sparkify runs lists them")
    return found


def check(engine: Engine, declarations: Declarations) -> CheckResult:
    """See ``Warehouse.check``."""
    with engine.session(read_only=True) as connection:
        ex = Executor(connection)
        measures = [
            measure
            for target in declarations.targets
            for measure in closing.check_target(ex, target, None)
        ]
    return CheckResult(measures)
