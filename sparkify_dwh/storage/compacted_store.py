"""Where compacted objects are stored: a folder or an S3 prefix. Files appear complete."""

from __future__ import annotations

import os
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ..core.errors import SettingsError, SourceError
from ..core.settings import Settings
from .objects import Object, list_folder, path_text
from .s3 import S3, SCHEME

#: Seconds after which a partial file of a killed run is removed.
STALE = 24 * 3600


class CompactedStore(ABC):
    """A place for the compacted objects of one source.

    :param address: what their addresses start with.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    @abstractmethod
    def objects(self) -> list[Object]:
        """The objects in it."""

    @abstractmethod
    def read(self, key: str) -> bytes:
        """The bytes of an object."""

    @abstractmethod
    def remove(self, keys: Iterable[str]) -> None:
        """Removes objects."""

    @abstractmethod
    def put(self, path: Path, name: str) -> Object:
        """Stores a file, which becomes visible when it is complete."""


class S3Store(CompactedStore):
    """A prefix on S3: an object becomes visible when its upload is complete."""

    def __init__(self, s3: S3, address: str) -> None:
        super().__init__(address)
        self.s3 = s3

    def objects(self) -> list[Object]:
        return self.s3.list_prefix(self.address).objects

    def read(self, key: str) -> bytes:
        return self.s3.read(key)

    def remove(self, keys: Iterable[str]) -> None:
        self.s3.remove(keys)

    def put(self, path: Path, name: str) -> Object:
        self.s3.write(self.address + name, path)
        return self.s3.stat(self.address + name)


class FolderStore(CompactedStore):
    """A folder: files are written under a hidden name, then renamed."""

    def objects(self) -> list[Object]:
        if not Path(self.address).is_dir():
            return []
        for left in Path(self.address).glob(".part-*.tmp"):
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > STALE:
                    left.unlink()
        return list_folder(self.address).objects

    def read(self, key: str) -> bytes:
        return Path(key).read_bytes()

    def remove(self, keys: Iterable[str]) -> None:
        for key in keys:
            Path(key).unlink(missing_ok=True)

    def put(self, path: Path, name: str) -> Object:
        target = Path(self.address) / name
        hidden = target.with_name(f".{name}.tmp")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with path.open("rb") as source, hidden.open("wb") as file:
                shutil.copyfileobj(source, file, 1024 * 1024)
                file.flush()
                os.fsync(file.fileno())
            hidden.replace(target)
            found = target.stat()
        except OSError as error:
            with suppress(OSError):
                hidden.unlink()
            raise SourceError(
                f"{target} cannot be written: {error.strerror}", "name another folder: --into"
            ) from error
        return Object(path_text(str(target)), str(found.st_mtime_ns), found.st_size, str(target))


def open_store(
    s3: S3, settings: Settings, source: str, into: str | None, places: Iterable[str]
) -> CompactedStore:
    """The store of a source's compacted objects.

    :param source: name of the source.
    :param into: a folder or prefix; ``compacted/`` under ``work_prefix`` when omitted.
    :param places: the places of all sources: none may contain the store or be inside it.
    :raises SettingsError: when one does, or no place is given.
    """
    if into is None:
        if settings.work_prefix is None:
            raise SettingsError(
                "there is no place for compacted objects",
                "name a folder or an s3:// prefix: --into, or set work_prefix",
            )
        into = settings.work_prefix + "compacted/"
    remote = into.startswith(SCHEME)
    address = _normalized(into)
    for place in places:
        if place.startswith(SCHEME) == remote:
            other = _normalized(place)
            if address.startswith(other) or other.startswith(address):
                raise SettingsError(
                    f"{into} and the source {place} are inside each other",
                    "compacted objects would be loaded as data: name another place with --into",
                )
    address += source + "/"
    return S3Store(s3, address) if remote else FolderStore(address)


def _normalized(place: str) -> str:
    """A place with a slash at its end; a folder with links and dots resolved."""
    if not place.startswith(SCHEME):
        place = str(Path(place).expanduser().resolve())
    return place if place.endswith("/") else place + "/"
