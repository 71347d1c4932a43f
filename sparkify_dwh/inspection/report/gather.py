"""Reads the facts of a report from the warehouse, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from ...core.version import __version__
from ...dialects.base import Engine
from ...models.audit import LOADED, NOTHING_NEW, STARTED
from ...models.declare import Chart, Declarations
from ...steps import ledger
from ...steps.ledger import BOOK, FILE, REJECTED, RESULT, RUN, STEP
from ...steps.limits import REJECT_RATIO
from ...steps.star_checks import star_reasons
from ..rejects import in_force
from ..runs import run_log
from .facts import Facts, FileFacts, LoadFacts, RefusedFacts, RuleFacts, RunFacts, Sample

#: Most rows of each that a report shows.
RUNS, RULE_RUNS, FILES, SAMPLES = 60, 30, 30, 5
#: Most rows of a chart, by its kind; days are of one century.
CHART_ROWS = {"ranking": 50, "grid": 2000, "days": 40_000}
#: Most characters of a refused record.
SAMPLE_CHARACTERS = 400


def gather(engine: Engine, connection: sa.Connection, declarations: Declarations) -> Facts:
    """Reads in the transaction of the connection, so that all numbers are of one moment."""
    runs = _runs(engine, connection)
    ids = [run.run_id for run in runs]
    rules, rule_runs = _rules(connection, declarations, ids)
    return Facts(
        ledger.utc_now(),
        engine.settings.masked()["database_url"],
        engine.name,
        __version__,
        runs,
        _number(connection, sa.select(sa.func.count()).where(RUN.c.event == STARTED)),
        _load(connection),
        _refused(connection, ids[0] if ids else None),
        rules,
        rule_runs,
        _sizes(connection, declarations),
        [(chart, *_chart_rows(connection, chart)) for chart in declarations.charts],
    )


def _number(connection: sa.Connection, statement: sa.Select[Any]) -> int:
    return int(connection.execute(statement).scalar() or 0)


def _runs(engine: Engine, connection: sa.Connection) -> list[RunFacts]:
    records = run_log(engine, connection, RUNS).records()
    failed = [each["run_id"] for each in records if each["event"] not in (LOADED, NOTHING_NEW)]
    counts, ratios = _without_books(connection, failed)
    steps: dict[str, dict[str, float]] = {}
    if records:
        seconds = sa.func.sum(STEP.c.seconds)
        statement = (
            sa.select(STEP.c.run_id, STEP.c.step, seconds)
            .where(STEP.c.run_id.in_([each["run_id"] for each in records]))
            .group_by(STEP.c.run_id, STEP.c.step)
        )
        for run_id, step, took in connection.execute(statement):
            steps.setdefault(run_id, {})[step] = float(took)
    return [
        RunFacts(
            run_id := each["run_id"],
            each["event"],
            each["started"],
            each["seconds"],
            read := None if run_id in failed else int(each["rows_read"]),
            refused := counts.get(run_id, int(each["rows_refused"])),
            each["reason"] or "",
            refused / read if read else ratios.get(run_id),
            steps.get(run_id, {}),
        )
        for each in records
    ]


def _without_books(
    connection: sa.Connection, ids: Sequence[str]
) -> tuple[dict[str, int], dict[str, float]]:
    """Refused rows and greatest refused ratios of runs that were rolled back."""
    counts = connection.execute(
        sa.select(REJECTED.c.run_id, sa.func.count())
        .where(REJECTED.c.run_id.in_(ids))
        .group_by(REJECTED.c.run_id)
    )
    ratios = connection.execute(
        sa.select(RESULT.c.run_id, sa.func.max(RESULT.c.value))
        .where(RESULT.c.run_id.in_(ids), RESULT.c.rule == REJECT_RATIO)
        .group_by(RESULT.c.run_id)
    )
    return (
        {run_id: int(count) for run_id, count in counts},
        {run_id: float(ratio) for run_id, ratio in ratios},
    )


def _load(connection: sa.Connection) -> LoadFacts | None:
    newest = sa.select(RUN.c.run_id).where(RUN.c.event == LOADED).order_by(RUN.c.at.desc()).limit(1)
    run_id = connection.execute(newest).scalar()
    if run_id is None:
        return None
    books: dict[str, dict[str, int]] = {}
    for target, account, rows in connection.execute(
        sa.select(BOOK.c.target, BOOK.c.account, BOOK.c.rows).where(BOOK.c.run_id == run_id)
    ):
        books.setdefault(target, {})[account] = int(rows)
    steps = connection.execute(
        sa.select(STEP.c.step, STEP.c.target, STEP.c.rows, STEP.c.seconds)
        .where(STEP.c.run_id == run_id)
        .order_by(STEP.c.position)
    )
    return LoadFacts(run_id, books, _files(connection, run_id), [tuple(row) for row in steps])


def _files(connection: sa.Connection, run_id: str) -> list[FileFacts]:
    totals = (
        sa.select(FILE.c.source, sa.func.count(), sa.func.sum(FILE.c.size))
        .where(FILE.c.run_id == run_id)
        .group_by(FILE.c.source)
        .order_by(FILE.c.source)
    )
    found = []
    for source, objects, size in connection.execute(totals).all():
        sample = connection.execute(
            sa.select(FILE.c.key, FILE.c.size, FILE.c.rows_read, FILE.c.rows_refused)
            .where(FILE.c.run_id == run_id, FILE.c.source == source)
            .order_by(FILE.c.rows_refused.desc(), FILE.c.rows_read.desc(), FILE.c.key)
            .limit(FILES)
        )
        found.append(FileFacts(source, int(objects), int(size), [tuple(r) for r in sample]))
    return found


def _refused(connection: sa.Connection, newest: str | None) -> list[RefusedFacts]:
    """Refused records in force and those of the newest run, by rule, with the newest samples."""
    chosen = in_force(newest, SAMPLE_CHARACTERS)
    by_rule = (chosen.c.source, chosen.c.rule)
    placed = sa.select(
        chosen,
        sa.func.count().over(partition_by=by_rule).label("refused"),
        sa.func.row_number()
        .over(partition_by=by_rule, order_by=(chosen.c.run_id.desc(), chosen.c.position))
        .label("place"),
    ).subquery("placed")
    rows = connection.execute(
        sa.select(placed)
        .where(placed.c.place <= SAMPLES)
        .order_by(placed.c.refused.desc(), placed.c.source, placed.c.rule, placed.c.place)
    ).all()
    keys = dict.fromkeys((row.source, row.rule) for row in rows)
    of = {key: [row for row in rows if (row.source, row.rule) == key] for key in keys}
    return [
        RefusedFacts(
            source,
            rule,
            kept[0].reason,
            int(kept[0].refused),
            [Sample(r.run_id, r.key, r.line, r.raw, int(r.raw_bytes)) for r in kept],
        )
        for (source, rule), kept in of.items()
    ]


def _rules(
    connection: sa.Connection, declarations: Declarations, ids: Sequence[str]
) -> tuple[list[RuleFacts], list[str]]:
    """The values of all rules in the newest runs that measured rules, and those runs."""
    measured = set(
        connection.execute(
            sa.select(RESULT.c.run_id).where(RESULT.c.run_id.in_(ids)).distinct()
        ).scalars()
    )
    run_ids = [run_id for run_id in ids if run_id in measured][:RULE_RUNS][::-1]
    found: dict[tuple[str, str], dict[str, sa.Row[Any]]] = {}
    for row in connection.execute(sa.select(RESULT).where(RESULT.c.run_id.in_(run_ids))):
        found.setdefault((row.target, row.rule), {})[row.run_id] = row
    order, reasons = _declared(declarations)
    rules = []
    for key in sorted(found, key=lambda key: (order.get(key[0], len(order)), key)):
        by_run = found[key]
        last = by_run[max(by_run, key=run_ids.index)]
        values = [float(by_run[run].value) if run in by_run else None for run in run_ids]
        limit = None if last.limit_value is None else float(last.limit_value)
        what = reasons.get(key, "")
        rules.append(RuleFacts(*key, last.severity, values, limit, bool(last.passed), what))
    # Within a source or table, broken rules come first.
    rules.sort(key=lambda rule: (order.get(rule.target, len(order)), not rule.broken))
    return rules, run_ids


def _declared(
    declarations: Declarations,
) -> tuple[dict[str, int], dict[tuple[str, str], str]]:
    """The order of sources and targets, and the reasons of their rules."""
    order: dict[str, int] = {}
    reasons: dict[tuple[str, str], str] = {}
    for source in declarations.sources:
        order.setdefault(source.name, len(order))
        reasons[source.name, REJECT_RATIO] = "share of refused rows among those read"
        reasons[source.name, "max_rejects"] = "refused rows"
        reasons |= {(source.name, rule.name): rule.reason for rule in source.rules}
    for target in declarations.targets:
        order.setdefault(target.name, len(order))
        reasons |= {(target.name, name): what for name, what in star_reasons(target).items()}
    return order, reasons


def _sizes(connection: sa.Connection, declarations: Declarations) -> dict[str, int]:
    return {
        target.table.fullname: _number(
            connection, sa.select(sa.func.count()).select_from(target.table)
        )
        for target in declarations.targets
    }


def _chart_rows(
    connection: sa.Connection, chart: Chart
) -> tuple[list[tuple[Any, ...]], tuple[str, ...]]:
    result = connection.execute(chart.query())
    names = tuple(result.keys())
    rows = [
        (*row[: chart.keys], *(int(value or 0) for value in row[chart.keys :]))
        for row in result.fetchmany(CHART_ROWS[chart.kind])
    ]
    return rows, names
