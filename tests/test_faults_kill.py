"""Kill -9, at every moment: what is left opens, is wholly before or after, and is named."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import duckdb
import pytest
from support import kill_and_fail
from support.kill_and_fail import SOAK, Scene, ended, outcomes, points, report_of, start
from support.soak_figures import figure

from sparkify_dwh import Settings, Warehouse
from sparkify_dwh.dialects.duckdb.incoming_table import is_incoming


def survives(scene: Scene, database: Path, what: str) -> str:
    """Checks a database whose loader was killed; returns the state it was found in."""
    values = scene.values(database)
    left = outcomes(values)
    state = scene.state(database, killed=True)
    # The first load of the scene is the oldest run; the killed one may have no start on record.
    assert [event for event, _ in left[1:] or left] == ["loaded"], what
    killed = left[0][0] if len(left) == 2 else None
    assert killed in ({"before": (None, "died"), "after": ("loaded",)}[state]), what
    following = kill_and_fail.observed(values)
    assert following.event == ("loaded" if state == "before" else "nothing new"), what
    named = [text for text in following.messages if "died" in text]
    assert len(named) == (1 if killed == "died" else 0), what
    assert named == [text for text in following.warnings if "died" in text], what
    healed = kill_and_fail.digest(database)
    assert {k: v for k, v in healed.items() if k in scene.star} == scene.star, what
    assert not [name for name in healed if is_incoming(name)], what
    return state


def test_killed_before_and_after_every_statement(scene: Scene, tmp_path: Path) -> None:
    total = len(scene.moments)
    assert scene.moments[-1] == "COMMIT" and total > 60
    draw = random.Random(kill_and_fail.SEED)
    both = ("before", "after")
    chosen = [
        (n, when)
        for n in points(total, "kill -9 on DuckDB")
        for when in (both if SOAK else (draw.choice(both),))
    ]
    # Around the commit, and before the very last statement of the transaction.
    chosen += [(total, "before"), (total, "after"), (total - 1, "after")]
    states = set()
    for moment, when in dict.fromkeys(chosen):
        database, path = scene.database(tmp_path), tmp_path / "report.json"
        code = ended(start(kill_and_fail._kill, moment, when, scene.values(database), str(path)))
        assert code == -signal.SIGKILL
        states.add(survives(scene, database, f"{when} {moment}: {scene.moments[moment - 1]}"))
    assert states == {"before", "after"}
    figure("kill -9", engine="duckdb", of=2 * total, tried=len({*chosen}), seed=kill_and_fail.SEED)


def test_killed_at_random(scene: Scene, tmp_path: Path) -> None:
    draw = random.Random(20181101)
    path = tmp_path / "report.json"
    began = time.monotonic()
    assert not ended(
        start(kill_and_fail._call, None, scene.values(scene.database(tmp_path)), str(path))
    )
    usual = time.monotonic() - began
    for _ in range(60 if SOAK else 5):
        database, pause = scene.database(tmp_path), draw.uniform(0, usual)
        process = start(kill_and_fail._call, None, scene.values(database), str(path))
        time.sleep(pause)
        process.kill()
        ended(process)
        survives(scene, database, f"after {pause:.3f} s")


def test_killed_while_a_new_database_is_made(scene: Scene, tmp_path: Path) -> None:
    database, path = tmp_path / "new.duckdb", tmp_path / "report.json"
    ended(start(kill_and_fail._kill, 0, "before", scene.values(database), str(path)))
    total = len(report_of(path).moments)
    expected = kill_and_fail.star(database)
    for moment in range(1, total + 1, 1 if SOAK else total // 6):
        database = tmp_path / f"new-{moment}.duckdb"
        values = scene.values(database)
        code = ended(start(kill_and_fail._kill, moment, "after", values, str(path)))
        assert code == -signal.SIGKILL
        following = kill_and_fail.observed(values)
        assert following.event in ("loaded", "nothing new"), (moment, following)
        assert kill_and_fail.star(database) == expected


def test_reading_goes_on_after_a_kill_that_left_a_log_to_replay(
    scene: Scene, tmp_path: Path
) -> None:
    database, path = scene.database(tmp_path), tmp_path / "report.json"
    moment = len(scene.moments) - 1
    ended(start(kill_and_fail._kill, moment, "after", scene.values(database), str(path)))
    assert Path(f"{database}.wal").stat().st_size > 0
    warehouse = Warehouse(Settings(**scene.values(database)))
    before = Warehouse(Settings(**scene.values(scene.before)))
    asked = "SELECT count(*) FROM sparkify.songplays"
    assert warehouse.query(asked).rows == before.query(asked).rows
    assert [run["event"] for run in warehouse.runs().records()] == ["died", "loaded"]
    assert len(warehouse.rejects()) == len(before.rejects())
    assert warehouse.check().passed
    assert Path(f"{database}.wal").exists()


def test_a_dead_run_is_named_by_the_next_load_only(scene: Scene, tmp_path: Path) -> None:
    database, path = scene.database(tmp_path), tmp_path / "report.json"
    values = scene.values(database)
    for _ in range(2):
        ended(start(kill_and_fail._kill, len(scene.moments) // 2, "after", values, str(path)))
    with duckdb.connect(str(database)) as connection:
        found = "SELECT run_id FROM audit.load_run GROUP BY run_id HAVING count(*) = 1"
        dead = sorted(run for (run,) in connection.execute(found).fetchall())
    assert len(dead) == 2
    following = kill_and_fail.observed(values)
    named = [text.split()[1] for text in following.warnings if "died" in text]
    assert sorted(named) == dead
    assert not [text for text in kill_and_fail.observed(values).messages if "died" in text]
    assert [event for event, _ in outcomes(values)] == [
        *("nothing new", "loaded"),
        *("died", "died", "loaded"),
    ]


def test_scratch_of_a_killed_load_is_removed_by_the_next(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, path = scene.database(tmp_path), tmp_path / "report.json"
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "sparkify-data").mkdir()
    values = scene.values(database)
    ended(start(kill_and_fail._kill_in, str(tmp_path), len(scene.moments) - 1, values, str(path)))
    (left,) = kill_and_fail.scratch_folders()
    # One that another process uses stays.
    other = start(kill_and_fail._hold_scratch, str(tmp_path), str(tmp_path / "held"))
    while not (tmp_path / "held").exists():
        time.sleep(0.01)
    assert len(kill_and_fail.scratch_folders() - {left}) == 1
    assert kill_and_fail.observed(values).event == "loaded"
    assert len(kill_and_fail.scratch_folders()) == 1 and left not in kill_and_fail.scratch_folders()
    assert (tmp_path / "sparkify-data").is_dir()
    other.kill()
    ended(other)
    kill_and_fail.observed({**values, "max_reject_ratio": 0.5})
    assert not kill_and_fail.scratch_folders()
