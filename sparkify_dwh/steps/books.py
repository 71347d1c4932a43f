"""The books of a load: what became of every row that was read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measure:
    """The measured value of a rule, stored whether or not it passed.

    :param target: the source or table that the rule guards.
    :param severity: ``reject`` (refuses rows), ``warn`` or ``fail``.
    :param value: rows that broke the rule, or a ratio from 0 to 1.
    :param limit_value: the highest value that passes; None when the rule only refuses rows.
    """

    rule: str
    target: str
    severity: str
    value: float
    limit_value: float | None
    passed: bool


@dataclass
class Account:
    """What became of a source's staged rows at one target; no count is a remainder.

    :param erased: left out because they are about an erased person.
    :param refused: broke a rule; ``out_of_scope``: not meant for this target.
    :param duplicate: another staged row represents the key; ``stale``: the target's row is newer.
    :param merged: keys inserted; ``replaced``: those that the target already had.
    :param recomputed: rows of a derived target that changed without a staged row.
    :param resolved_again: facts that were not staged but got different foreign keys.
    """

    target: str
    staged: int = 0
    erased: int = 0
    refused: int = 0
    out_of_scope: int = 0
    duplicate: int = 0
    stale: int = 0
    merged: int = 0
    replaced: int = 0
    recomputed: int = 0
    resolved_again: int = 0

    @property
    def balanced(self) -> bool:
        """staged = erased + refused + out of scope + duplicate + stale + merged."""
        removed = self.erased + self.refused + self.out_of_scope + self.duplicate + self.stale
        return self.staged == removed + self.merged


def measure_rows(run_id: str, measures: Iterable[Measure]) -> Iterator[dict[str, Any]]:
    """Rows of ``quality_result``."""
    for m in measures:
        yield {
            "run_id": run_id,
            "rule": m.rule,
            "target": m.target,
            "severity": m.severity,
            "value": m.value,
            "limit_value": m.limit_value,
            "passed": m.passed,
        }


@dataclass
class SourceBook:
    """What became of a source's records before the merges.

    :param objects: new objects that were read; ``known``: already in the ledger; ``skipped``: not
        named like data; ``changed``: new versions of known objects.
    :param read: records, counted without staging.
    :param staged: records that reached staging; ``refused_by_parser``: those that did not.
    :param erased: staged, about an erased person; ``refused_by_rule``: staged, then refused.
    """

    source: str
    objects: int = 0
    skipped: int = 0
    known: int = 0
    changed: int = 0
    read: int = 0
    staged: int = 0
    erased: int = 0
    refused_by_parser: int = 0
    refused_by_rule: int = 0

    @property
    def balanced(self) -> bool:
        """read = staged + refused by the parser; read is counted independently of staging."""
        return self.read == self.staged + self.refused_by_parser

    @property
    def refused(self) -> int:
        """Records refused by the parser or by a rule."""
        return self.refused_by_parser + self.refused_by_rule


SOURCE_ACCOUNTS = ("objects", "read", "staged", "refused_by_parser", "erased", "refused_by_rule")

TARGET_ACCOUNTS = (
    "staged",
    "erased",
    "refused",
    "out_of_scope",
    "duplicate",
    "stale",
    "merged",
    "replaced",
    "recomputed",
    "resolved_again",
)


def book_rows(
    run_id: str, sources: Iterable[SourceBook], accounts: Iterable[Account]
) -> Iterator[dict[str, Any]]:
    """Rows of ``load_book``: sources as ``source:<name>``, targets by name."""
    for book in sources:
        for name in SOURCE_ACCOUNTS:
            yield {
                "run_id": run_id,
                "target": f"source:{book.source}",
                "account": name,
                "rows": getattr(book, name),
            }
    for account in accounts:
        for name in TARGET_ACCOUNTS:
            yield {
                "run_id": run_id,
                "target": account.target,
                "account": name,
                "rows": getattr(account, name),
            }
