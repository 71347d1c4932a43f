"""What is on record of a run, and that a dry run leaves nothing."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from support import kill_and_fail
from support.folders import Folders, MakeFolders
from support.kill_and_fail import Scene

from sparkify_dwh import BooksError, Settings, SourceError, Warehouse
from sparkify_dwh.cli.exits import Interrupted
from sparkify_dwh.core.errors import reason
from sparkify_dwh.dialects.duckdb.engine import DuckDBEngine
from sparkify_dwh.jobs.load import attempt
from sparkify_dwh.jobs.load.state import LoadState
from sparkify_dwh.steps.executor import Executor
from sparkify_dwh.steps.ledger import RUN, OpenRun, cut


def log_rows(database: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(database), read_only=True) as connection:
        return connection.execute('SELECT * FROM audit.load_run ORDER BY "at"').fetchall()


# The run log --------------------------------------------------------------------------------------


def test_a_row_when_it_starts_and_one_when_it_ends(scene: Scene, tmp_path: Path) -> None:
    database = scene.database(tmp_path)
    warehouse = Warehouse(Settings(**scene.values(database)))
    began = datetime.now(UTC).replace(tzinfo=None)
    run = warehouse.load()
    again = warehouse.load()
    newest, loaded, _first = warehouse.runs().records()
    assert (newest["run_id"], newest["event"]) == (again.run_id, "nothing new")
    assert (newest["rows_read"], newest["rows_refused"], newest["reason"]) == (0, 0, None)
    assert (loaded["run_id"], loaded["event"], loaded["reason"]) == (run.run_id, "loaded", None)
    assert loaded["rows_read"] == sum(book.read for book in run.sources)
    assert loaded["rows_refused"] == sum(run.refused.values()) > 0
    assert began - timedelta(seconds=1) <= loaded["started"] <= loaded["ended"]
    assert loaded["ended"] <= newest["started"] <= newest["ended"]
    events = warehouse.run(run.run_id).events.records()
    assert [event["event"] for event in events] == ["started", "loaded"]


def test_the_log_is_only_appended_to(scene: Scene, tmp_path: Path) -> None:
    database = scene.database(tmp_path)
    values = scene.values(database)
    seen = log_rows(database)
    middle = len(scene.moments) // 2
    for number, step in enumerate(("fails", "refused", "loaded", "nothing new", "again")):
        if step == "fails":
            with kill_and_fail.fail_at(middle):
                kill_and_fail.observed(values)
        else:
            given = {**values, "max_rejects": 0} if step == "refused" else values
            kill_and_fail.observed(given, all=step == "again")
        now = log_rows(database)
        assert now[: len(seen)] == seen and len(now) == len(seen) + 2, (number, step)
        seen = now
    kept = [row[1] for row in seen[2:]]
    assert kept == [
        *("started", "rolled back", "started", "refused", "started", "loaded"),
        *("started", "nothing new", "started", "loaded"),
    ]


def test_the_loads_transaction_writes_the_log_last_and_never_reads_it(scene: Scene) -> None:
    (start,) = [
        n for n, text in enumerate(scene.moments) if text.startswith("DELETE FROM audit.load_")
    ]
    inside = scene.moments[start:]
    assert inside.count("COMMIT") == 1 and inside[-1] == "COMMIT"
    assert inside[-2].startswith("INSERT INTO audit.load_run")
    assert not [text for text in inside[:-2] if "load_run" in text]
    audited = [n for n, text in enumerate(inside) if text.startswith("INSERT INTO audit.")][1:]
    assert audited == list(range(audited[0], len(inside) - 1))


def test_outcomes_of_runs_without_an_end(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can read the file knows that no other process loads; a thread of ours may."""
    database = scene.database(tmp_path)
    warehouse = Warehouse(Settings(**scene.values(database)))
    with warehouse.engine.begin() as connection:
        for run_id in ("1-thread", "2-other"):
            connection.execute(
                sa.insert(RUN).values(
                    run_id=run_id, event="started", at=datetime(2018, 11, 1), host="somewhere",
                    pid=1, db_user="u", engine="duckdb", version="0",
                )
            )  # fmt: skip
    monkeypatch.setattr("sparkify_dwh.steps.ledger.ACTIVE", {"1-thread"})
    found = {run["run_id"]: run["event"] for run in warehouse.runs().records()}
    assert (found["1-thread"], found["2-other"]) == ("running", "died")
    # They are older than a run that ended, so an earlier load has named them.
    assert warehouse.load().warnings == []


def test_whether_a_loader_may_be_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import socket
    import subprocess
    import sys

    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here, at = socket.gethostname(), datetime(2018, 11, 1)
    assert OpenRun("r", at, here, os.getpid()).alive
    assert not OpenRun("r", at, here, gone.pid).alive
    assert OpenRun("r", at, "elsewhere", gone.pid).alive, "nobody can tell from here"


def test_a_reason_is_cut_between_characters() -> None:
    assert cut("é" * 3000) == "é" * 2048
    assert cut("a" * 5000) == "a" * 4096


# The books ----------------------------------------------------------------------------------------


def unbalanced(folders: Folders, scene: Scene, wrong: str) -> None:
    before = kill_and_fail.digest(folders.database)
    with pytest.raises(BooksError) as caught:
        folders.load()
    assert caught.value.exit_code == 1
    assert wrong in caught.value.what and "rolled back" in caught.value.hint
    assert kill_and_fail.digest(folders.database) == before
    newest = folders.warehouse.runs().records()[0]
    assert (newest["event"], newest["reason"]) == ("rolled back", caught.value.what)


