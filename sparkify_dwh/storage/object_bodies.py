"""Reads whole objects into memory, in their order, local or from S3."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from .objects import Object
from .s3 import S3, SCHEME

#: Objects fetched before the first of them is returned.
_BATCH = 1000


def read_bodies(
    s3: S3, objects: Sequence[Object], scratch: Path
) -> Iterator[tuple[Object, bytes | None]]:
    """The objects, each with its bytes; None where it changed or cannot be read.

    :raises SourceError: when one on S3 cannot be read.
    """
    for start in range(0, len(objects), _BATCH):
        batch = objects[start : start + _BATCH]
        remote = [each for each in batch if each.key.startswith(SCHEME)]
        paths = {
            fetched.key: Path(fetched.path)
            for fetched in (s3.fetch(remote, scratch) if remote else ())
            if not isinstance(fetched, str)
        }
        for each in batch:
            if path := paths.get(each.key):
                yield each, path.read_bytes()
                path.unlink()
            else:
                yield each, None if each.key.startswith(SCHEME) else _local_body(each)


def _local_body(each: Object) -> bytes | None:
    try:
        body = Path(each.path).read_bytes()
        stat = Path(each.path).stat()
    except OSError:
        return None
    unchanged = len(body) == each.size == stat.st_size and str(stat.st_mtime_ns) == each.version
    return body if unchanged else None
