"""Whether the star now holds the row that a refused record describes.

A repaired record comes back in another object, so nothing but its key ties it to the refused one.
The key is read from the refused text, leniently where that is damaged, typed as a load types it,
and looked up in the table that a load would feed with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from ..dialects.base import Engine
from ..models.declare import Rows, Rule, Source, Target
from ..steps.executor import Executor, copied, temporary
from ..steps.feed import in_scope
from ..steps.salvage import salvaged
from ..steps.text_repair import repair_table
from ..steps.typed_rows import TypedRows

#: With more refused records than this, none is looked up.
MOST = 20_000
_STEP = "rejects"


def in_star(
    ex: Executor, engine: Engine, sources: Sequence[Source], targets: Sequence[Target], rows: Any
) -> list[bool | None]:
    """For each refused row, whether its table now holds its key; None where the record has none.

    :param rows: rows with ``source`` and ``raw``.
    """
    found: list[bool | None] = [None] * len(rows)
    if not rows or len(rows) > MOST:
        return found
    repairs = repair_table()
    ex.create(repairs, step=_STEP)
    for source in sources:
        mine = [(n, row) for n, row in enumerate(rows) if row.source == source.name]
        if not mine:
            continue
        meant = temporary(
            f"refused_{source.name}", *copied(source.columns), sa.Column("place", sa.BigInteger)
        )
        ex.create(meant, step=_STEP, target=source.name)
        values = ({**_fitting(row.raw or "", source), "place": n} for n, row in mine)
        # At most MOST rows; and an inspection may write nothing outside the database.
        engine.fill(ex, meant, values, step=_STEP, target=source.name, bounded=True)
        typed = TypedRows(source, meant, repairs, meant.c.place)
        # Later targets have the finer keys, and overrule the earlier ones.
        for target in targets:
            if target.source == source.name and not target.derivation and not target.newest_wins:
                for place, held in ex.rows(_held(target, typed), step=_STEP, target=target.name):
                    found[place] = held
    return found


def _held(target: Target, typed: TypedRows) -> sa.Select[Any]:
    table = target.table
    key = table.c[target.key[0]]
    own = [_own_rules(target.columns[name], typed.source) for name in target.key]

    def build(r: Rows) -> sa.Select[Any]:
        # A part of the key that breaks its own rules may have no value, such as a time beyond the
        # engine's range: a load computes it from accepted rows only.
        values = [
            sa.case((sa.and_(*(rule.predicate(r) for rule in rules)), target.columns[name](r)))
            if rules
            else target.columns[name](r)
            for name, rules in zip(target.key, own, strict=True)
        ]
        same = sa.and_(*(table.c[n] == v for n, v in zip(target.key, values, strict=True)))
        return (
            sa.select(r.c.place, sa.case((key.is_(None), sa.false()), else_=sa.true()))
            .select_from(r.outerjoin(table, same))
            .where(in_scope(target, r))
        )

    return typed.using(build)


def _own_rules(value: Callable[[Rows], sa.ColumnElement[Any]], source: Source) -> list[Rule]:
    """The rules that depend on nothing but the columns a value is computed from."""
    names = (f"{kind}{f.name}" for f in source.fields for kind in ("", "given_", "fits_"))
    probe = sa.table("row", *(sa.column(name) for name in names))

    def used(expression: sa.ColumnElement[Any]) -> set[str]:
        parts = visitors.iterate(expression)
        return {p.name for p in parts if isinstance(p, sa.ColumnClause) and p.table is probe}

    needed = used(value(probe))
    rules = (rule for rule in source.rules if rule.severity == "reject")
    return [rule for rule in rules if used(rule.predicate(probe)) <= needed]


def _fitting(raw: str, source: Source) -> dict[str, str | None]:
    """The fields of a refused record, without texts too wide for staging."""
    widths = {c.name: getattr(c.type, "length", None) for c in source.columns}
    return {
        name: text if text is None or len(text.encode()) <= (widths[name] or 0) else None
        for name, text in salvaged(raw, source).items()
    }


__all__ = ["in_star", "salvaged"]
