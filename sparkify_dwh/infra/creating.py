"""`create`: from a plan to a warehouse that answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sqlalchemy.engine import URL

from ..core.errors import InfraError
from . import limits
from .aws import translated
from .configfile import write
from .removing import empty_bucket, final_name, final_snapshot
from .results import Created, Endpoint, Plan
from .settings import InfraSettings
from .stack import DEAD, ChangeSet

if TYPE_CHECKING:
    from .deploy import Deployment


def create(
    deployment: Deployment,
    confirm: Callable[[Plan], bool],
    *,
    from_here: bool = False,
    replace: bool = False,
) -> Created:
    """See :meth:`Deployment.create`."""
    if deployment.stack.settle() in DEAD:
        clear(deployment)
    infra, change_set, plan = deployment.prepare(from_here=from_here)
    carried_out = False
    try:
        if not plan.empty:
            _guard(deployment, plan, replace)
            if not confirm(plan):
                return Created(plan, carried_out=False, messages=("nothing was done",))
            _save_what_goes(deployment, plan)
        carried_out = True
    finally:
        if not carried_out:
            deployment.stack.discard(change_set)
    if change_set.arn:
        _execute(deployment, change_set)
    endpoint = _described(deployment)
    if endpoint.kind == "serverless" and endpoint.arn and not plan.empty:
        limits.apply(deployment.clients, infra, endpoint.arn)
    written = _write(deployment, infra, endpoint)
    ready, messages = _connect(deployment, infra, endpoint)
    return Created(
        plan,
        endpoint=endpoint,
        ready=ready,
        config=str(deployment.config) if deployment.config else None,
        written=written,
        messages=messages,
    )


def notes(infra: InfraSettings) -> Iterator[str]:
    """What a plan says besides its changes: who will be able to connect."""
    who = list(infra.allowed_cidrs) or ["the VPC"]
    if infra.from_here:
        who.append(f"{infra.from_here} (your own address, --from-here)")
    if infra.public:
        yield f"PUBLIC endpoint; connections are admitted only from {', '.join(who)}"
    else:
        yield f"no public endpoint; connections are admitted only from {', '.join(who)}"


def clear(deployment: Deployment) -> None:
    """Deletes what a failed creation or removal left.

    :raises InfraError: when something cannot be deleted, or when rows would go with it.
    """
    stack = deployment.stack
    warehouse = deployment.warehouse()
    if stack.state() == "DELETE_FAILED" and warehouse and warehouse.describe():
        raise InfraError(
            f"{stack.name} is DELETE_FAILED and still has its warehouse",
            "sparkify infra remove takes a final snapshot and goes on removing",
        )
    stack.tell(f"deleting what is left of {stack.name}")
    found = stack.resources().get("WorkBucket")
    if found:
        empty_bucket(deployment, found["PhysicalResourceId"])
    _delete(deployment, "what is left of an earlier try cannot be deleted")


def _guard(deployment: Deployment, plan: Plan, replace: bool) -> None:
    if plan.losing and not replace:
        names = ", ".join(f"{c.action} {c.resource}" for c in plan.losing)
        raise InfraError(
            f"{plan.stack}: this would {names}, and what it holds would be gone",
            "take the setting back, or say so with --replace",
        )
    warehouse = deployment.warehouse()
    touched = [c for c in plan.changes if c.resource == "Cluster"]
    endpoint = warehouse.describe() if warehouse and touched else None
    if endpoint and endpoint.state in ("paused", "pausing"):
        raise InfraError(
            f"cluster {endpoint.identifier} is {endpoint.state} and cannot be changed",
            "sparkify infra resume, then run this again",
        )


def _save_what_goes(deployment: Deployment, plan: Plan) -> None:
    """Takes a snapshot of a warehouse that the change deletes; a replaced cluster gets its own."""
    gone = {c.resource for c in plan.losing if c.action == "delete"}
    warehouse = deployment.warehouse()
    if warehouse and gone & {"Cluster", "Namespace"}:
        final_snapshot(deployment, warehouse, final_name(deployment), keep_days=7)


def _execute(deployment: Deployment, change_set: ChangeSet) -> None:
    stack = deployment.stack
    found = stack.describe() or {}
    stack_id = found.get("StackId", stack.name)
    state = stack.execute(change_set)
    if state in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        return
    failure = stack.first_failure(stack_id)
    why = (
        f"{failure.resource} ({failure.type}) failed: {failure.reason or 'no reason given'}"
        if failure
        else f"the stack ended as {state}, and no resource gives a reason"
    )
    if change_set.creates:
        stack.tell("removing what was made")
        clear(deployment)
        raise InfraError(why, "what was made is removed again; mend the cause and run this again")
    if state == "UPDATE_ROLLBACK_FAILED":
        state = stack.continue_rollback()
    if state == "UPDATE_ROLLBACK_COMPLETE":
        raise InfraError(why, "rolled back: the warehouse is as it was before")
    raise InfraError(
        f"{why}; the stack is {state}",
        "open the stack in the CloudFormation console to see what holds the rollback",
    )


def _delete(deployment: Deployment, what: str) -> None:
    stack = deployment.stack
    stack_id = (stack.describe() or {}).get("StackId", stack.name)
    if stack.delete() == "DELETE_COMPLETE":
        return
    failure = stack.first_failure(stack_id)
    which = f": {failure.resource} ({failure.type}): {failure.reason}" if failure else ""
    raise InfraError(f"{what}{which}", "remove the cause, then sparkify infra remove")


def _described(deployment: Deployment) -> Endpoint:
    warehouse = deployment.warehouse()
    endpoint = warehouse.describe() if warehouse else None
    if endpoint is None:
        raise InfraError(
            f"CloudFormation calls {deployment.stack.name} complete, but there is no warehouse",
            "sparkify infra remove, then create again",
        )
    return endpoint


def _write(deployment: Deployment, infra: InfraSettings, endpoint: Endpoint) -> dict[str, str]:
    """Endpoint, database, role, work prefix and secret's ARN into the config; never a password."""
    resources = deployment.stack.resources()
    with translated("looking at the COPY role"):
        role = deployment.clients["iam"].get_role(
            RoleName=resources["CopyRole"]["PhysicalResourceId"]
        )["Role"]["Arn"]
    url = URL.create(
        "redshift+redshift_connector",
        username=endpoint.user,
        host=endpoint.host,
        port=endpoint.port,
        database=endpoint.database,
    )
    serverless = endpoint.kind == "serverless"
    without_secret = "serverless" if serverless else "iam"
    values: dict[str, str | None] = {
        "database_url": url.render_as_string(hide_password=True),
        "auth": "secret" if endpoint.secret_arn else without_secret,
        "secret_arn": endpoint.secret_arn,
        "cluster_identifier": None if serverless else endpoint.identifier,
        "workgroup": endpoint.identifier if serverless else None,
        "db_user": None if serverless or endpoint.secret_arn else endpoint.user,
        "iam_role": role,
        "work_prefix": f"s3://{resources['WorkBucket']['PhysicalResourceId']}/work/",
        "aws_region": deployment.clients.region,
    }
    if deployment.config is None:
        return {key: value for key, value in values.items() if value is not None}
    own = {"from_here": infra.from_here} if infra.from_here else None
    written = write(deployment.config, values, own)
    for key in values:
        if f"SPARKIFY_{key.upper()}" in os.environ:
            deployment.tell(
                f"SPARKIFY_{key.upper()} in the environment is stronger than {deployment.config}"
            )
    return written


