"""The way of objects to the engine and back: which it may read where they lie, and their bytes."""

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
    """Takes in the objects of a source: large sound ones as they are, the others spooled.

    :param reading: gets the records counted in each object, and what changed meanwhile.
    """

    def __init__(
        self, scratch: Path, source: Source, quarantine: Quarantine, reading: Reading
    ) -> None:
        self.scratch, self.source, self.quarantine = scratch, source, quarantine
        self.reading = reading
        self.spool = Spool(scratch, source, quarantine)
        self.objects: dict[str, Object] = {}
        #: Where the plain bytes of an object are; small gzip is unpacked again when asked for.
        self.plain: dict[str, str] = {}
        self.gzip_keys: set[str] = set()
        #: Lines (from 0) of objects that the engine may wrongly take for sound.
        self.odd: dict[str, Sequence[int]] = {}
        # DuckDB leaves a part of a core idle while it writes what it read.
        self._surveyor = ThreadPoolExecutor(1, "survey")
        self._surveys: dict[str, Future[Survey]] = {}
        self._ended = threading.Event()

    def accept(self, each: Object) -> bool:
        """Whether DuckDB may read an object where it lies; else it is spooled, refused or gone.

        That the whole of it is as its start looks is found out meanwhile: ask ``lines``.
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
        # Not by Path: for thousands of small files it takes half as long as to read them.
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
            # DuckDB takes glob characters and the ending .gz at their word, and only UTF-8.
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
        """Spools an object that DuckDB may not read where it lies."""
        path = self.plain[each.key]
        head = _head(path, 4)
        with Path(path).open("rb") as file:
            self._spool(each, head, file)

    def lines(self, each: Object) -> int:
        """Lines of an object that was accepted; 0: it is unfit after all, and was spooled now.

        :raises OSError: when it cannot be read to its end.
        """
        found = self._surveys[each.key].result()
        if not found.plain:
            self.spool_whole(each)
            return 0
        self.reading.read[each.key] = found.lines
        if found.odd:
            self.odd[each.key] = found.odd
        return found.lines

    def close(self) -> None:
        """Ends what goes on beside the reading."""
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

    def opened(self, each: Object) -> BinaryIO:
        """The plain bytes of an object that was accepted."""
        if each.key in self.gzip_keys:
            self.gzip_keys.discard(each.key)
            self.plain[each.key] = gzip_files.decompress_file(each.path, self.scratch)
        return Path(self.plain[each.key]).open("rb")


def _head(path: str, size: int) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(size)