def folders_of(scene: Scene, warehouse: MakeFolders) -> Folders:
    folders = warehouse(max_reject_ratio=1.0)
    for source, name in (("events", "log_data"), ("songs", "song_data")):
        shutil.copytree(scene.root / name, folders.folders[source], dirs_exist_ok=True)
    return folders


def test_a_row_that_is_lost_on_the_way_to_staging_fails_the_load(
    scene: Scene, warehouse: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = DuckDBEngine.staged_counts

    def lossy(self: Any, ex: Executor, source: Any) -> dict[str, int]:
        counts = original(self, ex, source)
        first = min(counts)
        return {**counts, first: counts[first] - 1}

    monkeypatch.setattr(DuckDBEngine, "staged_counts", lossy)
    unbalanced(folders_of(scene, warehouse), scene, "is not staged")


@pytest.mark.parametrize("target", ["songs", "artists", "users", "time", "songplays"])
@pytest.mark.parametrize("account", ["merged", "duplicate"])
def test_a_target_that_does_not_balance_fails_the_load(
    scene: Scene,
    warehouse: MakeFolders,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    account: str,
) -> None:
    original = attempt.balance

    def miscounted(state: LoadState) -> None:
        found = state.tables[target].account
        setattr(found, account, getattr(found, account) + 1)
        original(state)

    monkeypatch.setattr(attempt, "balance", miscounted)
    unbalanced(folders_of(scene, warehouse), scene, f"{target}: staged")


def test_a_statement_that_merges_too_little_fails_the_load(
    scene: Scene, warehouse: MakeFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counts come from the statements, so one that loses a row is noticed."""
    original = Executor.change

    def lossy(self: Executor, statement: Any, values: Any = None, **where: Any) -> int:
        count = original(self, statement, values, **where)
        into = statement.table.fullname if isinstance(statement, sa.Insert) else ""
        return count - 1 if into == "sparkify.users" else count

    monkeypatch.setattr(Executor, "change", lossy)
    unbalanced(folders_of(scene, warehouse), scene, "users: staged")


# The dry run --------------------------------------------------------------------------------------


def test_a_dry_run_changes_and_records_nothing(scene: Scene, tmp_path: Path) -> None:
    database = scene.database(tmp_path)
    values = scene.values(database)
    log = log_rows(database)
    warehouse = Warehouse(Settings(**values))
    dry = warehouse.load(dry_run=True)
    assert dry.event == "dry run"
    assert scene.state(database) == "before" and log_rows(database) == log
    with duckdb.connect(str(database), read_only=True) as connection:
        runs = (
            "SELECT count(*) FROM audit.{} WHERE run_id NOT IN (SELECT run_id FROM audit.load_run)"
        )
        for table in ("rejected_row", "quality_result", "load_step", "load_book", "load_file"):
            assert connection.execute(runs.format(table)).fetchone() == (0,), table
    real = warehouse.load()
    assert real.event == "loaded"
    assert (dry.sources, dry.targets, dry.measures) == (real.sources, real.targets, real.measures)
    assert warehouse.load(dry_run=True).event == "nothing new"


def test_a_dry_run_makes_no_database(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    database = tmp_path / "new.duckdb"
    warehouse = Warehouse(Settings(**scene.values(database)))
    dry = warehouse.load(dry_run=True)
    assert [p.name for p in tmp_path.iterdir()] == ["tmp"] and not list(temporary.iterdir())
    real = warehouse.load()
    assert (dry.event, real.event) == ("dry run", "loaded")
    assert (dry.sources, dry.targets) == (real.sources, real.targets)


def test_a_dry_run_leaves_a_database_without_the_schema_as_it_is(
    scene: Scene, tmp_path: Path
) -> None:
    database = tmp_path / "mine.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 1 AS one")
    content = database.read_bytes()
    assert Warehouse(Settings(**scene.values(database))).load(dry_run=True).event == "dry run"
    assert database.read_bytes() == content


def test_a_dry_run_fails_as_the_load_does(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = scene.database(tmp_path)
    values = scene.values(database)
    log = log_rows(database)
    original = attempt.balance

    def miscounted(state: LoadState) -> None:
        state.tables["users"].account.merged += 1
        original(state)

    monkeypatch.setattr(attempt, "balance", miscounted)
    found = [kill_and_fail.observed(values, dry_run=dry) for dry in (True, False)]
    assert found[0].error == found[1].error == "BooksError"
    assert (found[0].what, found[0].exit_code) == (found[1].what, found[1].exit_code)
    assert len(log_rows(database)) == len(log) + 2
    gone = {**values, "log_data": str(tmp_path / "nowhere")}
    for dry in (True, False):
        with pytest.raises(SourceError, match="does not exist"):
            Warehouse(Settings(**gone)).load(dry_run=dry)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (Interrupted("terminated"), "terminated"),
        (Interrupted("interrupted"), "interrupted"),
        (SystemExit(3), "terminated: 3"),
        (SourceError("gone", "look for it"), "gone"),
        (ZeroDivisionError("division by zero\nsecond line"), "ZeroDivisionError: division by zero"),
    ],
)
def test_why_a_run_ended_is_said_in_one_line(error: BaseException, text: str) -> None:
    assert reason(error) == text
