"""Lineage: the fields of files that each column of the star comes from, by the declarations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from .declare import Declarations, Derived, Field, Source, Target

How = Literal["as typed", "computed", "derived", "looked up"]


@dataclass(frozen=True)
class Origin:
    """A field of a source's files.

    :param key: the key in the JSON of the file.
    :param column: the staging column that holds it.
    :param kind: the type it is read as: ``text``, ``integer``, ``number`` or ``time``.
    :param repaired: whether duplicate encoding is repaired.
    """

    source: str
    key: str
    column: str
    kind: str
    repaired: bool = False


@dataclass(frozen=True)
class ColumnLineage:
    """A column of the star and the fields its values come from.

    :param how: ``as typed``; ``computed`` from one row; ``derived`` from several rows or tables;
        ``looked up`` in another table.
    :param through: columns of other tables of the star on the way, as ``table.column``.
    :param by: for a look-up: columns of the row that it matches.
    """

    table: str
    column: str
    how: How
    origins: tuple[Origin, ...] = ()
    through: tuple[str, ...] = ()
    by: tuple[str, ...] = ()


@dataclass
class _Found:
    """The columns that an expression reads."""

    fields: dict[str, None] = field(default_factory=dict)
    stored: dict[sa.Column[Any], None] = field(default_factory=dict)


def lineage(declarations: Declarations) -> list[ColumnLineage]:
    """The lineage of every column of every target, in the order of the declarations."""
    return [
        _column(declarations, target, column)
        for target in declarations.targets
        for column in target.table.columns
    ]


def fields(declarations: Declarations) -> Iterator[tuple[Source, Field | None, str, str]]:
    """Every field of every source: source, typed field (None if only staged), key, column."""
    for source in declarations.sources:
        typed = {each.column: each for each in source.fields}
        for key, column in source.keys.items():
            yield source, typed.get(column), key, column


def _column(declarations: Declarations, target: Target, column: sa.Column[Any]) -> ColumnLineage:
    name, table = column.name, target.name
    if target.resolution is not None and name in target.resolution.columns:
        looks = [look for look in target.resolution.lookups if name in look.fills]
        columns = target.resolution.reference.c
        through = tuple(dict.fromkeys(columns[look.fills[name]] for look in looks))
        by = tuple(dict.fromkeys(fact for look in looks for fact in look.on))
        origins = _of_stored(declarations, through)
        return ColumnLineage(table, name, "looked up", origins, _named(through), by)
    source = declarations.source(target.source)
    rows = _typed(source)
    found = _Found()
    if target.derivation is None:
        expression: sa.ColumnElement[Any] = target.columns[name](rows)
        _collect(expression, rows, found)
        how: How = "as typed" if isinstance(expression, sa.Column) else "computed"
        return ColumnLineage(table, name, how, _origins(source, found.fields))
    given = Derived(_keys(target), rows, target.table)
    _collect(target.derivation.rows(given).selected_columns[name], rows, found)
    if name in target.key:
        found.stored[target.derivation.follows.c[target.derivation.key]] = None
    stored = tuple(each for each in found.stored if each.table is not target.table)
    own, others = _origins(source, found.fields), _of_stored(declarations, stored)
    origins = tuple(dict.fromkeys([*own, *others]))
    return ColumnLineage(table, name, "derived", origins, _named(stored))


def _of_stored(declarations: Declarations, columns: Iterable[sa.Column[Any]]) -> tuple[Origin, ...]:
    """The origins of columns of other tables of the star."""
    targets = {target.table: target for target in declarations.targets}
    origins: dict[Origin, None] = {}
    for column in columns:
        if isinstance(column.table, sa.Table) and column.table in targets:
            found = _column(declarations, targets[column.table], column)
            origins |= dict.fromkeys(found.origins)
    return tuple(origins)


def _named(columns: Iterable[sa.Column[Any]]) -> tuple[str, ...]:
    return tuple(f"{each.table.name}.{each.name}" for each in columns)


def _typed(source: Source) -> sa.TableClause:
    """A stand-in for the typed rows of a source, to see which columns an expression reads."""
    names = [each.name for each in source.fields]
    columns = [f"{mark}{name}" for mark in ("", "given_", "fits_") for name in names]
    return sa.table("rows", *(sa.Column(name, sa.String) for name in columns))


def _keys(target: Target) -> sa.TableClause:
    return sa.table("keys", *(sa.Column(name, sa.String) for name in target.key))


def _collect(element: Any, rows: sa.FromClause, found: _Found) -> None:
    """Collects columns of the typed rows and of stored tables, through sub-queries."""
    for part in visitors.iterate(element):
        table = getattr(part, "table", None)
        if not isinstance(part, sa.sql.ColumnElement) or table is None:
            continue
        if table is rows:
            found.fields[str(part.key)] = None
        elif isinstance(table, sa.Table):
            if isinstance(part, sa.Column):
                found.stored[part] = None
        elif isinstance(table, sa.sql.expression.AliasedReturnsRows):
            for behind in _behind(table, str(part.key)):
                _collect(behind, rows, found)


def _behind(table: sa.sql.expression.AliasedReturnsRows, key: str) -> list[Any]:
    """The expressions behind a column of a sub-query or an alias."""
    inner = table.element
    if isinstance(inner, sa.CompoundSelect):
        place = inner.selected_columns.keys().index(key)
        return [list(each.selected_columns)[place] for each in inner.selects]
    if isinstance(inner, sa.SelectBase):
        return [inner.selected_columns[key]]
    return [inner.c[key]] if isinstance(inner, sa.FromClause) else []


def _origins(source: Source, names: Mapping[str, Any]) -> tuple[Origin, ...]:
    keys = {column: key for key, column in source.keys.items()}
    known = {each.name: each for each in source.fields}
    origins: dict[Origin, None] = {}
    for name in names:
        plain = name.removeprefix("given_").removeprefix("fits_")
        each = known.get(name) or known[plain]
        origins[Origin(source.name, keys[each.column], each.column, each.kind, each.repaired)] = (
            None
        )
    return tuple(origins)


#: Columns of ``Warehouse.lineage``.
LINEAGE_COLUMNS = (
    "table",
    "column",
    "how",
    "source",
    "field",
    "staging_column",
    "read_as",
    "through",
    "by",
)


def lineage_rows(declarations: Declarations) -> list[tuple[Any, ...]]:
    """A row for each column of the star and field that it comes from; see ``COLUMNS``."""
    rows: list[tuple[Any, ...]] = []
    for each in lineage(declarations):
        more = (", ".join(each.through) or None, ", ".join(each.by) or None)
        head = (each.table, each.column, each.how)
        rows += [
            (
                *head,
                o.source,
                o.key,
                o.column,
                f"repaired {o.kind}" if o.repaired else o.kind,
                *more,
            )
            for o in each.origins
        ] or [(*head, None, None, None, None, *more)]
    return rows
