"""Compacted objects on their way to an engine that reads local files."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..models.declare import Source
from ..steps.quarantine import Quarantine
from ..storage import gzip_files, json_records
from ..storage.compacted import LINE, OBJECT, Pack, broken, index_of
from ..storage.compacted_files import read_index, unpack
from ..storage.objects import Object, ObjectsChanged
from ..storage.s3 import SCHEME, Bucketeer
from .base import PIECE_BYTES, Piece, Reading


def member_objects(objects: Sequence[Object], packs: Sequence[Pack]) -> dict[str, Object]:
    """The objects that compacted ones serve, by key."""
    wanted = {key for pack in packs for key in pack.wanted}
    return {each.key: each for each in objects if each.key in wanted}


def take_refused(s3: Bucketeer, source: Source, pack: Pack, quarantine: Quarantine) -> None:
    """Refuses what the members of a compacted object hold that is no record.

    :raises SourceError: when the index that tells it cannot be read.
    """
    if any(each.rows_read != each.rows_kept for each in pack.taken):
        where = index_of(pack.object.key)
        local = not where.startswith(SCHEME)
        body = Path(where).read_bytes() if local else s3.read(where)
        refuse(quarantine, source, pack, read_index(body, where)[2])


class Packed:
    """The compacted objects that one load reads of a source.

    :param others: the objects that it reads one by one.
    """

    injected = (OBJECT, LINE)

    def __init__(
        self,
        s3: Bucketeer,
        scratch: Path,
        source: Source,
        quarantine: Quarantine,
        objects: Sequence[Object],
        packs: Sequence[Pack],
    ) -> None:
        self.s3, self.scratch, self.source, self.quarantine = s3, scratch, source, quarantine
        self.packs = packs
        self.members = member_objects(objects, packs)
        self.others = [each for each in objects if each.key not in self.members]

    def unpack(self, reading: Reading) -> list[Piece]:
        """Files of the lines to read; counts their records, refuses what is none.

        :raises SourceError: when a compacted object is not what it was.
        """
        pieces = []
        for pack in self.packs:
            take_refused(self.s3, self.source, pack, self.quarantine)
            reading.read |= {each.object.key: each.rows_read for each in pack.taken}
            path = self._local(pack.object)
            for target, rows in unpack(pack, path, self.scratch, PIECE_BYTES):
                pieces.append(Piece(str(target), keys=[pack.object.key], rows=rows))
        return pieces

    def _local(self, each: Object) -> str:
        if not each.key.startswith(SCHEME):
            return each.key
        (found,) = self.s3.fetch([each], self.scratch)
        if isinstance(found, str):
            raise broken(each.key)
        return found.path

    def check(self, pieces: Iterable[Piece], rows: Mapping[str, int]) -> None:
        """:raises SourceError: when the engine read another number of rows."""
        for piece in pieces:
            if rows.get(piece.path, 0) != piece.rows:
                raise broken(piece.keys[0])

    def originals(self, keys: Iterable[str]) -> Iterator[tuple[Object, str]]:
        """Members among these keys, each with a local file of its plain bytes.

        :raises ObjectsChanged: when one is no longer what was compacted.
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
            gzipped = file.read(len(gzip_files.MAGIC)) == gzip_files.MAGIC
        return gzip_files.unpack(path, self.scratch) if gzipped else path


def refuse(
    quarantine: Quarantine, source: Source, pack: Pack, refused: Iterable[dict[str, Any]]
) -> None:
    """Refuses the records of a load's members that no line could hold, at their own places.

    :raises SourceError: when they are not as many as the ledger says.
    """
    expected = sum(each.rows_read - each.rows_kept for each in pack.taken)
    for entry in refused:
        if entry["key"] in pack.wanted:
            expected -= 1
            raw = base64.b64decode(entry["raw"])
            quarantine.add_unread(
                *(source.name, entry["refused"], entry["key"]),
                *(entry["line"], raw, entry["raw_bytes"]),
            )
    if expected:
        raise broken(pack.object.key)
