"""Sorts objects into those that DuckDB reads directly and those that are spooled."""

from __future__ import annotations

import io
import os
import threading
import zlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from ...models.declare import Source
from ...steps.quarantine import Quarantine
from ...storage import gzip_files, json_records
from ...storage.json_records import MAX_RAW
from ...storage.objects import Object
from ..base import Reading
from .line_survey import Survey, starts_plain, survey
from .spool import Spool

#: Objects below this size are spooled: opening a file costs DuckDB about a millisecond.
SMALL = 256 * 1024


class ObjectSorter:
    """Sorts the objects of a source: large sound ones are read directly, the others spooled.

    :param reading: receives the number of records in each object, and the changed objects.
    """

    def __init__(
        self, scratch: Path, source: Source, quarantine: Quarantine, reading: Reading
    ) -> None:
        self.scratch, self.source, self.quarantine = scratch, source, quarantine
        self.reading = reading
        self.spool = Spool(scratch, source, quarantine)
        self.objects: dict[str, Object] = {}
        #: Paths of the objects' plain bytes; small gzip is decompressed again on demand.
        self.plain: dict[str, str] = {}
        self.gzip_keys: set[str] = set()
        #: Lines (from 0) of objects that DuckDB may wrongly accept as sound.
        self.doubtful: dict[str, Sequence[int]] = {}
        # DuckDB leaves part of a core idle while it writes.
        self._surveyor = ThreadPoolExecutor(1, "survey")
        self._surveys: dict[str, Future[Survey]] = {}
        self._ended = threading.Event()

    def sort(self, each: Object) -> bool:
        """Whether DuckDB may read an object directly; otherwise it is spooled, refused or changed.

        The answer depends on the object's start; ``count_lines`` has surveyed all of it.
        """
        try:
            return self._small(each) if each.size < SMALL else self._large(each, each.path)
        except FileNotFoundError:
            self.reading.changed.add(each.key)
        except OSError as error:
            self._refuse(each, "unreadable_object", str(error.strerror).encode())
        except zlib.error:
            self._refuse_whole(each)
        return False

    def _small(self, each: Object) -> bool:
        # Not by Path: for thousands of small files that takes half as long as reading them.
        with open(each.path, "rb", buffering=0) as file:  # noqa: PTH123
            body = file.read(each.size + 1)
        if len(body) != each.size:
            self.reading.changed.add(each.key)
            return False
        if body.startswith(gzip_files.MAGIC):
            plain = b""
            for part in gzip_files.decompress(io.BytesIO(body), each.size):
                plain += part
                if len(plain) > SMALL:
                    return self._large(each, each.path)
            self.gzip_keys.add(each.key)
            body = plain
        self.plain[each.key] = each.path
        self._spool(each, body[:4], io.BytesIO(body))
        return False

    def _large(self, each: Object, path: str) -> bool:
        head = _head(path, 4)
        if head.startswith(gzip_files.MAGIC):
            path = gzip_files.decompress_file(path, self.scratch)
            head = _head(path, 4)
        elif each.key != path or set(path) & set("*?[]{}\\") or path.endswith(".gz"):
            # DuckDB expands glob characters, decompresses names in .gz, and needs UTF-8 names.
            path = self._linked(path)
        self.plain[each.key] = path
        if (
            json_records.is_utf8_text(head)
            and Path(path).stat().st_size >= SMALL
            and starts_plain(path)
        ):
            self._surveys[each.key] = self._surveyor.submit(survey, path, self._ended.is_set)
            return True
        self.spool_whole(each)
        return False

    def spool_whole(self, each: Object) -> None:
        """Spools a large object that DuckDB must not read directly."""
        path = self.plain[each.key]
        head = _head(path, 4)
        with Path(path).open("rb") as file:
            self._spool(each, head, file)

    def count_lines(self, each: Object) -> int:
        """Lines of an object to be read directly; 0: it is unfit after all, and now spooled.

        :raises OSError: when it cannot be read to its end.
        """
        surveyed = self._surveys[each.key].result()
        if not surveyed.plain:
            self.spool_whole(each)
            return 0
        self.reading.read[each.key] = surveyed.lines
        if surveyed.doubtful:
            self.doubtful[each.key] = surveyed.doubtful
        return surveyed.lines

    def close(self) -> None:
        """Ends the surveys."""
        self._ended.set()
        self._surveyor.shutdown(cancel_futures=True)

    def _linked(self, path: str) -> str:
        target = self.scratch / f"link-{os.urandom(6).hex()}.json"
        target.symlink_to(path)
        return str(target)

    def _spool(self, each: Object, head: bytes, body: BinaryIO) -> None:
        if json_records.is_utf8_text(head):
            self.reading.read[each.key] = self.spool.add(each, body)
        else:
            self._refuse_whole(each)

    def _refuse_whole(self, each: Object) -> None:
        self._refuse(each, "undecodable_object", _head(each.path, MAX_RAW + 4))

    def _refuse(self, each: Object, rule: str, raw: bytes) -> None:
        size = each.size if rule == "undecodable_object" else len(raw)
        self.reading.read[each.key] = 1
        self.quarantine.add_unread(self.source.name, rule, each.key, 0, raw, size)

    def open_plain(self, each: Object) -> BinaryIO:
        """Opens the plain bytes of an object."""
        if each.key in self.gzip_keys:
            self.gzip_keys.discard(each.key)
            self.plain[each.key] = gzip_files.decompress_file(each.path, self.scratch)
        return Path(self.plain[each.key]).open("rb")


def _head(path: str, size: int) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(size)
