"""`remove`: a final snapshot, then everything goes, then the proof by the tags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..core.errors import InfraError
from .aws import code_of, is_missing, translated
from .proof import kept, proved
from .removal import Removal, Removed
from .results import Snapshot
from .warehouses import Warehouse

if TYPE_CHECKING:
    from .deploy import Deployment


def remove(
    deployment: Deployment,
    confirm: Callable[[Removal], bool],
    *,
    snapshot: bool = True,
    keep_days: int = 7,
) -> Removed:
    """See :meth:`Deployment.remove`."""
    stack, name = deployment.stack, deployment.infra.name
    taken: Snapshot | None = None
    state = stack.settle()
    if state == "REVIEW_IN_PROGRESS":
        # Left by a plan that was cut off: it holds nothing.
        stack.delete()
        state = None
    warehouse = deployment.warehouse()
    endpoint = warehouse.describe() if warehouse else None
    secret = endpoint.secret_arn if endpoint else None
    if state is not None:
        final = final_name(deployment) if snapshot and endpoint else None
        if not confirm(_plan(deployment, final, keep_days)):
            return Removed(name, carried_out=False)
        if warehouse and final:
            taken = final_snapshot(deployment, warehouse, final, keep_days)
        _delete(deployment)
    _delete_logs(deployment)
    return proved(deployment, secret, taken)


def final_name(deployment: Deployment) -> str:
    """Name of the next final snapshot: the stack's, a part of its id, the time."""
    found = deployment.stack.describe() or {}
    which = str(found.get("StackId", "")).rpartition("/")[2][:8] or "unknown"
    return f"{deployment.stack.name}-final-{which}-{deployment.now():%Y%m%d%H%M%S}"


def final_snapshot(
    deployment: Deployment, warehouse: Warehouse, name: str, keep_days: int
) -> Snapshot:
    """A new final snapshot; those that an interrupted removal took before it are deleted."""
    taken = warehouse.snapshot(name, keep_days, deployment.infra.name)
    same_stack = name.rpartition("-")[0] + "-"
    for each in warehouse.snapshots():
        if each.name.startswith(same_stack) and each.name != name:
            warehouse.drop_snapshot(each.name)
    return taken


def empty_bucket(deployment: Deployment, bucket: str) -> None:
    """Deletes every object, version and delete marker; a bucket that is gone is fine."""
    s3 = deployment.clients["s3"]
    from botocore.exceptions import ClientError

    with translated(f"emptying the work bucket {bucket}"):
        try:
            for keys in _versions(s3, bucket):
                answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
                for error in answer.get("Errors", []):
                    raise InfraError(
                        f"s3://{bucket}/{error['Key']} cannot be deleted: {error['Message']}",
                        "delete it by hand, then run this again",
                    )
        except ClientError as error:
            if code_of(error) != "NoSuchBucket":
                raise


def _plan(deployment: Deployment, snapshot: str | None, keep_days: int) -> Removal:
    found = deployment.stack.resources()
    objects = None
    if "WorkBucket" in found:
        bucket = found["WorkBucket"]["PhysicalResourceId"]
        from botocore.exceptions import ClientError

        with translated(f"listing the work bucket {bucket}"):
            try:
                objects = sum(map(len, _versions(deployment.clients["s3"], bucket)))
            except ClientError as error:
                if not is_missing(error):
                    raise
    return Removal(
        deployment.stack.name,
        deployment.infra.name,
        tuple(
            (name, each["ResourceType"], each["PhysicalResourceId"])
            for name, each in sorted(found.items())
        ),
        objects,
        snapshot,
        keep_days,
        kept(deployment)[1],
    )


def _delete(deployment: Deployment) -> None:
    """Deletes the stack; audit logs that came while it went are deleted, and it is tried again."""
    stack = deployment.stack
    stack_id = (stack.describe() or {}).get("StackId", stack.name)
    for _ in range(3):
        found = stack.resources().get("WorkBucket")
        if found:
            empty_bucket(deployment, found["PhysicalResourceId"])
        if stack.delete() == "DELETE_COMPLETE":
            return
        failure = stack.first_failure(stack_id)
        if failure is None or failure.resource != "WorkBucket":
            break
    which = f"{failure.resource} ({failure.type}): {failure.reason}" if failure else stack.name
    raise InfraError(
        f"not everything could be removed: {which}",
        "remove what holds it, then run sparkify infra remove again: it goes on from there",
    )


def _delete_logs(deployment: Deployment) -> None:
    """Log groups that a serverless warehouse made again while it went."""
    if deployment.infra.kind != "serverless":
        return
    logs = deployment.clients["logs"]
    with translated("deleting audit logs"):
        pages = logs.get_paginator("describe_log_groups").paginate(
            logGroupNamePrefix=f"/aws/redshift/{deployment.stack.name}/"
        )
        for group in [each for page in pages for each in page["logGroups"]]:
            logs.delete_log_group(logGroupName=group["logGroupName"])


def _versions(s3: Any, bucket: str) -> Iterator[list[dict[str, str]]]:
    """Pages of keys and version ids, delete markers included."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if found:
            yield [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
