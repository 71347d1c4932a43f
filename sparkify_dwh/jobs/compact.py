"""Compacting a source: many small objects into few gzip objects of an even size.

The source is only read. A compacted object appears under its final name when it is complete, its
index after it, and the ledger knows it last; what a killed run leaves complete the next one adopts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ..core.errors import SettingsError, SourceError
from ..core.settings import Settings
from ..core.table import html_table
from ..dialects.base import Engine
from ..models.declare import Declarations, Source
from ..models.extensions import locations
from ..steps import ledger
from ..steps.executor import Executor
from ..storage import compacted_file
from ..storage.compacted_file import CompactedFile
from ..storage.compacted_format import (
    NAME,
    CompactedWriter,
    Undecodable,
    compacted_name,
    read_index,
)
from ..storage.compacted_store import CompactedStore, open_store
from ..storage.jsonpaths import read_jsonpaths
from ..storage.listing import list_sources
from ..storage.objects import Object, is_loaded
from ..storage.s3 import S3, SCHEME
from . import compacted_ledger

#: Compressed bytes of a compacted object to aim at; AWS advises 1 MB to 1 GB and equal sizes.
#: Source: https://docs.aws.amazon.com/redshift/latest/dg/c_best-practices-use-multiple-files.html
AIM = 128 * 1024 * 1024
#: Objects of more plain bytes are of a good size as they are.
LARGE = 64 * 1024 * 1024
#: Plain bytes in a byte of gzip, to tell about how much an object holds before it is read.
GZIP_RATIO = 8
_SAMPLE_OBJECTS, _SAMPLE_BYTES = 64, 8 * 1024 * 1024
#: Objects fetched before they are written in their order.
_CHUNK = 1000


class Compacting:
    """One run of compacting.

    :param ready: called with a connection before the ledger is read; raises where the schema is
        not this library's.
    :param into: folder or ``s3://`` prefix; under ``work_prefix`` when left out.
    :param slices: the number of compacted objects is a multiple of it; asked of the engine when
        left out.
    """

    def __init__(
        self,
        engine: Engine,
        declarations: Declarations,
        settings: Settings,
        *,
        ready: Callable[[sa.Connection], None],
        source: str,
        into: str | None = None,
        slices: int | None = None,
        reload: bool = False,
        dry_run: bool = False,
        tell: Callable[[str], None],
    ) -> None:
        self.engine, self.settings, self.ready, self.tell = engine, settings, ready, tell
        self.source = _source(declarations, source)
        place = settings.location(self.source.name, self.source.setting)
        if not place:
            raise SettingsError(
                f"the source {self.source.name} has no place", f"set {self.source.setting}"
            )
        if slices is not None and slices < 1:
            raise SettingsError(f"--slices {slices}: there is at least one", "leave it out")
        self.place, self.slices = place, slices
        self.reload, self.dry_run = reload, dry_run
        self.s3 = S3(settings)
        others = locations(settings, declarations).values()
        self.store: CompactedStore = open_store(self.s3, settings, self.source.name, into, others)
        self._require_declared_keys()

    def run(self) -> Compaction:
        """Compacts what is new.

        :raises SourceError: when the source cannot be read or the place cannot be written.
        :raises DatabaseError: when the ledger cannot be read or written.
        """
        began = time.perf_counter()
        listing = list_sources(self.settings, {self.source.name: self.place})[self.source.name]
        try:
            held, loaded, slices = self._ledger()
            done = Compaction(self.source.name, self.store.address, slices, self.dry_run)
            done.listed = len(listing.objects)
            held += self._adopt(held, done)
            todo = self._todo(listing.objects, held, loaded, done)
            groups = self._groups(todo, slices)
            if not groups:
                done.left = len(todo)
            for number, group in enumerate(groups, 1):
                if self.dry_run:
                    self._foresee(group, done)
                else:
                    self._make(group, done)
                    self.tell(f"{number} of {len(groups)} compacted objects written")
        finally:
            self.engine.close()
        done.seconds = time.perf_counter() - began
        return done

    def _require_declared_keys(self) -> None:
        """:raises SettingsError: when a jsonpaths file reads other keys than the declared ones."""
        given = self.settings.jsonpaths(self.source.setting)
        if given is None:
            return
        paths = read_jsonpaths(self.s3, given, self.source.name, self.source.keys)
        declared = [(f"$['{key}']", f"$.{key}") for key in self.source.keys]
        if any(path not in same for path, same in zip(paths, declared, strict=True)):
            raise SettingsError(
                f"{given} reads other keys than {self.source.name} declares",
                "leave compact out: it writes the declared keys only",
            )

    # What there is to do ------------------------------------------------------------------

    def _ledger(self) -> tuple[list[CompactedFile], dict[str, tuple[str, int]], int]:
        """Living compacted objects, loaded object versions, and the slices to write for."""
        if self.dry_run and not self.engine.exists():
            return [], {}, self.slices or 1
        with self.engine.session(read_only=self.dry_run and self.engine.embedded) as connection:
            self.ready(connection)
            ex = Executor(connection)
            held = compacted_ledger.recorded_files(ex, self.source)
            loaded = {} if self.reload else ledger.loaded_objects(ex, self.source)
            connection.rollback()
            slices = self.slices or self.engine.slices(connection)
        there = compacted_file.unchanged_objects(self.settings, [pack.object for pack in held])
        return [pack for pack in held if pack.object in there], loaded, slices

    def _adopt(self, held: Sequence[CompactedFile], done: Compaction) -> list[CompactedFile]:
        """Complete compacted objects at the place that the ledger does not know.

        What a killed run left without an index is removed.
        """
        known = {pack.object.key for pack in held}
        there = {each.key: each for each in self.store.objects()}
        found = []
        if not self.dry_run:
            half = (
                key for key in there if _is_data(key) and compacted_file.index_key(key) not in there
            )
            self.store.remove(half)
        for key in sorted(there):
            if not key.endswith(compacted_file.INDEX_SUFFIX):
                continue
            data = key.removesuffix(compacted_file.INDEX_SUFFIX) + compacted_file.SUFFIX
            if data in known or data not in there:
                continue
            name, pack, _ = read_index(self.store.read(key), key)
            now = there[data]
            if name == self.source.name and now.identity == pack.object.identity:
                found.append(pack)
        if not self.dry_run:
            for pack in found:
                self._record(pack)
        done.adopted = len(found)
        return found

    def _todo(
        self,
        objects: Sequence[Object],
        held: Sequence[CompactedFile],
        loaded: Mapping[str, tuple[str, int]],
        done: Compaction,
    ) -> list[Object]:
        compacted = {
            (m.object.key, m.object.version, m.object.size) for p in held for m in p.members
        }
        todo = []
        for each in objects:
            identity = (each.key, each.version, each.size)
            if identity in compacted:
                done.known += 1
            elif is_loaded(each, loaded):
                done.loaded += 1
            elif _weight(each) >= LARGE:
                done.large += 1
            else:
                todo.append(each)
        return todo

    def _groups(self, todo: Sequence[Object], slices: int) -> list[Sequence[Object]]:
        """Stretches of about equal weight, as many as a multiple of the slices."""
        total = sum(map(_weight, todo))
        if len(todo) <= slices:
            return []
        rounds = max(1, round(total * self._ratio(todo) / (slices * AIM)))
        count = slices * rounds
        if count >= len(todo):
            count = slices
        groups: list[list[Object]] = [[] for _ in range(count)]
        before = 0
        for position, each in enumerate(todo):
            # The middle of an object tells its group; without bytes, its position does.
            middle = before + _weight(each) / 2
            share = middle / total if total else position / len(todo)
            groups[min(int(share * count), count - 1)].append(each)
            before += _weight(each)
        return [group for group in groups if group]

    def _ratio(self, todo: Sequence[Object]) -> float:
        """Compressed bytes for a unit of weight, measured on objects from all over the source."""
        step = max(1, len(todo) // _SAMPLE_OBJECTS)
        sample: list[Object] = []
        size = 0
        for each in todo[::step]:
            if sample and size + _weight(each) > _SAMPLE_BYTES:
                break
            sample.append(each)
            size += _weight(each)
        data = BytesIO()
        writer = CompactedWriter(data, BytesIO(), self.source.name, self.source.keys)
        for each, body in self._bodies(sample):
            with suppress(Undecodable):
                if body is not None:
                    writer.add(each, body)
        writer.finish()
        weight = sum(_weight(member.object) for member in writer.members)
        return len(data.getvalue()) / weight if weight else 1.0

    def _foresee(self, group: Sequence[Object], done: Compaction) -> None:
        done.compacted += len(group)
        done.bytes_read += sum(each.size for each in group)
        key = self.store.address + compacted_name(group)
        done.made.append({"key": key, "size": None, "objects": len(group)})

    # Making one ---------------------------------------------------------------------------

    def _make(self, group: Sequence[Object], done: Compaction) -> None:
        name = compacted_name(group)
        data, index = (
            self.engine.scratch / part for part in (name, compacted_file.index_key(name))
        )
        with data.open("wb") as to, index.open("wb") as index_to:
            writer = CompactedWriter(to, index_to, self.source.name, self.source.keys)
            for each, body in self._bodies(group):
                with suppress(Undecodable):
                    if body is not None:
                        writer.add(each, body)
            writer.finish()
            to.flush()
            done.left += len(group) - len(writer.members)
            if not writer.members:
                return
            made = self.store.put(data, name)
            writer.seal(made)
            index_to.flush()
            self.store.put(index, compacted_file.index_key(name))
        pack = CompactedFile(made, writer.members)
        self._record(pack)
        for path in (data, index):
            path.unlink()
        done.compacted += len(pack.members)
        done.bytes_read += sum(each.object.size for each in pack.members)
        done.bytes_written += made.size
        done.made.append(
            {
                "key": made.key,
                "size": made.size,
                "objects": len(pack.members),
                "rows": pack.rows,
                "refused": sum(m.rows_read - m.rows_kept for m in pack.members),
            }
        )

    def _bodies(self, objects: Sequence[Object]) -> Iterator[tuple[Object, bytes | None]]:
        """The objects in their order, each with its bytes; None where they are not to be had."""
        for start in range(0, len(objects), _CHUNK):
            chunk = objects[start : start + _CHUNK]
            remote = [each for each in chunk if each.key.startswith(SCHEME)]
            paths = {
                found.key: found.path
                for found in (self.s3.fetch(remote, self.engine.scratch) if remote else ())
                if not isinstance(found, str)
            }
            for each in chunk:
                path = paths.get(each.key)
                if path:
                    yield each, Path(path).read_bytes()
                    Path(path).unlink()
                else:
                    yield each, None if each.key.startswith(SCHEME) else _local_bytes(each)

    def _record(self, pack: CompactedFile) -> None:
        """Tells the ledger, in a short transaction."""
        with self.engine.session() as connection, connection.begin():
            ex = Executor(connection)
            table = compacted_ledger.COMPACTED_OBJECT
            before = sa.delete(table).where(table.c.into_key == pack.object.key)
            ex.change(before, step="compact", target=self.source.name)
            rows = compacted_ledger.ledger_rows(self.source, pack, str(ledger.utc_now()))
            self.engine.fill(ex, table, rows, step="compact", target=self.source.name)


def _source(declarations: Declarations, name: str) -> Source:
    for source in declarations.sources:
        if name == source.setting:
            return source
    return declarations.source(name)


def _is_data(key: str) -> bool:
    return NAME.fullmatch(key.rpartition("/")[2]) is not None


def _weight(each: Object) -> int:
    """About how many plain bytes an object has."""
    return each.size * (GZIP_RATIO if each.key.endswith(".gz") else 1)


def _local_bytes(each: Object) -> bytes | None:
    try:
        body = Path(each.path).read_bytes()
        now = Path(each.path).stat()
    except OSError:
        return None
    same = len(body) == each.size == now.st_size and str(now.st_mtime_ns) == each.version
    return body if same else None


__all__ = ["Compacting", "Compaction", "SourceError"]


@dataclass
class Compaction:
    """What compacting a source did.

    :param source: name of the source.
    :param into: where compacted objects lie: a folder or prefix with a slash at its end.
    :param slices: their number is a multiple of it, where there are as many objects.
    :param dry_run: whether nothing was written.
    :param listed: objects of the source.
    :param loaded: of these, those that the warehouse holds already; they are left alone.
    :param known: those that compacted objects hold already.
    :param large: those of a good size as they are.
    :param compacted: those that went into compacted objects now.
    :param left: those that load by themselves: they changed, or are no text of records.
    :param adopted: compacted objects that an earlier run, or another warehouse, has made.
    :param bytes_read: bytes of the objects that were compacted, as they are stored.
    :param bytes_written: bytes of the new compacted objects, without their indexes.
    :param made: the new compacted objects: ``key``, ``size`` (bytes, None in a dry run),
        ``objects``, and when they were made ``rows`` and ``refused``.
    :param seconds: how long it took.
    """

    source: str
    into: str
    slices: int
    dry_run: bool = False
    listed: int = 0
    loaded: int = 0
    known: int = 0
    large: int = 0
    compacted: int = 0
    left: int = 0
    adopted: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    made: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for ``--json``."""
        return asdict(self)

    def _repr_html_(self) -> str:
        rows = [tuple(each.values()) for each in self.made]
        head = f"{self.source}: {self.compacted:,} objects into {len(self.made):,}"
        return html_table(("key", "size", "objects", "rows", "refused"), rows, head)
