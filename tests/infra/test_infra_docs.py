"""The policy, keys and commands in `docs/infra.md` are those of the code."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from support.infra_operations import CREATE, OTHERS, REMOVE
from support.infra_rendering import allowed, load

from sparkify_dwh.core.settings import Settings
from sparkify_dwh.infra.deployment import Deployment
from sparkify_dwh.infra.settings import InfraSettings

TEXT = (Path(__file__).parents[2] / "docs" / "infra.md").read_text(encoding="utf-8")
POLICY = json.loads(re.findall(r"```json\n(.*?)```", TEXT, re.S)[0])

#: Operations whose permission has another name.
RENAMED = {
    "tagging:GetResources": ["tag:GetResources"],
    "s3:ListObjectVersions": ["s3:ListBucketVersions"],
    "s3:DeleteObjects": ["s3:DeleteObject", "s3:DeleteObjectVersion"],
    "s3:HeadBucket": ["s3:ListBucket"],
}
#: The name of one of our resources, by service.
OURS = {
    "cloudformation": "arn:aws:cloudformation:us-east-1:1:stack/sparkify-dwh/1a2b",
    "iam": "arn:aws:iam::1:role/sparkify-dwh-CopyRole-1",
    "logs": "arn:aws:logs:us-east-1:1:log-group:/aws/redshift/sparkify-dwh/userlog",
    "redshift": "arn:aws:redshift:us-east-1:1:cluster:sparkify-dwh-cluster-1",
    "s3": "arn:aws:s3:::sparkify-dwh-workbucket-1/work/x",
    "secretsmanager": "arn:aws:secretsmanager:us-east-1:1:secret:redshift!sparkify-dwh-boss-1",
}
#: Declared by the resource types for properties that the template does not use.
UNUSED = re.compile(
    r"(kms|firehose|initech|s3tables|vpc-lattice|vpce):"
    r"|ec2:(Attach|Detach)VpnGateway|ec2:\w*SubnetCidrBlock|ec2:\w+VpcEncryptionControl|"
    r"ec2:ModifyVpcTenancy"
    r"|iam:\w*(User|Group)Policy|iam:(Attach|Detach)RolePolicy|iam:\w+PermissionsBoundary"
    r"|iam:CreateServiceLinkedRole"
    r"|logs:\w*(KmsKey|LogDelivery|DataProtection|Index|ResourcePolic|BearerToken|"
    r"DeletionProtection)\w*"
    r"|redshift-serverless:(RestoreFrom\w+|\w*SnapshotCopyConfiguration)"
    r"|redshift:(RestoreFromClusterSnapshot|\w*SnapshotCopy\w*|FailoverPrimaryCompute|"
    r"ModifyAquaConfiguration|RotateEncryptionKey|(Put|Delete)ResourcePolicy)"
    r"|s3:REST\.PUT\.OBJECT|s3:(Put|Delete)Object\w+|s3:DeleteBucket\w+|s3:UpdateBucketMetadata\w+"
    r"|s3:CreateBucketMetadataTableConfiguration"
    r"|s3:Put(Accelerate|Analytics|IntelligentTiering|Inventory|Metrics|Replication|ObjectLock)\w*"
)


def permitted(action: str, resource: str | None = None) -> bool:
    arn = resource or OURS.get(action.split(":")[0], "arn:aws:any:::thing")
    return allowed(POLICY["Statement"], action, arn)


@pytest.mark.parametrize("operation", sorted({*CREATE, *REMOVE, *OTHERS}))
def test_the_policy_allows_each_operation_that_the_commands_call(operation: str) -> None:
    assert all(permitted(action) for action in RENAMED.get(operation, [operation]))


def test_the_policy_allows_what_the_resource_types_declare() -> None:
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER as schemas

    denied = set()
    for kind in {resource["Type"] for resource in load()["Resources"].values()}:
        handlers = schemas.get_resource_schema("us-east-1", kind).schema["handlers"]
        for step in ("create", "read", "update", "delete"):
            for action in handlers.get(step, {}).get("permissions", []):
                if not UNUSED.match(action) and not permitted(action):
                    denied.add(action)
    assert denied == set()


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:DeleteObject", "arn:aws:s3:::payroll/1.csv"),
        ("s3:GetObject", "arn:aws:s3:::payroll/1.csv"),
        ("iam:PassRole", "arn:aws:iam::1:role/admin"),
        ("iam:PutRolePolicy", "arn:aws:iam::1:role/admin"),
        ("iam:AttachRolePolicy", "arn:aws:iam::1:role/sparkify-dwh-CopyRole-1"),
        ("redshift:DeleteCluster", "arn:aws:redshift:us-east-1:1:cluster:finance"),
        ("redshift:PauseCluster", "arn:aws:redshift:us-east-1:1:cluster:finance"),
        ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:1:secret:payroll"),
        ("cloudformation:DeleteStack", "arn:aws:cloudformation:us-east-1:1:stack/other/1"),
        ("logs:DeleteLogGroup", "arn:aws:logs:us-east-1:1:log-group:/aws/lambda/x"),
        ("ec2:RunInstances", "arn:aws:ec2:us-east-1:1:instance/i-1"),
    ],
)
def test_the_policy_allows_nothing_of_others(action: str, resource: str) -> None:
    assert not permitted(action, resource)


def test_the_policy_fits_into_a_managed_policy() -> None:
    assert len(json.dumps(POLICY, separators=(",", ":"))) <= 6144


def test_every_key_of_the_infra_table_is_documented() -> None:
    table = TEXT.split("## Settings")[1].split("###")[0]
    named = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (.*?) \|", table, re.M))))
    assert named == set(InfraSettings.model_fields) - {"tags"}


def test_each_key_that_replaces_an_old_one_exists() -> None:
    table = TEXT.split("### From `dwh.cfg`")[1].split("## ")[0]
    rows = [row.split("|")[2] for row in table.splitlines() if row.startswith("| `")]
    for row in rows:
        for name in re.findall(r"`\[infra\] (\w+)`", row):
            assert name in InfraSettings.model_fields
        for name in re.findall(r"`([a-z]+_\w+)`", row):
            assert name in {*InfraSettings.model_fields, *Settings.model_fields}


def test_the_settings_of_your_own_cluster_are_valid(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", TEXT, re.S)
    file = tmp_path / "sparkify.toml"
    file.write_text(text)
    assert set(tomllib.loads(text)) <= Settings(config=file).model_fields_set


def test_what_the_docs_call_from_python_exists() -> None:
    (text,) = re.findall(r"```python\n(.*?)```", TEXT, re.S)
    names = set(re.findall(r"deployment\.(\w+)\(", text))
    assert names == {"plan", "create", "status", "pause", "resume", "remove"}
    assert all(callable(getattr(Deployment, name)) for name in names)
