"""Compacted objects in the ledger, and the choice of those that a load reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from ..models.audit import CompactedObject
from ..models.base import table_of
from ..models.declare import Source
from ..steps.executor import Executor
from ..storage.compacted_file import CompactedFile, Member
from ..storage.objects import Object

COMPACTED_OBJECT = table_of(CompactedObject)

#: A compacted object is read when at least this share of its bytes belongs to objects of the load;
#: otherwise they are read one by one.
MIN_SHARE = 0.5


def ledger_rows(source: Source, file: CompactedFile, at: Any) -> Iterator[dict[str, Any]]:
    """Rows of ``audit.compacted_object`` for the members of a compacted object."""
    for position, member in enumerate(file.members, 1):
        yield {
            "into_key": file.object.key,
            "position": position,
            "into_version": file.object.version,
            "into_size": file.object.size,
            "source": source.name,
            "key": member.object.key,
            "version": member.object.version,
            "size": member.object.size,
            "rows_read": member.rows_read,
            "rows_kept": member.rows_kept,
            "at": at,
        }


def recorded_files(ex: Executor, source: Source) -> list[CompactedFile]:
    """The compacted objects of a source in the ledger."""
    c = COMPACTED_OBJECT.c
    rows = ex.rows(
        sa.select(
            *(c.into_key, c.into_version, c.into_size),
            *(c.key, c.version, c.size, c.rows_read, c.rows_kept),
        )
        .where(c.source == source.name)
        .order_by(c.into_key, c.position),
        step="discover",
        target=source.name,
    )
    members: dict[Object, list[Member]] = {}
    for into_key, into_version, into_size, key, version, size, read, kept in rows:
        into = Object(into_key, into_version, into_size)
        members.setdefault(into, []).append(Member(Object(key, version, size), read, kept))
    return [CompactedFile(into, found) for into, found in members.items()]


def choose_files(
    compacted: Iterable[CompactedFile], objects: Iterable[Object]
) -> list[CompactedFile]:
    """The compacted objects that a load reads instead of objects, each with those it serves.

    Each object is served at most once. Rows of the other members are removed by their object's key,
    so no file is chosen that contains another version of an object that a chosen one serves.
    """
    new = {each.identity for each in objects}
    candidates = []
    for file in compacted:
        members = [member.object.identity for member in file.members]
        served = [member for member in members if member in new]
        share = sum(size for *_, size in served)
        if served and share >= MIN_SHARE * sum(size for *_, size in members):
            candidates.append((share, file, {key for key, *_ in served}))
    chosen: list[CompactedFile] = []
    served_keys: set[str] = set()
    other_keys: set[str] = set()
    for _, file, keys in sorted(candidates, key=lambda c: (-c[0], c[1].object.key)):
        others = {member.object.key for member in file.members} - keys
        if not (keys & (served_keys | other_keys) or others & served_keys):
            chosen.append(CompactedFile(file.object, file.members, frozenset(keys)))
            served_keys |= keys
            other_keys |= others
    return chosen
