"""What COPY is told by objects of ours: manifests, jsonpaths, rows made by the client.

They lie under ``<work_prefix>manifests/<run>/`` and are removed when the run ends, whatever its
outcome, since refused records hold personal data. What a killed run leaves is for a lifecycle rule
on that prefix.
"""

from __future__ import annotations

import io
import json
import logging
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...core.errors import SettingsError, SparkifyError
from ...core.settings import Settings
from ...models.declare import Source
from ...storage.compacted import LINE, OBJECT
from ...storage.jsonpaths import read_jsonpaths
from ...storage.objects import Object
from ...storage.s3 import SCHEME, Bucketeer

log = logging.getLogger("sparkify_dwh.load")


class WorkFiles:
    """The objects of one run."""

    def __init__(self, settings: Settings, s3: Bucketeer) -> None:
        self.settings, self.s3 = settings, s3
        self.run = f"reader-{secrets.token_hex(6)}"
        self._written: set[str] = set()

    @property
    def usable(self) -> bool:
        """Whether there is a place for them."""
        return self.settings.work_prefix is not None

    def address(self, name: str) -> str:
        """Where an object of this run lies."""
        return f"{self.settings.work_prefix}manifests/{self.run}/{name}"

    def write(self, name: str, data: bytes | Path) -> str:
        """Writes an object, over that of an earlier attempt; returns its address."""
        address = self.address(name)
        self._written.add(address)
        self.s3.write(address, data)
        return address

    def remove(self) -> None:
        """Removes what this run wrote; where that is not allowed, it stays and the log says so."""
        try:
            self.s3.remove(self._written)
        except SparkifyError as error:
            log.warning("work files stay under %s: %s", self.address(""), error.what)
        self._written.clear()

    # What a COPY of a source reads ----------------------------------------------------------

    def manifest(self, source: Source, objects: Sequence[Object], kind: str, write: bool) -> str:
        """The address of a manifest of the objects, each of which must be there."""
        name = f"{source.name}.{kind}.manifest"
        if not write:
            return self.address(name)
        # One entry after the other: all of them as objects would take several times the memory.
        out = io.BytesIO()
        for number, each in enumerate(objects):
            out.write(b",\n" if number else b'{"entries": [')
            out.write(b'{"url": %s, "mandatory": true}' % json.dumps(each.key).encode())
        out.write(b"]}")
        return self.write(name, out.getvalue())

    def packed_paths(self, source: Source, write: bool) -> str:
        """The address of a jsonpaths file for compacted objects, with the way back."""
        name = f"{source.name}.compacted.jsonpaths"
        if not write:
            return self.address(name)
        paths = [f"$['{key}']" for key in (*source.keys, OBJECT, LINE)]
        return self.write(name, json.dumps({"jsonpaths": paths}).encode())

    def prefix(self, source: Source, objects: Sequence[Object], write: bool) -> str:
        """The prefix of a source, which COPY reads whole: everything under it must be new.

        :raises SettingsError: when it is not, or cannot be read by one COPY.
        """
        place = self.settings.location(source.name, source.setting) or f"{SCHEME}bucket/prefix/"
        single = len(objects) == 1 and objects[0].key == place
        if not single and not place.endswith("/"):
            place += "/"
        if not write:
            return place
        held = {key for key in self.s3.everything_under(place) if not key.endswith("/")}
        new = {each.key for each in objects}
        if held != new:
            other = min(held ^ new)
            raise SettingsError(
                f"COPY reads everything under {place}, and {other} is not to be loaded",
                "set work_prefix to an s3:// prefix that may be written, so that COPY gets a list",
            )
        if len({each.key.endswith(".gz") for each in objects}) > 1:
            raise SettingsError(
                f"{place} holds objects with and without gzip, which need a COPY each",
                "set work_prefix to an s3:// prefix that may be written",
            )
        return place

    def jsonpaths(self, source: Source, objects: Iterable[Object], write: bool) -> str:
        """The given jsonpaths file, one written for this run, or the names of the columns.

        :raises SettingsError: when the given file cannot be used.
        :raises SourceError: when it cannot be read from S3.
        """
        given = self.settings.jsonpaths(source.setting)
        if given and given.startswith(SCHEME):
            if write:
                read_jsonpaths(self.s3, given, source.name, source.keys)
                if any(each.key == given for each in objects):
                    raise SettingsError(
                        f"{given} lies among the data of {source.name} and would be loaded",
                        "move it to another prefix",
                    )
            return given
        if not self.usable:
            if given:
                raise SettingsError(
                    f"COPY reads {given} from S3 only",
                    "name an s3:// address in it, or set work_prefix",
                )
            return "auto ignorecase"
        name = f"{source.name}.jsonpaths"
        if not write:
            return self.address(name)
        if not given:
            paths = [f"$['{key}']" for key in source.keys]
            return self.write(name, json.dumps({"jsonpaths": paths}).encode())
        paths = read_jsonpaths(self.s3, given, source.name, source.keys)
        return self.write(name, json.dumps({"jsonpaths": paths}).encode())
