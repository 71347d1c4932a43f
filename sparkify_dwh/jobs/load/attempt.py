"""One load = one transaction: ``attempt`` is the whole way of a load, and owns its transaction."""

from __future__ import annotations

import sqlalchemy as sa

from ...core.errors import SparkifyError, reason
from ...models.audit import LOADED, NOTHING_NEW
from ...steps import ledger
from ...steps.executor import Executor
from ...storage.listing import changed_objects
from ...storage.objects import ObjectsChanged
from ..retries import LedgerMoved, explained
from .discover import discover
from .merge import merge_star
from .read import read
from .record import balance, check, record
from .state import LoadState

DRY_RUN = "dry run"


def attempt(ex: Executor, state: LoadState) -> str:
    """Loads what is new and commits; a planner writes the same statements down.

    :returns: the event that ends the run: ``loaded``, ``nothing new`` or ``dry run``.
    :raises ObjectsChanged: when an object is not what was listed any more.
    :raises LedgerMoved: when another load or an erasure was committed since the ledger was read.
    :raises QualityError: when rules, limits or checks refuse the load.
    :raises BooksError: when the books do not balance.
    """
    engine = state.engine
    state.steps = ex.steps
    state.past = ledger.ledger_state(ex)
    found = discover(ex, state)
    ex.rollback()
    if not found:
        ex.note("-- nothing new to load")
        return NOTHING_NEW
    if engine.reads_first:
        ex.note("-- before the transaction: temporary tables only")
        with ex.committing_each():
            read(ex, state)
    with ex.transaction(roll_back=state.dry_run):
        engine.lock(ex)
        require_same_ledger(ex, state)
        if not engine.reads_first:
            read(ex, state)
        merge_star(ex, state)
        check(ex, state)
        balance(state)
        record(ex, state)
        require_unchanged(state)
        state.committing = not state.dry_run
    state.committing = False
    if state.dry_run:
        return DRY_RUN
    housekeep(ex, state)
    return LOADED


def require_same_ledger(ex: Executor, state: LoadState) -> None:
    """:raises LedgerMoved: when a load or an erasure was committed since the ledger was read."""
    if ledger.ledger_state(ex) != state.past:
        raise LedgerMoved


def require_unchanged(state: LoadState) -> None:
    """:raises ObjectsChanged: when an object that was read has another version now, or is gone."""
    changed: set[str] = set()
    for batch in state.batches:
        place = state.settings.location(batch.source.name, batch.source.setting) or ""
        names = len(batch.listing.objects) + batch.listing.skipped
        changed |= changed_objects(state.settings, place, batch.objects, names)
    if changed:
        raise ObjectsChanged(changed)


def housekeep(ex: Executor, state: LoadState) -> None:
    """Runs what the engine needs after a load; it cannot fail what is committed."""
    try:
        state.warnings += state.engine.housekeep(ex, state.deleted)
    except (sa.exc.DBAPIError, SparkifyError) as error:
        why = reason(explained(state.engine, error))
        state.warnings.append(f"the load is committed, but {why}")
