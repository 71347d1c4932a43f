"""The format of compacted objects: how they are written, and how a load reads them.

A compacted object is gzip with one record per line. Each line holds the record's object and line,
and the source's keys with their values as text. Its index lists the objects it was made of, in
their order, and the records that the reader refuses. The index is written last: a compacted object
without one is incomplete.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ..core.errors import SourceError
from . import gzip_files, json_records
from .compacted_file import LINE, OBJECT, SUFFIX, CompactedFile, Member, wrong_content
from .json_records import MAX_RAW
from .objects import Object

FORMAT = 1
NAME = re.compile(r"part-[0-9a-f]{20}\.json\.gz")
#: Objects with more plain bytes are not compacted.
MAX_PLAIN = 256 * 1024 * 1024


# Writing ----------------------------------------------------------------------------------


def compacted_name(members: Iterable[Object]) -> str:
    """The name of the compacted object of these members: the same members, the same name."""
    digest = hashlib.sha256()
    for each in members:
        digest.update(f"{each.key}\0{each.version}\0{each.size}\n".encode())
    return f"part-{digest.hexdigest()[:20]}{SUFFIX}"


class Undecodable(Exception):
    """An object that is not UTF-8 text, or too large; it is not compacted."""


def _plain(body: bytes) -> bytes:
    if body.startswith(gzip_files.MAGIC):
        try:
            body = b"".join(gzip_files.decompress(io.BytesIO(body), len(body)))
        except zlib.error:
            raise Undecodable from None
    if len(body) > MAX_PLAIN or not json_records.is_utf8_text(body[:4]):
        raise Undecodable
    return body


class CompactedWriter:
    """Writes one compacted object and its index into two local files.

    :param source: name of the source.
    :param keys: staging column by JSON key.
    """

    def __init__(
        self, data: BinaryIO, index: BinaryIO, source: str, keys: Mapping[str, str]
    ) -> None:
        self.source, self.keys = source, keys
        # Without name and time, so that the same objects result in the same bytes.
        self._data = gzip.GzipFile(filename="", mode="wb", fileobj=data, compresslevel=6, mtime=0)
        self._index = gzip.GzipFile(filename="", mode="wb", fileobj=index, mtime=0)
        self._names = {column: key for key, column in keys.items()}
        self.members: list[Member] = []
        self.plain_bytes = 0

    def add(self, each: Object, body: bytes) -> Member:
        """Adds an object.

        :param body: its bytes, gzip or not.
        :raises Undecodable: before anything is written.
        """
        text = _plain(body)
        lines, refused, count = [], [], 0
        for record in json_records.split(text, self.keys):
            count += 1
            if record.rule:
                refused.append(self._refusal(each, record))
                continue
            values: dict[str, Any] = {OBJECT: each.key, LINE: record.line}
            values |= {
                self._names[column]: value
                for column, value in record.values.items()
                if value is not None
            }
            lines.append(json.dumps(values, ensure_ascii=False, separators=(",", ":")))
        member = Member(each, count, len(lines))
        self._write_index(
            {
                "key": each.key,
                "version": each.version,
                "size": each.size,
                "rows_read": count,
                "rows_kept": len(lines),
            }
        )
        for entry in refused:
            self._write_index(entry)
        if lines:
            data = ("\n".join(lines) + "\n").encode()
            self.plain_bytes += len(data)
            self._data.write(data)
        self.members.append(member)
        return member

    @staticmethod
    def _refusal(each: Object, record: json_records.Record) -> dict[str, Any]:
        raw = record.raw[: MAX_RAW + 4]
        return {
            "refused": record.rule,
            "key": each.key,
            "line": record.line,
            "raw": base64.b64encode(raw).decode(),
            "raw_bytes": record.size,
        }

    def _write_index(self, entry: dict[str, Any]) -> None:
        self._index.write(json.dumps(entry).encode() + b"\n")

    def finish(self) -> None:
        """Completes the data."""
        self._data.close()

    def seal(self, stored: Object) -> None:
        """Completes the index: its last line names the stored object."""
        self._write_index(
            {
                "compacted": FORMAT,
                "source": self.source,
                "key": stored.key,
                "version": stored.version,
                "size": stored.size,
            }
        )
        self._index.close()


# Reading ----------------------------------------------------------------------------------


def read_index(body: bytes, place: str) -> tuple[str, CompactedFile, list[dict[str, Any]]]:
    """Parses an index: name of the source, the compacted object, the refused records.

    :raises SourceError: when it is not an index of this format version.
    """
    members: list[Member] = []
    refused: list[dict[str, Any]] = []
    try:
        for line in io.BytesIO(gzip.decompress(body)):
            entry = json.loads(line)
            if "compacted" in entry:
                if entry["compacted"] != FORMAT:
                    break
                stored = Object(entry["key"], entry["version"], entry["size"])
                return entry["source"], CompactedFile(stored, members), refused
            if "refused" in entry:
                refused.append(entry)
            else:
                each = Object(entry["key"], entry["version"], entry["size"])
                members.append(Member(each, entry["rows_read"], entry["rows_kept"]))
    except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError):
        pass
    raise SourceError(
        f"{place} is not an index of a compacted object that this version reads",
        "remove it and compact again",
    )


def extract(file: CompactedFile, path: str, into: Path, piece_bytes: int) -> list[tuple[Path, int]]:
    """Writes the lines of the served members into plain files of about ``piece_bytes``.

    :returns: the files with their numbers of rows.
    :raises SourceError: when the number of rows differs from the ledger's.
    """
    name = f"compacted-{file.object.key[-28 : -len(SUFFIX)]}"
    pieces: list[tuple[Path, int]] = []
    counted = 0
    try:
        with gzip.open(path) as lines:
            batches = _served_lines(file, lines)
            while True:
                target = into / f"{name}-{len(pieces)}.json"
                rows = _write_piece(batches, target, piece_bytes)
                if not rows:
                    target.unlink()
                    break
                pieces.append((target, rows))
                counted += rows
            if lines.read(1):
                raise wrong_content(file.object.key)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise wrong_content(file.object.key) from None
    if counted != sum(each.rows_kept for each in file.served_members):
        raise wrong_content(file.object.key)
    return pieces


def _served_lines(file: CompactedFile, lines: gzip.GzipFile) -> Iterator[tuple[bytes, int]]:
    """Batches of lines of the served members, with their numbers of rows."""
    batch: list[bytes] = []
    for member in file.members:
        found = [lines.readline() for _ in range(member.rows_kept)]
        if not all(found):
            raise wrong_content(file.object.key)
        if member.object.key in file.served:
            batch += found
        if len(batch) >= 1000:
            yield b"".join(batch), len(batch)
            batch = []
    if batch:
        yield b"".join(batch), len(batch)


def _write_piece(batches: Iterator[tuple[bytes, int]], path: Path, max_bytes: int) -> int:
    rows = size = 0
    with path.open("wb") as file:
        for data, count in batches:
            file.write(data)
            rows, size = rows + count, size + len(data)
            if size >= max_bytes:
                break
    return rows
