"""A fault at each statement and commit of a load on Redshift never leaves half a load."""

from __future__ import annotations

import random
import signal
from collections import Counter

import pytest
from support import kill_and_fail
from support.kill_and_fail import SOAK, ended, points, start
from support.redshift_scene import INJECTED, RedshiftScene
from support.soak_figures import STANDIN, figure

pytestmark = pytest.mark.usefixtures("quick_attempts")
KINDS = ("fails", "dropped before", "dropped after", "gone before", "gone after")


@pytest.mark.parametrize("table", ["sparkify.users", "staging.events", "audit.load_file"])
def test_half_a_load_would_be_noticed(redshift_scene: RedshiftScene, table: str) -> None:
    redshift_scene.restore()
    assert redshift_scene.state() == "before"
    redshift_scene._admin(f"DELETE FROM {table}")
    with pytest.raises(AssertionError, match=table):
        redshift_scene.state()


def test_each_statement_and_commit_is_struck(redshift_scene: RedshiftScene) -> None:
    """In a soak each statement with every kind of fault; else a sample, with one kind each."""
    total = len(redshift_scene.statements)
    assert redshift_scene.statements[redshift_scene.commit - 1].upper() == "COMMIT" and total > 100
    draw = random.Random(kill_and_fail.SEED)
    offset = draw.randrange(len(KINDS))
    chosen = [
        (number, kind)
        for turn, number in enumerate(points(total, "statements on Redshift"), offset)
        for kind in (KINDS if SOAK else (KINDS[turn % len(KINDS)],))
    ]
    # The load's own COMMIT: refused, lost, and done without an answer.
    chosen += [(redshift_scene.commit, kind) for kind in ("fails", "dropped after", "gone after")]
    states: Counter[str] = Counter()
    for number, kind in dict.fromkeys(chosen):
        statement = redshift_scene.statements[number - 1]
        what = f"seed {kill_and_fail.SEED}, {kind} at {number}: {statement[:80]}"
        redshift_scene.restore()
        redshift_scene.at_statement(number, kind)
        report = redshift_scene.observed()
        if kind == "fails" and report.error:
            assert f"{INJECTED} at {number}" in report.what, what
            redshift_scene.back_to_normal()
            runs = list(redshift_scene.ends().values())[1:]
            # There is no record only if the start could not be recorded.
            assert runs in ([], [["started", "rolled back"]]), (what, runs)
        states[redshift_scene.survived(report, what)] += 1
    assert set(states) == {"before", "after"}
    figure(
        "statements struck",
        engine=STANDIN,
        of=total * len(KINDS),
        tried=len({*chosen}),
        seed=kill_and_fail.SEED,
        **states,
    )


def test_a_killed_process(redshift_scene: RedshiftScene) -> None:
    """Kill -9 before and after calls of the driver; no process is left that could log anything."""
    with kill_and_fail.at_moments(
        dialect=type(redshift_scene.rig.warehouse.engine.dialect)
    ) as moments:
        redshift_scene.restore()
        redshift_scene.observed()
    total = len(moments)
    both = ("before", "after")
    draw = random.Random(kill_and_fail.SEED)
    chosen = [
        (n, when)
        for n in points(total, "kill -9 on Redshift")
        for when in (both if SOAK else (draw.choice(both),))
    ]
    commits = [n for n, text in enumerate(moments, 1) if text == "COMMIT"]
    on_record = min(
        n for n in commits if any("INTO audit.load_run" in text for text in moments[:n])
    )
    last = max(commits)
    chosen.append((last, "after"))
    states: Counter[str] = Counter()
    for number, when in dict.fromkeys(chosen):
        redshift_scene.restore()
        arguments = (redshift_scene.environment(), number, when, redshift_scene.values())
        assert ended(start(kill_and_fail._kill_on_redshift, *arguments)) == -signal.SIGKILL
        what = f"seed {kill_and_fail.SEED}, killed {when} {number}: {moments[number - 1][:80]}"
        state = redshift_scene.survived(None, what)
        states[state] += 1
        killed = list(redshift_scene.ends().values())[1:-1]
        if number < on_record or (number, when) == (on_record, "before"):
            assert killed == [], what
        else:
            assert killed == [["started", "loaded"] if state == "after" else ["started"]], what
    assert states["after"]
    figure(
        "kill -9",
        engine=STANDIN,
        of=2 * total,
        tried=len({*chosen}),
        seed=kill_and_fail.SEED,
        **states,
    )
