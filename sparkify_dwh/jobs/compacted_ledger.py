"""Compacted objects in the ledger: which there are, and which of them serve a load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from ..models.audit import CompactedObject
from ..models.base import table_of
from ..models.declare import Source
from ..steps.executor import Executor
from ..storage.compacted import Member, Pack
from ..storage.objects import Object

COMPACTED = table_of(CompactedObject)

#: Among the bytes of a compacted object those that a load takes must have this share; otherwise
#: its objects are read one by one.
WORTH = 0.5


def entries(source: Source, pack: Pack, at: Any) -> Iterator[dict[str, Any]]:
    """Rows of ``audit.compacted_object`` for the members of a compacted object."""
    for position, member in enumerate(pack.members, 1):
        yield {
            "into_key": pack.object.key,
            "position": position,
            "into_version": pack.object.version,
            "into_size": pack.object.size,
            "source": source.name,
            "key": member.object.key,
            "version": member.object.version,
            "size": member.object.size,
            "rows_read": member.rows_read,
            "rows_kept": member.rows_kept,
            "at": at,
        }


def held(ex: Executor, source: Source) -> list[Pack]:
    """The compacted objects of a source that the ledger knows."""
    c = COMPACTED.c
    found = ex.rows(
        sa.select(
            *(c.into_key, c.into_version, c.into_size),
            *(c.key, c.version, c.size, c.rows_read, c.rows_kept),
        )
        .where(c.source == source.name)
        .order_by(c.into_key, c.position),
        step="discover",
        target=source.name,
    )
    made: dict[Object, list[Member]] = {}
    for into_key, into_version, into_size, key, version, size, read, kept in found:
        into = Object(into_key, into_version, into_size)
        made.setdefault(into, []).append(Member(Object(key, version, size), read, kept))
    return [Pack(into, members) for into, members in made.items()]


def serving(packs: Iterable[Pack], objects: Iterable[Object]) -> list[Pack]:
    """The compacted objects that a load reads instead of objects, each with those it serves.

    An object is served by one of them at most. What a compacted object holds beside is left out by
    its address, so none is taken that holds another version of what a chosen one serves.
    """
    wanted = {(each.key, each.version, each.size) for each in objects}
    candidates = []
    for pack in packs:
        members = [(m.object.key, m.object.version, m.object.size) for m in pack.members]
        served = [m for m in members if m in wanted]
        share = sum(size for *_, size in served)
        if served and share >= WORTH * sum(size for *_, size in members):
            candidates.append((share, pack, {key for key, *_ in served}))
    chosen: list[Pack] = []
    given: set[str] = set()
    left_out: set[str] = set()
    for _, pack, keys in sorted(candidates, key=lambda c: (-c[0], c[1].object.key)):
        others = {m.object.key for m in pack.members} - keys
        if not (keys & (given | left_out) or others & given):
            chosen.append(Pack(pack.object, pack.members, frozenset(keys)))
            given |= keys
            left_out |= others
    return chosen
