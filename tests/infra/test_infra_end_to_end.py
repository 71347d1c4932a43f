"""Create on moto, migrate and load through the stand-in for Redshift, remove: nothing is left."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import boto3
import pytest
from support.infra_moto import NewDeployment

from sparkify_dwh import Settings, Warehouse
from sparkify_dwh.sample.generate import generate

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")


def billable() -> dict[str, Any]:
    """What an account would be billed for, by describe calls."""
    return {
        "clusters": boto3.client("redshift").describe_clusters()["Clusters"],
        "buckets": boto3.client("s3").list_buckets()["Buckets"],
        "vpcs": [v for v in boto3.client("ec2").describe_vpcs()["Vpcs"] if not v.get("IsDefault")],
    }


def test_from_nothing_to_a_star_and_back_to_nothing(
    new_deployment: NewDeployment,
    redshift: Any,
    bucket: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    s3_server: Any,
) -> None:
    # 1. create: the config file says how to reach the warehouse.
    on_moto = new_deployment(name="dwh", database="dwh")
    created = on_moto.deployment.create()
    assert created.ready
    written = tomllib.loads(on_moto.config.read_text())
    assert written["auth"] == "secret" and "password" not in on_moto.config.read_text().lower()
    # The cluster that moto describes does not answer: the stand-in's address replaces its name,
    # and the secret holds a login there.
    secret = json.dumps({"username": "awsuser", "password": redshift.server.passwords["awsuser"]})
    boto3.client("secretsmanager").put_secret_value(
        SecretId=written["secret_arn"], SecretString=secret
    )
    assert written["database_url"].startswith("redshift+redshift_connector://")

    # 2. migrate and load, with what create wrote, except the addresses of the stand-ins.
    expected = generate(tmp_path / "made", events=300, songs=20, days=2)
    for path in sorted((tmp_path / "made").rglob("*.json")):
        bucket.put(path.relative_to(tmp_path / "made").as_posix(), path.read_bytes())
    settings = Settings(
        config=on_moto.config,
        database_url=redshift.url(password=False),
        log_data=bucket.url("log_data/"),
        song_data=bucket.url("song_data/"),
        work_prefix=bucket.url("work/"),
    )
    real = boto3.client

    def client(service: str, *rest: Any, **options: Any) -> Any:
        if service == "s3":
            options["endpoint_url"] = s3_server.endpoint_url
        return real(service, *rest, **options)

    with monkeypatch.context() as patched:
        patched.setattr(boto3, "client", client)
        warehouse = Warehouse(settings)
        assert warehouse.migrate().state == "current"
        run = warehouse.load()
        assert run.event == "loaded"
        for table, rows in expected.star.items():
            found = warehouse.query(f"select count(*) as n from sparkify.{table}")
            assert found.rows[0][0] == rows, table
        assert warehouse.load().event == "nothing new"

    # 3. remove: nothing billable is left except the final snapshot.
    removed = on_moto.deployment.remove()
    assert removed.to_dict()
    left = billable()
    left["buckets"] = [b for b in left["buckets"] if b["Name"] != bucket.name]  # the source
    assert left == {"clusters": [], "buckets": [], "vpcs": []}, left
    snapshots = boto3.client("redshift").describe_cluster_snapshots()["Snapshots"]
    assert len([s for s in snapshots if s["SnapshotType"] == "manual"]) == 1
