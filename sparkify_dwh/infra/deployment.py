"""The Python interface of the infrastructure: one object whose methods mirror the commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import create, remove, status
from .aws import Clients
from .create import Created
from .plan import InfraPlan
from .remove import Removal, Removed
from .results import Transition
from .settings import infra_settings
from .site import Site
from .status import Status

if TYPE_CHECKING:
    from ..core.settings import Settings


class Deployment:
    """Plans, creates, watches, pauses and removes one warehouse."""

    def __init__(self, site: Site) -> None:
        self.site = site

    @classmethod
    def of(cls, settings: Settings, *, session: Any = None, **options: Any) -> Deployment:
        """The warehouse that the settings' ``[infra]`` table describes.

        :param session: a ``boto3.Session``; by default one that boto3 configures.
        :param options: further arguments of :class:`~.site.Site`, such as ``config`` and ``tell``.
        :raises SettingsError: when the table cannot be used.
        :raises MissingExtraError: when boto3 is not installed.
        """
        clients = Clients(
            session, region=settings.aws_region, endpoint_url=settings.aws_endpoint_url
        )
        infra = infra_settings(settings.infra)
        options.setdefault("last_load", lambda endpoint: status.newest_load(settings, endpoint))
        return cls(Site(infra, clients, s3_locations(settings), **options))

    def plan(self, *, from_here: bool = False) -> InfraPlan:
        """What `create` would do. Leaves nothing behind on AWS."""
        _, change_set, plan = self.site.prepare(from_here=from_here)
        self.site.stack.discard(change_set)
        return plan

    def create(
        self,
        confirm: Callable[[InfraPlan], bool] = lambda _: True,
        *,
        from_here: bool = False,
        replace: bool = False,
    ) -> Created:
        """Makes the warehouse match the settings, and writes how to reach it into the config file.

        :param confirm: called with the plan when there is something to do.
        :param replace: allows changes that lose data; a deleted warehouse leaves a snapshot.
        :raises InfraError: naming the resource that failed and CloudFormation's reason.
        """
        return create.create(self.site, confirm, from_here=from_here, replace=replace)

    def status(self) -> Status:
        """The state of the warehouse, its last load, and whether it is being billed."""
        return status.status(self.site)

    def pause(self) -> Transition:
        """Pauses a cluster and waits; an idle serverless warehouse costs nothing anyway."""
        return self.site.existing_compute().pause()

    def resume(self) -> Transition:
        """Resumes a cluster and waits."""
        return self.site.existing_compute().resume()

    def remove(
        self,
        confirm: Callable[[Removal], bool] = lambda _: True,
        *,
        snapshot: bool = True,
        keep_days: int = 7,
    ) -> Removed:
        """Removes everything, and proves by the tags that it is gone.

        :param confirm: called with the list of what would be removed.
        :param snapshot: whether to take a final snapshot, kept for ``keep_days`` days.
        """
        return remove.remove(self.site, confirm, snapshot=snapshot, keep_days=keep_days)


def s3_locations(settings: Settings) -> tuple[str, ...]:
    """All S3 locations that the settings name, except the work prefix."""
    values = [
        getattr(settings, name) for name in type(settings).model_fields if name != "work_prefix"
    ]
    candidates = [*values, *settings.sources.values()]
    return tuple(v for v in candidates if isinstance(v, str) and v.startswith("s3://"))
