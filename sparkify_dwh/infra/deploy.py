"""A warehouse's infrastructure: planned, created, watched, paused and removed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import InfraError
from . import creating, limits, removing, watching
from .aws import Clients, translated
from .parameters import parameters, tags, template
from .price import price
from .reach import Reach, my_cidr, reach
from .removal import Removal, Removed
from .results import Change, Created, Endpoint, Plan, Status, Transition
from .serverless import Serverless
from .settings import InfraSettings, infra_settings
from .stack import DEAD, ChangeSet, Stack, Tell
from .warehouses import Provisioned, Warehouse

if TYPE_CHECKING:
    from ..core.settings import Settings


def _silent(_: object) -> None:
    """Tells nobody."""


class Deployment:
    """One warehouse by its settings. Nothing is asked of AWS before a method is called.

    :param locations: where the sources are; COPY may read those on S3.
    :param config: the file that `create` writes endpoint, role and work prefix into.
    :param tell: gets lines and :class:`~.results.Progress` while something goes on.
    :param sleep: called between two looks at AWS, with seconds.
    :param connect: tries the warehouse's host and port.
    :param address: gives the caller's own address as text.
    :param now: gives the time in UTC, for the names of snapshots.
    :param last_load: gives the newest load; not called while the warehouse cannot answer.
    """

    def __init__(
        self,
        infra: InfraSettings,
        clients: Clients,
        *,
        locations: Iterable[str] = (),
        config: Path | None = None,
        tell: Tell = _silent,
        sleep: Callable[[float], None] = time.sleep,
        connect: Callable[[str, int], Reach] = reach,
        address: Callable[[], str] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        last_load: Callable[[Endpoint], str | None] | None = None,
    ) -> None:
        self.infra = infra
        self.clients = clients
        self.locations = tuple(locations)
        self.config = config
        self.tell = tell
        self.sleep = sleep
        self.connect = connect
        self.address = address
        self.now = now
        self.last_load = last_load
        self.stack = Stack(clients, infra.stack, tell, sleep)

    @classmethod
    def of(cls, settings: Settings, *, session: Any = None, **more: Any) -> Deployment:
        """The warehouse that the settings' ``[infra]`` table describes.

        :param session: a ``boto3.Session``; one by boto3's own chain when None.
        :raises SettingsError: when the table cannot be used.
        :raises MissingExtraError: when boto3 is not installed.
        """
        clients = Clients(
            session, region=settings.aws_region, endpoint_url=settings.aws_endpoint_url
        )
        infra = infra_settings(settings.infra)
        more.setdefault("last_load", lambda found: watching.newest_load(settings, found))
        return cls(infra, clients, locations=s3_locations(settings), **more)

    def plan(self, *, from_here: bool = False) -> Plan:
        """What `create` would do. Leaves nothing behind on AWS."""
        _, change_set, plan = self.prepare(from_here=from_here)
        self.stack.discard(change_set)
        return plan

    def prepare(self, *, from_here: bool = False) -> tuple[InfraSettings, ChangeSet, Plan]:
        """A change set that waits, and its plan; a stack that is dead is only reported."""
        infra = self.infra
        if from_here:
            infra = infra.model_copy(update={"from_here": my_cidr(self.address)})
        state = self.stack.settle()
        notes = list(creating.notes(infra))
        if state in DEAD:
            change_set = ChangeSet(None, False, self._leftovers())
            notes.append(
                f"{self.stack.name} is {state}: `create` first deletes what is left of it, "
                "then makes everything anew"
            )
        else:
            values = parameters(
                infra,
                self.locations,
                vpc_cidr=self._vpc_cidr(infra),
                partition=self.clients.partition,
            )
            change_set = self.stack.prepare(template(), values, tags(infra), state)
        limit = limits.change(self.clients, infra, self._workgroup_arn(infra, state))
        changes = (*change_set.changes, *([limit] if limit else ()))
        if change_set.arn and not change_set.changes:
            changes = (Change("modify", self.stack.name, "tags or outputs of the stack"), *changes)
        cost = price(self.clients, infra)
        plan = Plan(self.stack.name, self.clients.region, changes, cost, tuple(notes))
        return infra, change_set, plan

    def create(
        self,
        confirm: Callable[[Plan], bool] = lambda _: True,
        *,
        from_here: bool = False,
        replace: bool = False,
    ) -> Created:
        """Makes the warehouse what the settings say, and writes how it is reached into the config.

        :param confirm: asked with the plan when there is something to do.
        :param replace: allows changes that lose data; a deleted warehouse leaves a snapshot.
        :raises InfraError: naming the resource that failed and CloudFormation's reason.
        """
        return creating.create(self, confirm, from_here=from_here, replace=replace)

    def status(self) -> Status:
        """How the warehouse is now, what it loaded last, and whether it is being billed."""
        return watching.status(self)

    def pause(self) -> Transition:
        """Pauses a cluster and waits; says that an idle serverless warehouse costs nothing."""
        return self.existing().pause()

    def resume(self) -> Transition:
        """Resumes a cluster and waits."""
        return self.existing().resume()

    def remove(
        self,
        confirm: Callable[[Removal], bool] = lambda _: True,
        *,
        snapshot: bool = True,
        keep_days: int = 7,
    ) -> Removed:
        """Removes everything, and proves by the tags that it is gone.

        :param confirm: asked with the list of what goes.
        :param snapshot: whether a final snapshot is taken, kept for ``keep_days`` days.
        """
        return removing.remove(self, confirm, snapshot=snapshot, keep_days=keep_days)

    def warehouse(self) -> Warehouse | None:
        """The cluster or workgroup of the stack, None where there is none."""
        if self.stack.state() in (None, "REVIEW_IN_PROGRESS"):
            return None
        found = self.stack.resources()
        if "Cluster" in found:
            identifier = found["Cluster"]["PhysicalResourceId"]
            return Provisioned(self.clients, identifier, self.tell, self.sleep)
        if "Workgroup" in found:
            return self._serverless(found["Workgroup"]["PhysicalResourceId"])
        return None

    def existing(self) -> Warehouse:
        """The warehouse.

        :raises InfraError: when there is none.
        """
        found = self.warehouse()
        if found is None:
            raise InfraError(
                f"there is no warehouse {self.infra.name} in {self.clients.region}",
                "sparkify infra create makes it; sparkify infra status shows what there is",
            )
        return found

    def _serverless(self, name: str) -> Serverless:
        return Serverless(self.clients, name, self.tell, self.sleep)

    def _workgroup_arn(self, infra: InfraSettings, state: str | None) -> str | None:
        if infra.kind != "serverless" or state in (None, "REVIEW_IN_PROGRESS", *DEAD):
            return None
        found = self._serverless(self.stack.name).describe()
        return found.arn if found else None

    def _vpc_cidr(self, infra: InfraSettings) -> str | None:
        if infra.vpc_id is None:
            return None
        with translated(f"looking at {infra.vpc_id}"):
            found = self.clients["ec2"].describe_vpcs(VpcIds=[infra.vpc_id])["Vpcs"]
        return str(found[0]["CidrBlock"])

    def _leftovers(self) -> tuple[Change, ...]:
        return tuple(
            Change("delete", name, each["ResourceType"])
            for name, each in self.stack.resources().items()
        )


def s3_locations(settings: Settings) -> list[str]:
    """All S3 locations that the settings name, but for the work prefix."""
    values = [
        getattr(settings, name) for name in type(settings).model_fields if name != "work_prefix"
    ]
    found = [*values, *settings.sources.values()]
    return [each for each in found if isinstance(each, str) and each.startswith("s3://")]
