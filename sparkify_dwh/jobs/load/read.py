"""Reading: the rows of every source read, judged and keyed in temporary tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from ...models.declare import Source, Target
from ...models.expressions import HasBit
from ...steps import erased_persons, judge, limits
from ...steps.executor import Executor
from ...steps.feed import in_scope
from ...steps.merge import prepare
from ...steps.text_repair import damaged_texts, mend, repair, repair_table
from ...steps.typed_rows import TypedRows
from ...storage.objects import ObjectsChanged
from .state import Batch, LoadState


def read(ex: Executor, state: LoadState) -> None:
    """Reads, judges and keys the rows of every source.

    :raises ObjectsChanged: when an object changed since it was listed.
    :raises RejectLimitError: when a source refused more rows than its limits allow.
    """
    if not state.engine.reads_first:
        empty_staging(ex, state, state.declarations.sources)
    erased_persons.withhold(ex, state.declarations.sources, state.quarantine, state.past.erasures)
    repairs = repair_table()
    ex.create(repairs, step="repair")
    for batch in state.batches:
        if batch.pending:
            _read_source(ex, state, batch, repairs)
    # Only now, so that the refusals of all sources are on record.
    if state.breaches:
        limits.refuse_load(state.breaches)
    for target in state.declarations.targets:
        fed = _batch_of(state, target)
        if fed is not None and fed.rows is not None:
            state.tables[target.name] = prepare(ex, target, fed.rows)
    for batch in state.batches:
        if batch.rows is not None:
            _count_scopes(ex, state, batch)


def empty_staging(ex: Executor, state: LoadState, sources: Iterable[Source]) -> None:
    """Deletes the rows of staging; TRUNCATE would commit on Redshift."""
    for source in sources:
        deleted = ex.change(sa.delete(source.staging), step="stage", target=source.name)
        state.emptied[source.staging] = deleted


def _batch_of(state: LoadState, target: Target) -> Batch | None:
    return next((b for b in state.batches if b.source.name == target.source), None)


def _read_source(ex: Executor, state: LoadState, batch: Batch, repairs: sa.Table) -> None:
    engine, source, book = state.engine, batch.source, batch.book
    reading = engine.read(ex, source, batch.objects, state.quarantine, batch.compacted)
    if reading.changed:
        raise ObjectsChanged(reading.changed)
    staged = engine.staged_counts(ex, source)
    book.read = sum(reading.read.values())
    book.staged = sum(staged.values())
    book.refused_by_parser = state.quarantine.by_parser[source.name]
    batch.counts = {"read": reading.read, "staged": staged}
    book.erased = erased_persons.leave_out(ex, source, batch.raw, state.past.erasures)
    _mend(ex, state, batch, repairs)
    batch.rows = TypedRows(source, batch.raw, repairs)
    _judge(ex, state, batch, repairs)


def _mend(ex: Executor, state: LoadState, batch: Batch, repairs: sa.Table) -> None:
    """Fills the mapping of damaged texts from distinct values, not row by row."""
    statement = damaged_texts(batch.source, batch.raw)
    if statement is None:
        return
    found = ex.rows(statement, step="repair", target=batch.source.name)
    fresh = [
        {"value": value, "repaired": better}
        for (value,) in found
        if value not in state.repaired and (better := repair(value)) != value
    ]
    state.repaired |= {row["value"] for row in fresh}
    with ex.when("texts are damaged", fresh) as should_run:
        if should_run:
            state.engine.fill(ex, repairs, fresh, step="repair", target=batch.source.name)
    with ex.when("texts are damaged", state.repaired) as should_run:
        for mending in mend(batch.source, batch.raw, repairs) if should_run else ():
            ex.change(mending, step="repair", target=batch.source.name)


def _judge(ex: Executor, state: LoadState, batch: Batch, repairs: sa.Table) -> None:
    """Judges all rows in one scan; refused rows move from the raw table to the quarantine."""
    source, raw, engine = batch.source, batch.raw, state.engine
    step: dict[str, Any] = {"step": "judge", "target": source.name}
    violations = judge.violations_table(source, raw)
    ex.create(violations, **step)
    judged = judge.judged(TypedRows(source, raw, repairs, engine.place(raw)))
    names = [c.name for c in violations.columns]
    ex.change(sa.insert(violations).from_select(names, judged), **step)
    counts = ex.numbers(judge.rule_counts(source, violations), **step)
    batch.book.refused_by_rule = counts["refused"]
    state.measures += judge.row_measures(source, counts)
    with ex.when("rules refused rows", counts["refused"]) as should_run:
        if should_run:
            engine.quarantine_rows(ex, source, violations, state.quarantine)
            refused = sa.select(violations.c.place).where(
                HasBit(violations.c.mask, judge.reject_bits(source))
            )
            ex.change(sa.delete(raw).where(engine.place(raw).in_(refused)), **step)
    if ex.planning:
        return
    batch.counts["refused"] = {
        key or "": n for (name, key), n in state.quarantine.by_key.items() if name == source.name
    }
    measures = limits.reject_measures(
        state.settings, source.name, batch.book.read, batch.book.refused
    )
    state.measures += measures
    if not all(measure.passed for measure in measures):
        state.breaches.append(
            limits.LimitBreach(
                source.name,
                batch.book.read,
                batch.book.refused,
                state.quarantine.worst(source.name),
                [measure.rule for measure in measures if not measure.passed],
            )
        )


def _count_scopes(ex: Executor, state: LoadState, batch: Batch) -> None:
    """Counts the accepted rows out of scope, for all targets of a source at once."""
    rows = batch.rows
    assert rows is not None
    fed = [t for t in state.declarations.targets if t.source == batch.source.name and t.scope]
    if fed:
        statement = rows.using(
            lambda r: sa.select(
                *(sa.func.sum(sa.case((in_scope(t, r), 0), else_=1)).label(t.name) for t in fed)
            )
        )
        counts = ex.numbers(statement, step="dedupe", target=batch.source.name)
        for target in fed:
            state.tables[target.name].account.out_of_scope = counts[target.name]
    for name, tables in state.tables.items():
        if tables.target.source == batch.source.name:
            state.tables[name].account.staged = batch.book.staged
            state.tables[name].account.erased = batch.book.erased
            state.tables[name].account.refused = batch.book.refused_by_rule
