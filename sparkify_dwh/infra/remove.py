"""`remove`: takes a final snapshot, deletes everything, and proves it by the tags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..core.errors import InfraError
from ..core.quantity import quantity
from . import snapshots
from .aws import aws_errors
from .removal_proof import still_billed
from .results import Result, Snapshot
from .site import Site
from .work_bucket import empty_work_bucket, object_count

#: How often the deletion of the stack is tried.
_ATTEMPTS = 3


@dataclass(frozen=True)
class Removal(Result):
    """What `remove` is about to do.

    :param resources: logical name, type and physical name of what is deleted.
    :param objects: objects and versions in the work bucket.
    :param snapshot: name of the final snapshot; None when none is taken.
    :param staying: snapshots that `remove` did not take; they stay, and are billed.
    """

    stack: str
    name: str
    resources: tuple[tuple[str, str, str], ...]
    objects: int | None
    snapshot: str | None
    keep_days: int
    staying: tuple[Snapshot, ...] = ()

    def lines(self) -> list[str]:
        """The list to agree to."""
        shown = [f"{self.stack}: to be deleted"]
        shown += [f"  {logical} ({kind}) {physical}" for logical, kind, physical in self.resources]
        if self.objects:
            shown.append(f"  objects and versions in the work bucket: {self.objects:,}")
        if self.snapshot:
            kept = quantity(self.keep_days, "day")
            shown.append(f"first: final snapshot {self.snapshot}, kept for {kept}")
        else:
            shown.append("WITHOUT a final snapshot: the data cannot be recovered")
        for snapshot in self.staying:
            shown.append(f"stays, and is billed: snapshot {snapshot.lines()[0]}")
        return shown


@dataclass(frozen=True)
class Removed(Result):
    """What `remove` did, and the proof.

    :param left: ARNs with the warehouse's tag that still exist and cost money.
    """

    name: str
    carried_out: bool = True
    snapshots: tuple[Snapshot, ...] = ()
    staying: tuple[Snapshot, ...] = ()
    left: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """What is left."""
        if not self.carried_out:
            return ["nothing was removed"]
        if self.left:
            return [f"STILL THERE, and billed: {arn}" for arn in self.left]
        rest = [f"final snapshot {snapshot.lines()[0]}" for snapshot in self.snapshots]
        rest += [f"your own snapshot {snapshot.lines()[0]}" for snapshot in self.staying]
        if not rest:
            return [f"nothing with the tag sparkify={self.name} is left"]
        return [f"nothing billable with the tag sparkify={self.name} is left except", *rest]


def remove(
    site: Site,
    confirm: Callable[[Removal], bool],
    *,
    snapshot: bool = True,
    keep_days: int = 7,
) -> Removed:
    """See :meth:`Deployment.remove`."""
    stack, name = site.stack, site.infra.name
    taken: Snapshot | None = None
    state = stack.settle()
    if state == "REVIEW_IN_PROGRESS":
        # Left by an interrupted plan: it holds nothing.
        stack.delete()
        state = None
    compute = site.compute()
    endpoint = compute.describe() if compute else None
    secret = endpoint.secret_arn if endpoint else None
    if state is not None:
        final = snapshots.final_name(site) if snapshot and endpoint else None
        if not confirm(_removal(site, final, keep_days)):
            return Removed(name, carried_out=False)
        if compute and final:
            taken = snapshots.take_final(site, compute, final, keep_days)
        _delete_stack(site)
    _delete_logs(site)
    left = still_billed(site, secret)
    finals, staying = snapshots.remaining(site)
    # AWS may leave out the retention; that of the snapshot just taken is known.
    finals = tuple(taken if taken and taken.name == final.name else final for final in finals)
    return Removed(name, snapshots=finals, staying=staying, left=left)


def _removal(site: Site, snapshot: str | None, keep_days: int) -> Removal:
    return Removal(
        site.stack.name,
        site.infra.name,
        tuple(
            (name, resource["ResourceType"], resource["PhysicalResourceId"])
            for name, resource in sorted(site.stack.resources().items())
        ),
        object_count(site),
        snapshot,
        keep_days,
        snapshots.remaining(site)[1],
    )


def _delete_stack(site: Site) -> None:
    """Deletes the stack, again where audit logs reach the work bucket meanwhile."""
    stack = site.stack
    stack_id = (stack.describe() or {}).get("StackId", stack.name)
    for _ in range(_ATTEMPTS):
        empty_work_bucket(site)
        if stack.delete() == "DELETE_COMPLETE":
            return
        failure = stack.first_failure(stack_id)
        if failure is None or failure.resource != "WorkBucket":
            break
    which = f"{failure.resource} ({failure.type}): {failure.reason}" if failure else stack.name
    raise InfraError(
        f"not everything could be removed: {which}",
        "remove what blocks it, then run sparkify infra remove again to continue",
    )


def _delete_logs(site: Site) -> None:
    """Deletes log groups that a serverless warehouse created again while it was deleted."""
    if site.infra.kind != "serverless":
        return
    logs = site.clients["logs"]
    with aws_errors("deleting audit logs"):
        pages = logs.get_paginator("describe_log_groups").paginate(
            logGroupNamePrefix=f"/aws/redshift/{site.stack.name}/"
        )
        for group in [group for page in pages for group in page["logGroups"]]:
            logs.delete_log_group(logGroupName=group["logGroupName"])
