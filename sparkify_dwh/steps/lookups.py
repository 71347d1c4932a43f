"""Foreign keys of a fact, looked up on merge and again when the referenced rows change."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ..models.declare import Lookup, Resolution, Target
from ..models.expressions import differs, join_on
from .executor import Executor, copied, temporary
from .feed import feed
from .typed_rows import TypedRows


class Lookups:
    """The look-up tables of one fact in one load, limited to the link values at stake.

    :param fact: the target whose foreign keys are looked up.
    """

    def __init__(self, fact: Target) -> None:
        assert fact.resolution is not None
        self.fact = fact
        self.resolution: Resolution = fact.resolution
        reference = self.resolution.reference
        link = reference.c[self.resolution.link[1]]
        self.changed = temporary(f"changed_{reference.name}", sa.Column("link", link.type))
        self.links = temporary(f"links_{fact.name}", sa.Column("link", link.type))
        self.tables = {look.name: self._table(look) for look in self.resolution.lookups}
        self.again = temporary(
            f"again_{fact.name}",
            *copied(fact.table.c[name] for name in (*fact.key, *self.resolution.columns)),
        )

    def _table(self, look: Lookup) -> sa.Table:
        reference = self.resolution.reference
        names = dict.fromkeys([*look.on.values(), *look.fills.values()])
        return temporary(
            f"lookup_{self.fact.name}_{look.name}", *copied(reference.c[name] for name in names)
        )

    def note_changes(self, ex: Executor, stage: sa.Table, replaced: sa.Table) -> None:
        """Stores the link values of new and changed rows of the reference."""
        ex.create(self.changed, step="resolve", target=self.fact.name)
        names = [c.name for c in self.resolution.reference.columns]
        new, old = (sa.select(*(t.c[n] for n in names)) for t in (stage, replaced))
        new_only, old_only = new.except_(old).subquery("new"), old.except_(new).subquery("old")
        link = self.resolution.link[1]
        both = sa.union(sa.select(new_only.c[link]), sa.select(old_only.c[link]))
        ex.change(
            sa.insert(self.changed).from_select(["link"], both),
            step="resolve",
            target=self.fact.name,
        )

    def fill(self, ex: Executor, rows: TypedRows | None, changed: bool) -> None:
        """Fills the look-up tables for the link values of staged rows and changed references.

        :param rows: the typed rows to merge, if any.
        :param changed: whether ``note_changes`` ran.
        """
        step: dict[str, Any] = {"step": "resolve", "target": self.fact.name}
        wanted: list[sa.Select[Any]] = []
        if rows is not None:
            fed = feed(self.fact, rows).subquery("fed")
            wanted.append(sa.select(fed.c[self.resolution.link[0]].label("link")))
        if changed:
            wanted.append(sa.select(self.changed.c.link))
        ex.create(self.links, **step)
        both = sa.union(*wanted) if len(wanted) > 1 else wanted[0].distinct()
        ex.change(sa.insert(self.links).from_select(["link"], both), **step)
        for look in self.resolution.lookups:
            table = self.tables[look.name]
            ex.create(table, **step)
            ex.change(
                sa.insert(table).from_select([c.name for c in table.columns], self._best(look)),
                **step,
            )

    def _best(self, look: Lookup) -> sa.Select[Any]:
        """The preferred row of the reference for each combination of values looked up."""
        reference = self.resolution.reference
        names = [c.name for c in self.tables[look.name].columns]
        order: list[sa.ColumnElement[Any]] = []
        for name, way in look.prefer:
            column = reference.c[name]
            order.append(sa.case((column.is_(None), 1), else_=0))
            order.append(column.desc() if way == "greatest" else column.asc())
        best = (
            sa.select(
                *(reference.c[name] for name in names),
                sa.func.row_number()
                .over(
                    partition_by=[reference.c[name] for name in look.on.values()],
                    order_by=order,
                )
                .label("place"),
            )
            .where(reference.c[self.resolution.link[1]].in_(sa.select(self.links.c.link)))
            .subquery("best")
        )
        return sa.select(*(best.c[name] for name in names)).where(best.c.place == 1)

    def resolve(self, rows: sa.FromClause, names: list[str]) -> sa.Select[Any]:
        """``rows`` with their foreign keys: the named columns of the fact, in order."""
        origin = rows
        found: dict[str, list[sa.ColumnElement[Any]]] = {}
        for look in self.resolution.lookups:
            table = self.tables[look.name]
            on = sa.and_(*(rows.c[ours] == table.c[theirs] for ours, theirs in look.on.items()))
            origin = origin.outerjoin(table, on)
            for ours, theirs in look.fills.items():
                found.setdefault(ours, []).append(table.c[theirs])
        return sa.select(
            *((sa.func.coalesce(*found[n]) if n in found else rows.c[n]).label(n) for n in names)
        ).select_from(origin)

    def stored(self, ex: Executor) -> int:
        """How many facts are stored before the load merges its own."""
        count = sa.select(sa.func.count().label("n")).select_from(self.fact.table)
        return ex.numbers(count, step="resolve", target=self.fact.name)["n"]

    def resolve_again(self, ex: Executor) -> int:
        """Resolves stored facts that a changed reference touches; returns how many changed.

        Their keys and new foreign keys are then in ``again``.
        """
        fact = self.fact.table
        step: dict[str, Any] = {"step": "resolve", "target": self.fact.name}
        ours = self.resolution.link[0]
        touched = (
            sa.select(fact)
            .join(self.changed, fact.c[ours] == self.changed.c.link)
            .subquery("touched")
        )
        keys = list(self.fact.key)
        new = self.resolve(touched, [*keys, *self.resolution.columns]).subquery("new")
        other = sa.or_(*(differs(fact.c[n], new.c[n]) for n in self.resolution.columns))
        ex.create(self.again, **step)
        names = [*keys, *self.resolution.columns]
        ex.change(
            sa.insert(self.again).from_select(
                names,
                sa.select(*(new.c[n] for n in names))
                .join(fact, join_on(fact, new, keys))
                .where(other),
            ),
            **step,
        )
        return ex.change(
            sa.update(fact)
            .values({n: self.again.c[n] for n in self.resolution.columns})
            .where(join_on(fact, self.again, keys)),
            **step,
        )
