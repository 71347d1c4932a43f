"""What a load returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from ...core.table import html_table
from ...steps.books import Account, Measure, SourceBook
from ...steps.executor import Step
from .state import LoadState


@dataclass(frozen=True)
class Run:
    """What a load did.

    :param run_id: sorts by time; as in ``sparkify runs``.
    :param event: ``loaded``, ``nothing new`` or ``dry run``.
    :param engine: ``duckdb`` or ``redshift``.
    :param started_at: UTC, without a zone; ``seconds``: how long it took.
    :param sources: records read, staged and refused, by source.
    :param targets: what became of the staged rows, by table.
    :param measures: the value of every rule; ``steps``: rows and seconds of each step, in order.
    :param refused: refused records by rule.
    :param warnings: sentences about problems that did not fail the load.
    """

    run_id: str
    event: str
    engine: str
    started_at: datetime
    seconds: float
    sources: list[SourceBook] = field(default_factory=list)
    targets: list[Account] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for ``--json``."""
        return asdict(self)

    def _repr_html_(self) -> str:
        head = f"{self.run_id}: {self.event} in {self.seconds:.1f} s"
        return html_table(
            SOURCE_COLUMNS, (_source_row(b) for b in self.sources), head
        ) + html_table(TARGET_COLUMNS, (_target_row(a) for a in self.targets))


SOURCE_COLUMNS = ("source", "files", "read", "staged", "refused by parser", "refused by rule")

TARGET_COLUMNS = (
    "table",
    "staged",
    "erased",
    "refused",
    "out of scope",
    "duplicate",
    "stale",
    "merged",
    "replaced",
)


def _source_row(book: SourceBook) -> tuple[Any, ...]:
    counts = (book.objects, book.read, book.staged, book.refused_by_parser, book.refused_by_rule)
    return (book.source, *counts)


def _target_row(account: Account) -> tuple[Any, ...]:
    return (
        account.target,
        account.staged,
        account.erased,
        account.refused,
        account.out_of_scope,
        account.duplicate,
        account.stale,
        account.merged,
        account.replaced,
    )


def result_of(state: LoadState, event: str, seconds: float) -> Run:
    """The result of a run, from the state of its last attempt."""
    return Run(
        run_id=state.identity.run_id,
        event=event,
        engine=state.engine.name,
        started_at=state.identity.started_at,
        seconds=seconds,
        sources=[batch.book for batch in state.batches],
        targets=state.accounts,
        measures=state.measures,
        steps=list(state.steps.values()),
        refused=_by_rule(state.quarantine.by_rule),
        warnings=list(state.warnings),
    )


def _by_rule(counts: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """Refused records by rule; rules of several sources may share a name."""
    found: Counter[str] = Counter()
    for (_, rule), count in counts.items():
        found[rule] += count
    return dict(found)
