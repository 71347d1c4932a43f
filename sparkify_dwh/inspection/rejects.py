"""Refused rows: of which run, where they are, and whether the star has them by now."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ..core.errors import UsageError
from ..core.settings import Settings
from ..core.table import Table
from ..dialects.base import Engine
from ..models.declare import Declarations, Source
from ..models.expressions import same
from ..steps import locate
from ..steps.executor import Executor
from ..steps.ledger import FILE, REJECTED, RUN
from ..steps.locate import RecordPlace, Texts
from ..steps.quarantine import shown_raw
from ..storage import listing
from ..storage.objects import Object
from ..storage.s3 import S3, SCHEME
from .in_star import in_star


def rejects(
    engine: Engine, declarations: Declarations, run_id: str | None, *, locate: bool = False
) -> Table:
    """See ``Warehouse.rejects``."""
    columns = [c for c in REJECTED.c if c.name != "position"]
    statement = sa.select(*columns).order_by(REJECTED.c.run_id, REJECTED.c.position)
    if run_id is not None:
        statement = statement.where(REJECTED.c.run_id == run_id)
    else:
        statement = statement.join(*_newest())
    # Only temporary tables are written: an embedded database allows it in a file opened read-only,
    # other engines do not allow it in a read-only transaction.
    with engine.session(read_only=engine.embedded) as connection:
        known = sa.select(RUN.c.run_id).where(RUN.c.run_id == run_id).limit(1)
        if run_id is not None and connection.execute(known).first() is None:
            raise UsageError(f"there is no run {run_id}", "sparkify runs lists them")
        result = connection.execute(statement)
        rows: Sequence[Any] = result.all()
        sources, targets = declarations.sources, declarations.targets
        try:
            present = in_star(Executor(connection), engine, sources, targets, rows)
            if locate:
                rows = located(engine, connection, sources, rows)
        finally:
            engine.close()
        names = (*result.keys(), "in_star")
        return Table(names, [(*row, now) for row, now in zip(rows, present, strict=True)])


def in_force(run_id: str | None, characters: int) -> sa.Subquery:
    """Refused rows of the newest run of each object, and of one run; their text is cut.

    A run that was rolled back is of no object: what it refused is seen by its id alone.
    """
    places, of_object = _newest()
    wanted: sa.ColumnElement[bool] = places.c.run_id.is_not(None)
    if run_id is not None:
        wanted = sa.or_(wanted, REJECTED.c.run_id == run_id)
    columns = [c for c in REJECTED.c if c.name != "raw"]
    text = sa.func.substr(REJECTED.c.raw, 1, characters).label("raw")
    return (
        sa.select(*columns, text)
        .select_from(REJECTED.outerjoin(places, of_object))
        .where(wanted)
        .subquery("in_force")
    )


def _newest() -> tuple[sa.FromClause, sa.ColumnElement[bool]]:
    """The newest run of each object; rows without an object belong to any object of their run."""
    newest = (
        sa.select(FILE.c.source, FILE.c.key, sa.func.max(FILE.c.run_id).label("run_id"))
        .group_by(FILE.c.source, FILE.c.key)
        .cte("newest")
    )
    nowhere = sa.cast(sa.null(), FILE.c.key.type).label("key")
    runs = sa.select(newest.c.source, nowhere, newest.c.run_id).distinct()
    places = sa.union_all(sa.select(newest.c.source, newest.c.key, newest.c.run_id), runs).subquery(
        "places"
    )
    return places, sa.and_(
        REJECTED.c.source == places.c.source,
        REJECTED.c.run_id == places.c.run_id,
        same(REJECTED.c.key, places.c.key),
    )


def located(
    engine: Engine, connection: sa.Connection, sources: Sequence[Source], rows: Sequence[Any]
) -> list[tuple[Any, ...]]:
    """Completes rows without an object: the object and line they are found at, and their text.

    The objects of their runs are read again, in the version that was loaded; where one is gone or
    changed since, its rows stay as they are.
    """
    lost: dict[tuple[str, str], dict[Texts, list[int]]] = defaultdict(lambda: defaultdict(list))
    by_name = {source.name: source for source in sources}
    for number, row in enumerate(rows):
        if row.key is None and row.source in by_name:
            source = by_name[row.source]
            values = _fields(source, row.raw)
            if values is not None:
                lost[row.run_id, row.source][locate.texts(source, values)].append(number)
    found = [tuple(row) for row in rows]
    names = list(rows[0]._mapping) if rows else []
    for (run, name), wanted in lost.items():
        objects = _objects(engine.settings, connection, by_name[name], run)
        fetched = _fetched(S3(engine.settings), objects, engine.scratch)
        for identity, place in locate.find(fetched, by_name[name], set(wanted)):
            if place.rule is None and wanted[identity]:
                number = wanted[identity].pop(0)
                found[number] = _placed(names, found[number], place)
    return found


def _placed(names: Sequence[str], row: tuple[Any, ...], place: RecordPlace) -> tuple[Any, ...]:
    given = {
        "key": place.key,
        "line": place.line,
        "raw": shown_raw(place.raw),
        "raw_bytes": len(place.raw),
    }
    return tuple(given.get(name, value) for name, value in zip(names, row, strict=True))


def _fields(source: Source, raw: str | None) -> Mapping[str, Any] | None:
    """The fields kept for a record; None where they were cut."""
    try:
        held = json.loads(raw or "")
    except ValueError:
        return None
    if not isinstance(held, dict):
        return None
    return {column: held.get(key) for key, column in source.keys.items()}


def _objects(
    settings: Settings, connection: sa.Connection, source: Source, run: str
) -> list[Object]:
    """The objects a run loaded; for a run that was rolled back, those there now."""
    loaded = connection.execute(
        sa.select(FILE.c.key, FILE.c.version, FILE.c.size)
        .where(FILE.c.run_id == run, FILE.c.source == source.name)
        .order_by(FILE.c.key)
    ).all()
    connection.rollback()
    place = settings.location(source.name, source.setting)
    if loaded or place is None:
        return [Object(*row) for row in loaded if row.key.startswith(SCHEME)]
    listed = listing.list_sources(settings, {source.name: place})[source.name].objects
    return [each for each in listed if each.key.startswith(SCHEME)]


def _fetched(s3: S3, objects: Sequence[Object], folder: Path) -> Iterator[Object]:
    for found in s3.fetch(objects, folder) if objects else ():
        if not isinstance(found, str):
            yield found
            Path(found.path).unlink()
