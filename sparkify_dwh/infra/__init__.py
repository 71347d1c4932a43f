"""The Redshift cluster or workgroup as code. Not here: what runs inside the warehouse.

>>> from sparkify_dwh import Settings
>>> from sparkify_dwh.infra import Deployment
>>> Deployment.of(Settings()).plan()  # doctest: +SKIP
"""

from .create import Created
from .deployment import Deployment
from .plan import Change, InfraPlan, Price
from .remove import Removal, Removed
from .results import Endpoint, Snapshot, StackEvent, Transition
from .settings import InfraSettings, infra_settings
from .site import Site
from .stack_template import parameters, template
from .status import Status

__all__ = [
    "Change",
    "Created",
    "Deployment",
    "Endpoint",
    "InfraPlan",
    "InfraSettings",
    "Price",
    "Removal",
    "Removed",
    "Site",
    "Snapshot",
    "StackEvent",
    "Status",
    "Transition",
    "infra_settings",
    "parameters",
    "template",
]
