"""`plan` and `create` on moto: what AWS then describes, not what the stack reports."""

from __future__ import annotations

import tomllib
from typing import Any

import boto3
import pytest
from support.infra_answers import before_each_call, client_error
from support.infra_moto import CONFIG, REGION, NewDeployment, clusters, operations, stacks
from support.infra_moto_gaps import PASSWORD
from support.infra_operations import CREATE

from sparkify_dwh.core.errors import InfraError
from sparkify_dwh.core.settings import Settings
from sparkify_dwh.infra.reachability import Reachability

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")


def test_a_plan_lists_what_is_made_and_leaves_nothing_behind(new_deployment: NewDeployment) -> None:
    plan = new_deployment().deployment.plan()
    actions = {(change.action, change.type) for change in plan.changes}
    assert ("create", "AWS::Redshift::Cluster") in actions
    assert {action for action, _ in actions} == {"create"}
    assert stacks() == []
    assert clusters() == []


def test_create_makes_the_cluster_that_the_settings_describe(new_deployment: NewDeployment) -> None:
    new_deployment(
        node_type="ra3.xlplus", nodes=2, database="music", admin_user="boss"
    ).deployment.create()
    (cluster,) = clusters()
    assert cluster["NodeType"] == "ra3.xlplus"
    assert cluster["NumberOfNodes"] == 2
    assert cluster["DBName"] == "music"
    assert cluster["MasterUsername"] == "boss"
    assert cluster["Encrypted"] is True
    assert cluster["PubliclyAccessible"] is False
    assert stacks() == ["sparkify-dwh CREATE_COMPLETE"]


def test_the_security_group_allows_the_vpc(new_deployment: NewDeployment) -> None:
    def allowed() -> set[str]:
        groups = boto3.client("ec2").describe_security_groups(
            Filters=[{"Name": "tag:sparkify", "Values": ["dwh"]}]
        )["SecurityGroups"]
        ranges = [r for g in groups for p in g["IpPermissions"] for r in p["IpRanges"]]
        return {each["CidrIp"] for each in ranges}

    new_deployment(vpc_cidr="10.9.0.0/24").deployment.create()
    assert allowed() == {"10.9.0.0/24"}


def test_the_role_and_the_bucket_are_as_narrow_as_they_should_be(
    new_deployment: NewDeployment,
) -> None:
    deployment = new_deployment().deployment
    deployment.create()
    found = deployment.site.stack.resources()
    role, bucket = (found[n]["PhysicalResourceId"] for n in ("CopyRole", "WorkBucket"))
    iam, s3 = boto3.client("iam"), boto3.client("s3")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    assert names == ["work", "source-1", "source-2"]
    document = iam.get_role_policy(RoleName=role, PolicyName="source-1")["PolicyDocument"]
    assert document["Statement"][0]["Resource"] == "arn:aws:s3:::udacity-dend/log_data/*"
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert {"Key": "sparkify", "Value": "dwh"} in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]


def test_create_writes_a_config_that_the_next_commands_run_with(
    new_deployment: NewDeployment,
) -> None:
    on_moto = new_deployment()
    result = on_moto.deployment.create()
    text = on_moto.config.read_text(encoding="utf-8")
    assert text.startswith(CONFIG)
    (cluster,) = clusters()
    settings = Settings(config=on_moto.config)
    host = cluster["Endpoint"]["Address"]
    assert settings.database_url == (
        f"redshift+redshift_connector://sparkify_admin@{host}:5439/dwh"
    )
    assert settings.auth == "secret"
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=settings.secret_arn or "")
    assert PASSWORD in secret["SecretString"]
    assert settings.cluster_identifier == cluster["ClusterIdentifier"]
    assert settings.iam_role == cluster["IamRoles"][0]["IamRoleArn"]
    assert settings.work_prefix and settings.work_prefix.endswith("/work/")
    assert boto3.client("s3").head_bucket(Bucket=settings.work_prefix.split("/")[2])
    assert settings.aws_region == REGION
    assert PASSWORD not in text + "".join(on_moto.messages) + str(result.to_dict())


