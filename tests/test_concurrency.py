"""Loaders and readers that meet: other processes, threads of one process, migrations."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from support import kill_and_fail
from support.kill_and_fail import Scene, ended, report_of, start

from sparkify_dwh import LockError, Settings, UsageError, Warehouse
from sparkify_dwh.dialects.duckdb.errors import holder_of, is_conflict


def until(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + kill_and_fail.STUCK
    while not happened():
        assert time.monotonic() < deadline, "it never happens"
        time.sleep(0.01)


class Holder:
    """A loader in another process that stops before a moment until it is released."""

    def __init__(self, scene: Scene, database: Path, folder: Path, moment: int) -> None:
        self.path, self.marker = folder / "holder-report", folder / "marker"
        self.release = folder / "release"
        values = scene.values(database)
        arguments = (moment, str(self.marker), str(self.release), values, str(self.path))
        self.process = start(kill_and_fail._hold, *arguments)
        until(lambda: self.marker.exists() or not self.process.is_alive())
        assert self.process.is_alive()

    def go_on(self) -> None:
        self.release.touch()

    def end(self) -> kill_and_fail.Report:
        self.go_on()
        assert ended(self.process) == 0
        return report_of(self.path)


# Other processes ----------------------------------------------------------------------------------


def test_a_second_loader_gives_up_and_names_the_first(scene: Scene, tmp_path: Path) -> None:
    database = scene.database(tmp_path)
    first = Holder(scene, database, tmp_path, len(scene.moments) // 2)
    report = kill_and_fail.observed(scene.values(database, lock_timeout=0.3))
    assert (report.error, report.exit_code) == ("LockError", 5)
    assert f"(process {first.process.pid}); waited 0.3 s" in report.what
    assert str(database) in report.what and "--lock-timeout" in report.hint
    assert [text for text in report.messages if f"(process {first.process.pid})" in text]
    assert first.end().event == "loaded"
    assert scene.state(database) == "after"


def test_the_command_says_so_in_two_lines(scene: Scene, tmp_path: Path) -> None:
    database = scene.database(tmp_path)
    first = Holder(scene, database, tmp_path, len(scene.moments) // 2)
    values = scene.values(database, lock_timeout=0)
    options = [f"--{k.replace('_', '-')}={v}" for k, v in values.items() if k != "max_reject_ratio"]
    for command in (["load", *options], ["runs", *options], ["migrate", *options]):
        found = subprocess.run(
            [sys.executable, "-m", "sparkify_dwh.cli", *command]
            if (Path(kill_and_fail.__file__).parents[2] / "sparkify_dwh/cli/__main__.py").exists()
            else [sys.executable, "-c", "from sparkify_dwh.cli import main; main()", *command],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "NO_COLOR": "1"},
        )
        assert found.returncode == 5, found
        assert "Traceback" not in found.stderr
        said = " ".join(found.stderr.split())
        assert f"(process {first.process.pid})" in said and "--lock-timeout" in said
    first.end()


def test_a_second_loader_that_waits_long_enough_loads(scene: Scene, tmp_path: Path) -> None:
    database, path = scene.database(tmp_path), tmp_path / "report"
    first = Holder(scene, database, tmp_path, len(scene.moments) // 2)
    marker = tmp_path / "told"
    second = start(kill_and_fail._touch_on_message, str(marker), scene.values(database), str(path))
    until(marker.exists)
    first.go_on()
    assert first.end().event == "loaded"
    assert ended(second) == 0
    report = report_of(path)
    assert report.event == "nothing new" and report.warnings == []
    assert scene.state(database) == "after"
    assert [event for event, _ in kill_and_fail.outcomes(scene.values(database))] == [
        *("nothing new", "loaded", "loaded")
    ]


def test_readers_wait_too_and_see_a_whole_load(scene: Scene, tmp_path: Path) -> None:
    database = scene.database(tmp_path)
    first = Holder(scene, database, tmp_path, len(scene.moments) - 1)
    impatient = Warehouse(Settings(**scene.values(database, lock_timeout=0)))
    for ask in (
        lambda: impatient.query("SELECT 1"),
        impatient.runs,
        impatient.rejects,
        impatient.check,
        impatient.plan,
        impatient.schema_status,
    ):
        with pytest.raises(LockError, match=rf"\(process {first.process.pid}\)"):
            ask()
    patient = Warehouse(Settings(**scene.values(database)))
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        first.go_on()

    patient._tell = tell
    assert [run["event"] for run in patient.runs().records()] == ["loaded", "loaded"]
    assert len(told) == 1 and f"(process {first.process.pid})" in told[0]
    first.end()


def test_a_loader_waits_for_readers_of_another_process(scene: Scene, tmp_path: Path) -> None:
    database = scene.database(tmp_path)
    code = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True);"
        "print('open', flush=True); sys.stdin.read()"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", code, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert reader.stdin is not None and reader.stdout is not None
    with reader:
        reader.stdout.readline()
        assert kill_and_fail.observed(scene.values(database, lock_timeout=0)).error == "LockError"
        # Readers do not keep each other out.
        assert len(Warehouse(Settings(**scene.values(database, lock_timeout=0))).runs()) == 1
        warehouse, told = Warehouse(Settings(**scene.values(database))), []

        def tell(text: str) -> None:
            told.append(text)
            if not reader.stdin.closed:  # type: ignore[union-attr]
                reader.stdin.close()  # type: ignore[union-attr]

        warehouse._tell = tell
        assert warehouse.load().event == "loaded"
        assert f"(process {reader.pid})" in told[0]


def test_two_processes_make_one_new_database(scene: Scene, tmp_path: Path) -> None:
    database = tmp_path / "new.duckdb"
    paths = [tmp_path / f"report-{n}" for n in range(3)]
    loaders = [
        start(kill_and_fail._call, None, scene.values(database), str(path)) for path in paths
    ]
    assert [ended(loader) for loader in loaders] == [0, 0, 0]
    events = sorted(str(report_of(path).event) for path in paths)
    assert events == ["loaded", "nothing new", "nothing new"]
    fresh = tmp_path / "alone.duckdb"
    kill_and_fail.observed(scene.values(fresh))
    assert kill_and_fail.star(database) == kill_and_fail.star(fresh)
    assert {p.name for p in tmp_path.iterdir() if "duckdb" in p.name} == {
        *("new.duckdb", "alone.duckdb")
    }


# Threads ------------------------------------------------------------------------------------------


def together(*bodies: Callable[[], Any]) -> list[Any]:
    """Results, or errors, of functions that run in a thread each and start at once."""
    barrier, results = threading.Barrier(len(bodies)), [None] * len(bodies)

    def run(number: int, body: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            results[number] = body()
        except BaseException as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(bodies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(kill_and_fail.STUCK)
        assert not thread.is_alive()
    return results


@pytest.mark.parametrize("loaders", [2, 4])
def test_threads_that_load_the_same_files(scene: Scene, tmp_path: Path, loaders: int) -> None:
    database = scene.database(tmp_path)
    warehouses = [Warehouse(Settings(**scene.values(database))) for _ in range(loaders)]
    runs = together(*(warehouse.load for warehouse in warehouses))
    assert sorted(run.event for run in runs) == ["loaded", *["nothing new"] * (loaders - 1)]
    assert scene.state(database) == "after"
    assert all(book.balanced for run in runs for book in (*run.sources, *run.targets))
    assert not [text for run in runs for text in run.warnings]


def test_threads_that_load_different_files(scene: Scene, tmp_path: Path) -> None:
    """Sources of their own: a part of the second delivery each."""
    database = tmp_path / "new.duckdb"
    given = [
        {"log_data": str(scene.root / "log_data" / "first"), "song_data": None},
        {"log_data": str(scene.root / "log_data" / "second"), "song_data": None},
        {"log_data": None, "song_data": str(scene.root / "song_data")},
    ]
    warehouses = [Warehouse(Settings(**scene.values(database, **each))) for each in given]
    runs = together(*(warehouse.load for warehouse in warehouses))
    assert [run.event for run in runs] == ["loaded"] * 3, runs
    fresh = tmp_path / "alone.duckdb"
    kill_and_fail.observed(scene.values(fresh))
    assert kill_and_fail.star(database) == kill_and_fail.star(fresh)


def test_threads_that_migrate_and_load_one_new_database(scene: Scene, tmp_path: Path) -> None:
    database = tmp_path / "new.duckdb"
    warehouses = [Warehouse(Settings(**scene.values(database))) for _ in range(4)]
    results = together(
        warehouses[0].migrate, warehouses[1].load, warehouses[2].migrate, warehouses[3].load
    )
    assert [results[0].state, results[2].state] == ["current", "current"]
    assert sorted([results[1].event, results[3].event]) == ["loaded", "nothing new"]


def test_a_thread_gives_up_after_lock_timeout(scene: Scene, tmp_path: Path) -> None:
    database = scene.database(tmp_path)
    second = Warehouse(Settings(**scene.values(database, lock_timeout=0.2)))
    found: list[Any] = []

    def meanwhile(number: int, target: Any) -> None:
        if number == len(scene.moments) // 2:
            found.extend(together(second.load, second.migrate))

    with kill_and_fail.at_moments(meanwhile):
        assert kill_and_fail.observed(scene.values(database)).event == "loaded"
    assert [type(error) for error in found] == [LockError, LockError]
    assert "in use by another thread of this process; waited 0.2 s" in str(found[0])


def test_a_reading_thread_sees_the_whole_load_or_nothing_of_it(
    scene: Scene, tmp_path: Path
) -> None:
    database = scene.database(tmp_path)
    reader = Warehouse(Settings(**scene.values(database, lock_timeout=0)))
    counts = (
        "SELECT (SELECT count(*) FROM sparkify.songplays), (SELECT count(*) FROM sparkify.users),"
        " (SELECT count(*) FROM staging.events), (SELECT count(*) FROM audit.load_file)"
    )
    before = reader.query(counts).rows
    seen: list[Any] = []
    states: list[str] = []

    def ask(number: int, target: Any) -> None:
        # The reader's own statements are moments too.
        if threading.current_thread() is not main or number % 10:
            return
        results = together(lambda: reader.query(counts).rows, lambda: reader.runs().records())
        seen.append(results[0])
        states.append(results[1][0]["event"])

    main = threading.current_thread()
    with kill_and_fail.at_moments(ask):
        assert kill_and_fail.observed(scene.values(database)).event == "loaded"
    assert len(seen) > 5
    after = reader.query(counts).rows
    assert after != before
    assert all(found == before for found in seen[:-1]) and seen[-1] in (before, after), seen
    assert "running" in states and "died" not in states


def test_a_reader_beside_a_loader_cannot_write(scene: Scene, tmp_path: Path) -> None:
    database = scene.database(tmp_path)
    warehouse = Warehouse(Settings(**scene.values(database, lock_timeout=0)))
    other = {**scene.values(database), "memory_limit": "1GiB"}
    with warehouse.engine.connect():
        assert Warehouse(Settings(**other)).query("SELECT 1").rows == [(1,)]
        for sql in (
            "DELETE FROM sparkify.songplays",
            "CREATE TABLE sparkify.mine AS SELECT 1 AS one",
            "COMMIT",
            "SELECT 1; DELETE FROM sparkify.songplays",
            "COMMIT; DELETE FROM sparkify.songplays",
        ):
            with pytest.raises(UsageError):
                warehouse.query(sql)
    assert scene.state(database) == "before"


def test_a_loader_waits_for_reading_threads(scene: Scene, tmp_path: Path) -> None:
    database = scene.database(tmp_path)
    reading = duckdb.connect(str(database), read_only=True)
    impatient = kill_and_fail.observed(scene.values(database, lock_timeout=0.1))
    assert (impatient.error, impatient.exit_code) == ("LockError", 5)
    assert "another connection of this process" in impatient.what
    warehouse = Warehouse(Settings(**scene.values(database)))
    warehouse._tell = lambda text: reading.close()
    assert warehouse.load().event == "loaded"


def test_a_conflict_with_a_connection_of_ones_own_is_tried_again(
    scene: Scene, tmp_path: Path
) -> None:
    database = scene.database(tmp_path)
    values = scene.values(database)
    engine = Warehouse(Settings(**values)).engine
    with engine.connect() as own:
        own.execute(sa.text("DELETE FROM audit.load_lock"))
        report = kill_and_fail.observed({**values, "lock_timeout": 0})
        assert (report.error, report.exit_code) == ("LockError", 5)
        assert "another connection of this process keeps changing" in report.what
        locks: list[int] = []

        def release(number: int, target: Any) -> None:
            if moments[-1].startswith("DELETE FROM audit.load_lock"):
                locks.append(number)
                if len(locks) == 3:
                    own.rollback()

        with kill_and_fail.at_moments(release) as moments:
            assert kill_and_fail.observed(values).event == "loaded"
        assert len(locks) == 3
    assert scene.state(database) == "after"


def test_who_holds_a_file_is_read_from_the_error() -> None:
    start = 'IO Error: Could not set lock on file "/a b.duckdb": '
    for text, holder in {
        "Conflicting lock is held in /usr/bin/python3.11 (PID 12). See also": (
            "python3.11 (process 12)"
        ),
        "Conflicting lock is held in /opt/my app/x (PID 7) by user ann.": "x (process 7)",
        "Conflicting lock is held in PID 99. However": "process 99",
        "Lock is already held in current process, likely another DuckDB instance": (
            "another connection of this process"
        ),
    }.items():
        error = duckdb.IOException(start + text)
        assert holder_of(error) == holder
        assert not is_conflict(error)
    closing = duckdb.BinderException(
        'Binder Error: Unique file handle conflict: Cannot attach "w" - the database file "/w" is'
        ' already attached by database "w"'
    )
    assert holder_of(closing) == "another connection of this process"
    assert not is_conflict(closing)
    assert holder_of(duckdb.IOException("IO Error: anything")) is None
    assert is_conflict(duckdb.TransactionException("TransactionContext Error: Conflict on tuple"))
    assert not is_conflict(
        duckdb.TransactionException("TransactionContext Error: Failed to commit")
    )
