"""A load from start to end: attempted until it is done or has failed, recorded and announced."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import sqlalchemy as sa

from ...core.errors import DatabaseError, SparkifyError
from ...core.observer import SILENT, Observer
from ...core.settings import Settings
from ...dialects.base import Engine, SchemaCheck
from ...models.audit import LOADED, NOTHING_NEW
from ...models.declare import Declarations
from ...models.extensions import locations
from ...steps.executor import Executor
from ...steps.ledger import RunIdentity
from ...steps.quarantine import Quarantine
from ...storage.listing import list_sources
from ...storage.objects import ObjectsChanged
from ..retries import Retries, explained
from .attempt import attempt, housekeep
from .notify import announced
from .result import Run, result_of
from .run_log import RunLog
from .state import LoadState

log = logging.getLogger("sparkify_dwh.load")


def load(
    engine: Engine,
    declarations: Declarations,
    settings: Settings,
    *,
    prepare: SchemaCheck,
    reload: bool = False,
    dry_run: bool = False,
    tell: Callable[[str], None] = log.info,
    observer: Observer = SILENT,
) -> Run:
    """Loads the objects that are new, in one transaction.

    :param prepare: called with the connection first: it migrates the database, or raises where the
        schema is not this library's.
    :param reload: whether objects that the ledger holds are loaded again.
    :param tell: called with a line of text about what a person may want to know.
    :raises SparkifyError: of the class that says why; the load was rolled back.
    """
    identity = RunIdentity.new(engine.name)
    run_log = RunLog(engine, identity, not dry_run, tell)
    retries = Retries(engine, tell)
    state: LoadState | None = None
    with announced(identity, settings, declarations, dry_run=dry_run) as announcement:
        listings = list_sources(settings, locations(settings, declarations), observer)
        began = time.perf_counter()
        event = None
        try:
            with run_log.active():
                while event is None:
                    state = LoadState(
                        engine,
                        declarations,
                        settings,
                        identity,
                        _quarantine(engine, identity),
                        listings,
                        reload=reload,
                        dry_run=dry_run,
                        waiting=state.waiting if state else set(),
                        warnings=state.warnings if state else [],
                    )
                    event = _session(state, run_log, retries, prepare, observer)
        except BaseException as error:
            run_log.fail(error, state, None)
            if run_log.started and isinstance(error, SparkifyError):
                error.run_id = identity.run_id
            raise
        finally:
            engine.close()
        assert state is not None
        announcement.run = result_of(state, event, time.perf_counter() - began)
    return announcement.run


def _quarantine(engine: Engine, identity: RunIdentity) -> Quarantine:
    return Quarantine(engine.scratch / "rejected.json", identity.run_id, identity.started_at)


def _session(
    state: LoadState, run_log: RunLog, retries: Retries, prepare: SchemaCheck, observer: Observer
) -> str | None:
    """One attempt, in a session of its own.

    :returns: the event that ends the run; None: start again.
    """
    engine = state.engine
    try:
        with engine.session() as connection:
            try:
                prepare(connection)
                state.warnings += run_log.start(connection)
                ex = Executor(connection)
                if observer is not SILENT:
                    ex.observer, ex.fraction = observer, engine.watch(connection)
                with _swept(engine, connection, state.dry_run):
                    event = attempt(ex, state)
                if event == NOTHING_NEW:
                    run_log.end(connection, event)
                return event
            except BaseException as error:
                if engine.is_lost(error):
                    raise explained(engine, error) from error
                if isinstance(error, ObjectsChanged):
                    state.waiting |= error.keys
                    state.warnings += error.warnings
                if (ending := retries.ending(error)) is not None:
                    run_log.fail(ending, state, connection)
                    if ending is error:
                        raise
                    raise ending from error
    except DatabaseError as error:
        if not run_log.started or not engine.is_lost(error):
            raise
        if state.committing and _is_committed(state, run_log):
            return LOADED
        if retries.ending(error) is not None:
            raise
    finally:
        # Also where the session could not open its connection.
        with suppress(OSError):
            state.quarantine.close()
    retries.wait()
    return None


@contextmanager
def _swept(engine: Engine, connection: sa.Connection, dry_run: bool) -> Iterator[None]:
    """The attempt in the block leaves nothing behind in the database unless it commits."""
    is_done = False
    try:
        yield
        is_done = True
    finally:
        if dry_run or not is_done:
            with suppress(sa.exc.SQLAlchemyError):
                connection.rollback()
                engine.sweep(connection)


def _is_committed(state: LoadState, run_log: RunLog) -> bool:
    """Whether a load whose COMMIT got no answer was committed all the same.

    :raises DatabaseError: when the database cannot be asked.
    """
    engine, run_id = state.engine, state.identity.run_id
    retries = Retries(engine, log.debug)
    while True:
        try:
            with engine.session() as connection:
                if not run_log.has(connection, LOADED):
                    # The lock is granted only once the other transaction has ended.
                    with connection.begin():
                        engine.lock(Executor(connection))
                    if not run_log.has(connection, LOADED):
                        return False
                run_log.tell("COMMIT got no answer; the run is in the ledger")
                ex = Executor(connection)
                ex.steps = state.steps
                housekeep(ex, state)
                return True
        except DatabaseError as error:
            if retries.ending(error) is not None:
                run_log.recorded = True
                raise DatabaseError(
                    f"COMMIT of load {run_id} got no answer, and now {error.what}",
                    f"sparkify runs {run_id} shows whether it was loaded; it is safe to load again",
                ) from error
        retries.wait()
