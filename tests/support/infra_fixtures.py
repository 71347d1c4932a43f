"""A pytest plugin: an empty AWS account on moto, and deployments on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import moto
import pytest

from sparkify_dwh.infra.aws import Clients
from support.infra_moto import CONFIG, REGION, MotoDeployment, NewDeployment

#: Reads each service's model once for all tests.
_LOADER = botocore.loaders.create_loader()


@pytest.fixture
def fake_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials that open nothing, without the profile of the person who runs the tests."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def moto_session(fake_credentials: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A session on an empty account."""
    from support.infra_moto_gaps import close_gaps  # slow: all of moto's EC2

    close_gaps(monkeypatch)
    session = botocore.session.Session()
    session.register_component("data_loader", _LOADER)
    with moto.mock_aws():
        yield boto3.Session(botocore_session=session)


@pytest.fixture
def new_deployment(tmp_path: Path, moto_session: Any) -> NewDeployment:
    """Makes deployments on one account with one config file: ``new_deployment(**infra_table)``."""
    config = tmp_path / "sparkify.toml"
    config.write_text(CONFIG, encoding="utf-8")

    def make(**table: Any) -> MotoDeployment:
        return MotoDeployment(Clients(moto_session), config, table)

    return make
