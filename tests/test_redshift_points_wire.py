"""A connection that breaks at any message of a load on Redshift never leaves half a load."""

from __future__ import annotations

from collections import Counter

import pytest
from support import kill_and_fail
from support.kill_and_fail import SOAK, points
from support.redshift_scene import RedshiftScene
from support.soak_figures import STANDIN, figure

from sparkify_dwh.jobs.retries import RETRIES, Retries

pytestmark = pytest.mark.usefixtures("quick_attempts")
FLUSH = b"H"


class Attempts:
    """A load whose connection breaks repeatedly: each attempt is the load after a failed one.

    That takes half as long as one load per break. In between all tables are compared.
    """

    def __init__(self, redshift_scene: RedshiftScene, patch: pytest.MonkeyPatch) -> None:
        self.scene, self.struck, self.left = redshift_scene, 0, list[int]()
        patch.setattr(Retries, "wait", self._between)
        executed = [n for n, kind in enumerate(redshift_scene.messages, 1) if kind == b"E"]
        started = next(
            n for n, sql in enumerate(redshift_scene.statements) if "INTO audit.load_run" in sql
        )
        #: Messages at which a break starts another attempt: the start is recorded, the load's
        #: COMMIT is not sent yet, and from the first of them on all attempts send the same.
        self.first, self.last = executed[started + 2], executed[redshift_scene.commit - 2]
        # Another attempt records no start, and soon sends the same as the first one.
        redshift_scene.restore()
        redshift_scene.at_message(self.first)
        self.seen: list[bytes] | None = None
        assert redshift_scene.observed().event == "loaded" and self.struck == 1
        again = list(self.seen or ())
        self.fewer = len(redshift_scene.messages) - len(again)
        pairs = zip(reversed(redshift_scene.messages), reversed(again), strict=False)
        same = next(n for n, (one, other) in enumerate(pairs) if one != other)
        self.first = max(self.first, len(redshift_scene.messages) - same + 1)

    def _between(self) -> None:
        if not self.within:
            return
        self.struck += 1
        assert self.scene.state() == "before", self.what
        assert list(self.scene.ends().values())[1:] == [["started"]], self.what
        if self.left:
            self.scene.at_message(self.left.pop(0) - self.fewer)
        elif self.seen is None:
            self.seen = self.scene.rig.database.faults.watch_messages()

    #: Description of the breaks, and whether the first is inside the transaction.
    what, within = "the first", True

    def load(self, *numbers: int) -> str:
        """Loads with a connection that breaks at these messages; returns the state it leaves."""
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
    redshift_scene: RedshiftScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message of the wire protocol; a sample omits Flush, which has no effect and no answer."""
    each = [n for n, kind in enumerate(redshift_scene.messages, 1) if SOAK or kind != FLUSH]
    total = len(each)
    assert total > 4 * len(redshift_scene.statements)
    chosen = [each[n - 1] for n in points(total, "messages on Redshift")]
    attempts = Attempts(redshift_scene, monkeypatch)
    within = [number for number in chosen if attempts.first <= number <= attempts.last]
    assert len(within) > len(chosen) / 2
    loads = [(number,) for number in chosen if number not in within]
    size = 1 if SOAK else RETRIES["connection lost"].most or 1
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
