"""The serverless warehouse: a workgroup and its namespace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..core.errors import InfraError
from .aws import Clients, is_missing, translated, wait_until
from .parameters import TAG
from .results import Endpoint, Snapshot, Transition
from .stack import Tell
from .warehouses import Sleep

IDLE = "serverless: compute is billed while queries run; idle costs nothing"


class Serverless:
    """A workgroup and its namespace, which carry the same name."""

    def __init__(self, clients: Clients, name: str, tell: Tell, sleep: Sleep) -> None:
        self.clients = clients
        self.name = name
        self.tell = tell
        self.sleep = sleep

    @property
    def _api(self) -> Any:
        return self.clients["redshift-serverless"]

    def describe(self) -> Endpoint | None:
        """See :class:`Warehouse`."""
        from botocore.exceptions import ClientError

        with translated(f"looking at workgroup {self.name}"):
            try:
                workgroup = self._api.get_workgroup(workgroupName=self.name)["workgroup"]
                namespace = self._api.get_namespace(namespaceName=self.name)["namespace"]
            except ClientError as error:
                if is_missing(error):
                    return None
                raise
        return _workgroup(workgroup, namespace)

    def pause(self) -> Transition:
        """See :class:`Warehouse`."""
        return self._nothing_to_do()

    def resume(self) -> Transition:
        """See :class:`Warehouse`."""
        return self._nothing_to_do()

    def _nothing_to_do(self) -> Transition:
        found = self.describe()
        if found is None:
            raise InfraError(
                f"workgroup {self.name} does not exist", "sparkify infra create makes it"
            )
        return Transition(
            found.state,
            False,
            "serverless: compute is billed while queries run; idle costs nothing",
        )

    def snapshot(self, name: str, keep_days: int, tag: str) -> Snapshot:
        """See :class:`Warehouse`."""
        with translated(f"taking snapshot {name}"):
            self._api.create_snapshot(
                namespaceName=self.name,
                snapshotName=name,
                retentionPeriod=keep_days,
                tags=[{"key": TAG, "value": tag}],
            )
        self.tell(f"taking the final snapshot {name}")
        found: dict[str, Any] = {}

        def taken() -> bool:
            with translated(f"looking at snapshot {name}"):
                found.update(self._api.get_snapshot(snapshotName=name)["snapshot"])
            if found["status"] in ("FAILED", "CANCELLED", "DELETED"):
                raise InfraError(
                    f"snapshot {name} {found['status']}; nothing was removed", "run this again"
                )
            return bool(found["status"] == "AVAILABLE")

        wait_until(taken, f"snapshot {name}", sleep=self.sleep)
        return replace(_namespace_snapshot(found), keep_days=keep_days)

    def snapshots(self) -> list[Snapshot]:
        """See :class:`Warehouse`."""
        return [e for e in namespace_snapshots(self.clients) if e.of == self.name]

    def drop_snapshot(self, name: str) -> None:
        """See :class:`Warehouse`."""
        with translated(f"deleting snapshot {name}"):
            self._api.delete_snapshot(snapshotName=name)


def namespace_snapshots(clients: Clients) -> list[Snapshot]:
    """All snapshots of serverless namespaces in the region."""
    with translated("listing snapshots"):
        pages = clients["redshift-serverless"].get_paginator("list_snapshots")
        found = [each for page in pages.paginate() for each in page["snapshots"]]
    return [_namespace_snapshot(each) for each in found]


def _workgroup(workgroup: Mapping[str, Any], namespace: Mapping[str, Any]) -> Endpoint:
    endpoint = workgroup.get("endpoint") or {}
    vpcs = [each["vpcId"] for each in endpoint.get("vpcEndpoints", []) if each.get("vpcId")]
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


def _namespace_snapshot(found: Mapping[str, Any]) -> Snapshot:
    return Snapshot(
        found["snapshotName"],
        found["namespaceName"],
        found.get("totalBackupSizeInMegaBytes"),
        found.get("snapshotRetentionPeriod"),
    )
