"""Statistics of a source's records: the values of each field, repeated keys, patterns.

Measured on 1.5 million events: grouping a field by its values and reading the groups is faster
than any query over all rows, and all statistics follow from the groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from ....steps.executor import Executor, temporary
from .record_reader import RecordReader, json_lines
from .values import given_value, statistics, typed, typed_table

_STEP = "profile"


class Scan:
    """The values of a source's records, with one column for each field; see ``read``."""

    def __init__(self, ex: Executor, reader: RecordReader) -> None:
        self.ex, self.reader, self.name = ex, reader, reader.name
        self.names: list[str] = []
        self.present: dict[str, int] = {}
        self.table = temporary("profiled")
        self._narrowed_tables: dict[str, sa.Table] = {}
        self.values, self._created = typed_table(), False

    # The records --------------------------------------------------------------------------

    def rows(self) -> int:
        """The rows of ``key_sets``: records, and lines that are not records."""
        return self._number(sa.select(sa.func.sum(self.reader.key_sets.c.n)))

    def repeated_keys(self) -> int:
        """Records that repeat a key."""
        sets = self.reader.key_sets.c
        unique = sa.func.list_distinct(sets.names)
        twice = sa.func.len(sets.names) != sa.func.len(unique)
        return self._number(sa.select(sa.func.sum(sets.n)).where(twice))

    def find_fields(self, most: int) -> int:
        """Fills ``names``, in the order of the records, and ``present``.

        :returns: how many fields exceed ``most``.
        """
        sets = self.reader.key_sets.c
        own = self.reader.spool.injected
        each = sa.select(
            sa.func.unnest(sa.func.list_distinct(sets.names)).label("key"), sets.n
        ).subquery()
        found = self._rows(
            sa.select(each.c.key, sa.func.sum(each.c.n))
            .where(each.c.key.not_in(own))
            .group_by(each.c.key)
            .order_by(sa.func.sum(each.c.n).desc(), each.c.key)
        )
        usual = self._rows(
            sa.select(sets.names)
            .where(sets.names.is_not(None))
            .order_by(sets.n.desc(), sa.func.len(sets.names).desc(), sets.names)
            .limit(1)
        )
        self.present = {key: int(n) for key, n in found[:most]}
        order = [key for (keys,) in usual for key in keys if key in self.present]
        self.names = list(dict.fromkeys([*order, *self.present]))
        return len(found) - len(self.present)

    def read(self) -> None:
        """Reads the values of all fields, as JSON text, into ``table``."""
        columns = [sa.Column(f"c{n}", sa.String) for n in range(len(self.names))]
        self.table = temporary("profiled", *columns)
        if not columns:
            return
        self.ex.create(self.table, step="read", target=self.name)
        lines = json_lines()
        values = sa.select(
            sa.func.json_extract(
                lines.c.json, sa.bindparam("paths", type_=sa.ARRAY(sa.String))
            ).label("found")
        ).subquery("extracted")
        picked = [sa.func.list_extract(values.c.found, n + 1) for n in range(len(columns))]
        self.ex.change(
            sa.insert(self.table).from_select([c.name for c in columns], sa.select(*picked)),
            {"files": self.reader.files, "paths": [_pointer(name) for name in self.names]},
            step="read",
            target=self.name,
        )

    def column(self, name: str) -> sa.Column[Any]:
        """The column of a field's values."""
        return self.table.c[self.names.index(name)]

    # One field ----------------------------------------------------------------------------

    def field(self, name: str) -> Any:
        """Groups the values of a field for the next queries; returns its statistics."""
        column, values = self.column(name), self.values
        # The same table for every field, so that statements are compiled once.
        if self._created:
            self.ex.change(sa.schema.DropTable(values), step=_STEP, target=self.name)
        self._created = True
        self.ex.create(values, step=_STEP, target=self.name)
        grouped = (
            sa.select(column.label("v"), sa.func.count().label("n"))
            .where(column.is_not(None))
            .group_by(column)
            .subquery("grouped")
        )
        self.ex.change(
            sa.insert(values).from_select([c.name for c in values.c], typed(grouped)),
            step=_STEP,
            target=self.name,
        )
        (numbers,) = self._rows(statistics(values))
        return numbers._mapping

    def frequent(self, most: int) -> Sequence[Any]:
        """The most frequent values of the field, with their numbers of records."""
        v, n, kind = self.values.c.v, self.values.c.n, self.values.c.kind
        return self._rows(
            sa.select(v, n).where(kind.is_not(None)).order_by(n.desc(), v).limit(most)
        )

    def double_encoded(self) -> Sequence[Any]:
        """Texts of the field that may be double-encoded, with their numbers of records."""
        text, n = self.values.c.text, self.values.c.n
        return self._rows(sa.select(text, n).where(self.values.c.double_encoded).order_by(text))

    def examples(self, *damages: str) -> list[str]:
        """Three texts of the field with one of these kinds of damage."""
        text = self.values.c.text
        damaged = sa.or_(*(self.values.c[name] for name in damages))
        return [
            str(value)
            for (value,) in self._rows(sa.select(text).where(damaged).order_by(text).limit(3))
        ]

    # Several fields -----------------------------------------------------------------------

    def repeats(self, names: Sequence[str], narrow: str | None) -> int:
        """Records whose values of these fields an earlier record has.

        :param narrow: one of the fields; the query reads only records that repeat its value.
        """
        table = self.table if narrow is None else self._narrowed(narrow)
        columns = [table.c[self.column(name).name] for name in names]
        groups = (
            sa.select((sa.func.count() - 1).label("more"))
            .where(*(column.is_not(None) for column in columns))
            .group_by(*columns)
            .having(sa.func.count() > 1)
            .subquery()
        )
        return self._number(sa.select(sa.func.sum(groups.c.more)))

    def _narrowed(self, name: str) -> sa.Table:
        """The records whose value of a field another record has too."""
        column = self.column(name)
        place = f"repeated_{column.name}"
        if place not in self._narrowed_tables:
            columns = [sa.Column(c.name, sa.String) for c in self.table.c]
            self._narrowed_tables[place] = temporary(place, *columns)
            self.ex.create(self._narrowed_tables[place], step=_STEP, target=self.name)
            again = sa.select(column).group_by(column).having(sa.func.count() > 1)
            rows = sa.select(self.table).where(column.in_(again))
            names = [c.name for c in columns]
            statement = sa.insert(self._narrowed_tables[place]).from_select(names, rows)
            self.ex.change(statement, step=_STEP, target=self.name)
        return self._narrowed_tables[place]

    def duplicates(self, names: Sequence[str]) -> int:
        """Records that equal another one in all fields.

        :param names: a subset of the fields; the fewer records repeat it, the faster.
        """
        if not self.names:
            return max(0, self.rows() - self.reader.lost - 1)
        rows: sa.FromClause = self.table
        columns = [self.column(name) for name in names]
        if columns:
            again = (
                sa.select(*columns).group_by(*columns).having(sa.func.count() > 1).subquery("again")
            )
            same = [self.table.c[c.name].is_not_distinct_from(again.c[c.name]) for c in columns]
            rows = self.table.join(again, sa.and_(*same))
        given = sa.or_(sa.false(), *(c.is_not(None) for c in self.table.c))
        groups = (
            sa.select((sa.func.count() - 1).label("more"))
            .select_from(rows)
            .where(given)
            .group_by(*self.table.c)
            .having(sa.func.count() > 1)
            .subquery()
        )
        equal = self._number(sa.select(sa.func.sum(groups.c.more)))
        # A row without any value is a record without keys, or a line that is not a record.
        bare = self._number(sa.select(sa.func.count()).select_from(self.table).where(~given))
        return equal + max(0, bare - self.reader.lost - 1)

    def patterns(
        self, optional: Sequence[str], grouped_by: Sequence[str]
    ) -> Iterator[tuple[tuple[bool, ...], tuple[Any, ...], int]]:
        """Combinations of present optional fields and of values of ``grouped_by``, with counts."""
        masks = []
        for start in range(0, len(optional), 60):
            bits = [
                sa.case((given_value(self.column(name)), 1 << n), else_=0)
                for n, name in enumerate(optional[start : start + 60])
            ]
            total: sa.ColumnElement[Any] = bits[0]
            for bit in bits[1:]:
                total = total + bit
            masks.append(sa.cast(total, sa.BigInteger).label(f"mask{start}"))
        others = [self.column(name) for name in grouped_by]
        statement = sa.select(*masks, *others, sa.func.count().label("rows"))
        for row in self._rows(statement.group_by(*masks, *others)):
            flags = [
                bool(mask >> n & 1)
                for start, mask in zip(range(0, len(optional), 60), row, strict=False)
                for n in range(len(optional[start : start + 60]))
            ]
            yield tuple(flags), tuple(row[len(masks) : -1]), row[-1]

    def _rows(self, statement: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        return self.ex.rows(statement, step=_STEP, target=self.name)

    def _number(self, statement: sa.Select[Any]) -> int:
        ((value,),) = self._rows(statement)
        return int(value or 0)


def _pointer(name: str) -> str:
    """A JSON Pointer (RFC 6901) to a key: unlike a path it allows any key."""
    return "/" + name.replace("~", "~0").replace("/", "~1")
