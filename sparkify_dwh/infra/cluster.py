"""The provisioned cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..core.errors import InfraError
from .aws import Clients, aws_errors, is_missing, wait_until
from .compute import Sleep
from .results import Endpoint, Snapshot, Transition
from .stack import Tell
from .stack_template import TAG


class Cluster:
    """A provisioned cluster: :class:`~.compute.Compute` says what each method does."""

    def __init__(self, clients: Clients, identifier: str, tell: Tell, sleep: Sleep) -> None:
        self.clients = clients
        self.identifier = identifier
        self.tell = tell
        self.sleep = sleep

    @property
    def _api(self) -> Any:
        return self.clients["redshift"]

    def describe(self) -> Endpoint | None:
        """See :class:`Compute`."""
        from botocore.exceptions import ClientError

        with aws_errors(f"describing cluster {self.identifier}"):
            try:
                answer = self._api.describe_clusters(ClusterIdentifier=self.identifier)
            except ClientError as error:
                if is_missing(error):
                    return None
                raise
        return _endpoint(answer["Clusters"][0])

    def pause(self) -> Transition:
        """See :class:`Compute`."""
        state = self._state()
        if state == "paused":
            return Transition(state, False, "already paused: compute is not billed, storage is")
        if state == "available":
            with aws_errors(f"pausing cluster {self.identifier}"):
                self._api.pause_cluster(ClusterIdentifier=self.identifier)
            self.tell(f"pausing {self.identifier}: queries end, then compute is no longer billed")
        elif state != "pausing":
            raise self._busy_error("paused", state)
        self._wait("paused")
        return Transition("paused", True, "paused: compute is no longer billed, storage is")

    def resume(self) -> Transition:
        """See :class:`Compute`."""
        state = self._state()
        if state == "available":
            return Transition(state, False, "already available: compute is billed by the hour")
        if state == "paused":
            with aws_errors(f"resuming cluster {self.identifier}"):
                self._api.resume_cluster(ClusterIdentifier=self.identifier)
            self.tell(f"resuming {self.identifier}: compute is billed from now on")
        elif state != "resuming":
            raise self._busy_error("resumed", state)
        self._wait("available")
        return Transition("available", True, "available: compute is billed by the hour again")

    def snapshot(self, name: str, keep_days: int, tag: str) -> Snapshot:
        """See :class:`Compute`. AWS takes none of a paused cluster, so it is resumed first."""
        if self._state() in ("paused", "resuming"):
            self.tell("a snapshot needs a running cluster: resuming it first")
            self.resume()
        with aws_errors(f"taking snapshot {name}"):
            self._api.create_cluster_snapshot(
                SnapshotIdentifier=name,
                ClusterIdentifier=self.identifier,
                ManualSnapshotRetentionPeriod=keep_days,
                Tags=[{"Key": TAG, "Value": tag}],
            )
        self.tell(f"taking the final snapshot {name}")
        description: dict[str, Any] = {}

        def is_available() -> bool:
            with aws_errors(f"describing snapshot {name}"):
                answer = self._api.describe_cluster_snapshots(SnapshotIdentifier=name)
            description.update(answer["Snapshots"][0])
            status = description["Status"]
            if status in ("failed", "deleted"):
                raise InfraError(f"snapshot {name} {status}; nothing was removed", "run this again")
            return bool(status == "available")

        wait_until(is_available, f"snapshot {name}", sleep=self.sleep)
        return replace(_cluster_snapshot(description), keep_days=keep_days)

    def snapshots(self) -> list[Snapshot]:
        """See :class:`Compute`."""
        return [s for s in cluster_snapshots(self.clients) if s.of == self.identifier]

    def delete_snapshot(self, name: str) -> None:
        """See :class:`Compute`."""
        with aws_errors(f"deleting snapshot {name}"):
            self._api.delete_cluster_snapshot(SnapshotIdentifier=name)

    def _state(self) -> str:
        endpoint = self.describe()
        if endpoint is None:
            raise InfraError(
                f"cluster {self.identifier} does not exist", "run: sparkify infra create"
            )
        return endpoint.state

    def _busy_error(self, verb: str, state: str) -> InfraError:
        return InfraError(
            f"cluster {self.identifier} is {state} and cannot be {verb} now",
            "run this again when sparkify infra status shows that it is done",
        )

    def _wait(self, state: str) -> None:
        wait_until(lambda: self._state() == state, f"cluster {self.identifier}", sleep=self.sleep)


def cluster_snapshots(clients: Clients) -> list[Snapshot]:
    """All manual snapshots of clusters in the region."""
    with aws_errors("listing snapshots"):
        pages = clients["redshift"].get_paginator("describe_cluster_snapshots")
        found = [s for page in pages.paginate(SnapshotType="manual") for s in page["Snapshots"]]
    manual = [s for s in found if s.get("SnapshotType") != "automated"]
    return [_cluster_snapshot(snapshot) for snapshot in manual]


def _endpoint(cluster: Mapping[str, Any]) -> Endpoint:
    endpoint = cluster.get("Endpoint") or {}
    roles = [role["IamRoleArn"] for role in cluster.get("IamRoles", [])]
    return Endpoint(
        kind="provisioned",
        identifier=cluster["ClusterIdentifier"],
        state=cluster["ClusterStatus"].lower(),
        host=endpoint.get("Address"),
        port=int(endpoint.get("Port") or 5439),
        database=cluster["DBName"],
        user=cluster["MasterUsername"],
        node_type=cluster["NodeType"],
        nodes=cluster.get("NumberOfNodes"),
        iam_role=roles[0] if roles else None,
        secret_arn=cluster.get("MasterPasswordSecretArn"),
        public=bool(cluster.get("PubliclyAccessible")),
        vpc=cluster.get("VpcId"),
        arn=cluster.get("ClusterNamespaceArn"),
        capacity_mb=cluster.get("TotalStorageCapacityInMegaBytes") or None,
    )


def _cluster_snapshot(snapshot: Mapping[str, Any]) -> Snapshot:
    return Snapshot(
        snapshot["SnapshotIdentifier"],
        snapshot["ClusterIdentifier"],
        snapshot.get("TotalBackupSizeInMegaBytes"),
        snapshot.get("ManualSnapshotRetentionPeriod"),
    )
