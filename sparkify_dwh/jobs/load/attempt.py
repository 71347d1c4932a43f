"""One load = one transaction: the steps in their order, and the only owner of the transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from ...models.declare import Source, Target
from ...models.expressions import HasBit
from ...steps import erased_persons, judge, ledger, limits
from ...steps.books import Account, SourceBook
from ...steps.executor import Executor
from ...steps.feed import in_scope
from ...steps.lookups import Lookups
from ...steps.merge import Work, merge, merge_derived, prepare
from ...steps.text_repair import mend, repair, repair_table, suspects
from ...steps.typed_rows import TypedRows
from ...storage.objects import Listing, Object, ObjectsChanged, new_objects
from .. import compacted_ledger
from . import record
from .state import Batch, Load


def discover(
    ex: Executor,
    load: Load,
    listings: Mapping[str, Listing],
    reload: bool,
    waiting: Collection[str],
) -> bool:
    """Finds what is new of each source that has a place; whether there is anything to load."""
    for source in load.declarations.sources:
        listing = listings.get(source.name)
        if listing is None:
            continue
        known = ledger.ledger(ex, source)
        objects = new_objects(listing.objects, known, reload, waiting)
        book = SourceBook(
            source.name,
            objects=len(objects),
            skipped=listing.skipped,
            known=len(listing.objects) - len(objects),
            changed=sum(1 for o in objects if o.key in known and not reload),
        )
        raw = load.engine.raw_table(source)
        batch = Batch(source, listing, objects, book, raw, bool(objects))
        with ex.when("objects are new", objects) as wanted:
            if wanted:
                held = compacted_ledger.serving(compacted_ledger.held(ex, source), objects)
                batch.packs = load.engine.readable(held) if held else []
        load.batches.append(batch)
    for batch in load.batches:
        size = sum(each.size for each in batch.objects)
        ex.observer.begin("read", batch.source.name, size, "bytes")
    ex.observer.begin("merge", None, len(load.declarations.targets), "tables")
    return any(batch.pending for batch in load.batches)


def read(ex: Executor, load: Load) -> None:
    """Reads, judges and keys the rows of every source; writes only tables of the load itself."""
    if not load.engine.reads_first:
        _empty_staging(ex, load, load.declarations.sources)
    erased_persons.withhold(ex, load.declarations.sources, load.quarantine, load.past.erasures)
    repairs = repair_table()
    ex.create(repairs, step="repair")
    for batch in load.batches:
        if batch.pending:
            _read_source(ex, load, batch, repairs)
    if load.refusing:  # only now: what all sources refuse is on record then
        limits.refuse_load(load.refusing)
    for target in load.declarations.targets:
        fed = _batch_of(load, target)
        if fed is not None and fed.rows is not None:
            load.works[target.name] = prepare(ex, target, fed.rows)
    for batch in load.batches:
        if batch.rows is not None:
            _count_scopes(ex, load, batch)


def _empty_staging(ex: Executor, load: Load, sources: Iterable[Source]) -> None:
    """By DELETE: TRUNCATE would commit on Redshift."""
    for source in sources:
        gone = ex.change(sa.delete(source.staging), step="stage", target=source.name)
        load.emptied[source.staging] = gone


def _batch_of(load: Load, target: Target) -> Batch | None:
    return next((b for b in load.batches if b.source.name == target.source), None)


def _read_source(ex: Executor, load: Load, batch: Batch, repairs: sa.Table) -> None:
    engine, source, book = load.engine, batch.source, batch.book
    reading = engine.read(ex, source, batch.objects, load.quarantine, batch.packs)
    if reading.changed:
        raise ObjectsChanged(reading.changed)
    staged = engine.staged_counts(ex, source)
    book.read = sum(reading.read.values())
    book.staged = sum(staged.values())
    book.refused_by_parser = load.quarantine.by_parser[source.name]
    batch.counts = {"read": reading.read, "staged": staged}
    book.erased = erased_persons.leave_out(ex, source, batch.raw, load.past.erasures)
    _mend(ex, load, batch, repairs)
    batch.rows = TypedRows(source, batch.raw, repairs)
    _judge(ex, load, batch, repairs)


def _mend(ex: Executor, load: Load, batch: Batch, repairs: sa.Table) -> None:
    """Fills the mapping of damaged texts: over distinct values, not row by row."""
    statement = suspects(batch.source, batch.raw)
    if statement is None:
        return
    found = ex.rows(statement, step="repair", target=batch.source.name)
    fresh = [
        {"value": value, "repaired": better}
        for (value,) in found
        if value not in load.repaired and (better := repair(value)) != value
    ]
    load.repaired |= {row["value"] for row in fresh}
    with ex.when("texts are damaged", fresh) as wanted:
        if wanted:
            load.engine.fill(ex, repairs, fresh, step="repair", target=batch.source.name)
    with ex.when("texts are damaged", load.repaired) as wanted:
        for mending in mend(batch.source, batch.raw, repairs) if wanted else ():
            ex.change(mending, step="repair", target=batch.source.name)


def _judge(ex: Executor, load: Load, batch: Batch, repairs: sa.Table) -> None:
    """Judges all rows in one scan; refused ones leave the raw table for the quarantine."""
    source, raw, engine = batch.source, batch.raw, load.engine
    step: dict[str, Any] = {"step": "judge", "target": source.name}
    violations = judge.violations_table(source, raw)
    ex.create(violations, **step)
    judged = judge.judged(TypedRows(source, raw, repairs, engine.place(raw)))
    names = [c.name for c in violations.columns]
    ex.change(sa.insert(violations).from_select(names, judged), **step)
    counts = ex.numbers(judge.rule_counts(source, violations), **step)
    batch.book.refused_by_rule = counts["refused"]
    load.measures += judge.row_measures(source, counts)
    with ex.when("rules refused rows", counts["refused"]) as wanted:
        if wanted:
            engine.quarantine_rows(ex, source, violations, load.quarantine)
            refused = sa.select(violations.c.place).where(
                HasBit(violations.c.mask, judge.reject_bits(source))
            )
            ex.change(sa.delete(raw).where(engine.place(raw).in_(refused)), **step)
    if ex.planning:
        return
    batch.counts["refused"] = {
        key or "": n for (name, key), n in load.quarantine.by_key.items() if name == source.name
    }
    measures = limits.reject_measures(
        load.settings, source.name, batch.book.read, batch.book.refused
    )
    load.measures += measures
    if not all(measure.passed for measure in measures):
        load.refusing.append(
            limits.Refusing(
                source.name,
                batch.book.read,
                batch.book.refused,
                load.quarantine.worst(source.name),
                [measure.rule for measure in measures if not measure.passed],
            )
        )


def _count_scopes(ex: Executor, load: Load, batch: Batch) -> None:
    """Counts the accepted rows that belong to none of a target's rows, for all targets at once."""
    rows = batch.rows
    assert rows is not None
    fed = [t for t in load.declarations.targets if t.source == batch.source.name and t.scope]
    if fed:
        statement = rows.using(
            lambda r: sa.select(
                *(sa.func.sum(sa.case((in_scope(t, r), 0), else_=1)).label(t.name) for t in fed)
            )
        )
        counts = ex.numbers(statement, step="dedupe", target=batch.source.name)
        for target in fed:
            load.works[target.name].account.out_of_scope = counts[target.name]
    for name, work in load.works.items():
        if work.target.source == batch.source.name:
            load.works[name].account.staged = batch.book.staged
            load.works[name].account.erased = batch.book.erased
            load.works[name].account.refused = batch.book.refused_by_rule


