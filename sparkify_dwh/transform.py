"""Staged text as typed rows, and the rows that a target is fed with. Pure builders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from .declare import Field, Rows, Source, Target
from .sql import BLANKS, Clean, EpochMs, Octets, descending, integer, number

#: Prefix of a staging column that typed rows pass on as it is.
RAW = "raw__"
#: Prefix of a column of ``raw`` that holds a whole number that was typed while it was read.
TYPED = "typed__"
#: Prefix of a column of ``raw`` that holds a mended text; NULL where there was nothing to mend.
MENDED = "mended__"
FIRST_MS, LAST_MS = 946_684_800_000, 4_133_980_800_000  # 2000-01-01 until 2101-01-01


def temporary(name: str, *columns: sa.Column[Any]) -> sa.Table:
    """A temporary table of a load."""
    return sa.Table(name, sa.MetaData(), *columns, prefixes=["TEMPORARY"])


def copied(columns: Any) -> list[sa.Column[Any]]:
    """Columns of the same names and types, without keys, comments or constraints."""
    return [sa.Column(c.name, c.type) for c in columns]


def repair_table() -> sa.Table:
    """The mapping from damaged to mended text that typed rows join."""
    return temporary(
        "text_repair",
        sa.Column("value", sa.String(65535), nullable=False),
        sa.Column("repaired", sa.String(65535), nullable=False),
    )


def repair(text: str) -> str:
    """Undoes UTF-8 read as latin-1, for as long as it succeeds on non-ASCII text, at most 3 times.

    Measured on the real logs: restores all 195 damaged names, changes none of 629 sound ones.
    """
    for _ in range(3):
        if text.isascii():
            break
        try:
            text = text.encode("latin-1").decode("utf-8")
        except UnicodeError:
            break
    return text


def suspects(source: Source, raw: sa.Table) -> sa.Select[Any] | None:
    """The distinct non-ASCII texts of a source that repair may change."""
    parts = [
        sa.select(raw.c[f.column].label("value")).where(
            Octets(raw.c[f.column]) != sa.func.length(raw.c[f.column])
        )
        for f in source.fields
        if f.repaired
    ]
    if not parts:
        return None
    found = sa.union_all(*parts).subquery("found")
    return sa.select(found.c.value).distinct()


@dataclass(frozen=True)
class TypedRows:
    """The rows of ``raw`` with each field typed; ``declare`` tells the columns.

    :param place: where the engine finds a row again; given, it is passed on as ``place`` and the
        staging columns as ``raw__<column>``.
    """

    source: Source
    raw: sa.FromClause
    repairs: sa.Table
    place: sa.ColumnElement[Any] | None = None

    def using(self, build: Callable[[Rows], sa.Select[Any]]) -> sa.Select[Any]:
        """A select over the typed rows; only the columns that it uses are computed.

        :param build: makes the select from typed rows; called twice.
        """
        probe = self.probe
        used = {
            part.name
            for part in visitors.iterate(build(probe))
            if isinstance(part, sa.ColumnClause) and part.table is probe
        }
        needed, origin = self._columns(used)
        return build(sa.select(*needed).select_from(origin).subquery(probe.name))

    @cached_property
    def probe(self) -> sa.TableClause:
        """Stands for the typed rows where only what is used of them counts."""
        columns = {c.name: c for c in self._columns(None)[0]}
        return sa.table(
            f"typed_{self.source.name}", *(sa.column(n, c.type) for n, c in columns.items())
        )

    def _columns(self, used: set[str] | None) -> tuple[list[Any], sa.FromClause]:
        origin: sa.FromClause = self.raw
        found: list[Any] = []
        for spec in self.source.fields:
            own = {spec.name, f"given_{spec.name}", f"fits_{spec.name}"}
            if used is not None and not own & used:
                continue
            text: sa.ColumnElement[Any] = self.raw.c[spec.column]
            if spec.repaired and (better := self.raw.c.get(MENDED + spec.column)) is not None:
                text = sa.func.coalesce(better, text)
            elif spec.repaired:
                found_by = self.repairs.alias(f"repair_{spec.column}")
                origin = origin.outerjoin(found_by, found_by.c.value == text)
                text = sa.func.coalesce(found_by.c.repaired, text)
            if spec.kind == "text":
                found += _text_columns(spec, self.raw.c[spec.column], text)
                continue
            given = sa.and_(text.is_not(None), text != "")
            ahead = self.raw.c.get(TYPED + spec.column)
            value = typed_value(spec, text) if ahead is None else ahead
            found += [value.label(spec.name), given.label(f"given_{spec.name}")]
        if self.place is not None:
            found += [self.place.label("place")]
            found += [c.label(RAW + c.name) for c in self.raw.c]
        return [c for c in found if used is None or c.name in used], origin


def typed_value(spec: Field, text: Any) -> sa.ColumnElement[Any]:
    """The value of a field that is no text."""
    if spec.kind == "integer":
        return integer(text)
    value = number(text)
    if spec.kind == "number":
        return value
    within = sa.and_(value >= FIRST_MS, value < LAST_MS)
    return sa.case((within, EpochMs(sa.cast(sa.func.floor(value), sa.BigInteger))))


def typed_ahead(source: Source) -> dict[str, sa.Column[Any]]:
    """Columns for whole numbers that an engine may type while it reads, by staging column.

    Keys and ranks are made of them, so that every pass needs them.
    """
    return {
        spec.column: sa.Column(TYPED + spec.column, sa.BigInteger)
        for spec in source.fields
        if spec.kind == "integer"
    }


def mended(source: Source) -> list[sa.Column[Any]]:
    """Columns for mended texts, where an engine may keep them: then no pass looks them up again."""
    return [sa.Column(MENDED + spec.column, sa.String) for spec in source.fields if spec.repaired]


def mend(source: Source, raw: sa.Table, repairs: sa.Table) -> list[sa.Update]:
    """Fills the columns for mended texts that ``raw`` has."""
    return [
        sa.update(raw)
        .values({MENDED + spec.column: repairs.c.repaired})
        .where(raw.c[spec.column] == repairs.c.value)
        for spec in source.fields
        if spec.repaired and MENDED + spec.column in raw.c
    ]


def _text_columns(spec: Field, raw: Any, text: Any) -> list[sa.ColumnElement[Any]]:
    clean = Clean(text, BLANKS)
    found: list[sa.ColumnElement[Any]] = [clean.label(spec.name)]
    if spec.width:
        # Repair and trim never lengthen a text, so most are judged by their bytes alone; an OR
        # would trim them all the same.
        fits = sa.case(
            (sa.func.coalesce(Octets(raw), 0) <= spec.width, sa.true()),
            else_=sa.func.coalesce(Octets(clean), 0) <= spec.width,
        )
        found.append(fits.label(f"fits_{spec.name}"))
    return found


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
    """The keys that a load stages for a target: highest rank and number of rows of each."""
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
    """Fills ``keys_table``: one row for each key, in one pass over the typed rows."""

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
    """The staged rows made of their keys alone; None where more goes into them."""
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
    """One staged row for each key, where keys repeat inside the load.

    Rows are told by key and highest rank before the rest of them is typed, and only those of
    repeated keys go through a window.
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


def _highest(target: Target, rows: TypedRows, keys: sa.Table, some: Any) -> TypedRows:
    """The rows that share the highest rank of some keys."""

    def build(r: Rows) -> sa.Select[Any]:
        on = [target.columns[name](r) == keys.c[name] for name in target.key]
        on.append(_rank(target, r)[0] == keys.c.top)
        found = sa.select(*(r.c[RAW + c.name].label(c.name) for c in rows.raw.c))
        return found.select_from(r.join(keys, sa.and_(*on))).where(some, in_scope(target, r))

    passed = replace(rows, place=sa.null())
    return replace(rows, raw=passed.using(build).subquery("highest"))
