"""Old runs are pruned, the ledger and what it needs stay; on both engines."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from standin.fixtures import s3_server, standin
from support.warehouses import (
    Loaded,
    OnDuckDB,
    Source,
    aws_keys,
    event,
    migrated,
    on_duckdb,
    on_redshift,
    source,
)
from typer.testing import CliRunner

from sparkify_dwh import UsageError
from sparkify_dwh.cli import app
from sparkify_dwh.steps.ledger import RUN

__all__ = ["aws_keys", "migrated", "on_duckdb", "on_redshift", "s3_server", "source", "standin"]
DETAILS = ("load_step", "load_book", "quality_result", "rejected_row")


@pytest.fixture(params=["duckdb", "redshift"])
def anywhere(request: pytest.FixtureRequest) -> Loaded:
    found: Loaded = request.getfixturevalue(f"on_{request.param}")
    return found


def aged(anywhere: Loaded, run: str, days: float) -> None:
    """Makes a run as old as that."""
    with anywhere.warehouse.engine.begin() as connection:
        at = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
        connection.execute(sa.update(RUN).values({"at": at}).where(RUN.c.run_id == run))


def of_run(anywhere: Loaded, table: str, run: str) -> int:
    ((count,),) = anywhere.query(f"SELECT count(*) FROM audit.{table} WHERE run_id = '{run}'")
    return int(count)


def test_old_runs_go_and_the_ledger_stays(anywhere: Loaded, source: Source) -> None:
    source.put("events", "a.json", event() + event(itemInSession=1, level="gold"))
    first = anywhere.load().run_id
    nothing = anywhere.load().run_id
    source.put("events", "b.json", event(itemInSession=2) + event(itemInSession=3, level="x"))
    newest = anywhere.load().run_id
    died = "20000101T000000000-000000"
    with anywhere.warehouse.engine.begin() as connection:
        connection.execute(
            sa.text(
                'INSERT INTO audit.load_run (run_id, event, "at", host, pid, db_user, engine,'
                ' version) SELECT :died, event, "at", host, 999999999, db_user, engine, version'
                " FROM audit.load_run WHERE run_id = :first AND event = 'started'"
            ),
            {"died": died, "first": first},
        )
    for run in (first, nothing, died):
        aged(anywhere, run, 91)
    aged(anywhere, newest, 89)
    ledger = anywhere.query("SELECT * FROM audit.load_file ORDER BY key")
    star = anywhere.star()
    assert all(of_run(anywhere, table, first) for table in DETAILS)

    shown = anywhere.warehouse.prune(dry_run=True)
    assert shown.dry_run and all(of_run(anywhere, table, first) for table in DETAILS)
    found = anywhere.warehouse.prune()

    assert found.removed == shown.removed and found.rows > 4
    assert (found.runs, found.kept) == (3, 1)
    assert not any(of_run(anywhere, table, first) for table in DETAILS)
    assert all(of_run(anywhere, table, newest) for table in DETAILS)
    # Of a run that the ledger names, start and end stay; of the others nothing.
    assert [of_run(anywhere, "load_run", run) for run in (first, nothing, died, newest)] == [
        *(2, 0, 0, 2)
    ]
    assert found.removed["audit.load_run"] == 3
    assert anywhere.query("SELECT * FROM audit.load_file ORDER BY key") == ledger
    assert anywhere.star() == star
    assert anywhere.load().event == "nothing new"
    runs = {run["run_id"]: run for run in anywhere.warehouse.runs().records()}
    assert runs[first]["rows_read"] == 2 and runs[first]["event"] == "loaded"
    assert anywhere.warehouse.prune().rows == 0


def test_a_run_at_work_stays(anywhere: Loaded, source: Source) -> None:
    source.put("events", "a.json", event())
    anywhere.load()
    settings = anywhere.warehouse.settings
    from sparkify_dwh.steps.ledger import ACTIVE, Loader, new_run_id, utc_now

    working = Loader(new_run_id(utc_now()), "x")
    with anywhere.warehouse.engine.begin() as connection:
        connection.execute(working.event("started"))
    ACTIVE.add(working.run_id)
    try:
        anywhere.warehouse.prune(0)
        assert of_run(anywhere, "load_run", working.run_id) == 1
    finally:
        ACTIVE.discard(working.run_id)
    assert settings is anywhere.warehouse.settings


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
    source.put("events", "a.json", event())
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
