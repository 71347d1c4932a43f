"""`plan` and `create` against moto: what AWS then describes, not what the stack says."""

from __future__ import annotations

import tomllib
from typing import Any

import boto3
import pytest
from support import infra_mended
from support.infra_account import CONFIG, REGION, Make
from support.infra_answers import before_each_call, client_error

from sparkify_dwh.core.errors import InfraError
from sparkify_dwh.core.settings import Settings
from sparkify_dwh.infra.reach import Reach

pytest_plugins = ["account"]

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")


def clusters() -> list[dict[str, Any]]:
    return list(boto3.client("redshift").describe_clusters()["Clusters"])


def stacks() -> list[str]:
    found = boto3.client("cloudformation").describe_stacks()["Stacks"]
    return [f"{each['StackName']} {each['StackStatus']}" for each in found]


def test_a_plan_lists_what_is_made_and_leaves_nothing_behind(make: Make) -> None:
    plan = make().deployment.plan()
    actions = {(change.action, change.type) for change in plan.changes}
    assert ("create", "AWS::Redshift::Cluster") in actions
    assert {action for action, _ in actions} == {"create"}
    assert stacks() == []
    assert clusters() == []


def test_create_makes_the_cluster_that_the_settings_describe(make: Make) -> None:
    make(node_type="ra3.xlplus", nodes=2, database="music", admin_user="boss").deployment.create()
    (cluster,) = clusters()
    assert cluster["NodeType"] == "ra3.xlplus"
    assert cluster["NumberOfNodes"] == 2
    assert cluster["DBName"] == "music"
    assert cluster["MasterUsername"] == "boss"
    assert cluster["Encrypted"] is True
    assert cluster["PubliclyAccessible"] is False
    assert stacks() == ["sparkify-dwh CREATE_COMPLETE"]


def test_the_security_group_admits_the_vpc_or_what_is_given(make: Make) -> None:
    def admitted() -> set[str]:
        groups = boto3.client("ec2").describe_security_groups(
            Filters=[{"Name": "tag:sparkify", "Values": ["dwh"]}]
        )["SecurityGroups"]
        ranges = [r for g in groups for p in g["IpPermissions"] for r in p["IpRanges"]]
        return {each["CidrIp"] for each in ranges}

    make(vpc_cidr="10.9.0.0/24").deployment.create()
    assert admitted() == {"10.9.0.0/24"}


def test_the_role_and_the_bucket_are_as_narrow_as_they_should_be(make: Make) -> None:
    made = make().deployment
    made.create()
    found = made.stack.resources()
    role, bucket = (found[n]["PhysicalResourceId"] for n in ("CopyRole", "WorkBucket"))
    iam, s3 = boto3.client("iam"), boto3.client("s3")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    assert names == ["work", "source-1", "source-2"]
    document = iam.get_role_policy(RoleName=role, PolicyName="source-1")["PolicyDocument"]
    assert document["Statement"][0]["Resource"] == "arn:aws:s3:::udacity-dend/log_data/*"
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert {"Key": "sparkify", "Value": "dwh"} in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]


def test_create_ends_with_a_config_that_the_next_commands_run_by(make: Make) -> None:
    made = make()
    result = made.deployment.create()
    text = made.config.read_text(encoding="utf-8")
    assert text.startswith(CONFIG)
    (cluster,) = clusters()
    settings = Settings(config=made.config)
    host = cluster["Endpoint"]["Address"]
    assert settings.database_url == (
        f"redshift+redshift_connector://sparkify_admin@{host}:5439/dwh"
    )
    assert settings.auth == "secret"
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=settings.secret_arn or "")
    assert infra_mended.PASSWORD in secret["SecretString"]
    assert settings.cluster_identifier == cluster["ClusterIdentifier"]
    assert settings.iam_role == cluster["IamRoles"][0]["IamRoleArn"]
    assert settings.work_prefix and settings.work_prefix.endswith("/work/")
    assert boto3.client("s3").head_bucket(Bucket=settings.work_prefix.split("/")[2])
    assert settings.aws_region == REGION
    assert infra_mended.PASSWORD not in text + "".join(made.told) + str(result.to_dict())


