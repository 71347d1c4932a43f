"""Checks of a target: unique keys, resolved foreign keys, and those it declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ..models.declare import Target
from ..models.expressions import join_on
from .books import Measure
from .executor import Executor


def check_target(
    ex: Executor, target: Target, keys: sa.Table | None, stored: int | None = None
) -> list[Measure]:
    """Checks the rows of a target with the given keys, or all of them.

    :param stored: rows it had before the load, where the check depends on that.
    """
    check = star_check(target, keys)
    step: dict[str, Any] = {"step": "check", "target": target.name}
    counts = {"key_unique": 0}
    if stored is not None:
        apart = star_check(target, keys, apart=True)
        counts |= _by_history(ex, check, apart, stored, step)
    elif check.broken is not None:
        counts |= ex.numbers(check.broken, **step)
    with ex.when("a key has more than one row", keys is None or counts["surplus"]) as should_run:
        if should_run:
            counts |= ex.numbers(check.duplicates, **step)
    return [
        Measure(name, target.name, "fail", float(counts[name]), 0.0, counts[name] == 0)
        for name in ("key_unique", *check.names)
    ]


def _by_history(
    ex: Executor, check: StarCheck, apart: StarCheck, stored: int, step: dict[str, Any]
) -> Mapping[str, int]:
    """Counts what breaks a check: foreign keys in one pass, or apart where rows were stored."""
    found: Mapping[str, int] = {}
    for condition, holds, way in (
        ("no facts were stored before", not stored, check),
        ("facts were stored before", stored, apart),
    ):
        with ex.when(condition, holds) as should_run:
            if should_run and way.broken is not None:
                found = ex.numbers(way.broken, **step)
    return found


@dataclass(frozen=True)
class StarCheck:
    """Queries over a target.

    :param broken: counts the rows that break each of ``names``; with keys also ``surplus``, the
        rows beyond the first of their key. None: nothing to check.
    :param duplicates: counts the keys with more than one row.
    """

    broken: sa.Select[Any] | None
    duplicates: sa.Select[Any]
    names: tuple[str, ...]


def star_check(
    target: Target, keys: sa.FromClause | None = None, *, apart: bool = False
) -> StarCheck:
    """The queries that check a target.

    :param keys: distinct keys of the rows to check; None: the whole table.
    :param apart: checks each foreign key in its own subquery, so that engines read only the rows
        near the keys; otherwise all in one pass.
    """
    table: sa.FromClause = target.table
    key = [target.table.c[name] for name in target.key]
    limited = origin = table
    columns: list[sa.ColumnElement[Any]] = []
    if keys is not None:
        on = join_on(table, keys, target.key)
        limited, outer = table.join(keys, on), keys.outerjoin(table, on)
        # The join has one row per key plus one per surplus row, so no grouping is needed.
        standing = _count(outer) if apart else sa.func.count()
        columns.append((standing - _count(keys.alias("given"))).label("surplus"))
        origin = limited if apart else outer
    repeated = (
        sa.select(*key)
        .select_from(limited)
        .group_by(*key)
        .having(sa.func.count() > 1)
        .subquery("repeated")
    )
    names = []
    for fk in sorted(target.table.foreign_keys, key=lambda f: f.parent.name):
        parent = fk.column.table.alias(f"{fk.parent.name}_of")
        known, given = parent.c[fk.column.name] == fk.parent, fk.parent.is_not(None)
        missing: sa.ColumnElement[Any]
        if apart:
            missing = _count(limited, given, ~sa.exists().where(known))
        else:
            origin = origin.outerjoin(parent, known)
            lost = sa.and_(given, parent.c[fk.column.name].is_(None))
            missing = sa.func.sum(sa.case((lost, 1), else_=0))
        names.append(f"{fk.parent.name}_resolves")
        columns.append(missing.label(names[-1]))
    for rule in target.checks:
        names.append(rule.name)
        holds = rule.predicate(target.table)
        if keys is not None:
            holds = sa.or_(key[0].is_(None), holds)
        columns.append(sa.func.sum(sa.case((holds, 0), else_=1)).label(rule.name))
    broken = sa.select(*columns)
    if target.checks or not apart:
        broken = broken.select_from(origin)
    return StarCheck(
        broken if columns else None,
        sa.select(sa.func.count().label("key_unique")).select_from(repeated),
        tuple(names),
    )


def _count(rows: sa.FromClause, *conditions: Any) -> sa.ScalarSelect[int]:
    """A count of rows that never correlates with the enclosing statement."""
    found = sa.select(sa.func.count()).select_from(rows).where(*conditions)
    return found.correlate(None).scalar_subquery()


def star_reasons(target: Target) -> dict[str, str]:
    """What each check of ``star_check`` requires, by name."""
    declared = {rule.name: rule.reason for rule in target.checks}
    found = {"key_unique": f"no two rows share {', '.join(target.key)}"}
    for name in star_check(target).names:
        column = name.removesuffix("_resolves")
        found[name] = declared.get(name) or (
            f"{column} is NULL or exists in the table it refers to"
        )
    return found
