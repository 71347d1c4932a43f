"""Objects on their way to the engine: unpacked, small or odd ones spooled together."""

from __future__ import annotations

import json
import os
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from .. import records
from ..declare import Source
from ..discover import Object
from ..quarantine import Quarantine
from .survey import lenient

_BLANKS = b" \t\r\n"
#: Bytes of one spool file; several files let the engine read in parallel.
PIECE_BYTES = 32 * 1024 * 1024
_CHUNK = 1024 * 1024
_BATCH = 1000


@dataclass
class Piece:
    """A file that the engine reads: one object, or many spooled after each other.

    :param key: the object's key; None for a spool file.
    :param starts: first row of each spooled object.
    """

    path: str
    key: str | None = None
    starts: array[int] = field(default_factory=lambda: array("q"))
    keys: list[str] = field(default_factory=list)
    rows: int = 0

    def owner(self, number: int) -> str:
        """Key of the object that row ``number`` of this piece stands in."""
        return self.key or self.keys[bisect_right(self.starts, number) - 1]


def pick_lines(file: BinaryIO, numbers: Sequence[int]) -> Iterator[tuple[int, bytes, bytes]]:
    """The lines of ascending numbers (from 0): number, bytes, first byte of the line after it.

    :raises ValueError: when there is no such line.
    """
    number, line, after = -1, b"", file.readline()
    for wanted in numbers:
        while number < wanted:
            number, line, after = number + 1, after, file.readline()
        if not line:
            raise ValueError(f"there is no line {wanted + 1}")
        yield wanted, line, after[:1]


def inflate(file: BinaryIO) -> Iterator[bytes]:
    """The plain bytes of gzip, of several members too, in pieces of 1 MiB at most.

    :raises zlib.error: when it does not decode.
    """
    decoder = zlib.decompressobj(wbits=31)
    data = file.read(_CHUNK)
    while data:
        yield decoder.decompress(data, _CHUNK)
        if decoder.eof:
            data = decoder.unused_data.lstrip(b"\0")  # zeros may follow a member
            while not data and (more := file.read(_CHUNK)):
                data = more.lstrip(b"\0")
            if data:
                decoder = zlib.decompressobj(wbits=31)
        else:
            data = decoder.unconsumed_tail or file.read(_CHUNK)
    if not decoder.eof:
        raise zlib.error("it ends too early")


def unpack(path: str, into: Path) -> str:
    """A gzip file as a plain file; memory does not grow with it.

    :raises zlib.error: when it does not decode.
    """
    target = into / f"plain-{os.urandom(6).hex()}.json"
    with Path(path).open("rb") as packed, target.open("wb") as plain:
        plain.writelines(inflate(packed))
    return str(target)


def _is_record(text: bytes) -> bool:
    """Whether a text looks like an object with a key, small enough to be a record."""
    braces = text[:1] == b"{" and text[-1:] == b"}" and len(text) <= records.MAX_RECORD
    return braces and text[1:].lstrip(_BLANKS)[:1] != b"}"


class _Lines:
    """The lines of a stream, with a look at the next one; b"" at the end."""

    def __init__(self, body: BinaryIO) -> None:
        self.body, self.number, self.next = body, 0, body.readline()

    def take(self) -> bytes:
        line, self.next = self.next, self.body.readline()
        self.number += 1
        return line

    def take_blank(self) -> bytes:
        taken = b""
        while self.next and not self.next.strip(_BLANKS):
            taken += self.take()
        return taken

    def stretch(self, start: bytes) -> BinaryIO:
        """``start`` and the lines behind it up to one that starts with ``{`` in column 0."""
        return cast(BinaryIO, _Stretch(self, start))


class _Stretch:
    """Reads as a file does."""

    def __init__(self, lines: _Lines, start: bytes) -> None:
        self.lines, self.left = lines, start

    def read(self, size: int) -> bytes:
        parts, length = [self.left], len(self.left)
        while length < size and self.lines.next[:1] not in b"{":
            parts.append(self.lines.take())
            length += len(parts[-1])
        text = b"".join(parts)
        self.left = text[size:]
        return text[:size]


class Spool:
    """Writes objects one after the other into files of one record a line.

    Each line carries its object and line under two keys that no input can guess.
    """

    def __init__(self, folder: Path, source: Source, quarantine: Quarantine) -> None:
        self.folder, self.source, self.quarantine = folder, source, quarantine
        token = os.urandom(8).hex()
        self.injected = (f"_object_{token}", f"_line_{token}")
        self._keys = [key.encode() for key in self.injected]
        self._mark = b',"%s":' % self._keys[1]
        self._names = source.keys
        #: Objects some of whose records may not be a line each.
        self.parted: set[str] = set()
        self._open: dict[bool, tuple[Piece, BinaryIO]] = {}
        self._full: dict[bool, list[Piece]] = {False: [], True: []}

    def add(self, each: Object, body: BinaryIO) -> int:
        """Spools an object; returns its records.

        A line is spooled as it is where it looks like a record and the next one starts with ``{``
        in column 0, so that neither it nor what stands before it can go on. What lies between such
        lines is cut into records.
        """
        _, file = self._current(False)
        count, others = 0, 0
        start = b'{"%s":%s%s' % (self._keys[0], json.dumps(each.key).encode(), self._mark)
        lines = _Lines(body)
        while line := lines.take():
            record = line.strip(_BLANKS)
            if not record:
                continue
            number = lines.number
            if _is_record(record) and not lenient(line):
                blank = lines.take_blank()
                if lines.next[:1] in b"{":
                    file.write(b"%s%d,%s\n" % (start, number, record[1:]))
                    count += 1
                    continue
                line += blank
            others += self._add_parts(each, records.split(lines.stretch(line), self._names, number))
            self.parted.add(each.key)
        self._wrote(False, each, count)
        return count + others

    def restored(self, line: bytes) -> tuple[int, bytes]:
        """Line of its object, from 1, and bytes of a line that was spooled as it is."""
        at = line.index(self._mark) + len(self._mark)
        end = line.index(b",", at)
        return int(line[at:end]), b"{" + line[end + 1 :]

    def cut(self, each: Object, body: BinaryIO) -> int:
        """Cuts an object into records, spools the sound ones, refuses the others."""
        self.parted.add(each.key)
        return self._add_parts(each, records.split(body, self._names))

    def _add_parts(self, each: Object, parts: Iterator[records.Record]) -> int:
        count = 0
        while batch := list(islice(parts, _BATCH)):
            self.add_records(each, batch)
            count += len(batch)
        return count

    def add_records(self, each: Object, parts: Sequence[records.Record]) -> None:
        """Spools sound records by their values, refuses the others."""
        lines = []
        names = {column: key for key, column in self._names.items()}
        for part in parts:
            if part.rule:
                self.quarantine.add_unread(
                    self.source.name, part.rule, each.key, part.line, part.raw
                )
                continue
            values = {self.injected[0]: each.key, self.injected[1]: part.line}
            values |= {names[column]: value for column, value in part.values.items()}
            lines.append(json.dumps(values).encode() + b"\n")
        if lines:
            _, file = self._current(True)
            file.writelines(lines)
            self._wrote(True, each, len(lines))

    def take(self, cut: bool) -> list[Piece]:
        """Closes the spool files written so far and hands them over."""
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
