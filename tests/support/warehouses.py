"""A bucket and the warehouses that load from it: one on DuckDB, one on the Redshift stand-in."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from standin.buckets import Bucket, S3Server
from standin.server import Database

from sparkify_dwh import Settings, Warehouse
from sparkify_dwh.models.base import Base
from support.rig import SOURCES, DuckDBRig, Rig

REGION = "us-east-1"
_buckets = itertools.count(1)
#: All tables with rows of loads.
TABLES = [str(table) for table in Base.metadata.tables.values() if table.name != "load_lock"]


def new_bucket(server: S3Server, kind: str = "data") -> Bucket:
    name = f"{kind}-{next(_buckets)}"
    server.client.create_bucket(Bucket=name)
    return Bucket(name, server.client)


class Source:
    """A bucket with a prefix for each source, and one for work files."""

    def __init__(self, server: S3Server) -> None:
        self.server, self.bucket, self.work = server, new_bucket(server), new_bucket(server, "work")

    def put(self, source: str, name: str, data: bytes | str) -> str:
        return self.bucket.put(f"{SOURCES[source]}/{name}", data)

    def delete(self, source: str, name: str) -> None:
        self.bucket.client.delete_object(Bucket=self.bucket.name, Key=f"{SOURCES[source]}/{name}")

    def settings(self, **values: Any) -> dict[str, Any]:
        given = {
            "aws_region": REGION,
            "aws_endpoint_url": self.server.endpoint_url,
            "work_prefix": self.work.url("work/"),
            **{setting: self.bucket.url(f"{setting}/") for setting in SOURCES.values()},
            **values,
        }
        return {name: value for name, value in given.items() if value is not None}

    def work_files(self) -> list[str]:
        found = self.work.client.list_objects_v2(Bucket=self.work.name)
        return [item["Key"] for item in found.get("Contents", ())]


class OnRedshift(Rig):
    """A warehouse on the stand-in, migrated; ``empty`` deletes its rows."""

    def __init__(self, database: Database, source: Source) -> None:
        self.database, self.source = database, source
        self._reader: sa.Connection | None = None
        self.use()
        self.warehouse.migrate()

    def use(self, source: Source | None = None, **values: Any) -> OnRedshift:
        """Loads from another source or with other settings from now on."""
        self.source = source or self.source
        self.warehouse = self.make(**values)
        return self

    def make(self, **values: Any) -> Warehouse:
        given = self.source.settings(**values)
        return Warehouse(Settings(database_url=self.database.url(), **given))

    #: "Refused records": COPY does not report which object a row came from.
    records_place = False

    def put(self, source: str, name: str, data: bytes) -> str:
        """Writes an object of a source; returns its address."""
        return self.source.put(source, name, data)

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """By a connection that stays open, each query with a snapshot of its own."""
        found = self.reader().exec_driver_sql(sql.replace("?", "%s"), values or None)
        return [tuple(row) for row in found]

    def reader(self) -> sa.Connection:
        """The connection that stays open."""
        if self._reader is None:
            plain = self.warehouse.engine.connect()
            self._reader = plain.execution_options(isolation_level="AUTOCOMMIT")
        return self._reader

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()
        self.database.drop()

    def empty(self) -> None:
        self.database.faults.clear()
        self.database.log.lag = 0.0
        self.database.log.clear()
        self.database.store.denied.clear()
        self.database.store.unassumable.clear()
        self.database.store.throttled = 0
        backend = self.database.server._connect(self.database.name)
        backend.execute(f"TRUNCATE {', '.join(TABLES)}")
        backend.close()
        self.database.statements.clear()


class OnDuckDB(DuckDBRig):
    """A warehouse in a file."""

    def __init__(self, database: Path, template: Path, source: Source, **values: Any) -> None:
        self.database, self.source = database, source
        shutil.copyfile(template, database)
        given = source.settings(**{"work_prefix": None, **values})
        self.warehouse = Warehouse(Settings(database_url=f"duckdb:///{database}", **given))

    def put(self, source: str, name: str, data: bytes) -> str:
        """Writes an object of a source; returns its address."""
        return self.source.put(source, name, data)
