"""Renders facts as the page. The template escapes everything that is not markup."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import sqlalchemy as sa
from mako.template import Template
from markupsafe import Markup

from ...models.declare import Chart, Declarations
from ...models.lineage import LINEAGE_COLUMNS, lineage_rows
from ...steps.limits import REJECT_RATIO
from . import charts, flow
from .erd import erd
from .facts import Facts, RunFacts
from .lineage_picture import lineage_picture

#: Most days that a chart shows before it adds them up.
MOST_DAYS = 92
STATES = ("loaded", "nothing new", "refused", "rolled back", "died", "running")


@cache
def _template() -> Template:
    text = files(__package__).joinpath("page.mako").read_text(encoding="utf-8")
    return Template(
        text,
        default_filters=["safe"],
        imports=[
            "from sparkify_dwh.core.quantity import quantity",
            "from sparkify_dwh.inspection.report.markup import safe",
        ],
        strict_undefined=True,
    )


@cache
def _asset(name: str) -> tuple[str, str]:
    """The text of a style sheet or script, and the digest by which the policy allows it."""
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return text, f"'sha256-{digest}'"


def render(facts: Facts, declarations: Declarations) -> str:
    """The report of a warehouse as one HTML page."""
    style, style_source = _asset("page.css")
    script, script_source = _asset("page.js")
    policy = (
        f"default-src 'none'; style-src {style_source}; script-src {script_source}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    text: str = _template().render(
        facts=facts,
        policy=Markup(policy),
        style=Markup(style),
        script=Markup(script),
        streams=flow.streams(facts.load, declarations) if facts.load else [],
        history=history_figures(facts),
        chart_figures=[chart_figure(*chart, f"chart-{n}") for n, chart in enumerate(facts.charts)],
        diagrams=_diagrams(declarations),
        lineage=lineage_picture("lineage-picture", declarations),
        lineage_columns=LINEAGE_COLUMNS,
        lineage_rows=lineage_rows(declarations),
        tables=list(dict.fromkeys(target.name for target in declarations.targets)),
        charts=charts,
        flow=flow,
        states=[s for s in STATES if any(run.state == s for run in facts.runs)],
    )
    return text


# History ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """A chart with its texts; without a body there is nothing to draw.

    :param legend: names of the series, with their totals.
    :param table: the same numbers as a table, to unfold.
    """

    title: str
    what: str
    body: Markup | None = None
    legend: Sequence[str] = ()
    table: Markup | None = None


def history_figures(facts: Facts) -> list[Figure]:
    """Rows, seconds and refused ratios of the runs that read anything, oldest first."""
    runs = [run for run in facts.runs if run.steps or run.ratio is not None][::-1]
    if not runs:
        return []
    labels = [f"{run.started:%m-%d %H:%M}" for run in runs]
    rows = [
        ("accepted", [float(max((run.read or 0) - run.refused, 0)) for run in runs]),
        ("refused", [float(run.refused) for run in runs]),
    ]
    found = [_columns("history-rows", "Rows read", "Rows of each run.", labels, rows, whole=True)]
    times = _times(runs)
    if times:
        what = "Seconds of each run, by step."
        found.append(_columns("history-steps", "Time by step", what, labels, times, value=_seconds))
    limits = [r.limit for r in facts.rules if r.rule == REJECT_RATIO and r.limit is not None]
    ratio = [("refused", [run.ratio or 0.0 for run in runs])]
    what = "Share of refused rows among those read; a load fails above the limit."
    line = (min(limits), "limit") if limits else None
    found.append(
        _columns(
            "history-ratio",
            "Refused ratio",
            what,
            labels,
            ratio,
            axis=charts.percent_tick,
            value=charts.percent,
            line=line,
        )
    )
    return found


def _times(runs: Sequence[RunFacts]) -> list[tuple[str, list[float]]]:
    """Seconds of the steps that took longest, and of all others together."""
    total: dict[str, float] = {}
    for run in runs:
        for step, seconds in run.steps.items():
            total[step] = total.get(step, 0.0) + seconds
    most = sorted(total, key=lambda step: -total[step])[: charts.COLOURS - 1]
    times = [(step, [run.steps.get(step, 0.0) for run in runs]) for step in most]
    if len(total) > len(most):
        rest = [sum(s for step, s in run.steps.items() if step not in most) for run in runs]
        times.append(("other steps", rest))
    return times


def _seconds(value: float) -> str:
    return f"{value:.2f} s"


def _columns(
    name: str,
    title: str,
    what: str,
    labels: Sequence[str],
    series: Sequence[tuple[str, Sequence[float]]],
    *,
    head: str = "run",
    value: Any = charts.full,
    **more: Any,
) -> Figure:
    names = [text for text, _ in series]
    legend = [f"{text}: {value(sum(values))}" for text, values in series]
    rows = [(label, *(value(values[i]) for _, values in series)) for i, label in enumerate(labels)]
    return Figure(
        title,
        what,
        charts.columns(name, title, labels, series, value=value, **more),
        legend if len(legend) > 1 else (),
        _table((head, *names), rows, title),
    )


# Charts of the star -----------------------------------------------------------------------


def chart_figure(
    chart: Chart, rows: Sequence[tuple[Any, ...]], names: Sequence[str], name: str
) -> Figure:
    """The figure of a declared chart; ``name`` is unique on the page."""
    if not rows:
        return Figure(chart.title, chart.what)
    if chart.kind == "grid":
        values = {(int(row[0]), int(row[1])): row[2] for row in rows}
        numbers = [
            (text, *(charts.full(values.get((row, column), 0)) for column in chart.columns))
            for row, text in chart.rows.items()
        ]
        picture = charts.shades(name, chart.title, values, chart.rows, chart.columns)
        table = _table((names[0], *chart.columns.values()), numbers, chart.title)
        return Figure(chart.title, chart.what, picture, (), table)
    if chart.kind == "days":
        labels, series = by_day(rows, names[chart.keys :])
        return _columns(name, chart.title, chart.what, labels, series, head="day", whole=True)
    return Figure(chart.title, chart.what, _ranking(chart, rows, names))


def by_day(
    rows: Sequence[tuple[Any, ...]], names: Sequence[str]
) -> tuple[list[str], list[tuple[str, list[float]]]]:
    """Rows of year, month, day and numbers as labels and series, days without rows as 0.

    More than ``MOST_DAYS`` days are added up to months, many more to years.
    """
    first, last = date(*map(int, rows[0][:3])), date(*map(int, rows[-1][:3]))
    days = (last - first).days + 1
    parts = 3 if days <= MOST_DAYS else 2 if days <= MOST_DAYS * 28 else 1
    length = (4, 7, 10)[parts - 1]
    # Iterating over every day is fast enough: they span a century at most.
    labels = dict.fromkeys((first + timedelta(n)).isoformat()[:length] for n in range(days))
    found = {label: [0.0] * len(names) for label in labels}
    for row in rows:
        sums = found[date(*map(int, row[:3])).isoformat()[:length]]
        for i, value in enumerate(row[3:]):
            sums[i] += value
    return list(found), [
        (name, [sums[i] for sums in found.values()]) for i, name in enumerate(names)
    ]


def _ranking(chart: Chart, rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> Markup:
    return Markup(
        _template()
        .get_def("ranking")
        .render(
            title=chart.title,
            rows=[(row[: chart.keys], row[chart.keys]) for row in rows],
            heads=names[: chart.keys],
            number=names[chart.keys],
            most=max(row[chart.keys] for row in rows),
            charts=charts,
        )
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]], title: str) -> Markup:
    return Markup(_template().get_def("numbers").render(heads=heads, rows=rows, title=title))


# The schema -------------------------------------------------------------------------------


def _diagrams(declarations: Declarations) -> list[tuple[str, Markup]]:
    """Diagrams of the declared star and staging tables."""
    star = [target.table for target in declarations.targets]
    staging = [source.staging for source in declarations.sources]
    return [
        ("The star", erd("erd-star", "The star", _with_parents(star))),
        ("Staging", erd("erd-staging", "Staging", staging)),
    ]


def _with_parents(tables: Sequence[sa.Table]) -> list[sa.Table]:
    parents = [key.column.table for table in tables for key in table.foreign_keys]
    return list(dict.fromkeys([*tables, *parents]))
