"""The template: lint-clean and consistent for each combination of parameters."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import cfnlint.api
import pytest
from cfnlint import ManualArgs
from support.infra_rendering import Rendered, allowed, load

from sparkify_dwh.core.errors import SettingsError
from sparkify_dwh.infra.settings import infra_settings
from sparkify_dwh.infra.stack_template import parameters, split_locations, template

EXISTING = {
    "vpc_id": "vpc-0123456789abcdef0",
    "subnet_ids": ["subnet-0a1b2c3d", "subnet-0a1b2c3e", "subnet-0a1b2c3f"],
}
SOURCES = ("s3://udacity-dend/log_data/", "s3://udacity-dend/song_data/")


def lint(text: str, *checks: str, regions: tuple[str, ...] = ("us-east-1",)) -> list[str]:
    config = ManualArgs(regions=list(regions), include_checks=list(checks))
    return [str(match) for match in cfnlint.api.lint(text, config=config)]


def settings(**table: Any) -> dict[str, str]:
    return parameters(infra_settings(table), SOURCES)


def combinations() -> list[dict[str, Any]]:
    """Every allowed combination of kind, network, access, audit, subnets and schedule."""
    found = []
    for kind, vpc, public, audit, subnets in product(
        ("provisioned", "serverless"), ({}, EXISTING), (False, True), (False, True), (2, 3)
    ):
        if subnets == 2 and (kind == "serverless" or vpc):
            continue
        table = {
            "kind": kind,
            **vpc,
            "publicly_accessible": public,
            "audit_logging": audit,
            "subnets": subnets,
        }
        found.append(table)
        if kind == "provisioned":
            found.append({**table, "pause_at": "20:00", "resume_at": "6:30", "nodes": 2})
            found.append({**table, "pause_at": "20:00", "allowed_cidrs": ["192.0.2.0/24"]})
        else:
            found.append({**table, "max_capacity": 64, "from_here": "203.0.113.7/32"})
    return found


def test_the_whole_template_is_lint_clean_informational_rules_included() -> None:
    assert lint(template(), "I", regions=("us-east-1", "us-west-2", "eu-central-1")) == []


def test_the_template_fits_into_one_request() -> None:
    assert len(template().encode()) <= 51_200


@pytest.mark.parametrize("table", combinations(), ids=lambda t: "-".join(map(str, t.values())))
def test_each_combination_is_consistent_and_lint_clean(table: dict[str, Any]) -> None:
    rendered = Rendered(settings(**table))
    assert rendered.missing_references() == set()
    assert lint(json.dumps(rendered.document())) == []


def test_provisioned_and_serverless_make_only_their_own() -> None:
    provisioned = {r["Type"] for r in Rendered(settings()).resources.values()}
    serverless = {r["Type"] for r in Rendered(settings(kind="serverless")).resources.values()}
    assert "AWS::Redshift::Cluster" in provisioned
    assert not any(t.startswith("AWS::RedshiftServerless") for t in provisioned)
    assert {"AWS::RedshiftServerless::Namespace", "AWS::RedshiftServerless::Workgroup"} < serverless
    assert not any(t.startswith("AWS::Redshift::") for t in serverless)


def test_an_existing_vpc_gets_no_network_of_its_own() -> None:
    rendered = Rendered(settings(**EXISTING))
    network = ("VPC", "Subnet", "RouteTable", "VPCEndpoint", "InternetGateway", "Route")
    assert not {f"AWS::EC2::{n}" for n in network} & {
        r["Type"] for r in rendered.resources.values()
    }
    (group,) = rendered.of_type("AWS::Redshift::ClusterSubnetGroup").values()
    assert group["SubnetIds"] == EXISTING["subnet_ids"]
    (security,) = rendered.of_type("AWS::EC2::SecurityGroup").values()
    assert security["VpcId"] == EXISTING["vpc_id"]


@pytest.mark.parametrize("count", [2, 3])
def test_subnets_by_parameter_each_in_a_zone_of_its_own(count: int) -> None:
    rendered = Rendered(settings(subnets=count)).of_type("AWS::EC2::Subnet")
    assert len(rendered) == count
    zones = [json.dumps(s["AvailabilityZone"]) for s in rendered.values()]
    assert len(set(zones)) == len({s["CidrBlock"] for s in rendered.values()}) == count


def test_there_is_a_way_to_the_internet_only_when_it_is_asked_for() -> None:
    private, public = Rendered(settings()), Rendered(settings(publicly_accessible=True))
    assert not private.of_type("AWS::EC2::InternetGateway")
    assert public.of_type("AWS::EC2::InternetGateway") and public.of_type("AWS::EC2::Route")
    (closed,) = private.of_type("AWS::Redshift::Cluster").values()
    (opened,) = public.of_type("AWS::Redshift::Cluster").values()
    assert (closed["PubliclyAccessible"], opened["PubliclyAccessible"]) == ("false", "true")
    assert (private.waits, public.waits) == (set(), {"InternetRoute"})


def admitted(**table: Any) -> set[str]:
    rules = Rendered(settings(**table)).of_type("AWS::EC2::SecurityGroupIngress")
    assert all(rule["FromPort"] == rule["ToPort"] for rule in rules.values())
    return {rule["CidrIp"] for rule in rules.values()}


def test_the_security_group_admits_only_what_is_given_and_by_default_the_vpc() -> None:
    assert admitted() == {"10.61.0.0/24"}
    assert admitted(publicly_accessible=True) == {"10.61.0.0/24"}
    given = ["192.0.2.0/24", "198.51.100.7/32"]
    assert admitted(allowed_cidrs=given) == set(given)
    assert admitted(from_here="203.0.113.7/32") == {"10.61.0.0/24", "203.0.113.7/32"}


@pytest.mark.parametrize("parameter", ["AllowedCidr1", "AllowedCidr4", "CallerCidr"])
@pytest.mark.parametrize("world", ["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/7"])
def test_the_template_itself_refuses_the_world(parameter: str, world: str) -> None:
    with pytest.raises(ValueError, match=parameter):
        Rendered({parameter: world})


@pytest.mark.parametrize("world", ["0.0.0.0/0", "::/0", "0.0.0.0/1", "64.0.0.0/7"])
def test_the_settings_refuse_the_world(world: str) -> None:
    with pytest.raises(SettingsError, match=r"\[infra\] allowed_cidrs"):
        infra_settings({"allowed_cidrs": [world]})


def test_encryption_tls_secrets_and_privacy() -> None:
    rendered = Rendered(settings())
    (cluster,) = rendered.of_type("AWS::Redshift::Cluster").values()
    assert cluster["Encrypted"] is True
    assert cluster["ManageMasterPassword"] is True and "MasterUserPassword" not in cluster
    (group,) = rendered.of_type("AWS::Redshift::ClusterParameterGroup").values()
    assert {"ParameterName": "require_ssl", "ParameterValue": "true"} in group["Parameters"]
    (bucket,) = rendered.of_type("AWS::S3::Bucket").values()
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]
    serverless = Rendered(settings(kind="serverless"))
    (namespace,) = serverless.of_type("AWS::RedshiftServerless::Namespace").values()
    assert namespace["ManageAdminPassword"] is True and "AdminUserPassword" not in namespace
    (workgroup,) = serverless.of_type("AWS::RedshiftServerless::Workgroup").values()
    ssl = {"ParameterKey": "require_ssl", "ParameterValue": "true"}
    assert ssl in workgroup["ConfigParameters"]


def test_the_work_bucket_denies_everything_without_tls() -> None:
    rendered = Rendered(settings())
    (policy,) = rendered.of_type("AWS::S3::BucketPolicy").values()
    text = json.dumps(policy["PolicyDocument"]["Statement"])
    statements = json.loads(
        text.replace('{"Fn::GetAtt": ["WorkBucket", "Arn"]}', '"arn:aws:s3:::work"')
        .replace('{"Fn::Sub": "${WorkBucket.Arn}/*"}', '"arn:aws:s3:::work/*"')
        .replace('{"Fn::Sub": "${WorkBucket.Arn}/audit/*"}', '"arn:aws:s3:::work/audit/*"')
    )
    mine = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    for resource in ("arn:aws:s3:::work", "arn:aws:s3:::work/work/manifests/1.json"):
        plain, tls = {"aws:SecureTransport": "false"}, {"aws:SecureTransport": "true"}
        assert not allowed([*statements, mine], "s3:GetObject", resource, plain)
        assert allowed([*statements, mine], "s3:GetObject", resource, tls)


def test_the_lifecycle_expires_manifests_and_logs_but_no_compacted_objects() -> None:
    (bucket,) = Rendered(settings(manifest_days=9, log_days=7)).of_type("AWS::S3::Bucket").values()
    rules = bucket["LifecycleConfiguration"]["Rules"]
    expiring = {r["Prefix"]: r["ExpirationInDays"] for r in rules if "ExpirationInDays" in r}
    assert expiring == {"work/manifests/": "9", "audit/": "7"}


def test_node_types_are_those_that_aws_still_sells() -> None:
    with pytest.raises(ValueError, match="NodeType"):
        Rendered({"NodeType": "dc2.large"})
    with pytest.raises(SettingsError, match="retired"):
        infra_settings({"node_type": "dc2.large"})


@pytest.mark.parametrize(("nodes", "kind"), [(1, "single-node"), (2, "multi-node")])
def test_one_node_is_a_single_node_cluster(nodes: int, kind: str) -> None:
    (cluster,) = Rendered(settings(nodes=nodes)).of_type("AWS::Redshift::Cluster").values()
    assert cluster["ClusterType"] == kind
    assert cluster.get("NumberOfNodes") == ("2" if nodes == 2 else None)


def test_every_resource_that_can_carry_tags_carries_ours() -> None:
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER as schemas

    for name, resource in load()["Resources"].items():
        schema = schemas.get_resource_schema("us-east-1", resource["Type"]).schema
        if "Tags" in schema["properties"]:
            tags = resource["Properties"]["Tags"]
            assert {"Key": "sparkify", "Value": {"Ref": "Name"}} in tags, name


def test_deleting_the_stack_leaves_nothing_behind() -> None:
    policies = {r.get("DeletionPolicy", "Delete") for r in load()["Resources"].values()}
    assert policies == {"Delete"}


def test_a_schedule_pauses_and_resumes_only_this_cluster() -> None:
    rendered = Rendered(settings(pause_at="20:05", resume_at="cron(0 6 ? * MON-FRI *)"))
    actions = rendered.of_type("AWS::Redshift::ScheduledAction")
    assert actions["NightlyPause"]["Schedule"] == "cron(5 20 * * ? *)"
    assert actions["MorningResume"]["Schedule"] == "cron(0 6 ? * MON-FRI *)"
    (statement,) = rendered.statements("ScheduleRole")
    assert statement["Resource"].endswith(":cluster:${Cluster}")


READS = ["s3://data/logs/", "s3://data/songs", "s3://data/maps/log_json_path.json"]
VERDICTS = [
    ("s3:GetObject", "arn:aws:s3:::data/logs/2018/11/1.json", True),
    ("s3:GetObject", "arn:aws:s3:::data/songs/A/B/TR.json", True),
    ("s3:GetObject", "arn:aws:s3:::data/maps/log_json_path.json", True),
    ("s3:GetObject", "arn:aws:s3:::data/maps/other.json", False),
    ("s3:GetObject", "arn:aws:s3:::data/logs-private/1.json", False),
    ("s3:GetObject", "arn:aws:s3:::data/songs2/TR.json", False),
    ("s3:GetObject", "arn:aws:s3:::data-private/logs/1.json", False),
    ("s3:PutObject", "arn:aws:s3:::data/logs/1.json", False),
    ("s3:DeleteObject", "arn:aws:s3:::data/logs/1.json", False),
    ("s3:PutObject", "arn:aws:s3:::work/work/manifests/1.json", True),
    ("s3:GetObject", "arn:aws:s3:::work/work/manifests/1.json", True),
    ("s3:GetObject", "arn:aws:s3:::work/audit/1.gz", False),
    ("s3:PutObject", "arn:aws:s3:::workshop/work/1.json", False),
    ("s3:GetObject", "arn:aws:s3:::data/secret", False),
]


@pytest.mark.parametrize(("action", "arn", "verdict"), VERDICTS)
def test_what_the_copy_role_may_do(action: str, arn: str, verdict: bool) -> None:
    statements = Rendered(parameters(infra_settings({}), READS)).statements("CopyRole")
    assert allowed(statements, action, arn) is verdict


@pytest.mark.parametrize(
    ("bucket", "prefix", "verdict"),
    [
        ("data", "logs/", True),
        ("data", "logs/2018/", True),
        ("data", "logs", False),
        ("data", "logs-private/", False),
        ("data", "", False),
        ("data", None, False),
        ("work", "work/manifests/", True),
        ("work", "audit/", False),
        ("other", "logs/", False),
    ],
)
def test_what_the_copy_role_may_list(bucket: str, prefix: str | None, verdict: bool) -> None:
    statements = Rendered(parameters(infra_settings({}), READS)).statements("CopyRole")
    context = {} if prefix is None else {"s3:prefix": prefix}
    assert allowed(statements, "s3:ListBucket", f"arn:aws:s3:::{bucket}", context) is verdict


def test_listing_one_bucket_does_not_open_the_others_prefix() -> None:
    reads = ["s3://one/logs/", "s3://two/songs/"]
    statements = Rendered(parameters(infra_settings({}), reads)).statements("CopyRole")
    arn, action = "arn:aws:s3:::one", "s3:ListBucket"
    assert allowed(statements, action, arn, {"s3:prefix": "logs/"})
    assert not allowed(statements, action, arn, {"s3:prefix": "songs/"})


@pytest.mark.parametrize("location", ["s3://data/lo*gs/", "s3://data/${aws:username}/", "s3:///x"])
def test_a_location_that_no_policy_can_name_exactly_is_refused(location: str) -> None:
    with pytest.raises(SettingsError, match="cannot be named exactly"):
        split_locations([location])


def test_local_sources_need_no_policy_and_too_many_are_refused() -> None:
    assert split_locations(["data/log_data", "/tmp/x.json"]) == ([], [])
    with pytest.raises(SettingsError, match="room for 4"):
        split_locations([f"s3://data/{n}/" for n in range(5)])
