"""One warehouse on AWS and its surroundings: what every infrastructure command works on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ..core.errors import InfraError
from . import usage_limit
from .aws import Clients, aws_errors
from .cluster import Cluster
from .compute import Compute, Sleep
from .plan import Change, InfraPlan, access_note
from .pricing import price
from .reachability import Reachability, own_cidr, try_connection
from .results import Endpoint
from .settings import InfraSettings
from .stack import DEAD, ChangeSet, Stack, Tell
from .stack_template import parameters, tags, template
from .workgroup import Workgroup


def _ignore(_: object) -> None:
    """Ignores a message."""


def _utc_now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


@dataclass
class Site:
    """One warehouse by its settings. Nothing calls AWS before a method is called.

    :param locations: where the sources are; COPY may read those on S3.
    :param config: the file that `create` writes endpoint, role and work prefix into.
    :param tell: receives lines and :class:`~.results.StackEvent` as the work goes on.
    :param sleep: called with seconds between two requests to AWS while waiting.
    :param connect: tries the warehouse's host and port.
    :param address: returns the caller's own address as text; asks AWS by default.
    :param now: returns the time in UTC, for the names of snapshots.
    :param last_load: returns the newest load; called only while the warehouse can answer.
    """

    infra: InfraSettings
    clients: Clients
    locations: tuple[str, ...] = ()
    config: Path | None = None
    tell: Tell = field(default=_ignore, kw_only=True)
    sleep: Sleep = field(default=time.sleep, kw_only=True)
    connect: Callable[[str, int], Reachability] = field(default=try_connection, kw_only=True)
    address: Callable[[], str] | None = field(default=None, kw_only=True)
    now: Callable[[], datetime] = field(default=_utc_now, kw_only=True)
    last_load: Callable[[Endpoint], str | None] | None = field(default=None, kw_only=True)
    stack: Stack = field(init=False)

    def __post_init__(self) -> None:
        self.stack = Stack(self.clients, self.infra.stack, self.tell, self.sleep)

    def compute(self) -> Compute | None:
        """The cluster or workgroup of the stack; None where there is none."""
        if self.stack.state() in (None, "REVIEW_IN_PROGRESS"):
            return None
        resources = self.stack.resources()
        if "Cluster" in resources:
            identifier = resources["Cluster"]["PhysicalResourceId"]
            return Cluster(self.clients, identifier, self.tell, self.sleep)
        if "Workgroup" in resources:
            return self._workgroup(resources["Workgroup"]["PhysicalResourceId"])
        return None

    def existing_compute(self) -> Compute:
        """The cluster or workgroup of the stack.

        :raises InfraError: when there is none.
        """
        compute = self.compute()
        if compute is None:
            raise InfraError(
                f"there is no warehouse {self.infra.name} in {self.clients.region}",
                "run: sparkify infra create; sparkify infra status shows what exists",
            )
        return compute

    def prepare(self, *, from_here: bool = False) -> tuple[InfraSettings, ChangeSet, InfraPlan]:
        """The settings with the caller's address, a waiting change set, and its plan.

        A dead stack gets no change set; the plan lists what is left of it.
        """
        infra = self.infra
        if from_here:
            infra = infra.model_copy(update={"from_here": own_cidr(self.address)})
        state = self.stack.settle()
        notes = [access_note(infra)]
        if state in DEAD:
            change_set = ChangeSet(None, False, self._deletions())
            notes.append(
                f"{self.stack.name} is {state}: `create` deletes what is left of it and starts over"
            )
        else:
            values = parameters(
                infra,
                self.locations,
                vpc_cidr=self._vpc_cidr(infra),
                partition=self.clients.partition,
            )
            change_set = self.stack.prepare(template(), values, tags(infra), state)
        limit = usage_limit.planned_change(self.clients, infra, self._workgroup_arn(infra, state))
        changes = (*change_set.changes, *([limit] if limit else ()))
        if change_set.arn and not change_set.changes:
            changes = (Change("modify", self.stack.name, "tags or outputs of the stack"), *changes)
        cost = price(self.clients, infra)
        plan = InfraPlan(self.stack.name, self.clients.region, changes, cost, tuple(notes))
        return infra, change_set, plan

    def _workgroup(self, name: str) -> Workgroup:
        return Workgroup(self.clients, name, self.tell, self.sleep)

    def _workgroup_arn(self, infra: InfraSettings, state: str | None) -> str | None:
        if infra.kind != "serverless" or state in (None, "REVIEW_IN_PROGRESS", *DEAD):
            return None
        endpoint = self._workgroup(self.stack.name).describe()
        return endpoint.arn if endpoint else None

    def _vpc_cidr(self, infra: InfraSettings) -> str | None:
        if infra.vpc_id is None:
            return None
        with aws_errors(f"describing {infra.vpc_id}"):
            vpcs = self.clients["ec2"].describe_vpcs(VpcIds=[infra.vpc_id])["Vpcs"]
        return str(vpcs[0]["CidrBlock"])

    def _deletions(self) -> tuple[Change, ...]:
        return tuple(
            Change("delete", name, resource["ResourceType"])
            for name, resource in self.stack.resources().items()
        )
