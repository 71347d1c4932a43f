"""Spools small and odd objects together into files that DuckDB reads."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from ...models.declare import Source
from ...steps.quarantine import Quarantine
from ...storage import json_records
from ...storage.objects import Object
from ..base import PIECE_BYTES, Piece
from .line_survey import must_be_parsed

_BLANKS = b" \t\r\n"
_BATCH = 1000
#: Bytes of records held in memory.
_BATCH_BYTES = json_records.MAX_RECORD
#: Lines are read in parts of this size: a line with one acceptable record is one part.
_LONG = json_records.MAX_RECORD + 64 * 1024
_BLANK_BYTES = 64 * 1024


def _is_record(text: bytes) -> bool:
    """Whether a text looks like a JSON object with a key, small enough for a record."""
    braces = text[:1] == b"{" and text[-1:] == b"}" and len(text) <= json_records.MAX_RECORD
    return braces and text[1:].lstrip(_BLANKS)[:1] != b"}"


class _Lines:
    """The lines of a stream, long ones in parts, with one line of lookahead; b"" at the end.

    :ivar number: number of the last line taken, from 1.
    :ivar fresh: whether ``next`` is the start of a line.
    """

    def __init__(self, body: BinaryIO) -> None:
        self.body, self.number, self.next, self.fresh = body, 0, body.readline(_LONG), True

    def take(self) -> bytes:
        line, self.next = self.next, self.body.readline(_LONG)
        self.number += self.fresh
        self.fresh = line[-1:] == b"\n"
        return line

    def take_blank(self) -> bytes:
        """The next lines while they are blank, up to ``_BLANK_BYTES``."""
        taken, size = [], 0
        while self.next and size < _BLANK_BYTES and not self.next.strip(_BLANKS):
            taken.append(self.take())
            size += len(taken[-1])
        return b"".join(taken)

    @property
    def at_record_start(self) -> bool:
        """Whether a record starts next, or nothing follows."""
        return not self.next or (self.fresh and self.next[:1] == b"{")

    def stretch(self, start: bytes) -> BinaryIO:
        """``start`` and the following lines, up to one that starts with ``{`` in column 0."""
        return cast(BinaryIO, _Stretch(self, start))


class _Stretch:
    """The part of a file that ``_Lines.stretch`` describes; it can only be read."""

    def __init__(self, lines: _Lines, start: bytes) -> None:
        self.lines, self.left = lines, start

    def read(self, size: int) -> bytes:
        parts, length = [self.left], len(self.left)
        while length < size and not self.lines.at_record_start:
            parts.append(self.lines.take())
            length += len(parts[-1])
        text = b"".join(parts)
        self.left = text[size:]
        return text[:size]


class Spool:
    """Writes objects into files with one record per line.

    Each line names its object and line under two keys that no input can guess.
    """

    def __init__(self, folder: Path, source: Source, quarantine: Quarantine) -> None:
        self.folder, self.source, self.quarantine = folder, source, quarantine
        token = os.urandom(8).hex()
        self.injected = (f"_object_{token}", f"_line_{token}")
        self._keys = [key.encode() for key in self.injected]
        self._mark = b',"%s":' % self._keys[1]
        self._names = source.keys
        #: Keys of objects that were cut into records, at least in part.
        self.cut_keys: set[str] = set()
        self._open: dict[bool, tuple[Piece, BinaryIO]] = {}
        self._full: dict[bool, list[Piece]] = {False: [], True: []}

    def add(self, each: Object, body: BinaryIO) -> int:
        """Spools an object; returns its number of records.

        A line is spooled unchanged if it looks like a record and the next one starts with ``{`` in
        column 0, so that neither it nor a record before it can continue. The text between such
        lines is cut into records.
        """
        _, file = self._current(False)
        count, others = 0, 0
        start = b'{"%s":%s%s' % (self._keys[0], json.dumps(each.key).encode(), self._mark)
        lines = _Lines(body)
        while lines.next:
            fresh, line = lines.fresh, lines.take()
            record = line.strip(_BLANKS)
            if not record:
                continue
            number = lines.number
            whole = fresh and (lines.fresh or not lines.next)
            if whole and _is_record(record) and not must_be_parsed(line):
                blank = lines.take_blank()
                if lines.at_record_start:
                    file.write(b"%s%d,%s\n" % (start, number, record[1:]))
                    count += 1
                    continue
                line += blank
            others += self.add_all(
                each, json_records.split(lines.stretch(line), self._names, number)
            )
            self.cut_keys.add(each.key)
        self._wrote(False, each, count)
        return count + others

    def restore(self, line: bytes) -> tuple[int, bytes]:
        """The line number in its object, and the bytes, of a line that was spooled unchanged."""
        at = line.index(self._mark) + len(self._mark)
        end = line.index(b",", at)
        return int(line[at:end]), b"{" + line[end + 1 :]

    def cut(self, each: Object, body: BinaryIO) -> int:
        """Cuts an object into records; spools or refuses them."""
        self.cut_keys.add(each.key)
        return self.add_all(each, json_records.split(body, self._names))

    def add_all(self, each: Object, records: Iterable[json_records.Record]) -> int:
        """Spools or refuses records in batches; returns their number."""
        count, size, batch = 0, 0, list[json_records.Record]()
        for record in records:
            batch.append(record)
            size += len(record.raw)
            if len(batch) == _BATCH or size > _BATCH_BYTES:
                self.add_batch(each, batch)
                count, size, batch = count + len(batch), 0, []
        self.add_batch(each, batch)
        return count + len(batch)

    def add_batch(self, each: Object, records: Sequence[json_records.Record]) -> None:
        """Spools the values of sound records, refuses the others."""
        lines = []
        names = {column: key for key, column in self._names.items()}
        for record in records:
            if record.rule:
                add = self.quarantine.add_unread
                add(self.source.name, record.rule, each.key, record.line, record.raw, record.size)
                continue
            values = {self.injected[0]: each.key, self.injected[1]: record.line}
            values |= {names[column]: value for column, value in record.values.items()}
            lines.append(json.dumps(values).encode() + b"\n")
        if lines:
            _, file = self._current(True)
            file.writelines(lines)
            self._wrote(True, each, len(lines))

    def take(self, cut: bool) -> list[Piece]:
        """Closes and returns the spool files written so far.

        :param cut: those of records that were cut, or those of unchanged lines.
        """
        if cut in self._open:
            self._close(cut)
        pieces, self._full[cut] = self._full[cut], []
        return [piece for piece in pieces if piece.rows]

    def _current(self, cut: bool) -> tuple[Piece, BinaryIO]:
        if cut not in self._open:
            path = self.folder / f"spool-{os.urandom(6).hex()}.json"
            self._open[cut] = Piece(str(path)), path.open("wb")
        return self._open[cut]

    def _wrote(self, cut: bool, each: Object, rows: int) -> None:
        if not rows:
            return
        piece, file = self._open[cut]
        piece.starts.append(piece.rows)
        piece.keys.append(each.key)
        piece.rows += rows
        if file.tell() > PIECE_BYTES:
            self._close(cut)

    def _close(self, cut: bool) -> None:
        piece, file = self._open.pop(cut)
        file.close()
        self._full[cut].append(piece)
