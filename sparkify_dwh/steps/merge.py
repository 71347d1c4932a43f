"""Delete-insert merges ('Merge method 1: replacing existing rows') of declared targets.

Source: https://docs.aws.amazon.com/redshift/latest/dg/t_updating-inserting-using-staging-tables-.html
Duplicates within the load are settled first; then target rows whose key is staged are deleted and
the staged rows inserted with an explicit column list, all in the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ..models.declare import Derived, Target
from ..models.expressions import differs, greater, join_on
from .books import Account
from .executor import Executor, copied, temporary
from .feed import feed, keys_table, of_keys, staged_keys, winners
from .lookups import Lookups
from .typed_rows import TypedRows


@dataclass
class TargetTables:
    """The temporary tables of one target in one load.

    :param stored: rows in the target before the merge; None: not counted.
    """

    target: Target
    rows: TypedRows
    keys: sa.Table
    stage: sa.Table | None = None
    replaced: sa.Table | None = None
    stored: int | None = None
    account: Account = field(init=False)

    def __post_init__(self) -> None:
        self.account = Account(self.target.name)


def prepare(ex: Executor, target: Target, rows: TypedRows) -> TargetTables:
    """Finds a target's staged keys and counts duplicates; writes only temporary tables."""
    work = TargetTables(target, rows, keys_table(target))
    ex.create(work.keys, step="dedupe", target=target.name)
    names = [c.name for c in work.keys.columns]
    ex.change(
        sa.insert(work.keys).from_select(names, staged_keys(target, rows)),
        step="dedupe",
        target=target.name,
    )
    n = work.keys.c.n
    counts = ex.numbers(
        sa.select((sa.func.sum(n) - sa.func.count()).label("duplicate")),
        step="dedupe",
        target=target.name,
    )
    work.account.duplicate = counts["duplicate"]
    return work


def merge(ex: Executor, work: TargetTables, lookups: Lookups | None, followed: bool) -> None:
    """Merges the rows staged for a target.

    :param lookups: the look-up tables of the target's foreign keys.
    :param followed: whether another target needs the staged and the replaced rows.
    """
    if work.target.newest_wins or followed:
        _stage(ex, work)
        _merge_stage(ex, work, followed)
    else:
        _merge_in_place(ex, work, lookups)


def merge_derived(ex: Executor, work: TargetTables, follows: TargetTables) -> None:
    """Recomputes the rows of a derived target for the keys that the load touches."""
    target, account = work.target, work.account
    derivation = target.derivation
    assert derivation is not None and follows.replaced is not None
    (key,) = target.key
    run: dict[str, Any] = {"step": "merge", "target": target.name}
    touched = temporary(f"touched_{target.name}", sa.Column(key, target.table.c[key].type))
    work.stage = temporary(f"stage_{target.name}", *copied(target.table.columns))
    ex.create(touched, **run)
    ex.create(work.stage, **run)
    both = sa.union(
        sa.select(work.keys.c[key]), sa.select(follows.replaced.c[derivation.key].label(key))
    )
    ex.change(sa.insert(touched).from_select([key], both), **run)
    rows = work.rows.using(lambda r: derivation.rows(Derived(touched, r, target.table)))
    names = [c.name for c in rows.selected_columns]
    ex.change(sa.insert(work.stage).from_select(names, rows), **run)
    on = join_on(work.stage, work.keys, target.key)
    account.merged = ex.numbers(
        sa.select(sa.func.count().label("merged")).select_from(work.stage.join(work.keys, on)),
        **run,
    )["merged"]
    stored = target.table
    changed = sa.or_(
        *(differs(work.stage.c[c.name], c) for c in stored.columns if c.name not in target.key)
    )
    account.recomputed = ex.numbers(
        sa.select(sa.func.count().label("recomputed"))
        .select_from(
            work.stage.join(stored, join_on(work.stage, stored, target.key)).outerjoin(
                work.keys, on
            )
        )
        .where(work.keys.c[key].is_(None), changed),
        **run,
    )["recomputed"]
    account.replaced = _delete(ex, target, work.keys)
    _delete(ex, target, work.stage)
    _insert(ex, target, sa.select(*(work.stage.c[c.name] for c in stored.columns)))


