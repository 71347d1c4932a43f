"""One load = one transaction: the steps in their order, and the only owner of the transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from . import audit, packs, persons, quality
from .audit import Loader, SourceBook
from .config import Settings
from .declare import Declarations, Source, Target
from .dialects.base import Engine
from .discover import Listing, Object, ObjectsChanged, look_again, new_objects
from .errors import BooksError, CheckError
from .executor import Executor
from .merge import Account, Work, merge, merge_derived, prepare
from .models.audit import LOADED
from .quality import Measure
from .quarantine import Quarantine
from .resolve import Lookups
from .sql import HasBit
from .transform import TypedRows, in_scope, mend, repair, repair_table, suspects

NO_PAST = audit.Past(0, 0)


class LedgerMoved(Exception):
    """Another load or an erasure was committed between listing and locking."""


@dataclass
class Batch:
    """What one source brings into a load.

    :param pending: whether it has objects to load; ``objects`` stays empty in a plan.
    :param packs: compacted objects that are read instead of those they serve.
    """

    source: Source
    listing: Listing
    objects: list[Object]
    book: SourceBook
    raw: sa.Table
    pending: bool
    packs: list[packs.Pack] = field(default_factory=list)
    rows: TypedRows | None = None
    counts: dict[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass
class Load:
    """The state of one attempt: what was read, judged and merged so far."""

    engine: Engine
    declarations: Declarations
    settings: Settings
    loader: Loader
    quarantine: Quarantine
    past: audit.Past = NO_PAST
    batches: list[Batch] = field(default_factory=list)
    works: dict[str, Work] = field(default_factory=dict)
    touched: dict[str, Account] = field(default_factory=dict)
    measures: list[Measure] = field(default_factory=list)
    refusing: list[quality.Refusing] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    repaired: set[str] = field(default_factory=set)
    emptied: dict[sa.Table, int] = field(default_factory=dict)

    @property
    def deleted(self) -> dict[sa.Table, int]:
        """Rows that the load deleted, of each table that it wrote."""
        found = dict(self.emptied)
        for account in self.accounts:
            target = next(t for t in self.declarations.targets if t.name == account.target)
            found[target.table] = account.replaced + account.resolved_again
        return found

    @property
    def accounts(self) -> list[Account]:
        """Of the targets in their order: those that were fed, and those only resolved again."""
        fed = {name: work.account for name, work in self.works.items()}
        found = {**self.touched, **fed}
        return [found[t.name] for t in self.declarations.targets if t.name in found]


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
        known = audit.ledger(ex, source)
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
                held = packs.serving(packs.held(ex, source), objects)
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
    persons.withhold(ex, load.declarations.sources, load.quarantine, load.past.erasures)
    repairs = repair_table()
    ex.create(repairs, step="repair")
    for batch in load.batches:
        if batch.pending:
            _read_source(ex, load, batch, repairs)
    if load.refusing:  # only now: what all sources refuse is on record then
        quality.refuse_load(load.refusing)
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
    book.erased = persons.leave_out(ex, source, batch.raw, load.past.erasures)
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
    violations = quality.violations_table(source, raw)
    ex.create(violations, **step)
    judged = quality.judged(TypedRows(source, raw, repairs, engine.place(raw)))
    names = [c.name for c in violations.columns]
    ex.change(sa.insert(violations).from_select(names, judged), **step)
    counts = ex.numbers(quality.rule_counts(source, violations), **step)
    batch.book.refused_by_rule = counts["refused"]
    load.measures += quality.row_measures(source, counts)
    with ex.when("rules refused rows", counts["refused"]) as wanted:
        if wanted:
            engine.quarantine_rows(ex, source, violations, load.quarantine)
            refused = sa.select(violations.c.place).where(
                HasBit(violations.c.mask, quality.reject_bits(source))
            )
            ex.change(sa.delete(raw).where(engine.place(raw).in_(refused)), **step)
    if ex.planning:
        return
    batch.counts["refused"] = {
        key or "": n for (name, key), n in load.quarantine.by_key.items() if name == source.name
    }
    measures = quality.reject_measures(
        load.settings, source.name, batch.book.read, batch.book.refused
    )
    load.measures += measures
    if not all(measure.passed for measure in measures):
        load.refusing.append(
            quality.Refusing(
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
    _check(ex, load)
    _balance(load)
    _record(ex, load)


def _merge_target(ex: Executor, load: Load, target: Target, lookups: Mapping[str, Lookups]) -> None:
    work = load.works.get(target.name)
    found = lookups.get(target.name)
    changed = found is not None and _reference_work(load, found) is not None
    stored = 0
    if found is not None and (work is not None or changed):
        stored = found.stored(ex)
        found.fill(ex, work.rows if work else None, changed)
    if work is not None:
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


def _check(ex: Executor, load: Load) -> None:
    """Keys unique, foreign keys resolve, checks hold, for the rows that this load touched."""
    failed = []
    for name, work in load.works.items():
        found = check_target(ex, work.target, work.keys)
        load.measures += found
        failed += [f"{name}: {m.rule} broken by {m.value:,.0f} rows" for m in found if not m.passed]
    if failed:
        raise CheckError("; ".join(failed), "the load was rolled back; sparkify check looks deeper")


def check_target(ex: Executor, target: Target, keys: sa.Table | None) -> list[Measure]:
    """Measures the checks of a target: of the rows whose keys are given, or of all."""
    check = quality.star_check(target, keys)
    step: dict[str, Any] = {"step": "check", "target": target.name}
    counts = {"key_unique": 0}
    if check.broken is not None:
        counts |= ex.numbers(check.broken, **step)
    with ex.when("a key has more than one row", keys is None or counts["surplus"]) as wanted:
        if wanted:
            counts |= ex.numbers(check.duplicates, **step)
    return [
        Measure(name, target.name, "fail", float(counts[name]), 0.0, counts[name] == 0)
        for name in ("key_unique", *check.names)
    ]


def _balance(load: Load) -> None:
    """:raises BooksError: when a source or target does not balance."""
    wrong = [
        f"{b.book.source}: read {b.book.read:,} is not staged {b.book.staged:,}"
        f" + refused by the parser {b.book.refused_by_parser:,}"
        for b in load.batches
        if not b.book.balanced
    ]
    wrong += [
        f"{a.target}: staged {a.staged:,} is not erased {a.erased:,} + refused {a.refused:,}"
        f" + out of scope {a.out_of_scope:,} + duplicate {a.duplicate:,} + stale {a.stale:,}"
        f" + merged {a.merged:,}"
        for a in load.accounts
        if not a.balanced
    ]
    if wrong:
        raise BooksError(
            "the books do not balance: " + "; ".join(wrong),
            "the load was rolled back; please report this with the output of sparkify load -v",
        )


def _record(ex: Executor, load: Load) -> None:
    """The ledger, counts, values of all rules; the other audit tables come last."""
    engine, run_id = load.engine, load.loader.run_id
    with ex.when("rows were refused", load.quarantine.count) as wanted:
        if wanted:
            engine.fill(ex, audit.REJECTED, load.quarantine.ready(), step="record")
    for batch in load.batches:
        if batch.pending:
            counts = {"read": {}, "staged": {}, "refused": {}, **batch.counts}
            rows = audit.file_rows(run_id, batch.source, batch.objects, counts)
            engine.fill(ex, audit.FILE, rows, step="record", target=batch.source.name)
    books = [batch.book for batch in load.batches]
    engine.fill(
        ex, audit.BOOK, audit.book_rows(run_id, books, load.accounts), step="record", bounded=True
    )
    engine.fill(
        ex, audit.RESULT, audit.measure_rows(run_id, load.measures), step="record", bounded=True
    )
    steps = audit.step_rows(run_id, list(ex.steps.values()))
    engine.fill(ex, audit.STEP, steps, step="record", bounded=True)
    ex.change(load.loader.event(LOADED, exit_code=0), step="record")


def unchanged(load: Load, look: Callable[[Source, list[Object]], set[str]]) -> None:
    """:raises ObjectsChanged: when an object that was read has another version now, or is gone."""
    gone: set[str] = set()
    for batch in load.batches:
        gone |= look(batch.source, batch.objects)
    if gone:
        raise ObjectsChanged(gone)


__all__ = [
    "Batch",
    "LedgerMoved",
    "Load",
    "ObjectsChanged",
    "discover",
    "look_again",
    "read",
    "write",
]
