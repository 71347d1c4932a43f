"""Compacted objects, the objects they were made of, and whether they still exist unchanged."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..core.errors import SourceError
from ..core.settings import Settings
from .objects import Object, changed_files
from .s3 import S3, SCHEME

#: Keys of a line that name the record's object and line: staging has columns of these names.
OBJECT, LINE = "_object", "_line"
SUFFIX, INDEX_SUFFIX = ".json.gz", ".index.json.gz"


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
class CompactedFile:
    """A compacted object and its members in their order.

    :param served: keys of the members that a load reads from it.
    """

    object: Object
    members: Sequence[Member]
    served: frozenset[str] = frozenset()

    @property
    def served_members(self) -> list[Member]:
        """The members that a load reads from it."""
        return [each for each in self.members if each.object.key in self.served]

    @property
    def rows(self) -> int:
        """Lines of the object."""
        return sum(each.rows_kept for each in self.members)


def index_key(key: str) -> str:
    """The key of a compacted object's index."""
    return key.removesuffix(SUFFIX) + INDEX_SUFFIX


def wrong_content(key: str) -> SourceError:
    """The error for a compacted object whose content differs from the ledger."""
    return SourceError(
        f"{key} does not hold what was compacted into it",
        "remove it and its index: the next load reads its source objects; or compact again",
    )


def unchanged_objects(settings: Settings, objects: Iterable[Object]) -> set[Object]:
    """The objects, local or on S3, that still exist in the same version.

    :raises SourceError: when a folder or prefix cannot be listed.
    """
    unchanged: set[Object] = set()
    folders: dict[str, list[Object]] = {}
    for each in objects:
        folders.setdefault(each.key.rpartition("/")[0] + "/", []).append(each)
    for folder, members in folders.items():
        if folder.startswith(SCHEME):
            listed = S3(settings).list_prefix(folder).objects
            now = {each.identity for each in listed}
            unchanged |= {each for each in members if each.identity in now}
        else:
            changed = changed_files((replace(o, path=o.path or o.key) for o in members), os.stat)
            unchanged |= {each for each in members if each.key not in changed}
    return unchanged
