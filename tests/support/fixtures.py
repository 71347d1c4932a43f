"""The fixtures that several test modules share: warehouses to test, buckets and struck loads.

Every run imports this module, even that of one test file: what is slow to import, and few tests
need, is imported in its fixture.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from standin.buckets import S3Server
from standin.server import Isolation, Standin

from sparkify_dwh import Settings, Warehouse
from sparkify_dwh.jobs.retries import Retries
from sparkify_dwh.storage import aws, s3
from support.folders import Folders, MakeFolders
from support.rig import MakeRig, Rig
from support.secret_hunt import Hunt
from support.warehouses import OnDuckDB, OnRedshift, Source

if TYPE_CHECKING:
    from support.kill_and_fail import Scene
    from support.redshift_scene import RedshiftScene

# Folders -----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database."""
    path = tmp_path_factory.mktemp("template") / "empty.duckdb"
    Warehouse(Settings(database_url=f"duckdb:///{path}")).migrate()
    return path


@pytest.fixture
def warehouse(tmp_path: Path, template: Path) -> MakeFolders:
    """Makes warehouses of one test, each in a folder of its own: ``warehouse(**settings)``."""
    made: list[Folders] = []

    def make(**values: Any) -> Folders:
        made.append(Folders(tmp_path / f"warehouse-{len(made)}", template, **values))
        return made[-1]

    return make


# Buckets -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def aws_keys() -> Iterator[None]:
    """Credentials that boto3 finds; moto accepts any."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        yield


@pytest.fixture
def source(aws_keys: None, s3_server: S3Server) -> Source:
    """Empty buckets."""
    return Source(s3_server)


def _migrated(standin: Standin, server: S3Server, isolation: Isolation) -> Iterator[OnRedshift]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(standin.ca_file))
        made = OnRedshift(standin.database(isolation), Source(server))
        yield made
        made.close()


@pytest.fixture(scope="module")
def migrated(aws_keys: None, standin: Standin, s3_server: S3Server) -> Iterator[OnRedshift]:
    """One migrated database for the tests of a module."""
    yield from _migrated(standin, s3_server, "SNAPSHOT")


@pytest.fixture(scope="module")
def migrated_serializable(
    aws_keys: None, standin: Standin, s3_server: S3Server
) -> Iterator[OnRedshift]:
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


# Both engines ------------------------------------------------------------------------------------
# What a test must leave out on Redshift names its heading in `docs/redshift-loading.md`.


@pytest.fixture(params=["duckdb", "redshift"])
def on_each(request: pytest.FixtureRequest) -> Rig:
    """An empty warehouse that loads from ``source``, on each engine."""
    found: Rig = request.getfixturevalue(f"on_{request.param}")
    return found


@pytest.fixture(params=["duckdb", "redshift"])
def warehouse_on(request: pytest.FixtureRequest) -> MakeRig:
    """Makes empty warehouses, ``warehouse_on(**settings)``: on DuckDB from folders; on Redshift
    from a bucket, all in one database, which each call empties."""
    if request.param == "duckdb":
        folders: MakeFolders = request.getfixturevalue("warehouse")
        return folders
    migrated: OnRedshift = request.getfixturevalue("migrated")
    server = request.getfixturevalue("s3_server")

    def make(**values: Any) -> OnRedshift:
        migrated.empty()
        return migrated.use(Source(server), **values)

    return make


# Struck loads ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Two deliveries on DuckDB."""
    from support.kill_and_fail import Scene

    return Scene(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def redshift_scene(migrated: OnRedshift, s3_server: S3Server) -> RedshiftScene:
    """Two deliveries on the stand-in."""
    from support.redshift_scene import RedshiftScene

    return RedshiftScene(migrated, Source(s3_server))


@pytest.fixture
def quick_attempts(
    monkeypatch: pytest.MonkeyPatch, redshift_scene: RedshiftScene
) -> Iterator[None]:
    """Attempts follow each other at once, with one client of S3 for all."""
    monkeypatch.setattr(Retries, "wait", lambda _: None)
    client = aws.client(redshift_scene.rig.warehouse.settings, "s3")
    monkeypatch.setattr(s3, "client", lambda *_: client)
    yield
    redshift_scene.back_to_normal()


# Secrets -----------------------------------------------------------------------------------------


@pytest.fixture
def hunt() -> Iterator[Hunt]:
    """Listens to every logger at DEBUG, those that do not propagate as well."""
    made = Hunt()
    handler = logging.StreamHandler(made.log)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
    names = ["", "sparkify_dwh", "sqlalchemy", "alembic", "botocore", "boto3", "urllib3"]
    names += ["redshift_connector", "sqlalchemy.engine.Engine", "sqlalchemy.pool"]
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger, logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.propagate = True
    loggers[0].addHandler(handler)
    yield made
    loggers[0].removeHandler(handler)
    for logger, level, propagate in before:
        logger.setLevel(level)
        logger.propagate = propagate
