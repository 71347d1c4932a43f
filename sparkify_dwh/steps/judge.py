"""Queries that judge staged rows by the declared rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ..models.declare import Rows, Rule, Source
from ..models.expressions import HasBit
from .books import Measure
from .executor import copied, temporary
from .typed_rows import RAW, TypedRows


def violations_table(source: Source, raw: sa.Table) -> sa.Table:
    """Staged rows that broke a rule: the row as staged, and one bit for each broken rule."""
    return temporary(
        f"violations_{source.name}",
        *copied(raw.c),
        sa.Column("place", sa.BigInteger),
        sa.Column("mask", sa.BigInteger, nullable=False),
    )


def mask(rules: Sequence[Rule], rows: Rows) -> sa.ColumnElement[int]:
    """One bit for each rule a row breaks; a predicate that is NULL counts as broken."""
    total: sa.ColumnElement[Any] = sa.literal_column("0", sa.BigInteger)
    for position, rule in enumerate(rules):
        bit = sa.literal_column(str(1 << position), sa.BigInteger)
        total = total + sa.case((rule.predicate(rows), sa.literal_column("0")), else_=bit)
    return total


def reject_bits(source: Source) -> int:
    """The bits of the rules that refuse a row; other rules only warn."""
    return sum(1 << i for i, rule in enumerate(source.rules) if rule.severity == "reject")


def judged(rows: TypedRows) -> sa.Select[Any]:
    """All rules in one scan: the rows that break any, with place and mask."""

    def build(r: Rows) -> sa.Select[Any]:
        inner = sa.select(
            *(r.c[RAW + c.name].label(c.name) for c in rows.raw.c),
            r.c.place,
            mask(rows.source.rules, r).label("mask"),
        ).subquery("judged")
        return sa.select(*inner.c).where(inner.c.mask != 0)

    return rows.using(build)


def rule_counts(source: Source, violations: sa.Table) -> sa.Select[Any]:
    """How many rows broke each rule, and how many are refused."""
    columns = [
        sa.func.sum(sa.case((HasBit(violations.c.mask, 1 << i), 1), else_=0)).label(rule.name)
        for i, rule in enumerate(source.rules)
    ]
    refused = HasBit(violations.c.mask, reject_bits(source))
    return sa.select(sa.func.sum(sa.case((refused, 1), else_=0)).label("refused"), *columns)


def first_rule(source: Source, broken: int) -> Rule:
    """The first rule in declared order that refuses a row with this mask."""
    broken &= reject_bits(source)
    return source.rules[(broken & -broken).bit_length() - 1]


def row_measures(source: Source, counts: Any) -> list[Measure]:
    """The values of a source's row rules, which refuse or warn but never fail a load."""
    return [
        Measure(rule.name, source.name, rule.severity, float(counts[rule.name]), None, True)
        for rule in source.rules
    ]