def test_ready_is_shown_only_after_a_connection(new_deployment: NewDeployment) -> None:
    on_moto = new_deployment()
    result = on_moto.deployment.create()
    assert on_moto.tried == [(clusters()[0]["Endpoint"]["Address"], 5439)]
    assert result.ready and result.messages[0].startswith("ready")


def test_without_a_connection_it_shows_who_may_connect(
    new_deployment: NewDeployment,
) -> None:
    on_moto = new_deployment()
    on_moto.reachability = Reachability(False, "no route")
    result = on_moto.deployment.create()
    assert not result.ready and not result.unreachable
    text = "\n".join(result.lines())
    assert "ready" not in text
    assert "no route" in text and "inside" in text and "--from-here" in text


def test_a_public_endpoint_that_does_not_answer_is_a_failure(new_deployment: NewDeployment) -> None:
    on_moto = new_deployment()
    on_moto.reachability = Reachability(False, "no route")
    result = on_moto.deployment.create(from_here=True)
    assert result.unreachable
    assert len(on_moto.tried) == 7
    assert "ready" not in "\n".join(result.lines())
    assert "203.0.113.7/32" in "\n".join(result.messages)


def test_from_here_is_in_the_plan_and_kept_in_the_config(
    new_deployment: NewDeployment,
) -> None:
    on_moto = new_deployment()
    notes = "\n".join(on_moto.deployment.plan(from_here=True).lines())
    assert "PUBLIC endpoint" in notes and "203.0.113.7/32" in notes
    assert "from_here" not in on_moto.config.read_text()
    on_moto.deployment.create(from_here=True)
    (cluster,) = clusters()
    assert cluster["PubliclyAccessible"] is True
    table = tomllib.loads(on_moto.config.read_text())["infra"]
    assert table == {"from_here": "203.0.113.7/32"}
    assert new_deployment(**table).deployment.create().plan.empty


def test_running_it_again_changes_nothing(new_deployment: NewDeployment) -> None:
    on_moto = new_deployment()
    on_moto.deployment.create()
    before, text = clusters(), on_moto.config.read_text()
    asked: list[Any] = []
    result = new_deployment().deployment.create(lambda plan: bool(asked.append(plan)))
    assert result.plan.empty and asked == []
    assert result.written == {}
    assert clusters() == before and on_moto.config.read_text() == text
    assert "no changes" in result.plan.lines()[0]


def test_changing_a_setting_updates_in_place(new_deployment: NewDeployment) -> None:
    def created(jsonpaths: str) -> Any:
        deployment = new_deployment().deployment
        deployment.site.locations = ("s3://data/logs/", f"s3://data/{jsonpaths}.json")
        return deployment.create(), deployment

    created("old")
    (before,) = clusters()
    result, deployment = created("new")
    assert not result.plan.empty
    role = deployment.site.stack.resources()["CopyRole"]["PhysicalResourceId"]
    document = boto3.client("iam").get_role_policy(RoleName=role, PolicyName="source-objects")
    (statement,) = document["PolicyDocument"]["Statement"]
    assert statement["Resource"] == ["arn:aws:s3:::data/new.json"]
    assert clusters()[0]["ClusterIdentifier"] == before["ClusterIdentifier"]
    assert stacks() == ["sparkify-dwh UPDATE_COMPLETE"]


