"""Erasing, pruning and compacting are struck at each statement and commit: never half is left."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa
from standin.buckets import S3Server
from support import kill_and_fail
from support.kill_and_fail import EVERY, SOAK, points
from support.maintenance_faults import CHANGES, OnFolders, OnStandin, Scene, observed
from support.soak_figures import figure
from support.warehouses import OnRedshift, Source

from sparkify_dwh.jobs import retries
from sparkify_dwh.models.base import Base


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, template: Path) -> OnFolders:
    return OnFolders(tmp_path_factory.mktemp("changes"), template)


@pytest.fixture(scope="module")
def bucket(migrated: OnRedshift, s3_server: S3Server) -> OnStandin:
    return OnStandin(migrated, Source(s3_server))


@pytest.fixture(params=["folders", "bucket"])
def scene(request: pytest.FixtureRequest) -> Scene:
    found: Scene = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("table", ["staging.events", "audit.rejected_row", "audit.erasure"])
def test_half_a_change_would_be_noticed(scene: Scene, table: str) -> None:
    scene.restore()
    assert scene.made("erase", "nothing") == 0
    engine = scene.rig.warehouse.engine
    with engine.begin() as connection:
        connection.execute(sa.delete(Base.metadata.tables[table]))
    engine.dispose()
    with pytest.raises(AssertionError, match=table):
        scene.made("erase", "half")


@pytest.mark.parametrize("name", CHANGES)
def test_each_statement_and_commit_is_struck(scene: Scene, name: str) -> None:
    """In a soak each by every kind; else a sample of statements, a kind each.

    All objects are loaded after one in so many of them, and where the commit got no answer.
    """
    statements, kinds = scene.statements[name], scene.kinds
    commits = [n for n, sql in enumerate(statements, 1) if sql.upper() == "COMMIT"]
    assert commits and len(statements) > 10
    offset = random.Random(kill_and_fail.SEED).randrange(len(kinds))
    total = len(statements)
    chosen = [
        (number, kind)
        for turn, number in enumerate(points(total, f"{name} {scene.engine}"), offset)
        for kind in (kinds if SOAK else (kinds[turn % len(kinds)],))
    ]
    # The commit of the change: refused, and done without anybody left who knows.
    chosen += [(commits[-1], kind) for kind in (kinds[0], kinds[-1])]
    unanswered = (commits[-1], kinds[-1])
    made: Counter[int] = Counter()
    for nth, (number, kind) in enumerate(dict.fromkeys(chosen)):
        what = (
            f"seed {kill_and_fail.SEED}, {name} {kind} at {number}: {statements[number - 1][:80]}"
        )
        scene.restore()
        report = scene.struck(name, number, kind)
        load = ((number, kind) == unanswered and name == "erase") or (SOAK and nth % EVERY == 0)
        made[scene.survived(name, report, what, load=load)] += 1
    assert min(made) < max(made)
    figure(
        f"statements of {name} struck",
        engine=scene.engine,
        of=total * len(kinds),
        tried=sum(made.values()),
        seed=kill_and_fail.SEED,
    )


@pytest.mark.parametrize(("times", "made"), [(2, 1), (-1, 0)])
def test_another_session_in_the_way_of_an_erasure(
    bucket: OnStandin, times: int, made: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It starts again some times; all of it is done or nothing."""
    monkeypatch.setattr(retries.Retries, "wait", lambda self: None)
    bucket.restore()
    bucket.rig.database.faults.fail(
        "^DELETE FROM sparkify.users", "1023", detail="violation on table - 1", times=times
    )
    report = observed("erase", bucket.rig.warehouse, None)
    again = [text for text in report.messages if "starting again" in text]
    assert len(again) == (2 if made else retries.RETRIES["conflict"].most)
    assert report.error == (None if made else "DatabaseError")
    assert bucket.survived("erase", report, "a conflict", load=False) == made
