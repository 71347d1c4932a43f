"""The objects of a source as lines of JSON that the embedded engine reads, whatever they hold."""

from __future__ import annotations

import heapq
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from ....models.declare import Source
from ....steps.executor import Executor, temporary
from ....steps.locate import pick_lines
from ....steps.quarantine import Quarantine
from ....storage import json_records
from ....storage.objects import Object
from ....storage.s3 import S3, SCHEME
from ...base import Piece, Reading
from ..line_survey import is_record_a_line
from ..object_sorter import ObjectSorter
from ..spool import Spool

_READ = "read"
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
#: Broken records that are shown with their place.
SHOWN = 20


class ReadObjects(FunctionElement[Any]):
    """``read_json_objects`` over lines, as a table: a line that is no JSON is a NULL in its place.

    It keeps what ``read_json`` loses: keys that differ in case only, null and missing apart.
    """

    name = "read_json_objects"
    inherit_cache = True


@compiles(ReadObjects, "duckdb")
def _read_objects(element: Any, compiler: Any, **kw: Any) -> str:
    files = compiler.process(element.clauses, **kw)
    return (
        f"read_json_objects({files}, format='newline_delimited', ignore_errors=true, "
        f"maximum_object_size={2 * json_records.MAX_RECORD}, filename=true)"
    )


def json_lines() -> Any:
    """The lines of the files in the bind ``files``: columns ``json`` and ``filename``."""
    element = ReadObjects(sa.bindparam("files", type_=sa.ARRAY(sa.String)))
    return element.table_valued(
        sa.column("json", sa.String), sa.column("filename", sa.String), name="lines"
    )


class RawSpool(Spool):
    """Spools records as they stand, whatever keys they have."""

    def add_records(self, each: Object, parts: Sequence[json_records.Record]) -> None:
        lines = []
        start = b'{"%s":%s,"%s":' % (
            self._keys[0],
            json.dumps(each.key).encode(),
            self._keys[1],
        )
        for part in parts:
            rule = part.rule or ("lone_surrogate" if _halves(part.raw) else None)
            if rule:
                add = self.quarantine.add_unread
                add(self.source.name, rule, each.key, part.line, part.raw, part.size)
                continue
            # A line end in a sound record stands between its tokens.
            rest = part.raw[1:].replace(b"\n", b" ").replace(b"\r", b" ").strip()
            comma = b"" if rest == b"}" else b","
            lines.append(b"%s%d%s%s\n" % (start, part.line, comma, rest))
        if lines:
            _, file = self._current(True)
            file.writelines(lines)
            self._wrote(True, each, len(lines))

    def close(self) -> None:
        """Closes what is still open, where reading ended early."""
        for _, file in self._open.values():
            file.close()


