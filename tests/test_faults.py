"""A statement or commit that fails, and a signal: all of the load is rolled back and on record."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from support import kill_and_fail
from support.kill_and_fail import Scene, ended, fail_at, outcomes, points, report_of, start
from support.soak_figures import figure

from sparkify_dwh import DatabaseError, Settings, SparkifyError, Warehouse
from sparkify_dwh.dialects.duckdb.dialect import DuckDBDialect
from sparkify_dwh.steps.executor import Executor

# Statements --------------------------------------------------------------------------------------


def test_every_statement_fails_in_turn(scene: Scene, tmp_path: Path) -> None:
    total = len(scene.moments)
    moments = points(total, "statements on DuckDB")
    for moment in sorted({*moments, total - 1, total}):
        database = scene.database(tmp_path)
        values = scene.values(database)
        with fail_at(moment):
            report = kill_and_fail.observed(values)
        what = f"{moment}: {scene.moments[moment - 1]}"
        left = outcomes(values)
        if report.error is None and "FROM alembic_version" in scene.moments[moment - 1]:
            # The short look at the schema's version failed, and the long one took its place.
            assert report.event == "loaded" and scene.state(database) == "after", what
            continue
        assert (report.error, report.exit_code) == ("DatabaseError", 5), what
        assert f"injected at {moment}" in report.what, what
        assert scene.state(database) == "before", what
        if len(left) == 2:
            assert left[0] == ("rolled back", report.what), what
        following = kill_and_fail.observed(values)
        assert following.event == "loaded" and not following.warnings, what
        assert kill_and_fail.star(database) == scene.star, what
    figure(
        "statements that fail",
        engine="duckdb",
        of=total,
        tried=len(moments),
        seed=kill_and_fail.SEED,
    )


def test_the_commit_fails(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = scene.database(tmp_path)
    values = scene.values(database)
    with fail_at(len(scene.moments)) as moments:
        report = kill_and_fail.observed(values)
    assert moments[len(scene.moments) - 1] == "COMMIT"
    assert report.error == "DatabaseError" and "injected" in report.what
    assert scene.state(database) == "before"
    assert outcomes(values)[0] == ("rolled back", report.what)


def test_a_commit_that_fails_for_want_of_space_is_no_conflict(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Measured: DuckDB raises a TransactionException then, as for a conflict.
    text = 'Failed to commit: Could not write file "w.duckdb.wal": No space left on device'
    original = DuckDBDialect.do_commit
    commits = []

    def commit(self: Any, connection: Any) -> None:
        commits.append(1)
        if len(commits) == scene.moments.count("COMMIT"):
            raise duckdb.TransactionException(f"TransactionContext Error: {text}")
        original(self, connection)

    monkeypatch.setattr(DuckDBDialect, "do_commit", commit)
    report = kill_and_fail.observed(scene.values(scene.database(tmp_path)))
    assert report.error == "DatabaseError" and "no space left" in report.what
    assert "free some space" in report.hint
    assert len(commits) < scene.moments.count("COMMIT") + 3


def test_what_fails_after_the_commit_does_not_undo_it(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = scene.database(tmp_path)
    values = scene.values(database)

    def interrupt(number: int, target: Any) -> None:
        if number == len(scene.moments):
            raise KeyboardInterrupt

    with kill_and_fail.at_moments(after=interrupt):
        report = kill_and_fail.observed(values)
    assert report.error == "KeyboardInterrupt"
    assert any("was committed before this" in text for text in report.messages)
    assert scene.state(database) == "after"
    assert outcomes(values)[0] == ("loaded", None)


def test_a_failure_that_cannot_be_recorded_is_a_warning(
    scene: Scene, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = scene.database(tmp_path)
    values = scene.values(database)
    moment = len(scene.moments) - 10
    with fail_at(moment, ever_since=True):
        report = kill_and_fail.observed(values)
    assert report.error == "DatabaseError" and f"injected at {moment}" in report.what
    warned = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert len(warned) == 1 and warned[0].startswith("the failed run could not be recorded")
    assert scene.state(database, killed=True) == "before"
    assert outcomes(values)[0] == (None, None) or outcomes(values)[0][0] == "died"


def test_failed_housekeeping_is_a_warning(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sparkify_dwh.dialects.duckdb.engine import DuckDBEngine

    def fails(self: Any, ex: Executor, deleted: Any) -> list[str]:
        ex.rows(sa.text("SELECT nothing"), step="housekeep")
        return []

    monkeypatch.setattr(DuckDBEngine, "housekeep", fails)
    report = kill_and_fail.observed(scene.values(scene.database(tmp_path)))
    assert report.event == "loaded"
    (warning,) = report.warnings
    assert warning.startswith("the load is committed, but ")


def test_nothing_but_the_database_is_left(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, temporary = scene.database(tmp_path), tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    for moment in (1, len(scene.moments) // 2, len(scene.moments)):
        with fail_at(moment):
            assert kill_and_fail.observed(scene.values(database)).error == "DatabaseError"
        assert list(temporary.iterdir()) == []
        assert {p.name for p in tmp_path.iterdir()} == {"tmp", "warehouse.duckdb"}


def test_nothing_new_opens_the_database_once(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = scene.database(tmp_path)
    kill_and_fail.observed(scene.values(database))
    opened = []
    original = duckdb.connect

    def connect(*args: Any, **named: Any) -> Any:
        opened.append(args or named)
        return original(*args, **named)

    monkeypatch.setattr(duckdb, "connect", connect)
    with kill_and_fail.at_moments() as moments:
        assert kill_and_fail.observed(scene.values(database)).event == "nothing new"
    assert len(opened) == 1
    assert not [text for text in moments if "staging" in text or "sparkify." in text]


# Signals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
@pytest.mark.parametrize(
    ("number", "error", "reason"),
    [
        (signal.SIGINT, "KeyboardInterrupt", "interrupted"),
        (signal.SIGTERM, "Terminated", "terminated: by a test"),
    ],
)
def test_a_signal_ends_a_statement_and_rolls_back(
    scene: Scene, tmp_path: Path, where: float, number: int, error: str, reason: str
) -> None:
    """The statement at hand would run for hours."""
    database, path, marker = scene.database(tmp_path), tmp_path / "report", tmp_path / "marker"
    values = scene.values(database)
    moment = next(
        n
        for n in range(int(len(scene.moments) * where), len(scene.moments))
        if scene.moments[n - 1] != "COMMIT"
    )
    process = start(kill_and_fail._wait_for_signal, moment, str(marker), values, str(path))
    while not marker.exists():
        assert process.exitcode is None
        time.sleep(0.01)
    time.sleep(0.2)
    assert process.pid is not None
    os.kill(process.pid, number)
    assert ended(process) == 0
    report = report_of(path)
    assert report.error == error
    assert scene.state(database) == "before"
    assert outcomes(values)[0] == ("rolled back", reason)
    # Recorded on the load's own connection, so that nobody came between.
    assert not [text for text in report.messages if "waiting" in text]
    assert kill_and_fail.observed(values).event == "loaded"
    assert kill_and_fail.star(database) == scene.star


# The errors ---------------------------------------------------------------------------------------


def test_errors_of_the_driver_become_ours_with_what_to_do(scene: Scene, tmp_path: Path) -> None:
    warehouse = Warehouse(Settings(**scene.values(scene.database(tmp_path))))
    engine = warehouse._engine()
    for text, said in {
        'IO Error: Could not write file "x": No space left on device': "no space left",
        'IO Error: Could not write file "x": File too large': "no space left",
        'IO Error: Cannot open file "x": Permission denied': "may not be opened or written",
        "Out of Memory Error: could not allocate block of size 256.0 KiB": "needs more memory",
        "IO Error: Corrupt database file: computed checksum 1 does not match": "is damaged",
        "Constraint Error: anything else": "anything else",
    }.items():
        found = engine.explain(duckdb.Error(text))
        assert isinstance(found, DatabaseError) and isinstance(found, SparkifyError)
        assert said in found.what and found.hint and "\n" not in found.what
        assert " Error: " not in found.what
