"""`status`: the state of the warehouse, its free space, its last load, and what is billed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ..core.errors import DatabaseError, SparkifyError
from .results import Endpoint, Result
from .site import Site

if TYPE_CHECKING:
    from ..core.settings import Settings


@dataclass(frozen=True)
class Status(Result):
    """The warehouse now.

    :param billing: whether compute is being billed; None when that depends on queries.
    :param free: free space in words, or why it is unknown.
    :param last_load: newest run that loaded something, or why it is unknown.
    """

    stack: str
    stack_state: str
    state: str
    billing: bool | None
    billing_text: str
    endpoint: str | None = None
    node_type: str | None = None
    free: str | None = None
    last_load: str | None = None

    def lines(self) -> list[str]:
        """One line for each known part."""
        pairs = (
            ("stack", f"{self.stack} {self.stack_state}"),
            ("state", self.state),
            ("endpoint", self.endpoint),
            ("node type", self.node_type),
            ("free space", self.free),
            ("last load", self.last_load),
            ("billing", self.billing_text),
        )
        return [f"{name + ':':<12}{value}" for name, value in pairs if value]


def status(site: Site) -> Status:
    """See :meth:`Deployment.status`."""
    stack = site.stack
    state = stack.state()
    if state is None or state == "REVIEW_IN_PROGRESS":
        return Status(stack.name, "does not exist", "absent", False, "nothing is billed")
    compute = site.compute()
    endpoint = compute.describe() if compute else None
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
        free=free_space(site, endpoint),
        last_load=_last_load(site, endpoint),
    )


def billed(endpoint: Endpoint) -> tuple[bool | None, str]:
    """Whether compute is being billed (None when that depends on queries), and what is."""
    if endpoint.kind == "serverless":
        return None, "compute only while queries run; storage"
    if endpoint.state == "paused":
        return False, "NO compute (paused); storage"
    return True, f"YES, {endpoint.nodes or 1} x {endpoint.node_type} by the hour; storage"


def free_space(site: Site, endpoint: Endpoint) -> str:
    """Free space by CloudWatch's newest figure, or why it is unknown."""
    from botocore.exceptions import BotoCoreError, ClientError

    if endpoint.kind == "serverless":
        space, metric = "AWS/Redshift-Serverless", "DataStorage"
        dimension = {"Name": "Namespace", "Value": endpoint.namespace or endpoint.identifier}
    else:
        space, metric = "AWS/Redshift", "PercentageDiskSpaceUsed"
        dimension = {"Name": "ClusterIdentifier", "Value": endpoint.identifier}
    now = site.now()
    try:
        points = site.clients["cloudwatch"].get_metric_statistics(
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
        return "unknown (CloudWatch has no data for the last two hours)"
    newest = max(points, key=lambda point: point["Timestamp"])["Average"]
    if endpoint.kind == "serverless":
        return f"grows as needed; {newest:,.0f} MB used"
    free = f"{100 - newest:.1f} %"
    if endpoint.capacity_mb:
        free += f" of {endpoint.capacity_mb:,} MB"
    return free


def newest_load(settings: Settings, endpoint: Endpoint) -> str | None:
    """The newest run that loaded something; None where there is none yet.

    :raises DatabaseError: when the run log cannot be read.
    """
    from sqlalchemy.engine import make_url

    from ..dialects import load_engine
    from ..inspection.runs import runs
    from ..jobs.schema_gate import SchemaGate
    from ..models.extensions import declarations_for

    if make_url(settings.database_url).host != endpoint.host:
        return "unknown: database_url points to another database"
    engine = load_engine(settings)
    try:
        run_log = runs(engine)
    except DatabaseError:
        # Between `create` and `migrate` the missing schema is the reason; report that.
        with engine.session(read_only=True) as connection:
            gate = SchemaGate(settings, declarations_for(settings), engine.tell)
            gate.require_current(connection)
        raise
    for run in run_log.records():
        if run["event"] == "loaded":
            return f"{run['ended']:%Y-%m-%d %H:%M:%S} UTC, run {run['run_id']}"
    return None


def _last_load(site: Site, endpoint: Endpoint) -> str | None:
    if site.last_load is None:
        return None
    if endpoint.state != "available" or not endpoint.host:
        return f"not looked up: the warehouse is {endpoint.state}"
    result = site.connect(endpoint.host, endpoint.port)
    if not result.ok:
        return f"unknown: {result.why}"
    try:
        return site.last_load(endpoint) or "none yet"
    except SparkifyError as error:
        return f"unknown: {error.what}"
