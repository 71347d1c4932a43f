"""Rows of the raw table, by the pieces they were read from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import sqlalchemy as sa

from ...models.declare import Source
from ...steps.executor import Executor
from ..base import Piece
from .incoming_table import fill_in_places, insert_lines, number_rows, piece_table

READ, SECOND_LOOK = "read", "second look"


class RawRows:
    """Reads pieces into a source's raw table, and takes rows back.

    Every piece, an object or a spool file, becomes rows in the order of its lines, so that a row's
    number within its piece leads to its line.

    :param fill: ``Engine.fill``.
    """

    def __init__(
        self, ex: Executor, source: Source, raw: sa.Table, fill: Callable[..., int]
    ) -> None:
        self.ex, self.source, self.raw, self.fill = ex, source, raw, fill
        self.pieces: dict[str, Piece] = {}
        #: Number of each piece's first row.
        self.first: dict[str, int] = {}
        self._count = 0
        self._taken_back: list[int] = []

    def insert(self, pieces: Sequence[Piece], injected: tuple[str, str]) -> dict[str, int]:
        """Reads pieces; returns the rows of each file.

        :param injected: keys of a line that name its object and line.
        """
        statement = insert_lines(self.source, self.raw, injected)
        paths = [piece.path for piece in pieces]
        self.ex.change(statement, {"files": paths}, step=READ, target=self.source.name)
        numbered = number_rows(self.ex, self.source, self.raw, self._count)
        self.pieces |= {piece.path: piece for piece in pieces}
        self.first |= {path: first for path, (first, _) in numbered.items()}
        self._count += sum(count for _, count in numbered.values())
        return {path: count for path, (_, count) in numbered.items()}

    def take_back(self, piece: Piece, start: int, end: int) -> None:
        """Marks rows of a piece for deletion, by their numbers within it."""
        first = self.first.get(piece.path, 0)
        self._taken_back += range(first + start, first + end)

    def delete_taken_back(self) -> None:
        """Deletes the marked rows."""
        with self.ex.when("rows are taken back", self._taken_back) as should_delete:
            if not should_delete:
                return
            numbers = sa.func.unnest(sa.bindparam("places", type_=sa.ARRAY(sa.BigInteger)))
            self.ex.change(
                sa.delete(self.raw).where(self.raw.c._row.in_(sa.select(numbers))),
                {"places": self._taken_back},
                step=SECOND_LOOK,
                target=self.source.name,
            )
            self._taken_back = []

    def fill_in_places(self, pieces: Iterable[Piece]) -> None:
        """Fills in object and line of the rows of objects that were read directly."""
        direct = [p for p in pieces if p.key is not None and p.path in self.first]
        with self.ex.when("objects were read where they lie", direct) as should_fill:
            if not should_fill:
                return
            table = piece_table(self.source)
            self.ex.create(table, step=READ, target=self.source.name)
            rows = [{"file": p.path, "object": p.key, "first": self.first[p.path]} for p in direct]
            self.fill(self.ex, table, rows, step=READ, target=self.source.name)
            linked = [p for p in direct if p.path != p.key]
            fill_in_places(self.ex, self.source, self.raw, table, linked)
