"""How DuckDB reads files: large sound ones itself, small and odd ones spooled together first.

Measured: a list of 15,000 one-object files opens in 12 to 15 s; the same bytes concatenated first
load in 0.3 s. Lines that come back as rows of NULLs, and values that may be no plain text, are
looked at again by ``records``, line by line; a whole object only where its lines are no records.
"""

from __future__ import annotations

import io
import os
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import sqlalchemy as sa

from .. import records
from ..declare import Source
from ..discover import Object, ObjectsChanged, look_again
from ..executor import Executor
from ..quality import first_rule, reject_bits
from ..quarantine import MAX_RAW, Quarantine
from ..sql import HasBit, HasNul
from ..transform import temporary
from .base import Reading
from .spool import Piece, Spool, inflate, pick_lines, survey, unpack

#: Objects below this size are spooled: opening a file costs DuckDB about a millisecond.
SMALL = 256 * 1024
_READ, _LOOK = "read", "second look"
ROWID = sa.literal_column("rowid", sa.BigInteger)


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
    ) -> None:
        self.ex, self.source, self.raw, self.scratch = ex, source, raw, scratch
        self.quarantine, self.insert = quarantine, insert
        self.spool = Spool(scratch, source, quarantine)
        self.way_back = temporary(
            f"pieces_{source.name}",
            sa.Column("file", sa.String),
            sa.Column("object", sa.String),
            sa.Column("first", sa.BigInteger),
        )
        self.reading = Reading()
        self.pieces: dict[str, Piece] = {}
        self.objects: dict[str, Object] = {}
        #: Where the plain bytes of an object are; those of small gzip are unpacked again on demand.
        self.plain: dict[str, str] = {}
        self.packed: set[str] = set()
        self.odd: dict[str, Sequence[int]] = {}
        #: First row of each piece as it was read; rows that are deleted do not move the others.
        self.first: dict[str, int] = {}
        self._gone: list[int] = []

    def read(self, objects: Sequence[Object]) -> Reading:
        """Fills the raw table; refused records go to the quarantine.

        :raises ObjectsChanged: when it fails and objects are no longer what was listed.
        """
        self.ex.create(self.raw, step=_READ, target=self.source.name)
        objects = [] if self.ex.planning else objects
        self.objects = {each.key: each for each in objects}
        with self._steady():
            self._read(objects)
            self.reading.changed |= look_again(objects, os.stat)
        return self.reading

    def _read(self, objects: Sequence[Object]) -> None:
        with self.ex.timed(_READ, self.source.name):
            direct = {each.key: count for each in objects if (count := self._accept(each))}
        pieces = [Piece(self.plain[key], key, rows=count) for key, count in direct.items()]
        pieces += self.spool.take(cut=False)
        with self.ex.when("there are lines to read", pieces) as wanted:
            if wanted:
                self._read_lines(pieces)
                self._second_look()
        cut = self.spool.take(cut=True)
        with self.ex.when("objects were cut into records", cut) as wanted:
            if wanted:
                self._insert(cut)

    @contextmanager
    def _steady(self) -> Iterator[None]:
        """An object that changes while it is read may fail anywhere: then that is the reason."""
        try:
            yield
        except Exception as error:
            changed = look_again(self.objects.values(), os.stat)
            if not changed:
                raise
            raise ObjectsChanged(changed) from error

    # Before DuckDB reads ------------------------------------------------------------------

    def _accept(self, each: Object) -> int:
        """Lines of an object that DuckDB may read where it lies; 0: spooled, refused or gone."""
        try:
            return self._small(each) if each.size < SMALL else self._large(each, each.path)
        except FileNotFoundError:
            self.reading.changed.add(each.key)
        except OSError as error:
            self._refuse(each, "unreadable_object", str(error.strerror).encode())
        except zlib.error:
            self._refuse_whole(each)
        return 0

    def _small(self, each: Object) -> int:
        body = Path(each.path).read_bytes()
        if len(body) != each.size:
            self.reading.changed.add(each.key)
            return 0
        if body.startswith(records.GZIP_MAGIC):
            plain = b""
            for part in inflate(io.BytesIO(body)):
                plain += part
                if len(plain) > SMALL:
                    return self._large(each, each.path)
            self.packed.add(each.key)
            body = plain
        self.plain[each.key] = each.path
        self._spool(each, body[:4], io.BytesIO(body))
        return 0

    def _large(self, each: Object, path: str) -> int:
        head = _head(path, 4)
        if head.startswith(records.GZIP_MAGIC):
            path = unpack(path, self.scratch)
            head = _head(path, 4)
        elif each.key != path or set(path) & set("*?[]{}\\") or path.endswith(".gz"):
            # DuckDB takes glob characters and the ending .gz at their word, and only UTF-8.
            path = self._linked(path)
        self.plain[each.key] = path
        if records.is_utf8_text(head):
            found = survey(path)
            if found.plain and found.size >= SMALL:
                self.reading.read[each.key] = found.lines
                if found.odd:
                    self.odd[each.key] = found.odd
                return found.lines
        with Path(path).open("rb") as file:
            self._spool(each, head, file)
        return 0

    def _linked(self, path: str) -> str:
        target = self.scratch / f"link-{os.urandom(6).hex()}.json"
        target.symlink_to(path)
        return str(target)

    def _spool(self, each: Object, head: bytes, body: BinaryIO) -> None:
        if records.is_utf8_text(head):
            self.reading.read[each.key] = self.spool.add(each, body)
        else:
            self._refuse_whole(each)

    def _refuse_whole(self, each: Object) -> None:
        self._refuse(each, "undecodable_object", _head(each.path, MAX_RAW + 4))

    def _refuse(self, each: Object, rule: str, raw: bytes) -> None:
        size = each.size if rule == "undecodable_object" else len(raw)
        self.reading.read[each.key] = 1
        self.quarantine.add_unread(self.source.name, rule, each.key, 0, raw, size)

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
            odd = [p for p in pieces if not _line_by_line(p.path)] or pieces
            for piece in odd:
                self._cut(piece)
            rest = [p for p in pieces if p not in odd]
            if rest:
                self._read_lines(rest)
            return
        for piece in pieces:
            found = rows.get(piece.path, 0)
            if found != piece.rows and not self.ex.planning:
                self._take_back(piece, 0, found)
                self._cut(piece)

    def _insert(self, pieces: Iterable[Piece]) -> dict[str, int]:
        """Reads pieces; returns the rows of each file and notes where they start."""
        pieces = list(pieces)
        names = [*(c.name for c in self.source.columns), "_object", "_line", "_file"]
        statement = self.insert(names, self.spool.injected)
        paths = [piece.path for piece in pieces]
        self.ex.change(statement, {"files": paths}, step=_READ, target=self.source.name)
        file = self.raw.c._file
        found = self.ex.rows(
            sa.select(file, sa.func.min(ROWID), sa.func.count()).group_by(file),
            step=_READ,
            target=self.source.name,
        )
        self.pieces |= {piece.path: piece for piece in pieces}
        # Pieces read before may have lost their first row meanwhile.
        self.first = {path: first for path, first, _ in found} | self.first
        return {path: count for path, _, count in found}

    def _cut(self, piece: Piece) -> None:
        for key in [piece.key] if piece.key else dict.fromkeys(piece.keys):
            self._cut_object(self.objects[key])

    def _cut_object(self, each: Object) -> None:
        with self._opened(each) as body:
            self.reading.read[each.key] = self.spool.cut(each, body)

    def _opened(self, each: Object) -> BinaryIO:
        """The plain bytes of an object."""
        if each.key in self.packed:
            self.packed.discard(each.key)
            self.plain[each.key] = unpack(each.path, self.scratch)
        return Path(self.plain[each.key]).open("rb")

    def _take_back(self, piece: Piece, start: int, end: int) -> None:
        first = self.first.get(piece.path, 0)
        self._gone += range(first + start, first + end)

    # The second look ----------------------------------------------------------------------

    def _second_look(self) -> None:
        """Looks again at rows of NULLs and at values that may be no plain text."""
        by_key: dict[str, dict[int, bool]] = defaultdict(dict)
        for place, path, again in self.ex.rows(
            self._suspects(), step=_LOOK, target=self.source.name
        ):
            key, start, _ = self.pieces[path].owner(place - self.first[path])
            if key not in self.spool.cut_keys:
                by_key[key][place - self.first[path] - start] = again
        for key, numbers in self.odd.items():
            if key not in self.spool.cut_keys:
                by_key[key] = dict.fromkeys(numbers, False) | by_key[key]
        wanted = self._pieces_of(by_key)
        with self.ex.timed(_LOOK, self.source.name):
            for key, rows in by_key.items():
                self._look_at(self.objects[key], *wanted[key], dict(sorted(rows.items())))
        with self.ex.when("rows are taken back", self._gone) as holds:
            if holds:
                self._drop()

    def _suspects(self) -> sa.Select[Any]:
        """Place and file of rows to look at, and whether they must be read again even if sound.

        A row without values may stand for any line. DuckDB spells numbers in its own way, which
        changes nothing unless it needs an exponent or more than 15 digits; it takes ``inf`` and
        ``nan`` for numbers.
        """
        raw = self.raw
        columns = [raw.c[c.name] for c in self.source.columns]
        nothing = sa.func.coalesce(*columns).is_(None)
        texts = [
            sa.or_(sa.and_(c >= "[", c < "\\"), sa.and_(c >= "{", c < "|"), HasNul(c))
            for c in columns
        ]
        typed = {f.column for f in self.source.fields if f.kind != "text"}
        numbers = [raw.c[name] for name in sorted(typed)]
        spelled = [sa.or_(sa.func.contains(n, "e"), sa.func.instr(n, ".") > 16) for n in numbers]
        words = [sa.or_(n >= "A", sa.func.contains(n, "n")) for n in numbers]
        lost = sa.and_(nothing, raw.c._object.is_(None))
        again = sa.func.coalesce(sa.or_(lost, *spelled), sa.false())
        return (
            sa.select(ROWID, raw.c._file, again)
            .where(sa.or_(nothing, *texts, *spelled, *words))
            .order_by(ROWID)
        )

    def _pieces_of(self, keys: Iterable[str]) -> dict[str, tuple[Piece, int, int]]:
        """Piece of each object, its first and its end row in there."""
        found: dict[str, tuple[Piece, int, int]] = {}
        for piece in self.pieces.values():
            if piece.key in keys:
                found[piece.key] = piece, 0, piece.rows
            bounds = [*piece.starts, piece.rows]
            for at, key in enumerate(piece.keys):
                if key in keys:
                    found[key] = piece, bounds[at], bounds[at + 1]
        return found

    def _look_at(
        self, each: Object, piece: Piece, start: int, end: int, rows: Mapping[int, bool]
    ) -> None:
        """Looks at rows of an object: number within it, whether to read it again even if sound."""
        looked: list[tuple[int, list[records.Record]]] = []
        with self._opened(each) as file:
            numbers = self._line_numbers(file, piece, list(rows))
            for (row, again), (number, text, after) in zip(
                rows.items(), pick_lines(file, numbers), strict=True
            ):
                parts = list(records.split(text, self.source.keys, number + 1))
                last = parts[-1] if parts else None
                open_end = last and last.rule == "malformed_json" and last.raw[:1] == b"{"
                if open_end and after not in b"{":
                    # The record may go on in the next line: only the whole object tells.
                    self._take_back(piece, start, end)
                    self._cut_object(each)
                    return
                if again or len(parts) != 1 or parts[0].rule:
                    looked.append((row, parts))
        for row, parts in looked:
            self._take_back(piece, start + row, start + row + 1)
            self.reading.read[each.key] += len(parts) - 1
            self.spool.add_records(each, parts)

    def _line_numbers(self, file: BinaryIO, piece: Piece, rows: list[int]) -> list[int]:
        """Physical lines, from 0, of an object's rows; blank lines give no row."""
        if piece.key is not None:
            return rows
        lines = [number for number, line in enumerate(file) if line.strip(b" \t\r\n")]
        file.seek(0)
        return [lines[row] for row in rows]

    def _drop(self) -> None:
        gone = sa.func.unnest(sa.bindparam("places", type_=sa.ARRAY(sa.BigInteger)))
        self.ex.change(
            sa.delete(self.raw).where(ROWID.in_(sa.select(gone))),
            {"places": self._gone},
            step=_LOOK,
            target=self.source.name,
        )
        self._gone = []

    # The way back ---------------------------------------------------------------------------

    def staged_rows(self) -> sa.Select[Any]:
        """The rows of the raw table with object and line."""
        raw, back = self.raw, self.way_back
        return sa.select(
            *(raw.c[c.name] for c in self.source.columns),
            sa.func.coalesce(raw.c._object, back.c.object).label("_object"),
            sa.func.coalesce(
                raw.c._line, sa.literal_column(f"{raw.name}.rowid") - back.c.first + 1
            ).label("_line"),
        ).select_from(raw.outerjoin(back, back.c.file == raw.c._file))

    def pieces_read(self) -> Iterator[Mapping[str, Any]]:
        """Rows of the table that leads from a piece to its object."""
        for path, piece in self.pieces.items():
            if piece.key is not None and path in self.first:
                yield {"file": path, "object": piece.key, "first": self.first[path]}

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
            key = row._object or self.pieces[row._file].key
            line = row._line or row.place - self.first[row._file] + 1
            by_key[key][line].append(row)
        with self.ex.timed("quarantine", self.source.name), self._steady():
            for key, rows in by_key.items():
                for row, line, raw in self._records_of(self.objects[key], rows):
                    rule = first_rule(self.source, row.mask)
                    self.quarantine.add(self.source.name, rule.name, rule.reason, key, line, raw)

    def _records_of(
        self, each: Object, rows: Mapping[int, list[Any]]
    ) -> Iterator[tuple[Any, int, bytes]]:
        """Each staged row of an object, given by line, with its line and its record's bytes."""
        left = set(rows)
        with self._opened(each) as file:
            for line, group in groupby(self._parts(each, file, sorted(rows)), lambda p: p.line):
                parts = [part for part in group if line in rows and not part.rule]
                left.discard(line)
                for row in rows.get(line, ()):
                    # Several records of a line are told apart by their values, as they are spelled.
                    same = (p for p in parts if len(parts) == 1 or _same(p.values, row))
                    part = next(same)
                    parts = [p for p in parts if p is not part] or [part]
                    yield row, line, part.raw
        if left:
            raise ValueError(f"{each.key} has no record in line {min(left)}")

    def _parts(
        self, each: Object, file: BinaryIO, lines: Sequence[int]
    ) -> Iterator[records.Record]:
        keys = self.source.keys
        if each.key in self.spool.cut_keys:
            yield from records.split(file, keys)
        else:
            for number, text, _ in pick_lines(file, [line - 1 for line in lines]):
                yield from records.split(text, keys, number + 1)


def _same(values: Mapping[str, str | None], row: Any) -> bool:
    return all(row._mapping[column] == value for column, value in values.items())


def _head(path: str, size: int) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(size)


def _line_by_line(path: str) -> bool:
    """Whether each line that is not blank may be a whole record."""
    with Path(path).open("rb") as file:
        for line in file:
            record = line.strip(b" \t\r\n")
            if record and (record[:1] == b"{") != (record[-1:] == b"}"):
                return False
            if record and record[:1] in b"}]":
                return False
    return True
