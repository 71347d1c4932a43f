"""An account on moto with its gaps closed, and a deployment whose clock does not tick."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import moto
import pytest

from sparkify_dwh.infra.aws import Clients
from sparkify_dwh.infra.deploy import Deployment
from sparkify_dwh.infra.reach import Reach
from sparkify_dwh.infra.settings import infra_settings
from support import infra_mended

REGION = "us-east-1"
SOURCES = ("s3://udacity-dend/log_data/", "s3://udacity-dend/song_data/")
#: Reads each service's model once for all tests.
_LOADER = botocore.loaders.create_loader()
CONFIG = '# mine\nlog_data = "s3://udacity-dend/log_data/"  # the logs\n'


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials that open nothing, and no profile of whoever runs the tests."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def cloud(credentials: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A session on an empty account."""
    infra_mended.mend(monkeypatch)
    session = botocore.session.Session()
    session.register_component("data_loader", _LOADER)
    with moto.mock_aws():
        yield boto3.Session(botocore_session=session)


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


class Made:
    """A deployment and what it told."""

    def __init__(self, clients: Clients, config: Path, table: dict[str, Any], **more: Any) -> None:
        self.clients = clients
        self.config = config
        self.told: list[str] = []
        self.clock = Clock()
        self.tried: list[tuple[str, int]] = []
        self.reach = Reach(True)
        options = {"address": lambda: "203.0.113.7\n", "locations": SOURCES, **more}
        self.deployment = Deployment(
            infra_settings(table),
            clients,
            config=config,
            tell=lambda item: self.told.append(str(item)),
            sleep=self.clock.sleep,
            now=self.clock.now,
            connect=self.connect,
            **options,
        )

    def connect(self, host: str, port: int) -> Reach:
        self.tried.append((host, port))
        return self.reach


Make = Callable[..., Made]


@pytest.fixture
def make(tmp_path: Path, cloud: Any) -> Make:
    """Deployments on one account, all with one config file; keywords are the [infra] table."""
    config = tmp_path / "sparkify.toml"
    config.write_text(CONFIG, encoding="utf-8")

    def build(**table: Any) -> Made:
        return Made(Clients(cloud), config, table)

    return build
