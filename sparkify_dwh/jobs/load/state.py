"""One attempt at a load: what it is given, and what it has read, judged and merged so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from ...core.settings import Settings
from ...dialects.base import Engine
from ...models.declare import Declarations, Source
from ...steps import ledger
from ...steps.books import Account, Measure, SourceBook
from ...steps.executor import Step
from ...steps.ledger import RunIdentity
from ...steps.limits import LimitBreach
from ...steps.merge import TargetTables
from ...steps.quarantine import Quarantine
from ...steps.typed_rows import TypedRows
from ...storage.compacted_file import CompactedFile
from ...storage.objects import Listing, Object

NO_PAST = ledger.LedgerState(0, 0)


@dataclass
class Batch:
    """What one source brings into a load.

    :param pending: whether it has objects to load; ``objects`` stays empty in a plan.
    :param compacted: compacted objects that are read instead of the objects they serve.
    """

    source: Source
    listing: Listing
    objects: list[Object]
    book: SourceBook
    raw: sa.Table
    pending: bool
    compacted: list[CompactedFile] = field(default_factory=list)
    rows: TypedRows | None = None
    counts: dict[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass
class LoadState:
    """The state of one attempt.

    :param listings: what each source holds, by name of the source.
    :param waiting: keys of objects to leave for the next load, since they keep changing.
    :param reload: whether objects that the ledger holds are loaded again.
    :param committing: whether COMMIT was sent and not answered yet.
    """

    engine: Engine
    declarations: Declarations
    settings: Settings
    identity: RunIdentity
    quarantine: Quarantine
    listings: Mapping[str, Listing]
    waiting: set[str] = field(default_factory=set)
    reload: bool = False
    dry_run: bool = False
    past: ledger.LedgerState = NO_PAST
    batches: list[Batch] = field(default_factory=list)
    tables: dict[str, TargetTables] = field(default_factory=dict)
    touched: dict[str, Account] = field(default_factory=dict)
    measures: list[Measure] = field(default_factory=list)
    breaches: list[LimitBreach] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    repaired: set[str] = field(default_factory=set)
    emptied: dict[sa.Table, int] = field(default_factory=dict)
    steps: dict[tuple[str, str | None], Step] = field(default_factory=dict)
    committing: bool = False

    @property
    def deleted(self) -> dict[sa.Table, int]:
        """Rows that the load deleted from each table it wrote."""
        found = dict(self.emptied)
        for account in self.accounts:
            target = next(t for t in self.declarations.targets if t.name == account.target)
            found[target.table] = account.replaced + account.resolved_again
        return found

    @property
    def accounts(self) -> list[Account]:
        """Accounts of the targets, in their order: those fed and those only resolved again."""
        fed = {name: tables.account for name, tables in self.tables.items()}
        found = {**self.touched, **fed}
        return [found[t.name] for t in self.declarations.targets if t.name in found]
