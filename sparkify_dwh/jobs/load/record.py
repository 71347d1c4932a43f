"""The end of a load before COMMIT: check the star, balance the books, record the run."""

from __future__ import annotations

from ...core.errors import BooksError, CheckError
from ...core.quantity import quantity
from ...models.audit import LOADED
from ...steps import ledger
from ...steps.books import book_rows, measure_rows
from ...steps.executor import Executor
from ...steps.star_checks import check_target
from .state import LoadState


def check(ex: Executor, state: LoadState) -> None:
    """Checks keys, foreign keys and declared rules of the rows that this load touched.

    :raises CheckError: when one does not hold.
    """
    failed = []
    for name, tables in state.tables.items():
        stored = tables.stored if state.engine.checks_apart else None
        found = check_target(ex, tables.target, tables.keys, stored)
        state.measures += found
        failed += [
            f"{name}: {m.rule} broken by {quantity(round(m.value), 'row')}"
            for m in found
            if not m.passed
        ]
    if failed:
        raise CheckError("; ".join(failed), "the load was rolled back; sparkify check looks deeper")


def balance(state: LoadState) -> None:
    """:raises BooksError: when a source or target does not balance."""
    wrong = [
        f"{b.book.source}: read {b.book.read:,} is not staged {b.book.staged:,}"
        f" + refused by the parser {b.book.refused_by_parser:,}"
        for b in state.batches
        if not b.book.balanced
    ]
    wrong += [
        f"{a.target}: staged {a.staged:,} is not erased {a.erased:,} + refused {a.refused:,}"
        f" + out of scope {a.out_of_scope:,} + duplicate {a.duplicate:,} + stale {a.stale:,}"
        f" + merged {a.merged:,}"
        for a in state.accounts
        if not a.balanced
    ]
    if wrong:
        raise BooksError(
            "the books do not balance: " + "; ".join(wrong),
            "the load was rolled back; please report this with the output of sparkify load -v",
        )


def record(ex: Executor, state: LoadState) -> None:
    """Writes refused rows, the ledger, books, rule values, steps and the row ``loaded``."""
    engine, run_id = state.engine, state.identity.run_id
    with ex.when("rows were refused", state.quarantine.count) as should_run:
        if should_run:
            engine.fill(ex, ledger.REJECTED, state.quarantine.ready(), step="record")
    for batch in state.batches:
        if batch.pending:
            counts = {"read": {}, "staged": {}, "refused": {}, **batch.counts}
            rows = ledger.file_rows(run_id, batch.source, batch.objects, counts)
            engine.fill(ex, ledger.FILE, rows, step="record", target=batch.source.name)
    books = [batch.book for batch in state.batches]
    engine.fill(
        ex, ledger.BOOK, book_rows(run_id, books, state.accounts), step="record", bounded=True
    )
    engine.fill(
        ex, ledger.RESULT, measure_rows(run_id, state.measures), step="record", bounded=True
    )
    steps = ledger.step_rows(run_id, list(ex.steps.values()))
    engine.fill(ex, ledger.STEP, steps, step="record", bounded=True)
    ex.change(state.identity.event(LOADED, exit_code=0), step="record")
