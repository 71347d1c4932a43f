"""The connection of a load on Redshift breaks at each message: never half a load is left."""

from __future__ import annotations

from collections import Counter

import pytest
from standin.fixtures import s3_server, standin
from support import kill_and_fail
from support.kill_and_fail import SOAK, points
from support.redshift_scene import RedshiftScene, quick, scene
from support.soak_figures import STANDIN, figure
from support.warehouses import aws_keys, migrated

from sparkify_dwh.jobs.load import run

__all__ = ["aws_keys", "migrated", "quick", "s3_server", "scene", "standin"]
FLUSH = b"H"


class Attempts:
    """A load whose connection breaks again and again: each attempt is the load after a struck one.

    That takes half as long as a load for each. What is looked at in between are all tables.
    """

    def __init__(self, scene: RedshiftScene, patch: pytest.MonkeyPatch) -> None:
        self.scene, self.struck, self.left = scene, 0, list[int]()
        patch.setattr(run, "_pause", self._between)
        executed = [n for n, kind in enumerate(scene.messages, 1) if kind == b"E"]
        started = next(n for n, sql in enumerate(scene.statements) if "INTO audit.load_run" in sql)
        #: Messages at which a break begins another attempt: the start is on record, the load's
        #: COMMIT is not sent, and from the first of them on all attempts send the same.
        self.first, self.last = executed[started + 2], executed[scene.commit - 2]
        # Another attempt records no start, and soon sends what the first one sends.
        scene.restore()
        scene.at_message(self.first)
        self.seen: list[bytes] | None = None
        assert scene.observed().event == "loaded" and self.struck == 1
        again = list(self.seen or ())
        self.fewer = len(scene.messages) - len(again)
        pairs = zip(reversed(scene.messages), reversed(again), strict=False)
        same = next(n for n, (one, other) in enumerate(pairs) if one != other)
        self.first = max(self.first, len(scene.messages) - same + 1)

    def _between(self, attempt: int) -> float:
        if not self.within:
            return 0.0
        self.struck += 1
        assert self.scene.state() == "before", self.what
        assert list(self.scene.ends().values())[1:] == [["started"]], self.what
        if self.left:
            self.scene.at_message(self.left.pop(0) - self.fewer)
        elif self.seen is None:
            self.seen = self.scene.house.database.faults.watch_messages()
        return 0.0

    #: What is struck, and whether inside of the transaction.
    what, within = "the first", True

    def load(self, *numbers: int) -> str:
        """Loads, and the connection breaks at these messages; the state it leaves."""
        self.what, self.struck = f"seed {kill_and_fail.SEED}, messages {numbers}", 0
        self.within = self.first <= numbers[0] <= self.last
        self.scene.restore()
        self.scene.at_message(numbers[0])
        self.left = list(numbers[1:])
        report = self.scene.observed()
        if self.within:
            assert self.struck == len(numbers) and report.event == "loaded", self.what
        return self.scene.survived(report, self.what)


def test_the_connection_is_dropped_at_each_message(
    scene: RedshiftScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the wire protocol; a sample leaves out Flush, which does nothing and has no answer."""
    each = [n for n, kind in enumerate(scene.messages, 1) if SOAK or kind != FLUSH]
    total = len(each)
    assert total > 4 * len(scene.statements)
    chosen = [each[n - 1] for n in points(total, "messages on Redshift")]
    attempts = Attempts(scene, monkeypatch)
    within = [number for number in chosen if attempts.first <= number <= attempts.last]
    assert len(within) > len(chosen) / 2
    loads = [(number,) for number in chosen if number not in within]
    size = 1 if SOAK else run.RETRIES
    loads += [tuple(within[start : start + size]) for start in range(0, len(within), size)]
    states: Counter[str] = Counter()
    for numbers in loads:
        states[attempts.load(*numbers)] += len(numbers)
    assert set(states) == {"before", "after"} and sum(states.values()) == len(chosen)
    figure(
        "messages dropped",
        engine=STANDIN,
        of=total,
        tried=len({*chosen}),
        seed=kill_and_fail.SEED,
        **states,
    )
