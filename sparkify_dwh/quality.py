"""Judging staged rows by declared rules, and the star by its keys and checks. Builders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from .config import Settings
from .declare import Rows, Rule, Source, Target
from .errors import RejectLimitError
from .sql import HasBit, join_on
from .transform import RAW, TypedRows, copied, temporary


@dataclass(frozen=True)
class Measure:
    """The measured value of a rule; stored also when it passed.

    :param target: the source or table that the rule guards.
    :param severity: ``reject`` (refuses rows), ``warn`` or ``fail``.
    :param value: rows that broke it, or a ratio from 0 to 1.
    :param limit_value: the most that passes; None when the rule only refuses rows.
    """

    rule: str
    target: str
    severity: str
    value: float
    limit_value: float | None
    passed: bool


@dataclass(frozen=True)
class Refusal:
    """A refused record: first rule it broke, place, text (bytes as they were) and true size."""

    source: str
    rule: str
    reason: str
    key: str | None
    line: int | None
    raw: bytes
    raw_bytes: int

    @property
    def place(self) -> str:
        """Where it stands, for the start of a line; '' where the engine does not tell."""
        return f"{self.key}:{self.line} " if self.key is not None else ""


#: Reasons of the reader, before any rule: a record that is not staged.
PARSER_RULES = {
    "undecodable_object": "the object is no UTF-8 text and no gzip of one, or of too much",
    "unreadable_object": "the object cannot be read",
    "record_too_large": "a record may have 4 MiB",
    "malformed_json": "the record is no complete JSON value",
    "invalid_utf8": "the record holds bytes that are no UTF-8",
    "not_an_object": "a record must be a JSON object",
    "nul_character": "a text must not hold U+0000",
    "lone_surrogate": "a text must not hold half of a surrogate pair",
    "nested_value": "an object or array stands where a text or number belongs",
}


def violations_table(source: Source, raw: sa.Table) -> sa.Table:
    """Staged rows that broke a rule: the row as it is, and one bit for each rule broken."""
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
    """The bits of the rules that refuse a row; the others only warn."""
    return sum(1 << i for i, rule in enumerate(source.rules) if rule.severity == "reject")


def judged(rows: TypedRows) -> sa.Select[Any]:
    """All rules in one scan: the rows that break any, with their places and masks."""

    def build(r: Rows) -> sa.Select[Any]:
        inner = sa.select(
            *(r.c[RAW + c.name].label(c.name) for c in rows.raw.c),
            r.c.place,
            mask(rows.source.rules, r).label("mask"),
        ).subquery("judged")
        return sa.select(*inner.c).where(inner.c.mask != 0)

    return rows.using(build)


def rule_counts(source: Source, violations: sa.Table) -> sa.Select[Any]:
    """Rows that broke each rule, each counted by itself, and rows refused."""
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
    """The values of a source's row rules: they refuse or warn, and fail nothing by themselves."""
    return [
        Measure(rule.name, source.name, rule.severity, float(counts[rule.name]), None, True)
        for rule in source.rules
    ]


#: The measure of a source's refused rows among those read.
REJECT_RATIO = "reject_ratio"


def reject_measures(settings: Settings, source: str, read: int, refused: int) -> list[Measure]:
    """The limits of refused rows of a source; equal passes.

    A load fails when more than ``reject_floor`` rows and more than ``max_reject_ratio`` of the
    rows read are refused, or more than ``max_rejects``.
    """
    # Divided, not multiplied: 29 / 100 is 0.29, but 0.29 * 100 is less than 29.
    ratio = refused / read if read else 0.0
    within = refused <= settings.reject_floor or ratio <= settings.max_reject_ratio
    measures = [Measure(REJECT_RATIO, source, "fail", ratio, settings.max_reject_ratio, within)]
    if settings.max_rejects is not None:
        limit = settings.max_rejects
        measures.append(Measure("max_rejects", source, "fail", refused, limit, refused <= limit))
    return measures


@dataclass(frozen=True)
class Refusing:
    """A source of which more was refused than is allowed.

    :param worst: rules with their counts and sample rows, most refusals first.
    :param limits: limits that were passed: ``reject_ratio``, ``max_rejects``.
    """

    source: str
    read: int
    refused: int
    worst: Sequence[tuple[str, int, Sequence[Refusal]]]
    limits: Sequence[str]

    def __str__(self) -> str:
        rules = ", ".join(f"{rule} {count:,}" for rule, count, _ in self.worst[:3])
        return (
            f"{self.source}: {self.refused:,} of {self.read:,} rows refused, "
            f"more than allowed ({rules})"
        )


_OPTIONS = {
    "reject_ratio": ("--max-reject-ratio", "--reject-floor"),
    "max_rejects": ("--max-rejects",),
}


def refuse_load(sources: Sequence[Refusing]) -> None:
    """Ends a load that refused too much.

    :raises RejectLimitError: always, with the worst rules and three sample rows.
    """
    worst = [each for source in sources for each in source.worst]
    samples = [s for _, _, kept in worst for s in kept[:1]] + [
        s for _, _, kept in worst for s in kept[1:]
    ]
    shown = [
        f"  {s.place}{s.rule}: {s.raw[:120].decode('utf-8', 'backslashreplace')}"
        for s in samples[:3]
    ]
    options = dict.fromkeys(o for source in sources for n in source.limits for o in _OPTIONS[n])
    raise RejectLimitError(
        "\n".join([*(str(source) for source in sources), *shown]),
        f"allow more: {' or '.join(options)}",
    )


@dataclass(frozen=True)
class StarCheck:
    """Queries over a target.

    :param broken: rows that break each of ``names``; with keys also ``surplus``, the rows beyond
        the first of their key. None: there is nothing to ask.
    :param duplicates: keys that stand more than once.
    """

    broken: sa.Select[Any] | None
    duplicates: sa.Select[Any]
    names: tuple[str, ...]


def star_check(
    target: Target, keys: sa.FromClause | None = None, *, apart: bool = False
) -> StarCheck:
    """Keys unique, foreign keys resolve, declared checks hold.

    :param keys: only rows whose key stands there, each key once; None: the whole table.
    :param apart: each foreign key by itself, for engines that then read only what is near the
        keys; else one pass.
    """
    table: sa.FromClause = target.table
    key = [target.table.c[name] for name in target.key]
    limited = origin = table
    columns: list[sa.ColumnElement[Any]] = []
    if keys is not None:
        on = join_on(table, keys, target.key)
        limited, outer = table.join(keys, on), keys.outerjoin(table, on)
        # One row for each key and one more for each row too many: no key needs to be grouped.
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
    """How many rows there are, whatever statement asks."""
    found = sa.select(sa.func.count()).select_from(rows).where(*conditions)
    return found.correlate(None).scalar_subquery()


def star_reasons(target: Target) -> dict[str, str]:
    """What each check of ``star_check`` demands, by its name."""
    declared = {rule.name: rule.reason for rule in target.checks}
    found = {"key_unique": f"no two rows share {', '.join(target.key)}"}
    for name in star_check(target).names:
        column = name.removesuffix("_resolves")
        found[name] = declared.get(name) or (
            f"{column} is NULL or stands in the table it refers to"
        )
    return found
