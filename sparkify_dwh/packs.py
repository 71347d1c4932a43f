"""Compacted objects as loads see them: which there are, and which of them serve a load."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from .config import Settings
from .declare import Source
from .discover import Object, look_again
from .errors import SettingsError, SourceError
from .executor import Executor
from .models.audit import CompactedObject
from .models.base import table_of
from .s3 import SCHEME, Bucketeer

COMPACTED = table_of(CompactedObject)
#: Keys of a line that lead back to the record: staging has columns of these names.
OBJECT, LINE = "_object", "_line"
SUFFIX, INDEX_SUFFIX = ".json.gz", ".index.json.gz"
#: Among the bytes of a compacted object those that a load takes must have this share; otherwise
#: its objects are read one by one.
WORTH = 0.5


@dataclass(frozen=True)
class Member:
    """An object in the version that was compacted.

    :param rows_read: its records.
    :param rows_kept: those that became lines; the others are refused.
    """

    object: Object
    rows_read: int
    rows_kept: int


@dataclass(frozen=True)
class Pack:
    """A compacted object, its members in their order, and which of them a load takes."""

    object: Object
    members: Sequence[Member]
    wanted: frozenset[str] = frozenset()

    @property
    def taken(self) -> list[Member]:
        """The members that a load takes."""
        return [each for each in self.members if each.object.key in self.wanted]

    @property
    def version(self) -> tuple[str, int]:
        """Version and size of the object."""
        return self.object.version, self.object.size

    @property
    def rows(self) -> int:
        """Lines of the object."""
        return sum(each.rows_kept for each in self.members)


def index_of(key: str) -> str:
    """Where the index of a compacted object lies."""
    return key.removesuffix(SUFFIX) + INDEX_SUFFIX


def broken(key: str) -> SourceError:
    """A compacted object that does not hold what the ledger says."""
    return SourceError(
        f"{key} does not hold what was compacted into it",
        "remove it with its index; its objects load by themselves, or compact again",
    )


def check_keys(s3: Bucketeer, settings: Settings, source: Source) -> None:
    """:raises SettingsError: when a jsonpaths file reads other keys than the declared ones."""
    given = getattr(settings, source.setting.replace("_data", "_jsonpaths"), None)
    if not given:
        return
    try:
        data = s3.read(given) if given.startswith(SCHEME) else Path(given).read_bytes()
        paths = json.loads(data)["jsonpaths"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SettingsError(f"the jsonpaths file {given} cannot be read: {error}") from None
    usual = [(f"$['{key}']", f"$.{key}") for key in source.keys]
    if len(paths) != len(usual) or any(p not in u for p, u in zip(paths, usual, strict=True)):
        raise SettingsError(
            f"{given} reads other keys than {source.name} declares",
            "such objects load by themselves; compact writes the declared keys only",
        )


def still_there(settings: Settings, objects: Iterable[Object]) -> set[Object]:
    """Those of some objects, local or on S3, that are there in the same version.

    :raises SourceError: when that cannot be told.
    """
    found: set[Object] = set()
    folders: dict[str, list[Object]] = {}
    for each in objects:
        folders.setdefault(each.key.rpartition("/")[0] + "/", []).append(each)
    for folder, some in folders.items():
        if folder.startswith(SCHEME):
            listed = Bucketeer(settings).list_prefix(folder).objects
            now = {(each.key, each.version, each.size) for each in listed}
            found |= {each for each in some if (each.key, each.version, each.size) in now}
        else:
            gone = look_again((replace(o, path=o.path or o.key) for o in some), os.stat)
            found |= {each for each in some if each.key not in gone}
    return found


# The ledger -------------------------------------------------------------------------------


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