def _connect(
    deployment: Deployment, infra: InfraSettings, endpoint: Endpoint
) -> tuple[bool, tuple[str, ...]]:
    if endpoint.state != "available" or not endpoint.host:
        what = "resume makes it answer" if endpoint.state == "paused" else "status shows when it is"
        return False, (
            f"{endpoint.identifier} is {endpoint.state}: no connection was tried",
            f"sparkify infra {what}",
        )
    found = deployment.connect(endpoint.host, endpoint.port)
    # A new public name takes a while to be known everywhere.
    for _ in range(6 if endpoint.public else 0):
        if found.ok:
            break
        deployment.tell(f"no connection yet: {found.why}")
        deployment.sleep(10)
        found = deployment.connect(endpoint.host, endpoint.port)
    if found.ok:
        return True, (
            f"ready: {endpoint.host}:{endpoint.port} answers with TLS",
            "next: sparkify migrate, then sparkify load",
        )
    who = ", ".join(infra.allowed_cidrs or [f"inside {endpoint.vpc or 'its VPC'}"])
    if endpoint.public:
        who = f"{who}, {infra.from_here}" if infra.from_here else who
        return False, (
            f"created, but it cannot be reached from here: {found.why}",
            f"connections are admitted only from {who}; "
            "if your address has changed, run create --from-here",
        )
    return False, (
        f"created, but it cannot be reached from here: {found.why}",
        f"it has no public address; connections are admitted only from {who}",
        "run sparkify there or over a VPN, or open it to your own address: create --from-here",
    )
