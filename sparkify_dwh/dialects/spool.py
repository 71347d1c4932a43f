"""Objects on their way to the engine: surveyed, unpacked, small or odd ones spooled together."""

from __future__ import annotations

import json
import mmap
import os
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from .. import records
from ..declare import Source
from ..discover import Object
from ..quarantine import Quarantine

_BLANKS = b" \t\r\n"
#: Bytes of one spool file; several files let the engine read in parallel.
PIECE_BYTES = 32 * 1024 * 1024
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Survey:
    """What a file looks like without parsing it.

    :param lines: lines, the last one counted without a line feed too.
    :param plain: whether the engine may read it line by line: no blank line, no line over 4 MiB,
        and a first line that may be a whole record.
    """

    size: int
    lines: int
    plain: bool


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

    def owner(self, number: int) -> tuple[str, int]:
        """Key of the object that row ``number`` of this piece stands in, and its first row."""
        if self.key is not None:
            return self.key, 0
        at = bisect_right(self.starts, number) - 1
        return self.keys[at], self.starts[at]


@contextmanager
def mapped(path: str) -> Iterator[mmap.mmap | bytes]:
    """A file's bytes without reading them into memory."""
    with Path(path).open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            yield view


def survey(path: str) -> Survey:
    """Counts lines and looks for what the engine must not be given as it is."""
    with mapped(path) as view:
        size, lines, at, longest = len(view), 0, 0, 0
        while at < size:
            block = view[at : at + _CHUNK]
            lines += block.count(b"\n")
            at += len(block)
        ends = size == 0 or view[size - 1 : size] == b"\n"
        plain = not (view[:1] in (b"\n", b"\r") or view.find(b"\n\n") >= 0)
        plain = plain and view.find(b"\n\r\n") < 0
        first = view[: records.MAX_RECORD].split(b"\n", 1)[0].strip(_BLANKS)
        plain = plain and first.endswith(b"}") and not first.startswith(records.BOM)
        at = 0
        while plain and size - at > records.MAX_RECORD:
            longest = view.rfind(b"\n", at, at + records.MAX_RECORD + 1)
            plain, at = longest >= 0, longest + 1
        return Survey(size, lines + (not ends), plain)


def pick_lines(
    view: mmap.mmap | bytes, numbers: Sequence[int]
) -> Iterator[tuple[int, bytes, bytes]]:
    """The lines of ascending numbers (from 0): number, bytes, first byte of the line after it."""
    number, start = 0, 0
    for wanted in numbers:
        while number < wanted:
            start = view.find(b"\n", start) + 1
            number += 1
        end = view.find(b"\n", start)
        end = len(view) if end < 0 else end
        yield wanted, view[start:end], view[end + 1 : end + 2]


def unpack(path: str, into: Path) -> str:
    """A gzip file, of several members too, as a plain file; memory does not grow with it.

    :raises zlib.error: when it does not decode.
    """
    target = into / f"plain-{os.urandom(6).hex()}.json"
    with Path(path).open("rb") as packed, target.open("wb") as plain:
        decoder = zlib.decompressobj(wbits=31)
        data = packed.read(_CHUNK)
        while data:
            plain.write(decoder.decompress(data, _CHUNK))
            if decoder.eof:
                data = decoder.unused_data.lstrip(b"\0") or packed.read(_CHUNK).lstrip(b"\0")
                if data:
                    decoder = zlib.decompressobj(wbits=31)
            else:
                data = decoder.unconsumed_tail or packed.read(_CHUNK)
        if not decoder.eof:
            raise zlib.error("it ends too early")
    return str(target)


class Spool:
    """Writes objects one after the other into files of one record a line.

    Each line carries its object and line under two keys that no input can guess.
    """

    def __init__(self, folder: Path, source: Source, quarantine: Quarantine) -> None:
        self.folder, self.source, self.quarantine = folder, source, quarantine
        token = os.urandom(8).hex()
        self.injected = (f"_object_{token}", f"_line_{token}")
        self.cut_keys: set[str] = set()
        self._open: dict[bool, tuple[Piece, BinaryIO]] = {}
        self._full: dict[bool, list[Piece]] = {False: [], True: []}

    def add(self, each: Object, body: bytes) -> int:
        """Spools an object; returns its records. Cut into records where it is not a line each."""
        lines = []
        for number, line in enumerate(body.split(b"\n"), 1):
            record = line.strip(_BLANKS)
            if not record:
                continue
            sound = record[:1] == b"{" and record[-1:] == b"}" and len(record) > 2
            if not sound or len(record) > records.MAX_RECORD or record[1:].lstrip(_BLANKS) == b"}":
                return self.cut(each, body)
            lines.append((number, record))
        if lines:
            start = b'{"%s":%s,"%s":' % (
                self.injected[0].encode(),
                json.dumps(each.key).encode(),
                self.injected[1].encode(),
            )
            self._write(False, each, [b"%s%d,%s\n" % (start, n, r[1:]) for n, r in lines])
        return len(lines)

    def cut(self, each: Object, body: bytes) -> int:
        """Cuts an object into records, spools the sound ones, refuses the others."""
        self.cut_keys.add(each.key)
        count, batch = 0, []
        for record in records.split(body, self.source.keys):
            count += 1
            batch.append(record)
            if len(batch) >= 1000:
                self.add_records(each, batch)
                batch = []
        self.add_records(each, batch)
        return count

    def add_records(self, each: Object, parts: Sequence[records.Record]) -> None:
        """Spools sound records by their values, refuses the others."""
        lines = []
        names = {column: key for key, column in self.source.keys.items()}
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
            self._write(True, each, lines)

    def take(self, cut: bool) -> list[Piece]:
        """Closes the spool files written so far and hands them over."""
        if cut in self._open:
            piece, file = self._open.pop(cut)
            file.close()
            self._full[cut].append(piece)
        pieces, self._full[cut] = self._full[cut], []
        return pieces

    def _write(self, cut: bool, each: Object, lines: list[bytes]) -> None:
        if cut not in self._open:
            path = self.folder / f"spool-{os.urandom(6).hex()}.json"
            self._open[cut] = Piece(str(path)), path.open("wb")
        piece, file = self._open[cut]
        piece.starts.append(piece.rows)
        piece.keys.append(each.key)
        piece.rows += len(lines)
        file.writelines(lines)
        if file.tell() > PIECE_BYTES:
            file.close()
            self._full[cut].append(piece)
            del self._open[cut]
