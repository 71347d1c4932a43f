"""What the infrastructure commands return, as far as several of them share it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from ..core.quantity import quantity


@dataclass(frozen=True)
class StackEvent:
    """One event of a resource while CloudFormation works on the stack.

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
    """Base of the results: plain values for ``--json``, lines for people and notebooks."""

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The result as people read it, one line for each part."""
        return [f"{key}: {value}" for key, value in self.to_dict().items() if value is not None]

    def _repr_html_(self) -> str:
        return "<pre>" + escape("\n".join(self.lines())) + "</pre>"


@dataclass(frozen=True)
class Endpoint(Result):
    """The warehouse as AWS describes it.

    :param identifier: cluster identifier, or workgroup name when serverless.
    :param state: the service's own word in lower case, such as ``available`` or ``paused``.
    :param capacity_mb: total storage in MiB where the service reports one.
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
    """A snapshot of a cluster or namespace.

    :param of: identifier of the cluster or namespace it was taken from.
    :param size_mb: size in MiB; None where AWS does not report one.
    :param keep_days: -1 is forever; None where AWS does not report it.
    """

    name: str
    of: str
    size_mb: float | None
    keep_days: int | None

    def lines(self) -> list[str]:
        """One line with size and retention."""
        size = "size unknown" if self.size_mb is None else f"{self.size_mb:,.0f} MB"
        if self.keep_days is None:
            return [f"{self.name}: {size}, retention unknown"]
        kept = "forever" if self.keep_days == -1 else f"for {quantity(self.keep_days, 'day')}"
        return [f"{self.name}: {size}, kept {kept}"]
