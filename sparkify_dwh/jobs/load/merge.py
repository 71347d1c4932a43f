"""Merging: every target in its order, then staging."""

from __future__ import annotations

from collections.abc import Mapping

from ...models.declare import Target
from ...steps.books import Account
from ...steps.executor import Executor
from ...steps.lookups import Lookups
from ...steps.merge import TargetTables, merge, merge_derived
from .read import empty_staging
from .state import LoadState


def merge_star(ex: Executor, state: LoadState) -> None:
    """Merges every target and stages the accepted rows, in the caller's transaction."""
    fed = {batch.source.name for batch in state.batches if batch.rows is not None}
    if state.engine.reads_first:
        empty_staging(ex, state, [s for s in state.declarations.sources if s.name not in fed])
    lookups = {t.name: Lookups(t) for t in state.declarations.targets if t.resolution is not None}
    for target in state.declarations.targets:
        _merge_target(ex, state, target, lookups)
        ex.observer.advance("merge", target.name, 1)
    for batch in state.batches:
        if batch.rows is not None:
            state.engine.stage(ex, batch.source)


def _merge_target(
    ex: Executor, state: LoadState, target: Target, lookups: Mapping[str, Lookups]
) -> None:
    tables = state.tables.get(target.name)
    found = lookups.get(target.name)
    changed = found is not None and _reference_work(state, found) is not None
    stored = None
    if found is not None and (tables is not None or changed):
        stored = found.stored(ex)
        found.fill(ex, tables.rows if tables else None, changed)
    if tables is not None:
        tables.stored = stored
        if target.derivation is not None:
            follows = next(
                t for t in state.tables.values() if t.target.table is target.derivation.follows
            )
            merge_derived(ex, tables, follows)
        else:
            merge(ex, tables, found, _is_followed(state, target))
    if found is not None and changed:
        account = tables.account if tables is not None else Account(target.name)
        state.touched[target.name] = account
        with ex.when("facts were stored before", stored) as should_run:
            if should_run:
                account.resolved_again = found.resolve_again(ex)
    if tables is not None:
        for other in lookups.values():
            if other.resolution.reference is target.table:
                assert tables.stage is not None and tables.replaced is not None
                other.note_changes(ex, tables.stage, tables.replaced)


def _reference_work(state: LoadState, found: Lookups) -> TargetTables | None:
    return next(
        (t for t in state.tables.values() if t.target.table is found.resolution.reference), None
    )


def _is_followed(state: LoadState, target: Target) -> bool:
    return any(
        (t.derivation is not None and t.derivation.follows is target.table)
        or (t.resolution is not None and t.resolution.reference is target.table)
        for t in state.declarations.targets
    )
