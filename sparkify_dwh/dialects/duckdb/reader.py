"""How DuckDB reads files: large sound ones itself, small and odd ones spooled together first.

Measured: a list of 15,000 one-object files opens in 12 to 15 s; the same bytes concatenated first
load in 0.3 s. Lines that come back as rows of NULLs, and values that may be no plain text, are
looked at again by ``records``, line by line; a whole object only where its lines are no records.
"""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa

from ...models.declare import Source
from ...models.expressions import HasBit
from ...steps.executor import Executor
from ...steps.judge import first_rule, reject_bits
from ...steps.locate import pick_lines, records_of
from ...steps.quarantine import Quarantine
from ...storage import json_records
from ...storage.objects import Object, ObjectsChanged, changed_files
from ..base import Piece, Reading
from ..compacted_reader import CompactedReader
from .doubtful_rows import doubtful_rows
from .incoming_table import create_incoming, fill_in_places, number_rows, piece_table
from .line_survey import is_record_a_line
from .object_sorter import ObjectSorter

_READ, _LOOK = "read", "second look"
#: Bytes of lines that are held while they are looked at, and records of one line.
_HELD, _MANY = 32 * 1024 * 1024, 10_000


class Reader:
    """Reads the objects of one source into its raw table and finds a row's record again.

    Every piece that DuckDB reads, an object or a spool file, gives its rows in the order of its
    lines, so that a row's number within its piece leads back to its line.
    """

    def __init__(
        self,
        ex: Executor,
        source: Source,
        raw: sa.Table,
        scratch: Path,
        quarantine: Quarantine,
        insert: Callable[[Sequence[str], tuple[str, str]], sa.Insert],
        compacted: CompactedReader,
        fill: Callable[..., int],
    ) -> None:
        self.ex, self.source, self.raw, self.scratch = ex, source, raw, scratch
        self.quarantine, self.insert, self.compacted, self.fill = (
            quarantine,
            insert,
            compacted,
            fill,
        )
        self.reading = Reading()
        self.intake = ObjectSorter(scratch, source, quarantine, self.reading)
        self.spool = self.intake.spool
        self.pieces: dict[str, Piece] = {}
        #: First row of each piece, by the numbers that rows got when they were read.
        self.first: dict[str, int] = {}
        self._rows = 0
        self._gone: list[int] = []
        self._cut_paths: set[str] = set()

    def read(self, objects: Sequence[Object]) -> Reading:
        """Fills the raw table; refused records go to the quarantine.

        :raises ObjectsChanged: when it fails and objects are no longer what was listed.
        """
        create_incoming(self.ex, self.source, self.raw)
        objects = [] if self.ex.planning else objects
        self.intake.objects = {each.key: each for each in objects}
        try:
            with self._steady():
                self._read(objects)
                self.reading.changed |= changed_files(objects, os.stat)
        finally:
            self.intake.close()
        return self.reading

    def _read(self, objects: Sequence[Object]) -> None:
        with self.ex.timed(_READ, self.source.name):
            direct = []
            for each in objects:
                if self.intake.accept(each):
                    direct.append(each.key)
                self.ex.observer.advance(_READ, self.source.name, each.size)
        pieces = [Piece(self.intake.plain[key], key) for key in direct]
        pieces += self.spool.take(cut=False)
        with self.ex.when("there are lines to read", pieces) as wanted:
            if wanted:
                self._read_lines(pieces)
                if late := self.spool.take(cut=False):
                    self._read_lines(late)
                self._second_look()
                self._tell_lines(pieces)
        cut = self.spool.take(cut=True)
        with self.ex.when("objects were cut into records", cut) as wanted:
            if wanted:
                self._insert(cut)
        with self.ex.when("objects are compacted", self.compacted.files) as wanted:
            if wanted:
                with self.ex.timed(_READ, self.source.name):
                    pieces = self.compacted.extract(self.reading)
                self.compacted.check(pieces, self._insert(pieces, self.compacted.injected))

    @contextmanager
    def _steady(self) -> Iterator[None]:
        """An object that changes while it is read may fail anywhere: then that is the reason."""
        try:
            yield
        except Exception as error:
            changed = changed_files(self.intake.objects.values(), os.stat)
            if not changed:
                raise
            raise ObjectsChanged(changed) from error

    # Reading ------------------------------------------------------------------------------

    def _read_lines(self, pieces: list[Piece]) -> None:
        """Reads pieces of a record a line; takes back those that turn out to be no such thing."""
        try:
            rows = self._insert(pieces)
        except sa.exc.DBAPIError as error:
            if not isinstance(error.orig, duckdb.InvalidInputException):
                raise
            # A record over several lines fails the whole statement, and nothing was inserted.
            self.ex.connection.rollback()
            rest = [p for p in pieces if not self._is_unfit(p)]
            odd = [p for p in rest if not is_record_a_line(p.path)]
            if len(rest) == len(pieces) and not odd:
                odd = rest
            for piece in odd:
                self._cut(piece)
            if rest := [p for p in rest if p not in odd]:
                self._read_lines(rest)
            return
        for piece in pieces:
            found = rows.get(piece.path, 0)
            if self._is_unfit(piece):
                self._take_back(piece, 0, found)
            elif found != piece.rows:
                self._take_back(piece, 0, found)
                self._cut(piece)

    def _is_unfit(self, piece: Piece) -> bool:
        """Spools an object that is, all in all, not to be read where it lies."""
        if piece.key is None:
            return False
        with self.ex.timed(_READ, self.source.name):
            piece.rows = self.intake.lines(self.intake.objects[piece.key])
        if not piece.rows:
            self._cut_paths.add(piece.path)
        return not piece.rows

    def _insert(
        self, pieces: Iterable[Piece], injected: tuple[str, str] | None = None
    ) -> dict[str, int]:
        """Reads pieces; returns the rows of each file and notes where they start."""
        pieces = list(pieces)
        names = [*(c.name for c in self.source.columns), "_object", "_line", "_file", "_row"]
        statement = self.insert(names, injected or self.spool.injected)
        paths = [piece.path for piece in pieces]
        self.ex.change(statement, {"files": paths}, step=_READ, target=self.source.name)
        found = number_rows(self.ex, self.source, self.raw, self._rows)
        self.pieces |= {piece.path: piece for piece in pieces}
        self.first |= {path: first for path, (first, _) in found.items()}
        self._rows += sum(count for _, count in found.values())
        return {path: count for path, (_, count) in found.items()}

    def _cut(self, piece: Piece) -> None:
        """Cuts the object, or the spooled lines of objects, into records."""
        self._cut_paths.add(piece.path)
        if piece.key is not None:
            each = self.intake.objects[piece.key]
            with self.intake.opened(each) as body:
                self.reading.read[piece.key] = self.spool.cut(each, body)
            return
        with Path(piece.path).open("rb") as file:
            for row, spooled in enumerate(file):
                line, text = self.spool.restored(spooled)
                each = self.intake.objects[piece.owner(row)]
                parts = json_records.split(text, self.source.keys, line)
                self.reading.read[each.key] += self.spool.add_parts(each, parts) - 1

    def _take_back(self, piece: Piece, start: int, end: int) -> None:
        first = self.first.get(piece.path, 0)
        self._gone += range(first + start, first + end)

    # The second look ----------------------------------------------------------------------

    def _second_look(self) -> None:
        """Looks again at rows of NULLs and at values that may be no plain text."""
        by_path: dict[str, dict[int, bool]] = defaultdict(dict)
        for number, path, again in self.ex.rows(
            doubtful_rows(self.source, self.raw), step=_LOOK, target=self.source.name
        ):
            by_path[path][number - self.first[path]] = again
        for key, numbers in self.intake.odd.items():
            path = self.intake.plain[key]
            by_path[path] = dict.fromkeys(numbers, False) | by_path[path]
        with self.ex.timed(_LOOK, self.source.name):
            for path, rows in by_path.items():
                if path not in self._cut_paths:
                    self._look_at(self.pieces[path], dict(sorted(rows.items())))
        with self.ex.when("rows are taken back", self._gone) as holds:
            if holds:
                self._drop()

    def _look_at(self, piece: Piece, rows: Mapping[int, bool]) -> None:
        """Looks at rows of a piece: number within it, whether to read it again even if sound."""
        looked: list[tuple[int, Iterable[json_records.Record]]] = []
        # A record of an object may go on in the next line, and then only the whole object tells.
        apart, held = piece.key is None, 0
        with Path(piece.path).open("rb") as file:
            for (row, again), (number, text, after) in zip(
                rows.items(), pick_lines(file, list(rows)), strict=True
            ):
                line = number + 1
                if piece.key is None:
                    line, text = self.spool.restored(text)
                rest = json_records.split(text, self.source.keys, line)
                parts = list(islice(rest, _MANY))
                held += len(text)
                goes_on = not apart and after not in b"{" and any(p.is_open for p in parts[-1:])
                if not apart and (held > _HELD or len(parts) == _MANY):
                    left = [other for other in rows if other >= row]
                    goes_on, apart = goes_on or self._goes_on(piece, left), True
                if goes_on:
                    self._take_back(piece, 0, piece.rows)
                    self._cut(piece)
                    return
                if again or len(parts) != 1 or parts[0].rule:
                    looked.append((row, chain(parts, rest)))
                if apart:
                    self._put_back(piece, looked)
        self._put_back(piece, looked)

    def _goes_on(self, piece: Piece, rows: Sequence[int]) -> bool:
        """Whether one of these rows may hold a record that goes on in the next line."""
        with Path(piece.path).open("rb") as file:
            return any(
                last.is_open
                for _, text, after in pick_lines(file, rows)
                if after not in b"{"
                for last in deque(json_records.split(text, self.source.keys), 1)
            )

    def _put_back(
        self, piece: Piece, looked: list[tuple[int, Iterable[json_records.Record]]]
    ) -> None:
        """Spools or refuses the records of rows that were looked at; forgets them."""
        for row, parts in looked:
            self._take_back(piece, row, row + 1)
            each = self.intake.objects[piece.owner(row)]
            self.reading.read[each.key] += self.spool.add_parts(each, parts) - 1
        looked.clear()

    def _drop(self) -> None:
        gone = sa.func.unnest(sa.bindparam("places", type_=sa.ARRAY(sa.BigInteger)))
        self.ex.change(
            sa.delete(self.raw).where(self.raw.c._row.in_(sa.select(gone))),
            {"places": self._gone},
            step=_LOOK,
            target=self.source.name,
        )
        self._gone = []

    # The way back ---------------------------------------------------------------------------

    def _tell_lines(self, pieces: Iterable[Piece]) -> None:
        """Fills in object and line of the rows of objects that were read where they lie."""
        direct = [p for p in pieces if p.key is not None and p.path in self.first]
        with self.ex.when("objects were read where they lie", direct) as wanted:
            if not wanted:
                return
            back = piece_table(self.source)
            self.ex.create(back, step=_READ, target=self.source.name)
            rows = [{"file": p.path, "object": p.key, "first": self.first[p.path]} for p in direct]
            self.fill(self.ex, back, rows, step=_READ, target=self.source.name)
            linked = [p for p in direct if p.path != p.key]
            fill_in_places(self.ex, self.source, self.raw, back, linked)

    def quarantine_rows(self, violations: sa.Table) -> None:
        """Sends rows that broke a rule to the quarantine, with the bytes of their records.

        :raises ObjectsChanged: when objects are no longer what was listed.
        """
        found = self.ex.rows(
            sa.select(violations)
            .where(HasBit(violations.c.mask, reject_bits(self.source)))
            .order_by(violations.c.place),
            step="quarantine",
            target=self.source.name,
        )
        by_key: dict[str, dict[int, list[Any]]] = defaultdict(lambda: defaultdict(list))
        for row in found:
            by_key[row._object][row._line].append(row)
        with self.ex.timed("quarantine", self.source.name), self._steady():
            # What came from a compacted object is shown as it stands in its own.
            for each, plain in self.compacted.originals(by_key):
                self.intake.objects[each.key] = each
                self.intake.plain[each.key] = plain
                self.spool.parted.add(each.key)
            for key, rows in by_key.items():
                with self.intake.opened(self.intake.objects[key]) as file:
                    cut = key in self.spool.parted
                    for row, line, raw in records_of(file, rows, self.source.keys, cut):
                        rule = first_rule(self.source, row.mask)
                        add = self.quarantine.add
                        add(self.source.name, rule.name, rule.reason, key, line, raw)
