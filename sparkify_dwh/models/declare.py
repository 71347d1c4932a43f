"""The types that declare a warehouse: sources with fields and rules, targets, look-ups, charts.

The steps of a load read these declarations and know nothing else about songs or plays. Predicates
and expressions are functions of *rows*: the typed rows of a source, with a column for each field
and

* ``given_<field>``: whether a number or time was given (neither NULL nor ''),
* ``fits_<field>``: whether a text, once repaired and trimmed, fits its width in bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import sqlalchemy as sa

from ..core.errors import UsageError

Rows = sa.FromClause
Predicate = Callable[[Rows], sa.ColumnElement[bool]]
Severity = Literal["reject", "warn", "fail"]


@dataclass(frozen=True)
class Field:
    """A staging column and the type it is read as.

    :param name: name of the column in the typed rows.
    :param column: staging column it is read from.
    :param kind: ``text`` (trimmed, '' is NULL), ``integer`` (BIGINT), ``number`` (DOUBLE) or
        ``time`` (milliseconds since 1970 as TIMESTAMP, NULL outside 2000..2100).
    :param width: most bytes of UTF-8 that a text may have, once repaired and trimmed.
    :param repaired: whether duplicate encoding of a text is repaired first.
    """

    name: str
    column: str
    kind: Literal["text", "integer", "number", "time"] = "text"
    width: int | None = None
    repaired: bool = False


@dataclass(frozen=True)
class Rule:
    """A rule that rows are judged by.

    :param name: unique within its source or target; refused rows and the run log show it.
    :param predicate: the condition on the rows; NULL counts as broken.
    :param reason: the condition in words.
    :param severity: ``reject`` refuses the row, ``warn`` counts it, ``fail`` rolls the load back.
    """

    name: str
    predicate: Predicate
    reason: str
    severity: Severity = "reject"


@dataclass(frozen=True)
class Source:
    """Files of one kind: where they are, how their rows are staged, typed and judged.

    The columns of the staging table name the JSON key they hold in ``info["key"]``.

    :param setting: the setting that names the place of the files; ``[sources]`` names it by the
        name of the source.
    :param fields: the columns of the typed rows.
    :param rules: a row is refused by the first that it breaks.
    :param person: field (text or integer) that identifies the person a row is about.
    """

    name: str
    setting: str
    staging: sa.Table
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    person: str | None = None

    @property
    def columns(self) -> tuple[sa.Column[Any], ...]:
        """The staging columns that hold the values of a file, in the order of the table."""
        return tuple(c for c in self.staging.columns if "key" in c.info)

    @property
    def keys(self) -> dict[str, str]:
        """The staging column of each JSON key."""
        return {c.info["key"]: c.name for c in self.columns}


@dataclass(frozen=True)
class Lookup:
    """One way to find foreign keys: columns to match, columns to fill, preferred match.

    :param name: name of it in plans and steps.
    :param on: columns to match: column of the fact to column of the reference.
    :param fills: columns to fill: column of the fact to column of the reference.
    :param prefer: order of several matches: column of the reference, "greatest" or "least" first.
    """

    name: str
    on: Mapping[str, str]
    fills: Mapping[str, str]
    prefer: tuple[tuple[str, Literal["greatest", "least"]], ...]


@dataclass(frozen=True)
class Resolution:
    """How rows of a fact find rows of a reference table.

    When a row of the reference changes, facts with the same value of ``link`` are resolved again.

    :param link: column of the fact and column of the reference.
    :param lookups: tried in this order; the first that finds a row fills its columns.
    """

    reference: sa.Table
    link: tuple[str, str]
    lookups: tuple[Lookup, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the fact that the look-ups fill."""
        return tuple(dict.fromkeys(name for look in self.lookups for name in look.fills))


@dataclass(frozen=True)
class Derivation:
    """How rows of a target are computed from other tables, for the keys that a load touches.

    :param follows: the table whose staged and replaced rows touch keys of the target.
    :param key: column of ``follows`` that holds the touched key.
    :param rows: a function of ``Derived`` that returns a select of complete new rows.
    """

    follows: sa.Table
    key: str
    rows: Callable[[Derived], sa.Select[Any]]


