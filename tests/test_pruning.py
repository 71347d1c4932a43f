"""Old runs are pruned, the ledger and what it needs stay; on both engines."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from support.records import event_line
from support.rig import Rig
from support.warehouses import OnDuckDB, Source
from typer.testing import CliRunner

from sparkify_dwh import UsageError
from sparkify_dwh.cli import app
from sparkify_dwh.steps.ledger import RUN

DETAILS = ("load_step", "load_book", "quality_result", "rejected_row")


def aged(on_each: Rig, run: str, days: float) -> None:
    """Makes a run as old as that."""
    with on_each.warehouse.engine.begin() as connection:
        at = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
        connection.execute(sa.update(RUN).values({"at": at}).where(RUN.c.run_id == run))


def of_run(on_each: Rig, table: str, run: str) -> int:
    ((count,),) = on_each.query(f"SELECT count(*) FROM audit.{table} WHERE run_id = '{run}'")
    return int(count)


def test_old_runs_go_and_the_ledger_stays(on_each: Rig, source: Source) -> None:
    source.put("events", "a.json", event_line() + event_line(itemInSession=1, level="gold"))
    first = on_each.load().run_id
    nothing = on_each.load().run_id
    source.put(
        "events", "b.json", event_line(itemInSession=2) + event_line(itemInSession=3, level="x")
    )
    newest = on_each.load().run_id
    died = "20000101T000000000-000000"
    with on_each.warehouse.engine.begin() as connection:
        connection.execute(
            sa.text(
                'INSERT INTO audit.load_run (run_id, event, "at", host, pid, db_user, engine,'
                ' version) SELECT :died, event, "at", host, 999999999, db_user, engine, version'
                " FROM audit.load_run WHERE run_id = :first AND event = 'started'"
            ),
            {"died": died, "first": first},
        )
    for run in (first, nothing, died):
        aged(on_each, run, 91)
    aged(on_each, newest, 89)
    ledger = on_each.query("SELECT * FROM audit.load_file ORDER BY key")
    star = on_each.star()
    assert all(of_run(on_each, table, first) for table in DETAILS)

    shown = on_each.warehouse.prune(dry_run=True)
    assert shown.dry_run and all(of_run(on_each, table, first) for table in DETAILS)
    found = on_each.warehouse.prune()

    assert found.removed == shown.removed and found.rows > 4
    assert (found.runs, found.kept) == (3, 1)
    assert not any(of_run(on_each, table, first) for table in DETAILS)
    assert all(of_run(on_each, table, newest) for table in DETAILS)
    # Of a run that the ledger names, start and end stay; of the others nothing.
    assert [of_run(on_each, "load_run", run) for run in (first, nothing, died, newest)] == [
        *(2, 0, 0, 2)
    ]
    assert found.removed["audit.load_run"] == 3
    assert on_each.query("SELECT * FROM audit.load_file ORDER BY key") == ledger
    assert on_each.star() == star
    assert on_each.load().event == "nothing new"
    runs = {run["run_id"]: run for run in on_each.warehouse.runs().records()}
    assert runs[first]["rows_read"] == 2 and runs[first]["event"] == "loaded"
    assert on_each.warehouse.prune().rows == 0


def test_a_run_at_work_stays(on_each: Rig, source: Source) -> None:
    source.put("events", "a.json", event_line())
    on_each.load()
    settings = on_each.warehouse.settings
    from sparkify_dwh.steps.ledger import ACTIVE, RunIdentity

    working = RunIdentity.new("x")
    with on_each.warehouse.engine.begin() as connection:
        connection.execute(working.event("started"))
    ACTIVE.add(working.run_id)
    try:
        on_each.warehouse.prune(0)
        assert of_run(on_each, "load_run", working.run_id) == 1
    finally:
        ACTIVE.discard(working.run_id)
    assert settings is on_each.warehouse.settings


def test_the_moment(on_duckdb: OnDuckDB) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    prune = on_duckdb.warehouse.prune
    assert abs(prune().before - (now - timedelta(days=90))) < timedelta(minutes=5)
    assert abs(prune(7).before - (now - timedelta(days=7))) < timedelta(minutes=5)
    east = datetime(2020, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert prune(before=east).before == datetime(2020, 1, 1)
    wrong: list[dict[str, Any]] = [
        {"days": -1},
        {"days": 10**9},
        {"before": now + timedelta(days=1)},
        {"days": 1, "before": now - timedelta(days=1)},
    ]
    for arguments in wrong:
        with pytest.raises(UsageError) as caught:
            prune(**arguments)
        assert caught.value.exit_code == 2


def test_the_command(on_duckdb: OnDuckDB, source: Source) -> None:
    source.put("events", "a.json", event_line())
    on_duckdb.load()
    url = ("--database-url", on_duckdb.warehouse.settings.database_url)

    def sparkify(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["audit", "prune", *arguments, *url])

    done = sparkify("--days", "0", "--json")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert found["runs"] == 1 and found["removed"]["audit.load_step"] > 0
    assert found["rows"] == sum(found["removed"].values())
    done = sparkify("--before", "2020-01-01", "--dry-run")
    assert done.exit_code == 0 and "audit.load_run" in done.stdout
    assert "0 runs before 2020-01-01 00:00:00 UTC" in done.stderr
    for wrong in (("--before", "soon"), ("--days", "x"), ("--days", "1", "--before", "2020-01-01")):
        assert sparkify(*wrong).exit_code == 2
