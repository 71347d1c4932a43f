"""`create`: from a plan to a warehouse that answers."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.engine import URL

from ..core.errors import InfraError
from . import snapshots, usage_limit
from .aws import aws_errors
from .config_file import update_config
from .plan import InfraPlan
from .results import Endpoint, Result
from .settings import InfraSettings
from .site import Site
from .stack import DEAD, ChangeSet
from .work_bucket import empty_work_bucket

#: How long the snapshot is kept that a deleted warehouse leaves.
_SNAPSHOT_DAYS = 7


@dataclass(frozen=True)
class Created(Result):
    """What `create` made.

    :param carried_out: False when nothing was done because the answer was no.
    :param ready: whether a connection from here succeeded.
    :param written: the settings that are new or changed in the config file.
    :param messages: how, and from where, to reach the warehouse.
    """

    plan: InfraPlan
    carried_out: bool = True
    endpoint: Endpoint | None = None
    ready: bool = False
    config: str | None = None
    written: dict[str, str] = field(default_factory=dict)
    messages: tuple[str, ...] = ()

    @property
    def unreachable(self) -> bool:
        """Whether it is public and yet cannot be reached from here."""
        return self.endpoint is not None and self.endpoint.public and not self.ready

    def lines(self) -> list[str]:
        """The written settings and the messages."""
        shown = [f"{self.config}: {key} = {value}" for key, value in self.written.items()]
        return [*shown, *self.messages]


def create(
    site: Site,
    confirm: Callable[[InfraPlan], bool],
    *,
    from_here: bool = False,
    replace: bool = False,
) -> Created:
    """See :meth:`Deployment.create`."""
    if site.stack.settle() in DEAD:
        clear(site)
    infra, change_set, plan = site.prepare(from_here=from_here)
    carried_out = False
    try:
        if not plan.empty:
            _guard(site, plan, replace)
            if not confirm(plan):
                return Created(plan, carried_out=False, messages=("nothing was done",))
            _snapshot_before_deletion(site, plan)
        carried_out = True
    finally:
        if not carried_out:
            site.stack.discard(change_set)
    if change_set.arn:
        _execute(site, change_set)
    endpoint = _endpoint(site)
    if endpoint.kind == "serverless" and endpoint.arn and not plan.empty:
        usage_limit.apply(site.clients, infra, endpoint.arn)
    written = _write_config(site, infra, endpoint)
    ready, messages = _connect(site, infra, endpoint)
    return Created(
        plan,
        endpoint=endpoint,
        ready=ready,
        config=str(site.config) if site.config else None,
        written=written,
        messages=messages,
    )


def clear(site: Site) -> None:
    """Deletes what a failed creation or removal left.

    :raises InfraError: when something cannot be deleted, or when data would be lost.
    """
    stack = site.stack
    compute = site.compute()
    if stack.state() == "DELETE_FAILED" and compute and compute.describe():
        raise InfraError(
            f"{stack.name} is DELETE_FAILED and its warehouse still exists",
            "sparkify infra remove takes a final snapshot and continues the removal",
        )
    stack.tell(f"deleting what is left of {stack.name}")
    empty_work_bucket(site)
    stack_id = (stack.describe() or {}).get("StackId", stack.name)
    if stack.delete() == "DELETE_COMPLETE":
        return
    failure = stack.first_failure(stack_id)
    cause = f": {failure.resource} ({failure.type}): {failure.reason}" if failure else ""
    raise InfraError(
        f"what is left of an earlier attempt cannot be deleted{cause}",
        "fix the cause, then run sparkify infra remove",
    )


def _guard(site: Site, plan: InfraPlan, replace: bool) -> None:
    if plan.losing and not replace:
        names = ", ".join(f"{c.action} {c.resource}" for c in plan.losing)
        raise InfraError(
            f"{plan.stack}: data would be lost: {names}",
            "revert the setting, or allow the loss with --replace",
        )
    compute = site.compute()
    touches_cluster = any(c.resource == "Cluster" for c in plan.changes)
    endpoint = compute.describe() if compute and touches_cluster else None
    if endpoint and endpoint.state in ("paused", "pausing"):
        raise InfraError(
            f"cluster {endpoint.identifier} is {endpoint.state} and cannot be changed",
            "run sparkify infra resume, then run this again",
        )


def _snapshot_before_deletion(site: Site, plan: InfraPlan) -> None:
    """CloudFormation takes one of a cluster that it replaces, but none of one that it deletes."""
    deleted = {c.resource for c in plan.losing if c.action == "delete"}
    compute = site.compute()
    if compute and deleted & {"Cluster", "Namespace"}:
        snapshots.take_final(site, compute, snapshots.final_name(site), _SNAPSHOT_DAYS)


def _execute(site: Site, change_set: ChangeSet) -> None:
    stack = site.stack
    stack_id = (stack.describe() or {}).get("StackId", stack.name)
    state = stack.execute(change_set)
    if state in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        return
    failure = stack.first_failure(stack_id)
    why = (
        f"{failure.resource} ({failure.type}) failed: {failure.reason or 'no reason given'}"
        if failure
        else f"the stack ended in {state}, and no resource reports why"
    )
    if change_set.creates:
        stack.tell("deleting what was created")
        clear(site)
        raise InfraError(
            why, "everything that was created is deleted again; fix the cause and run this again"
        )
    if state == "UPDATE_ROLLBACK_FAILED":
        state = stack.continue_rollback()
    if state == "UPDATE_ROLLBACK_COMPLETE":
        raise InfraError(why, "rolled back: the warehouse is as it was before")
    raise InfraError(
        f"{why}; the stack is {state}",
        "open the stack in the CloudFormation console to see what blocks the rollback",
    )


def _endpoint(site: Site) -> Endpoint:
    compute = site.compute()
    endpoint = compute.describe() if compute else None
    if endpoint is None:
        raise InfraError(
            f"CloudFormation reports {site.stack.name} as complete, but there is no warehouse",
            "run sparkify infra remove, then create again",
        )
    return endpoint


def _write_config(site: Site, infra: InfraSettings, endpoint: Endpoint) -> dict[str, str]:
    """Writes endpoint, role, work prefix and the secret's ARN; never a password."""
    resources = site.stack.resources()
    with aws_errors("looking up the COPY role"):
        role = site.clients["iam"].get_role(RoleName=resources["CopyRole"]["PhysicalResourceId"])[
            "Role"
        ]["Arn"]
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
        "aws_region": site.clients.region,
    }
    if site.config is None:
        return {key: value for key, value in values.items() if value is not None}
    own_address = {"from_here": infra.from_here} if infra.from_here else None
    written = update_config(site.config, values, own_address)
    for key in values:
        if f"SPARKIFY_{key.upper()}" in os.environ:
            site.tell(f"SPARKIFY_{key.upper()} in the environment overrides {site.config}")
    return written


