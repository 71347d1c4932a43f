"""Pruning the audit tables: removes the details of old runs, keeps the ledger."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from ..core.errors import UsageError
from ..core.quantity import quantity
from ..core.table import html_table
from ..dialects.base import Engine, SchemaCheck
from ..models.audit import STARTED
from ..steps import ledger
from ..steps.executor import Executor, temporary
from ..steps.ledger import BOOK, FILE, REJECTED, RESULT, RUN, STEP
from .under_lock import under_lock

DAYS = 90
_STEP = "prune"


@dataclass(frozen=True)
class Pruning:
    """What was removed from the audit tables.

    :param before: runs that started before this moment (UTC) are old.
    :param runs: number of old runs.
    :param kept: old runs that stay in the run log, since the ledger names them.
    :param removed: rows removed from each table.
    :param dry_run: whether it was rolled back, so that rows were only counted.
    :param warnings: sentences about problems that did not fail it.
    """

    before: datetime
    runs: int = 0
    kept: int = 0
    removed: dict[str, int] = field(default_factory=dict)
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows removed from all tables."""
        return sum(self.removed.values())

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for ``--json``."""
        return {**asdict(self), "rows": self.rows}

    def _repr_html_(self) -> str:
        title = f"runs before {self.before:%Y-%m-%d %H:%M:%S} UTC"
        return html_table(("table", "rows removed"), self.removed.items(), title)


def cutoff(days: int | None, before: datetime | None) -> datetime:
    """The moment before which runs are old, UTC without a zone.

    :raises UsageError: when it is in the future, or both are given.
    """
    if days is not None and before is not None:
        raise UsageError("days and a date exclude each other", "give one of them")
    now = ledger.utc_now()
    if before is None:
        days = DAYS if days is None else days
        if days < 0:
            raise UsageError(f"{quantity(days, 'day')}: must not be negative", "0 means until now")
        try:
            return now - timedelta(days=days)
        except OverflowError:
            raise UsageError(
                f"{quantity(days, 'day')}: no run is that old", "give fewer days"
            ) from None
    before = ledger.utc(before)
    if before > now:
        raise UsageError(f"{before} UTC is in the future", "name a moment that has passed")
    return before


def prune(
    engine: Engine, before: datetime, *, require_current: SchemaCheck, dry_run: bool
) -> Pruning:
    """See ``Warehouse.prune``."""
    old = temporary("pruned", sa.Column("run_id", RUN.c.run_id.type))
    ids = sa.select(old.c.run_id)
    counts: dict[str, int] = {}
    deleted: dict[sa.Table, int] = {}

    def change(ex: Executor) -> dict[sa.Table, int]:
        working = {
            run.run_id
            for run in ledger.open_runs(ex.connection)
            if ledger.is_at_work(run, embedded=engine.embedded)
        }
        ex.create(old, step=_STEP)
        found = sa.select(RUN.c.run_id).where(
            RUN.c.event == STARTED, RUN.c.at < before, RUN.c.run_id.not_in(working)
        )
        counts["runs"] = ex.change(sa.insert(old).from_select(["run_id"], found), step=_STEP)
        for table in (STEP, BOOK, RESULT, REJECTED):
            deleted[table] = ex.change(
                sa.delete(table).where(table.c.run_id.in_(ids)), step=_STEP, target=table.name
            )
        # The ledger stays, and so do the runs it names.
        named = sa.select(FILE.c.run_id)
        kept = sa.delete(old).where(old.c.run_id.in_(named))
        counts["kept"] = ex.change(kept, step=_STEP)
        deleted[RUN] = ex.change(
            sa.delete(RUN).where(RUN.c.run_id.in_(ids)), step=_STEP, target=RUN.name
        )
        return deleted

    warnings = under_lock(engine, require_current, change, dry_run=dry_run)
    removed = {str(table): rows for table, rows in deleted.items()}
    return Pruning(before, counts["runs"], counts["kept"], removed, dry_run, warnings)
