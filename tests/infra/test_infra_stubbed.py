"""What moto cannot show: REPLACE, rollbacks, serverless, prices; botocore checks the answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from support.infra_answers import Answers, client_error
from support.infra_moto import Clock

from sparkify_dwh.core.errors import InfraError
from sparkify_dwh.infra.aws import Clients
from sparkify_dwh.infra.deployment import Deployment
from sparkify_dwh.infra.reachability import Reachability
from sparkify_dwh.infra.settings import infra_settings
from sparkify_dwh.infra.site import Site

pytestmark = pytest.mark.usefixtures("fake_credentials")
STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/sparkify-dwh/1a2b3c4d-0000"
CHANGES = "arn:aws:cloudformation:us-east-1:123456789012:changeSet/sparkify-1/5e6f"
NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
GONE = client_error("DescribeStacks", "ValidationError", "Stack sparkify-dwh does not exist")
NO_PRICE = client_error("GetProducts", "AccessDeniedException")


def stack(state: str) -> dict[str, Any]:
    return {
        "Stacks": [
            {
                "StackName": "sparkify-dwh",
                "StackId": STACK,
                "StackStatus": state,
                "CreationTime": NOW,
            }
        ]
    }


def event(number: int, resource: str, status: str, reason: str = "") -> dict[str, Any]:
    own = resource == "sparkify-dwh"
    found = {
        "StackId": STACK,
        "StackName": "sparkify-dwh",
        "EventId": str(number),
        "LogicalResourceId": resource,
        "PhysicalResourceId": STACK if own else f"physical-{resource}",
        "ResourceType": "AWS::CloudFormation::Stack" if own else f"AWS::Test::{resource}",
        "ResourceStatus": status,
        "Timestamp": NOW + timedelta(seconds=number),
    }
    return {**found, "ResourceStatusReason": reason} if reason else found


def events(*each: dict[str, Any]) -> dict[str, Any]:
    return {"StackEvents": list(each)[::-1]}


def resource(name: str, kind: str, physical: str | None = None) -> dict[str, Any]:
    return {
        "LogicalResourceId": name,
        "PhysicalResourceId": physical or f"physical-{name.lower()}",
        "ResourceType": kind,
        "LastUpdatedTimestamp": NOW,
        "ResourceStatus": "CREATE_COMPLETE",
    }


BUCKET = resource("WorkBucket", "AWS::S3::Bucket", "work")
ROLE = resource("CopyRole", "AWS::IAM::Role", "copy")
CLUSTER = resource("Cluster", "AWS::Redshift::Cluster", "sparkify-dwh-cluster-1")
WORKGROUP = resource("Workgroup", "AWS::RedshiftServerless::Workgroup", "sparkify-dwh")


def resources(*each: dict[str, Any]) -> dict[str, Any]:
    return {"StackResourceSummaries": list(each)}


def changes(*each: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "Status": "CREATE_COMPLETE",
        "Changes": [{"Type": "Resource", "ResourceChange": one} for one in each],
        **more,
    }


def modify(name: str, kind: str, replacement: str, *properties: str) -> dict[str, Any]:
    return {
        "Action": "Modify",
        "LogicalResourceId": name,
        "ResourceType": kind,
        "Replacement": replacement,
        "Details": [
            {"Target": {"Attribute": "Properties", "Name": p, "RequiresRecreation": "Always"}}
            for p in properties
        ],
    }


def cluster(state: str = "available") -> dict[str, Any]:
    return {
        "Clusters": [
            {
                "ClusterIdentifier": "sparkify-dwh-cluster-1",
                "ClusterStatus": state,
                "NodeType": "ra3.large",
                "NumberOfNodes": 1,
                "DBName": "dwh",
                "MasterUsername": "boss",
                "Endpoint": {"Address": "dwh.example", "Port": 5439},
                "VpcId": "vpc-1",
            }
        ]
    }


IAM_ROLE = {
    "Role": {
        "Path": "/",
        "RoleName": "copy",
        "RoleId": "AROA123456789012345",
        "Arn": "arn:aws:iam::123456789012:role/copy",
        "CreateDate": NOW,
    }
}


class Account:
    """Services that answer from queues; an operation without a queue fails."""

    def __init__(self, tmp_path: Path, **table: Any) -> None:
        self.cfn = Answers("cloudformation")
        self.redshift = Answers("redshift")
        self.serverless = Answers("redshift-serverless")
        self.s3 = Answers("s3")
        self.iam = Answers("iam").add("get_role", IAM_ROLE)
        self.tagging = Answers("resourcegroupstaggingapi")
        self.pricing = Answers("pricing").add("get_products", NO_PRICE)
        self.logs = Answers("logs")
        self.cloudwatch = Answers("cloudwatch")
        services = {
            "cloudformation": self.cfn,
            "redshift": self.redshift,
            "redshift-serverless": self.serverless,
            "s3": self.s3,
            "iam": self.iam,
            "resourcegroupstaggingapi": self.tagging,
            "pricing": self.pricing,
            "logs": self.logs,
            "cloudwatch": self.cloudwatch,
        }
        clients = Clients(clients={name: answers.client for name, answers in services.items()})
        self.clock = Clock()
        self.messages: list[str] = []
        self.config = tmp_path / "sparkify.toml"
        site = Site(
            infra_settings(table),
            clients,
            config=self.config,
            tell=lambda item: self.messages.append(str(item)),
            sleep=self.clock.sleep,
            now=self.clock.now,
            connect=lambda host, port: Reachability(True),
        )
        self.deployment = Deployment(site)
        self.cfn.add("create_change_set", {"Id": CHANGES, "StackId": STACK})
        self.cfn.add("delete_change_set", {})
        self.cfn.add("execute_change_set", {})
        self.cfn.add("delete_stack", {})


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return Account(tmp_path)


# plan -------------------------------------------------------------------------------------


def test_a_replacement_is_shown_with_a_warning(account: Account) -> None:
    account.cfn.add("describe_stacks", stack("UPDATE_COMPLETE"))
    account.cfn.add(
        "describe_change_set",
        {"Status": "CREATE_IN_PROGRESS"},
        changes(modify("Cluster", "AWS::Redshift::Cluster", "True", "DBName"), NextToken="more"),
        changes(
            modify("CopyRole", "AWS::IAM::Role", "False", "Policies"),
            modify("SubnetGroup", "AWS::Redshift::ClusterSubnetGroup", "Conditional", "SubnetIds"),
            {
                "Action": "Remove",
                "LogicalResourceId": "FromVpc",
                "ResourceType": "AWS::EC2::SecurityGroupIngress",
            },
            {"Action": "Add", "LogicalResourceId": "X", "ResourceType": "AWS::EC2::Route"},
        ),
    )
    plan = account.deployment.plan()
    assert [(c.action, c.resource, c.properties) for c in plan.changes] == [
        ("REPLACE", "Cluster", ("DBName",)),
        ("modify", "CopyRole", ("Policies",)),
        ("may REPLACE", "SubnetGroup", ("SubnetIds",)),
        ("delete", "FromVpc", ()),
        ("create", "X", ()),
    ]
    lines = plan.lines()
    assert lines[1].split() == ["REPLACE", "Cluster", "(AWS::Redshift::Cluster)", "[DBName]"]
    assert "WARNING: the data in Cluster would be lost" in lines[2]
    assert "WARNING" not in "".join(lines[3:7])
    assert account.cfn.called("ExecuteChangeSet") == []
    assert account.cfn.called("DeleteStack") == []
    assert len(account.cfn.called("DeleteChangeSet")) == 1
    assert account.clock.slept == [2]


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit different information to "
        "create a change set.",
        "No updates are to be performed.",
    ],
)
def test_no_changes_in_either_wording(account: Account, reason: str) -> None:
    account.cfn.add("describe_stacks", stack("CREATE_COMPLETE"))
    account.cfn.add(
        "describe_change_set", {"Status": "FAILED", "StatusReason": reason, "Changes": []}
    )
    plan = account.deployment.plan()
    assert plan.empty and "no changes" in plan.lines()[0]
    assert len(account.cfn.called("DeleteChangeSet")) == 1


def test_a_rejected_plan_shows_cloudformations_reason_and_leaves_nothing(account: Account) -> None:
    account.cfn.add("describe_stacks", GONE, GONE, stack("REVIEW_IN_PROGRESS"))
    account.cfn.add("describe_stack_events", events())
    account.cfn.add(
        "describe_change_set",
        {"Status": "FAILED", "StatusReason": "Parameter Port fails", "Changes": []},
    )
    account.cfn.add("describe_stacks", stack("REVIEW_IN_PROGRESS"), stack("DELETE_COMPLETE"))
    with pytest.raises(InfraError, match="Parameter Port fails"):
        account.deployment.plan()
    assert len(account.cfn.called("DeleteChangeSet")) == 1
    assert len(account.cfn.called("DeleteStack")) == 1


def test_a_change_of_tags_or_outputs_alone_is_a_change(account: Account) -> None:
    account.cfn.add("describe_stacks", stack("CREATE_COMPLETE"))
    account.cfn.add("describe_change_set", changes())
    (change,) = account.deployment.plan().changes
    assert change.action == "modify" and change.resource == "sparkify-dwh"


# prices -----------------------------------------------------------------------------------


def product(family: str, unit: str, price: str) -> str:
    dimensions = {"d": {"unit": unit, "pricePerUnit": {"USD": price}}}
    return json.dumps(
        {
            "product": {"productFamily": family},
            "terms": {"OnDemand": {"t": {"priceDimensions": dimensions}}},
        }
    )


NODE = product("Compute Instance", "Hrs", "0.543")
FREE = product("Compute Instance", "Hrs", "0.0000000000")
BURST = product("Redshift Concurrency Scaling", "Hrs", "0.700")
STORAGE = product("Redshift Managed Storage", "GB-Mo", "0.024")
RPU = product("Serverless", "RPU-Hr", "0.375")


@pytest.mark.parametrize(
    ("table", "products", "per_hour"),
    [
        ({"nodes": 2}, [NODE, FREE, BURST, STORAGE], 1.086),
        ({"kind": "serverless", "base_capacity": 16}, [RPU, NODE, STORAGE], 6.0),
        ({}, [], None),
        ({}, [NODE, product("Compute Instance", "Hrs", "0.600")], None),
        ({}, [STORAGE], None),
    ],
)
def test_the_price_of_an_hour(
    tmp_path: Path, table: dict[str, Any], products: list[str], per_hour: float | None
) -> None:
    account = Account(tmp_path, **table)
    account.cfn.add("describe_stacks", stack("ROLLBACK_COMPLETE"))
    account.cfn.add("list_stack_resources", resources())
    pricing = Answers("pricing").add(
        "get_products", {"FormatVersion": "aws_v1", "PriceList": products}
    )
    account.deployment.site.clients._clients["pricing"] = pricing.client
    plan = account.deployment.plan()
    assert plan.price.per_hour == (None if per_hour is None else pytest.approx(per_hour))
    assert ("price unknown" in "\n".join(plan.lines())) is (per_hour is None)
    filters = {f["Field"]: f["Value"] for f in pricing.called("GetProducts")[0]["Filters"]}
    assert filters["regionCode"] == "us-east-1"


def test_a_price_list_that_does_not_answer_does_not_stop_the_plan(account: Account) -> None:
    account.cfn.add("describe_stacks", stack("CREATE_COMPLETE"))
    account.cfn.add("describe_change_set", changes())
    assert "price unknown" in "\n".join(account.deployment.plan().lines())


# create -----------------------------------------------------------------------------------


def test_a_failed_creation_names_the_first_resource_and_leaves_nothing(account: Account) -> None:
    begun = [
        event(1, "sparkify-dwh", "REVIEW_IN_PROGRESS"),
        event(2, "sparkify-dwh", "CREATE_IN_PROGRESS", "User Initiated"),
        event(3, "Vpc", "CREATE_COMPLETE"),
    ]
    failed = [
        *begun,
        event(4, "Cluster", "CREATE_FAILED", "InsufficientClusterCapacity: try another type"),
        event(5, "WorkBucket", "CREATE_FAILED", "Resource creation cancelled"),
        event(6, "sparkify-dwh", "ROLLBACK_IN_PROGRESS"),
        event(7, "sparkify-dwh", "ROLLBACK_COMPLETE"),
    ]
    account.cfn.add("describe_stacks", *[GONE] * 4, *[stack("REVIEW_IN_PROGRESS")] * 4)
    account.cfn.add("describe_stacks", stack("CREATE_IN_PROGRESS"))
    account.cfn.add("describe_stacks", stack("ROLLBACK_IN_PROGRESS"))
    account.cfn.add("describe_stacks", *[stack("ROLLBACK_COMPLETE")] * 5, stack("DELETE_COMPLETE"))
    account.cfn.add("describe_change_set", changes())
    account.cfn.add("describe_stack_events", events(begun[0]), events(*begun), events(*failed))
    account.cfn.add("list_stack_resources", resources())
    with pytest.raises(InfraError) as caught:
        account.deployment.create()
    assert caught.value.what == (
        "Cluster (AWS::Test::Cluster) failed: InsufficientClusterCapacity: try another type"
    )
    assert "deleted again" in caught.value.hint
    assert account.cfn.called("DeleteStack") == [{"StackName": STACK}]
    assert not account.config.exists()
    text = "\n".join(account.messages)
    assert text.index("Vpc") < text.index("InsufficientClusterCapacity")
    assert text.count("CREATE_COMPLETE") == 1


def test_a_dead_stack_of_an_earlier_try_is_deleted_first(account: Account) -> None:
    account.cfn.add("describe_stacks", *[stack("ROLLBACK_COMPLETE")] * 6)
    account.cfn.add("describe_stacks", stack("DELETE_COMPLETE"), GONE)
    account.cfn.add("list_stack_resources", resources(BUCKET))
    account.cfn.add("describe_stack_events", events())
    account.cfn.add("describe_change_set", changes())
    account.s3.add("list_object_versions", client_error("ListObjectVersions", "NoSuchBucket"))
    assert not account.deployment.create(lambda plan: False).carried_out
    assert len(account.cfn.called("DeleteStack")) == 1
    assert account.cfn.called("CreateChangeSet")[0]["ChangeSetType"] == "CREATE"


def update(account: Account, *after: str) -> None:
    account.cfn.add("describe_stacks", *[stack("CREATE_COMPLETE")] * 7)
    for state in after:
        account.cfn.add("describe_stacks", stack(state))
    account.cfn.add("describe_change_set", changes(modify("Vpc", "AWS::EC2::VPC", "False", "X")))
    account.cfn.add("list_stack_resources", resources(CLUSTER, ROLE, BUCKET))
    account.redshift.add("describe_clusters", cluster())


def test_an_update_in_place(account: Account) -> None:
    update(account, "UPDATE_IN_PROGRESS", "UPDATE_COMPLETE")
    account.cfn.add(
        "describe_stack_events",
        events(),
        events(event(1, "sparkify-dwh", "UPDATE_IN_PROGRESS", "User Initiated")),
        events(
            event(1, "sparkify-dwh", "UPDATE_IN_PROGRESS", "User Initiated"),
            event(2, "Vpc", "UPDATE_COMPLETE"),
            event(3, "sparkify-dwh", "UPDATE_COMPLETE"),
        ),
    )
    created = account.deployment.create()
    assert created.ready and not created.plan.empty
    assert account.cfn.called("CreateChangeSet")[0]["ChangeSetType"] == "UPDATE"
    assert 'auth = "iam"' in account.config.read_text()


def failing_update(account: Account, *states: str) -> None:
    update(account, "UPDATE_IN_PROGRESS", *states)
    account.cfn.add(
        "describe_stack_events",
        events(),
        events(
            event(1, "sparkify-dwh", "UPDATE_IN_PROGRESS", "User Initiated"),
            event(2, "Cluster", "UPDATE_FAILED", "it is paused"),
            event(3, "sparkify-dwh", "UPDATE_ROLLBACK_IN_PROGRESS"),
        ),
    )


def test_a_failed_update_is_rolled_back_and_says_why(account: Account) -> None:
    failing_update(account, "UPDATE_ROLLBACK_COMPLETE")
    with pytest.raises(InfraError, match=r"Cluster \(AWS::Test::Cluster\) failed: it is paused"):
        account.deployment.create()
    assert account.cfn.called("DeleteStack") == []


def test_a_rollback_that_got_stuck_is_continued_once(account: Account) -> None:
    failing_update(account, "UPDATE_ROLLBACK_FAILED")
    account.cfn.add("describe_stacks", stack("UPDATE_ROLLBACK_FAILED"))
    account.cfn.add("describe_stacks", stack("UPDATE_ROLLBACK_COMPLETE"))
    account.cfn.add("continue_update_rollback", {})
    with pytest.raises(InfraError) as caught:
        account.deployment.create()
    assert "as it was before" in caught.value.hint
    assert len(account.cfn.called("ContinueUpdateRollback")) == 1


def test_create_waits_for_a_stack_in_progress(account: Account) -> None:
    account.cfn.add("describe_stacks", *[stack("CREATE_IN_PROGRESS")] * 3)
    account.cfn.add("describe_stacks", stack("CREATE_COMPLETE"))
    account.cfn.add(
        "describe_stack_events", events(), events(event(1, "Cluster", "CREATE_COMPLETE"))
    )
    account.cfn.add(
        "describe_change_set",
        {"Status": "FAILED", "StatusReason": "No updates are to be performed.", "Changes": []},
    )
    account.cfn.add("list_stack_resources", resources(CLUSTER, ROLE, BUCKET))
    account.redshift.add("describe_clusters", cluster())
    created = account.deployment.create()
    assert created.plan.empty and created.ready
    assert "waiting for it to finish" in account.messages[0]
    assert "Cluster" in account.messages[1]


def losing(account: Account, change: dict[str, Any]) -> None:
    account.cfn.add("describe_stacks", *[stack("CREATE_COMPLETE")] * 8, stack("UPDATE_COMPLETE"))
    account.cfn.add("describe_change_set", changes(change))
    account.cfn.add("list_stack_resources", resources(CLUSTER, ROLE, BUCKET))
    account.cfn.add(
        "describe_stack_events",
        events(),
        events(event(1, "sparkify-dwh", "UPDATE_COMPLETE")),
    )
    account.redshift.add("describe_clusters", cluster())


REMOVE_CLUSTER = {
    "Action": "Remove",
    "LogicalResourceId": "Cluster",
    "ResourceType": "AWS::Redshift::Cluster",
}


@pytest.mark.parametrize(
    "change", [modify("Cluster", "AWS::Redshift::Cluster", "True", "DBName"), REMOVE_CLUSTER]
)
def test_data_are_lost_only_with_replace(account: Account, change: dict[str, Any]) -> None:
    losing(account, change)
    with pytest.raises(InfraError, match="data would be lost"):
        account.deployment.create(lambda plan: True)
    assert account.cfn.called("ExecuteChangeSet") == []
    assert len(account.cfn.called("DeleteChangeSet")) == 1


def snapshot(name: str, state: str = "available") -> dict[str, Any]:
    return {
        "SnapshotIdentifier": name,
        "ClusterIdentifier": "sparkify-dwh-cluster-1",
        "Status": state,
        "SnapshotType": "manual",
        "TotalBackupSizeInMegaBytes": 2048.0,
        "ManualSnapshotRetentionPeriod": 7,
    }


def test_a_cluster_replaced_by_serverless_leaves_a_snapshot(account: Account) -> None:
    losing(account, REMOVE_CLUSTER)
    account.redshift.add("create_cluster_snapshot", {})
    account.redshift.add("describe_cluster_snapshots", {"Snapshots": [snapshot("any")]})
    account.redshift.add("delete_cluster_snapshot", {})
    account.deployment.create(replace=True)
    (taken,) = account.redshift.called("CreateClusterSnapshot")
    assert taken["ManualSnapshotRetentionPeriod"] == 7
    assert len(account.cfn.called("ExecuteChangeSet")) == 1


def test_a_paused_cluster_is_not_changed(account: Account) -> None:
    change = modify("Cluster", "AWS::Redshift::Cluster", "False", "NodeType")
    account.redshift.add("describe_clusters", cluster("paused"))
    losing(account, change)
    with pytest.raises(InfraError, match="is paused and cannot be changed"):
        account.deployment.create()
    assert account.cfn.called("ExecuteChangeSet") == []


# pause, resume ----------------------------------------------------------------------------


def test_pause_waits_for_a_pause_in_progress(account: Account) -> None:
    account.cfn.add("describe_stacks", stack("CREATE_COMPLETE"))
    account.cfn.add("list_stack_resources", resources(CLUSTER))
    account.redshift.add(
        "describe_clusters", cluster("pausing"), cluster("pausing"), cluster("paused")
    )
    assert account.deployment.pause().state == "paused"
    assert account.redshift.called("PauseCluster") == []
    assert account.clock.slept == [15]


def test_a_cluster_at_work_is_not_paused(account: Account) -> None:
    account.cfn.add("describe_stacks", stack("CREATE_COMPLETE"))
    account.cfn.add("list_stack_resources", resources(CLUSTER))
    account.redshift.add("describe_clusters", cluster("resizing"))
    with pytest.raises(InfraError, match="is resizing and cannot be paused now"):
        account.deployment.pause()


def test_a_wait_ends_and_says_how_to_continue(account: Account) -> None:
    account.cfn.add("describe_stacks", stack("CREATE_COMPLETE"))
    account.cfn.add("list_stack_resources", resources(CLUSTER))
    account.redshift.add("describe_clusters", cluster("resuming"))
    with pytest.raises(InfraError, match="not done after 90 minutes") as caught:
        account.deployment.resume()
    assert "run this again" in caught.value.hint


def test_resume_without_capacity_shows_the_reason_of_aws(account: Account) -> None:
    account.cfn.add("describe_stacks", stack("CREATE_COMPLETE"))
    account.cfn.add("list_stack_resources", resources(CLUSTER))
    account.redshift.add("describe_clusters", cluster("paused"))
    account.redshift.add(
        "resume_cluster",
        client_error("ResumeCluster", "InsufficientClusterCapacity", "no capacity here"),
    )
    with pytest.raises(InfraError, match="ResumeCluster: no capacity here"):
        account.deployment.resume()


# remove -----------------------------------------------------------------------------------


def test_audit_logs_written_during_the_deletion_are_deleted_too(account: Account) -> None:
    account.cfn.add("describe_stacks", *[stack("CREATE_COMPLETE")] * 5)
    account.cfn.add("describe_stacks", *[stack("DELETE_FAILED")] * 2)
    account.cfn.add("describe_stacks", stack("DELETE_IN_PROGRESS"), stack("DELETE_COMPLETE"))
    account.cfn.add("list_stack_resources", resources(BUCKET))
    gone = [
        event(1, "sparkify-dwh", "DELETE_IN_PROGRESS", "User Initiated"),
        event(2, "WorkBucket", "DELETE_FAILED", "The bucket you tried to delete is not empty"),
        event(3, "sparkify-dwh", "DELETE_FAILED"),
    ]
    account.cfn.add("describe_stack_events", events(), events(*gone))
    key = {"Key": "audit/1.gz", "VersionId": "null"}
    account.s3.add("list_object_versions", {}, {}, {"Versions": [key]})
    account.s3.add("delete_objects", {})
    account.redshift.add("describe_cluster_snapshots", {"Snapshots": []})
    account.tagging.add("get_resources", {"ResourceTagMappingList": []})
    result = account.deployment.remove()
    assert result.left == ()
    assert len(account.cfn.called("DeleteStack")) == 2
    assert account.s3.called("DeleteObjects")[0]["Delete"]["Objects"] == [key]


def test_what_blocks_a_removal_is_named(account: Account) -> None:
    account.cfn.add("describe_stacks", *[stack("CREATE_COMPLETE")] * 5, stack("DELETE_FAILED"))
    account.cfn.add("list_stack_resources", resources())
    account.cfn.add(
        "describe_stack_events",
        events(),
        events(
            event(1, "sparkify-dwh", "DELETE_IN_PROGRESS", "User Initiated"),
            event(2, "Vpc", "DELETE_FAILED", "vpc-1 has dependencies"),
        ),
    )
    account.redshift.add("describe_cluster_snapshots", {"Snapshots": []})
    with pytest.raises(InfraError, match=r"Vpc \(AWS::Test::Vpc\): vpc-1 has dependencies"):
        account.deployment.remove()
    assert len(account.cfn.called("DeleteStack")) == 1


def test_nothing_is_removed_when_the_final_snapshot_fails(account: Account) -> None:
    account.cfn.add("describe_stacks", stack("CREATE_COMPLETE"))
    account.cfn.add("list_stack_resources", resources(CLUSTER))
    account.redshift.add("describe_clusters", cluster())
    account.redshift.add("create_cluster_snapshot", {})
    account.redshift.add(
        "describe_cluster_snapshots",
        {"Snapshots": []},
        {"Snapshots": [snapshot("final", "creating")]},
        {"Snapshots": [snapshot("final", "failed")]},
    )
    with pytest.raises(InfraError, match="failed; nothing was removed"):
        account.deployment.remove()
    assert account.cfn.called("DeleteStack") == []


def test_the_proof_waits_for_the_tags_and_names_the_snapshot(account: Account) -> None:
    def tagged(*arns: str) -> dict[str, Any]:
        return {"ResourceTagMappingList": [{"ResourceARN": arn} for arn in arns]}

    base = "arn:aws:redshift:us-east-1:123456789012"
    name = "sparkify-dwh-final-1a2b3c4d-20261124080000"
    final = f"{base}:snapshot:sparkify-dwh-cluster-1/{name}"
    free = "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-1"
    account.cfn.add("describe_stacks", GONE)
    account.tagging.add(
        "get_resources",
        {**tagged(f"{base}:cluster:sparkify-dwh-cluster-1", free), "PaginationToken": "more"},
        tagged(final),
        tagged(f"{base}:cluster:sparkify-dwh-cluster-1", free, final),
    )
    account.redshift.add(
        "describe_clusters", cluster("deleting"), client_error("D", "ClusterNotFound")
    )
    account.redshift.add("describe_cluster_snapshots", {"Snapshots": [snapshot(name)]})
    result = account.deployment.remove()
    assert account.clock.slept == [15]
    assert result.left == ()
    assert result.lines()[1] == f"final snapshot {name}: 2,048 MB, kept for 7 days"


# serverless -------------------------------------------------------------------------------


@pytest.fixture
def serverless(tmp_path: Path) -> Account:
    account = Account(tmp_path, kind="serverless", usage_limit=60)
    account.cfn.add("list_stack_resources", resources(WORKGROUP, ROLE, BUCKET))
    account.serverless.add(
        "get_workgroup",
        {
            "workgroup": {
                "workgroupName": "sparkify-dwh",
                "workgroupArn": "arn:aws:redshift-serverless:us-east-1:1:workgroup/w",
                "status": "AVAILABLE",
                "baseCapacity": 8,
                "endpoint": {
                    "address": "dwh.serverless.example",
                    "port": 5439,
                    "vpcEndpoints": [{"vpcId": "vpc-1"}],
                },
            }
        },
    )
    account.serverless.add(
        "get_namespace",
        {
            "namespace": {
                "namespaceName": "sparkify-dwh",
                "dbName": "dwh",
                "adminUsername": "boss",
                "adminPasswordSecretArn": "arn:aws:secretsmanager:us-east-1:1:secret:s",
            }
        },
    )
    return account


def limit(**more: Any) -> dict[str, Any]:
    found = {
        "usageLimitId": "u-1",
        "usageType": "serverless-compute",
        "amount": 60,
        "period": "monthly",
        "breachAction": "deactivate",
    }
    return {"usageLimits": [{**found, **more}]}


def unchanged(account: Account) -> None:
    account.cfn.add("describe_stacks", stack("CREATE_COMPLETE"))
    account.cfn.add(
        "describe_change_set",
        {"Status": "FAILED", "StatusReason": "No updates are to be performed.", "Changes": []},
    )


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_idle_serverless_costs_nothing(serverless: Account, command: str) -> None:
    serverless.cfn.add("describe_stacks", stack("CREATE_COMPLETE"))
    for _ in range(2):
        transition = getattr(serverless.deployment, command)()
        assert not transition.changed and "idle costs nothing" in transition.message


def test_serverless_writes_its_own_keys(serverless: Account) -> None:
    serverless.config.write_text('cluster_identifier = "old"\n# kept\n')
    unchanged(serverless)
    serverless.serverless.add("list_usage_limits", limit())
    created = serverless.deployment.create()
    text = serverless.config.read_text()
    assert created.plan.empty and created.ready
    assert "cluster_identifier" not in text and "# kept" in text
    assert created.written["workgroup"] == "sparkify-dwh"
    assert created.written["auth"] == "secret"
    assert created.written["database_url"].endswith("boss@dwh.serverless.example:5439/dwh")


@pytest.mark.parametrize(
    ("found", "action", "calls"),
    [
        ({}, "create", ["CreateUsageLimit"]),
        (limit(amount=10), "modify", ["UpdateUsageLimit"]),
        (limit(period="daily"), "modify", ["DeleteUsageLimit", "CreateUsageLimit"]),
    ],
)
def test_the_usage_limit_is_planned_and_set(
    serverless: Account, found: dict[str, Any], action: str, calls: list[str]
) -> None:
    unchanged(serverless)
    api = serverless.serverless.add("list_usage_limits", found)
    one = {"usageLimit": limit()["usageLimits"][0]}
    for method in ("create_usage_limit", "update_usage_limit", "delete_usage_limit"):
        api.add(method, one)
    created = serverless.deployment.create()
    assert [(c.action, c.resource) for c in created.plan.changes] == [(action, "UsageLimit")]
    assert [name for name, _ in api.calls if "Usage" in name and "List" not in name] == calls


def test_a_usage_limit_removed_from_the_settings_is_deleted(
    tmp_path: Path, serverless: Account
) -> None:
    serverless.deployment.site.infra = infra_settings({"kind": "serverless"})
    unchanged(serverless)
    serverless.serverless.add("list_usage_limits", limit())
    serverless.serverless.add("delete_usage_limit", {"usageLimit": limit()["usageLimits"][0]})
    created = serverless.deployment.create()
    assert created.plan.changes[0].action == "delete"
    assert serverless.serverless.called("DeleteUsageLimit") == [{"usageLimitId": "u-1"}]


def test_status_of_serverless(serverless: Account) -> None:
    serverless.cfn.add("describe_stacks", stack("CREATE_COMPLETE"))
    serverless.cloudwatch.add(
        "get_metric_statistics", {"Datapoints": [{"Timestamp": NOW, "Average": 1500.0}]}
    )
    serverless.deployment.site.last_load = lambda endpoint: None
    found = serverless.deployment.status()
    assert found.billing is None and "only while queries run" in found.billing_text
    assert found.node_type == "8 RPU"
    assert found.free == "grows as needed; 1,500 MB used"
    assert found.last_load == "none yet"


def test_remove_serverless(serverless: Account) -> None:
    serverless.cfn.add("describe_stacks", *[stack("CREATE_COMPLETE")] * 7, stack("DELETE_COMPLETE"))
    serverless.cfn.add("describe_stack_events", events())
    serverless.s3.add("list_object_versions", {})
    name = "sparkify-dwh-final-1a2b3c4d-20261124080000"
    old = "sparkify-dwh-final-1a2b3c4d-20261120080000"

    def taken(which: str) -> dict[str, Any]:
        return {
            "snapshotName": which,
            "namespaceName": "sparkify-dwh",
            "status": "AVAILABLE",
            "totalBackupSizeInMegaBytes": 512.0,
            "snapshotRetentionPeriod": 7,
        }

    api = serverless.serverless
    api.add("create_snapshot", {"snapshot": taken(name)})
    api.add("get_snapshot", {"snapshot": {**taken(name), "status": "CREATING"}})
    api.add("get_snapshot", {"snapshot": taken(name)})
    api.add("list_snapshots", {"snapshots": [taken(old)]}, {"snapshots": [taken(name), taken(old)]})
    api.add("list_snapshots", {"snapshots": [taken(name)]})
    api.add("delete_snapshot", {"snapshot": taken(old)})
    serverless.logs.add(
        "describe_log_groups",
        {"logGroups": [{"logGroupName": "/aws/redshift/sparkify-dwh/userlog"}]},
    )
    serverless.logs.add("delete_log_group", {})
    serverless.tagging.add("get_resources", {"ResourceTagMappingList": []})
    secrets = Answers("secretsmanager").add("describe_secret", {"DeletedDate": NOW})
    serverless.deployment.site.clients._clients["secretsmanager"] = secrets.client
    result = serverless.deployment.remove()
    assert api.called("CreateSnapshot")[0]["retentionPeriod"] == 7
    assert api.called("DeleteSnapshot") == [{"snapshotName": old}]
    assert len(serverless.logs.called("DeleteLogGroup")) == 1
    assert result.lines()[1] == f"final snapshot {name}: 512 MB, kept for 7 days"


# errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "says", "hint"),
    [
        ("AccessDenied", "does not allow DescribeStacks", "docs/infra.md"),
        ("ExpiredToken", "rejects the credentials", "log in again"),
        ("Throttling", "DescribeStacks: because of the test", "status"),
    ],
)
def test_errors_say_what_is_wrong_and_what_to_do(
    account: Account, code: str, says: str, hint: str
) -> None:
    account.cfn.add("describe_stacks", client_error("DescribeStacks", code))
    with pytest.raises(InfraError) as caught:
        account.deployment.status()
    assert says in caught.value.what and hint in caught.value.hint


def test_without_credentials_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(InfraError, match="no AWS credentials were found"):
        Deployment(Site(infra_settings({}), Clients())).status()


def test_an_endpoint_without_a_server_is_named() -> None:
    once = Config(retries={"total_max_attempts": 1})
    client = boto3.client("cloudformation", endpoint_url="http://127.0.0.1:9", config=once)
    with pytest.raises(InfraError, match="AWS cannot be reached"):
        Deployment(Site(infra_settings({}), Clients(clients={"cloudformation": client}))).status()
