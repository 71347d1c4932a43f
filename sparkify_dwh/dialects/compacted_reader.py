"""Reads compacted objects for an engine that reads local files."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..models.declare import Source
from ..steps.quarantine import Quarantine
from ..storage import gzip_files, json_records
from ..storage.compacted_file import LINE, OBJECT, CompactedFile, index_key, wrong_content
from ..storage.compacted_format import extract, read_index
from ..storage.objects import Object, ObjectsChanged
from ..storage.s3 import S3, SCHEME
from .base import PIECE_BYTES, Piece, Reading


def member_objects(
    objects: Sequence[Object], compacted: Sequence[CompactedFile]
) -> dict[str, Object]:
    """The objects that compacted ones serve, by key."""
    served = {key for file in compacted for key in file.served}
    return {each.key: each for each in objects if each.key in served}


def quarantine_refused(s3: S3, source: Source, file: CompactedFile, quarantine: Quarantine) -> None:
    """Quarantines the records of a compacted object that were refused when it was written.

    :raises SourceError: when the index that lists them cannot be read.
    """
    if any(each.rows_read != each.rows_kept for each in file.served_members):
        place = index_key(file.object.key)
        local = not place.startswith(SCHEME)
        body = Path(place).read_bytes() if local else s3.read(place)
        _quarantine_entries(quarantine, source, file, read_index(body, place)[2])


class CompactedReader:
    """The compacted objects that one load reads of a source.

    :ivar others: the objects that it reads one by one.
    """

    injected = (OBJECT, LINE)

    def __init__(
        self,
        s3: S3,
        scratch: Path,
        source: Source,
        quarantine: Quarantine,
        objects: Sequence[Object],
        compacted: Sequence[CompactedFile],
    ) -> None:
        self.s3, self.scratch, self.source, self.quarantine = s3, scratch, source, quarantine
        self.files = compacted
        self.members = member_objects(objects, compacted)
        self.others = [each for each in objects if each.key not in self.members]

    def extract(self, reading: Reading) -> list[Piece]:
        """Writes the lines to read into files, counts records and quarantines refused ones.

        :raises SourceError: when the content of a compacted object has changed.
        """
        pieces = []
        for file in self.files:
            quarantine_refused(self.s3, self.source, file, self.quarantine)
            reading.read |= {each.object.key: each.rows_read for each in file.served_members}
            path = self._local(file.object)
            for target, rows in extract(file, path, self.scratch, PIECE_BYTES):
                pieces.append(Piece(str(target), keys=[file.object.key], rows=rows))
        return pieces

    def _local(self, each: Object) -> str:
        if not each.key.startswith(SCHEME):
            return each.key
        (found,) = self.s3.fetch([each], self.scratch)
        if isinstance(found, str):
            raise wrong_content(each.key)
        return found.path

    def check(self, pieces: Iterable[Piece], rows: Mapping[str, int]) -> None:
        """:raises SourceError: when the engine read another number of rows."""
        for piece in pieces:
            if rows.get(piece.path, 0) != piece.rows:
                raise wrong_content(piece.keys[0])

    def originals(self, keys: Iterable[str]) -> Iterator[tuple[Object, str]]:
        """The members among these keys, each with a local file of its plain bytes.

        :raises ObjectsChanged: when one has changed since it was compacted.
        """
        members = [self.members[key] for key in keys if key in self.members]
        yield from ((each, self._plain(each.path)) for each in members if each.path)
        remote = [each for each in members if not each.path]
        for found in self.s3.fetch(remote, self.scratch) if remote else ():
            if isinstance(found, str):
                raise ObjectsChanged({found})
            yield found, self._plain(found.path)

    def split(self, plain: str) -> Iterator[json_records.Record]:
        """The records of a file of plain bytes."""
        with Path(plain).open("rb") as file:
            yield from json_records.split(file, self.source.keys)

    def _plain(self, path: str) -> str:
        with Path(path).open("rb") as file:
            is_gzip = file.read(len(gzip_files.MAGIC)) == gzip_files.MAGIC
        return gzip_files.decompress_file(path, self.scratch) if is_gzip else path


def _quarantine_entries(
    quarantine: Quarantine, source: Source, file: CompactedFile, refused: Iterable[dict[str, Any]]
) -> None:
    """Quarantines refused records of a load's members, each with its own object and line.

    :param refused: entries of the index.
    :raises SourceError: when their number differs from the ledger's.
    """
    missing = sum(each.rows_read - each.rows_kept for each in file.served_members)
    for entry in refused:
        if entry["key"] in file.served:
            missing -= 1
            raw = base64.b64decode(entry["raw"])
            quarantine.add_unread(
                *(source.name, entry["refused"], entry["key"]),
                *(entry["line"], raw, entry["raw_bytes"]),
            )
    if missing:
        raise wrong_content(file.object.key)