def _stage(ex: Executor, work: TargetTables) -> None:
    """Creates a table of one staged row per key, without stale rows."""
    target = work.target
    work.stage = temporary(f"stage_{target.name}", *copied(target.table.columns))
    ex.create(work.stage, step="merge", target=target.name)
    _insert_staged(ex, work, work.stage)
    if target.newest_wins:
        stage, stored = work.stage, target.table
        assert isinstance(target.rank[0], str)
        order = list(dict.fromkeys([target.rank[0], *(c.name for c in stored.columns)]))
        order = [name for name in order if name not in target.key]
        newer = greater([stored.c[n] for n in order], [stage.c[n] for n in order])
        work.account.stale = ex.change(
            sa.delete(stage).where(join_on(stage, stored, target.key), newer),
            step="merge",
            target=target.name,
        )


def _insert_staged(ex: Executor, work: TargetTables, into: sa.Table) -> int:
    """Inserts the rows staged for a target; picks winners only if keys repeat."""
    names = list(work.target.columns)
    inserted = 0
    if (rows := of_keys(work.target, work.rows, work.keys)) is not None:
        statement = sa.insert(into).from_select(names, rows)
        return ex.change(statement, step="merge", target=work.target.name)
    repeated = work.account.duplicate > 0
    with ex.when("keys repeat in the load", repeated) as holds:
        if holds:
            inserted += ex.change(
                sa.insert(into).from_select(names, winners(work.target, work.rows, work.keys)),
                step="merge",
                target=work.target.name,
            )
    with ex.when("no key repeats in the load", not repeated) as holds:
        if holds:
            inserted += ex.change(
                sa.insert(into).from_select(names, feed(work.target, work.rows)),
                step="merge",
                target=work.target.name,
            )
    return inserted


def _merge_stage(ex: Executor, work: TargetTables, followed: bool) -> None:
    target = work.target
    assert work.stage is not None
    if followed:
        work.replaced = temporary(f"replaced_{target.name}", *copied(target.table.columns))
        ex.create(work.replaced, step="merge", target=target.name)
        old = sa.select(target.table).select_from(
            target.table.join(work.stage, join_on(target.table, work.stage, target.key))
        )
        names = [c.name for c in target.table.columns]
        ex.change(
            sa.insert(work.replaced).from_select(names, old), step="merge", target=target.name
        )
    work.account.replaced = _delete(ex, target, work.stage)
    work.account.merged = _insert(
        ex, target, sa.select(*(work.stage.c[c.name] for c in target.table.columns))
    )


def _merge_in_place(ex: Executor, work: TargetTables, lookups: Lookups | None) -> None:
    """Deletes by the staged keys and inserts from the typed rows; needs no stage table."""
    target = work.target
    work.account.replaced = _delete(ex, target, work.keys)
    if lookups is None:
        work.account.merged = _insert_staged(ex, work, target.table)
        return
    names = [c.name for c in target.table.columns]
    for condition, holds, rows in (
        (
            "keys repeat in the load",
            work.account.duplicate > 0,
            winners(target, work.rows, work.keys),
        ),
        ("no key repeats in the load", work.account.duplicate == 0, feed(target, work.rows)),
    ):
        with ex.when(condition, holds) as wanted:
            if wanted:
                resolved = lookups.resolve(rows.subquery("staged"), names)
                work.account.merged += ex.change(
                    sa.insert(target.table).from_select(names, resolved),
                    step="merge",
                    target=target.name,
                )


def _delete(ex: Executor, target: Target, staged: sa.Table) -> int:
    return ex.change(
        sa.delete(target.table).where(join_on(target.table, staged, target.key)),
        step="merge",
        target=target.name,
    )


def _insert(ex: Executor, target: Target, rows: sa.Select) -> int:  # type: ignore[type-arg]
    names = [c.name for c in target.table.columns]
    return ex.change(
        sa.insert(target.table).from_select(names, rows), step="merge", target=target.name
    )
