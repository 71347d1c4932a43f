"""The end of a load before its commit: the star checked, the books balanced, the run recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from . import audit, quality
from .declare import Target
from .errors import BooksError, CheckError
from .executor import Executor
from .models.audit import LOADED
from .quality import Measure, StarCheck
from .state import Load


def check(ex: Executor, load: Load) -> None:
    """Keys unique, foreign keys resolve, checks hold, for the rows that this load touched."""
    failed = []
    for name, work in load.works.items():
        stored = work.stored if load.engine.checks_apart else None
        found = check_target(ex, work.target, work.keys, stored)
        load.measures += found
        failed += [f"{name}: {m.rule} broken by {m.value:,.0f} rows" for m in found if not m.passed]
    if failed:
        raise CheckError("; ".join(failed), "the load was rolled back; sparkify check looks deeper")


def check_target(
    ex: Executor, target: Target, keys: sa.Table | None, stored: int | None = None
) -> list[Measure]:
    """Measures the checks of a target: of the rows whose keys are given, or of all.

    :param stored: rows that stood in it before the load, where the way to check depends on that.
    """
    check = quality.star_check(target, keys)
    step: dict[str, Any] = {"step": "check", "target": target.name}
    counts = {"key_unique": 0}
    if stored is not None:
        apart = quality.star_check(target, keys, apart=True)
        counts |= _by_history(ex, check, apart, stored, step)
    elif check.broken is not None:
        counts |= ex.numbers(check.broken, **step)
    with ex.when("a key has more than one row", keys is None or counts["surplus"]) as wanted:
        if wanted:
            counts |= ex.numbers(check.duplicates, **step)
    return [
        Measure(name, target.name, "fail", float(counts[name]), 0.0, counts[name] == 0)
        for name in ("key_unique", *check.names)
    ]


def _by_history(
    ex: Executor, check: StarCheck, apart: StarCheck, stored: int, step: dict[str, Any]
) -> Mapping[str, int]:
    """What breaks a check: foreign keys in one pass, or apart where rows stood there before."""
    found: Mapping[str, int] = {}
    for condition, holds, way in (
        ("no facts were stored before", not stored, check),
        ("facts were stored before", stored, apart),
    ):
        with ex.when(condition, holds) as wanted:
            if wanted and way.broken is not None:
                found = ex.numbers(way.broken, **step)
    return found


def balance(load: Load) -> None:
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


def record(ex: Executor, load: Load) -> None:
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
