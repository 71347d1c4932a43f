"""Compacts a source: many small objects into few gzip objects of about equal size.

The source is only read. A compacted object gets its final name when it is complete, then its index
is written, then the ledger. If a run is killed in between, the next one adopts what is complete.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import sqlalchemy as sa

from ..core.errors import SettingsError
from ..core.settings import Settings
from ..dialects.base import Engine, SchemaCheck
from ..models.declare import Declarations, Source
from ..models.extensions import locations
from ..steps import ledger
from ..steps.executor import Executor
from ..storage.compacted_file import (
    INDEX_SUFFIX,
    SUFFIX,
    CompactedFile,
    index_key,
    unchanged_objects,
)
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
from ..storage.object_bodies import read_bodies
from ..storage.objects import Object, is_loaded
from ..storage.s3 import S3
from . import compact_groups, compacted_ledger
from .compact_groups import weight
from .compact_result import Compaction


@dataclass(frozen=True)
class _Job:
    """What the steps of one run share."""

    engine: Engine
    source: Source
    s3: S3
    store: CompactedStore
    result: Compaction


def compact(
    engine: Engine,
    declarations: Declarations,
    prepare: SchemaCheck,
    source: str,
    into: str | None = None,
    *,
    slices: int | None = None,
    reload: bool = False,
    dry_run: bool = False,
) -> Compaction:
    """Compacts what is new; closes the engine.

    :param prepare: called with a connection before the ledger is read; raises where the schema does
        not match the library.
    :param source: name or setting of a source.
    :param into: folder or ``s3://`` prefix; ``compacted/`` under ``work_prefix`` when omitted.
    :param slices: the number of compacted objects is a multiple of it; the engine's own when
        omitted.
    :param reload: includes objects that are loaded.
    :raises SettingsError: when the source or the place cannot be used.
    :raises SourceError: when the source cannot be read or the place cannot be written.
    :raises DatabaseError: when the ledger cannot be read or written.
    """
    began = time.perf_counter()
    declared = _declared_source(declarations, source)
    settings, s3 = engine.settings, S3(engine.settings)
    place = settings.location(declared.name, declared.setting)
    if not place:
        raise SettingsError(f"the source {declared.name} has no place", f"set {declared.setting}")
    if slices is not None and slices < 1:
        raise SettingsError(f"--slices {slices} is less than 1", "leave it out")
    places = locations(settings, declarations).values()
    store = open_store(s3, settings, declared.name, into, places)
    _require_declared_keys(s3, settings, declared)
    objects = list_sources(settings, {declared.name: place})[declared.name].objects
    result = Compaction(declared.name, store.address, slices or 1, dry_run, len(objects))
    job = _Job(engine, declared, s3, store, result)
    try:
        recorded, loaded = _read_ledger(job, prepare, slices, reload)
        recorded += _adopt(job, recorded)
        new = _select(objects, recorded, loaded, result)
        groups = _groups(job, new)
        for number, group in enumerate(groups, 1):
            if dry_run:
                _predict(job, group)
            else:
                _compact_group(job, group)
                engine.tell(f"compacted object {number} of {len(groups)} written")
    finally:
        engine.close()
    result.seconds = time.perf_counter() - began
    return result


def _declared_source(declarations: Declarations, name: str) -> Source:
    for source in declarations.sources:
        if name == source.setting:
            return source
    return declarations.source(name)


def _require_declared_keys(s3: S3, settings: Settings, source: Source) -> None:
    """:raises SettingsError: when a jsonpaths file reads other keys than the declared ones."""
    place = settings.jsonpaths(source.setting)
    if place is None:
        return
    paths = read_jsonpaths(s3, place, source.name, source.keys)
    declared = [(f"$['{key}']", f"$.{key}") for key in source.keys]
    if any(path not in spellings for path, spellings in zip(paths, declared, strict=True)):
        raise SettingsError(
            f"{place} reads other keys than {source.name} declares",
            "load without compact: it writes the declared keys only",
        )


# What is new ------------------------------------------------------------------------------


def _read_ledger(
    job: _Job, prepare: SchemaCheck, slices: int | None, reload: bool
) -> tuple[list[CompactedFile], dict[str, tuple[str, int]]]:
    """Existing compacted objects and loaded object versions; sets the result's slices."""
    engine, dry_run = job.engine, job.result.dry_run
    if dry_run and not engine.exists():
        return [], {}
    with engine.session(read_only=dry_run and engine.embedded) as connection:
        prepare(connection)
        ex = Executor(connection)
        recorded = compacted_ledger.recorded_files(ex, job.source)
        loaded = {} if reload else ledger.loaded_objects(ex, job.source)
        connection.rollback()
        job.result.slices = slices or engine.slices(connection)
    unchanged = unchanged_objects(engine.settings, [file.object for file in recorded])
    return [file for file in recorded if file.object in unchanged], loaded


