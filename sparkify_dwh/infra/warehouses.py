"""What the commands need of a warehouse of either kind, and the provisioned cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from ..core.errors import InfraError
from .aws import Clients, is_missing, translated, wait_until
from .parameters import TAG
from .results import Endpoint, Snapshot, Transition
from .stack import Tell

Sleep = Callable[[float], None]


class Warehouse(Protocol):
    """What the commands need of either kind."""

    def describe(self) -> Endpoint | None:
        """The warehouse as AWS describes it; None where it does not exist."""

    def pause(self) -> Transition:
        """Stops the billing of compute, and waits."""

    def resume(self) -> Transition:
        """Makes it answer again, and waits."""

    def snapshot(self, name: str, keep_days: int, tag: str) -> Snapshot:
        """Takes a snapshot, and waits until it can be restored."""

    def snapshots(self) -> list[Snapshot]:
        """Manual snapshots of this warehouse."""

    def drop_snapshot(self, name: str) -> None:
        """Deletes a manual snapshot."""


class Provisioned:
    """A cluster."""

    def __init__(self, clients: Clients, identifier: str, tell: Tell, sleep: Sleep) -> None:
        self.clients = clients
        self.identifier = identifier
        self.tell = tell
        self.sleep = sleep

    @property
    def _api(self) -> Any:
        return self.clients["redshift"]

    def describe(self) -> Endpoint | None:
        """See :class:`Warehouse`."""
        from botocore.exceptions import ClientError

        with translated(f"looking at cluster {self.identifier}"):
            try:
                found = self._api.describe_clusters(ClusterIdentifier=self.identifier)
            except ClientError as error:
                if is_missing(error):
                    return None
                raise
        return _cluster(found["Clusters"][0])

    def pause(self) -> Transition:
        """See :class:`Warehouse`."""
        state = self._state()
        if state == "paused":
            return Transition(state, False, "already paused: compute is not billed, storage is")
        if state == "available":
            with translated(f"pausing cluster {self.identifier}"):
                self._api.pause_cluster(ClusterIdentifier=self.identifier)
            self.tell(f"pausing {self.identifier}: queries end, then the billing of compute stops")
        elif state != "pausing":
            raise self._busy("paused", state)
        self._wait("paused")
        return Transition("paused", True, "paused: compute is no longer billed, storage is")

    def resume(self) -> Transition:
        """See :class:`Warehouse`."""
        state = self._state()
        if state == "available":
            return Transition(state, False, "already available: compute is billed by the hour")
        if state == "paused":
            with translated(f"resuming cluster {self.identifier}"):
                self._api.resume_cluster(ClusterIdentifier=self.identifier)
            self.tell(f"resuming {self.identifier}: compute is billed from now on")
        elif state != "resuming":
            raise self._busy("resumed", state)
        self._wait("available")
        return Transition("available", True, "available: compute is billed by the hour again")

    def snapshot(self, name: str, keep_days: int, tag: str) -> Snapshot:
        """See :class:`Warehouse`. A paused cluster is resumed first: AWS asks for it."""
        if self._state() in ("paused", "resuming"):
            self.tell("a snapshot needs a running cluster: resuming it first")
            self.resume()
        with translated(f"taking snapshot {name}"):
            self._api.create_cluster_snapshot(
                SnapshotIdentifier=name,
                ClusterIdentifier=self.identifier,
                ManualSnapshotRetentionPeriod=keep_days,
                Tags=[{"Key": TAG, "Value": tag}],
            )
        self.tell(f"taking the final snapshot {name}")
        found: dict[str, Any] = {}

        def taken() -> bool:
            with translated(f"looking at snapshot {name}"):
                answer = self._api.describe_cluster_snapshots(SnapshotIdentifier=name)
            found.update(answer["Snapshots"][0])
            if found["Status"] in ("failed", "deleted"):
                raise InfraError(
                    f"snapshot {name} {found['Status']}; nothing was removed", "run this again"
                )
            return bool(found["Status"] == "available")

        wait_until(taken, f"snapshot {name}", sleep=self.sleep)
        return replace(_cluster_snapshot(found), keep_days=keep_days)

    def snapshots(self) -> list[Snapshot]:
        """See :class:`Warehouse`."""
        return [e for e in cluster_snapshots(self.clients) if e.of == self.identifier]

    def drop_snapshot(self, name: str) -> None:
        """See :class:`Warehouse`."""
        with translated(f"deleting snapshot {name}"):
            self._api.delete_cluster_snapshot(SnapshotIdentifier=name)

    def _state(self) -> str:
        found = self.describe()
        if found is None:
            raise InfraError(
                f"cluster {self.identifier} does not exist", "sparkify infra create makes it"
            )
        return found.state

    def _busy(self, what: str, state: str) -> InfraError:
        return InfraError(
            f"cluster {self.identifier} is {state} and cannot be {what} now",
            "sparkify infra status shows when it is done; then run this again",
        )

    def _wait(self, wanted: str) -> None:
        wait_until(lambda: self._state() == wanted, f"cluster {self.identifier}", sleep=self.sleep)


def cluster_snapshots(clients: Clients) -> list[Snapshot]:
    """All manual snapshots of clusters in the region."""
    with translated("listing snapshots"):
        pages = clients["redshift"].get_paginator("describe_cluster_snapshots")
        found = [e for page in pages.paginate(SnapshotType="manual") for e in page["Snapshots"]]
    manual = [each for each in found if each.get("SnapshotType") != "automated"]
    return [_cluster_snapshot(each) for each in manual]


def _cluster(found: Mapping[str, Any]) -> Endpoint:
    endpoint = found.get("Endpoint") or {}
    roles = [each["IamRoleArn"] for each in found.get("IamRoles", [])]
    return Endpoint(
        kind="provisioned",
        identifier=found["ClusterIdentifier"],
        state=found["ClusterStatus"].lower(),
        host=endpoint.get("Address"),
        port=int(endpoint.get("Port") or 5439),
        database=found["DBName"],
        user=found["MasterUsername"],
        node_type=found["NodeType"],
        nodes=found.get("NumberOfNodes"),
        iam_role=roles[0] if roles else None,
        secret_arn=found.get("MasterPasswordSecretArn"),
        public=bool(found.get("PubliclyAccessible")),
        vpc=found.get("VpcId"),
        arn=found.get("ClusterNamespaceArn"),
        capacity_mb=found.get("TotalStorageCapacityInMegaBytes") or None,
    )


def _cluster_snapshot(found: Mapping[str, Any]) -> Snapshot:
    return Snapshot(
        found["SnapshotIdentifier"],
        found["ClusterIdentifier"],
        found.get("TotalBackupSizeInMegaBytes"),
        found.get("ManualSnapshotRetentionPeriod"),
    )
