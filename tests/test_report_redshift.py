"""The report on Redshift has the same facts as the one on DuckDB."""

from __future__ import annotations

import json
from typing import Any

from support.records import event_line, song_line
from support.warehouses import OnDuckDB, OnRedshift, Source

from sparkify_dwh import Warehouse
from sparkify_dwh.inspection.report.facts import Facts
from sparkify_dwh.inspection.report.gather import gather

HOUR = 3_600_000


def facts(warehouse: Warehouse) -> Facts:
    engine = warehouse._reader()
    with engine.session(read_only=True) as connection:
        return gather(engine, connection, warehouse.declarations)


def comparable(found: Facts) -> dict[str, Any]:
    """What does not depend on the engine: no times, no run ids, no place of a refused row."""
    assert found.load is not None
    return {
        "runs": [(r.state, r.read, r.refused, r.ratio) for r in found.runs],
        "books": found.load.books,
        "files": [(f.source, f.objects, f.size, len(f.sample)) for f in found.load.files],
        "refused": {(r.source, r.rule, r.reason, r.count, len(r.samples)) for r in found.refused},
        "rules": [(r.target, r.rule, r.values, r.limit, r.passed) for r in found.rules],
        "sizes": found.sizes,
        "charts": [(chart.name, rows, names) for chart, rows, names in found.charts],
    }


def test_both_engines_tell_the_same(
    on_redshift: OnRedshift, on_duckdb: OnDuckDB, source: Source
) -> None:
    def plays(count: int, **values: Any) -> str:
        start = 1541106106796
        return "".join(
            event_line(
                itemInSession=n, ts=start + n * 17 * HOUR, level=("free", "paid")[n // 3 % 2],
                location=f"Place {n % 4}", **values,
            )
            for n in range(count)
        )  # fmt: skip

    source.put("songs", "a.json", song_line())
    source.put("events", "1.json", plays(12) + event_line(itemInSession=99, level="gold"))
    for each in (on_redshift, on_duckdb):
        each.load()
    more = plays(4, sessionId=8, userId="9", artist="Nobody", userAgent="Lynx \u202e<b>")
    source.put("events", "2.json", more)
    source.put("songs", "b.json", json.dumps({"nothing": 1}))
    for each in (on_redshift, on_duckdb):
        each.load()
    ours, theirs = facts(on_redshift.warehouse), facts(on_duckdb.warehouse)
    assert comparable(ours) == comparable(theirs)
    drawn = {chart.name: rows for chart, rows, _ in ours.charts}
    assert drawn["level_changes"] and drawn["places"][0][1] == 4
    page = on_redshift.warehouse.report().html
    assert "Lynx \\u202e&lt;b&gt;" in page
    assert "redshift" in page
