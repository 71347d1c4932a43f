"""What commands return: small dataclasses that show themselves in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from html import escape
from typing import Any

from .audit import SourceBook
from .executor import PlannedStatement, Step
from .merge import Account
from .quality import Measure


def html_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> str:
    """A table in HTML; everything is escaped."""
    head = "".join(f"<th>{escape(str(name))}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(shown(value))}</td>" for value in row) + "</tr>"
        for row in rows
    )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def shown(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


@dataclass(frozen=True)
class Run:
    """What a load did.

    :param run_id: sorts by time; as in ``sparkify runs``.
    :param event: ``loaded``, ``nothing new`` or ``dry run``.
    :param engine: ``duckdb`` or ``redshift``.
    :param started_at: UTC, without a zone; ``seconds``: how long it took.
    :param sources: per source: records read, staged, refused.
    :param targets: per table: what became of the staged rows.
    :param measures: the value of every rule; ``steps``: rows and seconds of each step, in order.
    :param refused: refused records by rule.
    :param warnings: sentences about what did not fail the load.
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


@dataclass(frozen=True)
class Table:
    """Rows with the names of their columns: the answer to a query or a listing.

    :param rows: a tuple each, with a value for each of ``columns``; iterating gives them.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def records(self) -> list[dict[str, Any]]:
        """The rows as dictionaries."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def df(self) -> Any:
        """The rows as a pandas DataFrame.

        :raises MissingExtraError: when pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            from .errors import MissingExtraError

            raise MissingExtraError("notebooks", "Table.df()") from None
        return pd.DataFrame(self.rows, columns=list(self.columns))

    def _repr_html_(self) -> str:
        return html_table(self.columns, self.rows)


@dataclass(frozen=True)
class Plan:
    """The statements of the next load, in their order.

    :param objects: objects to load, by source; None where nothing was listed.
    """

    statements: list[PlannedStatement]
    objects: dict[str, int] | None = None

    @property
    def pending(self) -> bool:
        """Whether there is something to load."""
        return bool(self.objects and sum(self.objects.values()))

    def __str__(self) -> str:
        lines: list[str] = []
        for each in self.statements:
            marks = [f"if {each.condition}"] if each.condition else []
            marks += [f"per {each.repeated}"] if each.repeated else []
            lines += [f"-- {mark}" for mark in marks]
            lines.append(each.sql + (";" if not each.sql.startswith("--") else ""))
            lines.append("")
        return "\n".join(lines).rstrip()

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for ``--json``."""
        return asdict(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


@dataclass(frozen=True)
class CheckResult:
    """The measured checks of the whole star.

    :param measures: one for each check of each table; ``value`` counts the rows that break it.
    """

    measures: list[Measure]

    @property
    def passed(self) -> bool:
        """Whether every check that can fail passed."""
        return all(measure.passed for measure in self.measures)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for ``--json``."""
        return {"passed": self.passed, **asdict(self)}

    def _repr_html_(self) -> str:
        rows = [(m.target, m.rule, m.value, m.limit_value, m.passed) for m in self.measures]
        return html_table(("table", "rule", "broken by", "limit", "passed"), rows)
