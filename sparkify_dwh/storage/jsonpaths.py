"""Reading jsonpaths files: the keys that COPY reads, in the order of the staging columns."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ..core.errors import SettingsError
from .s3 import S3, SCHEME

_BRACKETS = re.compile(r"\$(\['[^'\]]+'\]|\[\d+\])*")
_DOTS = re.compile(r"\$(\.[^'.\[\]*?@()]+|\[\d+\])*")


def read_jsonpaths(s3: S3, place: str, source: str, keys: Collection[str]) -> list[str]:
    """The paths of a jsonpaths file, one for each key; refuses what COPY would misread silently.

    Source: https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-json.html

    :param place: a local file or an ``s3://`` address.
    :param source: name of the source, for messages.
    :param keys: the source's keys, in the order of its staging columns.
    :raises SettingsError: when the local file cannot be read, its only key is not ``jsonpaths``, it
        does not have one path for each column, or COPY does not accept such paths.
    :raises SourceError: when it cannot be read from S3.
    """
    if place.startswith(SCHEME):
        data = s3.read(place)
    else:
        try:
            data = Path(place).read_bytes()
        except OSError as error:
            raise SettingsError(
                f"the jsonpaths file {place} cannot be read: {error.strerror}",
                "name a file or an s3:// address",
            ) from None
    return _parsed(data, place, source, keys)


def _parsed(data: bytes, place: str, source: str, keys: Collection[str]) -> list[str]:
    paths: Any = None
    try:
        content = json.loads(data)
        paths = content["jsonpaths"] if list(content) == ["jsonpaths"] else None
    except (ValueError, TypeError, RecursionError):
        pass
    if not isinstance(paths, list) or len(paths) != len(keys):
        raise SettingsError(
            f"{place} is not a jsonpaths file for {source}",
            f'it must be {{"jsonpaths": [...]}} with {len(keys)} paths, in this order: '
            + ", ".join(keys),
        )
    if not any(
        all(isinstance(path, str) and kind.fullmatch(path) for path in paths)
        for kind in (_BRACKETS, _DOTS)
    ):
        raise SettingsError(
            f"{place}: COPY takes paths in brackets or in dots, not both, and no wildcards",
            "write each as $['key']",
        )
    return paths