def _adopt(job: _Job, recorded: Iterable[CompactedFile]) -> list[CompactedFile]:
    """Records complete compacted objects that are in the store but not in the ledger.

    Those that a killed run left without an index are removed.
    """
    known = {file.object.key for file in recorded}
    stored = {each.key: each for each in job.store.objects()}
    if not job.result.dry_run:
        job.store.remove(key for key in stored if _is_data(key) and index_key(key) not in stored)
    adopted = []
    for key in sorted(stored):
        data_key = key.removesuffix(INDEX_SUFFIX) + SUFFIX
        if not key.endswith(INDEX_SUFFIX) or data_key in known or data_key not in stored:
            continue
        source_name, file, _ = read_index(job.store.read(key), key)
        now, then = stored[data_key], file.object
        unchanged = (now.version, now.size) == (then.version, then.size)
        if source_name == job.source.name and unchanged:
            adopted.append(file)
    if not job.result.dry_run:
        for file in adopted:
            _record(job, file)
    job.result.adopted = len(adopted)
    return adopted


def _is_data(key: str) -> bool:
    return NAME.fullmatch(key.rpartition("/")[2]) is not None


def _select(
    objects: Iterable[Object],
    recorded: Iterable[CompactedFile],
    loaded: Mapping[str, tuple[str, int]],
    result: Compaction,
) -> list[Object]:
    """The objects to compact; counts the others."""
    compacted = {member.object.identity for file in recorded for member in file.members}
    new = []
    for each in objects:
        if each.identity in compacted:
            result.known += 1
        elif is_loaded(each, loaded):
            result.loaded += 1
        elif weight(each) >= compact_groups.LARGE:
            result.large += 1
        else:
            new.append(each)
    return new


def _groups(job: _Job, new: Sequence[Object]) -> list[Sequence[Object]]:
    slices = job.result.slices
    if len(new) <= slices:
        job.result.left = len(new)
        return []
    compression = _compression(job, compact_groups.sample(new))
    return compact_groups.divide(new, compact_groups.count_groups(new, slices, compression))


def _compression(job: _Job, objects: Sequence[Object]) -> float:
    """Compressed bytes for a unit of weight."""
    data = BytesIO()
    writer = CompactedWriter(data, BytesIO(), job.source.name, job.source.keys)
    _add_all(job, writer, objects)
    total = sum(weight(member.object) for member in writer.members)
    return len(data.getvalue()) / total if total else 1.0


# Writing ----------------------------------------------------------------------------------


def _predict(job: _Job, group: Sequence[Object]) -> None:
    """Counts a group as compacted, for a dry run."""
    job.result.compacted += len(group)
    job.result.bytes_read += sum(each.size for each in group)
    key = job.store.address + compacted_name(group)
    job.result.made.append({"key": key, "size": None, "objects": len(group)})


def _compact_group(job: _Job, group: Sequence[Object]) -> None:
    """Writes one compacted object and its index, and records it."""
    name = compacted_name(group)
    data_path, index_path = job.engine.scratch / name, job.engine.scratch / index_key(name)
    with data_path.open("wb") as data, index_path.open("wb") as index:
        writer = CompactedWriter(data, index, job.source.name, job.source.keys)
        _add_all(job, writer, group)
        data.flush()
        job.result.left += len(group) - len(writer.members)
        if not writer.members:
            return
        stored = job.store.put(data_path, name)
        writer.seal(stored)
        index.flush()
        job.store.put(index_path, index_key(name))
    file = CompactedFile(stored, writer.members)
    _record(job, file)
    for path in (data_path, index_path):
        path.unlink()
    job.result.compacted += len(file.members)
    job.result.bytes_read += sum(member.object.size for member in file.members)
    job.result.bytes_written += stored.size
    job.result.made.append(
        {
            "key": stored.key,
            "size": stored.size,
            "objects": len(file.members),
            "rows": file.rows,
            "refused": sum(m.rows_read - m.rows_kept for m in file.members),
        }
    )


def _add_all(job: _Job, writer: CompactedWriter, objects: Sequence[Object]) -> None:
    for each, body in read_bodies(job.s3, objects, job.engine.scratch):
        with suppress(Undecodable):
            if body is not None:
                writer.add(each, body)
    writer.finish()


def _record(job: _Job, file: CompactedFile) -> None:
    """Writes a compacted object to the ledger, in a short transaction."""
    step: dict[str, Any] = {"step": "compact", "target": job.source.name}
    table = compacted_ledger.COMPACTED_OBJECT
    with job.engine.session() as connection, connection.begin():
        ex = Executor(connection)
        ex.change(sa.delete(table).where(table.c.into_key == file.object.key), **step)
        rows = compacted_ledger.ledger_rows(job.source, file, str(ledger.utc_now()))
        job.engine.fill(ex, table, rows, **step)