def write(ex: Executor, load: Load) -> None:
    """Stages, merges, checks, balances and records, all in the caller's transaction."""
    fed = {batch.source.name for batch in load.batches if batch.rows is not None}
    if load.engine.reads_first:
        _empty_staging(ex, load, [s for s in load.declarations.sources if s.name not in fed])
    lookups = {t.name: Lookups(t) for t in load.declarations.targets if t.resolution is not None}
    for target in load.declarations.targets:
        _merge_target(ex, load, target, lookups)
        ex.observer.advance("merge", target.name, 1)
    for batch in load.batches:
        if batch.rows is not None:
            load.engine.stage(ex, batch.source)
    record.check(ex, load)
    record.balance(load)
    record.record(ex, load)


def _merge_target(ex: Executor, load: Load, target: Target, lookups: Mapping[str, Lookups]) -> None:
    work = load.works.get(target.name)
    found = lookups.get(target.name)
    changed = found is not None and _reference_work(load, found) is not None
    stored = None
    if found is not None and (work is not None or changed):
        stored = found.stored(ex)
        found.fill(ex, work.rows if work else None, changed)
    if work is not None:
        work.stored = stored
        if target.derivation is not None:
            follows = next(
                w for w in load.works.values() if w.target.table is target.derivation.follows
            )
            merge_derived(ex, work, follows)
        else:
            merge(ex, work, found, _is_followed(load, target))
    if found is not None and changed:
        account = work.account if work is not None else Account(target.name)
        load.touched[target.name] = account
        with ex.when("facts were stored before", stored) as wanted:
            if wanted:
                account.resolved_again = found.resolve_again(ex)
    if work is not None:
        for other in lookups.values():
            if other.resolution.reference is target.table:
                assert work.stage is not None and work.replaced is not None
                other.note_changes(ex, work.stage, work.replaced)


def _reference_work(load: Load, found: Lookups) -> Work | None:
    return next(
        (w for w in load.works.values() if w.target.table is found.resolution.reference), None
    )


def _is_followed(load: Load, target: Target) -> bool:
    return any(
        (t.derivation is not None and t.derivation.follows is target.table)
        or (t.resolution is not None and t.resolution.reference is target.table)
        for t in load.declarations.targets
    )


def unchanged(load: Load, look: Callable[[str, list[Object], int], set[str]]) -> None:
    """:raises ObjectsChanged: when an object that was read has another version now, or is gone."""
    gone: set[str] = set()
    for batch in load.batches:
        names = len(batch.listing.objects) + batch.listing.skipped
        place = load.settings.location(batch.source.name, batch.source.setting) or ""
        gone |= look(place, batch.objects, names)
    if gone:
        raise ObjectsChanged(gone)
