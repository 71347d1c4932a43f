"""`status`, `pause`, `resume` and `remove` on moto."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from support.infra_answers import before_each_call, client_error
from support.infra_moto import NewDeployment, clusters, operations, stacks
from support.infra_operations import REMOVE

from sparkify_dwh.core.errors import InfraError

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse")


def snapshots() -> list[dict[str, Any]]:
    found = boto3.client("redshift").describe_cluster_snapshots()["Snapshots"]
    return [each for each in found if each["SnapshotType"] == "manual"]


def buckets() -> list[str]:
    return [each["Name"] for each in boto3.client("s3").list_buckets()["Buckets"]]


def secrets() -> list[str]:
    return [each["ARN"] for each in boto3.client("secretsmanager").list_secrets()["SecretList"]]


def fill_the_bucket(new_deployment: NewDeployment) -> str:
    """Objects, versions and a delete marker in the work bucket."""
    s3 = boto3.client("s3")
    bucket = new_deployment().deployment.site.stack.resources()["WorkBucket"]["PhysicalResourceId"]
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


def test_status_before_during_and_after(new_deployment: NewDeployment) -> None:
    absent = new_deployment().deployment.status()
    assert (absent.state, absent.billing) == ("absent", False)
    new_deployment(nodes=2).deployment.create()
    deployment = new_deployment(nodes=2).deployment
    deployment.site.last_load = lambda endpoint: "2018-11-30"
    running = deployment.status()
    assert running.state == "available" and running.billing is True
    assert running.node_type == "2 x ra3.large"
    assert running.endpoint and running.endpoint.endswith(":5439/dwh")
    assert running.last_load == "2018-11-30"
    new_deployment().deployment.pause()
    deployment.site.last_load = lambda _: pytest.fail("a paused cluster cannot answer")
    paused = deployment.status()
    assert (paused.state, paused.billing) == ("paused", False)
    new_deployment().deployment.remove()
    assert new_deployment().deployment.status().state == "absent"


def test_status_takes_free_space_from_cloudwatch(new_deployment: NewDeployment) -> None:
    on_moto = new_deployment()
    on_moto.deployment.create()
    cluster = clusters()[0]["ClusterIdentifier"]
    boto3.client("cloudwatch").put_metric_data(
        Namespace="AWS/Redshift",
        MetricData=[
            {
                "MetricName": "PercentageDiskSpaceUsed",
                "Dimensions": [{"Name": "ClusterIdentifier", "Value": cluster}],
                "Timestamp": on_moto.clock.now(),
                "Value": 12.5,
                "Unit": "Percent",
            }
        ],
    )
    on_moto.clock.sleep(60)
    free = on_moto.deployment.status().free
    assert free is not None and free.startswith("87.5 %")


def test_status_says_why_something_is_unknown(
    new_deployment: NewDeployment, moto_session: Any
) -> None:
    new_deployment().deployment.create()

    def deny(call: str) -> None:
        if call.startswith("cloudwatch:"):
            raise client_error("GetMetricStatistics", "AccessDenied")

    before_each_call(moto_session, deny)

    def broken(endpoint: Any) -> str:
        raise InfraError("the run log cannot be read", "")

    deployment = new_deployment().deployment
    deployment.site.last_load = broken
    found = deployment.status()
    assert found.free == "unknown (ClientError from CloudWatch)"
    assert found.last_load == "unknown: the run log cannot be read"


# pause and resume -------------------------------------------------------------------------


def test_pause_and_resume_twice_each(new_deployment: NewDeployment) -> None:
    new_deployment().deployment.create()
    first, second = (new_deployment().deployment.pause() for _ in range(2))
    assert (first.state, first.changed) == ("paused", True)
    assert (second.state, second.changed) == ("paused", False)
    assert "no longer billed" in first.message and "already paused" in second.message
    assert clusters()[0]["ClusterStatus"] == "paused"
    first, second = (new_deployment().deployment.resume() for _ in range(2))
    assert (first.changed, second.changed) == (True, False)
    assert clusters()[0]["ClusterStatus"] == "available"


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_pause_and_resume_need_a_warehouse(new_deployment: NewDeployment, command: str) -> None:
    with pytest.raises(InfraError, match="there is no warehouse dwh"):
        getattr(new_deployment().deployment, command)()


@pytest.mark.parametrize(("command", "operation"), [("pause", "Pause"), ("resume", "Resume")])
def test_pause_and_resume_without_permission(
    new_deployment: NewDeployment, moto_session: Any, command: str, operation: str
) -> None:
    new_deployment().deployment.create()
    if command == "resume":
        new_deployment().deployment.pause()

    def deny(call: str) -> None:
        if call == f"redshift:{operation}Cluster":
            raise client_error(f"{operation}Cluster", "AccessDenied")

    before_each_call(moto_session, deny)
    with pytest.raises(InfraError, match=f"does not allow {operation}Cluster"):
        getattr(new_deployment().deployment, command)()


def test_a_paused_cluster_is_not_changed_but_says_what_to_do(new_deployment: NewDeployment) -> None:
    new_deployment().deployment.create()
    new_deployment().deployment.pause()
    on_moto = new_deployment()
    result = on_moto.deployment.create()
    assert not result.ready and on_moto.tried == []
    assert "sparkify infra resume" in "\n".join(result.messages)


# remove -----------------------------------------------------------------------------------


def test_remove_leaves_nothing_but_the_final_snapshot(new_deployment: NewDeployment) -> None:
    new_deployment().deployment.create()
    fill_the_bucket(new_deployment)
    asked: list[Any] = []

    def confirm(removal: Any) -> bool:
        asked.append(removal)
        return True

    result = new_deployment().deployment.remove(confirm, keep_days=3)
    assert_gone()
    (snapshot,) = snapshots()
    assert {"Key": "sparkify", "Value": "dwh"} in snapshot["Tags"]
    assert [each.name for each in result.snapshots] == [snapshot["SnapshotIdentifier"]]
    assert result.left == () and result.staying == ()
    assert snapshot["SnapshotIdentifier"] in result.lines()[1] and "3 days" in result.lines()[1]
    (removal,) = asked
    listed = "\n".join(removal.lines())
    assert "Cluster" in listed and "objects and versions in the work bucket: 4" in listed
    assert "final snapshot" in listed and "3 days" in listed


def test_remove_without_a_snapshot_says_so(new_deployment: NewDeployment) -> None:
    new_deployment().deployment.create()
    texts: list[str] = []
    result = new_deployment().deployment.remove(
        lambda removal: not texts.extend(removal.lines()), snapshot=False
    )
    assert snapshots() == [] and result.snapshots == ()
    assert "WITHOUT a final snapshot" in "\n".join(texts)
    assert result.lines() == ["nothing with the tag sparkify=dwh is left"]


def test_remove_twice_and_where_there_is_nothing(new_deployment: NewDeployment) -> None:
    assert new_deployment().deployment.remove().lines() == [
        "nothing with the tag sparkify=dwh is left"
    ]
    new_deployment().deployment.create()
    first = new_deployment().deployment.remove()
    second = new_deployment().deployment.remove(
        lambda _: pytest.fail("there is nothing to agree to")
    )
    assert [s.name for s in second.snapshots] == [s.name for s in first.snapshots]


def test_an_answer_of_no_removes_nothing(new_deployment: NewDeployment) -> None:
    new_deployment().deployment.create()
    result = new_deployment().deployment.remove(lambda _: False)
    assert not result.carried_out
    assert len(clusters()) == 1 and snapshots() == []


def test_a_paused_cluster_is_resumed_for_its_snapshot(new_deployment: NewDeployment) -> None:
    new_deployment().deployment.create()
    new_deployment().deployment.pause()
    on_moto = new_deployment()
    on_moto.deployment.remove()
    assert "a snapshot needs a running cluster: resuming it first" in on_moto.messages
    assert len(snapshots()) == 1
    assert_gone()


def test_a_snapshot_of_the_user_stays_and_is_named(new_deployment: NewDeployment) -> None:
    new_deployment().deployment.create()
    boto3.client("redshift").create_cluster_snapshot(
        SnapshotIdentifier="before-the-audit", ClusterIdentifier=clusters()[0]["ClusterIdentifier"]
    )
    listed: list[str] = []
    result = new_deployment().deployment.remove(lambda removal: not listed.extend(removal.lines()))
    assert "stays, and is billed: snapshot before-the-audit" in "\n".join(listed)
    assert [each.name for each in result.staying] == ["before-the-audit"]
    assert "before-the-audit" in "\n".join(result.lines())


def test_two_warehouses_do_not_touch_each_other(new_deployment: NewDeployment) -> None:
    new_deployment().deployment.create()
    new_deployment(name="dwh-two").deployment.create()
    new_deployment(name="dwh-two").deployment.remove()
    assert len(clusters()) == 1
    result = new_deployment().deployment.remove()
    assert [each.name for each in result.snapshots if "two" in each.name] == []


def test_what_the_tags_still_show_is_named(
    new_deployment: NewDeployment,
) -> None:
    boto3.client("s3").create_bucket(Bucket="forgotten")
    boto3.client("s3").put_bucket_tagging(
        Bucket="forgotten", Tagging={"TagSet": [{"Key": "sparkify", "Value": "dwh"}]}
    )
    result = new_deployment().deployment.remove()
    assert result.left == ("arn:aws:s3:::forgotten",)
    assert result.lines() == ["STILL THERE, and billed: arn:aws:s3:::forgotten"]


def service(call: str) -> str:
    return call.replace("resource groups tagging api", "tagging").replace(
        "resourcegroupstaggingapi", "tagging"
    )


def test_the_list_of_operations_is_complete(
    new_deployment: NewDeployment, moto_session: Any
) -> None:
    new_deployment().deployment.create()
    fill_the_bucket(new_deployment)
    used = {
        service(c)
        for c in operations(new_deployment, moto_session, lambda deployment: deployment.remove())
    }
    assert used == set(REMOVE)


@pytest.mark.parametrize("operation", [o for o in REMOVE if not o.startswith("secrets")])
def test_a_missing_permission_is_named_with_what_to_do(
    new_deployment: NewDeployment, moto_session: Any, operation: str
) -> None:
    new_deployment().deployment.create()
    fill_the_bucket(new_deployment)

    def deny(call: str) -> None:
        if service(call) == operation:
            raise client_error(call.split(":")[1], "AccessDenied", f"no {call}")

    before_each_call(moto_session, deny)
    with pytest.raises(InfraError) as caught:
        new_deployment().deployment.remove()
    assert f"does not allow {operation.split(':')[1]}" in caught.value.what
    assert "docs/infra.md" in caught.value.hint


@pytest.mark.parametrize("operation", REMOVE)
def test_interrupted_before_any_operation_it_can_be_run_again(
    new_deployment: NewDeployment, moto_session: Any, operation: str
) -> None:
    new_deployment().deployment.create()
    fill_the_bucket(new_deployment)
    waiting = [operation]

    def interrupt(call: str) -> None:
        if service(call) in waiting:
            waiting.remove(service(call))
            raise KeyboardInterrupt

    before_each_call(moto_session, interrupt)
    with pytest.raises(KeyboardInterrupt):
        new_deployment().deployment.remove()
    again = new_deployment()
    again.clock.sleep(90)
    result = again.deployment.remove()
    assert_gone()
    assert len(snapshots()) == 1
    assert [each.name for each in result.snapshots] == [snapshots()[0]["SnapshotIdentifier"]]
