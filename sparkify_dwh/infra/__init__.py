"""The Redshift warehouse and all it needs, as code: a CloudFormation template and its deployment.

>>> from sparkify_dwh import Settings
>>> from sparkify_dwh.infra import Deployment
>>> Deployment.of(Settings()).plan()  # doctest: +SKIP
"""

from .deploy import Deployment
from .parameters import parameters, template
from .removal import Removal, Removed
from .results import Change, Created, Endpoint, Plan, Price, Progress, Snapshot, Status, Transition
from .settings import InfraSettings, infra_settings

__all__ = [
    "Change",
    "Created",
    "Deployment",
    "Endpoint",
    "InfraSettings",
    "Plan",
    "Price",
    "Progress",
    "Removal",
    "Removed",
    "Snapshot",
    "Status",
    "Transition",
    "infra_settings",
    "parameters",
    "template",
]