def test_ready_is_said_only_after_a_connection(make: Make) -> None:
    made = make()
    result = made.deployment.create()
    assert made.tried == [(clusters()[0]["Endpoint"]["Address"], 5439)]
    assert result.ready and result.messages[0].startswith("ready")


def test_without_a_connection_it_says_from_where_there_is_one(make: Make) -> None:
    made = make()
    made.reach = Reach(False, "no route")
    result = made.deployment.create()
    assert not result.ready and not result.unreachable
    text = "\n".join(result.lines())
    assert "ready" not in text
    assert "no route" in text and "inside" in text and "--from-here" in text


def test_a_public_endpoint_that_does_not_answer_is_a_failure(make: Make) -> None:
    made = make()
    made.reach = Reach(False, "no route")
    result = made.deployment.create(from_here=True)
    assert result.unreachable
    assert len(made.tried) == 7
    assert "ready" not in "\n".join(result.lines())
    assert "203.0.113.7/32" in "\n".join(result.messages)


def test_from_here_is_said_in_the_plan_and_kept_in_the_config(make: Make) -> None:
    made = make()
    notes = "\n".join(made.deployment.plan(from_here=True).lines())
    assert "PUBLIC endpoint" in notes and "203.0.113.7/32" in notes
    assert "from_here" not in made.config.read_text()
    made.deployment.create(from_here=True)
    (cluster,) = clusters()
    assert cluster["PubliclyAccessible"] is True
    table = tomllib.loads(made.config.read_text())["infra"]
    assert table == {"from_here": "203.0.113.7/32"}
    assert make(**table).deployment.create().plan.empty


def test_running_it_again_changes_nothing(make: Make) -> None:
    made = make()
    made.deployment.create()
    before, text = clusters(), made.config.read_text()
    asked: list[Any] = []
    result = make().deployment.create(lambda plan: bool(asked.append(plan)))
    assert result.plan.empty and asked == []
    assert result.written == {}
    assert clusters() == before and made.config.read_text() == text
    assert "no changes" in result.plan.lines()[0]


def test_changing_a_setting_updates_in_place(make: Make) -> None:
    def created(jsonpaths: str) -> Any:
        deployment = make().deployment
        deployment.locations = ("s3://data/logs/", f"s3://data/{jsonpaths}.json")
        return deployment.create(), deployment

    created("old")
    (before,) = clusters()
    result, deployment = created("new")
    assert not result.plan.empty
    role = deployment.stack.resources()["CopyRole"]["PhysicalResourceId"]
    document = boto3.client("iam").get_role_policy(RoleName=role, PolicyName="source-objects")
    (statement,) = document["PolicyDocument"]["Statement"]
    assert statement["Resource"] == ["arn:aws:s3:::data/new.json"]
    assert clusters()[0]["ClusterIdentifier"] == before["ClusterIdentifier"]
    assert stacks() == ["sparkify-dwh UPDATE_COMPLETE"]


