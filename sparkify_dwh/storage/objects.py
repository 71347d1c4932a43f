"""Objects of a source: how a folder lists them, and which of them are new or changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from stat import S_ISREG

from ..core.errors import SourceError
from ..core.quantity import quantity

SUFFIXES = (".json", ".json.gz")


@dataclass(frozen=True)
class Object:
    """One file or S3 object in the version that was listed.

    :param key: absolute path, or ``s3://bucket/key``.
    :param version: mtime in ns of a file, etag of an S3 object.
    :param size: bytes.
    :param path: path of a local file; the key differs where the path is not valid UTF-8.
    :param written: when an S3 object was written, as S3 reports it.
    """

    key: str
    version: str
    size: int
    path: str = ""
    written: str = field(default="", compare=False)

    @property
    def identity(self) -> tuple[str, str, int]:
        """What tells versions of objects apart: key, version, size."""
        return self.key, self.version, self.size

    @property
    def modified(self) -> datetime | None:
        """When it was written, UTC without a zone; None where unknown."""
        if self.path and self.version.isdecimal():
            at = datetime.fromtimestamp(int(self.version) / 1e9, UTC)
        elif self.written:
            at = datetime.fromisoformat(self.written).astimezone(UTC)
        else:
            return None
        return at.replace(tzinfo=None)


@dataclass
class Listing:
    """The objects of a source, sorted by key, and the number of skipped names."""

    objects: list[Object] = field(default_factory=list)
    skipped: int = 0


class ObjectsChanged(Exception):
    """Objects changed or vanished while they were read; the load goes on without them.

    :param keys: of the objects; at most three are named in ``warnings``.
    """

    def __init__(self, keys: Collection[str]) -> None:
        self.keys = set(keys)
        self.warnings = [
            f"{key} changed while it was read; it waits for the next load"
            for key in sorted(keys)[:3]
        ]
        if len(keys) > 3:
            self.warnings.append(
                quantity(
                    len(keys) - 3,
                    "more object changed; it waits too",
                    "more objects changed; they wait too",
                )
            )
        super().__init__(self.warnings[-1])


def list_folder(location: str, found: Callable[[int], None] = lambda more: None) -> Listing:
    """Lists a folder, all levels, or one file.

    Names that start with ``.`` or ``_`` or end with ``~``, and files that are neither ``.json``
    nor ``.json.gz``, are skipped and counted; so are symbolic links to folders, to nothing, or to
    files outside of the folder.

    :param found: called for each folder with the number of objects in it.
    :raises SourceError: when it does not exist, cannot be read, or is not a regular file.
    """
    root = location
    try:
        root = os.path.abspath(os.path.expanduser(location))
        if not os.path.isdir(root):
            listing = Listing([_single(root, os.stat(root))])
            found(1)
            return listing
        listing = _walk(root, os.path.realpath(root), found)
    except FileNotFoundError as error:
        raise SourceError(
            f"source {location} does not exist"
            if error.filename == root
            else f"source {location}: {error.filename} vanished while it was listed",
            "name a folder, a file or s3://bucket/prefix/",
        ) from None
    except OSError as error:
        raise SourceError(
            f"source {_shown(error.filename, location)} cannot be read: {error.strerror}",
            "allow this user to read it",
        ) from None
    except ValueError as error:  # such as U+0000 in a name
        raise SourceError(
            f"source {location!r} is not a folder name: {error}", "name a folder or a file"
        ) from None
    listing.objects.sort(key=lambda found: found.key)
    return listing


def folder_key(location: str) -> str:
    """The key that a folder itself would have; keys of its files start with it and a slash."""
    return path_text(os.path.abspath(os.path.expanduser(location)))


def _single(path: str, stat: os.stat_result) -> Object:
    if not S_ISREG(stat.st_mode):
        raise SourceError(f"source {path} is neither a folder nor a file", "name one of them")
    return _object(path, stat)


def _walk(root: str, real_root: str, found: Callable[[int], None]) -> Listing:
    listing, folders = Listing(), [root]
    while folders:
        folder, before = folders.pop(), len(listing.objects)
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    _sort_in(entry, real_root, listing, folders)
        except (FileNotFoundError, NotADirectoryError):
            if folder == root:
                raise  # any other folder vanished after its parent was listed
        found(len(listing.objects) - before)
    return listing


def _sort_in(entry: os.DirEntry[str], root: str, listing: Listing, folders: list[str]) -> None:
    hidden = entry.name.startswith((".", "_")) or entry.name.endswith("~")
    if hidden or (entry.is_symlink() and not _inside(entry.path, root)):
        listing.skipped += 1
    elif entry.is_dir():
        folders.append(entry.path)
    elif entry.name.endswith(SUFFIXES) and entry.is_file():
        try:
            listing.objects.append(_object(entry.path, entry.stat()))
        except FileNotFoundError:
            return  # vanished meanwhile
    else:
        listing.skipped += 1


def _inside(path: str, root: str) -> bool:
    # A link to a folder may point to one of its parents and never end: only files are followed.
    real = os.path.realpath(path)
    return real.startswith(os.path.join(root, "")) and os.path.isfile(real)


def _object(path: str, stat: os.stat_result) -> Object:
    return Object(path_text(path), str(stat.st_mtime_ns), stat.st_size, path)


def _shown(path: str | None, location: str) -> str:
    return path_text(path) if path else location


def path_text(path: str) -> str:
    """A path as text: bytes that are not UTF-8 become ``\\xNN``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_loaded(each: Object, known: Mapping[str, tuple[str, int]]) -> bool:
    """Whether an object is loaded in this version.

    :param known: newest loaded version and its size, by key.
    """
    return known.get(each.key) == (each.version, each.size)


def new_objects(
    objects: Iterable[Object],
    known: Mapping[str, tuple[str, int]],
    reload: bool,
    waiting: Collection[str],
) -> list[Object]:
    """The objects to load: those that are not loaded in this version.

    :param known: see ``is_loaded``.
    :param reload: include those that are loaded.
    :param waiting: keys that changed while an earlier attempt read them.
    """
    return [
        each
        for each in objects
        if each.key not in waiting and (reload or not is_loaded(each, known))
    ]


def changed_files(objects: Iterable[Object], stat: Callable[[str], os.stat_result]) -> set[str]:
    """Keys of local files that changed or vanished since they were listed."""
    changed = set()
    for each in objects:
        try:
            found = stat(each.path)
            if found.st_size != each.size or str(found.st_mtime_ns) != each.version:
                changed.add(each.key)
        except OSError:
            changed.add(each.key)
    return changed
