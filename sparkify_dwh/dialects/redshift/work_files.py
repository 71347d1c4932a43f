"""Objects that a run writes to S3 for COPY: manifests, jsonpaths, rows from the client.

They are under ``<work_prefix>manifests/<run>/`` and removed when the run ends, whatever its
outcome, since refused records contain personal data. A lifecycle rule on the prefix removes those
of a killed run.
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
from ...storage.compacted_file import LINE, OBJECT
from ...storage.jsonpaths import read_jsonpaths
from ...storage.objects import Object
from ...storage.s3 import S3, SCHEME

log = logging.getLogger("sparkify_dwh.load")


class WorkFiles:
    """The work files of one run."""

    def __init__(self, settings: Settings, s3: S3) -> None:
        self.settings, self.s3 = settings, s3
        self.run = f"reader-{secrets.token_hex(6)}"
        self._written: set[str] = set()

    @property
    def usable(self) -> bool:
        """Whether ``work_prefix`` is set."""
        return self.settings.work_prefix is not None

    def address(self, name: str) -> str:
        """The address of a work file of this run."""
        return f"{self.settings.work_prefix}manifests/{self.run}/{name}"

    def write(self, name: str, data: bytes | Path) -> str:
        """Writes a work file, over one of an earlier attempt, and returns its address."""
        address = self.address(name)
        self._written.add(address)
        self.s3.write(address, data)
        return address

    def remove(self) -> None:
        """Removes what this run wrote; if that fails, logs a warning."""
        try:
            self.s3.remove(self._written)
        except SparkifyError as error:
            log.warning("work files remain under %s: %s", self.address(""), error.what)
        self._written.clear()

    # What a COPY of a source reads ----------------------------------------------------------

    def manifest(self, source: Source, objects: Sequence[Object], kind: str, write: bool) -> str:
        """The address of a manifest of the objects, all of them mandatory."""
        name = f"{source.name}.{kind}.manifest"
        if not write:
            return self.address(name)
        # Entry by entry: a list of all of them would take several times the memory.
        out = io.BytesIO()
        for number, each in enumerate(objects):
            out.write(b",\n" if number else b'{"entries": [')
            out.write(b'{"url": %s, "mandatory": true}' % json.dumps(each.key).encode())
        out.write(b"]}")
        return self.write(name, out.getvalue())

    def compacted_jsonpaths(self, source: Source, write: bool) -> str:
        """The address of a jsonpaths file for compacted objects, including the rows' origin."""
        name = f"{source.name}.compacted.jsonpaths"
        if not write:
            return self.address(name)
        paths = [f"$['{key}']" for key in (*source.keys, OBJECT, LINE)]
        return self.write(name, json.dumps({"jsonpaths": paths}).encode())

    def prefix(self, source: Source, objects: Sequence[Object], write: bool) -> str:
        """The prefix of a source; COPY reads all of it, so everything under it must be new.

        :raises SettingsError: when something is not, or when it needs more than one COPY.
        """
        place = self.settings.location(source.name, source.setting) or f"{SCHEME}bucket/prefix/"
        single = len(objects) == 1 and objects[0].key == place
        if not single and not place.endswith("/"):
            place += "/"
        if not write:
            return place
        present = {key for key in self.s3.list_addresses(place) if not key.endswith("/")}
        new = {each.key for each in objects}
        if present != new:
            other = min(present ^ new)
            raise SettingsError(
                f"COPY reads everything under {place}, but {other} is not to be loaded",
                "set work_prefix to a writable s3:// prefix, so that COPY reads a list",
            )
        if len({each.key.endswith(".gz") for each in objects}) > 1:
            raise SettingsError(
                f"{place} contains objects with and without gzip, which need one COPY each",
                "set work_prefix to a writable s3:// prefix",
            )
        return place

    def jsonpaths(self, source: Source, objects: Iterable[Object], write: bool) -> str:
        """The address of the jsonpaths file, the user's or one of this run; or ``auto ignorecase``.

        :raises SettingsError: when the user's file cannot be used.
        :raises SourceError: when it cannot be read from S3.
        """
        setting = self.settings.jsonpaths(source.setting)
        if setting and setting.startswith(SCHEME):
            if write:
                read_jsonpaths(self.s3, setting, source.name, source.keys)
                if any(each.key == setting for each in objects):
                    raise SettingsError(
                        f"{setting} is among the data of {source.name} and would be loaded",
                        "move it to another prefix",
                    )
            return setting
        if not self.usable:
            if setting:
                raise SettingsError(
                    f"COPY cannot read {setting}: it is not on S3",
                    "use an s3:// address, or set work_prefix",
                )
            return "auto ignorecase"
        name = f"{source.name}.jsonpaths"
        if not write:
            return self.address(name)
        if setting:
            paths = read_jsonpaths(self.s3, setting, source.name, source.keys)
        else:
            paths = [f"$['{key}']" for key in source.keys]
        return self.write(name, json.dumps({"jsonpaths": paths}).encode())
