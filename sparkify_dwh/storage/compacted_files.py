"""The files of compacted objects: how they are written, and how a load reads them.

A compacted object is gzip of one record a line. Each line carries the object and the line that the
record stands at, and the source's own keys with their values as text. Beside it lies an index: the
objects it was made of, in their order, and the records that no line can hold, because the reader
refuses them. The index is written last: a compacted object without one is not there.
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
from .compacted import LINE, OBJECT, SUFFIX, Member, Pack, broken
from .json_records import MAX_RAW
from .objects import Object

FORMAT = 1
NAME = re.compile(r"part-[0-9a-f]{20}\.json\.gz")
#: An object of more plain bytes is not compacted.
MAX_PLAIN = 256 * 1024 * 1024


# Writing ----------------------------------------------------------------------------------


def name_of(members: Iterable[Object]) -> str:
    """The name of the compacted object of these objects: the same ones give the same name."""
    digest = hashlib.sha256()
    for each in members:
        digest.update(f"{each.key}\0{each.version}\0{each.size}\n".encode())
    return f"part-{digest.hexdigest()[:20]}{SUFFIX}"


class Undecodable(Exception):
    """An object that is no text of records; it is not compacted."""


def _plain(body: bytes) -> bytes:
    """:raises Undecodable: when it is no text, or far more of it than it seems."""
    if body.startswith(gzip_files.MAGIC):
        try:
            body = b"".join(gzip_files.inflate(io.BytesIO(body), len(body)))
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
        # Without name and time, so that the same objects give the same bytes.
        self._data = gzip.GzipFile(filename="", mode="wb", fileobj=data, compresslevel=6, mtime=0)
        self._index = gzip.GzipFile(filename="", mode="wb", fileobj=index, mtime=0)
        self._names = {column: key for key, column in keys.items()}
        self.members: list[Member] = []
        self.plain_bytes = 0

    def add(self, each: Object, body: bytes) -> Member:
        """Adds an object.

        :param body: its bytes, gzip or not.
        :raises Undecodable: when it is none of text; nothing was written.
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
        for found in refused:
            self._write_index(found)
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

    def seal(self, made: Object) -> None:
        """Completes the index: its last line names the object that it belongs to."""
        self._write_index(
            {
                "compacted": FORMAT,
                "source": self.source,
                "key": made.key,
                "version": made.version,
                "size": made.size,
            }
        )
        self._index.close()


# Reading ----------------------------------------------------------------------------------


def read_index(body: bytes, where: str) -> tuple[str, Pack, list[dict[str, Any]]]:
    """What an index says: the source, the compacted object, the refused records.

    :raises SourceError: when it is no index of this version.
    """
    members: list[Member] = []
    refused: list[dict[str, Any]] = []
    try:
        for line in io.BytesIO(gzip.decompress(body)):
            entry = json.loads(line)
            if "compacted" in entry:
                if entry["compacted"] != FORMAT:
                    break
                made = Object(entry["key"], entry["version"], entry["size"])
                return entry["source"], Pack(made, members), refused
            if "refused" in entry:
                refused.append(entry)
            else:
                each = Object(entry["key"], entry["version"], entry["size"])
                members.append(Member(each, entry["rows_read"], entry["rows_kept"]))
    except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError):
        pass
    raise SourceError(
        f"{where} is no index of a compacted object that this version reads",
        "remove it, and compact again",
    )


def unpack(pack: Pack, path: str, into: Path, piece_bytes: int) -> list[tuple[Path, int]]:
    """The lines of a load's members as plain files of about ``piece_bytes``, with their rows.

    :raises SourceError: when there are not as many as the ledger says.
    """
    made: list[tuple[Path, int]] = []
    counted = 0
    try:
        with gzip.open(path) as lines:
            kept = _kept(pack, lines)
            while True:
                target = into / f"pack-{pack.object.key[-28 : -len(SUFFIX)]}-{len(made)}.json"
                rows = _write_piece(kept, target, piece_bytes)
                if not rows:
                    target.unlink()
                    break
                made.append((target, rows))
                counted += rows
            if lines.read(1):
                raise broken(pack.object.key)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise broken(pack.object.key) from None
    if counted != sum(each.rows_kept for each in pack.taken):
        raise broken(pack.object.key)
    return made


def _kept(pack: Pack, lines: gzip.GzipFile) -> Iterator[tuple[bytes, int]]:
    """Stretches of lines that are taken, with their rows."""
    batch: list[bytes] = []
    for member in pack.members:
        found = [lines.readline() for _ in range(member.rows_kept)]
        if not all(found):
            raise broken(pack.object.key)
        if member.object.key in pack.wanted:
            batch += found
        if len(batch) >= 1000:
            yield b"".join(batch), len(batch)
            batch = []
    if batch:
        yield b"".join(batch), len(batch)


def _write_piece(kept: Iterator[tuple[bytes, int]], path: Path, most: int) -> int:
    rows = size = 0
    with path.open("wb") as file:
        for data, count in kept:
            file.write(data)
            rows, size = rows + count, size + len(data)
            if size >= most:
                break
    return rows
