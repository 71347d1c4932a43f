"""Reads the objects of a source as lines of JSON, whatever keys they have."""

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
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
#: Maximum number of broken records that a profile shows.
SHOWN = 20


class ReadObjects(FunctionElement[Any]):
    """``read_json_objects`` over lines, as a table: a line that is not JSON becomes NULL.

    Unlike ``read_json`` it tells keys apart that differ in case only, and null from missing.
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
    """Spools unchanged records, whatever keys they have."""

    def add_batch(self, each: Object, records: Sequence[json_records.Record]) -> None:
        lines = []
        start = b'{"%s":%s,"%s":' % (
            self._keys[0],
            json.dumps(each.key).encode(),
            self._keys[1],
        )
        for record in records:
            rule = record.rule or ("lone_surrogate" if _has_lone_surrogate(record.raw) else None)
            if rule:
                add = self.quarantine.add_unread
                add(self.source.name, rule, each.key, record.line, record.raw, record.size)
                continue
            # Line ends in a sound record are between its tokens.
            rest = record.raw[1:].replace(b"\n", b" ").replace(b"\r", b" ").strip()
            comma = b"" if rest == b"}" else b","
            lines.append(b"%s%d%s%s\n" % (start, record.line, comma, rest))
        if lines:
            _, file = self._current(True)
            file.writelines(lines)
            self._wrote(True, each, len(lines))

    def close(self) -> None:
        """Closes open files, for a reading that ended early."""
        for _, file in self._open.values():
            file.close()


def _has_lone_surrogate(raw: bytes) -> bool:
    """Whether a sound record has half of a surrogate pair in a text."""
    if not _SURROGATE_ESCAPE.search(raw):
        return False
    try:
        json.dumps(json.loads(raw), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


class RecordReader:
    """Finds the records of a source's objects and their keys; collects refused ones.

    :param scratch: folder for decompressed, spooled and fetched objects.
    """

    def __init__(self, ex: Executor, name: str, scratch: Path, s3: S3) -> None:
        self.ex, self.name, self.scratch, self.s3 = ex, name, scratch, s3
        self.quarantine = Quarantine(scratch / "broken.json", "", datetime.min)
        self.reading = Reading()
        source = Source(name, "", sa.Table(name, sa.MetaData()), (), ())
        self.sorter = ObjectSorter(scratch, source, self.quarantine, self.reading)
        self.spool = RawSpool(scratch, source, self.quarantine)
        self.sorter.spool = self.spool
        self.key_sets = temporary(
            "key_sets",
            sa.Column("file", sa.String),
            sa.Column("names", sa.ARRAY(sa.String)),
            sa.Column("n", sa.BigInteger),
        )
        self.pieces: dict[str, Piece] = {}
        #: Rows for lines that are not records.
        self.lost = 0

    @property
    def files(self) -> list[str]:
        """The files of the records, one per line."""
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
            self.sorter.objects = {each.key: each for each in objects}
            direct = {}
            for each in objects:
                if lines := self._direct_lines(each):
                    direct[each.key] = lines
                self.ex.observer.advance(_READ, self.name, each.size)
        pieces = [Piece(self.sorter.plain[key], key, rows=n) for key, n in direct.items()]
        pieces += self.spool.take(cut=False) + self.spool.take(cut=True)
        while pieces:
            self._survey(pieces)
            pieces = self.spool.take(cut=True)

    def close(self) -> None:
        """Closes its files."""
        self.sorter.close()
        self.spool.close()
        self.quarantine.close()

    def broken_at(self) -> list[Mapping[str, Any]]:
        """The first refused records by object and line."""
        with self.quarantine.ready().open(encoding="ascii") as file:
            rows = map(json.loads, file)
            return heapq.nsmallest(SHOWN, rows, key=lambda row: (row["key"], row["line"]))

    def _local(self, objects: Sequence[Object]) -> Iterator[Object]:
        remote = [each for each in objects if each.key.startswith(SCHEME)]
        yield from (each for each in objects if not each.key.startswith(SCHEME))
        for found in self.s3.fetch(remote, self.scratch) if remote else ():
            if isinstance(found, str):
                self.reading.changed.add(found)
            else:
                yield replace(found, version=str(Path(found.path).stat().st_mtime_ns))

    def _direct_lines(self, each: Object) -> int:
        """Lines of an object that may be read directly; 0 for one that is spooled."""
        lines = self.sorter.count_lines(each) if self.sorter.sort(each) else 0
        if doubtful := self.sorter.doubtful.get(each.key, ()):
            with Path(self.sorter.plain[each.key]).open("rb") as file:
                broken = any(
                    record.rule
                    for number, text, _ in pick_lines(file, doubtful)
                    for record in json_records.split(text, {}, number + 1)
                )
            if broken:  # DuckDB would accept the line
                with self.sorter.open_plain(each) as body:
                    self.spool.add(each, body)
                return 0
        return lines

    def _survey(self, pieces: list[Piece]) -> None:
        """Collects the keys of the pieces' records, and checks lines that may not be records."""
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
        counts = self._counts(pieces)
        for piece in pieces:
            rows, doubtful = counts.get(piece.path, (0, 0))
            if rows != piece.rows:
                self._drop(piece)
            else:
                self.pieces[piece.path] = piece
                if doubtful:
                    self._check_lines(piece)

    def _counts(self, pieces: Sequence[Piece]) -> dict[str, tuple[int, int]]:
        """The rows of each file, and how many of them are NULL or have no key."""
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
        """Takes back a file that does not have one record per line, and cuts it."""
        deletion = sa.delete(self.key_sets).where(self.key_sets.c.file == piece.path)
        self.ex.change(deletion, step=_READ, target=self.name)
        self.pieces.pop(piece.path, None)
        self._cut(piece)

    def _cut(self, piece: Piece) -> None:
        if piece.key is not None:
            each = self.sorter.objects[piece.key]
            with self.sorter.open_plain(each) as body:
                self.spool.cut(each, body)
            return
        with Path(piece.path).open("rb") as file:
            for row, spooled in enumerate(file):
                line, text = self.spool.restore(spooled)
                records = list(json_records.split(text, {}, line))
                self.spool.add_batch(self.sorter.objects[piece.owner(row)], records)

    def _check_lines(self, piece: Piece) -> None:
        """Checks the lines of a file that may not be records."""
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
        replaced: list[tuple[int, list[json_records.Record]]] = []
        with Path(piece.path).open("rb") as file:
            for number, text, after in pick_lines(file, [n - 1 for (n,) in rows]):
                line = number + 1
                if piece.key is None:
                    line, text = self.spool.restore(text)
                records = list(json_records.split(text, {}, line))
                continues = after not in b"{" and any(r.is_open for r in records[-1:])
                if piece.key is not None and continues:
                    # The record may continue in the next line: cut the whole object.
                    self._drop(piece)
                    return
                if len(records) != 1 or records[0].rule or records[0].raw.strip(b"{} \t\r\n"):
                    replaced.append((number, records))
        for number, records in replaced:
            self.lost += 1
            self.spool.add_batch(self.sorter.objects[piece.owner(number)], records)
