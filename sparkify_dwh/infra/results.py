"""What the infrastructure commands return: frozen dataclasses that show themselves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any


@dataclass(frozen=True)
class Progress:
    """One event of a resource while a stack is worked on.

    :param status: CloudFormation's own, such as ``CREATE_IN_PROGRESS``.
    """

    resource: str
    type: str
    status: str
    reason: str = ""

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"{self.status:<20} {self.resource} ({self.type}){why}"


@dataclass(frozen=True)
class Result:
    """Base of the results: plain values for ``--json``, a table for a notebook."""

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """What a person is told, one line each."""
        return [f"{key}: {value}" for key, value in self.to_dict().items() if value is not None]

    def _repr_html_(self) -> str:
        return "<pre>" + escape("\n".join(self.lines())) + "</pre>"


#: Resource types whose loss is a loss of data.
HOLDS_DATA = frozenset(
    {"AWS::Redshift::Cluster", "AWS::RedshiftServerless::Namespace", "AWS::S3::Bucket"}
)


@dataclass(frozen=True)
class Change(Result):
    """What happens to one resource.

    :param action: ``create``, ``modify``, ``REPLACE``, ``may REPLACE`` or ``delete``.
    :param properties: names of the properties that change.
    """

    action: str
    resource: str
    type: str
    properties: tuple[str, ...] = ()

    @property
    def loses_data(self) -> bool:
        """Whether rows or objects would go with it."""
        return self.type in HOLDS_DATA and self.action in ("REPLACE", "may REPLACE", "delete")

    def lines(self) -> list[str]:
        """The change, and a warning below it where data would go."""
        what = f" [{', '.join(self.properties)}]" if self.properties else ""
        shown = [f"{self.action:<11} {self.resource} ({self.type}){what}"]
        if self.loses_data:
            shown.append(f"            WARNING: what {self.resource} holds would be gone")
        return shown


@dataclass(frozen=True)
class Price(Result):
    """Price per hour of the compute, in US dollars; ``per_hour`` is None where AWS did not say.

    :param basis: what the number is the price of, or why there is none.
    """

    per_hour: float | None
    basis: str

    def lines(self) -> list[str]:
        """One line."""
        if self.per_hour is None:
            return [f"price unknown ({self.basis}); see https://aws.amazon.com/redshift/pricing/"]
        return [f"price: {self.per_hour:.3f} USD per hour ({self.basis}); storage is billed apart"]


@dataclass(frozen=True)
class Plan(Result):
    """What `create` would do.

    :param notes: what else one should know before saying yes.
    """

    stack: str
    region: str
    changes: tuple[Change, ...]
    price: Price
    notes: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes

    @property
    def losing(self) -> tuple[Change, ...]:
        """The changes that lose data."""
        return tuple(change for change in self.changes if change.loses_data)

    def lines(self) -> list[str]:
        """The readable list."""
        head = f"{self.stack} in {self.region}: " + ("no changes" if self.empty else "")
        shown = [head.rstrip()]
        for change in self.changes:
            shown += ["  " + line for line in change.lines()]
        return [*shown, *self.price.lines(), *self.notes]

    def _repr_html_(self) -> str:
        from ..core.table import html_table

        rows = [(c.action, c.resource, c.type, ", ".join(c.properties)) for c in self.changes]
        table = html_table(("action", "resource", "type", "properties"), rows, self.stack)
        rest = "<br>".join(escape(line) for line in (*self.price.lines(), *self.notes))
        return table + rest


@dataclass(frozen=True)
class Endpoint(Result):
    """The warehouse as AWS describes it.

    :param identifier: cluster identifier, or workgroup name when serverless.
    :param state: the service's own word in lower case, such as ``available`` or ``paused``.
    :param capacity_mb: total storage in MiB where the service gives one.
    """

    kind: str
    identifier: str
    state: str
    host: str | None
    port: int
    database: str
    user: str
    node_type: str
    nodes: int | None = None
    iam_role: str | None = None
    secret_arn: str | None = None
    public: bool = False
    vpc: str | None = None
    namespace: str | None = None
    arn: str | None = None
    capacity_mb: int | None = None


@dataclass(frozen=True)
class Created(Result):
    """What `create` made.

    :param carried_out: False when nothing was done because the answer was no.
    :param ready: whether a connection was made from here.
    :param written: the settings that now stand in the config file.
    :param messages: the last lines: how, and from where, the warehouse is reached.
    """

    plan: Plan
    carried_out: bool = True
    endpoint: Endpoint | None = None
    ready: bool = False
    config: str | None = None
    written: dict[str, str] = field(default_factory=dict)
    messages: tuple[str, ...] = ()

    @property
    def unreachable(self) -> bool:
        """Whether it was to be reached from here, and is not."""
        return self.endpoint is not None and self.endpoint.public and not self.ready

    def lines(self) -> list[str]:
        """The written settings and the last lines."""
        shown = [f"{self.config}: {key} = {value}" for key, value in self.written.items()]
        return [*shown, *self.messages]


@dataclass(frozen=True)
class Status(Result):
    """How the warehouse is now.

    :param free: free space as a person reads it, or why it is not known.
    :param last_load: newest run of the run log, or why it is not known.
    :param billing: whether compute is being billed at this moment; None when it depends on queries.
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
        """One line for each thing that is known."""
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


@dataclass(frozen=True)
class Transition(Result):
    """What `pause` and `resume` did."""

    state: str
    changed: bool
    message: str

    def lines(self) -> list[str]:
        """The message."""
        return [self.message]


@dataclass(frozen=True)
class Snapshot(Result):
    """A snapshot; ``size_mb`` in MiB, ``keep_days`` -1 for ever, None where AWS does not say.

    :param of: identifier of the cluster or namespace it was taken from.
    """

    name: str
    of: str
    size_mb: float | None
    keep_days: int | None

    def lines(self) -> list[str]:
        """One line with size and retention."""
        size = "size unknown" if self.size_mb is None else f"{self.size_mb:,.0f} MB"
        kept = {None: "retention unknown", -1: "kept for ever"}.get(
            self.keep_days, f"kept for {self.keep_days} days"
        )
        return [f"{self.name}: {size}, {kept}"]