@dataclass(frozen=True)
class Derived:
    """What a derivation may read: the touched keys, the typed rows of the load, the target."""

    keys: sa.FromClause
    rows: Rows
    target: sa.Table


@dataclass(frozen=True)
class Target:
    """A table of the star and how it is fed.

    :param table: its primary key is the natural key; its foreign keys are checked.
    :param source: name of the source whose rows feed it.
    :param columns: the expression of each column over the typed rows.
    :param scope: which rows belong here; all when None.
    :param rank: decides between several rows of one key in a load, before the columns in the
        order of the table: names of columns, or whole numbers; the greatest wins.
    :param newest_wins: whether a stored row that ranks higher stays (the staged row is stale).
    :param resolution: foreign keys found by look-up.
    :param derivation: rows computed from other tables instead of inserted as staged.
    :param checks: rules that every row must satisfy when the load ends.
    :param person: column that identifies the person a row is about; so do columns that refer to
        it by foreign key.
    """

    table: sa.Table
    source: str
    columns: Mapping[str, Callable[[Rows], sa.ColumnElement[Any]]]
    scope: Predicate | None = None
    rank: tuple[str | Callable[[Rows], sa.ColumnElement[int]], ...] = ()
    newest_wins: bool = False
    resolution: Resolution | None = None
    derivation: Derivation | None = None
    checks: tuple[Rule, ...] = ()
    person: str | None = None

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.name

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the columns of the natural key."""
        return tuple(c.name for c in self.table.primary_key.columns)


@dataclass(frozen=True)
class Chart:
    """A question to the star whose answer the report draws.

    :param name: short and unique; ``title``: the heading; ``what``: a sentence below it.
    :param query: returns a select of columns that identify a row, then whole numbers.
    :param kind: ``ranking`` (names, then a number as a bar; in the order of the query, at most
        50), ``days`` (year, month, day, then a series for each column, stacked; many days are
        added up to months or years), ``grid`` (row, column, and a number as a shade).
    :param names: for rankings: number of columns that name a row.
    :param rows: for grids: names of the rows by number.
    :param columns: for grids: names of the columns by number.
    """

    name: str
    title: str
    what: str
    kind: Literal["ranking", "days", "grid"]
    query: Callable[[], sa.Select[Any]]
    names: int = 1
    rows: Mapping[int, str] = field(default_factory=dict)
    columns: Mapping[int, str] = field(default_factory=dict)

    @property
    def keys(self) -> int:
        """Number of columns that identify a row."""
        return {"days": 3, "grid": 2}.get(self.kind, self.names)


@dataclass(frozen=True)
class Declarations:
    """All sources and targets of a warehouse, in the order in which they are loaded.

    :param version_locations: folders with Alembic revisions of your own tables.
    :param charts: what the report draws from the star.
    """

    sources: tuple[Source, ...] = ()
    targets: tuple[Target, ...] = ()
    version_locations: tuple[str, ...] = field(default=())
    charts: tuple[Chart, ...] = ()

    def source(self, name: str) -> Source:
        """Returns the source of that name.

        :raises UsageError: when there is none.
        """
        return _named(name, self.sources, "source")

    def target(self, name: str) -> Target:
        """Returns the target whose table has that name.

        :raises UsageError: when there is none.
        """
        return _named(name, self.targets, "target")

    def extended(
        self,
        sources: Iterable[Source] = (),
        targets: Iterable[Target] = (),
        version_locations: Iterable[str] = (),
        charts: Iterable[Chart] = (),
    ) -> Declarations:
        """These declarations with others added, for a warehouse with your own tables."""
        return Declarations(
            self.sources + tuple(sources),
            self.targets + tuple(targets),
            self.version_locations + tuple(version_locations),
            self.charts + tuple(charts),
        )


_Named = TypeVar("_Named", Source, Target)


def _named(name: str, declared: Sequence[_Named], kind: str) -> _Named:
    for each in declared:
        if each.name == name:
            return each
    names = ", ".join(each.name for each in declared)
    raise UsageError(f"there is no {kind} named {name}", f"declared {kind}s: {names}")
