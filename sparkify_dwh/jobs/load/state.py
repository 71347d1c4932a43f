"""What an attempt to load holds while it goes on: batches of objects, accounts, measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from ...core.settings import Settings
from ...dialects.base import Engine
from ...models.declare import Declarations, Source
from ...steps import ledger, limits
from ...steps.books import Account, Measure, SourceBook
from ...steps.ledger import Loader
from ...steps.merge import Work
from ...steps.quarantine import Quarantine
from ...steps.typed_rows import TypedRows
from ...storage.compacted import Pack
from ...storage.objects import Listing, Object

NO_PAST = ledger.Past(0, 0)


class LedgerMoved(Exception):
    """Another load or an erasure was committed between listing and locking."""


@dataclass
class Batch:
    """What one source brings into a load.

    :param pending: whether it has objects to load; ``objects`` stays empty in a plan.
    :param packs: compacted objects that are read instead of those they serve.
    """

    source: Source
    listing: Listing
    objects: list[Object]
    book: SourceBook
    raw: sa.Table
    pending: bool
    packs: list[Pack] = field(default_factory=list)
    rows: TypedRows | None = None
    counts: dict[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass
class Load:
    """The state of one attempt: what was read, judged and merged so far."""

    engine: Engine
    declarations: Declarations
    settings: Settings
    loader: Loader
    quarantine: Quarantine
    past: ledger.Past = NO_PAST
    batches: list[Batch] = field(default_factory=list)
    works: dict[str, Work] = field(default_factory=dict)
    touched: dict[str, Account] = field(default_factory=dict)
    measures: list[Measure] = field(default_factory=list)
    refusing: list[limits.Refusing] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    repaired: set[str] = field(default_factory=set)
    emptied: dict[sa.Table, int] = field(default_factory=dict)

    @property
    def deleted(self) -> dict[sa.Table, int]:
        """Rows that the load deleted, of each table that it wrote."""
        found = dict(self.emptied)
        for account in self.accounts:
            target = next(t for t in self.declarations.targets if t.name == account.target)
            found[target.table] = account.replaced + account.resolved_again
        return found

    @property
    def accounts(self) -> list[Account]:
        """Of the targets in their order: those that were fed, and those only resolved again."""
        fed = {name: work.account for name, work in self.works.items()}
        found = {**self.touched, **fed}
        return [found[t.name] for t in self.declarations.targets if t.name in found]
