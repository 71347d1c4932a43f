"""The serverless workgroup, with its namespace."""

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

IDLE = "serverless: compute is billed only while queries run; idle costs nothing"


class Workgroup:
    """A workgroup and its namespace, which have the same name.

    :class:`~.compute.Compute` says what each method does.
    """

    def __init__(self, clients: Clients, name: str, tell: Tell, sleep: Sleep) -> None:
        self.clients = clients
        self.name = name
        self.tell = tell
        self.sleep = sleep

    @property
    def _api(self) -> Any:
        return self.clients["redshift-serverless"]

    def describe(self) -> Endpoint | None:
        """See :class:`Compute`."""
        from botocore.exceptions import ClientError

        with aws_errors(f"describing workgroup {self.name}"):
            try:
                workgroup = self._api.get_workgroup(workgroupName=self.name)["workgroup"]
                namespace = self._api.get_namespace(namespaceName=self.name)["namespace"]
            except ClientError as error:
                if is_missing(error):
                    return None
                raise
        return _endpoint(workgroup, namespace)

    def pause(self) -> Transition:
        """See :class:`Compute`."""
        return self._unchanged()

    def resume(self) -> Transition:
        """See :class:`Compute`."""
        return self._unchanged()

    def _unchanged(self) -> Transition:
        endpoint = self.describe()
        if endpoint is None:
            raise InfraError(f"workgroup {self.name} does not exist", "run: sparkify infra create")
        return Transition(endpoint.state, False, IDLE)

    def snapshot(self, name: str, keep_days: int, tag: str) -> Snapshot:
        """See :class:`Compute`."""
        with aws_errors(f"taking snapshot {name}"):
            self._api.create_snapshot(
                namespaceName=self.name,
                snapshotName=name,
                retentionPeriod=keep_days,
                tags=[{"key": TAG, "value": tag}],
            )
        self.tell(f"taking the final snapshot {name}")
        description: dict[str, Any] = {}

        def is_available() -> bool:
            with aws_errors(f"describing snapshot {name}"):
                description.update(self._api.get_snapshot(snapshotName=name)["snapshot"])
            status = description["status"].lower()
            if status in ("failed", "cancelled", "deleted"):
                raise InfraError(f"snapshot {name} {status}; nothing was removed", "run this again")
            return bool(status == "available")

        wait_until(is_available, f"snapshot {name}", sleep=self.sleep)
        return replace(_namespace_snapshot(description), keep_days=keep_days)

    def snapshots(self) -> list[Snapshot]:
        """See :class:`Compute`."""
        return [s for s in namespace_snapshots(self.clients) if s.of == self.name]

    def delete_snapshot(self, name: str) -> None:
        """See :class:`Compute`."""
        with aws_errors(f"deleting snapshot {name}"):
            self._api.delete_snapshot(snapshotName=name)


def namespace_snapshots(clients: Clients) -> list[Snapshot]:
    """All snapshots of serverless namespaces in the region."""
    with aws_errors("listing snapshots"):
        pages = clients["redshift-serverless"].get_paginator("list_snapshots")
        found = [snapshot for page in pages.paginate() for snapshot in page["snapshots"]]
    return [_namespace_snapshot(snapshot) for snapshot in found]


def _endpoint(workgroup: Mapping[str, Any], namespace: Mapping[str, Any]) -> Endpoint:
    endpoint = workgroup.get("endpoint") or {}
    vpcs = [e["vpcId"] for e in endpoint.get("vpcEndpoints", []) if e.get("vpcId")]
    return Endpoint(
        kind="serverless",
        identifier=workgroup["workgroupName"],
        state=workgroup["status"].lower(),
        host=endpoint.get("address"),
        port=int(endpoint.get("port") or workgroup.get("port") or 5439),
        database=namespace["dbName"],
        user=namespace["adminUsername"],
        node_type=f"{workgroup['baseCapacity']} RPU",
        iam_role=namespace.get("defaultIamRoleArn"),
        secret_arn=namespace.get("adminPasswordSecretArn"),
        public=bool(workgroup.get("publiclyAccessible")),
        vpc=vpcs[0] if vpcs else None,
        namespace=namespace["namespaceName"],
        arn=workgroup.get("workgroupArn"),
    )


def _namespace_snapshot(snapshot: Mapping[str, Any]) -> Snapshot:
    return Snapshot(
        snapshot["snapshotName"],
        snapshot["namespaceName"],
        snapshot.get("totalBackupSizeInMegaBytes"),
        snapshot.get("snapshotRetentionPeriod"),
    )
