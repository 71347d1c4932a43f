"""What a report says: facts of one moment, all of them bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ...models.declare import Chart


@dataclass(frozen=True)
class RunFacts:
    """A run of the log.

    :param state: its last event, or ``running`` or ``died``.
    :param seconds: of the whole run; None while it has no end.
    :param read: rows read; None where the run left no books.
    :param ratio: refused rows among those read; without books that of the worst source; None
        where none were read.
    :param steps: seconds by step, most first.
    """

    run_id: str
    state: str
    started: datetime
    seconds: float | None
    read: int | None
    refused: int
    reason: str
    ratio: float | None = None
    steps: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class FileFacts:
    """What a run read of a source: number of objects, their bytes, those with most refusals."""

    source: str
    objects: int
    size: int
    sample: Sequence[tuple[Any, ...]]


@dataclass(frozen=True)
class LoadFacts:
    """A load that was committed: its books as ``{target: {account: rows}}`` and its steps."""

    run_id: str
    books: Mapping[str, Mapping[str, int]]
    files: Sequence[FileFacts]
    steps: Sequence[tuple[str, str | None, int, float]]


@dataclass(frozen=True)
class Sample:
    """A refused record, its text cut; without a text where that was erased."""

    run_id: str
    key: str | None
    line: int | None
    raw: str | None
    raw_bytes: int


@dataclass(frozen=True)
class Refused:
    """Records that one rule refused."""

    source: str
    rule: str
    reason: str
    count: int
    samples: Sequence[Sample]


@dataclass(frozen=True)
class RuleFacts:
    """A rule's values, oldest first, None for a run that did not measure it."""

    target: str
    rule: str
    severity: str
    values: Sequence[float | None]
    limit: float | None
    passed: bool
    what: str = ""

    @property
    def newest(self) -> float | None:
        """The value of the newest run that measured it."""
        return next((value for value in reversed(self.values) if value is not None), None)

    @property
    def quiet(self) -> bool:
        """Whether no run broke it."""
        return not any(self.values)


@dataclass(frozen=True)
class Facts:
    """Everything a report is made of.

    :param database: the warehouse's URL, with secrets masked.
    :param total: runs on record; ``runs`` holds the newest of them.
    :param load: the newest load that was committed.
    :param rule_runs: runs whose rule values are shown, oldest first.
    :param sizes: rows of each table of the star.
    """

    at: datetime
    database: str
    engine: str
    version: str
    runs: Sequence[RunFacts] = ()
    total: int = 0
    load: LoadFacts | None = None
    refused: Sequence[Refused] = ()
    rules: Sequence[RuleFacts] = ()
    rule_runs: Sequence[str] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    charts: Sequence[tuple[Chart, Sequence[tuple[Any, ...]], tuple[str, ...]]] = ()