def _connect(site: Site, infra: InfraSettings, endpoint: Endpoint) -> tuple[bool, tuple[str, ...]]:
    if endpoint.state != "available" or not endpoint.host:
        paused = endpoint.state == "paused"
        return False, (
            f"{endpoint.identifier} is {endpoint.state}: no connection was tried",
            "run: sparkify infra resume"
            if paused
            else "sparkify infra status shows when it is available",
        )
    result = site.connect(endpoint.host, endpoint.port)
    # A new public name takes a while to reach every name server.
    for _ in range(6 if endpoint.public else 0):
        if result.ok:
            break
        site.tell(f"no connection yet: {result.why}")
        site.sleep(10)
        result = site.connect(endpoint.host, endpoint.port)
    if result.ok:
        return True, (
            f"ready: {endpoint.host}:{endpoint.port} accepts TLS connections",
            "next: sparkify migrate, then sparkify load",
        )
    networks = ", ".join(infra.allowed_cidrs or [f"inside {endpoint.vpc or 'its VPC'}"])
    if endpoint.public:
        networks = f"{networks}, {infra.from_here}" if infra.from_here else networks
        return False, (
            f"created, but it cannot be reached from here: {result.why}",
            f"connections are allowed only from {networks}; "
            "if your address has changed, run create --from-here",
        )
    return False, (
        f"created, but it cannot be reached from here: {result.why}",
        f"it has no public address; connections are allowed only from {networks}",
        "run sparkify there or over a VPN, or open it to your own address: create --from-here",
    )
