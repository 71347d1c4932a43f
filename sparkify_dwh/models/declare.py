"""What a warehouse consists of, as data: sources, their fields and rules, targets, look-ups.

The steps of a load read these declarations and know nothing else of songs or plays. Predicates and
expressions are functions of *rows*: the typed rows of a source, with one column for each field and

* ``given_<field>``: whether a number or time was given at all (not NULL, not ''),
* ``fits_<field>``: whether a text is within its width in bytes after repair and trim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa

from ..core.errors import UsageError

Rows = sa.FromClause
Predicate = Callable[[Rows], sa.ColumnElement[bool]]
Severity = Literal["reject", "warn", "fail"]


@dataclass(frozen=True)
class Field:
    """One value of a staged row: a staging column read as a type.

    :param name: name among the typed rows.
    :param column: staging column it is read from.
    :param kind: ``text`` (trimmed, '' is NULL), ``integer`` (BIGINT), ``number`` (DOUBLE) or
        ``time`` (milliseconds since 1970 as TIMESTAMP, NULL outside 2000..2100).
    :param width: bytes of UTF-8 a text may have after repair and trim.
    :param repaired: whether a text was encoded twice too often and is mended first.
    """

    name: str
    column: str
    kind: Literal["text", "integer", "number", "time"] = "text"
    width: int | None = None
    repaired: bool = False


@dataclass(frozen=True)
class Rule:
    """A rule that rows are judged by.

    :param name: as refused rows and the run log show it; unique within its source or target.
    :param predicate: what must hold, given the rows; NULL counts as broken.
    :param reason: what must hold, in words.
    :param severity: ``reject`` refuses the row, ``warn`` counts it, ``fail`` rolls the load back.
    """

    name: str
    predicate: Predicate
    reason: str
    severity: Severity = "reject"


@dataclass(frozen=True)
class Source:
    """Files of one kind: where their rows are staged, how they are typed and judged.

    The staging table's columns carry the key of the file's JSON in ``info["key"]``.

    :param setting: the setting, or the entry of ``[sources]``, that says where the files are.
    :param fields: the values of its typed rows; ``rules``: in the order in which they refuse.
    :param person: name of the field (text or integer) that tells which person a row is about.
    """

    name: str
    setting: str
    staging: sa.Table
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    person: str | None = None

    @property
    def columns(self) -> tuple[sa.Column[Any], ...]:
        """The staging columns that hold what a file says, in the table's order."""
        return tuple(c for c in self.staging.columns if "key" in c.info)

    @property
    def keys(self) -> dict[str, str]:
        """Staging column by JSON key."""
        return {c.info["key"]: c.name for c in self.columns}


@dataclass(frozen=True)
class Lookup:
    """One way to find foreign keys: equal columns, the columns it gives, the order of preference.

    :param name: as plans and steps call it.
    :param on: column of the fact: column of the reference.
    :param gives: column of the fact: column of the reference.
    :param prefer: order of several hits: column of the reference, "greatest" or "least" first.
    """

    name: str
    on: Mapping[str, str]
    gives: Mapping[str, str]
    prefer: tuple[tuple[str, Literal["greatest", "least"]], ...]


@dataclass(frozen=True)
class Resolution:
    """How a fact finds rows of a reference table, earlier look-ups first.

    A change of the reference touches the facts that share the value of ``link``
    (column of the fact, column of the reference); they are resolved again.

    :param lookups: tried in this order; the first that finds a row fills the columns it gives.
    """

    reference: sa.Table
    link: tuple[str, str]
    lookups: tuple[Lookup, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the fact that look-ups fill, in order."""
        return tuple(dict.fromkeys(name for look in self.lookups for name in look.gives))


@dataclass(frozen=True)
class Derivation:
    """A target whose rows are computed from other tables for the keys that a load touches.

    :param follows: the table whose staged and replaced rows touch keys of this one.
    :param key: column of ``follows`` that holds the touched key.
    :param rows: select of full new rows, given ``Derived`` (keys, staged rows, own table).
    """

    follows: sa.Table
    key: str
    rows: Callable[[Derived], sa.Select[Any]]


@dataclass(frozen=True)
class Derived:
    """What a derivation may read: touched keys, typed rows of the load, the target itself."""

    keys: sa.FromClause
    rows: Rows
    target: sa.Table


@dataclass(frozen=True)
class Target:
    """A table of the star and how it is fed.

    :param table: the table; its primary key is the natural key, its foreign keys are checked.
    :param source: the source whose rows feed it.
    :param columns: expression of each staged column over the typed rows.
    :param scope: which rows belong here; None: all.
    :param rank: what decides among several rows of one key in a load, before the columns
        in the table's order: names of staged columns or whole numbers; greatest wins.
    :param newest_wins: whether a stored row that ranks higher stays (and the staged row is stale).
    :param resolution: foreign keys found by look-up.
    :param derivation: rows computed from other tables instead of inserted as staged.
    :param checks: predicates every row must fulfil when the load ends.
    :param person: name of the column that tells which person a row is about; columns that point
        to it by foreign key do so too.
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
        """Names of the natural key's columns."""
        return tuple(c.name for c in self.table.primary_key.columns)


@dataclass(frozen=True)
class Chart:
    """A question that the star answers; the report draws it.

    :param name: short and unique; ``title``: the heading; ``what``: a sentence below it.
    :param query: gives a select: columns that say what a row is of, then whole numbers.
    :param kind: ``ranking`` (names, then a number as a bar; in the query's order, 50 at most),
        ``days`` (year, month, day, then one series for each column, stacked; many days are added up
        to months or years), ``grid`` (row, column, and a number as a shade).
    :param names: for rankings: how many columns name a row.
    :param rows: for grids: the rows' names by number.
    :param columns: for grids: the columns' names by number.
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
        """How many columns say what a row is of."""
        return {"days": 3, "grid": 2}.get(self.kind, self.names)


@dataclass(frozen=True)
class Declarations:
    """All sources and targets of a warehouse, in the order in which they are loaded.

    :param version_locations: folders with Alembic revisions of tables of one's own.
    :param charts: what the report draws of the star.
    """

    sources: tuple[Source, ...] = ()
    targets: tuple[Target, ...] = ()
    version_locations: tuple[str, ...] = field(default=())
    charts: tuple[Chart, ...] = ()

    def source(self, name: str) -> Source:
        """The source of a name.

        :raises UsageError: when no source has that name.
        """
        for source in self.sources:
            if source.name == name:
                return source
        names = ", ".join(source.name for source in self.sources)
        raise UsageError(f"there is no source named {name}", f"declared sources: {names}")

    def extended(
        self,
        sources: Iterable[Source] = (),
        targets: Iterable[Target] = (),
        version_locations: Iterable[str] = (),
        charts: Iterable[Chart] = (),
    ) -> Declarations:
        """These declarations and further ones, for a warehouse with tables of its own."""
        return Declarations(
            self.sources + tuple(sources),
            self.targets + tuple(targets),
            self.version_locations + tuple(version_locations),
            self.charts + tuple(charts),
        )
