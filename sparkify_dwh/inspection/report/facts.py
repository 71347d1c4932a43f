"""The content of a report: facts read at one moment, all of bounded size."""

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
    :param seconds: of the whole run; None while it has not ended.
    :param read: rows read; None where the run has no books.
    :param ratio: share of refused rows among those read; without books, that of the worst
        source; None where none were read.
    :param steps: seconds by step.
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
    """The objects that a run read of a source: their number, their bytes, those most refused of."""

    source: str
    objects: int
    size: int
    sample: Sequence[tuple[Any, ...]]


@dataclass(frozen=True)
class LoadFacts:
    """A committed load: its books as ``{target: {account: rows}}``, its files and steps."""

    run_id: str
    books: Mapping[str, Mapping[str, int]]
    files: Sequence[FileFacts]
    steps: Sequence[tuple[str, str | None, int, float]]


@dataclass(frozen=True)
class Sample:
    """A refused record, its text cut; None where the text was erased."""

    run_id: str
    key: str | None
    line: int | None
    raw: str | None
    raw_bytes: int


@dataclass(frozen=True)
class RefusedFacts:
    """The records of a source that one rule refused."""

    source: str
    rule: str
    reason: str
    count: int
    samples: Sequence[Sample]


@dataclass(frozen=True)
class RuleFacts:
    """The values of a rule, oldest first; None for a run that did not measure it."""

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
    def broken(self) -> bool:
        """Whether a row broke it in any of the runs."""
        return any(self.values)


@dataclass(frozen=True)
class Facts:
    """Everything in a report.

    :param database: the URL of the warehouse, with secrets masked.
    :param total: number of runs on record; ``runs`` are the newest of them.
    :param load: the newest committed load.
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
    refused: Sequence[RefusedFacts] = ()
    rules: Sequence[RuleFacts] = ()
    rule_runs: Sequence[str] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    charts: Sequence[tuple[Chart, Sequence[tuple[Any, ...]], tuple[str, ...]]] = ()
