"""The rows that feed a target: scope, keys, and which row of a key wins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from ..models.declare import Rows, Target
from ..models.expressions import descending
from .executor import temporary
from .typed_rows import RAW, TypedRows


def in_scope(target: Target, rows: Rows) -> sa.ColumnElement[bool]:
    """Whether a typed row belongs to a target."""
    return sa.true() if target.scope is None else target.scope(rows)


def _fed(target: Target, rows: Rows) -> sa.Select[Any]:
    found = sa.select(*(make(rows).label(name) for name, make in target.columns.items()))
    return found if target.scope is None else found.where(target.scope(rows))


def feed(target: Target, rows: TypedRows) -> sa.Select[Any]:
    """The typed rows in a target's scope as its staged columns."""
    return rows.using(lambda r: _fed(target, r))


def keys_table(target: Target) -> sa.Table:
    """The keys that a load stages for a target, with each key's highest rank and row count."""
    columns = [sa.Column(name, target.table.c[name].type) for name in target.key]
    return temporary(
        f"keys_{target.name}",
        *columns,
        *([sa.Column("top", _rank_type(target))] if target.rank else []),
        sa.Column("n", sa.BigInteger),
    )


def _rank_type(target: Target) -> Any:
    first = target.rank[0]
    return target.table.c[first].type if isinstance(first, str) else sa.BigInteger()


def _rank(target: Target, rows: Rows) -> list[sa.ColumnElement[Any]]:
    return [(target.columns[term] if isinstance(term, str) else term)(rows) for term in target.rank]


def staged_keys(target: Target, rows: TypedRows) -> sa.Select[Any]:
    """The rows of ``keys_table``: one per key, in one pass over the typed rows."""

    def build(r: Rows) -> sa.Select[Any]:
        names = target.key
        keys = [target.columns[name](r).label(name) for name in names]
        top = [term.label("top") for term in _rank(target, r)[:1]]
        found = sa.select(*keys, *top)
        inner = (found if target.scope is None else found.where(target.scope(r))).subquery("fed")
        highest = [sa.func.max(inner.c.top).label("top")] if top else []
        keyed = [inner.c[name] for name in names]
        return sa.select(*keyed, *highest, sa.func.count().label("n")).group_by(*keyed)

    return rows.using(build)


def of_keys(target: Target, rows: TypedRows, keys: sa.Table) -> sa.Select[Any] | None:
    """The staged rows computed from their keys alone; None if they need other columns."""
    if target.rank:
        return None
    probe = rows.probe
    by_key = [(target.columns[name](probe), keys.c[name]) for name in target.key]

    def key_of(element: Any, **kw: Any) -> Any:
        return next((key for made, key in by_key if element.compare(made)), None)

    found = [
        visitors.replacement_traverse(make(probe), {}, key_of).label(name)
        for name, make in target.columns.items()
    ]
    parts = (part for column in found for part in visitors.iterate(column))
    others = any(isinstance(p, sa.ColumnClause) and p.table is not keys for p in parts)
    return None if others else sa.select(*found)


def winners(target: Target, rows: TypedRows, keys: sa.Table) -> sa.Select[Any]:
    """One staged row per key, where keys repeat within the load.

    Rows are picked by key and highest rank before their other columns are typed, and only rows
    of repeated keys go through a window.
    """
    if not target.rank:
        return feed(target, rows).distinct()
    names = list(target.columns)

    def ranked_rows(r: Rows) -> sa.Select[Any]:
        terms = enumerate(_rank(target, r))
        return _fed(target, r).add_columns(*(term.label(f"rank_{i}") for i, term in terms))

    single = feed(target, _highest(target, rows, keys, keys.c.n == 1))
    fed = _highest(target, rows, keys, keys.c.n > 1).using(ranked_rows).subquery("fed")
    order = [fed.c[f"rank_{i}"] for i in range(len(target.rank))]
    order += [fed.c[c.name] for c in target.table.columns if c.name in target.columns]
    place = sa.func.row_number().over(
        partition_by=[fed.c[name] for name in target.key], order_by=descending(order)
    )
    ranked = sa.select(*(fed.c[name] for name in names), place.label("place")).subquery("ranked")
    first = sa.select(*(ranked.c[name] for name in names)).where(ranked.c.place == 1)
    both = sa.union_all(single, first).subquery("winners")
    return sa.select(*(both.c[name] for name in names))


def _highest(target: Target, rows: TypedRows, keys: sa.Table, condition: Any) -> TypedRows:
    """The rows that share the highest rank, of the keys that meet a condition."""

    def build(r: Rows) -> sa.Select[Any]:
        on = [target.columns[name](r) == keys.c[name] for name in target.key]
        on.append(_rank(target, r)[0] == keys.c.top)
        found = sa.select(*(r.c[RAW + c.name].label(c.name) for c in rows.raw.c))
        return found.select_from(r.join(keys, sa.and_(*on))).where(condition, in_scope(target, r))

    passed = replace(rows, place=sa.null())
    return replace(rows, raw=passed.using(build).subquery("highest"))
