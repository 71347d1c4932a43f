"""Closes the gaps of moto that would hide what a cluster made by CloudFormation really has.

In moto 5.2 a cluster of a stack has no physical id, tags, roles or secret, and a deletion reaches
moto's own table only. Everything else is moto's own.
"""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import yaml
from moto.ec2.models import ec2_backends
from moto.ec2.models.route_tables import RouteTable
from moto.redshift.models import Cluster

#: Password of the secret that Redshift would have made.
PASSWORD = "Not-A-Real-Passw0rd"


@cache
def _parsed(text: str) -> Any:
    return yaml.load(text, Loader=yaml.Loader)


def close_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closes the gaps for one test."""
    # moto reads the same template several times in a test, which takes most of the time.
    reader = SimpleNamespace(
        Loader=yaml.Loader,
        add_multi_constructor=yaml.add_multi_constructor,
        load=lambda text, Loader: deepcopy(_parsed(text)),
    )
    monkeypatch.setattr("moto.cloudformation.models.yaml", reader)
    stock = Cluster.create_from_cloudformation_json.__func__  # type: ignore[attr-defined]

    def create(cls: Any, name: str, body: Any, account: str, region: str, **more: Any) -> Any:
        properties = body["Properties"]
        chosen = properties.get("ClusterIdentifier", name.lower())
        cluster = stock(cls, chosen, body, account, region, **more)
        cluster.tags = properties["Tags"]
        cluster.iam_roles_arn = properties["IamRoles"]
        cluster.publicly_accessible = properties["PubliclyAccessible"] == "true"
        if properties.get("ManageMasterPassword"):
            secret = {"username": cluster.master_username, "password": PASSWORD}
            made = boto3.client("secretsmanager", region_name=region).create_secret(
                Name=f"redshift!{cluster.cluster_identifier}-{cluster.master_username}",
                SecretString=json.dumps(secret),
            )
            cluster.master_password_secret_arn = made["ARN"]
        return cluster

    def delete(self: Any, account: str, region: str) -> None:
        self.redshift_backend.clusters.pop(self.cluster_identifier)
        if hasattr(self, "master_password_secret_arn"):
            boto3.client("secretsmanager", region_name=region).delete_secret(
                SecretId=self.master_password_secret_arn, ForceDeleteWithoutRecovery=True
            )

    monkeypatch.setattr(Cluster, "create_from_cloudformation_json", classmethod(create))
    monkeypatch.setattr(
        Cluster,
        "physical_resource_id",
        property(lambda self: self.cluster_identifier),
        raising=False,
    )
    monkeypatch.setattr(Cluster, "delete", delete, raising=False)

    def delete_routes(self: Any, account: str, region: str) -> None:
        ec2_backends[account][region].delete_route_table(self.id)

    monkeypatch.setattr(RouteTable, "delete", delete_routes, raising=False)
