"""A bucket and the warehouses that load from it: one on DuckDB, one on the Redshift stand-in."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from conftest import SOURCES
from standin.buckets import Bucket, S3Server
from standin.server import Database, Isolation, Standin

from sparkify_dwh import Run, Settings, Warehouse
from sparkify_dwh.models.base import Base
from support.reference import COLUMNS

REGION = "us-east-1"
_buckets = itertools.count(1)
_TABLES = [str(table) for table in Base.metadata.tables.values() if table.name != "load_lock"]
Star = dict[str, list[tuple[Any, ...]]]


def new_bucket(server: S3Server, kind: str = "data") -> Bucket:
    name = f"{kind}-{next(_buckets)}"
    server.client.create_bucket(Bucket=name)
    return Bucket(name, server.client)


def event(**values: Any) -> str:
    """A line of a log: a sound play, but for the values given."""
    sound = {
        "artist": "Elena",
        "auth": "Logged In",
        "firstName": "Ava",
        "gender": "F",
        "itemInSession": 0,
        "lastName": "Bell",
        "length": 269.58322,
        "level": "free",
        "location": "Eugene, OR",
        "method": "PUT",
        "page": "NextSong",
        "registration": 1540466114796.0,
        "sessionId": 139,
        "song": "Setanta matins",
        "status": 200,
        "ts": 1541106106796,
        "userAgent": "Mozilla/5.0",
        "userId": "8",
    }
    return json.dumps({**sound, **values}) + "\n"


def song(**values: Any) -> str:
    """A song file: a sound one, but for the values given."""
    sound = {
        "num_songs": 1,
        "artist_id": "AR5KOSW1187FB35FF4",
        "artist_latitude": 49.80388,
        "artist_longitude": 15.47491,
        "artist_location": "Dubai UAE",
        "artist_name": "Elena",
        "song_id": "SOZCTXZ12AB0182364",
        "title": "Setanta matins",
        "duration": 269.58322,
        "year": 0,
    }
    return json.dumps({**sound, **values}) + "\n"


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


class Loaded:
    """What a test may ask of a warehouse after its loads."""

    warehouse: Warehouse

    def load(self, **options: Any) -> Run:
        return self.warehouse.load(**options)

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def star(self) -> Star:
        """All rows of the star, sorted by key, columns in the oracle's order."""
        return {
            table: self.query(
                f"SELECT {', '.join(names)} FROM sparkify.{table} ORDER BY "
                + ", ".join(str(n) for n in range(1, len(names) + 1))
            )
            for table, names in COLUMNS.items()
        }

    def refused(self, run: Run) -> Counter[tuple[Any, ...]]:
        """(source, rule, object, line, raw, size) of the records that a run refused."""
        return Counter(
            self.query(
                "SELECT source, rule, key, line, raw, raw_bytes FROM audit.rejected_row"
                f" WHERE run_id = '{run.run_id}'"
            )
        )

    def rules(self, run: Run) -> Counter[tuple[str, str]]:
        """(source, rule) of the records that a run refused."""
        found: Counter[tuple[str, str]] = Counter()
        for (source, rule, *_), count in self.refused(run).items():
            found[source, rule] += count
        return found

    def table(self, name: str) -> list[tuple[Any, ...]]:
        """All rows of a table, sorted."""
        return sorted(self.query(f"SELECT * FROM {name}"), key=repr)

    def events(self) -> list[tuple[str, str]]:
        """(run, event) of the run log, in order."""
        return self.query('SELECT run_id, event FROM audit.load_run ORDER BY "at", event DESC')


class OnRedshift(Loaded):
    """A warehouse on the stand-in, migrated; ``empty`` takes its rows away again."""

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

    #: "Refused records": COPY does not say which object a row came from.
    tells_place = False

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
        backend.execute(f"TRUNCATE {', '.join(_TABLES)}")
        backend.close()
        self.database.statements.clear()


class OnDuckDB(Loaded):
    """A warehouse in a file."""

    def __init__(self, path: Path, template: Path, source: Source, **values: Any) -> None:
        self.path = path
        shutil.copyfile(template, path)
        given = source.settings(**{"work_prefix": None, **values})
        self.warehouse = Warehouse(Settings(database_url=f"duckdb:///{path}", **given))

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            return connection.execute(sql, list(values)).fetchall()


@pytest.fixture(scope="module", autouse=True)
def aws_keys() -> Iterator[None]:
    """Credentials that boto3 finds; moto asks for no particular ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        yield


@pytest.fixture
def source(s3_server: S3Server) -> Source:
    """Empty buckets."""
    return Source(s3_server)


def _migrated(standin: Standin, server: S3Server, isolation: Isolation) -> Iterator[OnRedshift]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(standin.ca_file))
        made = OnRedshift(standin.database(isolation), Source(server))
        yield made
        made.close()


@pytest.fixture(scope="module")
def migrated(standin: Standin, s3_server: S3Server) -> Iterator[OnRedshift]:
    """One migrated database for the tests of a module."""
    yield from _migrated(standin, s3_server, "SNAPSHOT")


@pytest.fixture(scope="module")
def migrated_serializable(standin: Standin, s3_server: S3Server) -> Iterator[OnRedshift]:
    """One migrated database with SERIALIZABLE isolation."""
    yield from _migrated(standin, s3_server, "SERIALIZABLE")


@pytest.fixture
def on_redshift(migrated: OnRedshift, source: Source) -> OnRedshift:
    """An empty warehouse on the stand-in that loads from ``source``."""
    migrated.empty()
    return migrated.use(source)


@pytest.fixture
def on_duckdb(tmp_path: Path, template: Path, source: Source) -> OnDuckDB:
    """An empty warehouse on DuckDB that loads from the same source."""
    return OnDuckDB(tmp_path / "warehouse.duckdb", template, source)
