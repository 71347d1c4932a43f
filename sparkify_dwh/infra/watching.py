"""`status`: what there is, how full it is, what was loaded last, whether it is billed now."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ..core.errors import SparkifyError
from .results import Endpoint, Status

if TYPE_CHECKING:
    from ..core.settings import Settings
    from .deploy import Deployment


def status(deployment: Deployment) -> Status:
    """See :meth:`Deployment.status`."""
    stack = deployment.stack
    state = stack.state()
    if state is None or state == "REVIEW_IN_PROGRESS":
        return Status(stack.name, "does not exist", "absent", False, "nothing is billed")
    warehouse = deployment.warehouse()
    endpoint = warehouse.describe() if warehouse else None
    if endpoint is None:
        return Status(
            stack.name, state, "absent", False, "no compute; a work bucket may hold objects"
        )
    billing, text = billed(endpoint)
    return Status(
        stack=stack.name,
        stack_state=state,
        state=endpoint.state,
        billing=billing,
        billing_text=text,
        endpoint=f"{endpoint.host}:{endpoint.port}/{endpoint.database}" if endpoint.host else None,
        node_type=f"{endpoint.nodes} x {endpoint.node_type}"
        if endpoint.nodes
        else endpoint.node_type,
        free=free_space(deployment, endpoint),
        last_load=_last_load(deployment, endpoint),
    )


def billed(endpoint: Endpoint) -> tuple[bool | None, str]:
    """Whether compute is billed at this moment; None when that depends on queries."""
    if endpoint.kind == "serverless":
        return None, "compute only while queries run; storage"
    if endpoint.state == "paused":
        return False, "NO compute (paused); storage"
    return True, f"YES, {endpoint.nodes or 1} x {endpoint.node_type} by the hour; storage"


def free_space(deployment: Deployment, endpoint: Endpoint) -> str:
    """By CloudWatch's newest figure; why it is not known where there is none."""
    from botocore.exceptions import BotoCoreError, ClientError

    if endpoint.kind == "serverless":
        space, metric = "AWS/Redshift-Serverless", "DataStorage"
        dimension = {"Name": "Namespace", "Value": endpoint.namespace or endpoint.identifier}
    else:
        space, metric = "AWS/Redshift", "PercentageDiskSpaceUsed"
        dimension = {"Name": "ClusterIdentifier", "Value": endpoint.identifier}
    now = deployment.now()
    try:
        points = deployment.clients["cloudwatch"].get_metric_statistics(
            Namespace=space,
            MetricName=metric,
            Dimensions=[dimension],
            StartTime=now - timedelta(hours=2),
            EndTime=now,
            Period=300,
            Statistics=["Average"],
        )["Datapoints"]
    except (BotoCoreError, ClientError) as error:
        return f"unknown ({type(error).__name__} from CloudWatch)"
    if not points:
        return "unknown (CloudWatch has no figure of the last two hours)"
    newest = max(points, key=lambda point: point["Timestamp"])["Average"]
    if endpoint.kind == "serverless":
        return f"grows as needed; {newest:,.0f} MB used"
    free = f"{100 - newest:.1f} %"
    if endpoint.capacity_mb:
        free += f" of {endpoint.capacity_mb:,} MB"
    return free


def newest_load(settings: Settings, endpoint: Endpoint) -> str | None:
    """The newest run of the run log that loaded something; None where there is none yet.

    :raises SparkifyError: when the run log cannot be read.
    """
    from sqlalchemy.engine import make_url

    from ..warehouse import Warehouse

    if make_url(settings.database_url).host != endpoint.host:
        return "unknown: database_url names another database"
    for run in Warehouse(settings).runs().records():
        if run["event"] == "loaded":
            return f"{run['ended']:%Y-%m-%d %H:%M:%S} UTC, run {run['run_id']}"
    return None


def _last_load(deployment: Deployment, endpoint: Endpoint) -> str | None:
    if deployment.last_load is None:
        return None
    if endpoint.state != "available" or not endpoint.host:
        return f"not looked up: the warehouse is {endpoint.state}"
    reached = deployment.connect(endpoint.host, endpoint.port)
    if not reached.ok:
        return f"unknown: {reached.why}"
    try:
        return deployment.last_load(endpoint) or "none yet"
    except SparkifyError as error:
        return f"unknown: {error.what}"
