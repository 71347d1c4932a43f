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
    tables = TargetTables(target, rows, keys_table(target))
    ex.create(tables.keys, step="dedupe", target=target.name)
    names = [c.name for c in tables.keys.columns]
    ex.change(
        sa.insert(tables.keys).from_select(names, staged_keys(target, rows)),
        step="dedupe",
        target=target.name,
    )
    n = tables.keys.c.n
    counts = ex.numbers(
        sa.select((sa.func.sum(n) - sa.func.count()).label("duplicate")),
        step="dedupe",
        target=target.name,
    )
    tables.account.duplicate = counts["duplicate"]
    return tables


def merge(ex: Executor, tables: TargetTables, lookups: Lookups | None, followed: bool) -> None:
    """Merges the rows staged for a target.

    :param lookups: the look-up tables of the target's foreign keys.
    :param followed: whether another target needs the staged and the replaced rows.
    """
    if tables.target.newest_wins or followed:
        _stage(ex, tables)
        _merge_stage(ex, tables, followed)
    else:
        _merge_in_place(ex, tables, lookups)


def merge_derived(ex: Executor, tables: TargetTables, follows: TargetTables) -> None:
    """Recomputes the rows of a derived target for the keys that the load touches."""
    target, account = tables.target, tables.account
    derivation = target.derivation
    assert derivation is not None and follows.replaced is not None
    (key,) = target.key
    run: dict[str, Any] = {"step": "merge", "target": target.name}
    touched = temporary(f"touched_{target.name}", sa.Column(key, target.table.c[key].type))
    tables.stage = temporary(f"stage_{target.name}", *copied(target.table.columns))
    ex.create(touched, **run)
    ex.create(tables.stage, **run)
    both = sa.union(
        sa.select(tables.keys.c[key]), sa.select(follows.replaced.c[derivation.key].label(key))
    )
    ex.change(sa.insert(touched).from_select([key], both), **run)
    rows = tables.rows.using(lambda r: derivation.rows(Derived(touched, r, target.table)))
    names = [c.name for c in rows.selected_columns]
    ex.change(sa.insert(tables.stage).from_select(names, rows), **run)
    on = join_on(tables.stage, tables.keys, target.key)
    account.merged = ex.numbers(
        sa.select(sa.func.count().label("merged")).select_from(tables.stage.join(tables.keys, on)),
        **run,
    )["merged"]
    stored = target.table
    changed = sa.or_(
        *(differs(tables.stage.c[c.name], c) for c in stored.columns if c.name not in target.key)
    )
    account.recomputed = ex.numbers(
        sa.select(sa.func.count().label("recomputed"))
        .select_from(
            tables.stage.join(stored, join_on(tables.stage, stored, target.key)).outerjoin(
                tables.keys, on
            )
        )
        .where(tables.keys.c[key].is_(None), changed),
        **run,
    )["recomputed"]
    account.replaced = _delete(ex, target, tables.keys)
    _delete(ex, target, tables.stage)
    _insert(ex, target, sa.select(*(tables.stage.c[c.name] for c in stored.columns)))


def _stage(ex: Executor, tables: TargetTables) -> None:
    """Creates a table of one staged row per key, without stale rows."""
    target = tables.target
    tables.stage = temporary(f"stage_{target.name}", *copied(target.table.columns))
    ex.create(tables.stage, step="merge", target=target.name)
    _insert_staged(ex, tables, tables.stage)
    if target.newest_wins:
        stage, stored = tables.stage, target.table
        assert isinstance(target.rank[0], str)
        order = list(dict.fromkeys([target.rank[0], *(c.name for c in stored.columns)]))
        order = [name for name in order if name not in target.key]
        newer = greater([stored.c[n] for n in order], [stage.c[n] for n in order])
        tables.account.stale = ex.change(
            sa.delete(stage).where(join_on(stage, stored, target.key), newer),
            step="merge",
            target=target.name,
        )


def _insert_staged(ex: Executor, tables: TargetTables, into: sa.Table) -> int:
    """Inserts the rows staged for a target; picks winners only if keys repeat."""
    names = list(tables.target.columns)
    inserted = 0
    if (rows := of_keys(tables.target, tables.rows, tables.keys)) is not None:
        statement = sa.insert(into).from_select(names, rows)
        return ex.change(statement, step="merge", target=tables.target.name)
    repeated = tables.account.duplicate > 0
    with ex.when("keys repeat in the load", repeated) as should_run:
        if should_run:
            inserted += ex.change(
                sa.insert(into).from_select(
                    names, winners(tables.target, tables.rows, tables.keys)
                ),
                step="merge",
                target=tables.target.name,
            )
    with ex.when("no key repeats in the load", not repeated) as should_run:
        if should_run:
            inserted += ex.change(
                sa.insert(into).from_select(names, feed(tables.target, tables.rows)),
                step="merge",
                target=tables.target.name,
            )
    return inserted


def _merge_stage(ex: Executor, tables: TargetTables, followed: bool) -> None:
    target = tables.target
    assert tables.stage is not None
    if followed:
        tables.replaced = temporary(f"replaced_{target.name}", *copied(target.table.columns))
        ex.create(tables.replaced, step="merge", target=target.name)
        old = sa.select(target.table).select_from(
            target.table.join(tables.stage, join_on(target.table, tables.stage, target.key))
        )
        names = [c.name for c in target.table.columns]
        ex.change(
            sa.insert(tables.replaced).from_select(names, old), step="merge", target=target.name
        )
    tables.account.replaced = _delete(ex, target, tables.stage)
    tables.account.merged = _insert(
        ex, target, sa.select(*(tables.stage.c[c.name] for c in target.table.columns))
    )


def _merge_in_place(ex: Executor, tables: TargetTables, lookups: Lookups | None) -> None:
    """Deletes by the staged keys and inserts from the typed rows; needs no stage table."""
    target = tables.target
    tables.account.replaced = _delete(ex, target, tables.keys)
    if lookups is None:
        tables.account.merged = _insert_staged(ex, tables, target.table)
        return
    names = [c.name for c in target.table.columns]
    for condition, holds, rows in (
        (
            "keys repeat in the load",
            tables.account.duplicate > 0,
            winners(target, tables.rows, tables.keys),
        ),
        ("no key repeats in the load", tables.account.duplicate == 0, feed(target, tables.rows)),
    ):
        with ex.when(condition, holds) as should_run:
            if should_run:
                resolved = lookups.resolve(rows.subquery("staged"), names)
                tables.account.merged += ex.change(
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
