"""What `create` would do: the changes, the price of an hour, and who may connect."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from .results import Result
from .settings import InfraSettings

#: Resource types that hold rows or objects: losing one loses data.
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
        """Whether rows or objects are lost with it."""
        return self.type in HOLDS_DATA and self.action in ("REPLACE", "may REPLACE", "delete")

    def lines(self) -> list[str]:
        """The change, and a warning below it where data would be lost."""
        properties = f" [{', '.join(self.properties)}]" if self.properties else ""
        shown = [f"{self.action:<11} {self.resource} ({self.type}){properties}"]
        if self.loses_data:
            shown.append(f"            WARNING: the data in {self.resource} would be lost")
        return shown


@dataclass(frozen=True)
class Price(Result):
    """Price per hour of the compute, in US dollars; ``per_hour`` is None when it is unknown.

    :param basis: what the number is the price of, or why there is none.
    """

    per_hour: float | None
    basis: str

    def lines(self) -> list[str]:
        """The price and its basis in one line."""
        if self.per_hour is None:
            return [f"price unknown ({self.basis}); see https://aws.amazon.com/redshift/pricing/"]
        return [
            f"price: {self.per_hour:.3f} USD per hour ({self.basis}); storage is billed separately"
        ]


@dataclass(frozen=True)
class InfraPlan(Result):
    """What `create` would do.

    :param notes: what else to know before agreeing, such as who may connect.
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
        """The changes, the price and the notes."""
        head = f"{self.stack} in {self.region}:"
        shown = [f"{head} no changes" if self.empty else head]
        for change in self.changes:
            shown += ["  " + line for line in change.lines()]
        return [*shown, *self.price.lines(), *self.notes]

    def _repr_html_(self) -> str:
        from ..core.table import html_table

        rows = [(c.action, c.resource, c.type, ", ".join(c.properties)) for c in self.changes]
        table = html_table(("action", "resource", "type", "properties"), rows, self.stack)
        rest = "<br>".join(escape(line) for line in (*self.price.lines(), *self.notes))
        return table + rest


def access_note(infra: InfraSettings) -> str:
    """Who will be able to connect."""
    networks = list(infra.allowed_cidrs) or ["the VPC"]
    if infra.from_here:
        networks.append(f"{infra.from_here} (your own address, --from-here)")
    endpoint = "PUBLIC endpoint" if infra.public else "no public endpoint"
    return f"{endpoint}; connections are allowed only from {', '.join(networks)}"
