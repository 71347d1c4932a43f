"""`status`, `pause`, `resume` and `remove` against moto."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from support.infra_account import Make
from support.infra_answers import before_each_call, client_error
from test_infra_create import clusters, operations, stacks

from sparkify_dwh.core.errors import InfraError

pytest_plugins = ["account"]

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")


def snapshots() -> list[dict[str, Any]]:
    found = boto3.client("redshift").describe_cluster_snapshots()["Snapshots"]
    return [each for each in found if each["SnapshotType"] == "manual"]


def buckets() -> list[str]:
    return [each["Name"] for each in boto3.client("s3").list_buckets()["Buckets"]]


def secrets() -> list[str]:
    return [each["ARN"] for each in boto3.client("secretsmanager").list_secrets()["SecretList"]]


def fill_the_bucket(make: Make) -> str:
    """Objects, versions and a delete marker in the work bucket."""
    s3 = boto3.client("s3")
    bucket = make().deployment.stack.resources()["WorkBucket"]["PhysicalResourceId"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for text in (b"1", b"2"):
        s3.put_object(Bucket=bucket, Key="work/manifests/1.json", Body=text)
    s3.put_object(Bucket=bucket, Key="audit/log.gz", Body=b"3")
    s3.delete_object(Bucket=bucket, Key="work/manifests/1.json")
    return str(bucket)


def assert_gone() -> None:
    assert clusters() == [] and stacks() == [] and buckets() == [] and secrets() == []
    ec2 = boto3.client("ec2")
    mine = [{"Name": "tag:sparkify", "Values": ["dwh"]}]
    assert ec2.describe_vpcs(Filters=mine)["Vpcs"] == []
    assert boto3.client("iam").list_roles()["Roles"] == []


# status -----------------------------------------------------------------------------------


def test_status_before_during_and_after(make: Make) -> None:
    absent = make().deployment.status()
    assert (absent.state, absent.billing) == ("absent", False)
    make(nodes=2).deployment.create()
    deployment = make(nodes=2).deployment
    deployment.last_load = lambda endpoint: "2018-11-30"
    running = deployment.status()
    assert running.state == "available" and running.billing is True
    assert running.node_type == "2 x ra3.large"
    assert running.endpoint and running.endpoint.endswith(":5439/dwh")
    assert running.last_load == "2018-11-30"
    make().deployment.pause()
    deployment.last_load = lambda _: pytest.fail("a paused cluster cannot answer")
    paused = deployment.status()
    assert (paused.state, paused.billing) == ("paused", False)
    make().deployment.remove()
    assert make().deployment.status().state == "absent"


def test_status_takes_free_space_from_cloudwatch(make: Make) -> None:
    made = make()
    made.deployment.create()
    cluster = clusters()[0]["ClusterIdentifier"]
    boto3.client("cloudwatch").put_metric_data(
        Namespace="AWS/Redshift",
        MetricData=[
            {
                "MetricName": "PercentageDiskSpaceUsed",
                "Dimensions": [{"Name": "ClusterIdentifier", "Value": cluster}],
                "Timestamp": made.clock.now(),
                "Value": 12.5,
                "Unit": "Percent",
            }
        ],
    )
    made.clock.sleep(60)
    free = made.deployment.status().free
    assert free is not None and free.startswith("87.5 %")


def test_status_says_why_something_is_not_known(make: Make, cloud: Any) -> None:
    make().deployment.create()

    def deny(call: str) -> None:
        if call.startswith("cloudwatch:"):
            raise client_error("GetMetricStatistics", "AccessDenied")

    before_each_call(cloud, deny)

    def broken(endpoint: Any) -> str:
        raise InfraError("the run log cannot be read", "")

    deployment = make().deployment
    deployment.last_load = broken
    found = deployment.status()
    assert found.free == "unknown (ClientError from CloudWatch)"
    assert found.last_load == "unknown: the run log cannot be read"


# pause and resume -------------------------------------------------------------------------


def test_pause_and_resume_twice_each(make: Make) -> None:
    make().deployment.create()
    first, second = (make().deployment.pause() for _ in range(2))
    assert (first.state, first.changed) == ("paused", True)
    assert (second.state, second.changed) == ("paused", False)
    assert "no longer billed" in first.message and "already paused" in second.message
    assert clusters()[0]["ClusterStatus"] == "paused"
    first, second = (make().deployment.resume() for _ in range(2))
    assert (first.changed, second.changed) == (True, False)
    assert clusters()[0]["ClusterStatus"] == "available"


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_pause_and_resume_need_a_warehouse(make: Make, command: str) -> None:
    with pytest.raises(InfraError, match="there is no warehouse dwh"):
        getattr(make().deployment, command)()


@pytest.mark.parametrize(("command", "operation"), [("pause", "Pause"), ("resume", "Resume")])
def test_pause_and_resume_without_permission(
    make: Make, cloud: Any, command: str, operation: str
) -> None:
    make().deployment.create()
    if command == "resume":
        make().deployment.pause()

    def deny(call: str) -> None:
        if call == f"redshift:{operation}Cluster":
            raise client_error(f"{operation}Cluster", "AccessDenied")

    before_each_call(cloud, deny)
    with pytest.raises(InfraError, match=f"does not allow {operation}Cluster"):
        getattr(make().deployment, command)()


def test_a_paused_cluster_is_not_changed_but_says_what_to_do(make: Make) -> None:
    make().deployment.create()
    make().deployment.pause()
    made = make()
    result = made.deployment.create()
    assert not result.ready and made.tried == []
    assert "sparkify infra resume" in "\n".join(result.messages)


# remove -----------------------------------------------------------------------------------


def test_remove_leaves_nothing_but_the_final_snapshot(make: Make) -> None:
    make().deployment.create()
    fill_the_bucket(make)
    asked: list[Any] = []

    def confirm(removal: Any) -> bool:
        asked.append(removal)
        return True

    result = make().deployment.remove(confirm, keep_days=3)
    assert_gone()
    (snapshot,) = snapshots()
    assert {"Key": "sparkify", "Value": "dwh"} in snapshot["Tags"]
    assert [each.name for each in result.snapshots] == [snapshot["SnapshotIdentifier"]]
    assert result.left == () and result.staying == ()
    assert snapshot["SnapshotIdentifier"] in result.lines()[1] and "3 days" in result.lines()[1]
    (removal,) = asked
    listed = "\n".join(removal.lines())
    assert "Cluster" in listed and "4 objects and versions" in listed
    assert "final snapshot" in listed and "3 days" in listed


def test_remove_without_a_snapshot_says_so(make: Make) -> None:
    make().deployment.create()
    texts: list[str] = []
    result = make().deployment.remove(
        lambda removal: not texts.extend(removal.lines()), snapshot=False
    )
    assert snapshots() == [] and result.snapshots == ()
    assert "WITHOUT a final snapshot" in "\n".join(texts)
    assert result.lines() == ["nothing with the tag sparkify=dwh is left"]


def test_remove_twice_and_where_there_is_nothing(make: Make) -> None:
    assert make().deployment.remove().lines() == ["nothing with the tag sparkify=dwh is left"]
    make().deployment.create()
    first = make().deployment.remove()
    second = make().deployment.remove(lambda _: pytest.fail("there is nothing to agree to"))
    assert [s.name for s in second.snapshots] == [s.name for s in first.snapshots]


def test_an_answer_of_no_removes_nothing(make: Make) -> None:
    make().deployment.create()
    result = make().deployment.remove(lambda _: False)
    assert not result.carried_out
    assert len(clusters()) == 1 and snapshots() == []


def test_a_paused_cluster_is_resumed_for_its_snapshot(make: Make) -> None:
    make().deployment.create()
    make().deployment.pause()
    made = make()
    made.deployment.remove()
    assert "a snapshot needs a running cluster: resuming it first" in made.told
    assert len(snapshots()) == 1
    assert_gone()


def test_a_snapshot_of_ones_own_stays_and_is_named(make: Make) -> None:
    make().deployment.create()
    boto3.client("redshift").create_cluster_snapshot(
        SnapshotIdentifier="before-the-audit", ClusterIdentifier=clusters()[0]["ClusterIdentifier"]
    )
    listed: list[str] = []
    result = make().deployment.remove(lambda removal: not listed.extend(removal.lines()))
    assert "stays, and is billed: snapshot before-the-audit" in "\n".join(listed)
    assert [each.name for each in result.staying] == ["before-the-audit"]
    assert "before-the-audit" in "\n".join(result.lines())


def test_two_warehouses_do_not_touch_each_other(make: Make) -> None:
    make().deployment.create()
    make(name="dwh-two").deployment.create()
    make(name="dwh-two").deployment.remove()
    assert len(clusters()) == 1
    result = make().deployment.remove()
    assert [each.name for each in result.snapshots if "two" in each.name] == []


def test_what_the_tags_still_show_is_named_and_not_called_done(make: Make) -> None:
    boto3.client("s3").create_bucket(Bucket="forgotten")
    boto3.client("s3").put_bucket_tagging(
        Bucket="forgotten", Tagging={"TagSet": [{"Key": "sparkify", "Value": "dwh"}]}
    )
    result = make().deployment.remove()
    assert result.left == ("arn:aws:s3:::forgotten",)
    assert result.lines() == ["STILL THERE, and billed: arn:aws:s3:::forgotten"]


REMOVE = [
    "cloudformation:DescribeStacks",
    "cloudformation:ListStackResources",
    "redshift:DescribeClusters",
    "s3:ListObjectVersions",
    "redshift:DescribeClusterSnapshots",
    "redshift:CreateClusterSnapshot",
    "s3:DeleteObjects",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DeleteStack",
    "tagging:GetResources",
    "secretsmanager:DescribeSecret",
]


def service(call: str) -> str:
    return call.replace("resource groups tagging api", "tagging").replace(
        "resourcegroupstaggingapi", "tagging"
    )


def test_the_list_of_operations_is_whole(make: Make, cloud: Any) -> None:
    make().deployment.create()
    fill_the_bucket(make)
    used = {service(c) for c in operations(make, cloud, lambda deployment: deployment.remove())}
    assert used == set(REMOVE)


@pytest.mark.parametrize("operation", [o for o in REMOVE if not o.startswith("secrets")])
def test_a_missing_permission_is_named_with_what_to_do(
    make: Make, cloud: Any, operation: str
) -> None:
    make().deployment.create()
    fill_the_bucket(make)

    def deny(call: str) -> None:
        if service(call) == operation:
            raise client_error(call.split(":")[1], "AccessDenied", f"no {call}")

    before_each_call(cloud, deny)
    with pytest.raises(InfraError) as caught:
        make().deployment.remove()
    assert f"does not allow {operation.split(':')[1]}" in caught.value.what
    assert "docs/infra.md" in caught.value.hint


@pytest.mark.parametrize("operation", REMOVE)
def test_interrupted_before_any_operation_it_can_be_run_again(
    make: Make, cloud: Any, operation: str
) -> None:
    make().deployment.create()
    fill_the_bucket(make)
    waiting = [operation]

    def interrupt(call: str) -> None:
        if service(call) in waiting:
            waiting.remove(service(call))
            raise KeyboardInterrupt

    before_each_call(cloud, interrupt)
    with pytest.raises(KeyboardInterrupt):
        make().deployment.remove()
    again = make()
    again.clock.sleep(90)
    result = again.deployment.remove()
    assert_gone()
    assert len(snapshots()) == 1
    assert [each.name for each in result.snapshots] == [snapshots()[0]["SnapshotIdentifier"]]
