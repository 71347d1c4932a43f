"""Pytest fixtures. A conftest.py registers them by

    pytest_plugins = ["standin.fixtures"]

A test session has one stand-in and one S3 server; each test gets its own database and bucket.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Iterator
from functools import cache
from unittest import mock

import boto3
import pytest
import redshift_connector.core

from .answers import FakeAws, fake_aws
from .buckets import Bucket, S3Server
from .client import Client
from .server import Database, Isolation, Standin

_buckets = itertools.count(1)
_KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An S3 server in this process."""
    from moto.server import ThreadedMotoServer  # two seconds that most tests do not need

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **_KEYS)
    yield S3Server(url, client)
    server.stop()


@pytest.fixture(scope="session")
def standin(s3_server: S3Server) -> Iterator[Standin]:
    """The stand-in, started once.

    The driver looks for placeholders character by character, again on each connection: the results
    are cached by text.
    """
    driver = redshift_connector.core
    cached = cache(driver.convert_paramstyle)
    with (
        mock.patch.object(driver, "convert_paramstyle", cached),
        Standin(s3_server.client) as server,
    ):
        yield server


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    """An empty bucket in us-east-1."""
    name = f"bucket-{next(_buckets)}"
    s3_server.client.create_bucket(Bucket=name)
    return Bucket(name, s3_server.client)


@pytest.fixture
def make_redshift(
    standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Isolation], Database]]:
    """Makes databases with either isolation level, and drops them after the test."""
    monkeypatch.setenv("SSL_CERT_FILE", str(standin.ca_file))
    databases: list[Database] = []

    def make(isolation: Isolation = "SNAPSHOT") -> Database:
        databases.append(standin.database(isolation))
        return databases[-1]

    yield make
    for database in databases:
        database.drop()


@pytest.fixture
def redshift(make_redshift: Callable[[Isolation], Database]) -> Database:
    """A database with SNAPSHOT isolation, like that of a new cluster."""
    return make_redshift("SNAPSHOT")


@pytest.fixture
def client(redshift: Database) -> Iterator[Client]:
    """A client of a database with a table t (id, name); some modules have another of their own."""
    with Client(redshift) as connected:
        connected("CREATE TABLE t (id INT, name VARCHAR(8))")
        connected.commit()
        yield connected


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    """A fake AWS for boto3, with keys in the environment and without this machine's files."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example-secret-key")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    with fake_aws() as fake:
        yield fake