def _halves(raw: bytes) -> bool:
    """Whether a sound record has half of a surrogate pair in a text, which is no Unicode."""
    if not _HALF.search(raw):
        return False
    try:
        json.dumps(json.loads(raw), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


class RecordReader:
    """Finds the records of a source's objects and their keys; refused ones are kept aside.

    :param scratch: folder for unpacked, spooled and fetched objects.
    """

    def __init__(self, ex: Executor, name: str, scratch: Path, s3: S3) -> None:
        self.ex, self.name, self.scratch, self.s3 = ex, name, scratch, s3
        self.quarantine = Quarantine(scratch / "broken.json", "", datetime.min)
        self.reading = Reading()
        source = Source(name, "", sa.Table(name, sa.MetaData()), (), ())
        self.intake = ObjectSorter(scratch, source, self.quarantine, self.reading)
        self.spool = RawSpool(scratch, source, self.quarantine)
        self.intake.spool = self.spool
        self.key_sets = temporary(
            "key_sets",
            sa.Column("file", sa.String),
            sa.Column("names", sa.ARRAY(sa.String)),
            sa.Column("n", sa.BigInteger),
        )
        self.pieces: dict[str, Piece] = {}
        #: Rows that stand for a line that is no record.
        self.lost = 0

    @property
    def files(self) -> list[str]:
        """The files that hold the records, one a line."""
        return list(self.pieces)

    def read(self, objects: Sequence[Object]) -> None:
        """Fills ``key_sets``.

        :raises SourceError: when an object on S3 cannot be read.
        """
        size = sum(each.size for each in objects)
        self.ex.observer.begin(_READ, self.name, size, "bytes")
        self.ex.create(self.key_sets, step=_READ, target=self.name)
        with self.ex.timed(_READ, self.name):
            objects = list(self._local(objects))
            self.intake.objects = {each.key: each for each in objects}
            direct = {}
            for each in objects:
                if lines := self._accept(each):
                    direct[each.key] = lines
                self.ex.observer.advance(_READ, self.name, each.size)
        pieces = [Piece(self.intake.plain[key], key, rows=n) for key, n in direct.items()]
        pieces += self.spool.take(cut=False) + self.spool.take(cut=True)
        while pieces:
            self._survey(pieces)
            pieces = self.spool.take(cut=True)

    def close(self) -> None:
        """Closes its files."""
        self.intake.close()
        self.spool.close()
        self.quarantine.close()

    def broken_at(self) -> list[Mapping[str, Any]]:
        """The first refused records by object and line."""
        with self.quarantine.ready().open(encoding="ascii") as file:
            rows = map(json.loads, file)
            return heapq.nsmallest(SHOWN, rows, key=lambda row: (row["key"], row["line"]))

    def _local(self, objects: Sequence[Object]) -> Iterator[Object]:
        far = [each for each in objects if each.key.startswith(SCHEME)]
        yield from (each for each in objects if not each.key.startswith(SCHEME))
        for found in self.s3.fetch(far, self.scratch) if far else ():
            if isinstance(found, str):
                self.reading.changed.add(found)
            else:
                yield replace(found, version=str(Path(found.path).stat().st_mtime_ns))

    def _accept(self, each: Object) -> int:
        """Lines of an object that may be read where it lies."""
        lines = self.intake.lines(each) if self.intake.accept(each) else 0
        if odd := self.intake.odd.get(each.key, ()):
            with Path(self.intake.plain[each.key]).open("rb") as file:
                broken = any(
                    part.rule
                    for number, text, _ in pick_lines(file, odd)
                    for part in json_records.split(text, {}, number + 1)
                )
            if broken:  # the engine would take such a line for sound
                with self.intake.opened(each) as body:
                    self.spool.add(each, body)
                return 0
        return lines

    def _survey(self, pieces: list[Piece]) -> None:
        """Notes the keys of the records of pieces and looks at lines that may be none."""
        lines = json_lines()
        keys = sa.func.json_keys(lines.c.json, type_=sa.ARRAY(sa.String))
        grouped = sa.select(lines.c.filename, keys, sa.func.count()).group_by(
            lines.c.filename, keys
        )
        try:
            self.ex.change(
                sa.insert(self.key_sets).from_select(["file", "names", "n"], grouped),
                {"files": [piece.path for piece in pieces]},
                step=_READ,
                target=self.name,
            )
        except sa.exc.DBAPIError as error:
            if not isinstance(error.orig, duckdb.InvalidInputException):
                raise
            # A record over several lines fails the whole statement.
            odd = [p for p in pieces if not is_record_a_line(p.path)] or pieces
            for piece in odd:
                self._cut(piece)
            rest = [p for p in pieces if p not in odd]
            if rest:
                self._survey(rest)
            return
        found = self._counted(pieces)
        for piece in pieces:
            rows, doubtful = found.get(piece.path, (0, 0))
            if rows != piece.rows:
                self._drop(piece)
            else:
                self.pieces[piece.path] = piece
                if doubtful:
                    self._look_at(piece)

    def _counted(self, pieces: Sequence[Piece]) -> dict[str, tuple[int, int]]:
        """Of each file the rows, and those that are NULL or hold no key."""
        sets = self.key_sets.c
        doubtful = sa.or_(sets.names.is_(None), sa.func.len(sets.names) == 0)
        rows = self.ex.rows(
            sa.select(
                sets.file,
                sa.func.sum(sets.n),
                sa.func.coalesce(sa.func.sum(sets.n).filter(doubtful), 0),
            )
            .where(sets.file.in_([piece.path for piece in pieces]))
            .group_by(sets.file),
            step=_READ,
            target=self.name,
        )
        return {path: (int(n), int(odd)) for path, n, odd in rows}

    def _drop(self, piece: Piece) -> None:
        """Takes back a file that is no record a line and cuts it into records."""
        gone = sa.delete(self.key_sets).where(self.key_sets.c.file == piece.path)
        self.ex.change(gone, step=_READ, target=self.name)
        self.pieces.pop(piece.path, None)
        self._cut(piece)

    def _cut(self, piece: Piece) -> None:
        if piece.key is not None:
            each = self.intake.objects[piece.key]
            with self.intake.opened(each) as body:
                self.spool.cut(each, body)
            return
        with Path(piece.path).open("rb") as file:
            for row, spooled in enumerate(file):
                line, text = self.spool.restored(spooled)
                parts = list(json_records.split(text, {}, line))
                self.spool.add_records(self.intake.objects[piece.owner(row)], parts)

    def _look_at(self, piece: Piece) -> None:
        """Looks at the lines of a file that may be no record."""
        lines = json_lines()
        row = sa.func.row_number().over().label("row")
        numbered = sa.select(row, sa.func.json_keys(lines.c.json).label("names")).subquery()
        doubtful = sa.or_(numbered.c.names.is_(None), sa.func.len(numbered.c.names) == 0)
        rows = self.ex.rows(
            sa.select(numbered.c.row).where(doubtful).order_by(numbered.c.row),
            {"files": [piece.path]},
            step=_READ,
            target=self.name,
        )
        looked: list[tuple[int, list[json_records.Record]]] = []
        with Path(piece.path).open("rb") as file:
            for number, text, after in pick_lines(file, [n - 1 for (n,) in rows]):
                line = number + 1
                if piece.key is None:
                    line, text = self.spool.restored(text)
                parts = list(json_records.split(text, {}, line))
                goes_on = after not in b"{" and any(part.is_open for part in parts[-1:])
                if piece.key is not None and goes_on:
                    # The record may go on in the next line: only the whole object tells.
                    self._drop(piece)
                    return
                if len(parts) != 1 or parts[0].rule or parts[0].raw.strip(b"{} \t\r\n"):
                    looked.append((number, parts))
        for number, parts in looked:
            self.lost += 1
            self.spool.add_records(self.intake.objects[piece.owner(number)], parts)