def test_a_setting_in_the_environment_that_hides_the_written_one_is_named(
    new_deployment: NewDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKIFY_DATABASE_URL", "duckdb:///x.duckdb")
    on_moto = new_deployment()
    on_moto.deployment.create()
    assert any(line.startswith("SPARKIFY_DATABASE_URL in the env") for line in on_moto.messages)


def test_results_show_themselves_escaped_in_a_notebook(new_deployment: NewDeployment) -> None:
    plan = new_deployment(allowed_cidrs=["192.0.2.0/24"]).deployment.plan()
    html = plan._repr_html_()
    assert "<td>Cluster</td><td>AWS::Redshift::Cluster</td>" in html
    assert plan.to_dict()["changes"][0]["resource"] == plan.changes[0].resource
    odd = type(plan)("<script>", "r", (), plan.price, ("<b>",))._repr_html_()
    assert "<script>" not in odd and "<b>" not in odd


def test_an_answer_of_no_leaves_nothing(new_deployment: NewDeployment) -> None:
    on_moto = new_deployment()
    result = on_moto.deployment.create(lambda plan: False)
    assert not result.carried_out and result.messages == ("nothing was done",)
    assert stacks() == [] and clusters() == []
    assert on_moto.config.read_text() == CONFIG


def test_an_existing_vpc_is_used_with_its_own_addresses(new_deployment: NewDeployment) -> None:
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.77.{n}.0/24", AvailabilityZone=f"{REGION}{z}")
        for n, z in enumerate("ab")
    ]
    ids = [each["Subnet"]["SubnetId"] for each in subnets]
    deployment = new_deployment(vpc_id=vpc, subnet_ids=ids).deployment
    deployment.create()
    assert "Vpc" not in deployment.site.stack.resources()
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    ranges = [
        r["CidrIp"]
        for g in groups["SecurityGroups"]
        for p in g["IpPermissions"]
        for r in p["IpRanges"]
    ]
    assert ranges == ["10.77.0.0/16"]


def test_a_vpc_that_does_not_exist_is_named(new_deployment: NewDeployment) -> None:
    ids = ["subnet-0a1b2c3d", "subnet-0a1b2c3e"]
    with pytest.raises(InfraError, match="vpc-0123456789abcdef0"):
        new_deployment(vpc_id="vpc-0123456789abcdef0", subnet_ids=ids).deployment.create()


def test_create_fails_where_moto_makes_no_workgroup(
    new_deployment: NewDeployment,
) -> None:
    with pytest.raises(InfraError, match="complete, but there is no warehouse"):
        new_deployment(kind="serverless").deployment.create()


def test_the_list_of_operations_is_complete(
    new_deployment: NewDeployment, moto_session: Any
) -> None:
    used = operations(new_deployment, moto_session, lambda deployment: deployment.create())
    assert set(used) - {"pricing:GetProducts"} == set(CREATE)


@pytest.mark.parametrize("operation", CREATE)
def test_a_missing_permission_is_named_with_what_to_do(
    new_deployment: NewDeployment, moto_session: Any, operation: str
) -> None:
    def deny(call: str) -> None:
        if call == operation:
            raise client_error(call.split(":")[1], "AccessDenied", f"no {call}")

    before_each_call(moto_session, deny)
    with pytest.raises(InfraError) as caught:
        new_deployment().deployment.create()
    assert f"does not allow {operation.split(':')[1]}" in caught.value.what
    assert "docs/infra.md" in caught.value.hint
    assert caught.value.exit_code == 6


@pytest.mark.parametrize("operation", CREATE)
def test_interrupted_before_any_operation_it_can_be_run_again(
    new_deployment: NewDeployment, moto_session: Any, operation: str
) -> None:
    waiting = [operation]

    def interrupt(call: str) -> None:
        if call in waiting:
            waiting.remove(call)
            raise KeyboardInterrupt

    before_each_call(moto_session, interrupt)
    with pytest.raises(KeyboardInterrupt):
        new_deployment().deployment.create()
    result = new_deployment().deployment.create()
    assert result.ready
    assert len(clusters()) == 1
    assert stacks() == ["sparkify-dwh CREATE_COMPLETE"]


def test_an_interrupted_plan_is_not_in_the_way(new_deployment: NewDeployment) -> None:
    new_deployment().deployment.site.prepare()
    assert stacks() == ["sparkify-dwh REVIEW_IN_PROGRESS"]
    new_deployment().deployment.create()
    assert stacks() == ["sparkify-dwh CREATE_COMPLETE"]
