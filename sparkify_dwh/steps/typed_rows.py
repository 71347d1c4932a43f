"""Staged text as typed rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from ..models.declare import Field, Rows, Source
from ..models.expressions import BLANKS, FIRST_MS, LAST_MS, Clean, EpochMs, Octets, integer, number
from .text_repair import MENDED

#: Prefix of a staging column that typed rows pass on unchanged.
RAW = "raw__"
#: Prefix of the columns of ``raw`` with whole numbers typed while reading.
TYPED = "typed__"


@dataclass(frozen=True)
class TypedRows:
    """The rows of ``raw`` with each field typed; ``declare.Rows`` describes the columns.

    :param place: where the engine finds a row again. If given, it is passed on as ``place`` and
        the staging columns as ``raw__<column>``.
    """

    source: Source
    raw: sa.FromClause
    repairs: sa.Table
    place: sa.ColumnElement[Any] | None = None

    def using(self, build: Callable[[Rows], sa.Select[Any]]) -> sa.Select[Any]:
        """A select over the typed rows that computes only the columns it uses.

        :param build: builds the select from typed rows; called twice.
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
        """A stand-in for the typed rows that shows which columns a select uses."""
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
    """The value of a field that is not text."""
    if spec.kind == "integer":
        return integer(text)
    value = number(text)
    if spec.kind == "number":
        return value
    within = sa.and_(value >= FIRST_MS, value < LAST_MS)
    return sa.case((within, EpochMs(sa.cast(sa.func.floor(value), sa.BigInteger))))


def typed_ahead(source: Source) -> dict[str, sa.Column[Any]]:
    """Columns for whole numbers that an engine may type while reading, by staging column.

    Keys and ranks are made of them, so every pass needs them.
    """
    return {
        spec.column: sa.Column(TYPED + spec.column, sa.BigInteger)
        for spec in source.fields
        if spec.kind == "integer"
    }


def _text_columns(spec: Field, raw: Any, text: Any) -> list[sa.ColumnElement[Any]]:
    clean = Clean(text, BLANKS)
    found: list[sa.ColumnElement[Any]] = [clean.label(spec.name)]
    if spec.width:
        # Repair and trim never lengthen a text, so most are judged by their raw bytes alone. An
        # OR would trim every text anyway.
        fits = sa.case(
            (sa.func.coalesce(Octets(raw), 0) <= spec.width, sa.true()),
            else_=sa.func.coalesce(Octets(clean), 0) <= spec.width,
        )
        found.append(fits.label(f"fits_{spec.name}"))
    return found
