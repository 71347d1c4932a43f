"""Compacted objects as loads see them: which there are, and which of them serve a load."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..core.errors import SourceError
from ..core.settings import Settings
from .objects import Object, look_again
from .s3 import SCHEME, Bucketeer

#: Keys of a line that lead back to the record: staging has columns of these names.
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