def test_a_setting_in_the_environment_that_hides_the_written_one_is_named(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKIFY_DATABASE_URL", "duckdb:///x.duckdb")
    made = make()
    made.deployment.create()
    assert any(line.startswith("SPARKIFY_DATABASE_URL in the env") for line in made.told)


def test_results_show_themselves_escaped_in_a_notebook(make: Make) -> None:
    plan = make(allowed_cidrs=["192.0.2.0/24"]).deployment.plan()
    html = plan._repr_html_()
    assert "<td>Cluster</td><td>AWS::Redshift::Cluster</td>" in html
    assert plan.to_dict()["changes"][0]["resource"] == plan.changes[0].resource
    odd = type(plan)("<script>", "r", (), plan.price, ("<b>",))._repr_html_()
    assert "<script>" not in odd and "<b>" not in odd


def test_an_answer_of_no_leaves_nothing(make: Make) -> None:
    made = make()
    result = made.deployment.create(lambda plan: False)
    assert not result.carried_out and result.messages == ("nothing was done",)
    assert stacks() == [] and clusters() == []
    assert made.config.read_text() == CONFIG


def test_an_existing_vpc_is_used_with_its_own_addresses(make: Make) -> None:
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.77.{n}.0/24", AvailabilityZone=f"{REGION}{z}")
        for n, z in enumerate("ab")
    ]
    ids = [each["Subnet"]["SubnetId"] for each in subnets]
    made = make(vpc_id=vpc, subnet_ids=ids).deployment
    made.create()
    assert "Vpc" not in made.stack.resources()
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    ranges = [
        r["CidrIp"]
        for g in groups["SecurityGroups"]
        for p in g["IpPermissions"]
        for r in p["IpRanges"]
    ]
    assert ranges == ["10.77.0.0/16"]


def test_a_vpc_that_does_not_exist_is_named(make: Make) -> None:
    ids = ["subnet-0a1b2c3d", "subnet-0a1b2c3e"]
    with pytest.raises(InfraError, match="vpc-0123456789abcdef0"):
        make(vpc_id="vpc-0123456789abcdef0", subnet_ids=ids).deployment.create()


def test_moto_is_silent_on_serverless_and_so_create_does_not_call_it_done(make: Make) -> None:
    with pytest.raises(InfraError, match="complete, but there is no warehouse"):
        make(kind="serverless").deployment.create()


def operations(make: Make, cloud: Any, run: Any) -> list[str]:
    """The operations of a command, in order of first use."""
    calls: list[str] = []
    before_each_call(cloud, calls.append)
    run(make().deployment)
    return list(dict.fromkeys(calls))


CREATE = [
    "cloudformation:DescribeStacks",
    "cloudformation:CreateChangeSet",
    "cloudformation:DescribeChangeSet",
    "cloudformation:DescribeStackEvents",
    "cloudformation:ExecuteChangeSet",
    "cloudformation:ListStackResources",
    "redshift:DescribeClusters",
    "iam:GetRole",
]


def test_the_list_of_operations_is_whole(make: Make, cloud: Any) -> None:
    used = operations(make, cloud, lambda deployment: deployment.create())
    assert set(used) - {"pricing:GetProducts"} == set(CREATE)


@pytest.mark.parametrize("operation", CREATE)
def test_a_missing_permission_is_named_with_what_to_do(
    make: Make, cloud: Any, operation: str
) -> None:
    def deny(call: str) -> None:
        if call == operation:
            raise client_error(call.split(":")[1], "AccessDenied", f"no {call}")

    before_each_call(cloud, deny)
    with pytest.raises(InfraError) as caught:
        make().deployment.create()
    assert f"does not allow {operation.split(':')[1]}" in caught.value.what
    assert "docs/infra.md" in caught.value.hint
    assert caught.value.exit_code == 6


@pytest.mark.parametrize("operation", CREATE)
def test_interrupted_before_any_operation_it_can_be_run_again(
    make: Make, cloud: Any, operation: str
) -> None:
    waiting = [operation]

    def interrupt(call: str) -> None:
        if call in waiting:
            waiting.remove(call)
            raise KeyboardInterrupt

    before_each_call(cloud, interrupt)
    with pytest.raises(KeyboardInterrupt):
        make().deployment.create()
    result = make().deployment.create()
    assert result.ready
    assert len(clusters()) == 1
    assert stacks() == ["sparkify-dwh CREATE_COMPLETE"]


def test_a_plan_that_was_cut_off_is_no_obstacle(make: Make) -> None:
    make().deployment.prepare()
    assert stacks() == ["sparkify-dwh REVIEW_IN_PROGRESS"]
    make().deployment.create()
    assert stacks() == ["sparkify-dwh CREATE_COMPLETE"]
